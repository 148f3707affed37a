//! Which samples are held back while containers warm up: a new container uses all the CPU
//! that it may for a while, and an alarm on the average would scale out at each deployment.
//! Pure: task documents and samples in, yes or no out. The sampler itself knows nothing of
//! it, so that cadences and bases are known when the first sample goes out.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{
    endpoint::task::{TaskContainer, TaskDocument},
    sample::Sample,
    time::{Now, Timestamp},
};

/// How often the task document is read while a health check is waited for.
const HEALTH_PAUSE: Duration = Duration::from_secs(5);

/// `WARMUP`: until when a container warms up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUpRule {
    /// So long after its start.
    For(Duration),
    /// Until its health check has said HEALTHY.
    Healthy,
}

impl fmt::Display for WarmUpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(Duration::ZERO) => f.write_str("none"),
            Self::For(lasts) => write!(f, "{} s after StartedAt", lasts.as_secs_f64()),
            Self::Healthy => f.write_str("until HEALTHY"),
        }
    }
}

/// Something to tell the operator, of a container by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarmUpEvent {
    /// Its samples are held back.
    Began {
        /// The container.
        container: String,
    },
    /// They go out from now on.
    Ended {
        /// The container.
        container: String,
    },
    /// Nothing is waited for: it has no health check.
    NoHealthCheck {
        /// The container.
        container: String,
    },
}

/// The state of it.
#[derive(Debug)]
pub struct WarmUp {
    rule: WarmUpRule,
    /// By the places of the measured containers.
    places: Vec<Place>,
    read_at: Option<Instant>,
}

/// The container that has a place now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    docker_id: String,
    started_at: Option<Timestamp>,
    gate: Gate,
}

/// Whether samples go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    /// Those that were read from this moment on.
    From(Timestamp),
    Closed,
}

impl WarmUp {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(rule: WarmUpRule) -> Self {
        Self { rule, places: Vec::new(), read_at: None }
    }

    /// Takes in a task document; `names` are those of the measured containers, by place.
    pub fn on_task(
        &mut self,
        task: &TaskDocument,
        names: &[String],
        now: Now,
        events: &mut Vec<WarmUpEvent>,
    ) {
        if self.is_off() {
            return;
        }
        self.read_at = Some(now.instant);
        self.places.resize(names.len(), Place::default());
        for (place, name) in self.places.iter_mut().zip(names) {
            let is_it = |it: &&TaskContainer| it.name() == Some(name) && it.docker_id().is_some();
            let candidates = task.containers().iter().filter(is_it);
            // Of one that was replaced, the document may have both.
            let Some(container) = candidates.min_by_key(|it| it.is_stopped()) else { continue };
            place.take(container, self.rule, name, now, events);
        }
    }

    /// Says which containers have warmed up by themselves.
    pub fn advance(&mut self, names: &[String], now: Now, events: &mut Vec<WarmUpEvent>) {
        for (place, name) in self.places.iter_mut().zip(names) {
            if matches!(place.gate, Gate::From(at) if at <= now.wall) {
                place.gate = Gate::Open;
                events.push(WarmUpEvent::Ended { container: name.clone() });
            }
        }
    }

    /// Whether a sample goes out. A value of the task does not while a measured container
    /// warms up; what ESP says of itself always does.
    #[must_use]
    pub fn admits(&self, sample: &Sample) -> bool {
        let is_open = |place: &Place| match place.gate {
            Gate::Open => true,
            Gate::From(at) => sample.read >= at,
            Gate::Closed => false,
        };
        match sample.container {
            _ if sample.metric.is_own() => true,
            Some(place) => self.places.get(usize::from(place)).is_none_or(is_open),
            None => self.places.iter().all(is_open),
        }
    }

    /// Whether the task document is to be read for the health that it shows.
    #[must_use]
    pub fn wants_task(&self, now: Instant) -> bool {
        let is_waiting = self.places.iter().any(|place| place.gate == Gate::Closed);
        let since = self.read_at.map(|at| now.saturating_duration_since(at));
        is_waiting && since.is_some_and(|since| since >= HEALTH_PAUSE)
    }

    fn is_off(&self) -> bool {
        self.rule == WarmUpRule::For(Duration::ZERO)
    }
}

impl Place {
    fn take(
        &mut self,
        container: &TaskContainer,
        rule: WarmUpRule,
        name: &str,
        now: Now,
        events: &mut Vec<WarmUpEvent>,
    ) {
        let docker_id = container.docker_id().unwrap_or_default();
        let started_at = container.started_at();
        let is_new = self.docker_id != docker_id || self.started_at != started_at;
        let before = if is_new { Gate::Open } else { self.gate };
        let is_healthy = container.health() == Some("HEALTHY");
        let gate = match rule {
            WarmUpRule::For(lasts) if is_new => {
                // Without a start it has none yet, or the platform does not say.
                let ends = started_at.map(|at| after(at, lasts));
                ends.filter(|ends| *ends > now.wall).map_or(Gate::Open, Gate::From)
            }
            WarmUpRule::Healthy if is_new && container.health().is_none() => {
                events.push(WarmUpEvent::NoHealthCheck { container: name.to_owned() });
                Gate::Open
            }
            WarmUpRule::Healthy if is_new && !is_healthy => Gate::Closed,
            WarmUpRule::Healthy if is_healthy => Gate::Open,
            // Once open it stays so, whatever the health becomes.
            _ => self.gate,
        };
        match (before == Gate::Open, gate == Gate::Open) {
            (true, false) => events.push(WarmUpEvent::Began { container: name.to_owned() }),
            (false, true) => events.push(WarmUpEvent::Ended { container: name.to_owned() }),
            _ => {}
        }
        docker_id.clone_into(&mut self.docker_id);
        self.started_at = started_at;
        self.gate = gate;
    }
}

/// The moment so long after another.
fn after(at: Timestamp, lasts: Duration) -> Timestamp {
    let lasts_ns = u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_ns(at.unix_ns().saturating_add(lasts_ns))
}

#[cfg(test)]
mod tests;
