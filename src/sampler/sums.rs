//! The sums of the task: CPU and memory of all its containers, as `AWS/ECS` counts
//! them. A sum waits for each container that runs: one that is left out would make a
//! busy task look idle, and Docker gives no stats of a container just when the host is
//! overloaded.

use std::time::{Duration, Instant};

use super::{
    basis::{Limits, task_memory_bytes, task_vcpu},
    container::Container,
    cpu::{self, CpuCounter},
    event::Event,
    memory::{ecs_memory_bytes, percent_of_bytes},
    poll::Poll,
};
use crate::{
    reading::TaskReading,
    sample::{Metric, MetricSet},
    time::{Timestamp, reminder::Reminder},
};

/// The state of the sums.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// A warning that the sums wait has been given.
    is_waiting: bool,
    reminder: Reminder,
    /// The last estimate of what all have used together, and when it came, while they come.
    estimate: Option<(CpuCounter, Instant)>,
    /// What was used until then has been published from estimates.
    covered_until: Option<Timestamp>,
}

/// Estimates that are further apart are not compared: no interval is as long.
const APART_MAX: Duration = Duration::from_secs(90);

impl Sums {
    /// Whether any of them is wanted.
    pub(super) const fn are_wanted(wanted: MetricSet) -> bool {
        wanted.has(Metric::TaskCpuUtilization) || wanted.has(Metric::TaskMemoryUtilization)
    }

    /// After an answer has been taken in by all containers, or the task document has.
    /// Gives the metrics of which there is a value, wanted or not.
    pub(super) fn on_answer(
        &mut self,
        containers: &mut [Container],
        poll: &mut Poll<'_>,
    ) -> MetricSet {
        let mut seen = MetricSet::default();
        if !Self::are_wanted(poll.wanted) {
            return seen;
        }
        if containers.iter().any(|container| is_awaited(container) && !is_renewed(container)) {
            self.wait(containers, poll);
            return seen;
        }
        let counted = || containers.iter().filter(|container| is_renewed(container));
        let read = |container: &Container| container.cpu.accounted().map(|it| it.read);
        let Some(newest) = counted().filter_map(read).max() else { return seen };
        let cores = self.cores(containers, poll.now.instant);
        if let (Some(cores), Some(vcpu)) = (cores, vcpu(containers, poll.limits))
            && poll.give(Metric::TaskCpuUtilization, None, newest, 100.0 * cores / vcpu)
        {
            seen.insert(Metric::TaskCpuUtilization);
        }
        // Memory may be read more seldom than CPU time: each reading counts once.
        let is_memory_new =
            counted().all(|container| !container.last_sum.has_memory(container.memory_read.last()));
        if let Some(newest) = counted().filter_map(|it| it.memory_read.last()).max()
            && is_memory_new
            && let (Some(bytes), Some(whole)) =
                (memory_bytes(counted(), poll.limits), whole_bytes(containers, poll.limits))
            && poll.give(
                Metric::TaskMemoryUtilization,
                None,
                newest,
                percent_of_bytes(bytes, whole),
            )
        {
            seen.insert(Metric::TaskMemoryUtilization);
        }
        for container in containers.iter_mut() {
            let cpu = container.cpu.accounted().filter(|_| is_renewed(container));
            container.last_sum.cpu = cpu;
            if is_memory_new {
                container.last_sum.memory_read = container.memory_read.last();
            }
        }
        if std::mem::take(&mut self.is_waiting) {
            self.reminder = Reminder::default();
            poll.events.push(Event::SumsBack);
        }
        seen
    }

    /// CPUs that all of them used since the last sum. `None` while estimates come, and of
    /// time of which an estimate has been published.
    ///
    /// A sum and an estimate are never subtracted from each other. Each container of a sum
    /// was read at a time of its own, seconds apart, so that nobody can say of which moment
    /// it is: a second that is off makes an idle task look busy.
    fn cores(&mut self, containers: &[Container], now: Instant) -> Option<f64> {
        if self.estimate.is_some_and(|(_, at)| now.saturating_duration_since(at) <= APART_MAX) {
            return None;
        }
        self.estimate = None;
        let counted = || containers.iter().filter(|container| is_renewed(container));
        if let Some(covered_until) = self.covered_until {
            let mut begins = counted().filter_map(|container| Some(container.last_sum.cpu?.read));
            if begins.any(|read| read < covered_until) {
                return None;
            }
            self.covered_until = None;
        }
        cores(counted())
    }

    /// Takes in what all containers have used together. Says whether that makes a value.
    pub(super) fn on_task_reading(
        &mut self,
        reading: TaskReading,
        containers: &[Container],
        poll: &mut Poll<'_>,
    ) -> bool {
        let at = poll.now.instant;
        let counter = CpuCounter { read: reading.read, total_ns: reading.total_ns };
        let last = self.estimate.replace((counter, at)).filter(|(_, last_at)| {
            !reading.is_base && at.saturating_duration_since(*last_at) <= APART_MAX
        });
        let cores = last.and_then(|(last, _)| cpu::cores(last, counter));
        let Some((cores, vcpu)) = cores.zip(vcpu(containers, poll.limits)) else { return false };
        self.covered_until = Some(reading.read);
        poll.give(Metric::TaskCpuUtilization, None, reading.read, 100.0 * cores / vcpu)
    }

