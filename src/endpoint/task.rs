//! `/task` as an owned struct: who the task is, what its containers are called,
//! how they are doing and what they may use. How it is read off the document, and
//! what becomes of a field that is not as documented, is in `read`. No percentages
//! are computed here but that of the ephemeral storage.

mod bad_field;
mod read;

use std::{fmt, net::Ipv4Addr};

pub use self::bad_field::BadField;
use super::{
    arn::{EcsArn, ResourceType, short_name},
    injected::{is_injected, is_pause},
};
use crate::time::Timestamp;

/// CPU units in one vCPU, as ECS counts.
pub const CPU_UNITS_PER_VCPU: f64 = 1024.0;

/// The task document, as far as ESP reads it. Every field is optional: which
/// ones are there depends on the launch type and on the agent's version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskDocument {
    cluster: Option<String>,
    task_arn: Option<String>,
    family: Option<String>,
    /// From EC2 agent 1.63.1; on Fargate not always.
    service_name: Option<String>,
    limits: TaskLimits,
    revision: Option<String>,
    launch_type: Option<String>,
    availability_zone: Option<String>,
    /// Fargate.
    ephemeral_storage: EphemeralStorage,
    containers: Vec<TaskContainer>,
    bad_fields: Vec<BadField>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct TaskLimits {
    cpu_vcpu: Option<f64>,
    memory_mib: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct EphemeralStorage {
    /// Whether the document has it, readable or not.
    is_listed: bool,
    utilized_mib: Option<f64>,
    reserved_mib: Option<f64>,
}

/// One entry of `Containers`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskContainer {
    docker_id: Option<String>,
    name: Option<String>,
    limits: ContainerLimits,
    known_status: Option<String>,
    kind: Option<String>,
    started_at: Option<Timestamp>,
    networks: Vec<ContainerNetwork>,
    restart_count: Option<u32>,
    lists_restart_count: bool,
    health: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct ContainerLimits {
    cpu_units: Option<f64>,
    /// The hard limit.
    memory_mib: Option<f64>,
}

/// One entry of a container's `Networks`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerNetwork {
    mode: Option<String>,
    mac_address: Option<String>,
    ipv4_addresses: Vec<Ipv4Addr>,
}

/// How a container is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkMode {
    /// All containers of the task share one interface, and each of them is told
    /// the same, the task's, counters.
    Awsvpc,
    /// Each container has its own interface and counters.
    Bridge,
    /// `host` or `none`: no counters.
    Other,
}

/// `KnownStatus`: how far the agent knows that a container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerStatus {
    /// `NONE`: nothing has been done for it.
    None,
    /// `PULLED`: its image is there.
    Pulled,
    /// `CREATED`: it can be started.
    Created,
    /// `RUNNING`: only such a container can be expected to have stats.
    Running,
    /// `RESOURCES_PROVISIONED`: a pause container that runs.
    ResourcesProvisioned,
    /// `STOPPED`: it has ended. It stays listed until the task ends.
    Stopped,
    /// The document does not say, or says something else.
    Unknown,
}

/// `/task` was not what the endpoint documents.
#[derive(Debug)]
pub enum TaskError {
    /// Not JSON.
    Json(simd_json::Error),
    /// JSON, but not an object.
    NotAnObject,
    /// `Containers` is there, but nothing in it is a container.
    NoContainer,
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/task is not a task document: ")?;
        match self {
            Self::Json(error) => error.fmt(f),
            Self::NotAnObject => f.write_str("it is not an object"),
            Self::NoContainer => f.write_str("nothing in Containers is an object"),
        }
    }
}

impl std::error::Error for TaskError {}

impl TaskDocument {
    /// The first few fields that are not what the endpoint documents, in the
    /// document's order.
    #[must_use]
    pub fn bad_fields(&self) -> &[BadField] {
        &self.bad_fields
    }

    /// The cluster's short name: EC2 agents give it as such, Fargate gives the
    /// full ARN.
    #[must_use]
    pub fn cluster_name(&self) -> Option<&str> {
        let name = short_name(self.cluster.as_deref()?, ResourceType::Cluster)?;
        // No cluster's name has a slash: this is part of what is not quite an ARN.
        name.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The short name of the service that started the task, if one did and the
    /// platform says so.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        short_name(self.service_name.as_deref()?, ResourceType::Service)
    }

    /// The task definition's family.
    #[must_use]
    pub fn family(&self) -> Option<&str> {
        self.family.as_deref().filter(|name| !name.is_empty())
    }

    /// `arn:PARTITION:ecs:REGION:ACCOUNT:task/CLUSTER/ID`, as written.
    #[must_use]
    pub fn task_arn(&self) -> Option<&str> {
        self.task_arn.as_deref().filter(|arn| !arn.is_empty())
    }

