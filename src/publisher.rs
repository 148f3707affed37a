//! When to send which samples: a state machine that is told the time and how
//! the last request ended. It keeps the samples that are not accepted yet. It
//! knows nothing of HTTP, of the SDK or of any clock.

use std::{
    collections::VecDeque,
    hash::Hasher,
    mem,
    time::{Duration, Instant},
};

use crate::{limits, metric::Sample, timestamp::Timestamp};

/// Samples that are kept while CloudWatch cannot be reached: an hour of one a
/// second. 24 bytes each, set aside at the start.
pub const CAPACITY: usize = 3600;

/// Between a request that failed and the next: doubled each time, up to the
/// publish interval.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The most by which a task's requests are moved off the wall clock's multiples
/// of the interval: later than that the alarm would judge without them.
const OFFSET_MOST: Duration = Duration::from_secs(2);

/// The time as the state machines are told it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For waiting: never set back.
    pub instant: Instant,
    /// For alignment with the wall clock, and with it CloudWatch's periods.
    pub wall: Timestamp,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send these, then tell [`Publisher::on_outcome`].
    Send(Vec<Sample>),
    /// Ask again at this moment, or after the next sample.
    WaitUntil(Instant),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was accepted.
    Accepted,
    /// It may be tried again: nothing of it was accepted, as far as is known.
    Failed,
}

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublisherFigures {
    /// Samples that CloudWatch has accepted.
    pub published: u64,
    /// Samples that were dropped for want of room, the oldest first.
    pub dropped: u64,
    /// Requests that were accepted.
    pub requests: u64,
    /// Requests that were not.
    pub failures: u64,
    /// `read` of the newest sample that was accepted.
    pub newest_published: Option<Timestamp>,
}

/// The state machine.
#[derive(Debug)]
pub struct Publisher {
    interval: Duration,
    /// Requests go out at multiples of the interval plus this.
    offset: Duration,
    /// How much earlier than a whole interval after the last one a request may
    /// go out on arrival: the endpoint is asked only so often.
    tolerance: Duration,
    samples_per_request: usize,
    pending: VecDeque<Sample>,
    in_flight: Vec<Sample>,
    /// The next aligned moment; `None` before the first question.
    slot_at: Option<Instant>,
    /// Samples come as seldom as requests go: send each when it arrives.
    on_arrival: bool,
    /// On arrival: requests are counted against one an interval from here.
    paid_until: Option<Instant>,
    retry_at: Option<Instant>,
    retry_pause: Duration,
    figures: PublisherFigures,
}

impl Publisher {
    /// A publisher that sends every `interval`, of samples that are looked for
    /// every `sample_interval`.
    #[must_use]
    pub fn new(interval: Duration, sample_interval: Duration) -> Self {
        Self {
            interval,
            offset: Duration::ZERO,
            tolerance: sample_interval.min(interval / 2),
            samples_per_request: limits::DATUMS_PER_REQUEST,
            pending: VecDeque::with_capacity(CAPACITY),
            in_flight: Vec::new(),
            slot_at: None,
            on_arrival: false,
            paid_until: None,
            retry_at: None,
            retry_pause: RETRY_FIRST,
            figures: PublisherFigures::default(),
        }
    }

