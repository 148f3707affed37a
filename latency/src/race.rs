//! The race: the same load step seen by each publisher, and the alarm on each. A run is one
//! step, one set of phases, one set of delays.

use std::{thread, time::Duration};

use crate::{
    alarm::{Alarm, Datum, Statistic, Treat, Window},
    assumptions::{
        ECS_20_S_TRACKING, ECS_60_S_TRACKING, ECS_STEP_ALARM, ESP_ALARM, EVALUATED_EACH_S,
        LOOK_BACK_PERIODS, THRESHOLD, TRIGGER_S, WARM_UP_S,
    },
    cloudwatch::CloudWatch,
    load::{Load, Step},
    moment::{Clock, SECOND_NS, ns, seconds},
    rivals,
    sidecar::{self, Publishing, Task},
    source::Kind,
    stats::Latencies,
};

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Runner {
    /// Each value at once; CloudWatch's delay remains, or not even that.
    Ideal { is_instant: bool },
    Esp {
        kind: Kind,
        interval_s: f64,
        offset: Offset,
        rule: Option<esp::publisher::adaptive::Rule>,
    },
    /// ECS's metric of this period, under this alarm.
    Ecs { alarm: (u64, usize, usize), is_tracking: bool },
}

/// Where the requests of a task lie, off the wall clock's multiples of the interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Offset {
    At(f64),
    /// Evenly anywhere from 0 to so many seconds, by the task.
    Within(f64),
    /// So many seconds before the alarm's evaluation, whose moment nobody outside knows.
    BeforeEvaluation(f64),
    /// Evenly anywhere in the interval, by the task, and one more request so many seconds
    /// before each evaluation.
    AndBeforeEvaluation(f64),
}

pub(crate) const ECS_60_TRACKING: Runner =
    Runner::Ecs { alarm: ECS_60_S_TRACKING, is_tracking: true };
pub(crate) const ECS_20_TRACKING: Runner =
    Runner::Ecs { alarm: ECS_20_S_TRACKING, is_tracking: true };
pub(crate) const ECS_20_STEP: Runner = Runner::Ecs { alarm: ECS_STEP_ALARM, is_tracking: false };

/// What is raced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) runs: u64,
    pub(crate) seed: u64,
    pub(crate) step: Step,
    pub(crate) ingest_s: (f64, f64),
    /// How many periods before the last N an evaluation asks for.
    pub(crate) look_back: usize,
}

/// What came of one runner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Result {
    pub(crate) sliding: Latencies,
    pub(crate) aligned: Latencies,
    /// Requests in the minute before the step and in the one after it, over all runs.
    requests: [usize; 2],
}

impl Result {
    /// Requests a minute, before the step and after it.
    pub(crate) fn requests_a_minute(&self, runs: u64) -> [f64; 2] {
        self.requests.map(|count| count as f64 / runs as f64)
    }

    fn add(&mut self, other: Self) {
        self.sliding.extend(other.sliding);
        self.aligned.extend(other.aligned);
        for (sum, count) in self.requests.iter_mut().zip(other.requests) {
            *sum += count;
        }
    }
}

/// Runs the course with each runner on the same loads. By as many threads as there are CPUs;
/// what comes out does not depend on their number.
pub(crate) fn run(course: Course, runners: &[Runner]) -> Vec<Result> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let clock = Clock::new();
    let parts: Vec<Vec<Result>> = thread::scope(|scope| {
        let part = |thread: u64| {
            move || {
                let mut results = vec![Result::default(); runners.len()];
                for number in (thread..course.runs).step_by(threads as usize) {
                    one_run(course, number, runners, clock, &mut results);
                }
                results
            }
        };
        let spawned: Vec<_> = (0..threads).map(|thread| scope.spawn(part(thread))).collect();
        #[expect(clippy::expect_used, reason = "a thread that panicked has no result to give")]
        spawned.into_iter().map(|it| it.join().expect("no panic")).collect()
    });
    let mut results = vec![Result::default(); runners.len()];
    for (result, part) in parts.into_iter().flat_map(|part| part.into_iter().enumerate()) {
        results[result].add(part);
    }
    for result in &mut results {
        result.sliding.sort();
        result.aligned.sort();
    }
    results
}

