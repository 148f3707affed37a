//! What the whole task uses, from what the machine does not idle: on Fargate, where the
//! task has a machine of its own. The same of one container, if it is the task's only one
//! beside ESP: then what it does not use hardly changes. The way from `/proc/stat` and the
//! endpoint's readings through the estimate to the sampler. What is believed of it is
//! decided in `proof`.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use crate::{
    endpoint::task::{TaskContainer, TaskDocument},
    kernel::MachineReading,
    proof::{Handed, KernelValue, TaskEstimate, TaskEvent},
    reading::{CpuReading, Entry, TaskReading},
    time::{Now, Timestamp},
};

/// AWS documents for no other launch type that a task has its kernel for itself: on a
/// shared host the estimate would agree until a neighbour starts.
const OWN_MACHINE: &str = "FARGATE";

/// The machine's busy time, from what it has been idle.
#[derive(Debug)]
pub(super) struct BusyTime {
    /// The last reading: when, and what was idle until then, ns.
    last: (Instant, Option<u64>),
    /// Since the first reading, ns. It may fall a little, since it is made of ticks and of
    /// a time that is read beside them.
    raw_ns: i64,
    /// The most that it has been: that only grows.
    busy_ns: u64,
}

impl BusyTime {
    pub(super) const fn new(now: Now) -> Self {
        Self { last: (now.instant, None), raw_ns: 0, busy_ns: 0 }
    }

    /// The busy time at the moment of a reading, in the time of the wall clock.
    pub(super) fn on_machine(&mut self, machine: MachineReading, now: Now) -> KernelValue {
        let tick_ns = 1_000_000_000 / machine.ticks_per_second.max(1);
        let idle_ns =
            machine.idle_ticks.saturating_add(machine.iowait_ticks).saturating_mul(tick_ns);
        let (at, idle_before) = std::mem::replace(&mut self.last, (machine.before, Some(idle_ns)));
        if let Some(idle_before_ns) = idle_before {
            let elapsed_ns = ns(machine.before.saturating_duration_since(at));
            // CPUs come and go: only what all of them can do counts.
            let whole_ns = elapsed_ns.saturating_mul(u64::from(machine.cpus)).cast_signed();
            let idle_ns = idle_ns.wrapping_sub(idle_before_ns).cast_signed();
            self.raw_ns =
                self.raw_ns.saturating_add(whole_ns.saturating_sub(idle_ns).min(whole_ns));
        }
        self.busy_ns = self.busy_ns.max(u64::try_from(self.raw_ns).unwrap_or(0));
        let wall = |at: Instant| {
            let later_ns = ns(at.saturating_duration_since(now.instant));
            Timestamp::from_unix_ns(now.wall.unix_ns().saturating_add(later_ns))
        };
        KernelValue { from: wall(machine.before), to: wall(machine.after), total_ns: self.busy_ns }
    }
}

/// The estimates of one task.
#[derive(Debug)]
pub(super) struct TaskSource {
    limit_cpus: f64,
    /// Of the whole task, if it is wanted.
    whole: Option<Estimated>,
    /// Of the only container beside ESP, with its Docker id.
    only: Option<(String, Estimated)>,
    /// By the last task document: the ids of those that may run.
    may_run: Vec<String>,
    /// The ids of those that have ended, each with the `read` of its last stats.
    stopped: Vec<(String, Option<Timestamp>)>,
    busy: BusyTime,
    events: Vec<(Whose, TaskEvent)>,
}

/// What an estimate is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// All containers of the task.
    Task,
    /// The one with this Docker id.
    Container(String),
}

/// An estimate of these containers together.
#[derive(Debug)]
struct Estimated {
    estimate: TaskEstimate,
    /// Those that have had data: Docker id and the `read` of the last.
    containers: Vec<(String, Timestamp)>,
    /// Those that may have data: nothing else counts.
    listed: Vec<String>,
}

/// What of the task is to be estimated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// All containers together.
    pub(super) is_whole: bool,
    /// The container with this Docker id, if it is the only one beside ESP.
    pub(super) container: Option<&'a str>,
}

/// What comes of the machine's busy time.
#[derive(Debug, Default)]
pub(super) struct FromMachine {
    /// Of the whole task.
    pub(super) whole: Option<TaskReading>,
    /// There are none of it any more, or none yet.
    pub(super) is_whole_over: bool,
    /// Of the container: the value that was read of the machine, and its counter.
    pub(super) container: Option<(KernelValue, u64)>,
    /// There are none of it any more, or none yet.
    pub(super) is_container_over: bool,
}

impl Estimated {
    fn new(limit_cpus: f64, listed: Vec<String>) -> Self {
        let estimate = TaskEstimate::new(limit_cpus, 0);
        Self { estimate, containers: Vec::new(), listed }
    }

