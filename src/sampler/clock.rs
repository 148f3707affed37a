//! The host's wall clock, as far as it is set while ESP runs. The endpoint stamps
//! its readings with that same clock, so a step of it would make a difference of
//! readings too long or too short. A step is seen by comparing the wall
//! clock with the monotonic clock from one answer to the next. Pure: the time is
//! told, not read.

use crate::time::{Now, Timestamp};

/// Steps below this are no steps: the two clocks are not read at the same instant.
/// A difference over a second is then wrong by at most 1 %.
const STEP_MIN_NS: u64 = 10_000_000;

/// The two clocks, as they were at the last answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostClock {
    last: Option<Now>,
}

/// The wall clock was set between two answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockStep {
    /// How far, ns: positive means ahead.
    pub(crate) by_ns: i64,
    /// What it said at the first answer after that.
    pub(crate) wall: Timestamp,
    /// How long before that the last answer was, ns.
    gap_ns: u64,
}

/// Of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

impl HostClock {
    /// Takes in the time of an answer.
    pub(crate) fn on_answer(&mut self, now: Now) -> Option<ClockStep> {
        let last = self.last.replace(now)?;
        let elapsed = now.instant.saturating_duration_since(last.instant);
        let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let expected = last.wall.unix_ns().saturating_add(elapsed_ns);
        let by_ns = now.wall.unix_ns().wrapping_sub(expected).cast_signed();
        (by_ns.unsigned_abs() >= STEP_MIN_NS).then_some(ClockStep {
            by_ns,
            wall: now.wall,
            gap_ns: elapsed_ns,
        })
    }
}

impl ClockStep {
    /// Whether a reading of this time, in an answer that came at `wall`, was stamped
    /// before or after the step. `None` if it may be either.
    ///
    /// After the step no stamp is from before the answer that did not see it yet. After
    /// a step ahead, no old stamp is later than what the clock would say now without
    /// the step. After a step back, old stamps can lie in the future, and a new one is
    /// told only once the clock is past them, unless it is earlier than the one before.
    pub(super) fn side_of(self, read: Timestamp, wall: Timestamp) -> Option<Side> {
        let read_ns = read.unix_ns();
        if read_ns < self.wall.unix_ns().saturating_sub(self.gap_ns) || read > wall {
            return Some(Side::Before);
        }
        let is_after = if self.by_ns > 0 {
            read_ns > self.wall.unix_ns().saturating_sub(self.by_ns.unsigned_abs())
        } else {
            // Old stamps reach so far into the future.
            read_ns > self.wall.unix_ns().saturating_add(self.by_ns.unsigned_abs())
        };
        is_after.then_some(Side::After)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_step_is_what_the_wall_clock_does_and_the_monotonic_clock_does_not() {
        let start = Instant::now();
        for (elapsed_ms, wall_ms, expected_ms) in [
            (1000_u64, 1000_u64, None),
            (1000, 1009, None),
            (1000, 991, None),
            // An endpoint that was away for an hour.
            (3_600_000, 3_600_000, None),
            (1000, 1012, Some(12)),
            (1000, 3500, Some(2500)),
            (1000, 700, Some(-300)),
            (1000, 3_001_000, Some(3_000_000)),
        ] {
            let base_ms = 1_795_514_400_000;
            let at = |elapsed_ms: u64, wall_ms: u64| Now {
                instant: start + Duration::from_millis(elapsed_ms),
                wall: Timestamp::from_unix_ns((base_ms + wall_ms) * 1_000_000),
            };
            let mut clock = HostClock::default();
            assert_eq!(clock.on_answer(at(0, 0)), None);
            let step = clock.on_answer(at(elapsed_ms, wall_ms)).map(|step| step.by_ns / 1_000_000);
            assert_eq!(step, expected_ms, "{elapsed_ms} {wall_ms}");
            assert_eq!(clock.on_answer(at(elapsed_ms + 7, wall_ms + 7)), None);
        }
    }

    #[test]
    fn a_stamp_is_before_or_after_the_step_or_nobody_knows() {
        use Side::{After, Before};
        let ms = |ms: u64| Timestamp::from_unix_ns(ms * 1_000_000);
        let step = |by_ms: i64, wall_ms| ClockStep {
            by_ns: by_ms * 1_000_000,
            wall: ms(wall_ms),
            gap_ns: 1_000_000_000,
        };
        for (step, read_ms, wall_ms, expected) in [
            // Without the step the clock would say 10 s.
            (step(2000, 12_000), 9_500, 12_000, Some(Before)),
            (step(2000, 12_000), 11_500, 12_000, Some(After)),
            (step(2000, 12_000), 12_500, 13_000, Some(After)),
            // It came late.
            (step(2000, 12_000), 9_900, 15_000, Some(Before)),
            // Too small a step to tell.
            (step(300, 10_300), 9_800, 10_300, None),
            (step(300, 10_300), 10_100, 10_300, Some(After)),
            (step(300, 10_300), 9_200, 10_300, Some(Before)),
            // Back: in the future, from long ago, or from either side.
            (step(-2000, 8_000), 9_500, 8_000, Some(Before)),
            (step(-2000, 8_000), 6_900, 8_000, Some(Before)),
            (step(-2000, 8_000), 7_500, 8_000, None),
            (step(-2000, 8_000), 8_500, 9_000, None),
            (step(-2000, 8_000), 10_500, 11_000, Some(After)),
            (step(-2000, 8_000), 9_500, 9_000, Some(Before)),
        ] {
            let side = step.side_of(ms(read_ms), ms(wall_ms));
            assert_eq!(side, expected, "{step:?} {read_ms} {wall_ms}");
        }
    }
}
