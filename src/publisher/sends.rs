//! How often a sample is sent at most. Only requests without an answer count, since
//! CloudWatch may have accepted what was in them.

use super::outcome::Outcome;

/// How often a sample is sent if the connection ends after each request with it.
pub const CONNECTION_LOST_SENDS_MAX: u8 = 2;

/// How often a sample is sent if each request with it meets silence.
pub const NO_ANSWER_SENDS_MAX: u8 = 5;

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
