//! One container: what the task document says of it, what its last readings were, and
//! what comes of the next one. No other container is looked at here. Whether a reading
//! is new is decided in `freshness`, what its counters come to in `cpu`, `memory`,
//! `network` and `block_io`.

use std::time::{Duration, Instant};

use super::{
    basis::{CpuBasis, Limits, MemoryBasis, percent_of_one_cpu},
    block_io::BlockIoGrowth,
    clock::ClockStep,
    cpu::{Cpu, CpuOutcome, Source},
    event::{Event, Known, unavailable},
    freshness::{Arrival, Freshness, LastSum, Silence},
    growth::{Grown, GrowthWatch, Point, per_second},
    memory::{MEBIBYTE, MemoryRead, percent_of_bytes, with_limits_of, working_set_bytes},
    poll::Poll,
    review::{Patience, Review},
    rhythm::Rhythm,
};
use crate::{
    endpoint::task::{NetworkMode, TaskContainer},
    reading::{Entry, MemoryReading, NetworkReading, Reading},
    sample::{Metric, MetricSet},
    time::{Timestamp, reminder::Reminder},
};

/// What the task document says of a container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Described {
    pub(super) network_mode: Option<NetworkMode>,
    pub(super) cpu_units: Option<f64>,
    pub(super) memory_limit_bytes: Option<u64>,
    pub(super) restart_count: Option<u32>,
    /// `None` if the document does not say.
    pub(super) is_running: Option<bool>,
    pub(super) is_injected: bool,
}

/// A container of the task. All are kept, since the task's own metrics need them; only
/// the measured ones have a `place`.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) docker_id: String,
    pub(super) name: String,
    /// Its place among the measured ones.
    pub(super) place: Option<u16>,
    pub(super) described: Described,
    pub(super) fresh: Freshness,
    pub(super) rhythm: Rhythm,
    /// The number of the last answer that had its id.
    pub(super) visited_in: u64,
    /// Whether the last answer had a reading of it, and the one before did.
    pub(super) has_data: bool,
    /// Something that the task document does not know: it lost its data, or has some although
    /// it had stopped.
    pub(super) has_news: bool,
    /// `read` of that reading, if it was new.
    pub(super) new_read: Option<Timestamp>,
    pub(super) cpu: Cpu,
    pub(super) memory: Option<MemoryReading>,
    pub(super) memory_read: MemoryRead,
    /// Of the last answer; `None` if that had none.
    pub(super) network: Option<NetworkReading>,
    network_growth: GrowthWatch,
    block_io: BlockIoGrowth,
    /// Its part in the task's last sum.
    pub(super) last_sum: LastSum,
    seen: MetricSet,
    pub(super) known: Known,
    /// The operator knows its basis and its cadence.
    is_introduced: bool,
    review: Review,
    malformed: Reminder,
    jumped: Reminder,
}

impl Container {
    pub(super) fn new(docker_id: String, name: String, now: Instant) -> Self {
        Self {
            docker_id,
            name,
            place: None,
            described: Described::default(),
            fresh: Freshness::new(now),
            rhythm: Rhythm::default(),
            visited_in: 0,
            has_data: false,
            has_news: false,
            new_read: None,
            cpu: Cpu::default(),
            memory: None,
            memory_read: MemoryRead::default(),
            network: None,
            network_growth: GrowthWatch::default(),
            block_io: BlockIoGrowth::default(),
            last_sum: LastSum::default(),
            seen: MetricSet::default(),
            known: Known::default(),
            is_introduced: false,
            review: Review::since(now),
            malformed: Reminder::default(),
            jumped: Reminder::default(),
        }
    }

