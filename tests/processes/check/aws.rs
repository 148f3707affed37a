//! What a check asks of AWS: whose credentials there are, and whether CloudWatch
//! takes a datapoint.

use std::{net::TcpListener, time::Duration};

use esp_endpoints::{
    cloudwatch::{CloudWatch, Fault},
    credentials::CredentialsEndpoint,
    http::ClockOffset,
};

use super::{NOBODY, check, check_without_key, ec2};

#[test]
fn publish_sends_one_real_datapoint_and_says_which() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let said = check(&metadata.uri(), &cloudwatch.url(), &["--publish"], &[]);
    assert_eq!(said.code, 0, "{}", said.text);
    let datums = cloudwatch.datums();
    assert_eq!(datums.len(), 1);
    let datum = &datums[0];
    assert_eq!((datum.namespace.as_str(), datum.metric_name.as_str()), ("Shop", "CPUUtilization"));
    assert!((datum.values[0] - 25.0).abs() < 0.5, "{datum:?}");
    said.expect(&[
        "Publish: ok\n",
        &format!("CPUUtilization of web: {:.2} Percent\n", datum.values[0]),
        &format!("{} ms since 1970\n", datum.timestamp_ms),
        "accepted by       Shop in us-west-2\n",
        "ClusterName=shop, ServiceName=web-service\n",
        "Ready: exit code 0\n",
    ]);
}

#[test]
fn each_refusal_of_a_datapoint_has_its_code_and_what_to_do() {
    let refused = |status, name: &str| Fault::Error {
        status,
        type_name: format!("com.amazonaws.cloudwatch#{name}"),
        query_code: String::new(),
        message: "for a reason".into(),
    };
    for (fault, code, next) in [
        (refused(400, "InvalidParameterValueException"), 64, "correct NAMESPACE, DIMENSIONS or"),
        (refused(403, "InvalidClientTokenId"), 77, "check where they come from"),
        (Fault::Throttle, 75, "ESP retries"),
        (Fault::Status(503), 75, "if the error remains, check AWS_ENDPOINT_URL"),
    ] {
        let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
        cloudwatch.always(Some(fault.clone()));
        let said = check(&metadata.uri(), &cloudwatch.url(), &["--publish"], &[]);
        assert_eq!(said.code, code, "{fault:?}: {}", said.text);
        said.expect(&["Publish: FAILED\n", next]);
    }
}

#[test]
fn a_wrong_clock_is_a_warning_and_its_datapoint_is_sent_all_the_same() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    cloudwatch.set_clock(ClockOffset::Ahead(Duration::from_hours(2)));
    let said = check(&metadata.uri(), &cloudwatch.url(), &["--publish"], &[]);
    assert_eq!(said.code, 0, "{}", said.text);
    said.expect(&["Publish: ok\n", "warning", "do       set the host's clock, which is 7"]);
    assert_eq!(cloudwatch.datums().len(), 1);
}

#[test]
fn a_refused_permission_is_77_and_names_the_action() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    cloudwatch.always(Some(Fault::Error {
        status: 403,
        type_name: "com.amazonaws.cloudwatch#AccessDeniedException".into(),
        query_code: "AccessDenied;Sender".into(),
        message: "User is not authorized".into(),
    }));
    let said = check(&metadata.uri(), &cloudwatch.url(), &["--publish"], &[]);
    assert_eq!(said.code, 77, "{}", said.text);
    said.expect(&[
        "Publish: FAILED\n",
        "sent to           Shop in us-west-2\n",
        "failed   AccessDenied: User is not authorized",
        "do       allow the task role cloudwatch:PutMetricData in us-west-2; if the policy has a condition \
         on cloudwatch:namespace, it must name Shop\n",
        "Not ready (permission): ",
    ]);
    assert_eq!(cloudwatch.requests().len(), 1, "one try");
}

#[test]
fn what_may_pass_is_75_and_a_cloudwatch_out_of_reach_is_69() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let uri = metadata.uri();
    for (fault, error) in [
        (Fault::Throttle, "Throttling: Rate exceeded"),
        (Fault::Status(503), ""),
        (Fault::HangBeforeHead(Duration::from_mins(2)), ""),
    ] {
        cloudwatch.always(Some(fault.clone()));
        let said = check(&uri, &cloudwatch.url(), &["--publish", "--json"], &[]);
        assert_eq!(said.code, 75, "{fault:?}: {}", said.text);
        let json = said.json();
        assert_eq!(json["reason"], "temporary");
        assert_eq!(json["published"]["is_accepted"], false);
        assert!(json["problems"][0]["what"].as_str().unwrap().contains(error), "{}", said.text);
        said.expect_within(Duration::from_secs(45));
    }
    let said = check(&uri, NOBODY, &["--publish"], &[]);
    assert_eq!(said.code, 69, "{}", said.text);
    said.expect(&["do       check AWS_ENDPOINT_URL, which has the address"]);
}

