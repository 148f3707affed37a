//! `esp check`, the built program: what it says of the two endpoints, and how it
//! ends where one of them is not as it should be.

mod aws;
mod probe;
mod sources;
mod waiting;
mod warm_up;

use std::{
    process::{Output, Stdio},
    time::{Duration, Instant, SystemTime},
};

use esp_endpoints::{
    agent::{Agent, Cadence},
    cloudwatch::CloudWatch,
    containers::Shape,
    counters::{CounterReading, Counters, Steady},
    metadata::{Fault as MetadataFault, MetadataEndpoint},
};
use serde_json::Value;

use crate::program::{Esp, agent, output_of};

/// What a check said, and how it ended.
struct Said {
    code: i32,
    text: String,
    took: Duration,
    /// How long it and the stand-ins waited for a CPU meanwhile, which a busy machine adds.
    waited: Duration,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// That it was there for less than that, and what a busy machine added.
    fn expect_within(&self, most: Duration) {
        let Self { took, waited, .. } = *self;
        assert!(took < most + waited, "{took:?}, {waited:?} without CPU\n{}", self.text);
    }

    /// That all of `parts` are in the text, in that order.
    fn expect(&self, parts: &[&str]) {
        let mut rest = self.text.as_str();
        for part in parts {
            let (_, after) = rest
                .split_once(part)
                .unwrap_or_else(|| panic!("no {part:?}, or not there, in\n{}", self.text));
            rest = after;
        }
    }
}