    /// Takes over what the task document says of it. `is_awsvpc` says that the task's
    /// containers share a network, which some documents say of one of them only.
    pub(super) fn describe(&mut self, container: &TaskContainer, is_awsvpc: bool, now: Instant) {
        let own_mode = container.network_mode();
        if self.described.is_running == Some(false) && container.is_running() {
            self.fresh.on_started(now);
        }
        self.described = Described {
            network_mode: if is_awsvpc { Some(NetworkMode::Awsvpc) } else { own_mode },
            cpu_units: container.cpu_reservation_units(),
            memory_limit_bytes: container.memory_limit_bytes(),
            restart_count: container.restart_count(),
            is_running: container.known_status().map(|_| container.is_running()),
            is_injected: container.is_injected(),
        };
        self.known.lists_restart_count = container.lists_restart_count();
        self.fresh.on_described(container.is_stopped());
    }

    /// The time between two of its samples, as far as it is known.
    pub(super) fn cadence(&self) -> Option<Duration> {
        let is_from_kernel = self.cpu.is_from_kernel();
        let kernel = self.fresh.kernel_cadence().filter(|_| is_from_kernel);
        kernel.or(self.fresh.cadence.estimate())
    }

    /// Whether stats of it may come at any time: it runs, or nothing says that it does not.
    pub(super) fn may_have_stats(&self) -> bool {
        !self.fresh.is_stopped()
            && (self.described.is_running.unwrap_or(true) || self.fresh.read.is_some())
    }

    /// Whether its network is the whole task's, so that its counters count once.
    pub(super) fn shares_network(&self) -> bool {
        self.described.network_mode == Some(NetworkMode::Awsvpc)
    }

    /// Whether its memory is read from the kernel, as its CPU time is.
    fn has_memory_of_kernel(&self) -> bool {
        self.cpu.is_from_kernel() && self.memory_read.is_from_kernel()
    }

    /// What 100 % of its CPU is, as far as the documents so far say.
    pub(super) fn cpu_basis(&self, limits: Limits) -> Option<CpuBasis> {
        CpuBasis::choose(limits.cpu_vcpu, self.described.cpu_units, self.cpu.online_cpus)
    }

    /// What 100 % of its memory is. `None` before the first reading, too: the kernel's
    /// limit is part of it.
    pub(super) fn memory_basis(&self, limits: Limits) -> Option<MemoryBasis> {
        MemoryBasis::choose(self.described.memory_limit_bytes, limits.memory_bytes, self.memory?)
    }

    /// The metrics of `wanted` of which no value has come, with the reasons.
    pub(super) fn unseen(&self, wanted: MetricSet, limits: Limits) -> Vec<(Metric, &'static str)> {
        let is_mine = |metric: Metric| {
            if metric.is_of_network() { !self.shares_network() } else { !metric.is_of_task() }
        };
        let mine = wanted.iter().filter(|metric| is_mine(*metric)).collect();
        let known = Known {
            has_cpu_basis: self.cpu_basis(limits).is_some(),
            has_memory_basis: self.memory_basis(limits).is_some(),
            ..self.known
        };
        unavailable(mine, self.seen, known)
    }

    /// The host's clock was set. Says whether that costs a difference: the last value of
    /// the kernel was read before it, and the next is read after it.
    pub(super) fn on_step(&mut self, step: ClockStep) -> bool {
        self.fresh.on_step(step);
        self.rhythm.forget();
        self.memory_read.on_step();
        let is_from_kernel = self.cpu.is_from_kernel();
        if is_from_kernel {
            self.cpu.forget();
        }
        is_from_kernel && self.place.is_some()
    }

    /// Differences over the moment of a step of the clock mean nothing.
    fn forget(&mut self) {
        self.cpu.forget();
        self.network_growth.forget();
        self.block_io.forget();
    }

