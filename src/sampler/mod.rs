//! From readings to samples: a state machine that is handed the readings of a source,
//! task documents and the time, and hands back samples and events. It does no I/O,
//! reads no clock and writes no log.
//!
//! Whether a reading is new is decided in `freshness`, by the `clock` if that was set.
//! What it comes to is decided in a file for each kind of counter (`cpu`, `memory`,
//! `network`, `block_io`), what 100 % is in `basis`, and what the whole task comes to
//! in `sums`. Which containers are measured is decided in `places`, and when the task
//! document has to be read again in `task_pace`. When a container's next reading is due
//! is learned in `rhythm`; when the endpoint is asked is decided in `asking`, and when
//! the kernel is read in `watching`. When it is said that a metric does not come is
//! decided in `review`.

pub mod asking;
pub mod basis;
mod block_io;
pub mod cadence;
pub(crate) mod clock;
mod container;
pub mod cpu;
mod event;
mod freshness;
mod growth;
mod inspection;
mod kernel;
mod memory;
mod network;
mod places;
mod poll;
mod renewal;
mod review;
mod rhythm;
mod sums;
mod task_pace;
pub mod warm_up;
pub mod watching;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use self::{
    basis::Limits, clock::HostClock, container::Container, network::TaskNetwork, places::Places,
    poll::Poll, review::Review, sums::Sums, task_pace::TaskPace,
};
pub use self::{event::Event, inspection::Unseen, places::Selection, rhythm::Rhythm};
use crate::{
    endpoint::task::{BadField, NetworkMode, TaskContainer, TaskDocument},
    reading::{Entry, Parts},
    sample::{Metric, MetricSet, OwnFigures, Sample},
    time::{Now, reminder::Reminder},
};

/// The state machine.
#[derive(Debug)]
pub struct Sampler {
    wanted: MetricSet,
    /// By Docker id, so that ten thousand of them are found as well as three.
    containers: Vec<Container>,
    places: Places,
    limits: Limits,
    clock: HostClock,
    clock_set: Reminder,
    /// The longest cadence, for containers whose own is not known yet.
    cadence: Option<Duration>,
    network: TaskNetwork,
    sums: Sums,
    pace: TaskPace,
    /// The fields of the last task document that could not be read.
    bad_fields: Vec<BadField>,
    /// Whether the last task document has `EphemeralStorageMetrics`, readable or not.
    lists_storage: bool,
    /// The metrics of the task of which there was a value.
    seen: MetricSet,
    review: Review,
    /// When the next answer was asked for.
    asked_at: Option<Instant>,
    is_spared: bool,
    /// Answers taken in.
    answers: u64,
    figures: OwnFigures,
}

impl Sampler {
    /// Will measure `wanted` of the selected containers and of the task.
    #[must_use]
    pub fn new(selection: Selection, wanted: MetricSet) -> Self {
        Self {
            wanted,
            containers: Vec::new(),
            places: Places::new(selection),
            limits: Limits::default(),
            clock: HostClock::default(),
            clock_set: Reminder::default(),
            cadence: None,
            network: TaskNetwork::default(),
            sums: Sums::default(),
            pace: TaskPace::default(),
            bad_fields: Vec::new(),
            lists_storage: false,
            seen: MetricSet::default(),
            review: Review::default(),
            asked_at: None,
            is_spared: false,
            answers: 0,
            figures: OwnFigures::default(),
        }
    }

    /// Whether `/task` has to be read before the next answer of a source.
    #[must_use]
    pub fn wants_task(&self, now: Instant) -> bool {
        let is_source = self.wanted.iter().any(Metric::is_from_task_document);
        // The mode decides whose the network is; it may come later.
        let is_network = self.wanted.iter().any(Metric::is_of_network);
        self.pace.is_due(now, || {
            is_source
                || self.containers.iter().any(|container| {
                    let is_unconnected = container.described.network_mode.is_none();
                    (container.fresh.is_silent() && !container.fresh.is_stopped())
                        || (is_network && is_unconnected)
                })
        })
    }