#[test]
fn the_source_of_the_credentials_is_named() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let role = CredentialsEndpoint::start("AKIDTASKROLE");
    let directory = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let profile = directory.join("check-credentials");
    let text = "[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n";
    std::fs::write(&profile, text).unwrap();
    let (uri, url) = (metadata.uri(), cloudwatch.url());
    for (more, code, expected) in [
        (
            &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", role.uri().as_str())][..],
            0,
            "the container credentials endpoint (the task role)",
        ),
        (
            &[("AWS_SHARED_CREDENTIALS_FILE", profile.to_str().unwrap())],
            0,
            "a profile in AWS's configuration files",
        ),
        (&[("AWS_EC2_METADATA_DISABLED", "true")], 77, "give the task definition a task role"),
        (
            &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", NOBODY)],
            77,
            "give the task definition a task role",
        ),
        // It answers, but not as instance metadata.
        (
            &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())],
            77,
            "give the task definition a task role",
        ),
        (
            &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x")],
            75,
            "check the address, and the variable that names it: AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ] {
        let said = check_without_key(&uri, &url, &[], more);
        assert_eq!(said.code, code, "{more:?}: {}", said.text);
        said.expect(&[
            if code == 0 { "Credentials: ok\n" } else { "Credentials: FAILED\n" },
            expected,
        ]);
    }
    assert!(role.requests() > 0);
}

#[test]
fn what_hangs_is_named_with_its_stage() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    // Connections wait there, and nobody takes them.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let (plain, tls, proxy) = (
        format!("http://{address}"),
        format!("https://{address}"),
        format!("http://user:geheimnis@{address}"),
    );
    let source = format!("{plain}/credentials");
    let answered = format!("{plain} (from AWS_ENDPOINT_URL): connected, but no whole answer");
    let connected = format!("{tls} (from AWS_ENDPOINT_URL): no connection, TLS included, in time");
    let proxied = format!(
        "https://monitoring.invalid (from AWS_ENDPOINT_URL): through the proxy {plain} (HTTPS_PROXY): \
         no connection"
    );
    let asked = format!("{source}: connected, but no whole answer in time");
    let ours = cloudwatch.url();
    for (url, more, expected) in [
        (&plain, vec![], answered),
        (&tls, vec![], connected),
        (&"https://monitoring.invalid".to_owned(), vec![("HTTPS_PROXY", proxy.as_str())], proxied),
        (
            &ours,
            vec![
                ("AWS_ACCESS_KEY_ID", ""),
                ("AWS_SECRET_ACCESS_KEY", ""),
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", source.as_str()),
            ],
            asked,
        ),
    ] {
        let said = check(&metadata.uri(), url, &["--publish"], &more);
        assert!([69, 75].contains(&said.code), "{}", said.text);
        said.expect(&[&expected]);
        assert!(!said.text.contains("geheimnis"), "{}", said.text);
        said.expect_within(Duration::from_secs(90));
    }
}

#[test]
fn a_captive_portal_has_accepted_nothing() {
    let page = "<html><title>Sign in to continue</title>";
    for (fault, shown) in [
        (Fault::Page(200, page.to_owned()), format!("answered 200 with \"{page}\"")),
        (Fault::Page(202, String::new()), "answered 202 with an empty body".to_owned()),
        (Fault::Page(302, page.to_owned()), format!("answered 302 with \"{page}\"")),
        (Fault::Page(413, page.to_owned()), format!("answered 413 with \"{page}\"")),
        (Fault::Page(511, page.to_owned()), format!("answered 511 with \"{page}\"")),
    ] {
        let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
        cloudwatch.always(Some(fault.clone()));
        let said = check(&metadata.uri(), &cloudwatch.url(), &["--publish"], &[]);
        assert_eq!(said.code, 75, "{fault:?}: {}", said.text);
        said.expect(&[
            "Publish: FAILED\n",
            &format!("failed   {} (from AWS_ENDPOINT_URL) {shown}", cloudwatch.url()),
            "which is not CloudWatch's answer: a proxy, a login page or another server may be in between",
            "do       ESP retries; if the error remains, check AWS_ENDPOINT_URL, which has the \
             address\n",
        ]);
        assert!(!said.text.contains("accepted by"), "{}", said.text);
        assert_eq!(cloudwatch.requests().len(), 1, "one try");
    }
}
