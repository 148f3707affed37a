//! Everything that speaks to AWS: the SDK's client on our own connector and
//! sleep, and samples as `PutMetricData` wants them. When to send what is
//! decided in `publisher`; nothing here waits or tries again.

mod answer;
mod bounds;
mod care;
mod cbor;
mod clock;
mod connection;
mod connector;
mod credentials;
mod exchange;
mod failure;
mod names;
mod proxies;
mod route;
mod sleep;
mod trust;

use std::{cell::Cell, time::Duration};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudwatch::{
    Client,
    config::{SharedCredentialsProvider, retry::RetryConfig, timeout::TimeoutConfig},
    primitives::DateTime,
    types::{Dimension, MetricDatum, StandardUnit},
};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::ReconnectMode;

pub use self::{
    clock::CorrectedClock,
    connection::{ConnectionError, ConnectionErrorKind},
    connector::Connector,
    credentials::{CredentialsSource, NoCredentials},
    failure::PutError,
    sleep::TimerSleep,
    trust::check_ca_bundle,
};
use self::{
    exchange::{Answer, Exchange},
    failure::{HostClock, Subject, clock_ahead_seconds},
};
use crate::{
    publisher::Outcome,
    sample::{dimension::ResolvedDimensions, metric::Sample},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

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
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    /// Which variable named CloudWatch's address, if one did.
    endpoint_variable: Option<String>,
    namespace: String,
    dimensions: ResolvedDimensions,
}

impl CloudWatch {
    /// The client. The environment's and the profile's settings apply: the
    /// default credentials chain, `AWS_ENDPOINT_URL`,
    /// `AWS_ENDPOINT_URL_CLOUDWATCH`, FIPS and dual-stack endpoints. Nothing is
    /// sent yet.
    ///
    /// A new one asks for new credentials; the HTTP client is the process's, and
    /// so is the `clock`, which is put right where a signature failed for it: the
    /// next client signs with CloudWatch's time from the first request on.
    pub async fn connect(
        http_client: SharedHttpClient,
        sleep: SharedAsyncSleep,
        clock: CorrectedClock,
        region: String,
        namespace: String,
        dimensions: ResolvedDimensions,
    ) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(REQUEST_TIMEOUT)
            .build();
        // The identity cache waits with our sleep too: without one it refuses.
        let identities =
            IdentityCache::lazy().sleep_impl(sleep.clone()).time_source(clock.clone()).build();
        let shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http_client)
            .sleep_impl(sleep)
            .time_source(clock.clone())
            .region(Region::new(region.clone()))
            .identity_cache(identities)
            .timeout_config(timeouts)
            // With it the body would be a stream, which cannot be sent again.
            .stalled_stream_protection(
                aws_config::stalled_stream_protection::StalledStreamProtectionConfig::disabled(),
            );
        let shared = shared.load().await;
        let exchange = Exchange::new(clock.clone());
        let config = aws_sdk_cloudwatch::config::Builder::from(&shared)
            .interceptor(exchange.clone())
            // Trying again is the publisher's: it alone knows what is fresh.
            // Without ReuseAllConnections each passing trouble logs at ERROR.
            .retry_config(
                RetryConfig::disabled().with_reconnect_mode(ReconnectMode::ReuseAllConnections),
            )
            .build();
        let credentials = shared.credentials_provider();
        Self {
            client: Client::from_conf(config),
            credentials,
            signed_ahead: Cell::new(clock.ahead_seconds()),
            clock,
            exchange,
            region,
            endpoint_variable: None,
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
        credentials::ask(self.credentials.as_ref()).await
    }

    /// One `PutMetricData`, one try.
    ///
    /// # Errors
    ///
    /// [`PutError`], with what an operator can do about it.
    pub async fn put(&self, samples: &[Sample]) -> Result<(), PutError> {
        self.exchange.reset();
        let datums: Vec<_> = samples.iter().flat_map(|sample| self.datums(sample)).collect();
        // Every set may lack a value here; CloudWatch refuses an empty request.
        if datums.is_empty() {
            return Ok(());
        }
        let request = self.client.put_metric_data().namespace(&self.namespace);
        let result = request.set_metric_data(Some(datums)).send().await;
        let answer = self.exchange.answer();
        let subject = || Subject {
            address: self.exchange.address(),
            variable: self.endpoint_variable.as_deref(),
            region: &self.region,
        };
        match (result, &answer) {
            // The SDK takes any 2xx for an acceptance, but not one that broke off.
            (_, Some(Answer::Accepted)) => Ok(()),
            (Ok(_), Some(Answer::Strange(what))) => Err(PutError::strange(&subject(), what)),
            (Ok(_), _) => Err(PutError::strange(&subject(), "what was not noted")),
            (Err(error), answer) => {
                let ahead = error
                    .raw_response()
                    .and_then(|answer| clock_ahead_seconds(answer, self.clock.host_time()));
                let signed_ahead = self.signed_ahead.get();
                let clock = ahead.map(|ahead| HostClock { ahead, signed_ahead });
                self.signed_ahead.set(ahead.unwrap_or(signed_ahead));
                let error = PutError::new(&error, &subject(), answer.as_ref(), clock);
                if error.outcome == Outcome::ClockSkew {
                    self.clock.set_ahead_seconds(self.signed_ahead.get());
                }
                Err(error)
            }
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
