//! The ECS task metadata endpoint, version 4, as the agent's server speaks: its
//! paths, its framing, its errors and its short idle timeout. What the documents
//! say is not decided here (see [`containers`](crate::containers),
//! [`agent`](crate::agent) and [`docker`](crate::docker)), nor are they checked:
//! a test may serve anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::http::{Body, Delivery, Framing, Request, Response, Server, Settings};
use crate::script::Script;

/// The id of the container that asks; opaque to it.
const ID: &str = "5e1f0c9a7b3d4c2e8a6b1d0f9e8c7b6a-2531612879";

/// Where the two documents come from. Asked once a request.
pub trait Documents {
    /// The body of `/task`.
    fn task(&mut self) -> Vec<u8>;
    /// The body of `/task/stats`.
    fn stats(&mut self) -> Vec<u8>;
}

/// What can go wrong with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status with this body, as `application/json`.
    Status(u16, Vec<u8>),
    /// 429 as the agent's rate limit gives it: plain text, no `Retry-After`.
    TooManyRequests,
    /// Silence before the answer.
    HangBeforeHead(Duration),
    /// Silence in the middle of the body.
    HangInBody(Duration),
    /// The connection closes without an answer, as it does for a container
    /// without a first sample.
    Cut,
    /// The connection is reset without an answer.
    Reset,
    /// The connection closes in the middle of the body.
    CutInBody,
    /// 200 with a body that is not JSON.
    GarbageBody,
    /// 200 with this many zero bytes.
    Huge(u64),
    /// The first text once and the second without end and without pause.
    Endless(&'static str, &'static str),
}

/// A running endpoint. Dropping it ends its threads.
#[derive(Debug)]
pub struct MetadataEndpoint {
    port: u16,
    idle: Duration,
    shared: Arc<Shared>,
    /// `None` while connections are refused.
    server: Option<Server>,
    /// Connections of the servers before the present one.
    earlier: u64,
}

struct Shared {
    source: Mutex<Source>,
    task_requests: AtomicU64,
    stats_requests: AtomicU64,
}

struct Source {
    documents: Box<dyn Documents + Send>,
    /// Set at run time; each wins over `documents`.
    task: Option<Vec<u8>>,
    stats: Option<Vec<u8>>,
    script: Script<Fault>,
    framing: Framing,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct Fixed(Vec<u8>, Vec<u8>);

impl Documents for Fixed {
    fn task(&mut self) -> Vec<u8> {
        self.0.clone()
    }

    fn stats(&mut self) -> Vec<u8> {
        self.1.clone()
    }
}

impl MetadataEndpoint {
    /// Serves these documents on a free port of 127.0.0.1, with the agent's idle
    /// timeout of 5 s.
    #[must_use]
    pub fn start(documents: impl Documents + Send + 'static) -> Self {
        Self::start_with(Settings { port: 0, idle: Duration::from_secs(5) }, documents)
    }

    /// The same with a chosen port and idle timeout.
    #[must_use]
    pub fn start_with(settings: Settings, documents: impl Documents + Send + 'static) -> Self {
        let source = Source {
            documents: Box::new(documents),
            task: None,
            stats: None,
            script: Script::default(),
            framing: Framing::Auto,
        };
        let shared = Arc::new(Shared {
            source: Mutex::new(source),
            task_requests: AtomicU64::new(0),
            stats_requests: AtomicU64::new(0),
        });
        let server = listen(settings, &shared);
        let port = server.address().port();
        Self { port, idle: settings.idle, shared, server: Some(server), earlier: 0 }
    }

    /// Serves two bodies that stay as they are until they are set anew.
    #[must_use]
    pub fn fixed(task: impl Into<Vec<u8>>, stats: impl Into<Vec<u8>>) -> Self {
        Self::start(Fixed(task.into(), stats.into()))
    }

    /// The value of `ECS_CONTAINER_METADATA_URI_V4`: no trailing slash.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/v4/{ID}", self.port)
    }

    /// The port of 127.0.0.1 on which it listens, or listened.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on the body of `/task`.
    pub fn set_task(&self, body: impl Into<Vec<u8>>) {
        self.source().task = Some(body.into());
    }

    /// From now on the body of `/task/stats`.
    pub fn set_stats(&self, body: impl Into<Vec<u8>>) {
        self.source().stats = Some(body.into());
    }

