//! How long one connection to AWS is used. Told the time, knows no socket.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// A connection that is always busy would live for ever, and the addresses that
/// its name has by now would never be asked for. A handshake costs about as much
/// as three requests.
pub(super) const LIFETIME: Duration = Duration::from_mins(5);

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

/// Which connection a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Counted from 0.
    pub(super) connection_number: usize,
    /// The request before it belonged to another one.
    pub(super) takes_over: bool,
}

impl Lifetime {
    pub(super) fn new(most: Duration) -> Self {
        Self { most, present: Mutex::default() }
    }

    /// The turn of the request that is sent at `now`.
    pub(super) fn turn(&self, now: Instant) -> Turn {
        // Nothing panics while it is locked; and if, the age is still one.
        let mut present = self.present.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let began = *present.began.get_or_insert(now);
        let takes_over = now.saturating_duration_since(began) >= self.most;
        if takes_over {
            *present = Present { number: present.number.wrapping_add(1), began: Some(now) };
        }
        Turn { connection_number: present.number, takes_over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_five_minutes_a_connection_begins() {
        let lifetime = Lifetime::new(LIFETIME);
        let start = Instant::now();
        for request in 0..=100 {
            let turn = lifetime.turn(start + Duration::from_secs(10) * request);
            let connection_number = usize::try_from(request / 30).unwrap();
            let takes_over = request > 0 && request % 30 == 0;
            assert_eq!(turn, Turn { connection_number, takes_over });
        }
    }
}
