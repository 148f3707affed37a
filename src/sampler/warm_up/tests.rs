//! Warm-up by documents made by hand.

use super::*;
use crate::sample::{Metric, own_figures::OwnMetric};

/// Seconds after a full hour.
fn at(second: u64) -> Timestamp {
    Timestamp::from_unix_ns((1_795_514_400 + second) * 1_000_000_000)
}

struct Bench {
    warm_up: WarmUp,
    start: Instant,
    names: Vec<String>,
    events: Vec<WarmUpEvent>,
}

impl Bench {
    fn new(rule: WarmUpRule) -> Self {
        let names = vec!["web".to_owned(), "api".to_owned()];
        Self { warm_up: WarmUp::new(rule), start: Instant::now(), names, events: Vec::new() }
    }

    fn now(&self, second: u64) -> Now {
        Now { instant: self.start + Duration::from_secs(second), wall: at(second) }
    }

    /// A document at this second: of each container its id, the second of its start and its
    /// health.
    fn document(&mut self, second: u64, containers: [(&str, Option<u64>, Option<&str>); 2]) {
        let entries = containers.iter().zip(&self.names).map(|((id, started, health), name)| {
            let started = started.map(|second| {
                let (minute, second) = (second / 60, second % 60);
                format!(r#", "StartedAt": "2026-11-24T10:{minute:02}:{second:02}Z""#)
            });
            let health = health.map(|status| format!(r#", "Health": {{"status": "{status}"}}"#));
            let (started, health) = (started.unwrap_or_default(), health.unwrap_or_default());
            format!(r#"{{"DockerId": "{id}", "Name": "{name}"{started}{health}}}"#)
        });
        let text = format!(r#"{{"Containers": [{}]}}"#, entries.collect::<Vec<_>>().join(", "));
        let task = TaskDocument::parse(&mut text.into_bytes()).unwrap();
        let now = self.now(second);
        self.warm_up.on_task(&task, &self.names, now, &mut self.events);
    }

    /// Which of web's, api's and the task's samples of this second go out.
    fn admitted(&mut self, second: u64) -> [bool; 3] {
        let now = self.now(second);
        self.warm_up.advance(&self.names, now, &mut self.events);
        [Some(0), Some(1), None].map(|container| {
            let metric = Metric::CpuUtilization.into();
            self.warm_up.admits(&Sample { read: at(second), value: 1.0, metric, container })
        })
    }
}

fn began(name: &str) -> WarmUpEvent {
    WarmUpEvent::Began { container: name.to_owned() }
}

fn ended(name: &str) -> WarmUpEvent {
    WarmUpEvent::Ended { container: name.to_owned() }
}

const HALF_A_MINUTE: WarmUpRule = WarmUpRule::For(Duration::from_secs(30));

#[test]
fn a_container_is_held_back_so_long_after_its_start_and_the_task_as_long_as_any() {
    let mut bench = Bench::new(HALF_A_MINUTE);
    bench.document(101, [("a", Some(100), None), ("b", Some(90), None)]);
    assert_eq!(bench.admitted(119), [false, false, false]);
    assert_eq!(bench.admitted(120), [false, true, false]);
    assert_eq!(bench.admitted(129), [false, true, false]);
    assert_eq!(bench.admitted(130), [true, true, true]);
    assert_eq!(bench.events, [began("web"), began("api"), ended("api"), ended("web")]);
}

#[test]
fn an_esp_that_comes_later_holds_nothing_back_and_a_successor_warms_up_again() {
    let mut bench = Bench::new(HALF_A_MINUTE);
    bench.document(1000, [("a", Some(100), None), ("b", None, None)]);
    assert_eq!(bench.admitted(1000), [true, true, true]);
    assert_eq!(bench.events, []);
    bench.document(2000, [("a", Some(100), None), ("c", Some(1999), None)]);
    assert_eq!(bench.admitted(2000), [true, false, false]);
    // The same id, started again.
    bench.document(2500, [("a", Some(2490), None), ("c", Some(1999), None)]);
    assert_eq!(bench.admitted(2519), [false, true, false]);
    assert_eq!(bench.admitted(2520), [true, true, true]);
    assert_eq!(bench.events, [began("api"), began("web"), ended("api"), ended("web")]);
}

#[test]
fn health_is_waited_for_once_and_asked_for_each_five_seconds() {
    let mut bench = Bench::new(WarmUpRule::Healthy);
    let start = bench.start;
    let after = |seconds| start + Duration::from_secs(seconds);
    bench.document(10, [("a", Some(9), Some("UNKNOWN")), ("b", Some(9), None)]);
    assert_eq!(bench.admitted(10), [false, true, false]);
    let none = WarmUpEvent::NoHealthCheck { container: "api".to_owned() };
    assert_eq!(bench.events, [began("web"), none]);
    assert!(!bench.warm_up.wants_task(after(14)) && bench.warm_up.wants_task(after(15)));
    bench.document(15, [("a", Some(9), Some("UNHEALTHY")), ("b", Some(9), None)]);
    assert_eq!(bench.admitted(15), [false, true, false]);
    bench.document(20, [("a", Some(9), Some("HEALTHY")), ("b", Some(9), None)]);
    assert_eq!(bench.admitted(20), [true, true, true]);
    assert!(!bench.warm_up.wants_task(after(90)));
    // Later troubles are no warm-up.
    bench.document(90, [("a", Some(9), Some("UNHEALTHY")), ("b", Some(9), None)]);
    assert_eq!(bench.admitted(90), [true, true, true]);
    assert_eq!(bench.events[2..], [ended("web")]);
}

#[test]
fn without_a_warm_up_nothing_is_looked_at_and_own_figures_always_go_out() {
    let mut bench = Bench::new(WarmUpRule::For(Duration::ZERO));
    bench.document(10, [("a", Some(100), Some("UNKNOWN")), ("b", Some(90), None)]);
    assert_eq!(bench.admitted(10), [true, true, true]);
    let mut bench = Bench::new(HALF_A_MINUTE);
    bench.document(10, [("a", Some(9), None), ("b", Some(9), None)]);
    let metric = OwnMetric::all().next().map(crate::sample::metric::Measured::Own).unwrap();
    let own = Sample { read: at(10), value: 1.0, metric, container: None };
    assert!(bench.warm_up.admits(&own));
}
