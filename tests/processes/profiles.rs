//! The built program with profiles in AWS's shared files: which addresses they name,
//! what of them is a wrong configuration, and roles that are assumed at a stand-in for
//! STS, by the real SDK over a real socket.

use std::{
    fs,
    io::Read as _,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::{Authorization, CloudWatch},
    containers::Shape,
    credentials::CredentialsEndpoint,
    metadata::MetadataEndpoint,
    sts::Sts,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::program::{Esp, SOON, agent};

const ROLE: &str = "arn:aws:iam::111122223333:role/publisher";
const NOBODY: &str = "http://127.0.0.1:9";

fn metadata() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

/// A file with this text.
fn file(name: &str, text: &str) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("profiles-{name}"));
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// What `esp check --publish` says with these variables and no others for AWS, and its
/// exit code.
fn check(variables: &[(&str, &str)]) -> (i32, String) {
    let metadata = metadata();
    let mut command = Esp::between(&metadata, "", variables);
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        if !variables.iter().any(|(given, _)| *given == name) {
            command.env_remove(name);
        }
    }
    let output = command.args(["check", "--publish"]).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().expect(&text), text)
}

/// A profile that assumes a role with the key of another.
fn role_profile(more: &str) -> String {
    format!(
        "[default]\nrole_arn = {ROLE}\nsource_profile = base\n{more}\n[profile base]\n\
         aws_access_key_id = AKIDBASE\naws_secret_access_key = secret-base\n"
    )
}

/// The keys that requests were signed with.
fn keys(cloudwatch: &CloudWatch) -> Vec<String> {
    let requests = cloudwatch.requests();
    let key = |authorization: &Authorization| match authorization {
        Authorization::WellFormed { access_key, .. } => access_key.clone(),
        other => panic!("{other:?}"),
    };
    requests.iter().map(|request| key(&request.authorization)).collect()
}

#[test]
fn role_of_a_profile_is_assumed_and_its_key_signs() {
    let (cloudwatch, sts) = (CloudWatch::start(), Sts::start("ASIAOFROLE"));
    let path = file("role", &role_profile("role_session_name = esp-test"));
    let (code, text) = check(&[
        ("AWS_CONFIG_FILE", &path),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch.url()),
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
    ]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(keys(&cloudwatch), ["ASIAOFROLE"]);
    let asked = sts.asked();
    assert_eq!((asked[0].action.as_str(), asked[0].key_id.as_str()), ("AssumeRole", "AKIDBASE"));
    assert!(asked[0].form.contains("RoleSessionName=esp-test"), "{asked:?}");
}

#[test]
fn web_identity_is_exchanged_and_its_key_signs() {
    let (cloudwatch, sts) = (CloudWatch::start(), Sts::start("ASIAOFWEB"));
    let token = file("token", "header.payload.signature");
    let (code, text) = check(&[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch.url()),
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
    ]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(keys(&cloudwatch), ["ASIAOFWEB"]);
    assert_eq!(sts.asked()[0].action, "AssumeRoleWithWebIdentity");
    assert!(sts.asked()[0].form.contains("header.payload.signature"));
}

#[test]
fn empty_address_beside_a_role_counts_as_not_set() {
    for more in ["endpoint_url =", "endpoint_url = # none", "ENDPOINT_URL=", "endpoint_url =\t"] {
        let (cloudwatch, sts) = (CloudWatch::start(), Sts::start("ASIAOFROLE"));
        let path = file("empty", &role_profile(more));
        // The profile's empty address leads nowhere; these two are for all services.
        for name in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
            let (code, text) = check(&[
                ("AWS_CONFIG_FILE", &path),
                ("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch.url()),
                (name, &sts.url()),
            ]);
            assert_eq!(code, 0, "{more}: {text}");
        }
        // Without another address it is STS's own, which is out of reach here: it is asked,
        // and nothing dies.
        let (code, text) = check(&[
            ("AWS_CONFIG_FILE", &path),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch.url()),
            ("HTTPS_PROXY", NOBODY),
        ]);
        assert_eq!(code, 75, "{more}: {text}");
        assert!(text.contains("https://sts.us-west-2.amazonaws.com"), "{more}: {text}");
    }
    // An identity in the profile makes its client at another place of the SDK.
    let token = file("empty-token", "header.payload.signature");
    let web = format!("role_arn = {ROLE}\nweb_identity_token_file = {token}\nendpoint_url =\n");
    let (code, text) = check(&[
        ("AWS_CONFIG_FILE", &file("empty-web", &format!("[default]\n{web}"))),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", NOBODY),
        ("HTTPS_PROXY", NOBODY),
    ]);
    assert_eq!(code, 75, "{text}");
}