    /// The Region out of the task's ARN.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        EcsArn::parse(self.task_arn()?)?.region()
    }

    /// `EC2`, `FARGATE`, `EXTERNAL` or `MANAGED_INSTANCES`, upper-cased; old agents
    /// leave it out.
    #[must_use]
    pub fn launch_type(&self) -> Option<String> {
        self.launch_type.as_deref().map(str::to_ascii_uppercase)
    }

    /// The task's own CPU limit in vCPU; `None` if it has none (EC2 without
    /// task limits; old agents write 0).
    #[must_use]
    pub fn cpu_limit_vcpu(&self) -> Option<f64> {
        self.limits.cpu_vcpu.filter(|vcpu| vcpu.is_finite() && *vcpu > 0.0)
    }

    /// The task's own memory limit, bytes; `None` if it has none.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        mebibytes(self.limits.memory_mib)
    }

    /// The revision of the task definition.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref().filter(|revision| !revision.is_empty())
    }

    /// The last part of the task's ARN.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        EcsArn::parse(self.task_arn()?)?.name(ResourceType::Task)
    }

    /// The Availability Zone, if the platform says it.
    #[must_use]
    pub fn availability_zone(&self) -> Option<&str> {
        self.availability_zone.as_deref().filter(|zone| !zone.is_empty())
    }

    /// Ephemeral storage in use, in percent of what is reserved; Fargate.
    #[must_use]
    pub fn ephemeral_storage_percent(&self) -> Option<f64> {
        let storage = &self.ephemeral_storage;
        let reserved = storage.reserved_mib.filter(|reserved| *reserved > 0.0)?;
        let percent = 100.0 * storage.utilized_mib? / reserved;
        (percent.is_finite() && percent >= 0.0).then_some(percent)
    }

    /// Whether the document has `EphemeralStorageMetrics`, readable or not.
    #[must_use]
    pub fn lists_ephemeral_storage(&self) -> bool {
        self.ephemeral_storage.is_listed
    }

    /// The containers, in the document's order, which on EC2 is random; of an
    /// absurd number of them the first thousand.
    #[must_use]
    pub fn containers(&self) -> &[TaskContainer] {
        &self.containers
    }
}

impl TaskContainer {
    /// The name in the task definition: the key that stays when a container is
    /// replaced.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The key into `/task/stats`; `None` for a container that is being pulled.
    #[must_use]
    pub fn docker_id(&self) -> Option<&str> {
        self.docker_id.as_deref().filter(|id| !id.is_empty())
    }

    /// How it is connected; `None` if the document does not say.
    #[must_use]
    pub fn network_mode(&self) -> Option<NetworkMode> {
        match self.networks.iter().find_map(|network| network.mode.as_deref())? {
            "awsvpc" => Some(NetworkMode::Awsvpc),
            "bridge" | "default" => Some(NetworkMode::Bridge),
            "host" | "none" => Some(NetworkMode::Other),
            _ => None,
        }
    }

    /// Restarts under a restart policy, if there is one.
    #[must_use]
    pub fn restart_count(&self) -> Option<u32> {
        self.restart_count
    }

    /// Whether the document has a `RestartCount` of it, readable or not.
    #[must_use]
    pub fn lists_restart_count(&self) -> bool {
        self.lists_restart_count
    }

    /// The container's hard memory limit, bytes; `None` if it has none.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        mebibytes(self.limits.memory_mib)
    }

    /// What the agent says of its state: `RUNNING`, `STOPPED`, `PULLED` and so on.
    #[must_use]
    pub fn known_status(&self) -> Option<&str> {
        self.known_status.as_deref()
    }

    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> ContainerStatus {
        match self.known_status.as_deref() {
            Some("NONE") => ContainerStatus::None,
            Some("PULLED") => ContainerStatus::Pulled,
            Some("CREATED") => ContainerStatus::Created,
            Some("RUNNING") => ContainerStatus::Running,
            Some("RESOURCES_PROVISIONED") => ContainerStatus::ResourcesProvisioned,
            Some("STOPPED") => ContainerStatus::Stopped,
            _ => ContainerStatus::Unknown,
        }
    }

    /// Whether the agent says that it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status() == ContainerStatus::Running
    }

    /// Whether the agent says that it has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.status() == ContainerStatus::Stopped
    }

    /// When it was started, or started again; `None` before.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// What its health check says: `HEALTHY`, `UNHEALTHY` or `UNKNOWN`; `None` for a
    /// container without one.
    #[must_use]
    pub fn health(&self) -> Option<&str> {
        self.health.as_deref()
    }

    /// The networks that it is connected to.
    #[must_use]
    pub fn networks(&self) -> &[ContainerNetwork] {
        &self.networks
    }

    /// Whether AWS added it to the task definition's; [`is_injected`] says how that
    /// is told.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        is_injected(self.name().unwrap_or_default(), self.kind.as_deref())
    }

    /// Whether it only holds namespaces and waits; [`is_pause`] says how that is told.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        is_pause(self.name().unwrap_or_default(), self.kind.as_deref())
    }

    /// The container's own reservation in CPU units, if it has a real one.
    /// ECS writes 0 or, since agent 1.50, 2 (the kernel's minimum) for "none".
    #[must_use]
    pub fn cpu_reservation_units(&self) -> Option<f64> {
        self.limits.cpu_units.filter(|units| units.is_finite() && *units > 2.0)
    }
}

impl ContainerNetwork {
    /// The MAC address of its interface, as written: `0e:98:9f:33:76:a7`. EC2 agents
    /// and Fargate give it for awsvpc.
    #[must_use]
    pub fn mac_address(&self) -> Option<&str> {
        self.mac_address.as_deref().filter(|address| !address.is_empty())
    }

    /// The IPv4 addresses of its interface.
    #[must_use]
    pub fn ipv4_addresses(&self) -> &[Ipv4Addr] {
        &self.ipv4_addresses
    }
}

/// MiB as ECS writes them, in bytes; 0 means none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and below 2^62"
)]
fn mebibytes(mebibytes: Option<f64>) -> Option<u64> {
    let bytes = mebibytes? * 1_048_576.0;
    (1.0..4.6e18).contains(&bytes).then_some(bytes as u64)
}

#[cfg(test)]
mod tests;
