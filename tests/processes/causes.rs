//! Why there are no credentials, or no request can be made: each cause with what the
//! source said, its own advice and its exit code.

use std::{net::TcpListener, path::PathBuf, time::Duration};

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::CloudWatch,
    containers::Shape,
    http::{Response, Server, Settings},
    metadata::MetadataEndpoint,
    sts::Sts,
};

use crate::program::{Esp, agent};

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

const NOT_ISSUED: &str = "check that the task role exists and that its trust policy allows \
    ecs-tasks.amazonaws.com, then start a new task; if AWS_CONTAINER_CREDENTIALS_FULL_URI is set by \
    hand, check it and its token";
const THROTTLED: &str =
    "the source limits requests; try again, and check what else in the task sends it many requests";
const SERVER_ERROR: &str = "try again; if the error remains, see the log of the source, such as \
                            the ECS agent's";
const UNUSABLE: &str = "check that AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_ENDPOINT_URL_STS, if one is \
    set, points to a source of credentials";
const UNREACHABLE: &str = "check the address, and the variable that names it: \
                           AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_ENDPOINT_URL or \
                           AWS_ENDPOINT_URL_STS; to assume a role, ESP must reach STS in the \
                           Region";
const ROLE_REFUSED: &str = "allow sts:AssumeRole in the trust policy of the assumed role, and in \
                            the policy of the role that assumes it";
const KEY_EXPIRED: &str = "renew the key or the token with which ESP requests the role: that of \
                           source_profile or of credential_source in the profile, or the file in \
                           AWS_WEB_IDENTITY_TOKEN_FILE";
const KEY_REFUSED: &str = "correct the key or the token with which ESP requests the role: that of \
                           source_profile or of credential_source in the profile, or the file in \
                           AWS_WEB_IDENTITY_TOKEN_FILE; also check the host's clock";
const ROLE_INVALID: &str = "correct role_arn and role_session_name in the profile, or AWS_ROLE_ARN \
                            and AWS_ROLE_SESSION_NAME, as the error says";
const OTHER: &str = "correct what the error names";
const MISCONFIGURED: &str = "correct the AWS variables and files that the error names, or remove \
                             them, so that ESP uses the task role";

/// What failed begins so, and this is all the advice there is about it.
#[track_caller]
fn assert_told(text: &str, failed: &str, advice: &str) {
    let part = text.split_once("\nCredentials: FAILED\n").expect(text).1;
    let (part, _) = part.split_once("\n\n").expect(text);
    let lines: Vec<_> = part.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with(&format!("  failed   {failed}")), "{text}");
    assert_eq!(lines[1], format!("  do       {advice}"), "{text}");
}

const NO_KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];

#[test]
fn container_credentials_endpoint_each_answer_has_its_advice_and_exit_code() {
    let not_found = r#"{"code":"InvalidIdInRequest","message":"Credentials not found"}"#;
    let bytes = "6 bytes that are no credentials";
    for (status, body, exit_code, said, advice) in [
        (400, not_found, 77, not_found, NOT_ISSUED),
        (404, "404 page not found", 77, "404 page not found", NOT_ISSUED),
        (403, "Forbidden", 77, "Forbidden", NOT_ISSUED),
        (429, "Too Many Requests", 75, "Too Many Requests", THROTTLED),
        (500, "oh no", 75, "oh no", SERVER_ERROR),
        (503, "", 75, "nothing", SERVER_ERROR),
        (200, "", 75, "nothing", UNUSABLE),
        (200, "<html>", 75, bytes, UNUSABLE),
        (302, "<html>", 75, "<html>", UNUSABLE),
    ] {
        let server = server(status, "application/json", body);
        let uri = format!("http://{}/credentials", server.address());
        let variable = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str());
        let (code, text) = check(&[&NO_KEYS[..], &[variable]].concat());
        assert_eq!(code, exit_code, "{status} {body}: {text}");
        assert_told(&text, &format!("{uri} answered {status}: {said}"), advice);
    }
}

#[test]
fn container_credentials_endpoint_that_is_not_there_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("http://127.0.0.1:{port}/credentials");
    let variable = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str());
    let (code, text) = check(&[&NO_KEYS[..], &[variable]].concat());
    assert_eq!(code, 75, "{text}");
    assert_told(&text, &format!("{uri}: "), UNREACHABLE);
}

#[test]
fn container_credentials_host_that_cannot_be_looked_up_is_no_wrong_configuration() {
    let variable = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://creds.invalid/x");
    let (code, text) = check(&[&NO_KEYS[..], &[variable]].concat());
    assert_eq!(code, 75, "{text}");
    let failed = "cannot look up the host in AWS_CONTAINER_CREDENTIALS_FULL_URI: ";
    assert_told(&text, failed, UNREACHABLE);
}

#[test]
fn container_credentials_endpoint_that_is_silent_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/credentials", listener.local_addr().unwrap());
    let variable = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str());
    let (code, text) = check(&[&NO_KEYS[..], &[variable]].concat());
    assert_eq!(code, 75, "{text}");
    assert!(
        text.contains(
            "\n  do       try again; if the error remains, check that ESP can reach the \
                       source\n"
        ),
        "{text}"
    );
}

/// A file with this text, for as long as the tests run.
fn file(name: &str, text: &str) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("causes-{name}"));
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

const ROLE: &str = "arn:aws:iam::111122223333:role/publisher";