    fn set_listed(&mut self, listed: Vec<String>) {
        self.listed = listed;
        let before = self.containers.len();
        self.containers.retain(|(docker_id, _)| self.listed.contains(docker_id));
        if self.containers.len() != before {
            self.estimate.on_containers(self.containers.len());
        }
    }

    fn on_clock_step(&mut self) {
        // Any stamp may follow.
        for (_, read) in &mut self.containers {
            *read = Timestamp::from_unix_ns(0);
        }
        self.estimate.on_clock_step();
    }

    fn on_reading(&mut self, docker_id: &str, read: Timestamp, total_ns: u64) {
        if !self.listed.iter().any(|listed| listed == docker_id) {
            return;
        }
        let known = self.containers.iter().position(|(known, _)| known == docker_id);
        let place = known.unwrap_or_else(|| {
            self.containers.push((docker_id.to_owned(), Timestamp::from_unix_ns(0)));
            self.estimate.on_containers(self.containers.len());
            self.containers.len() - 1
        });
        if self.containers[place].1 < read {
            self.containers[place].1 = read;
            self.estimate.on_endpoint(place, read, total_ns);
        }
    }

    fn progress(&self) -> (u32, bool) {
        (self.estimate.agreed(), self.estimate.is_proven())
    }
}

impl TaskSource {
    /// `None` if nothing is wanted, this task has no machine of its own, or no limit.
    pub(super) fn new(task: &TaskDocument, wanted: Wanted<'_>, now: Now) -> Option<Self> {
        let has_own = task.launch_type().as_deref() == Some(OWN_MACHINE);
        let limit_cpus = task.cpu_limit_vcpu().filter(|_| has_own)?;
        let mut new = Self {
            limit_cpus,
            whole: None,
            only: None,
            may_run: Vec::new(),
            stopped: Vec::new(),
            busy: BusyTime::new(now),
            events: Vec::new(),
        };
        new.on_task(task, wanted).then_some(new)
    }

    /// Another task document of the same task: containers that are gone count no more. Says
    /// whether there is anything to estimate.
    pub(super) fn on_task(&mut self, task: &TaskDocument, wanted: Wanted<'_>) -> bool {
        let limit_cpus = self.limit_cpus;
        let all = listed(task);
        let ids = |is_wanted: fn(&TaskContainer) -> bool| {
            let wanted = task.containers().iter().filter(move |it| is_wanted(it));
            wanted.filter_map(|it| it.docker_id().map(str::to_owned))
        };
        self.may_run = ids(may_run).collect();
        self.stopped = ids(|it| !may_run(it)).map(|docker_id| (docker_id, None)).collect();
        if wanted.is_whole {
            let new = || Estimated::new(limit_cpus, Vec::new());
            self.whole.get_or_insert_with(new).set_listed(all);
        }
        let is_same = |only: &(String, Estimated)| Some(only.0.as_str()) == wanted.container;
        if !self.only.as_ref().is_some_and(is_same) {
            self.only = wanted
                .container
                .map(|id| (id.to_owned(), Estimated::new(limit_cpus, vec![id.to_owned()])));
        }
        self.whole.is_some() || self.only.is_some()
    }

    /// The clock was set.
    pub(super) fn on_clock_step(&mut self) {
        self.estimates().for_each(Estimated::on_clock_step);
    }

    fn estimates(&mut self) -> impl Iterator<Item = &mut Estimated> {
        self.whole.iter_mut().chain(self.only.iter_mut().map(|(_, only)| only))
    }

    /// What the endpoint says of a container. If that is one of which the task document
    /// does not know that it runs, no container is alone with ESP until the next document:
    /// gives the one that was.
    pub(super) fn on_entry(&mut self, docker_id: &str, entry: &Entry) -> Option<String> {
        let Entry::Reading(reading) = entry else { return None };
        if let Some(cpu) = reading.cpu {
            let total_ns = cpu.total_usage_ns;
            self.estimates().for_each(|it| it.on_reading(docker_id, reading.read, total_ns));
        }
        let ended = if self.is_unknown(docker_id, reading.read) { self.only.take() } else { None };
        ended.map(|(docker_id, _)| docker_id)
    }

    /// Whether these stats are of a container that runs, but not by the task document.
    fn is_unknown(&mut self, docker_id: &str, read: Timestamp) -> bool {
        if self.may_run.iter().any(|it| it == docker_id) {
            return false;
        }
        // The endpoint gives the last stats of one that has stopped again and again.
        let stopped = self.stopped.iter_mut().find(|(it, _)| it == docker_id);
        stopped.is_none_or(|(_, last)| *last.get_or_insert(read) < read)
    }

