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
pub(super) enum Outcome {
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
pub(super) struct Growth {
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

impl Growth {
    /// Takes in a value. `at_ns` never falls, and is not twice the same.
    pub(super) fn on_point(&mut self, now: Point) -> Outcome {
        let Some(base) = self.base else {
            self.base = Some(now);
            return Outcome::Nothing;
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
                return Outcome::Unknown;
            }
            self.fell_from = Some((base, FALL_REMEMBERED));
            self.base = Some(fallen);
            return self.compare(fallen, now);
        }
        let Some((jumped, surprise)) = self.jumped.take() else { return Outcome::Nothing };
        match (growth(jumped, now), growth(base, now)) {
            (Some(_), Some(whole)) => {
                self.base = Some(now);
                let is_confirmed = surprise == Surprise::Jump
                    || rates(base, jumped)
                        .zip(rates(jumped, now))
                        .is_some_and(|(first, then)| is_confirmed(first, then));
                if !is_confirmed {
                    return Outcome::Unknown;
                }
                // Seen once, it is no surprise a second time.
                self.recent.note(jumped, rates(base, jumped).unwrap_or_default());
                Outcome::Grew { since: base, by: whole }
            }
            (None, Some(_)) => {
                self.base = Some(now);
                Outcome::Unknown
            }
            (_, None) => {
                self.fallen = Some(now);
                Outcome::Unknown
            }
        }
    }

    /// The counters are where they were before they fell: the low values were wrong, or
    /// they restarted and are past that.
    fn come_back(&mut self, now: Point) -> Outcome {
        self.base = Some(now);
        self.fell_from = None;
        Outcome::Unknown
    }