#[test]
fn role_without_a_key_to_ask_for_it_is_a_wrong_configuration() {
    let sts = Sts::start("ASIAOFROLE");
    let profile = format!("[default]\nrole_arn = {ROLE}\ncredential_source = Nowhere\n");
    let (code, text) = check(
        &[
            &NO_KEYS[..],
            &[("AWS_CONFIG_FILE", &file("source", &profile)), ("AWS_ENDPOINT_URL_STS", &sts.url())],
        ]
        .concat(),
    );
    assert_eq!(code, 64, "{text}");
    let said = "failed   credential_source=\"Nowhere\" in the profile default is not valid: expected \
                Environment, EcsContainer or Ec2InstanceMetadata\n";
    assert!(text.contains(said), "{text}");
    // What this program cannot do is known when it is asked.
    let profile = file("process", "[default]\ncredential_process = /x\n");
    let (code, text) = check(&[&NO_KEYS[..], &[("AWS_CONFIG_FILE", &profile)]].concat());
    assert_eq!(code, 64, "{text}");
    let said = "the credentials provider was not properly configured: ProfileFile provider could not \
                be built: ";
    assert_told(&text, said, MISCONFIGURED);
    assert_eq!(sts.asked(), []);
}

#[test]
fn each_answer_of_sts_has_its_advice_and_exit_code() {
    let profile = format!(
        "[default]\nrole_arn = {ROLE}\nsource_profile = base\n[profile base]\n\
         aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret-example\n"
    );
    let path = file("role", &profile);
    let not_authorized = "User: arn:aws:sts::111122223333:assumed-role/task/x is not authorized to \
                          perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/publisher";
    for (status, code, message, exit_code, advice) in [
        (403, "AccessDenied", not_authorized, 77, ROLE_REFUSED),
        (400, "AccessDeniedException", "no", 77, ROLE_REFUSED),
        (403, "ExpiredToken", "The security token is expired", 75, KEY_EXPIRED),
        (400, "ExpiredTokenException", "Token expired", 75, KEY_EXPIRED),
        (403, "InvalidClientTokenId", "The security token is invalid", 77, KEY_REFUSED),
        (403, "SignatureDoesNotMatch", "does not match", 77, KEY_REFUSED),
        (400, "InvalidIdentityToken", "No OpenIDConnect provider", 77, KEY_REFUSED),
        (400, "ValidationError", "Invalid length for parameter RoleArn", 64, ROLE_INVALID),
        (400, "MalformedPolicyDocument", "no", 64, ROLE_INVALID),
        (403, "RegionDisabledException", "STS is not activated in this region", 64, ROLE_INVALID),
        (400, "Throttling", "Rate exceeded", 75, THROTTLED),
        (429, "TooManyRequestsException", "Rate exceeded", 75, THROTTLED),
        (400, "SomethingNew", "as yet unknown", 75, OTHER),
        (503, "ServiceUnavailable", "down", 75, SERVER_ERROR),
    ] {
        let sts = Sts::start("ASIAOFROLE");
        sts.refuse(status, code, message);
        let url = sts.url();
        let more = [("AWS_CONFIG_FILE", path.as_str()), ("AWS_ENDPOINT_URL_STS", &url)];
        let (exit, text) = check(&[&NO_KEYS[..], &more].concat());
        assert_eq!(exit, exit_code, "{code}: {text}");
        assert_told(&text, &format!("{url}/ answered {status}: {code}: {message}"), advice);
    }
    // No STS at all.
    for (status, body) in [(404, "404 page not found"), (403, "<html>Sign in</html>")] {
        let server = server(status, "text/html", body);
        let url = format!("http://{}", server.address());
        let more = [("AWS_CONFIG_FILE", path.as_str()), ("AWS_ENDPOINT_URL_STS", &url)];
        let (exit, text) = check(&[&NO_KEYS[..], &more].concat());
        assert_eq!(exit, 75, "{body}: {text}");
        assert_told(&text, &format!("{url}/ answered {status}: {body}"), UNUSABLE);
    }
}

#[test]
fn file_that_a_source_cannot_read_is_named() {
    let server = server(200, "application/json", "{}");
    let uri = format!("http://{}/credentials", server.address());
    for variables in [
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"), ("AWS_ROLE_ARN", ROLE)],
        [
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/token"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ],
    ] {
        let (code, text) = check(&[&NO_KEYS[..], &variables].concat());
        assert_eq!(code, 64, "{text}");
        let warning = format!(
            "warning  the file in {}=\"/nowhere/token\" cannot be read: No such",
            variables[0].0
        );
        assert!(text.contains(&warning), "{text}");
        let said =
            "a file that a source of credentials needs cannot be read: No such file or directory";
        assert_told(&text, said, MISCONFIGURED);
        assert!(text.contains(variables[0].0), "{text}");
    }
}

#[test]
fn endpoint_that_cannot_be_used_is_not_blamed_on_the_role() {
    let (code, text) = check(&[("AWS_USE_FIPS_ENDPOINT", "true")]);
    assert_eq!(code, 64, "{text}");
    assert!(
        text.contains(
            "\n  failed   AWS_USE_FIPS_ENDPOINT=\"true\" is not valid: expected false, because \
             AWS_ENDPOINT_URL is set: put the FIPS or dual-stack address there, or remove \
             AWS_ENDPOINT_URL\n  do       correct it; esp --help has every variable with an example\n"
        ),
        "{text}"
    );
}
