//! One poll of the endpoint: what is asked for, within which time, and what the
//! sampler makes of it. When to poll is `sampling`'s matter, and a check's.

use std::time::{Duration, Instant};

use smol::future::FutureExt as _;

use super::world::{Alarm, Endpoint, World};
use crate::{
    endpoint::{
        EndpointError, Resource,
        stats::{Parts, StatsParser},
        task::TaskDocument,
    },
    sample::metric::Sample,
    sampler::{Event, Sampler},
    settings::Settings,
    time::Now,
};

/// For one whole request to the endpoint.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(1);
/// A poll that begins this late has a timeout of its own, not the tick's.
const LATENESS: Duration = Duration::from_millis(100);

/// The endpoint's client and the sampler behind it.
pub(crate) struct Poller<W: World> {
    client: W::Endpoint,
    parser: StatsParser,
    pub(crate) sampler: Sampler,
    /// The one timer: a poll's deadline is, as a rule, the next tick.
    pub(crate) alarm: W::Alarm,
    /// What the polls brought; for the caller to take out.
    pub(crate) samples: Vec<Sample>,
    pub(crate) events: Vec<Event>,
}

/// What came of a poll.
pub(crate) struct Polled {
    /// The task document, where it was asked for and given.
    pub(crate) task: Option<TaskDocument>,
    /// Whether the sampler got stats.
    pub(crate) is_sampled: bool,
    /// What went wrong; perhaps with the task document alone.
    pub(crate) error: Option<PollError>,
}

impl Polled {
    /// Whether, after the stats, the task is to be asked for.
    pub(crate) fn wants_task(&self, sampler: &Sampler, tick: Instant) -> bool {
        self.is_sampled && self.task.is_none() && sampler.wants_task(tick)
    }
}

impl<W: World> Poller<W> {
    pub(crate) fn new(world: &W, settings: &Settings) -> Self {
        Self {
            client: world.endpoint(settings.endpoint.clone()),
            parser: StatsParser::new(Parts::of(settings.metrics)),
            sampler: Sampler::new(settings.containers.clone(), settings.metrics),
            alarm: world.alarm(),
            samples: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Asks for what this tick needs: the stats, and then the task, where the
    /// sampler wants it.
    pub(crate) async fn poll(&mut self, world: &W, tick: Instant) -> Polled {
        let mut polled = self.poll_stats(world, tick).await;
        if polled.wants_task(&self.sampler, tick) {
            match self.poll_task(world, tick).await {
                Ok(task) => polled.task = Some(task),
                Err(error) => polled.error = Some(error),
            }
        }
        polled
    }

    /// The stats, since they do not wait; before them the task, while none is
    /// known. Both in one timeout, which at the default interval is the next
    /// tick, and so needs no timer of its own.
    pub(crate) async fn poll_stats(&mut self, world: &W, tick: Instant) -> Polled {
        let now = world.now().instant;
        let is_late = now.saturating_duration_since(tick) > LATENESS;
        let deadline = if is_late { now } else { tick } + ENDPOINT_TIMEOUT;
        let mut polled = Polled { task: None, is_sampled: false, error: None };
        if !self.sampler.knows_task() {
            match self.read_task(world, tick, deadline).await {
                Ok(task) => polled.task = Some(task),
                Err(error) => {
                    polled.error = Some(error);
                    return polled;
                }
            }
        }
        match self.read_stats(world, tick, deadline).await {
            Ok(()) => polled.is_sampled = true,
            Err(error) => polled.error = Some(error),
        }
        polled
    }

    /// The task again. What is known of it goes on to be good without.
    pub(crate) async fn poll_task(
        &mut self,
        world: &W,
        tick: Instant,
    ) -> Result<TaskDocument, PollError> {
        let deadline = world.now().instant + ENDPOINT_TIMEOUT;
        let read = self.read_task(world, tick, deadline).await;
        read.inspect_err(|_| self.sampler.on_task_failed(tick))
    }

    async fn read_task(
        &mut self,
        world: &W,
        tick: Instant,
        deadline: Instant,
    ) -> Result<TaskDocument, PollError> {
        let body = get(&mut self.client, Resource::Task, tick, deadline, &mut self.alarm).await?;
        let task = TaskDocument::parse(body).map_err(|error| PollError(error.to_string()))?;
        // `{}` is what a failing agent answers; a task has containers.
        if task.containers().is_empty() {
            return Err(PollError("GET /task: the document lists no containers".to_owned()));
        }
        let wall = world.now().wall;
        let now = Now { instant: tick, wall };
        self.sampler.on_task(&task, now, &mut self.samples, &mut self.events);
        Ok(task)
    }

    async fn read_stats(
        &mut self,
        world: &W,
        tick: Instant,
        deadline: Instant,
    ) -> Result<(), PollError> {
        let body = get(&mut self.client, Resource::Stats, tick, deadline, &mut self.alarm).await?;
        let Self { parser, sampler, samples, events, .. } = self;
        sampler
            .on_readings(|visit| parser.parse(body, visit), world.now(), samples, events)
            .map_err(|error| PollError(error.to_string()))
    }
}

/// Why a poll brought nothing, as one line.
#[derive(Debug)]
pub(crate) struct PollError(String);

impl std::fmt::Display for PollError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

async fn get<'client>(
    client: &'client mut impl Endpoint,
    resource: Resource,
    tick: Instant,
    deadline: Instant,
    alarm: &mut impl Alarm,
) -> Result<&'client mut [u8], PollError> {
    client
        .get(resource, tick)
        .or(async {
            alarm.until(deadline).await;
            Err(EndpointError::TimedOut)
        })
        .await
        .map_err(|error| PollError(format!("GET {resource}: {error}")))
}
