//! The task's own metrics, out of all its containers: CPU and memory as
//! `AWS/ECS` counts them, and the network that they share on awsvpc.

use std::time::{Duration, Instant};

use super::{
    container::{Container, Output, TaskLimits},
    event::{Event, unavailable},
    network::{NetworkOutcome, NetworkRates},
};
use crate::{
    metric::{Metric, MetricSet},
    task::{CPU_UNITS_PER_VCPU, NetworkMode},
    timestamp::Timestamp,
    utilisation::{Counter, Difference, difference, ecs_memory_bytes, percent_of_bytes},
};

/// A sample that is renewed faster than this carries network counters that are
/// not: on awsvpc the agent renews those every 10 s.
const HELD_BELOW: Duration = Duration::from_secs(5);

/// So long a task metric may take before it is said to be missing.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(40);

/// What is kept of a container from one sum to the next.
#[derive(Debug)]
struct Base {
    docker_id: String,
    read: Timestamp,
    cpu: Option<Counter>,
}

/// The sums of a task.
#[derive(Debug, Default)]
pub(super) struct Totals {
    bases: Vec<Base>,
    network: NetworkRates,
    network_source: Option<String>,
    network_read: Option<Timestamp>,
    seen: MetricSet,
    since: Option<Instant>,
    is_reviewed: bool,
}

impl Totals {
    /// After a document has been taken in by all containers.
    pub(super) fn on_stats(
        &mut self,
        containers: &[Container],
        limits: TaskLimits,
        wanted: MetricSet,
        output: &mut Output<'_>,
    ) {
        self.on_network(containers, wanted, output);
        if !wanted.has(Metric::TaskCpuUtilization) && !wanted.has(Metric::TaskMemoryUtilization) {
            return;
        }
        let live = || containers.iter().filter(|container| container.is_present);
        let is_renewed = |container: &Container| match self.base(&container.docker_id) {
            Some(base) => container.read.is_some_and(|read| read != base.read),
            None => true,
        };
        // One datum a cadence: once every container that has data has renewed.
        let Some(newest) = live().filter_map(|container| container.read).max() else { return };
        if !live().all(is_renewed) {
            return;
        }
        let mut cores = Some(0.0);
        let mut memory_bytes = Some(0_u64);
        for container in live() {
            let base = self.base(&container.docker_id);
            // A container without a base, or whose counter fell, makes the sum
            // unknown for this once; never a sum without it.
            cores = cores.zip(base.and_then(|base| growth(base, container))).map(|(a, b)| a + b);
            let memory = container.memory.map(ecs_memory_bytes).filter(|_| base.is_some());
            memory_bytes = memory_bytes.zip(memory).map(|(a, b)| a.saturating_add(b));
        }
        if let (Some(cores), Some(vcpu)) = (cores, cpu_whole(containers, limits)) {
            self.give(Metric::TaskCpuUtilization, newest, 100.0 * cores / vcpu, wanted, output);
        }
        if let (Some(bytes), Some(whole)) = (memory_bytes, memory_whole(containers, limits)) {
            let percent = percent_of_bytes(bytes, whole);
            self.give(Metric::TaskMemoryUtilization, newest, percent, wanted, output);
        }
        self.rebase(containers);
    }

    fn on_network(&mut self, containers: &[Container], wanted: MetricSet, output: &mut Output<'_>) {
        // Each container is told the task's counters, so one of them is enough:
        // always the same one, or its phase would jump. A measured one first.
        let candidates = || {
            containers.iter().filter(|container| {
                container.is_present
                    && container.network.is_some()
                    && container.network_mode == Some(NetworkMode::Awsvpc)
            })
        };
        let source = candidates()
            .find(|container| Some(&container.docker_id) == self.network_source.as_ref())
            .or_else(|| candidates().max_by_key(|container| container.place.is_some()));
        let Some(source) = source else { return };
        if self.network_source.as_ref() != Some(&source.docker_id) {
            self.network_source = Some(source.docker_id.clone());
            self.network.forget();
            self.network_read = None;
        }
        let (Some(read), Some(network)) = (source.read, source.network) else { return };
        if self.network_read.replace(read) == Some(read) {
            return;
        }
        let is_held = source.cadence().is_some_and(|cadence| cadence < HELD_BELOW);
        let outcome = self.network.on_sample(read, network, is_held);
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
        if !value.is_finite() {
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
        let is_awsvpc = containers.iter().any(|c| c.network_mode == Some(NetworkMode::Awsvpc));
        let mine = wanted
            .iter()
            .filter(|metric| match metric {
                Metric::NetworkRxBytes | Metric::NetworkTxBytes => is_awsvpc,
                Metric::TaskCpuUtilization
                | Metric::TaskMemoryUtilization
                | Metric::EphemeralStorageUtilization => true,
                _ => false,
            })
            .collect();
        let metrics = unavailable(mine, self.seen, true);
        if !metrics.is_empty() {
            events.push(Event::Unavailable { container: None, metrics });
        }
    }

    fn base(&self, docker_id: &str) -> Option<&Base> {
        self.bases.iter().find(|base| base.docker_id == docker_id)
    }

    fn rebase(&mut self, containers: &[Container]) {
        self.bases.retain(|base| containers.iter().any(|c| c.docker_id == base.docker_id));
        for container in containers.iter().filter(|container| container.is_present) {
            let Some(read) = container.read else { continue };
            match self.bases.iter_mut().find(|base| base.docker_id == container.docker_id) {
                Some(base) => {
                    base.read = read;
                    base.cpu = container.cpu.or(base.cpu);
                }
                None => self.bases.push(Base {
                    docker_id: container.docker_id.clone(),
                    read,
                    cpu: container.cpu,
                }),
            }
        }
    }
}

/// CPUs that the container used since its base; `None` where that is unknown.
fn growth(base: &Base, container: &Container) -> Option<f64> {
    match (base.cpu, container.cpu) {
        (Some(base), Some(current)) => match difference(base, current) {
            Difference::PerNs(cores) => Some(cores),
            // It has data, but its CPU counter was missing from it this time.
            Difference::Duplicate | Difference::CounterReset | Difference::ClockSetBack => None,
        },
        // It has used no CPU yet: a container that only waits.
        (None, None) => Some(0.0),
        _ => None,
    }
}

/// What 100 % of the task's CPU is, in vCPU: its limit, else the reservations.
fn cpu_whole(containers: &[Container], limits: TaskLimits) -> Option<f64> {
    limits.cpu_vcpu.or_else(|| {
        let units: f64 = containers.iter().filter_map(|container| container.cpu_units).sum();
        (units > 0.0).then_some(units / CPU_UNITS_PER_VCPU)
    })
}

/// What 100 % of the task's memory is, bytes: its limit, else the sum of the
/// containers'.
fn memory_whole(containers: &[Container], limits: TaskLimits) -> Option<u64> {
    limits.memory_bytes.or_else(|| {
        let limits = containers.iter().filter_map(|container| container.memory_limit_bytes);
        Some(limits.sum()).filter(|&bytes| bytes > 0)
    })
}
