//! One container: its previous counters, and what comes of the next sample. No
//! other container is looked at here.

use std::time::{Duration, Instant};

use super::{
    event::{Event, Reminder, SamplerFigures, unavailable},
    network::{NetworkOutcome, NetworkRates},
};
use crate::{
    endpoint::task::{NetworkMode, TaskContainer, TaskDocument},
    reading::{BlockIo, BlockIoReading, Entry, MemoryReading, NetworkReading, Reading},
    sample::{
        limits,
        metric::{Metric, MetricSet, Sample},
    },
    sampler::{
        cadence::Cadence,
        utilisation::{
            Counter, CpuBasis, Difference, MEBIBYTE, MemoryBasis, difference, percent_of_bytes,
            working_set_bytes,
        },
    },
    time::timestamp::Timestamp,
};

/// A container is silent after this many cadences without a new sample, but not
/// before [`SILENT_AT_LEAST`].
const SILENT_CADENCES: u32 = 3;
const SILENT_AT_LEAST: Duration = Duration::from_secs(10);

/// How far the host's clock and ours may be apart over one cadence, besides what
/// the polls explain: samples that come late, clocks that are slewed.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(3);
/// How old the first sample may be that is seen of a container.
const FIRST_AGE_MOST: Duration = Duration::from_secs(30);
/// A counter and its `read` are not taken at the very same moment.
const CPUS_TOLERANCE: f64 = 1.1;

/// So long a metric may take to appear (networks on awsvpc take 10 s) before it
/// is said to be missing; in cadences where those are long.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(20);
const UNAVAILABLE_CADENCES: u32 = 3;

/// What is the same for all containers of a task.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskLimits {
    pub(super) cpu_vcpu: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
}

/// Where samples, events and figures go.
#[derive(Debug)]
pub(super) struct Output<'a> {
    pub(super) samples: &'a mut Vec<Sample>,
    pub(super) events: &'a mut Vec<Event>,
    pub(super) figures: &'a mut SamplerFigures,
}

impl Output<'_> {
    pub(super) fn sample(
        &mut self,
        metric: Metric,
        container: Option<u16>,
        read: Timestamp,
        value: f64,
    ) {
        self.figures.samples += 1;
        self.samples.push(Sample { read, value, metric, container });
    }
}

/// What the operator has been told of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    /// Basis and cadence.
    Cadence,
    /// And which metrics do not come.
    All,
}

/// Whose agent writes the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Platform {
    /// And `EXTERNAL`: the open agent.
    Ec2,
    Fargate,
}

/// A container's part of the task's next sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct SinceSum {
    /// `read` of its sample in the last sum.
    pub(super) read: Timestamp,
    /// CPU time since then.
    pub(super) cpu_ns: u64,
    /// Whether some of it is unknown: a counter or the clock went back.
    pub(super) is_broken: bool,
}

/// A container of the task. All are kept, since the task's own metrics need
/// them; only the measured ones have a `place`.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) docker_id: String,
    pub(super) name: String,
    /// Its place among the measured ones.
    pub(super) place: Option<u16>,
    pub(super) network_mode: Option<NetworkMode>,
    pub(super) cpu_units: Option<f64>,
    pub(super) memory_limit_bytes: Option<u64>,
    pub(super) restart_count: Option<u32>,
    /// Stopped containers stay listed for the task's life; theirs is no silence.
    is_stopped: bool,
    /// `read` of the last sample.
    pub(super) read: Option<Timestamp>,
    pub(super) cpu: Option<Counter>,
    pub(super) memory: Option<MemoryReading>,
    /// Of the last sample; `None` where that had none.
    pub(super) network: Option<NetworkReading>,
    /// What it has used since the task's last sum.
    pub(super) since_sum: Option<SinceSum>,
    platform: Platform,
    /// How often its clock has been set; the task's network has to know.
    pub(super) clock_sets: u32,
    /// Whether the last document had a sample of it.
    pub(super) is_present: bool,
    /// The number of the last document that had its id.
    pub(super) visited_in: u64,
    network_rates: NetworkRates,
    block_io: Option<(Timestamp, BlockIoReading)>,
    cadence: Cadence,
    /// What 100 % of its CPU is.
    pub(super) basis: Option<CpuBasis>,
    seen: MetricSet,
    found_at: Instant,
    renewed_at: Instant,
    told: Told,
    is_silent: bool,
    malformed: Reminder,
    clock_set: Reminder,
    /// When the last document was taken in.
    document_at: Instant,
    /// For how long documents have come without a new sample of it.
    unrenewed: Duration,
    /// When the last sample was seen, new or not, and how long before the last
    /// new one that had been.
    polled_at: Instant,
    renewal_gap: Duration,
}

