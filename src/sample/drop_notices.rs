//! When dropped samples are logged: when a spell of dropping begins, when it
//! ends, and one sample of each metric that is dropped for its own sake. The
//! publisher's buffer and the lines on stdout both follow these rules; when they
//! drop a sample is their own decision.

use crate::sample::metric::Measured;

/// The beginning or the end of a spell of dropping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropping {
    /// There is no room: from here on the oldest samples are dropped.
    Began,
    /// There is room again.
    Ended {
        /// How many samples were dropped in between.
        dropped: u64,
    },
}

/// Finds the spells of dropping in a count of dropped samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct DroppingSpell {
    is_on: bool,
    /// The count before this spell, or at the end of the last one.
    before: u64,
}

impl DroppingSpell {
    /// Takes note of `dropped` samples since the start, and of whether there is
    /// room again. The answer: what is to be logged.
    pub fn note(&mut self, dropped: u64, has_room: bool) -> Option<Dropping> {
        if !self.is_on && dropped > self.before {
            self.is_on = true;
            return Some(Dropping::Began);
        }
        if self.is_on && has_room {
            self.is_on = false;
            let dropped = dropped - std::mem::replace(&mut self.before, dropped);
            return Some(Dropping::Ended { dropped });
        }
        None
    }

    /// Ends the spell without an event, because something else is logged about
    /// the `dropped` samples so far.
    pub fn pass_over(&mut self, dropped: u64) {
        *self = Self { is_on: false, before: dropped };
    }
}

/// Lets one dropped sample of each metric through to the log; the figures count
/// the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedMetrics(u64);

impl NamedMetrics {
    /// Whether a sample of `metric` is the first.
    pub fn is_first(&mut self, metric: Measured) -> bool {
        let bit = 1 << metric.index();
        let is_first = self.0 & bit == 0;
        self.0 |= bit;
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{metric::ALL, own_figures::OwnMetric};

    #[test]
    fn a_spell_begins_with_the_first_dropped_sample_and_ends_when_there_is_room() {
        let mut spell = DroppingSpell::default();
        assert_eq!(spell.note(0, true), None);
        assert_eq!(spell.note(1, false), Some(Dropping::Began));
        assert_eq!(spell.note(3, false), None);
        assert_eq!(spell.note(4, true), Some(Dropping::Ended { dropped: 4 }));
        assert_eq!(spell.note(4, false), None);
        assert_eq!(spell.note(6, false), Some(Dropping::Began));
        assert_eq!(spell.note(6, true), Some(Dropping::Ended { dropped: 2 }));
    }

    #[test]
    fn what_was_passed_over_is_in_no_spell() {
        let mut spell = DroppingSpell::default();
        assert_eq!(spell.note(1, false), Some(Dropping::Began));
        spell.pass_over(5);
        assert_eq!(spell.note(5, true), None);
        assert_eq!(spell.note(6, false), Some(Dropping::Began));
        assert_eq!(spell.note(6, true), Some(Dropping::Ended { dropped: 1 }));
    }

    #[test]
    fn one_sample_of_each_metric_is_named() {
        let mut named = NamedMetrics::default();
        let own = OwnMetric::all().map(Measured::Own);
        for metric in ALL.into_iter().map(Measured::Metric).chain(own) {
            assert!(named.is_first(metric), "{metric:?}");
            assert!(!named.is_first(metric), "{metric:?}");
        }
    }
}
