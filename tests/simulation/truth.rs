//! A property: whatever containers really do, and whatever the endpoint drops,
//! repeats, delays and restarts, each single value that is published is true. A model
//! of the endpoint plays random schedules to the sampler: agents that renew each
//! second to each minute, polls of 200 ms to a minute, stalls, late samples, jitter,
//! answers with holes.

#![allow(clippy::cast_precision_loss, reason = "the model's own arithmetic")]

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use esp::{
    endpoint::{stats::StatsParser, task::TaskDocument},
    reading::{Entry, Parts},
    sample::{Metric, MetricSet, Sample},
    sampler::{Event, Sampler, Selection, parts_of},
    time::{Now, Timestamp},
};
use esp_endpoints::random::Random;

mod network;

const START_MS: u64 = 1_795_514_400_000;
const CPUS: u64 = 4;
const MEMORY_LIMIT: u64 = 1 << 30;

/// CPU ns, received, sent, read, written.
type Counters = [u64; 5];
const COUNTERS: [Metric; 5] = [
    Metric::CpuUsage,
    Metric::NetworkRxBytes,
    Metric::NetworkTxBytes,
    Metric::StorageReadBytes,
    Metric::StorageWriteBytes,
];

/// One stored sample of a container.
#[derive(Clone, Copy)]
struct Reading {
    read_ms: u64,
    counters: Counters,
    /// Goes up with each restart.
    run: u32,
}

/// How the endpoint behaves.
#[derive(Clone, Copy, Debug)]
struct Agent {
    cadence_ms: u64,
    jitter_ms: u64,
    poll_ms: u64,
    /// In each sample's place, one of a thousand.
    stalls: u64,
    lates: u64,
    restarts: u64,
    /// In each answer, of a hundred.
    holes: u64,
}

impl Agent {
    fn new(random: &mut Random) -> Self {
        let pick = |random: &mut Random, choices: &[u64]| {
            choices[usize::try_from(random.below(choices.len() as u64)).unwrap()]
        };
        let cadence_ms = pick(random, &[1003, 1003, 2000, 5000, 10_000, 20_000, 30_000, 60_000]);
        Self {
            cadence_ms,
            jitter_ms: pick(random, &[0, 40, cadence_ms / 5]),
            poll_ms: pick(random, &[200, 1000, 1000, 1000, 5000, 11_000, 15_000, 60_000]),
            stalls: pick(random, &[0, 5]),
            lates: pick(random, &[0, 20]),
            restarts: pick(random, &[0, 3]),
            holes: pick(random, &[0, 1, 5]),
        }
    }
}

/// A container as it really is, and what the endpoint has of it.
struct Container {
    id: String,
    /// Growth in a millisecond, and when it changes; constant if that is never.
    rates: Counters,
    rates_until_ms: u64,
    now: Reading,
    next_sample_ms: u64,
    /// Stored, but seen only from then on.
    late: Option<(u64, Reading)>,
    stored: Option<Reading>,
    /// Until then the endpoint has nothing new, and perhaps nothing at all.
    stalled_until_ms: u64,
    is_null: bool,
    /// What the sampler was shown.
    shown: Vec<Reading>,
}

impl Container {
    fn new(number: u64, is_constant: bool, random: &mut Random) -> Self {
        let counters = std::array::from_fn(|_| 1 + random.below(1 << 44));
        Self {
            id: format!("c{number}"),
            rates: rates(random),
            rates_until_ms: if is_constant { u64::MAX } else { 0 },
            now: Reading { read_ms: 0, counters, run: 0 },
            next_sample_ms: 1 + random.below(20_000),
            late: None,
            stored: None,
            stalled_until_ms: 0,
            is_null: false,
            shown: Vec::new(),
        }
    }