    /// Takes in the entry that an answer has for it.
    pub(super) fn on_entry(&mut self, entry: Entry, others: Option<Duration>, poll: &mut Poll<'_>) {
        let had_data = std::mem::replace(&mut self.has_data, matches!(entry, Entry::Reading(_)));
        let was_stopped = self.fresh.is_stopped();
        self.has_news = had_data && !self.has_data && !was_stopped;
        self.new_read = None;
        self.network = None;
        let is_measured = self.place.is_some();
        match entry {
            Entry::Reading(reading) => self.on_reading(reading, poll),
            Entry::NoData if is_measured => poll.figures.no_data += 1,
            Entry::Malformed(error) if is_measured => {
                poll.figures.malformed += 1;
                if self.malformed.is_due(poll.now.instant) {
                    let container = self.name.clone();
                    poll.events.push(Event::EntryMalformed { container, error });
                }
            }
            Entry::NoData | Entry::Malformed(_) => {}
        }
        if self.new_read.is_none() {
            self.rhythm.on_nothing_new(poll.asked);
        }
        // It was started again under its id, which the document does not know.
        self.has_news |= was_stopped && !self.fresh.is_stopped();
        let silence = self.fresh.on_answer(poll.now.instant, others);
        if is_measured && self.may_have_stats() {
            let container = || self.name.clone();
            match silence {
                Some(Silence::Began { since }) => {
                    poll.events.push(Event::ContainerSilent { container: container(), since });
                }
                Some(Silence::Ended) => {
                    poll.events.push(Event::ContainerBack { container: container() });
                }
                None => {}
            }
        }
        if is_measured && !self.review.is_done() {
            self.introduce(poll);
            self.review(poll);
        }
    }

    fn on_reading(&mut self, reading: Reading, poll: &mut Poll<'_>) {
        // On awsvpc it is renewed by a clock of its own, and so is not old because the
        // reading is.
        self.network = reading.network;
        let arrival = self.fresh.on_reading(reading.read, poll.now);
        if arrival == Arrival::Repeated {
            if self.place.is_some() {
                poll.figures.duplicates += 1;
            }
            return;
        }
        self.new_read = Some(reading.read);
        let is_next = arrival == Arrival::Next;
        self.rhythm.on_new(reading.read, is_next, poll.is_spared, poll.now);
        self.known.readings = self.known.readings.saturating_add(1);
        if matches!(arrival, Arrival::Alone | Arrival::Undated) {
            self.forget();
            if self.place.is_some() {
                poll.figures.resets += 1;
                poll.clock_set = true;
            }
        }
        let is_first = matches!(arrival, Arrival::First | Arrival::FirstUndated);
        let is_base = !matches!(arrival, Arrival::Undated | Arrival::FirstUndated);
        if is_base {
            self.on_cpu(reading, Source::Endpoint, poll);
        }
        if let Some(of_kernel) = self.memory.filter(|_| self.has_memory_of_kernel()) {
            // Older than the kernel's; but only it has the limits.
            self.memory = reading.memory.map(|limits| with_limits_of(of_kernel, limits));
        } else if !self.memory_read.is_later_than(reading.read) {
            // The first reading may be a replay from before our start; it is a base.
            self.memory = reading.memory;
            if let Some(memory) = reading.memory {
                self.known.has_memory = true;
                self.memory_read.on_endpoint(reading.read);
                if !is_first && self.place.is_some() {
                    self.on_memory(memory, reading.read, poll);
                }
            }
        }
        if self.place.is_some() && is_base {
            self.on_bytes(reading, poll);
        }
    }

