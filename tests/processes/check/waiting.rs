//! How long a check waits for samples: as long as the cadence that it sees needs, and
//! at most 90 s in all; and what it says of containers of which none come.

use std::time::Duration;

use esp_endpoints::{
    agent::{Agent, Cadence},
    cloudwatch::{CloudWatch, Fault as CloudWatchFault},
    containers::{Limits, Shape, Task},
    counters::{CounterReading, Steady},
    metadata::{Fault, MetadataEndpoint},
};

use super::{NOBODY, check};
use crate::program::agent;

/// For all that is not the wait for samples.
const SLACK: Duration = Duration::from_secs(15);

fn renewed_every(seconds: u64) -> MetadataEndpoint {
    let period = Duration::from_secs(seconds);
    let cadence = Cadence { period, phase: period / 2 };
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV2, cadence, |_| {}))
}

/// That a check of an agent with this cadence is ready after at most so many cadences,
/// with a value of the CPU and the cadence.
fn is_ready(seconds: u32, cadences: u32) {
    let (metadata, cloudwatch) = (renewed_every(seconds.into()), CloudWatch::start());
    let said = check(&metadata.uri(), &cloudwatch.url(), &["--publish"], &[]);
    assert_eq!(said.code, 0, "{}", said.text);
    said.expect(&[
        "web               a new sample every ",
        "CPUUtilization     web       2",
        "accepted by ",
        "Ready: exit code 0\n",
    ]);
    let (_, cadence) = said.text.split_once("a new sample every ").unwrap();
    let (cadence, _) = cadence.split_once(" s\n").unwrap();
    assert!((cadence.parse::<f64>().unwrap() / f64::from(seconds) - 1.0).abs() < 0.05, "{cadence}");
    let limit = Duration::from_secs(u64::from(seconds * cadences)) + SLACK;
    said.expect_within(limit.min(Duration::from_secs(90)));
}

#[test]
fn samples_every_5_s_are_waited_for() {
    is_ready(5, 2);
}

#[test]
fn samples_every_20_s_are_waited_for() {
    is_ready(20, 2);
}

#[test]
fn samples_every_60_s_are_waited_for_and_their_cadence_is_told_from_two() {
    is_ready(60, 1);
}

#[test]
fn metrics_that_never_come_are_not_waited_for_without_end() {
    // No networks: network mode host.
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV2, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let more = [("METRICS", "CPUUtilization,NetworkRxBytes,StorageReadBytes")];
    let said = check(&metadata.uri(), &cloudwatch.url(), &[], &more);
    assert_eq!(said.code, 0, "{}", said.text);
    said.expect_within(Duration::from_secs(42) + SLACK);
}

#[test]
fn a_check_of_a_silent_cloudwatch_and_a_slow_agent_ends_within_90_s() {
    let (metadata, cloudwatch) = (renewed_every(120), CloudWatch::start());
    cloudwatch.always(Some(CloudWatchFault::HangBeforeHead(Duration::from_mins(5))));
    metadata.always(Some(Fault::HangBeforeHead(Duration::from_millis(4500))));
    let more = [("METRICS", "MemoryUtilization")];
    let said = check(&metadata.uri(), &cloudwatch.url(), &["--publish"], &more);
    assert_ne!(said.code, 0, "{}", said.text);
    said.expect_within(Duration::from_secs(90));
}

#[test]
fn reasons_say_that_no_sample_came_and_not_that_the_platform_gives_none() {
    let (metadata, cloudwatch) = (renewed_every(600), CloudWatch::start());
    let more = [("METRICS", "CPUUtilization,MemoryUtilization,TaskCPUUtilization")];
    let said = check(&metadata.uri(), &cloudwatch.url(), &[], &more);
    assert_eq!(said.code, 75, "{}", said.text);
    said.expect(&["CPU limit         2 vCPU\n", "failed   only one sample of web came within 7"]);
    for wrong in ["neither", "no CPU counter", "reserve"] {
        assert!(!said.text.contains(wrong), "{}", said.text);
    }
    said.expect_within(Duration::from_secs(90));
}

