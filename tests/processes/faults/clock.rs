//! A host whose clock is wrong, as CloudWatch sees it.

use std::time::Duration;

use esp_endpoints::{cloudwatch::CloudWatch, http::ClockOffset};

use crate::program::run::Run;

const TWO_HOURS: Duration = Duration::from_hours(2);

#[test]
fn two_hours_behind_cloudwatch_its_time_is_signed() {
    corrects(ClockOffset::Ahead(TWO_HOURS), "s behind");
}

#[test]
fn two_hours_ahead_of_cloudwatch_its_time_is_signed() {
    corrects(ClockOffset::Behind(TWO_HOURS), "s ahead");
}

fn corrects(offset: ClockOffset, expected: &str) {
    let cloudwatch = CloudWatch::start();
    cloudwatch.set_clock(offset);
    let run = Run::start(cloudwatch, &[]);
    run.goes_through(4);
    let ended = run.end();
    // One was refused, and told what CloudWatch's clock says.
    assert_eq!(ended.ledger.requests("clock_skew"), 1);
    assert_eq!(ended.ledger.requests("credentials"), 0);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble("publishing to CloudWatch");
    ended.assert_all_published();
    let line = ended.log.expect("publishing to CloudWatch fails");
    let error = line["error"].as_str().unwrap();
    assert!(error.contains(expected) && error.contains("clock, which is 7"), "{error}");
}