    /// From now on the framing of both documents.
    pub fn set_framing(&self, framing: Framing) {
        self.source().framing = framing;
    }

    /// Faults for the coming requests of either document, one each; `None` goes
    /// well.
    pub fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.source().script.push(faults);
    }

    /// The fault of every request past the script, or none.
    pub fn always(&self, fault: Option<Fault>) {
        self.source().script.always(fault);
    }

    /// Requests for `/task` so far, faulty ones included.
    #[must_use]
    pub fn task_requests(&self) -> u64 {
        self.shared.task_requests.load(Ordering::Relaxed)
    }

    /// Requests for `/task/stats` so far, faulty ones included.
    #[must_use]
    pub fn stats_requests(&self) -> u64 {
        self.shared.stats_requests.load(Ordering::Relaxed)
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.earlier + self.server.as_ref().map_or(0, Server::connections)
    }

    /// Closes the open connections; the next one is accepted.
    pub fn close_connections(&self) {
        if let Some(server) = &self.server {
            server.close_connections();
        }
    }

    /// Closes everything and refuses connections, as during an agent's upgrade.
    pub fn stop_accepting(&mut self) {
        self.earlier = self.connections();
        self.server = None;
    }

    /// Listens again on the same port.
    pub fn accept_again(&mut self) {
        if self.server.is_none() {
            let settings = Settings { port: self.port, idle: self.idle };
            self.server = Some(listen(settings, &self.shared));
        }
    }

    fn source(&self) -> std::sync::MutexGuard<'_, Source> {
        self.shared.source.lock().unwrap()
    }
}

fn listen(settings: Settings, shared: &Arc<Shared>) -> Server {
    let shared = Arc::clone(shared);
    Server::start(settings, move |request| shared.answer(&request))
        .expect("a port of 127.0.0.1 can be bound")
}

impl Shared {
    fn answer(&self, request: &Request) -> Response {
        let path = request.path.split('?').next().unwrap_or_default();
        if path.contains("//") {
            return Response::new(301, "text/html; charset=utf-8", "")
                .with_header("Location", &single_slashes(path));
        }
        let document = path.strip_prefix("/v4/").and_then(|rest| rest.strip_prefix(ID));
        let (counter, is_stats) = match document {
            Some("/task") => (&self.task_requests, false),
            Some("/task/stats") => (&self.stats_requests, true),
            _ => return Response::new(404, "application/json", format!("\"unknown path {path}\"")),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut source = self.source.lock().unwrap();
        let fault = source.script.take();
        let body = source.document(is_stats);
        let mut response = Response::new(200, "application/json", body);
        response.framing = source.framing;
        match fault {
            Some(fault) => fault.spoil(response),
            None => response,
        }
    }
}

impl Source {
    fn document(&mut self, is_stats: bool) -> Vec<u8> {
        let fixed = if is_stats { &self.stats } else { &self.task };
        match fixed {
            Some(body) => body.clone(),
            None if is_stats => self.documents.stats(),
            None => self.documents.task(),
        }
    }
}

impl Fault {
    /// That answer as the client sees it.
    #[must_use]
    pub fn spoil(self, mut response: Response) -> Response {
        match self {
            Self::Status(status, body) => Response::new(status, "application/json", body),
            Self::TooManyRequests => Response::new(
                429,
                "text/plain; charset=utf-8",
                "You have reached maximum request limit.",
            ),
            Self::HangBeforeHead(time) => response.delivered(Delivery::After(time)),
            Self::HangInBody(time) => response.delivered(Delivery::PauseInBody(time)),
            Self::Cut => response.delivered(Delivery::Cut),
            Self::Reset => response.delivered(Delivery::Reset),
            Self::CutInBody => response.delivered(Delivery::CutInBody),
            Self::GarbageBody => Response::new(200, "application/json", "\u{1}not {json"),
            Self::Huge(bytes) => {
                response.body = Body::Zeros(bytes);
                response
            }
            Self::Endless(start, repeated) => {
                response.body = Body::Endless(start, repeated);
                response
            }
        }
    }
}

/// The path to which Go's router redirects.
fn single_slashes(path: &str) -> String {
    let mut clean = String::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        clean.push('/');
        clean.push_str(segment);
    }
    clean
}
