//! Task documents in which something is not as documented.

use super::*;
use crate::endpoint::task::TaskContainer;

fn task(json: &str) -> TaskDocument {
    TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap()
}

#[test]
fn document_without_a_container_that_can_be_read_is_an_error() {
    for (json, expected) in [
        ("", "Eof"),
        ("{", "Syntax"),
        ("nonsense", "TapeError"),
        ("[]", "it is not an object"),
        ("null", "it is not an object"),
        ("7", "it is not an object"),
        (r#"[{"Family": "shop"}]"#, "it is not an object"),
        (r#"{"Containers": 7}"#, "nothing in Containers is an object"),
        (r#"{"Containers": {}}"#, "nothing in Containers is an object"),
        (r#"{"Containers": [null, 7, "web", []]}"#, "nothing in Containers is an object"),
    ] {
        let error = TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap_err().to_string();
        let begin = "/task is not a task document: ";
        assert!(error.starts_with(begin), "{error}");
        if !matches!(json, "" | "{" | "nonsense") {
            assert_eq!(&error[begin.len()..], expected, "{json}");
        }
    }
}

/// A task of which every field that ESP reads is as documented.
const GOOD: &str = r#"{"Cluster": "shop", "TaskARN": "arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3",
    "Family": "web", "Revision": "7", "ServiceName": "checkout", "LaunchType": "MANAGED_INSTANCES",
    "AvailabilityZone": "eu-west-1a", "Limits": {"CPU": 0.5, "Memory": 512},
    "EphemeralStorageMetrics": {"Utilized": 5120, "Reserved": 20480},
    "Containers": [{"DockerId": "e1", "Name": "esp"},
        {"DockerId": "w1", "Name": "web", "Type": "NORMAL", "KnownStatus": "RUNNING",
         "Limits": {"CPU": 256, "Memory": 128}, "StartedAt": "2026-11-27T10:00:00.5Z", "RestartCount": 3,
         "Networks": [{"NetworkMode": "awsvpc", "MACAddress": "0e:98:9f:33:76:a7",
             "IPv4Addresses": ["10.0.0.7", "10.0.0.8"]}]}]}"#;

/// What is asked of a task, one line each.
fn answers(task: &TaskDocument) -> Vec<String> {
    let mut lines = vec![
        format!("cluster {:?}", task.cluster_name()),
        format!("id {:?}", task.task_id()),
        format!("family {:?}", task.family()),
        format!("revision {:?}", task.revision()),
        format!("service {:?}", task.service_name()),
        format!("launch type {:?}", task.launch_type()),
        format!("zone {:?}", task.availability_zone()),
        format!("vCPU {:?}", task.cpu_limit_vcpu()),
        format!("memory {:?}", task.memory_limit_bytes()),
        format!("storage {:?}", task.ephemeral_storage_percent()),
    ];
    for (place, it) in task.containers().iter().enumerate() {
        let mut line = |what: &str, value: String| lines.push(format!("{place} {what} {value}"));
        line("id", format!("{:?}", it.docker_id()));
        line("name", format!("{:?}", it.name()));
        line("status", format!("{:?}", it.status()));
        line("injected", format!("{:?}", it.is_injected()));
        line("units", format!("{:?}", it.cpu_reservation_units()));
        line("memory", format!("{:?}", it.memory_limit_bytes()));
        line("started", format!("{:?}", it.started_at()));
        line("restarts", format!("{:?}", it.restart_count()));
        line("mode", format!("{:?}", it.network_mode()));
        for network in it.networks() {
            line("mac", format!("{:?}", network.mac_address()));
            line("addresses", format!("{:?}", network.ipv4_addresses()));
        }
    }
    lines
}

/// What is written in place of what, which answers change by it (those that begin
/// so), and what is said of it.
const SPOILED: &[(&str, &str, &str, &str)] = &[
    (r#""Cluster": "shop""#, r#""Cluster": 7"#, "cluster", "Cluster is 7, not a string"),
    (r#""Family": "web""#, r#""Family": ["web"]"#, "family", "Family is an array, not a string"),
    (r#""Revision": "7""#, r#""Revision": 7"#, "revision", "Revision is 7, not a string"),
    (
        r#""ServiceName": "checkout""#,
        r#""ServiceName": {}"#,
        "service",
        "ServiceName is an object, not a string",
    ),
    (
        r#""LaunchType": "MANAGED_INSTANCES""#,
        r#""LaunchType": true"#,
        "launch type",
        "LaunchType is true, not a string",
    ),
    (
        r#""AvailabilityZone": "eu-west-1a""#,
        r#""AvailabilityZone": 1"#,
        "zone",
        "AvailabilityZone is 1, not a string",
    ),
    (
        r#""Limits": {"CPU": 0.5, "#,
        r#""Limits": {"CPU": "1", "#,
        "vCPU",
        r#"Limits.CPU is "1", not a number"#,
    ),
    (
        r#""CPU": 0.5, "Memory": 512"#,
        r#""CPU": 0.5, "Memory": [512]"#,
        "memory",
        "Limits.Memory is an array, not a number",
    ),
    (
        r#""Limits": {"CPU": 0.5, "Memory": 512}"#,
        r#""Limits": 7"#,
        "vCPU,memory",
        "Limits is 7, not an object",
    ),
    (r#""CPU": 0.5"#, r#""CPU": 1e999"#, "vCPU", r#"Limits.CPU is "1e999", not a number"#),
    (
        r#""Utilized": 5120"#,
        r#""Utilized": "20""#,
        "storage",
        r#"EphemeralStorageMetrics.Utilized is "20", not a number"#,
    ),
    (
        r#"{"Utilized": 5120, "Reserved": 20480}"#,
        "[5120, 20480]",
        "storage",
        "EphemeralStorageMetrics is an array, not an object",
    ),
    (
        r#""DockerId": "w1""#,
        r#""DockerId": 1"#,
        "1 id",
        "Containers[1].DockerId is 1, not a string",
    ),
    (r#""Name": "web""#, r#""Name": 5"#, "1 name", "Containers[1].Name is 5, not a string"),
    (
        r#""KnownStatus": "RUNNING""#,
        r#""KnownStatus": 4"#,
        "1 status",
        "Containers[1].KnownStatus is 4, not a string",
    ),
    (r#""Type": "NORMAL""#, r#""Type": 1"#, "", "Containers[1].Type is 1, not a string"),
    (
        r#""Limits": {"CPU": 256, "#,
        r#""Limits": {"CPU": "256", "#,
        "1 units",
        r#"Containers[1].Limits.CPU is "256", not a number"#,
    ),
    (
        r#""Limits": {"CPU": 256, "Memory": 128}"#,
        r#""Limits": false"#,
        "1 units,1 memory",
        "Containers[1].Limits is false, not an object",
    ),
    (
        r#""StartedAt": "2026-11-27T10:00:00.5Z""#,
        r#""StartedAt": "yesterday""#,
        "1 started",
        r#"Containers[1].StartedAt is "yesterday", not an RFC 3339 timestamp"#,
    ),
    (
        r#""StartedAt": "2026-11-27T10:00:00.5Z""#,
        r#""StartedAt": 1795514400"#,
        "1 started",
        "Containers[1].StartedAt is 1795514400, not an RFC 3339 timestamp",
    ),
    (
        r#""RestartCount": 3"#,
        r#""RestartCount": -1"#,
        "1 restarts",
        "Containers[1].RestartCount is -1, not a whole number from 0 to 4294967295",
    ),
    (
        r#""RestartCount": 3"#,
        r#""RestartCount": 4294967296"#,
        "1 restarts",
        "Containers[1].RestartCount is 4294967296, not a whole number from 0 to 4294967295",
    ),
    (
        r#""RestartCount": 3"#,
        r#""RestartCount": 123456789012345678901234567890"#,
        "1 restarts",
        "Containers[1].RestartCount is 1.2345678901234568e29, not a whole number from 0 to 4294967295",
    ),
    (
        r#""RestartCount": 3"#,
        r#""RestartCount": 1.5"#,
        "1 restarts",
        "Containers[1].RestartCount is 1.5, not a whole number from 0 to 4294967295",
    ),
    (
        r#""Networks": [{"NetworkMode": "awsvpc", "#,
        r#""Networks": [{"NetworkMode": 2, "#,
        "1 mode",
        "Containers[1].Networks[0].NetworkMode is 2, not a string",
    ),
    (
        r#""Networks": [{"#,
        r#""Networks": [null, {"#,
        "",
        "Containers[1].Networks[0] is null, not an object",
    ),
    (
        r#""MACAddress": "0e:98:9f:33:76:a7""#,
        r#""MACAddress": 14"#,
        "1 mac",
        "Containers[1].Networks[0].MACAddress is 14, not a string",
    ),
    (
        r#"["10.0.0.7", "10.0.0.8"]"#,
        r#""10.0.0.7""#,
        "1 addresses",
        r#"Containers[1].Networks[0].IPv4Addresses is "10.0.0.7", not an array"#,
    ),
    (
        r#"["10.0.0.7", "10.0.0.8"]"#,
        r#"["10.0.0.7", "10.0.0.8", 7]"#,
        "",
        "Containers[1].Networks[0].IPv4Addresses[2] is 7, not an IPv4 address",
    ),
    (
        r#"["10.0.0.7", "10.0.0.8"]"#,
        r#"["10.0.0.7", "10.0.0.8", "10.0.0.256"]"#,
        "",
        r#"Containers[1].Networks[0].IPv4Addresses[2] is "10.0.0.256", not an IPv4 address"#,
    ),
];

#[test]
fn bad_field_costs_itself_and_is_named() {
    let good = answers(&task(GOOD));
    assert!(task(GOOD).bad_fields().is_empty());
    for &(from, to, changed, said) in SPOILED {
        let bad = GOOD.replace(from, to);
        assert_ne!(bad, GOOD, "{from}");
        let task = task(&bad);
        let changed: Vec<_> = changed.split(',').filter(|it| !it.is_empty()).collect();
        let is_changed =
            |line: &String| changed.iter().any(|it| line.starts_with(&format!("{it} ")));
        let (now, before) = (answers(&task), good.clone());
        assert_eq!(now.len(), before.len(), "{to}");
        for (now, before) in now.iter().zip(&before) {
            assert_eq!(now != before, is_changed(before), "{to}: {before}, now {now}");
        }
        assert!(now.iter().filter(|line| is_changed(line)).all(|line| {
            ["None", "Unknown", "[]"].iter().any(|nothing| line.ends_with(nothing))
        }));
        let said_now: Vec<_> = task.bad_fields().iter().map(ToString::to_string).collect();
        assert_eq!(said_now, [said], "{to}");
        assert_eq!(task.bad_fields()[0].path(), said.split(' ').next().unwrap());
    }
}

#[test]
fn what_is_no_container_costs_itself() {
    let task = task(r#"{"Containers": [null, 7, {"Name": "web"}, "x", [], {"DockerId": "b"}]}"#);
    let names: Vec<_> = task.containers().iter().map(TaskContainer::name).collect();
    assert_eq!(names, [Some("web"), None]);
    let bad: Vec<_> = task.bad_fields().iter().map(BadField::path).collect();
    assert_eq!(bad, ["Containers[0]", "Containers[1]", "Containers[3]", "Containers[4]"]);
}

#[test]
fn fields_that_are_not_set_or_not_known_are_not_bad() {
    for json in [
        r#"{"Cluster": null, "Limits": null, "EphemeralStorageMetrics": null, "Containers": null}"#,
        r#"{"Limits": {"CPU": null, "Memory": 0}, "Containers": []}"#,
        r#"{"Containers": [{"Limits": null, "Networks": null, "RestartCount": null, "Name": null}]}"#,
        r#"{"Containers": [{"Networks": [], "StartedAt": "0001-01-01T00:00:00Z"}]}"#,
        r#"{"Containers": [{"Networks": [{"IPv4Addresses": null, "NetworkMode": null}]}]}"#,
        r#"{"Containers": [{"Networks": [{"IPv4Addresses": [""], "MACAddress": ""}]}]}"#,
        r#"{"SomethingNew": [1, {"CPU": "1"}], "Containers": [{"Ports": 7, "Labels": [null]}]}"#,
    ] {
        assert!(task(json).bad_fields().is_empty(), "{json}: {:?}", task(json).bad_fields());
    }
}

#[test]
fn document_full_of_bad_fields_names_a_few_of_them_shortly() {
    let long = "x".repeat(5000);
    let container = format!(r#"{{"Name": "web", "RestartCount": "{long}\n"}}"#);
    let json = format!(r#"{{"Containers": [{}]}}"#, vec![container; 500].join(","));
    let task = task(&json);
    assert_eq!(task.containers().len(), 500);
    assert_eq!(task.bad_fields().len(), 8);
    for field in task.bad_fields() {
        let line = field.to_string();
        assert!(line.len() < 200 && !line.contains('\n'), "{line}");
    }
}

#[test]
fn of_two_keys_with_one_name_the_last_counts() {
    assert_eq!(task(r#"{"Family": "a", "Family": "b"}"#).family(), Some("b"));
}

#[test]
fn number_too_large_costs_itself_wherever_it_stands() {
    for number in ["1e309", "-1e999", "1.5E+400", &"9".repeat(400)] {
        let json = format!(
            r#"{{"Family": "a \" 1e999 \\", "X": [{number}, -{{}}], "Limits": {{"CPU": {number}}}}}"#
        )
        .replace("-{}", "{}");
        let task = task(&json);
        assert_eq!(task.family(), Some("a \" 1e999 \\"), "{json}");
        assert_eq!(task.bad_fields().len(), 1, "{json}");
    }
}

#[test]
fn nesting_that_is_very_deep_is_an_error_and_no_crash() {
    for depth in [100, 1000, 100_000] {
        let json = format!(r#"{{"Family": "a", "X": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        match TaskDocument::parse(&mut json.into_bytes()) {
            Ok(task) => assert_eq!(task.family(), Some("a"), "{depth}"),
            Err(error) => assert!(depth > 1000, "{depth}: {error}"),
        }
    }
}

#[test]
fn text_without_end_is_left_out() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let json = GOOD
        .replace("eu-west-1a", &long)
        .replace("\"web\", \"Type\"", &format!("\"{long}\", \"Type\""));
    let task = task(&json);
    assert_eq!((task.availability_zone(), task.containers()[1].name()), (None, None));
    assert_eq!(task.family(), Some("web"));
    let bad = task.bad_fields().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(bad.len(), 2, "{bad:?}");
    assert!(bad.iter().all(|field| field.len() < 400), "{bad:?}");
}
