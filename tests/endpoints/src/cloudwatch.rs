//! A `CloudWatch` that takes `PutMetricData` as the SDK sends it (Smithy's RPC v2
//! over CBOR), keeps what the real limits allow, and goes wrong on demand. What
//! it says to one request is in [`service`]; here is what it
//! keeps, and the server. It stores, and leaves aggregation to
//! [`alarm`](crate::alarm).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use crate::http::{ClockOffset, Request, Response, Server, Settings};
use crate::limits::Refusal;
use crate::script::Script;
use crate::service::{self, authorization};
pub use crate::service::{Authorization, Datum, Fault};
use crate::tls::Tls;

/// One request, faulty or not.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// When its last byte had arrived.
    pub received: SystemTime,
    /// The connection that carried it, counted from 1.
    pub connection: u64,
    /// Bytes of the body, uncompressed.
    pub body_bytes: usize,
    /// Bytes of the body as sent.
    pub wire_bytes: usize,
    /// Whether it came compressed.
    pub gzipped: bool,
    /// The signature's form.
    pub authorization: Authorization,
    /// `x-amz-security-token`.
    pub security_token: Option<String>,
    /// `host`.
    pub host: Option<String>,
    /// `user-agent`.
    pub user_agent: Option<String>,
    /// The fault that it met.
    pub fault: Option<Fault>,
    /// How many datums were stored; whether or not the client was told.
    pub accepted: usize,
    /// Why it was refused, if it broke a limit.
    pub refusal: Option<Refusal>,
}

/// A running endpoint. Dropping it ends its threads, silent ones included.
#[derive(Debug)]
pub struct CloudWatch {
    address: SocketAddr,
    idle: Duration,
    tls: Option<Tls>,
    shared: Arc<Shared>,
    /// `None` while connections are refused.
    server: Option<Server>,
    /// Connections of the servers before the present one.
    earlier: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes who waits for datums or requests.
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    datums: Vec<Datum>,
    requests: Vec<RequestRecord>,
    script: Script<Fault>,
    clock: ClockOffset,
}

/// Longer than any test.
const IDLE: Duration = Duration::from_mins(1);

