//! The alarms of the examples on the data that CloudWatch would have: how soon they
//! fire at the cadence of each platform, at any time of evaluation. Nothing is started
//! here: the datums are made, and the time is an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use esp_endpoints::{
    alarm::{Alarm, Comparison, State, Statistic, TreatMissingData},
    cloudwatch::Datum,
};

use super::files::json;

/// The alarm of `examples/scaling/NAME.json`.
pub(crate) fn read(name: &str) -> Alarm {
    let alarm = json(&format!("scaling/{name}.json"));
    let string = |key: &str| alarm[key].as_str().unwrap().to_owned();
    let number = |key: &str| alarm[key].as_u64().unwrap();
    let pair = |pair: &serde_json::Value| {
        let text = |key: &str| pair[key].as_str().unwrap().to_owned();
        (text("Name"), text("Value"))
    };
    Alarm {
        name: string("AlarmName"),
        namespace: string("Namespace"),
        metric_name: string("MetricName"),
        dimensions: alarm["Dimensions"].as_array().unwrap().iter().map(pair).collect(),
        unit: None,
        threshold: alarm["Threshold"].as_f64().unwrap(),
        comparison: match string("ComparisonOperator").as_str() {
            "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
            "LessThanThreshold" => Comparison::LessThan,
            other => panic!("{other}"),
        },
        statistic: match string("Statistic").as_str() {
            "Average" => Statistic::Average,
            other => panic!("{other}"),
        },
        period_s: u32::try_from(number("Period")).unwrap(),
        datapoints_to_alarm: usize::try_from(number("DatapointsToAlarm")).unwrap(),
        evaluation_periods: usize::try_from(number("EvaluationPeriods")).unwrap(),
        treat_missing_data: match string("TreatMissingData").as_str() {
            "notBreaching" => TreatMissingData::NotBreaching,
            "missing" => TreatMissingData::Missing,
            other => panic!("{other}"),
        },
    }
}

/// A multiple of all periods.
const START_S: f64 = 1_700_000_040.0;

fn at(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs_f64(START_S + seconds)
}

/// When a platform has samples, and when they reach CloudWatch.
#[derive(Clone, Copy, Debug)]
enum Platform {
    /// A sample every second; a request every 10 s, up to 2 s after the wall clock's
    /// multiple.
    Ec2,
    /// A sample every 10.02 s, sent when it is seen: within a second.
    Fargate,
}

/// The load, in percent: 20, and 100 from a moment on, or the other way round.
#[derive(Clone, Copy, Debug)]
struct Load {
    changes_s: f64,
    is_rising: bool,
}

impl Load {
    /// The average between two moments.
    fn average(self, from_s: f64, to_s: f64) -> f64 {
        let after = (to_s - self.changes_s.max(from_s)).max(0.0) / (to_s - from_s);
        let high = if self.is_rising { after } else { 1.0 - after };
        10.0 + 90.0 * high
    }
}

/// What one task's `esp` sends over `length_s`; `phase` from 0 to 1 is where in
/// its cadence the task is.
fn datums(alarm: &Alarm, platform: Platform, phase: f64, load: Load, length_s: f64) -> Vec<Datum> {
    let cadence_s = match platform {
        Platform::Ec2 => 1.003,
        Platform::Fargate => 10.02,
    };
    std::iter::successors(Some(phase * cadence_s), |read_s| Some(read_s + cadence_s))
        .take_while(|read_s| *read_s < length_s)
        .map(|read_s| {
            let received_s = match platform {
                Platform::Ec2 => ((read_s / 10.0).floor() + 1.0) * 10.0 + phase * 2.0 + 0.2,
                Platform::Fargate => read_s + phase + 0.2,
            };
            Datum {
                namespace: alarm.namespace.clone(),
                metric_name: alarm.metric_name.clone(),
                dimensions: alarm.dimensions.clone(),
                unit: Some("Percent".into()),
                timestamp_ms: i64::try_from(
                    at(read_s).duration_since(UNIX_EPOCH).unwrap().as_millis(),
                )
                .unwrap(),
                values: vec![load.average(read_s - cadence_s, read_s)],
                counts: vec![1.0],
                statistics: None,
                storage_resolution: Some(1),
                received: at(received_s),
            }
        })
        .collect()
}

/// What an alarm did after a change of load, evaluated every 10 s from `evaluated`
/// (0 to 10) on.
struct Story {
    /// From the change to `Alarm`; `None` if it never fired.
    latency_s: Option<f64>,
    /// Whether it left `Alarm` again, although the load stayed.
    lapsed: bool,
}

/// Of datums in the order of their arrival.
fn tell(alarm: &Alarm, datums: &[Datum], load: Load, evaluated_s: f64, length_s: f64) -> Story {
    let mut story = Story { latency_s: None, lapsed: false };
    let mut state = State::Ok;
    for round in 0_u32.. {
        let now_s = evaluated_s + f64::from(round) * 10.0;
        if now_s > length_s {
            break;
        }
        let there = datums.partition_point(|datum| datum.received <= at(now_s));
        state = alarm.evaluate(&datums[..there], at(now_s), state);
        match story.latency_s {
            None if state == State::Alarm && now_s > load.changes_s => {
                story.latency_s = Some(now_s - load.changes_s);
            }
            Some(_) if state != State::Alarm => story.lapsed = true,
            _ => {}
        }
    }
    story
}