    /// Lives up to this millisecond.
    fn live(&mut self, ms: u64, agent: Agent, random: &mut Random) {
        for (counter, rate) in self.now.counters.iter_mut().zip(self.rates) {
            *counter += rate * (ms - self.now.read_ms);
        }
        self.now.read_ms = ms;
        if ms >= self.rates_until_ms {
            self.rates_until_ms = ms + 1000 + random.below(120_000);
            self.rates = rates(random);
        }
        if let Some((_, reading)) = self.late.take_if(|(seen_ms, _)| *seen_ms <= ms) {
            self.stored = Some(reading);
        }
        if ms < self.next_sample_ms {
            return;
        }
        let jitter = if agent.jitter_ms == 0 { 0 } else { random.below(agent.jitter_ms) };
        self.next_sample_ms = ms + agent.cadence_ms - agent.jitter_ms / 2 + jitter;
        if random.below(1000) < agent.restarts {
            self.now.counters = [1; 5];
            self.now.run += 1;
        }
        if random.below(1000) < agent.stalls {
            self.stalled_until_ms = ms + random.below(60_000);
            self.is_null = random.chance(50);
        }
        if ms < self.stalled_until_ms {
            return;
        }
        if random.below(1000) < agent.lates {
            self.late = Some((ms + random.below(agent.cadence_ms.min(8000)), self.now));
        } else if self.late.is_none() {
            self.stored = Some(self.now);
        }
    }

    /// Its entry in an answer, if it has one.
    fn entry(&mut self, ms: u64, agent: Agent, random: &mut Random) -> Option<String> {
        let stored = self.stored?;
        if (ms < self.stalled_until_ms && self.is_null) || random.below(100) < agent.holes {
            return Some(format!(
                r#""{}": {}"#,
                self.id,
                ["null", "{}"][usize::from(random.chance(50))]
            ));
        }
        if self.shown.last().is_none_or(|last| last.read_ms != stored.read_ms) {
            self.shown.push(stored);
        }
        let [cpu, rx, tx, read, write] = stored.counters;
        Some(format!(
            r#""{}": {{"read": "{}",
            "cpu_stats": {{"cpu_usage": {{"total_usage": {cpu}}}, "online_cpus": {CPUS}}},
            "memory_stats": {{"usage": {}, "stats": {{"inactive_file": 0}}}},
            "networks": {{"eth0": {{"rx_bytes": {rx}, "tx_bytes": {tx}}}}},
            "blkio_stats": {{"io_service_bytes_recursive": [
                {{"op": "read", "value": {read}}}, {{"op": "write", "value": {write}}}]}}}}"#,
            self.id,
            text(stored.read_ms),
            memory_bytes(&self.id),
        ))
    }

    /// Whether `sample` is the growth of a counter from a sample that was shown after
    /// `since_ms` to the one of its time, in one run.
    fn is_true(&self, sample: &Sample, since_ms: u64) -> bool {
        let position = COUNTERS.iter().position(|metric| sample.metric == *metric).unwrap();
        let read_ms = sample.read.unix_ms() - START_MS;
        let Some(to) = self.shown.iter().find(|shown| shown.read_ms == read_ms) else {
            return false;
        };
        // A restart that is hidden between two polls, after which the counter is past
        // where it was, cannot be seen.
        let earlier = |from: &&Reading| {
            from.read_ms >= since_ms
                && from.read_ms < read_ms
                && from.counters[position] <= to.counters[position]
        };
        self.shown.iter().filter(earlier).any(|from| {
            let growth = (to.counters[position] - from.counters[position]) as f64;
            let ms = (read_ms - from.read_ms) as f64;
            let truth = if position == 0 { growth / ms / 1e4 } else { growth / ms * 1e3 };
            (sample.value - truth).abs() <= 1e-9 * truth.max(1.0)
        })
    }
}

fn rates(random: &mut Random) -> Counters {
    std::array::from_fn(|position| match position {
        // Up to all CPUs.
        0 => random.below(5) * CPUS * 1_000_000 / 4,
        _ if random.chance(30) => 0,
        _ => random.below(1_000_000),
    })
}

fn memory_bytes(id: &str) -> u64 {
    u64::from(id.as_bytes()[1]) << 20
}

/// RFC 3339, within the first day.
fn text(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (days, hours) = (24 + (10 + seconds / 3600) / 24, (10 + seconds / 3600) % 24);
    format!("2026-11-{days:02}T{hours:02}:{:02}:{:02}.{ms:03}Z", seconds / 60 % 60, seconds % 60)
}

fn at(start: Instant, ms: u64) -> Now {
    Now {
        instant: start + Duration::from_millis(ms),
        wall: Timestamp::from_unix_ns((START_MS + ms) * 1_000_000),
    }
}

