//! The built program beside an endpoint that sends without pause and never comes to
//! an end: each answer is given up after a bounded number of bytes, polling goes on,
//! and a signal is obeyed.

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::CloudWatch,
    containers::Shape,
    metadata::{Fault, MetadataEndpoint},
};

use crate::program::{Esp, agent, wait_for_polls};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const TRAILERS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";

/// Floods a sidecar that works, and gives what its log says of it.
fn reason_under(fault: Fault) -> String {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let esp = Esp::start(&metadata, &cloudwatch, &[("SAMPLE_INTERVAL", "250ms")]);
    wait_for_polls(&metadata, 3);
    metadata.always(Some(fault));
    wait_for_polls(&metadata, 8);
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0), "{}", log.text);
    let error = log.lines.iter().find_map(|line| line["error"].as_str());
    error.unwrap_or_else(|| panic!("no error in\n{}", log.text)).to_owned()
}

#[test]
fn answer_that_never_ends_is_given_up_and_a_signal_is_obeyed() {
    let framed = "has far more bytes in headers, chunk lines and trailers than in its body";
    for (start, repeated, reason) in [
        (TRAILERS, "X-Trailer: value\r\n", framed),
        (CHUNKED, "1\r\nx\r\n", framed),
        (CHUNKED, "1;extension=0123456789abcdef\r\nx\r\n", framed),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", "head is not HTTP/1.1"),
        (CHUNKED, "10\r\n0123456789abcdef\r\n", "body is over the limit of 1048576 bytes"),
    ] {
        let said = reason_under(Fault::Endless(start, repeated));
        assert!(said.contains(reason), "{repeated:?}: {said}");
    }
}
