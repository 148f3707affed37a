//! What a check has found, as data: the document of `--json`, and the facts of the
//! text.

use std::time::Duration;

use serde::Serialize;

use super::probe_findings::ProbeFinding;
use crate::{
    sample::dimension::Dimensions,
    settings::{exit, version},
};

/// The whole of it.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Of the program.
    pub version: &'static str,
    /// What it was built from.
    pub commit: &'static str,
    /// How it was built.
    pub profile: &'static str,
    /// The process's.
    pub exit_code: u8,
    /// What that exit code stands for.
    pub reason: Reason,
    /// In the order in which they were met. The first that fails decides on the
    /// exit code.
    pub problems: Vec<Problem>,
    /// What was asked for.
    pub configuration: Option<ConfigurationFinding>,
    /// With `--offline`: where the configuration leads.
    pub offline: Option<OfflineFinding>,
    /// The endpoint.
    pub endpoint: Option<EndpointFinding>,
    /// The task.
    pub task: Option<TaskFinding>,
    /// Its containers, by name.
    pub containers: Vec<ContainerFinding>,
    /// Where to publish.
    pub region: Option<RegionFinding>,
    /// Under what to publish.
    pub dimensions: Vec<DimensionsFinding>,
    /// How often samples come.
    pub cadences: Vec<CadenceFinding>,
    /// A value of each metric, or why there is none.
    pub metrics: Vec<MetricFinding>,
    /// Where the values of each metric come from.
    pub sources: Vec<SourceFinding>,
    /// What it would come to.
    pub plan: Option<PlanFinding>,
    /// Whose.
    pub credentials: Option<CredentialsFinding>,
    /// The datapoint of `--publish`.
    pub published: Option<PublishedFinding>,
    /// With `--source`: what can be seen of the kernel.
    pub probe: Option<ProbeFinding>,
}

impl Findings {
    /// Nothing yet, of this version.
    pub(super) fn new() -> Self {
        Self {
            version: version::VERSION,
            commit: version::COMMIT,
            profile: version::PROFILE,
            ..Self::default()
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing stands in the way.
    #[default]
    Ready,
    /// The configuration cannot work.
    Configuration,
    /// The endpoint, or `CloudWatch`, cannot be reached.
    Unavailable,
    /// It may pass.
    Temporary,
    /// No credentials, or they do not suffice.
    Permission,
}

impl Reason {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Configuration => exit::USAGE,
            Self::Unavailable => exit::UNAVAILABLE,
            Self::Temporary => exit::TEMPORARY,
            Self::Permission => exit::NO_PERMISSION,
        }
    }
}

/// A part of the check, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The variables.
    Configuration,
    /// The endpoint answers.
    Endpoint,
    /// The task has what is to be measured.
    Containers,
    /// It is known where to publish.
    Region,
    /// It is known under what.
    Dimensions,
    /// Samples come.
    Samples,
    /// They have what is to be published.
    Metrics,
    /// It is known where they come from.
    Sources,
    /// What can be seen of the kernel.
    Source,
    /// Requests can be signed.
    Credentials,
    /// `CloudWatch` takes a datapoint.
    Publish,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// Where it was met.
    pub step: Step,
    /// `true`: `esp` cannot do its work. `false`: it can, but see.
    pub fails: bool,
    /// One line.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// The variables that decide on what is published, and when.
#[derive(Debug, Serialize)]
pub struct ConfigurationFinding {
    /// Names, or `*`.
    pub containers: Vec<String>,
    /// `METRICS`.
    pub metrics: Vec<&'static str>,
    /// `NAMESPACE`.
    pub namespace: String,
    /// `OUTPUT`.
    pub output: String,
    /// `SAMPLE_INTERVAL`.
    pub sample_interval_ms: u64,
    /// `PUBLISH_INTERVAL`.
    pub publish_interval_ms: u64,
    /// `PUBLISH`.
    pub publish: &'static str,
    /// `WARMUP`.
    pub warmup: String,
}

/// Where the configuration leads, as far as that is known without the task.
#[derive(Debug, Serialize)]
pub struct OfflineFinding {
    /// The metadata endpoint, if it is set.
    pub endpoint: Option<String>,
    /// Absent without requests; with its variable if one names it.
    pub region: Option<String>,
    /// `CloudWatch`'s address, if it is not the Region's usual one, and who says so.
    pub address: Option<String>,
    /// The proxy to it, without a password, and who names it.
    pub proxy: Option<String>,
    /// The file of certificates, and who names it.
    pub certificates: Option<String>,
    /// Each set of dimensions, in words.
    pub sets: Vec<String>,
    /// How many samples are kept while `CloudWatch` is away; absent without requests.
    pub buffer_samples: Option<usize>,
}

/// The task metadata endpoint.
#[derive(Debug, Serialize)]
pub struct EndpointFinding {
    /// Its address.
    pub uri: String,
    /// How long `/task` and `/task/stats` took together; absent without answer.
    pub answered_in_ms: Option<u64>,
}

