//! When the kernel is read: at fixed distances, and just before and after a renewal that
//! the endpoint is about to be asked for, since the kernel's counter is proven by it: the
//! nearer the two readings are to it, the more it proves. Pure: the time is told.

use std::time::{Duration, Instant};

use super::rhythm::Rhythm;

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
    next_tick: Instant,
    interval: Duration,
    around: Option<Instant>,
}

impl Watching {
    /// The first tick is at `start`, and `interval`, which is not zero, the distance
    /// between two.
    #[must_use]
    pub const fn new(start: Instant, interval: Duration) -> Self {
        Self { next_tick: start, interval, around: None }
    }

    /// When the kernel is read next.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.around.map_or(self.next_tick, |around| around.min(self.next_tick))
    }

    /// The moment has come. Says whether it is a tick, of which samples are made. After a
    /// tick that came late, the next is at least half an interval away: two readings at
    /// nearly the same moment would make a value of next to no time.
    pub fn take(&mut self, now: Instant) -> bool {
        let is_tick = self.next_tick <= now;
        if is_tick {
            let late = now.saturating_duration_since(self.next_tick);
            let passed = (late + self.interval / 2).as_nanos() / self.interval.as_nanos().max(1);
            let passed = u32::try_from(passed).unwrap_or(u32::MAX - 1);
            self.next_tick += self.interval * (passed + 1);
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
