//! The task that polls: when to ask the endpoint for what, and where what the
//! sampler makes of it goes. It never waits for the other task.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use smol::{channel::Receiver, future::FutureExt as _};

use super::{
    Destination, Shared,
    world::{Alarm, Endpoint, World},
};
use crate::{
    dimension::ResolvedDimensions,
    endpoint::{EndpointError, Resource},
    figures::Figures,
    metric::Sample,
    report::{self, Health},
    sampler::{Event, Sampler, Selection},
    task::TaskDocument,
    ticker::Ticker,
};

/// For one whole request to the endpoint.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(1);
/// A poll that begins this late has a timeout of its own, not the tick's.
const LATENESS: Duration = Duration::from_millis(100);
/// How often an unknown Region is said.
const REMINDER: Duration = Duration::from_mins(1);
const SUMMARY_INTERVAL: Duration = Duration::from_mins(1);

/// The task that polls the endpoint.
pub(super) struct Sampling<W: World> {
    shared: Rc<Shared<W>>,
    client: W::Endpoint,
    sampler: Sampler,
    alarm: W::Alarm,
    health: Health,
    /// When it was last said that the Region is not known.
    no_region_at: Option<Instant>,
    samples: Vec<Sample>,
    events: Vec<Event>,
    /// Polls begun, those in which the endpoint failed, and ticks without one.
    polls: u64,
    failed_polls: u64,
    missed_ticks: u64,
    /// What the last samples about ESP itself had.
    summed_up: Figures,
}

impl<W: World> Sampling<W> {
    pub(super) fn new(shared: Rc<Shared<W>>) -> Self {
        Self {
            client: shared.world.endpoint(shared.settings.endpoint.clone()),
            sampler: Sampler::new(shared.settings.containers.clone(), shared.settings.metrics),
            alarm: shared.world.alarm(),
            health: Health::new("the task metadata endpoint"),
            no_region_at: None,
            samples: Vec::new(),
            events: Vec::new(),
            polls: 0,
            failed_polls: 0,
            missed_ticks: 0,
            summed_up: Figures::default(),
            shared,
        }
    }

    /// Until `stopped` is closed, and then once more.
    pub(super) async fn run(mut self, stopped: Receiver<()>) {
        let mut ticker = Ticker::new(self.instant(), self.shared.settings.sample_interval);
        let mut summary_at = ticker.next() + SUMMARY_INTERVAL;
        loop {
            let tick = ticker.next();
            match self.poll_and_count(tick).await {
                Ok(()) => self.health.works(tick),
                Err(error) => self.health.fails(&error, tick),
            }
            if tick >= summary_at {
                summary_at += SUMMARY_INTERVAL;
                self.sum_up();
            }
            ticker.advance(self.instant());
            self.missed_ticks = ticker.missed();
            let is_stopped = async {
                let _ = stopped.recv().await;
                true
            };
            let is_tick = async {
                self.alarm.until(ticker.next()).await;
                false
            };
            if is_stopped.or(is_tick).await {
                break;
            }
        }
        let _ = self.poll_and_count(self.instant()).await;
    }

    /// A poll, and the books of it.
    async fn poll_and_count(&mut self, tick: Instant) -> Result<(), PollError> {
        self.polls += 1;
        // The last one may be given up halfway.
        self.note_figures();
        let polled = self.poll(tick).await;
        self.failed_polls += u64::from(polled.is_err());
        self.hand_over();
        polled
    }

    fn instant(&self) -> Instant {
        self.shared.world.now().instant
    }

    /// The minute's line, and the same as samples where they are wanted.
    fn sum_up(&mut self) {
        let (figures, now) = (self.shared.figures(), self.shared.world.now());
        report::summary(&figures, now);
        if self.shared.settings.self_metrics {
            self.samples.extend(figures.samples(&self.summed_up, now));
            self.summed_up = figures;
            self.hand_over();
        }
    }

    fn note_figures(&self) {
        self.shared.sampled.set(Figures {
            sampler: self.sampler.figures(),
            polls: self.polls,
            failed_polls: self.failed_polls,
            missed_ticks: self.missed_ticks,
            ..Figures::default()
        });
    }

