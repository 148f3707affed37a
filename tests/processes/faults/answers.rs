//! What CloudWatch answers, or does not.

use std::time::Duration;

use esp_endpoints::cloudwatch::{CloudWatch, Fault};

use crate::program::run::{Ended, PATIENCE, Run, after, gaps};

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
fn acceptance_that_breaks_off_is_an_acceptance() {
    let ended = after([Some(Fault::CutInBody), None, Some(Fault::CutInBody)]);
    assert_eq!(ended.ledger.requests("accepted"), ended.cloudwatch.requests().len() as u64);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn status_200_from_something_else_is_no_acceptance() {
    let page = "<html>\u{1b}[31mPlease sign in</html>".to_owned();
    for (fault, shown) in [
        (Fault::Page(200, page), r#"200 with "<html>\u{1b}[31mPlease sign in</html>""#),
        (Fault::Page(202, String::new()), "202 with an empty body"),
        (Fault::GarbageBody(200), r#"200 with "<html>not CBOR</html>""#),
        (error(200, "ThrottlingException", ""), "200 with"),
        (Fault::Page(404, "<h1>Not here</h1>".to_owned()), r#"404 with "<h1>Not here</h1>""#),
    ] {
        let ended = after([Some(fault.clone()), Some(fault)]);
        assert_eq!(ended.ledger.requests("server_error"), 2, "{shown}");
        assert_eq!(ended.ledger.copies, 0);
        ended.assert_one_trouble(PUBLISHING);
        ended.assert_all_published();
        let line = ended.log.expect("publishing to CloudWatch fails");
        let error = line["error"].as_str().unwrap();
        let asked = ended.cloudwatch.url();
        assert!(error.contains(shown) && error.contains(&asked), "{error}");
    }
}

#[test]
fn answer_of_64_mib_is_no_acceptance_and_is_not_kept() {
    let cloudwatch = CloudWatch::start();
    cloudwatch.script_steps([None, Some(Fault::Huge(64 << 20)), Some(Fault::Huge(64 << 20))]);
    let run = Run::start(cloudwatch, &[]);
    run.goes_through(5);
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.esp.child.id()));
    let ended = run.end();
    assert_eq!(ended.ledger.requests("server_error"), 2);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble(PUBLISHING);
    ended.assert_all_published();
    // Where there is a /proc.
    if let Ok(status) = status {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak_kib < 48 << 10, "{peak_kib} KiB");
    }
}

#[test]
fn dates_that_no_clock_shows_do_no_harm() {
    for (date, code) in [
        ("Fri, 31 Dec 9999 23:59:59 GMT", "SignatureDoesNotMatch"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "AccessDenied"),
        ("Mon, 01 Jan 0001 00:00:00 GMT", "SignatureDoesNotMatch"),
        ("Thu, 01 Jan 9000 00:00:00 GMT", "RequestTimeTooSkewed"),
        ("-1", "InternalFailure"),
    ] {
        let cloudwatch = CloudWatch::start();
        let fault = Fault::Dated(date.to_owned(), Box::new(error(403, code, code)));
        cloudwatch.always(Some(fault));
        let run = Run::start(cloudwatch, &[("SHUTDOWN_GRACE", "3s")]);
        assert!(run.cloudwatch.wait_for_requests(1, PATIENCE));
        run.polls(1);
        run.cloudwatch.always(None);
        // A refused permission is tried again in a minute; here, at the end.
        if code != "AccessDenied" {
            run.goes_through(2);
        }
        let ended = run.end_within(Duration::from_secs(5));
        assert_eq!(ended.ledger.copies, 0);
        ended.assert_all_published();
    }
}

fn error(status: u16, type_name: &str, query_code: &str) -> Fault {
    Fault::Error {
        status,
        type_name: type_name.to_owned(),
        query_code: query_code.to_owned(),
        message: "a message".to_owned(),
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
    // What the first request holds is refused, down to one sample of it: three refusals do
    // for up to four samples, and a busy machine makes it one or two more than two.
    cloudwatch.script(vec![refused(), refused(), refused()]);
    let run = Run::start(cloudwatch, &[("PUBLISH_INTERVAL", "2s")]);
    run.goes_through(6);
    let ended = run.end();
    assert_eq!(ended.ledger.requests("invalid"), 3);
    assert!(matches!(ended.ledger.figure("dropped_refused"), 1..=3), "{}", ended.log.text);
    let dropped = ended.log.expect("ESP dropped a sample");
    assert_eq!(
        (&dropped["metric"], &dropped["reason"]),
        (&"CPUUtilization".into(), &"CloudWatch refused it".into())
    );
    ended.log.expect("esp stops; all samples were published except");
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
