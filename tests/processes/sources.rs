//! What the log of the start says of where the values come from.

use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, metadata::MetadataEndpoint,
};

use crate::program::{Esp, Log, agent, wait_for_polls};

fn log_of(shape: Shape, more: &[(&str, &str)]) -> Log {
    let metadata = MetadataEndpoint::start(agent(shape, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let esp = Esp::start(&metadata, &cloudwatch, more);
    wait_for_polls(&metadata, 2);
    esp.stop("TERM").1
}

#[test]
fn without_anything_from_the_kernel_the_reason_is_there_for_each() {
    let all = "CPUUtilization,MemoryUtilization,NetworkRxBytes,TaskCPUUtilization";
    let log = log_of(Shape::Fargate, &[("METRICS", all)]);
    assert_eq!(log.expect("esp starts")["source"], "auto");
    let lines: Vec<_> = log
        .at("INFO")
        .filter(|line| line["reason"].is_string() && line["container"].is_string())
        .collect();
    assert_eq!(lines.len(), 2, "one of each container: {}", log.text);
    for line in lines {
        let message = line["message"].as_str().unwrap();
        assert!(message.starts_with("ESP cannot read CPU and memory of this container"));
        assert!(line["reason"].as_str().unwrap().contains("set pidMode to task"), "{line}");
    }
    let network = log.expect("ESP cannot read the task's network");
    assert!(network["reason"].as_str().unwrap().starts_with("no network interface here has"));
    assert_eq!(log.expect("ESP will estimate TaskCPUUtilization")["every"], "1s");
}

#[test]
fn source_kernel_warns_and_source_endpoint_says_nothing_of_the_kernel() {
    let log = log_of(Shape::Ec2CgroupV2, &[("SOURCE", "kernel")]);
    let warning = log.at("WARN").next().expect("a warning");
    assert!(warning["message"].as_str().unwrap().starts_with("SOURCE=kernel, but ESP cannot read"));
    let log = log_of(Shape::Ec2CgroupV2, &[("SOURCE", "endpoint")]);
    assert_eq!(log.expect("esp starts")["source"], "endpoint");
    assert!(!log.text.contains("the kernel"), "{}", log.text);
}
