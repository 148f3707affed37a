//! The books of what ESP asks of the endpoint: never in a hurry, never after too long a
//! rest, and at fixed distances while the endpoint keeps ESP waiting, so that each moment
//! is polled or passes meanwhile.

use std::time::Duration;

use super::Ledger;

/// The shortest distance between two requests, as a part of the interval; and how many
/// more there may be than one an interval: one in so many, and some at first.
const DISTANCE_PARTS: u32 = 16;
const EARLY_ONE_IN: u32 = 10;
const EARLY_FIRST: u32 = 6;
/// The longest rest, unless two intervals are longer.
const REST_MAX: Duration = Duration::from_secs(12);
/// The same with the kernel, and after a host that had no CPU.
const SPARED_REST_MAX: Duration = Duration::from_secs(30);

impl Ledger {
    /// ESP asks the endpoint for the first thing that it wants at a time.
    pub(crate) fn on_poll(&mut self, at: Duration) {
        self.is_asked = true;
        if self.signalled {
            self.is_last_asked = true;
            return;
        }
        let interval = self.terms.sample_interval;
        if self.terms.kernel.is_some() {
            // With the kernel beside it, the endpoint is asked seldom.
            let rest = at.saturating_sub(self.poll_due);
            if self.polls > 0 && rest > SPARED_REST_MAX.max(interval * 2) {
                self.complain(at, format_args!("asked {rest:?} after the last time"));
            }
            self.poll_due = at;
        } else if let Some(fixed) = self.held_until() {
            let due = fixed.max(self.polling_until);
            if at != due {
                let due = due.as_secs_f64();
                self.complain(at, format_args!("asked, at {due:.3} s it was due"));
            }
            self.ticks_held += self.passed();
            self.poll_due = fixed;
        } else {
            let rest = at.saturating_sub(self.poll_due);
            if self.polls > 0
                && (rest < interval / DISTANCE_PARTS || rest > REST_MAX.max(interval * 2))
            {
                self.complain(at, format_args!("asked {rest:?} after the last time"));
            }
            self.poll_due = at;
        }
        self.polls += 1;
        let usual = u32::try_from(at.as_nanos() / interval.as_nanos()).unwrap();
        let most = usual + usual / EARLY_ONE_IN + EARLY_FIRST;
        if self.polls > most {
            let polls = self.polls;
            self.complain(at, format_args!("asked {polls} times, {most} at most"));
        }
        self.polling_until = at;
        self.is_polling = true;
    }

    /// The endpoint has answered, or ESP has given up waiting.
    pub(crate) fn on_poll_over(&mut self, at: Duration) {
        self.is_asked = false;
        if self.is_polling {
            self.polling_until = at.min(self.polls_until);
        }
        self.is_polling = !self.signalled;
    }

    /// A sample of a container that ESP knows was there since `since`, is replaced, and
    /// was never asked for.
    pub(crate) fn on_replaced_unseen(&mut self, at: Duration, container: &str, since: Duration) {
        let lasted = at - since;
        // To ask at fixed distances shows what lasts for one of them.
        if !self.signalled && lasted > self.terms.sample_interval {
            self.complain(at, format_args!("a sample of {container} passed, after {lasted:?}"));
        }
    }

    /// When ESP asks next after an endpoint that was slow; `None` if it was not.
    fn held_until(&self) -> Option<Duration> {
        let took = self.polling_until.saturating_sub(self.poll_due);
        let passed = u32::try_from(self.passed()).unwrap();
        let interval = self.terms.sample_interval;
        (took * 4 > interval).then(|| self.poll_due + interval * (passed + 1))
    }

    /// How many moments passed while it was waited for: those over by half.
    pub(super) fn passed(&self) -> u64 {
        let took = self.polling_until.saturating_sub(self.poll_due).as_nanos();
        let interval = self.terms.sample_interval.as_nanos();
        u64::try_from(took.saturating_sub(interval / 2) / interval).unwrap()
    }
}
