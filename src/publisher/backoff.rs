//! How long to wait after a request that failed: longer each time, and at
//! random, so that the tasks of a service do not all come back at once.

use std::time::Duration;

/// Exponential: a ceiling that doubles, and a random wait below it. The random
/// source is the caller's seed.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
    state: u64,
}

impl Backoff {
    /// The ceiling starts at `first` and ends at `max`.
    pub(super) fn new(first: Duration, max: Duration, seed: u64) -> Self {
        // xorshift cannot leave 0.
        Self { first, max, failures: 0, state: seed | 1 }
    }

    /// The wait after one more failure: anywhere between nothing and the ceiling.
    pub(super) fn next(&mut self) -> Duration {
        let ceiling = self.next_ceiling();
        self.random_below(ceiling)
    }

    /// The wait after one more failure, in the upper half below the ceiling: longer
    /// than the one before it for as long as the ceiling doubles.
    pub(super) fn next_longer(&mut self) -> Duration {
        let half = self.next_ceiling() / 2;
        half + self.random_below(half)
    }

    fn next_ceiling(&mut self) -> Duration {
        let ceiling = self.first.saturating_mul(1 << self.failures.min(16)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        ceiling
    }

    fn random_below(&mut self, ceiling: Duration) -> Duration {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let random = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        let ceiling_us = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
        // 32 bits of a second or a minute: no finer than a timer.
        Duration::from_micros(
            u64::try_from((u128::from(ceiling_us) * u128::from(random)) >> 32)
                .unwrap_or(ceiling_us),
        )
    }

    /// It works again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_below_a_ceiling_that_doubles_to_its_max() {
        let (first, max) = (Duration::from_secs(1), Duration::from_secs(30));
        let mut sums = [Duration::ZERO; 8];
        for seed in 0..1000 {
            let mut backoff = Backoff::new(first, max, seed * 7919);
            for (failure, sum) in sums.iter_mut().enumerate() {
                let wait = backoff.next();
                assert!(wait <= (first * (1 << failure)).min(max), "{failure}: {wait:?}");
                *sum += wait;
            }
        }
        for (failure, sum) in sums.iter().enumerate() {
            let half = (first * (1 << failure)).min(max) / 2;
            let mean = *sum / 1000;
            assert!(mean > half.mul_f64(0.9) && mean < half.mul_f64(1.1), "{failure}: {mean:?}");
        }
    }

    #[test]
    fn longer_waits_grow_until_the_ceiling_does_not() {
        let (first, max) = (Duration::from_secs(1), Duration::from_secs(29));
        for seed in 0..1000 {
            let mut backoff = Backoff::new(first, max, seed * 7919);
            let waits: Vec<_> = (0..6).map(|_| backoff.next_longer()).collect();
            assert!(waits[..5].is_sorted(), "{waits:?}");
            assert!(waits[5] >= max / 2 && waits[5] <= max, "{waits:?}");
        }
    }

    #[test]
    fn it_starts_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 42);
        for _ in 0..10 {
            let _ = backoff.next();
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
    }
}
