//! The questions to AWS: whose credentials there are, and whether `CloudWatch` takes
//! a datapoint. Each within its time.

use std::time::{Duration, SystemTime};

use smol::future::FutureExt as _;

use super::{
    report::{self, Reason, Step},
    steps::{Check, sets},
};
use crate::{
    cloudwatch::{CloudWatch, CorrectedClock, CredentialsSource, NoCredentials, PutError},
    publisher::Outcome,
    sample::{dimension::ResolvedDimensions, metric::Sample},
    sidecar::world::{Timer as _, World},
};

/// For the sources of credentials, all together.
const CREDENTIALS_PATIENCE: Duration = Duration::from_secs(10);
/// For the request, which asks for credentials once more.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(15);

impl<W: World> Check<'_, W> {
    /// Credentials, and where that is asked for a datapoint.
    pub(super) async fn cloudwatch(
        &mut self,
        region: String,
        dimensions: ResolvedDimensions,
        publish: bool,
    ) {
        let settings = self.settings;
        let ca_bundle = settings.ca_bundle.as_ref().map(|bundle| bundle.path.clone());
        let http_client = match self.world.http_client(ca_bundle) {
            Ok(http_client) => http_client,
            Err(error) => {
                let next = "see whether the container may start threads and open sockets";
                self.fail(Step::Credentials, Reason::Temporary, error, next.to_owned());
                self.output.part(&self.report, Step::Credentials);
                return;
            }
        };
        let to_send = publish.then(|| self.choose(&dimensions)).flatten();
        let clock = CorrectedClock::new(self.world.time_source());
        let connect = || {
            CloudWatch::connect(
                http_client.clone(),
                self.world.sleep(),
                clock.clone(),
                region.clone(),
                settings.namespace.clone(),
                dimensions.clone(),
            )
        };
        let asked = async {
            let cloudwatch = connect().await;
            let credentials = cloudwatch.credentials().await;
            (cloudwatch, credentials)
        };
        let asked = self.within(CREDENTIALS_PATIENCE, asked).await;
        let (cloudwatch, credentials) = asked.map_or_else(
            || {
                let seconds = CREDENTIALS_PATIENCE.as_secs();
                (None, Err(NoCredentials::Failing(format!("no answer within {seconds} s"))))
            },
            |(cloudwatch, credentials)| (Some(cloudwatch), credentials),
        );
        let has_credentials = credentials.is_ok();
        self.credentials(credentials);
        self.output.part(&self.report, Step::Credentials);
        if let (Some(cloudwatch), Some(sample), true) = (cloudwatch, to_send, has_credentials) {
            let mut answer = self.put(&cloudwatch, sample).await;
            let clock_problem = match &answer {
                Err(PutError { outcome: Outcome::ClockSkew, message }) => Some(message.clone()),
                _ => None,
            };
            if clock_problem.is_some() {
                // As the sidecar does: signed with the time of the answer, by a new
                // client, since this one has a correction of its own.
                answer = self.put(&connect().await, sample).await;
            }
            if let Some(what) = clock_problem.filter(|_| answer.is_ok()) {
                let (_, next) = advice(Outcome::ClockSkew, &region, &settings.namespace);
                self.warn(Step::Publish, what, next);
            }
            self.published(&answer, sample, &dimensions, region);
        } else if publish {
            let what = "no datapoint was sent: there is none, or nothing to sign it with";
            let next = "see above";
            self.warn(Step::Publish, what.to_owned(), next.to_owned());
            self.output.part(&self.report, Step::Publish);
        }
    }

    fn credentials(&mut self, answer: Result<CredentialsSource, NoCredentials>) {
        let (reason, what, next) = match answer {
            Ok(found) => {
                let expire = found.expire.map(|at| at.duration_since(SystemTime::now()));
                self.report.credentials = Some(report::Credentials {
                    source: found.source,
                    expire_in_s: expire.map(|left| left.unwrap_or_default().as_secs()),
                });
                if found.is_of_instance {
                    let what = "these are the EC2 instance's, not the task's".to_owned();
                    let next = "give the task definition a task role (taskRoleArn)".to_owned();
                    self.warn(Step::Credentials, what, next);
                }
                return;
            }
            Err(NoCredentials::Missing(what)) => (
                Reason::Permission,
                what,
                "give the task definition a task role (taskRoleArn); the execution role is not \
                 for this",
            ),
            Err(NoCredentials::Misconfigured(what)) => (
                Reason::Configuration,
                what,
                "correct the AWS variables and files that it names, or leave them out, so that \
                 the task role counts",
            ),
            Err(NoCredentials::Failing(what)) => (
                Reason::Temporary,
                what,
                "try again; if it lasts, see whether the task definition has a task role \
                 (taskRoleArn)",
            ),
        };
        self.fail(Step::Credentials, reason, what, next.to_owned());
    }

    /// The first metric of which there is a value, in the order of the
    /// documentation: a real one, which an alarm may count as well.
    fn choose(&self, dimensions: &ResolvedDimensions) -> Option<Sample> {
        let mut samples: Vec<_> = self.newest.values().copied().collect();
        samples.sort_by_key(|sample| sample.metric);
        samples.into_iter().find(|sample| !dimensions.sets(sample.container).is_empty())
    }

    fn published(
        &mut self,
        answer: &Result<(), PutError>,
        sample: Sample,
        dimensions: &ResolvedDimensions,
        region: String,
    ) {
        let names = self.poller.sampler.names();
        let container = sample.container.and_then(|place| names.get(usize::from(place)).cloned());
        if let Err(error) = answer {
            let (reason, next) = advice(error.outcome, &region, &self.settings.namespace);
            self.fail(Step::Publish, reason, error.message.clone(), next);
        }
        self.report.published = Some(report::Published {
            metric: sample.metric.name(),
            namespace: self.settings.namespace.clone(),
            region,
            container,
            value: sample.value,
            unit: sample.metric.unit(),
            read_unix_ms: sample.read.unix_ms(),
            sets: sets(dimensions.sets(sample.container)),
            is_accepted: answer.is_ok(),
        });
        self.output.part(&self.report, Step::Publish);
    }

    async fn put(&self, cloudwatch: &CloudWatch, sample: Sample) -> Result<(), PutError> {
        let answer = self.within(PUBLISH_PATIENCE, cloudwatch.put(&[sample])).await;
        answer.unwrap_or_else(|| {
            let message = format!("no answer within {} s", PUBLISH_PATIENCE.as_secs());
            Err(PutError { outcome: Outcome::NoAnswer, message })
        })
    }

    /// What comes of `future` within `patience`, or `None`.
    async fn within<T>(&self, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut timer = self.world.timer();
        let until = self.instant() + patience;
        let over = async {
            timer.until(until).await;
            None
        };
        async { Some(future.await) }.or(over).await
    }
}

