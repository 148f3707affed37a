//! How often the endpoint renews its samples, as seen from their `read` times:
//! about a second on EC2, 10 s on Fargate. It decides how to publish and when a
//! container counts as silent; it is never a denominator.

use std::time::Duration;

/// How many of the latest intervals count.
const WINDOW: usize = 5;
/// From how many on there is an estimate.
const ENOUGH: usize = 2;

/// The latest intervals between two renewals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cadence {
    intervals_ns: [u64; WINDOW],
    seen: usize,
    estimate: Option<Duration>,
}

impl Cadence {
    /// Takes in the interval between two different `read`s.
    pub fn observe(&mut self, interval_ns: u64) {
        self.intervals_ns[self.seen % WINDOW] = interval_ns;
        self.seen += 1;
        let count = self.seen.min(WINDOW);
        if count >= ENOUGH {
            let mut intervals = self.intervals_ns;
            let intervals = &mut intervals[..count];
            intervals.sort_unstable();
            self.estimate = Some(Duration::from_nanos(intervals[(count - 1) / 2]));
        }
    }

    /// The median of the latest intervals, so that a dropped poll, which makes
    /// one interval double, changes nothing. `None` until there are two.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut cadence = esp::sampler::cadence::Cadence::default();
    /// for seconds in [10, 20, 10] {
    ///     cadence.observe(seconds * 1_000_000_000);
    /// }
    /// assert_eq!(cadence.estimate(), Some(Duration::from_secs(10)));
    /// ```
    #[must_use]
    pub const fn estimate(&self) -> Option<Duration> {
        self.estimate
    }

    /// The estimate, or the one interval there is.
    #[must_use]
    pub fn so_far(&self) -> Option<Duration> {
        let first = || Duration::from_nanos(self.intervals_ns[0]);
        self.estimate.or_else(|| (self.seen > 0).then(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_the_median_of_the_latest() {
        for (intervals_ms, expected_ms) in [
            (&[][..], None),
            (&[1000], None),
            (&[1003, 1003], Some(1003)),
            // A dropped poll doubles an interval; of two, the shorter counts.
            (&[2006, 1003], Some(1003)),
            (&[1003, 2006, 1003], Some(1003)),
            (&[1003, 1003, 9000, 9000, 1003], Some(1003)),
            // The platform changed under us: the old ones go.
            (&[1000, 1000, 1000, 1000, 1000, 10_000, 10_000, 10_000], Some(10_000)),
        ] {
            let mut cadence = Cadence::default();
            for interval_ms in intervals_ms {
                cadence.observe(interval_ms * 1_000_000);
            }
            assert_eq!(
                cadence.estimate(),
                expected_ms.map(Duration::from_millis),
                "{intervals_ms:?}"
            );
        }
    }
}
