//! What follows from how a request ended: its samples are done, or halved, or sent again,
//! or given up. How long the next request waits is decided here too; when it goes out is
//! in `schedule`.

use std::time::Duration;

use super::{Publisher, PublisherEvent, outcome::Outcome};
use crate::time::Now;

/// Between two tries while the permission is refused.
const DENIED_PAUSE: Duration = Duration::from_mins(1);

/// Before a request that follows a failure or continues a backlog, at least.
const BACKLOG_PAUSE: Duration = Duration::from_secs(1);

impl Publisher {
    /// The request that the last [`super::Action::Send`] asked for has ended.
    pub fn on_outcome(&mut self, outcome: Outcome, now: Now) {
        *outcome.counter(&mut self.figures) += 1;
        if matches!(outcome, Outcome::Accepted | Outcome::ConnectionLost | Outcome::NoAnswer) {
            self.figures.sent_again += self.buffer.uncertain_in_flight();
        }
        let was_silent = self.is_silent;
        self.is_silent = match outcome {
            Outcome::NoAnswer => true,
            // Nothing was heard of CloudWatch itself.
            Outcome::Unreachable | Outcome::Credentials => was_silent,
            _ => false,
        };
        if let Some(adaptive) = &mut self.adaptive {
            match outcome {
                Outcome::Accepted => {}
                Outcome::Throttled => adaptive.on_throttled(),
                _ => adaptive.on_failure(),
            }
        }
        let pause = match outcome {
            Outcome::Accepted => {
                let is_backlog = was_silent
                    || self.buffer.in_flight_len() >= self.samples_per_request
                    || self.buffer.has_suspects();
                self.figures.published += self.buffer.in_flight_len() as u64;
                self.figures.newest_published =
                    self.figures.newest_published.max(self.buffer.newest_in_flight());
                self.buffer.forget();
                self.backoff.reset();
                (is_backlog && self.buffer.waiting() > 0).then_some(BACKLOG_PAUSE)
            }
            Outcome::Invalid => {
                if let Some(sample) = self.buffer.halve() {
                    self.figures.dropped_refused += 1;
                    self.name(sample, "CloudWatch refused it");
                }
                Some(BACKLOG_PAUSE)
            }
            Outcome::Denied => {
                self.put_back(outcome, now);
                Some(DENIED_PAUSE)
            }
            Outcome::NoAnswer => {
                self.put_back(outcome, now);
                Some(BACKLOG_PAUSE + self.backoff.next_longer())
            }
            Outcome::Throttled
            | Outcome::ServerError
            | Outcome::Unreachable
            | Outcome::ConnectionLost
            | Outcome::Credentials
            | Outcome::ClockSkew => {
                self.put_back(outcome, now);
                Some(BACKLOG_PAUSE + self.backoff.next())
            }
        };
        self.schedule.resume_at(pause.map(|pause| now.instant + pause));
        self.note_dropping();
    }

    /// What was under way is sent again later, but for the samples that have been
    /// sent as often as they may.
    fn put_back(&mut self, outcome: Outcome, now: Now) {
        let samples = self.buffer.put_back(outcome);
        self.figures.ambiguous += samples;
        self.given_up.unsaid += samples;
        if samples > 0 && self.given_up.reminder.is_due(now.instant) {
            let samples = std::mem::take(&mut self.given_up.unsaid);
            self.events.push(PublisherEvent::GivenUp { samples, outcome });
        }
    }
}