fn task(ids: &[String], mode: &str) -> String {
    let listed: Vec<_> = ids
        .iter()
        .map(|id| {
            format!(
                r#"{{"DockerId": "{id}", "Name": "{id}", "KnownStatus": "RUNNING",
                    "Networks": [{{"NetworkMode": "{mode}"}}]}}"#
            )
        })
        .collect();
    format!(
        r#"{{"Limits": {{"CPU": {CPUS}, "Memory": {}}}, "Containers": [{}]}}"#,
        MEMORY_LIMIT >> 20,
        listed.join(",")
    )
}

/// Plays `polls` answers of an agent, and hands `check` what comes of each.
fn play(
    agent: Agent,
    containers: &mut [Container],
    wanted: MetricSet,
    random: &mut Random,
    mut check: impl FnMut(&[Container], &[Sample], &[Event]),
) {
    let ids: Vec<_> = containers.iter().map(|container| container.id.clone()).collect();
    let mut machine = Sampler::new(Selection::Named(ids.clone()), wanted);
    let mut parser = StatsParser::new(parts_of(wanted));
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let document = TaskDocument::parse(&mut task(&ids, "bridge").into_bytes()).unwrap();
    machine.on_task(&document, at(start, 0), &mut samples, &mut events);
    // Some minutes, and some renewals.
    let last_ms = 600_000.max(30 * agent.cadence_ms).max(40 * agent.poll_ms);
    let step = 50;
    for ms in (step..last_ms).step_by(usize::try_from(step).unwrap()) {
        for container in containers.iter_mut() {
            container.live(ms, agent, random);
        }
        // The agent is away now and then.
        if ms % agent.poll_ms != 0 || random.chance(2) {
            continue;
        }
        let mut body = String::from("{");
        for container in containers.iter_mut() {
            if let Some(entry) = container.entry(ms, agent, random) {
                write!(body, "{}{entry}", if body.len() > 1 { ", " } else { "" }).unwrap();
            }
        }
        body.push('}');
        let mut body = body.into_bytes();
        let read = |visit: &mut dyn FnMut(&str, Entry)| parser.parse(&mut body, visit);
        machine.on_readings(read, at(start, ms), &mut samples, &mut events).unwrap();
        check(containers, &samples, &events);
        samples.clear();
        events.clear();
    }
}

#[test]
fn each_value_of_a_container_is_the_growth_of_its_counter() {
    let mut in_all = 0;
    for seed in 0..60 {
        let random = &mut Random::new(seed * 0x9e37_79b9 + 1);
        let agent = Agent::new(random);
        let mut containers: Vec<_> =
            (0..=random.below(3)).map(|n| Container::new(n, false, random)).collect();
        let mut published: HashMap<(Metric, u16), (u64, u64)> = HashMap::new();
        let wanted = COUNTERS.into_iter().collect();
        play(agent, &mut containers, wanted, random, |containers, samples, events| {
            for event in events {
                assert!(!matches!(event, Event::ClockSet { .. }), "{seed} {agent:?}");
            }
            for sample in samples {
                let place = sample.container.unwrap();
                let read_ms = sample.read.unix_ms() - START_MS;
                let last = published.entry((sample.metric.metric().unwrap(), place)).or_default();
                assert!(last.0 < read_ms, "{seed} {agent:?}: twice: {sample:?}");
                assert!(
                    containers[usize::from(place)].is_true(sample, last.0),
                    "{seed} {agent:?}: not true: {sample:?}"
                );
                *last = (read_ms, last.1 + 1);
            }
        });
        for (place, container) in (0..).zip(&containers) {
            let shown = container.shown.len() as u64;
            for metric in COUNTERS {
                let (_, count) = published.get(&(metric, place)).copied().unwrap_or_default();
                // A restart costs one or two; a first burst waits for the next sample.
                let runs = u64::from(container.now.run);
                let lost = 12 + 2 * runs + shown / 5;
                assert!(count + lost >= shown, "{seed} {agent:?} {metric:?}: {count} of {shown}");
                in_all += count;
            }
        }
    }
    assert!(in_all > 25_000, "{in_all}");
}

