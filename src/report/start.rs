//! The log lines of the start: the configuration, and under what ESP publishes
//! once it knows its task.

use tracing::{error, info, warn};

use crate::{
    sample::{
        dimension::{KnownDimension, ResolvedDimensions},
        metric::{Metric, MetricSet},
    },
    sampler::Selection,
    settings::{Settings, version},
};

/// The first line.
pub fn starting(settings: &Settings) {
    info!(
        version = version::VERSION,
        commit = version::COMMIT,
        profile = version::PROFILE,
        containers = match &settings.containers {
            Selection::All => "*".to_owned(),
            Selection::Named(names) => names.join(","),
        },
        metrics = settings.metrics.iter().map(Metric::name).collect::<Vec<_>>().join(","),
        namespace = settings.namespace,
        output = %settings.outputs,
        sample_interval = ?settings.sample_interval,
        publish_interval = ?settings.publish_interval,
        publish = settings.publish_word(),
        warmup = %settings.warm_up,
        source = settings.source.word(),
        endpoint = %settings.endpoint,
        "esp starts"
    );
    for warning in &settings.warnings {
        warn!(what = warning.what, "configuration: {}", warning.next);
    }
}

/// The dimensions that are used, and what to do if one has no value.
pub fn dimensions(dimensions: &ResolvedDimensions, region: Option<&str>, wanted: MetricSet) {
    info!(%dimensions, region, "publishing");
    let of_task: Vec<_> = wanted.iter().filter(|metric| metric.is_of_task()).collect();
    if !of_task.is_empty() && dimensions.sets(None).is_empty() {
        warn!(
            metrics = of_task.into_iter().map(Metric::name).collect::<Vec<_>>().join(","),
            "task-level metrics are not published: every set in DIMENSIONS contains ContainerName \
             or a name without a value"
        );
    }
    if dimensions.sets(Some(0)).is_empty() {
        warn!(
            "metrics of containers are not published: every set in DIMENSIONS contains a name \
             without a value"
        );
    }
    for missing in dimensions.missing() {
        let name = missing.name();
        match missing {
            KnownDimension::ServiceName => warn!(
                %dimensions,
                "the endpoint does not name the service; set SERVICE_NAME. Until then ESP publishes \
                 under these dimensions"
            ),
            KnownDimension::ClusterName => warn!(
                %dimensions,
                "the endpoint does not name the cluster; set CLUSTER_NAME. Until then ESP publishes \
                 under these dimensions"
            ),
            _ => warn!(
                %dimensions,
                "the endpoint has no value for {name}; ESP skips the sets in DIMENSIONS that \
                 contain it"
            ),
        }
    }
}

/// Neither a variable nor the task's ARN names the Region.
pub fn no_region() {
    error!("ESP does not know the Region, so it cannot publish; set REGION");
}
