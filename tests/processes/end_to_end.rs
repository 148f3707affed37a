//! The built program between the two endpoints: what CloudWatch got, what the
//! log said, how it ended. Real processes, real sockets, the real SDK. What goes
//! wrong on the way is in `faults`.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use esp::{sample::OwnMetric, time::timestamp::Timestamp};
use esp_endpoints::{
    agent::{Agent, Cadence},
    cloudwatch::{Authorization, CloudWatch, Datum},
    containers::Shape,
    counters::{CounterReading, Steady},
    metadata::{Documents, MetadataEndpoint},
};

use crate::program::{Esp, SOON, agent, assert_all_near, values, wait_for_polls};

/// The agent's documents, and the times of the samples of `web` that were shown, ms.
struct Shown {
    agent: Agent,
    reads: Arc<Mutex<Vec<i64>>>,
}

impl Documents for Shown {
    fn task(&mut self) -> Vec<u8> {
        self.agent.task()
    }

    fn stats(&mut self) -> Vec<u8> {
        let stats = self.agent.stats();
        let document: serde_json::Value = serde_json::from_slice(&stats).unwrap();
        let read = document.as_object().unwrap().values().find_map(|entry| entry["read"].as_str());
        if let Some(read) = read.and_then(|read| Timestamp::parse(read).ok()) {
            let mut reads = self.reads.lock().unwrap();
            let read_ms = i64::try_from(read.unix_ms()).unwrap();
            if reads.last() != Some(&read_ms) {
                reads.push(read_ms);
            }
        }
        stats
    }
}

#[test]
fn publishes_a_datum_a_second_under_cluster_and_service() {
    let reads = Arc::default();
    let agent = agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {});
    let metadata = MetadataEndpoint::start(Shown { agent, reads: Arc::clone(&reads) });
    let cloudwatch = CloudWatch::start();
    let esp = Esp::start(&metadata, &cloudwatch, &[("PUBLISH_INTERVAL", "2s")]);
    assert!(cloudwatch.wait_for(5, SOON));
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));

    let datums = cloudwatch.datums();
    assert_all_near(&datums, 25.0, 0.5);
    for datum in &datums {
        assert_eq!(
            (datum.namespace.as_str(), datum.metric_name.as_str()),
            ("Shop", "CPUUtilization")
        );
        let dimension = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [dimension("ClusterName", "shop"), dimension("ServiceName", "web-service")];
        assert_eq!(datum.dimensions, expected);
        assert_eq!(datum.unit.as_deref(), Some("Percent"));
        assert_eq!(datum.storage_resolution, Some(1));
    }
    let mut timestamps: Vec<_> = datums.iter().map(|datum| datum.timestamp_ms).collect();
    timestamps.sort_unstable();
    // Of the first there is no difference to one before it.
    let reads = reads.lock().unwrap().clone();
    assert_eq!(timestamps, reads[1..], "one for each read that was shown");
    for request in cloudwatch.requests() {
        let Authorization::WellFormed { region, .. } = &request.authorization else {
            panic!("{:?}", request.authorization)
        };
        assert_eq!(region, "us-west-2", "from the task's ARN");
    }

    log.expect("esp starts");
    let measuring = log.expect("measuring");
    assert_eq!(measuring["cpu_basis"], "task limit of 2 vCPU");
    assert_eq!(log.expect("publishing")["dimensions"], "ClusterName=shop, ServiceName=web-service");
    log.expect_all_published();
    assert!(!log.text.contains("secret-example"), "{}", log.text);
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);
    // The task document is read once, and the connection is kept.
    assert_eq!((metadata.task_requests(), metadata.connections()), (1, 1));
}