    /// No more estimates come for now.
    pub(super) const fn end_estimates(&mut self) {
        self.estimate = None;
    }

    /// The clock was set: nothing is compared with a time from before.
    pub(super) const fn forget(&mut self) {
        (self.estimate, self.covered_until) = (None, None);
    }

    /// Warns, once a container has been silent for longer than it may be.
    fn wait(&mut self, containers: &[Container], poll: &mut Poll<'_>) {
        let is_late = |container: &&Container| {
            is_awaited(container) && !is_renewed(container) && container.fresh.is_silent()
        };
        let late = || containers.iter().filter(is_late);
        let since = late().map(|container| container.fresh.unrenewed_for(poll.now.instant)).max();
        let Some(since) = since else { return };
        if !self.reminder.is_due(poll.now.instant) {
            return;
        }
        self.is_waiting = true;
        let containers = late().map(|container| container.name.clone()).collect();
        poll.events.push(Event::SumsWait { containers, since });
    }
}

/// Whether a sum waits for this container: one of the task definition's that runs. The
/// task document may be older than the stats, so one that has had stats since counts
/// as running, unless it has stopped. What AWS injects is waited for only while it has
/// stats.
fn is_awaited(container: &Container) -> bool {
    if container.fresh.is_stopped() {
        return false;
    }
    let has_stats = container.fresh.read.is_some() && !container.fresh.is_silent();
    if container.described.is_injected {
        return has_stats && container.has_data && container.cpu.accounted().is_some();
    }
    let is_running = container.described.is_running;
    is_running.unwrap_or_else(|| container.fresh.read.is_some()) || has_stats
}

/// Whether it is one of the task definition's that is about to run by the task document,
/// and has no stats yet. From when on it counts, only the next document says: the stats
/// are null before its start and after it.
pub(super) fn is_starting(container: &Container) -> bool {
    !container.fresh.is_stopped()
        && !container.described.is_injected
        && container.described.is_running == Some(false)
        && container.fresh.read.is_none()
}

/// Whether there is CPU time of it that is in no sum yet.
fn is_renewed(container: &Container) -> bool {
    !container.fresh.is_stopped()
        && container.cpu.is_settled()
        && !container.last_sum.has_cpu(container.cpu.accounted())
}

/// CPUs that all of them used since the last sum; `None` if one of them was not in it,
/// or some of its time is unknown.
fn cores<'a>(mut counted: impl Iterator<Item = &'a Container>) -> Option<f64> {
    counted.try_fold(0.0, |sum, container| {
        let now = container.cpu.accounted()?;
        match container.last_sum.cpu {
            Some(before) => Some(sum + now.cores_since(before)?),
            // It counts from the next sum on.
            None if container.described.is_injected => Some(sum),
            None => None,
        }
    })
}

/// Bytes of memory that all of them use; without a limit of the task, those that
/// have limits of their own, so that both sides of the division are of one set.
fn memory_bytes<'a>(
    mut counted: impl Iterator<Item = &'a Container>,
    limits: Limits,
) -> Option<u64> {
    counted.try_fold(0_u64, |sum, container| {
        if container.described.is_injected && limits.memory_bytes.is_none() {
            return Some(sum);
        }
        let bytes = match container.memory.map(ecs_memory_bytes) {
            // The first reading may be a replay from before our start.
            Some(bytes) if container.last_sum.cpu.is_some() => bytes,
            _ if container.described.is_injected => 0,
            _ => return None,
        };
        Some(sum.saturating_add(bytes))
    })
}

/// What 100 % of the task's CPU is, in vCPU.
pub(super) fn vcpu(containers: &[Container], limits: Limits) -> Option<f64> {
    task_vcpu(limits, containers.iter().filter_map(|container| container.described.cpu_units))
}

/// What 100 % of the task's memory is, bytes. AWS's own containers have no limits, and
/// are not counted then.
pub(super) fn whole_bytes(containers: &[Container], limits: Limits) -> Option<u64> {
    let of_user = containers
        .iter()
        .filter(|container| is_awaited(container) && !container.described.is_injected);
    task_memory_bytes(limits, of_user.map(|container| container.described.memory_limit_bytes))
}

/// Why a sum is missing, if no value of it ever came.
pub(super) fn why_unavailable(
    metric: Metric,
    containers: &[Container],
    limits: Limits,
) -> &'static str {
    let user = || containers.iter().filter(|c| is_awaited(c) && !c.described.is_injected);
    match metric {
        Metric::TaskCpuUtilization if vcpu(containers, limits).is_none() => {
            "neither the task nor its containers reserve CPU"
        }
        Metric::TaskMemoryUtilization if whole_bytes(containers, limits).is_none() => {
            "the task has no memory limit, and not every container has one"
        }
        Metric::NetworkRxBytes | Metric::NetworkTxBytes
            if containers.iter().all(|container| container.network.is_none()) =>
        {
            "the stats have no networks yet"
        }
        Metric::NetworkRxBytes | Metric::NetworkTxBytes => {
            "the counters have not had enough new values yet"
        }
        _ if user().any(|container| container.fresh.read.is_none()) => {
            "a running container has no stats yet"
        }
        Metric::TaskMemoryUtilization if user().any(|container| container.memory.is_none()) => {
            "the stats of a container have no memory usage"
        }
        _ => "not every running container has had two samples yet",
    }
}
