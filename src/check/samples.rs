//! The questions that take time: whether samples come, how often, and which metrics
//! have a value. How long is waited depends on the cadence that is seen.

use std::time::{Duration, Instant};

use smol::future::FutureExt as _;

use super::{
    findings::{self, Reason, Step, ms},
    under_way::Check,
};
use crate::{
    endpoint::task::{ContainerStatus, TaskDocument},
    sample::dimension::ResolvedDimensions,
    sampler::{Selection, Unseen, watching::Watching},
    sidecar::{
        endpoint_source::PollError,
        world::{Timer as _, World},
    },
    time::ticker::Ticker,
};

/// For a container that does not run, and for answers while polls fail.
const DOUBTFUL_PATIENCE: Duration = Duration::from_secs(22);
/// For metrics that come late or never, such as the network's: five renewals of 10 s,
/// the default of the agent, and a little more.
const LATE_METRICS_PATIENCE: Duration = Duration::from_secs(54);

/// A container that is measured, as far as samples are concerned.
struct Awaited {
    place: u16,
    name: String,
    status: ContainerStatus,
    /// As the document writes it.
    state: String,
}

impl Awaited {
    fn is_stopped(&self) -> bool {
        self.status == ContainerStatus::Stopped
    }

    /// Whether samples of it can come at once.
    fn may_run(&self) -> bool {
        matches!(self.status, ContainerStatus::Running | ContainerStatus::Unknown)
    }
}

/// How the waiting goes.
struct SampleWait {
    start: Instant,
    deadline: Instant,
    /// When the last new sample came.
    renewed_at: Instant,
    /// Since when no poll has succeeded; and why the last one did not.
    failing: Option<(Instant, PollError)>,
}

