//! The connection to the endpoint: one socket of our own, kept alive. A general
//! HTTP client costs three times the CPU for this one request a second.
//!
//! Never through a proxy: the address is link-local, and so no proxy variable is
//! even looked at. No clock is read: the caller says what time it is, and drops
//! the future of [`EndpointClient::get`] when its patience ends.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpStream},
    rc::Rc,
    time::{Duration, Instant},
};

use async_io::Async;
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    response::{Progress, ResponseError, ResponseReader},
    uri::EndpointUri,
};
use crate::time::waiting::{Socket, Waiting};

/// The longest body that is read. Three containers are about 7 kB.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// After a connection that failed: this long no other is tried, twice as long
/// after each further one, up to [`CONNECT_PAUSE_MAX`], which is less than a second, so
/// that polls a second apart each try.
const CONNECT_PAUSE_FIRST: Duration = Duration::from_millis(100);
const CONNECT_PAUSE_MAX: Duration = Duration::from_millis(900);

/// How long a connection is waited for in the call itself, as an answer is.
const CONNECT_AT_ONCE: Duration = Duration::from_millis(10);
/// A connection that was idle for so long, and was dead then, tells how long the endpoint
/// keeps one: the agent 5 s. One that died sooner tells nothing.
const IDLE_MIN: Duration = Duration::from_secs(4);

/// So many reads of an answer in a row, then the rest of the thread has its turn.
/// The agent's answers take one or two; a peer that sends without pause would have
/// the thread to itself.
const READS_AT_ONCE: u32 = 16;

/// How much of an error's body goes into a log line.
const EXCERPT: usize = 200;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `/task`: the task and its containers.
    Task,
    /// `/task/stats`: the last sample of each container.
    Stats,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "/task",
            Self::Stats => "/task/stats",
        })
    }
}

/// Why there is no answer this time. None of these is a reason to stop: the
/// endpoint is away for tens of seconds at a task's start and for seconds when
/// the agent is upgraded.
#[derive(Debug)]
pub enum EndpointError {
    /// The last connection failed so short a while ago that none was tried. With the
    /// error of that one.
    Pausing(String),
    /// No connection.
    Connect(io::Error),
    /// The connection broke.
    Io(io::Error),
    /// The answer is not HTTP/1.1.
    Response(ResponseError),
    /// The answer has another status than 200: 429 above 40 requests a second,
    /// 404 for a container that is gone, 500 when the agent has nothing yet.
    Status {
        /// The status code.
        status: u16,
        /// The beginning of the body, which for an error is a JSON string or
        /// plain text.
        excerpt: String,
    },
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pausing(error) => write!(f, "cannot connect: {error}"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Io(error) => write!(f, "the connection broke: {error}"),
            Self::Response(error) => error.fmt(f),
            Self::Status { status, excerpt } => write!(f, "status {status}: {excerpt}"),
        }
    }
}

impl std::error::Error for EndpointError {}

/// The client. It has at most one connection and one buffer.
#[derive(Debug)]
pub struct EndpointClient {
    uri: EndpointUri,
    task_request: Vec<u8>,
    stats_request: Vec<u8>,
    /// Taken out while a request is under way, so that a request that is
    /// dropped halfway takes its connection along.
    kept: Option<Socket>,
    /// The last request went out then.
    asked_at: Option<Instant>,
    /// A connection that was idle for so long was dead: the shortest such time.
    dead_after: Duration,
    reader: ResponseReader,
    pace: ConnectPace,
    waiting: Rc<Waiting>,
}

/// Connections that failed, and when the next one may be tried.
#[derive(Debug)]
struct ConnectPace {
    after: Option<Instant>,
    pause: Duration,
    /// Why the last one failed.
    error: String,
}

impl Default for ConnectPace {
    fn default() -> Self {
        Self { after: None, pause: CONNECT_PAUSE_FIRST, error: String::new() }
    }
}

impl EndpointClient {
    /// A client of the endpoint at `uri`, for the thread that waits with
    /// `waiting`. It connects at the first request.
    #[must_use]
    pub fn new(uri: EndpointUri, waiting: Rc<Waiting>) -> Self {
        let request = |resource: Resource| {
            format!(
                "GET {}{resource} HTTP/1.1\r\nHost: {}\r\nUser-Agent: esp/{}\r\nAccept: application/json\r\n\r\n",
                uri.path(),
                uri.authority(),
                env!("CARGO_PKG_VERSION"),
            )
            .into_bytes()
        };
        Self {
            task_request: request(Resource::Task),
            stats_request: request(Resource::Stats),
            uri,
            kept: None,
            asked_at: None,
            dead_after: Duration::MAX,
            reader: ResponseReader::new(BODY_LIMIT),
            pace: ConnectPace::default(),
            waiting,
        }
    }

