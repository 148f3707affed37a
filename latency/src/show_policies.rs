//! Policies compared, and second alarms that find a hot task, as tables.

use std::{sync::Mutex, thread};

use crate::{
    alarm::{Alarm, Statistic},
    alarms::Way,
    arguments::Arguments,
    assumptions::{
        ESP_ALARM, ESP_IN_ALARM, HOT_MAXIMUM_ALARM, HOT_P90_ALARM, P90_SAMPLES, START_S,
    },
    dice::between,
    policy::{Adjustment, Policy},
    service::{AT_S, LENGTH_S, Scaling, Story, Work, play},
    stats::Latencies,
};

/// How often each row is played.
const REPEATS: u64 = 20;

/// What a task of the services uses while nothing happens, percent, and how far single seconds
/// scatter.
const CALM: f64 = 35.0;
const NOISE: f64 = 5.0;

/// Single seconds an hour in which a task uses all that it may: a garbage collector. An
/// assumption.
const BUSY_SECONDS_AN_HOUR: f64 = 20.0;

/// The policies of the examples.
const OUT: Policy = Policy {
    adjustment: Adjustment::Percent,
    steps: &[(0.0, 50.0), (10.0, 100.0)],
    cooldown_s: 90.0,
};
const IN: Policy =
    Policy { adjustment: Adjustment::Percent, steps: &[(0.0, -10.0)], cooldown_s: 300.0 };
const ONE_MORE: Policy =
    Policy { adjustment: Adjustment::Tasks, steps: &[(0.0, 1.0)], cooldown_s: 300.0 };

/// What happens to a service.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// So many times the load, for so many seconds.
    Rise(f64, u64),
    /// Five times, at random, twice to three times the load for one to five minutes.
    Bursts,
    /// Nothing, but single seconds in which a task uses all that it may, so many an hour.
    BusySeconds(f64),
    /// So many of a hundred tasks, at least one, use all that they may for so many seconds,
    /// whatever the others do.
    Stuck(u64, u64),
    /// The load rises to this mean, of which one task gets so much more than its share that it
    /// has to use this; more tasks make it less.
    Uneven(f64, f64),
}

impl Event {
    fn work(self, tasks: u64, dice: &mut fastrand::Rng) -> Work {
        let mut times = vec![1.0; LENGTH_S as usize];
        let mut work = Work {
            demand: Vec::new(),
            skew: 1.0,
            stuck_s: (0, 0),
            stuck: 0,
            noise: NOISE,
            busy_seconds: 0.0,
        };
        match self {
            Self::Rise(high, lasts_s) => times[AT_S as usize..][..lasts_s as usize].fill(high),
            Self::Bursts => {
                for _ in 0..5 {
                    let begins_s = between((AT_S as f64, LENGTH_S as f64 - 400.0), dice) as usize;
                    let lasts_s = between((60.0, 300.0), dice) as usize;
                    times[begins_s..][..lasts_s].fill(between((2.0, 3.0), dice));
                }
            }
            Self::BusySeconds(an_hour) => work.busy_seconds = an_hour,
            Self::Stuck(percent, lasts_s) => {
                work.stuck = (tasks * percent / 100).max(1) as usize;
                work.stuck_s = (AT_S, AT_S + lasts_s);
            }
            Self::Uneven(mean, hot) => {
                let others = (mean * tasks as f64 - hot) / (tasks as f64 - 1.0);
                work.skew = hot / others;
                times[AT_S as usize..].fill(mean / CALM);
            }
        }
        work.demand = times.into_iter().map(|it| it * CALM * tasks as f64).collect();
        work
    }
}

/// The alarms and policies of the examples.
fn examples() -> Scaling {
    Scaling { out: vec![(Way::Out.alarm(ESP_ALARM), OUT)], back: (Way::In.alarm(ESP_IN_ALARM), IN) }
}

/// The same with a second alarm that scales out.
fn with(statistic: Statistic, threshold: f64, of: (u64, usize, usize), policy: Policy) -> Scaling {
    let alarm = Alarm { statistic, threshold, ..Way::Out.alarm(of) };
    let mut scaling = examples();
    scaling.out.push((alarm, policy));
    scaling
}

