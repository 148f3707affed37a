//! How the SDK's clients are set up. What CloudWatch's client may read from the
//! environment by itself is said here instead, since it does not read it as other
//! tools do: it panics on `AWS_RETRY_MODE=legacy` and on an empty `AWS_ENDPOINT_URL`.
//!
//! The sources of credentials are left to the SDK. Those that assume a role make a
//! client for STS, which is told its Region, its time limits and its retries here. Its
//! address it finds by itself, in `AWS_ENDPOINT_URL_STS`, in `AWS_ENDPOINT_URL` or in a
//! profile: what it finds there was checked before (`settings::sdk`, `profile`).

use std::{
    net::ToSocketAddrs as _,
    time::{Duration, SystemTime},
};

use aws_config::{
    BehaviorVersion, Region, ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, meta::credentials::CredentialsProviderChain,
    profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::provider::{Result as ProviderResult, error::CredentialsError, future};
use aws_sdk_cloudwatch::{
    Client,
    config::{
        Credentials, ProvideCredentials, SharedCredentialsProvider, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_async::{rt::sleep::SharedAsyncSleep, time::TimeSource as _};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::{
    dns::{DnsFuture, ResolveDns, ResolveDnsError},
    http::SharedHttpClient,
};
use aws_smithy_types::retry::ReconnectMode;

use super::{clock::CorrectedClock, exchange::Exchange, profile};
use crate::settings::url::EndpointUrl;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// For a new key: a name to look up, a connection and an answer. The SDK's own limit, about
/// 6 s, ends a request to STS while a resolver still waits for a silent name server.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(30);

const BEHAVIOR: fn() -> BehaviorVersion = BehaviorVersion::v2026_01_12;

/// Credentials that say that they are good for longer are asked for again then.
const MAX_CREDENTIALS_LIFE: Duration = Duration::from_hours(10 * 365 * 24);

/// What requests are sent with, and how time passes.
#[derive(Clone, Debug)]
pub struct Means {
    /// The process's own: connections outlive the SDK's clients.
    pub http_client: SharedHttpClient,
    /// What the SDK waits with.
    pub sleep: SharedAsyncSleep,
    /// The time to sign with. It is put right when a signature failed for it.
    pub clock: CorrectedClock,
}

/// Which CloudWatch is asked.
#[derive(Clone, Debug)]
pub struct Service {
    /// The Region.
    pub region: String,
    /// The variable that named it, or the task's ARN.
    pub region_from: String,
    /// Its address, if it is not the Region's own.
    pub endpoint_url: Option<EndpointUrl>,
    /// The addresses that profiles name do not count, also of STS.
    pub ignores_endpoint_urls: bool,
    /// FIPS endpoints, also of STS.
    pub use_fips: bool,
    /// Dual-stack endpoints, also of STS.
    pub use_dual_stack: bool,
}

impl Means {
    /// A client of `service` that signs with what `credentials` provides.
    pub(super) fn client(
        &self,
        service: &Service,
        credentials: SharedCredentialsProvider,
        exchange: Exchange,
    ) -> Client {
        // The identity cache waits with our sleep too: without one it refuses.
        let identities = IdentityCache::lazy()
            .sleep_impl(self.sleep.clone())
            .time_source(self.clock.clone())
            .load_timeout(CREDENTIALS_TIMEOUT)
            .build();
        let mut config = aws_sdk_cloudwatch::Config::builder()
            .behavior_version(BEHAVIOR())
            .http_client(self.http_client.clone())
            .sleep_impl(self.sleep.clone())
            .time_source(self.clock.clone())
            .region(Region::new(service.region.clone()))
            .use_fips(service.use_fips)
            .use_dual_stack(service.use_dual_stack)
            .identity_cache(identities)
            .credentials_provider(credentials)
            .timeout_config(timeouts())
            // Trying again is the publisher's: it alone knows what is fresh.
            .retry_config(without_closing(RetryConfig::disabled()))
            // With it the body would be a stream, which cannot be sent again.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(exchange);
        config.set_endpoint_url(service.endpoint_url.as_ref().map(|given| given.url.clone()));
        Client::from_conf(config.build())
    }

    /// The SDK's default chain, in its order.
    pub(super) fn credentials(&self, service: &Service) -> SharedCredentialsProvider {
        let config = ProviderConfig::empty()
            .with_behavior_version(Some(BEHAVIOR()))
            .with_http_client(self.http_client.clone())
            .with_sleep_impl(self.sleep.clone())
            .with_time_source(self.clock.clone())
            .with_region(Some(Region::new(service.region.clone())))
            .with_use_fips(Some(service.use_fips))
            .with_use_dual_stack(Some(service.use_dual_stack))
            .with_timeout_config(timeouts())
            .with_retry_config(without_closing(RetryConfig::standard()));
        let environment = EnvironmentVariableCredentialsProvider::new;
        let container =
            || EcsCredentialsProvider::builder().configure(&config).dns(Resolver).build();
        let instance = || ImdsCredentialsProvider::builder().configure(&config).build();
        // Those that `credential_source` may name are asked to sign for a role.
        let profile = ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .profile_files(profile::checked_files(service.ignores_endpoint_urls))
            .with_custom_provider("Environment", self.checked(environment()))
            .with_custom_provider("EcsContainer", self.checked(container()))
            .with_custom_provider("Ec2InstanceMetadata", self.checked(instance()))
            .build();
        let web_identity =
            WebIdentityTokenCredentialsProvider::builder().configure(&config).build();
        let chain = CredentialsProviderChain::first_try("Environment", environment())
            .or_else("Profile", profile)
            .or_else("WebIdentityToken", web_identity)
            .or_else("EcsContainer", container())
            .or_else("Ec2InstanceMetadata", instance());
        SharedCredentialsProvider::new(self.checked(chain))
    }

    fn checked<P>(&self, source: P) -> CheckedSource<P> {
        CheckedSource { source, clock: self.clock.clone() }
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(REQUEST_TIMEOUT).build()
}

/// libcurl closes what is broken by itself. Without this each passing trouble logs at
/// ERROR.
fn without_closing(retries: RetryConfig) -> RetryConfig {
    retries.with_reconnect_mode(ReconnectMode::ReuseAllConnections)
}

/// The system's resolver, for the name in `AWS_CONTAINER_CREDENTIALS_FULL_URI`: the
/// SDK asks only hosts on this machine for credentials, and looks whether it is one.
#[derive(Debug)]
struct Resolver;

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        let name = name.to_owned();
        DnsFuture::new(async move {
            let look_up = move || {
                let addresses = (name.as_str(), 0).to_socket_addrs()?;
                Ok(addresses.map(|address| address.ip()).collect())
            };
            smol::unblock(look_up)
                .await
                .map_err(|error: std::io::Error| ResolveDnsError::new(error))
        })
    }
}

/// A source, whose credentials are looked at before the SDK signs with them: it
/// panics on a token that no header can carry.
#[derive(Debug)]
struct CheckedSource<P> {
    source: P,
    clock: CorrectedClock,
}

impl<P: ProvideCredentials> ProvideCredentials for CheckedSource<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.source.provide_credentials().await?;
            check(credentials, self.clock.now())
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        let credentials = self.source.fallback_on_interrupt()?;
        check(credentials, self.clock.now()).ok()
    }
}

