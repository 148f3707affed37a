//! `/task`: any bytes are a task or an error, and whatever a task says can be
//! asked of it and keeps what its accessors promise.

#![no_main]

use esp::{
    dimension::{DimensionOverrides, Dimensions},
    limits,
    task::TaskDocument,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let task = match TaskDocument::parse(&mut data.to_vec()) {
        Ok(task) => task,
        Err(error) => {
            assert!(error.to_string().starts_with("/task is not a task document: "));
            return;
        }
    };
    assert_eq!(TaskDocument::parse(&mut data.to_vec()).ok().as_ref(), Some(&task));

    for name in [task.cluster_name(), task.service_name(), task.family(), task.task_arn()] {
        assert_ne!(name, Some(""));
    }
    assert!(!task.cluster_name().is_some_and(|name| name.contains('/')));
    if let Some(region) = task.region() {
        assert!(esp::region::is_region(region));
    }
    if let Some(launch_type) = task.launch_type() {
        assert!(!launch_type.contains(|c: char| c.is_ascii_lowercase()));
    }
    if let Some(vcpu) = task.cpu_limit_vcpu() {
        assert!(vcpu.is_finite() && vcpu > 0.0);
    }
    for container in task.containers() {
        let _ = (container.name(), container.is_running(), container.is_internal());
        assert_ne!(container.docker_id(), Some(""));
        if let Some(units) = container.cpu_reservation_units() {
            assert!(units.is_finite() && units > 2.0);
        }
    }
    let dimensions = Dimensions::choose(&task, &DimensionOverrides::default());
    assert!(dimensions.iter().all(|(_, value)| limits::is_dimension_value(value)));
});
