//! Task documents written here, in the forms that platforms send and in forms that
//! no platform should send.

use super::*;

fn task(json: &str) -> TaskDocument {
    TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap()
}

#[test]
fn service_that_is_named_by_its_arn_is_shortened() {
    for (json, expected) in [
        (r#"{"ServiceName": "web"}"#, Some("web")),
        (r#"{"ServiceName": "arn:aws:ecs:eu-west-1:111122223333:service/shop/web"}"#, Some("web")),
        (r#"{"ServiceName": "arn:aws:ecs:eu-west-1:111122223333:service/web"}"#, Some("web")),
        (r#"{"ServiceName": ""}"#, None),
        ("{}", None),
    ] {
        assert_eq!(task(json).service_name(), expected, "{json}");
    }
}

#[test]
fn the_cluster_is_what_follows_the_last_slash() {
    for (json, expected) in [
        (r#"{"Cluster": "shop"}"#, Some("shop")),
        (r#"{"Cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/shop"}"#, Some("shop")),
        (r#"{"Cluster": ""}"#, None),
        (r#"{"Cluster": null}"#, None),
        ("{}", None),
    ] {
        assert_eq!(task(json).cluster_name(), expected, "{json}");
    }
}

#[test]
fn the_region_is_in_the_arn_of_every_partition() {
    for (arn, expected) in [
        ("arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3", Some("eu-west-1")),
        ("arn:aws:ecs:us-east-1:111122223333:task/0af3", Some("us-east-1")),
        ("arn:aws-cn:ecs:cn-north-1:111122223333:task/shop/0af3", Some("cn-north-1")),
        ("arn:aws-us-gov:ecs:us-gov-west-1:111122223333:task/shop/0af3", Some("us-gov-west-1")),
        ("arn:aws:ecs:&region;:111122223333:task/shop/0af3", None),
        ("arn:aws:ecs::111122223333:task/shop/0af3", None),
        ("arn:aws:s3:eu-west-1::bucket", None),
        ("task/shop/0af3", None),
        ("", None),
    ] {
        let json = format!(r#"{{"TaskARN": "{arn}"}}"#);
        assert_eq!(task(&json).region(), expected, "{arn}");
    }
}

#[test]
fn a_limit_of_zero_is_no_limit() {
    for (json, expected) in [
        (r#"{"Limits": {"CPU": 0.25, "Memory": 512}}"#, Some(0.25)),
        (r#"{"Limits": {"CPU": 4}}"#, Some(4.0)),
        (r#"{"Limits": {"CPU": 0, "Memory": 0}}"#, None),
        (r#"{"Limits": {"CPU": -1}}"#, None),
        (r#"{"Limits": {}}"#, None),
        (r#"{"Limits": null}"#, None),
        ("{}", None),
    ] {
        assert_eq!(task(json).cpu_limit_vcpu(), expected, "{json}");
    }
}

#[test]
fn the_kernels_least_share_is_no_reservation() {
    for (limits, expected) in [
        (r#"{"CPU": 256, "Memory": 0}"#, Some(256.0)),
        (r#"{"CPU": 2}"#, None),
        (r#"{"CPU": 0}"#, None),
        ("{}", None),
        ("null", None),
    ] {
        let json = format!(r#"{{"Containers": [{{"Limits": {limits}}}]}}"#);
        assert_eq!(task(&json).containers()[0].cpu_reservation_units(), expected, "{json}");
    }
}

#[test]
fn memory_limits_are_mebibytes_and_zero_is_none() {
    let task = task(
        r#"{"Limits": {"Memory": 512}, "Containers": [
            {"Limits": {"Memory": 128}}, {"Limits": {"Memory": 0}}, {"Limits": {}}, {}]}"#,
    );
    assert_eq!(task.memory_limit_bytes(), Some(512 << 20));
    let limits: Vec<_> = task.containers().iter().map(TaskContainer::memory_limit_bytes).collect();
    assert_eq!(limits, [Some(128 << 20), None, None, None]);
}

#[test]
fn the_network_mode_may_be_missing() {
    for (networks, expected) in [
        (r#"[{"NetworkMode": "awsvpc"}]"#, Some(NetworkMode::Awsvpc)),
        (r#"[{"NetworkMode": "bridge"}]"#, Some(NetworkMode::Bridge)),
        (r#"[{"NetworkMode": "default"}]"#, Some(NetworkMode::Bridge)),
        (r#"[{"NetworkMode": "host"}]"#, Some(NetworkMode::Other)),
        (r#"[{"NetworkMode": "none"}]"#, Some(NetworkMode::Other)),
        (r#"[{}, {"NetworkMode": "awsvpc"}]"#, Some(NetworkMode::Awsvpc)),
        ("[{}]", None),
        ("[]", None),
        ("null", None),
    ] {
        let json = format!(r#"{{"Containers": [{{"Networks": {networks}}}]}}"#);
        assert_eq!(task(&json).containers()[0].network_mode(), expected, "{networks}");
    }
}

#[test]
fn ephemeral_storage_is_a_share() {
    for (json, expected) in [
        (r#"{"EphemeralStorageMetrics": {"Utilized": 5120, "Reserved": 20480}}"#, Some(25.0)),
        (r#"{"EphemeralStorageMetrics": {"Utilized": 5, "Reserved": 0}}"#, None),
        (r#"{"EphemeralStorageMetrics": {"Reserved": 20480}}"#, None),
        ("{}", None),
    ] {
        assert_eq!(task(json).ephemeral_storage_percent(), expected, "{json}");
    }
}

#[test]
fn the_task_id_ends_the_arn() {
    for (arn, expected) in [
        ("arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3", Some("0af3")),
        ("arn:aws:ecs:eu-west-1:111122223333:task/0af3", Some("0af3")),
        ("nonsense", None),
    ] {
        assert_eq!(task(&format!(r#"{{"TaskARN": "{arn}"}}"#)).task_id(), expected);
    }
}

#[test]
fn task_has_at_most_a_thousand_containers() {
    for (listed, expected) in [(999, 999), (1000, 1000), (30_000, 1000)] {
        let json = format!(r#"{{"Containers": [{{}}{}]}}"#, ", {}".repeat(listed - 1));
        assert_eq!(task(&json).containers().len(), expected);
    }
}

#[test]
fn containers_may_be_missing_unborn_or_internal() {
    assert!(task(r#"{"Containers": null}"#).containers().is_empty());
    assert!(task("{}").containers().is_empty());
    let task = task(
        r#"{"Containers": [
            {"DockerId": "", "Name": "web", "KnownStatus": "PULLED", "Type": "NORMAL"},
            {"DockerId": "a1", "Name": "~internal~ecs~pause", "KnownStatus": "RESOURCES_PROVISIONED", "Type": "CNI_PAUSE"},
            {"DockerId": "b2", "Name": "~internal~ecs-emptyvolume-source"},
            {"DockerId": "c3", "Name": "web", "KnownStatus": "RUNNING"}]}"#,
    );
    let containers = task.containers();
    let ids: Vec<_> = containers.iter().map(TaskContainer::docker_id).collect();
    assert_eq!(ids, [None, Some("a1"), Some("b2"), Some("c3")]);
    let injected: Vec<_> = containers.iter().map(TaskContainer::is_injected).collect();
    assert_eq!(injected, [false, true, true, false]);
    let running: Vec<_> = containers.iter().map(TaskContainer::is_running).collect();
    assert_eq!(running, [false, false, false, true]);
}

#[test]
fn the_launch_type_has_one_case() {
    assert_eq!(task(r#"{"LaunchType": "ec2"}"#).launch_type().as_deref(), Some("EC2"));
    assert_eq!(task("{}").launch_type(), None);
}

#[test]
fn status_is_what_the_agent_knows() {
    for (status, expected) in [
        (r#""NONE""#, ContainerStatus::None),
        (r#""PULLED""#, ContainerStatus::Pulled),
        (r#""CREATED""#, ContainerStatus::Created),
        (r#""RUNNING""#, ContainerStatus::Running),
        (r#""RESOURCES_PROVISIONED""#, ContainerStatus::ResourcesProvisioned),
        (r#""STOPPED""#, ContainerStatus::Stopped),
        (r#""SOMETHING_NEW""#, ContainerStatus::Unknown),
        ("null", ContainerStatus::Unknown),
    ] {
        let json = format!(r#"{{"Containers": [{{"KnownStatus": {status}}}]}}"#);
        assert_eq!(task(&json).containers()[0].status(), expected);
    }
}
