//! `WARMUP` in the built program: what is held back of a container that starts, until when, and
//! what is said of it.

use std::time::{Duration, Instant, UNIX_EPOCH};

use esp_endpoints::{
    agent::{Agent, Cadence},
    cloudwatch::CloudWatch,
    containers::Shape,
    metadata::{Documents, MetadataEndpoint},
};

use crate::program::{Esp, SOON, agent, assert_all_near, run::Run};

/// The agent's documents, with this as the `StartedAt` of every container.
struct StartedAt(Agent, &'static str);

impl Documents for StartedAt {
    fn task(&mut self) -> Vec<u8> {
        let mut task: serde_json::Value = serde_json::from_slice(&self.0.task()).unwrap();
        for container in task["Containers"].as_array_mut().unwrap() {
            container["StartedAt"] = self.1.into();
        }
        task.to_string().into_bytes()
    }

    fn stats(&mut self) -> Vec<u8> {
        self.0.stats()
    }
}

#[test]
fn what_is_sampled_while_a_container_warms_up_is_held_back_and_counted() {
    // Started in the future: the warm-up outlasts the test.
    for (started_at, is_held) in [("2050-01-01T00:00:00Z", true), ("2026-01-01T00:00:00Z", false)] {
        let agent = agent(Shape::Ec2CgroupV2, Cadence::STREAMING, |_| {});
        let metadata = MetadataEndpoint::start(StartedAt(agent, started_at));
        let cloudwatch = CloudWatch::start();
        let more = [("PUBLISH_INTERVAL", "1s"), ("WARMUP", "10s")];
        let esp = Esp::start(&metadata, &cloudwatch, &more);
        let start = Instant::now();
        while metadata.stats_requests() < 6 {
            assert!(start.elapsed() < SOON);
            std::thread::sleep(Duration::from_millis(50));
        }
        let (status, log) = esp.stop("TERM");
        assert_eq!(status.code(), Some(0));
        let held = log.expect("esp stops")["samples_warming_up"].as_u64().unwrap();
        assert_eq!((held >= 4, cloudwatch.datums().is_empty()), (is_held, is_held), "{}", log.text);
        assert_eq!(log.text.contains("container warms up"), is_held, "{}", log.text);
    }
}

/// The agent of a container `web` whose health check says that, and a run beside it.
fn run_with_health(health: Option<&str>) -> (Agent, Run) {
    let agent = agent(Shape::Fargate, Cadence::STREAMING, |task| {
        task.containers[0].health = health.map(str::to_owned);
    });
    let cloudwatch = CloudWatch::start();
    let url = cloudwatch.url();
    let metadata = MetadataEndpoint::start(agent.clone());
    let more = [("WARMUP", "healthy")];
    (agent, Run::start_with(metadata, cloudwatch, &url, &more, |_| {}))
}

#[test]
fn nothing_is_published_until_the_health_check_says_healthy() {
    let (agent, run) = run_with_health(Some("UNKNOWN"));
    let becomes = |health: &str| {
        agent.change(|task| task.containers[0].health = Some(health.to_owned()));
    };
    run.polls(8);
    assert!(run.cloudwatch.requests().is_empty());
    let healthy_ms = UNIX_EPOCH.elapsed().unwrap().as_millis();
    becomes("HEALTHY");
    run.goes_through(3);
    // Once it has warmed up it stays so.
    becomes("UNHEALTHY");
    let read = run.metadata.task_requests();
    run.goes_through(8);
    let ended = run.end();
    // Nobody waits for the health any more.
    assert!(ended.metadata.task_requests() <= read + 1);
    ended.assert_all_published();
    let datums = ended.cloudwatch.datums();
    assert_all_near(&datums, 25.0, 0.5);
    // A sample may be a renewal old when it is shown.
    let oldest_ms = i64::try_from(healthy_ms).unwrap() - 1100;
    assert!(datums.iter().all(|datum| datum.timestamp_ms >= oldest_ms), "{datums:?}");
    // The first reading gives no sample.
    assert!(ended.ledger.figure("samples_warming_up") >= 6, "{}", ended.log.text);
    let message = |text: &str| {
        let lines = ended.log.lines.iter();
        let said = lines.filter(|line| line["message"].as_str().unwrap().contains(text));
        said.map(|line| (line["level"].as_str().unwrap(), line["container"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(message("the container warms up: ESP publishes nothing"), [("INFO", "web")]);
    assert_eq!(message("the warm-up is over: ESP publishes"), [("INFO", "web")]);
    ended.assert_no_trouble();
    assert_eq!(ended.log.expect("esp starts")["warmup"], "until HEALTHY");
}

#[test]
fn without_a_health_check_nothing_is_waited_for_and_that_is_said_once() {
    let (_agent, run) = run_with_health(None);
    run.goes_through(3);
    let ended = run.end();
    ended.assert_all_published();
    assert_eq!(ended.ledger.figure("samples_warming_up"), 0, "{}", ended.log.text);
    let warnings: Vec<_> = ended.log.at("WARN").collect();
    assert_eq!(warnings.len(), 1, "{}", ended.log.text);
    let warning = ended.log.expect("WARMUP=healthy has no effect");
    assert_eq!((&warning["level"], &warning["container"]), (&"WARN".into(), &"web".into()));
    assert!(!ended.log.text.contains("the container warms up: ESP"), "{}", ended.log.text);
}
