//! From readings to samples: a state machine that is handed the readings of a
//! source, task documents and the time, and hands back samples and events. It knows which
//! containers there are and which of them are measured, and says when `/task`
//! has to be read again. It does no I/O, reads no clock and writes no log.
//!
//! What becomes of one container's sample is in `container`, what all of them
//! add up to in `totals`.

pub mod cadence;
mod container;
mod event;
mod inspection;
mod network;
mod totals;
pub mod utilisation;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use self::{
    container::{Container, Output, TaskLimits},
    event::Reminder,
    totals::Totals,
};
pub use self::{
    event::{Event, SamplerFigures},
    inspection::Unseen,
};
use crate::{
    endpoint::task::{TaskContainer, TaskDocument},
    reading::Entry,
    sample::metric::{Metric, MetricSet, Sample},
    time::Now,
};

/// Between two readings of `/task` while a container has no Docker id yet:
/// doubled each time, since its id shows up in `/task/stats` anyway.
const TASK_PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause; also the one while a container is silent, and between
/// readings where metrics come from `/task` itself.
const TASK_PAUSE_MOST: Duration = Duration::from_secs(30);

/// The most containers that `*` measures. ECS allows ten in a task definition.
const NAMES_MOST: usize = 1000;
/// The longest name that a task definition may have for one.
const NAME_BYTES_MOST: usize = 255;

/// Which containers to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those of these names, at least one.
    Named(Vec<String>),
    /// All but those that ECS adds.
    All,
}

