//! The HTTP client under the SDK: isahc, on libcurl and rustls. It brings TLS,
//! proxies, name resolution and the reuse of connections; it costs one thread,
//! which sleeps while nothing is sent.

use std::{
    io,
    net::IpAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use async_io::Timer;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use isahc::{
    AsyncBody, ResponseExt as _,
    config::{Configurable as _, ExpectContinue, VersionNegotiation},
    error::ErrorKind,
    http::{Method, header::CONNECTION, request::Builder, uri::Scheme},
    net::dns::DnsCache,
    tls::{ProtocolVersion, TlsConfig},
};
use smol::{
    future::FutureExt as _,
    io::{AsyncRead, AsyncReadExt as _, Cursor},
};
use tracing::debug;

use super::{
    answer::PROTOCOL_HEADER,
    bounds,
    care::Care,
    connection::{ConnectionError, ConnectionErrorKind},
    lifetime::{LIFETIME, Lifetime},
    trust,
};

/// Connections to AWS, and idle ones that are kept: one for CloudWatch, one for
/// a source of credentials.
const CONNECTIONS: usize = 2;

/// A connection that was idle for longer is not used again. Servers like to
/// close at 60 s, and a request that meets that on its way may have arrived or
/// not.
const IDLE_MOST: Duration = Duration::from_secs(50);

/// The longest response that is read. CloudWatch's are a few hundred bytes,
/// credentials a few thousand.
const RESPONSE_LIMIT: u64 = 64 * 1024;

/// For a request whose settings name no time.
const TIMEOUT: Duration = Duration::from_secs(10);

/// For the body of an answer that is read byte by byte, one a second. See `care`.
const CAREFUL_BODY_TIMEOUT: Duration = Duration::from_millis(2500);

/// In the extensions of a response whose body is not all there.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutBody;

/// One isahc client, shared by the SDK's clients and its credentials providers.
#[derive(Clone, Debug)]
pub struct Connector {
    client: isahc::HttpClient,
    connections: Arc<Connections>,
    care: Arc<Care>,
}

/// What tells one connection to CloudWatch from the next one.
///
/// isahc has no way to ask for a new one, but libcurl connects anew for a TLS
/// configuration that is another's, even if only in words. The earlier connection
/// it closes by itself, with a request that comes after [`IDLE_MOST`], or for want
/// of room. To have the server close it, by `Connection: close`, is not safe with
/// TLS: where the server does not say in TLS that it closes, its end reaches
/// libcurl along with the answer, and the answer is thrown away (8.22, with
/// rustls). The request would be sent again, although it had been accepted.
#[derive(Debug)]
struct Connections {
    lifetime: Lifetime,
    /// For one connection and the next, in turn.
    tls_configs: [TlsConfig; 2],
}

/// The connection before the last had the same configuration as the next one, and has
/// by then been idle for too long to be taken for it.
const _: () = assert!(IDLE_MOST.as_secs() < LIFETIME.as_secs());

impl Connections {
    fn new(ca_bundle: Option<PathBuf>, lifetime: Lifetime) -> Self {
        let trusted = trust::store(ca_bundle);
        let one = TlsConfig::builder().trust_store(trusted.clone());
        // There is no later version: this rules out nothing.
        let other = TlsConfig::builder().trust_store(trusted).max_version(ProtocolVersion::Tlsv13);
        Self { lifetime, tls_configs: [one.build(), other.build()] }
    }

    /// Has `request`, sent at `now`, go out on the connection whose turn it is.
    fn choose(&self, request: Builder, now: Instant) -> Builder {
        let turn = self.lifetime.turn(now);
        if request.uri_ref().is_some_and(|uri| uri.scheme() != Some(&Scheme::HTTP)) {
            let tls_config = &self.tls_configs[turn.connection_number % 2];
            return request.tls_config(tls_config.clone());
        }
        // It goes out on the connection before, which the server then closes.
        if turn.takes_over { request.header(CONNECTION, "close") } else { request }
    }
}

impl Connector {
    /// A client that trusts the certificates in `ca_bundle`, or, without one,
    /// the roots in the binary: the image has no others. It lives as long as
    /// the process, so one is enough.
    ///
    /// # Errors
    ///
    /// [`isahc::Error`] where libcurl or its thread cannot be had.
    pub fn new(ca_bundle: Option<PathBuf>) -> Result<Self, isahc::Error> {
        let connections = Connections::new(ca_bundle, Lifetime::new(LIFETIME));
        let client = isahc::HttpClient::builder()
            .version_negotiation(VersionNegotiation::http11())
            .max_connections(CONNECTIONS)
            .connection_cache_size(CONNECTIONS)
            .connection_cache_ttl(IDLE_MOST)
            // Connections are few. Each looks the name up, and so none goes where
            // a name pointed before.
            .dns_cache(DnsCache::Disable)
            .tls_config(connections.tls_configs[0].clone())
            // The SDK reads what it asked for; nothing is unpacked behind it.
            .automatic_decompression(false)
            // It would cost a round trip for each large body.
            .expect_continue(ExpectContinue::disabled())
            .build()?;
        // Never dropped: dropping the last handle waits for the client's thread,
        // and that for a name that is being looked up, for seconds and on this
        // thread, which has to sample and to end in time.
        std::mem::forget(client.clone());
        Ok(Self { client, connections: Arc::new(connections), care: Arc::default() })
    }
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(TimedConnector {
            client: self.client.clone(),
            connections: Arc::clone(&self.connections),
            care: Arc::clone(&self.care),
            connect_timeout: settings.connect_timeout().unwrap_or(TIMEOUT),
            timeout: settings.read_timeout().unwrap_or(TIMEOUT),
        })
    }
}