fn ec2() -> MetadataEndpoint {
    with_all_stats(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

/// Counters of a container that also receives bytes.
struct WithTraffic(Steady);

impl Counters for WithTraffic {
    fn read(&mut self) -> CounterReading {
        let reading = self.0.read();
        CounterReading { rx_bytes: reading.total_usage_ns / 1000, ..reading }
    }
}

/// Also of the container `esp`: without them there are no sums.
fn with_all_stats(agent: Agent) -> MetadataEndpoint {
    let mut reading = CounterReading::new(SystemTime::now(), 1_000_000);
    reading.memory_usage_bytes = 8 << 20;
    agent.attach("esp", Steady::new(0.01, reading));
    MetadataEndpoint::start(agent)
}

/// `esp check` of the container `web`, with a key and what is given besides.
fn check(uri: &str, url: &str, arguments: &[&str], more: &[(&str, &str)]) -> Said {
    let key = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret-example")];
    check_without_key(uri, url, arguments, &[&key, more].concat())
}

fn check_without_key(uri: &str, url: &str, arguments: &[&str], more: &[(&str, &str)]) -> Said {
    let start = Instant::now();
    let mut command = Esp::command(&[
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", "Shop"),
        ("ECS_CONTAINER_METADATA_URI_V4", uri),
        ("AWS_ENDPOINT_URL", url),
    ]);
    command.arg("check").args(arguments).envs(more.iter().copied());
    let (Output { status, stdout, stderr }, waited) = output_of(&mut command);
    assert_eq!(String::from_utf8(stderr).unwrap(), "");
    let text = String::from_utf8(stdout).unwrap();
    assert!(!text.contains("secret"), "{text}");
    Said { code: status.code().unwrap(), text, took: start.elapsed(), waited }
}

/// Where nothing listens.
const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn what_is_ready_is_shown_with_a_real_value_of_each_metric() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let more = [("DIMENSIONS", "ClusterName,ServiceName;Stage=test")];
    let said = check(&metadata.uri(), &cloudwatch.url(), &["--region", "eu-west-1"], &more);
    assert_eq!(said.code, 0, "{}", said.text);
    said.expect(&[
        "Configuration: ok\n",
        "CPUUtilization, MemoryUtilization",
        "Endpoint: ok\n",
        &metadata.uri(),
        "Task: ok\n",
        "web-service-family:7",
        "CPU limit         2 vCPU\n",
        "memory limit      1024 MiB\n",
        "esp  RUNNING",
        "web  RUNNING   no container limits",
        "measured\n",
        "Region: ok\n",
        "eu-west-1\n",
        "--region\n",
        "Dimensions: ok\n",
        "web               ClusterName=shop, ServiceName=web-service\n",
        "web               Stage=test\n",
        "waiting for two new samples of each container, at most 7",
        "Samples: ok\n",
        "web               a new sample every ",
        "Metrics: ok\n",
        "CPUUtilization     web       2", // 25.00, or 24.99
        " Percent       100 % = task limit of 2 vCPU\n",
        "MemoryUtilization  web       25.00 Percent       100 % = task limit of 1024 MiB\n",
        "esp would publish 4 CloudWatch metrics, in a request every 10 s\n",
        "Credentials: ok\n",
        "the environment (AWS_ACCESS_KEY_ID)\n",
        "Ready: exit code 0\n",
    ]);
    said.expect_within(Duration::from_secs(20));
    assert!(cloudwatch.requests().is_empty(), "nothing is sent without --publish");
}

#[test]
fn what_writes_lines_alone_needs_neither_region_nor_credentials() {
    let metadata = ec2();
    let more = [("OUTPUT", "emf")];
    let said = check_without_key(&metadata.uri(), NOBODY, &["--publish"], &more);
    assert_eq!(said.code, 0, "{}", said.text);
    said.expect(&[
        "output            emf\n",
        "esp would publish 2 CloudWatch metrics, in lines on stdout\n",
        "no datapoint was sent: OUTPUT does not contain cloudwatch\n",
        "Ready: exit code 0\n",
    ]);
    assert!(!said.text.contains("Region") && !said.text.contains("Credentials"), "{}", said.text);
}

/// That every value of the document which a person would look for is in the text.
#[test]
fn json_has_what_the_text_has() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let (uri, url) = (metadata.uri(), cloudwatch.url());
    let more = [("METRICS", "CPUUtilization,TaskMemoryUtilization,RestartCount")];
    let text = check(&uri, &url, &["--publish"], &more);
    let said = check(&uri, &url, &["--publish", "--json"], &more);
    assert_eq!((said.code, text.code), (0, 0), "{}", said.text);
    let json = said.json();
    assert_eq!((&json["exit_code"], &json["reason"]), (&0.into(), &"ready".into()));
    assert_eq!(json["problems"], Value::Array(Vec::new()));
    let mut compared = 0;
    let mut compare = |value: &Value| {
        let words = match value {
            Value::String(words) => words.clone(),
            // What differs between two runs, or is written in another unit, is
            // compared below.
            Value::Number(_) | Value::Bool(_) | Value::Null => return,
            Value::Array(_) | Value::Object(_) => unreachable!(),
        };
        compared += 1;
        assert!(text.text.contains(&words), "{words:?} is not in\n{}", text.text);
    };
    for part in ["configuration", "endpoint", "task", "containers", "region", "dimensions"] {
        leaves(&json[part], &mut compare);
    }
    for part in ["cadences", "metrics", "sources", "plan", "credentials", "published"] {
        leaves(&json[part], &mut compare);
    }
    assert!(compared > 40, "{compared}");
    assert_eq!(json["task"]["cpu_limit_vcpu"], 2.0);
    assert_eq!(json["configuration"]["publish_interval_ms"], 10_000);
    assert_eq!(json["plan"]["metrics"], 2);
    assert_eq!(json["published"]["is_accepted"], true);
    let metric = |name: &str| {
        json["metrics"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone()
    };
    assert!((metric("CPUUtilization")["value"].as_f64().unwrap() - 25.0).abs() < 0.5);
    assert_eq!(metric("TaskMemoryUtilization")["container"], Value::Null);
    assert_eq!(metric("RestartCount")["value"], Value::Null);
    let cadence_ms = json["cadences"][0]["cadence_ms"].as_u64().unwrap();
    // A second; less or more if a busy machine made one of the samples late.
    assert!((1..10_000).contains(&cadence_ms), "{cadence_ms}");
}

fn leaves(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| leaves(value, visit)),
        Value::Object(values) => values.values().for_each(|value| leaves(value, visit)),
        leaf => visit(leaf),
    }
}

