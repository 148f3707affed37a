//! How `LocalStack` evaluates an alarm, and what the model then expects of a real run.
//!
//! The rules are those of its source, `services/cloudwatch/alarm_scheduler.py` of version
//! 4.12.0, for an alarm of M of N periods with missing ones not breaching. They differ from
//! CloudWatch's:
//!
//! - It evaluates each N periods, beginning when the alarm is made: an alarm of 1 of 2 periods
//!   of 10 s each 20 s. CloudWatch evaluates it each 10 s.
//! - The last period ends with the evaluation, cut to the second: the window slides.
//! - It looks at N periods and at those before them, a third of N and at least two, and counts
//!   M breaching ones among all of them. CloudWatch looks back for missing periods only.
//! - A datum counts once it is stored, with no delay.

use std::time::Duration;

use crate::{
    alarm::{Alarm, Datum, Statistic, Treat, Window},
    assumptions::{THRESHOLD, WARM_UP_S},
    cloudwatch::CloudWatch,
    dice::between,
    esp_defaults,
    load::{Load, Step},
    moment::{Clock, SECOND_NS, ns, seconds},
    sidecar::{self, Publishing, Task},
    source::Kind,
    stats::Latencies,
};

/// Period in seconds, M, N: the shortest alarm that there is, and that of the examples.
pub(crate) const ALARMS: [(u64, usize, usize); 2] = [(10, 1, 1), (10, 1, 2)];

/// The load of a real run before and after its step, percent of the task's CPU.
pub(crate) const LOAD: (f64, f64) = (2.0, 90.0);

/// How far its single seconds scatter, points. An assumption: the load's process keeps to its
/// share, and a busy machine takes some of it away.
const NOISE: (f64, f64) = (0.0, 2.0);

/// How long an alarm is waited for after the step, seconds: more than two evaluations.
pub(crate) const PATIENCE_S: u64 = 70;

/// How often `LocalStack` evaluates this alarm, seconds.
pub(crate) fn evaluated_each_s((period_s, _, periods): (u64, usize, usize)) -> f64 {
    (period_s * periods as u64) as f64
}

/// When `LocalStack` sets the alarm to ALARM, evaluated at `phase_ns` and from then on as often
/// as it does, between the two moments.
fn first_alarm(
    of: (u64, usize, usize),
    data: &[Datum],
    phase_ns: u64,
    from_ns: u64,
    until_ns: u64,
) -> Option<u64> {
    let (period_s, breaches, periods) = of;
    let alarm = Alarm {
        statistic: Statistic::Average,
        period_s,
        breaches,
        periods: periods + (periods / 3).max(2),
        look_back: 0,
        threshold: THRESHOLD,
        is_below: false,
        is_inclusive: true,
        missing: Treat::NotBreaching,
        window: Window::Sliding,
        evaluated_each_s: evaluated_each_s(of),
    };
    alarm.first_alarm(data, phase_ns, from_ns, until_ns)
}

/// What is known of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// How far into a second of the wall clock it came, seconds.
    pub(crate) fraction_s: f64,
    /// From the step to the next evaluation of each alarm, seconds.
    pub(crate) to_evaluation_s: [f64; ALARMS.len()],
}

/// Seconds from the step to ALARM, for each alarm, in `runs` runs of ESP with its default
/// settings on the endpoint of 1 s. What is not known of the step is left to the dice.
pub(crate) fn predict(known: Option<Known>, runs: u64, seed: u64) -> [Latencies; ALARMS.len()] {
    let clock = Clock::new();
    let mut all: [Latencies; ALARMS.len()] = Default::default();
    for number in 0..runs {
        let seed = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut dice = fastrand::Rng::with_seed(seed);
        let drawn = Known {
            fraction_s: dice.f64(),
            to_evaluation_s: ALARMS.map(|of| between((0.0, evaluated_each_s(of)), &mut dice)),
        };
        let known = known.unwrap_or(drawn);
        let step = Step { before: (LOAD.0, LOAD.0), after: (LOAD.1, LOAD.1), noise: NOISE };
        let length_s = WARM_UP_S as u64 + PATIENCE_S + 2;
        let load = Load::step_at(step, WARM_UP_S + known.fraction_s, length_s, &mut dice);
        let interval_s = esp_defaults::interval_s();
        let task = Task {
            source: Kind::Endpoint.source(dice.f64()),
            publishing: Publishing {
                interval_s,
                offset_s: dice.f64() * interval_s,
                rule: esp_defaults::rule(),
            },
            asked_from_ns: ns(dice.f64()),
            warm_up: Duration::ZERO,
        };
        let cloudwatch = CloudWatch { seed: dice.u64(..), ingest_s: (0.0, 0.0) };
        let steps_at_ns = ns(load.steps_at_s);
        let until_ns = steps_at_ns + PATIENCE_S * SECOND_NS;
        let published = sidecar::play(task, &load, cloudwatch, clock, until_ns);
        for ((of, to_s), latencies) in ALARMS.into_iter().zip(known.to_evaluation_s).zip(&mut all) {
            let phase_ns = (steps_at_ns + ns(to_s)) % ns(evaluated_each_s(of));
            let at_ns = first_alarm(of, &published.data, phase_ns, steps_at_ns, until_ns);
            latencies.add(at_ns.map(|at_ns| seconds(at_ns - steps_at_ns)));
        }
    }
    for latencies in &mut all {
        latencies.sort();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(value: impl Fn(u64) -> f64) -> Vec<Datum> {
        let datum = |second| Datum { second, sum: value(second), count: 1.0, arrived_ns: 0 };
        (0..100).map(datum).collect()
    }

    #[test]
    fn one_of_two_is_evaluated_each_20_s_and_the_window_slides() {
        let data = data(|second| if second < 40 { 0.0 } else { 100.0 });
        let at = |of, phase_s| first_alarm(of, &data, ns(phase_s), ns(30.0), ns(100.0));
        // Of the ten seconds before 45.5, five are hot; of those before 46.5, six.
        assert_eq!(at((10, 1, 1), 5.5), Some(ns(55.5)));
        assert_eq!(at((10, 1, 1), 6.5), Some(ns(46.5)));
        assert_eq!(at((10, 1, 2), 5.5), Some(ns(65.5)));
        assert_eq!(at((10, 1, 2), 6.5), Some(ns(46.5)));
    }

    #[test]
    fn a_breach_in_the_periods_before_the_last_n_counts_too() {
        let data = data(|second| if (40..50).contains(&second) { 100.0 } else { 0.0 });
        let at = |from_s| first_alarm((10, 1, 1), &data, 0, ns(from_s), ns(100.0));
        // Judged 20 s after it ended, it is the third period; 30 s after, it is forgotten.
        assert_eq!(at(70.0), Some(ns(70.0)));
        assert_eq!(at(80.0), None);
    }

    #[test]
    fn the_prediction_is_made_of_the_moments_at_which_it_evaluates() {
        let known = Known { fraction_s: 0.3, to_evaluation_s: [2.0, 15.0] };
        let [of_1, of_2] = predict(Some(known), 5, 1);
        // After two seconds there is too little of the load in any period.
        assert!((of_1.quantile(0.0) - 12.0).abs() < 1e-6);
        assert!((of_1.quantile(1.0) - 12.0).abs() < 1e-6);
        assert!((of_2.quantile(0.5) - 15.0).abs() < 1e-6);
        assert_eq!((of_1.never(), of_2.never()), (0, 0));
    }
}
