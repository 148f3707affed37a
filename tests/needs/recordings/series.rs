//! A recorded series, answer by answer through the sampler, and every value that
//! comes out of it beside the truth.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use esp::{
    endpoint::{stats::StatsParser, task::TaskDocument},
    reading::{Entry, Parts},
    sample::metric::{Metric, MetricSet},
    sampler::{Sampler, Selection},
    time::{Now, Timestamp},
};
use flate2::read::GzDecoder;
use serde_json::Value;

use super::truth::{self, Container};

const METRICS: [Metric; 10] = [
    Metric::CpuUtilization,
    Metric::CpuUsage,
    Metric::MemoryUtilization,
    Metric::MemoryUtilized,
    Metric::NetworkRxBytes,
    Metric::NetworkTxBytes,
    Metric::StorageReadBytes,
    Metric::StorageWriteBytes,
    Metric::TaskCpuUtilization,
    Metric::TaskMemoryUtilization,
];

const MEBIBYTE: f64 = 1_048_576.0;
/// What the kernel charges a CPU ahead of use.
const MEMORY_TOLERANCE: f64 = 256.0 * 1024.0;

struct Series {
    answers: Vec<Answer>,
    truth: HashMap<String, Container>,
}

#[derive(Clone)]
struct Answer {
    is_task: bool,
    /// Unix seconds of its arrival.
    time: f64,
    body: Option<String>,
}

struct Published {
    metric: Metric,
    /// The container's name; none for a value of the task.
    container: Option<String>,
    /// When the counters were read, unix seconds.
    read: f64,
    value: f64,
}

/// What came out of a series.
struct Played {
    values: Vec<Published>,
    /// When the endpoint's samples of each container were read, unix seconds.
    reads: HashMap<String, Vec<f64>>,
    vcpu: f64,
    memory_bytes: f64,
    /// The limit of each container.
    memory_limits: HashMap<String, f64>,
}

#[derive(Default)]
struct Count {
    right: HashMap<Metric, u32>,
    without_truth: u32,
}

fn load(directory: &Path, name: &str) -> Series {
    let directory = directory.join("real-agent/series");
    let file = File::open(directory.join(format!("{name}.jsonl.gz"))).unwrap();
    let answers = BufReader::new(GzDecoder::new(file)).lines().map(|line| {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        Answer {
            is_task: line["path"] == "/task",
            time: line["t1"].as_f64().unwrap(),
            body: (line["status"] == 200).then(|| line["body"].as_str().unwrap().to_owned()),
        }
    });
    let truth = truth::load(&directory.join(format!("{name}.truth.jsonl")));
    Series { answers: answers.collect(), truth }
}

fn seconds(time: Timestamp) -> f64 {
    Duration::from_nanos(time.unix_ns()).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "some hundred megabytes")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

/// How a sidecar could have met the series.
#[derive(Clone, Copy, Debug)]
struct Meeting {
    /// It started at this answer.
    start: usize,
    /// It polled this many times less often than the recorder.
    every: usize,
}

/// Starts over most of the series, and polls from 2 a second to one each 3 s. The
/// first is the whole of it.
fn meetings(series: &Series) -> impl Iterator<Item = Meeting> + use<> {
    let starts = (0..series.answers.len() * 2 / 3).step_by(7);
    starts.flat_map(|start| [1, 2, 3, 6].map(|every| Meeting { start, every }))
}