    /// What the machine has been idle. Gives what is to be taken.
    pub(super) fn on_machine(&mut self, machine: MachineReading, now: Now) -> FromMachine {
        let value = self.busy.on_machine(machine, now);
        let mut from = FromMachine::default();
        if let Some(whole) = &mut self.whole {
            let (handed, event) = whole.estimate.on_machine(value);
            from.is_whole_over = !whole.estimate.is_proven();
            self.events.extend(event.map(|event| (Whose::Task, event)));
            let reading = |read, cpu: CpuReading, is_base| {
                let total_ns = cpu.total_usage_ns;
                Some(TaskReading { read, total_ns, is_base })
            };
            from.whole = match handed {
                Handed::Nothing => None,
                Handed::Counter { read, cpu } => reading(read, cpu, false),
                Handed::Base { read, cpu } => reading(read, cpu, true),
            };
        }
        if let Some((docker_id, only)) = &mut self.only {
            let (handed, event) = only.estimate.on_machine(value);
            self.events.extend(event.map(|event| (Whose::Container(docker_id.clone()), event)));
            from.is_container_over = !only.estimate.is_proven();
            if let Handed::Counter { cpu, .. } | Handed::Base { cpu, .. } = handed {
                from.container = Some((value, cpu.total_usage_ns));
            }
        }
        from
    }

    /// The container that is estimated by itself, by its Docker id.
    pub(super) fn container(&self) -> Option<&str> {
        self.only.as_ref().map(|(docker_id, _)| docker_id.as_str())
    }

    /// What there is to tell the operator since the last time.
    pub(super) fn events(&mut self) -> impl Iterator<Item = (Whose, TaskEvent)> {
        self.events.drain(..)
    }

    /// How many comparisons of the whole task agreed, and whether the estimate is used.
    pub(super) fn progress(&self) -> Option<(u32, bool)> {
        self.whole.as_ref().map(Estimated::progress)
    }

    /// The same of the container with this id.
    pub(super) fn progress_of(&self, docker_id: &str) -> Option<(u32, bool)> {
        let only = self.only.as_ref().filter(|(only, _)| only == docker_id);
        only.map(|(_, only)| only.progress())
    }

    /// Whether the task is the same, as far as the estimates depend on it.
    pub(super) fn is_of(&self, task: &TaskDocument) -> bool {
        task.cpu_limit_vcpu() == Some(self.limit_cpus)
    }
}

/// The only container of the task definition beside ESP, if it is measured: its Docker id.
/// `is_own` says whose is ESP's own; if nobody can tell, no container is known to be the
/// other.
///
/// What it does not use must be steady. So there is none beside a sidecar that AWS injects,
/// which works as the application does: Service Connect's proxy, the agent of `GuardDuty`. A pause
/// container only waits.
pub(super) fn only_container<'a>(
    task: &'a TaskDocument,
    measured: &[String],
    is_own: impl Fn(&str) -> bool,
) -> Option<&'a str> {
    let is_own = |it: &&TaskContainer| it.docker_id().is_some_and(&is_own);
    let mut all = task.containers().iter().filter(|it| may_run(it) && !it.is_pause());
    let both = (all.next()?, all.next()?);
    let (None, false) = (all.next(), both.0.is_injected() || both.1.is_injected()) else {
        return None;
    };
    let only = match (is_own(&both.0), is_own(&both.1)) {
        (false, true) => both.0,
        (true, false) => both.1,
        _ => return None,
    };
    let is_measured = only.name().is_some_and(|name| measured.iter().any(|of| of == name));
    only.docker_id().filter(|_| is_measured && !only.is_stopped())
}

/// Whether a container may use CPU until the next task document: one that has ended may be
/// started again under a restart policy.
fn may_run(container: &TaskContainer) -> bool {
    !container.is_stopped() || container.lists_restart_count()
}

/// A hash of which containers may run, measured or not: what is known of one depends on
/// what runs beside it. Their order does not count, which is random on EC2.
pub(super) fn running(task: &TaskDocument) -> u64 {
    let hash = |container: &TaskContainer| {
        let mut hasher = DefaultHasher::new();
        (container.docker_id(), container.name(), container.known_status()).hash(&mut hasher);
        (container.network_mode(), container.is_injected()).hash(&mut hasher);
        hasher.finish()
    };
    let all = task.containers().iter().filter(|it| may_run(it));
    all.map(hash).fold(0, u64::wrapping_add)
}

/// The ids of the containers that have not stopped.
fn listed(task: &TaskDocument) -> Vec<String> {
    let running = task.containers().iter().filter(|it| !TaskContainer::is_stopped(it));
    running.filter_map(|it| it.docker_id().map(str::to_owned)).collect()
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
