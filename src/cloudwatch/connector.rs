//! The HTTP client under the SDK: isahc, on libcurl and rustls. It brings TLS,
//! proxies, name resolution and the reuse of connections; it costs one thread,
//! which sleeps while nothing is sent.

use std::{
    error::Error,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use async_io::Timer;
use aws_smithy_runtime_api::client::{
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use isahc::{
    AsyncBody, ResponseExt as _,
    config::{Configurable as _, ExpectContinue, VersionNegotiation},
    error::ErrorKind,
    http::{Uri, request::Parts, uri::Scheme},
    net::dns::DnsCache,
    tls::TlsConfig,
};

use super::{
    answer::PROTOCOL_HEADER,
    body::{self, CutBody},
    bounds,
    care::Care,
    connection::{ConnectionError, ConnectionErrorKind},
    names::Names,
    proxies::{Proxies, Server},
    trust,
    way::Way,
};

/// Connections to AWS, and idle ones that are kept: one for CloudWatch, the one before
/// it while its name moves, and one for a source of credentials.
const CONNECTIONS: usize = 3;

/// A connection that was idle for longer is not used again. Servers like to
/// close at 60 s, and a request that meets that on its way may have arrived or
/// not.
const MAX_IDLE: Duration = Duration::from_secs(50);

/// To connect to a proxy and through it, for which the proxy looks up a name. The name of
/// an `https` proxy itself is looked up by libcurl, within the same time.
const PROXY_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For a request whose settings name no time.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One isahc client, shared by the SDK's clients and its credentials providers.
#[derive(Clone, Debug)]
pub struct Connector {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: isahc::HttpClient,
    names: Names,
    proxies: Proxies,
    care: Care,
}

impl Connector {
    /// A client that trusts the certificates in `ca_bundle`, or, without one,
    /// the roots in the binary: the image has no others. Requests go through `proxies`.
    /// It lives as long as the process, so one is enough.
    ///
    /// # Errors
    ///
    /// [`isahc::Error`] if libcurl or its thread is not available.
    pub fn new(ca_bundle: Option<PathBuf>, proxies: Proxies) -> Result<Self, isahc::Error> {
        Self::with(ca_bundle, proxies, Names::new())
    }

    fn with(
        ca_bundle: Option<PathBuf>,
        proxies: Proxies,
        names: Names,
    ) -> Result<Self, isahc::Error> {
        let client = isahc::HttpClient::builder()
            .version_negotiation(VersionNegotiation::http11())
            .max_connections(CONNECTIONS)
            .connection_cache_size(CONNECTIONS)
            .connection_cache_ttl(MAX_IDLE)
            // Only the names of https proxies are looked up there, once for each of the few
            // connections.
            .dns_cache(DnsCache::Disable)
            // libcurl reads no variables: each request says which proxy it takes.
            .proxy(None)
            .proxy_blacklist([""])
            .tls_config(TlsConfig::builder().trust_store(trust::store(ca_bundle)).build())
            // The SDK reads what it asked for; nothing is unpacked behind it.
            .automatic_decompression(false)
            // It would cost a round trip for each large body.
            .expect_continue(ExpectContinue::disabled())
            .build()?;
        // Never dropped: dropping the last handle waits for the client's thread, which
        // may be waiting for a proxy's name, for seconds. This thread has to sample and
        // to end in time.
        std::mem::forget(client.clone());
        let shared = Shared { client, names, proxies, care: Care::default() };
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(TimedConnector {
            shared: Arc::clone(&self.shared),
            connect_timeout: settings.connect_timeout().unwrap_or(TIMEOUT),
            timeout: settings.read_timeout().unwrap_or(TIMEOUT),
        })
    }
}

/// The client with the times that one of its users asked for.
#[derive(Debug)]
struct TimedConnector {
    shared: Arc<Shared>,
    connect_timeout: Duration,
    /// For the whole request, the answer's body included, once there is a connection.
    timeout: Duration,
}

impl HttpConnector for TimedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match Outgoing::new(self, request) {
            Ok((outgoing, body)) => HttpConnectorFuture::new(async {
                // The SDK's clients for sources of credentials give up 5 s after a body
                // that nobody reads, also while a name is looked up, and say that of it.
                let _ = ByteStream::new(body).collect().await;
                outgoing.send().await
            }),
            Err(error) => HttpConnectorFuture::ready(Err(error)),
        }
    }
}

