//! A property: whatever a container really does, and whatever the endpoint
//! drops, repeats and restarts, what is published adds up to the truth. A model
//! of the endpoint plays random schedules to the sampler for an hour each.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::cast_precision_loss, reason = "the model's own arithmetic")]

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use esp::{
    endpoint::{
        stats::{Parts, StatsParser},
        task::TaskDocument,
    },
    reading::Entry,
    sample::metric::{Metric, MetricSet},
    sampler::{Sampler, Selection},
    time::{Now, Timestamp},
};
use esp_endpoints::random::Random;

const HOUR_MS: u64 = 3_600_000;
const START_MS: u64 = 1_795_514_400_000;
const VCPU: f64 = 2.0;
const MEMORY_LIMIT: u64 = 1 << 30;
const COUNTERS: [Metric; 5] = [
    Metric::CpuUtilization,
    Metric::NetworkRxBytes,
    Metric::NetworkTxBytes,
    Metric::StorageReadBytes,
    Metric::StorageWriteBytes,
];

/// A container as it really is: counters that grow at rates which change.
struct Truth {
    /// By the order of [`COUNTERS`]: ns of CPU time, and bytes.
    counters: [u64; 5],
    /// Growth in a millisecond.
    rates: [u64; 5],
    memory_bytes: u64,
    rates_until_ms: u64,
    /// The highest rates of all.
    highest: [u64; 5],
}

impl Truth {
    fn new(random: &mut Random) -> Self {
        // Anywhere in a u64; some close to its end.
        let counters = std::array::from_fn(|_| {
            if random.chance(20) {
                u64::MAX - random.below(1 << 42)
            } else {
                random.bits() >> 1 | 1
            }
        });
        Self { counters, rates: [0; 5], memory_bytes: 1, rates_until_ms: 0, highest: [0; 5] }
    }

    /// Lives through one millisecond.
    fn step(&mut self, now_ms: u64, random: &mut Random) {
        if now_ms >= self.rates_until_ms {
            self.rates_until_ms = now_ms + 100 + random.below(60_000);
            let cores = [0, 1, 500, 1000, 2000][usize::try_from(random.below(5)).unwrap()];
            self.rates[0] = cores * 1000;
            for rate in &mut self.rates[1..] {
                *rate = if random.chance(30) { 0 } else { random.below(1_000_000) };
            }
            self.memory_bytes = 1 + random.below(MEMORY_LIMIT);
        }
        for (position, rate) in self.rates.iter().enumerate() {
            self.counters[position] = self.counters[position].wrapping_add(*rate);
            self.highest[position] = self.highest[position].max(*rate);
        }
    }

    fn restart(&mut self) {
        self.counters = [1; 5];
    }
}

/// What the endpoint has stored of a container, and what the sampler was shown.
#[derive(Clone, Copy)]
struct Stored {
    read_ms: u64,
    counters: [u64; 5],
    memory_bytes: u64,
}

fn entry(id: &str, stored: Stored) -> String {
    let seconds = (stored.read_ms - START_MS) / 1000;
    let [cpu, rx, tx, read, write] = stored.counters;
    format!(
        r#""{id}": {{"read": "2026-11-24T{:02}:{:02}:{:02}.{:03}Z",
            "cpu_stats": {{"cpu_usage": {{"total_usage": {cpu}}}, "online_cpus": 2}},
            "memory_stats": {{"usage": {}, "stats": {{"inactive_file": 0}}}},
            "networks": {{"eth0": {{"rx_bytes": {rx}, "tx_bytes": {tx}}}}},
            "blkio_stats": {{"io_service_bytes_recursive": [
                {{"op": "read", "value": {read}}}, {{"op": "write", "value": {write}}}]}}}}"#,
        10 + seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        stored.read_ms % 1000,
        stored.memory_bytes,
    )
}

/// A container behind the endpoint.
struct Modelled {
    id: String,
    truth: Truth,
    cadence_ms: u64,
    next_sample_ms: u64,
    stored: Option<Stored>,
    /// The last sample that reached the sampler.
    shown: Option<Stored>,
    /// What the published values have to add up to, by counter.
    expected: [f64; 5],
    published: [f64; 5],
}

