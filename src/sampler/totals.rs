//! The task's own metrics, out of all its containers: CPU and memory as
//! `AWS/ECS` counts them, and the network that they share on awsvpc.

use std::time::{Duration, Instant};

use super::{
    container::{Container, Output, SinceSum, TaskLimits},
    event::{Event, unavailable},
    network::{NetworkOutcome, NetworkRates},
};
use crate::{
    endpoint::task::{CPU_UNITS_PER_VCPU, NetworkMode},
    sample::{
        limits,
        metric::{Metric, MetricSet},
    },
    sampler::utilisation::{ecs_memory_bytes, percent_of_bytes},
    time::timestamp::Timestamp,
};

/// So many new samples of the source of the network counters may lack them before
/// another container takes its place, whose counters then have no base yet.
const SOURCE_PATIENCE: u32 = 10;

/// So long a task metric may take before it is said to be missing.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(40);

/// The sums of a task.
#[derive(Debug, Default)]
pub(super) struct Totals {
    network: NetworkRates,
    network_source: Option<String>,
    network_read: Option<Timestamp>,
    network_misses: u32,
    /// The source's `clock_sets`.
    network_clock: u32,
    seen: MetricSet,
    since: Option<Instant>,
    is_reviewed: bool,
}

impl Totals {
    /// After a document has been taken in by all containers.
    pub(super) fn on_stats(
        &mut self,
        containers: &mut [Container],
        limits: TaskLimits,
        wanted: MetricSet,
        output: &mut Output<'_>,
    ) {
        self.on_network(containers, wanted, output);
        if !wanted.has(Metric::TaskCpuUtilization) && !wanted.has(Metric::TaskMemoryUtilization) {
            return;
        }
        // One datum a cadence: once every container that has data has renewed. A
        // container that lacks it in one poll is waited for, not left out.
        let counted = || containers.iter().filter(|container| container.is_counted());
        let is_renewed = |container: &Container| {
            container.since_sum.is_none_or(|since| container.read != Some(since.read))
        };
        let Some(newest) = counted().filter_map(|container| container.read).max() else { return };
        if !counted().all(is_renewed) {
            return;
        }
        let cores = counted().map(cores_since_sum).sum::<Option<f64>>();
        let is_known = counted().all(|container| container.since_sum.is_some());
        let memory_bytes = counted()
            .map(|container| container.memory.map(ecs_memory_bytes).filter(|_| is_known))
            .try_fold(0_u64, |sum, bytes| Some(sum.saturating_add(bytes?)));
        if let (Some(cores), Some(vcpu)) = (cores, cpu_whole(containers, limits)) {
            self.give(Metric::TaskCpuUtilization, newest, 100.0 * cores / vcpu, wanted, output);
        }
        if let (Some(bytes), Some(whole)) = (memory_bytes, memory_whole(containers, limits)) {
            let percent = percent_of_bytes(bytes, whole);
            self.give(Metric::TaskMemoryUtilization, newest, percent, wanted, output);
        }
        for container in containers.iter_mut() {
            container.since_sum = container
                .read
                .filter(|_| container.is_counted())
                .map(|read| SinceSum { read, cpu_ns: 0, is_broken: false });
        }
    }

    fn on_network(&mut self, containers: &[Container], wanted: MetricSet, output: &mut Output<'_>) {
        // Each container is told the task's counters, so one of them is enough:
        // always the same one, or its phase would jump. A measured one first.
        let is_awsvpc = |c: &&Container| c.network_mode == Some(NetworkMode::Awsvpc);
        let source = containers.iter().filter(is_awsvpc).find(|container| {
            container.is_counted()
                && self.network_misses <= SOURCE_PATIENCE
                && Some(&container.docker_id) == self.network_source.as_ref()
        });
        let candidates = || {
            let all = containers.iter().filter(is_awsvpc);
            all.filter(|container| container.is_present && container.network.is_some())
        };
        let source = source.or_else(|| candidates().max_by_key(|c| c.place.is_some()));
        let Some(source) = source else { return };
        if self.network_source.as_ref() != Some(&source.docker_id) {
            self.network_source = Some(source.docker_id.clone());
            self.network.forget();
            self.network_read = None;
            self.network_misses = 0;
        }
        if std::mem::replace(&mut self.network_clock, source.clock_sets) != source.clock_sets {
            self.network.forget();
        }
        let Some(read) = source.read else { return };
        if self.network_read.replace(read) == Some(read) {
            return;
        }
        let Some(network) = source.network else {
            self.network_misses += 1;
            return;
        };
        self.network_misses = 0;
        let outcome = self.network.on_sample(read, network, source.has_held_network());
        if outcome == NetworkOutcome::Reset {
            output.figures.resets += 1;
        }
        for (metric, until, value) in outcome.values() {
            self.give(metric, until, value, wanted, output);
        }
    }

    /// A value of the task.
    pub(super) fn give(
        &mut self,
        metric: Metric,
        read: Timestamp,
        value: f64,
        wanted: MetricSet,
        output: &mut Output<'_>,
    ) {
        if !limits::is_value(value) {
            return;
        }
        self.seen.insert(metric);
        if wanted.has(metric) {
            output.sample(metric, None, read, value);
        }
    }

    /// Says once which of the task's metrics do not come.
    pub(super) fn review(
        &mut self,
        containers: &[Container],
        wanted: MetricSet,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let since = *self.since.get_or_insert(now);
        if self.is_reviewed || now.saturating_duration_since(since) < UNAVAILABLE_AFTER {
            return;
        }
        self.is_reviewed = true;
        let metrics = self.unseen(containers, wanted);
        if !metrics.is_empty() {
            events.push(Event::Unavailable { container: None, metrics });
        }
    }

    /// The metrics of `wanted` of which no value has come, with the reasons.
    pub(super) fn unseen(
        &self,
        containers: &[Container],
        wanted: MetricSet,
    ) -> Vec<(Metric, &'static str)> {
        let is_awsvpc = containers.iter().any(|c| c.network_mode == Some(NetworkMode::Awsvpc));
        let mine = wanted
            .iter()
            .filter(|metric| if metric.is_of_network() { is_awsvpc } else { metric.is_of_task() })
            .collect();
        unavailable(mine, self.seen, true)
    }
}

/// CPUs that the container used since the last sum; `None` where that is unknown.
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
fn cores_since_sum(container: &Container) -> Option<f64> {
    let since = container.since_sum.filter(|since| !since.is_broken)?;
    let elapsed_ns = container.read?.ns_since(since.read).filter(|&ns| ns > 0)?;
    Some(since.cpu_ns as f64 / elapsed_ns as f64)
}

/// What 100 % of the task's CPU is, in vCPU: its limit, else the reservations.
pub(super) fn cpu_whole(containers: &[Container], limits: TaskLimits) -> Option<f64> {
    limits.cpu_vcpu.or_else(|| {
        let units: f64 = containers.iter().filter_map(|container| container.cpu_units).sum();
        (units > 0.0).then_some(units / CPU_UNITS_PER_VCPU)
    })
}

/// What 100 % of the task's memory is, bytes: its limit, else the sum of the
/// containers'.
pub(super) fn memory_whole(containers: &[Container], limits: TaskLimits) -> Option<u64> {
    limits.memory_bytes.or_else(|| {
        let limits = containers.iter().filter_map(|container| container.memory_limit_bytes);
        Some(limits.fold(0, u64::saturating_add)).filter(|&bytes| bytes > 0)
    })
}
