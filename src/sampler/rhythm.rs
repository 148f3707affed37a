//! One container's rhythm: how far its renewals are apart, when the next one is due,
//! and how long after its `read` a reading can be seen. Learned from the readings
//! alone, since no platform says any of it. When to ask is decided in `asking`. Pure:
//! the time is told.

use std::time::{Duration, Instant};

use crate::time::{Now, Timestamp};

/// What is older, or further apart, has no rhythm: a day, which also keeps sums of a few
/// of them far from overflowing.
const AGE_MAX_NS: u64 = 86_400_000_000_000;
/// So many intervals in a row have to agree before they are a period.
const INTERVALS: usize = 3;
const INTERVALS_I64: i64 = 3;
/// An interval that is longer, and within which nobody looked, may be several.
const UNWATCHED_MAX_NS: i64 = 1_500_000_000;
/// The latest differences between when a renewal was due and its `read`.
const RESIDUALS: usize = 16;
/// A renewal that may be later is asked for by then, and again.
const RESERVE_MAX_NS: i64 = 500_000_000;
/// Intervals agree if they differ by at most one part of this many.
const AGREE_PARTS: i64 = 8;
/// A renewal is on time if it is off by at most this, or by some times what is usual.
const ON_TIME_NS: i64 = 30_000_000;
const ON_TIME_SPREADS: i64 = 4;
/// So many renewals in a row that are not on time are another rhythm.
const STRIKES: u32 = 4;
/// A new interval counts for so much of the period.
const SMOOTHING: i64 = 8;

/// The delay need not be known better than this.
const DELAY_PAD_NS: i64 = 8_000_000;
/// By so much it varies, as a rule.
const DELAY_APART_NS: i64 = 50_000_000;
/// After so many renewals in time, one that comes late is chance.
const CALM: u32 = 32;

/// The last new reading.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// When the answer came that showed it, and how old it was then, ns: negative if
    /// the endpoint's clock is ahead of ours.
    at: Instant,
    age_ns: i64,
    read: Timestamp,
}

/// What is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rhythm {
    seen: Option<Seen>,
    period: LearntPeriod,
    delay: Delay,
    /// When the last answer was asked for that brought nothing new since then.
    unseen_at: Option<Instant>,
    /// How many answers have brought nothing new since the next was to be seen.
    late: u32,
}

impl Rhythm {
    /// A new reading came `now`. `is_next` says that no step of a clock lies between
    /// the last one and this, and `is_spared` that renewals in between were left out.
    pub(super) fn on_new(&mut self, read: Timestamp, is_next: bool, is_spared: bool, now: Now) {
        let age_ns = now.wall.unix_ns().wrapping_sub(read.unix_ns()).cast_signed();
        let last = self.seen.take();
        let unseen_at = self.unseen_at.take();
        self.late = 0;
        if age_ns.unsigned_abs() > AGE_MAX_NS {
            self.forget();
            return;
        }
        self.seen = Some(Seen { at: now.instant, age_ns, read });
        let interval = last.filter(|_| is_next).and_then(|last| read.ns_since(last.read));
        let interval = interval.filter(|ns| *ns <= AGE_MAX_NS);
        let Some(interval_ns) = interval.and_then(|ns| i64::try_from(ns).ok()) else {
            (self.period, self.delay) = Default::default();
            return;
        };
        self.period.on_interval(interval_ns, unseen_at.is_some(), is_spared);
        let unseen_age_ns = unseen_at
            .map(|asked| age_ns.saturating_sub(ns(now.instant.saturating_duration_since(asked))));
        self.delay.on_new(age_ns, unseen_age_ns);
    }

    /// An answer that was asked for at `asked` brought nothing new.
    pub(super) fn on_nothing_new(&mut self, asked: Instant) {
        if self.visible_at().is_some_and(|visible_at| visible_at <= asked) {
            self.late = self.late.saturating_add(1);
        }
        self.unseen_at = Some(asked);
    }

    /// Learns anew: the clock was set, or the endpoint was away.
    pub(super) fn forget(&mut self) {
        self.period = LearntPeriod::default();
        self.delay = Delay::default();
        self.unseen_at = None;
        self.late = 0;
        self.seen = None;
    }

    /// Learns the period anew.
    pub(super) fn doubt(&mut self) {
        self.period = LearntPeriod::default();
    }

