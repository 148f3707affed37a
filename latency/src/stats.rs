//! Seconds of many runs, summed up.

/// How long something took in each run; a run in which it never came is counted by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    seconds: Vec<f64>,
    never: usize,
}

impl Latencies {
    pub(crate) fn add(&mut self, seconds: Option<f64>) {
        match seconds {
            Some(seconds) => self.seconds.push(seconds),
            None => self.never += 1,
        }
    }

    pub(crate) fn sort(&mut self) {
        self.seconds.sort_by(f64::total_cmp);
    }

    /// The value below which this share lies. Those that never came are the longest: infinity.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let place = ((self.runs() as f64 - 1.0) * share).round() as usize;
        self.seconds.get(place).copied().unwrap_or(f64::INFINITY)
    }

    /// Those that came, the shortest first once they are sorted.
    pub(crate) fn sorted(&self) -> &[f64] {
        &self.seconds
    }

    pub(crate) fn runs(&self) -> usize {
        self.seconds.len() + self.never
    }

    pub(crate) fn never(&self) -> usize {
        self.never
    }

    /// The values in their order, once sorted, with how often each came. Those no further apart
    /// than this are one.
    #[cfg(any(test, feature = "real"))]
    pub(crate) fn distinct(&self, apart_s: f64) -> Vec<(f64, usize)> {
        let mut values: Vec<(f64, usize)> = Vec::new();
        for &seconds in &self.seconds {
            match values.last_mut() {
                Some((value, count)) if seconds - *value <= apart_s => *count += 1,
                _ => values.push((seconds, 1)),
            }
        }
        values
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.seconds.extend(other.seconds);
        self.never += other.never;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_know_of_the_runs_in_which_it_never_came() {
        let mut latencies = Latencies::default();
        for seconds in (1..=9).rev() {
            latencies.add(Some(f64::from(seconds)));
        }
        latencies.add(None);
        latencies.sort();
        assert!((latencies.quantile(0.5) - 6.0).abs() < 1e-9);
        assert!((latencies.quantile(0.0) - 1.0).abs() < 1e-9);
        assert!(latencies.quantile(1.0).is_infinite());
        assert_eq!(latencies.never(), 1);
    }

    #[test]
    fn values_that_are_nearly_the_same_are_counted_together() {
        let mut latencies = Latencies::default();
        for seconds in [17.0, 7.0, 7.02, 17.01, 7.01] {
            latencies.add(Some(seconds));
        }
        latencies.sort();
        let counts: Vec<_> = latencies.distinct(0.05).into_iter().map(|it| it.1).collect();
        assert_eq!(counts, [3, 2]);
    }
}
