//! What a check says of where the values come from.

use super::*;

fn sources(said: &Said) -> Vec<Value> {
    said.json()["sources"].as_array().unwrap().clone()
}

#[test]
fn each_metric_has_its_source_and_what_a_better_one_lacks() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let more = [("METRICS", "CPUUtilization,MemoryUtilization,StorageReadBytes,RestartCount")];
    let said = check(&metadata.uri(), &cloudwatch.url(), &[], &more);
    assert_eq!(said.code, 0, "{}", said.text);
    let lacks = "; the kernel (every 1s) cannot be read: its processes are not visible, because \
                 there is no shared PID namespace (set pidMode to task in the task definition)\n";
    said.expect(&[
        "Sources: ok\n",
        "CPUUtilization     web  the endpoint, every ",
        lacks,
        "MemoryUtilization  web  the endpoint, every ",
        lacks,
        "StorageReadBytes   web  the endpoint, every ",
        "RestartCount       web  the task document, every 30 s\n",
    ]);
    said.expect_within(Duration::from_secs(20));
}

#[test]
fn with_source_endpoint_the_kernel_is_not_asked() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let (uri, url) = (metadata.uri(), cloudwatch.url());
    let said = check(&uri, &url, &["--json"], &[("SOURCE", "endpoint")]);
    for source in sources(&said) {
        assert_eq!(source["source"], "endpoint");
        assert_eq!(source["note"], "SOURCE=endpoint, so ESP does not read the kernel");
        // A second; less or more if a busy machine made one of the samples late.
        assert!((1..10_000).contains(&source["cadence_ms"].as_u64().unwrap()), "{source}");
    }
    assert_eq!(sources(&said).len(), 2);
}

#[test]
fn with_source_kernel_a_container_that_is_not_seen_is_a_warning() {
    let (metadata, cloudwatch) = (ec2(), CloudWatch::start());
    let said = check(&metadata.uri(), &cloudwatch.url(), &[], &[("SOURCE", "kernel")]);
    assert_eq!(said.code, 0, "{}", said.text);
    said.expect(&["warning  SOURCE=kernel, but the kernel's counters of web cannot be read: its"]);
}

#[test]
fn on_fargate_the_sum_and_the_network_have_sources_of_their_own() {
    let agent = agent(Shape::Fargate, Cadence::STREAMING, |task| {
        task.limits.cpu = Some(0.5);
    });
    let (metadata, cloudwatch) = (with_all_stats(agent), CloudWatch::start());
    let more = [("METRICS", "TaskCPUUtilization,NetworkRxBytes"), ("SERVICE_NAME", "web")];
    let said = check(&metadata.uri(), &cloudwatch.url(), &["--json"], &more);
    let all = sources(&said);
    let of = |metric: &str| all.iter().find(|it| it["metric"] == metric).unwrap();
    let note = of("TaskCPUUtilization")["note"].as_str().unwrap();
    assert!(note.starts_with("an estimate from /proc/stat (every 1s) follows once"), "{note}");
    assert!(note.ends_with("0 of 3 comparisons agreed so far"), "{note}");
    let note = of("NetworkRxBytes")["note"].as_str().unwrap();
    assert!(note.starts_with("/proc/net/dev (every 1s) is not used: no network int"), "{note}");
}