    pub(super) fn on_cpu(&mut self, reading: Reading, source: Source, poll: &mut Poll<'_>) {
        let Some(cpu) = reading.cpu else { return };
        self.known.has_cpu = true;
        if reading.is_cpu_base {
            self.cpu.forget();
        }
        let read = reading.read;
        let outcome = self.cpu.on_reading(read, cpu, source);
        if self.place.is_none() {
            return;
        }
        match outcome {
            CpuOutcome::Nothing => {}
            CpuOutcome::Cores(cores) => {
                if let Some(basis) = self.cpu_basis(poll.limits) {
                    self.give(Metric::CpuUtilization, read, basis.percent(cores), poll);
                }
                self.give(Metric::CpuUsage, read, percent_of_one_cpu(cores), poll);
            }
            CpuOutcome::Fell => {
                poll.figures.resets += 1;
                poll.events.push(Event::CounterReset { container: self.name.clone() });
            }
            CpuOutcome::Jumped => {
                poll.figures.resets += 1;
                if self.jumped.is_due(poll.now.instant) {
                    poll.events.push(Event::CounterJumped { container: self.name.clone() });
                }
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "memory has far fewer than 2^53 bytes")]
    pub(super) fn on_memory(
        &mut self,
        memory: MemoryReading,
        read: Timestamp,
        poll: &mut Poll<'_>,
    ) {
        let working_set = working_set_bytes(memory);
        if let Some(basis) = self.memory_basis(poll.limits) {
            let percent = percent_of_bytes(working_set, basis.bytes());
            self.give(Metric::MemoryUtilization, read, percent, poll);
        }
        self.give(Metric::MemoryUtilized, read, working_set as f64 / MEBIBYTE, poll);
    }

    /// The network, if it is the container's own, and block I/O.
    fn on_bytes(&mut self, reading: Reading, poll: &mut Poll<'_>) {
        let read = reading.read;
        if let Some(network) = reading.network.filter(|_| !self.shares_network()) {
            self.known.has_network = true;
            let now = Point { at_ns: read.unix_ns(), totals: network.totals() };
            let outcome = self.network_growth.on_point(now);
            self.give_rates([Metric::NetworkRxBytes, Metric::NetworkTxBytes], read, outcome, poll);
        }
        if let Some(block_io) = reading.block_io {
            let cpu_ns = reading.cpu.map(|cpu| cpu.total_usage_ns);
            let outcome = self.block_io.on_reading(read, block_io, cpu_ns);
            let metrics = [Metric::StorageReadBytes, Metric::StorageWriteBytes];
            self.give_rates(metrics, read, outcome, poll);
        }
    }

    fn give_rates(
        &mut self,
        metrics: [Metric; 2],
        read: Timestamp,
        outcome: Grown,
        poll: &mut Poll<'_>,
    ) {
        match outcome {
            Grown::Nothing => {}
            Grown::Unknown => poll.figures.resets += 1,
            Grown::Grew { since, by } => {
                let elapsed_ns = read.unix_ns().saturating_sub(since.at_ns);
                if elapsed_ns > 0 {
                    for (metric, rate) in metrics.into_iter().zip(per_second(by, elapsed_ns)) {
                        self.give(metric, read, rate, poll);
                    }
                }
            }
        }
    }

    /// Hands out a value of a measured container.
    pub(super) fn give(
        &mut self,
        metric: Metric,
        read: Timestamp,
        value: f64,
        poll: &mut Poll<'_>,
    ) {
        if self.place.is_some() && poll.give(metric, self.place, read, value) {
            self.seen.insert(metric);
        }
    }

    /// Says once what 100 % is, and how often samples come.
    fn introduce(&mut self, poll: &mut Poll<'_>) {
        if self.is_introduced {
            return;
        }
        let Some(cadence) = self.fresh.cadence.estimate() else { return };
        self.is_introduced = true;
        let basis = self.cpu_basis(poll.limits);
        poll.events.push(Event::Measuring { container: self.name.clone(), basis, cadence });
    }

    /// Says once which metrics do not come.
    fn review(&mut self, poll: &mut Poll<'_>) {
        let cadence = self.fresh.cadence.estimate().unwrap_or_default();
        if !self.is_introduced
            || !self.review.is_due(poll.now.instant, cadence, Patience::WITH_CONTAINER)
        {
            return;
        }
        let metrics = self.unseen(poll.wanted, poll.limits);
        if !metrics.is_empty() {
            poll.events.push(Event::Unavailable { container: Some(self.name.clone()), metrics });
        }
    }
}
