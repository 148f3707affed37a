//! What the sources of credentials answer. The SDK's errors do not have it: of an
//! answer with status 429 they say the number, and of no role to take they say that
//! all sources failed. So requests to sources pass through here on their way, and
//! what came of the last one is kept until the SDK says how it ended.
//!
//! Here is also where secrets become known: in the headers of all requests, and in
//! the credentials that a source gives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_cloudwatch::config::{Credentials, RuntimeComponents, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};

use super::{
    cause::Cause,
    errors::one_line_chain,
    heard::{Heard, SourceAnswer},
    no_credentials::NoCredentials,
    setup::Service,
};
use crate::secrets;

/// Notes about the sources of one client; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    notes: Arc<Mutex<Notes>>,
    /// The Region, of which the address of STS is made, and what named it.
    region: Arc<(String, String)>,
}

#[derive(Debug, Default)]
struct Notes {
    /// What came of the last request to a source.
    heard: Option<Heard>,
    /// Why the credentials were last not available.
    failure: Option<NoCredentials>,
}

impl Sources {
    pub(super) fn of(service: &Service) -> Self {
        let region = Arc::new((service.region.clone(), service.region_from.clone()));
        Self { notes: Arc::default(), region }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom a request to `uri` asks, for a person.
    fn address(&self, uri: &str) -> String {
        let address = uri.split('?').next().unwrap_or(uri);
        let (region, from) = &*self.region;
        let is_of_region = address.contains(".amazonaws.") || address.contains(".api.aws");
        if is_of_region && address.contains(&format!(".{region}.")) {
            return format!("{address} (Region {region} from {from})");
        }
        address.to_owned()
    }

    /// A source is asked: so it stays if nobody waits for its answer any longer. What came
    /// of a try before says more.
    fn on_request(&self, address: &str) {
        let mut notes = self.notes();
        if notes.heard.as_ref().is_none_or(Heard::is_success) {
            let what = format!("{address} has not answered in time");
            notes.failure = Some(NoCredentials { cause: Cause::NoAnswer, what });
        }
    }

    /// A source has answered, or could not be asked: so it stays if nobody waits for
    /// another try.
    fn on_answer(&self, heard: Heard) {
        let mut notes = self.notes();
        if !heard.is_success() {
            notes.failure = Some(NoCredentials::of_answer(&heard));
        }
        notes.heard = Some(heard);
    }

    /// Forgets the last failure: there is a new request.
    pub(super) fn reset(&self) {
        self.notes().failure = None;
    }

    /// Why there were no credentials for the last request, if that is so.
    pub(super) fn failure(&self) -> Option<NoCredentials> {
        self.notes().failure.clone()
    }

    /// `client`, whose requests are all to sources.
    pub(super) fn client(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(WatchedClient { client, sources: Some(self.clone()) })
    }

    /// `provider`, whose failures are noted here.
    pub(super) fn provider(
        &self,
        provider: SharedCredentialsProvider,
    ) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(WatchedProvider { provider, sources: self.clone() })
    }

    /// No answer came yet: so it stays if nobody waits for it any longer.
    fn begin(&self) {
        let mut notes = self.notes();
        notes.heard = None;
        let what = "the sources of credentials have not answered in time".to_owned();
        notes.failure = Some(NoCredentials { cause: Cause::NoAnswer, what });
    }
}

/// `client`, whose requests show which secrets are in use.
pub(super) fn watched(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(WatchedClient { client, sources: None })
}

#[derive(Clone, Debug)]
struct WatchedClient {
    client: SharedHttpClient,
    sources: Option<Sources>,
}

impl HttpClient for WatchedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(WatchedConnector {
            connector: self.client.http_connector(settings, components),
            sources: self.sources.clone(),
        })
    }
}

#[derive(Debug)]
struct WatchedConnector {
    connector: SharedHttpConnector,
    sources: Option<Sources>,
}

impl HttpConnector for WatchedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        for (name, value) in request.headers() {
            secrets::keep_header(name, value);
        }
        let Some(sources) = self.sources.clone() else { return self.connector.call(request) };
        let uri = request.uri();
        let address = sources.address(uri);
        sources.on_request(&address);
        let body = request.body().bytes().unwrap_or_default();
        let is_for_role = body.starts_with(b"Action=AssumeRole");
        if is_for_role {
            secrets::keep_form(&String::from_utf8_lossy(body));
        }
        let called = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let result = called.await;
            let answer = answer(&result);
            sources.on_answer(Heard { address, is_for_role, answer });
            result
        })
    }
}

fn answer(result: &Result<HttpResponse, ConnectorError>) -> SourceAnswer {
    match result {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.body().bytes().unwrap_or_default();
            let (code, text) = match body {
                [] => (None, "nothing".to_owned()),
                // It may be half a document of credentials.
                _ if response.status().is_success() => {
                    (None, format!("{} bytes that are no credentials", body.len()))
                }
                _ => said(&String::from_utf8_lossy(body)),
            };
            SourceAnswer::Status { status, code, text }
        }
        Err(error) => {
            let cause = std::error::Error::source(error);
            let text = cause.map_or_else(|| one_line_chain(error), one_line_chain);
            SourceAnswer::None { error: text, is_timeout: error.is_timeout() }
        }
    }
}

/// The code of STS's XML, and it with the message; or the text as it is.
fn said(text: &str) -> (Option<String>, String) {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => {
            (Some(code.trim().to_owned()), secrets::peer_text(&format!("{code}: {message}")))
        }
        _ => (None, secrets::peer_text(text)),
    }
}

#[derive(Debug)]
struct WatchedProvider {
    provider: SharedCredentialsProvider,
    sources: Sources,
}

impl WatchedProvider {
    async fn provide(&self) -> provider::Result {
        self.sources.begin();
        let result = self.provider.provide_credentials().await;
        let mut notes = self.sources.notes();
        notes.failure = match &result {
            Ok(credentials) => {
                secrets::keep(credentials.access_key_id());
                secrets::keep(credentials.secret_access_key());
                secrets::keep(credentials.session_token().unwrap_or_default());
                None
            }
            Err(error) => Some(NoCredentials::new(error, notes.heard.take())),
        };
        result
    }
}

impl ProvideCredentials for WatchedProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_of_sts_are_what_is_said() {
        let xml = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
                   <Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/u \
                   is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>";
        let (code, text) = said(xml);
        assert_eq!(code.as_deref(), Some("AccessDenied"));
        assert_eq!(
            text,
            "AccessDenied: User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole"
        );
        for text in ["Credentials not found", "<Code>cut"] {
            assert_eq!(said(text), (None, text.to_owned()));
        }
    }
}