impl Container {
    pub(super) fn new(docker_id: String, name: String, now: Instant) -> Self {
        Self {
            docker_id,
            name,
            place: None,
            network_mode: None,
            cpu_units: None,
            memory_limit_bytes: None,
            restart_count: None,
            is_stopped: false,
            read: None,
            cpu: None,
            memory: None,
            network: None,
            since_sum: None,
            platform: Platform::Ec2,
            clock_sets: 0,
            is_present: false,
            visited_in: 0,
            network_rates: NetworkRates::default(),
            block_io: None,
            cadence: Cadence::default(),
            basis: None,
            seen: MetricSet::default(),
            found_at: now,
            renewed_at: now,
            told: Told::Nothing,
            is_silent: false,
            malformed: Reminder::default(),
            clock_set: Reminder::default(),
            document_at: now,
            unrenewed: Duration::ZERO,
            polled_at: now,
            renewal_gap: Duration::ZERO,
        }
    }

    /// Takes over what the task document says of it.
    pub(super) fn update(&mut self, container: &TaskContainer, task: &TaskDocument) {
        self.cpu_units = container.cpu_reservation_units();
        self.memory_limit_bytes = container.memory_limit_bytes();
        self.restart_count = container.restart_count();
        self.is_stopped = container.is_stopped();
        // Early Fargate has no launch type, but ids of its own form.
        let is_fargate =
            task.launch_type().as_deref() == Some("FARGATE") || self.docker_id.contains('-');
        self.platform = if is_fargate { Platform::Fargate } else { Platform::Ec2 };
        // Fargate knows no other mode; and on awsvpc the whole task is, even
        // where a container's own `Networks` is null.
        let is_awsvpc = is_fargate
            || task.containers().iter().any(|c| c.network_mode() == Some(NetworkMode::Awsvpc));
        self.network_mode =
            if is_awsvpc { Some(NetworkMode::Awsvpc) } else { container.network_mode() };
    }

    /// Whether its network counters are renewed every 10 s, whatever its samples
    /// do: on awsvpc EC2.
    pub(super) fn has_held_network(&self) -> bool {
        self.network_mode == Some(NetworkMode::Awsvpc) && self.platform == Platform::Ec2
    }

    /// Whether a sum of the task has to wait for it: it had a sample, has not
    /// ended and has not fallen silent.
    pub(super) fn is_counted(&self) -> bool {
        self.read.is_some() && !self.is_stopped && !self.is_silent
    }

    pub(super) fn cadence(&self) -> Option<Duration> {
        self.cadence.estimate()
    }

    /// The metrics of `wanted` of which no value has come, with the reasons.
    pub(super) fn unseen(&self, wanted: MetricSet) -> Vec<(Metric, &'static str)> {
        let is_awsvpc = self.network_mode == Some(NetworkMode::Awsvpc);
        let mine = wanted
            .iter()
            .filter(|metric| if metric.is_of_network() { !is_awsvpc } else { !metric.is_of_task() })
            .collect();
        unavailable(mine, self.seen, self.basis.is_some())
    }

    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Takes in the entry that the document has for it.
    pub(super) fn on_entry(
        &mut self,
        entry: Entry,
        limits: TaskLimits,
        wanted: MetricSet,
        now: Instant,
        output: &mut Output<'_>,
    ) {
        self.is_present = matches!(entry, Entry::Reading(_));
        let is_measured = self.place.is_some();
        match entry {
            Entry::Reading(stats) => {
                self.on_sample(stats, limits, wanted, now, output);
                // A poll without data says nothing of when a sample was new.
                self.polled_at = now;
            }
            Entry::NoData if is_measured => output.figures.no_data += 1,
            Entry::Malformed(error) if is_measured => {
                output.figures.malformed += 1;
                if self.malformed.is_due(now) {
                    let container = self.name.clone();
                    output.events.push(Event::EntryMalformed { container, error });
                }
            }
            Entry::NoData | Entry::Malformed(_) => {}
        }
        self.note_silence(now, output.events);
        if is_measured {
            self.review(wanted, now, output.events);
        }
        self.document_at = now;
    }

