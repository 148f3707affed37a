//! `esp check --source`: what it shows and what it does not, and how it ends.

use super::*;

/// Whose ids and names are not to be shown.
fn expect_nothing_private(said: &Said, metadata: &MetadataEndpoint) {
    let uri = metadata.uri();
    let id = uri.rsplit('/').next().unwrap();
    for private in [&id[..12], "111122223333", "web-service", "Shop", "AKIDEXAMPLE", "127.0.0.1"] {
        assert!(!said.text.contains(private), "{private:?} is in\n{}", said.text);
    }
}

#[test]
fn everything_is_there_for_an_issue_and_nothing_private() {
    let agent = agent(Shape::Fargate, Cadence::STREAMING, |task| {
        task.limits.cpu = Some(0.5);
    });
    let metadata = with_all_stats(agent);
    let said = check(&metadata.uri(), NOBODY, &["--source"], &[]);
    assert_eq!(said.code, 0, "{}", said.text);
    said.expect(&[
        "Endpoint: ok\n",
        "address           not shown\n",
        "Machine: ok\n",
        "launch type       FARGATE\n",
        "CPU limit         0.5 vCPU\n",
        "kernel            ",
        "cgroup version    ",
        "own cgroup        /",
        " in /proc/stat, ",
        "up                ",
        "processes         ",
        "interface         lo: has neither",
        "waiting for two new samples",
        "Source: ok\n",
        "container 1       not measured, RUNNING, id ",
        "container 2       measured, RUNNING, id ",
        "  cgroup file     none of its processes is visible\n",
        "  processes       0 followed; its processes are not visible, because there is no shared \
         PID namespace",
        "/proc/stat        over ",
        "/proc/stat        over ",
        "exact             no: container 2: none of its processes is visible\n",
        "processes         no: container 2: ",
        "network           no: no network interface here has",
        "task estimate     can be read: the platform used ",
        "Ready: exit code 0\n",
    ]);
    expect_nothing_private(&said, &metadata);
    said.expect_within(Duration::from_secs(20));
}

#[test]
fn json_is_the_same_as_a_document() {
    let metadata = ec2();
    let said = check(&metadata.uri(), NOBODY, &["--source", "--json"], &[]);
    assert_eq!(said.code, 0, "{}", said.text);
    let probe = &said.json()["probe"];
    assert_eq!(probe["comparison"].as_array().unwrap().len(), 2);
    let tiers: Vec<_> =
        probe["verdicts"].as_array().unwrap().iter().map(|it| &it["tier"]).collect();
    assert_eq!(tiers, ["exact", "processes", "network", "task estimate"]);
    // Of the containers together: half a CPU, and a hundredth.
    let used = probe["comparison"][0]["containers_cpus"].as_f64().unwrap();
    assert!((used - 0.51).abs() < 0.02, "{probe}");
    expect_nothing_private(&said, &metadata);
}

#[test]
fn what_else_is_wrong_is_not_shown_since_it_names_containers() {
    let metadata = ec2();
    for arguments in [&["--source"][..], &["--source", "--json"]] {
        let more = [("CONTAINER_NAME", "project-x")];
        let said = check(&metadata.uri(), NOBODY, arguments, &more);
        assert_eq!(said.code, 0, "{}", said.text);
        assert!(!said.text.contains("project-x"), "{}", said.text);
        assert!(!said.text.contains("web"), "{}", said.text);
        said.expect(&["no measured container runs"]);
    }
}

#[test]
fn source_endpoint_forbids_it_with_64() {
    let metadata = ec2();
    let said = check(&metadata.uri(), NOBODY, &["--source"], &[("SOURCE", "endpoint")]);
    assert_eq!(said.code, 64, "{}", said.text);
    said.expect(&["SOURCE=endpoint, so ESP must not read the kernel\n", "do       set SOURCE"]);
    assert!(!said.text.contains("Machine"), "{}", said.text);
}

#[test]
fn without_an_endpoint_it_is_69_and_without_stats_75() {
    let metadata = ec2();
    let body = br#""unable to get task ARN from v4 id 5e1f0c9a7b3d4c2e8a6b1d0f9e8c7b6a""#;
    metadata.always(Some(MetadataFault::Status(500, body.to_vec())));
    let said = check(&metadata.uri(), NOBODY, &["--source"], &[]);
    assert_eq!(said.code, 69, "{}", said.text);
    said.expect(&["from v4 id 5e1f0c…"]);
    expect_nothing_private(&said, &metadata);
    let metadata = ec2();
    metadata.set_stats("{}");
    let said = check(&metadata.uri(), NOBODY, &["--source"], &[]);
    assert_eq!(said.code, 75, "{}", said.text);
    said.expect(&["Machine: ok\n", "/proc/stat        not compared: too few samples\n"]);
    said.expect(&["failed   no container had two new samples within 2"]);
    said.expect_within(Duration::from_secs(40));
}
