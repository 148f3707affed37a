//! Whether the growth of two byte counters can be believed: received and sent, read
//! and written. The endpoint's counters fall when a container restarts, and now and
//! then one is simply wrong: a low value between two high ones, or all of them
//! times a factor after an upgrade of the agent (EC2 agents before 1.100.0 divide
//! the network counters of awsvpc tasks by the number of containers minus one). No
//! fixed bound tells such a jump from a fast network, so a jump waits for the next
//! value. A counter that does not fall back is right; a factor on both counters stays
//! as well, and is only believed if the rate stays high. Pure: times and totals in, growth out.

/// A rate this many times higher than any recent one is distrusted at first.
const JUMP_FACTOR: f64 = 1000.0;
/// What an idle counter may always do, bytes a second, for that factor.
const IDLE_RATE: f64 = 1000.0;
/// Both counters times the same factor, at a rate this many times higher than any recent
/// one: distrusted as well.
const SCALED_FACTOR: f64 = 10.0;
/// How much alike the two factors are, and how small and large they can be: the
/// containers of a task.
const SCALED_ALIKE: f64 = 0.01;
/// The same of a jump: what really came in between blurs the factors.
const JUMP_ALIKE: f64 = 0.1;
const SCALED_MIN: f64 = 1.05;
const SCALED_MAX: f64 = 32.0;
/// A jump is confirmed by a counter that does not fall back. That tells nothing of a
/// factor, which stays: it is confirmed by a rate that is at least this part of it.
const SCALED_CONFIRMED_BY: f64 = 0.5;
/// For so many values after a fall, a return to where the counters were is no growth.
const FALL_REMEMBERED: u8 = 30;
/// Rates count as recent for one to two times this long, ns.
const RECENT_NS: u64 = 600_000_000_000;

const NS_PER_SECOND: f64 = 1e9;

/// The totals of both counters at one moment, on whatever clock the caller keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at_ns: u64,
    pub(super) totals: [u64; 2],
}

/// What a new value of the counters comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grown {
    /// A base, or a jump that waits for the next value.
    Nothing,
    /// Both grew by this much from `since` on.
    Grew { since: Point, by: [u64; 2] },
    /// A counter fell, or one of the last values was wrong. What came in between is
    /// unknown.
    Unknown,
}

/// The state of one pair of counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GrowthWatch {
    base: Option<Point>,
    /// A value below the base: a restart, if the next one goes on from there.
    fallen: Option<Point>,
    /// A value that is a jump from the base, and what is odd about it.
    jumped: Option<(Point, Surprise)>,
    /// Where the counters were before they fell, and for how many values that counts:
    /// so far they do not come back by themselves.
    fell_from: Option<(Point, u8)>,
    is_next_trusted: bool,
    recent: Recent,
}

/// What is odd about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surprise {
    /// Its rate.
    Jump,
    /// Both counters were multiplied by the same factor.
    Scaled,
}

impl GrowthWatch {
    /// Takes in a value. `at_ns` never falls, and is not twice the same.
    pub(super) fn on_point(&mut self, now: Point) -> Grown {
        let Some(base) = self.base else {
            self.base = Some(now);
            return Grown::Nothing;
        };
        if self.fallen.is_none() && self.jumped.is_none() {
            return self.compare(base, now);
        }
        if let Some(fallen) = self.fallen.take() {
            if growth(base, now).is_some() {
                return self.come_back(now);
            }
            if growth(fallen, now).is_none() {
                self.fallen = Some(now);
                return Grown::Unknown;
            }
            self.fell_from = Some((base, FALL_REMEMBERED));
            self.base = Some(fallen);
            return self.compare(fallen, now);
        }
        let Some((jumped, surprise)) = self.jumped.take() else { return Grown::Nothing };
        match (growth(jumped, now), growth(base, now)) {
            (Some(_), Some(whole)) => {
                self.base = Some(now);
                let is_confirmed = surprise == Surprise::Jump
                    || rates(base, jumped)
                        .zip(rates(jumped, now))
                        .is_some_and(|(first, then)| is_confirmed(first, then));
                if !is_confirmed {
                    return Grown::Unknown;
                }
                // Seen once, it is no surprise a second time.
                self.recent.note(jumped, rates(base, jumped).unwrap_or_default());
                Grown::Grew { since: base, by: whole }
            }
            (None, Some(_)) => {
                self.base = Some(now);
                Grown::Unknown
            }
            (_, None) => {
                self.fallen = Some(now);
                Grown::Unknown
            }
        }
    }

    /// The counters are where they were before they fell: the low values were wrong, or
    /// they restarted and are past that.
    fn come_back(&mut self, now: Point) -> Grown {
        self.base = Some(now);
        self.fell_from = None;
        Grown::Unknown
    }