#[test]
fn on_fargate_it_waits_for_two_samples() {
    let agent = agent(Shape::Fargate, Cadence::FARGATE, |task| task.service_name = None);
    let mut reading = CounterReading::new(SystemTime::now(), 70_000_000_000);
    reading.memory_usage_bytes = 300 << 20;
    agent.attach("web", WithTraffic(Steady::new(0.5, reading)));
    let metadata = with_all_stats(agent);
    let more = [("METRICS", "all")];
    let said = check(&metadata.uri(), NOBODY, &["--json"], &more);
    assert_eq!(said.code, 0, "{}", said.text);
    let json = said.json();
    let cadence_ms = json["cadences"][0]["cadence_ms"].as_u64().unwrap();
    assert!((5000..20_000).contains(&cadence_ms), "{cadence_ms}");
    // Two samples take twenty seconds, the network's metrics up to fifty; a busy machine
    // has the rest.
    assert!(said.took >= Duration::from_secs(9), "{:?}", said.took);
    said.expect_within(Duration::from_secs(90));
    let problem = &json["problems"][0];
    assert_eq!((&problem["step"], &problem["fails"]), (&"dimensions".into(), &false.into()));
    assert_eq!(problem["next"], "set SERVICE_NAME to the service's name");
    let values = json["metrics"].as_array().unwrap();
    let value = |name: &str| values.iter().find(|it| it["name"] == name).unwrap()["value"].clone();
    for name in ["CPUUtilization", "TaskCPUUtilization", "NetworkRxBytes"] {
        assert!(value(name).is_f64(), "{name}");
    }
    assert!((value("EphemeralStorageUtilization").as_f64().unwrap() - 300.0 / 210.0).abs() < 0.01);
}

#[test]
fn a_wrong_configuration_is_64_and_names_the_right_one() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let (uri, url) = (metadata.uri(), cloudwatch.url());
    for (arguments, more, expected) in [
        (
            &[][..],
            ("NAMESPACE", "AWS/ECS"),
            &["Configuration: FAILED\n", "NAMESPACE=\"AWS/ECS\" is not valid", "esp --help"][..],
        ),
        (
            &["--namespace", ":x"],
            ("CONTAINER_NAME", "web"),
            &["Configuration: FAILED\n", "--namespace=\":x\" is not valid"],
        ),
        (
            &[],
            ("ECS_CONTAINER_METADATA_URI_V4", ""),
            &["Configuration: FAILED\n", "run esp in an ECS task"],
        ),
        (
            &[],
            ("CONTAINER_NAME", "wbe"),
            &[
                "Task: FAILED\n",
                "failed   the task has no container wbe\n",
                "do       set CONTAINER_NAME to one of these: esp, web\n",
                // What does not need the container is looked at all the same.
                "Region: ok\n",
                "Credentials: ok\n",
            ],
        ),
        (
            &[],
            ("DIMENSIONS", "ServiceName,ContainerName;Stage=x,AvailabilityZone"),
            &["Dimensions: ok\n"],
        ),
        (
            &[],
            ("METRICS", "RestartCount"),
            &[
                "Metrics: FAILED\n",
                "RestartCount  web  none: the container has no restart policy",
                "do       set METRICS to metrics that the platform reports",
            ],
        ),
    ] {
        let said = check(&uri, &url, arguments, &[more]);
        said.expect(expected);
        let code = if expected == ["Dimensions: ok\n"] { 0 } else { 64 };
        assert_eq!(said.code, code, "{more:?}: {}", said.text);
        if code == 64 {
            said.expect(&["\nNot ready (the configuration is wrong): ", "\nexit code 64\n"]);
        }
    }
    let two = [("NAMESPACE", ""), ("SAMPLE_INTERVAL", "1"), ("AWS_USE_FIPS_ENDPOINT", "on")];
    let said = check(&uri, &url, &[], &two);
    said.expect(&[
        "failed   NAMESPACE is not set",
        "failed   SAMPLE_INTERVAL=\"1\" is not valid",
        "failed   AWS_USE_FIPS_ENDPOINT=\"on\" is not valid",
    ]);
    let json = check(&uri, &url, &["--json"], &two).json();
    assert_eq!(json["problems"].as_array().unwrap().len(), 3, "{json}");
    let said = check(&uri, &url, &["--json"], &[("NAMESPACE", "")]);
    let json = said.json();
    assert_eq!((&json["exit_code"], &json["reason"]), (&64.into(), &"configuration".into()));
    assert_eq!(json["problems"][0]["step"], "configuration");
    assert!(json["problems"][0]["what"].as_str().unwrap().starts_with("NAMESPACE is not set"));
}

