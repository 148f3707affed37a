//! The sampler as a state machine, on documents written here.

use super::*;
use crate::utilisation::CpuBasis;

const LIMITED: &str = r#"{"Limits": {"CPU": 0.5}, "Containers": [
    {"DockerId": "pause", "Name": "~internal~ecs~pause", "Type": "CNI_PAUSE"},
    {"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING", "Limits": {"CPU": 128}},
    {"DockerId": "e1", "Name": "esp", "KnownStatus": "RUNNING"}]}"#;

/// A sampler of the container `web`, on a clock of its own.
struct Bench {
    sampler: Sampler,
    start: Instant,
    second: u64,
}

impl Bench {
    fn new() -> Self {
        Self::measuring(&["web"], &[Metric::CpuUtilization])
    }

    fn measuring(names: &[&str], metrics: &[Metric]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let metrics = metrics.iter().copied().collect();
        let sampler = Sampler::new(Selection::Named(names), metrics);
        Self { sampler, start: Instant::now(), second: 0 }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.second)
    }

    fn task(&mut self, json: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let task = TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap();
        let wall = Timestamp::from_unix_ns(self.second * 1_000_000_000);
        self.sampler.on_task(&task, self.now(), wall, &mut Vec::new(), &mut events);
        events
    }

    /// One second later, polls this document.
    fn stats(&mut self, json: &str) -> (Vec<(u64, f64)>, Vec<Event>) {
        self.second += 1;
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        let mut body = json.as_bytes().to_vec();
        self.sampler.on_stats(&mut body, self.now(), &mut samples, &mut events).unwrap();
        let samples = samples.iter().map(|sample| (sample.read.unix_ms() / 1000, sample.value));
        (samples.collect(), events)
    }

    fn values(&mut self, json: &str) -> Vec<(u64, f64)> {
        self.stats(json).0
    }
}

fn found(docker_id: &str, replaced: bool) -> Event {
    Event::ContainerFound { container: "web".into(), docker_id: docker_id.into(), replaced }
}

fn entry(id: &str, read_s: u64, total_usage_ms: u64) -> String {
    let (minutes, seconds) = (read_s / 60, read_s % 60);
    format!(
        r#""{id}": {{"read": "1970-01-01T00:{minutes:02}:{seconds:02}Z", "cpu_stats": {{
            "cpu_usage": {{"total_usage": {total_usage_ms}000000}}, "online_cpus": 2}},
            "precpu_stats": {{"cpu_usage": {{"total_usage": 0}}}}}}"#
    )
}

fn one(id: &str, read_s: u64, total_usage_ms: u64) -> String {
    format!("{{{}}}", entry(id, read_s, total_usage_ms))
}

#[test]
fn the_first_sample_is_only_a_base() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    assert_eq!(bench.values(&one("w1", 10, 70_000)), []);
    assert_eq!(bench.values(&one("w1", 11, 70_500)), [(11, 100.0)]);
    assert_eq!(bench.values(&one("w1", 13, 70_750)), [(13, 25.0)]);
}

#[test]
fn a_replayed_sample_is_published_once() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 1000));
    for second in 1..=10 {
        let expected = if second == 10 { vec![(20, 50.0)] } else { vec![] };
        let (read, used) = if second == 10 { (20, 3500) } else { (10, 1000) };
        assert_eq!(bench.values(&one("w1", read, used)), expected);
    }
    assert_eq!(bench.sampler.figures().duplicates, 9);
}

#[test]
fn no_data_leaves_the_base() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 1000));
    for no_data in [
        "{}",
        r#"{"w1": null}"#,
        r#"{"w1": {}}"#,
        r#"{"w1": {"read": "1970-01-01T00:00:12Z"}}"#,
        r#"{"w1": {"read": "0001-01-01T00:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 5}}}}"#,
        r#"{"w1": {"read": "1970-01-01T00:00:12Z", "cpu_stats": {"cpu_usage": {"total_usage": 0}}}}"#,
        r#"{"w1": {"read": 7, "cpu_stats": {}}}"#,
    ] {
        assert_eq!(bench.values(no_data), [], "{no_data}");
    }
    bench.second = 10;
    assert_eq!(bench.values(&one("w1", 20, 3500)), [(20, 50.0)]);
}

