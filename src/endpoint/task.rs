//! `/task` as owned structs: who the task is, what its containers are called,
//! and what they may use. It is read seldom, so it is deserialised with serde
//! and owns its strings. No percentages are computed here.

use std::fmt;

use serde::Deserialize;

use super::injected::is_injected;

/// CPU units in one vCPU, as ECS counts.
pub const CPU_UNITS_PER_VCPU: f64 = 1024.0;

/// Containers that are looked at. ECS allows ten in a task definition, and adds
/// a few; a document may claim tens of thousands.
const CONTAINERS_MOST: usize = 1000;

/// The task document, as far as ESP reads it. Every field is optional: which
/// ones are there depends on the launch type and on the agent's version.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskDocument {
    cluster: Option<String>,
    #[serde(rename = "TaskARN")]
    task_arn: Option<String>,
    family: Option<String>,
    /// From EC2 agent 1.63.1; on Fargate not always.
    service_name: Option<String>,
    limits: Option<TaskLimits>,
    revision: Option<String>,
    launch_type: Option<String>,
    availability_zone: Option<String>,
    ephemeral_storage_metrics: Option<EphemeralStorage>,
    containers: Option<Vec<TaskContainer>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TaskLimits {
    #[serde(rename = "CPU")]
    cpu: Option<f64>,
    /// MiB.
    memory: Option<f64>,
}

/// MiB; Fargate.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct EphemeralStorage {
    utilized: Option<f64>,
    reserved: Option<f64>,
}

/// One entry of `Containers`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskContainer {
    docker_id: Option<String>,
    name: Option<String>,
    limits: Option<ContainerLimits>,
    known_status: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    networks: Option<Vec<ContainerNetwork>>,
    restart_count: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ContainerNetwork {
    network_mode: Option<String>,
}

/// How a container is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// All containers of the task share one interface, and each of them is told
    /// the same, the task's, counters.
    Awsvpc,
    /// Each container has its own interface and counters.
    Bridge,
    /// `host` or `none`: no counters.
    Other,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ContainerLimits {
    #[serde(rename = "CPU")]
    cpu: Option<f64>,
    /// MiB, the hard limit.
    memory: Option<f64>,
}

/// `/task` was not what the endpoint documents.
#[derive(Debug)]
pub enum TaskError {
    /// Not JSON, or a field of another type than documented.
    Json(simd_json::Error),
    /// JSON, but not an object.
    NotAnObject,
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/task is not a task document: ")?;
        match self {
            Self::Json(error) => error.fmt(f),
            Self::NotAnObject => f.write_str("it is not an object"),
        }
    }
}

impl std::error::Error for TaskError {}

