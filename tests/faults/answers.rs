//! What CloudWatch answers, or does not.

use std::time::Duration;

use esp_endpoints::cloudwatch::{CloudWatch, Fault};

use crate::run::{Ended, PATIENCE, Run, after, gaps};

/// Longer than a request may take.
const LONG: Duration = Duration::from_secs(30);
const PUBLISHING: &str = "publishing to CloudWatch";

#[test]
fn throttling_is_met_with_fewer_requests_and_costs_nothing() {
    let ended = after([Some(Fault::Throttle), Some(Fault::Throttle)]);
    assert_eq!(ended.ledger.requests("throttled"), 2);
    assert_eq!(ended.ledger.copies, 0);
    let gaps = gaps(&ended.cloudwatch);
    // A little less than a second may lie between two arrivals.
    assert!(gaps[..2].iter().all(|gap| *gap > Duration::from_millis(900)), "{gaps:?}");
    ended.assert_one_trouble(PUBLISHING);
    ended.assert_all_published();
}

#[test]
fn server_errors_cost_nothing_whatever_their_body() {
    let faults = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::GarbageBody(500),
        // Which error it is cannot be told: so it may pass.
        Fault::GarbageBody(400),
    ];
    let ended = after(faults.map(Some));
    assert_eq!(ended.ledger.requests("server_error"), 4);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble(PUBLISHING);
    ended.assert_all_published();
}

#[test]
fn what_cannot_be_read_after_a_200_was_accepted() {
    let ended =
        after([Fault::GarbageBody(200), Fault::CutInBody, Fault::GarbageBody(200)].map(Some));
    assert_eq!(ended.ledger.requests("accepted"), ended.cloudwatch.requests().len() as u64);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn an_answer_of_64_mib_is_an_acceptance_and_is_not_kept() {
    let cloudwatch = CloudWatch::start();
    cloudwatch.script_steps([None, Some(Fault::Huge(64 << 20)), Some(Fault::Huge(64 << 20))]);
    let run = Run::start(cloudwatch, &[]);
    run.goes_through(5);
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.esp.child.id()));
    let ended = run.end();
    assert_eq!(ended.ledger.requests("accepted"), ended.cloudwatch.requests().len() as u64);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_no_trouble();
    ended.assert_all_published();
    // Where there is a /proc.
    if let Ok(status) = status {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak_kib < 48 << 10, "{peak_kib} KiB");
    }
}

#[test]
fn silence_before_the_answer_is_sent_again_and_counted() {
    let ended = after([Some(Fault::HangBeforeHead(LONG))]);
    assert_sent_again(&ended, 1);
    assert!(gaps(&ended.cloudwatch)[0] > Duration::from_secs(9));
}

#[test]
fn silence_after_the_head_is_sent_again_and_counted() {
    let ended = after([Some(Fault::HangInBody(LONG))]);
    assert_sent_again(&ended, 1);
    assert!(gaps(&ended.cloudwatch)[0] > Duration::from_secs(9));
}

#[test]
fn a_connection_that_ends_before_the_request_is_accepted_costs_nothing() {
    // On a new connection, and on one that was kept.
    let cut = || Some(Fault::CutBeforeAcceptance);
    let ended = after([cut(), None, cut()]);
    assert_eq!(ended.ledger.unanswered(), 2);
    assert_eq!(ended.ledger.copies, 0);
    assert_none_unseen(&ended);
}

#[test]
fn a_connection_that_ends_after_acceptance_is_sent_again_and_counted() {
    let cut = || Some(Fault::CutAfterAcceptance);
    assert_sent_again(&after([cut(), None, cut()]), 2);
}

#[test]
fn a_connection_that_is_reset_after_acceptance_is_sent_again_and_counted() {
    let reset = || Some(Fault::ResetAfterAcceptance);
    assert_sent_again(&after([reset(), None, reset()]), 2);
}

#[test]
fn a_sample_that_is_refused_costs_only_itself() {
    let refused = || Fault::Error {
        status: 400,
        type_name: "com.amazonaws.cloudwatch#InvalidParameterValueException".into(),
        query_code: "InvalidParameterValue;Sender".into(),
        message: "The value is not valid".into(),
    };
    let cloudwatch = CloudWatch::start();
    // What the first request holds is refused, down to one sample of it.
    cloudwatch.script(vec![refused(), refused(), refused()]);
    let run = Run::start(cloudwatch, &[("PUBLISH_INTERVAL", "4s")]);
    run.goes_through(6);
    let ended = run.end();
    assert_eq!(ended.ledger.requests("invalid"), 3);
    assert!(matches!(ended.ledger.figure("dropped_refused"), 1 | 2), "{}", ended.log.text);
    let dropped = ended.log.expect("a sample is dropped");
    assert_eq!(
        (&dropped["metric"], &dropped["reason"]),
        (&"CPUUtilization".into(), &"CloudWatch refused it".into())
    );
    ended.log.expect("esp stops; what was not dropped is published");
}

#[test]
fn a_missing_permission_is_said_with_action_and_region() {
    let cloudwatch = CloudWatch::start();
    cloudwatch.always(Some(Fault::Error {
        status: 403,
        type_name: "com.amazonaws.cloudwatch#AccessDeniedException".into(),
        query_code: "AccessDenied;Sender".into(),
        message: "User is not authorized".into(),
    }));
    let run = Run::start(cloudwatch, &[]);
    assert!(run.cloudwatch.wait_for_requests(1, PATIENCE));
    // In a minute it is tried again, but not before.
    run.polls(4);
    assert_eq!(run.cloudwatch.requests().len(), 1);
    let ended = run.end();
    let errors: Vec<_> = ended.log.at("ERROR").collect();
    assert_eq!(errors.len(), 1, "{}", ended.log.text);
    let error = errors[0]["error"].as_str().unwrap();
    assert!(error.contains("cloudwatch:PutMetricData in us-west-2"), "{error}");
    // At the start, and once more at the end.
    assert_eq!(ended.ledger.requests("denied"), 2);
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
}

/// Accepted, unheard, and sent again: the books know how many.
fn assert_sent_again(ended: &Ended, requests: u64) {
    assert_eq!(ended.ledger.unanswered(), requests);
    assert_eq!(ended.ledger.copies, ended.ledger.figure("sent_again"));
    assert!(ended.ledger.copies > 0);
    assert_none_unseen(ended);
}

/// Every request that CloudWatch saw is in the books: libcurl sent none by
/// itself.
fn assert_none_unseen(ended: &Ended) {
    let known = ended.ledger.requests("accepted") + ended.ledger.unanswered();
    assert_eq!(ended.cloudwatch.requests().len() as u64, known);
    ended.assert_one_trouble(PUBLISHING);
    ended.assert_all_published();
}
