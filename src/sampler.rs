//! From the endpoint's documents to samples: a state machine that is handed
//! documents and the time, and hands back samples and events. It keeps the
//! previous counters, notices what changed, and says when `/task` has to be
//! read again. It does no I/O, reads no clock and writes no log.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use crate::{
    cadence::Cadence,
    metric::{Metric, Sample},
    stats::{ContainerStats, Entry, EntryError, StatsError, StatsParser},
    task::{TaskContainer, TaskDocument},
    utilisation::{CpuBasis, CpuCounter, CpuDifference, cpu_difference},
};

/// Between two readings of `/task` while the container has no Docker id yet:
/// doubled each time, since its id shows up in `/task/stats` anyway.
const TASK_PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause, and the one while a container is silent.
const TASK_PAUSE_MOST: Duration = Duration::from_secs(30);
/// How often a lasting trouble is said again.
const REMINDER: Duration = Duration::from_mins(1);
/// A container is silent after this many cadences without a new sample, but not
/// before [`SILENT_AT_LEAST`].
const SILENT_CADENCES: u32 = 3;
const SILENT_AT_LEAST: Duration = Duration::from_secs(10);

/// Something to tell the operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The container has been found in the task, or replaced under its name.
    ContainerFound {
        /// Its id.
        docker_id: String,
        /// Whether it takes the place of another id.
        replaced: bool,
    },
    /// The task has no container of that name; said again each minute.
    ContainerMissing {
        /// The names that it has, without those of ECS's own containers.
        names: Vec<String>,
    },
    /// It is known how often samples come and what 100 % is.
    Measuring {
        /// What 100 % is.
        basis: CpuBasis,
        /// The time between samples.
        cadence: Duration,
    },
    /// The platform gives neither a limit, nor a reservation, nor a number of
    /// CPUs: no percentage can be right, so none is published.
    NoBasis,
    /// The counter fell: the container was restarted. One difference dropped.
    CounterReset,
    /// The host's clock was set back. One difference dropped.
    ClockSetBack,
    /// No new sample for this long.
    ContainerSilent {
        /// Since the last one.
        since: Duration,
    },
    /// Samples come again.
    ContainerBack,
    /// The container's entry could not be read; at most once a minute.
    EntryMalformed {
        /// What is wrong with it.
        error: EntryError,
    },
}

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SamplerFigures {
    /// Samples handed out.
    pub samples: u64,
    /// Polls that brought the sample of the poll before.
    pub duplicates: u64,
    /// Polls in which the container had no data.
    pub no_data: u64,
    /// Differences dropped because the counter or the clock went back.
    pub resets: u64,
    /// Entries of the container that could not be read.
    pub malformed: u64,
    /// Samples for which there was no basis.
    pub no_basis: u64,
}

/// The state machine.
#[derive(Debug)]
pub struct Sampler {
    container_name: String,
    parser: StatsParser,
    target: Option<Target>,
    /// All ids of the last `/task`.
    known_ids: Vec<String>,
    /// A hash over the ids in `/task/stats` that `/task` did not have; 0: none.
    unknown_ids: u64,
    /// The `unknown_ids` for which `/task` has been read without learning more.
    tolerated_ids: u64,
    task_read_at: Option<Instant>,
    task_pause: Duration,
    missing: Reminder,
    malformed: Reminder,
    figures: SamplerFigures,
}

/// The container that is measured.
#[derive(Debug)]
struct Target {
    docker_id: String,
    task_limit_vcpu: Option<f64>,
    reservation_cpu_units: Option<f64>,
    previous: Option<CpuCounter>,
    cadence: Cadence,
    basis: Option<CpuBasis>,
    /// Whether [`Event::Measuring`] or [`Event::NoBasis`] has been said.
    introduced: bool,
    renewed_at: Instant,
    is_silent: bool,
}

impl Sampler {
    /// Will measure the container of this name.
    #[must_use]
    pub fn new(container_name: String) -> Self {
        Self {
            container_name,
            parser: StatsParser::new(),
            target: None,
            known_ids: Vec::new(),
            unknown_ids: 0,
            tolerated_ids: 0,
            task_read_at: None,
            task_pause: TASK_PAUSE_FIRST,
            missing: Reminder::default(),
            malformed: Reminder::default(),
            figures: SamplerFigures::default(),
        }
    }