    /// The time between two renewals, once it is known.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        self.period.known_ns.and_then(|ns| u64::try_from(ns).ok()).map(Duration::from_nanos)
    }

    /// When the counters are read for the first renewal after `after`, if that can be
    /// told.
    #[must_use]
    pub fn renewal_after(&self, after: Instant) -> Option<Instant> {
        self.first_after(after, 0)
    }

    /// From when on the next reading can be seen, as a rule.
    pub(super) fn visible_at(&self) -> Option<Instant> {
        let period_ns = self.period.known_ns?;
        self.at(period_ns.saturating_add(self.lead_ns()))
    }

    /// The first moment after `after` from which on some reading can be seen that is new
    /// then.
    pub(super) fn visible_after(&self, after: Instant) -> Option<Instant> {
        self.first_after(after, self.lead_ns())
    }

    /// Until when the next reading can be seen at least.
    pub(super) fn gone_at(&self) -> Option<Instant> {
        let period_ns = self.period.known_ns?;
        let earliest_ns = self.period.earliest_ns().saturating_add(self.delay.least_ns());
        self.at(period_ns.saturating_mul(2).saturating_add(earliest_ns))
    }

    /// How many answers have brought nothing since a new reading should be there.
    pub(super) fn late(&self) -> u32 {
        self.late
    }

    /// How long after the middle of when a renewal is due it can be seen.
    fn lead_ns(&self) -> i64 {
        self.period.latest_ns().saturating_add(self.delay.target_ns())
    }

    /// So long after the last `read`.
    fn at(&self, after_ns: i64) -> Option<Instant> {
        let seen = self.seen?;
        moved(seen.at, after_ns.saturating_sub(seen.age_ns))
    }

    fn first_after(&self, after: Instant, lead_ns: i64) -> Option<Instant> {
        let period_ns = self.period.known_ns?;
        let first = self.at(period_ns.saturating_add(lead_ns))?;
        let over_ns = ns(after.saturating_duration_since(first));
        let periods = over_ns / period_ns + i64::from(over_ns % period_ns > 0);
        moved(first, periods.saturating_mul(period_ns))
    }
}

/// How far renewals are apart, by their `read`s.
#[derive(Clone, Copy, Debug, Default)]
struct LearntPeriod {
    known_ns: Option<i64>,
    /// Until it is known.
    intervals_ns: [i64; INTERVALS],
    intervals: usize,
    residuals_ns: [i64; RESIDUALS],
    residuals: usize,
    /// Renewals in a row that were not on time, while most are left out.
    strikes: u32,
}

impl LearntPeriod {
    /// `is_watched`: an answer within the interval brought nothing new.
    fn on_interval(&mut self, interval_ns: i64, is_watched: bool, is_spared: bool) {
        let Some(period_ns) = self.known_ns else {
            self.learn(interval_ns, is_watched);
            return;
        };
        let periods = ((interval_ns + period_ns / 2) / period_ns).max(1);
        let residual_ns = interval_ns - periods * period_ns;
        let spread_ns = self.known_residuals().map(i64::abs).max().unwrap_or(0);
        let most_ns = period_ns / if periods > 1 { AGREE_PARTS / 2 } else { AGREE_PARTS };
        let on_time_ns = ON_TIME_NS.max(ON_TIME_SPREADS * spread_ns).min(most_ns);
        // Late is only late, if somebody looked. Early may be another rhythm, and so may
        // several periods if somebody looked in between.
        let is_late = is_watched && residual_ns <= period_ns / 4;
        let is_left_out = is_watched && periods > 1;
        if is_left_out || residual_ns < -on_time_ns || (residual_ns > on_time_ns && !is_late) {
            // It cannot be learned anew now. A stream that starts over mostly keeps it.
            self.strikes += 1;
            if !is_spared || self.strikes >= STRIKES {
                *self = Self::default();
                self.learn(interval_ns, is_watched);
            }
            return;
        }
        self.strikes = 0;
        self.known_ns = Some(period_ns + residual_ns / periods / SMOOTHING);
        // One that was very late says little of the next ones.
        self.note(residual_ns.min(on_time_ns));
    }

    fn learn(&mut self, interval_ns: i64, is_watched: bool) {
        // There may have been others in between.
        if !is_watched && interval_ns > UNWATCHED_MAX_NS {
            self.intervals = 0;
            return;
        }
        self.intervals_ns[self.intervals % INTERVALS] = interval_ns;
        self.intervals += 1;
        if self.intervals < INTERVALS || interval_ns <= 0 {
            return;
        }
        let mean_ns = self.intervals_ns.iter().sum::<i64>() / INTERVALS_I64;
        let apart_ns = self.intervals_ns.map(|ns| (ns - mean_ns).abs());
        if apart_ns.into_iter().all(|ns| ns <= mean_ns / AGREE_PARTS) {
            self.known_ns = Some(mean_ns);
            for interval_ns in self.intervals_ns {
                self.note(interval_ns - mean_ns);
            }
        }
    }