fn one_run(course: Course, number: u64, runners: &[Runner], clock: Clock, results: &mut [Result]) {
    let seed = course.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut dice = fastrand::Rng::with_seed(seed);
    let longest = runners.iter().map(|runner| patience_s(*runner)).max().unwrap_or(0);
    let length_s = WARM_UP_S as u64 + 60 + longest + 1;
    let load = Load::step(course.step, WARM_UP_S, length_s, &mut dice);
    let (phase, asked_from_ns) = (dice.f64(), ns(dice.f64()));
    // Where the task's place in the schedule is, and where the alarm's evaluation.
    let (place, evaluation) = (dice.f64(), dice.f64());
    let cloudwatch = CloudWatch { seed: dice.u64(..), ingest_s: course.ingest_s };
    let steps_at_ns = ns(load.steps_at_s);
    for (runner, result) in runners.iter().zip(results) {
        let until_ns = steps_at_ns + patience_s(*runner) * SECOND_NS;
        let (data, alarm) = match *runner {
            Runner::Ideal { is_instant } => {
                let source = Kind::Endpoint.source(phase);
                let data = rivals::ideal(source, &load, &cloudwatch, is_instant, until_ns);
                (data, esp_alarm())
            }
            Runner::Ecs { alarm: of, is_tracking } => {
                (rivals::native(of.0, &load, &cloudwatch, until_ns), alarm(of, !is_tracking))
            }
            Runner::Esp { kind, interval_s, offset, rule } => {
                let before =
                    |by: f64| (evaluation * EVALUATED_EACH_S.0 - by).rem_euclid(interval_s);
                let (offset_s, extra_s) = match offset {
                    Offset::At(seconds) => (seconds, None),
                    Offset::Within(most) => (place * most, None),
                    Offset::BeforeEvaluation(by) => (before(by), None),
                    Offset::AndBeforeEvaluation(by) => (place * interval_s, Some(before(by))),
                };
                let play = |offset_s| {
                    let task = Task {
                        source: kind.source(phase),
                        publishing: Publishing { interval_s, offset_s, rule },
                        asked_from_ns,
                        warm_up: Duration::ZERO,
                    };
                    sidecar::play(task, &load, cloudwatch, clock, until_ns)
                };
                let mut published = play(offset_s);
                if let Some(extra_s) = extra_s {
                    published.add(play(extra_s));
                }
                let minute_ns = 60 * SECOND_NS;
                for at_ns in published.requests_ns {
                    if let Some(since) = (at_ns + minute_ns).checked_sub(steps_at_ns)
                        && let Some(minute) = result.requests.get_mut((since / minute_ns) as usize)
                    {
                        *minute += 1;
                    }
                }
                (published.data, esp_alarm())
            }
        };
        let alarm = Alarm { look_back: course.look_back, ..alarm };
        let latency = |window| latency(&data, alarm, window, evaluation, steps_at_ns, until_ns);
        result.sliding.add(latency(Window::Sliding));
        result.aligned.add(latency(Window::Aligned));
    }
}

/// How long an alarm is waited for after the step, seconds.
fn patience_s(runner: Runner) -> u64 {
    match runner {
        Runner::Ecs { alarm: (period_s, ..), .. } => 10 * period_s,
        Runner::Ideal { .. } => 70,
        Runner::Esp { interval_s, .. } => 70 + 2 * interval_s as u64,
    }
}

/// An alarm on the average at or above the threshold: its period in seconds, M, N.
pub(crate) fn alarm(
    (period_s, breaches, periods): (u64, usize, usize),
    is_inclusive: bool,
) -> Alarm {
    let (below_a_minute, others) = EVALUATED_EACH_S;
    Alarm {
        statistic: Statistic::Average,
        period_s,
        breaches,
        periods,
        look_back: LOOK_BACK_PERIODS,
        threshold: THRESHOLD,
        is_below: false,
        is_inclusive,
        missing: Treat::NotBreaching,
        window: Window::Sliding,
        evaluated_each_s: if period_s < 60 { below_a_minute } else { others },
    }
}

/// The alarm of the examples.
pub(crate) fn esp_alarm() -> Alarm {
    alarm(ESP_ALARM, true)
}

/// From `steps_at_ns` to ALARM, seconds; `None` if not before `until_ns`.
pub(crate) fn latency(
    data: &[Datum],
    alarm: Alarm,
    window: Window,
    evaluation: f64,
    steps_at_ns: u64,
    until_ns: u64,
) -> Option<f64> {
    let alarm = Alarm { window, ..alarm };
    let phase_ns = ns(evaluation * alarm.evaluated_each_s);
    let at_ns = alarm.first_alarm(data, phase_ns, steps_at_ns, until_ns)?;
    Some(seconds(at_ns - steps_at_ns) + TRIGGER_S)
}
