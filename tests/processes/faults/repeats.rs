//! How often a sample reaches a CloudWatch that takes it and never says so.

use std::{collections::HashMap, time::Duration};

use esp_endpoints::cloudwatch::{CloudWatch, Fault};

use crate::program::run::{Ended, PATIENCE, Run, gaps};

/// How often CloudWatch has the sample that it has most often.
fn most_copies(cloudwatch: &CloudWatch) -> usize {
    let mut copies: HashMap<_, usize> = HashMap::new();
    for datum in cloudwatch.datums() {
        *copies.entry((datum.metric_name, datum.timestamp_ms)).or_default() += 1;
    }
    copies.into_values().max().unwrap_or(0)
}

/// Some requests without a fault, so many with it, and then without it again: what is
/// left, and how many were before the fault.
fn after_many(fault: &Fault, requests: usize) -> (Ended, usize) {
    let run = Run::start(CloudWatch::start(), &[("PUBLISH_INTERVAL", "3s")]);
    run.is_quiet_after(4);
    let before = run.cloudwatch.requests().len();
    run.cloudwatch.always(Some(fault.clone()));
    assert!(run.cloudwatch.wait_for_requests(before + requests, PATIENCE));
    run.cloudwatch.always(None);
    assert!(run.cloudwatch.wait_for_requests(before + requests + 2, PATIENCE));
    (run.end(), before)
}

fn assert_sent_twice(fault: &Fault) {
    let (ended, _) = after_many(fault, 3);
    assert_eq!(most_copies(&ended.cloudwatch), 2, "{fault:?}");
    let given_up = ended
        .log
        .expect("ESP gave up samples that it had sent more than once, because the connection");
    assert!(given_up["samples"].as_u64() > Some(0));
    assert!(ended.ledger.figure("ambiguous") > 0);
    assert_eq!(ended.ledger.requests("no_answer"), 0);
}

#[test]
fn a_sample_is_sent_twice_if_each_connection_is_closed_before_the_answer() {
    assert_sent_twice(&Fault::CutAfterAcceptance);
}

#[test]
fn a_sample_is_sent_twice_if_each_connection_is_reset_before_the_answer() {
    assert_sent_twice(&Fault::ResetAfterAcceptance);
}

#[test]
fn silence_is_met_with_a_probe_of_one_sample_and_costs_none() {
    let (ended, before) = after_many(&Fault::HangBeforeHead(Duration::from_mins(1)), 2);
    let requests = ended.cloudwatch.requests();
    let sizes: Vec<_> = requests[before..].iter().map(|request| request.accepted).collect();
    // The one that met silence, two probes, and the backlog.
    assert!(matches!(sizes[..4], [2..=6, 1, 1, 10..=99]), "{sizes:?}");
    assert!(
        gaps(&ended.cloudwatch)[before..before + 2]
            .iter()
            .all(|gap| *gap > Duration::from_secs(10))
    );
    assert_eq!((ended.ledger.figure("ambiguous"), ended.ledger.requests("no_answer")), (0, 2));
    ended.assert_all_published();
}
