//! How a request ended, and what becomes of its samples then: they are done, or
//! halved, or sent again, or given up. How long the next request waits is decided
//! here too; when it goes out is in `schedule`.

use std::time::Duration;

use super::{Publisher, PublisherEvent};
use crate::{
    sample::OwnFigures,
    time::{Now, reminder::Reminder},
};

/// How often a sample is sent if the connection ends after each request with it.
pub const CONNECTION_LOST_SENDS_MAX: u8 = 2;

/// How often a sample is sent if each request with it meets silence.
pub const NO_ANSWER_SENDS_MAX: u8 = 5;

/// Between two tries while the permission is refused.
const DENIED_PAUSE: Duration = Duration::from_mins(1);

/// Before a request that follows a failure or continues a backlog, at least.
const BACKLOG_PAUSE: Duration = Duration::from_secs(1);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was accepted.
    Accepted,
    /// CloudWatch asks for fewer requests.
    Throttled,
    /// CloudWatch answered with another error that may pass.
    ServerError,
    /// There was no connection: nothing was sent.
    Unreachable,
    /// The connection ended after the request was sent: CloudWatch may have
    /// accepted it, and there is no way to ask.
    ConnectionLost,
    /// The request was sent, and no whole answer came in time: CloudWatch may
    /// have accepted it, and there is no way to ask.
    NoAnswer,
    /// The permission is missing.
    Denied,
    /// There are no credentials, or they are not valid any more.
    Credentials,
    /// A datum breaks a rule.
    Invalid,
    /// The host's clock is too far off for a signature. The next one is made
    /// with CloudWatch's time.
    ClockSkew,
}

/// All outcomes, for the figures.
pub const OUTCOMES: [Outcome; 10] = [
    Outcome::Accepted,
    Outcome::Throttled,
    Outcome::ServerError,
    Outcome::Unreachable,
    Outcome::ConnectionLost,
    Outcome::NoAnswer,
    Outcome::Denied,
    Outcome::Credentials,
    Outcome::Invalid,
    Outcome::ClockSkew,
];

impl Outcome {
    /// The figure that counts the requests that ended like this.
    fn counter(self, figures: &mut OwnFigures) -> &mut u64 {
        match self {
            Self::Accepted => &mut figures.requests_accepted,
            Self::Throttled => &mut figures.requests_throttled,
            Self::ServerError => &mut figures.requests_server_error,
            Self::Unreachable => &mut figures.requests_unreachable,
            Self::ConnectionLost => &mut figures.requests_connection_lost,
            Self::NoAnswer => &mut figures.requests_no_answer,
            Self::Denied => &mut figures.requests_denied,
            Self::Credentials => &mut figures.requests_credentials,
            Self::Invalid => &mut figures.requests_invalid,
            Self::ClockSkew => &mut figures.requests_clock_skew,
        }
    }

    /// How many requests ended like this, by `figures`.
    #[must_use]
    pub fn requests(self, figures: &OwnFigures) -> u64 {
        *self.counter(&mut figures.clone())
    }
}

/// How often a sample may still be sent. Only requests without an answer count:
/// after an answer it is known whether CloudWatch has the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendsLeft(u8);

impl SendsLeft {
    /// Of a sample that was never sent, or only in requests that were answered.
    pub(super) const ALL: Self = Self(NO_ANSWER_SENDS_MAX);

    /// After one more request that ended like this. `None`: the sample is not
    /// sent again.
    ///
    /// The stricter bound applies as soon as one connection was lost: a sample
    /// that was sent twice by then is given up, whatever became of the others.
    pub(super) fn after(self, outcome: Outcome) -> Option<Self> {
        let left = self.0.saturating_sub(1);
        let sent = NO_ANSWER_SENDS_MAX - left;
        let left = match outcome {
            Outcome::NoAnswer => left,
            Outcome::ConnectionLost => left.min(CONNECTION_LOST_SENDS_MAX.saturating_sub(sent)),
            _ => return Some(self),
        };
        (left > 0).then_some(Self(left))
    }

    /// Whether CloudWatch may have the sample from an earlier request.
    pub(super) fn is_uncertain(self) -> bool {
        self != Self::ALL
    }
}

/// Samples that were given up, and what of it is still to be said.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    unsaid: u64,
    reminder: Reminder,
}

impl Publisher {
    /// The request that the last [`super::Action::Send`] asked for has ended.
    pub fn on_outcome(&mut self, outcome: Outcome, now: Now) {
        *outcome.counter(&mut self.figures) += 1;
        if matches!(outcome, Outcome::Accepted | Outcome::ConnectionLost | Outcome::NoAnswer) {
            self.figures.sent_again += self.store.uncertain_in_flight();
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
                    || self.store.in_flight_len() >= self.samples_per_request
                    || self.store.has_suspects();
                self.figures.published += self.store.in_flight_len() as u64;
                self.figures.newest_published =
                    self.figures.newest_published.max(self.store.newest_in_flight());
                self.store.forget();
                self.backoff.reset();
                (is_backlog && self.store.waiting() > 0).then_some(BACKLOG_PAUSE)
            }
            Outcome::Invalid => {
                if let Some(sample) = self.store.halve() {
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
        let samples = self.store.put_back(outcome);
        self.figures.ambiguous += samples;
        self.given_up.unsaid += samples;
        if samples > 0 && self.given_up.reminder.is_due(now.instant) {
            let samples = std::mem::take(&mut self.given_up.unsaid);
            self.events.push(PublisherEvent::GivenUp { samples, outcome });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a sample is sent if its requests end like this, one after another.
    fn sends(outcomes: &[Outcome]) -> usize {
        let mut left = Some(SendsLeft::ALL);
        outcomes
            .iter()
            .take_while(|outcome| match left {
                Some(now) => {
                    left = now.after(**outcome);
                    true
                }
                None => false,
            })
            .count()
    }

    #[test]
    fn sends_without_an_answer_are_bounded() {
        use Outcome::{ConnectionLost as Lost, NoAnswer as Silent, ServerError, Throttled};
        for (outcomes, expected) in [
            (&[Lost; 9][..], 2),
            (&[Silent; 9], 5),
            (&[Lost, Silent, Silent], 2),
            (&[Silent, Lost, Silent], 2),
            (&[Silent, Silent, Lost, Silent], 3),
            (&[Silent, Silent, Silent, Silent, Lost, Silent], 5),
            // Answers that say no leave nothing uncertain.
            (&[Throttled; 9], 9),
            (&[Lost, ServerError, Throttled, Lost, Throttled], 4),
        ] {
            assert_eq!(sends(outcomes), expected, "{outcomes:?}");
        }
    }
}
