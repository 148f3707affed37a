//! The books of what ESP asks of the endpoint: each tick is polled, or passes while
//! the endpoint keeps ESP waiting.

use std::time::Duration;

use super::Ledger;

impl Ledger {
    /// ESP asks the endpoint for the first thing that it wants at a tick.
    pub(crate) fn on_poll(&mut self, at: Duration) {
        self.is_asked = true;
        if self.signalled {
            self.is_last_asked = true;
            return;
        }
        self.skip_held_ticks();
        let due = self.tick_at(self.next_tick).max(self.polling_until);
        if at != due {
            let (tick, due) = (self.next_tick, due.as_secs_f64());
            self.complain(at, format_args!("tick {tick} is polled, at {due:.3} s it was due"));
        }
        self.next_tick += 1;
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

    fn tick_at(&self, tick: u32) -> Duration {
        self.terms.sample_interval * tick
    }

    /// Goes past the ticks that were over by half when the answer to an earlier
    /// one came at last.
    pub(super) fn skip_held_ticks(&mut self) {
        while self.polling_until >= self.tick_at(self.next_tick) + self.terms.sample_interval / 2 {
            self.next_tick += 1;
            self.ticks_held += 1;
        }
    }
}
