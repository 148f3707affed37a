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
    /// When the first request on it was sent; `None` before that.
    began: Mutex<Option<Instant>>,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::new(LIFETIME)
    }
}

impl Lifetime {
    pub(super) fn new(most: Duration) -> Self {
        Self { most, began: Mutex::default() }
    }

    /// Whether the request that is sent at `now` is to be the connection's last.
    pub(super) fn ends(&self, now: Instant) -> bool {
        // Nothing panics while it is locked; and if, the age is still one.
        let mut began = self.began.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_over = now.saturating_duration_since(*began.get_or_insert(now)) >= self.most;
        if is_over {
            *began = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_five_minutes_a_request_is_the_last_on_its_connection() {
        let lifetime = Lifetime::default();
        let start = Instant::now();
        let last: Vec<_> = (0..=1000)
            .step_by(10)
            .filter(|second| lifetime.ends(start + Duration::from_secs(*second)))
            .collect();
        // The next connection begins with the next request.
        assert_eq!(last, [300, 610, 920]);
    }
}
