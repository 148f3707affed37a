//! The real run: `LocalStack`'s CloudWatch with real alarms of 10 s, the real `esp`, and real
//! processes whose load steps. `.ci/real` installs and starts `LocalStack`, and runs it.
//!
//! Each step has a task of its own: a metadata endpoint, a process, an `esp`, two alarms. One
//! begins each half minute, so that the steps do not take the CPU from each other. The moments
//! of the evaluations, which are known here, are spread evenly after the steps.

use std::{
    array, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use esp_endpoints::{
    agent::{Agent, Cadence},
    containers::{Limits, Shape, Task},
    metadata::MetadataEndpoint,
    process::ProcessCounters,
};
use serde_json::{Value, json};

use crate::{
    assumptions::{THRESHOLD, WARM_UP_S},
    localstack::{ALARMS, Known, LOAD, PATIENCE_S, evaluated_each_s},
    processes::{KEEPER_ARGUMENT, LOAD_ARGUMENT, Outcome, Process, call},
};

/// Between the beginnings of two steps' tasks.
const APART: Duration = Duration::from_secs(30);
/// What a task may use: 100 %. Little, so that even a busy machine has it to give.
const TASK_VCPU: f64 = 0.15;
/// For how long before the step the load is measured.
const MEASURED: Duration = Duration::from_secs(20);
/// How long before the step the alarms are made, but for their phases.
const ALARMS_BEFORE: Duration = Duration::from_mins(1);

const NAMESPACE: &str = "Latency";
const CLUSTER: &str = "latency";
const REGION: &str = "eu-west-1";

/// What came of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) known: Known,
    /// Percent of the task's CPU before the step, and from then until the alarms, as the
    /// kernel counted.
    pub(crate) load: [f64; 2],
    /// From the step to ALARM, seconds, if it came.
    pub(crate) seconds: [Option<f64>; ALARMS.len()],
}

/// Steps so many times.
pub(crate) fn run(url: &str, esp: &str, steps: u32) -> Outcome<Vec<Measured>> {
    // Whether it is there, before minutes of waiting.
    call(url, "DescribeAlarms", &json!({})).map_err(|error| {
        format!("there is no LocalStack at {url} ({error}): `.ci/real` installs and starts one")
    })?;
    thread::scope(|scope| {
        let step = |number| {
            scope.spawn(move || {
                thread::sleep(APART * number);
                one_step(url, esp, number, steps)
            })
        };
        let threads: Vec<_> = (0..steps).map(step).collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(_) => Err("a thread has panicked".into()),
        });
        ended.collect()
    })
}