    fn compare(&mut self, base: Point, now: Point) -> Grown {
        if let Some((before, left)) = self.fell_from {
            if growth(before, now).is_some() {
                return self.come_back(now);
            }
            self.fell_from = left.checked_sub(1).map(|left| (before, left));
        }
        let Some(by) = growth(base, now) else {
            self.fallen = Some(now);
            return Grown::Unknown;
        };
        let rates = rates(base, now).unwrap_or_default();
        let is_trusted = std::mem::take(&mut self.is_next_trusted);
        if let Some(surprise) = self.recent.surprise(base, now, rates).filter(|_| !is_trusted) {
            self.jumped = Some((now, surprise));
            return Grown::Nothing;
        }
        self.recent.note(now, rates);
        self.base = Some(now);
        Grown::Grew { since: base, by }
    }

    /// The next value is a base: the clock was set, or the counters are others.
    pub(super) fn forget(&mut self) {
        *self = Self { recent: self.recent, ..Self::default() };
    }

    /// The next growth is known to be right, however much it is.
    pub(super) fn trust_next(&mut self) {
        self.is_next_trusted = true;
    }

    /// The highest recent rate of either counter, bytes a second.
    pub(super) fn recent_rate(&self) -> f64 {
        let [first, second] = self.recent.highest();
        first.max(second)
    }
}

/// The highest recent rates, bytes a second.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    present: [f64; 2],
    before: [f64; 2],
    since_ns: u64,
    /// Whether there has been any.
    is_known: bool,
}

impl Recent {
    fn note(&mut self, at: Point, rates: [f64; 2]) {
        if at.at_ns.saturating_sub(self.since_ns) >= RECENT_NS {
            let before = self.present;
            *self = Self { present: [0.0; 2], before, since_ns: at.at_ns, is_known: true };
        }
        self.is_known = true;
        self.present = [self.present[0].max(rates[0]), self.present[1].max(rates[1])];
    }

    fn highest(&self) -> [f64; 2] {
        [self.present[0].max(self.before[0]), self.present[1].max(self.before[1])]
    }

    /// What is odd about growth from `base` to `now` at these rates.
    fn surprise(&self, base: Point, now: Point, rates: [f64; 2]) -> Option<Surprise> {
        let highest = self.highest();
        let exceeds = |factor: f64| (0..2).any(|n| rates[n] > factor * highest[n].max(IDLE_RATE));
        if !exceeds(SCALED_FACTOR) {
            return None;
        }
        if self.is_known && is_scaled(base, now, SCALED_ALIKE) {
            return Some(Surprise::Scaled);
        }
        // At the start there is no rate to compare with, but what the counters have
        // counted so far.
        let is_usual = (0..2).all(|n| now.totals[n] / 2 <= base.totals[n]);
        (exceeds(JUMP_FACTOR) && (self.is_known || !is_usual)).then(|| {
            let is_scaled = is_scaled(base, now, JUMP_ALIKE);
            if is_scaled { Surprise::Scaled } else { Surprise::Jump }
        })
    }
}

/// Whether both counters were multiplied by the same factor, give or take this part of
/// it. A counter that stands at nothing says nothing.
fn is_scaled(base: Point, now: Point, alike: f64) -> bool {
    let [first, second] = [0, 1].map(|n| match (base.totals[n], now.totals[n]) {
        (0, 0) => None,
        (from, to) => Some(times(from, to).unwrap_or(f64::INFINITY)),
    });
    let Some((first, second)) = first.or(second).zip(second.or(first)) else { return false };
    (SCALED_MIN..=SCALED_MAX).contains(&first) && (first / second - 1.0).abs() <= alike
}

/// `to` as a multiple of `from`; `None` from nothing.
#[expect(clippy::cast_precision_loss, reason = "compared to a hundredth")]
fn times(from: u64, to: u64) -> Option<f64> {
    (from > 0).then(|| to as f64 / from as f64)
}

/// How much both grew; `None` if one of them fell.
fn growth(from: Point, to: Point) -> Option<[u64; 2]> {
    let [first, second] = [0, 1].map(|n| to.totals[n].checked_sub(from.totals[n]));
    Some([first?, second?])
}

/// Bytes a second; `None` if a counter fell or no time passed.
fn rates(from: Point, to: Point) -> Option<[f64; 2]> {
    let elapsed_ns = to.at_ns.checked_sub(from.at_ns).filter(|&ns| ns > 0)?;
    growth(from, to).map(|by| per_second(by, elapsed_ns))
}

/// `by` in `elapsed_ns`, which is not 0, as bytes a second.
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
pub(super) fn per_second(by: [u64; 2], elapsed_ns: u64) -> [f64; 2] {
    let seconds = elapsed_ns as f64 / NS_PER_SECOND;
    [by[0] as f64 / seconds, by[1] as f64 / seconds]
}

fn is_confirmed(first: [f64; 2], then: [f64; 2]) -> bool {
    let highest = usize::from(first[1] > first[0]);
    then[highest] >= SCALED_CONFIRMED_BY * first[highest]
}

#[cfg(test)]
mod tests;