impl TaskDocument {
    /// Reads `body`, which it scribbles over.
    ///
    /// # Errors
    ///
    /// [`TaskError`] where the body is not JSON, not an object, or one of the
    /// fields that ESP reads has another type than documented.
    pub fn parse(body: &mut [u8]) -> Result<Self, TaskError> {
        // serde would take an array for a struct, field by field.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(TaskError::NotAnObject);
        }
        simd_json::serde::from_slice(body).map_err(TaskError::Json)
    }

    /// The cluster's short name: EC2 agents give it as such, Fargate gives the
    /// full ARN.
    #[must_use]
    pub fn cluster_name(&self) -> Option<&str> {
        let cluster = self.cluster.as_deref()?;
        cluster.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The service that started the task, if one did and the platform says so.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.service_name.as_deref().filter(|name| !name.is_empty())
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
        let mut parts = self.task_arn()?.split(':');
        let is_ecs_arn = parts.next() == Some("arn")
            && parts.next().is_some_and(|partition| partition.starts_with("aws"))
            && parts.next() == Some("ecs");
        parts.next().filter(|region| is_ecs_arn && crate::endpoint::region::is_region(region))
    }

    /// `EC2`, `FARGATE` or `EXTERNAL`, upper-cased; old agents leave it out.
    #[must_use]
    pub fn launch_type(&self) -> Option<String> {
        self.launch_type.as_deref().map(str::to_ascii_uppercase)
    }

    /// The task's own CPU limit in vCPU; `None` where it has none (EC2 without
    /// task limits; old agents write 0).
    #[must_use]
    pub fn cpu_limit_vcpu(&self) -> Option<f64> {
        self.limits.as_ref()?.cpu.filter(|vcpu| vcpu.is_finite() && *vcpu > 0.0)
    }

    /// The task's own memory limit, bytes; `None` where it has none.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        mebibytes(self.limits.as_ref()?.memory)
    }

    /// The revision of the task definition.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref().filter(|revision| !revision.is_empty())
    }

    /// The last part of the task's ARN.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        let (_, resource) = self.task_arn()?.split_once(":task/")?;
        resource.rsplit('/').next().filter(|id| !id.is_empty())
    }

    /// The Availability Zone, where the platform says it.
    #[must_use]
    pub fn availability_zone(&self) -> Option<&str> {
        self.availability_zone.as_deref().filter(|zone| !zone.is_empty())
    }

    /// Ephemeral storage in use, in percent of what is reserved; Fargate.
    #[must_use]
    pub fn ephemeral_storage_percent(&self) -> Option<f64> {
        let storage = self.ephemeral_storage_metrics.as_ref()?;
        let reserved = storage.reserved.filter(|reserved| *reserved > 0.0)?;
        let percent = 100.0 * storage.utilized? / reserved;
        (percent.is_finite() && percent >= 0.0).then_some(percent)
    }

    /// The containers, in the document's order, which on EC2 is random; of an
    /// absurd number of them the first thousand.
    #[must_use]
    pub fn containers(&self) -> &[TaskContainer] {
        let containers = self.containers.as_deref().unwrap_or_default();
        &containers[..containers.len().min(CONTAINERS_MOST)]
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

    /// How it is connected; `None` where the document does not say.
    #[must_use]
    pub fn network_mode(&self) -> Option<NetworkMode> {
        let modes = self.networks.as_deref()?;
        match modes.iter().find_map(|network| network.network_mode.as_deref())? {
            "awsvpc" => Some(NetworkMode::Awsvpc),
            "bridge" | "default" => Some(NetworkMode::Bridge),
            "host" | "none" => Some(NetworkMode::Other),
            _ => None,
        }
    }

    /// Restarts under a restart policy, where there is one.
    #[must_use]
    pub fn restart_count(&self) -> Option<u32> {
        self.restart_count
    }

    /// The container's hard memory limit, bytes; `None` where it has none.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        mebibytes(self.limits.as_ref()?.memory)
    }

    /// What the agent says of its state: `RUNNING`, `STOPPED`, `PULLED` and so on.
    #[must_use]
    pub fn known_status(&self) -> Option<&str> {
        self.known_status.as_deref()
    }

    /// Whether the agent says that it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.known_status.as_deref() == Some("RUNNING")
    }

    /// Whether the agent says that it has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.known_status.as_deref() == Some("STOPPED")
    }

    /// Whether AWS added it to the task definition's; [`is_injected`] says how that
    /// is told.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        is_injected(self.name().unwrap_or_default(), self.kind.as_deref())
    }

    /// The container's own reservation in CPU units, where it has a real one.
    /// ECS writes 0 or, since agent 1.50, 2 (the kernel's least) for "none".
    #[must_use]
    pub fn cpu_reservation_units(&self) -> Option<f64> {
        self.limits.as_ref()?.cpu.filter(|units| units.is_finite() && *units > 2.0)
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
mod tests {
    use super::*;

    fn task(json: &str) -> TaskDocument {
        TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_cluster_is_what_follows_the_last_slash() {
        for (json, expected) in [
            (r#"{"Cluster": "shop"}"#, Some("shop")),
            (r#"{"Cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/shop"}"#, Some("shop")),
            (r#"{"Cluster": ""}"#, None),
            (r#"{"Cluster": null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(task(json).cluster_name(), expected, "{json}");
        }
    }

    #[test]
    fn the_region_is_in_the_arn_of_every_partition() {
        for (arn, expected) in [
            ("arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3", Some("eu-west-1")),
            ("arn:aws:ecs:us-east-1:111122223333:task/0af3", Some("us-east-1")),
            ("arn:aws-cn:ecs:cn-north-1:111122223333:task/shop/0af3", Some("cn-north-1")),
            ("arn:aws-us-gov:ecs:us-gov-west-1:111122223333:task/shop/0af3", Some("us-gov-west-1")),
            ("arn:aws:ecs:&region;:111122223333:task/shop/0af3", None),
            ("arn:aws:ecs::111122223333:task/shop/0af3", None),
            ("arn:aws:s3:eu-west-1::bucket", None),
            ("task/shop/0af3", None),
            ("", None),
        ] {
            let json = format!(r#"{{"TaskARN": "{arn}"}}"#);
            assert_eq!(task(&json).region(), expected, "{arn}");
        }
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        for (json, expected) in [
            (r#"{"Limits": {"CPU": 0.25, "Memory": 512}}"#, Some(0.25)),
            (r#"{"Limits": {"CPU": 4}}"#, Some(4.0)),
            (r#"{"Limits": {"CPU": 0, "Memory": 0}}"#, None),
            (r#"{"Limits": {"CPU": -1}}"#, None),
            (r#"{"Limits": {}}"#, None),
            (r#"{"Limits": null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(task(json).cpu_limit_vcpu(), expected, "{json}");
        }
    }

    #[test]
    fn the_kernels_least_share_is_no_reservation() {
        for (limits, expected) in [
            (r#"{"CPU": 256, "Memory": 0}"#, Some(256.0)),
            (r#"{"CPU": 2}"#, None),
            (r#"{"CPU": 0}"#, None),
            ("{}", None),
            ("null", None),
        ] {
            let json = format!(r#"{{"Containers": [{{"Limits": {limits}}}]}}"#);
            assert_eq!(task(&json).containers()[0].cpu_reservation_units(), expected, "{json}");
        }
    }

    #[test]
    fn memory_limits_are_mebibytes_and_zero_is_none() {
        let task = task(
            r#"{"Limits": {"Memory": 512}, "Containers": [
                {"Limits": {"Memory": 128}}, {"Limits": {"Memory": 0}}, {"Limits": {}}, {}]}"#,
        );
        assert_eq!(task.memory_limit_bytes(), Some(512 << 20));
        let limits: Vec<_> =
            task.containers().iter().map(TaskContainer::memory_limit_bytes).collect();
        assert_eq!(limits, [Some(128 << 20), None, None, None]);
    }

    #[test]
    fn the_network_mode_may_be_missing() {
        for (networks, expected) in [
            (r#"[{"NetworkMode": "awsvpc"}]"#, Some(NetworkMode::Awsvpc)),
            (r#"[{"NetworkMode": "bridge"}]"#, Some(NetworkMode::Bridge)),
            (r#"[{"NetworkMode": "default"}]"#, Some(NetworkMode::Bridge)),
            (r#"[{"NetworkMode": "host"}]"#, Some(NetworkMode::Other)),
            (r#"[{"NetworkMode": "none"}]"#, Some(NetworkMode::Other)),
            (r#"[{}, {"NetworkMode": "awsvpc"}]"#, Some(NetworkMode::Awsvpc)),
            ("[{}]", None),
            ("[]", None),
            ("null", None),
        ] {
            let json = format!(r#"{{"Containers": [{{"Networks": {networks}}}]}}"#);
            assert_eq!(task(&json).containers()[0].network_mode(), expected, "{networks}");
        }
    }

    #[test]
    fn ephemeral_storage_is_a_share() {
        for (json, expected) in [
            (r#"{"EphemeralStorageMetrics": {"Utilized": 5120, "Reserved": 20480}}"#, Some(25.0)),
            (r#"{"EphemeralStorageMetrics": {"Utilized": 5, "Reserved": 0}}"#, None),
            (r#"{"EphemeralStorageMetrics": {"Reserved": 20480}}"#, None),
            ("{}", None),
        ] {
            assert_eq!(task(json).ephemeral_storage_percent(), expected, "{json}");
        }
    }

    #[test]
    fn the_task_id_ends_the_arn() {
        for (arn, expected) in [
            ("arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3", Some("0af3")),
            ("arn:aws:ecs:eu-west-1:111122223333:task/0af3", Some("0af3")),
            ("nonsense", None),
        ] {
            assert_eq!(task(&format!(r#"{{"TaskARN": "{arn}"}}"#)).task_id(), expected);
        }
    }

    #[test]
    fn a_task_has_a_thousand_containers_at_the_most() {
        for (listed, expected) in [(999, 999), (1000, 1000), (30_000, 1000)] {
            let json = format!(r#"{{"Containers": [{{}}{}]}}"#, ", {}".repeat(listed - 1));
            assert_eq!(task(&json).containers().len(), expected);
        }
    }

    #[test]
    fn containers_may_be_missing_unborn_or_internal() {
        assert!(task(r#"{"Containers": null}"#).containers().is_empty());
        assert!(task("{}").containers().is_empty());
        let task = task(
            r#"{"Containers": [
                {"DockerId": "", "Name": "web", "KnownStatus": "PULLED", "Type": "NORMAL"},
                {"DockerId": "a1", "Name": "~internal~ecs~pause", "KnownStatus": "RESOURCES_PROVISIONED", "Type": "CNI_PAUSE"},
                {"DockerId": "b2", "Name": "~internal~ecs-emptyvolume-source"},
                {"DockerId": "c3", "Name": "web", "KnownStatus": "RUNNING"}]}"#,
        );
        let containers = task.containers();
        let ids: Vec<_> = containers.iter().map(TaskContainer::docker_id).collect();
        assert_eq!(ids, [None, Some("a1"), Some("b2"), Some("c3")]);
        let injected: Vec<_> = containers.iter().map(TaskContainer::is_injected).collect();
        assert_eq!(injected, [false, true, true, false]);
        let running: Vec<_> = containers.iter().map(TaskContainer::is_running).collect();
        assert_eq!(running, [false, false, false, true]);
    }

    #[test]
    fn the_launch_type_has_one_case() {
        assert_eq!(task(r#"{"LaunchType": "ec2"}"#).launch_type().as_deref(), Some("EC2"));
        assert_eq!(task("{}").launch_type(), None);
    }

    #[test]
    fn a_bad_document_says_so() {
        for json in ["", "[]", "7", r#"{"Family": 7}"#, r#"{"Limits": {"CPU": "1"}}"#] {
            let error = TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap_err();
            assert!(error.to_string().starts_with("/task is not a task document: "), "{error}");
        }
    }
}
