//! The end: in time and with true words, whatever CloudWatch does.

use std::time::{Duration, SystemTime};

use esp_endpoints::cloudwatch::{CloudWatch, Fault};

use crate::program::run::{PATIENCE, Run};

const LONG: Duration = Duration::from_mins(1);

#[test]
fn a_cloudwatch_that_hangs_delays_neither_sampling_nor_the_end() {
    let cloudwatch = CloudWatch::start();
    cloudwatch.always(Some(Fault::HangBeforeHead(LONG)));
    let run = Run::start(cloudwatch, &[("SHUTDOWN_GRACE", "1s")]);
    assert!(run.cloudwatch.wait_for_requests(1, PATIENCE));
    run.polls(3);
    let ended = run.end_within(Duration::from_secs(3));
    ended.log.expect("esp stops with unsent samples");
    // It got no answer, and says so: CloudWatch has what was under way.
    let unheard = ended.cloudwatch.datums().len() as u64;
    assert_eq!((ended.ledger.figure("unconfirmed"), unheard > 0), (unheard, true));
    assert_eq!(ended.ledger.figure("published"), 0);
}

#[test]
fn what_fails_at_the_end_is_tried_again_within_the_grace() {
    let cloudwatch = CloudWatch::start();
    cloudwatch.always(Some(Fault::Status(503)));
    let run = Run::start(cloudwatch, &[]);
    assert!(run.cloudwatch.wait_for_requests(2, PATIENCE));
    let before = run.cloudwatch.requests().len();
    let asked = SystemTime::now();
    run.esp.signal("TERM");
    // One try fails after the signal; a second later there is another.
    assert!(run.cloudwatch.wait_for_requests(before + 1, PATIENCE));
    run.cloudwatch.always(None);
    let ended = run.ended_within(asked, Duration::from_secs(5));
    assert!(ended.ledger.requests("server_error") >= 3);
    ended.assert_all_published();
}

#[test]
fn a_healthy_cloudwatch_has_the_last_sample_well_within_two_seconds() {
    let run = Run::start(CloudWatch::start(), &[("PUBLISH_INTERVAL", "1m")]);
    run.polls(4);
    let ended = run.end_within(Duration::from_millis(1500));
    ended.assert_no_trouble();
    ended.assert_all_published();
    assert_eq!(ended.ledger.figure("published"), ended.cloudwatch.datums().len() as u64);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let cloudwatch = CloudWatch::start();
    cloudwatch.always(Some(Fault::HangBeforeHead(LONG)));
    let run = Run::start(cloudwatch, &[("SHUTDOWN_GRACE", "1m")]);
    assert!(run.cloudwatch.wait_for_requests(1, PATIENCE));
    run.esp.signal("TERM");
    std::thread::sleep(Duration::from_millis(700));
    let (status, log) = run.esp.stop("INT");
    assert_eq!(status.code(), Some(128 + 2));
    log.expect("esp stops with unsent samples");
}