    /// `/task` could not be read.
    pub fn on_task_failed(&mut self, now: Instant) {
        self.pace.on_failed(now);
    }

    /// Whether a task document has been taken in.
    #[must_use]
    pub fn knows_task(&self) -> bool {
        self.pace.has_read()
    }

    /// Takes in a task document. The wall clock stamps the metrics that are its own.
    pub fn on_task(
        &mut self,
        task: &TaskDocument,
        now: Now,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
    ) {
        self.limits =
            Limits { cpu_vcpu: task.cpu_limit_vcpu(), memory_bytes: task.memory_limit_bytes() };
        if self.bad_fields != task.bad_fields() {
            self.bad_fields = task.bad_fields().to_vec();
            if !self.bad_fields.is_empty() {
                let fields = self.bad_fields.iter().map(ToString::to_string).collect();
                events.push(Event::TaskFieldsMalformed { fields });
            }
        }
        self.lists_storage = task.lists_ephemeral_storage();
        let gone = self.update_containers(task, now.instant);
        self.places.assign(task, &mut self.containers, &gone, events);
        let is_incomplete = self.places.are_incomplete(task, &self.containers, now.instant, events);
        let is_starting =
            Sums::are_wanted(self.wanted) && self.containers.iter().any(sums::is_starting);
        self.pace.on_read(now.instant, is_incomplete, is_starting);

        let Self { containers, limits, wanted, figures, .. } = self;
        let mut poll = Poll::at(now, *wanted, *limits, samples, events, figures);
        if let Some(percent) = task.ephemeral_storage_percent() {
            let metric = Metric::EphemeralStorageUtilization;
            if poll.give(metric, None, now.wall, percent) {
                self.seen.insert(metric);
            }
        }
        for container in containers.iter_mut() {
            if let Some(count) = container.described.restart_count {
                container.give(Metric::RestartCount, now.wall, f64::from(count), &mut poll);
            }
        }
        // One that has stopped is waited for no more.
        self.seen = self.seen.or(self.sums.on_answer(containers, &mut poll));
    }

    /// Takes over which containers there are, and gives those that are gone.
    fn update_containers(&mut self, task: &TaskDocument, now: Instant) -> Vec<Container> {
        // On awsvpc the whole task is, even if a container's own `Networks` is null.
        let says_awsvpc = |c: &TaskContainer| c.network_mode() == Some(NetworkMode::Awsvpc);
        let is_awsvpc = task.containers().iter().any(says_awsvpc);
        let mut known = std::mem::take(&mut self.containers);
        for described in task.containers() {
            let (Some(docker_id), Some(name)) = (described.docker_id(), described.name()) else {
                continue;
            };
            let mut container = match position_of(&known, docker_id) {
                Some(position) => known.remove(position),
                None => Container::new(docker_id.to_owned(), name.to_owned(), now),
            };
            container.describe(described, is_awsvpc, now);
            self.containers.push(container);
        }
        self.containers.sort_by(|a, b| a.docker_id.cmp(&b.docker_id));
        self.containers.dedup_by(|a, b| a.docker_id == b.docker_id);
        known
    }

    /// The next answer is asked for at `at`. What it shows was read between then and the
    /// moment at which it comes.
    pub fn on_asked(&mut self, at: Instant) {
        self.asked_at = Some(at);
    }

