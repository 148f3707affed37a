//! What one poll costs after its bytes have arrived: `parse`, `calculate`, and
//! `both` as the sampler does it, for 1, 3, 10 and 100 containers in the full
//! shape of an EC2 task on cgroup v1.
//!
//! Beside `parse`, on the same bytes: simd-json's own `tape`, with its buffers
//! kept and nothing read from it, which is what ESP's parser stands on;
//! `serde_json` into structs of the same fields; and a `scan` for a byte that is
//! not there, at the speed of the memory, which nothing that reads every byte
//! can beat.
//!
//! Parsing scribbles over its body, so each iteration copies a fresh one into a
//! buffer that is kept, as the socket does. `copy` is that copy alone: it is
//! contained in all of the others but `scan` and `calculate`.

#![expect(
    clippy::expect_used,
    reason = "a benchmark on other documents than meant is no benchmark"
)]

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput};
use serde::Deserialize;
use simd_json::{Buffers, Tape};

use esp::{
    endpoint::{stats::StatsParser, task::TaskDocument},
    reading::{Entry, Parts},
    sample::metric::MetricSet,
    sampler::{
        Sampler, Selection,
        basis::CpuBasis,
        cpu::{CpuCounter, cores},
        parts_of,
    },
    time::{Now, Timestamp},
};
use esp_benches::{default_metrics, places_of_time, stats_document, task_document, time_of_day};

const CONTAINERS: [usize; 4] = [1, 3, 10, 100];

/// In none of the documents.
const NOWHERE: u8 = b'\0';

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    copy(&mut criterion);
    scan(&mut criterion);
    parse(&mut criterion);
    calculate(&mut criterion);
    both(&mut criterion);
    criterion.final_summary();
}

fn copy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("copy");
    for containers in CONTAINERS {
        let document = stats_document(containers);
        let mut body = document.clone();
        group.throughput(Throughput::Bytes(document.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(containers), |bencher| {
            bencher.iter(|| body.copy_from_slice(black_box(&document)));
        });
    }
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    for containers in CONTAINERS {
        let document = stats_document(containers);
        group.throughput(Throughput::Bytes(document.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(containers), |bencher| {
            bencher.iter(|| assert_eq!(memchr::memchr(NOWHERE, black_box(&document)), None));
        });
    }
    group.finish();
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for containers in CONTAINERS {
        let document = stats_document(containers);
        let mut body = document.clone();
        group.throughput(Throughput::Bytes(document.len() as u64));

        let mut parser = StatsParser::new(Parts::ALL);
        group.bench_function(BenchmarkId::new("esp", containers), |bencher| {
            bencher.iter(|| {
                body.copy_from_slice(&document);
                let mut samples = 0;
                parser
                    .parse(&mut body, |docker_id, entry| {
                        samples += usize::from(matches!(entry, Entry::Reading(_)));
                        black_box((docker_id, entry));
                    })
                    .expect("the document is valid");
                assert_eq!(samples, containers);
            });
        });

        let (mut buffers, mut tape) = (Buffers::default(), Some(Tape::null()));
        group.bench_function(BenchmarkId::new("tape", containers), |bencher| {
            bencher.iter(|| {
                body.copy_from_slice(&document);
                let mut filled = tape.take().unwrap_or_else(Tape::null).reset();
                simd_json::fill_tape(&mut body, &mut buffers, &mut filled)
                    .expect("the document is valid");
                black_box(&filled);
                tape = Some(filled.reset());
            });
        });

        group.bench_function(BenchmarkId::new("serde_json", containers), |bencher| {
            bencher.iter(|| {
                body.copy_from_slice(&document);
                let entries: BTreeMap<&str, Option<sparse::Container<'_>>> =
                    serde_json::from_slice(&body).expect("the document is valid");
                for container in entries.values().flatten() {
                    let read = Timestamp::parse(container.read).expect("the timestamp is valid");
                    black_box((read, container));
                }
                assert_eq!(entries.len(), containers);
            });
        });
    }
    group.finish();
}

/// Two counters and a basis to a percentage, for each container.
fn calculate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("calculate");
    for containers in CONTAINERS {
        let pairs: Vec<(CpuCounter, CpuCounter)> = (1..=containers as u64)
            .map(|container| {
                let at = |read_ms: u64, total_ns: u64| CpuCounter {
                    read: Timestamp::from_unix_ns(read_ms * 1_000_000),
                    total_ns,
                };
                let start = container * 70_000_000_000;
                (at(1000, start), at(2003, start + container * 100_300_000))
            })
            .collect();
        let basis = CpuBasis::choose(Some(0.25), None, Some(2)).expect("there is a limit");
        group.throughput(Throughput::Elements(containers as u64));
        group.bench_function(BenchmarkId::from_parameter(containers), |bencher| {
            bencher.iter(|| {
                for (previous, current) in black_box(&pairs) {
                    let cores = cores(*previous, *current).expect("time passed");
                    black_box(basis.percent(cores));
                }
            });
        });
    }
    group.finish();
}

