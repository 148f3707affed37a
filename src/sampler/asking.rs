//! When the endpoint is asked: just after a container's next renewal is due, again
//! after a growing pause if it is late, and not in between. While the rhythm of a
//! container is not known, the endpoint is asked at fixed distances; so it is while
//! anything is in doubt. Pure: the time is told, and what is known of the containers
//! is in their `rhythm`.

use std::time::{Duration, Instant};

use super::{Sampler, container::Container, rhythm::Rhythm, sums::Sums};
use crate::sample::Metric;

/// With a proven source beside it, the endpoint is asked this often at most.
const SPARE: Duration = Duration::from_secs(10);
/// A renewal that comes a little sooner is still waited for.
const SPARE_SLACK: Duration = Duration::from_millis(100);
/// The endpoint is never left alone for longer: a container may appear, the endpoint
/// may be away, the clock may be set.
const ALONE_MAX: Duration = Duration::from_secs(12);
/// The first pause after a renewal that was late is one part of this many of the
/// interval, and so is the shortest distance between two requests.
const PAUSE_PARTS: u32 = 16;
/// To ask sooner than an interval after the last request has to save one part of this
/// many of it.
const GAIN_PARTS: u32 = 8;
/// One request of so many may come sooner, and so many of them can be saved up.
const EARLY_ONE_IN: u32 = 10;
const EARLY_SAVED: u32 = 3;
/// Once in so many long waits there is a request in between, so that renewals that have
/// become more frequent are found even if they keep the old time.
const LOOK_ONE_IN: u32 = 6;
/// A wait of so many intervals is long.
const LONG_INTERVALS: u32 = 4;
/// With more containers than this, each at a time of its own, there is no best time.
const CONTAINERS_MAX: usize = 32;
/// A request this long before the reading is replaced is in time.
const GONE_GUARD: Duration = Duration::from_millis(5);

/// The moments at which the endpoint is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    interval: Duration,
    due: Instant,
    /// `due` was `interval` after the one before, or was to be.
    gap: Duration,
    missed: u64,
    /// In parts of a request, [`EARLY_ONE_IN`] to one.
    saved: u32,
    waits: u32,
    is_spared: bool,
}

impl Asking {
    /// The first request is at `start`, and `interval`, which is not zero, the distance
    /// between two while nothing is known.
    #[must_use]
    pub const fn new(start: Instant, interval: Duration) -> Self {
        Self {
            interval,
            due: start,
            gap: interval,
            missed: 0,
            saved: EARLY_ONE_IN * EARLY_SAVED,
            waits: 0,
            is_spared: false,
        }
    }

    /// When the next request goes out.
    #[must_use]
    pub const fn next(&self) -> Instant {
        self.due
    }

    /// The time from the last request to the next, as it was planned.
    #[must_use]
    pub const fn gap(&self) -> Duration {
        self.gap
    }

    /// Whether another, proven source has all that the endpoint has: it is asked once in
    /// 10 s then, just after a renewal.
    pub const fn set_spared(&mut self, is_spared: bool) {
        self.is_spared = is_spared;
    }

