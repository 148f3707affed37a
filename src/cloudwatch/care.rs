//! Whether answers are read with care: byte by byte. Pure; what that costs and why
//! it helps is written down here, how it is done is in `connector`.
//!
//! Some servers and middleboxes close a TLS connection with the last byte of their
//! answer and without `close_notify`. libcurl with rustls (8.22, `cr_recv` in
//! `vtls/rustls.c`) goes on reading until its buffer of 16 kB is full. If it meets
//! the unannounced end on the way, it returns an error and forgets the bytes that it
//! had read in the same call, headers included. No option changes that:
//!
//! | tried | answers lost |
//! |---|---|
//! | as it is, keep-alive or `Connection: close`, HTTP/1.0 or 1.1, any body length | 9 of 9 |
//! | `CURLOPT_BUFFERSIZE`: at least 1 kB, an answer has 300 bytes | (same by the source) |
//! | HTTP/2: its filter reads in the same way, 16 kB at a time | (same by the source) |
//! | `CURLOPT_MAX_RECV_SPEED_LARGE` of 1 byte/s | 0 of 8 |
//!
//! With a limit of speed libcurl asks for no more bytes than the limit has left. The
//! limit counts only the body, so with 1 byte/s the head comes byte by byte, but at
//! once, and no read ever reaches the end of the connection before the answer is
//! whole. The body then takes a second for each byte: an acceptance has at most two,
//! an error is known from its head.
//!
//! Done always, it would cost every error its message. So it is done only after an
//! answer was lost, and until a server has kept a connection for a second request.

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Between the beginnings of two requests. libcurl looks once a second at most
/// whether the connections that it keeps are still open, and would send on one that
/// the server has just closed.
const PAUSE: Duration = Duration::from_millis(1100);

/// Whether the next answer is to be read with care.
#[derive(Debug, Default)]
pub(super) struct Care(Mutex<CareState>);

#[derive(Debug, Default)]
struct CareState {
    is_needed: bool,
    /// Our end of the connection of the last careful answer.
    last_connection: Option<SocketAddr>,
    /// When the next request may begin.
    next: Option<Instant>,
}

impl Care {
    /// For a request that is to be sent at `now`: when to begin, if its answer is to
    /// be read with care.
    pub(super) fn begin(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        if !state.is_needed {
            return None;
        }
        let at = state.next.map_or(now, |next| next.max(now));
        state.next = Some(at + PAUSE);
        Some(at)
    }

    /// A connection ended after the request was sent.
    pub(super) fn on_lost(&self) {
        let mut state = self.state();
        state.is_needed = true;
        state.last_connection = None;
    }

    /// An answer came. `connection` is our end of its connection.
    pub(super) fn on_answer(&self, connection: Option<SocketAddr>) {
        let mut state = self.state();
        if state.is_needed && connection.is_some() && connection == state.last_connection {
            // The server keeps connections, so its answers do not end with one.
            *state = CareState::default();
        } else {
            state.last_connection = connection;
        }
    }

    fn state(&self) -> MutexGuard<'_, CareState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn care_begins_with_a_lost_answer_and_ends_with_a_kept_connection() {
        let (care, now) = (Care::default(), Instant::now());
        let from = |port| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        care.on_answer(from(1));
        assert_eq!(care.begin(now), None);
        care.on_lost();
        for (connection, number) in
            [None, None, from(1), from(2), None, from(2)].into_iter().zip(0..)
        {
            assert_eq!(care.begin(now), Some(now + PAUSE * number));
            care.on_answer(connection);
        }
        let later = now + Duration::from_mins(1);
        assert_eq!(care.begin(later), Some(later));
        care.on_answer(from(2));
        assert_eq!(care.begin(later), None);
    }
}
