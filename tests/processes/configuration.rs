//! The built program with configurations that cannot work: what it says of them, and
//! that it ends with exit code 64 without asking anybody.

use crate::program::Esp;

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
            "ECS_CONTAINER_METADATA_URI_V4 is not set: run esp in an ECS task",
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
    assert!(String::from_utf8(output.stderr).unwrap().contains("run esp in an ECS task"));
    let output = Esp::command(&[]).arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("SAMPLE_INTERVAL"));
}

/// `esp check --offline` with these variables and nothing else: code and stdout.
fn offline(variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let mut command = Esp::command(variables);
    let output = command.args(["check", "--offline"]).args(arguments).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn offline_check_needs_no_endpoint_and_says_what_goes_where() {
    let (code, text) = offline(&REQUIRED[..2], &[]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "Configuration: ok\n",
        "  namespace         Shop\n",
        "  publishes to      CloudWatch, namespace Shop, Region from the task's ARN\n",
        "  address           the Region's usual one\n",
        "  proxy             none\n",
        "  requests          one every 10s, and more while values change\n",
        "  dimensions        ClusterName (the task's), ServiceName (the task's)\n",
        "  endpoint          not set; ECS sets it in a task\n",
        "Not checked offline: the endpoint, the task, its containers, credentials, CloudWatch.\n",
        "Ready: exit code 0\n",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let more = [
        ("CONTAINER_NAME", "web,log"),
        ("NAMESPACE", "Shop"),
        ("OUTPUT", "cloudwatch,emf"),
        ("DIMENSIONS", "ClusterName,ServiceName;Stage=prod"),
        ("CLUSTER_NAME", "arn:aws:ecs:eu-west-1:111122223333:cluster/shop"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_USE_FIPS_ENDPOINT", "TRUE"),
        ("HTTPS_PROXY", "http://user:hunter2@proxy:3128"),
        // In the image, not on the machine that checks.
        ("AWS_CA_BUNDLE", "/nonexistent.pem"),
        ("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:1/v4/x"),
    ];
    let (code, text) = offline(&more, &[]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "  publishes to      CloudWatch, namespace Shop, Region eu-west-1 (AWS_REGION)\n",
        "  address           AWS_USE_FIPS_ENDPOINT=true\n",
        "@proxy:3128 (HTTPS_PROXY)\n",
        "  certificates      /nonexistent.pem (AWS_CA_BUNDLE); the file is not opened offline\n",
        "  writes            documents of 10s on stdout, namespace Shop\n",
        "  dimensions        ClusterName=shop, ServiceName (the task's)\n",
        "  dimensions        Stage=prod\n",
        "                    and ContainerName, for the metrics of a container\n",
        "  endpoint          http://127.0.0.1:1/v4/x\n",
        "cluster/shop\" is an ARN; ESP uses the name in it, \"shop\"\n",
        "  do       set CLUSTER_NAME to shop\n",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn offline_check_reports_all_errors_and_ends_with_64() {
    let wrong = [
        ("NAMESPACE", "AWS/ECS"),
        ("PUBLISH_INTERVAL", "30m"),
        ("BUFFER", "10m"),
        ("ECS_CONTAINER_METADATA_URI_V4", "https://x"),
    ];
    let (code, text) = offline(&wrong, &[]);
    assert_eq!(code, 64, "{text}");
    let (code, json) = offline(&wrong, &["--json"]);
    assert_eq!(code, 64, "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["exit_code"], &json["reason"]), (&64.into(), &"configuration".into()));
    let problems = json["problems"].as_array().unwrap();
    let begins = [
        "ECS_CONTAINER_METADATA_URI_V4=",
        "CONTAINER_NAME is not set",
        "NAMESPACE=",
        "PUBLISH_INTERVAL=",
    ];
    assert_eq!(problems.len(), begins.len(), "{problems:#?}");
    for (problem, begin) in problems.iter().zip(begins) {
        let what = problem["what"].as_str().unwrap();
        assert!(what.starts_with(begin) && text.contains(what), "{what}");
        assert_eq!((&problem["step"], &problem["fails"]), (&"configuration".into(), &true.into()));
    }
}

#[test]
fn offline_check_gives_json_and_cannot_publish() {
    let (code, json) = offline(&REQUIRED[..2], &["--json", "--region", "eu-west-1"]);
    assert_eq!(code, 0, "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["reason"], "ready");
    let offline = &json["offline"];
    assert_eq!(offline["region"], "eu-west-1 (--region)");
    assert_eq!(offline["endpoint"], serde_json::Value::Null);
    assert_eq!(offline["sets"][0], "ClusterName (the task's), ServiceName (the task's)");
    for arguments in [["check", "--offline", "--publish"], ["check", "--publish", "--offline"]] {
        assert_eq!(
            refused(&[], &arguments),
            ["esp: --publish opens connections and --offline opens none: give only one; see esp \
              --help"]
        );
    }
}