    /// Spreads the tasks of an account over a fifth of the interval, 2 s at the
    /// most, by the task's ARN: not all at once, and each always at the same
    /// point of the wall clock.
    pub fn set_task_arn(&mut self, task_arn: &str, now: Now) {
        let room = (self.interval / 5).min(OFFSET_MOST);
        let room_ms = u64::try_from(room.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut hasher = Fnv::default();
        hasher.write(task_arn.as_bytes());
        self.offset = Duration::from_millis(hasher.finish() % room_ms);
        self.slot_at = Some(self.next_slot(now));
    }

    /// Says how often samples are renewed.
    pub fn set_cadence(&mut self, cadence: Option<Duration>) {
        // The median of real cadences trembles: 10.00 s may read 9.99.
        self.on_arrival = cadence.is_some_and(|cadence| cadence >= self.interval.mul_f64(0.95));
    }

    /// Says how many samples make a request that CloudWatch takes.
    pub fn set_samples_per_request(&mut self, count: usize) {
        self.samples_per_request = count.clamp(1, limits::DATUMS_PER_REQUEST);
    }

    /// Takes in a sample. `true`: the answer to [`Publisher::poll`] may have
    /// changed.
    pub fn push(&mut self, sample: Sample) -> bool {
        self.pending.push_back(sample);
        self.make_room();
        self.on_arrival
    }

    fn make_room(&mut self) {
        while self.pending.len() > CAPACITY {
            self.pending.pop_front();
            self.figures.dropped += 1;
        }
    }

    /// What to do at `now`. To be asked at the moment of the last answer, after
    /// [`Publisher::push`] said so, and after each outcome; not while a request
    /// is under way.
    pub fn poll(&mut self, now: Now) -> Action {
        let slot_at = match self.slot_at {
            Some(slot_at) => slot_at,
            None => self.next_slot(now),
        };
        let slot_is_due = now.instant >= slot_at;
        self.slot_at = Some(if slot_is_due { self.slot_after(now) } else { slot_at });
        if self.pending.is_empty() {
            return Action::WaitUntil(self.slot_at.unwrap_or(slot_at));
        }
        let due_at = match self.retry_at {
            Some(retry_at) => retry_at,
            None if self.on_arrival => self.arrival_at(now),
            None if slot_is_due => now.instant,
            None => slot_at,
        };
        if now.instant < due_at {
            return Action::WaitUntil(due_at);
        }
        self.retry_at = None;
        Action::Send(self.take_batch(now))
    }

    /// Everything that is left, regardless of the schedule, one request after
    /// another; `None` when nothing is. For the end.
    pub fn drain(&mut self, now: Now) -> Option<Vec<Sample>> {
        if self.pending.is_empty() { None } else { Some(self.take_batch(now)) }
    }

    /// The request that the last [`Action::Send`] asked for has ended.
    pub fn on_outcome(&mut self, outcome: Outcome, now: Now) {
        let mut batch = mem::take(&mut self.in_flight);
        match outcome {
            Outcome::Accepted => {
                self.figures.requests += 1;
                self.figures.published += batch.len() as u64;
                let newest = batch.iter().map(|sample| sample.read).max();
                self.figures.newest_published = self.figures.newest_published.max(newest);
                self.retry_pause = RETRY_FIRST;
                batch.clear();
            }
            Outcome::Failed => {
                self.figures.failures += 1;
                for sample in batch.drain(..).rev() {
                    self.pending.push_front(sample);
                }
                self.make_room();
                self.retry_at = Some(now.instant + self.retry_pause);
                self.retry_pause = (self.retry_pause * 2).min(self.interval.max(RETRY_FIRST));
            }
        }
        // The allocation is kept.
        self.in_flight = batch;
    }

    /// Samples that wait, or are under way.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.pending.len() + self.in_flight.len()
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn figures(&self) -> PublisherFigures {
        self.figures
    }

    fn take_batch(&mut self, now: Now) -> Vec<Sample> {
        let paid_until = self.paid_until.unwrap_or(now.instant).max(now.instant);
        self.paid_until = Some(paid_until + self.interval);
        let count = self.pending.len().min(self.samples_per_request);
        self.in_flight.clear();
        self.in_flight.extend(self.pending.drain(..count));
        self.in_flight.clone()
    }

    /// On arrival: at most one request an interval in the long run.
    fn arrival_at(&self, now: Now) -> Instant {
        self.paid_until
            .and_then(|paid_until| paid_until.checked_sub(self.tolerance))
            .unwrap_or(now.instant)
    }

    /// The slot after the one that is due at `now`, also where the wall clock
    /// says that the due one is still a moment away.
    fn slot_after(&self, now: Now) -> Instant {
        let early = self.interval / 4;
        let wall_ns = now.wall.unix_ns().saturating_add(duration_ns(early));
        self.next_slot(Now { instant: now.instant + early, wall: Timestamp::from_unix_ns(wall_ns) })
    }

    /// The next multiple of the interval, plus the offset, after `now`.
    fn next_slot(&self, now: Now) -> Instant {
        let interval = self.interval.as_nanos().max(1);
        let since_slot = (u128::from(now.wall.unix_ns()) + interval
            - self.offset.as_nanos() % interval)
            % interval;
        let wait = u64::try_from(interval - since_slot).unwrap_or(u64::MAX);
        now.instant + Duration::from_nanos(wait)
    }
}

fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// FNV-1a, 64 bits: the same for ever and everywhere, which the standard
/// library's hasher does not promise.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The low bits alone barely depend on the last bytes.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
#[path = "publisher/tests.rs"]
mod tests;