/// What a request that was not accepted says of the exit code, and what to do.
fn advice(outcome: Outcome, region: &str, namespace: &str) -> (Reason, String) {
    match outcome {
        Outcome::Denied => (
            Reason::Permission,
            format!(
                "allow the task role cloudwatch:PutMetricData; where the policy has a condition on \
                 cloudwatch:namespace, it is to name {namespace}"
            ),
        ),
        Outcome::Credentials => (
            Reason::Permission,
            "see where the credentials above come from, and whether they are still good".to_owned(),
        ),
        Outcome::Invalid => (
            Reason::Configuration,
            "correct NAMESPACE, DIMENSIONS or the value that the answer names".to_owned(),
        ),
        Outcome::Unreachable => (
            Reason::Unavailable,
            format!(
                "give the subnet a NAT gateway, or the interface endpoint \
                 com.amazonaws.{region}.monitoring with private DNS; AWS_ENDPOINT_URL and \
                 HTTPS_PROXY, where they are set, count"
            ),
        ),
        Outcome::ClockSkew => (Reason::Temporary, "set the host's clock".to_owned()),
        Outcome::Throttled => {
            (Reason::Temporary, "try again; the sidecar does so by itself".to_owned())
        }
        Outcome::Accepted | Outcome::ServerError | Outcome::ConnectionLost | Outcome::NoAnswer => {
            (Reason::Temporary, "try again; if it lasts, see AWS's health dashboard".to_owned())
        }
    }
}