    /// Whether `/task` has to be read before the next `/task/stats`: at the
    /// start, when an id turns up that it did not have, and while the container
    /// is missing or silent.
    #[must_use]
    pub fn wants_task(&self, now: Instant) -> bool {
        let Some(read_at) = self.task_read_at else { return true };
        let since = now.saturating_duration_since(read_at);
        match &self.target {
            _ if self.unknown_ids != self.tolerated_ids => since >= TASK_PAUSE_FIRST,
            None => since >= self.task_pause,
            Some(target) => target.is_silent && since >= TASK_PAUSE_MOST,
        }
    }

    /// Takes in a task document.
    pub fn on_task(&mut self, task: &TaskDocument, now: Instant, events: &mut Vec<Event>) {
        self.task_read_at = Some(now);
        self.tolerated_ids = self.unknown_ids;
        self.known_ids.clear();
        let ids = task.containers().iter().filter_map(TaskContainer::docker_id);
        self.known_ids.extend(ids.map(str::to_owned));

        let Some((container, docker_id)) = find(task, &self.container_name) else {
            if self.target.is_none() {
                self.on_missing(task, now, events);
            }
            return;
        };
        self.task_pause = TASK_PAUSE_FIRST;
        self.missing = Reminder::default();
        let known = self.target.take();
        let replaced = known.is_some();
        let mut target = if let Some(target) = known.filter(|target| target.docker_id == docker_id)
        {
            target
        } else {
            events.push(Event::ContainerFound { docker_id: docker_id.to_owned(), replaced });
            Target::new(docker_id.to_owned(), now)
        };
        target.task_limit_vcpu = task.cpu_limit_vcpu();
        target.reservation_cpu_units = container.cpu_reservation_units();
        self.target = Some(target);
    }

    fn on_missing(&mut self, task: &TaskDocument, now: Instant, events: &mut Vec<Event>) {
        let containers = task.containers();
        let is_pulling = containers.iter().any(|c| c.name() == Some(&self.container_name));
        if !is_pulling && self.missing.is_due(now) {
            let users = containers.iter().filter(|container| !container.is_internal());
            let mut names: Vec<_> = users.filter_map(|c| c.name().map(str::to_owned)).collect();
            // On EC2 the order is random; a message should not be.
            names.sort();
            events.push(Event::ContainerMissing { names });
        }
        if self.task_read_at.is_some() {
            self.task_pause = (self.task_pause * 2).min(TASK_PAUSE_MOST);
        }
    }

    /// Takes in the body of `/task/stats`, which it scribbles over, and appends
    /// what is new to `samples`.
    ///
    /// # Errors
    ///
    /// [`StatsError`] where the document as a whole cannot be read; the state
    /// is then what it was.
    pub fn on_stats(
        &mut self,
        body: &mut [u8],
        now: Instant,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
    ) -> Result<(), StatsError> {
        let (target, known_ids) = (&self.target, &self.known_ids);
        let mut unknown_ids = 0;
        let mut found = Entry::NoData;
        self.parser.parse(body, |docker_id, entry| {
            if target.as_ref().is_some_and(|target| target.docker_id == docker_id) {
                found = entry;
            } else if !known_ids.iter().any(|known| known == docker_id) {
                // The order on EC2 is random, so the sum must not depend on it.
                unknown_ids = hash(docker_id).wrapping_add(unknown_ids);
            }
        })?;
        self.unknown_ids = unknown_ids;
        let Some(target) = &mut self.target else { return Ok(()) };
        match found {
            Entry::Sample(stats) => {
                if let Some(value) = target.on_sample(stats, now, &mut self.figures, events) {
                    samples.push(Sample {
                        metric: Metric::CpuUtilization,
                        read: stats.read,
                        value,
                    });
                }
            }
            Entry::NoData => self.figures.no_data += 1,
            Entry::Malformed(error) => {
                self.figures.malformed += 1;
                if self.malformed.is_due(now) {
                    events.push(Event::EntryMalformed { error });
                }
            }
        }
        target.note_silence(now, events);
        Ok(())
    }

