//! The task metadata endpoint's troubles: each costs the polls that meet it and
//! nothing else.

use std::time::Duration;

use esp_endpoints::{cloudwatch::CloudWatch, http::Settings, metadata::Fault};

use crate::{
    program::assert_all_near,
    run::{Ended, Run, healthy_with},
};

const ENDPOINT: &str = "the task metadata endpoint";

/// A run in which every answer is spoiled for some seconds.
fn during(fault: Fault) -> Ended {
    let run = Run::start(CloudWatch::start(), &[]);
    run.goes_through(2);
    run.metadata.always(Some(fault));
    run.polls(4);
    run.metadata.always(None);
    run.goes_through(4);
    let ended = run.end();
    // The time without samples is in the first difference after it.
    assert_all_near(&ended.cloudwatch.datums(), 25.0, 0.5);
    ended.assert_all_published();
    ended
}

fn costs_those_polls(fault: Fault, why: &str) {
    let ended = during(fault);
    assert!(ended.ledger.figure("failed_polls") >= 3, "{}", ended.log.text);
    ended.assert_one_trouble(ENDPOINT);
    let error = ended.log.expect("the task metadata endpoint fails")["error"].as_str().unwrap();
    assert!(error.contains(why), "{error}");
}

#[test]
fn too_many_requests() {
    costs_those_polls(Fault::TooManyRequests, "status 429");
}

#[test]
fn a_500_whose_body_would_be_a_document() {
    // The status counts, not the body, which alone would be "no containers".
    costs_those_polls(Fault::Status(500, b"{}".to_vec()), "status 500");
}

#[test]
fn a_404_for_a_container_that_is_gone() {
    let body = br#""V4 stats handler: unable to get""#.to_vec();
    costs_those_polls(Fault::Status(404, body), "unable to get");
}

#[test]
fn a_body_that_is_no_document() {
    costs_those_polls(Fault::GarbageBody, "not JSON");
}

#[test]
fn connections_that_end_without_an_answer() {
    costs_those_polls(Fault::Cut, "");
}

#[test]
fn connections_that_are_reset() {
    costs_those_polls(Fault::Reset, "");
}

#[test]
fn connections_that_end_within_the_answer() {
    costs_those_polls(Fault::CutInBody, "");
}

#[test]
fn silence() {
    costs_those_polls(Fault::HangBeforeHead(Duration::from_secs(30)), "no answer in time");
}

#[test]
fn silence_within_the_answer() {
    costs_those_polls(Fault::HangInBody(Duration::from_secs(30)), "no answer in time");
}

#[test]
fn an_empty_document_is_no_error_and_no_sample() {
    let ended = during(Fault::Status(200, b"{}".to_vec()));
    assert_eq!(ended.ledger.figure("malformed"), 0);
    assert!(ended.ledger.figure("no_data") >= 3, "{}", ended.log.text);
}

#[test]
fn slow_answers_are_good_answers() {
    let ended = during(Fault::HangBeforeHead(Duration::from_millis(600)));
    assert_eq!(ended.ledger.figure("failed_polls"), 0);
    ended.assert_no_trouble();
    let polls = ended.ledger.figure("polls");
    assert_eq!(ended.metadata.stats_requests(), polls);
}

#[test]
fn a_connection_that_was_closed_for_idleness_is_no_error() {
    let idle = Settings { port: 0, idle: Duration::from_millis(500) };
    let metadata = healthy_with(idle);
    let cloudwatch = CloudWatch::start();
    let url = cloudwatch.url();
    let run = Run::start_with(metadata, cloudwatch, &url, &[], |_| {});
    run.goes_through(4);
    let ended = run.end();
    assert!(ended.metadata.connections() >= 4, "{}", ended.metadata.connections());
    assert_eq!(ended.ledger.figure("failed_polls"), 0);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn an_endpoint_that_is_away_is_said_once_and_taken_up_again() {
    let mut run = Run::start(CloudWatch::start(), &[]);
    run.goes_through(2);
    run.metadata.stop_accepting();
    std::thread::sleep(Duration::from_secs(3));
    run.metadata.accept_again();
    run.goes_through(3);
    let ended = run.end();
    assert!(ended.ledger.figure("failed_polls") >= 2);
    assert_all_near(&ended.cloudwatch.datums(), 25.0, 0.5);
    ended.assert_one_trouble(ENDPOINT);
    ended.assert_all_published();
}
