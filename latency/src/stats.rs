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
        let runs = self.seconds.len() + self.never;
        let place = ((runs as f64 - 1.0) * share).round() as usize;
        self.seconds.get(place).copied().unwrap_or(f64::INFINITY)
    }

    pub(crate) fn never(&self) -> usize {
        self.never
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
}
