//! The built program with configurations that cannot work: what it says of them, and
//! that it ends with exit code 64 without asking anybody.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod program;

use program::Esp;

const REQUIRED: [(&str, &str); 3] = [
    ("CONTAINER_NAME", "web"),
    ("NAMESPACE", "Shop"),
    ("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:1/v4/x"),
];

/// The lines on stderr of the sidecar, which ends with 64.
fn refused(more: &[(&str, &str)], arguments: &[&str]) -> Vec<String> {
    let mut command = Esp::command(&REQUIRED);
    let output = command.envs(more.iter().copied()).args(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{more:?} {arguments:?}: {stderr}");
    assert!(output.stdout.is_empty());
    stderr.lines().map(str::to_owned).collect()
}

#[test]
fn one_error_is_one_line_that_names_variable_value_and_expectation() {
    for (name, value, line) in [
        ("CONTAINER_NAME", "", "CONTAINER_NAME is not set: expected the name of a container"),
        ("NAMESPACE", "AWS/ECS", "NAMESPACE=\"AWS/ECS\" is not valid: expected 1 to 255"),
        ("PUBLISH_INTERVAL", "10", "PUBLISH_INTERVAL=\"10\" is not valid: expected a whole number"),
        ("METRICS", "CPU", "METRICS=\"CPU\" is not valid: expected names of metrics"),
        (
            "AWS_CA_BUNDLE",
            "/nonexistent",
            "AWS_CA_BUNDLE=\"/nonexistent\" is not valid: expected a readable file",
        ),
        (
            "ECS_CONTAINER_METADATA_URI_V4",
            "",
            "ECS_CONTAINER_METADATA_URI_V4 is not set: esp runs inside an ECS task",
        ),
        (
            "ECS_CONTAINER_METADATA_URI_V4",
            "https://x/",
            "ECS_CONTAINER_METADATA_URI_V4=\"https://x/\" is not valid: expected http://",
        ),
        (
            "AWS_USE_FIPS_ENDPOINT",
            "1",
            "AWS_USE_FIPS_ENDPOINT=\"1\" is not valid: expected true or",
        ),
        (
            "AWS_USE_DUALSTACK_ENDPOINT",
            "yes",
            "AWS_USE_DUALSTACK_ENDPOINT=\"yes\" is not valid: expected true or",
        ),
        ("HTTPS_PROXY", "ftp://x y", "HTTPS_PROXY=\"ftp://x y\" is not valid: expected [SCHEME"),
        (
            "AWS_ENDPOINT_URL",
            "monitoring.internal",
            "AWS_ENDPOINT_URL=\"monitoring.internal\" is not valid: expected http://HOST",
        ),
        (
            "AWS_ENDPOINT_URL_CLOUDWATCH",
            "https://",
            "AWS_ENDPOINT_URL_CLOUDWATCH=\"https://\" is not valid: expected http://HOST",
        ),
        ("PUBLISH_INTERVAL", "61m", "PUBLISH_INTERVAL=\"61m\" is not valid: expected a whole"),
        ("BUFFER", "5s", "BUFFER=\"5s\" is not valid: expected a whole number"),
    ] {
        let lines = refused(&[(name, value)], &[]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("esp: {line}")), "{}", lines[0]);
    }
    let lines = refused(&[], &["--namespace", ":x"]);
    assert!(lines[0].starts_with("esp: --namespace=\":x\" is not valid"), "{lines:?}");
    let lines = refused(&[("PUBLISH_INTERVAL", "11m")], &["--buffer", "10m"]);
    assert!(lines[0].contains("expected at most BUFFER, which is 10m"), "{lines:?}");
}

#[test]
fn all_errors_are_reported_each_in_a_line() {
    let more = [
        ("CONTAINER_NAME", ""),
        ("METRICS", "CPU"),
        ("PUBLISH_INTERVAL", "30m"),
        ("BUFFER", "10m"),
        ("AWS_REGION", "Ireland"),
        ("SSL_CERT_FILE", "/nonexistent"),
    ];
    let lines = refused(&more, &["--log-level", "loud"]);
    let begins = [
        "CONTAINER_NAME is not set",
        "AWS_REGION=\"Ireland\"",
        "METRICS=\"CPU\"",
        "--log-level=\"loud\"",
        "PUBLISH_INTERVAL=\"30m\" is not valid: expected at most BUFFER",
        "SSL_CERT_FILE=\"/nonexistent\"",
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:#?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(&format!("esp: {begin}")), "{line}");
    }
}

#[test]
fn wrong_command_line_is_one_line() {
    for (arguments, line) in [
        (&["--nope"][..], "esp: invalid option '--nope'; see esp --help"),
        (&["--namespace"], "esp: missing argument for option '--namespace'; see esp --help"),
    ] {
        assert_eq!(refused(&[], arguments), [line]);
    }
}

#[test]
fn outside_ecs_it_says_so_and_help_needs_no_configuration() {
    let output = Esp::command(&[]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("runs inside an ECS task"));
    let output = Esp::command(&[]).arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("SAMPLE_INTERVAL"));
}
