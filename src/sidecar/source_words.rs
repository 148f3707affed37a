//! Which source each metric's values come from, and what a better one waits for or
//! lacks, for a person who asks. It decides nothing: it says what was decided.

use std::{fmt, time::Duration};

use super::{kernel_source::KernelSource, task_source::TaskSource};
use crate::{
    kernel::{Finding, KernelCounters},
    proof::{COMPARISONS_NEEDED, ProofState},
    reading::Tier,
    sample::Metric,
    settings::format_duration,
};

/// Where a metric's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The endpoint's stats.
    Endpoint,
    /// The endpoint's task document.
    TaskDocument,
    /// The container's own cgroup file, or those of all containers.
    CgroupFile,
    /// The CPU clocks of the processes.
    Processes,
    /// The counters of this network interface.
    Interface(String),
    /// The whole machine, less what the platform uses.
    Machine,
}

/// Where a metric's values come from, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricSource {
    pub(crate) origin: Origin,
    /// What a better source waits for, or what it lacks; `None` if there is none better.
    pub(crate) note: Option<String>,
}

impl Origin {
    /// `endpoint` or `kernel`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Endpoint | Self::TaskDocument => "endpoint",
            Self::CgroupFile | Self::Processes | Self::Interface(_) | Self::Machine => "kernel",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint => f.write_str("the endpoint"),
            Self::TaskDocument => f.write_str("the task document"),
            Self::CgroupFile => f.write_str("the kernel (cgroup file)"),
            Self::Processes => f.write_str("the kernel (processes)"),
            Self::Interface(name) => write!(f, "the kernel (/proc/net/dev of {name})"),
            Self::Machine => f.write_str("the kernel (estimated from /proc/stat)"),
        }
    }
}

impl MetricSource {
    const fn of(origin: Origin) -> Self {
        Self { origin, note: None }
    }

    fn noted(origin: Origin, note: impl Into<String>) -> Self {
        Self { origin, note: Some(note.into()) }
    }
}

/// The source of `metric` of the container of that name, or of the task. `kernel` is
/// absent with `SOURCE=endpoint`; `interval` is that of its readings.
pub(crate) fn source_of(
    metric: Metric,
    container: Option<&str>,
    kernel: Option<&KernelSource<impl KernelCounters>>,
    interval: Duration,
) -> MetricSource {
    if metric.is_from_task_document() {
        return MetricSource::of(Origin::TaskDocument);
    }
    if metric.is_of_block_io() {
        return MetricSource::of(Origin::Endpoint);
    }
    let Some(kernel) = kernel else {
        return MetricSource::noted(
            Origin::Endpoint,
            "SOURCE=endpoint, so ESP does not read the kernel",
        );
    };
    let interval = format_duration(interval);
    if metric.is_of_network() {
        return of_network(kernel, &interval);
    }
    match container {
        Some(name) => {
            let finding = kernel
                .kernel
                .findings()
                .find(|it| kernel.proofs.name_of(it.docker_id) == Some(name));
            finding.map_or(MetricSource::of(Origin::Endpoint), |finding| {
                of_container(kernel, &finding, metric.is_of_memory(), &interval)
            })
        }
        None => of_task(kernel, metric.is_of_memory(), &interval),
    }
}

/// Of an estimate that has come so far.
fn estimated((agreed, is_used): (u32, bool), interval: &str) -> MetricSource {
    if is_used {
        let note = "exact values need pidMode=task in the task definition";
        return MetricSource::noted(Origin::Machine, note);
    }
    MetricSource::noted(
        Origin::Endpoint,
        format!(
            "an estimate from /proc/stat (every {interval}) follows once the endpoint's values have \
             confirmed it, after about three minutes: {agreed} of {COMPARISONS_NEEDED} comparisons \
             agreed so far"
        ),
    )
}

