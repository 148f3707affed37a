//! Whether a container's reading is new: the sampler's one place where a repeated reading is
//! recognised, a late one, one across a step of the clock, one that a sum of the task had
//! already, and a container that fell silent or stopped. What a new reading comes to is
//! decided elsewhere.

use std::time::{Duration, Instant};

use super::{
    cadence::Cadence,
    clock::{ClockStep, Side},
    cpu::Accounted,
};
use crate::{
    reading::is_repeated,
    time::{Now, Timestamp},
};

/// A container is silent after this many cadences without a new reading, but not
/// before [`SILENT_MIN`].
const SILENT_CADENCES: u32 = 3;
const SILENT_MIN: Duration = Duration::from_secs(10);
/// The cadence to be patient with while none is known: no agent is configured to
/// renew its stats less often than once a minute.
pub(super) const CADENCE_ASSUMED: Duration = Duration::from_mins(1);

/// How far a stamp may be ahead of our clock. It is the same clock, read earlier;
/// anything more means that the endpoint has another one.
const AHEAD_MAX_NS: i64 = 50_000_000;

/// How old the first reading may be, to be a base: agents renew at least once a minute.
const FIRST_AGE_MAX_NS: i64 = 60_000_000_000;

/// What a reading is, compared with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first of this container. It may be a replay from before our start.
    First,
    /// The endpoint replays its last reading.
    Repeated,
    /// It follows on the one before, however late it is.
    Next,
    /// The clock was set since the one before. It is good by itself, and as a base.
    Alone,
    /// The clock was set, and nobody can tell whether before or after this reading. It
    /// is good by itself only.
    Undated,
    /// The first one, and too old or of an unknown side of a step: it is good neither by
    /// itself nor as a base.
    FirstUndated,
}

/// What is known of when a container's readings come.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub(super) struct Freshness {
    /// When the counters of the last new reading were read.
    pub(super) read: Option<Timestamp>,
    pub(super) cadence: Cadence,
    /// The last new reading came then; before the first, the container was found or
    /// started.
    renewed_at: Instant,
    /// The last answer, with or without a reading.
    answered_at: Instant,
    /// For how long answers have come without a new reading.
    unrenewed: Duration,
    /// Whether there was such an answer between the last two readings.
    is_watched: bool,
    /// The step that the readings have not left behind yet, and whether there was
    /// another before it.
    step: Option<ClockStep>,
    is_tangled: bool,
    /// The youngest that a reading has been, ns: negative if the endpoint's clock is
    /// ahead of ours.
    min_age_ns: i64,
    is_silent: bool,
    is_stopped: bool,
    /// When the kernel was read last, and how often it is.
    kernel_read: Option<Timestamp>,
    kernel_cadence: Cadence,
}

