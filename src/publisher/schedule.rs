//! When a request is due while all is well: at the wall clock's multiples of the
//! interval, or, if samples come as rarely as requests go, when one arrives.

use std::time::{Duration, Instant};

use crate::{
    sample::renewal::is_as_rare_as,
    time::{Now, Timestamp},
};

/// A task's requests are moved off the wall clock's multiples of the interval by at
/// most this: later than that the alarm would judge without them.
const OFFSET_MAX: Duration = Duration::from_secs(2);

/// The schedule of one task.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// Requests go out at multiples of the interval plus this.
    offset: Duration,
    /// The next aligned moment; `None` before the first question.
    slot_at: Option<Instant>,
    /// Samples come as rarely as requests go: send each when it arrives.
    on_arrival: bool,
    /// On arrival: requests are counted against one an interval from here.
    paid_until: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            offset: Duration::ZERO,
            slot_at: None,
            on_arrival: false,
            paid_until: None,
        }
    }

    /// Spreads the tasks of an account over a fifth of the interval, at most
    /// 2 s, by the task's ARN: not all at once, and each always at the same point
    /// of the wall clock.
    pub(super) fn set_task_arn(&mut self, task_arn: &str, now: Now) {
        let room = (self.interval / 5).min(OFFSET_MAX);
        let room_ms = u64::try_from(room.as_millis()).unwrap_or(u64::MAX).max(1);
        self.offset = Duration::from_millis(fnv(task_arn) % room_ms);
        self.slot_at = Some(self.next_slot(now));
    }

    #[cfg(test)]
    pub(super) fn set_offset(&mut self, offset: Duration) {
        self.offset = offset;
    }

    #[cfg(test)]
    pub(super) fn offset(&self) -> Duration {
        self.offset
    }

    pub(super) fn set_cadence(&mut self, cadence: Option<Duration>) {
        self.on_arrival = cadence.is_some_and(|cadence| is_as_rare_as(cadence, self.interval));
    }

    pub(super) fn is_on_arrival(&self) -> bool {
        self.on_arrival
    }

    /// Goes on to the next slot if this one is due. The answer: whether it was,
    /// and the slot to wait for.
    pub(super) fn advance(&mut self, now: Now) -> (bool, Instant) {
        let slot_at = self.slot_at.unwrap_or_else(|| self.next_slot(now));
        let is_due = now.instant >= slot_at;
        let next = if is_due { self.slot_after(now) } else { slot_at };
        self.slot_at = Some(next);
        (is_due, next)
    }

    /// On arrival: when the next request may go out. In the long run that is one
    /// an interval; up to one is advanced, or a single sample that was seen
    /// late would keep all that follow it waiting.
    pub(super) fn arrival_at(&self, now: Now) -> Instant {
        self.paid_until
            .and_then(|paid_until| paid_until.checked_sub(self.interval))
            .unwrap_or(now.instant)
    }

    /// A request goes out.
    pub(super) fn pay(&mut self, now: Now) {
        let paid_until = self.paid_until.unwrap_or(now.instant).max(now.instant);
        self.paid_until = Some(paid_until + self.interval);
    }

    /// The slot after the one that is due at `now`, also where the wall clock
    /// says that the due one is still a moment away.
    fn slot_after(&self, now: Now) -> Instant {
        let early = self.interval / 4;
        let early_ns = u64::try_from(early.as_nanos()).unwrap_or(u64::MAX);
        let wall = Timestamp::from_unix_ns(now.wall.unix_ns().saturating_add(early_ns));
        self.next_slot(Now { instant: now.instant + early, wall })
    }

    /// The next multiple of the interval, plus the offset, after `now`.
    fn next_slot(&self, now: Now) -> Instant {
        let interval = self.interval.as_nanos().max(1);
        let since_slot = (u128::from(now.wall.unix_ns()) + interval
            - self.offset.as_nanos() % interval)
            % interval;
        let wait = u64::try_from(interval - since_slot).unwrap_or(u64::MAX);
        now.instant + Duration::from_nanos(wait)
    }
}

/// FNV-1a, 64 bits: the same for ever and everywhere, which the standard
/// library's hasher does not promise.
pub(super) fn fnv(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits alone barely depend on the last bytes.
    hash ^ (hash >> 32)
}