impl<W: World> Check<'_, W> {
    /// Waits for two new samples of each container, and for what comes late; until
    /// `deadline` at most.
    pub(super) async fn samples(
        &mut self,
        mut task: TaskDocument,
        ticker: &mut Ticker,
        deadline: Instant,
    ) {
        let start = self.instant();
        self.output.say(&format!(
            "\nwaiting for two new samples of each container, at most {} s (one comes every second \
             on EC2, every 10 s on Fargate) ...\n",
            (deadline.saturating_duration_since(start)).as_secs()
        ));
        let mut progress = SampleWait { start, deadline, renewed_at: start, failing: None };
        let interval = self.settings.sample_interval;
        let mut watching = Watching::new(ticker.next(), interval);
        while ticker.next() <= deadline && !self.is_complete(&task, &progress) {
            self.watch_until(ticker.next(), &mut watching).await;
            let before = self.readings();
            let Some((renewed_task, error)) = self.poll_until(deadline).await else { break };
            task = renewed_task.unwrap_or(task);
            let now = self.instant();
            if self.readings() > before {
                progress.renewed_at = now;
            }
            progress.failing = error.map(|error| {
                let since = progress.failing.as_ref().map_or(now, |(since, _)| *since);
                (since, error)
            });
            ticker.advance(now);
        }
        let waited_s = self.instant().saturating_duration_since(start).as_secs();
        let error = progress.failing.map(|(_, error)| error);
        self.judge_samples(&self.measured(&task), error.as_ref(), waited_s);
        self.output.part(&self.findings, Step::Samples);
        self.metrics_of(&task);
    }

    /// A poll, unless it is `deadline` before that.
    pub(super) async fn poll_until(
        &mut self,
        deadline: Instant,
    ) -> Option<(Option<TaskDocument>, Option<PollError>)> {
        let mut timer = self.world.timer();
        let over = async {
            timer.until(deadline).await;
            None
        };
        async { Some(self.poll().await) }.or(over).await
    }

    /// Waits, and reads the kernel meanwhile as the sidecar does.
    pub(super) async fn watch_until(&mut self, until: Instant, watching: &mut Watching) {
        loop {
            let is_read = self.poller.reads_kernel();
            let now = self.instant();
            if is_read {
                let rhythms = self.poller.sampler.rhythms();
                watching.plan(now, until, rhythms.into_iter().flatten());
            }
            let watch_at = Some(watching.next()).filter(|at| is_read && *at <= until);
            self.poller.timer.until(watch_at.unwrap_or(until)).await;
            if watch_at.is_none() {
                return;
            }
            let is_tick = watching.take(self.instant());
            self.poller.read_kernel(self.world, is_tick);
            self.take_in();
        }
    }

    fn judge_samples(&mut self, measured: &[Awaited], error: Option<&PollError>, waited_s: u64) {
        let is_all_stopped = measured.iter().all(Awaited::is_stopped);
        for container in measured {
            let Awaited { place, name, state, .. } = container;
            let cadence_ms = self.poller.sampler.interval_of(*place).map(ms);
            let found = findings::CadenceFinding { container: name.clone(), cadence_ms };
            self.findings.cadences.push(found);
            let has_value = self.newest.keys().any(|(of, _)| of == &Some(*place));
            if cadence_ms.is_some() || has_value {
                continue;
            }
            if container.is_stopped() {
                let what = format!("{name} has stopped, so there is nothing to measure");
                let next = format!("start {name} again, or leave it out of CONTAINER_NAME");
                // An init container that has done its work is no reason to worry.
                match self.settings.containers {
                    _ if is_all_stopped => self.fail(Step::Samples, Reason::Temporary, what, next),
                    Selection::Named(_) => self.warn(Step::Samples, what, next),
                    Selection::All => {}
                }
                continue;
            }
            let (reason, what, next) = match (error, self.poller.sampler.readings_of(*place)) {
                (Some(error), _) => (
                    Reason::Unavailable,
                    format!("no stats of {name} came within {waited_s} s: {error}"),
                    "try again in a minute; if the error remains, see the log of the ECS agent",
                ),
                (None, 0) if !container.may_run() => (
                    Reason::Temporary,
                    format!("{name} is not running: its state is {state}"),
                    "try again when the container runs",
                ),
                (None, 0) => (
                    Reason::Temporary,
                    format!("no stats of {name} came within {waited_s} s"),
                    "try again when the container has run for a minute",
                ),
                (None, _) => (
                    Reason::Temporary,
                    format!("only one sample of {name} came within {waited_s} s"),
                    "try again; if this happens again, see the log of the ECS agent",
                ),
            };
            self.fail(Step::Samples, reason, what, next.to_owned());
        }
    }

    /// The measured containers that are in the task.
    fn measured(&self, task: &TaskDocument) -> Vec<Awaited> {
        let of_name = |name: &String| {
            let named = task.containers().iter().filter(|it| it.name() == Some(name));
            let named: Vec<_> = named.collect();
            // Of several, that which the sampler measures.
            let first = named.iter().find(|it| it.is_running()).or(named.first())?;
            Some((first.status(), first.known_status().unwrap_or("unknown").to_owned()))
        };
        let places = (0..).zip(self.poller.sampler.names());
        places
            .filter_map(|(place, name)| {
                let (status, state) = of_name(name)?;
                Some(Awaited { place, name: name.clone(), status, state })
            })
            .collect()
    }

    /// How many samples have come of all measured containers together.
    fn readings(&self) -> u64 {
        let sampler = &self.poller.sampler;
        let places = (0..).zip(sampler.names());
        places.map(|(place, _)| u64::from(sampler.readings_of(place))).sum()
    }

    /// Whether nothing more is to be waited for.
    fn is_complete(&self, task: &TaskDocument, progress: &SampleWait) -> bool {
        let (sampler, now) = (&self.poller.sampler, self.instant());
        let is_patience_over = now >= progress.start + DOUBTFUL_PATIENCE;
        let is_hopeless =
            |since: Instant| now >= since.max(progress.renewed_at) + DOUBTFUL_PATIENCE;
        if progress.failing.as_ref().is_some_and(|(since, _)| is_hopeless(*since)) {
            return true;
        }
        let mut waited_for = self.measured(task);
        waited_for.retain(|it| {
            let has_begun = sampler.interval_of(it.place).is_some();
            !it.is_stopped() && (has_begun || it.may_run() || !is_patience_over)
        });
        let intervals = waited_for.iter().map(|it| sampler.interval_of(it.place));
        let Some(intervals) = intervals.collect::<Option<Vec<_>>>() else { return false };
        let longest = intervals.into_iter().max().unwrap_or_default();
        if progress.renewed_at + longest > progress.deadline {
            // The next ones would be too late.
            return true;
        }
        let comes_late = |unseen: &Unseen| {
            unseen.metric.is_of_network()
                || (unseen.metric.is_of_task() && !unseen.metric.is_from_task_document())
        };
        let has_cadences = waited_for.iter().all(|it| sampler.cadence_of(it.place).is_some());
        if has_cadences && !sampler.unseen().iter().any(comes_late) {
            return true;
        }
        // The network's renewals are known after four or five of them: what passed between
        // the first and the third is known to a twentieth only if no answer takes any time.
        let enough = 5 * longest + Duration::from_secs(4);
        has_cadences && now >= progress.start + enough.max(LATE_METRICS_PATIENCE)
    }

    /// A value of each metric, or why there is none.
    fn metrics_of(&mut self, task: &TaskDocument) {
        let stopped: Vec<_> = self.measured(task).into_iter().filter(Awaited::is_stopped).collect();
        let is_stopped = |place| stopped.iter().any(|it| Some(it.place) == place);
        let sampler = &self.poller.sampler;
        let names = sampler.names();
        let name = |place: Option<u16>| names.get(usize::from(place?)).cloned();
        let values = self.newest.iter().map(|(of, sample)| (*of, Some(*sample), None));
        let missing = sampler.unseen().into_iter().map(|Unseen { metric, container, reason }| {
            let reason = if is_stopped(container) { "the container has stopped" } else { reason };
            ((container, metric), None, Some(reason))
        });
        let mut metrics: Vec<_> = values.chain(missing).collect();
        // The containers' first.
        metrics.sort_by_key(|((of, metric), ..)| (of.is_none(), *of, *metric));
        let findings = metrics.into_iter().map(|((of, metric), sample, unavailable)| {
            findings::MetricFinding {
                name: metric.name(),
                container: name(of),
                value: sample.map(|sample| sample.value),
                unit: metric.unit(),
                read_unix_ms: sample.map(|sample| sample.read.unix_ms()),
                basis: sampler.basis(metric, of),
                unavailable,
            }
        });
        self.findings.metrics = findings.collect();
    }

    /// What the sidecar would publish.
    pub(super) fn plan(&mut self, dimensions: &ResolvedDimensions) {
        let (sampler, settings) = (&self.poller.sampler, self.settings);
        let intervals =
            (0..).zip(sampler.names()).filter_map(|(place, _)| sampler.interval_of(place));
        let cadence = intervals.min().unwrap_or_default();
        self.findings.plan = Some(findings::PlanFinding {
            metrics: self.newest.keys().map(|(of, _)| dimensions.sets(*of).len()).sum(),
            request_interval_ms: settings
                .outputs
                .cloudwatch
                .then(|| ms(settings.publish_interval.max(cadence))),
        });
        if self.newest.is_empty() && !self.findings.problems.iter().any(|problem| problem.fails) {
            self.fail(
                Step::Metrics,
                Reason::Configuration,
                "no metric in METRICS is available here".to_owned(),
                "set METRICS to metrics that the platform reports, or remove METRICS".to_owned(),
            );
        }
        self.output.part(&self.findings, Step::Metrics);
    }
}
