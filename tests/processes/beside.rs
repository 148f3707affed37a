//! The built program as a neighbour: signals that are none of its business, and
//! streams that close. What takes a container (a root file system that is read only, little memory, little CPU) is
//! in `image`; a clock that jumps is in `simulation`.

#![cfg(target_os = "linux")]

use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, metadata::MetadataEndpoint,
};

use crate::program::{AT_ONCE, Esp, SOON, agent};

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
    assert_eq!(esp.end("TERM", AT_ONCE).code(), Some(0));
}