#[test]
fn each_sum_of_the_task_is_that_of_all_its_containers() {
    let wanted: MetricSet =
        [Metric::TaskCpuUtilization, Metric::TaskMemoryUtilization].into_iter().collect();
    let mut in_all = 0;
    for seed in 0..60 {
        let random = &mut Random::new(seed * 0x9e37_79b9 + 7);
        let mut agent = Agent::new(random);
        // A restart that is hidden between two polls cannot be seen.
        if agent.poll_ms > agent.cadence_ms {
            agent.restarts = 0;
        }
        let mut containers: Vec<_> =
            (0..=random.below(3)).map(|n| Container::new(n, true, random)).collect();
        let cpu_ns_in_ms: u64 = containers.iter().map(|container| container.rates[0]).sum();
        // More than there are, when several are busy at once: no such host.
        if cpu_ns_in_ms > CPUS * 1_000_000 {
            continue;
        }
        let cpu = cpu_ns_in_ms as f64 / (CPUS * 10_000) as f64;
        let bytes: u64 = containers.iter().map(|container| memory_bytes(&container.id)).sum();
        let memory = 100.0 * bytes as f64 / MEMORY_LIMIT as f64;
        let mut count = 0;
        play(agent, &mut containers, wanted, random, |_, samples, _| {
            for sample in samples {
                let truth = if sample.metric == Metric::TaskCpuUtilization { cpu } else { memory };
                assert!(
                    (sample.value - truth).abs() <= 1e-6 * truth.max(1.0),
                    "{seed} {agent:?}: {truth}: {sample:?}"
                );
                count += 1;
            }
        });
        assert!(count > 0, "{seed} {agent:?}: no sum at all");
        in_all += count;
    }
    assert!(in_all > 2500, "{in_all}");
}

#[test]
fn each_sum_of_changing_loads_has_one_interval_of_each_container() {
    let wanted: MetricSet = [Metric::TaskCpuUtilization].into_iter().collect();
    let (mut in_all, mut joined) = (0, 0);
    for seed in 0..60 {
        let random = &mut Random::new(seed * 0x9e37_79b9 + 21);
        let mut agent = Agent::new(random);
        // A restart that is hidden between two polls cannot be seen.
        if agent.poll_ms > agent.cadence_ms {
            agent.restarts = 0;
        }
        let mut containers: Vec<_> =
            (0..=random.below(3)).map(|n| Container::new(n, false, random)).collect();
        // After each answer: how many readings of each container had been shown, and whether
        // a sum was published.
        let mut answers: Vec<(Vec<usize>, bool)> = Vec::new();
        play(agent, &mut containers, wanted, random, |containers, samples, _| {
            let shown: Vec<_> = containers.iter().map(|container| container.shown.len()).collect();
            for sample in samples {
                let sum_since = |from: &[usize]| {
                    let each = containers.iter().zip(from).map(|(container, &from)| {
                        let (before, now) =
                            (container.shown.get(from.checked_sub(1)?)?, container.shown.last()?);
                        let is_growth = now.run == before.run && now.read_ms > before.read_ms;
                        let used_ns = now.counters[0].checked_sub(before.counters[0])?;
                        let ms = now.read_ms.checked_sub(before.read_ms)?;
                        is_growth.then(|| used_ns as f64 / ms as f64 / (CPUS * 10_000) as f64)
                    });
                    each.sum::<Option<f64>>()
                };
                let is_true = |from: &[usize]| {
                    sum_since(from)
                        .is_some_and(|truth| (sample.value - truth).abs() <= 1e-6 * truth.max(1.0))
                };
                assert!(
                    answers.iter().rev().any(|(from, _)| is_true(from)),
                    "{seed} {agent:?}: {sample:?}"
                );
                let last = answers.iter().rev().find(|(_, is_sum)| *is_sum);
                joined += u64::from(last.is_some_and(|(from, _)| is_true(from)));
                in_all += 1;
            }
            answers.push((shown, !samples.is_empty()));
        });
    }
    assert!(in_all > 2000, "{in_all}");
    // A restart, or a container whose data came back, begins anew.
    assert!(joined * 10 > in_all * 8, "{joined} of {in_all}");
}
