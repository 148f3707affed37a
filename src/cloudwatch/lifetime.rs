//! How long one connection to AWS is used. Told the time, knows no socket.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// A connection that is always busy would live for ever, and the addresses that
/// its name has by now would never be asked for. A handshake costs about as much
/// as three requests.
const LIFETIME: Duration = Duration::from_mins(5);

/// The age of the connection that requests share.
#[derive(Debug)]
pub(super) struct Lifetime {
    most: Duration,
    present: Mutex<Present>,
}

/// The connection that is used now.
#[derive(Debug, Default)]
struct Present {
    number: usize,
    /// When the first request on it was sent; `None` before that.
    began: Option<Instant>,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::new(LIFETIME)
    }
}

impl Lifetime {
    pub(super) fn new(most: Duration) -> Self {
        Self { most, present: Mutex::default() }
    }

    /// The number of the connection for the request that is sent at `now`,
    /// counted from 0.
    pub(super) fn connection_number(&self, now: Instant) -> usize {
        // Nothing panics while it is locked; and if, the age is still one.
        let mut present = self.present.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let began = *present.began.get_or_insert(now);
        if now.saturating_duration_since(began) >= self.most {
            *present = Present { number: present.number.wrapping_add(1), began: Some(now) };
        }
        present.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_five_minutes_a_connection_begins() {
        let lifetime = Lifetime::default();
        let start = Instant::now();
        let numbers: Vec<_> = (0..=1000)
            .step_by(10)
            .map(|second| lifetime.connection_number(start + Duration::from_secs(second)))
            .collect();
        let expected: Vec<_> = (0..=100).map(|request| request / 30).collect();
        assert_eq!(numbers, expected);
    }
}
