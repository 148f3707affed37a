//! The task role's keys, from a source that has its troubles too.

use std::time::{Duration, Instant};

use esp_endpoints::{
    cloudwatch::{Authorization, CloudWatch, Fault},
    credentials::CredentialsEndpoint,
    sts::Sts,
};

use crate::program::run::{PATIENCE, Run};

const PUBLISHING: &str = "publishing to CloudWatch";

fn start(source: &CredentialsEndpoint, cloudwatch: CloudWatch) -> Run {
    let uri = source.uri();
    let more = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
    ];
    Run::start(cloudwatch, &more)
}

/// The keys that requests were signed with, in order and without repetition.
fn keys(cloudwatch: &CloudWatch) -> Vec<String> {
    let requests = cloudwatch.requests();
    let mut keys: Vec<_> = requests
        .iter()
        .map(|request| match &request.authorization {
            Authorization::WellFormed { access_key, .. } => access_key.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    keys.dedup();
    keys
}

#[test]
fn a_key_is_renewed_before_it_expires() {
    let source = CredentialsEndpoint::start("OLD");
    // It is renewed some ten seconds before its end.
    source.set_lifetime(Duration::from_secs(13));
    let run = start(&source, CloudWatch::start());
    run.goes_through(1);
    source.issue(Some("NEW"));
    run.until("the new key", |run| keys(&run.cloudwatch).contains(&"NEW".to_owned()));
    let ended = run.end();
    assert_eq!(keys(&ended.cloudwatch), ["OLD", "NEW"]);
    assert!(ended.cloudwatch.requests().iter().all(|request| {
        request.security_token.as_ref().is_some_and(|token| token.starts_with("token-of-"))
    }));
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn a_key_that_cloudwatch_calls_expired_is_fetched_again() {
    let source = CredentialsEndpoint::start("OLD");
    let cloudwatch = CloudWatch::start();
    let expired = Fault::Error {
        status: 403,
        type_name: "com.amazon.coral.service#ExpiredTokenException".into(),
        query_code: "ExpiredToken;Sender".into(),
        message: "The security token included in the request is expired".into(),
    };
    cloudwatch.script_steps([None, Some(expired)]);
    let run = start(&source, cloudwatch);
    assert!(run.cloudwatch.wait_for_requests(1, PATIENCE));
    source.issue(Some("NEW"));
    assert!(run.cloudwatch.wait_for_requests(4, PATIENCE));
    let ended = run.end();
    assert_eq!(keys(&ended.cloudwatch), ["OLD", "NEW"]);
    assert_eq!((source.requests(), ended.ledger.requests("credentials")), (2, 1));
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble(PUBLISHING);
    ended.assert_all_published();
}

#[test]
fn a_source_that_is_down_at_the_start_costs_nothing_once_it_is_up() {
    let source = CredentialsEndpoint::start("KEY");
    source.issue(None);
    let run = start(&source, CloudWatch::start());
    // More than one look-up makes, so that one has failed.
    run.until("tries", |_| source.requests() >= 6);
    run.polls(3);
    assert!(run.cloudwatch.requests().is_empty());
    source.issue(Some("KEY"));
    run.goes_through(6);
    let ended = run.end();
    assert!(ended.ledger.requests("credentials") >= 1);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble(PUBLISHING);
    ended.assert_all_published();
    let error = ended.log.expect("publishing to CloudWatch fails")["error"].as_str().unwrap();
    assert!(error.contains("/credentials answered 500: "), "{error}");
    assert!(!error.contains("taskRoleArn"), "{error}");
}

#[test]
fn a_source_that_goes_down_is_not_missed_while_a_key_is_good() {
    let source = CredentialsEndpoint::start("KEY");
    let run = start(&source, CloudWatch::start());
    run.goes_through(1);
    source.issue(None);
    run.goes_through(4);
    let ended = run.end();
    assert_eq!(source.requests(), 1);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn a_source_that_is_down_when_a_key_expires_costs_nothing_once_it_is_up() {
    let source = CredentialsEndpoint::start("OLD");
    source.set_lifetime(Duration::from_secs(12));
    let run = start(&source, CloudWatch::start());
    run.goes_through(1);
    source.issue(None);
    run.until("tries", |_| source.requests() >= 3);
    run.polls(3);
    source.issue(Some("NEW"));
    run.until("the new key", |run| keys(&run.cloudwatch).contains(&"NEW".to_owned()));
    run.goes_through(2);
    let ended = run.end();
    assert!(ended.ledger.requests("credentials") >= 1);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble(PUBLISHING);
    ended.assert_all_published();
}

#[test]
fn refusals_of_every_kind_are_said_once_and_cost_nothing_once_they_end() {
    let refusals = [
        (400, ""),
        (429, "slow down"),
        (500, ""),
        (503, "{}"),
        (200, ""),
        (200, r#"{"AccessKeyId": "KEY"}"#),
        (200, "<html>"),
    ];
    std::thread::scope(|scope| {
        for (status, body) in refusals {
            scope.spawn(move || {
                let source = CredentialsEndpoint::start("KEY");
                source.refuse(status, body);
                let run = start(&source, CloudWatch::start());
                run.until("tries", |_| source.requests() >= 3);
                run.polls(3);
                assert!(run.cloudwatch.requests().is_empty());
                source.issue(Some("KEY"));
                let ended_at = Instant::now();
                run.goes_through(4);
                assert!(ended_at.elapsed() < Duration::from_mins(1));
                let ended = run.end();
                assert_eq!(ended.ledger.copies, 0);
                // Nothing of the SDK's, in particular.
                assert_eq!(ended.log.at("ERROR").count(), 0, "{}", ended.log.text);
                ended.assert_one_trouble(PUBLISHING);
                ended.assert_all_published();
            });
        }
    });
}

#[test]
fn role_that_sts_does_not_give_is_said_once_and_costs_nothing_once_it_does() {
    let profile = "[default]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\n\
                   [profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = secret-base\n";
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-credentials-role");
    std::fs::write(&file, profile).unwrap();
    let refusals = [
        (403, "AccessDenied", "trust policy"),
        (403, "ExpiredToken", "renew the key"),
        (400, "Throttling", "limits requests"),
        (503, "ServiceUnavailable", "if the error remains"),
        (400, "ValidationError", "correct role_arn"),
    ];
    std::thread::scope(|scope| {
        for (status, code, advice) in refusals {
            let file = &file;
            scope.spawn(move || {
                let sts = Sts::start("ASIAOFROLE");
                sts.refuse(status, code, "for a reason");
                let url = sts.url();
                let more = [
                    ("AWS_ACCESS_KEY_ID", ""),
                    ("AWS_SECRET_ACCESS_KEY", ""),
                    ("AWS_CONFIG_FILE", file.to_str().unwrap()),
                    ("AWS_ENDPOINT_URL_STS", url.as_str()),
                ];
                let run = Run::start(CloudWatch::start(), &more);
                run.until("tries", |_| sts.asked().len() >= 3);
                run.polls(3);
                assert!(run.cloudwatch.requests().is_empty());
                sts.accept();
                let ended_at = Instant::now();
                run.goes_through(4);
                assert!(ended_at.elapsed() < Duration::from_mins(1));
                let ended = run.end();
                assert_eq!(keys(&ended.cloudwatch), ["ASIAOFROLE"]);
                assert_eq!(ended.ledger.copies, 0);
                assert_eq!(ended.log.at("ERROR").count(), 0, "{}", ended.log.text);
                ended.assert_one_trouble(PUBLISHING);
                ended.assert_all_published();
                let error = ended.log.expect("publishing to CloudWatch fails");
                let error = error["error"].as_str().unwrap();
                assert!(error.contains(code) && error.contains(advice), "{error}");
            });
        }
    });
}