#[test]
fn requests_are_aligned_to_the_wall_clock_with_one_offset() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV2, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let esp = Esp::start(&metadata, &cloudwatch, &[("PUBLISH_INTERVAL", "1s")]);
    assert!(cloudwatch.wait_for_requests(12, 3 * SOON));
    drop(esp);
    let phases: Vec<_> = cloudwatch
        .requests()
        .iter()
        .map(|request| request.received.duration_since(UNIX_EPOCH).unwrap().as_millis() % 1000)
        .collect();
    // They come at one point of the interval, which may be its very end; but some may be
    // late: the first one, since it makes the connection, and others on a busy machine.
    // Of requests that came at any time, two or three would be as close to one of them.
    let close = |to: &u128| {
        let is_close = |other: &&u128| ((*other + 1500 - to) % 1000).abs_diff(500) < 100;
        phases.iter().filter(is_close).count()
    };
    assert!(phases.iter().map(close).max() >= Some(7), "{phases:?}");
}

#[test]
fn on_fargate_a_sample_is_sent_when_it_arrives() {
    let period = Duration::from_secs(3);
    let cadence = Cadence { period, phase: Duration::from_millis(1100) };
    let metadata = MetadataEndpoint::start(agent(Shape::Fargate, cadence, |_| {}));
    let cloudwatch = CloudWatch::start();
    let more = [("PUBLISH_INTERVAL", "3s"), ("REGION", "eu-west-1")];
    let esp = Esp::start(&metadata, &cloudwatch, &more);
    // The cadence is known after three samples.
    assert!(cloudwatch.wait_for(5, SOON));
    let (_, log) = esp.stop("TERM");
    let datums = cloudwatch.datums();
    assert_all_near(&datums, 25.0, 0.5);
    let age_ms = |datum: &Datum| {
        let received = datum.received.duration_since(UNIX_EPOCH).unwrap().as_millis();
        i64::try_from(received).unwrap() - datum.timestamp_ms
    };
    // A busy machine may delay some. If they waited for an interval's end, all would be
    // old, each by as much as the last one.
    let youngest = datums[3..].iter().map(age_ms).min().unwrap();
    assert!(youngest < 1500, "{youngest} ms old when it arrived");
    let requests = cloudwatch.requests();
    assert_eq!(requests.len(), datums.len(), "each by itself");
    assert!(requests.iter().all(|request| matches!(
        &request.authorization,
        Authorization::WellFormed { region, .. } if region == "eu-west-1"
    )));
    // Near 3 s, neither the second of the polls nor Fargate's ten. A busy machine renews the
    // sample late, and the cadence is then what the samples' own times say.
    let cadence_ms = log.expect("measuring")["cadence_ms"].as_u64().unwrap();
    assert!((1000..9000).contains(&cadence_ms), "{cadence_ms}");
}

#[test]
fn without_a_service_name_the_family_takes_its_place() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |task| {
        task.service_name = None;
    }));
    let cloudwatch = CloudWatch::start();
    let esp = Esp::start(&metadata, &cloudwatch, &[("PUBLISH_INTERVAL", "1s")]);
    assert!(cloudwatch.wait_for(1, SOON));
    let (_, log) = esp.stop("INT");
    let datum = &cloudwatch.datums()[0];
    assert_eq!(datum.dimension("TaskDefinitionFamily"), Some("web-service-family"));
    assert_eq!(datum.dimension("ServiceName"), None);
    assert_eq!(log.expect("set SERVICE_NAME")["level"], "WARN");
}

#[test]
fn a_wrong_container_name_lists_the_right_ones_and_goes_on() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let esp = Esp::start(&metadata, &cloudwatch, &[("CONTAINER_NAME", "wbe")]);
    wait_for_polls(&metadata, 2);
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    let line = log.expect("no container of this name");
    assert_eq!((&line["level"], &line["names"]), (&"ERROR".into(), &"esp, web".into()));
}

