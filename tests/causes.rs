//! Why there are no credentials, or no request can be made: each cause with what the
//! source said, its own advice and its exit code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod program;

use std::{net::TcpListener, time::Duration};

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::CloudWatch,
    containers::Shape,
    http::{Response, Server, Settings},
    metadata::MetadataEndpoint,
};

use program::{Esp, agent};

/// What `esp check --publish` says, and its exit code.
fn check(variables: &[(&str, &str)]) -> (i32, String) {
    let agent = agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {});
    let (metadata, cloudwatch) = (MetadataEndpoint::start(agent), CloudWatch::start());
    let mut command = Esp::between(&metadata, &cloudwatch.url(), variables);
    let output = command.args(["check", "--publish"]).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

fn server(status: u16, content_type: &'static str, body: &'static str) -> Server {
    let settings = Settings { port: 0, idle: Duration::from_secs(5) };
    Server::start(settings, move |_| Response::new(status, content_type, body)).unwrap()
}

const NO_KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];

#[test]
fn container_credentials_endpoint_each_answer_has_its_advice_and_exit_code() {
    let not_found = r#"{"code":"InvalidIdInRequest","message":"Credentials not found"}"#;
    for (status, body, exit_code, said, advice) in [
        (400, not_found, 77, "Credentials not found", "ecs-tasks.amazonaws.com"),
        (404, "404 page not found", 77, "404 page not found", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        (403, "Forbidden", 77, "Forbidden", "ecs-tasks.amazonaws.com"),
        (429, "Too Many Requests", 75, "Too Many Requests", "limits requests"),
        (500, "oh no", 75, "oh no", "see the log of the source"),
        (503, "", 75, "nothing", "see the log of the source"),
        (200, "", 75, "nothing", "points to a source of credentials"),
        (200, "<html>", 75, "6 bytes", "points to a source of credentials"),
    ] {
        let server = server(status, "application/json", body);
        let uri = format!("http://{}/credentials", server.address());
        let variable = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str());
        let (code, text) = check(&[&NO_KEYS[..], &[variable]].concat());
        assert_eq!(code, exit_code, "{status} {body}: {text}");
        let line = format!("{uri} answered {status}: ");
        assert!(text.contains(&line) && text.contains(said), "{status} {body}: {text}");
        assert!(text.contains(advice), "{status} {body}: {text}");
        assert!(!text.contains("taskRoleArn"), "{status} {body}: {text}");
    }
}

#[test]
fn container_credentials_endpoint_that_is_not_there_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("http://127.0.0.1:{port}/credentials");
    let variable = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str());
    let (code, text) = check(&[&NO_KEYS[..], &[variable]].concat());
    assert_eq!(code, 75, "{text}");
    assert!(text.contains(&format!("{uri}: ")), "{text}");
    assert!(text.contains("check the address"), "{text}");
    assert!(!text.contains("taskRoleArn"), "{text}");
}

#[test]
fn assume_role_refused_is_exit_77_with_what_sts_said() {
    let refusal = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
                   <Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:sts::111122223333:\
                   assumed-role/task/x is not authorized to perform: sts:AssumeRole on resource: \
                   arn:aws:iam::111122223333:role/publisher</Message></Error>\
                   <RequestId>1</RequestId></ErrorResponse>";
    let sts = server(403, "text/xml", refusal);
    let file = std::env::temp_dir().join(format!("esp-causes-{}", std::process::id()));
    let profile = "[default]\nrole_arn = arn:aws:iam::111122223333:role/publisher\n\
                   credential_source = Environment\n";
    std::fs::write(&file, profile).unwrap();
    let url = format!("http://{}", sts.address());
    let (code, text) = check(&[
        ("AWS_CONFIG_FILE", file.to_str().unwrap()),
        ("AWS_PROFILE", "default"),
        ("AWS_ENDPOINT_URL_STS", &url),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
    ]);
    // The environment has no key, so nothing asks STS.
    assert!(!text.contains("not authorized"), "{text}");
    assert_ne!(code, 0, "{text}");

    let with_source = "[default]\nrole_arn = arn:aws:iam::111122223333:role/publisher\n\
                       source_profile = base\n[profile base]\n\
                       aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret-example\n";
    std::fs::write(&file, with_source).unwrap();
    let (code, text) = check(
        &[
            &NO_KEYS[..],
            &[
                ("AWS_CONFIG_FILE", file.to_str().unwrap()),
                ("AWS_PROFILE", "default"),
                ("AWS_ENDPOINT_URL_STS", &url),
            ],
        ]
        .concat(),
    );
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code, 77, "{text}");
    assert!(text.contains("is not authorized to perform: sts:AssumeRole"), "{text}");
    assert!(text.contains("trust policy"), "{text}");
    assert!(!text.contains("taskRoleArn"), "{text}");
}

#[test]
fn endpoint_that_cannot_be_used_is_not_blamed_on_the_role() {
    let (code, text) = check(&[("AWS_USE_FIPS_ENDPOINT", "true")]);
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("AWS_USE_FIPS_ENDPOINT"), "{text}");
    assert!(!text.contains("taskRoleArn"), "{text}");
}
