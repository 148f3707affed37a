//! Which containers are measured: each selected name has a place, and of the task's
//! containers one at a time holds it.

use std::time::Instant;

use super::{container::Container, event::Event};
use crate::{
    endpoint::task::{TaskContainer, TaskDocument},
    time::reminder::Reminder,
};

/// The most containers that `*` measures. ECS allows ten in a task definition.
const NAMES_MAX: usize = 1000;
/// The longest name that a task definition may have for one.
const NAME_BYTES_MAX: usize = 255;

/// Which containers to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those of these names, at least one.
    Named(Vec<String>),
    /// Those of the task definition: all but the ones that AWS injects.
    All,
}

impl Selection {
    /// Whether it is one container, whose metrics need no `ContainerName`.
    #[must_use]
    pub fn is_one(&self) -> bool {
        matches!(self, Self::Named(names) if names.len() == 1)
    }
}

/// The names of the measured containers.
#[derive(Debug)]
pub(super) struct Places {
    selection: Selection,
    /// By place. A place is never given to another name.
    names: Vec<String>,
    missing: Reminder,
}

impl Places {
    pub(super) fn new(selection: Selection) -> Self {
        let names = match &selection {
            Selection::Named(names) => names.clone(),
            Selection::All => Vec::new(),
        };
        Self { selection, names, missing: Reminder::default() }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Gives each measured name to the container that has it; of several to the one
    /// that runs. `gone` are the containers that the task no longer has.
    pub(super) fn assign(
        &mut self,
        task: &TaskDocument,
        containers: &mut [Container],
        gone: &[Container],
        events: &mut Vec<Event>,
    ) {
        if self.selection == Selection::All {
            self.add_names(task);
        }
        let is_running = |docker_id: &str| {
            task.containers().iter().any(|c| c.docker_id() == Some(docker_id) && c.is_running())
        };
        for (place, name) in (0..).zip(&self.names) {
            let holder = |container: &&Container| container.place == Some(place);
            let before = containers.iter().chain(gone).find(holder);
            let before = before.map(|container| container.docker_id.clone());
            let best = containers
                .iter_mut()
                .filter(|container| container.name == *name)
                .max_by_key(|container| is_running(&container.docker_id));
            let Some(best) = best else { continue };
            if best.place == Some(place) {
                continue;
            }
            best.place = Some(place);
            let docker_id = best.docker_id.clone();
            for container in containers.iter_mut() {
                if container.place == Some(place) && container.docker_id != docker_id {
                    container.place = None;
                }
            }
            let (container, replaced) = (name.clone(), before.is_some());
            events.push(Event::ContainerFound { container, docker_id, replaced });
        }
    }

    fn add_names(&mut self, task: &TaskDocument) {
        let of_user = task.containers().iter().filter(|container| !container.is_injected());
        let names = of_user.filter_map(TaskContainer::name);
        for name in names.filter(|name| name.len() <= NAME_BYTES_MAX) {
            if self.names.len() < NAMES_MAX && !self.names.iter().any(|known| known == name) {
                self.names.push(name.to_owned());
            }
        }
    }

    /// Whether a container that is to be measured is not there yet. One that the task
    /// does not even list is named.
    pub(super) fn are_incomplete(
        &mut self,
        task: &TaskDocument,
        containers: &[Container],
        now: Instant,
        events: &mut Vec<Event>,
    ) -> bool {
        let is_missing = |name: &&String| !containers.iter().any(|c| c.name == **name);
        let missing: Vec<_> = match self.selection {
            Selection::Named(_) => self.names.iter().filter(is_missing).collect(),
            // Nobody has asked for one that is gone.
            Selection::All => Vec::new(),
        };
        if missing.is_empty() {
            self.missing = Reminder::default();
            return self.names.is_empty();
        }
        // One that is being pulled has a name already, but no id.
        let is_listed = |name: &str| task.containers().iter().any(|c| c.name() == Some(name));
        let unlisted: Vec<_> = missing.into_iter().filter(|name| !is_listed(name)).collect();
        if !unlisted.is_empty() && self.missing.is_due(now) {
            let of_user = task.containers().iter().filter(|container| !container.is_injected());
            let mut names: Vec<_> = of_user.filter_map(|c| c.name().map(str::to_owned)).collect();
            // On EC2 the order is random; a message should not be.
            names.sort();
            for container in unlisted {
                let container = container.clone();
                events.push(Event::ContainerMissing { container, names: names.clone() });
            }
        }
        true
    }
}
