//! The sidecar itself: its tasks on one thread, and what passes between them.
//! Sampling puts samples into the publisher's queue and never waits for it;
//! publishing takes them out. All decisions are the state machines'; here are
//! the clock, the sockets and the waiting.

use std::{
    cell::{Cell, RefCell},
    hash::{BuildHasher as _, RandomState},
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use smol::{
    LocalExecutor,
    channel::{Receiver, Sender, bounded},
    future::FutureExt as _,
    stream::{Stream, StreamExt as _},
};
use tracing::debug;

use crate::{
    cloudwatch::{Access, CloudWatch, Connector},
    dimension::ResolvedDimensions,
    endpoint::{EndpointClient, EndpointError, Resource},
    metric::Sample,
    publisher::{Action, Now, Outcome, Publisher},
    report::{self, Health},
    sampler::{Event, Sampler, Selection},
    settings::Settings,
    task::TaskDocument,
    ticker::Ticker,
    timestamp::Timestamp,
    wakeup::Wakeup,
};

/// For one whole request to the endpoint.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(1);
/// A poll that begins this late has a timeout of its own, not the tick's.
const LATENESS: Duration = Duration::from_millis(100);
/// How often an unknown Region is said, and a client that cannot be had is
/// tried.
const REMINDER: Duration = Duration::from_mins(1);
const CONNECT_PAUSE: Duration = Duration::from_secs(10);
/// For the last sample after a signal.
const LAST_SAMPLE_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two tries to send what is left, after a failure.
const LAST_RETRY_PAUSE: Duration = Duration::from_millis(300);
const SUMMARY_INTERVAL: Duration = Duration::from_mins(1);

/// What the tasks share. One thread: nothing is locked.
struct Shared {
    settings: Settings,
    access: Option<Access>,
    publisher: RefCell<Publisher>,
    /// Where to publish, once the task is known.
    destination: RefCell<Option<Destination>>,
    stopping: Cell<bool>,
    /// Wakes the publishing task.
    changed: Sender<()>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Destination {
    region: String,
    dimensions: ResolvedDimensions,
}

impl Shared {
    fn notify(&self) {
        // Full means that the task will look anyway.
        let _ = self.changed.try_send(());
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By the first signal; what was left has been sent, or the grace is over.
    Stopped,
    /// By a second signal, of this number.
    Aborted(i32),
}

/// Runs until the first of `signals` (or their end), takes a last sample, sends
/// what is left within the grace and returns; at once at the second.
///
/// Blocks the thread it is called on and is not to be called on an executor.
pub fn run(settings: Settings, signals: impl Stream<Item = i32> + Unpin) -> Ended {
    run_against(settings, None, signals)
}

/// [`run`], against a CloudWatch other than the one that the environment names.
pub fn run_against(
    settings: Settings,
    access: Option<Access>,
    signals: impl Stream<Item = i32> + Unpin,
) -> Ended {
    report::starting(&settings);
    let executor = LocalExecutor::new();
    // Not `smol::block_on`: that drives the reactor from this thread too, and
    // this thread and async-io's own then take it from each other at every
    // event (16 context switches a second instead of 5). A main thread that
    // only parks leaves the reactor to the other.
    smol::future::block_on(executor.run(supervise(&executor, settings, access, signals)))
}

async fn supervise(
    executor: &LocalExecutor<'_>,
    settings: Settings,
    access: Option<Access>,
    mut signals: impl Stream<Item = i32> + Unpin,
) -> Ended {
    let (changed, notices) = bounded(1);
    let (stop, stopped) = bounded(1);
    let grace = settings.shutdown_grace;
    let publisher = Publisher::new(
        settings.publish_interval,
        settings.buffer_samples(),
        RandomState::new().hash_one(std::process::id()),
    );
    let shared = Rc::new(Shared {
        settings,
        access,
        publisher: RefCell::new(publisher),
        destination: RefCell::new(None),
        stopping: Cell::new(false),
        changed,
    });
    let sampling = executor.spawn(Sampling::new(Rc::clone(&shared)).run(stopped));
    let publishing = executor.spawn(Publishing::new(Rc::clone(&shared), notices).run());

    signals.next().await;
    let end = async {
        let deadline = Instant::now() + grace;
        // The sampling task takes a last sample when it notices.
        stop.close();
        sampling.or(after(LAST_SAMPLE_TIMEOUT.min(grace))).await;
        shared.stopping.set(true);
        shared.notify();
        publishing.or(after(deadline.saturating_duration_since(Instant::now()))).await;
        Ended::Stopped
    };
    let abort = async {
        match signals.next().await {
            Some(signal) => Ended::Aborted(signal),
            None => smol::future::pending().await,
        }
    };
    let ended = end.or(abort).await;
    let publisher = shared.publisher.borrow();
    report::stopped(publisher.figures(), publisher.backlog());
    ended
}

async fn after(duration: Duration) {
    async_io::Timer::after(duration).await;
}

/// The task that polls the endpoint.
struct Sampling {
    shared: Rc<Shared>,
    client: EndpointClient,
    sampler: Sampler,
    wakeup: Wakeup,
    health: Health,
    /// When it was last said that the Region is not known.
    no_region_at: Option<Instant>,
    samples: Vec<Sample>,
    events: Vec<Event>,
}

impl Sampling {
    fn new(shared: Rc<Shared>) -> Self {
        Self {
            client: EndpointClient::new(shared.settings.endpoint.clone()),
            sampler: Sampler::new(shared.settings.containers.clone(), shared.settings.metrics),
            wakeup: Wakeup::default(),
            health: Health::new("the task metadata endpoint"),
            no_region_at: None,
            samples: Vec::new(),
            events: Vec::new(),
            shared,
        }
    }

    /// Until `stopped` is closed, and then once more.
    async fn run(mut self, stopped: Receiver<()>) {
        let mut ticker = Ticker::new(Instant::now(), self.shared.settings.sample_interval);
        let mut summary_at = ticker.next() + SUMMARY_INTERVAL;
        loop {
            let tick = ticker.next();
            match self.poll(tick).await {
                Ok(()) => self.health.works(tick),
                Err(error) => self.health.fails(&error, tick),
            }
            self.hand_over();
            if tick >= summary_at {
                summary_at += SUMMARY_INTERVAL;
                let publisher = self.shared.publisher.borrow();
                report::summary(
                    self.sampler.figures(),
                    publisher.figures(),
                    publisher.backlog(),
                    ticker.missed(),
                    now(),
                );
            }
            ticker.advance(Instant::now());
            let is_stopped = async {
                let _ = stopped.recv().await;
                true
            };
            let is_tick = async {
                self.wakeup.until(ticker.next()).await;
                false
            };
            if is_stopped.or(is_tick).await {
                break;
            }
        }
        if self.poll(Instant::now()).await.is_ok() {
            self.hand_over();
        }
    }

    /// Asks for what this tick needs; the whole of it in one timeout, which at
    /// the default interval is the next tick, and so needs no timer of its own.
    async fn poll(&mut self, tick: Instant) -> Result<(), PollError> {
        let now = Instant::now();
        let is_late = now.saturating_duration_since(tick) > LATENESS;
        let mut deadline = if is_late { now } else { tick } + ENDPOINT_TIMEOUT;
        self.remind_of_region(tick);
        let mut task_error = None;
        if self.sampler.wants_task(tick) {
            match self.read_task(tick, deadline).await {
                Ok(task) => self.on_task(&task, tick),
                Err(error) => {
                    self.sampler.on_task_failed(tick);
                    if !self.sampler.knows_task() {
                        return Err(error);
                    }
                    // What is known of the task goes on to be good.
                    task_error = Some(error);
                    // It may have used up the time.
                    deadline = Instant::now() + ENDPOINT_TIMEOUT;
                }
            }
        }
        let body = get(&mut self.client, Resource::Stats, tick, deadline, &mut self.wakeup).await?;
        self.sampler
            .on_stats(body, Instant::now(), &mut self.samples, &mut self.events)
            .map_err(|error| PollError(error.to_string()))?;
        task_error.map_or(Ok(()), Err)
    }

    fn remind_of_region(&mut self, tick: Instant) {
        if self.no_region_at.is_some_and(|said| tick.saturating_duration_since(said) >= REMINDER) {
            report::no_region();
            self.no_region_at = Some(tick);
        }
    }

    async fn read_task(
        &mut self,
        tick: Instant,
        deadline: Instant,
    ) -> Result<TaskDocument, PollError> {
        let body = get(&mut self.client, Resource::Task, tick, deadline, &mut self.wakeup).await?;
        let task = TaskDocument::parse(body).map_err(|error| PollError(error.to_string()))?;
        // `{}` is what a failing agent answers; a task has containers.
        if task.containers().is_empty() {
            return Err(PollError("GET /task: the document lists no containers".to_owned()));
        }
        Ok(task)
    }

    fn on_task(&mut self, task: &TaskDocument, tick: Instant) {
        let wall = now().wall;
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
                publisher.set_task_arn(task_arn, now());
            }
            drop(publisher);
            self.shared.destination.replace(Some(destination));
            self.shared.notify();
        }
    }

    fn hand_over(&mut self) {
        for event in self.events.drain(..) {
            report::event(&event);
        }
        let mut publisher = self.shared.publisher.borrow_mut();
        publisher.set_cadence(self.sampler.cadence());
        let mut is_changed = false;
        if !self.samples.is_empty() {
            let now = now();
            let destination = self.shared.destination.borrow();
            for sample in self.samples.drain(..) {
                let is_addressed = destination
                    .as_ref()
                    .is_none_or(|known| !known.dimensions.sets(sample.container).is_empty());
                if is_addressed {
                    is_changed |= publisher.push(sample, now);
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
    client: &'client mut EndpointClient,
    resource: Resource,
    tick: Instant,
    deadline: Instant,
    wakeup: &mut Wakeup,
) -> Result<&'client mut [u8], PollError> {
    client
        .get(resource, tick)
        .or(async {
            wakeup.until(deadline).await;
            Err(EndpointError::TimedOut)
        })
        .await
        .map_err(|error| PollError(format!("GET {resource}: {error}")))
}

/// The task that sends.
struct Publishing {
    shared: Rc<Shared>,
    notices: Receiver<()>,
    wakeup: Wakeup,
    health: Health,
    connector: Option<Connector>,
    connected: Option<(Destination, CloudWatch)>,
}

impl Publishing {
    fn new(shared: Rc<Shared>, notices: Receiver<()>) -> Self {
        let health = Health::new("publishing to CloudWatch");
        Self {
            shared,
            notices,
            wakeup: Wakeup::default(),
            health,
            connector: None,
            connected: None,
        }
    }

    async fn run(mut self) {
        while !self.shared.stopping.get() {
            if !self.connect().await {
                self.wait_until(Instant::now() + CONNECT_PAUSE).await;
                continue;
            }
            let action = self.shared.publisher.borrow_mut().poll(now());
            match action {
                Action::Send(samples) => {
                    self.send(&samples).await;
                }
                Action::WaitUntil(at) => self.wait_until(at).await,
            }
        }
        loop {
            if !self.connect().await {
                return;
            }
            let left = self.shared.publisher.borrow_mut().drain(now());
            let Some(samples) = left else { return };
            match self.send(&samples).await {
                Outcome::Accepted => {}
                // Nobody will grant it in the seconds that are left.
                Outcome::Denied => return,
                _ => after(LAST_RETRY_PAUSE).await,
            }
        }
    }

    /// Whether there is a client for the current destination; makes one where
    /// the destination is new.
    async fn connect(&mut self) -> bool {
        let destination = match (&*self.shared.destination.borrow(), &self.connected) {
            (None, _) => return false,
            (Some(destination), Some((connected, _))) if destination == connected => return true,
            (Some(destination), _) => destination.clone(),
        };
        let settings = &self.shared.settings;
        if self.connector.is_none() {
            let ca_bundle = settings.ca_bundle.as_ref().map(|bundle| bundle.path.clone());
            match Connector::new(ca_bundle) {
                Ok(connector) => self.connector = Some(connector),
                Err(error) => self.health.fails(&error, Instant::now()),
            }
        }
        let Some(connector) = self.connector.clone() else { return false };
        let cloudwatch = CloudWatch::connect(
            connector,
            destination.region.clone(),
            settings.namespace.clone(),
            destination.dimensions.clone(),
            self.shared.access.clone(),
        )
        .await;
        self.connected = Some((destination, cloudwatch));
        true
    }

    /// One request, and what became of it. Callers have connected.
    async fn send(&mut self, samples: &[Sample]) -> Outcome {
        let Some((_, cloudwatch)) = &self.connected else { return Outcome::Unreachable };
        let outcome = match cloudwatch.put(samples).await {
            Ok(()) => {
                debug!(samples = samples.len(), "published");
                self.health.works(Instant::now());
                Outcome::Accepted
            }
            Err(error) => {
                self.health.fails(&error, Instant::now());
                error.outcome
            }
        };
        if outcome == Outcome::Credentials {
            // A new client asks for new credentials; the old one would keep
            // its own until they say that they have expired.
            self.connected = None;
        }
        let mut publisher = self.shared.publisher.borrow_mut();
        publisher.on_outcome(outcome, now());
        publisher.events().for_each(report::publisher_event);
        outcome
    }

    async fn wait_until(&mut self, at: Instant) {
        let change = async {
            // The sender lives in `shared`, so it cannot be gone.
            let _ = self.notices.recv().await;
        };
        self.wakeup.until(at).or(change).await;
    }
}

fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let wall_ns = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
    Now { instant: Instant::now(), wall: Timestamp::from_unix_ns(wall_ns) }
}