/// Plays services under several policies, and prints a row for each.
pub(crate) fn show_policies(arguments: Arguments) {
    let out = |policy| Scaling { out: vec![(Way::Out.alarm(ESP_ALARM), policy)], ..examples() };
    let back = |of, policy| Scaling { back: (Way::In.alarm(of), policy), ..examples() };
    let variants = [
        ("**as in the examples**", examples()),
        ("out by 25 %", out(Policy { steps: &[(0.0, 25.0)], ..OUT })),
        ("out by 50 %", out(Policy { steps: &[(0.0, 50.0)], ..OUT })),
        ("out by 100 %", out(Policy { steps: &[(0.0, 100.0)], ..OUT })),
        ("out by 100 % from 80 %", out(Policy { steps: &[(0.0, 50.0), (20.0, 100.0)], ..OUT })),
        ("out: cooldown of 60 s", out(Policy { cooldown_s: 60.0, ..OUT })),
        ("out: cooldown of 120 s", out(Policy { cooldown_s: 120.0, ..OUT })),
        ("out: cooldown of 300 s", out(Policy { cooldown_s: 300.0, ..OUT })),
        ("in: cooldown of 60 s", back(ESP_IN_ALARM, Policy { cooldown_s: 60.0, ..IN })),
        ("in: by 30 %", back(ESP_IN_ALARM, Policy { steps: &[(0.0, -30.0)], ..IN })),
        ("in: 14 of 15 of 10 s", back((10, 14, 15), IN)),
        ("in: 9 of 10 of 30 s", back((30, 9, 10), IN)),
    ];
    println!(
        "| what happens | policies | enough tasks: p50 | longest | most tasks | mean | busiest \
         task at 95 % or more | added, removed | changes of direction |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|");
    for (name, event) in [
        ("twice the load for 10 minutes", Event::Rise(2.0, 600)),
        ("three times the load for 10 minutes", Event::Rise(3.0, 600)),
        ("five bursts", Event::Bursts),
    ] {
        for (place, (policies, scaling)) in variants.iter().enumerate() {
            let seen = stories(event, scaling, 10, arguments);
            // Bursts have no one moment from which to count.
            let is_one = matches!(event, Event::Rise(..));
            let enough = if is_one {
                quantiles(seen.iter().map(|story| story.enough_s))
            } else {
                "– | –".to_owned()
            };
            let name = if place == 0 { name } else { "" };
            let most = seen.iter().map(|story| story.most).max().unwrap_or(0);
            println!("| {name} | {policies} | {enough} | {most} | {} |", the_rest(&seen));
        }
    }
    println!(
        "\nTen tasks, each at {CALM:.0} % before; single seconds scatter by {NOISE:.0} points; a new \
         task has load {} to {} s after the decision.\nSeconds from the event; the other columns \
         are over the {} minutes from then on.",
        START_S.0,
        START_S.1,
        (LENGTH_S - AT_S) / 60
    );
}

/// Plays services with a hot task under several second alarms, and prints a row for each.
pub(crate) fn show_hot(arguments: Arguments) {
    let (max, p90) = (Statistic::Maximum, Statistic::P90 { ignores_few: false });
    let few = Statistic::P90 { ignores_few: true };
    let (hot_max, hot_p90) = (HOT_MAXIMUM_ALARM, HOT_P90_ALARM);
    let variants = [
        ("none", examples()),
        ("maximum, 1 of 2 of 10 s, steps", with(max, hot_max.0, ESP_ALARM, OUT)),
        ("maximum, 6 of 6 of 10 s, one task", with(max, hot_max.0, (10, 6, 6), ONE_MORE)),
        ("maximum, 6 of 7 of 10 s, steps", with(max, hot_max.0, hot_max.1, OUT)),
        ("**maximum, 6 of 7 of 10 s, one task**", with(max, hot_max.0, hot_max.1, ONE_MORE)),
        ("p90, 1 of 2 of 10 s, steps", with(p90, hot_p90.0, ESP_ALARM, OUT)),
        ("p90, 1 of 2 of 10 s, few ignored, one task", with(few, hot_p90.0, ESP_ALARM, ONE_MORE)),
        (
            "**p90, 2 of 2 of 30 s, few ignored, one task**",
            with(few, hot_p90.0, hot_p90.1, ONE_MORE),
        ),
    ];
    println!(
        "| what happens | tasks | second alarm | it is on: p50 | longest | in | all alarms | most \
         tasks | mean | busiest task at 95 % or more | added, removed | changes of direction |"
    );
    println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (name, event, sizes) in [
        ("nothing, but busy seconds", Event::BusySeconds(BUSY_SECONDS_AN_HOUR), &[4, 20][..]),
        ("one task is stuck at 100 % for 15 minutes", Event::Stuck(0, 900), &[4, 20]),
        ("a fifth of the tasks is", Event::Stuck(20, 900), &[20]),
        ("46 % on average, 98 % for one task", Event::Uneven(46.0, 98.0), &[20]),
    ] {
        for (number, tasks) in sizes.iter().copied().enumerate() {
            for (place, (second, scaling)) in variants.iter().enumerate() {
                let seen = stories(event, scaling, tasks, arguments);
                let name = if place == 0 && number == 0 { name } else { "" };
                let size = if place == 0 { tasks.to_string() } else { String::new() };
                let (on, share) = if scaling.out.len() > 1 {
                    let count = seen.iter().filter(|story| story.first_s[1].is_some()).count();
                    let share = 100.0 * count as f64 / seen.len() as f64;
                    let on = quantiles(seen.iter().map(|story| story.first_s[1]));
                    (on, format!("{share:.0} %"))
                } else {
                    ("– | –".to_owned(), "–".to_owned())
                };
                let alarms = mean(&seen, |story| story.alarms as f64);
                let most = seen.iter().map(|story| story.most).max().unwrap_or(0);
                println!(
                    "| {name} | {size} | {second} | {on} | {share} | {alarms:.1} | {most} | {} |",
                    the_rest(&seen)
                );
            }
        }
    }
    println!(
        "\nEach task at {CALM:.0} % before; in all rows the alarm on the average is there too. The \
         maximum is at or above {:.0} %,\np90 at or above {:.0} %. Steps: the policy of the \
         examples. One task: one more, at most each {:.0} s. Few ignored: fewer\nthan {P90_SAMPLES} \
         samples in a period leave the state as it is. Busy seconds: {BUSY_SECONDS_AN_HOUR:.0} an hour \
         in each task.\nSeconds from the event; in how many of {REPEATS} services the second alarm \
         was on; the rest is over {} minutes.",
        hot_max.0,
        hot_p90.0,
        ONE_MORE.cooldown_s,
        (LENGTH_S - AT_S) / 60
    );
}

