//! How often something that fails is logged: when it begins to fail, once a minute
//! while it does, and when it works again. A refused permission is logged once.

use std::time::Instant;

use tracing::{debug, error, info, warn};

use crate::time::reminder::Reminder;

/// Something that works or fails: a line when that changes, a reminder while it
/// fails, and at most one warning a minute, however often it changes.
#[derive(Debug)]
pub struct Trouble {
    what: &'static str,
    failing_since: Option<Instant>,
    reminder: Reminder,
    /// Whether the present failure was logged at `info` or above.
    is_logged: bool,
    /// Whether it was logged that the permission is missing.
    is_denial_logged: bool,
    /// How often it failed since the last warning.
    failures: u64,
}

impl Trouble {
    /// For `what`, the subject of the log lines, which worked so far.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            failing_since: None,
            reminder: Reminder::default(),
            is_logged: false,
            is_denial_logged: false,
            failures: 0,
        }
    }

    /// It works.
    pub fn works(&mut self, now: Instant) {
        let Some(since) = self.failing_since.take() else { return };
        let seconds = now.saturating_duration_since(since).as_secs();
        self.is_denial_logged = false;
        if self.is_logged {
            self.is_logged = false;
            info!(seconds, "{} works again", self.what);
        } else {
            debug!(seconds, "{} works again", self.what);
        }
    }

    /// It is not permitted. That lasts until somebody acts, so it is logged at
    /// once, even right after another failure, and then not again.
    pub fn denied(&mut self, error: &dyn std::fmt::Display, now: Instant) {
        self.failing_since.get_or_insert(now);
        self.failures += 1;
        if self.is_denial_logged {
            debug!(%error, "{} fails", self.what);
            return;
        }
        error!(
            %error,
            "{} fails: permission denied. ESP retries every minute; this is logged once",
            self.what
        );
        self.is_denial_logged = true;
        self.is_logged = true;
    }

    /// It fails.
    pub fn fails(&mut self, error: &dyn std::fmt::Display, now: Instant) {
        self.failing_since.get_or_insert(now);
        self.failures += 1;
        if !self.reminder.is_due(now) {
            debug!(%error, "{} fails", self.what);
            return;
        }
        warn!(%error, failures = self.failures, "{} fails; retrying", self.what);
        self.is_logged = true;
        self.failures = 0;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
        time::Duration,
    };

    use super::*;

    /// What is logged at info and above, a line each.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn of_it(does: impl FnOnce(&mut Trouble, &dyn Fn(u64) -> Instant)) -> Vec<String> {
        let start = Instant::now();
        logged(|| does(&mut Trouble::new("it"), &|second| start + Duration::from_secs(second)))
    }

    /// What `does` logs at info and above.
    pub(in crate::report) fn logged(does: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .finish();
        tracing::subscriber::with_default(subscriber, does);
        let text = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn a_lasting_failure_is_logged_every_minute_and_when_it_ends() {
        let lines = of_it(|it, at| {
            (0..130).for_each(|second| it.fails(&"away", at(second)));
            it.works(at(130));
            it.works(at(131));
        });
        assert_eq!(
            lines,
            [
                "WARN it fails; retrying error=away failures=1",
                "WARN it fails; retrying error=away failures=60",
                "WARN it fails; retrying error=away failures=60",
                "INFO it works again seconds=130",
            ]
        );
    }

    #[test]
    fn a_missing_permission_is_logged_at_once_and_only_once() {
        let lines = of_it(|it, at| {
            it.fails(&"away", at(0));
            (1..10).for_each(|minute| it.denied(&"no", at(60 * minute - 59)));
            it.works(at(600));
            it.denied(&"no", at(601));
        });
        assert_eq!(
            lines,
            [
                "WARN it fails; retrying error=away failures=1",
                "ERROR it fails: permission denied. ESP retries every minute; this is logged once error=no",
                "INFO it works again seconds=600",
                "ERROR it fails: permission denied. ESP retries every minute; this is logged once error=no",
            ]
        );
    }
}