/// The client with the times that one of its users asked for.
#[derive(Debug)]
struct TimedConnector {
    client: isahc::HttpClient,
    connections: Arc<Connections>,
    care: Arc<Care>,
    connect_timeout: Duration,
    /// For the whole request, the answer's body included.
    timeout: Duration,
}

impl HttpConnector for TimedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let prepared = match self.prepare(request) {
            Ok(prepared) => prepared,
            Err(error) => return HttpConnectorFuture::ready(Err(error)),
        };
        let (client, care) = (self.client.clone(), Arc::clone(&self.care));
        HttpConnectorFuture::new(send(client, care, prepared))
    }
}

/// A request as isahc wants it.
struct Prepared {
    request: isahc::Request<AsyncBody>,
    /// Whether its body has been taken whole.
    is_taken: Arc<AtomicBool>,
    /// It is one to CloudWatch over TLS.
    may_need_care: bool,
    /// Its answer is read byte by byte, and it is not to begin before this.
    careful_at: Option<Instant>,
}

async fn send(
    client: isahc::HttpClient,
    care: Arc<Care>,
    prepared: Prepared,
) -> Result<HttpResponse, ConnectorError> {
    let Prepared { request, is_taken, may_need_care, careful_at } = prepared;
    if let Some(at) = careful_at {
        Timer::at(at).await;
    }
    let is_careful = careful_at.is_some();
    let response = client.send_async(request).await.map_err(|error| {
        let error = classify(error, is_taken.load(Ordering::Relaxed));
        if may_need_care && error.is_lost() {
            care.on_lost();
        }
        error
    })?;
    if may_need_care {
        care.on_answer(response.local_addr());
    }
    let (parts, body) = response.into_parts();
    // To the end: only then is the connection used again.
    let mut bytes = Vec::new();
    let is_whole = read(body, &mut bytes, is_careful).await;
    if is_careful && !is_whole && !parts.status.is_success() {
        // Its head says enough. A part of the body would be no message.
        bytes.clear();
    }
    let response = isahc::http::Response::from_parts(parts, SdkBody::from(bytes));
    let mut response = HttpResponse::try_from(response)
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    bounds::apply(&mut response, SystemTime::now());
    if !is_whole {
        // The status is there, and so it is known what became of the request.
        response.add_extension(CutBody);
    }
    Ok(response)
}

/// Reads a body up to [`RESPONSE_LIMIT`]. `false`: there is more of it, or it broke
/// off.
async fn read(body: AsyncBody, bytes: &mut Vec<u8>, is_careful: bool) -> bool {
    let mut limited = body.take(RESPONSE_LIMIT);
    let reading = async {
        match limited.read_to_end(bytes).await {
            Ok(_) => true,
            Err(error) => {
                debug!(%error, "an answer broke off");
                false
            }
        }
    };
    let over = async {
        if !is_careful {
            return std::future::pending().await;
        }
        Timer::after(CAREFUL_BODY_TIMEOUT).await;
        false
    };
    reading.or(over).await && limited.limit() > 0
}