    /// The other source lacks something again. The rest that was for its sake ends, at the
    /// earliest at `now`.
    pub fn end_sparing(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_spared) {
            return;
        }
        let asked = self.due.checked_sub(self.gap).unwrap_or(now);
        self.due = self.due.min(now.max(asked + self.interval));
        self.gap = self.due.saturating_duration_since(asked);
    }

    /// How many requests were not made because the one before them took too long, or
    /// there was no CPU for them; those until `now` included.
    #[must_use]
    pub fn missed(&self, now: Instant) -> u64 {
        self.missed + u64::from(self.passed(now))
    }

    /// The request that was due is over at `now`. Plans the next one by the rhythms of the
    /// containers that count; `None` if the endpoint did not answer, or anything is in
    /// doubt whatever they say.
    pub fn plan<'a, I>(&mut self, now: Instant, rhythms: Option<I>)
    where
        I: Iterator<Item = &'a Rhythm> + Clone,
    {
        let asked = self.due;
        let took = now.saturating_duration_since(asked);
        // An endpoint that is slow, or a host that has no CPU for us, keeps no rhythm.
        let known = rhythms.filter(|_| took * 4 <= self.interval);
        let next = if self.is_spared {
            Some(self.spared(asked, known.as_ref()))
        } else {
            known.and_then(|containers| self.best(asked, &containers))
        };
        self.due = next.map_or_else(
            || {
                let passed = self.passed(now);
                self.missed += u64::from(passed);
                asked + self.interval * (passed + 1)
            },
            |next| next.max(asked),
        );
        self.gap = self.due.saturating_duration_since(asked);
        self.account();
    }

    /// How many requests after the one that is due are over, each by half an interval or
    /// more.
    fn passed(&self, now: Instant) -> u32 {
        let late_ns = now.saturating_duration_since(self.due).as_nanos();
        let interval_ns = self.interval.as_nanos().max(1);
        let passed = late_ns.saturating_sub(interval_ns / 2) / interval_ns;
        u32::try_from(passed).unwrap_or(u32::MAX - 1)
    }

    /// Saves up for a request that comes sooner, or spends.
    fn account(&mut self) {
        if self.gap < self.interval {
            self.saved = self.saved.saturating_sub(EARLY_ONE_IN);
            return;
        }
        let intervals = self.gap.as_nanos() / self.interval.as_nanos().max(1);
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.saved = self.saved.saturating_add(intervals).min(EARLY_ONE_IN * EARLY_SAVED);
    }

    /// The next moment while a proven source has all that the endpoint has: also if the
    /// endpoint is slow, or does not answer.
    fn spared<'a, I>(&self, asked: Instant, containers: Option<&I>) -> Instant
    where
        I: Iterator<Item = &'a Rhythm> + Clone,
    {
        let rest = SPARE.max(self.interval);
        let soonest = asked + rest.saturating_sub(SPARE_SLACK);
        let known = containers.filter(|containers| are_known(*containers));
        let next = known.and_then(|containers| best_of_any(soonest, containers));
        next.filter(|next| *next <= asked + rest * 2).unwrap_or(asked + rest)
    }

    /// The best moment after the request at `asked`, if there is a reason for one.
    fn best<'a>(
        &mut self,
        asked: Instant,
        containers: &(impl Iterator<Item = &'a Rhythm> + Clone),
    ) -> Option<Instant> {
        if !are_known(containers) {
            return None;
        }
        let pauses = Pauses { asked, interval: self.interval };
        let shortest = containers.clone().filter_map(Rhythm::period).min()?;
        // Faster renewals are sampled, not followed.
        if shortest * 100 < self.interval * 99 {
            return None;
        }
        let (mut next, cost) = pauses.best(asked + self.interval, containers);
        if self.saved >= EARLY_ONE_IN {
            let (early, early_cost) = pauses.best(asked + self.interval / PAUSE_PARTS, containers);
            if early < next && early_cost + self.interval / GAIN_PARTS <= cost {
                next = early;
            }
        }
        Some(self.look_in_between(asked, next))
    }

    /// Shortens a long wait, if it is time to look.
    fn look_in_between(&mut self, asked: Instant, next: Instant) -> Instant {
        let wait = next.saturating_duration_since(asked);
        if wait > ALONE_MAX {
            let parts = wait.as_nanos().div_ceil(ALONE_MAX.as_nanos());
            let parts = parts.min(wait.as_nanos() / self.interval.as_nanos().max(1)).max(1);
            return asked + wait / u32::try_from(parts).unwrap_or(u32::MAX);
        }
        if wait < self.interval * LONG_INTERVALS {
            return next;
        }
        self.waits = self.waits.wrapping_add(1);
        if !self.waits.is_multiple_of(LOOK_ONE_IN) {
            return next;
        }
        // The golden section: at another place each time.
        let looks = u64::from(self.waits / LOOK_ONE_IN);
        let place = looks.wrapping_mul(618_034) % 1_000_000;
        let room = wait.saturating_sub(self.interval * 2);
        let into = room.as_nanos() * u128::from(place) / 1_000_000;
        asked + self.interval + Duration::from_nanos(u64::try_from(into).unwrap_or(0))
    }
}

/// Whether the rhythm of each is known, and they are not too many.
fn are_known<'a>(containers: &(impl Iterator<Item = &'a Rhythm> + Clone)) -> bool {
    let count = containers.clone().take(CONTAINERS_MAX + 1).count();
    (1..=CONTAINERS_MAX).contains(&count)
        && containers.clone().all(|rhythm| rhythm.visible_at().is_some())
}

/// Of the moments that come into question, the one at which the readings are youngest.
struct Pauses {
    asked: Instant,
    interval: Duration,
}

impl Pauses {
    /// From when on the next reading of a container can be seen; after a pause that
    /// grows if it is late.
    fn visible_at(&self, rhythm: &Rhythm) -> Instant {
        let visible_at = rhythm.visible_at().unwrap_or(self.asked);
        if rhythm.late() == 0 {
            return visible_at;
        }
        let doublings = (rhythm.late() - 1).min(PAUSE_PARTS.ilog2());
        self.asked + self.interval / (PAUSE_PARTS >> doublings)
    }

