//! How the endpoint's readings reach the sampler: one poll, what is asked for, and how
//! long an answer is waited for. When to poll is decided in `sampler::asking`, and
//! in `check`.

use std::time::{Duration, Instant};

use smol::future::FutureExt as _;

use super::{
    kernel_source::KernelSource,
    world::{Endpoint, Timer as _, World},
};
use crate::{
    endpoint::{Resource, stats::StatsParser, task::TaskDocument},
    kernel::KernelCounters,
    reading::Entry,
    sample::metric::Sample,
    sampler::{Event, Sampler, parts_of, watching::Watching},
    settings::Settings,
    time::Now,
};

/// How long an answer is waited for. The endpoint is slow exactly when the host is
/// busy, and a late answer is still a good sample; the ticks that pass meanwhile
/// count as missed. Counted from each request, not from the tick.
pub(crate) const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(5);

/// The endpoint's client and the sampler behind it.
pub(crate) struct Poller<W: World> {
    client: W::Endpoint,
    parser: StatsParser,
    pub(crate) sampler: Sampler,
    /// The other source of counters; `None` if it is not to be used.
    pub(crate) kernel: Option<KernelSource<W::Kernel>>,
    /// The task's one timer: for the next tick, and for a poll's time-out.
    pub(crate) timer: W::Timer,
    /// What the polls brought; for the caller to take out.
    pub(crate) samples: Vec<Sample>,
    pub(crate) events: Vec<Event>,
    /// The longest time that an answer took; for the caller to take out.
    pub(crate) slowest: Duration,
    /// The kernel was looked at anew; for the caller to take out.
    pub(crate) has_looked: bool,
    /// When the kernel is read while an answer is waited for; `None` if it is not.
    pub(crate) watching: Option<Watching>,
}

/// What came of a poll.
pub(crate) struct Polled {
    /// The task document, if it was asked for and given.
    pub(crate) task: Option<TaskDocument>,
    /// When the stats arrived that the sampler got; `None` if it got none.
    pub(crate) sampled_at: Option<Instant>,
    /// What went wrong; perhaps with the task document alone.
    pub(crate) error: Option<PollError>,
}

impl Polled {
    /// Whether, after the stats, the task is to be asked for.
    pub(crate) fn wants_task(&self, sampler: &Sampler) -> bool {
        self.task.is_none() && self.sampled_at.is_some_and(|at| sampler.wants_task(at))
    }
}

/// What the endpoint said.
struct Received<'client> {
    body: &'client mut [u8],
    /// When the last byte arrived.
    arrived: Now,
    /// Since the request.
    took: Duration,
}

impl<W: World> Poller<W> {
    pub(crate) fn new(world: &W, settings: &Settings) -> Self {
        Self {
            client: world.endpoint(settings.endpoint.clone()),
            parser: StatsParser::new(parts_of(settings.metrics)),
            sampler: Sampler::new(settings.containers.clone(), settings.metrics),
            kernel: KernelSource::new(|| world.kernel(), settings),
            timer: world.timer(),
            samples: Vec::new(),
            events: Vec::new(),
            slowest: Duration::ZERO,
            has_looked: false,
            watching: None,
        }
    }

    /// Asks for what a tick needs: the stats, and then the task, if the sampler
    /// wants it.
    pub(crate) async fn poll(&mut self, world: &W) -> Polled {
        let mut polled = self.poll_stats(world).await;
        if polled.wants_task(&self.sampler) {
            match self.poll_task(world).await {
                Ok(task) => polled.task = Some(task),
                Err(error) => polled.error = Some(error),
            }
        }
        polled
    }

    /// The stats first, since they do not wait; before them the task, while none is
    /// known.
    pub(crate) async fn poll_stats(&mut self, world: &W) -> Polled {
        let mut polled = Polled { task: None, sampled_at: None, error: None };
        if !self.sampler.knows_task() {
            match self.read_task(world).await {
                Ok(task) => polled.task = Some(task),
                Err(error) => {
                    polled.error = Some(error);
                    return polled;
                }
            }
        }
        match self.read_stats(world).await {
            Ok(arrived) => polled.sampled_at = Some(arrived),
            Err(error) => polled.error = Some(error),
        }
        polled
    }

    /// Whether reading the kernel gives anything.
    pub(crate) fn reads_kernel(&self) -> bool {
        self.kernel.as_ref().is_some_and(KernelSource::is_of_use)
    }

    /// Reads the kernel, if that gives anything. Only at a tick, values that are believed
    /// become samples.
    pub(crate) fn read_kernel(&mut self, world: &W, is_tick: bool) {
        let Self { sampler, kernel, samples, events, watching, .. } = self;
        Watcher { kernel, watching, sampler, samples, events }.read(world.now(), is_tick);
    }