    fn on_sample(
        &mut self,
        stats: Reading,
        limits: TaskLimits,
        wanted: MetricSet,
        now: Instant,
        output: &mut Output<'_>,
    ) {
        let is_first = self.read.is_none();
        match self.read.map(|previous| stats.read.ns_since(previous)) {
            None => {}
            Some(Some(0)) => {
                if self.place.is_some() {
                    output.figures.duplicates += 1;
                }
                return;
            }
            Some(Some(interval_ns)) if self.is_plausible(interval_ns, now) => {
                self.cadence.observe(interval_ns);
            }
            Some(_) => self.on_clock_set(now, output),
        }
        self.read = Some(stats.read);
        // A restart under its id comes before the task document says so.
        self.is_stopped = false;
        self.renewal_gap =
            if is_first { FIRST_AGE_MOST } else { now.saturating_duration_since(self.polled_at) };
        self.renewed_at = now;
        self.unrenewed = Duration::ZERO;
        self.basis = CpuBasis::choose(
            limits.cpu_vcpu,
            self.cpu_units,
            stats.cpu.and_then(|cpu| cpu.online_cpus),
        )
        .or(self.basis);

        self.on_cpu(stats, wanted, output);
        self.memory = stats.memory;
        self.network = stats.network;
        // The first sample may be a replay from before our start; it is a base.
        if let Some(memory) = stats.memory.filter(|_| !is_first) {
            self.on_memory(memory, stats.read, limits, wanted, output);
        }
        if self.network_mode != Some(NetworkMode::Awsvpc)
            && let Some(network) = stats.network
        {
            let outcome = self.network_rates.on_sample(stats.read, network, false);
            if outcome == NetworkOutcome::Reset && self.place.is_some() {
                output.figures.resets += 1;
            }
            for (metric, until, value) in outcome.values() {
                self.give(metric, until, value, wanted, output);
            }
        }
        if let Some(block_io) = stats.block_io {
            self.on_block_io(block_io, stats.read, wanted, output);
        }
        self.introduce(output.events);
    }

    fn on_cpu(&mut self, stats: Reading, wanted: MetricSet, output: &mut Output<'_>) {
        let Some(cpu) = stats.cpu else {
            // Its part of the sum that this sample is in is not known.
            if let Some(since) = self.since_sum.as_mut().filter(|_| self.cpu.is_some()) {
                since.is_broken = true;
            }
            return;
        };
        let current = Counter { read: stats.read, total: cpu.total_usage_ns };
        let Some(previous) = self.cpu.replace(current) else { return };
        let difference = difference(previous, current);
        // More than all CPUs: the clock was set within a cadence.
        let most = cpu.online_cpus.map_or(f64::INFINITY, |cpus| CPUS_TOLERANCE * f64::from(cpus));
        if matches!(difference, Difference::PerNs(cores) if cores > most) {
            self.on_clock_set(self.renewed_at, output);
            self.cpu = Some(current);
            return;
        }
        if let Some(since) = &mut self.since_sum {
            match current.total.checked_sub(previous.total) {
                Some(used) if previous.read >= since.read => {
                    since.cpu_ns = since.cpu_ns.saturating_add(used);
                }
                _ => since.is_broken = true,
            }
        }
        match difference {
            Difference::PerNs(cores) => {
                if let Some(basis) = self.basis {
                    let percent = basis.percent(cores);
                    self.give(Metric::CpuUtilization, stats.read, percent, wanted, output);
                }
                self.give(Metric::CpuUsage, stats.read, 100.0 * cores, wanted, output);
            }
            Difference::CounterReset if self.place.is_some() => {
                output.figures.resets += 1;
                output.events.push(Event::CounterReset { container: self.name.clone() });
            }
            // The clock has been dealt with, and duplicates do not come here.
            Difference::CounterReset | Difference::Duplicate | Difference::ClockSetBack => {}
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "memory has far fewer than 2^53 bytes")]
    fn on_memory(
        &mut self,
        memory: MemoryReading,
        read: Timestamp,
        limits: TaskLimits,
        wanted: MetricSet,
        output: &mut Output<'_>,
    ) {
        let working_set = working_set_bytes(memory);
        let basis = MemoryBasis::choose(self.memory_limit_bytes, limits.memory_bytes, memory);
        if let Some(basis) = basis {
            let percent = percent_of_bytes(working_set, basis.bytes());
            self.give(Metric::MemoryUtilization, read, percent, wanted, output);
        }
        let megabytes = working_set as f64 / MEBIBYTE;
        self.give(Metric::MemoryUtilized, read, megabytes, wanted, output);
    }

