//! Time as the rest is told it: a moment of the wall clock ([`timestamp`]), when
//! the check polls ([`ticker`]), when a lasting trouble is logged again ([`reminder`]), and
//! how the main thread waits ([`waiting`]), which is the one part that touches the
//! system. What a poll or a request makes of the time is decided elsewhere.

pub mod reminder;
pub mod ticker;
pub mod timestamp;
pub mod waiting;

use std::time::Instant;

pub use self::timestamp::Timestamp;

/// The time as the state machines are told it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For waiting: never set back.
    pub instant: Instant,
    /// For alignment with the wall clock, and with it CloudWatch's periods.
    pub wall: Timestamp,
}
