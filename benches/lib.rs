//! What the benches have in common: the documents of a task on EC2 with cgroup
//! v1, in their full shape, and a `read` in them that goes on.

#![expect(
    clippy::expect_used,
    reason = "a benchmark on other documents than meant is no benchmark"
)]

use std::fmt::Write as _;

use esp::{
    sample::metric::{Metric, MetricSet},
    settings::variable,
};

/// What is published where METRICS is not set.
#[must_use]
pub fn default_metrics() -> MetricSet {
    let names = variable::METRICS.default.value().into_iter().flat_map(|names| names.split(','));
    names.filter_map(Metric::by_name).collect()
}

/// Where the time of day of each `read` begins. `preread` is another key.
#[must_use]
pub fn places_of_time(document: &[u8]) -> Vec<usize> {
    const BEFORE: &[u8] = br#"{"read":"2026-11-24T"#;
    document
        .windows(BEFORE.len())
        .enumerate()
        .filter(|(_, window)| *window == BEFORE)
        .map(|(start, _)| start + BEFORE.len())
        .collect()
}

/// `10:00:01`, so many seconds after midnight.
#[must_use]
pub fn time_of_day(second: u32) -> [u8; 8] {
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
#[must_use]
pub fn task_document(containers: usize) -> Vec<u8> {
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
#[must_use]
pub fn stats_document(containers: usize) -> Vec<u8> {
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