impl Freshness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            read: None,
            cadence: Cadence::default(),
            renewed_at: now,
            answered_at: now,
            unrenewed: Duration::ZERO,
            is_watched: false,
            step: None,
            is_tangled: false,
            min_age_ns: 0,
            is_silent: false,
            is_stopped: false,
            kernel_read: None,
            kernel_cadence: Cadence::default(),
        }
    }

    /// The task document says whether the container has stopped. Stopped ones stay
    /// listed for the task's life.
    pub(super) fn on_described(&mut self, is_stopped: bool) {
        self.is_stopped = is_stopped;
    }

    /// The task document says that the container runs, and the one before said that it did
    /// not: that it had no readings until now is no silence.
    pub(super) fn on_started(&mut self, now: Instant) {
        if self.read.is_none() {
            self.renewed_at = now;
            self.unrenewed = Duration::ZERO;
            self.is_silent = false;
        }
    }

    /// The host's clock was set.
    pub(super) fn on_step(&mut self, step: ClockStep) {
        // Of a reading between two steps nobody knows the side.
        self.is_tangled = self.step.replace(step).is_some();
        // A clock of the endpoint's own would now be ahead by as much less.
        self.min_age_ns = self.min_age_ns.saturating_add(step.by_ns).min(0);
    }

    /// Takes in the time of a reading in an answer that came `now`.
    pub(super) fn on_reading(&mut self, read: Timestamp, now: Now) -> Arrival {
        let age_ns = age_ns(read, now);
        let Some(previous) = self.read else {
            self.renew(read, now);
            self.min_age_ns = age_ns.min(0);
            // Read long ago, or before the clock was set and we were there to see it.
            let is_old = age_ns > FIRST_AGE_MAX_NS;
            return match self.step.map(|step| step.side_of(read, now.wall)) {
                _ if is_old => Arrival::FirstUndated,
                Some(None) => Arrival::FirstUndated,
                Some(Some(Side::After)) => {
                    self.step = None;
                    Arrival::First
                }
                Some(Some(Side::Before)) | None => Arrival::First,
            };
        };
        if is_repeated(read, self.read) {
            return Arrival::Repeated;
        }
        self.renew(read, now);
        if let Some(step) = self.step {
            // One container's stamps fall only when the clock does.
            if std::mem::take(&mut self.is_tangled) {
                return Arrival::Undated;
            }
            let has_fallen = step.by_ns < 0 && read < previous;
            let side = if has_fallen { Some(Side::After) } else { step.side_of(read, now.wall) };
            match side {
                // As the one before it.
                Some(Side::Before) => {}
                Some(Side::After) => {
                    self.step = None;
                    return Arrival::Alone;
                }
                None => return Arrival::Undated,
            }
            let Some(interval_ns) = read.ns_since(previous) else { return Arrival::Alone };
            self.observe(interval_ns);
            return Arrival::Next;
        }
        // Our clock was not set; the endpoint's was if it is another one.
        let Some(interval_ns) = read.ns_since(previous) else {
            self.min_age_ns = age_ns.min(0);
            return Arrival::Alone;
        };
        if age_ns < self.min_age_ns - AHEAD_MAX_NS {
            self.min_age_ns = age_ns;
            return Arrival::Alone;
        }
        self.observe(interval_ns);
        Arrival::Next
    }

    /// Takes in the interval to the last reading. A long one within which nobody looked
    /// may be several.
    fn observe(&mut self, interval_ns: u64) {
        let is_long = |usual: Duration| u128::from(interval_ns) * 2 > usual.as_nanos() * 3;
        if self.is_watched || !self.cadence.estimate().is_some_and(is_long) {
            self.cadence.observe(interval_ns);
        }
    }

    fn renew(&mut self, read: Timestamp, now: Now) {
        // A restart under its id comes before the task document says so.
        self.is_stopped = false;
        self.read = Some(read);
        self.renewed_at = now.instant;
        self.is_watched = !self.unrenewed.is_zero();
        self.unrenewed = Duration::ZERO;
    }

    /// Takes note of an answer, after its reading. `others` is the cadence of other
    /// containers, for as long as this one's is not known. Says whether the container
    /// fell silent or came back.
    pub(super) fn on_answer(&mut self, now: Instant, others: Option<Duration>) -> Option<Silence> {
        let since = now.saturating_duration_since(self.renewed_at);
        let was_silent = self.is_silent;
        if since.is_zero() {
            self.is_silent = false;
        } else {
            let cadence = self.cadence.estimate().or(others).unwrap_or(CADENCE_ASSUMED);
            // An endpoint that was away makes no container silent.
            let gap = now.saturating_duration_since(self.answered_at);
            self.unrenewed += gap.min(cadence.max(SILENT_MIN / 2));
            self.is_silent = self.unrenewed > (cadence * SILENT_CADENCES).max(SILENT_MIN);
        }
        self.answered_at = now;
        match (was_silent, self.is_silent) {
            (false, true) => Some(Silence::Began { since }),
            (true, false) => Some(Silence::Ended),
            _ => None,
        }
    }

    /// The container's counters were read from the kernel: it lives, whatever the
    /// endpoint does.
    pub(super) fn on_kernel(&mut self, read: Timestamp, now: Instant) -> Option<Silence> {
        let before = self.kernel_read.replace(read);
        if let Some(interval_ns) = before.and_then(|before| read.ns_since(before)) {
            self.kernel_cadence.observe(interval_ns);
        }
        self.renewed_at = now;
        self.unrenewed = Duration::ZERO;
        std::mem::take(&mut self.is_silent).then_some(Silence::Ended)
    }

    /// The time between two readings of the kernel.
    pub(super) fn kernel_cadence(&self) -> Option<Duration> {
        self.kernel_cadence.estimate()
    }

    /// Whether no new reading has come for several cadences.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// For how long no new reading has come.
    pub(super) fn unrenewed_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.renewed_at)
    }

    /// Whether the container has stopped, and no new reading has come since the task
    /// document said so.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }
}

/// A change of [`Freshness::is_silent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// No new reading for this long.
    Began {
        /// Since the last new one.
        since: Duration,
    },
    /// A new reading came.
    Ended,
}

/// What the task's last sum had of a container. Each value is in one sum: what was read at
/// the same moment is the same value, whatever it comes to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastSum {
    /// Its CPU time; `None` if it was not in the sum.
    pub(super) cpu: Option<Accounted>,
    /// When its memory was read.
    pub(super) memory_read: Option<Timestamp>,
}

impl LastSum {
    /// Whether the sum had this CPU time. What there is not, it had not.
    pub(super) fn has_cpu(self, now: Option<Accounted>) -> bool {
        now.is_some_and(|now| is_repeated(now.read, self.cpu.map(|before| before.read)))
    }

    /// Whether the sum had the memory that was read then.
    pub(super) fn has_memory(self, read: Option<Timestamp>) -> bool {
        read.is_some_and(|read| is_repeated(read, self.memory_read))
    }
}

/// How old a reading is when it comes, ns.
fn age_ns(read: Timestamp, now: Now) -> i64 {
    now.wall.unix_ns().wrapping_sub(read.unix_ns()).cast_signed()
}

#[cfg(test)]
mod tests;
