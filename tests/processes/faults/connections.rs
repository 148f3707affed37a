//! Connections: how many, how long, and ones that cannot be had.

use std::{net::TcpListener, time::Duration};

use esp_endpoints::{
    cloudwatch::CloudWatch,
    credentials::CredentialsEndpoint,
    deaf::FullPort,
    http::Settings,
    tls::{Certificate, Tls},
};

use crate::{
    faults::tls::bundle,
    program::run::{Ended, PATIENCE, Run, without_connection},
};

const SHORT: Settings = Settings { port: 0, idle: Duration::from_secs(1) };
/// libcurl does not look whether a connection still lives within a second of the
/// last look; no server closes that soon.
const SELDOM: (&str, &str) = ("PUBLISH_INTERVAL", "3s");

#[test]
fn one_connection_is_kept_between_publishes() {
    let run = Run::start(CloudWatch::start(), &[]);
    assert!(run.cloudwatch.wait_for_requests(4, PATIENCE));
    let ended = run.end();
    assert_eq!(ended.cloudwatch.connections(), 1);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn with_a_source_of_credentials_there_are_two_at_most() {
    let source = CredentialsEndpoint::start("KEY");
    let uri = source.uri();
    // Keys that are never good for long enough to be kept.
    source.set_lifetime(Duration::from_secs(5));
    let more = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
    ];
    let run = Run::start(CloudWatch::start(), &more);
    assert!(run.cloudwatch.wait_for_requests(5, PATIENCE));
    let ended = run.end();
    assert!(source.requests() >= 5, "{}", source.requests());
    assert_eq!((ended.cloudwatch.connections(), source.connections()), (1, 1));
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn one_that_was_closed_for_idleness_costs_nothing() {
    let run = Run::start(CloudWatch::start_with(SHORT), &[SELDOM]);
    assert!(run.cloudwatch.wait_for_requests(4, PATIENCE));
    assert_each_its_own(&run.end());
}

#[test]
fn one_that_took_leave_over_tls_for_idleness_costs_nothing() {
    let tls = Tls::new(Certificate::Valid);
    let bundle = bundle("idle", &tls);
    let more = [SELDOM, ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    let run = Run::start(CloudWatch::start_tls_with(SHORT, &tls), &more);
    assert!(run.cloudwatch.wait_for_requests(4, PATIENCE));
    assert_each_its_own(&run.end());
}

fn assert_each_its_own(ended: &Ended) {
    let requests = ended.cloudwatch.requests();
    assert_eq!(ended.ledger.requests("accepted"), requests.len() as u64);
    assert!(ended.cloudwatch.connections() >= 4, "{}", ended.cloudwatch.connections());
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn a_port_that_is_closed_for_a_while_costs_nothing() {
    let mut cloudwatch = CloudWatch::start();
    cloudwatch.stop_accepting();
    let mut run = Run::start(cloudwatch, &[SELDOM]);
    run.polls(5);
    run.cloudwatch.accept_again();
    run.goes_through(4);
    // The next request may follow in a second, the one after it does not: see SELDOM.
    run.is_quiet_after(1);
    // And again while a connection is kept.
    run.cloudwatch.stop_accepting();
    run.polls(4);
    run.cloudwatch.accept_again();
    run.goes_through(4);
    let ended = run.end();
    assert!(ended.ledger.requests("unreachable") >= 2);
    assert_eq!((ended.ledger.unanswered(), ended.ledger.copies), (0, 0));
    ended.assert_all_published();
}

#[test]
fn one_that_nobody_takes_is_given_up_after_three_seconds() {
    let port = FullPort::start().unwrap();
    without_connection(&format!("http://{}", port.address().unwrap()));
}

#[test]
fn a_handshake_that_nobody_answers_is_given_up_after_three_seconds() {
    // The kernel takes the connection; nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    without_connection(&format!("https://localhost:{port}"));
}
