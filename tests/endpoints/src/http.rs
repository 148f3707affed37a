//! The blocking HTTP/1.1 server that both endpoints share: one thread accepts,
//! one thread serves each connection. It knows framing, keep-alive and the ways
//! in which an answer can go wrong on the wire; what a path means is the
//! handler's business. TLS where it is asked for; no HTTP/2, no pipelining
//! beyond one at a time.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustls::{ServerConnection, StreamOwned};

use crate::clock;
pub use crate::clock::ClockOffset;
use crate::tls::Tls;

/// Go's server, which the ECS agent is, chunks what does not fit its buffer.
const CHUNKED_OVER: usize = 2048;
/// Past this a head is not read to its end and the connection is closed.
const LINE_LIMIT: u64 = 64 * 1024;
/// Past this a body is not read and the connection is closed; well over what
/// any limit of the endpoints themselves needs to see.
const BODY_LIMIT: u64 = 64 * 1024 * 1024;

/// One request, read whole.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The target as sent, query included.
    pub path: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding but still compressed.
    pub body: Vec<u8>,
    /// Which connection of this server carried it, counted from 1.
    pub connection: u64,
    /// When its last byte had arrived.
    pub received: SystemTime,
}

impl Request {
    /// The first header of that name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How the body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// As the ECS agent: over 2048 bytes one chunk, else `Content-Length`.
    #[default]
    Auto,
    /// Chunks of at most this many bytes.
    Chunked(usize),
    /// `Content-Length`.
    ContentLength,
}

/// What is sent after the head.
#[derive(Debug, Clone)]
pub enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many zero bytes, made as they are sent.
    Zeros(u64),
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// At once and whole.
    #[default]
    Whole,
    /// After silence.
    After(Duration),
    /// The head and half of the body, silence, and the rest.
    PauseInBody(Duration),
    /// The head and half of the body, then the connection closes.
    CutInBody,
    /// The connection closes without an answer.
    Cut,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers besides `Date` and the framing ones, which the server writes.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// How its end is told.
    pub framing: Framing,
    /// How it travels.
    pub delivery: Delivery,
    /// How far ahead, or behind, the clock is that writes `Date`.
    pub clock: ClockOffset,
}

impl Response {
    /// An answer with a body of the given type, framed as the ECS agent does.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: Body::Bytes(body.into()),
            framing: Framing::Auto,
            delivery: Delivery::Whole,
            clock: ClockOffset::Right,
        }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same answer, delivered another way.
    #[must_use]
    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    fn head(&self, framing: &str) -> Vec<u8> {
        let mut head = Vec::new();
        let _ = write!(head, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Date: {}\r\n", clock::http_date(self.clock.of(SystemTime::now())));
        let _ = write!(head, "{framing}\r\n\r\n");
        head
    }
}

/// Where and how patiently to listen.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// A port of 127.0.0.1; 0 lets the kernel choose.
    pub port: u16,
    /// How long a connection may stay silent between and within requests.
    pub idle: Duration,
}

/// A running server. Dropping it closes every connection and ends every thread.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the threads that are silent on purpose.
    stopping: Condvar,
    connections: AtomicU64,
    idle: Duration,
    tls: Option<Tls>,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    /// A second handle to each open connection, to wake its thread from outside.
    open: HashMap<u64, TcpStream>,
}

impl Server {
    /// Binds and starts to accept. `handler` runs on the connection's thread.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub fn start<H>(settings: Settings, handler: H) -> io::Result<Self>
    where
        H: Fn(Request) -> Response + Send + Sync + 'static,
    {
        Self::start_with(settings, None, handler)
    }

    /// The same, over TLS where it is given.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub fn start_with<H>(settings: Settings, tls: Option<Tls>, handler: H) -> io::Result<Self>
    where
        H: Fn(Request) -> Response + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            stopping: Condvar::new(),
            connections: AtomicU64::new(0),
            idle: settings.idle,
            tls,
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared, &Arc::new(handler))
        });
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Closes every open connection; new ones are still welcome.
    pub fn close_connections(&self) {
        for stream in self.shared.state.lock().unwrap().open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().stopping = true;
        self.shared.stopping.notify_all();
        self.close_connections();
        // `accept` cannot be interrupted, but it can be answered.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let (Ok(_), Some(accepting)) = (woken, self.accepting.take()) {
            let _ = accepting.join();
        }
    }
}

fn accept<H>(listener: &TcpListener, shared: &Arc<Shared>, handler: &Arc<H>)
where
    H: Fn(Request) -> Response + Send + Sync + 'static,
{
    let mut serving: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        serving.retain(|thread| !thread.is_finished());
        let Ok(stream) = stream else {
            // Out of descriptors, most likely: wait for some to close.
            if shared.pause(Duration::from_millis(50)) {
                continue;
            }
            break;
        };
        let Ok(second) = stream.try_clone() else { continue };
        let mut state = shared.state.lock().unwrap();
        if state.stopping {
            break;
        }
        let id = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        state.open.insert(id, second);
        drop(state);
        let (shared, handler) = (Arc::clone(shared), Arc::clone(handler));
        serving.push(std::thread::spawn(move || {
            // A client that goes away is the client's affair.
            let _ = greet(&shared, stream, id, &*handler);
            shared.state.lock().unwrap().open.remove(&id);
        }));
    }
    for thread in serving {
        let _ = thread.join();
    }
}