/// The same credentials, if a request can be signed with them.
fn check(mut credentials: Credentials, now: SystemTime) -> ProviderResult {
    let is_sendable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let parts = [
        ("access key id", Some(credentials.access_key_id())),
        ("secret access key", Some(credentials.secret_access_key())),
        ("session token", credentials.session_token()),
    ];
    for (name, part) in parts {
        if part.is_some_and(|part| part.is_empty() || !is_sendable(part)) {
            // Not the value: it is a secret.
            let problem = format!(
                "the {name} is empty or holds blanks or characters that are not ASCII: correct it \
                 where the credentials come from (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
                 AWS_SESSION_TOKEN, a profile, or the endpoint for credentials)"
            );
            return Err(CredentialsError::invalid_configuration(problem));
        }
    }
    let latest = now.checked_add(MAX_CREDENTIALS_LIFE);
    if let Some(expiry) = credentials.expiry_mut()
        && let Some(latest) = latest
    {
        // The SDK calculates with it.
        *expiry = (*expiry).clamp(SystemTime::UNIX_EPOCH, latest.max(SystemTime::UNIX_EPOCH));
    }
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_cannot_be_sent_are_refused_without_being_shown() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let of = |id: &str, secret: &str, token: Option<&str>| {
            let token = token.map(str::to_owned);
            check(Credentials::new(id, secret, token, None, "test"), now)
        };
        assert!(of("AKIDEXAMPLE", "wJalr+/=", Some("IQoJb3JpZ2lu//8=")).is_ok());
        for (id, secret, token) in [
            ("", "secret", None),
            ("AKID", "", None),
            ("AKID", "secret", Some("")),
            ("AKID", "secret", Some("tökén")),
            ("AKID\n", "secret", None),
            ("AKID", "sec ret", None),
            ("AKID", "secret", Some("to\u{1}ken")),
        ] {
            let error = of(id, secret, token).unwrap_err();
            let text = format!("{error:?}");
            assert!(!text.contains("tökén") && !text.contains("sec ret"), "{text}");
        }
    }

    #[test]
    fn expiry_is_within_what_can_be_calculated_with() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let latest = now + MAX_CREDENTIALS_LIFE;
        let hour = now + Duration::from_hours(1);
        let year_9999 = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        let before = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_hours(17_259_888)).unwrap();
        for (said, expected) in
            [(hour, hour), (year_9999, latest), (before, SystemTime::UNIX_EPOCH)]
        {
            let credentials = Credentials::new("AKID", "secret", None, Some(said), "test");
            assert_eq!(check(credentials, now).unwrap().expiry(), Some(expected));
        }
    }
}
