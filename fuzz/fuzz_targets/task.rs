//! `/task`: any bytes are a task or an error, and whatever a task says can be
//! asked of it, keeps what its accessors promise and makes valid dimensions.

#![no_main]

use esp::{
    endpoint::task::TaskDocument,
    sample::{
        dimension::{DimensionOverrides, DimensionSets, ResolvedDimensions},
        limits,
    },
};
use libfuzzer_sys::fuzz_target;

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
        resolve_dimensions(&task, &DimensionSets::default());
        resolve_dimensions(&task, &DimensionSets::parse(SETS).unwrap());
    });
});

fn ask_task(task: &TaskDocument) {
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
    assert!(task.region().is_none_or(esp::endpoint::region::is_region));
    let launch_type = task.launch_type().unwrap_or_default();
    assert!(!launch_type.contains(|c: char| c.is_ascii_lowercase()));
    assert!(task.cpu_limit_vcpu().is_none_or(|vcpu| vcpu.is_finite() && vcpu > 0.0));
    assert_ne!(task.memory_limit_bytes(), Some(0));
    let percent = task.ephemeral_storage_percent();
    assert!(percent.is_none_or(|percent| percent.is_finite() && percent >= 0.0));
    for container in task.containers() {
        let _ = (container.is_running(), container.is_injected());
        let _ = (container.network_mode(), container.restart_count());
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
