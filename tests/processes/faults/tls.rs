//! Certificates: who is trusted, and who is not.

use std::{path::PathBuf, time::Duration};

use esp_endpoints::{
    cloudwatch::{CloudWatch, Fault},
    tls::{Certificate, Tls},
};

use crate::program::run::{PATIENCE, Run};

/// A file with the authority's certificate.
pub(crate) fn bundle(name: &str, tls: &Tls) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{name}.pem"));
    std::fs::write(&file, tls.authority_pem()).unwrap();
    file
}

/// A few requests to a CloudWatch with that certificate.
fn publish(tls: &Tls, more: &[(&str, &str)]) -> Run {
    let more = [more, &[("SHUTDOWN_GRACE", "1s")]].concat();
    Run::start(CloudWatch::start_tls(tls), &more)
}

fn accepted(run: Run) {
    run.goes_through(4);
    let ended = run.end();
    assert_eq!(ended.cloudwatch.connections(), 1);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

/// Nothing was sent, and it is said why.
fn refused(run: Run, why: &str) {
    run.until("tries", |run| run.cloudwatch.connections() >= 2);
    let ended = run.end_within(Duration::from_secs(3));
    assert!(ended.cloudwatch.requests().is_empty());
    assert!(ended.ledger.requests("unreachable") >= 2);
    assert_eq!(ended.ledger.unanswered(), 0);
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
    let error = ended.log.expect("publishing to CloudWatch fails")["error"].as_str().unwrap();
    assert!(error.contains(why), "{error}");
    let advice = "; check AWS_ENDPOINT_URL, which has the address, and put the path of its CA file \
                  into AWS_CA_BUNDLE; also check the host's clock";
    assert!(error.ends_with(advice), "{error}");
}

#[test]
fn the_authority_in_aws_ca_bundle_is_trusted() {
    let tls = Tls::new(Certificate::Valid);
    let file = bundle("aws-ca-bundle", &tls);
    accepted(publish(&tls, &[("AWS_CA_BUNDLE", file.to_str().unwrap())]));
}

#[test]
fn the_authority_in_ssl_cert_file_is_trusted() {
    let tls = Tls::new(Certificate::Valid);
    let file = bundle("ssl-cert-file", &tls);
    accepted(publish(&tls, &[("SSL_CERT_FILE", file.to_str().unwrap())]));
}

#[test]
fn an_authority_that_nobody_named_is_not_trusted() {
    refused(publish(&Tls::new(Certificate::Valid), &[]), "certificate");
}

#[test]
fn another_authority_than_the_named_one_is_not_trusted() {
    let file = bundle("another", &Tls::new(Certificate::Valid));
    let more = [("AWS_CA_BUNDLE", file.to_str().unwrap())];
    refused(publish(&Tls::new(Certificate::Valid), &more), "certificate");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let tls = Tls::new(Certificate::WrongName);
    let file = bundle("wrong-name", &tls);
    refused(publish(&tls, &[("AWS_CA_BUNDLE", file.to_str().unwrap())]), "certificate");
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    let tls = Tls::new(Certificate::Expired);
    let file = bundle("expired", &tls);
    refused(publish(&tls, &[("AWS_CA_BUNDLE", file.to_str().unwrap())]), "certificate");
}

/// Answers that come together with the end of the connection, without TLS's
/// `close_notify`, as some servers and middleboxes do it.
fn answered_with_the_end(name: &str, fault: Option<Fault>) -> Run {
    let tls = Tls::new(Certificate::Valid);
    let file = bundle(name, &tls);
    let cloudwatch = CloudWatch::start_tls(&tls);
    cloudwatch.always(Some(Fault::EndWithAnswer(fault.map(Box::new))));
    Run::start(cloudwatch, &[("AWS_CA_BUNDLE", file.to_str().unwrap()), ("SHUTDOWN_GRACE", "4s")])
}

#[test]
fn acceptance_without_close_notify_is_lost_and_then_understood() {
    let run = answered_with_the_end("end-with-200", None);
    run.until("answers that are understood", |run| run.cloudwatch.requests().len() >= 9);
    let ended = run.end_within(Duration::from_secs(6));
    // The first shows what kind of server it is; from then on they are read with care. A busy
    // machine may read one before its end comes, or in spite of the care after it; without
    // care nearly all would be lost.
    let (lost, accepted) =
        (ended.ledger.requests("connection_lost"), ended.ledger.requests("accepted"));
    assert!(lost < accepted, "{lost} lost, {accepted} accepted\n{}", ended.log.text);
    assert!(ended.ledger.copies <= ended.ledger.figure("sent_again"));
    if lost > 0 {
        ended.assert_one_trouble("publishing to CloudWatch");
    } else {
        ended.assert_no_trouble();
    }
    ended.assert_all_published();
}

#[test]
fn refusal_without_close_notify_is_told() {
    let denied = Fault::Error {
        status: 403,
        type_name: "com.amazonaws.cloudwatch#AccessDeniedException".into(),
        query_code: "AccessDenied;Sender".into(),
        message: "User is not authorized".into(),
    };
    let run = answered_with_the_end("end-with-403", Some(denied));
    assert!(run.cloudwatch.wait_for_requests(2, PATIENCE));
    run.polls(4);
    let ended = run.end_within(Duration::from_secs(6));
    assert!(ended.ledger.requests("denied") >= 1, "{}", ended.log.text);
    let errors: Vec<_> = ended.log.at("ERROR").collect();
    assert_eq!(errors.len(), 1, "{}", ended.log.text);
    let error = errors[0]["error"].as_str().unwrap();
    assert!(
        error.contains("AccessDenied") && error.contains("cloudwatch:PutMetricData"),
        "{error}"
    );
}
