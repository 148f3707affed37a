//! Alarms compared: the same load step under alarms of several periods and of several M of N, out
//! and in; and how often each says something while nothing is the matter.

use std::{thread, time::Duration};

use crate::{
    alarm::{Alarm, Treat, Window},
    arguments::Arguments,
    assumptions::{
        AFTER, BEFORE, IN_AFTER, IN_BEFORE, IN_THRESHOLD, LEAST_TASKS, NOISE, WARM_UP_S,
    },
    cloudwatch::CloudWatch,
    esp_defaults,
    load::{Load, Step},
    moment::{Clock, SECOND_NS, ns},
    race::{alarm, latency},
    sidecar::{self, Publishing, Task},
    source::Kind,
    stats::Latencies,
    week::{NEEDED, SUFFICIENT, Week},
};

/// What an alarm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    In,
}

/// What came of one alarm. The first of each pair is with sliding windows, the second with
/// aligned ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) latencies: [Latencies; 2],
    /// The same if an evaluation looks at the last N periods only, whether they have data or not.
    pub(crate) without_look_back: [Latencies; 2],
    /// By one task alone, and by the average of as many as the examples keep at least.
    pub(crate) false_a_day: [[f64; 2]; 2],
}

const WINDOWS: [Window; 2] = [Window::Sliding, Window::Aligned];

/// On so many days, each with dice of its own, the false alarms are counted.
const DAYS: u64 = 10;

impl Way {
    /// The alarm of the examples with another period in seconds, M and N.
    pub(crate) fn alarm(self, of: (u64, usize, usize)) -> Alarm {
        let out = alarm(of, true);
        match self {
            Self::Out => out,
            Self::In => Alarm {
                threshold: IN_THRESHOLD,
                is_below: true,
                is_inclusive: false,
                missing: Treat::AsMissing,
                ..out
            },
        }
    }

    fn step(self) -> Step {
        let (before, after) = match self {
            Self::Out => (BEFORE, AFTER),
            Self::In => (IN_BEFORE, IN_AFTER),
        };
        Step { before, after, noise: NOISE }
    }

    fn day(self, seed: u64) -> Week {
        let profile = match self {
            Self::Out => SUFFICIENT,
            Self::In => NEEDED,
        };
        Week::new(profile, 1, seed)
    }
}

/// Compares alarms on what one task publishes, `runs` load steps and a week.
pub(crate) fn compare(
    way: Way,
    kind: Kind,
    alarms: &[Alarm],
    runs: u64,
    arguments: Arguments,
) -> Vec<Seen> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let clock = Clock::new();
    let mut all = vec![Seen::default(); alarms.len()];
    let parts: Vec<Vec<Seen>> = thread::scope(|scope| {
        let part = |thread: u64| {
            move || {
                let mut seen = vec![Seen::default(); alarms.len()];
                for number in (thread..runs).step_by(threads as usize) {
                    one_run(way, kind, alarms, number, arguments, clock, &mut seen);
                }
                seen
            }
        };
        let spawned: Vec<_> = (0..threads).map(|thread| scope.spawn(part(thread))).collect();
        #[expect(clippy::expect_used, reason = "a thread that panicked has no result to give")]
        spawned.into_iter().map(|it| it.join().expect("no panic")).collect()
    });
    for part in parts {
        for (seen, part) in all.iter_mut().zip(part) {
            let (sums, parts) = (seen.each_mut(), part.into_each());
            sums.into_iter().zip(parts).for_each(|(sum, part)| sum.extend(part));
        }
    }
    for seen in &mut all {
        seen.each_mut().into_iter().for_each(Latencies::sort);
    }
    for day in 0..DAYS {
        count_false(way, kind, alarms, arguments, arguments.seed + day * LEAST_TASKS, &mut all);
    }
    all
}

/// Adds the false alarms of a day: of one task, and of the average of a few that share the day
/// and nothing else.
fn count_false(
    way: Way,
    kind: Kind,
    alarms: &[Alarm],
    arguments: Arguments,
    seed: u64,
    all: &mut [Seen],
) {
    let mut data = Vec::new();
    for task in 0..LEAST_TASKS {
        let day = way.day(seed + task);
        data.extend(day.data(kind, seed + task, arguments.ingest_s));
        if ![0, LEAST_TASKS - 1].contains(&task) {
            continue;
        }
        data.sort_by_key(|datum| datum.second);
        for (place, window) in WINDOWS.into_iter().enumerate() {
            let alarms: Vec<_> = alarms.iter().map(|alarm| Alarm { window, ..*alarm }).collect();
            for (seen, a_day) in all.iter_mut().zip(day.false_a_day(&data, &alarms)) {
                seen.false_a_day[usize::from(task > 0)][place] += a_day / DAYS as f64;
            }
        }
    }
}

impl Seen {
    /// The share of the steps that raised no alarm without the look-back, with the worse windows.
    pub(crate) fn missed(&self) -> f64 {
        let share = |it: &Latencies| it.never() as f64 / it.runs().max(1) as f64;
        self.without_look_back.iter().map(share).fold(0.0, f64::max)
    }

    fn each_mut(&mut self) -> Vec<&mut Latencies> {
        self.latencies.iter_mut().chain(&mut self.without_look_back).collect()
    }

    fn into_each(self) -> Vec<Latencies> {
        self.latencies.into_iter().chain(self.without_look_back).collect()
    }
}

fn one_run(
    way: Way,
    kind: Kind,
    alarms: &[Alarm],
    number: u64,
    arguments: Arguments,
    clock: Clock,
    seen: &mut [Seen],
) {
    let seed = arguments.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut dice = fastrand::Rng::with_seed(seed);
    // Each alarm has the time that it looks at, and some more.
    let longest_s = alarms.iter().map(|it| it.period_s * it.periods as u64).max().unwrap_or(0);
    let patience_s = longest_s + 90;
    let length_s = WARM_UP_S as u64 + 60 + patience_s + 1;
    let load = Load::step(way.step(), WARM_UP_S, length_s, &mut dice);
    let interval_s = esp_defaults::interval_s();
    let publishing =
        Publishing { interval_s, offset_s: dice.f64() * interval_s, rule: esp_defaults::rule() };
    let task = Task {
        source: kind.source(dice.f64()),
        publishing,
        asked_from_ns: ns(dice.f64()),
        warm_up: Duration::ZERO,
    };
    let evaluation = dice.f64();
    let cloudwatch = CloudWatch { seed: dice.u64(..), ingest_s: arguments.ingest_s };
    let steps_at_ns = ns(load.steps_at_s);
    let until_ns = steps_at_ns + patience_s * SECOND_NS;
    let data = sidecar::play(task, &load, cloudwatch, clock, until_ns).data;
    let latency = |alarm, window| latency(&data, alarm, window, evaluation, steps_at_ns, until_ns);
    for (alarm, seen) in alarms.iter().zip(seen) {
        let with = Alarm { look_back: arguments.look_back, ..*alarm };
        let without = Alarm { look_back: 0, ..*alarm };
        for (place, window) in WINDOWS.into_iter().enumerate() {
            seen.latencies[place].add(latency(with, window));
            seen.without_look_back[place].add(latency(without, window));
        }
    }
}
