//! `esp health` beside a running `esp`: the built program in both parts.

#![cfg(target_os = "linux")]

mod asking;

use std::{
    os::unix::net::{UnixListener, UnixStream},
    time::{Duration, Instant},
};

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::{CloudWatch, Fault},
    containers::Shape,
    metadata::{Fault as MetadataFault, MetadataEndpoint},
};

use rustix::pipe::fcntl_getpipe_size;

use crate::program::{Esp, SOON, agent};
use asking::{
    address, answered_health, every_answer_arrives_beside_callers, health, wait_for_health,
};

fn endpoint() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

#[test]
fn a_sidecar_that_samples_is_healthy_and_one_that_has_ended_is_not() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let esp = Esp::start(&metadata, &cloudwatch, &[]);
    wait_for_health(&metadata.uri(), "healthy: sampled ", SOON);
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);
    let (code, line) = answered_health(&metadata.uri());
    assert_eq!(code, 1);
    assert!(line.starts_with("unhealthy: no answer: esp is not running"), "{line}");
}

#[test]
fn without_an_endpoint_it_is_a_wrong_configuration() {
    let output = Esp::command(&[]).arg("health").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("esp: ECS_CONTAINER_METADATA_URI_V4 is not set"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// Containers of several tasks may share the names of abstract sockets.
#[test]
fn each_sidecar_answers_for_itself() {
    let (one, other, cloudwatch) = (endpoint(), endpoint(), CloudWatch::start());
    let first = Esp::start(&one, &cloudwatch, &[]);
    let second = Esp::start(&other, &cloudwatch, &[]);
    wait_for_health(&one.uri(), "healthy: ", SOON);
    wait_for_health(&other.uri(), "healthy: ", SOON);
    first.stop("TERM");
    assert_eq!(answered_health(&one.uri()).0, 1);
    assert_eq!(answered_health(&other.uri()).0, 0);
    second.stop("TERM");
}

#[test]
fn an_endpoint_that_is_silent_for_a_minute_makes_it_unhealthy_and_not_before() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    // Silent from the start on, which counts as the first success.
    metadata.always(Some(MetadataFault::HangBeforeHead(Duration::from_mins(5))));
    let start = Instant::now();
    let esp = Esp::start(&metadata, &cloudwatch, &[("SAMPLE_INTERVAL", "200ms")]);
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    std::thread::sleep(Duration::from_secs(50).saturating_sub(start.elapsed()));
    let (code, line) = answered_health(&metadata.uri());
    // Later than that it may be either: it started after this.
    let asked = start.elapsed();
    assert!(code == 0 || asked >= Duration::from_mins(1), "after {asked:?}: {line}");
    let begin = "unhealthy: the task metadata endpoint has not answered for ";
    let line = wait_for_health(&metadata.uri(), begin, Duration::from_secs(40));
    assert!(line.contains(" s (limit 60 s)"), "{line}");
    assert!(start.elapsed() >= Duration::from_mins(1));
    metadata.always(None);
    metadata.close_connections();
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    drop(esp);
}

#[test]
fn an_outage_of_cloudwatch_counts_only_where_publishing_is_required() {
    let (metadata, other, cloudwatch) = (endpoint(), endpoint(), CloudWatch::start());
    cloudwatch.always(Some(Fault::Status(503)));
    let often = ("PUBLISH_INTERVAL", "1s");
    let required = [often, ("HEALTH_REQUIRES_PUBLISH", "on"), ("HEALTH_MAX_AGE", "3s")];
    let strict = Esp::start(&metadata, &cloudwatch, &required);
    let lenient = Esp::start(&other, &cloudwatch, &[often, ("HEALTH_MAX_AGE", "3s")]);
    let begin = "unhealthy: nothing has been published for ";
    let line = wait_for_health(&metadata.uri(), begin, SOON);
    assert!(line.contains("HEALTH_MAX_AGE is 3 s"), "{line}");
    wait_for_health(&other.uri(), "healthy: ", SOON);
    std::thread::sleep(Duration::from_secs(4));
    // Waited for: without a CPU for 3 s it is rightly unhealthy. The outage goes on.
    wait_for_health(&other.uri(), "healthy: ", SOON);
    cloudwatch.always(None);
    // The wait after a failure may be as long as 30 s.
    wait_for_health(&metadata.uri(), "healthy: ", 3 * SOON);
    drop((strict, lenient));
}

#[test]
fn with_emf_publishing_is_what_stdout_takes() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let more = [
        ("OUTPUT", "emf"),
        ("EMF_RESOLUTION", "1s"),
        ("PUBLISH_INTERVAL", "1s"),
        ("HEALTH_REQUIRES_PUBLISH", "on"),
        ("HEALTH_MAX_AGE", "3s"),
    ];
    // A pipe that is not read is full after some hundred lines; this one is at once.
    let (reader, mut stdout) = std::io::pipe().unwrap();
    let filling = vec![b' '; fcntl_getpipe_size(&stdout).unwrap()];
    std::io::Write::write_all(&mut stdout, &filling).unwrap();
    let mut command = Esp::between(&metadata, &cloudwatch.url(), &more);
    let esp = Esp::run(command.stdout(stdout));
    drop(command);
    let begin = "unhealthy: nothing has been published for ";
    wait_for_health(&metadata.uri(), begin, SOON);
    let mut reader = reader;
    let _drain = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    drop(esp);
}

