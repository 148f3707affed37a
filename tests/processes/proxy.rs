//! The built program behind a proxy: what goes through it, what never does.

use std::{fs, path::PathBuf, time::Duration};

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::CloudWatch,
    containers::Shape,
    credentials::CredentialsEndpoint,
    metadata::MetadataEndpoint,
    proxy::Proxy,
    tls::{Certificate, NAME, Tls},
};

use crate::program::{Esp, SOON, agent, wait_for_polls};

/// A CloudWatch over TLS that only the proxy knows the way to, and the file that
/// vouches for it.
fn behind_a_proxy(name: &str) -> (CloudWatch, Proxy, PathBuf) {
    let tls = Tls::new(Certificate::Valid);
    let cloudwatch = CloudWatch::start_tls(&tls);
    let proxy = Proxy::start(cloudwatch.address()).unwrap();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("proxy-{name}.pem"));
    fs::write(&file, tls.authority_pem()).unwrap();
    (cloudwatch, proxy, file)
}

fn endpoint() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

#[test]
fn cloudwatch_is_reached_through_the_proxy_and_nothing_link_local_is() {
    let (cloudwatch, proxy, authority) = behind_a_proxy("through");
    let (metadata, credentials) = (endpoint(), CredentialsEndpoint::start("ASIATASKROLE"));
    let url = proxy.url();
    let more = [
        ("PUBLISH_INTERVAL", "1s"),
        ("AWS_CA_BUNDLE", authority.to_str().unwrap()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &credentials.uri()),
        // All that a careless task definition may set.
        ("HTTPS_PROXY", &url),
        ("HTTP_PROXY", &url),
        ("http_proxy", &url),
        ("ALL_PROXY", &url),
    ];
    let mut command = Esp::between(&metadata, &format!("https://{NAME}"), &more);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let esp = Esp::run(&mut command);
    assert!(cloudwatch.wait_for(4, SOON));
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);
    // Kept alive: one tunnel for all requests.
    assert_eq!(proxy.asked(), [format!("CONNECT {NAME}:443 HTTP/1.1")]);
    assert!(credentials.requests() >= 1 && metadata.stats_requests() >= 3);
}

#[test]
fn what_no_proxy_names_is_reached_without() {
    let (cloudwatch, proxy, authority) = behind_a_proxy("without");
    let metadata = endpoint();
    let url = proxy.url();
    let more = [
        ("PUBLISH_INTERVAL", "1s"),
        ("SHUTDOWN_GRACE", "1s"),
        ("AWS_CA_BUNDLE", authority.to_str().unwrap()),
        ("HTTPS_PROXY", &url),
        ("NO_PROXY", "example.com,.invalid"),
    ];
    // No name server knows it, so that without the proxy it cannot be reached.
    let command = &mut Esp::between(&metadata, "https://monitoring.invalid", &more);
    let esp = Esp::run(command);
    wait_for_polls(&metadata, 4);
    let (_, log) = esp.stop_within("TERM", Duration::from_secs(3));
    let error = log.expect("publishing to CloudWatch fails")["error"].to_string();
    assert!(error.contains("cannot look up the name monitoring.invalid"), "{error}");
    assert_eq!((proxy.asked().len(), cloudwatch.requests().len()), (0, 0));
}

#[test]
fn a_proxy_that_is_away_is_said_and_delays_nothing() {
    let metadata = endpoint();
    let more = [
        ("PUBLISH_INTERVAL", "1s"),
        ("SHUTDOWN_GRACE", "1s"),
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ];
    let esp = Esp::run(&mut Esp::between(&metadata, &format!("https://{NAME}"), &more));
    wait_for_polls(&metadata, 4);
    let (status, log) = esp.stop_within("TERM", Duration::from_secs(3));
    assert_eq!(status.code(), Some(0));
    log.expect("publishing to CloudWatch fails");
    log.assert_no_tick_missed();
}

#[test]
fn proxy_whose_name_is_unknown_is_named_with_its_variable() {
    let metadata = endpoint();
    let more =
        [("SHUTDOWN_GRACE", "1s"), ("ALL_PROXY", "socks5h://user:secret-pass@proxy.invalid")];
    let esp = Esp::run(&mut Esp::between(&metadata, &format!("https://{NAME}"), &more));
    wait_for_polls(&metadata, 14);
    let (_, log) = esp.stop_within("TERM", Duration::from_secs(3));
    let error = log.expect("publishing to CloudWatch fails")["error"].to_string();
    assert!(error.contains("cannot look up the name proxy.invalid"), "{error}");
    assert!(error.contains("(ALL_PROXY)") && !log.text.contains("secret-pass"), "{error}");
}

#[test]
fn an_empty_no_proxy_leaves_it_to_the_other() {
    let (cloudwatch, proxy, authority) = behind_a_proxy("empty");
    let metadata = endpoint();
    let url = proxy.url();
    for (lower, upper, is_asked) in
        [("", ".invalid", false), (".invalid", "", false), ("", "", true)]
    {
        let more = [
            ("SHUTDOWN_GRACE", "1s"),
            ("AWS_CA_BUNDLE", authority.to_str().unwrap()),
            ("HTTPS_PROXY", &url),
            ("no_proxy", lower),
            ("NO_PROXY", upper),
        ];
        let before = proxy.asked().len();
        let command = &mut Esp::between(&metadata, "https://monitoring.invalid", &more);
        let output = command.args(["check", "--publish"]).output().unwrap();
        assert_ne!(output.status.code(), Some(0));
        assert_eq!(proxy.asked().len() > before, is_asked, "{lower} {upper}");
    }
    assert_eq!(cloudwatch.requests().len(), 0);
}
