//! What one poll costs after its bytes have arrived: `copy` (below), `parse`,
//! `calculate`, and `both` as the sampler does it, for 1, 3 and 10 containers in
//! the full shape of an EC2 task on cgroup v1.
//!
//! Parsing scribbles over its body, so each iteration copies a fresh one into a
//! buffer that is kept, as the socket does. `copy` is that copy alone: it is
//! contained in `parse` and `both`, in the figures of `serde_json` too.

#![expect(
    clippy::expect_used,
    reason = "a benchmark on other documents than meant is no benchmark"
)]

use std::{collections::BTreeMap, fmt::Write as _, hint::black_box, time::Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use serde::Deserialize;

use esp::{
    metric::{Metric, MetricSet},
    sampler::{Sampler, Selection},
    stats::{Entry, StatsParser},
    task::TaskDocument,
    timestamp::Timestamp,
    utilisation::{Counter, CpuBasis, Difference, difference},
};

const CONTAINERS: [usize; 3] = [1, 3, 10];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    copy(&mut criterion);
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

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for containers in CONTAINERS {
        let document = stats_document(containers);
        let mut body = document.clone();
        group.throughput(Throughput::Bytes(document.len() as u64));

        let mut parser = StatsParser::new();
        group.bench_function(BenchmarkId::new("esp", containers), |bencher| {
            bencher.iter(|| {
                body.copy_from_slice(&document);
                let mut samples = 0;
                parser
                    .parse(&mut body, |docker_id, entry| {
                        samples += usize::from(matches!(entry, Entry::Sample(_)));
                        black_box((docker_id, entry));
                    })
                    .expect("the document is valid");
                assert_eq!(samples, containers);
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
        let pairs: Vec<(Counter, Counter)> = (1..=containers as u64)
            .map(|container| {
                let at = |read_ms: u64, total: u64| Counter {
                    read: Timestamp::from_unix_ns(read_ms * 1_000_000),
                    total,
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
                    match difference(*previous, *current) {
                        Difference::PerNs(cores) => black_box(basis.percent(cores)),
                        other => panic!("{other:?}"),
                    };
                }
            });
        });
    }
    group.finish();
}

/// The whole of it: `one` container and one metric, as configured without
/// another word, and `all` of both.
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
        let cpu: MetricSet = [Metric::CpuUtilization].into_iter().collect();
        for (name, selection, wanted) in
            [("one", one, cpu), ("all", Selection::All, MetricSet::all())]
        {
            let now = Instant::now();
            let (mut samples, mut events) = (Vec::new(), Vec::new());
            let mut measuring = Sampler::new(selection, wanted);
            let task =
                TaskDocument::parse(&mut task_document(containers)).expect("the task is valid");
            let wall = Timestamp::parse("2026-11-24T00:00:00Z").expect("the time is valid");
            measuring.on_task(&task, now, wall, &mut samples, &mut events);

            let mut second = 0;
            group.bench_function(BenchmarkId::new(name, containers), |bencher| {
                bencher.iter(|| {
                    second = (second + 1) % 86_400;
                    let time = time_of_day(second);
                    for &place in &places {
                        document[place..place + time.len()].copy_from_slice(&time);
                    }
                    body.copy_from_slice(&document);
                    samples.clear();
                    events.clear();
                    measuring
                        .on_stats(&mut body, now, &mut samples, &mut events)
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

/// Where the time of day of each `read` begins. `preread` is another key.
fn places_of_time(document: &[u8]) -> Vec<usize> {
    const BEFORE: &[u8] = br#"{"read":"2026-11-24T"#;
    document
        .windows(BEFORE.len())
        .enumerate()
        .filter(|(_, window)| *window == BEFORE)
        .map(|(start, _)| start + BEFORE.len())
        .collect()
}

fn time_of_day(second: u32) -> [u8; 8] {
    let digits =
        |number: u32| [number / 10, number % 10].map(|digit| b"0123456789"[digit as usize]);
    let ([h1, h2], [m1, m2], [s1, s2]) =
        (digits(second / 3600), digits(second / 60 % 60), digits(second % 60));
    [h1, h2, b':', m1, m2, b':', s1, s2]
}

fn docker_id(container: usize) -> String {
    format!("{container:064x}")
}

/// A task whose first container is `web`.
fn task_document(containers: usize) -> Vec<u8> {
    let containers: Vec<String> = (0..containers)
        .map(|container| {
            let name = if container == 0 { "web".to_owned() } else { format!("side-{container}") };
            let docker_id = docker_id(container);
            format!(r#"{{"DockerId":"{docker_id}","Name":"{name}","KnownStatus":"RUNNING"}}"#)
        })
        .collect();
    let containers = containers.join(",");
    format!(r#"{{"Cluster":"shop","Limits":{{"CPU":0.5}},"Containers":[{containers}]}}"#)
        .into_bytes()
}

/// `/task/stats` of an EC2 task on cgroup v1, about 2 kB a container: as the
/// agent writes it, without a space, and with everything that ESP leaves unread.
fn stats_document(containers: usize) -> Vec<u8> {
    let entries: Vec<String> = (0..containers)
        .map(|container| format!(r#""{}":{}"#, docker_id(container), container_stats(container)))
        .collect();
    format!("{{{}}}", entries.join(",")).into_bytes()
}

fn container_stats(container: usize) -> String {
    let start = 73_400_512_233 + 1_000_003 * container;
    let mut json = String::from(
        r#"{"read":"2026-11-24T10:00:01.002417623Z","preread":"2026-11-24T10:00:00.000112904Z","num_procs":0,"pids_stats":{"current":9,"limit":4096}"#,
    );
    for (key, earlier) in [("cpu_stats", 0), ("precpu_stats", 501_500_000)] {
        let total = start - earlier;
        let half = total / 2;
        write!(
            json,
            r#","{key}":{{"cpu_usage":{{"total_usage":{total},"percpu_usage":[{half},{half}],"usage_in_kernelmode":4100000000,"usage_in_usermode":69000000000}},"system_cpu_usage":{system},"online_cpus":2,"throttling_data":{{"periods":0,"throttled_periods":0,"throttled_time":0}}}}"#,
            system = 918_273_640_000_000_usize - 4 * earlier,
        )
        .expect("a string takes everything");
    }
    json.push_str(r#","memory_stats":{"usage":41943040,"max_usage":56623104,"stats":{"#);
    for prefix in ["", "total_"] {
        for (key, value) in [
            ("active_anon", 31_457_280_u64),
            ("active_file", 2_162_688),
            ("cache", 8_192_000),
            ("dirty", 0),
            ("inactive_anon", 0),
            ("inactive_file", 4_096_000),
            ("mapped_file", 1_351_680),
            ("pgfault", 218_340),
            ("pgmajfault", 17),
            ("pgpgin", 91_234),
            ("pgpgout", 80_001),
            ("rss", 31_465_472),
            ("rss_huge", 0),
            ("unevictable", 0),
            ("writeback", 0),
        ] {
            write!(json, r#""{prefix}{key}":{value},"#).expect("a string takes everything");
        }
    }
    json.push_str(r#""hierarchical_memory_limit":536870912,"hierarchical_memsw_limit":9223372036854771712},"limit":536870912},"blkio_stats":{"io_service_bytes_recursive":["#);
    for (op, value) in
        [("Read", 4_096_000), ("Write", 12_288), ("Sync", 4_100_096), ("Async", 8192)]
    {
        write!(json, r#"{{"major":202,"minor":0,"op":"{op}","value":{value}}},"#)
            .expect("a string takes everything");
    }
    json.push_str(r#"{"major":202,"minor":0,"op":"Total","value":4108288}],"io_serviced_recursive":[],"io_queue_recursive":null,"io_service_time_recursive":null,"io_wait_time_recursive":null,"io_merged_recursive":null,"io_time_recursive":null,"sectors_recursive":null},"storage_stats":{},"networks":{"eth0":{"rx_bytes":81234567,"rx_packets":61234,"rx_errors":0,"rx_dropped":0,"tx_bytes":4123456,"tx_packets":51234,"tx_errors":0,"tx_dropped":0}},"network_rate_stats":{"rx_bytes_per_sec":1234.5,"tx_bytes_per_sec":98.25}}"#);
    json
}
