//! The kernel beside the endpoint: which containers are looked for, when they are read,
//! and the way of what was read through its proof to the sampler. What is read is in
//! `kernel`, what is believed is decided in `proof`.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use super::task_source::{BusyTime, TaskSource, Wanted, Whose, only_container, running};
use crate::{
    endpoint::task::{NetworkMode, TaskContainer, TaskDocument},
    kernel::{Finding, KernelCounters, KernelReading, NoInterface, NoProcesses, Survey},
    proof::{
        Comparison, ContainerEvent, ContainerValue, KernelValue, ProofState, Proofs, TaskEvent,
    },
    reading::{Entry, Reading},
    sample::{Metric, MetricSet, OwnFigures, Sample},
    sampler::{Event, Sampler, clock::HostClock, parts_of},
    settings::{Settings, SourceChoice},
    time::{Now, Timestamp},
};

/// Processes that were too many are listed again after so long: there may be fewer.
const TOO_MANY_AGAIN: Duration = Duration::from_mins(5);

/// The kernel, the proofs of what it says, and what is wanted of it.
#[derive(Debug)]
pub(crate) struct KernelSource<K> {
    pub(super) kernel: K,
    pub(super) proofs: Proofs,
    clock: HostClock,
    wanted: MetricSet,
    /// ESP's own Docker id, if the endpoint's address has it.
    own_id: Option<String>,
    /// Of the task document that was looked at last: which containers run.
    looked_at: Option<u64>,
    /// When that was.
    last_look: Option<Instant>,
    /// Which network interface is read, or why none; `None` if none is wanted.
    pub(super) interface: Option<Result<String, NoInterface>>,
    /// If the task has a machine of its own, and its containers are not seen one by one.
    pub(super) task: Option<TaskSource>,
    /// The machine beside the endpoint, for a probe.
    comparison: Option<Machine>,
    /// Whether a reading would give anything; or one more has to say that none does.
    is_of_use: bool,
    has_to_end: bool,
    /// What was told of each container, by its Docker id: whether its cgroup file is open,
    /// and whether its processes are summed.
    told: Vec<(String, [bool; 2])>,
    /// What was told of the network and of the task.
    told_rest: Option<ToldRest>,
}

/// Of the network, and of the estimates: whether the task's, and whose container's.
type ToldRest = (Option<Result<String, NoInterface>>, (bool, Option<String>));

/// The machine's busy time beside what the endpoint says.
#[derive(Debug, Default)]
struct Machine {
    busy: Option<BusyTime>,
    comparison: Comparison,
}

impl<K: KernelCounters> KernelSource<K> {
    /// `None` if the kernel is not to be looked at: then it is not opened either.
    pub(crate) fn new(open: impl FnOnce() -> K, settings: &Settings) -> Option<Self> {
        let is_used = settings.source != SourceChoice::Endpoint;
        is_used.then(|| {
            let own_id = settings.endpoint.own_id().map(str::to_owned);
            Self { own_id, ..Self::of(open(), settings.metrics) }
        })
    }

    fn of(kernel: K, wanted: MetricSet) -> Self {
        Self {
            kernel,
            proofs: Proofs::default(),
            clock: HostClock::default(),
            wanted,
            own_id: None,
            looked_at: None,
            last_look: None,
            interface: None,
            task: None,
            comparison: None,
            is_of_use: false,
            has_to_end: false,
            told: Vec::new(),
            told_rest: None,
        }
    }

