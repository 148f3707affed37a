//! The sampler as a state machine, on documents written here.

use super::*;
use crate::{
    endpoint::stats::{StatsError, StatsParser},
    reading::Parts,
    sampler::basis::CpuBasis,
    time::Timestamp,
};

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

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_secs(self.second),
            // The documents here begin with a `read` of 10 in second 1.
            wall: Timestamp::from_unix_ns((self.second + 10) * 1_000_000_000),
        }
    }

    /// Takes in this document at the present second.
    fn take(
        &mut self,
        json: &str,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
    ) -> Result<(), StatsError> {
        let mut parser = StatsParser::new(Parts::ALL);
        let (mut body, now) = (json.as_bytes().to_vec(), self.now());
        self.sampler.on_readings(|visit| parser.parse(&mut body, visit), now, samples, events)
    }

    fn task(&mut self, json: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let task = TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap();
        self.sampler.on_task(&task, self.now(), &mut Vec::new(), &mut events);
        events
    }

    /// One second later, polls this document.
    fn stats(&mut self, json: &str) -> (Vec<(u64, f64)>, Vec<Event>) {
        self.second += 1;
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        self.take(json, &mut samples, &mut events).unwrap();
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
    assert_eq!((samples, events), (vec![], vec![Event::ClockSet { by_ms: None }]));
    assert_eq!(bench.values(&one("w1", 41, 2000)), [(41, 100.0)]);
}

#[test]
fn a_replaced_container_starts_anew_under_its_name() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 9000));
    assert!(!bench.sampler.wants_task(bench.now().instant));
    // Its id turns up in the stats first: now the task has to be read.
    bench.values(&one("w2", 11, 9100));
    assert!(bench.sampler.wants_task(bench.now().instant));
    let events = bench.task(&LIMITED.replace("w1", "w2"));
    assert_eq!(events, [found("w2", true)]);
    assert_eq!(bench.values(&one("w2", 12, 9200)), []);
    assert_eq!(bench.values(&one("w2", 13, 9450)), [(13, 50.0)]);
}

#[test]
fn an_unknown_id_makes_the_task_be_read_once() {
    let mut bench = Bench::new();
    assert!(bench.sampler.wants_task(bench.now().instant), "at the start");
    bench.task(LIMITED);
    let with = |ids: [&str; 2]| format!("{{{}, {}}}", entry(ids[0], 10, 5), entry(ids[1], 10, 5));
    bench.values(&with(["w1", "new"]));
    assert!(bench.sampler.wants_task(bench.now().instant));
    bench.task(LIMITED);
    bench.values(&with(["new", "w1"]));
    assert!(!bench.sampler.wants_task(bench.now().instant), "asked already, to no avail");
    bench.values(&with(["w1", "newer"]));
    assert!(bench.sampler.wants_task(bench.now().instant));
}

#[test]
fn a_wrong_name_lists_the_right_ones_at_once_and_each_minute() {
    let mut bench = Bench::measuring(&["wbe"], &[Metric::CpuUtilization]);
    let mut said_at = Vec::new();
    let mut read_at = Vec::new();
    for second in 0..130 {
        bench.second = second;
        if bench.sampler.wants_task(bench.now().instant) {
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
    assert!(bench.sampler.wants_task(bench.now().instant), "its id has turned up");
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
    for read in 7..=10 {
        bench.stats(&one("w1", read, 100 * read));
    }
    let mut events = Vec::new();
    for _ in 0..35 {
        events.extend(bench.stats(&one("w1", 10, 1000)).1);
    }
    assert_eq!(
        events,
        [Event::ContainerSilent { container: "web".into(), since: Duration::from_secs(11) }]
    );
    assert!(bench.sampler.wants_task(bench.now().instant));
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
    let outcome = bench.take(r#"{"w1": "#, &mut samples, &mut events);
    assert!(outcome.is_err());
    assert_eq!(bench.values(&one("w1", 11, 1500)), [(11, 100.0)]);
}

mod catalogue;
mod kernel;
mod networks;
mod sums;
mod trouble;
