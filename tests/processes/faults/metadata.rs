//! The task metadata endpoint's troubles: each costs the polls that meet it and
//! nothing else.

use std::time::Duration;

use esp_endpoints::{
    cloudwatch::CloudWatch,
    http::Settings,
    metadata::{Fault, MetadataEndpoint},
};

use crate::program::{
    assert_all_near,
    run::{Ended, Run, healthy, healthy_with},
};

const ENDPOINT: &str = "the task metadata endpoint";

/// A run in which every answer is spoiled for some seconds.
fn during(fault: Fault) -> Ended {
    let ended = spoiled(healthy(), fault, 4, &[]).end();
    check(ended)
}

/// The same with a fault that holds ESP up, so that ticks are missed.
fn while_slow(fault: Fault, polls: u64) -> Ended {
    check(spoiled(healthy(), fault, polls, &[]).end_after_slowness())
}

fn spoiled(metadata: MetadataEndpoint, fault: Fault, polls: u64, more: &[(&str, &str)]) -> Run {
    let cloudwatch = CloudWatch::start();
    let url = cloudwatch.url();
    let run = Run::start_with(metadata, cloudwatch, &url, more, |_| {});
    run.goes_through(2);
    run.metadata.always(Some(fault));
    run.polls(polls);
    run.metadata.always(None);
    run.goes_through(4);
    run
}

fn check(ended: Ended) -> Ended {
    // The time without samples is in the first difference after it.
    assert_all_near(&ended.cloudwatch.datums(), 25.0, 0.5);
    ended.assert_all_published();
    ended
}

fn costs_those_polls(fault: Fault, why: &str) {
    fails_by(&during(fault), why);
}

fn fails_by(ended: &Ended, why: &str) {
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
fn silence_is_given_up_after_5_s() {
    let ended = while_slow(Fault::HangBeforeHead(Duration::from_secs(30)), 4);
    fails_by(&ended, "GET /task/stats: no answer within 5 s");
    assert!(ended.ledger.figure("missed_ticks") >= 3 * 4, "{}", ended.log.text);
}

#[test]
fn silence_within_the_answer_is_given_up_after_5_s() {
    let ended = while_slow(Fault::HangInBody(Duration::from_secs(30)), 4);
    fails_by(&ended, "GET /task/stats: no answer within 5 s");
}

#[test]
fn an_empty_document_is_no_error_and_no_sample() {
    let ended = during(Fault::Status(200, b"{}".to_vec()));
    assert_eq!(ended.ledger.figure("malformed"), 0);
    assert!(ended.ledger.figure("no_data") >= 3, "{}", ended.log.text);
}

#[test]
fn answers_within_the_interval_miss_no_tick() {
    let ended = during(Fault::HangBeforeHead(Duration::from_millis(600)));
    assert_eq!(ended.ledger.figure("failed_polls"), 0);
    ended.assert_no_trouble();
    let polls = ended.ledger.figure("polls");
    assert_eq!(ended.metadata.stats_requests(), polls);
}

/// That answers which take that long are all taken, and that the log says so once.
fn slow_answers_are_taken(fault: Fault, took_ms: u64, more: &[(&str, &str)]) {
    let polls = 4;
    let run = spoiled(healthy(), fault, polls, more);
    let ended = check(run.end_after_slowness());
    let text = &ended.log.text;
    assert_eq!(ended.ledger.figure("failed_polls"), 0, "{text}");
    assert_eq!(ended.metadata.stats_requests(), ended.ledger.figure("polls"), "{text}");
    // One connection: none was given up.
    assert_eq!(ended.metadata.connections(), 1, "{text}");
    let slow: Vec<_> = ended.log.at("WARN").collect();
    assert_eq!(slow.len(), 1, "{text}");
    assert!(slow[0]["slowest_ms"].as_u64().unwrap() >= took_ms, "{text}");
    ended.log.expect("the task metadata endpoint is slow");
}

#[test]
fn answers_after_1_05_s_are_samples() {
    let took = Duration::from_millis(1050);
    slow_answers_are_taken(Fault::HangBeforeHead(took), 1050, &[]);
}

#[test]
fn answers_after_3_s_are_samples_at_short_and_long_intervals() {
    let took = Duration::from_secs(3);
    std::thread::scope(|scope| {
        for interval in ["200ms", "1s", "2s", "4s"] {
            let more = [("SAMPLE_INTERVAL", interval), ("PUBLISH_INTERVAL", "4s")];
            scope.spawn(move || slow_answers_are_taken(Fault::HangBeforeHead(took), 3000, &more));
        }
    });
}

#[test]
fn answers_with_a_pause_of_3_s_within_them_are_samples() {
    slow_answers_are_taken(Fault::HangInBody(Duration::from_secs(3)), 3000, &[]);
}

#[test]
fn answers_after_4_9_s_are_samples() {
    let took = Duration::from_millis(4900);
    slow_answers_are_taken(Fault::HangBeforeHead(took), 4900, &[("SAMPLE_INTERVAL", "500ms")]);
}

#[test]
fn answers_after_5_5_s_are_given_up_and_are_not_taken_for_those_of_the_next_request() {
    let ended = while_slow(Fault::HangBeforeHead(Duration::from_millis(5500)), 3);
    fails_by(&ended, "no answer within 5 s");
    // Each was given up together with its connection.
    assert!(ended.metadata.connections() >= 3, "{}", ended.log.text);
    assert_eq!(ended.ledger.figure("malformed"), 0, "{}", ended.log.text);
}

#[test]
fn a_slow_task_document_and_slow_stats_have_5_s_each() {
    let metadata = healthy();
    let slow = |ms| Some(Fault::HangBeforeHead(Duration::from_millis(ms)));
    metadata.script([slow(3000), slow(4000), slow(1050)]);
    let cloudwatch = CloudWatch::start();
    let url = cloudwatch.url();
    let run = Run::start_with(metadata, cloudwatch, &url, &[], |_| {});
    run.goes_through(3);
    let ended = run.end_after_slowness();
    assert_eq!(ended.ledger.figure("failed_polls"), 0, "{}", ended.log.text);
    assert_eq!(ended.metadata.connections(), 1, "{}", ended.log.text);
    assert!(ended.ledger.figure("missed_ticks") >= 6, "{}", ended.log.text);
}

#[test]
fn a_signal_is_obeyed_while_an_answer_is_waited_for() {
    let run = Run::start(CloudWatch::start(), &[]);
    run.goes_through(2);
    run.metadata.always(Some(Fault::HangBeforeHead(Duration::from_millis(4900))));
    run.polls(1);
    std::thread::sleep(Duration::from_secs(3));
    // Within 2 s, and the ticks of the poll under way are in the books.
    let ended = run.end_after_slowness();
    assert!(ended.ledger.figure("missed_ticks") >= 2, "{}", ended.log.text);
    ended.assert_all_published();
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
