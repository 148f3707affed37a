//! `/task` as owned structs: who the task is, what its containers are called,
//! and what they may use. It is read seldom, so it is deserialised with serde
//! and owns its strings. No percentages are computed here.

use std::fmt;

use serde::Deserialize;

/// CPU units in one vCPU, as ECS counts.
pub const CPU_UNITS_PER_VCPU: f64 = 1024.0;

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
    launch_type: Option<String>,
    containers: Option<Vec<TaskContainer>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TaskLimits {
    #[serde(rename = "CPU")]
    cpu: Option<f64>,
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
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ContainerLimits {
    #[serde(rename = "CPU")]
    cpu: Option<f64>,
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
        parts.next().filter(|region| is_ecs_arn && crate::region::is_region(region))
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

    /// The containers, in the document's order, which on EC2 is random.
    #[must_use]
    pub fn containers(&self) -> &[TaskContainer] {
        self.containers.as_deref().unwrap_or_default()
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

    /// Whether the agent says that it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.known_status.as_deref() == Some("RUNNING")
    }

    /// Whether ECS added it (pause containers and the like).
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind != "NORMAL")
            || self.name().is_some_and(|name| name.starts_with("~internal~ecs"))
    }

    /// The container's own reservation in CPU units, where it has a real one.
    /// ECS writes 0 or, since agent 1.50, 2 (the kernel's least) for "none".
    #[must_use]
    pub fn cpu_reservation_units(&self) -> Option<f64> {
        self.limits.as_ref()?.cpu.filter(|units| units.is_finite() && *units > 2.0)
    }
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
        let internal: Vec<_> = containers.iter().map(TaskContainer::is_internal).collect();
        assert_eq!(internal, [false, true, true, false]);
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