    fn compare(&mut self, base: Point, now: Point) -> Outcome {
        if let Some((before, left)) = self.fell_from {
            if growth(before, now).is_some() {
                return self.come_back(now);
            }
            self.fell_from = left.checked_sub(1).map(|left| (before, left));
        }
        let Some(by) = growth(base, now) else {
            self.fallen = Some(now);
            return Outcome::Unknown;
        };
        let rates = rates(base, now).unwrap_or_default();
        let is_trusted = std::mem::take(&mut self.is_next_trusted);
        if let Some(surprise) = self.recent.surprise(base, now, rates).filter(|_| !is_trusted) {
            self.jumped = Some((now, surprise));
            return Outcome::Nothing;
        }
        self.recent.note(now, rates);
        self.base = Some(now);
        Outcome::Grew { since: base, by }
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
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// The rates of the first counter that come of totals a second apart; the second
    /// counter is twice as high.
    fn seen(totals: impl IntoIterator<Item = u64>) -> Vec<f64> {
        pairs(totals.into_iter().map(|total| [total, total.saturating_mul(2)]))
    }

    fn pairs(totals: impl IntoIterator<Item = [u64; 2]>) -> Vec<f64> {
        let mut growth = Growth::default();
        let mut seen = Vec::new();
        for (second, totals) in (1..).zip(totals) {
            let now = Point { at_ns: second * SECOND, totals };
            if let Outcome::Grew { since, by } = growth.on_point(now) {
                seen.push(per_second(by, now.at_ns - since.at_ns)[0]);
            }
        }
        seen
    }

    #[test]
    fn growth_is_per_second_and_a_restart_costs_one_value() {
        assert_eq!(seen([1000, 1500, 3000, 3000]), [500.0, 1500.0, 0.0]);
        assert_eq!(seen([9000, 9500, 40, 540, 1040]), [500.0, 500.0, 500.0]);
    }

    #[test]
    fn a_low_value_between_two_high_ones_gives_nothing() {
        for low in [0, 7, 1_000_000] {
            for high in [50_000_000_000_u64, 3_000_000_000_000] {
                let totals = [high, high + 500, low, high + 1500, high + 2000];
                assert_eq!(seen(totals), [500.0, 500.0], "{low} {high}");
            }
        }
    }

    #[test]
    fn two_low_values_are_a_restart_and_the_way_back_is_no_load() {
        let high = 50_000_000_000;
        let totals = [high, high + 500, 7, 507, high + 2000, high + 2500, high + 3000];
        assert_eq!(seen(totals), [500.0, 500.0, 500.0, 500.0]);
    }

    #[test]
    fn the_way_back_is_no_load_on_a_busy_link_either() {
        let (high, rate) = (50_000_000_000_u64, 100_000_000);
        let totals = (0..20).map(|n| if (5..9).contains(&n) { 7 + n } else { high + n * rate });
        let seen = seen(totals);
        assert!(seen.iter().all(|seen| *seen <= 100_000_000.0), "{seen:?}");
        assert!(seen.len() >= 14, "{seen:?}");
    }

    #[test]
    fn a_high_value_between_two_right_ones_gives_nothing() {
        for high in [u64::MAX / 4, 1 << 50, 90_000_000_000] {
            assert_eq!(seen([1000, 1500, high, 2500, 3000, 3500]), [500.0, 500.0, 500.0], "{high}");
        }
    }

    #[test]
    fn a_fast_network_is_confirmed_by_the_next_value_and_loses_no_byte() {
        // From nothing to 400 Gb/s.
        let fast = 50_000_000_000;
        let totals = [5, 5, 5, 5 + fast, 5 + 2 * fast, 5 + 3 * fast];
        assert_eq!(seen(totals), [0.0, 0.0, 50e9, 50e9]);
    }

    #[test]
    fn a_burst_of_one_value_is_published_once_the_next_value_stands() {
        let megabytes = 1_000_000;
        let totals = [5, 5, 5 + 80 * megabytes, 5 + 80 * megabytes, 5 + 80 * megabytes];
        // 80 MB in the two seconds that it took to know.
        assert_eq!(seen(totals), [0.0, 40e6, 0.0]);
        let twice = totals.into_iter().chain([5 + 170 * megabytes, 5 + 170 * megabytes]);
        assert_eq!(seen(twice), [0.0, 40e6, 0.0, 90e6, 0.0]);
        // What an idle container may always do.
        assert_eq!(seen([5, 5, 400_005, 400_005]), [0.0, 4e5, 0.0]);
    }

    #[test]
    fn no_byte_of_rare_bursts_is_lost() {
        for (burst, every) in [([50_000_000, 300_000], 3480), ([7, 3_000_000], 1500)] {
            let mut growth = Growth::default();
            let (mut totals, mut sum) = ([1_000_000_u64, 600_000], [0; 2]);
            let first = totals;
            for second in 1..8000 {
                for n in 0..2 {
                    totals[n] += 50 + if second % every == 0 { burst[n] } else { 0 };
                }
                let now = Point { at_ns: second * SECOND, totals };
                if let Outcome::Grew { by, .. } = growth.on_point(now) {
                    sum = [sum[0] + by[0], sum[1] + by[1]];
                }
            }
            assert_eq!(sum, [0, 1].map(|n| totals[n] - first[n] - 50), "{burst:?}");
        }
    }

    #[test]
    fn a_burst_that_looks_like_a_factor_is_left_out_and_counted() {
        // At the start, when there is no rate to compare with; and later. What really
        // came in between blurs the factor.
        for (idle, received) in [(1, 0), (20, 0), (1, 90_000_000), (20, 90_000_000)] {
            let mut growth = Growth::default();
            let mut unknown = 0;
            for second in 1..40 {
                let truth = [4_000_000_000 + second * 1000, 3_000_000_000 + second * 700];
                let mut totals = truth.map(|bytes| if second <= idle { bytes / 2 } else { bytes });
                totals[0] += if second <= idle { 0 } else { received };
                let now = Point { at_ns: second * SECOND, totals };
                match growth.on_point(now) {
                    Outcome::Unknown => unknown += 1,
                    Outcome::Grew { by, .. } => assert!(by[0] <= 2000, "{idle} {by:?}"),
                    Outcome::Nothing => {}
                }
            }
            assert_eq!(unknown, 1, "{idle}");
        }
    }

    #[test]
    fn an_agent_that_stops_dividing_is_no_load() {
        for (containers, total, rate) in [
            (2_u64, 500_000_000_000_u64, 1_000_000_u32),
            (3, 500_000_000, 1_000_000),
            (4, 1_000_000_000, 20_000_000),
            (10, 3_000_000_000, 100),
        ] {
            let totals = (0..20).map(|second| {
                let truth = [0, 1].map(|n: u64| (total + second * u64::from(rate)) * (n + 1));
                if second < 10 { truth.map(|bytes| bytes / containers) } else { truth }
            });
            let seen = pairs(totals);
            let (divided, whole) = (seen[0], *seen.last().unwrap());
            assert!((whole - f64::from(rate)).abs() < 1.0, "{seen:?}");
            assert!(
                seen.len() >= 17
                    && seen
                        .iter()
                        .all(|seen| { (seen - divided).abs() < 2.0 || (seen - whole).abs() < 2.0 }),
                "{containers} {total} {rate}: {seen:?}"
            );
        }
    }

    #[test]
    fn ten_times_the_load_is_believed_at_once() {
        let mut total = 1_000_000_000;
        let totals = (0..20_u64).map(|second| {
            total += if second < 10 { 20_000 } else { 900_000 };
            [total, total / 3 + second * 50_000]
        });
        let seen = pairs(totals);
        assert_eq!(seen.len(), 19);
        assert_eq!(seen.iter().filter(|rate| (**rate - 900_000.0).abs() < 1.0).count(), 10);
    }
}