    /// Asks for what this tick needs: the stats first, since they do not wait; or
    /// the task, while none is known. Each in a timeout, which at the default
    /// interval is the next tick, and so needs no timer of its own.
    async fn poll(&mut self, tick: Instant) -> Result<(), PollError> {
        let now = self.instant();
        let is_late = now.saturating_duration_since(tick) > LATENESS;
        let deadline = if is_late { now } else { tick } + ENDPOINT_TIMEOUT;
        self.remind_of_region(tick);
        let is_first = !self.sampler.knows_task();
        if is_first {
            self.read_task(tick, deadline).await?;
        }
        let body = get(&mut self.client, Resource::Stats, tick, deadline, &mut self.alarm).await?;
        let now = self.shared.world.now().instant;
        self.sampler
            .on_stats(body, now, &mut self.samples, &mut self.events)
            .map_err(|error| PollError(error.to_string()))?;
        if !is_first && self.sampler.wants_task(tick) {
            // What is known of the task goes on to be good without it, and the
            // end may come meanwhile.
            self.hand_over();
            let read = self.read_task(tick, now + ENDPOINT_TIMEOUT).await;
            return read.inspect_err(|_| self.sampler.on_task_failed(tick));
        }
        Ok(())
    }

    fn remind_of_region(&mut self, tick: Instant) {
        if self.no_region_at.is_some_and(|said| tick.saturating_duration_since(said) >= REMINDER) {
            report::no_region();
            self.no_region_at = Some(tick);
        }
    }

    async fn read_task(&mut self, tick: Instant, deadline: Instant) -> Result<(), PollError> {
        let body = get(&mut self.client, Resource::Task, tick, deadline, &mut self.alarm).await?;
        let task = TaskDocument::parse(body).map_err(|error| PollError(error.to_string()))?;
        // `{}` is what a failing agent answers; a task has containers.
        if task.containers().is_empty() {
            return Err(PollError("GET /task: the document lists no containers".to_owned()));
        }
        self.on_task(&task, tick);
        Ok(())
    }

    fn on_task(&mut self, task: &TaskDocument, tick: Instant) {
        let wall = self.shared.world.now().wall;
        self.sampler.on_task(task, tick, wall, &mut self.samples, &mut self.events);
        let settings = &self.shared.settings;
        let region = settings.region.as_deref().or_else(|| task.region());
        let Some(region) = region else {
            if self.no_region_at.is_none() {
                report::no_region();
                self.no_region_at = Some(tick);
            }
            return;
        };
        self.no_region_at = None;
        let destination = Destination {
            region: region.to_owned(),
            dimensions: ResolvedDimensions::resolve(
                &settings.dimensions,
                &settings.overrides,
                task,
                self.sampler.names(),
                matches!(&settings.containers, Selection::Named(names) if names.len() == 1),
            ),
        };
        let is_new = self.shared.destination.borrow().as_ref() != Some(&destination);
        if is_new {
            report::dimensions(&destination.dimensions, region, settings.metrics);
            let mut publisher = self.shared.publisher.borrow_mut();
            publisher.set_samples_per_request(destination.dimensions.samples_per_request());
            if let Some(task_arn) = task.task_arn() {
                publisher.set_task_arn(task_arn, self.shared.world.now());
            }
            drop(publisher);
            self.shared.destination.replace(Some(destination));
            self.shared.notify();
        }
    }

    fn hand_over(&mut self) {
        self.note_figures();
        for event in self.events.drain(..) {
            report::event(&event);
        }
        let mut publisher = self.shared.publisher.borrow_mut();
        publisher.set_cadence(self.sampler.cadence());
        let mut is_changed = false;
        if !self.samples.is_empty() {
            let now = self.shared.world.now();
            let destination = self.shared.destination.borrow();
            for sample in self.samples.drain(..) {
                let is_addressed = destination
                    .as_ref()
                    .is_none_or(|known| !known.dimensions.sets(sample.container).is_empty());
                if is_addressed {
                    // Nobody waits for what ESP says of itself.
                    is_changed |= publisher.push(sample, now) && !sample.metric.is_own();
                } else {
                    publisher.drop_unaddressed();
                }
            }
        }
        publisher.events().for_each(report::publisher_event);
        if is_changed {
            self.shared.notify();
        }
    }
}

/// Why a poll brought nothing, as one line.
#[derive(Debug)]
struct PollError(String);

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
