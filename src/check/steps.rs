//! The questions to the endpoint, one after the other, each within its time. One
//! that fails does not keep the others from being asked, where they do not need
//! its answer. Those to AWS are in `access`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    Output,
    report::{self, Problem, Reason, Report, Step},
};
use crate::{
    endpoint::task::{NetworkMode, TaskContainer, TaskDocument},
    sample::{
        dimension::{self, KnownDimension, ResolvedDimensions},
        metric::{Metric, Sample},
    },
    sampler::{Event, Selection, Unseen},
    settings::{Settings, SettingsErrors},
    sidecar::{
        destination::{self, Destination},
        polling::{PollError, Poller},
        world::{Timer as _, World},
    },
    time::ticker::Ticker,
};

/// How long the endpoint may stay silent.
const ENDPOINT_PATIENCE: Duration = Duration::from_secs(10);
/// How long two new samples of each container may take. On Fargate they take 20 s.
const SAMPLES_PATIENCE: Duration = Duration::from_secs(22);
/// The longest time between two polls, however long `SAMPLE_INTERVAL` is.
const POLL_INTERVAL_MOST: Duration = Duration::from_secs(1);
/// The newest sample of each metric and container.
type Newest = BTreeMap<(Option<u16>, Metric), Sample>;

/// A check that is under way.
pub(super) struct Check<'a, W: World> {
    pub(super) world: &'a W,
    pub(super) settings: &'a Settings,
    pub(super) output: Output,
    pub(super) report: Report,
    pub(super) poller: Poller<W>,
    pub(super) newest: Newest,
}

/// The report where the configuration could not even be read.
pub(super) fn misconfigured(errors: &SettingsErrors, output: Output) -> Report {
    let mut report = new_report();
    report.problems.extend(errors.iter().map(|error| Problem {
        step: Step::Configuration,
        fails: true,
        what: error.to_string(),
        next: "correct it; esp --help has every variable with an example".to_owned(),
    }));
    report.reason = Reason::Configuration;
    report.exit_code = report.reason.exit_code();
    output.part(&report, Step::Configuration);
    report
}

fn new_report() -> Report {
    Report { version: env!("CARGO_PKG_VERSION"), ..Report::default() }
}

impl<'a, W: World> Check<'a, W> {
    pub(super) fn new(world: &'a W, settings: &'a Settings, output: Output) -> Self {
        let poller = Poller::new(world, settings);
        Self { world, settings, output, report: new_report(), poller, newest: Newest::new() }
    }

    /// Asks everything.
    pub(super) async fn run(mut self, publish: bool) -> Report {
        self.configuration();
        let interval = self.settings.sample_interval.min(POLL_INTERVAL_MOST);
        let mut ticker = Ticker::new(self.instant(), interval);
        let task = self.endpoint(&mut ticker).await;
        let has_container = task.as_ref().is_some_and(|task| self.containers(task));
        let has_requests = self.settings.outputs.cloudwatch;
        let region = has_requests.then(|| self.region(task.as_ref())).flatten();
        let dimensions = task.as_ref().map(|task| self.dimensions(task)).unwrap_or_default();
        if let Some(task) = task.as_ref().filter(|_| has_container) {
            self.samples(task, &mut ticker).await;
            self.metrics(&dimensions);
        }
        if let Some(region) = region {
            self.cloudwatch(Destination { region, dimensions }, publish).await;
        } else if publish && !has_requests {
            let what = "no datapoint was sent: OUTPUT has no cloudwatch".to_owned();
            self.warn(Step::Publish, what, "leave --publish out".to_owned());
            self.output.part(&self.report, Step::Publish);
        }
        self.report
    }

    pub(super) fn instant(&self) -> Instant {
        self.world.now().instant
    }

    fn configuration(&mut self) {
        let settings = self.settings;
        self.report.configuration = Some(report::Configuration {
            containers: match &settings.containers {
                Selection::Named(names) => names.clone(),
                Selection::All => vec!["*".to_owned()],
            },
            metrics: settings.metrics.iter().map(Metric::name).collect(),
            namespace: settings.namespace.clone(),
            output: settings.outputs.to_string(),
            sample_interval_ms: ms(settings.sample_interval),
            publish_interval_ms: ms(settings.publish_interval),
        });
        for warning in &settings.warnings {
            self.warn(Step::Configuration, warning.what.clone(), warning.next.clone());
        }
        self.output.part(&self.report, Step::Configuration);
    }