    /// Not before `earliest`; and how old the readings are then, in all, which are to be
    /// seen then or a request later.
    fn best<'a>(
        &self,
        earliest: Instant,
        containers: &(impl Iterator<Item = &'a Rhythm> + Clone),
    ) -> (Instant, Duration) {
        let visible = || containers.clone().map(|rhythm| self.visible_at(rhythm));
        let gone = containers.clone().filter_map(Rhythm::gone_at);
        let gone = gone.filter_map(|gone| gone.checked_sub(GONE_GUARD));
        let gone = gone.filter(|gone| *gone > self.asked).min();
        // Sooner than allowed, rather than to miss one.
        let is_late = containers.clone().any(|rhythm| rhythm.late() > 0);
        let soonest = self.asked + self.interval * if is_late { 1 } else { 3 } / 4;
        let earliest = gone.map_or(earliest, |gone| earliest.min(gone.max(soonest)));
        // No reading waits for another for longer than an interval.
        let newest = visible().min().unwrap_or(earliest);
        let last = newest + self.interval;
        let last = gone.map_or(last, |gone| gone.min(last)).max(earliest);
        let first = newest.clamp(earliest, last);
        let cost = |at: Instant| {
            let age = |visible: Instant| {
                let asked_at = if visible <= at { at } else { at + self.interval };
                asked_at.saturating_duration_since(visible)
            };
            visible().map(age).sum::<Duration>()
        };
        let moments = visible().filter(|at| *at > first && *at <= last);
        let moments = std::iter::once(first).chain(moments);
        let (cost, at) = moments.map(|at| (cost(at), at)).min().unwrap_or((Duration::ZERO, first));
        (at, cost)
    }
}

/// The moment from `earliest` on at which the newest readings are youngest, whichever
/// they are.
fn best_of_any<'a>(
    earliest: Instant,
    containers: &(impl Iterator<Item = &'a Rhythm> + Clone),
) -> Option<Instant> {
    let visible = || containers.clone().filter_map(|rhythm| rhythm.visible_after(earliest));
    let cost = |at: Instant| {
        let age = |rhythm: &Rhythm| {
            let (next, period) = (rhythm.visible_after(at)?, rhythm.period()?);
            // At the moment itself it is nothing.
            let until = next.saturating_duration_since(at);
            Some(if until.is_zero() { until } else { period.saturating_sub(until) })
        };
        containers.clone().filter_map(age).sum::<Duration>()
    };
    visible().map(|at| (cost(at), at)).min().map(|(_, at)| at)
}

impl Sampler {
    /// The rhythms of the containers whose renewals count: of the measured ones, and of
    /// all of the task definition's for the sums of the task. `None` if the endpoint is to
    /// be asked at fixed distances whatever they are.
    #[must_use]
    pub fn rhythms(&self) -> Option<impl Iterator<Item = &Rhythm> + Clone> {
        let is_sum = Sums::are_wanted(self.wanted);
        // How old the counters of a shared network are is inferred from when they change.
        let is_network = self.wanted.iter().any(Metric::is_of_network)
            && !self.network.is_from_kernel()
            && self.containers.iter().any(Container::shares_network);
        let counts = move |container: &&Container| {
            (container.place.is_some() || (is_sum && !container.described.is_injected))
                && container.may_have_stats()
        };
        let is_fixed = is_network || self.pace.is_pressing();
        (!is_fixed).then(|| self.containers.iter().filter(counts).map(|it| &it.rhythm))
    }

    /// When the counters of a container are read for its first renewal after `after`, if
    /// that can be told.
    #[must_use]
    pub fn renewal_after(&self, docker_id: &str, after: Instant) -> Option<Instant> {
        let position = super::position_of(&self.containers, docker_id)?;
        self.containers[position].rhythm.renewal_after(after)
    }

    /// Says that the endpoint is asked for some of its renewals only, since a proven
    /// source has what it has. [`Asking::set_spared`] makes it so.
    pub const fn set_spared(&mut self, is_spared: bool) {
        self.is_spared = is_spared;
    }

    /// Renewals may have been missed: learns anew how far they are apart.
    pub fn doubt_rhythms(&mut self) {
        self.containers.iter_mut().for_each(|container| container.rhythm.doubt());
    }
}

#[cfg(test)]
mod tests;