fn play(series: &Series, meeting: Meeting) -> Played {
    let mut sampler = Sampler::new(Selection::All, METRICS.into_iter().collect::<MetricSet>());
    let mut parser = StatsParser::new(Parts::ALL);
    let (start, first) = (Instant::now(), series.answers[meeting.start].time);
    let (mut values, mut events, mut given) = (Vec::new(), Vec::new(), Vec::new());
    let mut names: HashMap<String, String> = HashMap::new();
    let mut reads: HashMap<String, Vec<f64>> = HashMap::new();
    let mut memory_limits: HashMap<String, f64> = HashMap::new();
    let (mut vcpu, mut memory_bytes) = (0.0, 0.0);
    // The recorder asked for the task rarely; a sidecar does so at its start.
    let task =
        series.answers[..=meeting.start].iter().rev().find(|it| it.is_task && it.body.is_some());
    let task = Answer { time: first, ..task.unwrap().clone() };
    let met = &series.answers[meeting.start..];
    let mut stats = 0;
    for answer in std::iter::once(&task).chain(met) {
        stats += usize::from(!answer.is_task);
        if !answer.is_task && stats % meeting.every != 0 {
            continue;
        }
        let wall = Duration::from_secs_f64(answer.time);
        let now = Now {
            instant: start + Duration::from_secs_f64(answer.time - first),
            wall: Timestamp::from_unix_ns(u64::try_from(wall.as_nanos()).unwrap()),
        };
        match (&answer.body, answer.is_task) {
            (Some(body), true) => {
                let mut body = body.clone().into_bytes();
                let task = TaskDocument::parse(&mut body).unwrap();
                assert!(task.bad_fields().is_empty(), "{:?}", task.bad_fields());
                for container in task.containers() {
                    let (id, name) = (container.docker_id().unwrap(), container.name().unwrap());
                    names.insert(id.to_owned(), name.to_owned());
                    let limit = container.memory_limit_bytes().or(task.memory_limit_bytes());
                    memory_limits.insert(name.to_owned(), bytes(limit.unwrap()));
                }
                vcpu = task.cpu_limit_vcpu().unwrap();
                memory_bytes = bytes(task.memory_limit_bytes().unwrap());
                sampler.on_task(&task, now, &mut given, &mut events);
            }
            (None, true) => sampler.on_task_failed(now.instant),
            (Some(body), false) => {
                let note = |id: &str, entry: Entry| {
                    let Entry::Reading(reading) = entry else { return };
                    let reads = reads.entry(names[id].clone()).or_default();
                    if reads.last() != Some(&seconds(reading.read)) {
                        reads.push(seconds(reading.read));
                    }
                };
                StatsParser::new(Parts::ALL).parse(&mut body.clone().into_bytes(), note).unwrap();
                let mut body = body.clone().into_bytes();
                let read = |visit: &mut dyn FnMut(&str, Entry)| parser.parse(&mut body, visit);
                sampler.on_readings(read, now, &mut given, &mut events).unwrap();
            }
            (None, false) => {}
        }
        values.extend(given.drain(..).map(|sample| Published {
            metric: sample.metric.metric().unwrap(),
            container: sample.container.map(|place| sampler.names()[usize::from(place)].clone()),
            read: seconds(sample.read),
            value: sample.value,
        }));
    }
    Played { values, reads, vcpu, memory_bytes, memory_limits }
}

/// Checks every value of a container.
fn check_containers(series: &Series, played: &Played, count: &mut Count) {
    // Up to where each metric of each container has been published.
    let mut published: HashMap<(String, Metric), f64> = HashMap::new();
    for sample in &played.values {
        let Some(name) = &sample.container else { continue };
        let (read, metric) = (sample.read, sample.metric);
        let truth = &series.truth[name];
        let counter = match metric {
            Metric::CpuUtilization | Metric::CpuUsage => &truth.cpu,
            Metric::NetworkRxBytes => &truth.received,
            Metric::NetworkTxBytes => &truth.sent,
            Metric::StorageReadBytes => &truth.read,
            Metric::StorageWriteBytes => &truth.written,
            _ => &truth.working_set,
        };
        let unit = match metric {
            Metric::CpuUtilization => 100.0 / played.vcpu,
            Metric::CpuUsage => 100.0,
            Metric::MemoryUtilized => 1.0 / MEBIBYTE,
            Metric::MemoryUtilization => 100.0 / played.memory_limits[name],
            _ => 1.0,
        };
        let last = published.insert((name.clone(), metric), read);
        let ranges: Vec<_> = if metric.is_of_memory() {
            let range = truth.working_set.range(read - 1.2, read + 1.2);
            let wider = range.map(|(low, high)| (low - MEMORY_TOLERANCE, high + MEMORY_TOLERANCE));
            vec![wider]
        } else {
            // A value covers the time since the value before, or since a reading
            // that gave none.
            let starts = played.reads[name].iter().rev().filter(|it| **it < read);
            let starts = starts.take_while(|it| last.is_none_or(|last| **it >= last));
            starts.map(|start| counter.rate(*start, read)).collect()
        };
        // Unix seconds as floats have 200 ns.
        let fits = |(low, high): &(f64, f64)| {
            let (low, high) = (low - 1e-6 * low.abs() - 1e-6, high + 1e-6 * high.abs() + 1e-6);
            (low..=high).contains(&(sample.value / unit))
        };
        if !ranges.iter().flatten().any(fits) && ranges.iter().any(Option::is_none) {
            // It may begin where nothing was recorded.
            count.without_truth += 1;
            continue;
        }
        assert!(
            ranges.iter().flatten().any(fits),
            "{metric:?} of {name} at {read}: {} is not within {ranges:?}",
            sample.value / unit
        );
        *count.right.entry(metric).or_default() += 1;
    }
}

