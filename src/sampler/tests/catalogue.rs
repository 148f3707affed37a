//! The metrics besides CPU, on whole entries.

use super::*;

const MIB: u64 = 1 << 20;

/// A full entry: CPU ms, usage MiB with 10 MiB inactive, network and disk bytes.
pub(super) fn full(
    id: &str,
    read_s: u64,
    cpu_ms: u64,
    usage_mib: u64,
    net: Option<u64>,
    disk: u64,
) -> String {
    let networks = net.map_or(String::new(), |bytes| {
        format!(r#", "networks": {{"eth0": {{"rx_bytes": {bytes}, "tx_bytes": {}}}}}"#, bytes * 2)
    });
    let plain = entry(id, read_s, cpu_ms);
    let open = plain.strip_suffix('}').unwrap();
    format!(
        r#"{open}, "memory_stats": {{"usage": {}, "limit": 9223372036854771712,
            "stats": {{"cache": {}, "total_inactive_file": {}}}}}{networks},
            "blkio_stats": {{"io_service_bytes_recursive": [
                {{"op": "Read", "value": {disk}}}, {{"op": "Write", "value": {}}},
                {{"op": "Total", "value": {}}}]}}}}"#,
        usage_mib * MIB,
        20 * MIB,
        10 * MIB,
        disk * 3,
        disk * 4,
    )
}

/// Polls a document and gives the values by metric and container.
pub(super) fn all_values(bench: &mut Bench, json: &str) -> Vec<(&'static str, Option<u16>, f64)> {
    bench.second += 1;
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    bench.take(json, &mut samples, &mut events).unwrap();
    samples.iter().map(|sample| (sample.metric.name(), sample.container, sample.value)).collect()
}

pub(super) fn task_with(limits: &str, mode: &str, containers: &[(&str, &str)]) -> String {
    let containers: Vec<_> = containers
        .iter()
        .map(|(id, limits)| {
            format!(
                r#"{{"DockerId": "{id}", "Name": "{id}", "KnownStatus": "RUNNING",
                    "Limits": {limits}, "Networks": [{{"NetworkMode": {mode}}}]}}"#
            )
        })
        .collect();
    format!(r#"{{"Limits": {limits}, "Containers": [{}]}}"#, containers.join(","))
}