#[test]
fn sections_of_services_name_their_addresses() {
    let (cloudwatch, sts) = (CloudWatch::start(), Sts::start("ASIAOFROLE"));
    let services = format!(
        "services = own\n[services own]\ncloudwatch =\n  endpoint_url = {}\nsts =\n  endpoint_url = {}\n",
        cloudwatch.url(),
        sts.url()
    );
    let (code, text) = check(&[("AWS_CONFIG_FILE", &file("services", &role_profile(&services)))]);
    assert_eq!(code, 0, "{text}");
    assert_eq!((keys(&cloudwatch).len(), !sts.asked().is_empty()), (1, true));
    // An empty one leaves it to the profile.
    let services = format!(
        "endpoint_url = {}\nservices = own\n[services own]\ncloudwatch =\n  endpoint_url = {}\nsts =\n  \
         endpoint_url =\n",
        sts.url(),
        cloudwatch.url(),
    );
    let path = file("services-empty", &role_profile(&services));
    let (code, text) = check(&[("AWS_CONFIG_FILE", &path)]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn wrong_value_of_a_profile_is_a_wrong_configuration_of_check_and_of_the_sidecar() {
    let long = "x".repeat(70);
    for (text, said) in [
        ("[default]\nendpoint_url = monitoring.internal\n", "endpoint_url=\"monitoring.internal\""),
        ("[default]\nendpoint_url = https://a:99999\n", "endpoint_url=\"https://a:99999\""),
        ("[default]\nuse_fips_endpoint = 1\n", "use_fips_endpoint=\"1\""),
        (
            "[default]\nec2_metadata_service_endpoint = 169.254.169.254\n",
            "ec2_metadata_service_endpoint=\"169.254.169.254\" in the profile default",
        ),
        ("[default]\nuse_dualstack_endpoint = on\n", "use_dualstack_endpoint=\"on\""),
        (
            "[default]\nignore_configured_endpoint_urls = x\n",
            "ignore_configured_endpoint_urls=\"x\"",
        ),
        (
            "[default]\nservices = s\n[services s]\nsts =\n  endpoint_url = x\n",
            "endpoint_url=\"x\" of sts in the services of the profile default",
        ),
        (
            "[default]\nservices = s\n[services s]\ncloudwatch =\n  endpoint_url = ftp://x\n",
            "endpoint_url=\"ftp://x\" of cloudwatch in the services of the profile default",
        ),
        (
            "[default]\nendpoint_url = https://user:hunter2@x\n",
            "endpoint_url=\"https://[redacted]@x\" in the profile default",
        ),
        (
            "[default]\naws_access_key_id = AKID\naws_secret_access_key = s\naws_session_token = tökén",
            "aws_session_token=\"[redacted]\" in the profile default",
        ),
        (
            "[default]\nrole_arn = x\nsource_profile = base\n[profile base]\naws_access_key_id = A KID\n\
             aws_secret_access_key = s\n",
            "aws_access_key_id=\"[redacted]\" in the profile base",
        ),
        (
            "[default]\nuse_fips_endpoint = true\nendpoint_url = https://aws.internal\n",
            "use_fips_endpoint=\"true\" in the profile default is not valid: expected false, \
             because endpoint_url in the profile default",
        ),
        (&format!("[default]\nendpoint_url = {long}\n"), "endpoint_url=\"xxx"),
    ] {
        let path = file("wrong", text);
        let key = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let (code, told) = check(&[&key[..], &[("AWS_CONFIG_FILE", path.as_str())]].concat());
        assert_eq!(code, 64, "{text}: {told}");
        assert!(told.contains(said) && told.contains(" is not valid: expected "), "{text}: {told}");
        assert!(!told.contains("hunter2") && !told.contains("tökén"), "{told}");

        let metadata = metadata();
        let more = [("AWS_CONFIG_FILE", path.as_str()), ("AWS_ENDPOINT_URL", "")];
        let mut command = Esp::between(&metadata, "", &more);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > SOON {
                child.kill().unwrap();
                panic!("{text}: it runs on");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(status.code(), Some(64), "{text}: {told}");
        assert!(told.starts_with("esp: ") && told.contains(said), "{text}: {told}");
    }
}

#[test]
fn fips_or_dual_stack_of_a_profile_and_an_address_of_ones_own_exclude_each_other() {
    let key = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    for switch in ["use_fips_endpoint", "use_dualstack_endpoint"] {
        let path = file("switches", &format!("[default]\n{switch} = true\n"));
        let profile = ("AWS_CONFIG_FILE", path.as_str());
        let url = ("AWS_ENDPOINT_URL", "https://aws.internal");
        let (code, text) = check(&[&key[..], &[profile, url]].concat());
        assert_eq!(code, 64, "{text}");
        let said = format!(
            "{switch}=\"true\" in the profile default is not valid: expected false, because \
             AWS_ENDPOINT_URL"
        );
        assert!(text.contains(&said), "{text}");
        // The environment's word counts before the profile's.
        let cloudwatch = CloudWatch::start();
        let off = if switch.contains("fips") {
            ("AWS_USE_FIPS_ENDPOINT", "false")
        } else {
            ("AWS_USE_DUALSTACK_ENDPOINT", "false")
        };
        let url = cloudwatch.url();
        let (code, text) = check(&[&key[..], &[profile, off, ("AWS_ENDPOINT_URL", &url)]].concat());
        assert_eq!(code, 0, "{text}");
    }
    // A role asks STS, whose address is one's own as well.
    let path = file("switches-role", &role_profile("use_fips_endpoint = true"));
    let (code, text) =
        check(&[("AWS_CONFIG_FILE", &path), ("AWS_ENDPOINT_URL_STS", "https://sts.internal")]);
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("AWS_ENDPOINT_URL_STS"), "{text}");
    let token = file("switches-token", "header.payload.signature");
    let (code, text) = check(&[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_ENDPOINT_URL_STS", "https://sts.internal"),
    ]);
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("AWS_ENDPOINT_URL_STS"), "{text}");
}

#[test]
fn addresses_that_are_to_be_ignored_are_ignored_for_sts_too() {
    let sts = Sts::start("ASIAOFROLE");
    let path = file("ignored", &role_profile(""));
    let own = format!("{}\nendpoint_url = {}", "ignore_configured_endpoint_urls = true", sts.url());
    let own = file("ignored-own", &role_profile(&own));
    for variables in [
        [("AWS_CONFIG_FILE", path.as_str()), ("AWS_ENDPOINT_URL_STS", &sts.url())],
        [("AWS_CONFIG_FILE", path.as_str()), ("AWS_ENDPOINT_URL", &sts.url())],
        [("AWS_CONFIG_FILE", own.as_str()), ("AWS_EXECUTION_ENV", "x")],
    ] {
        let ignoring = [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE"), ("HTTPS_PROXY", NOBODY)];
        let (code, text) = check(&[&variables[..], &ignoring].concat());
        assert_eq!(code, 75, "{text}");
        assert!(text.contains("https://sts.us-west-2.amazonaws.com"), "{text}");
        if variables[1].0.starts_with("AWS_ENDPOINT_URL") {
            let said = format!("{}=\"{}\" has no effect", variables[1].0, sts.url());
            assert!(text.contains(&said), "{text}");
        }
    }
    let (code, text) = check(&[("AWS_CONFIG_FILE", &own), ("HTTPS_PROXY", NOBODY)]);
    assert_eq!(code, 75, "{text}");
    assert_eq!(sts.asked(), []);
    // Which of the two is meant, nobody can tell.
    let (code, text) = check(&[("AWS_CONFIG_FILE", &own), ("AWS_ENDPOINT_URL_STS", &sts.url())]);
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("ignore_configured_endpoint_urls=\"true\""), "{text}");
}

#[test]
fn address_of_sts_is_checked_as_that_of_cloudwatch() {
    let key = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    for garbage in ["sts.internal", "https://", "ftp://x", "https://a b", "größe", "https://a?b"]
    {
        let (code, text) = check(&[&key[..], &[("AWS_ENDPOINT_URL_STS", garbage)]].concat());
        assert_eq!(code, 64, "{garbage}: {text}");
        let said = format!("AWS_ENDPOINT_URL_STS={garbage:?} is not valid: expected http://HOST");
        assert!(text.contains(&said), "{garbage}: {text}");
    }
    // Empty is not set: the role is asked for at the address of all services.
    let (cloudwatch, sts) = (CloudWatch::start(), Sts::start("ASIAOFROLE"));
    let (code, text) = check(&[
        ("AWS_CONFIG_FILE", &file("empty-sts", &role_profile(""))),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch.url()),
        ("AWS_ENDPOINT_URL", &sts.url()),
        ("AWS_ENDPOINT_URL_STS", ""),
    ]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(keys(&cloudwatch), ["ASIAOFROLE"]);
}

#[test]
fn keys_that_no_request_can_carry_are_refused_before_the_sdk_signs_with_them() {
    let (cloudwatch, sts) = (CloudWatch::start(), Sts::start("ASIAOFROLE"));
    // What STS says first signs the request for the next role.
    let chain = format!(
        "[default]\nrole_arn = {ROLE}\nsource_profile = first\n[profile first]\nrole_arn = {ROLE}\n\
         source_profile = base\n[profile base]\naws_access_key_id = AKIDBASE\n\
         aws_secret_access_key = secret-base\n"
    );
    let chain = file("chain", &chain);
    for token in ["tökén", "t&#233;", "a b", "a&#10;b", "a&#x1;b"] {
        sts.set_token(token);
        let (code, text) = check(&[
            ("AWS_CONFIG_FILE", &chain),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch.url()),
            ("AWS_ENDPOINT_URL_STS", &sts.url()),
        ]);
        assert!(code == 64 || code == 75, "{token}: {code} {text}");
        assert!(!text.contains("panic"), "{text}");
    }
    // And so does what another source says.
    let source = CredentialsEndpoint::start("tökén");
    let named = format!("[default]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n");
    let (code, text) = check(&[
        ("AWS_CONFIG_FILE", &file("named", &named)),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &source.uri()),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", &cloudwatch.url()),
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
    ]);
    assert_eq!(code, 64, "{text}");
    assert_eq!(cloudwatch.requests().len(), 0);
}

