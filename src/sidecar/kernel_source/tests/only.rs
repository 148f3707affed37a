//! When a container is estimated by itself: while nothing but ESP runs beside it, as far
//! as the endpoint has said.

use super::*;

/// `web` and ESP on Fargate, beside another of this status, with these fields besides.
fn beside(status: &str, more: &str) -> TaskDocument {
    let json = format!(
        r#"{{"LaunchType": "FARGATE", "Limits": {{"CPU": 2}}, "Containers": [
            {{"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING"}},
            {{"DockerId": "j1", "Name": "job", "KnownStatus": "{status}"{more}}},
            {{"DockerId": "e1", "Name": "esp", "KnownStatus": "RUNNING"}}]}}"#
    );
    TaskDocument::parse(&mut json.into_bytes()).unwrap()
}

/// The source of a task of which `web` is measured, and what it said of the time.
struct Fargate {
    source: KernelSource<Crowded>,
    start: Instant,
    second: u64,
}

impl Fargate {
    fn new() -> Self {
        Self::at("http://169.254.170.2/v4/e1")
    }

    /// With the default metrics, and the endpoint at this address.
    fn at(uri: &str) -> Self {
        let table = [
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("ECS_CONTAINER_METADATA_URI_V4", uri),
        ];
        let settings = Settings::read(&table[..]).unwrap();
        let source = KernelSource::new(|| Crowded(Rc::default()), &settings).unwrap();
        Self { source, start: Instant::now(), second: 0 }
    }

    fn now(&mut self) -> Now {
        self.second += 1;
        Now {
            instant: self.start + Duration::from_secs(self.second),
            wall: Timestamp::from_unix_ns(START_NS + self.second * 1000 * MS),
        }
    }

    /// Which container is estimated once this document was read.
    fn read(&mut self, task: &TaskDocument) -> Option<&str> {
        let now = self.now();
        self.source.on_task(task, &["web".to_owned()], now);
        self.source.estimates_container()
    }

    /// Which one is estimated after the stats had this container, read at that second.
    fn stats(&mut self, docker_id: &str, second: u64) -> Option<&str> {
        let reading = Reading {
            read: Timestamp::from_unix_ns(START_NS + second * 1000 * MS),
            cpu: Some(CpuReading { total_usage_ns: 1, online_cpus: Some(2) }),
            is_cpu_base: false,
            memory: None,
            network: None,
            block_io: None,
        };
        let now = self.now();
        self.source.on_entry(docker_id, Entry::Reading(reading), now);
        self.source.estimates_container()
    }
}

#[test]
fn another_container_that_starts_or_ends_is_seen_though_it_is_not_measured() {
    let mut fargate = Fargate::new();
    for round in 0..3 {
        assert_eq!(fargate.read(&beside("STOPPED", "")), Some("web"), "{round}");
        for status in ["PULLED", "CREATED", "RUNNING", "SOMETHING"] {
            assert_eq!(fargate.read(&beside(status, "")), None, "{round} {status}");
        }
    }
}

#[test]
fn a_container_that_has_stopped_and_may_be_started_again_may_run() {
    let mut fargate = Fargate::new();
    assert_eq!(fargate.read(&beside("STOPPED", r#", "RestartCount": 0"#)), None);
    assert_eq!(fargate.read(&beside("STOPPED", "")), Some("web"));
}

#[test]
fn stats_of_a_container_that_the_task_document_lacks_end_the_estimate_until_the_next_one() {
    let mut fargate = Fargate::new();
    let alone = beside("STOPPED", "");
    assert_eq!(fargate.read(&alone), Some("web"));
    for id in ["w1", "e1"] {
        assert_eq!(fargate.stats(id, 10), Some("web"), "{id}");
    }
    assert_eq!(fargate.stats("x1", 10), None);
    assert_eq!(fargate.stats("w1", 20), None);
    assert_eq!(fargate.read(&alone), Some("web"));
    assert_eq!(fargate.stats("x1", 30), None);
}

#[test]
fn new_stats_of_a_container_that_has_stopped_end_the_estimate() {
    let mut fargate = Fargate::new();
    let alone = beside("STOPPED", "");
    assert_eq!(fargate.read(&alone), Some("web"));
    // The endpoint gives the last ones again.
    assert_eq!(fargate.stats("j1", 10), Some("web"));
    assert_eq!(fargate.stats("j1", 10), Some("web"));
    assert_eq!(fargate.stats("j1", 20), None);
}

#[test]
fn which_container_esp_is_comes_from_the_endpoints_address() {
    let alone = beside("STOPPED", "");
    for (id, expected) in [("e1", Some("web")), ("w1", None), ("f648b39f-82d5", None), ("", None)] {
        let mut fargate = Fargate::at(&format!("http://169.254.170.2/v4/{id}"));
        assert_eq!(fargate.read(&alone), expected, "{id}");
    }
}