#[test]
fn one_sample_gives_every_metric_of_its_container() {
    let mut bench = Bench::measuring(&["web"], &crate::sample::metric::ALL);
    bench.task(&task_with(r#"{"CPU": 0.5, "Memory": 200}"#, r#""bridge""#, &[("web", "{}")]));
    let document = |read, cpu, net| format!("{{{}}}", full("web", read, cpu, 60, Some(net), net));
    assert_eq!(all_values(&mut bench, &document(10, 1000, 500)), [], "the first is a base");
    assert_eq!(
        all_values(&mut bench, &document(12, 1500, 1500)),
        [
            ("CPUUtilization", Some(0), 50.0),
            ("CPUUsage", Some(0), 25.0),
            ("MemoryUtilization", Some(0), 25.0),
            ("MemoryUtilized", Some(0), 50.0),
            ("NetworkRxBytes", Some(0), 500.0),
            ("NetworkTxBytes", Some(0), 1000.0),
            ("StorageReadBytes", Some(0), 500.0),
            ("StorageWriteBytes", Some(0), 1500.0),
            ("TaskCPUUtilization", None, 50.0),
            // By ECS's formula: usage without all of v1's cache.
            ("TaskMemoryUtilization", None, 20.0),
        ]
    );
}

/// The table in docs/metrics.md, number by number: half a CPU and a working set of 50 MiB,
/// on an EC2 host with two CPUs and 4 GiB, and on Fargate.
#[test]
fn the_four_combinations_of_limits() {
    const EC2: &str = "4294967296";
    const FARGATE: &str = "9223372036854771712";
    let (task, no_task) = (r#"{"CPU": 2, "Memory": 400}"#, "{}");
    let (container, no_container) = (r#"{"CPU": 512, "Memory": 100}"#, r#"{"CPU": 2}"#);
    for (platform, task, container, cpu, memory) in [
        (EC2, task, container, 25.0, 50.0),
        (EC2, task, no_container, 25.0, 12.5),
        (EC2, no_task, container, 100.0, 50.0),
        (EC2, no_task, no_container, 25.0, 1.220_703_125),
        (FARGATE, task, container, 25.0, 50.0),
        (FARGATE, task, no_container, 25.0, 12.5),
    ] {
        let metrics = [Metric::CpuUtilization, Metric::MemoryUtilization];
        let mut bench = Bench::measuring(&["web"], &metrics);
        bench.task(&task_with(task, r#""bridge""#, &[("web", container)]));
        let document = |read, cpu| {
            format!("{{{}}}", full("web", read, cpu, 60, None, 0)).replace(FARGATE, platform)
        };
        all_values(&mut bench, &document(10, 1000));
        assert_eq!(
            all_values(&mut bench, &document(11, 1500)),
            [("CPUUtilization", Some(0), cpu), ("MemoryUtilization", Some(0), memory)],
            "{task} {container} {platform}"
        );
    }
}

#[test]
fn without_any_memory_limit_there_is_no_percentage() {
    let mut bench = Bench::measuring(&["web"], &[Metric::MemoryUtilization]);
    bench.task(&task_with("{}", "null", &[("web", "{}")]));
    for read in 10..13 {
        let document = format!("{{{}}}", full("web", read, read, 60, None, 0));
        assert_eq!(all_values(&mut bench, &document), []);
    }
}

#[test]
fn on_awsvpc_the_network_is_the_tasks_and_counted_once() {
    let metrics = [Metric::NetworkRxBytes, Metric::NetworkTxBytes];
    let mut bench = Bench::measuring(&["web", "log"], &metrics);
    bench.task(&task_with("{}", r#""awsvpc""#, &[("pause", "{}"), ("web", "{}"), ("log", "{}")]));
    // Fargate's cadence: each container every 10 s.
    let document = |read: u64, net: u64| {
        let of = |id| full(id, read, read * 10, 60, Some(net), 0);
        format!("{{{}, {}, {}}}", of("pause"), of("log"), of("web"))
    };
    let mut seen = Vec::new();
    for second in 10..41 {
        let (read, net) = match second {
            ..20 => (10, 1000),
            20..30 => (20, 3000),
            30..40 => (30, 8000),
            _ => (40, 13_000),
        };
        seen.extend(all_values(&mut bench, &document(read, net)));
    }
    assert_eq!(seen, [("NetworkRxBytes", None, 500.0), ("NetworkTxBytes", None, 1000.0)]);
}

#[test]
fn on_awsvpc_a_container_without_networks_leaves_it_to_the_pause_container() {
    let mut bench = Bench::measuring(&["web"], &[Metric::NetworkRxBytes]);
    bench.task(&task_with("{}", r#""awsvpc""#, &[("pause", "{}"), ("web", "{}")]));
    let document = |read: u64, net| {
        let pause = full("pause", read, read, 60, Some(net), 0);
        format!("{{{pause}, {}}}", full("web", read, read, 60, None, 0))
    };
    let mut seen = Vec::new();
    for second in 10..41 {
        let read = second / 10 * 10;
        seen.extend(all_values(&mut bench, &document(read, read * 100)));
    }
    assert_eq!(seen, [("NetworkRxBytes", None, 100.0)]);
}

#[test]
fn on_bridge_each_container_has_its_own_network() {
    let mut bench = Bench::measuring(&["web", "log"], &[Metric::NetworkRxBytes]);
    bench.task(&task_with("{}", r#""bridge""#, &[("web", "{}"), ("log", "{}")]));
    let document = |read: u64, net: u64| {
        let log = full("log", read, read, 60, Some(net * 2), 0);
        format!("{{{log}, {}}}", full("web", read, read, 60, Some(net), 0))
    };
    all_values(&mut bench, &document(10, 1000));
    assert_eq!(
        all_values(&mut bench, &document(11, 1300)),
        [("NetworkRxBytes", Some(1), 600.0), ("NetworkRxBytes", Some(0), 300.0)]
    );
}

#[test]
fn a_counter_that_falls_gives_no_rate() {
    let metrics = [Metric::NetworkRxBytes, Metric::StorageReadBytes];
    let mut bench = Bench::measuring(&["web"], &metrics);
    bench.task(&task_with("{}", r#""bridge""#, &[("web", "{}")]));
    let document =
        |read, net, disk| format!("{{{}}}", full("web", read, read * 9, 60, Some(net), disk));
    all_values(&mut bench, &document(10, 5000, 7000));
    assert_eq!(all_values(&mut bench, &document(11, 100, 100)), []);
    assert_eq!(
        all_values(&mut bench, &document(12, 300, 150)),
        [("NetworkRxBytes", Some(0), 200.0), ("StorageReadBytes", Some(0), 50.0)]
    );
}

#[test]
fn the_task_waits_for_all_that_have_data() {
    let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
    bench.task(
        &task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}"), ("init", "{}")])
            .replace(
                r#""Name": "init", "KnownStatus": "RUNNING""#,
                r#""Name": "init", "KnownStatus": "STOPPED""#,
            ),
    );
    let at = |web: (u64, u64), log: (u64, u64)| {
        format!(
            r#"{{{}, {}, "init": null}}"#,
            entry("web", web.0, web.1),
            entry("log", log.0, log.1)
        )
    };
    assert_eq!(all_values(&mut bench, &at((10, 1000), (13, 500))), []);
    // Fargate: each container has its own phase.
    bench.second += 9;
    assert_eq!(all_values(&mut bench, &at((20, 3500), (13, 500))), []);
    bench.second += 2;
    assert_eq!(
        all_values(&mut bench, &at((20, 3500), (23, 3000))),
        [("TaskCPUUtilization", None, 50.0)],
        "a quarter of a CPU each"
    );
    assert_eq!(all_values(&mut bench, &at((20, 3500), (23, 3000))), []);
    bench.second += 7;
    // One of them restarts: the sum is unknown this once.
    assert_eq!(all_values(&mut bench, &at((30, 100), (33, 4000))), []);
    bench.second += 9;
    assert_eq!(
        all_values(&mut bench, &at((40, 1100), (43, 5000))),
        [("TaskCPUUtilization", None, 20.0)]
    );
}

#[test]
fn the_task_is_measured_against_reservations_where_it_has_no_limit() {
    let metrics = [Metric::TaskCpuUtilization, Metric::TaskMemoryUtilization];
    for (limits, expected) in [
        (
            [r#"{"CPU": 256, "Memory": 100}"#, r#"{"CPU": 256, "Memory": 60}"#],
            vec![("TaskCPUUtilization", None, 200.0), ("TaskMemoryUtilization", None, 50.0)],
        ),
        ([r#"{"CPU": 2, "Memory": 0}"#, "{}"], vec![]),
    ] {
        let mut bench = Bench::measuring(&["web"], &metrics);
        bench.task(&task_with("{}", "null", &[("web", limits[0]), ("log", limits[1])]));
        let document = |read: u64, cpu: u64| {
            let log = full("log", read, cpu, 60, None, 0);
            format!("{{{log}, {}}}", full("web", read, cpu, 60, None, 0))
        };
        all_values(&mut bench, &document(10, 1000));
        assert_eq!(all_values(&mut bench, &document(11, 1500)), expected, "{limits:?}");
    }
}

#[test]
fn the_task_document_has_metrics_of_its_own() {
    let metrics = [Metric::EphemeralStorageUtilization, Metric::RestartCount];
    let mut bench = Bench::measuring(&["web"], &metrics);
    let json = r#"{"EphemeralStorageMetrics": {"Utilized": 5120, "Reserved": 20480},
        "Containers": [{"DockerId": "w1", "Name": "web", "RestartCount": 3},
                       {"DockerId": "l1", "Name": "log", "RestartCount": 9}]}"#;
    let mut read_at = Vec::new();
    for second in 0..61 {
        bench.second = second;
        if bench.sampler.wants_task(bench.now().instant) {
            let task = TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap();
            let (mut samples, mut events) = (Vec::new(), Vec::new());
            bench.sampler.on_task(&task, bench.now(), &mut samples, &mut events);
            let values: Vec<_> =
                samples.iter().map(|s| (s.metric.name(), s.container, s.value, s.read)).collect();
            assert_eq!(
                values,
                [
                    ("EphemeralStorageUtilization", None, 25.0, bench.now().wall),
                    ("RestartCount", Some(0), 3.0, bench.now().wall)
                ]
            );
            read_at.push(second);
        }
    }
    assert_eq!(read_at, [0, 30, 60]);
}

#[test]
fn a_star_measures_all_but_those_of_ecs() {
    let mut bench = Bench::new();
    let metrics = [Metric::CpuUsage].into_iter().collect();
    bench.sampler = Sampler::new(Selection::All, metrics);
    bench.task(LIMITED);
    assert_eq!(bench.sampler.names(), ["web", "esp"]);
    let document = |read: u64, used: u64| {
        let of = |id, used| entry(id, read, used);
        format!("{{{}, {}, {}}}", of("e1", used / 10), of("pause", 1), of("w1", used))
    };
    all_values(&mut bench, &document(10, 1000));
    assert_eq!(
        all_values(&mut bench, &document(11, 1500)),
        [("CPUUsage", Some(1), 5.0), ("CPUUsage", Some(0), 50.0)]
    );
}

#[test]
fn what_the_platform_does_not_give_is_named_with_the_reason() {
    let mut bench = Bench::measuring(&["web"], &crate::sample::metric::ALL);
    // Windows without limits: no online_cpus, no usage, no blkio.
    bench.task(r#"{"Containers": [{"DockerId": "w1", "Name": "web"}]}"#);
    let mut said = Vec::new();
    for read in 10..60 {
        let json = one("w1", read, read * 10).replace(r#", "online_cpus": 2"#, "");
        for event in bench.stats(&json).1 {
            if let Event::Unavailable { container, metrics } = event {
                let names: Vec<_> = metrics.iter().map(|(metric, _)| metric.name()).collect();
                said.push((container, names.join(",")));
            }
        }
    }
    assert_eq!(
        said,
        [
            (
                Some("web".to_owned()),
                "CPUUtilization,MemoryUtilization,MemoryUtilized,NetworkRxBytes,NetworkTxBytes,\
                 StorageReadBytes,StorageWriteBytes,RestartCount"
                    .to_owned()
            ),
            (
                None,
                "TaskCPUUtilization,TaskMemoryUtilization,EphemeralStorageUtilization".to_owned()
            ),
        ]
    );
}

#[test]
fn ids_in_one_document_only_do_no_harm() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    // Two that only the stats have; two that only the task has.
    let document = |read, used| {
        format!("{{{}, {}, \"x\": null}}", entry("y", read, 1), entry("w1", read, used))
    };
    bench.values(&document(10, 1000));
    assert_eq!(bench.values(&document(11, 1250)), [(11, 50.0)]);
}
