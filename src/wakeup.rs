//! One timer for one task. Setting a timer wakes the reactor's thread, so one
//! that is wanted twice for the same moment (a deadline that is also the next
//! tick) is set once.

use std::time::Instant;

use async_io::Timer;

/// A timer that is moved rather than made anew.
#[derive(Debug)]
pub struct Wakeup {
    timer: Timer,
    at: Option<Instant>,
}

impl Default for Wakeup {
    fn default() -> Self {
        Self { timer: Timer::never(), at: None }
    }
}

impl Wakeup {
    /// Waits until `at`. Dropped before, it stays set.
    pub async fn until(&mut self, at: Instant) {
        if self.at != Some(at) {
            self.timer.set_at(at);
            self.at = Some(at);
        }
        (&mut self.timer).await;
        self.at = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smol::future::FutureExt as _;

    use super::*;

    #[test]
    fn waits_again_for_what_was_given_up() {
        smol::future::block_on(async {
            let mut wakeup = Wakeup::default();
            let at = Instant::now() + Duration::from_millis(30);
            let gave_up = async { false }.or(async {
                wakeup.until(at).await;
                true
            });
            assert!(!gave_up.await);
            wakeup.until(at).await;
            assert!(Instant::now() >= at);
            // And for what has passed already, at once.
            wakeup.until(at).await;
        });
    }
}
