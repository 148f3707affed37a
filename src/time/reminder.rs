//! How often a lasting trouble is logged: at once, and then once a minute. A
//! state machine that is told the time.

use std::time::{Duration, Instant};

/// Between two log lines about the same lasting trouble.
pub const REMINDER_INTERVAL: Duration = Duration::from_mins(1);

/// Lets a message through at once, and then once per [`REMINDER_INTERVAL`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Reminder {
    last: Option<Instant>,
}

impl Reminder {
    /// Whether the message is to be logged at `now`. `true` counts as logged.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// let mut reminder = esp::time::reminder::Reminder::default();
    /// assert!(reminder.is_due(now));
    /// assert!(!reminder.is_due(now + Duration::from_secs(59)));
    /// assert!(reminder.is_due(now + Duration::from_secs(60)));
    /// ```
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due =
            self.last.is_none_or(|last| now.saturating_duration_since(last) >= REMINDER_INTERVAL);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}