#[test]
fn values_without_dimensions_and_a_task_without_region_are_64() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |task| {
        task.arn = "nonsense".into();
        task.service_name = None;
    }));
    let said = check(&metadata.uri(), NOBODY, &["--publish"], &[("DIMENSIONS", "ServiceName")]);
    assert_eq!(said.code, 64, "{}", said.text);
    said.expect(&[
        "Region: FAILED\n",
        "do       set REGION\n",
        "Dimensions: FAILED\n",
        "failed   metrics of web would not be published",
        "warning  the endpoint has no value for ServiceName\n",
        "do       set SERVICE_NAME",
        "Metrics: ok\n",
    ]);
}

#[test]
fn an_endpoint_that_is_away_or_silent_is_69_within_bounded_time() {
    let cloudwatch = CloudWatch::start();
    let uri = format!("{NOBODY}/v4/x");
    let said = check(&uri, &cloudwatch.url(), &["--publish"], &[]);
    assert_eq!(said.code, 69, "{}", said.text);
    said.expect(&[
        "Endpoint: FAILED\n",
        "failed   no task document within 10 s: GET /task: cannot connect: Connection refused",
        "do       run esp check in a container of the task",
        "Not ready (unavailable): ",
    ]);
    said.expect_within(Duration::from_secs(30));
    assert!(cloudwatch.requests().is_empty());
    let silent = ec2();
    silent.always(Some(MetadataFault::HangBeforeHead(Duration::from_mins(2))));
    let said = check(&silent.uri(), &cloudwatch.url(), &["--json", "--region", "us-east-1"], &[]);
    assert_eq!(said.code, 69, "{}", said.text);
    said.expect_within(Duration::from_secs(30));
    let json = said.json();
    assert_eq!(json["reason"], "unavailable");
    let what = json["problems"][0]["what"].as_str().unwrap();
    assert_eq!(what, "no task document within 10 s: GET /task: no answer within 5 s");
    // What does not need the endpoint is looked at all the same.
    assert_eq!(json["credentials"]["source"], "the environment (AWS_ACCESS_KEY_ID)");
}

#[test]
fn an_endpoint_that_is_back_in_time_is_no_failure() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    metadata.script([
        Some(MetadataFault::Status(500, b"{}".to_vec())),
        Some(MetadataFault::TooManyRequests),
        Some(MetadataFault::Cut),
    ]);
    let said = check(&metadata.uri(), &cloudwatch.url(), &[], &[]);
    assert_eq!(said.code, 0, "{}", said.text);
}

#[test]
fn a_container_without_samples_is_75() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |task| {
        task.containers[0].known_status = "PULLED".into();
        task.containers[0].docker_id = String::new();
    }));
    let said = check(&metadata.uri(), NOBODY, &[], &[]);
    assert_eq!(said.code, 75, "{}", said.text);
    said.expect(&[
        "web  PULLED ",
        "Samples: FAILED\n",
        "web               too few samples to tell how often they come\n",
        "failed   web is not running: its state is PULLED\n",
        "do       try again when the container runs\n",
        "Not ready (temporary, try again): ",
    ]);
    said.expect_within(Duration::from_secs(45));
}

#[test]
fn a_task_of_ecs_containers_alone_is_64() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |task| {
        for container in &mut task.containers {
            container.name = format!("~internal~ecs~{}", container.name);
        }
    }));
    let said = check(&metadata.uri(), NOBODY, &[], &[("CONTAINER_NAME", "*")]);
    assert_eq!(said.code, 64, "{}", said.text);
    said.expect(&["the task has only containers that AWS injects\n", "do       add the container"]);
}

#[test]
fn stats_that_stop_after_the_task_are_69() {
    let metadata = ec2();
    metadata.set_stats("not JSON");
    let said = check(&metadata.uri(), NOBODY, &[], &[]);
    assert_eq!(said.code, 69, "{}", said.text);
    said.expect(&["failed   no stats of web came within 2", "see the log of the ECS agent"]);
}

#[test]
fn a_reader_who_has_gone_is_no_panic() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    for arguments in [&["check"][..], &["check", "--json"], &["--help"]] {
        let mut command = Esp::command(&[
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("ECS_CONTAINER_METADATA_URI_V4", &metadata.uri()),
            ("AWS_ENDPOINT_URL", &cloudwatch.url()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret-example"),
        ]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}
