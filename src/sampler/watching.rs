//! When the kernel is read: at fixed distances, and just before and after a renewal that
//! the endpoint is about to be asked for, since the kernel's counter is proven by it: the
//! nearer the two readings are to it, the more it proves. Pure: the time is told.

use std::time::{Duration, Instant};

use super::rhythm::Rhythm;
use crate::time::ticker::Ticker;

/// A reading is to lie this long before a renewal, and this long after it: the endpoint's
/// stamp and its counter lie up to 20 ms apart, and renewals are not quite regular.
const BEFORE: Duration = Duration::from_millis(45);
const AFTER: Duration = Duration::from_millis(50);
/// A request this soon after a renewal is the reading after it: the kernel is read just
/// before each.
const REQUEST_AFTER_MIN: Duration = Duration::from_millis(30);
const REQUEST_AFTER_MAX: Duration = Duration::from_millis(200);

/// The moments at which the kernel is read.
#[derive(Clone, Copy, Debug)]
pub struct Watching {
    tick: Ticker,
    around: Option<Instant>,
}

impl Watching {
    /// The first tick is at `start`, and `interval`, which is not zero, the distance
    /// between two.
    #[must_use]
    pub fn new(start: Instant, interval: Duration) -> Self {
        Self { tick: Ticker::new(start, interval), around: None }
    }

    /// When the kernel is read next.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.around.map_or(self.tick.next(), |around| around.min(self.tick.next()))
    }

    /// The moment has come. Says whether it is a tick, of which samples are made.
    pub fn take(&mut self, now: Instant) -> bool {
        let is_tick = self.tick.next() <= now;
        if is_tick {
            self.tick.advance(now);
        }
        self.around = self.around.filter(|around| *around > now);
        is_tick
    }

    /// Plans the readings around renewals, if the endpoint is asked at `asks_at`. Of the
    /// renewals before that only a container's last one is seen.
    pub fn plan<'a>(
        &mut self,
        now: Instant,
        asks_at: Instant,
        rhythms: impl Iterator<Item = &'a Rhythm>,
    ) {
        self.around = rhythms.filter_map(|rhythm| next_around(rhythm, now, asks_at)).min();
    }
}

/// The next moment before or after the renewal of a container that will be seen.
fn next_around(rhythm: &Rhythm, now: Instant, asks_at: Instant) -> Option<Instant> {
    let unseen_before = asks_at.checked_sub(rhythm.period()?)?;
    let renewal = rhythm.renewal_after(unseen_before.max(now.checked_sub(AFTER)?))?;
    let before = renewal.checked_sub(BEFORE)?;
    if before > now {
        return Some(before);
    }
    let is_request = (renewal + REQUEST_AFTER_MIN..renewal + REQUEST_AFTER_MAX).contains(&asks_at);
    (!is_request && renewal + AFTER > now).then_some(renewal + AFTER)
}

#[cfg(test)]
mod tests;