fn greet<H>(shared: &Shared, stream: TcpStream, id: u64, handler: &H) -> io::Result<()>
where
    H: Fn(Request) -> Response,
{
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(shared.idle))?;
    let Some(tls) = &shared.tls else { return serve(shared, &stream, id, handler) };
    let session = ServerConnection::new(tls.config.clone()).map_err(io::Error::other)?;
    serve(shared, StreamOwned::new(session, stream), id, handler)
}

fn serve<S, H>(shared: &Shared, stream: S, id: u64, handler: &H) -> io::Result<()>
where
    S: Read + Write,
    H: Fn(Request) -> Response,
{
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, id)? {
        let close = request.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        if !shared.deliver(reader.get_mut(), &handler(request))? || close {
            break;
        }
    }
    Ok(())
}

impl Shared {
    /// Silence that ends early when the server stops; false if it did.
    fn pause(&self, time: Duration) -> bool {
        let state = self.state.lock().unwrap();
        let waited = self.stopping.wait_timeout_while(state, time, |state| !state.stopping);
        !waited.unwrap().0.stopping
    }

    /// Sends an answer; false if the connection is to be closed.
    fn deliver(&self, stream: &mut impl Write, response: &Response) -> io::Result<bool> {
        match response.delivery {
            Delivery::Cut => return Ok(false),
            Delivery::After(time) if !self.pause(time) => return Ok(false),
            _ => {}
        }
        let bytes = match &response.body {
            Body::Bytes(bytes) => bytes,
            Body::Zeros(count) => {
                stream.write_all(&response.head(&format!("Content-Length: {count}")))?;
                io::copy(&mut io::repeat(0).take(*count), stream)?;
                return Ok(true);
            }
        };
        let chunk = match response.framing {
            Framing::Auto if bytes.len() > CHUNKED_OVER => Some(bytes.len()),
            Framing::Chunked(size) => Some(size.max(1)),
            Framing::Auto | Framing::ContentLength => None,
        };
        let mut wire = match chunk {
            Some(_) => response.head("Transfer-Encoding: chunked"),
            None => response.head(&format!("Content-Length: {}", bytes.len())),
        };
        let head = wire.len();
        match chunk {
            Some(size) => {
                for part in bytes.chunks(size) {
                    wire.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                    wire.extend_from_slice(part);
                    wire.extend_from_slice(b"\r\n");
                }
                wire.extend_from_slice(b"0\r\n\r\n");
            }
            None => wire.extend_from_slice(bytes),
        }
        let (now, later) = match response.delivery {
            Delivery::PauseInBody(_) | Delivery::CutInBody => {
                wire.split_at(usize::midpoint(head, wire.len()))
            }
            _ => (&wire[..], &[][..]),
        };
        stream.write_all(now)?;
        match response.delivery {
            Delivery::CutInBody => return Ok(false),
            Delivery::PauseInBody(time) if !self.pause(time) => return Ok(false),
            _ => {}
        }
        stream.write_all(later)?;
        Ok(true)
    }
}

/// The next request, or `None` where the client closed between two of them.
fn read_request(
    reader: &mut BufReader<impl Read + Write>,
    connection: u64,
) -> io::Result<Option<Request>> {
    let start = read_line(reader)?;
    if start.is_empty() {
        return Ok(None);
    }
    let mut words = start.split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1")) = (words.next(), words.next(), words.next())
    else {
        return Err(malformed("not an HTTP/1.1 request line"));
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("no colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
        connection,
        received: SystemTime::now(),
    };
    if request.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if request.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        request.body = read_chunks(reader)?;
    } else if let Some(length) = request.header("content-length") {
        let length = length.parse().map_err(|_| malformed("bad Content-Length"))?;
        read_exactly(reader, length, &mut request.body)?;
    }
    request.received = SystemTime::now();
    Ok(Some(request))
}

/// A body in chunks, trailers dropped. Also what a Docker engine answers with.
pub(crate) fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    while read_chunk(reader, &mut body)? {}
    Ok(body)
}

/// Appends the next chunk; false if it was the last one.
pub(crate) fn read_chunk(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let line = read_line(reader)?;
    let size = line.split(';').next().unwrap_or_default().trim();
    let size = u64::from_str_radix(size, 16).map_err(|_| malformed("bad chunk size"))?;
    if size == 0 {
        while !read_line(reader)?.is_empty() {}
        return Ok(false);
    }
    read_exactly(reader, size, body)?;
    read_line(reader)?;
    Ok(true)
}

pub(crate) fn read_exactly(
    reader: &mut impl BufRead,
    length: u64,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    if length.saturating_add(body.len() as u64) > BODY_LIMIT {
        return Err(malformed("body too large"));
    }
    if reader.take(length).read_to_end(body)? as u64 == length {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// One line without its end; empty at the end of the stream too.
pub(crate) fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(LINE_LIMIT).read_until(b'\n', &mut line)?;
    let line = String::from_utf8(line).map_err(|_| malformed("head is not UTF-8"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