struct Model {
    random: Random,
    containers: Vec<Modelled>,
    start: Instant,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let is_fargate = random.chance(40);
        let containers = (0..=random.below(3))
            .map(|number| Modelled {
                id: format!("c{number}"),
                truth: Truth::new(&mut random),
                cadence_ms: if is_fargate { 10_000 } else { 1003 },
                next_sample_ms: random.below(if is_fargate { 10_000 } else { 1003 }),
                stored: None,
                shown: None,
                expected: [0.0; 5],
                published: [0.0; 5],
            })
            .collect();
        Self { random, containers, start: Instant::now() }
    }

    /// The document at this moment, with its holes.
    fn document(&mut self) -> String {
        let mut body = String::from("{");
        for container in &mut self.containers {
            let separator = if body.len() > 1 { ", " } else { "" };
            let hole = self.random.below(100);
            let (text, is_shown) = match container.stored {
                Some(_) if hole == 0 => (format!(r#""{}": null"#, container.id), false),
                Some(_) if hole == 1 => (format!(r#""{}": {{}}"#, container.id), false),
                Some(stored) if hole > 2 => (entry(&container.id, stored), true),
                _ => continue,
            };
            write!(body, "{separator}{text}").unwrap();
            let (Some(stored), true) = (container.stored, is_shown) else { continue };
            if let Some(shown) = container.shown.filter(|shown| shown.read_ms < stored.read_ms) {
                let mut growth: [_; 5] = std::array::from_fn(|position| {
                    stored.counters[position].checked_sub(shown.counters[position])
                });
                // Received and sent are one thing: a reset of one drops both.
                if growth[1].is_none() || growth[2].is_none() {
                    growth[1..3].fill(None);
                }
                for (expected, growth) in container.expected.iter_mut().zip(growth) {
                    *expected += growth.unwrap_or(0) as f64;
                }
            }
            container.shown = Some(stored);
        }
        body.push('}');
        body
    }

    fn run(&mut self) {
        let names: Vec<_> = self.containers.iter().map(|container| container.id.clone()).collect();
        let wanted: MetricSet = COUNTERS.into_iter().chain([Metric::MemoryUtilization]).collect();
        let mut sampler = Sampler::new(Selection::Named(names.clone()), wanted);
        let listed: Vec<_> = names
            .iter()
            .map(|name| format!(r#"{{"DockerId": "{name}", "Name": "{name}", "Networks": [{{"NetworkMode": "bridge"}}]}}"#))
            .collect();
        let json = format!(
            r#"{{"Limits": {{"CPU": {VCPU}, "Memory": 1024}}, "Containers": [{}]}}"#,
            listed.join(",")
        );
        let task = TaskDocument::parse(&mut json.into_bytes()).unwrap();
        let mut given = Vec::new();
        let mut events = Vec::new();
        let start = self.start;
        let at = |elapsed_ms: u64| Now {
            instant: start + Duration::from_millis(elapsed_ms),
            wall: Timestamp::from_unix_ns((START_MS + elapsed_ms) * 1_000_000),
        };
        let mut parser = StatsParser::new(Parts::ALL);
        sampler.on_task(&task, at(0), &mut given, &mut events);
        let mut last_read: HashMap<(Metric, u16), u64> = HashMap::new();
        // The sidecar starts some time after the containers, and so the first
        // sample that it sees may be as old as a cadence.
        let first_poll_ms = self.random.below(20) * 1000;
        for elapsed_ms in 0..HOUR_MS {
            let now_ms = START_MS + elapsed_ms;
            for container in &mut self.containers {
                container.truth.step(elapsed_ms, &mut self.random);
                if elapsed_ms == container.next_sample_ms {
                    // Docker is a little late now and then.
                    let jitter =
                        if container.cadence_ms < 2000 { self.random.below(40) } else { 0 };
                    container.next_sample_ms = elapsed_ms + container.cadence_ms + jitter;
                    container.stored = Some(Stored {
                        read_ms: now_ms,
                        counters: container.truth.counters,
                        memory_bytes: container.truth.memory_bytes,
                    });
                }
                if self.random.below(1_200_000) == 0 {
                    container.truth.restart();
                }
            }
            let is_dropped = self.random.chance(3);
            if !elapsed_ms.is_multiple_of(1000) || is_dropped || elapsed_ms < first_poll_ms {
                continue;
            }
            let shown_before: Vec<_> = self.containers.iter().map(|c| c.shown).collect();
            let mut body = self.document().into_bytes();
            let read = |visit: &mut dyn FnMut(&str, Entry)| parser.parse(&mut body, visit);
            sampler.on_readings(read, at(elapsed_ms), &mut given, &mut events).unwrap();
            for sample in given.drain(..) {
                let place = sample.container.unwrap();
                let container = &mut self.containers[usize::from(place)];
                assert!(sample.value.is_finite() && sample.value >= 0.0, "{sample:?}");
                let read_ms = sample.read.unix_ms();
                let before = last_read.insert((sample.metric, place), read_ms);
                assert!(before.is_none_or(|before| before < read_ms), "twice: {sample:?}");
                if sample.metric == Metric::MemoryUtilization {
                    let stored = container.shown.unwrap();
                    let percent = 100.0 * stored.memory_bytes as f64 / MEMORY_LIMIT as f64;
                    assert!((sample.value - percent).abs() < 1e-9);
                    continue;
                }
                let position = COUNTERS.iter().position(|m| *m == sample.metric).unwrap();
                // Back to growth in a ms.
                let rate = if position == 0 {
                    sample.value / 100.0 * VCPU * 1e6
                } else {
                    sample.value / 1e3
                };
                let highest = container.truth.highest[position] as f64;
                assert!(rate <= highest * (1.0 + 1e-9), "above the schedule: {sample:?}");
                let since_ms = read_ms - shown_before[usize::from(place)].unwrap().read_ms;
                container.published[position] += rate * since_ms as f64;
            }
        }
    }
}

#[test]
fn what_is_published_adds_up_to_the_truth() {
    for seed in 0..24 {
        let mut model = Model::new(seed);
        model.run();
        for container in &model.containers {
            for (position, metric) in COUNTERS.iter().enumerate() {
                let (published, expected) =
                    (container.published[position], container.expected[position]);
                assert!(expected > 0.0, "seed {seed}: the schedule does something");
                assert!(
                    (published - expected).abs() <= expected * 1e-3,
                    "seed {seed}, {}, {metric:?}: {published} instead of {expected}",
                    container.id
                );
            }
        }
    }
}
