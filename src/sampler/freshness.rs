//! Whether a container's reading is new: the one place where a repeated reading is
//! recognised, a late one, one across a step of the clock, and a container that fell
//! silent or stopped. What a new reading comes to is decided elsewhere.

use std::time::{Duration, Instant};

use super::{
    cadence::Cadence,
    clock::{Side, Step},
};
use crate::time::{Now, Timestamp};

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
    step: Option<Step>,
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
    pub(super) fn on_step(&mut self, step: Step) {
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
        if read == previous {
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

/// How old a reading is when it comes, ns.
fn age_ns(read: Timestamp, now: Now) -> i64 {
    now.wall.unix_ns().wrapping_sub(read.unix_ns()).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of `(elapsed, wall, read)` in ms, each a new answer; the host's
    /// clock is watched as the sampler does.
    fn arrivals(rows: &[(u64, u64, u64)]) -> Vec<Arrival> {
        let start = Instant::now();
        let base_ms = 1_795_514_400_000;
        let mut clock = super::super::clock::HostClock::default();
        let mut freshness = Freshness::new(start);
        let each = rows.iter().map(|&(elapsed_ms, wall_ms, read_ms)| {
            let now = Now {
                instant: start + Duration::from_millis(elapsed_ms),
                wall: Timestamp::from_unix_ns((base_ms + wall_ms) * 1_000_000),
            };
            if let Some(step) = clock.on_answer(now) {
                freshness.on_step(step);
            }
            freshness.on_reading(Timestamp::from_unix_ns((base_ms + read_ms) * 1_000_000), now)
        });
        each.collect()
    }

    #[test]
    fn lateness_is_only_lateness() {
        use Arrival::{First, Next, Repeated};
        // A sample that is 6.5 s late, and one that comes a minute late.
        let rows = [
            (0, 10_000, 9_500),
            (1000, 11_000, 10_500),
            (2000, 12_000, 10_500),
            (8000, 18_000, 11_500),
            (9000, 19_000, 18_500),
            (79_000, 89_000, 28_500),
            (80_000, 90_000, 89_500),
        ];
        assert_eq!(arrivals(&rows), [First, Next, Repeated, Next, Next, Next, Next]);
    }

    #[test]
    fn a_step_ahead_costs_one_difference_if_the_stamp_tells() {
        use Arrival::{Alone, First, Next};
        for step_ms in [600, 2_000, 30_000, 3_600_000] {
            let rows = [
                (0, 10_000, 9_500),
                (1000, 11_000, 10_500),
                (2000, 12_000 + step_ms, 11_500 + step_ms),
                (3000, 13_000 + step_ms, 12_500 + step_ms),
            ];
            assert_eq!(arrivals(&rows), [First, Next, Alone, Next], "{step_ms}");
        }
        for step_ms in [1_500, 30_000, 3_600_000] {
            // Read before the step, seen after it: it goes with the ones before.
            let rows = [
                (0, 10_000, 9_500),
                (1000, 11_000, 10_500),
                (2000, 12_000 + step_ms, 11_500),
                (3000, 13_000 + step_ms, 12_500 + step_ms),
                (4000, 14_000 + step_ms, 13_500 + step_ms),
            ];
            assert_eq!(arrivals(&rows), [First, Next, Next, Alone, Next], "{step_ms}");
        }
    }

    #[test]
    fn a_step_back_is_never_part_of_a_difference() {
        use Arrival::{Alone, First, Next, Undated};
        for step_ms in [300, 900, 2_000, 8_000] {
            for is_old in [true, false] {
                let read_ms = if is_old { 11_500 } else { 11_500 - step_ms };
                let rows = [
                    (0, 10_000, 9_500),
                    (1000, 11_000, 10_500),
                    (2000, 12_000 - step_ms, read_ms),
                    (3000, 13_000 - step_ms, 12_500 - step_ms),
                    (4000, 14_000 - step_ms, 13_500 - step_ms),
                ];
                let expected = match (is_old, step_ms) {
                    (_, 300) => [First, Next, Undated, Alone, Next],
                    (true, 900) => [First, Next, Next, Undated, Alone],
                    (false, 900) => [First, Next, Undated, Undated, Alone],
                    (true, _) => [First, Next, Next, Alone, Next],
                    // Its stamp is earlier than the one before.
                    (false, _) => [First, Next, Alone, Next, Next],
                };
                assert_eq!(arrivals(&rows), expected, "{step_ms} {is_old}");
            }
        }
    }

    #[test]
    fn a_first_reading_from_before_the_step_is_no_base_for_one_after_it() {
        use Arrival::{Alone, First, FirstUndated, Next};
        // Fargate: the reading of 2 s is replayed when the clock has been set already.
        let start = Instant::now();
        let base_ms = 1_795_514_400_000;
        let at = |elapsed_ms: u64, wall_ms: u64| Now {
            instant: start + Duration::from_millis(elapsed_ms),
            wall: Timestamp::from_unix_ns((base_ms + wall_ms) * 1_000_000),
        };
        let read = |ms: u64| Timestamp::from_unix_ns((base_ms + ms) * 1_000_000);
        let mut clock = super::super::clock::HostClock::default();
        let mut freshness = Freshness::new(start);
        assert_eq!(clock.on_answer(at(3000, 3000)), None);
        freshness.on_step(clock.on_answer(at(4000, 904_000)).unwrap());
        assert_eq!(freshness.on_reading(read(2000), at(4000, 904_000)), FirstUndated);
        assert_eq!(freshness.on_reading(read(912_000), at(12_000, 912_000)), Alone);
        assert_eq!(freshness.on_reading(read(922_000), at(22_000, 922_000)), Next);
        // The clock was set before anybody looked.
        let rows = [(0, 900_000, 3_000), (5000, 905_000, 904_500), (15_000, 915_000, 914_500)];
        assert_eq!(arrivals(&rows), [FirstUndated, Next, Next]);
        let rows = [(0, 12_000, 3_000), (5000, 17_000, 16_500)];
        assert_eq!(arrivals(&rows), [First, Next]);
    }

    #[test]
    fn a_reading_between_two_steps_is_part_of_no_difference() {
        use Arrival::{Alone, First, Undated};
        // 2 s ahead at 4 s, a sample stamped 7.5 s, 2 s back at 5.9 s; and ahead twice.
        let rows = [(0, 0, 0), (5000, 7000, 0), (6000, 6000, 7500), (16_000, 16_000, 15_500)];
        assert_eq!(arrivals(&rows)[..], [First, Arrival::Repeated, Undated, Alone]);
        let rows = [(0, 0, 0), (5000, 7000, 0), (6000, 10_000, 7500), (16_000, 20_000, 19_500)];
        assert_eq!(arrivals(&rows)[..], [First, Arrival::Repeated, Undated, Alone]);
    }

    #[test]
    fn a_late_stamp_from_before_a_step_back_is_no_base() {
        use Arrival::{Alone, First, Next, Undated};
        // Set back by 2 s at 10 s; the sample of 9.5 s is seen 3 s later.
        let rows = [
            (0, 500, 0),
            (9000, 9500, 0),
            (10_000, 8500, 0),
            (13_000, 11_500, 9500),
            (20_000, 18_500, 17_500),
            (30_000, 28_500, 27_500),
        ];
        let seen: Vec<_> =
            arrivals(&rows).into_iter().filter(|it| *it != Arrival::Repeated).collect();
        assert_eq!(seen, [First, Undated, Alone, Next]);
    }

    #[test]
    fn a_clock_of_the_endpoints_own_is_noticed_when_it_is_set() {
        use Arrival::{Alone, First, Next};
        // Always 5 s ahead of ours, then 30 s, then 20 s.
        let rows = [
            (0, 10_000, 14_500),
            (1000, 11_000, 15_500),
            (2000, 12_000, 41_500),
            (3000, 13_000, 42_500),
            (4000, 14_000, 33_500),
            (5000, 15_000, 34_500),
        ];
        assert_eq!(arrivals(&rows), [First, Next, Alone, Next, Alone, Next]);
    }

    #[test]
    fn a_long_interval_within_which_nobody_looked_is_no_cadence() {
        let start = Instant::now();
        for (asked_each_s, expected_s) in [(1_usize, 10), (10, 1)] {
            let mut freshness = Freshness::new(start);
            // Renewed each second at first, and then seen each 10 s only.
            let reads = (0..10).chain((20..100).step_by(10));
            let reads: Vec<u64> = reads.collect();
            let looks = (0..10).chain((20..100).step_by(asked_each_s));
            for second in looks {
                let now = Now {
                    instant: start + Duration::from_secs(second),
                    wall: Timestamp::from_unix_ns((1_000_000 + second) * 1_000_000_000),
                };
                let read = *reads.iter().rfind(|read| **read <= second).unwrap();
                let read = Timestamp::from_unix_ns((1_000_000 + read) * 1_000_000_000);
                freshness.on_reading(read, now);
                freshness.on_answer(now.instant, None);
            }
            let expected = Some(Duration::from_secs(expected_s));
            assert_eq!(freshness.cadence.estimate(), expected, "{asked_each_s}");
        }
    }

    #[test]
    fn silence_is_judged_by_the_cadence_and_not_by_a_constant() {
        for (cadence_s, others, silent_after_s) in
            [(1_u64, None, 11), (20, None, 61), (60, None, 181), (0, None, 181), (0, Some(2), 11)]
        {
            let start = Instant::now();
            let mut freshness = Freshness::new(start);
            let at = |second: u64| Now {
                instant: start + Duration::from_secs(second),
                wall: Timestamp::from_unix_ns((1_000_000 + second) * 1_000_000_000),
            };
            let readings = if cadence_s == 0 { 1 } else { 4 };
            let last = cadence_s * (readings - 1);
            let mut began = None;
            for second in 0..400_u64 {
                let newest = second.checked_div(cadence_s).map_or(0, |n| n * cadence_s).min(last);
                freshness.on_reading(at(newest).wall, at(second));
                let others = others.map(Duration::from_secs);
                if let Some(Silence::Began { .. }) = freshness.on_answer(at(second).instant, others)
                {
                    began.get_or_insert(second - last);
                }
            }
            assert_eq!(began, Some(silent_after_s), "{cadence_s}");
        }
    }
}