/// A request that may be tried at several addresses, until something was sent.
struct Outgoing {
    shared: Arc<Shared>,
    parts: Parts,
    body: Arc<[u8]>,
    connect_timeout: Duration,
    timeout: Duration,
    is_https: bool,
    /// It is one to CloudWatch over TLS.
    may_need_care: bool,
}

impl Outgoing {
    /// Gives the SDK's own body as well, which is not read yet.
    fn new(
        connector: &TimedConnector,
        request: HttpRequest,
    ) -> Result<(Self, SdkBody), ConnectorError> {
        let request =
            request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (parts, body) = request.into_parts();
        if let Some(connection) = parts.extensions.get::<CaptureSmithyConnection>() {
            // Asked for after each failure, to have the connection closed. libcurl
            // closes what is broken by itself.
            connection.set_connection_retriever(|| {
                Some(ConnectionMetadata::builder().proxied(false).poison_fn(|| {}).build())
            });
        }
        // isahc panics on others.
        if let Some((name, _)) = parts.headers.iter().find(|(_, value)| value.to_str().is_err()) {
            let problem = format!("the header {name} of the request is not ASCII text");
            return Err(ConnectorError::user(problem.into()));
        }
        let bytes = body
            .bytes()
            .map(Arc::from)
            .ok_or_else(|| ConnectorError::user("a streaming request body".into()))?;
        let is_https = parts.uri.scheme() == Some(&Scheme::HTTPS);
        let may_need_care = is_https && parts.headers.contains_key(PROTOCOL_HEADER);
        let outgoing = Self {
            shared: Arc::clone(&connector.shared),
            parts,
            body: bytes,
            connect_timeout: connector.connect_timeout,
            timeout: connector.timeout,
            is_https,
            may_need_care,
        };
        Ok((outgoing, body))
    }

    async fn send(self) -> Result<HttpResponse, ConnectorError> {
        let Shared { names, proxies, .. } = &*self.shared;
        let way = Way::to(&self.parts.uri, self.is_https, proxies);
        let (name, port) = match &way {
            Way::Named { name, port } => (name.as_str(), *port),
            Way::Proxy(server) => match server.name() {
                Some(named) => named,
                None => return Ok(self.try_at(&way, None).await?),
            },
            Way::Given => return Ok(self.try_at(&way, None).await?),
        };
        let addresses = names.addresses(name, port).await.map_err(|error| {
            let kind = ConnectionErrorKind::NotConnected;
            match &way {
                Way::Proxy(Server { variable, .. }) => {
                    ConnectionError::new(kind, format!("{error} ({variable})"))
                }
                _ => ConnectionError::new(kind, error),
            }
        })?;
        let mut last = None;
        for address in addresses {
            let result = self.try_at(&way, Some(address)).await;
            match result {
                Err(error) if error.is_unsent() => {
                    names.on_failed(name, port, address);
                    last = Some(error);
                }
                Err(error) => {
                    if error.is_unanswered() {
                        names.on_unanswered(name, port, address);
                    }
                    return Err(error.into());
                }
                Ok(response) => {
                    names.on_answered(name, port, address);
                    return Ok(response);
                }
            }
        }
        names.on_all_failed(name, port);
        let nowhere = || ConnectionError::new(ConnectionErrorKind::NotConnected, "no address");
        Err(last.unwrap_or_else(nowhere).into())
    }