/// The whole of it: `one` container and the default metrics, and `all` of both.
///
/// A replayed sample would end early, so the seconds of each `read` are counted
/// on in place; once a day they begin again, which the sampler takes for a
/// clock that was set back.
fn both(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("both");
    for containers in CONTAINERS {
        let mut document = stats_document(containers);
        let places = places_of_time(&document);
        assert_eq!(places.len(), containers);
        let mut body = document.clone();
        group.throughput(Throughput::Bytes(document.len() as u64));

        let one = Selection::Named(vec!["web".to_owned()]);
        for (name, selection, wanted) in
            [("one", one, default_metrics()), ("all", Selection::All, MetricSet::all())]
        {
            let (mut samples, mut events) = (Vec::new(), Vec::new());
            let mut measuring = Sampler::new(selection, wanted);
            let task =
                TaskDocument::parse(&mut task_document(containers)).expect("the task is valid");
            let wall = Timestamp::parse("2026-11-24T00:00:00Z").expect("the time is valid");
            let mut now = Now { instant: Instant::now(), wall };
            let mut parser = StatsParser::new(parts_of(wanted));
            measuring.on_task(&task, now, &mut samples, &mut events);

            let mut second = 0;
            group.bench_function(BenchmarkId::new(name, containers), |bencher| {
                bencher.iter(|| {
                    second = (second + 1) % 86_400;
                    now.instant += Duration::from_secs(1);
                    now.wall =
                        Timestamp::from_unix_ns(wall.unix_ns() + u64::from(second) * 1_000_000_000);
                    let time = time_of_day(second);
                    for &place in &places {
                        document[place..place + time.len()].copy_from_slice(&time);
                    }
                    body.copy_from_slice(&document);
                    samples.clear();
                    events.clear();
                    let read = |visit: &mut dyn FnMut(&str, Entry)| parser.parse(&mut body, visit);
                    measuring
                        .on_readings(read, now, &mut samples, &mut events)
                        .expect("the document is valid");
                    black_box((&samples, &events));
                });
            });
            // Only the first poll and the midnights bring none.
            let figures = measuring.figures();
            assert_eq!((figures.duplicates, figures.no_data, figures.malformed), (0, 0, 0));
        }
    }
    group.finish();
}

/// The same fields that ESP reads, for serde.
mod sparse {
    #![expect(dead_code, reason = "the fields are read by black_box, which does not count")]

    use super::{BTreeMap, Deserialize};

    #[derive(Deserialize)]
    pub(crate) struct Container<'body> {
        pub(crate) read: &'body str,
        cpu_stats: Option<Cpu>,
        memory_stats: Option<Memory>,
        #[serde(borrow)]
        networks: Option<BTreeMap<&'body str, Network>>,
        #[serde(borrow)]
        blkio_stats: Option<BlockIo<'body>>,
    }

    #[derive(Deserialize)]
    struct Cpu {
        cpu_usage: Usage,
        online_cpus: Option<u32>,
    }

    #[derive(Deserialize)]
    struct Usage {
        total_usage: u64,
    }

    #[derive(Deserialize)]
    struct Memory {
        usage: u64,
        limit: u64,
        stats: MemoryDetails,
    }

    #[derive(Deserialize)]
    struct MemoryDetails {
        cache: Option<u64>,
        inactive_file: Option<u64>,
        total_inactive_file: Option<u64>,
        hierarchical_memory_limit: Option<u64>,
    }

    #[derive(Deserialize)]
    struct Network {
        rx_bytes: u64,
        tx_bytes: u64,
    }

    #[derive(Deserialize)]
    struct BlockIo<'body> {
        #[serde(borrow)]
        io_service_bytes_recursive: Option<Vec<Operation<'body>>>,
    }

    #[derive(Deserialize)]
    struct Operation<'body> {
        op: &'body str,
        value: u64,
    }
}
