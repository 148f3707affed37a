//! `/task`: any bytes are a task or an error, and whatever a task says can be
//! asked of it, keeps what its accessors promise and makes valid dimensions. A field
//! that turns bad changes nothing else.

#![no_main]

use esp::{
    endpoint::task::TaskDocument,
    sample::{
        dimension::{DimensionOverrides, DimensionSets, ResolvedDimensions},
        limits,
    },
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// How many bad fields a document remembers.
const BAD_FIELDS_MAX: usize = 8;

const SETS: &str = "ClusterName,ServiceName,TaskDefinitionFamily,TaskDefinitionRevision,TaskId;\
    ContainerName,AvailabilityZone;LaunchType,Stage=prod;;";

fuzz_target!(|data: &[u8]| {
    esp_fuzz::run(|| {
        let task = match TaskDocument::parse(&mut data.to_vec()) {
            Ok(task) => task,
            Err(error) => {
                assert!(error.to_string().starts_with("/task is not a task document: "));
                return;
            }
        };
        assert_eq!(TaskDocument::parse(&mut data.to_vec()).ok().as_ref(), Some(&task));
        ask_task(&task);
        spoil_fields(data);
        resolve_dimensions(&task, &DimensionSets::default());
        resolve_dimensions(&task, &DimensionSets::parse(SETS).unwrap());
    });
});

/// Puts a value of a wrong type in the place of each field in turn.
fn spoil_fields(data: &[u8]) {
    let Ok(Value::Object(document)) = serde_json::from_slice::<Value>(data) else { return };
    for key in ["Cluster", "Family", "ServiceName", "Limits", "AvailabilityZone"] {
        let mut spoiled = document.clone();
        spoiled.insert(key.to_owned(), Value::from(7));
        let mut body = serde_json::to_vec(&spoiled).unwrap();
        let Ok(spoiled) = TaskDocument::parse(&mut body) else { continue };
        assert!(
            spoiled.bad_fields().iter().any(|field| field.path() == key)
                || spoiled.bad_fields().len() == BAD_FIELDS_MAX
        );
    }
    let Some(Value::Array(containers)) = document.get("Containers") else { return };
    let Some(Value::Object(first)) = containers.first() else { return };
    for (key, value) in [
        ("RestartCount", Value::from(-1)),
        ("Networks", Value::from(vec![Value::Null])),
        ("Limits", Value::from("1")),
        ("StartedAt", Value::from("now")),
    ] {
        let mut spoiled = document.clone();
        let mut first = first.clone();
        first.insert(key.to_owned(), value);
        spoiled["Containers"][0] = Value::Object(first);
        let mut body = serde_json::to_vec(&spoiled).unwrap();
        let Ok(spoiled) = TaskDocument::parse(&mut body) else { continue };
        let (ours, before) = (&spoiled.containers()[0], &containers[0]);
        assert_eq!(ours.name(), before["Name"].as_str());
        assert_eq!(ours.known_status(), before["KnownStatus"].as_str());
        assert!(!spoiled.bad_fields().is_empty());
    }
}

fn ask_task(task: &TaskDocument) {
    for field in task.bad_fields() {
        let line = field.to_string();
        assert!(line.len() < 300 && !line.contains(char::is_control), "{line}");
    }
    assert!(task.bad_fields().len() <= BAD_FIELDS_MAX && task.containers().len() <= 1000);
    for text in [
        task.cluster_name(),
        task.service_name(),
        task.family(),
        task.task_arn(),
        task.revision(),
        task.task_id(),
        task.availability_zone(),
    ] {
        assert_ne!(text, Some(""));
    }
    for name in [task.cluster_name(), task.task_id()] {
        assert!(!name.is_some_and(|name| name.contains('/')));
    }
    assert!(task.region().is_none_or(esp::endpoint::arn::is_region));
    let launch_type = task.launch_type().unwrap_or_default();
    assert!(!launch_type.contains(|c: char| c.is_ascii_lowercase()));
    assert!(task.cpu_limit_vcpu().is_none_or(|vcpu| vcpu.is_finite() && vcpu > 0.0));
    assert_ne!(task.memory_limit_bytes(), Some(0));
    let percent = task.ephemeral_storage_percent();
    assert!(percent.is_none_or(|percent| percent.is_finite() && percent >= 0.0));
    for container in task.containers() {
        let _ = (container.is_running(), container.is_injected());
        let _ = (container.network_mode(), container.restart_count(), container.started_at());
        for network in container.networks() {
            assert_ne!(network.mac_address(), Some(""));
            let _ = network.ipv4_addresses();
        }
        assert_ne!(container.docker_id(), Some(""));
        assert_ne!(container.memory_limit_bytes(), Some(0));
        let units = container.cpu_reservation_units();
        assert!(units.is_none_or(|units| units.is_finite() && units > 2.0));
    }
}

/// One bad dimension would fail a whole request.
fn resolve_dimensions(task: &TaskDocument, sets: &DimensionSets) {
    let names = task.containers().iter().filter_map(|container| container.name());
    let names: Vec<String> = names.map(str::to_owned).collect();
    let resolved =
        ResolvedDimensions::resolve(sets, &DimensionOverrides::default(), task, &names, false);
    // Goes into the log, as one line; names and values are printable.
    assert!(!resolved.to_string().contains(char::is_control));
    let places = (0..).take(names.len()).map(Some);
    for dimensions in places.chain([None]).flat_map(|place| resolved.sets(place)) {
        assert!(dimensions.len() <= limits::DIMENSIONS_PER_DATUM);
        for (name, value) in dimensions {
            assert!(limits::is_dimension_name(name) && limits::is_dimension_value(value));
        }
    }
    assert!((1..=limits::DATUMS_PER_REQUEST).contains(&resolved.samples_per_request()));
}
