//! How a request to CloudWatch can end, and the figure that counts each way. What
//! follows from it is in `consequence`.

use crate::sample::OwnFigures;

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
    pub(super) fn counter(self, figures: &mut OwnFigures) -> &mut u64 {
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