    /// The body of `resource`, to be scribbled over by a parser.
    ///
    /// The endpoint closes a connection that was idle for 5 s, so one that was
    /// kept may be dead: then, and only then, the request is sent once more on
    /// a new one, silently. After as long an idle time it is not tried again. `now` is for the pause between failed connections.
    ///
    /// # Errors
    ///
    /// [`EndpointError`]; all are worth another try at the next tick.
    pub async fn get(
        &mut self,
        resource: Resource,
        now: Instant,
    ) -> Result<&mut [u8], EndpointError> {
        let request = match resource {
            Resource::Task => &self.task_request,
            Resource::Stats => &self.stats_request,
        };
        let mut answered = false;
        let asked_at = self.asked_at.replace(now);
        let idle = asked_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if let Some(mut stream) = self.kept.take().filter(|_| idle < self.dead_after) {
            match exchange(&mut stream, request, &mut self.reader).await {
                Ok(()) => {
                    self.kept = Some(stream).filter(|_| self.reader.keeps_alive());
                    answered = true;
                }
                Err(ExchangeError::Io(_) | ExchangeError::Response(ResponseError::Truncated))
                    if self.reader.is_empty() =>
                {
                    if idle >= IDLE_MIN {
                        self.dead_after = self.dead_after.min(idle);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !answered {
            let stream = connect(&self.uri, &mut self.pace, now).await?;
            let mut stream =
                Socket::new(stream, Rc::clone(&self.waiting)).map_err(EndpointError::Connect)?;
            exchange(&mut stream, request, &mut self.reader).await?;
            self.kept = Some(stream).filter(|_| self.reader.keeps_alive());
        }
        match self.reader.status() {
            200 => Ok(self.reader.body()),
            status => Err(EndpointError::Status { status, excerpt: excerpt(self.reader.body()) }),
        }
    }
}

async fn connect(
    uri: &EndpointUri,
    pace: &mut ConnectPace,
    now: Instant,
) -> Result<TcpStream, EndpointError> {
    if pace.after.is_some_and(|after| now < after) {
        return Err(EndpointError::Pausing(pace.error.clone()));
    }
    // Set before the attempt: one that is dropped at its deadline has failed.
    pace.after = Some(now + pace.pause);
    pace.pause = (pace.pause * 2).min(CONNECT_PAUSE_MAX);
    "no connection in time".clone_into(&mut pace.error);
    let stream = connect_to_any(uri).await.map_err(|error| {
        pace.error = error.to_string();
        EndpointError::Connect(error)
    })?;
    *pace = ConnectPace::default();
    Ok(stream)
}

/// ECS gives an address; stand-ins may give a name, which is then looked up at
/// every connection (on a thread that ends by itself).
async fn connect_to_any(uri: &EndpointUri) -> io::Result<TcpStream> {
    if let Ok(address) = uri.host().parse::<IpAddr>() {
        return connect_to(SocketAddr::new(address, uri.port())).await;
    }
    let mut last_error = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in smol::net::resolve((uri.host(), uri.port())).await? {
        match connect_to(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// A link-local endpoint is connected at once: to be woken for it would take async-io's
/// thread, and three times the CPU.
async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = match TcpStream::connect_timeout(&address, CONNECT_AT_ONCE) {
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            Async::<TcpStream>::connect(address).await?.into_inner()?
        }
        at_once => at_once?,
    };
    // One small write a second: there is nothing to gather.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[derive(Debug)]
enum ExchangeError {
    Io(io::Error),
    Response(ResponseError),
}

impl From<io::Error> for ExchangeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ResponseError> for ExchangeError {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}

impl From<ExchangeError> for EndpointError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Io(error) => Self::Io(error),
            ExchangeError::Response(error) => Self::Response(error),
        }
    }
}

/// Sends `request` and reads one whole response.
async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
    reader: &mut ResponseReader,
) -> Result<(), ExchangeError> {
    reader.reset();
    stream.write_all(request).await?;
    let mut reads = 0;
    loop {
        if reads == READS_AT_ONCE {
            reads = 0;
            smol::future::yield_now().await;
        }
        reads += 1;
        match stream.read(reader.spare()).await? {
            0 => return Ok(reader.end()?),
            count => {
                if reader.advance(count)? == Progress::Done {
                    return Ok(());
                }
            }
        }
    }
}

/// The beginning of an error's body, fit for a log line.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(EXCERPT)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests;