/// What `/task` says of the task. What it does not say is absent.
#[derive(Debug, Serialize)]
pub struct TaskFinding {
    /// The cluster's short name.
    pub cluster: Option<String>,
    /// The service's name.
    pub service: Option<String>,
    /// `family:revision`.
    pub task_definition: Option<String>,
    /// The ARN.
    pub arn: Option<String>,
    /// `EC2`, `FARGATE`, `EXTERNAL` or `MANAGED_INSTANCES`.
    pub launch_type: Option<String>,
    /// The Availability Zone.
    pub availability_zone: Option<String>,
    /// The task's CPU limit.
    pub cpu_limit_vcpu: Option<f64>,
    /// The task's memory limit.
    pub memory_limit_mib: Option<u64>,
}

/// What `/task` says of a container.
#[derive(Debug, Serialize)]
pub struct ContainerFinding {
    /// Its name.
    pub name: String,
    /// `RUNNING` and so on; `unknown` where it is not said.
    pub state: String,
    /// Its reservation, where it has one.
    pub cpu_units: Option<f64>,
    /// Its hard limit, where it has one.
    pub memory_limit_mib: Option<u64>,
    /// `awsvpc`, `bridge`, or `host or none`.
    pub network_mode: Option<&'static str>,
    /// Whether AWS added it to those of the task definition. `*` leaves it out.
    pub is_injected: bool,
    /// Whether it is one that `esp` measures.
    pub is_measured: bool,
}

/// Where to publish.
#[derive(Debug, Serialize)]
pub struct RegionFinding {
    /// Its name.
    pub name: String,
    /// The variable or flag, or the task's ARN.
    pub from: String,
}

/// Under what to publish the values of a container, or of the task.
#[derive(Debug, Serialize)]
pub struct DimensionsFinding {
    /// The container; absent for the task.
    pub container: Option<String>,
    /// Each set is a metric of its own.
    pub sets: Vec<Vec<DimensionFinding>>,
}

/// One dimension.
#[derive(Debug, Serialize)]
pub struct DimensionFinding {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// How often samples of a container come.
#[derive(Debug, Serialize)]
pub struct CadenceFinding {
    /// The container.
    pub container: String,
    /// From two new samples, or from one so far; absent if they did not come.
    pub cadence_ms: Option<u64>,
}

/// A metric that was asked for.
#[derive(Debug, Serialize)]
pub struct MetricFinding {
    /// Its name.
    pub name: &'static str,
    /// The container; absent for the task.
    pub container: Option<String>,
    /// A real one, in `unit`.
    pub value: Option<f64>,
    /// `CloudWatch`'s.
    pub unit: &'static str,
    /// When the platform read it.
    pub read_unix_ms: Option<u64>,
    /// What 100 % is, where it is a percentage.
    pub basis: Option<String>,
    /// Why there is no value.
    pub unavailable: Option<&'static str>,
}

/// Where the values of a metric come from.
#[derive(Debug, Serialize)]
pub struct SourceFinding {
    /// The metric.
    pub metric: &'static str,
    /// The container; absent for the task.
    pub container: Option<String>,
    /// `endpoint` or `kernel`.
    pub source: &'static str,
    /// The source in words.
    pub what: String,
    /// How often there is a new value; absent if that is not known.
    pub cadence_ms: Option<u64>,
    /// What a better source waits for or lacks; absent if there is none.
    pub note: Option<String>,
}

/// What the sidecar would do.
#[derive(Debug, Serialize)]
pub struct PlanFinding {
    /// `CloudWatch` metrics, as they are paid for: names by sets of dimensions.
    pub metrics: usize,
    /// Between two requests; absent where none are sent.
    pub request_interval_ms: Option<u64>,
}

/// Whose credentials. Never the credentials.
#[derive(Debug, Serialize)]
pub struct CredentialsFinding {
    /// In words.
    pub source: String,
    /// How long they are good still.
    pub expire_in_s: Option<u64>,
}

/// The datapoint that was sent.
#[derive(Debug, Serialize)]
pub struct PublishedFinding {
    /// The metric.
    pub metric: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// The Region.
    pub region: String,
    /// The container; absent for the task.
    pub container: Option<String>,
    /// The value, in `unit`.
    pub value: f64,
    /// `CloudWatch`'s.
    pub unit: &'static str,
    /// Its time.
    pub read_unix_ms: u64,
    /// Under each of these.
    pub sets: Vec<Vec<DimensionFinding>>,
    /// Whether `CloudWatch` took it.
    pub is_accepted: bool,
}

/// Sets of dimensions, as findings have them.
pub(super) fn sets(sets: &[Dimensions]) -> Vec<Vec<DimensionFinding>> {
    let pair = |(name, value): &(String, String)| DimensionFinding {
        name: name.clone(),
        value: value.clone(),
    };
    sets.iter().map(|set| set.iter().map(pair).collect()).collect()
}

/// A time, as findings have it.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