#[test]
fn a_restart_drops_one_difference() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 9000));
    let (samples, events) = bench.stats(&one("w1", 11, 100));
    assert_eq!((samples, events), (vec![], vec![Event::CounterReset { container: "web".into() }]));
    assert_eq!(bench.values(&one("w1", 12, 225)), [(12, 25.0)]);
}

#[test]
fn a_clock_set_back_drops_one_difference() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 100, 1000));
    let (samples, events) = bench.stats(&one("w1", 40, 1500));
    assert_eq!((samples, events), (vec![], vec![Event::ClockSet { container: "web".into() }]));
    assert_eq!(bench.values(&one("w1", 41, 2000)), [(41, 100.0)]);
}

#[test]
fn a_replaced_container_starts_anew_under_its_name() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 9000));
    assert!(!bench.sampler.wants_task(bench.now()));
    // Its id turns up in the stats first: now the task has to be read.
    bench.values(&one("w2", 11, 9100));
    assert!(bench.sampler.wants_task(bench.now()));
    let events = bench.task(&LIMITED.replace("w1", "w2"));
    assert_eq!(events, [found("w2", true)]);
    assert_eq!(bench.values(&one("w2", 12, 9200)), []);
    assert_eq!(bench.values(&one("w2", 13, 9450)), [(13, 50.0)]);
}

#[test]
fn an_unknown_id_makes_the_task_be_read_once() {
    let mut bench = Bench::new();
    assert!(bench.sampler.wants_task(bench.now()), "at the start");
    bench.task(LIMITED);
    let with = |ids: [&str; 2]| format!("{{{}, {}}}", entry(ids[0], 10, 5), entry(ids[1], 10, 5));
    bench.values(&with(["w1", "new"]));
    assert!(bench.sampler.wants_task(bench.now()));
    bench.task(LIMITED);
    bench.values(&with(["new", "w1"]));
    assert!(!bench.sampler.wants_task(bench.now()), "asked already, to no avail");
    bench.values(&with(["w1", "newer"]));
    assert!(bench.sampler.wants_task(bench.now()));
}

#[test]
fn a_wrong_name_lists_the_right_ones_at_once_and_each_minute() {
    let mut bench = Bench::measuring(&["wbe"], &[Metric::CpuUtilization]);
    let mut said_at = Vec::new();
    let mut read_at = Vec::new();
    for second in 0..130 {
        bench.second = second;
        if bench.sampler.wants_task(bench.now()) {
            read_at.push(second);
            for event in bench.task(LIMITED) {
                let names = vec!["esp".to_owned(), "web".to_owned()];
                assert_eq!(event, Event::ContainerMissing { container: "wbe".into(), names });
                said_at.push(second);
            }
        }
    }
    assert_eq!(said_at, [0, 60, 120]);
    assert_eq!(read_at, [0, 2, 6, 14, 30, 60, 90, 120]);
}

#[test]
fn a_container_that_is_being_pulled_is_not_missing() {
    let mut bench = Bench::new();
    let pulling = r#"{"Containers": [{"DockerId": "", "Name": "web", "KnownStatus": "PULLED"}]}"#;
    assert_eq!(bench.task(pulling), []);
    bench.values(&one("w1", 10, 5));
    assert!(bench.sampler.wants_task(bench.now()), "its id has turned up");
    assert_eq!(bench.task(LIMITED), [found("w1", false)]);
}