    /// Looks for the containers of a task document, if it is not the last one again. Says
    /// whether it did.
    pub(crate) fn on_task(&mut self, task: &TaskDocument, measured: &[String], now: Now) -> bool {
        let is_sum = self.wanted.has(Metric::TaskCpuUtilization)
            || self.wanted.has(Metric::TaskMemoryUtilization);
        let is_wanted = |container: &&TaskContainer| {
            container.docker_id().is_some()
                && !container.is_stopped()
                && (is_sum
                    || container.name().is_some_and(|name| measured.iter().any(|it| it == name)))
        };
        let wanted = || task.containers().iter().filter(is_wanted);
        let looks_at = Some(running(task));
        // What was not found may be there by now: a program takes on its user after its
        // start, and processes end.
        let is_found = |it: Finding<'_>| it.file.is_ok();
        let has_too_many = |it: Finding<'_>| {
            it.file.is_err() && matches!(it.sum, Err(NoProcesses::TooMany { .. }))
        };
        let is_long_ago = self
            .last_look
            .is_some_and(|at| now.instant.saturating_duration_since(at) >= TOO_MANY_AGAIN);
        let is_worth_another = (self.kernel.is_shared() && !self.kernel.findings().all(is_found))
            || (is_long_ago && self.kernel.findings().any(has_too_many));
        if self.looked_at == looks_at && !is_worth_another {
            return false;
        }
        self.looked_at = looks_at;
        self.last_look = Some(now.instant);
        self.kernel.look(wanted().filter_map(TaskContainer::docker_id));
        let named = wanted().filter_map(|it| Some((it.docker_id()?, it.name()?)));
        self.proofs.set_containers(named);
        self.interface = self.choose_interface(task);
        self.task = self.task_source(task, measured, now);
        let has_container = self.kernel.findings().any(|it| it.file.is_ok() || it.sum.is_ok());
        let was_of_use = self.is_of_use;
        self.is_of_use = has_container
            || self.comparison.is_some()
            || self.task.is_some()
            || matches!(self.interface, Some(Ok(_)));
        self.has_to_end = was_of_use && !self.is_of_use;
        true
    }

    /// The estimates from the whole machine, if they are wanted and the containers' processes
    /// are not seen: then their own counters are better.
    fn task_source(
        &mut self,
        task: &TaskDocument,
        measured: &[String],
        now: Now,
    ) -> Option<TaskSource> {
        let before = self.task.take();
        let estimated = before.as_ref().and_then(TaskSource::container).map(str::to_owned);
        let has_cpu = self.wanted.has(Metric::CpuUtilization) || self.wanted.has(Metric::CpuUsage);
        let is_own = |docker_id: &str| {
            self.own_id.as_deref() == Some(docker_id)
                || self.kernel.findings().any(|it| it.is_own && it.docker_id == docker_id)
        };
        let wanted = Wanted {
            is_whole: self.wanted.has(Metric::TaskCpuUtilization),
            container: only_container(task, measured, is_own).filter(|_| has_cpu),
        };
        let new = if self.kernel.is_shared() {
            None
        } else if let Some(mut known) = before.filter(|known| known.is_of(task)) {
            known.on_task(task, wanted).then_some(known)
        } else {
            TaskSource::new(task, wanted, now)
        };
        let is_still = |docker_id: &String| {
            new.as_ref().and_then(TaskSource::container) == Some(docker_id.as_str())
        };
        if let Some(docker_id) = estimated.filter(|it| !is_still(it)) {
            self.proofs.on_estimate_over(&docker_id);
        }
        new
    }

    /// The interface of the network that the task's containers share with ESP.
    fn choose_interface(&mut self, task: &TaskDocument) -> Option<Result<String, NoInterface>> {
        let shared = || {
            let containers = task.containers().iter();
            containers.filter(|it| it.network_mode() == Some(NetworkMode::Awsvpc))
        };
        if !self.wanted.iter().any(Metric::is_of_network) || shared().next().is_none() {
            return None;
        }
        let networks = || shared().flat_map(TaskContainer::networks);
        let macs = networks().filter_map(|network| network.mac_address());
        let addresses = networks().flat_map(|network| network.ipv4_addresses().iter().copied());
        Some(self.kernel.choose_interface(macs, addresses).map(str::to_owned))
    }

    /// Whether a reading would give anything.
    pub(crate) const fn is_of_use(&self) -> bool {
        self.is_of_use || self.has_to_end
    }

    /// Reads the kernel. At a tick, what is believed becomes samples; between two ticks the
    /// reading only tells more precisely where a counter was around a renewal.
    pub(crate) fn read(
        &mut self,
        now: Now,
        into: &mut Sampler,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
        is_tick: bool,
    ) {
        self.note_clock(now);
        let Self { kernel, proofs, .. } = self;
        let with_memory = parts_of(self.wanted).memory && is_tick;
        let read = |visit: &mut dyn FnMut(&str, Reading)| {
            proofs.begin_round();
            kernel.read(with_memory, &mut |docker_id, reading| {
                let value = value(reading, now);
                let handed = proofs.on_kernel(docker_id, value, now);
                // In between only what takes back what was said is handed on, and a reading of
                // the endpoint that waited for this value.
                let is_for_now =
                    |it: &Reading| is_tick || it.is_cpu_base || it.read < value.cpu.from;
                if let Some(handed) = handed.filter(is_for_now) {
                    visit(docker_id, handed);
                }
            });
            proofs.end_round(now);
        };
        into.on_kernel(read, now, samples, events);
        if let Some(machine) = &mut self.comparison
            && let Some(reading) = self.kernel.read_machine()
        {
            let busy = machine.busy.get_or_insert_with(|| BusyTime::new(now));
            machine.comparison.on_machine(busy.on_machine(reading, now));
        }
        let kernel = &mut self.kernel;
        if is_tick {
            if let Some(task) = &mut self.task
                && let Some(machine) = kernel.read_machine()
            {
                let from = task.on_machine(machine, now);
                if from.is_whole_over {
                    into.end_task_readings();
                }
                if let Some(reading) = from.whole {
                    into.on_task_reading(reading, now, samples);
                }
                let docker_id = task.container().unwrap_or_default();
                if from.is_container_over {
                    self.proofs.on_estimate_over(docker_id);
                }
                let reading = from.container.and_then(|(value, total_ns)| {
                    self.proofs.on_estimate(docker_id, value, total_ns, now)
                });
                if let Some(reading) = reading {
                    into.on_kernel(|visit| visit(docker_id, reading), now, samples, events);
                }
            } else if self.task.is_none() {
                into.end_task_readings();
            }
            into.on_kernel_network(kernel.read_network(), now, samples);
            self.has_to_end = false;
        }
    }

    /// An entry of the endpoint on its way to the sampler.
    pub(crate) fn on_entry(&mut self, docker_id: &str, entry: Entry, now: Now) -> Entry {
        if let Some(only) = self.task.as_mut().and_then(|task| task.on_entry(docker_id, &entry)) {
            self.proofs.on_estimate_over(&only);
            // The next task document is looked at, even if it is the last one again.
            self.looked_at = None;
        }
        if let (Some(machine), Entry::Reading(reading)) = (&mut self.comparison, &entry)
            && let Some(cpu) = reading.cpu
        {
            machine.comparison.on_endpoint(docker_id, reading.read, cpu.total_usage_ns);
        }
        self.proofs.on_endpoint(docker_id, entry, now)
    }

    /// Compares the clocks before an answer or a reading is taken in.
    pub(crate) fn note_clock(&mut self, now: Now) {
        if let Some(step) = self.clock.on_answer(now) {
            self.proofs.on_clock_step(step.wall, step.by_ns);
            if let Some(task) = &mut self.task {
                task.on_clock_step();
            }
        }
    }

    /// Whether the endpoint has nothing to add, so that it is asked seldom.
    pub(crate) fn spares_endpoint(&self) -> bool {
        let is_network =
            self.wanted.iter().any(Metric::is_of_network) && !matches!(self.interface, Some(Ok(_)));
        let is_block_io = self.wanted.iter().any(Metric::is_of_block_io);
        let is_memory = parts_of(self.wanted).memory;
        self.proofs.are_all_exact(is_memory) && !is_network && !is_block_io
    }

    /// Shows what was found for each container, with its name.
    pub(crate) fn found(&self, mut show: impl FnMut(&str, &Finding<'_>)) {
        for finding in self.kernel.findings() {
            if let Some(name) = self.proofs.name_of(finding.docker_id) {
                show(name, &finding);
            }
        }
    }

    /// The same of those of which that is not what it was.
    pub(crate) fn found_anew(&mut self, mut show: impl FnMut(&str, &Finding<'_>)) {
        let Self { kernel, proofs, told, .. } = self;
        told.retain(|(docker_id, _)| proofs.name_of(docker_id).is_some());
        for finding in kernel.findings() {
            let Some(name) = proofs.name_of(finding.docker_id) else { continue };
            let now = [finding.file.is_ok(), finding.sum.is_ok()];
            match told.iter_mut().find(|(docker_id, _)| docker_id == finding.docker_id) {
                Some((_, before)) if *before == now => continue,
                Some((_, before)) => *before = now,
                None => told.push((finding.docker_id.to_owned(), now)),
            }
            show(name, &finding);
        }
    }

    /// Whether what was found of the network and of the whole task is not what it was.
    pub(crate) fn is_rest_news(&mut self) -> bool {
        let estimated = (self.estimates_task(), self.estimates_container().map(str::to_owned));
        let now = Some((self.interface.clone(), estimated));
        std::mem::replace(&mut self.told_rest, now.clone()) != now
    }

    /// Whether values of a container or more are taken from the kernel.
    pub(crate) fn is_proven(&self) -> bool {
        self.proofs.believed() > 0
    }

    /// What was found for the container with this id, and how far its proof is.
    pub(crate) fn found_of(&self, docker_id: &str) -> (Option<Finding<'_>>, Option<ProofState>) {
        let finding = self.kernel.findings().find(|it| it.docker_id == docker_id);
        (finding, self.proofs.state_of(docker_id))
    }

    /// Which network interface is read, or why none; `None` if none is wanted.
    pub(crate) fn interface(&self) -> Option<Result<&str, NoInterface>> {
        let interface = self.interface.as_ref()?;
        Some(interface.as_ref().map(String::as_str).map_err(|reason| *reason))
    }

    /// From now on the machine's busy time is kept beside what the endpoint says.
    pub(crate) fn compare_machine(&mut self) {
        self.comparison = Some(Machine::default());
    }

    /// What came of that.
    pub(crate) fn compared(&self) -> Option<&Comparison> {
        self.comparison.as_ref().map(|machine| &machine.comparison)
    }

    /// Whether the whole task is estimated from its machine, once that is proven.
    pub(crate) fn estimates_task(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.progress().is_some())
    }

    /// The same of the only container beside ESP: its name.
    pub(crate) fn estimates_container(&self) -> Option<&str> {
        self.proofs.name_of(self.task.as_ref()?.container()?)
    }

    /// What there is to tell the operator since the last time.
    pub(crate) fn events(&mut self) -> impl Iterator<Item = ContainerEvent> {
        self.proofs.events()
    }

    /// The same of the estimates: of the container of this name, or of the whole task.
    pub(crate) fn task_events(&mut self, mut show: impl FnMut(Option<&str>, &TaskEvent)) {
        for (whose, event) in self.task.iter_mut().flat_map(TaskSource::events) {
            match &whose {
                Whose::Task => show(None, &event),
                Whose::Container(docker_id) => show(self.proofs.name_of(docker_id), &event),
            }
        }
    }

    /// What there is to see of the machine; its interfaces beside these addresses.
    pub(crate) fn survey(&mut self, macs: &[&str], addresses: &[Ipv4Addr]) -> Survey {
        self.kernel.survey(macs, addresses)
    }

    /// Its part of ESP's own figures.
    pub(crate) fn figures(&self) -> OwnFigures {
        OwnFigures {
            kernel_containers: u64::try_from(self.proofs.believed()).unwrap_or(u64::MAX),
            kernel_unproven: u64::try_from(self.proofs.unproven()).unwrap_or(u64::MAX),
            kernel_refuted: self.proofs.refuted(),
            ..OwnFigures::default()
        }
    }
}

/// A reading in the time of the wall clock, which the endpoint's stamps have.
fn value(reading: &KernelReading, now: Now) -> ContainerValue {
    let wall = |at: Instant| {
        let later = at.saturating_duration_since(now.instant);
        let later_ns = u64::try_from(later.as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_unix_ns(now.wall.unix_ns().saturating_add(later_ns))
    };
    ContainerValue {
        tier: reading.tier,
        generation: reading.generation,
        cpu: KernelValue {
            from: wall(reading.before),
            to: wall(reading.after),
            total_ns: reading.total_ns,
        },
        memory: reading.memory,
    }
}

#[cfg(test)]
mod tests;
