//! What the sidecar touches outside itself: the clock, waiting, the metadata
//! endpoint, the way to AWS and stdout. The real ones are here; a test brings
//! others and plays a week in seconds.

use std::{
    fmt::Debug,
    hash::{BuildHasher as _, RandomState},
    io::{self, Write},
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use aws_smithy_async::{rt::sleep::SharedAsyncSleep, time::SharedTimeSource};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};

use super::listening;
use crate::{
    cloudwatch::{Connector, Proxies, TimerSleep},
    endpoint::{EndpointClient, EndpointError, EndpointUri, Resource},
    health::socket_name,
    kernel::{Kernel, KernelCounters},
    output::stdio::Stream,
    settings::Settings,
    time::{
        Now,
        timestamp::Timestamp,
        waiting::{Waiting, Wakeup},
    },
};

/// The wall clock and the monotonic clock are read at most this far apart, if a few
/// tries are enough for that.
const CLOCKS_APART_MAX: Duration = Duration::from_millis(1);
const CLOCK_TRIES: u32 = 5;

/// The world around one sidecar. Nothing in `sidecar` asks the system for the
/// time, a timer or a socket by another way.
pub trait World {
    /// A timer of one task.
    type Timer: Timer;
    /// The task metadata endpoint.
    type Endpoint: Endpoint;
    /// The kernel.
    type Kernel: KernelCounters;

    /// The time.
    fn now(&self) -> Now;

    /// A timer.
    fn timer(&self) -> Self::Timer;

    /// A client of the endpoint at `uri`.
    fn endpoint(&self, uri: EndpointUri) -> Self::Endpoint;

    /// The kernel that containers are read from.
    fn kernel(&self) -> Self::Kernel;

    /// The way to AWS, which trusts the certificates in `ca_bundle`, or else the
    /// bundled roots.
    ///
    /// # Errors
    ///
    /// One line that says why there is none.
    fn http_client(&self, settings: &Settings) -> Result<SharedHttpClient, String>;

    /// What the SDK waits with.
    fn sleep(&self) -> SharedAsyncSleep;

    /// The wall clock, as the SDK asks it: for signatures, and for when
    /// credentials expire.
    fn time_source(&self) -> SharedTimeSource;

    /// For the waits after failures.
    fn seed(&self) -> u64;

    /// Tells `line` to whoever asks for the health of the sidecar with the
    /// endpoint at `uri`, for as long as it is polled. Where nobody can ask, that
    /// is nothing, for ever.
    fn answer_health(
        &self,
        uri: &EndpointUri,
        line: impl Fn() -> String,
    ) -> impl Future<Output = ()> {
        let _ = (uri, line);
        std::future::pending()
    }

    /// Where lines of samples go: a stream that takes what it has room for and
    /// otherwise fails with [`io::ErrorKind::WouldBlock`], without waiting.
    fn stdout(&self) -> Box<dyn Write> {
        Box::new(Stream::new(io::stdout()))
    }
}

/// A timer that can be set again and again.
pub trait Timer {
    /// Waits until `at`.
    fn until(&mut self, at: Instant) -> impl Future<Output = ()>;
}

/// A client of the task metadata endpoint.
pub trait Endpoint {
    /// The body of `resource`, to be scribbled over by a parser. `now` is for
    /// the pause between failed connections.
    fn get(
        &mut self,
        resource: Resource,
        now: Instant,
    ) -> impl Future<Output = Result<&mut [u8], EndpointError>>;
}

/// The system's clock, timers and a socket that the thread itself waits for, and
/// isahc.
#[derive(Clone, Debug)]
pub struct RealWorld {
    waiting: Rc<Waiting>,
}

impl RealWorld {
    /// A world for this thread.
    ///
    /// # Errors
    ///
    /// Where the system has no two file descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { waiting: Waiting::new()? })
    }

    /// Runs `future`, in which this world's timers and sockets are used.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.waiting.block_on(future)
    }
}

impl World for RealWorld {
    type Timer = Wakeup;
    type Endpoint = EndpointClient;
    type Kernel = Kernel;

    fn now(&self) -> Now {
        let mut before = Instant::now();
        // A thread that has to wait for a CPU between the two clocks would seem to see
        // one of them set.
        for _ in 0..CLOCK_TRIES {
            let wall = SystemTime::now();
            let after = Instant::now();
            if after.saturating_duration_since(before) < CLOCKS_APART_MAX {
                return Now { instant: before, wall: timestamp(wall) };
            }
            before = after;
        }
        Now { instant: before, wall: timestamp(SystemTime::now()) }
    }

    fn timer(&self) -> Wakeup {
        Wakeup::new(Rc::clone(&self.waiting))
    }

    fn kernel(&self) -> Kernel {
        Kernel::new()
    }

    fn endpoint(&self, uri: EndpointUri) -> EndpointClient {
        EndpointClient::new(uri, Rc::clone(&self.waiting))
    }

    fn http_client(&self, settings: &Settings) -> Result<SharedHttpClient, String> {
        let ca_bundle = settings.ca_bundle.as_ref().map(|bundle| bundle.path.clone());
        Connector::new(ca_bundle, Proxies::of(settings))
            .map(shared)
            .map_err(|error| error.to_string())
    }

    fn sleep(&self) -> SharedAsyncSleep {
        SharedAsyncSleep::new(TimerSleep)
    }

    fn time_source(&self) -> SharedTimeSource {
        SharedTimeSource::default()
    }

    fn seed(&self) -> u64 {
        RandomState::new().hash_one(std::process::id())
    }

    async fn answer_health(&self, uri: &EndpointUri, line: impl Fn() -> String) {
        listening::answer(&socket_name(uri), line).await;
    }
}

fn timestamp(wall: SystemTime) -> Timestamp {
    let wall = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ns(u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX))
}

fn shared(client: impl HttpClient + 'static) -> SharedHttpClient {
    SharedHttpClient::new(client)
}

impl Timer for Wakeup {
    async fn until(&mut self, at: Instant) {
        Self::until(self, at).await;
    }
}

impl Endpoint for EndpointClient {
    async fn get(&mut self, resource: Resource, now: Instant) -> Result<&mut [u8], EndpointError> {
        Self::get(self, resource, now).await
    }
}

/// Waits for `duration`.
pub(super) async fn pause(world: &impl World, duration: Duration) {
    let at = world.now().instant + duration;
    world.timer().until(at).await;
}