impl CloudWatch {
    /// Starts on a free port of 127.0.0.1.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Settings { port: 0, idle: IDLE })
    }

    /// The same with a chosen port and idle timeout.
    #[must_use]
    pub fn start_with(settings: Settings) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port));
        Self::listen(address, settings.idle, None).expect("a port of 127.0.0.1 can be bound")
    }

    /// Starts on a free port, over TLS.
    #[must_use]
    pub fn start_tls(tls: &Tls) -> Self {
        Self::start_tls_with(Settings { port: 0, idle: IDLE }, tls)
    }

    /// The same with a chosen port and idle timeout.
    #[must_use]
    pub fn start_tls_with(settings: Settings, tls: &Tls) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port));
        Self::listen(address, settings.idle, Some(tls.clone()))
            .expect("a port of 127.0.0.1 can be bound")
    }

    /// Starts on another address of this machine.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn start_at(address: SocketAddr) -> io::Result<Self> {
        Self::listen(address, IDLE, None)
    }

    /// The same over TLS.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn start_tls_at(address: SocketAddr, tls: &Tls) -> io::Result<Self> {
        Self::listen(address, IDLE, Some(tls.clone()))
    }

    fn listen(address: SocketAddr, idle: Duration, tls: Option<Tls>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let mut endpoint =
            Self { address, idle, tls, shared: Arc::default(), server: None, earlier: 0 };
        endpoint.serve(listener)?;
        Ok(endpoint)
    }

    fn serve(&mut self, listener: TcpListener) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let handler = move |request| shared.answer(&request);
        self.server = Some(Server::start_on(listener, self.idle, self.tls.clone(), handler)?);
        Ok(())
    }

    /// Closes everything and refuses connections.
    pub fn stop_accepting(&mut self) {
        self.earlier = self.connections();
        self.server = None;
    }

    /// Listens again at the same address.
    pub fn accept_again(&mut self) {
        if self.server.is_none() {
            let listener = TcpListener::bind(self.address).expect("its own port can be bound");
            self.serve(listener).expect("the listener has an address");
        }
    }

    /// Where it listens, or listened.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint URL for the SDK.
    #[must_use]
    pub fn url(&self) -> String {
        if self.tls.is_some() {
            // The name that is in the certificate.
            return format!("https://localhost:{}", self.address.port());
        }
        format!("http://{}", self.address)
    }

    /// Every accepted datum since the start or the last [`clear`](Self::clear).
    #[must_use]
    pub fn datums(&self) -> Vec<Datum> {
        self.shared.lock().datums.clone()
    }

    /// Every request, whatever became of it.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().requests.clone()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.earlier + self.server.as_ref().map_or(0, Server::connections)
    }

    /// Waits for that many accepted datums in all; false if the time runs out.
    #[must_use]
    pub fn wait_for(&self, datums: usize, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.datums.len() >= datums)
    }

    /// Waits for that many requests in all; false if the time runs out.
    #[must_use]
    pub fn wait_for_requests(&self, requests: usize, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.requests.len() >= requests)
    }

    /// Forgets datums and requests, not faults.
    pub fn clear(&self) {
        let mut state = self.shared.lock();
        state.datums.clear();
        state.requests.clear();
    }

    /// Faults for the coming requests, one each.
    pub fn script(&self, faults: Vec<Fault>) {
        self.shared.lock().script.push(faults.into_iter().map(Some));
    }

    /// The same, where `None` goes well.
    pub fn script_steps(&self, steps: impl IntoIterator<Item = Option<Fault>>) {
        self.shared.lock().script.push(steps);
    }

    /// The fault of every request past the script, or none.
    pub fn always(&self, fault: Option<Fault>) {
        self.shared.lock().script.always(fault);
    }

    /// From now on the clock by which dates are written, and signatures judged.
    pub fn set_clock(&self, clock: ClockOffset) {
        self.shared.lock().clock = clock;
    }

    fn wait(&self, timeout: Duration, until: impl Fn(&State) -> bool) -> bool {
        let state = self.shared.lock();
        let waited = self.shared.arrived.wait_timeout_while(state, timeout, |state| !until(state));
        !waited.unwrap().1.timed_out()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn answer(&self, request: &Request) -> Response {
        let Some(judged) = service::judge(request) else { return service::unknown_operation() };
        let mut state = self.lock();
        let clock = state.clock;
        if !service::is_signed_in_time(request, clock) {
            let mut refused = service::refused_signature();
            refused.clock = clock;
            return refused;
        }
        let fault = state.script.take();
        let honest = judged.answer();
        let refusal = judged.datums.as_ref().err().cloned();
        let mut accepted = 0;
        if let Ok(datums) = judged.datums
            && fault.as_ref().is_none_or(Fault::accepts)
        {
            accepted = datums.len();
            state.datums.extend(datums);
        }
        let header = |name| request.header(name).map(str::to_owned);
        state.requests.push(RequestRecord {
            received: request.received,
            connection: request.connection,
            body_bytes: judged.body_bytes,
            wire_bytes: request.body.len(),
            gzipped: judged.is_gzipped,
            authorization: authorization(request.header("authorization")),
            security_token: header("x-amz-security-token"),
            host: header("host"),
            user_agent: header("user-agent"),
            fault: fault.clone(),
            accepted,
            refusal,
        });
        let id = state.requests.len();
        drop(state);
        self.arrived.notify_all();
        let mut response = match fault {
            Some(fault) => fault.spoil(honest),
            None => honest,
        };
        response.clock = clock;
        response.with_header("x-amzn-RequestId", &format!("00000000-0000-4000-8000-{id:012x}"))
    }
}
