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
            "CPU and memory of this container will be read from the kernel, as soon as the endpoint \
             has proven its values; until then they are the endpoint's, whenever it has new ones"
        ),
        (Err(no_file), None) => info!(
            container,
            kernel = words(Tier::Processes),
            every,
            processes = finding.processes,
            no_cgroup_file = %no_file,
            "CPU of this container will be read from the kernel, as soon as the endpoint has proven \
             its values; until then it is the endpoint's. Memory is the endpoint's, whenever it has \
             a new value, since it needs the cgroup file"
        ),
        (Err(_), Some(reason)) if is_wanted => warn!(
            container,
            reason,
            "SOURCE=kernel, but CPU and memory of this container cannot be read from the kernel: \
             they are the endpoint's, whenever it has new values"
        ),
        (Err(_), Some(reason)) => info!(
            container,
            reason,
            "CPU and memory of this container are the endpoint's, whenever it has new values; they \
             cannot be read from the kernel"
        ),
    }
}

/// Which network interface is read for the task's network, or why none.
pub fn network(interface: Result<&str, NoInterface>, interval: Duration) {
    match interface {
        Ok(interface) => info!(
            interface,
            every = format_duration(interval),
            "the task's network is read from the kernel (/proc/net/dev): this interface has the \
             address that the task document gives"
        ),
        Err(reason) => info!(
            %reason,
            "the task's network is the endpoint's, whenever it has new values; it cannot be read \
             from the kernel"
        ),
    }
}

/// The whole task will be estimated.
pub fn estimates_task(interval: Duration) {
    info!(
        every = format_duration(interval),
        "TaskCPUUtilization will be estimated from /proc/stat, as soon as the endpoint has proven \
         that, which takes three minutes or so; until then it is the endpoint's. With pidMode set \
         to task in the task definition it would be read from the kernel for each container"
    );
}

/// What became of a proof.
pub fn proof(said: &ContainerEvent) {
    let container = &said.container;
    match said.event {
        ProofEvent::Proven { tier, agreed } => info!(
            container,
            kernel = words(tier),
            agreed,
            "the kernel's counter of this container is proven and used from now on"
        ),
        ProofEvent::Refuted { tier, least_ns, most_ns, said_ns, was_proven, needed, .. } => warn!(
            container,
            kernel = words(tier),
            endpoint_ns = said_ns,
            least_ns,
            most_ns = (most_ns != u64::MAX).then_some(most_ns),
            was_used = was_proven,
            needed,
            "the kernel's CPU counter of this container does not agree with the endpoint's: ESP uses \
             the endpoint's until as many renewals as needed agree. Values since the last renewal may \
             be wrong"
        ),
        ProofEvent::WithoutEndpoint { since, left } => warn!(
            container,
            seconds = since.as_secs(),
            left_s = left.as_secs(),
            "the endpoint has no new stats of this container; ESP uses the kernel's counter, which \
             agreed before, for at most left_s more"
        ),
        ProofEvent::EndpointBack => {
            info!(container, "the endpoint has new stats of this container again");
        }
        ProofEvent::Lost { tier } => warn!(
            container,
            kernel = words(tier),
            "the kernel's counter of this container cannot be read any more: the endpoint's is used"
        ),
        ProofEvent::GivenUp { tier, since } => warn!(
            container,
            kernel = words(tier),
            seconds = since.as_secs(),
            "the endpoint has had no new stats of this container for too long: ESP publishes nothing \
             for it until there are new ones"
        ),
    }
}

/// What became of the estimate of the whole task.
pub fn task(said: &TaskEvent) {
    match *said {
        TaskEvent::Proven { platform_cpus } => info!(
            platform_cpus,
            "the task's CPU is estimated every second from /proc/stat: over some minutes the estimate \
             agreed with the sum of the containers; platform_cpus is what the platform uses"
        ),
        TaskEvent::Refuted { used_cpus, estimated_cpus, allowed_cpus } => warn!(
            used_cpus,
            estimated_cpus,
            allowed_cpus,
            "the estimate of the task's CPU differed from the sum of its containers by more than \
             allowed_cpus over a minute: ESP uses the sum"
        ),
        TaskEvent::GivenUp { since } => warn!(
            seconds = since.as_secs(),
            "a container has no new stats: ESP does not estimate the task's CPU until it has"
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
