//! CloudWatch's evaluation of an alarm: which periods it looks at, what it makes of missing
//! ones, M of N. Pure: the data and the moment in, the state out.
//!
//! An evaluation sees what has arrived by then. It never goes back to an earlier decision: data
//! that come later change what later evaluations see of the same period, and nothing else.

use crate::{
    assumptions::P90_SAMPLES,
    moment::{SECOND_NS, ns},
};

/// The samples of one second that came together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datum {
    /// The second that they are stamped with.
    pub(crate) second: u64,
    pub(crate) sum: f64,
    pub(crate) count: f64,
    /// When an evaluation sees them.
    pub(crate) arrived_ns: u64,
}

/// Where a period begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// The last one ends with the evaluation, to the second: CloudWatch's default.
    Sliding,
    /// At multiples of its length by the wall clock.
    Aligned,
}

/// What a period without data counts as, once there are too few with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treat {
    NotBreaching,
    #[cfg_attr(not(test), expect(dead_code, reason = "the rules are whole; the model has two"))]
    Breaching,
    #[cfg_attr(not(test), expect(dead_code, reason = "the rules are whole; the model has two"))]
    Ignore,
    AsMissing,
}

/// How the samples of a period become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    Average,
    Maximum,
    /// The 90th percentile. With `ignores_few`, the state stays as it is while the newest period
    /// with data has fewer samples than [`P90_SAMPLES`].
    P90 {
        ignores_few: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Alarm,
    InsufficientData,
}

/// An alarm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm {
    pub(crate) statistic: Statistic,
    pub(crate) period_s: u64,
    /// M and N.
    pub(crate) breaches: usize,
    pub(crate) periods: usize,
    /// How many periods before those an evaluation asks for.
    pub(crate) look_back: usize,
    pub(crate) threshold: f64,
    /// Whether values below the threshold breach, and not those above it.
    pub(crate) is_below: bool,
    /// Whether the threshold itself breaches.
    pub(crate) is_inclusive: bool,
    pub(crate) missing: Treat,
    pub(crate) window: Window,
    pub(crate) evaluated_each_s: f64,
}

impl Alarm {
    /// What an evaluation at `at_ns` makes of the last N periods and of those before them that are
    /// looked at, newest first. `data` is in the order of its seconds.
    pub(crate) fn points(&self, data: &[Datum], at_ns: u64) -> Vec<Option<f64>> {
        let count = self.periods + self.look_back;
        match self.statistic {
            Statistic::Average => {
                let mut sums = vec![(0.0, 0.0); count];
                self.each_seen(data, at_ns, |period, datum| {
                    let (sum, of) = &mut sums[period];
                    *sum += datum.sum;
                    *of += datum.count;
                });
                sums.into_iter().map(|(sum, of)| (of > 0.0).then_some(sum / of)).collect()
            }
            Statistic::Maximum => {
                let mut highest: Vec<Option<f64>> = vec![None; count];
                self.each_seen(data, at_ns, |period, datum| {
                    let value = datum.sum / datum.count;
                    highest[period] = Some(highest[period].map_or(value, |it| it.max(value)));
                });
                highest
            }
            Statistic::P90 { .. } => {
                let mut values = vec![Vec::new(); count];
                self.each_seen(data, at_ns, |period, datum| {
                    values[period].push(datum.sum / datum.count);
                });
                values.into_iter().map(p90).collect()
            }
        }
    }

    /// Shows each datum that has arrived, with its period: 0 is the newest.
    fn each_seen(&self, data: &[Datum], at_ns: u64, mut show: impl FnMut(usize, &Datum)) {
        let now_s = at_ns / SECOND_NS;
        let end_s = match self.window {
            Window::Sliding => now_s,
            Window::Aligned => now_s - now_s % self.period_s,
        };
        let count = self.periods + self.look_back;
        for datum in data[..data.partition_point(|datum| datum.second < end_s)].iter().rev() {
            let period = ((end_s - 1 - datum.second) / self.period_s) as usize;
            // The seconds of a task are in order, but for a datum now and then.
            if period > count {
                break;
            }
            if period < count && datum.arrived_ns <= at_ns {
                show(period, datum);
            }
        }
    }

    /// The state after an evaluation at `at_ns`.
    pub(crate) fn evaluate(&self, data: &[Datum], at_ns: u64, before: State) -> State {
        if self.statistic == (Statistic::P90 { ignores_few: true }) {
            let mut samples = vec![0; self.periods + self.look_back];
            self.each_seen(data, at_ns, |period, _| samples[period] += 1);
            if samples.into_iter().find(|count| *count > 0).is_none_or(|it| it < P90_SAMPLES) {
                return before;
            }
        }
        self.judge(&self.points(data, at_ns), before)
    }

    /// What the points come to. `before` is the state until now.
    pub(crate) fn judge(&self, points: &[Option<f64>], before: State) -> State {
        let known: Vec<bool> = points
            .iter()
            .flatten()
            .take(self.periods)
            .map(|point| self.is_breach(*point))
            .collect();
        // Only as many stand in for missing ones as there are too few.
        let missing = self.periods - known.len();
        let breaching = known.iter().filter(|is_breach| **is_breach).count();
        let is_all_breaching = breaching == known.len();
        match self.missing {
            _ if breaching >= self.breaches => State::Alarm,
            Treat::Breaching if breaching + missing >= self.breaches => State::Alarm,
            Treat::NotBreaching | Treat::Breaching => State::Ok,
            Treat::AsMissing if known.is_empty() => State::InsufficientData,
            Treat::Ignore if known.is_empty() => before,
            _ if !is_all_breaching || missing == 0 => State::Ok,
            Treat::AsMissing => State::Alarm,
            Treat::Ignore => before,
        }
    }

    /// When it first goes to ALARM, evaluated at `phase_ns` and from then on as often as it is,
    /// between the two moments.
    pub(crate) fn first_alarm(
        &self,
        data: &[Datum],
        phase_ns: u64,
        from_ns: u64,
        until_ns: u64,
    ) -> Option<u64> {
        let each_ns = ns(self.evaluated_each_s);
        let first = phase_ns + from_ns.saturating_sub(phase_ns).div_ceil(each_ns) * each_ns;
        let mut state = State::Ok;
        (first..until_ns).step_by(each_ns as usize).find(|&at_ns| {
            state = self.evaluate(data, at_ns, state);
            state == State::Alarm
        })
    }

    fn is_breach(&self, point: f64) -> bool {
        let is_beyond = if self.is_below { point < self.threshold } else { point > self.threshold };
        #[expect(clippy::float_cmp, reason = "the threshold itself")]
        let is_at = point == self.threshold;
        is_beyond || (self.is_inclusive && is_at)
    }
}

/// The value that nine tenths of `values` do not exceed.
pub(crate) fn p90(mut values: Vec<f64>) -> Option<f64> {
    let place = (values.len() as f64 * 0.9).ceil() as usize;
    let place = place.checked_sub(1)?;
    Some(*values.select_nth_unstable_by(place, f64::total_cmp).1)
}

#[cfg(test)]
mod tests;
