//! Everything that speaks to AWS: the SDK's client on our own connector and
//! sleep, and samples as `PutMetricData` wants them. When to send what is
//! decided in `publisher`; nothing here waits or tries again.

mod advice;
mod answer;
mod body;
mod bounds;
mod care;
mod cause;
mod cbor;
mod clock;
mod connection;
mod connector;
mod credential_sources;
mod credentials;
mod errors;
mod exchange;
mod failure;
mod files;
mod heard;
mod names;
mod no_credentials;
mod profile;
mod proxies;
mod route;
mod setup;
mod sleep;
mod subject;
mod trust;
mod way;

use std::{cell::Cell, time::Duration};

use aws_sdk_cloudwatch::{
    Client,
    config::SharedCredentialsProvider,
    primitives::DateTime,
    types::{Dimension, MetricDatum, StandardUnit},
};

pub use self::{
    cause::Cause,
    clock::CorrectedClock,
    connection::{ConnectionError, ConnectionErrorKind},
    connector::Connector,
    credentials::CredentialsSource,
    failure::PutError,
    no_credentials::NoCredentials,
    profile::complete as complete_from_profile,
    proxies::Proxies,
    setup::{Means, Service},
    sleep::TimerSleep,
    trust::check_ca_bundle,
};
use self::{
    clock::{ClockOffset, clock_ahead_seconds},
    credential_sources::Sources,
    exchange::{Answer, Exchange},
    subject::Subject,
};
use crate::{
    publisher::Outcome,
    sample::{dimension::ResolvedDimensions, metric::Sample},
};

/// A Region's CloudWatch, with a namespace and dimensions to publish under.
#[derive(Debug)]
pub struct CloudWatch {
    client: Client,
    clock: CorrectedClock,
    exchange: Exchange,
    /// By how many seconds the SDK takes the host's clock to be ahead, and signs
    /// with that: what the date of the last answer said. Known from those that
    /// were errors, which is enough.
    signed_ahead: Cell<i64>,
    credentials: SharedCredentialsProvider,
    sources: Sources,
    region: String,
    /// What named the Region.
    region_from: String,
    /// Which variable named CloudWatch's address, if one did.
    endpoint_variable: Option<String>,
    namespace: String,
    dimensions: ResolvedDimensions,
}

impl CloudWatch {
    /// The client. Nothing is sent yet. Credentials come from the SDK's default chain.
    ///
    /// A new client asks for new credentials; the HTTP client is the process's, and so
    /// is the clock, which is put right when a signature failed for it: the next client
    /// signs with CloudWatch's time from the first request on.
    #[must_use]
    pub fn connect(
        means: &Means,
        service: &Service,
        namespace: String,
        dimensions: ResolvedDimensions,
    ) -> Self {
        let exchange = Exchange::new(means.clock.clone());
        let sources = Sources::of(service);
        let with = |http_client| Means { http_client, ..means.clone() };
        let chain = with(sources.client(means.http_client.clone())).credentials(service);
        let credentials = sources.provider(chain);
        let means = with(credential_sources::watched(means.http_client.clone()));
        Self {
            client: means.client(service, credentials.clone(), exchange.clone()),
            credentials,
            sources,
            signed_ahead: Cell::new(means.clock.ahead_seconds()),
            clock: means.clock.clone(),
            exchange,
            region: service.region.clone(),
            region_from: service.region_from.clone(),
            endpoint_variable: service.endpoint_url.as_ref().map(|given| given.variable.clone()),
            namespace,
            dimensions,
        }
    }

    /// Where the credentials come from, asked anew.
    ///
    /// # Errors
    ///
    /// [`NoCredentials`].
    pub async fn credentials(&self) -> Result<CredentialsSource, NoCredentials> {
        credentials::ask(&self.credentials, &self.sources).await
    }

    /// One `PutMetricData`, one try.
    ///
    /// # Errors
    ///
    /// [`PutError`], with what an operator can do about it.
    pub async fn put(&self, samples: &[Sample]) -> Result<(), PutError> {
        self.exchange.reset();
        self.sources.reset();
        let datums: Vec<_> = samples.iter().flat_map(|sample| self.datums(sample)).collect();
        // Every set may lack a value here; CloudWatch refuses an empty request.
        if datums.is_empty() {
            return Ok(());
        }
        let request = self.client.put_metric_data().namespace(&self.namespace);
        let result = request.set_metric_data(Some(datums)).send().await;
        let answer = self.exchange.answer();
        match (result, &answer) {
            // The SDK takes any 2xx for an acceptance, but not one that broke off.
            (_, Some(Answer::Accepted)) => Ok(()),
            (Ok(_), Some(Answer::Strange(what))) => Err(PutError::strange(&self.subject(), what)),
            (Ok(_), _) => Err(PutError::strange(&self.subject(), "what was not noted")),
            (Err(error), answer) => {
                if let Some(no_credentials) = self.sources.failure() {
                    return Err(no_credentials.into());
                }
                let ahead = error
                    .raw_response()
                    .and_then(|answer| clock_ahead_seconds(answer, self.clock.host_time()));
                let signed_ahead = self.signed_ahead.get();
                let clock = ahead.map(|ahead| ClockOffset { ahead, signed_ahead });
                self.signed_ahead.set(ahead.unwrap_or(signed_ahead));
                let error = PutError::new(&error, &self.subject(), answer.as_ref(), clock);
                if error.outcome == Outcome::ClockSkew {
                    self.clock.set_ahead_seconds(self.signed_ahead.get());
                }
                Err(error)
            }
        }
    }

    /// Why the last request, or the last question for credentials, has no answer after
    /// `patience`: whom nobody waits for any longer.
    pub fn unanswered(&self, patience: Duration) -> PutError {
        if let Some(no_credentials) = self.sources.failure() {
            return no_credentials.into();
        }
        PutError::unanswered(&self.subject(), patience)
    }

    /// Why there are no credentials yet, as far as is known.
    pub fn no_credentials_yet(&self) -> Option<NoCredentials> {
        self.sources.failure()
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            address: self.exchange.address(),
            variable: self.endpoint_variable.as_deref(),
            region: &self.region,
            region_from: &self.region_from,
            namespace: &self.namespace,
        }
    }

    /// How long ago the last request left, after all that it waited for; `None`
    /// where none did.
    pub fn since_departure(&self) -> Option<Duration> {
        self.exchange.since_departure()
    }

    /// The sample under each set of dimensions.
    fn datums(&self, sample: &Sample) -> impl Iterator<Item = MetricDatum> {
        let unix_ms = i64::try_from(sample.read.unix_ms()).unwrap_or(i64::MAX);
        self.dimensions.sets(sample.container).iter().map(move |set| {
            let dimension = |(name, value): &(String, String)| {
                Dimension::builder().name(name).value(value).build()
            };
            MetricDatum::builder()
                .metric_name(sample.metric.name())
                .set_dimensions(Some(set.iter().map(dimension).collect()))
                .timestamp(DateTime::from_millis(unix_ms))
                .value(sample.value)
                .unit(StandardUnit::from(sample.metric.unit()))
                .storage_resolution(sample.metric.storage_resolution().into())
                .build()
        })
    }
}
