//! An endpoint that answers, but slowly: what the log says of it, and how often.
//! Pure but for the log: the time is told, not read.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::time::reminder::{REMINDER_INTERVAL, Reminder};

/// An answer that takes longer than this is slow. It comes out of the agent's
/// memory, as a rule within a millisecond.
const SLOW: Duration = Duration::from_secs(1);

/// How slow the task metadata endpoint is.
#[derive(Debug, Default)]
pub struct Slowness {
    reminder: Reminder,
    /// While it lasts; that is, for a minute after each slow answer.
    last_slow_at: Option<Instant>,
    /// Since the last warning.
    slowest: Duration,
    slow_answers: u64,
}

impl Slowness {
    /// The answers of one poll took `took` at most. Warns at the first slow one and
    /// then at most once a minute, with the slowest since; and says when it is over.
    pub fn note(&mut self, took: Duration, now: Instant) {
        if took < SLOW {
            let is_over = |at| now.saturating_duration_since(at) >= REMINDER_INTERVAL;
            if self.last_slow_at.is_some_and(is_over) {
                info!("the task metadata endpoint answers within {SLOW:?} again");
                *self = Self::default();
            }
            return;
        }
        self.last_slow_at = Some(now);
        self.slowest = self.slowest.max(took);
        self.slow_answers += 1;
        if !self.reminder.is_due(now) {
            return;
        }
        warn!(
            slowest_ms = u64::try_from(self.slowest.as_millis()).unwrap_or(u64::MAX),
            slow_answers = self.slow_answers,
            "the task metadata endpoint is slow: its slowest answer took slowest_ms. Samples come \
             late, and missed_ticks counts those that are missing. The host or its ECS agent may \
             be overloaded"
        );
        (self.slowest, self.slow_answers) = (Duration::ZERO, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::trouble::tests::logged;

    #[test]
    fn a_slow_endpoint_is_logged_once_a_minute_and_when_it_is_fast_again() {
        let lines = logged(|| {
            let start = Instant::now();
            let mut slowness = Slowness::default();
            let mut note = |second, ms| {
                slowness.note(Duration::from_millis(ms), start + Duration::from_secs(second));
            };
            note(0, 999);
            note(1, 1050);
            (2..50).for_each(|second| note(second, if second % 2 == 0 { 3000 } else { 5 }));
            note(61, 4900);
            (62..130).for_each(|second| note(second, 5));
        });
        let cut = |line: &String| {
            let (before, _) = line.split_once(": its slowest").unwrap_or((line, ""));
            let fields = line.split_once("slowest_ms=").map_or("", |(_, fields)| fields);
            format!("{before} {fields}").trim().to_owned()
        };
        assert_eq!(
            lines.iter().map(cut).collect::<Vec<_>>(),
            [
                "WARN the task metadata endpoint is slow 1050 slow_answers=1",
                "WARN the task metadata endpoint is slow 4900 slow_answers=25",
                "INFO the task metadata endpoint answers within 1s again",
            ]
        );
    }
}