#[test]
fn of_two_of_one_name_the_one_that_runs_counts() {
    for order in [["old", "new"], ["new", "old"]] {
        let mut bench = Bench::new();
        let container = |id: &str| {
            let status = if id == "new" { "RUNNING" } else { "STOPPED" };
            format!(r#"{{"DockerId": "{id}", "Name": "web", "KnownStatus": "{status}"}}"#)
        };
        let json =
            format!(r#"{{"Containers": [{}, {}]}}"#, container(order[0]), container(order[1]));
        assert_eq!(bench.task(&json), [found("new", false)]);
    }
}

#[test]
fn basis_and_cadence_are_said_once() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    let events: Vec<_> =
        (10..20).flat_map(|read| bench.stats(&one("w1", read, read * 10)).1).collect();
    let (basis, cadence) = (Some(CpuBasis::TaskLimit { vcpu: 0.5 }), Duration::from_secs(1));
    assert_eq!(events, [Event::Measuring { container: "web".into(), basis, cadence }]);
    assert_eq!(bench.sampler.cadence(), Some(cadence));
}

#[test]
fn the_basis_falls_back_to_reservation_and_host() {
    for (container_limits, expected) in
        [(r#"{"CPU": 512}"#, [(11, 50.0)]), (r#"{"CPU": 2}"#, [(11, 12.5)]), ("{}", [(11, 12.5)])]
    {
        let mut bench = Bench::new();
        bench.task(&format!(
            r#"{{"Containers": [{{"DockerId": "w1", "Name": "web", "Limits": {container_limits}}}]}}"#
        ));
        bench.values(&one("w1", 10, 1000));
        assert_eq!(bench.values(&one("w1", 11, 1250)), expected, "{container_limits}");
    }
}

#[test]
fn without_a_basis_nothing_is_published() {
    let mut bench = Bench::new();
    bench.task(r#"{"Containers": [{"DockerId": "w1", "Name": "web"}]}"#);
    let windows = |read, used| one("w1", read, used).replace(r#", "online_cpus": 2"#, "");
    bench.values(&windows(10, 1000));
    bench.values(&windows(11, 1250));
    let mut events = Vec::new();
    for read in 12..40 {
        let (samples, said) = bench.stats(&windows(read, read * 250));
        assert_eq!(samples, []);
        events.extend(said);
    }
    let (container, cadence) = ("web".to_owned(), Duration::from_secs(1));
    let reason = "neither a task limit, nor a reservation, nor a number of CPUs is known";
    let metrics = vec![(Metric::CpuUtilization, reason)];
    assert_eq!(
        events,
        [
            Event::Measuring { container: container.clone(), basis: None, cadence },
            Event::Unavailable { container: Some(container), metrics },
        ]
    );
}

#[test]
fn a_silent_container_is_noticed_and_looked_for() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 1000));
    let mut events = Vec::new();
    for _ in 0..35 {
        events.extend(bench.stats(&one("w1", 10, 1000)).1);
    }
    assert_eq!(
        events,
        [Event::ContainerSilent { container: "web".into(), since: Duration::from_secs(11) }]
    );
    assert!(bench.sampler.wants_task(bench.now()));
    bench.second = 50;
    let (samples, events) = bench.stats(&one("w1", 60, 1500));
    assert_eq!(
        (samples, events),
        (vec![(60, 2.0)], vec![Event::ContainerBack { container: "web".into() }])
    );
}

#[test]
fn a_malformed_entry_is_said_once_a_minute() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    let said = (0..121)
        .flat_map(|_| bench.stats(r#"{"w1": {"read": "x", "cpu_stats": {}}}"#).1)
        .filter(|event| matches!(event, Event::EntryMalformed { .. }))
        .count();
    assert_eq!(said, 3);
    assert_eq!(bench.sampler.figures().malformed, 121);
}

#[test]
fn a_malformed_document_changes_nothing() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 1000));
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    let outcome =
        bench.sampler.on_stats(&mut b"{\"w1\": ".to_vec(), bench.now(), &mut samples, &mut events);
    assert!(outcome.is_err());
    assert_eq!(bench.values(&one("w1", 11, 1500)), [(11, 100.0)]);
}

// From here on: the other metrics, on whole entries.

const MIB: u64 = 1 << 20;

