//! The blocking HTTP/1.1 server that both endpoints share: one thread accepts,
//! one thread serves each connection. It knows framing, keep-alive and the ways
//! in which an answer can go wrong on the wire; what a path means is the
//! handler's business. TLS where it is asked for; no HTTP/2, no pipelining
//! beyond one at a time.

mod request;
mod response;

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};
use socket2::SockRef;

pub use self::request::Request;
use self::request::read_request;
pub(crate) use self::request::{read_chunk, read_chunks, read_exactly, read_line};
pub use self::response::{Body, Delivery, Framing, Response};
pub use crate::clock::ClockOffset;
use crate::tls::Tls;

/// Go's server, which the ECS agent is, chunks what does not fit its buffer.
const CHUNKED_OVER: usize = 2048;

/// What never ends is written in blocks of about this many bytes.
const ENDLESS_BLOCK: usize = 64 * 1024;

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
        Self::start_on(listener, settings.idle, tls, handler)
    }

    /// The same on a listener that is bound already, to whichever address.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start_on<H>(
        listener: TcpListener,
        idle: Duration,
        tls: Option<Tls>,
        handler: H,
    ) -> io::Result<Self>
    where
        H: Fn(Request) -> Response + Send + Sync + 'static,
    {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            stopping: Condvar::new(),
            connections: AtomicU64::new(0),
            idle,
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
    let mut stream = StreamOwned::new(session, stream);
    let served = serve(shared, &mut stream, id, handler);
    let is_idle = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    };
    if served.as_ref().is_err_and(is_idle) {
        // Who closes for idleness takes leave; who breaks off does not.
        stream.conn.send_close_notify();
        stream.flush()?;
    }
    served
}

fn serve<S, H>(shared: &Shared, stream: S, id: u64, handler: &H) -> io::Result<()>
where
    S: Read + Write,
    H: Fn(Request) -> Response,
{
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, id)? {
        let close = request.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let mut response = handler(request);
        if close {
            response = response.with_header("Connection", "close");
        }
        match response.delivery {
            Delivery::Reset => {
                shared.will_reset(id);
                break;
            }
            Delivery::WithEnd => shared.hold_back(id),
            _ => {}
        }
        if !shared.deliver(reader.get_mut(), &response)? || close {
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

    /// Has the connection end in a reset when its last handle is gone.
    fn will_reset(&self, id: u64) {
        if let Some(stream) = self.state.lock().unwrap().open.get(&id) {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Has what is sent from now on leave together with the connection's end.
    #[cfg(target_os = "linux")]
    fn hold_back(&self, id: u64) {
        if let Some(stream) = self.state.lock().unwrap().open.get(&id) {
            SockRef::from(stream).set_tcp_cork(true).unwrap();
        }
    }

    /// Elsewhere the end follows as soon as it can.
    #[cfg(not(target_os = "linux"))]
    fn hold_back(&self, _: u64) {}

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
            Body::Endless(start, repeated) => {
                stream.write_all(start.as_bytes())?;
                let block = repeated.repeat(ENDLESS_BLOCK.div_ceil(repeated.len().max(1)));
                loop {
                    stream.write_all(block.as_bytes())?;
                }
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
        Ok(response.delivery != Delivery::WithEnd)
    }
}