    /// One more poll, whose samples and events are taken in.
    async fn poll(&mut self) -> (Option<TaskDocument>, Option<PollError>) {
        let polled = self.poller.poll(self.world).await;
        for sample in self.poller.samples.drain(..) {
            // ESP's own figures do not come from here.
            if let Some(metric) = sample.metric.metric() {
                self.newest.insert((sample.container, metric), sample);
            }
        }
        for event in std::mem::take(&mut self.poller.events) {
            self.event(event);
        }
        (polled.task, polled.error)
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::ContainerMissing { container, names } => self.fail(
                Step::Containers,
                Reason::Configuration,
                format!("the task has no container {container}"),
                format!("set CONTAINER_NAME to what it has: {}", names.join(", ")),
            ),
            Event::EntryMalformed { container, error } => self.warn(
                Step::Samples,
                format!("the stats of {container} cannot be read: {error}"),
                "report it, with the document that curl \
                 ${ECS_CONTAINER_METADATA_URI_V4}/task/stats gives"
                    .to_owned(),
            ),
            Event::CounterReset { container } => self.warn(
                Step::Samples,
                format!("{container} was restarted meanwhile"),
                "see why, if that was not meant".to_owned(),
            ),
            Event::ClockSet { by_ms: _ } => self.warn(
                Step::Samples,
                "the clock was set while it was measured".to_owned(),
                "check again, so that the values are of one clock".to_owned(),
            ),
            Event::CounterJumped { container } => self.warn(
                Step::Samples,
                format!("the CPU counter of {container} fell and came back, or jumped"),
                "check again; if it lasts, the container's stats cannot be relied on".to_owned(),
            ),
            Event::SumsWait { containers, .. } => self.warn(
                Step::Samples,
                format!("no new stats of {}, which runs", containers.join(", ")),
                "check again; if it lasts, Docker on this host is overloaded".to_owned(),
            ),
            // What the others say is in the report.
            _ => {}
        }
    }

    /// Until the task is known.
    async fn endpoint(&mut self, ticker: &mut Ticker) -> Option<TaskDocument> {
        let start = self.instant();
        let mut endpoint =
            report::Endpoint { uri: self.settings.endpoint.to_string(), answered_in_ms: None };
        loop {
            let asked = self.instant();
            let (task, error) = self.poll().await;
            if let Some(task) = task {
                endpoint.answered_in_ms = Some(ms(self.instant() - asked));
                self.report.endpoint = Some(endpoint);
                self.output.part(&self.report, Step::Endpoint);
                return Some(task);
            }
            ticker.advance(self.instant());
            if ticker.next() >= start + ENDPOINT_PATIENCE {
                self.report.endpoint = Some(endpoint);
                let error = error.map(|error| error.to_string()).unwrap_or_default();
                self.fail(
                    Step::Endpoint,
                    Reason::Unavailable,
                    format!("no task document within {} s: {error}", ENDPOINT_PATIENCE.as_secs()),
                    "run it in a container of the task; where this is one, try again in a minute, \
                     since the endpoint is away at a task's start and while the ECS agent is \
                     upgraded"
                        .to_owned(),
                );
                self.output.part(&self.report, Step::Endpoint);
                return None;
            }
            self.poller.timer.until(ticker.next()).await;
        }
    }

    /// Whether there is anything to measure.
    fn containers(&mut self, task: &TaskDocument) -> bool {
        self.report.task = Some(report::Task {
            cluster: task.cluster_name().map(str::to_owned),
            service: task.service_name().map(str::to_owned),
            task_definition: task.family().map(|family| {
                task.revision().map_or(family.to_owned(), |number| format!("{family}:{number}"))
            }),
            arn: task.task_arn().map(str::to_owned),
            launch_type: task.launch_type(),
            availability_zone: task.availability_zone().map(str::to_owned),
            cpu_limit_vcpu: task.cpu_limit_vcpu(),
            memory_limit_mib: task.memory_limit_bytes().map(mib),
        });
        let names = self.poller.sampler.names();
        let mut containers: Vec<_> = task
            .containers()
            .iter()
            .map(|container| report::Container {
                name: container.name().unwrap_or("(no name)").to_owned(),
                state: container.known_status().unwrap_or("unknown").to_owned(),
                cpu_units: container.cpu_reservation_units(),
                memory_limit_mib: container.memory_limit_bytes().map(mib),
                network_mode: container.network_mode().map(|mode| match mode {
                    NetworkMode::Awsvpc => "awsvpc",
                    NetworkMode::Bridge => "bridge",
                    NetworkMode::Other => "host or none",
                }),
                is_internal: container.is_injected(),
                is_measured: names.iter().any(|name| container.name() == Some(name)),
            })
            .collect();
        // On EC2 the order is random; a report should not be.
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        let has_container = containers.iter().any(|container| container.is_measured);
        self.report.containers = containers;
        if self.settings.containers == Selection::All && !has_container {
            self.fail(
                Step::Containers,
                Reason::Configuration,
                "the task has no container but those that ECS adds".to_owned(),
                "add the container to measure to the task definition".to_owned(),
            );
        }
        self.output.part(&self.report, Step::Containers);
        has_container
    }

    fn region(&mut self, task: Option<&TaskDocument>) -> Option<destination::Region> {
        if let Some(region) = destination::region(self.settings, task) {
            let destination::Region { name, from } = region.clone();
            self.report.region = Some(report::Region { name, from });
            self.output.part(&self.report, Step::Region);
            return Some(region);
        }
        // Without an answer of the endpoint it may well be in the ARN.
        if task.is_some() {
            self.fail(
                Step::Region,
                Reason::Configuration,
                "neither a variable nor the task's ARN names the Region".to_owned(),
                "set REGION".to_owned(),
            );
            self.output.part(&self.report, Step::Region);
        }
        None
    }

    fn dimensions(&mut self, task: &TaskDocument) -> ResolvedDimensions {
        let settings = self.settings;
        let names = self.poller.sampler.names();
        let resolved = destination::dimensions(settings, task, names);
        let of_container = (0..).zip(names).map(|(place, name)| (Some(place), Some(name.clone())));
        let is_of_task = settings.metrics.iter().any(Metric::is_of_task);
        let whose: Vec<_> = of_container.chain(is_of_task.then_some((None, None))).collect();
        for (place, container) in whose {
            let sets = sets(resolved.sets(place));
            if sets.is_empty() {
                let of = container.as_deref().unwrap_or("the task");
                self.fail(
                    Step::Dimensions,
                    Reason::Configuration,
                    format!("values of {of} would not be published: no set in DIMENSIONS fits"),
                    "set DIMENSIONS to a set of which every name has a value here; for values of \
                     the task one without ContainerName"
                        .to_owned(),
                );
            }
            self.report.dimensions.push(report::Dimensions { container, sets });
        }
        for missing in resolved.missing() {
            let name = missing.name();
            let next = match missing {
                KnownDimension::ServiceName => "set SERVICE_NAME to the service's name",
                KnownDimension::ClusterName => "set CLUSTER_NAME to the cluster's name",
                _ => "leave it out of DIMENSIONS",
            };
            self.warn(
                Step::Dimensions,
                format!("the endpoint has no value for {name}"),
                next.to_owned(),
            );
        }
        self.output.part(&self.report, Step::Dimensions);
        resolved
    }

    /// Until two new samples of each container have come, and what comes late.
    async fn samples(&mut self, task: &TaskDocument, ticker: &mut Ticker) {
        self.output.say(&format!(
            "\nwaiting for two new samples of each container, up to {} s (they come each second on \
             EC2, each 10 s on Fargate) ...\n",
            SAMPLES_PATIENCE.as_secs()
        ));
        let patience_ends = self.instant() + SAMPLES_PATIENCE;
        let mut error = None;
        while !self.is_complete(task) && ticker.next() <= patience_ends {
            self.poller.timer.until(ticker.next()).await;
            (_, error) = self.poll().await;
            ticker.advance(self.instant());
        }
        for (place, name) in (0..).zip(self.poller.sampler.names().to_vec()) {
            if !self.poller.sampler.is_found(place) && !is_listed(task, &name) {
                continue;
            }
            let cadence = self.poller.sampler.cadence_of(place);
            let cadence_ms = cadence.map(ms);
            self.report.cadences.push(report::Cadence { container: name.clone(), cadence_ms });
            if cadence.is_some() || self.newest.keys().any(|(of, _)| *of == Some(place)) {
                continue;
            }
            let seconds = SAMPLES_PATIENCE.as_secs();
            match &error {
                Some(error) => self.fail(
                    Step::Samples,
                    Reason::Unavailable,
                    format!("no stats of {name} within {seconds} s: {error}"),
                    "try again in a minute; the log of the ECS agent says what is wrong with it"
                        .to_owned(),
                ),
                None => self.fail(
                    Step::Samples,
                    Reason::Temporary,
                    format!("no two samples of {name} within {seconds} s"),
                    "try again once it has run for half a minute".to_owned(),
                ),
            }
        }
        self.output.part(&self.report, Step::Samples);
    }

    /// Whether nothing more is to be waited for.
    fn is_complete(&self, task: &TaskDocument) -> bool {
        let sampler = &self.poller.sampler;
        let is_waited_for = |name: &str| {
            let mut named = task.containers().iter().filter(|c| c.name() == Some(name));
            named.any(|container| !container.is_stopped())
        };
        let has_cadence = (0..)
            .zip(sampler.names())
            .filter(|(_, name)| is_waited_for(name))
            .all(|(place, _)| sampler.cadence_of(place).is_some());
        let comes_late = |unseen: &Unseen| {
            unseen.metric.is_of_network()
                || (unseen.metric.is_of_task() && !unseen.metric.is_from_task_document())
        };
        has_cadence && !sampler.unseen().iter().any(comes_late)
    }

    fn metrics(&mut self, dimensions: &ResolvedDimensions) {
        let sampler = &self.poller.sampler;
        let names = sampler.names();
        let name = |place: Option<u16>| names.get(usize::from(place?)).cloned();
        let values = self.newest.iter().map(|(of, sample)| (*of, Some(*sample), None));
        let missing = sampler.unseen().into_iter().map(|unseen| {
            let of = (unseen.container, unseen.metric);
            (of, None, Some(unseen.reason))
        });
        let mut metrics: Vec<_> = values.chain(missing).collect();
        // The containers' first.
        metrics.sort_by_key(|((of, metric), ..)| (of.is_none(), *of, *metric));
        let metrics =
            metrics.into_iter().map(|((of, metric), sample, unavailable)| report::Metric {
                name: metric.name(),
                container: name(of),
                value: sample.map(|sample| sample.value),
                unit: metric.unit(),
                read_unix_ms: sample.map(|sample| sample.read.unix_ms()),
                basis: sampler.basis(metric, of),
                unavailable,
            });
        let metrics = metrics.collect();
        let cadence = sampler.cadence().unwrap_or_default();
        let settings = self.settings;
        self.report.metrics = metrics;
        self.report.plan = Some(report::Plan {
            metrics: self.newest.keys().map(|(of, _)| dimensions.sets(*of).len()).sum(),
            request_interval_ms: settings
                .outputs
                .cloudwatch
                .then(|| ms(settings.publish_interval.max(cadence))),
        });
        if self.newest.is_empty() && !self.report.problems.iter().any(|problem| problem.fails) {
            self.fail(
                Step::Metrics,
                Reason::Configuration,
                "nothing that METRICS asks for is to be had here".to_owned(),
                "set METRICS to what the platform gives, or leave it out".to_owned(),
            );
        }
        self.output.part(&self.report, Step::Metrics);
    }

    pub(super) fn fail(&mut self, step: Step, reason: Reason, what: String, next: String) {
        if self.report.reason == Reason::Ready {
            self.report.reason = reason;
            self.report.exit_code = reason.exit_code();
        }
        self.report.problems.push(Problem { step, fails: true, what, next });
    }

    pub(super) fn warn(&mut self, step: Step, what: String, next: String) {
        self.report.problems.push(Problem { step, fails: false, what, next });
    }
}

fn is_listed(task: &TaskDocument, name: &str) -> bool {
    task.containers().iter().filter_map(TaskContainer::name).any(|listed| listed == name)
}

pub(super) fn sets(sets: &[dimension::Dimensions]) -> Vec<Vec<report::Dimension>> {
    let pair = |(name, value): &(String, String)| report::Dimension {
        name: name.clone(),
        value: value.clone(),
    };
    sets.iter().map(|set| set.iter().map(pair).collect()).collect()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn mib(bytes: u64) -> u64 {
    bytes >> 20
}