    fn note(&mut self, residual_ns: i64) {
        self.residuals_ns[self.residuals % RESIDUALS] = residual_ns;
        self.residuals += 1;
    }

    fn known_residuals(&self) -> impl Iterator<Item = i64> {
        self.residuals_ns.into_iter().take(self.residuals)
    }

    /// How late a renewal is at most: as the second latest of the last ones.
    fn latest_ns(&self) -> i64 {
        let (mut latest_ns, mut second_ns) = (0, 0);
        for ns in self.known_residuals() {
            second_ns = second_ns.max(ns.min(latest_ns));
            latest_ns = latest_ns.max(ns);
        }
        let usual_ns = if self.residuals < RESIDUALS / 2 { latest_ns } else { second_ns };
        usual_ns.min(RESERVE_MAX_NS)
    }

    /// How early it is, as a negative number.
    fn earliest_ns(&self) -> i64 {
        self.known_residuals().fold(0, i64::min)
    }
}

/// How long after its `read` a reading can be seen, as a rule. It is found from above:
/// less is tried until an answer that was asked for so early does not have it yet. From
/// then on it goes down slowly, and up at once.
#[derive(Clone, Copy, Debug, Default)]
struct Delay {
    /// An answer that was asked for so early did not have it.
    low_ns: i64,
    /// What is tried.
    tried_ns: Option<i64>,
    /// It has been too little.
    is_found: bool,
    /// Readings that were seen in time since then.
    calm: u32,
}

impl Delay {
    /// A reading was seen that was so old, and an answer that was asked for when it was
    /// `unseen_age_ns` old did not have it yet.
    fn on_new(&mut self, age_ns: i64, unseen_age_ns: Option<i64>) {
        let Some(tried_ns) = self.tried_ns else {
            // Nothing is seen before it is read, if there is one clock.
            self.low_ns = unseen_age_ns.unwrap_or(0).clamp(age_ns.min(0), age_ns.max(0));
            self.tried_ns = Some(age_ns);
            return;
        };
        let tried_ns = match unseen_age_ns {
            Some(unseen_ns) if unseen_ns > tried_ns - DELAY_PAD_NS => {
                let is_chance = self.is_found && self.calm >= CALM;
                // Once in a while is chance, which is followed a little.
                let most_ns = if is_chance { tried_ns.abs() / 4 } else { tried_ns.abs() };
                (self.is_found, self.calm) = (true, 0);
                self.low_ns = self.low_ns.max(unseen_ns.min(tried_ns));
                age_ns.clamp(tried_ns, tried_ns + most_ns + DELAY_PAD_NS)
            }
            unseen_ns => {
                self.low_ns = self.low_ns.max(unseen_ns.unwrap_or(self.low_ns)).min(tried_ns);
                self.calm = self.calm.saturating_add(1);
                let above_ns = tried_ns - self.low_ns;
                if !self.is_found {
                    self.is_found = above_ns <= 2 * DELAY_PAD_NS;
                    age_ns.min(tried_ns - above_ns / 4)
                } else if self.calm < 2 * CALM {
                    tried_ns - above_ns / i64::from(2 * CALM)
                } else {
                    let floor_ns = tried_ns.min(0);
                    self.low_ns = (self.low_ns - (above_ns + DELAY_PAD_NS) / 32).max(floor_ns);
                    tried_ns - above_ns / 16
                }
            }
        };
        self.tried_ns = Some(tried_ns.max(self.low_ns));
    }

    fn target_ns(&self) -> i64 {
        self.tried_ns.unwrap_or(0)
    }

    /// Nothing is seen before it is read, by one clock; by two, some time before it
    /// usually is.
    fn least_ns(&self) -> i64 {
        self.tried_ns.filter(|tried_ns| *tried_ns < 0).map_or(0, |ns| ns - DELAY_APART_NS)
    }
}

/// `at`, later by so much, or earlier if that is negative.
fn moved(at: Instant, by_ns: i64) -> Option<Instant> {
    let by = Duration::from_nanos(by_ns.unsigned_abs());
    if by_ns < 0 { at.checked_sub(by) } else { at.checked_add(by) }
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