    /// The task again. If there is no answer, what is known of it stays valid.
    pub(crate) async fn poll_task(&mut self, world: &W) -> Result<TaskDocument, PollError> {
        let read = self.read_task(world).await;
        read.inspect_err(|_| self.sampler.on_task_failed(world.now().instant))
    }

    async fn read_task(&mut self, world: &W) -> Result<TaskDocument, PollError> {
        let Self { client, timer, sampler, kernel, samples, events, watching, .. } = self;
        let watcher = Watcher { kernel, watching, sampler, samples, events };
        let answer = get(client, Resource::Task, world, timer, watcher).await?;
        self.slowest = self.slowest.max(answer.took);
        let task =
            TaskDocument::parse(answer.body).map_err(|error| PollError(error.to_string()))?;
        // `{}` is what a failing agent answers; a task has containers.
        if task.containers().is_empty() {
            return Err(PollError("GET /task: the document lists no containers".to_owned()));
        }
        self.sampler.on_task(&task, answer.arrived, &mut self.samples, &mut self.events);
        if let Some(kernel) = &mut self.kernel {
            self.has_looked |= kernel.on_task(&task, self.sampler.names(), answer.arrived);
        }
        Ok(task)
    }

    async fn read_stats(&mut self, world: &W) -> Result<Instant, PollError> {
        self.sampler.on_asked(world.now().instant);
        let Self { client, timer, sampler, kernel, samples, events, watching, .. } = self;
        let watcher = Watcher { kernel, watching, sampler, samples, events };
        let answer = get(client, Resource::Stats, world, timer, watcher).await?;
        self.slowest = self.slowest.max(answer.took);
        let Self { parser, sampler, kernel, samples, events, .. } = self;
        let arrived = answer.arrived;
        if let Some(kernel) = kernel {
            kernel.note_clock(arrived);
        }
        let read = |visit: &mut dyn FnMut(&str, Entry)| {
            parser.parse(answer.body, |docker_id, entry| {
                let entry = match kernel {
                    Some(kernel) => kernel.on_entry(docker_id, entry, arrived),
                    None => entry,
                };
                visit(docker_id, entry);
            })
        };
        sampler
            .on_readings(read, arrived, samples, events)
            .map_err(|error| PollError(error.to_string()))?;
        Ok(answer.arrived.instant)
    }
}

/// What reads the kernel, also while an answer is waited for.
struct Watcher<'a, K> {
    kernel: &'a mut Option<KernelSource<K>>,
    watching: &'a mut Option<Watching>,
    sampler: &'a mut Sampler,
    samples: &'a mut Vec<Sample>,
    events: &'a mut Vec<Event>,
}

impl<K: KernelCounters> Watcher<'_, K> {
    /// When the kernel is read next, if it is.
    fn next(&self) -> Option<Instant> {
        let is_of_use = self.kernel.as_ref().is_some_and(KernelSource::is_of_use);
        self.watching.as_ref().filter(|_| is_of_use).map(Watching::next)
    }

    /// That moment has come.
    fn take(&mut self, now: Now) {
        let is_tick = self.watching.as_mut().is_some_and(|watching| watching.take(now.instant));
        self.read(now, is_tick);
    }

    fn read(&mut self, now: Now, is_tick: bool) {
        if let Some(kernel) = self.kernel.as_mut().filter(|kernel| kernel.is_of_use()) {
            kernel.read(now, self.sampler, self.samples, self.events, is_tick);
        }
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

/// One request. When its time is over it is dropped together with its connection,
/// so that a late answer is never taken for that of the next request.
async fn get<'client, W: World>(
    client: &'client mut W::Endpoint,
    resource: Resource,
    world: &W,
    timer: &mut W::Timer,
    mut watcher: Watcher<'_, W::Kernel>,
) -> Result<Received<'client>, PollError> {
    let asked = world.now().instant;
    let answered = async { Some(client.get(resource, asked).await) };
    let over_at = asked + ENDPOINT_TIMEOUT;
    let over = async {
        // An endpoint that hangs does not keep the kernel from being read: that is when
        // its values matter.
        while let Some(watch_at) = watcher.next().filter(|watch_at| *watch_at < over_at) {
            timer.until(watch_at).await;
            watcher.take(world.now());
        }
        timer.until(over_at).await;
        None
    };
    match answered.or(over).await {
        Some(Ok(body)) => {
            let arrived = world.now();
            let took = arrived.instant.saturating_duration_since(asked);
            Ok(Received { body, arrived, took })
        }
        Some(Err(error)) => Err(PollError(format!("GET {resource}: {error}"))),
        None => {
            let seconds = ENDPOINT_TIMEOUT.as_secs();
            Err(PollError(format!("GET {resource}: no answer within {seconds} s")))
        }
    }
}
