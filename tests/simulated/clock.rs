//! A clock that stands still until somebody moves it on, to the next timer: all
//! that waits in the simulation waits here. It shows three things: how long the
//! simulation has lasted, the true time, and what the host takes for it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_smithy_async::{
    rt::sleep::{AsyncSleep, Sleep},
    time::TimeSource,
};
use esp::{
    sidecar::world::Timer,
    time::{Now, timestamp::Timestamp},
};

/// 2026-11-24 10:00:00 UTC: when every simulation begins.
const START: Duration = Duration::from_hours(498_754);

/// The clock; clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    origin: Instant,
    elapsed: Duration,
    /// How far the host's clock is ahead, milliseconds.
    host_ahead_ms: i64,
    /// By when they are due and, among equals, by when they were set.
    timers: BTreeMap<(Duration, u64), Waker>,
    timers_set: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            origin: Instant::now(),
            elapsed: Duration::ZERO,
            host_ahead_ms: 0,
            timers: BTreeMap::new(),
            timers_set: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Since the simulation's beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.state().elapsed
    }

    pub(crate) fn instant(&self) -> Instant {
        let state = self.state();
        state.origin + state.elapsed
    }

    /// What AWS's clock shows.
    pub(crate) fn true_time(&self) -> SystemTime {
        UNIX_EPOCH + START + self.elapsed()
    }

    /// What the host's clock shows: ESP's, and the agent's.
    pub(crate) fn host_time(&self) -> SystemTime {
        let state = self.state();
        let (time, off) = (UNIX_EPOCH + START + state.elapsed, state.host_ahead_ms);
        let by = Duration::from_millis(off.unsigned_abs());
        if off < 0 { time - by } else { time + by }
    }

    /// Sets the host's clock.
    pub(crate) fn set_host_ahead(&self, host_ahead_ms: i64) {
        self.state().host_ahead_ms = host_ahead_ms;
    }

    pub(crate) fn now(&self) -> Now {
        Now { instant: self.instant(), wall: Timestamp::from_unix_ns(unix_ns(self.host_time())) }
    }

    /// Waits until so much has passed since the beginning.
    pub(crate) fn until(&self, at: Duration) -> Until {
        Until { clock: self.clone(), at, number: None }
    }

    /// Waits for so long.
    pub(crate) fn pause(&self, duration: Duration) -> Until {
        self.until(self.elapsed() + duration)
    }

    /// Nobody on this host has a CPU for so long.
    pub(crate) fn skip(&self, duration: Duration) {
        self.state().elapsed += duration;
    }

    /// Moves on to the next timer and wakes who waits for it. False: there is
    /// none.
    pub(crate) fn move_on(&self) -> bool {
        let mut state = self.state();
        let Some(((at, _), waker)) = state.timers.pop_first() else { return false };
        state.elapsed = state.elapsed.max(at);
        drop(state);
        waker.wake();
        true
    }
}

/// Nanoseconds since 1970.
pub(crate) fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Done when its time has come. Dropped, it is forgotten.
#[derive(Debug)]
pub(crate) struct Until {
    clock: Clock,
    at: Duration,
    /// Under which it waits.
    number: Option<u64>,
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (clock, at) = (self.clock.clone(), self.at);
        let mut state = clock.state();
        if state.elapsed >= at {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            state.timers_set += 1;
            state.timers_set
        });
        state.timers.insert((at, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.clock.state().timers.remove(&(self.at, number));
        }
    }
}

/// A task's timer.
#[derive(Debug)]
pub(crate) struct SimulatedTimer(pub(crate) Clock);

impl Timer for SimulatedTimer {
    async fn until(&mut self, at: Instant) {
        let origin = self.0.state().origin;
        self.0.until(at.saturating_duration_since(origin)).await;
    }
}

/// What the SDK sleeps with.
impl AsyncSleep for Clock {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self.pause(duration))
    }
}

/// What the SDK signs with.
impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        self.host_time()
    }
}