    /// How often the container's samples are renewed, once that is known.
    #[must_use]
    pub fn cadence(&self) -> Option<Duration> {
        self.target.as_ref()?.cadence.estimate()
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn figures(&self) -> SamplerFigures {
        self.figures
    }
}

impl Target {
    fn new(docker_id: String, now: Instant) -> Self {
        Self {
            docker_id,
            task_limit_vcpu: None,
            reservation_cpu_units: None,
            previous: None,
            cadence: Cadence::default(),
            basis: None,
            introduced: false,
            renewed_at: now,
            is_silent: false,
        }
    }

    /// The percentage since the previous sample, where there is one to be had.
    fn on_sample(
        &mut self,
        stats: ContainerStats,
        now: Instant,
        figures: &mut SamplerFigures,
        events: &mut Vec<Event>,
    ) -> Option<f64> {
        let Some(cpu) = stats.cpu else {
            figures.no_data += 1;
            return None;
        };
        let current = CpuCounter { read: stats.read, total_usage_ns: cpu.total_usage_ns };
        let Some(previous) = self.previous else {
            self.previous = Some(current);
            self.renewed_at = now;
            return None;
        };
        let difference = cpu_difference(previous, current);
        if difference == CpuDifference::Duplicate {
            figures.duplicates += 1;
            return None;
        }
        self.previous = Some(current);
        self.renewed_at = now;
        if let Some(interval_ns) = current.read.ns_since(previous.read) {
            self.cadence.observe(interval_ns);
        }
        self.basis =
            CpuBasis::choose(self.task_limit_vcpu, self.reservation_cpu_units, cpu.online_cpus);
        self.introduce(events);
        match (difference, self.basis) {
            (CpuDifference::Cores(cores), Some(basis)) => {
                figures.samples += 1;
                Some(basis.percent(cores))
            }
            (CpuDifference::Cores(_), None) => {
                figures.no_basis += 1;
                None
            }
            (CpuDifference::CounterReset, _) => {
                figures.resets += 1;
                events.push(Event::CounterReset);
                None
            }
            (CpuDifference::ClockSetBack, _) => {
                figures.resets += 1;
                events.push(Event::ClockSetBack);
                None
            }
            (CpuDifference::Duplicate, _) => None,
        }
    }

    fn introduce(&mut self, events: &mut Vec<Event>) {
        let Some(cadence) = self.cadence.estimate().filter(|_| !self.introduced) else { return };
        self.introduced = true;
        events.push(match self.basis {
            Some(basis) => Event::Measuring { basis, cadence },
            None => Event::NoBasis,
        });
    }

    fn note_silence(&mut self, now: Instant, events: &mut Vec<Event>) {
        let since = now.saturating_duration_since(self.renewed_at);
        let patience = self.cadence.estimate().unwrap_or_default() * SILENT_CADENCES;
        let is_silent = since > patience.max(SILENT_AT_LEAST);
        if is_silent && !self.is_silent {
            events.push(Event::ContainerSilent { since });
        } else if self.is_silent && !is_silent {
            events.push(Event::ContainerBack);
        }
        self.is_silent = is_silent;
    }
}

/// The container of that name that has an id; of several the one that runs.
fn find<'task>(
    task: &'task TaskDocument,
    name: &str,
) -> Option<(&'task TaskContainer, &'task str)> {
    task.containers()
        .iter()
        .filter(|container| container.name() == Some(name))
        .filter_map(|container| Some((container, container.docker_id()?)))
        .max_by_key(|(container, _)| container.is_running())
}

fn hash(docker_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    docker_id.hash(&mut hasher);
    hasher.finish()
}

/// Lets a message through at once and then once a minute.
#[derive(Clone, Copy, Debug, Default)]
struct Reminder {
    last: Option<Instant>,
}

impl Reminder {
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= REMINDER);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
#[path = "sampler/tests.rs"]
mod tests;