#[test]
fn whoever_connects_and_hangs_holds_nothing_up_and_leaks_nothing() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let esp = Esp::start(&metadata, &cloudwatch, &[("PUBLISH_INTERVAL", "1s")]);
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    let files = || std::fs::read_dir(format!("/proc/{}/fd", esp.child.id())).unwrap().count();
    // The connection to CloudWatch is part of what it has open.
    assert!(cloudwatch.wait_for(2, SOON));
    let before = files();
    let mut hanging = Vec::new();
    for _ in 0..5 {
        hanging.push(UnixStream::connect_addr(&address(&metadata.uri())).unwrap());
    }
    let (code, line) = answered_health(&metadata.uri());
    assert_eq!(code, 0, "{line}");
    assert!(files() <= before + 1, "{} files after {before}", files());
    // Nor does one who talks, or goes at once.
    drop(UnixStream::connect_addr(&address(&metadata.uri())).unwrap());
    let mut talking = UnixStream::connect_addr(&address(&metadata.uri())).unwrap();
    let _ = std::io::Write::write_all(&mut talking, &vec![b'x'; 1 << 16]);
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    let datums = cloudwatch.datums().len();
    assert!(cloudwatch.wait_for(datums + 2, SOON));
    drop((hanging, talking));
    let (_, log) = esp.stop("TERM");
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);
}

#[test]
fn a_socket_that_is_taken_is_said_once_and_had_later() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let taken = UnixListener::bind_addr(&address(&metadata.uri())).unwrap();
    // Somebody listens, and never answers.
    let start = Instant::now();
    let (code, line) = health(&metadata.uri());
    assert_eq!(code, 1);
    assert!(line.starts_with("unhealthy: esp has not answered within 1 s"), "{line}");
    assert!(start.elapsed() >= Duration::from_secs(1));
    let esp = Esp::start(&metadata, &cloudwatch, &[("PUBLISH_INTERVAL", "1s")]);
    assert!(cloudwatch.wait_for(12, 2 * SOON));
    drop(taken);
    wait_for_health(&metadata.uri(), "healthy: ", 2 * SOON);
    let (_, log) = esp.stop("TERM");
    let said: Vec<_> = log.lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(said.len(), 1, "{}", log.text);
    assert!(said[0]["message"].as_str().unwrap().starts_with("cannot bind the health socket"));
    assert!(said[0]["problem"].as_str().unwrap().contains("in use"), "{}", said[0]);
    log.expect("the health socket is bound");
}

#[test]
fn callers_of_the_same_uid_delay_no_answer() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let esp = Esp::start(&metadata, &cloudwatch, &[]);
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    every_answer_arrives_beside_callers(&metadata.uri(), None);
    esp.stop("TERM");
}
