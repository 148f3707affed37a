//! The load of one task, second by second, and what the kernel's counter makes of it.

use crate::{
    dice::{between, scattered},
    moment::{SECOND_NS, seconds},
};

/// The CPU of a task in percent of its limit, over time.
#[derive(Debug)]
pub(crate) struct Load {
    /// CPU time used up to the beginning of each second, in seconds of the whole limit.
    used_s: Vec<f64>,
    /// When it steps up, if that is what it is for.
    pub(crate) steps_at_s: f64,
}

/// A step from `before` to `after` percent, and how far single seconds scatter around both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) before: (f64, f64),
    pub(crate) after: (f64, f64),
    pub(crate) noise: (f64, f64),
}

impl Load {
    /// Of percentages, one for each second. None is below 0: a counter does not fall.
    pub(crate) fn of(percentages: impl Iterator<Item = f64>) -> Self {
        let mut load = Self { used_s: vec![0.0], steps_at_s: 0.0 };
        percentages.for_each(|percent| load.push(percent));
        load
    }

    /// One second more.
    pub(crate) fn push(&mut self, percent: f64) {
        self.used_s.push(self.used_s[self.used_s.len() - 1] + percent.max(0.0) / 100.0);
    }

    /// One step, at a moment within a minute after `earliest_s`, for `length_s` in all.
    pub(crate) fn step(
        step: Step,
        earliest_s: f64,
        length_s: u64,
        dice: &mut fastrand::Rng,
    ) -> Self {
        let steps_at_s = earliest_s + between((0.0, 60.0), dice);
        Self::step_at(step, steps_at_s, length_s, dice)
    }

    /// The same, at that moment.
    pub(crate) fn step_at(
        step: Step,
        steps_at_s: f64,
        length_s: u64,
        dice: &mut fastrand::Rng,
    ) -> Self {
        let (before, after) = (between(step.before, dice), between(step.after, dice));
        let noise = between(step.noise, dice);
        let mut percentages = Vec::with_capacity(length_s as usize);
        for second in 0..length_s {
            // The second in which it steps has a part of each.
            let share = (second as f64 + 1.0 - steps_at_s).clamp(0.0, 1.0);
            let percent = before + (after - before) * share + noise * scattered(dice);
            percentages.push(percent.min(100.0));
        }
        Self { steps_at_s, ..Self::of(percentages.into_iter()) }
    }

    /// Nothing until it begins, all the CPU that there is for a while, and then `calm`.
    pub(crate) fn start_up(
        calm: f64,
        begins_s: f64,
        lasts_s: f64,
        noise: (f64, f64),
        length_s: u64,
        dice: &mut fastrand::Rng,
    ) -> Self {
        let noise = between(noise, dice);
        let percentages = (0..length_s).map(|second| {
            let since_s = second as f64 + 1.0 - begins_s;
            let begun = since_s.clamp(0.0, 1.0);
            let steady = (since_s - lasts_s).clamp(0.0, 1.0);
            (100.0 + (calm - 100.0) * steady + noise * scattered(dice)).min(100.0) * begun
        });
        Self { steps_at_s: begins_s, ..Self::of(percentages) }
    }

    /// The counter at this moment, in nanoseconds of a task of one CPU. Never 0, which would
    /// mean that there is none.
    pub(crate) fn counter_ns(&self, at_ns: u64) -> u64 {
        1 + (self.used_s_at(at_ns) * 1e9) as u64
    }

    /// The mean between two moments, percent.
    pub(crate) fn mean(&self, from_ns: u64, to_ns: u64) -> f64 {
        let used_s = self.used_s_at(to_ns) - self.used_s_at(from_ns);
        100.0 * used_s / seconds(to_ns - from_ns)
    }

    fn used_s_at(&self, at_ns: u64) -> f64 {
        let last = self.used_s.len() - 2;
        let second = ((at_ns / SECOND_NS) as usize).min(last);
        let into = seconds(at_ns - second as u64 * SECOND_NS);
        self.used_s[second] + (self.used_s[second + 1] - self.used_s[second]) * into
    }
}