fn one_step(url: &str, esp: &str, number: u32, steps: u32) -> Outcome<Measured> {
    let service = format!("web-{number}");
    let mut load = Process::start(&[LOAD_ARGUMENT], &[])?;
    let share = |percent: f64| percent / 100.0 * TASK_VCPU;
    load.tell(share(LOAD.0))?;
    let mut task = Task::new(Shape::Ec2CgroupV2, CLUSTER, &service);
    task.limits = Limits { cpu: Some(TASK_VCPU), memory_mib: Some(512) };
    let agent = Agent::new(task.with_container("web", Limits::default()), Cadence::STREAMING);
    agent.attach("web", ProcessCounters::new(load.pid()));
    let metadata = MetadataEndpoint::start(agent);
    let variables = [
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", NAMESPACE),
        ("METRICS", "CPUUtilization"),
        ("REGION", REGION),
        ("LOG_FORMAT", "text"),
        ("LOG_LEVEL", "warn"),
        ("ECS_CONTAINER_METADATA_URI_V4", &metadata.uri()),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret-example"),
    ];
    let _esp = Process::start(&[KEEPER_ARGUMENT, esp], &variables)?;
    let steps_at = SystemTime::now() + Duration::from_secs_f64(WARM_UP_S);
    // The evaluations come so long after the step that all steps' are spread evenly.
    let place = (f64::from(number) + 0.5) / f64::from(steps);
    for (index, of) in ALARMS.into_iter().enumerate() {
        let phase = Duration::from_secs_f64(evaluated_each_s(of) * place);
        sleep_until(steps_at - ALARMS_BEFORE + phase);
        put_alarm(url, &service, index)?;
    }
    sleep_until(steps_at - MEASURED);
    let mut counters = ProcessCounters::new(load.pid());
    let (calm_from, calm_ns) = (SystemTime::now(), counters.cpu_time());
    sleep_until(steps_at);
    load.tell(share(LOAD.1))?;
    let (stepped, hot_ns) = (SystemTime::now(), counters.cpu_time());
    let mut alarms = describe(url, &service)?;
    let made_s = alarms.map(|alarm| alarm.made_s);
    while alarms.iter().any(|alarm| !alarm.is_in_alarm)
        && stepped.elapsed()? < Duration::from_secs(PATIENCE_S)
    {
        thread::sleep(Duration::from_millis(500));
        alarms = describe(url, &service)?;
    }
    let (ended, end_ns) = (SystemTime::now(), counters.cpu_time());
    let percent = |from: SystemTime, to: SystemTime, used_ns: u64| {
        let lasted_s = to.duration_since(from).unwrap_or_default().as_secs_f64();
        100.0 * used_ns as f64 / 1e9 / lasted_s / TASK_VCPU
    };
    let stepped_s = unix_s(stepped);
    let known = Known {
        fraction_s: stepped_s.fract(),
        // The first evaluation comes when the alarm is made.
        to_evaluation_s: array::from_fn(|index| {
            let each_s = evaluated_each_s(ALARMS[index]);
            each_s - (stepped_s - made_s[index]).rem_euclid(each_s)
        }),
    };
    Ok(Measured {
        known,
        load: [
            percent(calm_from, stepped, hot_ns - calm_ns),
            percent(stepped, ended, end_ns - hot_ns),
        ],
        seconds: alarms.map(|alarm| alarm.is_in_alarm.then_some(alarm.changed_s - stepped_s)),
    })
}

/// What `LocalStack` says of an alarm; moments in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Told {
    is_in_alarm: bool,
    made_s: f64,
    changed_s: f64,
}

fn alarm_name(service: &str, index: usize) -> String {
    format!("{service}-{index}")
}

fn put_alarm(url: &str, service: &str, index: usize) -> Outcome<()> {
    let (period_s, breaches, periods) = ALARMS[index];
    let alarm = json!({
        "AlarmName": alarm_name(service, index),
        "Namespace": NAMESPACE,
        "MetricName": "CPUUtilization",
        "Dimensions": [
            {"Name": "ClusterName", "Value": CLUSTER},
            {"Name": "ServiceName", "Value": service},
        ],
        "Statistic": "Average",
        "Period": period_s,
        "EvaluationPeriods": periods,
        "DatapointsToAlarm": breaches,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": THRESHOLD,
        "TreatMissingData": "notBreaching",
    });
    call(url, "PutMetricAlarm", &alarm).map(drop)
}

/// The service's alarms.
fn describe(url: &str, service: &str) -> Outcome<[Told; ALARMS.len()]> {
    let names: [String; ALARMS.len()] = array::from_fn(|index| alarm_name(service, index));
    let answer = call(url, "DescribeAlarms", &json!({ "AlarmNames": names }))?;
    let alarms: Vec<&Value> = answer["MetricAlarms"].as_array().into_iter().flatten().collect();
    let told = names.iter().map(|name| {
        let alarm = alarms.iter().find(|alarm| alarm["AlarmName"] == **name)?;
        Some(Told {
            is_in_alarm: alarm["StateValue"] == "ALARM",
            made_s: alarm["AlarmConfigurationUpdatedTimestamp"].as_f64()?,
            changed_s: alarm["StateTransitionedTimestamp"].as_f64()?,
        })
    });
    let told: Option<Vec<_>> = told.collect();
    let told = told.and_then(|told| told.try_into().ok());
    told.ok_or_else(|| format!("the alarms of {service} are not in {answer}").into())
}

fn unix_s(moment: SystemTime) -> f64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn sleep_until(moment: SystemTime) {
    thread::sleep(moment.duration_since(SystemTime::now()).unwrap_or_default());
}