#[test]
fn all_metrics_of_all_containers() {
    let agent = agent(Shape::Ec2CgroupV2, Cadence::STREAMING, |_| {});
    let reading = CounterReading::new(SystemTime::now(), 1_000_000);
    agent.attach("esp", Steady::new(0.1, reading));
    let metadata = MetadataEndpoint::start(agent);
    let cloudwatch = CloudWatch::start();
    let more = [
        ("PUBLISH_INTERVAL", "1s"),
        ("METRICS", "all"),
        ("CONTAINER_NAME", "*"),
        ("DIMENSIONS", "ServiceName;Stage=test"),
    ];
    let esp = Esp::start(&metadata, &cloudwatch, &more);
    assert!(cloudwatch.wait_for(40, SOON));
    esp.stop("TERM");
    let datums = cloudwatch.datums();
    let of = |metric: &str, container: Option<&str>, first: &str| {
        let found: Vec<_> = datums
            .iter()
            .filter(|datum| {
                datum.metric_name == metric
                    && datum.dimension("ContainerName") == container
                    && datum.dimensions[0].0 == first
            })
            .cloned()
            .collect();
        assert!(!found.is_empty(), "{metric} {container:?} {first}");
        found
    };
    for set in ["ServiceName", "Stage"] {
        assert_all_near(&of("CPUUtilization", Some("web"), set), 25.0, 0.5);
        assert_all_near(&of("CPUUsage", Some("esp"), set), 10.0, 0.5);
        assert_all_near(&of("MemoryUtilization", Some("web"), set), 25.0, 0.01);
        assert_all_near(&of("MemoryUtilized", Some("web"), set), 256.0, 0.01);
        assert_all_near(&of("TaskCPUUtilization", None, set), 30.0, 0.6);
    }
}

/// The agent's documents, with bad ones in between.
struct Spoiled {
    agent: Agent,
    bad: Vec<Vec<u8>>,
    polls: usize,
}

impl Documents for Spoiled {
    fn task(&mut self) -> Vec<u8> {
        self.agent.task()
    }

    fn stats(&mut self) -> Vec<u8> {
        self.polls += 1;
        if self.polls.is_multiple_of(2) {
            self.bad[self.polls / 2 % self.bad.len()].clone()
        } else {
            self.agent.stats()
        }
    }
}

