//! When a request goes out. While all is well that is once an interval, at a point of the
//! wall clock that is the task's own, or, if samples come as rarely as requests go, when
//! one arrives; and at once if an extra one is due. After a failure, and while a backlog
//! is sent, it is when the pause is over.

use std::time::{Duration, Instant};

use crate::{
    sample::rarity::is_as_rare_as,
    time::{Now, Timestamp},
};

/// Between any two requests, unless they are wanted more often.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

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
    /// [`REQUEST_PAUSE`], or the interval, if that is shorter.
    request_pause: Duration,
    /// When the last request was sent.
    sent_at: Option<Instant>,
    /// After a failure, or while a backlog is sent: when the next request goes.
    resume_at: Option<Instant>,
    /// A request is due by the interval or by an arrival, so it takes the freshest
    /// samples before what is left of a refused one.
    is_fresh_due: bool,
}

impl Schedule {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            offset: Duration::ZERO,
            slot_at: None,
            on_arrival: false,
            paid_until: None,
            request_pause: REQUEST_PAUSE.min(interval),
            sent_at: None,
            resume_at: None,
            is_fresh_due: false,
        }
    }

    /// Spreads the tasks of an account over the whole interval, by the task's ARN: each
    /// is always at the same point of the wall clock. An alarm's evaluation comes at any
    /// moment, so no point is better than another; tasks that all came at one point would
    /// throttle the account, and would show an evaluation just before it the few alone
    /// that publish more often.
    pub(super) fn set_task_arn(&mut self, task_arn: &str, now: Now) {
        let room_ms = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX).max(1);
        self.offset = Duration::from_millis(fnv(task_arn) % room_ms);
        self.slot_at = Some(self.next_slot(now));
    }

    /// Moves requests off the wall clock's multiples of the interval by this.
    pub(super) fn set_offset(&mut self, offset: Duration) {
        self.offset = offset;
        self.slot_at = None;
    }

    #[cfg(test)]
    pub(super) fn offset(&self) -> Duration {
        self.offset
    }

    pub(super) fn set_cadence(&mut self, cadence: Option<Duration>) {
        self.on_arrival = cadence.is_some_and(|cadence| is_as_rare_as(cadence, self.interval));
    }

    /// A sample has arrived. `true`: that may make a request due.
    pub(super) fn on_arrival(&mut self) -> bool {
        self.is_fresh_due |= self.on_arrival;
        self.is_fresh_due
    }

    /// Whether extra requests have a place: not if each sample is sent when it arrives,
    /// and not while a failure or a backlog says when the next request goes.
    pub(super) fn takes_extra(&self) -> bool {
        !self.on_arrival && self.resume_at.is_none()
    }

    /// A request is due, whatever the wall clock says.
    pub(super) fn set_extra_due(&mut self) {
        self.is_fresh_due = true;
    }

    /// When the last request went out.
    pub(super) fn sent_at(&self) -> Option<Instant> {
        self.sent_at
    }

    /// When the next request goes out, `now` or earlier if it is due. Without
    /// samples that wait, when to ask again.
    pub(super) fn next(&mut self, now: Now, has_samples: bool) -> Instant {
        let slot_at = self.advance(now);
        if !has_samples {
            self.is_fresh_due = false;
            return slot_at;
        }
        let due_at = match self.resume_at {
            Some(resume_at) => resume_at,
            None if self.on_arrival => self.arrival_at(now),
            None if self.is_fresh_due => now.instant,
            None => slot_at,
        };
        if due_at > now.instant {
            return due_at;
        }
        self.resume_at = self.too_soon_until(now).map(|again_at| {
            // If the next slot is as near, it will do.
            let is_slot_near = slot_at.saturating_duration_since(again_at) < self.request_pause;
            if is_slot_near { slot_at } else { again_at }
        });
        self.resume_at.unwrap_or(due_at)
    }

    /// If the last request was less than a pause ago: when that is over. A slot's
    /// timer may be a little early, or the last one's was late.
    pub(super) fn too_soon_until(&self, now: Now) -> Option<Instant> {
        let again_at = self.sent_at? + self.request_pause;
        let is_too_soon = now.instant + self.request_pause / 10 < again_at;
        is_too_soon.then_some(again_at)
    }

    /// The next request goes at this moment; `None`: as usual.
    pub(super) fn resume_at(&mut self, at: Option<Instant>) {
        self.resume_at = at;
    }

    /// Whether the next request takes the freshest samples first.
    pub(super) fn is_fresh_due(&self) -> bool {
        self.is_fresh_due
    }

    /// The next request takes the freshest samples first.
    pub(super) fn set_fresh_due(&mut self) {
        self.is_fresh_due = true;
    }

    /// A request goes out.
    pub(super) fn on_sent(&mut self, now: Now) {
        let paid_until = self.paid_until.unwrap_or(now.instant).max(now.instant);
        self.paid_until = Some(paid_until + self.interval);
        self.sent_at = Some(now.instant);
        self.is_fresh_due = false;
    }

    /// The last request left only at `at`.
    pub(super) fn on_departure(&mut self, at: Instant) {
        self.sent_at = self.sent_at.max(Some(at));
    }

    /// Goes on to the next slot if this one is due. The answer: the slot to wait
    /// for.
    fn advance(&mut self, now: Now) -> Instant {
        let slot_at = self.slot_at.unwrap_or_else(|| self.next_slot(now));
        let is_due = now.instant >= slot_at;
        self.is_fresh_due |= is_due;
        let next = if is_due { self.slot_after(now) } else { slot_at };
        self.slot_at = Some(next);
        next
    }

    /// On arrival: when the next request may go out. In the long run that is one
    /// an interval; up to one is advanced, or a single sample that was seen
    /// late would keep all that follow it waiting.
    fn arrival_at(&self, now: Now) -> Instant {
        self.paid_until
            .and_then(|paid_until| paid_until.checked_sub(self.interval))
            .unwrap_or(now.instant)
    }

    /// The slot after the one that is due at `now`, also if the wall clock
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
