//! When `esp check` polls: at fixed distances from the start, whatever a poll takes.
//! The sidecar asks when something new is due, see `sampler::asking`. Pure: the time is
//! told, not read.

use std::time::{Duration, Instant};

/// A row of moments, `interval` apart.
#[derive(Clone, Copy, Debug)]
pub struct Ticker {
    next: Instant,
    interval: Duration,
    missed: u64,
}

impl Ticker {
    /// The first tick is at `start`. `interval` is not zero.
    #[must_use]
    pub fn new(start: Instant, interval: Duration) -> Self {
        Self { next: start, interval, missed: 0 }
    }

    /// The tick to wait for.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Goes on to the next tick. One that has just come is still polled: an answer
    /// that took one interval ends with the tick after it. Ticks that are over by
    /// half an interval or more are missed and not made up for: their samples would
    /// be the same.
    pub fn advance(&mut self, now: Instant) {
        let passed = self.passed(now);
        self.next += self.interval * (passed + 1);
        self.missed += u64::from(passed);
    }

    /// How many ticks have passed without a poll, those during the poll under way
    /// included.
    #[must_use]
    pub fn missed(&self, now: Instant) -> u64 {
        self.missed + u64::from(self.passed(now))
    }

    /// How many ticks after the next one are over.
    fn passed(&self, now: Instant) -> u32 {
        let late_ns = now.saturating_duration_since(self.next).as_nanos();
        let interval_ns = self.interval.as_nanos().max(1);
        let passed = late_ns.saturating_sub(interval_ns / 2) / interval_ns;
        u32::try_from(passed).unwrap_or(u32::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_do_not_drift_and_are_not_made_up_for() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut ticker = Ticker::new(start, Duration::from_secs(1));
        for (now_ms, next_ms, missed) in [
            (3, 1000, 0),
            (1400, 2000, 0),
            // The timer was early: the tick is done all the same.
            (1999, 3000, 0),
            (3999, 4000, 0),
            // The next tick has come already.
            (5002, 5000, 0),
            (6499, 6000, 0),
            // And it is over.
            (7500, 8000, 1),
            (12_600, 13_000, 5),
        ] {
            assert_eq!(ticker.missed(ms(now_ms)), missed, "before, at {now_ms}");
            ticker.advance(ms(now_ms));
            assert_eq!(ticker.next(), ms(next_ms), "at {now_ms}");
            assert_eq!(ticker.missed(ms(now_ms)), missed, "after, at {now_ms}");
        }
    }

    #[test]
    fn every_tick_is_polled_or_missed_whatever_an_answer_takes() {
        for interval_ms in [200, 333, 1000, 5000, 60_000] {
            for answer_ms in [1, 150, 600, 1050, 3000, 4900, 5500] {
                let start = Instant::now();
                let interval = Duration::from_millis(interval_ms);
                let mut ticker = Ticker::new(start, interval);
                let (mut now, mut polls) = (start, 0);
                while polls < 50 {
                    now = now.max(ticker.next()) + Duration::from_millis(answer_ms);
                    ticker.advance(now);
                    polls += 1;
                }
                let ticks = (ticker.next() - start).as_nanos() / interval.as_nanos();
                let case = format!("{answer_ms} ms each {interval_ms} ms");
                assert_eq!(u128::from(polls + ticker.missed(now)), ticks, "{case}");
            }
        }
    }
}
