//! An estimate: the sum of a container's processes. It counts from another base than
//! the endpoint's counter, and loses a little: children that nobody waited for, ticks of
//! 10 ms. Over each interval between two readings of the endpoint its growth is compared
//! with the endpoint's. Of it a counter is made that goes on from the endpoint's and is
//! led back to it at each renewal.

use super::{
    exact::{ReadingVerdict, TOLERANCE_NS},
    history::{KernelHistory, KernelValue},
    made::{MadeCounter, to_f64, to_u64},
};
use crate::time::Timestamp;

/// By how much the growth over an interval may differ from the endpoint's.
const ERROR_MAX: f64 = 0.03;
/// And besides, ns of CPU time: both parts of the time of children that were waited for
/// come in ticks of 10 ms.
const ERROR_MAX_NS: f64 = 30e6;
/// What is lost steadily is made good up to this part of it.
const GAIN_ERROR_MAX: f64 = 0.03;
/// A counter that is off by this part must be told from a good one.
const SCALE_ERROR: f64 = 0.1;
/// The time to lead the counter back in if the last interval is not known, ns.
const INTERVAL_ASSUMED_NS: u64 = 10_000_000_000;
/// What is known of the gain at the start, ns of CPU time at which it is 1.
const GAIN_PRIOR_NS: f64 = 1e9;
/// How much of the earlier intervals stays in the gain after one more.
const GAIN_MEMORY: f64 = 0.8;
/// From an older reading on growth is not counted for longer than it takes to tell, ns.
const ANCHOR_AGE_MIN_NS: u64 = 60_000_000_000;
/// Intervals below this are not compared, ns: the ticks would be all of the difference.
const INTERVAL_MIN_NS: u64 = 5_000_000_000;

/// A reading of the endpoint, with what the sum was at its moment.
#[derive(Clone, Copy, Debug)]
struct Point {
    read: Timestamp,
    said_ns: u64,
    /// The sum before and after it, and on the line between.
    least_ns: u64,
    most_ns: u64,
    likely_ns: u64,
}

/// Agreements one after another, and the counter that is made of the sum.
#[derive(Debug)]
pub(super) struct Estimate {
    /// Those that discriminated.
    pub(super) agreed: u32,
    /// The last reading that was compared.
    previous: Option<Point>,
    /// The one from which growth is counted for the proof.
    anchor: Option<Point>,
    /// Of some intervals, the later ones counting more: the endpoint's growth and the
    /// sum's, ns.
    said_ns: f64,
    sum_ns: f64,
    made: Option<Made>,
}

impl Default for Estimate {
    fn default() -> Self {
        Self {
            agreed: 0,
            previous: None,
            anchor: None,
            said_ns: GAIN_PRIOR_NS,
            sum_ns: GAIN_PRIOR_NS,
            made: None,
        }
    }
}

impl Estimate {
    /// Whether so many agreements are enough.
    pub(super) fn has_proven(&self, needed: u32) -> bool {
        self.agreed >= needed
    }

    fn gain(&self) -> f64 {
        (self.said_ns / self.sum_ns).clamp(1.0 - GAIN_ERROR_MAX, 1.0 + GAIN_ERROR_MAX)
    }

    /// Compares a new reading of the endpoint with the sum, and leads the counter back.
    pub(super) fn on_endpoint(
        &mut self,
        read: Timestamp,
        said_ns: u64,
        history: &KernelHistory,
    ) -> ReadingVerdict {
        let bracket = history.bracket(read, TOLERANCE_NS);
        let (Some(before), Some(after), Some(likely_ns), Some(last)) =
            (bracket.before, bracket.after, history.at(read), history.last())
        else {
            return ReadingVerdict::Unknown { is_pending: bracket.after.is_none() };
        };
        let (least_ns, most_ns) = (before.total_ns, after.total_ns);
        let now = Point { read, said_ns, least_ns, most_ns, likely_ns };
        let Some(previous) = self.previous else {
            self.previous = Some(now);
            self.anchor = Some(now);
            self.lead_back(now, last, INTERVAL_ASSUMED_NS);
            return ReadingVerdict::Unknown { is_pending: false };
        };
        let interval_ns = read.ns_since(previous.read).unwrap_or(0);
        if interval_ns < INTERVAL_MIN_NS {
            return ReadingVerdict::Unknown { is_pending: false };
        }
        let gain = self.gain();
        self.learn(previous, now);
        let bounds = [Some(previous), self.anchor].into_iter().flatten();
        for since in bounds {
            let (least_ns, most_ns) = now.expected_since(since, gain);
            if said_ns < least_ns || said_ns > most_ns {
                return ReadingVerdict::Disagrees { least_ns, most_ns };
            }
        }
        self.previous = Some(now);
        let discriminates = self.anchor.is_none_or(|anchor| now.discriminates_since(anchor));
        self.agreed = self.agreed.saturating_add(u32::from(discriminates));
        if self.anchor.is_none_or(|anchor| now.is_better_than(anchor, discriminates)) {
            self.anchor = Some(now);
        }
        self.lead_back(now, last, interval_ns);
        ReadingVerdict::Agrees { discriminates }
    }