impl Selection {
    /// Whether it is one container, whose metrics need no `ContainerName`.
    #[must_use]
    pub fn is_one(&self) -> bool {
        matches!(self, Self::Named(names) if names.len() == 1)
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Sampler {
    selection: Selection,
    wanted: MetricSet,
    /// By Docker id, so that ten thousand of them are found as well as three.
    containers: Vec<Container>,
    /// The names of the measured containers, by place. A place is never given
    /// to another name.
    names: Vec<String>,
    limits: TaskLimits,
    totals: Totals,
    /// A hash over the ids in `/task/stats` that `/task` did not have; 0: none.
    unknown_ids: u64,
    /// The `unknown_ids` for which `/task` has been read without learning more.
    tolerated_ids: u64,
    task_read_at: Option<Instant>,
    task_pause: Duration,
    is_incomplete: bool,
    /// The last try to read `/task` failed.
    is_task_due: bool,
    missing: Reminder,
    /// Documents taken in.
    polls: u64,
    figures: SamplerFigures,
}

impl Sampler {
    /// Will measure `wanted` of the selected containers and of the task.
    #[must_use]
    pub fn new(selection: Selection, wanted: MetricSet) -> Self {
        let names = match &selection {
            Selection::Named(names) => names.clone(),
            Selection::All => Vec::new(),
        };
        Self {
            selection,
            wanted,
            containers: Vec::new(),
            names,
            limits: TaskLimits::default(),
            totals: Totals::default(),
            unknown_ids: 0,
            tolerated_ids: 0,
            task_read_at: None,
            task_pause: TASK_PAUSE_FIRST,
            is_incomplete: true,
            is_task_due: false,
            missing: Reminder::default(),
            polls: 0,
            figures: SamplerFigures::default(),
        }
    }

    /// Whether `/task` has to be read before the next `/task/stats`: at the
    /// start, when an id turns up that it did not have, while a container is
    /// missing or silent, and where a metric is taken from it.
    #[must_use]
    pub fn wants_task(&self, now: Instant) -> bool {
        let Some(read_at) = self.task_read_at else { return true };
        let since = now.saturating_duration_since(read_at);
        if self.is_task_due {
            return since >= self.task_pause;
        }
        if self.unknown_ids != self.tolerated_ids {
            return since >= TASK_PAUSE_FIRST;
        }
        if self.is_incomplete {
            return since >= self.task_pause;
        }
        let is_source = self.wanted.iter().any(Metric::is_from_task_document);
        // The mode decides whose the network is; it may come later.
        let is_network = self.wanted.iter().any(Metric::is_of_network);
        let is_unconnected = || {
            is_network && self.containers.iter().any(|container| container.network_mode.is_none())
        };
        let is_silent = || self.containers.iter().any(container::Container::is_silent);
        since >= TASK_PAUSE_MOST
            && (self.unknown_ids != 0 || is_source || is_silent() || is_unconnected())
    }

    /// `/task` could not be had. While one is known it is not asked for again at
    /// every poll.
    pub fn on_task_failed(&mut self, now: Instant) {
        if self.task_read_at.is_some() {
            self.task_read_at = Some(now);
            self.task_pause = (self.task_pause * 2).min(TASK_PAUSE_MOST);
            self.is_task_due = true;
        }
    }

    /// Whether a task document has been taken in.
    #[must_use]
    pub fn knows_task(&self) -> bool {
        self.task_read_at.is_some()
    }

    /// Takes in a task document. The wall clock stamps the metrics that are its own.
    pub fn on_task(
        &mut self,
        task: &TaskDocument,
        now: Now,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
    ) {
        let Now { instant: now, wall } = now;
        self.task_read_at = Some(now);
        self.is_task_due = false;
        self.tolerated_ids = self.unknown_ids;
        self.limits =
            TaskLimits { cpu_vcpu: task.cpu_limit_vcpu(), memory_bytes: task.memory_limit_bytes() };
        let mut known = std::mem::take(&mut self.containers);
        for described in task.containers() {
            let (Some(docker_id), Some(name)) = (described.docker_id(), described.name()) else {
                continue;
            };
            let mut container = match position_of(&known, docker_id) {
                Some(position) => known.remove(position),
                None => Container::new(docker_id.to_owned(), name.to_owned(), now),
            };
            container.update(described, task);
            self.containers.push(container);
        }
        self.containers.sort_by(|a, b| a.docker_id.cmp(&b.docker_id));
        self.containers.dedup_by(|a, b| a.docker_id == b.docker_id);
        if self.selection == Selection::All {
            let users = task.containers().iter().filter(|container| !container.is_injected());
            let names = users.filter_map(TaskContainer::name);
            for name in names.filter(|name| name.len() <= NAME_BYTES_MOST) {
                if self.names.len() < NAMES_MOST && !self.names.iter().any(|known| known == name) {
                    self.names.push(name.to_owned());
                }
            }
        }
        self.assign_places(task, &known, events);
        self.note_missing(task, now, events);
        let mut output = Output { samples, events, figures: &mut self.figures };
        if let Some(percent) = task.ephemeral_storage_percent() {
            let metric = Metric::EphemeralStorageUtilization;
            self.totals.give(metric, wall, percent, self.wanted, &mut output);
        }
        for container in &mut self.containers {
            if let Some(count) = container.restart_count {
                let metric = Metric::RestartCount;
                container.give(metric, wall, f64::from(count), self.wanted, &mut output);
            }
        }
    }

    /// Gives each measured name to the container that has it; of several to the
    /// one that runs. `gone` are the containers that the task no longer has.
    fn assign_places(&mut self, task: &TaskDocument, gone: &[Container], events: &mut Vec<Event>) {
        let is_running = |docker_id: &str| {
            task.containers().iter().any(|c| c.docker_id() == Some(docker_id) && c.is_running())
        };
        for (place, name) in (0..).zip(&self.names) {
            let holder = |container: &&Container| container.place == Some(place);
            let before = self.containers.iter().chain(gone).find(holder);
            let before = before.map(|container| container.docker_id.clone());
            let best = self
                .containers
                .iter_mut()
                .filter(|container| container.name == *name)
                .max_by_key(|container| is_running(&container.docker_id));
            let Some(best) = best else { continue };
            if best.place == Some(place) {
                continue;
            }
            best.place = Some(place);
            let docker_id = best.docker_id.clone();
            for container in &mut self.containers {
                if container.place == Some(place) && container.docker_id != docker_id {
                    container.place = None;
                }
            }
            let (container, replaced) = (name.clone(), before.is_some());
            events.push(Event::ContainerFound { container, docker_id, replaced });
        }
    }

    fn note_missing(&mut self, task: &TaskDocument, now: Instant, events: &mut Vec<Event>) {
        let is_missing = |name: &&String| !self.containers.iter().any(|c| c.name == **name);
        let missing: Vec<_> = match self.selection {
            Selection::Named(_) => self.names.iter().filter(is_missing).collect(),
            // Nobody has asked for one that is gone.
            Selection::All => Vec::new(),
        };
        self.is_incomplete = !missing.is_empty() || self.names.is_empty();
        if !self.is_incomplete {
            self.task_pause = TASK_PAUSE_FIRST;
            self.missing = Reminder::default();
            return;
        }
        self.task_pause = (self.task_pause * 2).min(TASK_PAUSE_MOST);
        // One that is being pulled has a name already, but no id.
        let is_listed = |name: &str| task.containers().iter().any(|c| c.name() == Some(name));
        let unlisted: Vec<_> = missing.into_iter().filter(|name| !is_listed(name)).collect();
        if unlisted.is_empty() || !self.missing.is_due(now) {
            return;
        }
        let users = task.containers().iter().filter(|container| !container.is_injected());
        let mut names: Vec<_> = users.filter_map(|c| c.name().map(str::to_owned)).collect();
        // On EC2 the order is random; a message should not be.
        names.sort();
        for container in unlisted {
            let container = container.clone();
            events.push(Event::ContainerMissing { container, names: names.clone() });
        }
    }

    /// Takes in one answer of a source and appends what is new to `samples`. `read`
    /// is handed a function and calls it with each container's id and entry.
    ///
    /// # Errors
    ///
    /// That of `read`, if the answer as a whole cannot be read. It has then called
    /// nothing, and the state is what it was.
    pub fn on_readings<E>(
        &mut self,
        read: impl FnOnce(&mut dyn FnMut(&str, Entry)) -> Result<(), E>,
        now: Now,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
    ) -> Result<(), E> {
        let now = now.instant;
        let poll = self.polls.wrapping_add(1);
        let Self { containers, limits, wanted, figures, .. } = self;
        let mut output = Output { samples, events, figures };
        let mut unknown_ids = 0;
        read(&mut |docker_id, entry| {
            match position_of(containers, docker_id) {
                // An id that stands twice would be its own past or future: the
                // first counts.
                Some(position) if containers[position].visited_in == poll => {}
                Some(position) => {
                    let container = &mut containers[position];
                    container.visited_in = poll;
                    container.on_entry(entry, *limits, *wanted, now, &mut output);
                }
                // The order on EC2 is random, so the sum must not depend on it.
                None => unknown_ids = hash(docker_id).wrapping_add(unknown_ids),
            }
        })?;
        for container in containers.iter_mut().filter(|container| container.visited_in != poll) {
            container.on_entry(Entry::NoData, *limits, *wanted, now, &mut output);
        }
        self.polls = poll;
        self.unknown_ids = unknown_ids;
        self.totals.on_stats(containers, *limits, *wanted, &mut output);
        self.totals.review(containers, *wanted, now, output.events);
        Ok(())
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
        &self.names
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn figures(&self) -> SamplerFigures {
        self.figures
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
