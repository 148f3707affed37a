//! Variables and files that the AWS SDK reads by itself, with empty values, garbage
//! and what other tools take: ESP publishes, or says which variable is wrong. Its code
//! never dies of them.

use std::{
    io::Read as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use esp_endpoints::{cloudwatch::CloudWatch, credentials::CredentialsEndpoint};

use crate::program::{
    Esp, Log,
    run::{PATIENCE, healthy},
};

/// Settings of other clients, and of this one as far as ESP sets them itself.
const WITHOUT_EFFECT: [&str; 18] = [
    "AWS_ACCOUNT_ID",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "AWS_DEFAULTS_MODE",
    "AWS_DISABLE_CLOCK_SKEW_CORRECTION",
    "AWS_DISABLE_REQUEST_COMPRESSION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_EXECUTION_ENV",
    "AWS_MAX_ATTEMPTS",
    "AWS_NEW_RETRIES_2026",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_RETRY_MODE",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SDK_UA_APP_ID",
    "AWS_SIGV4A_SIGNING_REGION_SET",
];

/// How a run began.
enum Began {
    Published,
    /// It ended by itself, with this code.
    Ended(Option<i32>),
    /// It goes on, and says why it does not publish.
    Failing,
}

/// A run with these variables, until it has begun in one way or another.
fn begin(variables: &[(&str, &str)]) -> (Began, Log) {
    let metadata = healthy();
    let cloudwatch = CloudWatch::start();
    let source = CredentialsEndpoint::start("KEY");
    let uri = source.uri();
    let more = [
        &[
            ("PUBLISH_INTERVAL", "1s"),
            ("SHUTDOWN_GRACE", "0s"),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ],
        variables,
    ]
    .concat();
    let mut esp = Esp::start(&metadata, &cloudwatch, &more);
    let start = Instant::now();
    let tried = metadata.stats_requests();
    loop {
        if let Some(status) = esp.child.try_wait().unwrap() {
            // A wrong configuration is told before there is a log.
            let mut text = String::new();
            esp.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
            return (Began::Ended(status.code()), Log { text, ..Log::parse("") });
        }
        if !cloudwatch.datums().is_empty() {
            let (status, log) = esp.stop_within("TERM", Duration::from_secs(10));
            assert_eq!(status.code(), Some(0), "{variables:?}\n{}", log.text);
            return (Began::Published, log);
        }
        assert!(start.elapsed() < PATIENCE, "{variables:?}");
        // A source of credentials is asked for up to 5 s.
        if metadata.stats_requests() > tried + 9 {
            let (status, log) = esp.stop_within("TERM", Duration::from_secs(10));
            assert_eq!(status.code(), Some(0), "{variables:?}\n{}", log.text);
            log.expect("publishing to CloudWatch fails");
            return (Began::Failing, log);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// It publishes.
fn publishes(variables: &[(&str, &str)]) {
    let (began, log) = begin(variables);
    assert!(matches!(began, Began::Published), "{variables:?}\n{}", log.text);
}

/// It publishes, says that the variable is wrong, or says why there are no credentials.
fn lives(variables: &[(&str, &str)]) {
    let (began, log) = begin(variables);
    match began {
        Began::Published | Began::Failing => {}
        Began::Ended(code) => {
            assert_eq!(code, Some(64), "{variables:?}\n{}", log.text);
            let is_named = |(name, _): &(&str, &str)| log.text.contains(&format!("esp: {name}="));
            let is_in_file = log.text.contains(" in the profile default is not valid: ");
            assert!(is_in_file || variables.iter().any(is_named), "{variables:?}\n{}", log.text);
        }
    }
}

#[test]
fn settings_of_other_tools_have_no_effect() {
    for value in
        ["", "legacy", "adaptive", "0", "-1", "true", "x\u{1}y", "größe", "18446744073709551616"]
    {
        publishes(&WITHOUT_EFFECT.map(|name| (name, value)));
    }
}

#[test]
fn empty_addresses_count_as_not_set() {
    publishes(&[
        ("AWS_ENDPOINT_URL_CLOUDWATCH", ""),
        ("AWS_ENDPOINT_URL_STS", ""),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", ""),
        ("AWS_USE_FIPS_ENDPOINT", ""),
        ("AWS_USE_DUALSTACK_ENDPOINT", ""),
        ("AWS_PROFILE", ""),
        ("AWS_CONFIG_FILE", ""),
        ("AWS_SHARED_CREDENTIALS_FILE", ""),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
        ("AWS_ROLE_ARN", ""),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", ""),
    ]);
}

#[test]
fn credentials_that_cannot_be_sent_are_said() {
    for (id, secret, token) in
        [("AKID", "secret", "tökén"), ("AKID", "sec ret", ""), ("A\u{1}KID", "secret", "token")]
    {
        let variables = [
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", token),
        ];
        lives(&variables);
    }
}

#[test]
fn variables_for_credentials_end_the_program_only_as_a_wrong_configuration() {
    let names = [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ];
    std::thread::scope(|scope| {
        for name in names {
            for value in ["garbage", "http://", "//x", "x\u{1}y", "größe"] {
                scope.spawn(move || lives(&[(name, value)]));
            }
        }
    });
}

#[test]
fn profile_files_are_used_or_said_to_be_wrong() {
    let good = [
        "[default]\nendpoint_url =\nuse_fips_endpoint =\nretry_mode = legacy\nmax_attempts = 0\n",
        "[default]\nregion = \nretry_mode =\nmax_attempts = x\nsigv4a_signing_region_set =\n",
        "",
        "[profile other]\nendpoint_url = x\n",
    ];
    let bad = ["garbage", "[default", "[default]\nrole_arn = x\n", "[default]\nkey\n", "\u{1}"];
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let write = |name: String, text: &str| {
        let file = directory.join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    std::thread::scope(|scope| {
        for (text, number) in good.into_iter().zip(0..) {
            let path = write(format!("faults-good-profile-{number}"), text);
            scope.spawn(move || publishes(&[("AWS_CONFIG_FILE", &path)]));
        }
        for (text, number) in bad.into_iter().zip(0..) {
            let path = write(format!("faults-bad-profile-{number}"), text);
            for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
                let path = path.clone();
                scope.spawn(move || lives(&[(name, &path)]));
            }
        }
    });
}

#[test]
fn value_that_no_header_can_carry_is_ignored_with_a_warning() {
    let endless = "x".repeat(100_000);
    for value in ["größe", "x\u{1}y", "a\nb", &endless] {
        let (began, log) = begin(&[("AWS_EXECUTION_ENV", value)]);
        assert!(matches!(began, Began::Published), "{}", log.text);
        let warning = log.expect("configuration: leave AWS_EXECUTION_ENV out");
        assert_eq!(warning["level"], "WARN");
        let what = warning["what"].as_str().unwrap();
        assert!(what.starts_with("AWS_EXECUTION_ENV=\""), "{what}");
        assert!(
            what.ends_with(" is ignored: expected at most 256 printable ASCII characters"),
            "{what}"
        );
    }
}
