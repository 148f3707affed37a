//! The questions to AWS: whose credentials there are, and whether `CloudWatch` takes
//! a datapoint. Each within its time.

use std::time::{Duration, SystemTime};

use smol::future::FutureExt as _;

use super::{
    findings::{self, Reason, Step, sets},
    under_way::Check,
};
use crate::{
    cloudwatch::{Cause, CloudWatch, CredentialsSource, NoCredentials, PutError},
    publisher::Outcome,
    sample::{dimension::ResolvedDimensions, metric::Sample},
    sidecar::{
        connecting::Connecting,
        destination::Destination,
        world::{Timer as _, World},
    },
};

/// For the sources of credentials, all together.
/// It is more than a look-up is waited for, so that one that fails is told.
const CREDENTIALS_PATIENCE: Duration = Duration::from_secs(12);
/// For the request, which asks for credentials once more.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(15);

/// For all questions to AWS.
pub(super) const fn patience(publish: bool) -> Duration {
    if publish {
        CREDENTIALS_PATIENCE.saturating_add(PUBLISH_PATIENCE)
    } else {
        CREDENTIALS_PATIENCE
    }
}

impl<W: World> Check<'_, W> {
    /// Credentials, and a datapoint if that is asked for.
    pub(super) async fn cloudwatch(&mut self, destination: Destination, publish: bool) {
        let (world, settings) = (self.world, self.settings);
        let mut connecting = Connecting::new(world);
        if let Err(error) = connecting.make_http_client(world, settings) {
            let next = "check that the container is allowed to start threads and open sockets";
            self.fail(Step::Credentials, Reason::Temporary, error, next.to_owned());
            self.output.part(&self.findings, Step::Credentials);
            return;
        }
        let to_send = publish.then(|| self.choose(&destination.dimensions)).flatten();
        let credentials = self.ask_for_credentials(&mut connecting, &destination).await;
        let has_credentials = credentials.is_ok();
        self.credentials(credentials);
        self.output.part(&self.findings, Step::Credentials);
        if let (Some(sample), true) = (to_send, has_credentials) {
            self.publish(connecting, destination, sample).await;
        } else if publish {
            let what = "no datapoint was sent, because no sample or no credentials were available";
            let next = "fix the failure reported above";
            self.warn(Step::Publish, what.to_owned(), next.to_owned());
            self.output.part(&self.findings, Step::Publish);
        }
    }

    async fn ask_for_credentials(
        &self,
        connecting: &mut Connecting,
        destination: &Destination,
    ) -> Result<CredentialsSource, NoCredentials> {
        let other = |what| NoCredentials { cause: Cause::Other, what };
        let asked = async {
            let connected = connecting.connect(self.world, self.settings, destination.clone());
            connected.map_err(other)?.credentials().await
        };
        if let Some(answer) = self.within(CREDENTIALS_PATIENCE, asked).await {
            return answer;
        }
        let known = connecting.client().and_then(CloudWatch::no_credentials_yet);
        Err(known.unwrap_or_else(|| {
            let what = format!("no answer within {} s", CREDENTIALS_PATIENCE.as_secs());
            NoCredentials { cause: Cause::NoAnswer, what }
        }))
    }

    async fn publish(
        &mut self,
        mut connecting: Connecting,
        destination: Destination,
        sample: Sample,
    ) {
        let mut clock_problem = None;
        let asked = async {
            let mut answer = put(&mut connecting, sample).await;
            if let Err(PutError { outcome: Outcome::ClockSkew, message, advice }) = &answer {
                clock_problem = Some((message.clone(), advice.clone()));
                // As the sidecar does: signed with the time of the answer.
                let again = connecting.connect(self.world, self.settings, destination.clone());
                if again.is_ok() {
                    answer = put(&mut connecting, sample).await;
                }
            }
            answer
        };
        let answer = self.within(PUBLISH_PATIENCE, asked).await.unwrap_or_else(|| {
            let unanswered = |client: &CloudWatch| client.unanswered(PUBLISH_PATIENCE);
            connecting.client().map_or_else(|| Err(without_client()), |it| Err(unanswered(it)))
        });
        let Destination { region, dimensions } = destination;
        if let Some((what, next)) = clock_problem.filter(|_| answer.is_ok()) {
            self.warn(Step::Publish, what, next);
        }
        self.published(&answer, sample, &dimensions, region.name);
    }

    fn credentials(&mut self, answer: Result<CredentialsSource, NoCredentials>) {
        let no_credentials = match answer {
            Ok(found) => {
                let expire = found.expire.map(|at| at.duration_since(SystemTime::now()));
                self.findings.credentials = Some(findings::CredentialsFinding {
                    source: found.source,
                    expire_in_s: expire.map(|left| left.unwrap_or_default().as_secs()),
                });
                if found.is_of_instance {
                    let what =
                        "these are the EC2 instance's credentials, not the task's".to_owned();
                    let next = "give the task definition a task role (taskRoleArn)".to_owned();
                    self.warn(Step::Credentials, what, next);
                }
                return;
            }
            Err(no_credentials) => no_credentials,
        };
        let reason = match no_credentials.cause {
            Cause::NoSource | Cause::RoleRefused | Cause::KeyRefused | Cause::NotIssued => {
                Reason::Permission
            }
            Cause::Misconfigured | Cause::RoleInvalid => Reason::Configuration,
            Cause::KeyExpired
            | Cause::Throttled
            | Cause::ServerError
            | Cause::Unusable
            | Cause::Unreachable
            | Cause::NoAnswer
            | Cause::Other => Reason::Temporary,
        };
        let next = no_credentials.advice().to_owned();
        self.fail(Step::Credentials, reason, no_credentials.what, next);
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
            let (what, next) = (error.message.clone(), error.advice.clone());
            self.fail(Step::Publish, reason(error.outcome), what, next);
        }
        self.findings.published = Some(findings::PublishedFinding {
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
        self.output.part(&self.findings, Step::Publish);
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

/// One request with one sample. The caller has connected.
async fn put(connecting: &mut Connecting, sample: Sample) -> Result<(), PutError> {
    match connecting.put(&[sample]).await {
        Some(sent) => sent.result,
        None => Err(without_client()),
    }
}

fn without_client() -> PutError {
    PutError {
        outcome: Outcome::Unreachable,
        message: "there is no client for CloudWatch".to_owned(),
        advice: "try again".to_owned(),
    }
}

/// The exit code's reason, for a request that was not accepted.
const fn reason(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Denied | Outcome::Credentials => Reason::Permission,
        Outcome::Invalid => Reason::Configuration,
        Outcome::Unreachable => Reason::Unavailable,
        Outcome::Accepted
        | Outcome::Throttled
        | Outcome::ServerError
        | Outcome::ConnectionLost
        | Outcome::NoAnswer
        | Outcome::ClockSkew => Reason::Temporary,
    }
}