/// Of one container's CPU or memory.
fn of_container(
    kernel: &KernelSource<impl KernelCounters>,
    finding: &Finding<'_>,
    is_memory: bool,
    interval: &str,
) -> MetricSource {
    let of_machine = |task: &TaskSource| task.progress_of(finding.docker_id);
    let progress = kernel.task.as_ref().filter(|_| !is_memory).and_then(of_machine);
    if let Some(progress) = progress {
        return estimated(progress, interval);
    }
    let Some(tier) = finding.tier() else {
        let why = finding.why_not().unwrap_or_default();
        let note = format!("the kernel (every {interval}) cannot be read: {why}");
        return MetricSource::noted(Origin::Endpoint, note);
    };
    let no_file = || finding.file.err().map(ToString::to_string).unwrap_or_default();
    if is_memory && tier == Tier::Processes {
        let note = format!("the kernel (every {interval}) needs its cgroup file: {}", no_file());
        return MetricSource::noted(Origin::Endpoint, note);
    }
    let waits = |words: &str, agreed: u32, needed: u32| {
        let what = match tier {
            Tier::CgroupFile => "cgroup file",
            Tier::Processes => "processes",
        };
        MetricSource::noted(
            Origin::Endpoint,
            format!(
                "the kernel ({what}, every {interval}) {words}: {agreed} of {needed} comparisons \
                 agreed so far"
            ),
        )
    };
    match (kernel.proofs.state_of(finding.docker_id), tier) {
        (Some(ProofState::Proven), Tier::CgroupFile) => MetricSource::of(Origin::CgroupFile),
        (Some(ProofState::Proven), Tier::Processes) => {
            let note = format!("exact values need its cgroup file: {}", no_file());
            MetricSource::noted(Origin::Processes, note)
        }
        (Some(ProofState::AtRest), _) => {
            let origin = match tier {
                Tier::CgroupFile => Origin::CgroupFile,
                Tier::Processes => Origin::Processes,
            };
            MetricSource::noted(
                origin,
                "the container is idle, which the endpoint's values confirm",
            )
        }
        (Some(ProofState::Unproven { agreed, needed }), _) => {
            waits("follows once the endpoint's values have confirmed it", agreed, needed)
        }
        (Some(ProofState::Refuted { agreed, needed }), _) => {
            waits("disagreed with the endpoint and has to be confirmed again", agreed, needed)
        }
        (Some(ProofState::Silent), _) => MetricSource::noted(
            Origin::Endpoint,
            "the endpoint has had no new values for so long that ESP does not use the kernel \
             either",
        ),
        (Some(ProofState::NoKernel) | None, _) => {
            MetricSource::noted(Origin::Endpoint, "the kernel has not been read yet")
        }
    }
}

/// Of the sum over the task's containers.
fn of_task(
    kernel: &KernelSource<impl KernelCounters>,
    is_memory: bool,
    interval: &str,
) -> MetricSource {
    let progress = kernel.task.as_ref().filter(|_| !is_memory).and_then(TaskSource::progress);
    if let Some(progress) = progress {
        return estimated(progress, interval);
    }
    let mut origin = Origin::CgroupFile;
    let mut behind = Vec::new();
    for finding in kernel.kernel.findings() {
        let source = of_container(kernel, &finding, is_memory, interval);
        match source.origin {
            Origin::CgroupFile => {}
            Origin::Processes => origin = Origin::Processes,
            _ => behind.push((kernel.proofs.name_of(finding.docker_id).unwrap_or(""), source.note)),
        }
    }
    // On EC2 the order is random; a report should not be.
    behind.sort();
    match behind.first() {
        None => MetricSource::of(origin),
        Some((name, note)) => {
            let more = match behind.len() {
                1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            let note = note.as_deref().unwrap_or("not known");
            MetricSource::noted(Origin::Endpoint, format!("of {name}{more}: {note}"))
        }
    }
}

/// Of the network.
fn of_network(kernel: &KernelSource<impl KernelCounters>, interval: &str) -> MetricSource {
    let note = match kernel.interface() {
        Some(Ok(name)) => return MetricSource::of(Origin::Interface(name.to_owned())),
        Some(Err(reason)) => format!("/proc/net/dev (every {interval}) is not used: {reason}"),
        None => format!(
            "/proc/net/dev, every {interval}, is only used on awsvpc, where the task's containers \
             share their network with ESP"
        ),
    };
    MetricSource::noted(Origin::Endpoint, note)
}
