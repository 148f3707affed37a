//! Step scaling as Application Auto Scaling does it: which step a breach asks for, what a cooldown
//! holds back, and how often an alarm that stays on asks again. Pure.

use crate::assumptions::{ACTION_REPEATS_S, MOST_TASKS, SERVICE_LEAST_TASKS};

/// What the numbers of the steps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adjustment {
    /// Percent of the capacity, and at least one task.
    Percent,
    Tasks,
}

/// A step scaling policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) adjustment: Adjustment,
    /// From so many points beyond the threshold on, so much; the nearest first.
    pub(crate) steps: &'static [(f64, f64)],
    pub(crate) cooldown_s: f64,
}

/// A policy, and what it remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    policy: Policy,
    /// When it acted last, and the capacity before that.
    acted: Option<(f64, u64)>,
    asked_s: Option<f64>,
}

impl Ready {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, acted: None, asked_s: None }
    }

    /// What the capacity is to be after an evaluation that left the alarm on, `beyond` points
    /// beyond its threshold; `None` if it says nothing.
    pub(crate) fn on_alarm(&mut self, at_s: f64, beyond: f64, capacity: u64) -> Option<u64> {
        if self.asked_s.is_some_and(|asked_s| at_s < asked_s + ACTION_REPEATS_S) {
            return None;
        }
        self.asked_s = Some(at_s);
        let steps = self.policy.steps.iter();
        let (_, amount) = *steps.rev().find(|(from, _)| beyond.max(0.0) >= *from)?;
        let is_out = amount > 0.0;
        let cooling = self.acted.filter(|(acted_s, _)| at_s < acted_s + self.policy.cooldown_s);
        if cooling.is_some() && !is_out {
            return None;
        }
        // What was added counts towards what this step asks for.
        let base = cooling.map_or(capacity, |(_, before)| before.min(capacity));
        let wanted = match self.policy.adjustment {
            Adjustment::Tasks => base as f64 + amount,
            Adjustment::Percent => {
                let tasks = base as f64 * amount.abs() / 100.0;
                base as f64 + tasks.floor().max(1.0) * amount.signum()
            }
        };
        let wanted = (wanted.max(0.0) as u64).clamp(SERVICE_LEAST_TASKS, MOST_TASKS);
        let is_more = if is_out { wanted > capacity } else { wanted < capacity };
        if is_more {
            self.acted = Some((at_s, base));
        }
        is_more.then_some(wanted)
    }

    /// The alarm is not on.
    pub(crate) fn on_ok(&mut self) {
        self.asked_s = None;
    }

    /// Whether it holds back others that scale in.
    pub(crate) fn is_cooling(&self, at_s: f64) -> bool {
        self.acted.is_some_and(|(acted_s, _)| at_s < acted_s + self.policy.cooldown_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Policy = Policy {
        adjustment: Adjustment::Percent,
        steps: &[(0.0, 50.0), (20.0, 100.0)],
        cooldown_s: 60.0,
    };

    #[test]
    fn the_step_is_that_of_the_breach_and_less_than_a_task_is_one() {
        for (beyond, capacity, expected) in
            [(0.0, 10, 15), (19.9, 10, 15), (20.0, 10, 20), (0.0, 5, 7), (0.0, 40, MOST_TASKS)]
        {
            let wanted = Ready::new(OUT).on_alarm(0.0, beyond, capacity);
            assert_eq!(wanted, Some(expected), "{beyond} {capacity}");
        }
        let back = Policy { steps: &[(0.0, -10.0)], ..OUT };
        for (capacity, expected) in [(10, Some(9)), (25, Some(23)), (5, Some(4)), (2, None)] {
            assert_eq!(Ready::new(back).on_alarm(0.0, 5.0, capacity), expected, "{capacity}");
        }
    }

    #[test]
    fn a_cooldown_lets_a_higher_step_add_the_difference_and_holds_back_scaling_in() {
        let mut out = Ready::new(Policy { cooldown_s: 300.0, ..OUT });
        assert_eq!(out.on_alarm(0.0, 5.0, 10), Some(15));
        assert_eq!(out.on_alarm(30.0, 50.0, 15), None, "it asks once a minute");
        assert_eq!(out.on_alarm(60.0, 5.0, 15), None, "half of ten is there");
        assert_eq!(out.on_alarm(120.0, 30.0, 15), Some(20), "twice ten");
        out.on_ok();
        assert!(out.is_cooling(419.0) && !out.is_cooling(421.0));
        assert_eq!(out.on_alarm(500.0, 5.0, 20), Some(30));

        let mut back = Ready::new(Policy { steps: &[(0.0, -10.0)], cooldown_s: 300.0, ..OUT });
        assert_eq!(back.on_alarm(0.0, 5.0, 10), Some(9));
        assert_eq!(back.on_alarm(299.0, 5.0, 9), None);
        assert_eq!(back.on_alarm(360.0, 5.0, 9), Some(8));
    }
}
