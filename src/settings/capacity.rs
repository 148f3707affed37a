//! How many samples come in a time, and how many the buffer has room for. Pure
//! arithmetic: `Settings::buffer_samples` and the checks use it.

use std::time::Duration;

use crate::{
    publisher::{SAMPLE_BYTES, STORE_BYTES_MAX},
    sample::{
        metric::{Metric, MetricSet},
        own_figures::OwnMetric,
    },
    sampler::Selection,
};

/// Containers to make room for if `*` does not say how many there are: as many as
/// ECS allows in a task definition.
const CONTAINERS_ASSUMED: usize = 10;

/// The buffer's room beyond `BUFFER`: while a request is under way, its samples keep
/// their places. It covers a request that gets no answer, the pause after it and the
/// next request, so that a `BUFFER` as long as `PUBLISH_INTERVAL` loses nothing.
const REQUEST_ALLOWANCE: Duration = Duration::from_mins(1);

/// Samples that fit into the buffer, whatever `BUFFER` is.
pub(super) const STORE_SAMPLES_MAX: usize = STORE_BYTES_MAX / SAMPLE_BYTES;

/// How many samples the settings bring at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) samples_per_poll: usize,
    pub(super) sample_interval: Duration,
    own_per_minute: usize,
}

impl Load {
    pub(super) fn new(
        containers: &Selection,
        metrics: MetricSet,
        sample_interval: Duration,
        has_own: bool,
    ) -> Self {
        let containers = match containers {
            Selection::Named(names) => names.len(),
            Selection::All => CONTAINERS_ASSUMED,
        };
        // The network is the task's or each container's, which only the task says.
        let of_task = |metric: &Metric| metric.is_of_task() && !metric.is_of_network();
        let of_task = metrics.iter().filter(of_task).count();
        let of_container = metrics.iter().count() - of_task;
        Self {
            samples_per_poll: containers.saturating_mul(of_container).saturating_add(of_task),
            sample_interval,
            own_per_minute: if has_own { OwnMetric::all().count() } else { 0 },
        }
    }

    /// Samples that come within `time`, at most.
    pub(super) fn samples_in(self, time: Duration) -> usize {
        let parts = |part: Duration| {
            let parts = time.as_nanos().div_ceil(part.as_nanos().max(1));
            usize::try_from(parts).unwrap_or(usize::MAX)
        };
        let polled = parts(self.sample_interval).saturating_mul(self.samples_per_poll);
        polled.saturating_add(parts(Duration::from_mins(1)).saturating_mul(self.own_per_minute))
    }

    /// What a buffer for `time` must hold while a request is under way.
    pub(super) fn samples_kept_for(self, time: Duration) -> usize {
        self.samples_in(time.saturating_add(REQUEST_ALLOWANCE))
    }

    /// The longest time, in whole seconds, for which the largest buffer suffices.
    pub(super) fn longest_kept(self) -> Duration {
        let fits = |seconds: &u64| {
            self.samples_kept_for(Duration::from_secs(*seconds)) <= STORE_SAMPLES_MAX
        };
        let (mut most, mut too_many) = (0_u64, 24 * 3600 + 1);
        while too_many - most > 1 {
            let middle = most.midpoint(too_many);
            if fits(&middle) { most = middle } else { too_many = middle }
        }
        Duration::from_secs(most)
    }
}