impl TimedConnector {
    fn prepare(&self, request: HttpRequest) -> Result<Prepared, ConnectorError> {
        let request =
            request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (parts, body) = request.into_parts();
        let (body, is_taken) = body
            .bytes()
            .map(unrewindable)
            .ok_or_else(|| ConnectorError::user("a streaming request body".into()))?;
        let is_direct = parts.uri.host().is_some_and(is_link_local);
        let is_publishing = parts.method != Method::GET;
        let may_need_care = parts.uri.scheme() == Some(&Scheme::HTTPS)
            && parts.headers.contains_key(PROTOCOL_HEADER);
        let now = Instant::now();
        let careful_at = may_need_care.then(|| self.care.begin(now)).flatten();
        let mut builder = isahc::Request::builder()
            .method(parts.method)
            .uri(parts.uri)
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout);
        if let Some(headers) = builder.headers_mut() {
            *headers = parts.headers;
        }
        // Not where keys are asked for: that is another connection, and a seldom one.
        if is_publishing {
            builder = self.connections.choose(builder, now);
        }
        if is_direct {
            builder = builder.proxy(None);
        }
        if careful_at.is_some() {
            builder = builder.max_download_speed(1);
        }
        let request = builder.body(body).map_err(|error| ConnectorError::user(error.into()))?;
        Ok(Prepared { request, is_taken, may_need_care, careful_at })
    }
}

/// A body that libcurl cannot send a second time. It would, unasked and unseen,
/// when a kept connection dies before the answer's first byte, although the
/// datums may have been accepted. And whether libcurl has taken all of it:
/// before that the request cannot have arrived.
fn unrewindable(bytes: &[u8]) -> (AsyncBody, Arc<AtomicBool>) {
    let is_taken = Arc::new(AtomicBool::new(false));
    if bytes.is_empty() {
        return (AsyncBody::empty(), is_taken);
    }
    let length = bytes.len() as u64;
    let outgoing = Outgoing { bytes: Cursor::new(bytes.to_vec()), is_taken: Arc::clone(&is_taken) };
    (AsyncBody::from_reader_sized(outgoing, length), is_taken)
}

/// The bytes on their way into libcurl.
struct Outgoing {
    bytes: Cursor<Vec<u8>>,
    is_taken: Arc<AtomicBool>,
}

impl AsyncRead for Outgoing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.bytes).poll_read(context, buffer);
        if self.bytes.position() >= self.bytes.get_ref().len() as u64 {
            self.is_taken.store(true, Ordering::Relaxed);
        }
        read
    }
}

/// Whether a host is only to be had on this machine or its link, and so never
/// through a proxy: the sources of credentials (169.254.170.2, 169.254.170.23,
/// 169.254.169.254 and their IPv6 kin) and the loopback.
fn is_link_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            let is_ec2_metadata = address.segments()[..2] == [0xfd00, 0x0ec2];
            address.is_unicast_link_local() || address.is_loopback() || is_ec2_metadata
        }
        Err(_) => host == "localhost",
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
mod tests {
    use std::path::Path;

    use esp_endpoints::{
        cloudwatch::CloudWatch,
        tls::{Certificate, Tls},
    };

    use super::*;

    /// The connections on which two requests go out, and are answered.
    fn connections_of_two(server: &CloudWatch, bundle: Option<&Path>, lifetime: Lifetime) -> u64 {
        let connector = TimedConnector {
            client: Connector::new(None).unwrap().client,
            connections: Arc::new(Connections::new(bundle.map(Path::to_owned), lifetime)),
            care: Arc::default(),
            connect_timeout: TIMEOUT,
            timeout: TIMEOUT,
        };
        for _ in 0..2 {
            let mut request = HttpRequest::new(SdkBody::from("no CBOR"));
            request.set_uri(server.url()).unwrap();
            request.set_method("POST").unwrap();
            let response = smol::block_on(connector.call(request)).unwrap();
            assert_eq!(response.status().as_u16(), 404);
        }
        server.connections()
    }

    #[test]
    fn a_connection_is_kept_until_its_time_is_over() {
        let tls = Tls::new(Certificate::Valid);
        let file = std::env::temp_dir().join(format!("esp-authority-{}.pem", std::process::id()));
        std::fs::write(&file, tls.authority_pem()).unwrap();
        for (lifetime, expected) in [(LIFETIME, 1), (Duration::ZERO, 2)] {
            // The one closes without a word of it in TLS.
            let servers =
                [(CloudWatch::start_tls(&tls), Some(file.as_path())), (CloudWatch::start(), None)];
            for (server, bundle) in servers {
                let connections = connections_of_two(&server, bundle, Lifetime::new(lifetime));
                assert_eq!(connections, expected, "{bundle:?}, {lifetime:?}");
            }
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn only_this_machine_and_its_link_are_spared_the_proxy() {
        for host in [
            "169.254.170.2",
            "169.254.170.23",
            "169.254.169.254",
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[fe80::1]",
        ] {
            assert!(is_link_local(host), "{host}");
        }
        for host in [
            "monitoring.eu-west-1.amazonaws.com",
            "10.0.0.1",
            "192.168.1.1",
            "[2600:1f18::1]",
            "localhost.example.com",
        ] {
            assert!(!is_link_local(host), "{host}");
        }
    }
}