/// A task of an init container that has ended, the container to measure, and what AWS
/// adds.
fn with_init_and_injected(change: impl FnOnce(&mut Task)) -> MetadataEndpoint {
    let mut task = Task::new(Shape::Ec2CgroupV2, "shop", "web-service")
        .with_container("init", Limits::default())
        .with_container("web", Limits::default())
        .with_container("ecs-service-connect-x7Kq2", Limits::default())
        .with_container("aws-guardduty-agent-k3fX9q", Limits::default())
        .with_container("aws-fargate-pause", Limits::default());
    task.limits = Limits { cpu: Some(2.0), memory_mib: Some(1024) };
    task.containers[0].known_status = "STOPPED".into();
    change(&mut task);
    let agent = Agent::new(task, Cadence::STREAMING);
    let mut reading = CounterReading::new(std::time::SystemTime::now(), 70_000_000_000);
    reading.memory_usage_bytes = 300 << 20;
    agent.attach("web", Steady::new(0.5, reading));
    MetadataEndpoint::start(agent)
}

#[test]
fn an_init_container_that_has_ended_is_no_failure_and_injected_ones_are_listed_as_such() {
    let (metadata, cloudwatch) = (with_init_and_injected(|_| {}), CloudWatch::start());
    let said = check(&metadata.uri(), &cloudwatch.url(), &[], &[("CONTAINER_NAME", "*")]);
    assert_eq!(said.code, 0, "{}", said.text);
    for line in said.text.lines().filter(|line| line.starts_with("  container  ")) {
        let is_injected = line.contains("aws-") || line.contains("ecs-service-connect");
        let who = if is_injected { "injected by AWS" } else { "measured" };
        assert!(line.ends_with(who), "{line}");
    }
    said.expect(&[
        "init                        STOPPED",
        "CPUUtilization     init  none: the container has stopped\n",
        "Ready: exit code 0\n",
    ]);
    let json =
        check(&metadata.uri(), &cloudwatch.url(), &["--json"], &[("CONTAINER_NAME", "*")]).json();
    let containers = json["containers"].as_array().unwrap();
    let injected = containers.iter().filter(|container| container["is_injected"] == true);
    assert_eq!(injected.count(), 3, "{json}");
}

#[test]
fn a_named_container_that_has_ended_is_a_warning_beside_one_that_runs_and_else_75() {
    let (metadata, cloudwatch) = (with_init_and_injected(|_| {}), CloudWatch::start());
    for (names, code, expected) in [
        ("init,web", 0, "warning  init has stopped, so there is nothing to measure\n"),
        ("init", 75, "failed   init has stopped, so there is nothing to measure\n"),
    ] {
        let more = [("CONTAINER_NAME", names)];
        let said = check(&metadata.uri(), &cloudwatch.url(), &[], &more);
        assert_eq!(said.code, code, "{}", said.text);
        said.expect(&[expected, "do       start init again, or leave it out of CONTAINER_NAME\n"]);
        said.expect_within(SLACK);
    }
}

#[test]
fn managed_instances_are_named() {
    let metadata = with_init_and_injected(|task| {
        task.launch_type = Some("MANAGED_INSTANCES".into());
    });
    let said = check(&metadata.uri(), NOBODY, &[], &[]);
    said.expect(&["launch type       MANAGED_INSTANCES\n"]);
}

#[test]
fn stats_that_cannot_be_read_are_a_warning_that_asks_for_nothing_the_image_lacks() {
    let mut docker_id = String::new();
    let metadata =
        with_init_and_injected(|task| docker_id.clone_from(&task.containers[1].docker_id));
    metadata.set_stats(format!(r#"{{"{docker_id}": {{"read": 7, "cpu_stats": []}}}}"#));
    let said = check(&metadata.uri(), NOBODY, &[], &[]);
    assert_eq!(said.code, 75, "{}", said.text);
    for expected in [
        "failed   no stats of web came within ",
        "warning  the stats of web cannot be read: ",
        "from another container of the task",
    ] {
        said.expect(&[expected]);
    }
    assert!(!said.text.contains("curl"), "{}", said.text);
}