#[test]
fn bad_documents_cost_only_themselves_and_one_warning_a_minute() {
    let mut agent = agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {});
    let task: serde_json::Value = serde_json::from_slice(&agent.task()).unwrap();
    let id = task["Containers"][0]["DockerId"].as_str().unwrap().to_owned();
    let of_web = |cpu: &str| {
        let read = "2026-11-24T10:00:00Z";
        format!(r#"{{"{id}": {{"read": "{read}", "cpu_stats": {{"cpu_usage": {cpu}}}}}}}"#)
    };
    let many: Vec<_> = (0..10_000).map(|number| format!(r#""{number}": null"#)).collect();
    let bad = vec![
        b"{\"truncated\": ".to_vec(),
        b"<html>not JSON</html>".to_vec(),
        of_web(r#"{"total_usage": "12"}"#).into_bytes(),
        of_web(r#"{"total_usage": 184467440737095516160}"#).into_bytes(),
        of_web(r#"{"total_usage": 1e400}"#).into_bytes(),
        of_web(r#"{"total_usage": 0, "total_usage": -3}"#).into_bytes(),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
        format!("{{{}}}", many.join(",")).into_bytes(),
        vec![b' '; 64 << 20],
    ];
    let polls = 2 * bad.len();
    let metadata = MetadataEndpoint::start(Spoiled { agent, bad, polls: 0 });
    let cloudwatch = CloudWatch::start();
    let more = [("PUBLISH_INTERVAL", "1s"), ("SAMPLE_INTERVAL", "500ms")];
    let esp = Esp::start(&metadata, &cloudwatch, &more);
    let start = Instant::now();
    while usize::try_from(metadata.stats_requests()).unwrap() < polls + 2 {
        assert!(start.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    let datums = cloudwatch.datums();
    assert!(datums.len() >= 4, "{:?}", values(&datums));
    assert_all_near(&datums, 25.0, 0.5);
    // One for the documents, one for the container's entries.
    let warnings: Vec<_> = log.lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(warnings.len(), 2, "{}", log.text);
    log.expect("cannot read the stats of this container");
    log.expect("the task metadata endpoint fails");
}

/// The agent's documents, with a task document that goes bad, and stats that
/// make the sidecar ask for it.
struct TaskGoesBad {
    agent: Agent,
    bad: &'static str,
    asked: usize,
}

impl Documents for TaskGoesBad {
    fn task(&mut self) -> Vec<u8> {
        self.asked += 1;
        if self.asked == 1 { self.agent.task() } else { self.bad.as_bytes().to_vec() }
    }

    fn stats(&mut self) -> Vec<u8> {
        let stats = String::from_utf8(self.agent.stats()).unwrap();
        stats.replacen('{', r#"{"unknown": null, "#, 1).into_bytes()
    }
}

#[test]
fn a_task_document_that_goes_bad_stops_nothing() {
    for bad in ["{}", r#"{"Containers": 7}"#, "null"] {
        let agent = agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {});
        let metadata = MetadataEndpoint::start(TaskGoesBad { agent, bad, asked: 0 });
        let cloudwatch = CloudWatch::start();
        let esp = Esp::start(&metadata, &cloudwatch, &[("PUBLISH_INTERVAL", "1s")]);
        assert!(cloudwatch.wait_for(4, SOON), "{bad}");
        let (_, log) = esp.stop("TERM");
        log.expect("the task metadata endpoint fails");
        assert!(metadata.task_requests() <= 4, "{bad}: {}", metadata.task_requests());
        assert_all_near(&cloudwatch.datums(), 25.0, 0.5);
    }
}

#[test]
fn a_value_without_a_set_of_dimensions_is_dropped_and_not_published() {
    let agent = agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {});
    // The task's sum waits for both containers.
    agent.attach("esp", Steady::new(0.1, CounterReading::new(SystemTime::now(), 1_000_000)));
    let metadata = MetadataEndpoint::start(agent);
    let cloudwatch = CloudWatch::start();
    let more = [
        ("PUBLISH_INTERVAL", "1s"),
        ("METRICS", "CPUUtilization,TaskCPUUtilization"),
        ("DIMENSIONS", "ServiceName,ContainerName"),
    ];
    let esp = Esp::start(&metadata, &cloudwatch, &more);
    assert!(cloudwatch.wait_for(4, SOON));
    let (_, log) = esp.stop("TERM");
    log.expect("task-level metrics are not published: every set");
    let end = log.expect("esp stops; all samples were published except");
    let figure = |name: &str| end[name].as_u64().unwrap();
    assert!(figure("dropped_unaddressed") >= 2, "{}", log.text);
    assert_eq!(figure("dropped"), figure("dropped_unaddressed"));
    assert_eq!(figure("taken"), figure("published") + figure("dropped"), "{}", log.text);
    assert!(cloudwatch.datums().iter().all(|datum| datum.metric_name == "CPUUtilization"));
}

#[test]
fn the_last_sample_is_taken_and_sent_at_the_end() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let more = [("SAMPLE_INTERVAL", "3s"), ("PUBLISH_INTERVAL", "1m")];
    let esp = Esp::start(&metadata, &cloudwatch, &more);
    // Two polls at 0 s and 3 s; the third would be at 6 s. Meanwhile there is a new sample.
    wait_for_polls(&metadata, 2);
    std::thread::sleep(Duration::from_millis(1500));
    let before = metadata.stats_requests();
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    // Whatever the machine made of the 1.5 s: one poll more, and all is sent but the first,
    // which has nothing before it, and what was no new sample.
    let end = log.expect_all_published();
    let figure = |name: &str| end[name].as_u64().unwrap();
    let polls = metadata.stats_requests();
    assert!(polls > before, "{}", log.text);
    assert_eq!(figure("polls"), polls, "{}", log.text);
    let sent = cloudwatch.datums().len() as u64;
    assert_eq!(sent + 1 + figure("duplicates"), polls, "{}", log.text);
    assert!(sent >= 1, "{}", log.text);
    assert_all_near(&cloudwatch.datums(), 25.0, 0.5);
}

#[test]
fn its_own_figures_are_metrics_and_a_line_each_minute() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let esp = Esp::start(&metadata, &cloudwatch, &[("SELF_METRICS", "on"), ("LOG_LEVEL", "info")]);
    let own = || -> Vec<_> {
        let datums = cloudwatch.datums();
        datums.into_iter().filter(|datum| datum.metric_name.starts_with("ESP/")).collect()
    };
    let start = Instant::now();
    while own().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(100), "none within a minute and an interval");
        std::thread::sleep(Duration::from_millis(200));
    }
    let (_, log) = esp.stop("TERM");
    let own = own();
    let mut names: Vec<_> = own.iter().map(|datum| datum.metric_name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut expected: Vec<_> = OwnMetric::of_run(true, false).map(OwnMetric::name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for datum in &own {
        assert_eq!((datum.namespace.as_str(), datum.storage_resolution), ("Shop", Some(60)));
        assert_eq!(datum.dimension("ClusterName"), Some("shop"));
        assert_eq!(datum.dimension("ServiceName"), Some("web-service"));
        assert_eq!(datum.dimension("ContainerName"), None);
        let unit = if datum.metric_name.ends_with("Age") { "Milliseconds" } else { "Count" };
        assert_eq!(datum.unit.as_deref(), Some(unit), "{}", datum.metric_name);
    }
    let value = |name: &str| own.iter().find(|datum| datum.metric_name == name).unwrap().values[0];
    let line = log.expect("summary: totals since start");
    // In the first minute they are the totals. How many those are depends on the machine.
    for (name, field) in [
        ("ESP/SamplesTaken", "taken"),
        ("ESP/SamplesPublished", "published"),
        ("ESP/RequestsAccepted", "requests_accepted"),
    ] {
        assert_eq!(line[field].as_f64(), Some(value(name)), "{name} and {field} in {line}");
        assert!(value(name) >= 1.0, "{name} in {line}");
    }
    assert!(line["polls"].as_u64().unwrap() <= metadata.stats_requests(), "{line}");
    assert!(value("ESP/RequestsThrottled").abs() < 0.5 && value("ESP/DroppedFull").abs() < 0.5);
    for field in ["polls", "duplicates", "taken", "published", "backlog", "newest_published_age_ms"]
    {
        assert!(line[field].is_u64(), "{field} in {line}");
    }
    assert_eq!(line["requests_throttled"], 0);
}

#[test]
fn a_request_is_as_full_as_a_megabyte_lets_it_be() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    // As many dimensions as may be asked for, of the greatest length: 31 kB a datum.
    let dimensions: Vec<_> =
        (0..29).map(|number| format!("Name{number}={}", "v".repeat(1024))).collect();
    let dimensions = dimensions.join(",");
    let more = [
        ("SAMPLE_INTERVAL", "200ms"),
        ("METRICS", "CPUUtilization,CPUUsage,MemoryUtilization,MemoryUtilized"),
        ("DIMENSIONS", dimensions.as_str()),
        ("PUBLISH_INTERVAL", "10s"),
    ];
    let esp = Esp::start(&metadata, &cloudwatch, &more);
    assert!(cloudwatch.wait_for(36, 3 * SOON));
    drop(esp);
    let fullest = cloudwatch.requests().iter().map(|request| request.body_bytes).max().unwrap();
    assert!((800_000..=999_000).contains(&fullest), "{fullest} bytes");
    assert!(cloudwatch.requests().iter().all(|request| request.refusal.is_none()));
}
