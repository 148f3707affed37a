//! Look-ups of names, apart from the requests that need them.
//!
//! libcurl would look a name up within the time to connect. A resolver waits 5 s for
//! a name server that is silent before it asks the next one, and that is longer than
//! anybody should wait for a connection. So each look-up has a thread of its own and
//! all the time that the resolver takes. A request waits for it only if no address is
//! known; what it says is kept, also if it comes too late for that request, or if nobody
//! waits for the request any longer. Addresses
//! go to libcurl one at a time, by `CURLOPT_CONNECT_TO`, and those of a proxy in its URL.
//! The name of an `https` proxy is the one that libcurl looks up itself.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_io::Timer;
use smol::{Task, future::FutureExt as _};

use super::route::{LIFETIME, Route};

/// For a look-up that a request waits for. The resolver's own limit is 10 s for one
/// name server and more for several.
const WAIT: Duration = Duration::from_secs(10);

type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type AddressLookup = Task<io::Result<Vec<SocketAddr>>>;

/// The hosts that were asked for so far; a few.
pub(super) struct Names {
    resolve: Arc<Resolve>,
    lifetime: Duration,
    hosts: Mutex<Vec<Host>>,
}

struct Host {
    name: String,
    port: u16,
    route: Route,
    /// The look-up that is under way, and for which nobody waits.
    lookup: Option<AddressLookup>,
}

impl Names {
    /// With the system's resolver.
    pub(super) fn new() -> Self {
        let resolve = |name: &str, port| (name, port).to_socket_addrs().map(Iterator::collect);
        Self::with(resolve, LIFETIME)
    }

    /// With another resolver, whose answers are good for `lifetime`.
    pub(super) fn with(
        resolve: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
        lifetime: Duration,
    ) -> Self {
        Self { resolve: Arc::new(resolve), lifetime, hosts: Mutex::default() }
    }

    /// The addresses to try for a request to that host, in this order. Never empty.
    pub(super) async fn addresses(
        &self,
        name: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, LookupError> {
        if let Some(lookup) = self.finished(name, port) {
            // It has ended, so this does not wait.
            let _ = self.note(name, port, lookup.await);
        }
        let lookup = {
            let mut hosts = self.hosts();
            let host = host(&mut hosts, name, port);
            if host.route.is_lookup_due(Instant::now(), self.lifetime) && host.lookup.is_none() {
                host.lookup = Some(self.begin(name, port));
            }
            if host.route.is_known() {
                return Ok(host.route.candidates());
            }
            host.lookup.take()
        };
        let slow = || LookupError::Slow { name: name.to_owned() };
        let mut waiting =
            LookupWait { names: self, name, port, lookup: Some(lookup.ok_or_else(slow)?) };
        let over = async {
            Timer::after(WAIT).await;
            None
        };
        match waiting.answer().or(over).await {
            Some(answer) => self.note(name, port, answer),
            // The next request may find its answer.
            None => Err(slow()),
        }
    }

    /// A request was answered by `address`.
    pub(super) fn on_answered(&self, name: &str, port: u16, address: SocketAddr) {
        host(&mut self.hosts(), name, port).route.on_answered(address);
    }

    /// A request was sent to `address` and not answered.
    pub(super) fn on_unanswered(&self, name: &str, port: u16, address: SocketAddr) {
        host(&mut self.hosts(), name, port).route.on_unanswered(address);
    }

    /// There was no connection to `address`.
    pub(super) fn on_failed(&self, name: &str, port: u16, address: SocketAddr) {
        host(&mut self.hosts(), name, port).route.on_failed(address);
    }

    /// There was none to any address. The name is looked up again at once, for the
    /// next request.
    pub(super) fn on_all_failed(&self, name: &str, port: u16) {
        let mut hosts = self.hosts();
        let host = host(&mut hosts, name, port);
        host.route.on_all_failed();
        if host.lookup.is_none() {
            host.lookup = Some(self.begin(name, port));
        }
    }

    fn begin(&self, name: &str, port: u16) -> AddressLookup {
        let (resolve, name) = (Arc::clone(&self.resolve), name.to_owned());
        smol::unblock(move || resolve(&name, port))
    }

    /// The look-up that has ended since the last request.
    fn finished(&self, name: &str, port: u16) -> Option<AddressLookup> {
        host(&mut self.hosts(), name, port).lookup.take_if(|lookup| lookup.is_finished())
    }

    /// Keeps what a look-up said.
    fn note(
        &self,
        name: &str,
        port: u16,
        answer: io::Result<Vec<SocketAddr>>,
    ) -> Result<Vec<SocketAddr>, LookupError> {
        let mut hosts = self.hosts();
        let route = &mut host(&mut hosts, name, port).route;
        let (addresses, error) = match answer {
            Ok(addresses) => (Some(addresses), None),
            Err(error) => (None, Some(error)),
        };
        route.on_lookup(addresses, Instant::now());
        if route.is_known() {
            return Ok(route.candidates());
        }
        let said = error.map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
        // The library's words come before the system's.
        let said = said.trim_start_matches("failed to lookup address information: ").to_owned();
        Err(LookupError::Failed { name: name.to_owned(), said })
    }

    fn hosts(&self) -> MutexGuard<'_, Vec<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look-up that a request waits for. If the request stops waiting, the look-up stays
/// for the next one: whoever dropped it may have less patience than the resolver needs,
/// and would begin again each time.
struct LookupWait<'names> {
    names: &'names Names,
    name: &'names str,
    port: u16,
    lookup: Option<AddressLookup>,
}

impl LookupWait<'_> {
    /// What it says, once.
    async fn answer(&mut self) -> Option<io::Result<Vec<SocketAddr>>> {
        let answer = self.lookup.as_mut()?.await;
        // A task that has given its answer is not asked again.
        self.lookup = None;
        Some(answer)
    }
}

