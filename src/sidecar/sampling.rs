//! The task that polls the endpoint, and that hands on what the sampler makes of each
//! answer: samples to the publisher and to the lines for stdout, events to the log.
//! It waits for the endpoint alone; neither CloudWatch nor stdout can hold it up.

use std::{
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use smol::{channel::Receiver, future::FutureExt as _, stream::StreamExt as _};

use super::{
    destination::{self, Destination},
    endpoint_source::{PollError, Poller},
    kernel_source::KernelSource,
    pace::Pace,
    shared::Shared,
    world::{Timer as _, World},
};
use crate::{
    endpoint::task::TaskDocument,
    kernel::KernelCounters,
    report::{self, Slowness, Trouble, log, own_metrics},
    sample::{OwnFigures, dimension::ResolvedDimensions},
    sampler::warm_up::{WarmUp, WarmUpEvent},
    settings::{Settings, SourceChoice},
    time::reminder::Reminder,
};

const SUMMARY_INTERVAL: Duration = Duration::from_mins(1);

/// The task that polls the endpoint.
pub(super) struct Sampling<W: World> {
    shared: Rc<Shared<W>>,
    poller: Poller<W>,
    trouble: Trouble,
    slowness: Slowness,
    warm_up: WarmUp,
    warm_up_events: Vec<WarmUpEvent>,
    /// While the Region is not known: when that is logged.
    no_region: Option<Reminder>,
    /// While samples wait for the end of their window: when to look at them again.
    lines_at: Option<Instant>,
    /// What the sampler does not count.
    figures: OwnFigures,
    /// What the last samples about ESP itself had.
    summed_up: OwnFigures,
}

impl<W: World> Sampling<W> {
    pub(super) fn new(shared: Rc<Shared<W>>) -> Self {
        Self {
            poller: Poller::new(&shared.world, &shared.settings),
            trouble: Trouble::new("the task metadata endpoint"),
            slowness: Slowness::default(),
            warm_up: WarmUp::new(shared.settings.warm_up),
            warm_up_events: Vec::new(),
            no_region: None,
            lines_at: None,
            figures: OwnFigures::default(),
            summed_up: OwnFigures::default(),
            shared,
        }
    }

    /// Until `stopped` is closed, and then once more.
    pub(super) async fn run(mut self, stopped: Receiver<()>) {
        // As a stream it listens once, and not anew for each tick.
        let mut stopped = pin!(stopped);
        let mut pace = Pace::new(self.instant(), self.shared.settings.sample_interval);
        let mut summary_at = pace.asking().next() + SUMMARY_INTERVAL;
        loop {
            let asks_at = pace.asking().next();
            let watch_at = pace.watches_at(&self.poller);
            // The first of all that has a time of its own. What is due at the same time is
            // done in this order.
            let others = [watch_at, self.lines_at].into_iter().flatten();
            let wake = others.fold(asks_at.min(summary_at), Instant::min);
            let is_stopped = async {
                let _ = stopped.next().await;
                true
            };
            let is_due = async {
                self.poller.timer.until(wake).await;
                false
            };
            if is_stopped.or(is_due).await {
                break;
            }
            if watch_at == Some(wake) {
                self.watch(&mut pace);
            }
            if wake == asks_at {
                self.ask(&mut pace).await;
            }
            if self.lines_at.is_some_and(|lines_at| wake >= lines_at) {
                self.hand_to_lines();
            }
            if wake >= summary_at {
                summary_at += SUMMARY_INTERVAL;
                self.sum_up();
            }
            log::tend();
        }
        // The end may come while the endpoint is waited for.
        self.poller.read_kernel(&self.shared.world, true);
        self.hand_over();
        let _ = self.poll_and_count().await;
    }

    /// Reads the kernel, and plans when it is read next.
    fn watch(&mut self, pace: &mut Pace) {
        pace.watch(&mut self.poller, &self.shared.world);
        self.note_watched();
        self.hand_over();
    }

    /// Values of the kernel that are believed are samples, as answers of the endpoint are.
    fn note_watched(&self) {
        if self.poller.kernel.as_ref().is_some_and(KernelSource::is_proven) {
            self.shared.note_sampled(self.instant());
        }
    }

    /// Asks the endpoint, and plans when it is asked next.
    async fn ask(&mut self, pace: &mut Pace) {
        self.shared.polling.set(Some(pace.asking()));
        pace.lend(&mut self.poller);
        let polled = self.poll_and_count().await;
        self.note_watched();
        let now = self.instant();
        pace.settle(&mut self.poller, now, polled.is_ok());
        let asking = pace.asking();
        self.shared.polling.take();
        self.figures.missed_ticks = asking.missed(now);
        self.note_figures();
        match polled {
            Ok(()) => {
                self.shared.note_rest(asking.gap());
                self.trouble.works(now);
            }
            Err(error) => self.trouble.fails(&error, now),
        }
        self.slowness.note(std::mem::take(&mut self.poller.slowest), now);
    }

    /// A poll, and the books of it.
    async fn poll_and_count(&mut self) -> Result<(), PollError> {
        self.figures.polls += 1;
        // The last one may be given up halfway.
        self.note_figures();
        // The counters around a renewal that is asked for.
        self.poller.read_kernel(&self.shared.world, false);
        let polled = self.poll().await;
        self.figures.failed_polls += u64::from(polled.is_err());
        self.hand_over();
        polled
    }

    fn instant(&self) -> Instant {
        self.shared.world.now().instant
    }

    /// The minute's line, and the same as samples where they are wanted.
    fn sum_up(&mut self) {
        let (figures, now) = (self.shared.figures(), self.shared.world.now());
        report::summary(&figures, self.shared.settings.outputs, now.wall);
        if self.shared.settings.self_metrics {
            let outputs = self.shared.settings.outputs;
            let samples = own_metrics::samples(&figures, &self.summed_up, outputs, now.wall);
            self.poller.samples.extend(samples);
            self.summed_up = figures;
            self.hand_over();
        }
    }

    fn note_figures(&self) {
        let kernel = self.poller.kernel.as_ref().map(KernelSource::figures).unwrap_or_default();
        let sampler = self.poller.sampler.figures();
        self.shared.sampled.set(self.figures.plus(sampler).plus(kernel));
    }

    async fn poll(&mut self) -> Result<(), PollError> {
        let polled = self.poller.poll_stats(&self.shared.world).await;
        if let Some(task) = &polled.task {
            self.on_task(task);
        }
        if let Some(arrived) = polled.sampled_at {
            self.shared.note_sampled(arrived);
            self.remind_of_region(arrived);
        }
        let is_health_wanted = polled.sampled_at.is_some_and(|at| self.warm_up.wants_task(at));
        if polled.wants_task(&self.poller.sampler) || (polled.task.is_none() && is_health_wanted) {
            // The end may come while the task is waited for.
            self.hand_over();
            let task = self.poller.poll_task(&self.shared.world).await?;
            self.on_task(&task);
        }
        polled.error.map_or(Ok(()), Err)
    }

    fn remind_of_region(&mut self, now: Instant) {
        if self.no_region.as_mut().is_some_and(|reminder| reminder.is_due(now)) {
            report::no_region();
        }
    }

    fn on_task(&mut self, task: &TaskDocument) {
        let (now, names) = (self.shared.world.now(), self.poller.sampler.names());
        self.warm_up.on_task(task, names, now, &mut self.warm_up_events);
        let settings = &self.shared.settings;
        let dimensions = destination::dimensions(settings, task, self.poller.sampler.names());
        if let Some(lines) = &self.shared.lines {
            let is_new =
                lines.borrow_mut().set_dimensions(&dimensions, self.poller.sampler.names());
            if is_new && !settings.outputs.cloudwatch {
                report::dimensions(&dimensions, None, settings.metrics);
            }
        }
        if settings.outputs.cloudwatch {
            self.set_destination(dimensions, task);
        }
    }

    fn set_destination(&mut self, dimensions: ResolvedDimensions, task: &TaskDocument) {
        let settings = &self.shared.settings;
        let Some(region) = destination::region(settings, Some(task)) else {
            self.no_region.get_or_insert_default();
            let now = self.instant();
            self.remind_of_region(now);
            return;
        };
        self.no_region = None;
        let destination = Destination { region, dimensions };
        let is_new = self.shared.destination.borrow().as_ref() != Some(&destination);
        if is_new {
            let region = &destination.region.name;
            report::dimensions(&destination.dimensions, Some(region), settings.metrics);
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
        self.hold_back();
        self.note_figures();
        for event in self.poller.events.drain(..) {
            report::event(&event);
        }
        if let Some(kernel) = &mut self.poller.kernel {
            if std::mem::take(&mut self.poller.has_looked) {
                report_sources(kernel, &self.shared.settings);
            }
            kernel.events().for_each(|event| report::kernel::proof(&event));
            kernel.task_events(report::kernel::estimate);
        }
        self.hand_to_lines();
        self.hand_to_publisher();
        self.poller.samples.clear();
    }

    /// Takes out the samples of containers that warm up.
    fn hold_back(&mut self) {
        let (now, names) = (self.shared.world.now(), self.poller.sampler.names());
        self.warm_up.advance(names, now, &mut self.warm_up_events);
        self.warm_up_events.drain(..).for_each(|event| report::warm_up_event(&event));
        let before = self.poller.samples.len();
        self.poller.samples.retain(|sample| self.warm_up.admits(sample));
        self.figures.samples_warming_up += (before - self.poller.samples.len()) as u64;
    }

    fn hand_to_lines(&mut self) {
        let Some(lines) = &self.shared.lines else { return };
        let mut lines = lines.borrow_mut();
        let now = self.shared.world.now();
        lines.set_cadence(self.poller.sampler.cadence());
        for sample in &self.poller.samples {
            lines.push(*sample, now);
        }
        lines.advance(now);
        lines.events().for_each(report::line_event);
        // If the endpoint is asked in time, that is not needed.
        let later = now.instant + self.shared.settings.sample_interval * 2;
        self.lines_at = lines.has_waiting().then_some(later);
        if lines.has_lines() {
            self.shared.notify_writing();
        }
    }

    fn hand_to_publisher(&self) {
        if !self.shared.settings.outputs.cloudwatch {
            return;
        }
        let mut publisher = self.shared.publisher.borrow_mut();
        publisher.set_cadence(self.poller.sampler.cadence());
        let mut is_changed = false;
        if !self.poller.samples.is_empty() {
            let now = self.shared.world.now();
            let destination = self.shared.destination.borrow();
            for sample in &self.poller.samples {
                let is_addressed = destination
                    .as_ref()
                    .is_none_or(|known| !known.dimensions.sets(sample.container).is_empty());
                if is_addressed {
                    // Nobody waits for what ESP says of itself.
                    is_changed |= publisher.push(*sample, now) && !sample.metric.is_own();
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

/// Which metrics come from where.
fn report_sources(kernel: &mut KernelSource<impl KernelCounters>, settings: &Settings) {
    let is_wanted = settings.source == SourceChoice::Kernel;
    let every = settings.sample_interval;
    kernel.found_anew(|name, finding| report::kernel::found(name, finding, is_wanted, every));
    if !kernel.is_rest_news() {
        return;
    }
    if let Some(interface) = kernel.interface() {
        report::kernel::network(interface, every);
    }
    if kernel.estimates_task() {
        report::kernel::estimates(None, every);
    }
    if let Some(container) = kernel.estimates_container() {
        report::kernel::estimates(Some(container), every);
    }
}