    async fn try_at(
        &self,
        way: &Way<'_>,
        address: Option<SocketAddr>,
    ) -> Result<HttpResponse, ConnectionError> {
        let Shared { client, care, .. } = &*self.shared;
        let proxy = match way {
            Way::Proxy(server) => Some(*server),
            _ => None,
        };
        let careful_at = self.may_need_care.then(|| care.begin(Instant::now())).flatten();
        let is_careful = careful_at.is_some();
        let (request, is_taken) = self.request(way, address, is_careful)?;
        if let Some(at) = careful_at {
            Timer::at(at).await;
        }
        let begun = Instant::now();
        let response = client.send_async(request).await.map_err(|error| {
            // Of a request without a body, the time tells: that to connect is shorter.
            let is_sent = self.body.is_empty() && begun.elapsed() >= self.timeout;
            let is_taken = is_sent || is_taken.load(Ordering::Relaxed);
            let error = classify(error, is_taken).at(address, proxy);
            if self.may_need_care && error.is_lost() {
                care.on_lost();
            }
            error
        })?;
        if self.may_need_care {
            care.on_answer(response.local_addr());
        }
        let (parts, received) = response.into_parts();
        // To the end: only then is the connection used again.
        let mut bytes = Vec::new();
        let is_whole = body::read(received, &mut bytes, is_careful).await;
        if is_careful && !is_whole && !parts.status.is_success() {
            // Its head says enough. A part of the body would be no message.
            bytes.clear();
        }
        let response = isahc::http::Response::from_parts(parts, SdkBody::from(bytes));
        let mut response = HttpResponse::try_from(response)
            .map_err(|error| ConnectionError::new(ConnectionErrorKind::Broken, error))?;
        bounds::apply(&mut response, SystemTime::now());
        if !is_whole {
            // The status is there, and so it is known what became of the request.
            response.add_extension(CutBody);
        }
        Ok(response)
    }

    /// The request as isahc wants it, and whether its body has been taken whole.
    fn request(
        &self,
        way: &Way<'_>,
        address: Option<SocketAddr>,
        is_careful: bool,
    ) -> Result<(isahc::Request<AsyncBody>, Arc<AtomicBool>), ConnectionError> {
        let mut builder = isahc::Request::builder()
            .method(self.parts.method.clone())
            .uri(self.parts.uri.clone())
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout);
        if let Some(headers) = builder.headers_mut() {
            headers.clone_from(&self.parts.headers);
        }
        let unusable = |error: Box<dyn Error + Send + Sync>| {
            ConnectionError::new(ConnectionErrorKind::Unusable, error)
        };
        match (way, address) {
            (Way::Proxy(server), _) => {
                let connect_timeout = self.connect_timeout.max(PROXY_CONNECT_TIMEOUT);
                let url: Uri = server.url(address).parse().map_err(|_| {
                    // Not the error's own words: they may have a part of the password.
                    unusable(format!("{} is no URL", server.variable).into())
                })?;
                builder = builder
                    .proxy(url)
                    .connect_timeout(connect_timeout)
                    .timeout(self.timeout + connect_timeout);
            }
            (_, Some(address)) => builder = builder.dial(address),
            (_, None) => {}
        }
        if is_careful {
            builder = builder.max_download_speed(1);
        }
        let (body, is_taken) = body::unrewindable(Arc::clone(&self.body));
        let request = builder.body(body).map_err(|error| unusable(error.into()))?;
        Ok((request, is_taken))
    }
}

/// `is_taken`: libcurl had the whole body, so that the request may have arrived.
fn classify(error: isahc::Error, is_taken: bool) -> ConnectionError {
    let kind = match (error.kind(), is_taken) {
        (ErrorKind::InvalidRequest | ErrorKind::InvalidTlsConfiguration, _) => {
            ConnectionErrorKind::Unusable
        }
        (ErrorKind::Timeout, false) => ConnectionErrorKind::ConnectTimedOut,
        (_, false) => ConnectionErrorKind::NotConnected,
        (ErrorKind::Timeout, true) => ConnectionErrorKind::TimedOut,
        (_, true) => ConnectionErrorKind::Broken,
    };
    ConnectionError::new(kind, error)
}

#[cfg(test)]
mod tests;