    fn on_block_io(
        &mut self,
        block_io: BlockIo,
        read: Timestamp,
        wanted: MetricSet,
        output: &mut Output<'_>,
    ) {
        let BlockIo::Listed(current) = block_io else {
            // Before the first list nothing was counted; after one it is gone.
            let is_first = self.block_io.is_none_or(|(_, it)| it == BlockIoReading::default());
            self.block_io = is_first.then_some((read, BlockIoReading::default()));
            return;
        };
        let Some((base_read, base)) = self.block_io.replace((read, current)) else { return };
        let Some(bytes) = current.since(&base) else {
            output.figures.resets += u64::from(self.place.is_some());
            return;
        };
        for (metric, total) in
            [(Metric::StorageReadBytes, bytes.read), (Metric::StorageWriteBytes, bytes.written)]
        {
            let base = Counter { read: base_read, total: 0 };
            if let Difference::PerNs(rate) = difference(base, Counter { read, total }) {
                self.give(metric, read, rate * 1e9, wanted, output);
            }
        }
    }

    /// Hands out a value, if it is this container's turn and somebody wants it.
    pub(super) fn give(
        &mut self,
        metric: Metric,
        read: Timestamp,
        value: f64,
        wanted: MetricSet,
        output: &mut Output<'_>,
    ) {
        if self.place.is_none() || !limits::is_value(value) {
            return;
        }
        self.seen.insert(metric);
        if wanted.has(metric) {
            output.sample(metric, self.place, read, value);
        }
    }

    /// Whether the time between two `read`s agrees with the time between the
    /// polls that brought them: each sample was new at some time since the poll
    /// before, and a little late perhaps.
    fn is_plausible(&self, interval_ns: u64, now: Instant) -> bool {
        let interval = Duration::from_nanos(interval_ns);
        let seen = now.saturating_duration_since(self.renewed_at);
        let gap = now.saturating_duration_since(self.polled_at);
        let tolerance = gap + self.renewal_gap + CLOCK_TOLERANCE;
        interval.abs_diff(seen) <= tolerance
    }

    /// The host's clock was set: no difference over that moment means anything.
    fn on_clock_set(&mut self, now: Instant, output: &mut Output<'_>) {
        self.cpu = None;
        self.block_io = None;
        self.network_rates.forget();
        self.clock_sets = self.clock_sets.wrapping_add(1);
        if let Some(since) = &mut self.since_sum {
            since.is_broken = true;
        }
        if self.place.is_some() {
            output.figures.resets += 1;
            if self.clock_set.is_due(now) {
                output.events.push(Event::ClockSet { container: self.name.clone() });
            }
        }
    }

    fn introduce(&mut self, events: &mut Vec<Event>) {
        if self.told != Told::Nothing || self.place.is_none() {
            return;
        }
        let Some(cadence) = self.cadence.estimate() else { return };
        self.told = Told::Cadence;
        events.push(Event::Measuring { container: self.name.clone(), basis: self.basis, cadence });
    }

    fn note_silence(&mut self, now: Instant, events: &mut Vec<Event>) {
        let since = now.saturating_duration_since(self.renewed_at);
        let cadence = self.cadence.estimate().unwrap_or_default();
        let patience = cadence * SILENT_CADENCES;
        // An endpoint that was away makes no container silent.
        if !since.is_zero() {
            let gap = now.saturating_duration_since(self.document_at);
            self.unrenewed += gap.min(cadence.max(SILENT_AT_LEAST / 2));
        }
        let was_silent = self.is_silent;
        self.is_silent = self.unrenewed > patience.max(SILENT_AT_LEAST) && !self.is_stopped;
        if self.place.is_none() || self.is_stopped {
            return;
        }
        let container = || self.name.clone();
        if self.is_silent && !was_silent {
            events.push(Event::ContainerSilent { container: container(), since });
        } else if was_silent && !self.is_silent {
            events.push(Event::ContainerBack { container: container() });
        }
    }

    /// Says once which metrics do not come.
    fn review(&mut self, wanted: MetricSet, now: Instant, events: &mut Vec<Event>) {
        if self.told != Told::Cadence {
            return;
        }
        let patience = self.cadence.estimate().unwrap_or_default() * UNAVAILABLE_CADENCES;
        if now.saturating_duration_since(self.found_at) < patience.max(UNAVAILABLE_AFTER) {
            return;
        }
        self.told = Told::All;
        let metrics = self.unseen(wanted);
        if !metrics.is_empty() {
            events.push(Event::Unavailable { container: Some(self.name.clone()), metrics });
        }
    }
}
