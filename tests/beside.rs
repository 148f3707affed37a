//! The built program as a neighbour: signals that are none of its business, a
//! system without a resolver's configuration, and streams that close. What takes a
//! container (a root file system that is read only, little memory, little CPU) is
//! in `image`; a clock that jumps is in `simulation`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod program;

use std::time::Duration;

use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, metadata::MetadataEndpoint,
};

use program::{Esp, SOON, agent, namespace, wait_for_polls};

const EACH_SECOND: [(&str, &str); 1] = [("PUBLISH_INTERVAL", "1s")];

fn endpoint() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

#[test]
fn a_hangup_and_a_broken_pipe_end_nothing() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let esp = Esp::start(&metadata, &cloudwatch, &EACH_SECOND);
    assert!(cloudwatch.wait_for(2, SOON));
    for signal in ["HUP", "PIPE", "HUP"] {
        esp.signal(signal);
        let before = cloudwatch.datums().len();
        assert!(cloudwatch.wait_for(before + 2, SOON), "after SIG{signal}");
    }
    // Nor does one count as the first of two signals.
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    log.expect_all_published();
}

#[test]
fn a_log_whose_reader_is_gone_ends_nothing() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let mut esp = Esp::start(&metadata, &cloudwatch, &[EACH_SECOND[0], ("LOG_LEVEL", "debug")]);
    drop(esp.child.stderr.take());
    drop(esp.child.stdout.take());
    assert!(cloudwatch.wait_for(4, SOON));
    assert_eq!(esp.end("TERM", Duration::from_secs(2)).code(), Some(0));
}

/// No resolver's configuration, no hosts, no certificates.
const EMPTY_ETC: &str = "mount -t tmpfs none /etc";

#[test]
fn without_a_resolv_conf_addresses_work_and_names_are_said() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    if namespace::or_skipped(namespace::is_possible(EMPTY_ETC, "")).is_none() {
        return;
    }
    let command = Esp::between(&metadata, &cloudwatch.url(), &EACH_SECOND);
    let esp = Esp::run(&mut namespace::enter(&command, EMPTY_ETC, ""));
    assert!(cloudwatch.wait_for(3, SOON));
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);

    let more = [EACH_SECOND[0], ("SHUTDOWN_GRACE", "1s")];
    let command = Esp::between(&metadata, "https://monitoring.example", &more);
    let esp = Esp::run(&mut namespace::enter(&command, EMPTY_ETC, ""));
    wait_for_polls(&metadata, 4);
    let (status, log) = esp.stop_within("TERM", Duration::from_secs(3));
    assert_eq!(status.code(), Some(0));
    let error = log.expect("publishing to CloudWatch fails")["error"].to_string();
    assert!(error.contains("cannot look up the name monitoring.example"), "{error}");
    assert_eq!(log.expect("esp stops")["missed_ticks"], 0);
}