fn the_rest(seen: &[Story]) -> String {
    let [tasks, full, outs, ins, turns] = [
        mean(seen, |story| story.mean),
        mean(seen, |story| 100.0 * story.full),
        mean(seen, |story| story.outs as f64),
        mean(seen, |story| story.ins as f64),
        mean(seen, |story| story.turns as f64),
    ];
    format!("{tasks:.1} | {full:.1} % | {outs:.1}, {ins:.1} | {turns:.1}")
}

fn mean(seen: &[Story], of: impl Fn(&Story) -> f64) -> f64 {
    seen.iter().map(of).sum::<f64>() / seen.len() as f64
}

fn quantiles(seconds: impl Iterator<Item = Option<f64>>) -> String {
    let mut latencies = Latencies::default();
    seconds.for_each(|it| latencies.add(it));
    latencies.sort();
    let text = |share| {
        let seconds = latencies.quantile(share);
        if seconds.is_finite() { format!("{seconds:.0}") } else { "–".to_owned() }
    };
    format!("{} | {}", text(0.5), text(0.99))
}

/// Plays it [`REPEATS`] times, by as many threads as there are CPUs.
fn stories(event: Event, scaling: &Scaling, tasks: u64, arguments: Arguments) -> Vec<Story> {
    let next = Mutex::new(0..REPEATS);
    let all = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(repeat) = next.lock().ok().and_then(|mut it| it.next()) {
                    let seed = arguments.seed.wrapping_add(repeat * 0x9e37_79b9);
                    let work = event.work(tasks, &mut fastrand::Rng::with_seed(seed));
                    let story = play(&work, scaling, tasks, seed, arguments.ingest_s);
                    if let Ok(mut all) = all.lock() {
                        all.push((repeat, story));
                    }
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_default();
    all.sort_by_key(|(repeat, _)| *repeat);
    all.into_iter().map(|(_, story)| story).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::assumptions::{IN_THRESHOLD, LEAST_TASKS, SERVICE_LEAST_TASKS, THRESHOLD};

    fn example(name: &str) -> Value {
        let path = format!("{}/../examples/scaling/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn assert_alarm(name: &str, threshold: f64, (period_s, m, n): (u64, usize, usize)) {
        let alarm = example(name);
        assert_eq!(alarm["Threshold"].as_f64(), Some(threshold), "{name}");
        let numbers = ["Period", "DatapointsToAlarm", "EvaluationPeriods"];
        let numbers = numbers.map(|key| alarm[key].as_u64().unwrap());
        assert_eq!(numbers, [period_s, m as u64, n as u64], "{name}");
    }

    fn assert_policy(name: &str, policy: Policy) {
        let scaling = &example(name)["StepScalingPolicyConfiguration"];
        let adjustment = match policy.adjustment {
            Adjustment::Percent => "PercentChangeInCapacity",
            Adjustment::Tasks => "ChangeInCapacity",
        };
        assert_eq!(scaling["AdjustmentType"], adjustment, "{name}");
        assert_eq!(scaling["Cooldown"].as_f64(), Some(policy.cooldown_s), "{name}");
        let steps = scaling["StepAdjustments"].as_array().unwrap().iter().map(|step| {
            let amount = step["ScalingAdjustment"].as_f64().unwrap();
            let near = if amount > 0.0 { "Lower" } else { "Upper" };
            let from = step[format!("MetricInterval{near}Bound")].as_f64().unwrap();
            (from.abs(), amount)
        });
        assert_eq!(steps.collect::<Vec<_>>(), policy.steps, "{name}");
    }

    #[test]
    fn the_examples_have_the_values_that_the_model_has() {
        assert_alarm("alarm-out", THRESHOLD, ESP_ALARM);
        assert_alarm("alarm-in", IN_THRESHOLD, ESP_IN_ALARM);
        assert_policy("policy-out", OUT);
        assert_policy("policy-in", IN);
        let (threshold, of) = HOT_MAXIMUM_ALARM;
        assert_alarm("alarm-hot-maximum", threshold, of);
        let (threshold, of) = HOT_P90_ALARM;
        assert_alarm("alarm-hot-p90", threshold, of);
        assert_policy("policy-hot", ONE_MORE);
        let least = example("target")["MinCapacity"].as_u64();
        assert_eq!((least, least), (Some(LEAST_TASKS), Some(SERVICE_LEAST_TASKS)));
    }
}
