//! The last minutes of one value, a place for each second of the wall clock. A sample is
//! a mean since the sample before it, so it fills the seconds in between. A second of
//! which nothing is known stays empty: unknown is not zero. Pure: no clock is read.

/// How far back it reaches, seconds.
pub(super) const SECONDS: u16 = 600;

/// A sample fills at most so many seconds: the longest renewal of the platforms is 10 s,
/// and one of them may be lost.
const FILLED_MAX_S: u64 = 30;

/// A sample that is older than the last by more than this: the clock was set back.
const BACK_MAX_S: u64 = 60;

/// A ring of seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The last second that has a value, since the Unix epoch.
    newest_s: Option<u64>,
    /// By the second modulo [`SECONDS`]; not a number where nothing is known. Empty until
    /// there is a value.
    values: Vec<f32>,
}

impl History {
    /// A sample that was read in the second `read_s` since the Unix epoch. One that is
    /// older than the last is left out, and one of the same second replaces it.
    pub(super) fn push(&mut self, read_s: u64, value: f64) {
        if self.newest_s.is_some_and(|newest_s| read_s + BACK_MAX_S < newest_s) {
            *self = Self::default();
        }
        let since = match self.newest_s {
            Some(newest_s) if read_s < newest_s => return,
            Some(newest_s) => read_s - newest_s,
            None => 0,
        };
        self.values.resize(usize::from(SECONDS), f32::NAN);
        for back in 1..since.min(SECONDS.into()) {
            let is_filled = since <= FILLED_MAX_S;
            self.set(read_s - back, if is_filled { value } else { f64::NAN });
        }
        self.set(read_s, value);
        self.newest_s = Some(read_s);
    }

    /// Whether there ever was a value.
    pub(super) const fn is_known(&self) -> bool {
        self.newest_s.is_some()
    }

    /// The largest value of the seconds from `from_s` until before `until_s`; `None` if
    /// none of them is known.
    pub(super) fn most(&self, from_s: u64, until_s: u64) -> Option<f64> {
        let newest_s = self.newest_s?;
        let oldest_s = (newest_s + 1).saturating_sub(SECONDS.into());
        let known = from_s.max(oldest_s)..until_s.min(newest_s + 1);
        known
            .map(|at_s| f64::from(self.values[place(at_s)]))
            .filter(|it| !it.is_nan())
            .max_by(f64::total_cmp)
    }

    #[expect(clippy::cast_possible_truncation, reason = "precise enough to draw")]
    fn set(&mut self, at_s: u64, value: f64) {
        self.values[place(at_s)] = value as f32;
    }
}

fn place(at_s: u64) -> usize {
    usize::try_from(at_s % u64::from(SECONDS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_795_514_400;
    const ALL_S: u64 = SECONDS as u64;

    fn of(samples: &[(u64, f64)]) -> History {
        let mut history = History::default();
        for (at_s, value) in samples {
            history.push(NOW_S + at_s, *value);
        }
        history
    }

    fn values(history: &History, until_s: u64) -> Vec<Option<f64>> {
        (NOW_S..NOW_S + until_s).map(|at_s| history.most(at_s, at_s + 1)).collect()
    }

    #[test]
    fn a_sample_fills_the_seconds_since_the_one_before_it() {
        let history = of(&[(0, 1.0), (1, 2.0), (4, 3.0)]);
        let [one, two, three] = [1.0, 2.0, 3.0].map(Some);
        assert_eq!(values(&history, 6), [one, two, three, three, three, None]);
    }

    #[test]
    fn a_long_gap_stays_empty() {
        let history = of(&[(0, 1.0), (31, 2.0)]);
        let values = values(&history, 32);
        assert_eq!((values[0], values[31]), (Some(1.0), Some(2.0)));
        assert!(values[1..31].iter().all(Option::is_none));
        let filled = of(&[(0, 1.0), (30, 2.0)]);
        assert_eq!(filled.most(NOW_S + 1, NOW_S + 2), Some(2.0));
    }

    #[test]
    fn of_one_second_the_last_counts_and_older_ones_change_nothing() {
        let history = of(&[(5, 1.0), (5, 2.0), (4, 9.0)]);
        assert_eq!(values(&history, 6)[4..], [None, Some(2.0)]);
    }

    #[test]
    fn what_is_older_than_the_ring_is_forgotten() {
        let mut history = of(&[(0, 7.0)]);
        (1..=ALL_S).for_each(|at_s| history.push(NOW_S + at_s, 1.0));
        assert_eq!(history.most(0, u64::MAX), Some(1.0));
        assert_eq!(history.most(NOW_S, NOW_S + 1), None);
        // After a gap that is longer than the ring, nothing old is left.
        history.push(NOW_S + 3 * ALL_S, 3.0);
        assert_eq!(history.most(0, NOW_S + 3 * ALL_S), None);
        assert_eq!(history.most(0, u64::MAX), Some(3.0));
    }

    #[test]
    fn a_clock_that_is_set_back_starts_it_anew() {
        let history = of(&[(3600, 1.0), (0, 2.0), (1, 3.0)]);
        assert_eq!(values(&history, 3), [Some(2.0), Some(3.0), None]);
        assert_eq!(history.most(NOW_S + 2, u64::MAX), None);
    }

    #[test]
    fn of_several_seconds_it_is_the_largest_that_is_known() {
        let history = of(&[(0, 1.0), (1, 8.0), (2, 2.0)]);
        assert_eq!(history.most(NOW_S, NOW_S + 3), Some(8.0));
        assert_eq!(history.most(NOW_S + 2, NOW_S + 9), Some(2.0));
        assert_eq!(history.most(NOW_S + 3, NOW_S + 9), None);
        assert_eq!(History::default().most(0, u64::MAX), None);
    }
}