    /// Takes in one answer of a source and appends what is new to `samples`. `read`
    /// is handed a function and calls it with each container's id and entry.
    ///
    /// # Errors
    ///
    /// That of `read`, if the answer as a whole cannot be read. It has then called
    /// nothing, and no container is the wiser.
    pub fn on_readings<E>(
        &mut self,
        read: impl FnOnce(&mut dyn FnMut(&str, Entry)) -> Result<(), E>,
        now: Now,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
    ) -> Result<(), E> {
        let answer = self.answers.wrapping_add(1);
        let asked = self.asked_at.take().unwrap_or(now.instant);
        let step = self.take_step(now);
        let Self { containers, limits, wanted, figures, cadence, pace, .. } = self;
        let mut poll = Poll::at(now, *wanted, *limits, samples, events, figures)
            .asked_for(asked, self.is_spared)
            .after_step(step.is_some_and(|step| step.has_cost));
        let mut has_strangers = false;
        read(&mut |docker_id, entry| {
            match position_of(containers, docker_id) {
                // An id that stands twice would be its own past or future: the
                // first counts.
                Some(position) if containers[position].visited_in == answer => {}
                Some(position) => {
                    let container = &mut containers[position];
                    container.visited_in = answer;
                    container.on_entry(entry, *cadence, &mut poll);
                }
                None => {
                    has_strangers = true;
                    pace.on_stranger(hash(docker_id));
                }
            }
        })?;
        let mut has_news = false;
        let mut longest = None;
        for container in containers.iter_mut() {
            if container.visited_in != answer {
                container.on_entry(Entry::NoData, *cadence, &mut poll);
            }
            has_news |= container.has_news;
            longest = longest.max(container.fresh.cadence.estimate());
        }
        pace.on_answer(has_strangers, has_news);
        *cadence = longest;
        self.answers = answer;
        if poll.clock_set && self.clock_set.is_due(now.instant) {
            let by_ms = step.map(StepTaken::by_ms);
            poll.events.push(Event::ClockSet { by_ms });
        }
        if wanted.iter().any(Metric::is_of_network) {
            let outcome = self.network.on_answer(containers, asked, now);
            self.seen = self.seen.or(outcome.give(&mut poll));
        }
        self.seen = self.seen.or(self.sums.on_answer(containers, &mut poll));
        self.review(now.instant, events);
        Ok(())
    }

    /// Takes note of the clocks, and tells the containers and the network if the host's
    /// was set.
    fn take_step(&mut self, now: Now) -> Option<StepTaken> {
        let step = self.clock.on_answer(now)?;
        let mut has_cost = false;
        for container in &mut self.containers {
            if container.on_step(step) {
                has_cost = true;
                self.figures.resets += 1;
            }
        }
        self.network.on_step();
        self.sums.forget();
        Some(StepTaken { by_ns: step.by_ns, has_cost })
    }

    /// How often samples are renewed, once that is known: the shortest of the
    /// measured containers'.
    #[must_use]
    pub fn cadence(&self) -> Option<Duration> {
        let measured = self.containers.iter().filter(|container| container.place.is_some());
        measured.filter_map(Container::cadence).min()
    }

    /// The names of the measured containers, by their place in
    /// [`Sample::container`].
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.places.names()
    }

    /// Its part of ESP's own figures.
    #[must_use]
    pub fn figures(&self) -> OwnFigures {
        self.figures
    }
}

/// A step of the host's clock that has been told to everybody.
#[derive(Clone, Copy, Debug)]
struct StepTaken {
    by_ns: i64,
    /// A difference between two values of the kernel was lost.
    has_cost: bool,
}

impl StepTaken {
    const fn by_ms(self) -> i64 {
        self.by_ns / 1_000_000
    }
}

/// Which parts of a reading `wanted` is made of.
#[must_use]
pub fn parts_of(wanted: MetricSet) -> Parts {
    Parts {
        memory: wanted.iter().any(Metric::is_of_memory),
        network: wanted.iter().any(Metric::is_of_network),
        block_io: wanted.iter().any(Metric::is_of_block_io),
    }
}

/// Where in `containers`, which are in the order of their ids, this one is.
fn position_of(containers: &[Container], docker_id: &str) -> Option<usize> {
    containers.binary_search_by(|container| container.docker_id.as_str().cmp(docker_id)).ok()
}

fn hash(docker_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    docker_id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