/// The CPU time that was published of a container, beside the truth over the same
/// time.
fn check_sum(series: &Series, played: &Played, name: &str, tolerance: f64) {
    let is_mine =
        |it: &&Published| it.container.as_deref() == Some(name) && it.metric == Metric::CpuUsage;
    let mine = played.values.iter().filter(is_mine);
    let (mut from, mut used, mut to) = (None, 0.0, 0.0);
    for sample in mine {
        let read = sample.read;
        let before = played.reads[name].iter().rev().find(|it| **it < read).unwrap();
        if from.is_none() && series.truth[name].cpu.rate(*before, read).is_none() {
            continue;
        }
        from.get_or_insert(*before);
        used += sample.value / 100.0 * (read - before);
        to = read;
    }
    let from = from.unwrap_or_else(|| panic!("nothing was published of {name}"));
    let (low, high) = series.truth[name].cpu.rate(from, to).unwrap();
    let mean = used / (to - from);
    let range = low * (1.0 - tolerance)..=high * (1.0 + tolerance);
    assert!(range.contains(&mean), "{name}: {mean} CPUs on average, not within {range:?}");
}

fn report(count: &Count, metrics: &[Metric]) -> String {
    for metric in metrics {
        let right = count.right.get(metric).copied().unwrap_or(0);
        assert!(right > 0, "no value of {metric:?}: {:?}", count.right);
    }
    let right: u32 = count.right.values().sum();
    format!("{right} values right, {} without truth", count.without_truth)
}

/// Checks every value of the task, which did the same throughout.
fn check_steady_task(series: &Series, played: &Played, count: &mut Count) {
    let cores: f64 = series.truth.values().map(|container| container.cpu.mean_rate()).sum();
    let truth = 100.0 * cores / played.vcpu;
    for sample in &played.values {
        let (metric, read) = (sample.metric, sample.read);
        match metric {
            Metric::TaskCpuUtilization => {
                // The container `io` was up to a tenth off its mean for 20 s.
                let error = (sample.value / truth - 1.0).abs();
                assert!(error < 0.1, "{} at {read} instead of {truth}", sample.value);
            }
            Metric::TaskMemoryUtilization => {
                let unit = 100.0 / played.memory_bytes;
                let ranges =
                    series.truth.values().map(|it| it.working_set.range(read - 45.0, read + 25.0));
                let ranges: Vec<_> = ranges.map(Option::unwrap).collect();
                let low: f64 = ranges.iter().map(|range| range.0 - MEMORY_TOLERANCE).sum();
                let high: f64 = ranges.iter().map(|range| range.1 + MEMORY_TOLERANCE).sum();
                let range = low * unit..=high * unit;
                assert!(range.contains(&sample.value), "{} at {read}, not {range:?}", sample.value);
            }
            _ => continue,
        }
        *count.right.entry(metric).or_default() += 1;
    }
}

/// Plays the series for every meeting, and names the one whose check panics.
fn for_every_meeting(series: &Series, mut check: impl FnMut(&Played, &mut Count)) -> Count {
    let mut count = Count::default();
    for meeting in meetings(series) {
        let played = play(series, meeting);
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&played, &mut count)));
        assert!(outcome.is_ok(), "{meeting:?}");
    }
    count
}

pub(crate) fn polled_each_20_s(directory: &Path) -> String {
    let series = load(directory, "poll_metrics_20s");
    let count = for_every_meeting(&series, |played, count| {
        check_containers(&series, played, count);
        check_steady_task(&series, played, count);
    });
    let whole = play(&series, Meeting { start: 0, every: 1 });
    for name in ["web", "io", "idle"] {
        check_sum(&series, &whole, name, 0.01);
    }
    let expected = [
        Metric::CpuUtilization,
        Metric::CpuUsage,
        Metric::MemoryUtilization,
        Metric::MemoryUtilized,
        Metric::NetworkRxBytes,
        Metric::NetworkTxBytes,
        Metric::TaskCpuUtilization,
        Metric::TaskMemoryUtilization,
    ];
    report(&count, &expected)
}

pub(crate) fn restarts(directory: &Path) -> String {
    let series = load(directory, "restart_policy_then_agent_restart");
    let count = for_every_meeting(&series, |played, count| {
        check_containers(&series, played, count);
        // The kernel's counters of `web` end with its first process, so only a bound
        // is known: it is allowed half a CPU, and no restart may look like more.
        for sample in &played.values {
            let most = match (sample.metric, sample.container.as_deref()) {
                (Metric::CpuUsage, Some("web")) => 60.0,
                (Metric::TaskCpuUtilization, _) => 80.0 / played.vcpu,
                _ => continue,
            };
            assert!(sample.value < most, "{} at {}", sample.value, sample.read);
        }
    });
    let whole = play(&series, Meeting { start: 0, every: 1 });
    for name in ["io", "idle"] {
        check_sum(&series, &whole, name, 0.02);
    }
    let expected = [
        Metric::CpuUtilization,
        Metric::CpuUsage,
        Metric::MemoryUtilization,
        Metric::MemoryUtilized,
        Metric::NetworkRxBytes,
        Metric::NetworkTxBytes,
        Metric::StorageWriteBytes,
    ];
    report(&count, &expected)
}
