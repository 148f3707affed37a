//! When it is said which metrics do not come: once, when they have had time enough.

use std::time::{Duration, Instant};

/// How long metrics may take to appear.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// At least.
    least: Duration,
    /// If cadences are long, so many of them.
    cadences: u32,
}

impl Patience {
    /// With a container: networks on awsvpc take 10 s and more.
    pub(super) const WITH_CONTAINER: Self = Self { least: Duration::from_secs(20), cadences: 3 };
    /// With the task, whose metrics wait for all containers.
    pub(super) const WITH_TASK: Self = Self { least: Duration::from_secs(40), cadences: 4 };
}

/// The review of one container, or of the task.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Review {
    /// Metrics can have come since then; `None` before the first question.
    since: Option<Instant>,
    is_done: bool,
}

impl Review {
    /// Of something that is there from `now` on.
    pub(super) const fn since(now: Instant) -> Self {
        Self { since: Some(now), is_done: false }
    }

    /// Whether it is to be said now. It is true once.
    pub(super) fn is_due(&mut self, now: Instant, cadence: Duration, patience: Patience) -> bool {
        let since = *self.since.get_or_insert(now);
        let longest = (cadence * patience.cadences).max(patience.least);
        let is_due = !self.is_done && now.saturating_duration_since(since) >= longest;
        self.is_done |= is_due;
        is_due
    }

    /// Whether it was said.
    pub(super) const fn is_done(self) -> bool {
        self.is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_and_not_too_soon() {
        let start = Instant::now();
        for (cadence_s, patience, due_s) in [
            (1, Patience::WITH_CONTAINER, 20),
            (10, Patience::WITH_CONTAINER, 30),
            (1, Patience::WITH_TASK, 40),
            (20, Patience::WITH_TASK, 80),
        ] {
            for mut review in [Review::since(start), Review::default()] {
                let mut is_due = |second| {
                    let now = start + Duration::from_secs(second);
                    review.is_due(now, Duration::from_secs(cadence_s), patience)
                };
                let due: Vec<_> = (0..200).filter(|second| is_due(*second)).collect();
                assert_eq!(due, [due_s], "{cadence_s} {patience:?}");
                assert!(review.is_done());
            }
        }
    }
}
