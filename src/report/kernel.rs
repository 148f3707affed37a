//! Log lines about the kernel as a source: what was found for each container, and what
//! became of the proof.

use tracing::{info, warn};

use crate::{
    kernel::{Finding, NoFile, NoInterface},
    proof::{ContainerEvent, Event, TaskEvent},
    reading::Tier,
};

/// What was found for a container. `is_wanted` says that `SOURCE` asks for the kernel.
pub fn found(container: &str, finding: &Finding<'_>, is_wanted: bool) {
    match (&finding.file, finding.sum) {
        (Ok(()), _) => info!(
            container,
            kernel = words(Tier::CgroupFile),
            "the kernel's counters of this container can be read; they are used once the endpoint \
             has proven them"
        ),
        (Err(no_file), Ok(())) => info!(
            container,
            kernel = words(Tier::Processes),
            processes = finding.processes,
            no_cgroup_file = %no_file,
            "the kernel's counters of this container can be read; they are used once the endpoint \
             has proven them"
        ),
        (Err(no_file), Err(no_processes)) => {
            let reason = match no_file {
                NoFile::NoProcess => no_processes.to_string(),
                no_file => format!("{no_file}; {no_processes}"),
            };
            if is_wanted {
                warn!(
                    container,
                    reason,
                    "SOURCE=kernel, but the kernel's counters of this container cannot be read: the \
                     endpoint's are used; set pidMode to task in the task definition"
                );
            } else {
                info!(
                    container,
                    reason,
                    "the endpoint's counters of this container are used; the kernel's cannot be read"
                );
            }
        }
    }
}

/// Which network interface is read for the task's network, or why none.
pub fn network(interface: Result<&str, NoInterface>) {
    match interface {
        Ok(interface) => info!(
            interface,
            "the network counters of the task are read from the kernel: this interface has the              address that the task document gives"
        ),
        Err(reason) => info!(%reason, "the endpoint's network counters of the task are used"),
    }
}

/// What became of a proof.
pub fn proof(said: &ContainerEvent) {
    let container = &said.container;
    match said.event {
        Event::Proven { tier, agreed } => info!(
            container,
            kernel = words(tier),
            agreed,
            "the kernel's counter of this container is proven and used from now on"
        ),
        Event::Refuted { tier, least_ns, most_ns, said_ns, was_proven, needed, .. } => warn!(
            container,
            kernel = words(tier),
            endpoint_ns = said_ns,
            least_ns,
            most_ns = (most_ns != u64::MAX).then_some(most_ns),
            was_used = was_proven,
            needed,
            "the endpoint's CPU counter of this container is not between the kernel's values before \
             and after it: the endpoint's is used until as many renewals as needed agree. Values \
             since the renewal before may be wrong"
        ),
        Event::WithoutEndpoint { since, left } => warn!(
            container,
            seconds = since.as_secs(),
            left_s = left.as_secs(),
            "no new stats of this container come from the endpoint; the kernel's counter, which was \
             proven before, is used for so long without"
        ),
        Event::EndpointBack => {
            info!(container, "new stats of this container come from the endpoint again");
        }
        Event::GivenUp { tier, since } => warn!(
            container,
            kernel = words(tier),
            seconds = since.as_secs(),
            "no new stats of this container have come from the endpoint for too long: nothing is \
             published of it until they do"
        ),
    }
}

/// What became of the estimate of the whole task.
pub fn task(said: &TaskEvent) {
    match *said {
        TaskEvent::Proven { platform_cpus } => info!(
            platform_cpus,
            "what the task uses is estimated each second from /proc/stat: over three minutes it agreed \
             with the sum of the containers; platform_cpus is what the platform uses besides"
        ),
        TaskEvent::Refuted { used_cpus, estimated_cpus, allowed_cpus } => warn!(
            used_cpus,
            estimated_cpus,
            allowed_cpus,
            "the estimate of what the task uses differed from the sum of its containers by more than \
             allowed_cpus over a minute: the sum is used"
        ),
        TaskEvent::GivenUp { since } => warn!(
            seconds = since.as_secs(),
            "a container has no new stats: what the task uses is not estimated until it has"
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