/// Over 10 moments of a period at which the load changes and 10 at which the alarm
/// is evaluated, with each task somewhere in its cadence: latencies in order, how
/// often it never fired, and how often it went back although the load stayed.
fn sweep(alarm: &Alarm, platform: Platform, tasks: u32, is_rising: bool) -> (Vec<f64>, u32, u32) {
    // Long enough for the alarm, and for it to lapse.
    let periods = u32::try_from(alarm.evaluation_periods).unwrap();
    let length_s = 240.0 + f64::from(alarm.period_s * periods);
    let (mut latencies, mut never, mut lapses) = (Vec::new(), 0, 0);
    let tenths = |of: u32| (0_u32..10).map(move |n| f64::from(n * of) / 10.0 + 0.05);
    let moments = tenths(alarm.period_s).flat_map(|change| tenths(10).map(move |e| (change, e)));
    for (change, evaluated_s) in moments {
        let load = Load { changes_s: 60.0 + change, is_rising };
        let mut sent: Vec<_> = (0..tasks)
            // Spread by the golden ratio, differently for each change.
            .map(|task| (f64::from(task) * 0.618 + change * 0.37).fract())
            .flat_map(|phase| datums(alarm, platform, phase, load, length_s))
            .collect();
        sent.sort_by_key(|datum| datum.received);
        let story = tell(alarm, &sent, load, evaluated_s, length_s);
        never += u32::from(story.latency_s.is_none());
        lapses += u32::from(story.lapsed);
        latencies.extend(story.latency_s);
    }
    latencies.sort_by(f64::total_cmp);
    (latencies, never, lapses)
}

fn with(
    alarm: &Alarm,
    period_s: u32,
    datapoints_to_alarm: usize,
    evaluation_periods: usize,
) -> Alarm {
    Alarm { period_s, datapoints_to_alarm, evaluation_periods, ..alarm.clone() }
}

#[test]
fn scale_out_alarm_fires_within_half_a_minute_at_any_time_of_evaluation() {
    let alarm = read("alarm-out");
    for (platform, max_s) in [(Platform::Ec2, 30.0), (Platform::Fargate, 35.0)] {
        for tasks in [1, 2, 10] {
            let (latencies, never, lapses) = sweep(&alarm, platform, tasks, true);
            assert_eq!((never, lapses), (0, 0), "{platform:?}, {tasks} tasks");
            assert!(*latencies.last().unwrap() < max_s, "{platform:?}, {tasks}: {latencies:?}");
        }
    }
}

#[test]
fn a_1_of_1_alarm_can_evaluate_a_period_before_its_data_arrives() {
    // This is why the example's alarm looks at two periods: data of the last one
    // arrives up to 2 s after its end, and a missing period is no alarm.
    let alarm = with(&read("alarm-out"), 10, 1, 1);
    let (_, never, _) = sweep(&alarm, Platform::Ec2, 1, true);
    assert!(never > 0);
    // On Fargate a period can also be without a sample.
    let (_, _, lapses) = sweep(&alarm, Platform::Fargate, 1, true);
    assert!(lapses > 0);
}

#[test]
fn scale_in_alarm_fires_after_minutes_and_stays_on() {
    let alarm = read("alarm-in");
    for platform in [Platform::Ec2, Platform::Fargate] {
        let (latencies, never, lapses) = sweep(&alarm, platform, 2, false);
        assert_eq!((never, lapses), (0, 0), "{platform:?}");
        assert!(latencies[0] > 240.0 && *latencies.last().unwrap() < 330.0, "{latencies:?}");
    }
}

#[test]
fn scale_in_alarm_leaves_alarm_soon_after_esp_falls_silent() {
    let alarm = read("alarm-in");
    let load = Load { changes_s: 0.0, is_rising: false };
    let sent = datums(&alarm, Platform::Ec2, 0.5, load, 600.0);
    assert_eq!(alarm.evaluate(&sent, at(600.0), State::Ok), State::Alarm);
    assert_eq!(alarm.evaluate(&sent, at(600.0 + 310.0), State::Alarm), State::InsufficientData);
    let ignoring = Alarm { treat_missing_data: TreatMissingData::Ignore, ..alarm };
    assert_eq!(ignoring.evaluate(&sent, at(600.0 + 3600.0), State::Alarm), State::Alarm);
}

/// The table of `examples/README.md`: `cargo test --test processes alarms -- --ignored
/// --nocapture`.
#[test]
#[ignore = "prints a table, decides nothing"]
#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn table() {
    for (period_s, m, n) in [(10, 1, 1), (10, 1, 2), (10, 2, 3), (30, 1, 1)] {
        for platform in [Platform::Ec2, Platform::Fargate] {
            for tasks in [1, 2, 10] {
                let alarm = with(&read("alarm-out"), period_s, m, n);
                let (latencies, never, lapses) = sweep(&alarm, platform, tasks, true);
                let [least, middle, most] =
                    [0, latencies.len() / 2, latencies.len() - 1].map(|place| latencies[place]);
                println!(
                    "{m} of {n} of {period_s} s, {platform:?}, {tasks} tasks: {least:.0}, \
                     {middle:.0}, {most:.0} s; of 100: {never} never, {lapses} lapsed"
                );
            }
        }
    }
}