    /// Leads the counter to where the endpoint's is likely to be at `value`.
    fn lead_back(&mut self, now: Point, value: KernelValue, within_ns: u64) {
        let gain = self.gain();
        if let Some(made) = &mut self.made {
            made.counter.lead_to(now.goes_on(value, gain), to_f64(within_ns));
        }
    }

    /// The clock was set: what was read before and after it is not compared.
    pub(super) fn on_clock_step(&mut self) {
        (self.previous, self.anchor) = (None, None);
        if let Some(made) = &mut self.made {
            made.at_ns = None;
        }
    }

    fn learn(&mut self, previous: Point, now: Point) {
        let growth = |from: u64, to: u64| to_f64(to.saturating_sub(from));
        self.said_ns = self.said_ns * GAIN_MEMORY + growth(previous.said_ns, now.said_ns);
        self.sum_ns = self.sum_ns * GAIN_MEMORY + growth(previous.likely_ns, now.likely_ns);
        // Some prior stays, or an idle time would leave nothing to divide.
        let prior = GAIN_PRIOR_NS * (1.0 - GAIN_MEMORY);
        self.said_ns += prior;
        self.sum_ns += prior;
    }

    /// Takes in a value of the sum, and gives the counter that is made of it, which never
    /// falls. It goes on from the endpoint's last reading, and is at least `floor_ns`.
    pub(super) fn on_kernel(&mut self, value: KernelValue, floor_ns: u64) -> Option<u64> {
        let gain = self.gain();
        let made = if let Some(made) = &mut self.made {
            let at_ns = made.at_ns.unwrap_or(value.middle_ns());
            let elapsed = to_f64(value.middle_ns().saturating_sub(at_ns));
            let growth = to_f64(value.total_ns.saturating_sub(made.sum_ns)) * gain;
            made.counter.grow(growth, elapsed);
            made
        } else {
            let counter = MadeCounter::starting_at(self.previous?.goes_on(value, gain));
            self.made.insert(Made { counter, sum_ns: 0, at_ns: None })
        };
        (made.sum_ns, made.at_ns) = (value.total_ns, Some(value.middle_ns()));
        made.counter.raise_to(floor_ns);
        Some(made.counter.total_ns())
    }
}

/// The counter that is made of the sum, and the sum and the time at which it was that;
/// no time if the clock was set since.
#[derive(Clone, Copy, Debug)]
struct Made {
    counter: MadeCounter,
    sum_ns: u64,
    at_ns: Option<u64>,
}

impl Point {
    /// Between which values the endpoint's counter is now, if the sum is right since
    /// `since`.
    fn expected_since(&self, since: Self, gain: f64) -> (u64, u64) {
        let least = to_f64(self.least_ns.saturating_sub(since.most_ns)) * gain;
        let most = to_f64(self.most_ns.saturating_sub(since.least_ns)) * gain;
        let least = least * (1.0 - ERROR_MAX) - ERROR_MAX_NS;
        let most = most * (1.0 + ERROR_MAX) + ERROR_MAX_NS;
        (since.said_ns.saturating_add(to_u64(least)), since.said_ns.saturating_add(to_u64(most)))
    }

    /// Whether a sum that is off by [`SCALE_ERROR`] since `since` would have been told,
    /// whatever the gain.
    fn discriminates_since(&self, since: Self) -> bool {
        let growth = to_f64(self.said_ns.saturating_sub(since.said_ns));
        let width = to_f64(self.width_ns() + since.width_ns());
        let scale = 1.0 + SCALE_ERROR;
        let told = SCALE_ERROR - (ERROR_MAX + GAIN_ERROR_MAX) * scale;
        growth * told > ERROR_MAX_NS + width * scale
    }

    /// Whether growth is better counted from here on than from `anchor`. It is counted over
    /// some renewals, since over one of them the width of the two places may be as much as
    /// what has to be told; but not from the beginning for ever, or a sum that is wrong from
    /// now on would be lost in it. A place that is known far better is taken at once: the
    /// first ones are from before the renewals' moments are known.
    fn is_better_than(&self, anchor: Self, discriminates: bool) -> bool {
        let is_narrower = self.width_ns() < anchor.width_ns() / 4;
        let is_long_ago =
            self.read.ns_since(anchor.read).is_none_or(|since_ns| since_ns >= ANCHOR_AGE_MIN_NS);
        is_narrower || (discriminates && is_long_ago)
    }

    const fn width_ns(&self) -> u64 {
        self.most_ns - self.least_ns
    }

    /// What the endpoint's counter is likely to be when the sum is `value`.
    fn goes_on(&self, value: KernelValue, gain: f64) -> f64 {
        let growth = to_f64(value.total_ns.saturating_sub(self.likely_ns));
        to_f64(self.said_ns) + growth * gain
    }
}
