//! The order of the questions, and those to the endpoint that are quickly answered.
//! Each has its time. If one fails, the others are asked all the same, unless they
//! need its answer. Waiting for samples is in `samples`, the questions to AWS are in
//! `access`.

use std::time::Duration;

use super::{
    access, configuration,
    findings::{self, Findings, Reason, Step, ms, sets},
    mask::mask,
    under_way::Check,
};
use crate::{
    endpoint::task::{NetworkMode, TaskDocument},
    sample::{
        dimension::{KnownDimension, ResolvedDimensions},
        metric::Metric,
    },
    sampler::{Selection, warm_up::WarmUpRule},
    sidecar::{
        destination::{self, Destination},
        world::{Timer as _, World},
    },
    time::ticker::Ticker,
};

/// For the whole check.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long the endpoint may stay silent.
const ENDPOINT_PATIENCE: Duration = Duration::from_secs(10);
/// For what is quickly done after the samples.
const SLACK: Duration = Duration::from_secs(2);
/// The longest time between two polls, however long `SAMPLE_INTERVAL` is.
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(1);

impl<W: World> Check<'_, W> {
    /// Asks everything.
    pub(super) async fn run(mut self, publish: bool) -> Findings {
        let start = self.instant();
        self.findings = configuration::of(self.settings, self.output);
        let interval = self.settings.sample_interval.min(POLL_INTERVAL_MAX);
        let mut ticker = Ticker::new(self.instant(), interval);
        let task = self.endpoint(&mut ticker).await;
        let has_container = task.as_ref().is_some_and(|task| self.containers(task));
        let has_requests = self.settings.outputs.cloudwatch;
        let region = has_requests.then(|| self.region(task.as_ref())).flatten();
        let dimensions = task.as_ref().map(|task| self.dimensions(task)).unwrap_or_default();
        if let Some(task) = task.filter(|_| has_container) {
            let for_aws = region.as_ref().map_or(Duration::ZERO, |_| access::patience(publish));
            let deadline = start + PATIENCE.saturating_sub(SLACK + for_aws);
            self.samples(task, &mut ticker, deadline).await;
            self.plan(&dimensions);
            self.sources();
        }
        if let Some(region) = region {
            self.cloudwatch(Destination { region, dimensions }, publish).await;
        } else if publish && !has_requests {
            let what = "no datapoint was sent: OUTPUT does not contain cloudwatch".to_owned();
            self.warn(Step::Publish, what, "leave --publish out".to_owned());
            self.output.part(&self.findings, Step::Publish);
        }
        self.findings
    }

    /// Until the task is known.
    pub(super) async fn endpoint(&mut self, ticker: &mut Ticker) -> Option<TaskDocument> {
        let start = self.instant();
        let mut endpoint = findings::EndpointFinding {
            uri: if self.hides_address {
                "not shown".to_owned()
            } else {
                self.settings.endpoint.to_string()
            },
            answered_in_ms: None,
        };
        loop {
            let asked = self.instant();
            let (task, error) = self.poll().await;
            if let Some(task) = task {
                endpoint.answered_in_ms = Some(ms(self.instant() - asked));
                self.findings.endpoint = Some(endpoint);
                self.output.part(&self.findings, Step::Endpoint);
                return Some(task);
            }
            ticker.advance(self.instant());
            if ticker.next() >= start + ENDPOINT_PATIENCE {
                self.findings.endpoint = Some(endpoint);
                let error = error.map(|error| error.to_string()).unwrap_or_default();
                let error = if self.hides_address { mask(&error) } else { error };
                self.fail(
                    Step::Endpoint,
                    Reason::Unavailable,
                    format!("no task document within {} s: {error}", ENDPOINT_PATIENCE.as_secs()),
                    "run esp check in a container of the task; if it does run in one, try again in \
                     a minute: the endpoint is unavailable while a task starts and while the ECS \
                     agent is upgraded"
                        .to_owned(),
                );
                self.output.part(&self.findings, Step::Endpoint);
                return None;
            }
            self.poller.timer.until(ticker.next()).await;
        }
    }

    /// Whether there is anything to measure.
    fn containers(&mut self, task: &TaskDocument) -> bool {
        self.findings.task = Some(findings::TaskFinding {
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
            .map(|container| findings::ContainerFinding {
                name: container.name().unwrap_or("(no name)").to_owned(),
                state: container.known_status().unwrap_or("unknown").to_owned(),
                cpu_units: container.cpu_reservation_units(),
                memory_limit_mib: container.memory_limit_bytes().map(mib),
                network_mode: container.network_mode().map(|mode| match mode {
                    NetworkMode::Awsvpc => "awsvpc",
                    NetworkMode::Bridge => "bridge",
                    NetworkMode::Other => "host or none",
                }),
                is_injected: container.is_injected(),
                is_measured: names.iter().any(|name| container.name() == Some(name)),
            })
            .collect();
        // On EC2 the order is random; a report should not be.
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        let has_container = containers.iter().any(|container| container.is_measured);
        self.findings.containers = containers;
        if self.settings.containers == Selection::All && !has_container {
            self.fail(
                Step::Containers,
                Reason::Configuration,
                "the task has only containers that AWS injects".to_owned(),
                "add the container to measure to the task definition".to_owned(),
            );
        }
        if self.settings.warm_up == WarmUpRule::Healthy {
            self.health_checks(task);
        }
        self.output.part(&self.findings, Step::Containers);
        has_container
    }

    /// Whether each measured container has the health check that is waited for.
    fn health_checks(&mut self, task: &TaskDocument) {
        let names = self.poller.sampler.names();
        let is_without = |name: &&String| {
            let mut of_name = task.containers().iter().filter(|it| it.name() == Some(name));
            of_name.any(|it| !it.is_stopped() && it.health().is_none())
        };
        let without: Vec<_> = names.iter().filter(is_without).cloned().collect();
        for name in without {
            self.warn(
                Step::Containers,
                format!("WARMUP=healthy has no effect on {name}: it has no health check"),
                "add one to the task definition, or set WARMUP to a duration".to_owned(),
            );
        }
    }

    fn region(&mut self, task: Option<&TaskDocument>) -> Option<destination::Region> {
        if let Some(region) = destination::region(self.settings, task) {
            let destination::Region { name, from } = region.clone();
            self.findings.region = Some(findings::RegionFinding { name, from });
            self.output.part(&self.findings, Step::Region);
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
            self.output.part(&self.findings, Step::Region);
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
                    format!(
                        "metrics of {of} would not be published: no set in DIMENSIONS fits them"
                    ),
                    "use only dimensions that this task has; task-level metrics need a set \
                     without ContainerName"
                        .to_owned(),
                );
            }
            self.findings.dimensions.push(findings::DimensionsFinding { container, sets });
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
        self.output.part(&self.findings, Step::Dimensions);
        resolved
    }
}

const fn mib(bytes: u64) -> u64 {
    bytes >> 20
}
