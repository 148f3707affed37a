//! Log lines about the kernel as a source: what was found for each container, and what
//! became of the proof.

use std::time::Duration;

use tracing::{info, warn};

use crate::{
    kernel::{Finding, NoInterface},
    proof::{ContainerEvent, ProofEvent, TaskEvent},
    reading::Tier,
    settings::format_duration,
};

/// What was found for a container: which of its metrics come from where, and how often.
/// `is_wanted` says that `SOURCE` asks for the kernel; `interval` is that of its readings.
pub fn found(container: &str, finding: &Finding<'_>, is_wanted: bool, interval: Duration) {
    let every = format_duration(interval);
    match (finding.file, finding.why_not()) {
        (Ok(()), _) => info!(
            container,
            kernel = words(Tier::CgroupFile),
            every,
            "ESP will read CPU and memory of this container from the kernel, once the endpoint's \
             values have confirmed them. Until then it uses the endpoint's values"
        ),
        (Err(no_file), None) => info!(
            container,
            kernel = words(Tier::Processes),
            every,
            processes = finding.processes,
            no_cgroup_file = %no_file,
            "ESP will read CPU of this container from the kernel, once the endpoint's values have \
             confirmed it. Until then it uses the endpoint's values. It reads memory from the \
             endpoint, because it cannot read the cgroup file"
        ),
        (Err(_), Some(reason)) if is_wanted => warn!(
            container,
            reason,
            "SOURCE=kernel, but ESP cannot read CPU and memory of this container from the kernel, \
             so it uses the endpoint's values"
        ),
        (Err(_), Some(reason)) => info!(
            container,
            reason,
            "ESP cannot read CPU and memory of this container from the kernel, so it uses the \
             endpoint's values"
        ),
    }
}

/// Which network interface is read for the task's network, or why none.
pub fn network(interface: Result<&str, NoInterface>, interval: Duration) {
    match interface {
        Ok(interface) => info!(
            interface,
            every = format_duration(interval),
            "ESP reads the task's network from the kernel (/proc/net/dev), because this interface \
             has the address in the task document"
        ),
        Err(reason) => info!(
            %reason,
            "ESP cannot read the task's network from the kernel, so it uses the endpoint's values"
        ),
    }
}

/// This container will be estimated, or the whole task.
pub fn estimates(container: Option<&str>, interval: Duration) {
    let every = format_duration(interval);
    match container {
        None => info!(
            every,
            "ESP will estimate TaskCPUUtilization from /proc/stat, once the endpoint's values have \
             confirmed the estimate, which takes about three minutes. Until then it uses the \
             endpoint's values. With pidMode=task in the task definition, ESP could read each \
             container from the kernel"
        ),
        Some(container) => info!(
            container,
            every,
            "ESP will estimate the CPU of this container, the only one beside ESP, from /proc/stat, \
             once the endpoint's values have confirmed the estimate, which takes about three \
             minutes. Until then it uses the endpoint's values. With pidMode=task in the task \
             definition, ESP could read it from the kernel"
        ),
    }
}

/// What became of a proof.
pub fn proof(said: &ContainerEvent) {
    let container = &said.container;
    match said.event {
        ProofEvent::Proven { tier, agreed } => info!(
            container,
            kernel = words(tier),
            agreed,
            "the endpoint's values have confirmed the kernel's counter of this container; ESP uses \
             it from now on"
        ),
        ProofEvent::Refuted { tier, least_ns, most_ns, said_ns, was_proven, needed, .. } => warn!(
            container,
            kernel = words(tier),
            endpoint_ns = said_ns,
            least_ns,
            most_ns = (most_ns != u64::MAX).then_some(most_ns),
            was_used = was_proven,
            needed,
            "the kernel's CPU counter of this container does not agree with the endpoint's. ESP \
             uses the endpoint's until it has agreed as many times as the field `needed` says. \
             Values published since the endpoint's last new value may be wrong"
        ),
        ProofEvent::WithoutEndpoint { since, left } => warn!(
            container,
            seconds = since.as_secs(),
            left_s = left.as_secs(),
            "the endpoint has no new stats of this container. ESP uses the kernel's counter, which \
             agreed before, for at most left_s seconds more"
        ),
        ProofEvent::EndpointBack => {
            info!(container, "the endpoint has new stats of this container again");
        }
        ProofEvent::Lost { tier } => warn!(
            container,
            kernel = words(tier),
            "ESP can no longer read the kernel's counter of this container, so it uses the \
             endpoint's"
        ),
        ProofEvent::GivenUp { tier, since } => warn!(
            container,
            kernel = words(tier),
            seconds = since.as_secs(),
            "the endpoint has had no new stats of this container for too long. ESP publishes \
             nothing for it until there are new stats"
        ),
    }
}

/// What became of the estimate of this container, or of the whole task.
pub fn estimate(container: Option<&str>, said: &TaskEvent) {
    let of = if container.is_some() { "container" } else { "task" };
    match *said {
        TaskEvent::Proven { platform_cpus } => info!(
            of,
            container,
            platform_cpus,
            "ESP estimates CPU every second from /proc/stat, because the estimate agreed with the \
             endpoint's values for some minutes. The rest of the machine uses platform_cpus"
        ),
        TaskEvent::Refuted { used_cpus, estimated_cpus, allowed_cpus } => warn!(
            of,
            container,
            used_cpus,
            estimated_cpus,
            allowed_cpus,
            "the estimate of CPU differed from the endpoint's values by more than allowed_cpus over \
             a minute, so ESP uses the endpoint's values"
        ),
        TaskEvent::GivenUp { since } => warn!(
            of,
            container,
            seconds = since.as_secs(),
            "a container has no new stats, so ESP does not estimate CPU until there are new stats"
        ),
    }
}

/// What a tier reads.
#[must_use]
pub const fn words(tier: Tier) -> &'static str {
    match tier {
        Tier::CgroupFile => "cgroup file",
        Tier::Processes => "processes",
    }
}
