//! How often something that fails is logged: when it begins to fail, once a minute
//! while it does, and when it works again. A refused permission is logged once.

use std::time::Instant;

use tracing::{debug, error, info, warn};

use crate::time::reminder::Reminder;

/// Something that works or does not: a line when that changes, a reminder while
/// it does not, and never more than one warning a minute, however it flaps.
#[derive(Debug)]
pub struct Trouble {
    what: &'static str,
    failing_since: Option<Instant>,
    reminder: Reminder,
    /// Whether the trouble that lasts has been said.
    is_said: bool,
    /// Whether it has been said that somebody has to act.
    is_refusal_said: bool,
    /// Since the last warning.
    failures: u64,
}

impl Trouble {
    /// Of `what`, which worked so far.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            failing_since: None,
            reminder: Reminder::default(),
            is_said: false,
            is_refusal_said: false,
            failures: 0,
        }
    }

    /// It works.
    pub fn works(&mut self, now: Instant) {
        let Some(since) = self.failing_since.take() else { return };
        let seconds = now.saturating_duration_since(since).as_secs();
        self.is_refusal_said = false;
        if self.is_said {
            self.is_said = false;
            info!(seconds, "{} works again", self.what);
        } else {
            debug!(seconds, "{} works again", self.what);
        }
    }

    /// It is not permitted. That lasts until somebody acts, so it is said at
    /// once, however lately something else was, and then no more.
    pub fn denied(&mut self, error: &dyn std::fmt::Display, now: Instant) {
        self.failing_since.get_or_insert(now);
        self.failures += 1;
        if self.is_refusal_said {
            debug!(%error, "{} fails", self.what);
            return;
        }
        error!(%error, "{} fails for want of a permission; tried each minute, said once", self.what);
        self.is_refusal_said = true;
        self.is_said = true;
    }

    /// It does not.
    pub fn fails(&mut self, error: &dyn std::fmt::Display, now: Instant) {
        self.failing_since.get_or_insert(now);
        self.failures += 1;
        if !self.reminder.is_due(now) {
            debug!(%error, "{} fails", self.what);
            return;
        }
        warn!(%error, failures = self.failures, "{} fails; trying on", self.what);
        self.is_said = true;
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

    fn said(does: impl FnOnce(&mut Trouble, &dyn Fn(u64) -> Instant)) -> Vec<String> {
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
    fn a_lasting_trouble_is_said_each_minute_and_when_it_ends() {
        let lines = said(|it, at| {
            (0..130).for_each(|second| it.fails(&"away", at(second)));
            it.works(at(130));
            it.works(at(131));
        });
        assert_eq!(
            lines,
            [
                "WARN it fails; trying on error=away failures=1",
                "WARN it fails; trying on error=away failures=60",
                "WARN it fails; trying on error=away failures=60",
                "INFO it works again seconds=130",
            ]
        );
    }

    #[test]
    fn a_missing_permission_is_said_at_once_and_once() {
        let lines = said(|it, at| {
            it.fails(&"away", at(0));
            (1..10).for_each(|minute| it.denied(&"no", at(60 * minute - 59)));
            it.works(at(600));
            it.denied(&"no", at(601));
        });
        assert_eq!(
            lines,
            [
                "WARN it fails; trying on error=away failures=1",
                "ERROR it fails for want of a permission; tried each minute, said once error=no",
                "INFO it works again seconds=600",
                "ERROR it fails for want of a permission; tried each minute, said once error=no",
            ]
        );
    }
}