/// A full entry: CPU ms, usage MiB with 10 MiB inactive, network and disk bytes.
fn full(id: &str, read_s: u64, cpu_ms: u64, usage_mib: u64, net: Option<u64>, disk: u64) -> String {
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
fn all_values(bench: &mut Bench, json: &str) -> Vec<(&'static str, Option<u16>, f64)> {
    bench.second += 1;
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    let mut body = json.as_bytes().to_vec();
    bench.sampler.on_stats(&mut body, bench.now(), &mut samples, &mut events).unwrap();
    samples.iter().map(|sample| (sample.metric.name(), sample.container, sample.value)).collect()
}

fn task_with(limits: &str, mode: &str, containers: &[(&str, &str)]) -> String {
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
    let mut bench = Bench::measuring(&["web"], &crate::metric::ALL);
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

/// The README's table, number by number: half a CPU and a working set of 50 MiB,
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
    all_values(&mut bench, &document(10, 1000));
    all_values(&mut bench, &document(20, 3000));
    assert_eq!(
        all_values(&mut bench, &document(30, 8000)),
        [("NetworkRxBytes", None, 500.0), ("NetworkTxBytes", None, 1000.0)]
    );
}

#[test]
fn on_awsvpc_a_container_without_networks_leaves_it_to_the_pause_container() {
    let mut bench = Bench::measuring(&["web"], &[Metric::NetworkRxBytes]);
    bench.task(&task_with("{}", r#""awsvpc""#, &[("pause", "{}"), ("web", "{}")]));
    let document = |read: u64, net| {
        let pause = full("pause", read, read, 60, Some(net), 0);
        format!("{{{pause}, {}}}", full("web", read, read, 60, None, 0))
    };
    all_values(&mut bench, &document(10, 1000));
    all_values(&mut bench, &document(20, 1000));
    assert_eq!(all_values(&mut bench, &document(30, 2000)), [("NetworkRxBytes", None, 100.0)]);
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
    bench.task(&task_with(
        r#"{"CPU": 1}"#,
        "null",
        &[("web", "{}"), ("log", "{}"), ("init", "{}")],
    ));
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
        if bench.sampler.wants_task(bench.now()) {
            let task = TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap();
            let wall = Timestamp::from_unix_ns(second);
            let (mut samples, mut events) = (Vec::new(), Vec::new());
            bench.sampler.on_task(&task, bench.now(), wall, &mut samples, &mut events);
            let values: Vec<_> =
                samples.iter().map(|s| (s.metric.name(), s.container, s.value, s.read)).collect();
            assert_eq!(
                values,
                [
                    ("EphemeralStorageUtilization", None, 25.0, wall),
                    ("RestartCount", Some(0), 3.0, wall)
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
    let mut bench = Bench::measuring(&["web"], &crate::metric::ALL);
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

/// Two containers that use half and a tenth of a CPU, in a task of one vCPU.
fn two(read: u64, web: bool, log: bool) -> String {
    let entry = |id, is_there, ms| {
        if is_there { entry(id, read, ms) } else { format!(r#""{id}": null"#) }
    };
    let (web, log) = (entry("web", web, read * 500), entry("log", log, read * 100));
    format!("{{{web}, {log}}}")
}

fn bench_of_two() -> Bench {
    let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
    bench.task(&task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}")]));
    bench
}

#[test]
fn a_hole_in_one_container_never_makes_the_task_smaller() {
    let mut bench = bench_of_two();
    let mut seen = Vec::new();
    for read in 10..40 {
        // Missing now and then, once each and once for five polls.
        let web = ![14, 15, 22, 23, 24, 25, 26].contains(&read);
        let log = ![15, 17, 30].contains(&read);
        let bad = two(read, web, log).replace("null", if read == 17 { "7" } else { "null" });
        seen.extend(all_values(&mut bench, &bad).into_iter().map(|(.., value)| value));
    }
    assert!(seen.len() > 15 && seen.iter().all(|value| (value - 60.0).abs() < 1e-9), "{seen:?}");
}

#[test]
fn a_reset_hidden_between_two_sums_breaks_the_next_one_only() {
    let mut bench = bench_of_two();
    let at = |web: (u64, u64), log: u64| {
        format!("{{{}, {}}}", entry("web", web.0, web.1), entry("log", log, log * 100))
    };
    all_values(&mut bench, &at((10, 1000), 10));
    assert_eq!(all_values(&mut bench, &at((11, 1500), 11)).len(), 1);
    // While the other one lags, web falls and rises past where it was.
    assert_eq!(all_values(&mut bench, &at((12, 100), 11)), []);
    assert_eq!(all_values(&mut bench, &at((13, 1600), 11)), []);
    assert_eq!(all_values(&mut bench, &at((14, 2100), 14)), []);
    let values = all_values(&mut bench, &at((15, 2600), 15));
    assert!(matches!(values[..], [(_, None, value)] if (value - 60.0).abs() < 1e-9), "{values:?}");
}

#[test]
fn a_container_that_stopped_or_fell_silent_holds_nobody_up() {
    let mut bench = bench_of_two();
    let web = |read: u64| entry("web", read, read * 500);
    let replay = entry("log", 10, 1000);
    let mut counted = 0;
    for read in 10..60 {
        counted += all_values(&mut bench, &format!("{{{}, {replay}}}", web(read))).len();
    }
    assert!(counted > 30, "silent: {counted}");
    let stopped = task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}")]);
    let stopped = stopped.replacen("RUNNING", "x", 1).replacen("RUNNING", "STOPPED", 1);
    let mut bench = bench_of_two();
    all_values(&mut bench, &two(10, true, true));
    bench.task(&stopped);
    all_values(&mut bench, &two(11, true, false));
    let values = all_values(&mut bench, &two(12, true, false));
    assert_eq!(values, [("TaskCPUUtilization", None, 50.0)]);
}

#[test]
fn the_tasks_datum_is_stamped_with_the_newest_read() {
    let mut bench = bench_of_two();
    let at =
        |web: u64, log: u64| format!("{{{}, {}}}", entry("web", web, web), entry("log", log, log));
    all_values(&mut bench, &at(10, 10));
    let (samples, _) = bench.stats(&at(11, 12));
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].0, 12);
}

#[test]
fn memory_that_is_missing_makes_no_sum() {
    let mut bench = Bench::measuring(&["web"], &[Metric::TaskMemoryUtilization]);
    bench.task(&task_with(r#"{"Memory": 200}"#, "null", &[("web", "{}"), ("log", "{}")]));
    let document = |read: u64, log: bool| {
        let log = if log { full("log", read, read, 60, None, 0) } else { entry("log", read, read) };
        format!("{{{log}, {}}}", full("web", read, read, 60, None, 0))
    };
    all_values(&mut bench, &document(10, false));
    assert_eq!(all_values(&mut bench, &document(11, false)), []);
    assert_eq!(
        all_values(&mut bench, &document(12, true)),
        [("TaskMemoryUtilization", None, 40.0)]
    );
}

/// What the network came to over `polls`, each the document of one second.
fn network_of(task: &str, polls: impl Iterator<Item = String>) -> Vec<(Option<u16>, f64)> {
    let mut bench = Bench::measuring(&["web"], &[Metric::NetworkRxBytes]);
    bench.task(task);
    polls
        .flat_map(|document| all_values(&mut bench, &document))
        .map(|(_, container, value)| (container, value))
        .collect()
}

#[test]
fn on_awsvpc_ec2_the_bytes_of_ten_seconds_never_look_like_those_of_one() {
    let task = task_with("{}", r#""awsvpc""#, &[("web", "{}")]);
    // Renewed every 10 s, 100 bytes a second; from the first poll on.
    let polls = (10..60_u64).map(|read| {
        format!("{{{}}}", full("web", read, read, 60, Some((read + 3) / 10 * 1000), 0))
    });
    let seen = network_of(&task, polls);
    assert!(seen.len() >= 4, "{seen:?}");
    assert!(seen.iter().all(|(container, rx)| container.is_none() && (*rx - 100.0).abs() < 1e-9));
}

#[test]
fn on_awsvpc_a_sample_without_networks_is_no_zero_and_no_other_source() {
    let task = task_with("{}", r#""awsvpc""#, &[("web", "{}"), ("log", "{}")]).replacen(
        '{',
        r#"{"LaunchType": "FARGATE", "#,
        1,
    );
    let polls = (10..40_u64).map(|read| {
        // The other one's counters would be a jump, were they taken.
        let (net, other) = (read * 100, 7_000_000 + read * 100);
        let log = full("log", read, read, 60, Some(other), 0);
        let web = match read {
            15 => full("web", read, read, 60, None, 0),
            20 | 21 => r#""web": null"#.to_owned(),
            _ => full("web", read, read, 60, Some(net), 0),
        };
        format!("{{{web}, {log}}}")
    });
    let seen = network_of(&task, polls);
    assert_eq!(seen.len(), 26, "{seen:?}");
    assert!(seen.iter().all(|(_, rx)| (*rx - 100.0).abs() < 1e-9), "{seen:?}");
}

#[test]
fn a_source_that_is_gone_is_replaced_without_a_jump() {
    let task = task_with("{}", r#""awsvpc""#, &[("web", "{}"), ("log", "{}")]).replacen(
        '{',
        r#"{"LaunchType": "FARGATE", "#,
        1,
    );
    let polls = (10..120_u64).map(|read| {
        let log = full("log", read, read, 60, Some(7_000_000 + read * 100), 0);
        let web = if read < 30 {
            full("web", read, read, 60, Some(read * 100), 0)
        } else {
            entry("web", read, read)
        };
        format!("{{{web}, {log}}}")
    });
    let seen = network_of(&task, polls);
    assert!(seen.len() > 70, "{}", seen.len());
    assert!(seen.iter().all(|(_, rx)| (*rx - 100.0).abs() < 1e-9), "{seen:?}");
}

#[test]
fn one_container_that_says_awsvpc_says_it_for_all() {
    let task = task_with("{}", r#""awsvpc""#, &[("pause", "{}"), ("web", "{}")]);
    let task = {
        let position = task.rfind(r#""awsvpc""#).unwrap();
        format!("{}null{}", &task[..position], &task[position + 8..])
    };
    let polls = (10..60_u64).map(|read| {
        let of = |id| full(id, read, read, 60, Some(read / 10 * 1000), 0);
        format!("{{{}, {}}}", of("pause"), of("web"))
    });
    let seen = network_of(&task, polls);
    assert!(!seen.is_empty() && seen.iter().all(|(container, _)| container.is_none()), "{seen:?}");
}

#[test]
fn a_clock_that_is_set_forward_drops_one_difference() {
    for (set_s, is_dropped) in [(3000, true), (30, true), (2, false)] {
        let mut bench = Bench::measuring(
            &["web"],
            &[Metric::CpuUtilization, Metric::NetworkRxBytes, Metric::StorageReadBytes],
        );
        bench.task(&task_with(r#"{"CPU": 0.5}"#, r#""bridge""#, &[("web", "{}")]));
        let document =
            |read, n: u64| format!("{{{}}}", full("web", read, n * 250, 60, Some(n * 10), n * 10));
        all_values(&mut bench, &document(10, 1));
        assert_eq!(all_values(&mut bench, &document(11, 2)).len(), 3);
        assert_eq!(all_values(&mut bench, &document(12 + set_s, 3)).is_empty(), is_dropped);
        assert_eq!(
            all_values(&mut bench, &document(13 + set_s, 4)),
            [
                ("CPUUtilization", Some(0), 50.0),
                ("NetworkRxBytes", Some(0), 10.0),
                ("StorageReadBytes", Some(0), 10.0)
            ]
        );
    }
}

#[test]
fn a_clock_that_is_set_back_spares_no_counter() {
    let metrics = [Metric::NetworkRxBytes, Metric::StorageReadBytes];
    let mut bench = Bench::measuring(&["web"], &metrics);
    bench.task(&task_with("{}", r#""bridge""#, &[("web", "{}")]));
    let document = |read, n: u64| format!("{{{}}}", full("web", read, n, 60, Some(n * 10), n * 10));
    all_values(&mut bench, &document(100, 1));
    assert_eq!(all_values(&mut bench, &document(40, 2)), []);
    assert_eq!(
        all_values(&mut bench, &document(41, 3)),
        [("NetworkRxBytes", Some(0), 10.0), ("StorageReadBytes", Some(0), 10.0)]
    );
}

#[test]
fn more_than_all_cpus_is_a_clock_and_no_load() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    let document = |ms: u64, used_ms: u64| {
        one("w1", ms / 1000, used_ms)
            .replace(&format!("{:02}Z", ms / 1000), &format!("{:02}.{:03}Z", ms / 1000, ms % 1000))
    };
    bench.values(&document(10_000, 1000));
    assert_eq!(bench.values(&document(11_000, 1250)), [(11, 50.0)]);
    // Set back by 0.9 s: a second's work in a tenth of one.
    assert_eq!(bench.values(&document(11_100, 1500)), []);
    assert_eq!(bench.values(&document(12_100, 1750)), [(12, 50.0)]);
}

#[test]
fn new_limits_count_from_the_next_sample_on() {
    let mut bench =
        Bench::measuring(&["web"], &[Metric::CpuUtilization, Metric::MemoryUtilization]);
    let document = |read: u64| format!("{{{}}}", full("web", read, read * 500, 60, None, 0));
    let limited = |limits| task_with("{}", "null", &[("web", limits)]);
    bench.task(&limited(r#"{"CPU": 512, "Memory": 100}"#));
    all_values(&mut bench, &document(10));
    let of = |cpu, memory| {
        vec![("CPUUtilization", Some(0), cpu), ("MemoryUtilization", Some(0), memory)]
    };
    assert_eq!(all_values(&mut bench, &document(11)), of(100.0, 50.0));
    bench.task(&limited(r#"{"CPU": 1024, "Memory": 200}"#));
    assert_eq!(all_values(&mut bench, &document(12)), of(50.0, 25.0));
}

#[test]
fn a_kind_other_than_normal_is_ecs_s_own_whatever_its_name() {
    let mut bench = Bench::new();
    bench.sampler = Sampler::new(Selection::All, [Metric::CpuUsage].into_iter().collect());
    bench.task(
        r#"{"Containers": [{"DockerId": "a", "Name": "daemon", "Type": "MANAGED_DAEMON"},
                           {"DockerId": "b", "Name": "web", "Type": "NORMAL"}]}"#,
    );
    assert_eq!(bench.sampler.names(), ["web"]);
}

#[test]
fn a_stopped_container_is_not_silent_and_one_that_comes_back_can_be() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 1000));
    bench.task(&LIMITED.replacen("RUNNING", "STOPPED", 1));
    for _ in 0..60 {
        assert_eq!(bench.stats(r#"{"w1": {}}"#).1, []);
    }
    bench.second += 1;
    bench.stats(&one("w1", 73, 50));
    let said: Vec<_> = (0..20).flat_map(|_| bench.stats(&one("w1", 73, 50)).1).collect();
    assert!(matches!(said[..], [Event::ContainerSilent { .. }]), "{said:?}");
}

#[test]
fn a_task_document_that_fails_is_asked_for_less_and_less_often() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.stats(&one("new", 10, 5));
    let mut asked_at = Vec::new();
    for second in 2..100 {
        bench.second = second;
        if bench.sampler.wants_task(bench.now()) {
            asked_at.push(second);
            bench.sampler.on_task_failed(bench.now());
        }
    }
    assert_eq!(asked_at, [2, 4, 8, 16, 32, 62, 92]);
}

#[test]
fn a_star_does_not_miss_what_is_gone() {
    let mut bench = Bench::new();
    bench.sampler = Sampler::new(Selection::All, [Metric::CpuUsage].into_iter().collect());
    bench.task(LIMITED);
    let fewer = r#"{"Containers": [{"DockerId": "e1", "Name": "esp", "KnownStatus": "RUNNING"}]}"#;
    assert_eq!(bench.task(fewer), []);
    assert_eq!(bench.sampler.names(), ["web", "esp"], "places stay");
}
