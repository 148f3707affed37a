//! The model's clock: nanoseconds since its beginning, as the state machines are told them.
//! It begins at a full hour of the wall clock, so that the periods of every alarm begin with
//! it too.

use std::time::{Duration, Instant};

use esp::time::{Now, Timestamp};

/// The wall clock at the model's beginning, seconds since 1970: a full hour.
const WALL_S: u64 = 1_795_514_400;

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// The two clocks at the model's beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// Any moment will do for the beginning: nothing depends on it.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self, at_ns: u64) -> Now {
        Now { instant: self.0 + Duration::from_nanos(at_ns), wall: wall(at_ns) }
    }

    /// When `instant` is, by the model's clock.
    pub(crate) fn ns(self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.0);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The wall clock at this moment.
pub(crate) fn wall(at_ns: u64) -> Timestamp {
    Timestamp::from_unix_ns(WALL_S * SECOND_NS + at_ns)
}

/// The second of the model that a time stamp lies in: CloudWatch keeps no finer one.
pub(crate) fn second_of(stamp: Timestamp) -> u64 {
    stamp.unix_ns() / SECOND_NS - WALL_S
}

pub(crate) fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