impl Drop for LookupWait<'_> {
    fn drop(&mut self) {
        if let Some(lookup) = self.lookup.take() {
            host(&mut self.names.hosts(), self.name, self.port).lookup = Some(lookup);
        }
    }
}

fn host<'hosts>(hosts: &'hosts mut Vec<Host>, name: &str, port: u16) -> &'hosts mut Host {
    let is_it = |host: &Host| host.port == port && host.name == name;
    let place = hosts.iter().position(is_it).unwrap_or_else(|| {
        let route = Route::default();
        hosts.push(Host { name: name.to_owned(), port, route, lookup: None });
        hosts.len() - 1
    });
    &mut hosts[place]
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// A host without an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LookupError {
    /// The resolver says that there is none, or that it cannot tell.
    Failed {
        /// The host.
        name: String,
        /// The resolver's words.
        said: String,
    },
    /// The resolver has not said anything yet.
    Slow {
        /// The host.
        name: String,
    },
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { name, said } => write!(f, "cannot look up the name {name}: {said}"),
            Self::Slow { name } => write!(
                f,
                "the name {name} is still being looked up after {} s: a name server does not answer",
                WAIT.as_secs()
            ),
        }
    }
}

impl std::error::Error for LookupError {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn look_up_goes_on_if_the_request_is_dropped_and_serves_the_next_one() {
        let (answer, answers) = mpsc::channel();
        let answers = Mutex::new(answers);
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        let resolve = move |_: &str, _| {
            *count.lock().unwrap() += 1;
            answers.lock().unwrap().recv().map_err(io::Error::other)
        };
        let names = Names::with(resolve, LIFETIME);
        let address = SocketAddr::from(([127, 0, 0, 1], 443));
        smol::block_on(async {
            for _ in 0..3 {
                let given_up = async {
                    Timer::after(Duration::from_millis(20)).await;
                    None
                };
                let asking = async { Some(names.addresses("host", 443).await) };
                assert_eq!(asking.or(given_up).await, None);
            }
            answer.send(vec![address]).unwrap();
            assert_eq!(names.addresses("host", 443).await, Ok(vec![address]));
        });
        assert_eq!(*asked.lock().unwrap(), 1);
    }
}