#[test]
fn file_that_is_named_and_cannot_be_read_is_said() {
    let cloudwatch = CloudWatch::start();
    let key = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        for path in ["/nowhere/at-all", "/", "/dev/zero"] {
            let more = [(name, path), ("AWS_ENDPOINT_URL", &cloudwatch.url())];
            let (code, text) = check(&[&key[..], &more].concat());
            assert_eq!(code, 0, "{text}");
            assert!(text.contains(&format!("{name}={path:?} is ignored: ")), "{text}");
        }
    }
}

#[test]
fn a_file_without_an_end_is_a_wrong_configuration_at_once() {
    let pipe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("profiles-pipe");
    let _ = fs::remove_file(&pipe);
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let long = file("long", &"x".repeat((1 << 20) + 1));
    let began = Instant::now();
    for variable in
        ["AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    {
        for (path, problem) in [
            (pipe.to_str().unwrap(), "it is not a regular file"),
            ("/dev/zero", "it is not a regular file"),
            ("/proc", "it is not a regular file"),
            (&long, "it is longer than 1 MiB"),
        ] {
            let (code, text) = check(&[(variable, path)]);
            assert_eq!(code, 64, "{variable}={path}: {text}");
            assert!(text.contains(variable) && text.contains(problem), "{variable}={path}: {text}");
        }
    }
    // A file of profiles that is not one is ignored with a warning, as a missing one is.
    let (config, credentials) = (long.as_str(), "/dev/zero");
    let key = ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let secret = ("AWS_SECRET_ACCESS_KEY", "secret-example");
    let files = [("AWS_CONFIG_FILE", config), ("AWS_SHARED_CREDENTIALS_FILE", credentials)];
    let nobody = ("AWS_ENDPOINT_URL", NOBODY);
    let (_, text) = check(&[files[0], files[1], key, secret, nobody]);
    for (variable, path) in files {
        assert!(text.contains(&format!("{variable}={path:?} is ignored")), "{variable}: {text}");
    }
    // A pipe without a writer is an empty file.
    let (code, text) = check(&[("AWS_CONFIG_FILE", pipe.to_str().unwrap()), key, secret, nobody]);
    assert_ne!(code, 64, "{text}");
    assert!(began.elapsed() < 14 * SOON, "{:?}", began.elapsed());
}
