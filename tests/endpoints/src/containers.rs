//! A task and its containers as data, and the `/task` document written from them
//! in the shape of a platform. No clock, no counters, no sockets.

use std::fmt::Write;

use crate::json::{Object, array, quoted};

/// Which platform's documents to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An EC2 instance with cgroup v1 (Amazon Linux 2).
    Ec2CgroupV1,
    /// An EC2 instance with cgroup v2 (Amazon Linux 2023).
    Ec2CgroupV2,
    /// Fargate, platform version 1.4.
    Fargate,
}

/// How a container is connected; decides what `networks` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    /// One interface for the task: every container shows the same counters.
    Awsvpc,
    /// Each container has its own interface.
    Bridge,
    /// The machine's network, not counted.
    Host,
    /// No network; `Networks` is null.
    None,
}

/// Limits of a task or a container. `None` is written as the platform writes it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// vCPU (0.25 and up) for a task, CPU units (1024 a vCPU) for a container.
    pub cpu: Option<f64>,
    /// Memory, MiB.
    pub memory_mib: Option<u64>,
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// The key in `/task/stats`: 64 hex digits on EC2, `<task id>-<decimal>` on
    /// Fargate, empty for a container that is pulled but not created.
    pub docker_id: String,
    /// The name in the task definition.
    pub name: String,
    /// `RUNNING`, `STOPPED`, `PULLED` and so on.
    pub known_status: String,
    /// `NORMAL`, `CNI_PAUSE`, `MANAGED_DAEMON` and so on.
    pub kind: String,
    /// CPU units and MiB.
    pub limits: Limits,
    /// How it is connected.
    pub network_mode: NetworkMode,
    /// Present only with a restart policy.
    pub restart_count: Option<u32>,
    /// `UNKNOWN`, `HEALTHY` or `UNHEALTHY`; present only with a health check.
    pub health: Option<String>,
}

impl Container {
    /// A running application container without limits, with an id of 64 hex
    /// digits derived from its name, on the bridge network.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            docker_id: hex_id(name, 64),
            name: name.into(),
            known_status: "RUNNING".into(),
            kind: "NORMAL".into(),
            limits: Limits::default(),
            network_mode: NetworkMode::Bridge,
            restart_count: None,
            health: None,
        }
    }
}

/// A task: what `/task` describes.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Decides how everything is written.
    pub shape: Shape,
    /// The short name; written as a full ARN on Fargate.
    pub cluster: String,
    /// `arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID`.
    pub arn: String,
    /// The task definition's family.
    pub family: String,
    /// The task definition's revision, a string on the wire too.
    pub revision: String,
    /// Left out when `None`, as older agents do.
    pub service_name: Option<String>,
    /// vCPU and MiB of the task.
    pub limits: Limits,
    /// `EC2`, `FARGATE` or `EXTERNAL`; left out when `None`.
    pub launch_type: Option<String>,
    /// `us-west-2a`; left out when `None`.
    pub availability_zone: Option<String>,
    /// In the order written.
    pub containers: Vec<Container>,
}

impl Task {
    /// A task of `service` without containers: 0.5 vCPU and 1024 MiB on Fargate,
    /// no limits on EC2.
    #[must_use]
    pub fn new(shape: Shape, cluster: &str, service: &str) -> Self {
        let id = hex_id(&format!("{cluster}/{service}"), 32);
        let fargate = shape == Shape::Fargate;
        Self {
            shape,
            cluster: cluster.into(),
            arn: format!("arn:aws:ecs:us-west-2:111122223333:task/{cluster}/{id}"),
            family: format!("{service}-family"),
            revision: "7".into(),
            service_name: Some(service.into()),
            limits: if fargate {
                Limits { cpu: Some(0.5), memory_mib: Some(1024) }
            } else {
                Limits::default()
            },
            launch_type: Some(if fargate { "FARGATE" } else { "EC2" }.into()),
            availability_zone: Some("us-west-2b".into()),
            containers: Vec::new(),
        }
    }

    /// The same task with one more container, made with [`Task::container`].
    #[must_use]
    pub fn with_container(mut self, name: &str, limits: Limits) -> Self {
        let container = self.container(name, limits);
        self.containers.push(container);
        self
    }

    /// A running container with an id and a network mode that fit the shape; not
    /// yet part of the task.
    #[must_use]
    pub fn container(&self, name: &str, limits: Limits) -> Container {
        let mut container = Container { limits, ..Container::new(name) };
        container.docker_id = self.docker_id(name, 1);
        if self.shape == Shape::Fargate {
            container.network_mode = NetworkMode::Awsvpc;
        }
        container
    }

    /// The id of the container that was created `incarnation`-th under a name: a
    /// replaced container keeps its name and has a new id.
    #[must_use]
    pub fn docker_id(&self, name: &str, incarnation: u32) -> String {
        let seed = format!("{}/{name}/{incarnation}", self.arn);
        match self.shape {
            Shape::Fargate => format!("{}-{}", self.id(), hash(&seed) % 10_000_000_000),
            Shape::Ec2CgroupV1 | Shape::Ec2CgroupV2 => hex_id(&seed, 64),
        }
    }

    /// The task's id: what follows the ARN's last `/`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// The body of `/task`.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        let limits = Object::new()
            .optional("CPU", self.limits.cpu)
            .optional("Memory", self.limits.memory_mib);
        let has_limits = self.limits != Limits::default();
        let mut document = Object::new()
            .text("Cluster", &self.cluster_field())
            .text("TaskARN", &self.arn)
            .text("Family", &self.family)
            .optional("ServiceName", self.service_name.as_deref().map(quoted))
            .text("Revision", &self.revision)
            .text("DesiredStatus", "RUNNING")
            .text("KnownStatus", "RUNNING")
            .optional("Limits", has_limits.then(|| limits.end()))
            .text("PullStartedAt", "2025-02-03T04:05:06.100000001Z")
            .text("PullStoppedAt", "2025-02-03T04:05:07.2000002Z")
            .optional("AvailabilityZone", self.availability_zone.as_deref().map(quoted))
            .optional("LaunchType", self.launch_type.as_deref().map(quoted))
            .raw("Containers", array(self.containers.iter().map(|c| self.container_entry(c))));
        if self.shape == Shape::Fargate {
            let clock = Object::new()
                .raw("ClockErrorBound", 0.625)
                .text("ReferenceTimestamp", "2025-02-03T04:05:05Z")
                .text("ClockSynchronizationStatus", "SYNCHRONIZED");
            document = document
                .raw("ClockDrift", clock.end())
                .raw("EphemeralStorageMetrics", r#"{"Utilized":300,"Reserved":21000}"#);
        }
        document.end().into_bytes()
    }

    fn cluster_field(&self) -> String {
        match self.shape {
            Shape::Fargate => {
                let account = self.arn.split(":task/").next().unwrap_or_default();
                format!("{account}:cluster/{}", self.cluster)
            }
            Shape::Ec2CgroupV1 | Shape::Ec2CgroupV2 => self.cluster.clone(),
        }
    }

    fn container_entry(&self, container: &Container) -> String {
        let (name, fargate) = (&container.name, self.shape == Shape::Fargate);
        let docker_name = if fargate {
            name.clone()
        } else {
            format!("ecs-{}-{}-{name}", self.family, self.revision)
        };
        let labels = Object::new()
            .text("com.amazonaws.ecs.cluster", &self.cluster_field())
            .text("com.amazonaws.ecs.container-name", name)
            .text("com.amazonaws.ecs.task-arn", &self.arn)
            .text("com.amazonaws.ecs.task-definition-family", &self.family)
            .text("com.amazonaws.ecs.task-definition-version", &self.revision);
        // Since agent 1.50 no container has fewer than 2 CPU units. A missing
        // memory limit is 0 on EC2 and no key at all on Fargate.
        let memory = if fargate {
            container.limits.memory_mib
        } else {
            container.limits.memory_mib.or(Some(0))
        };
        let limits = Object::new()
            .raw("CPU", container.limits.cpu.unwrap_or(2.0))
            .optional("Memory", memory)
            .end();
        let mut entry = Object::new()
            .text("DockerId", &container.docker_id)
            .text("Name", name)
            .text("DockerName", &docker_name)
            .text("Image", &format!("example/{name}:1"))
            .text("ImageID", &format!("sha256:{}", hex_id(name, 64)))
            .raw("Labels", labels.end())
            .text(
                "DesiredStatus",
                if container.kind == "CNI_PAUSE" { "RESOURCES_PROVISIONED" } else { "RUNNING" },
            )
            .text("KnownStatus", &container.known_status);
        if container.known_status == "STOPPED" {
            entry = entry.raw("ExitCode", 0);
        }
        entry
            .raw("Limits", limits)
            .optional("RestartCount", container.restart_count)
            .text("CreatedAt", "2025-02-03T04:05:08.300000003Z")
            .text("StartedAt", "2025-02-03T04:05:09.400000004Z")
            .text("Type", &container.kind)
            .optional("Health", container.health.as_deref().map(health))
            .raw("Networks", networks(container.network_mode))
            .end()
    }
}

fn health(status: &str) -> String {
    // Without a result there is no moment of one yet.
    let since = (status != "UNKNOWN").then(|| quoted("2025-02-03T04:05:39.5Z"));
    Object::new().text("status", status).optional("statusSince", since).end()
}

fn networks(mode: NetworkMode) -> String {
    let (mode, address) = match mode {
        NetworkMode::Awsvpc => ("awsvpc", r#"["10.0.0.7"]"#),
        NetworkMode::Bridge => ("bridge", r#"["172.17.0.9"]"#),
        NetworkMode::Host => ("host", r#"[""]"#),
        NetworkMode::None => return "null".into(),
    };
    array([Object::new().text("NetworkMode", mode).raw("IPv4Addresses", address).end()])
}

/// Hex digits that look like an id and depend on nothing but the seed.
fn hex_id(seed: &str, digits: usize) -> String {
    let mut id = String::new();
    while id.len() < digits {
        let part = hash(&format!("{seed}{}", id.len()));
        let _ = write!(id, "{part:016x}");
    }
    id.truncate(digits);
    id
}

/// FNV-1a with a final mix, so that similar seeds do not share their first digits.
fn hash(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn document(task: &Task) -> Value {
        serde_json::from_slice(&task.document()).expect("the document is JSON")
    }

    #[test]
    fn fargate_writes_arns_limits_and_no_absent_memory() {
        let mut task = Task::new(Shape::Fargate, "prod", "web");
        task = task.with_container("app", Limits::default());
        let document = document(&task);
        assert_eq!(document["Cluster"], "arn:aws:ecs:us-west-2:111122223333:cluster/prod");
        assert_eq!(document["LaunchType"], "FARGATE");
        assert_eq!(document["Limits"]["CPU"], 0.5);
        assert!(document["ClockDrift"]["ClockErrorBound"].is_f64());
        let app = &document["Containers"][0];
        assert!(app["Limits"].get("Memory").is_none());
        let id = app["DockerId"].as_str().unwrap();
        let (task_id, number) = id.split_once('-').unwrap();
        assert_eq!(task_id, task.id());
        assert_eq!(task_id.len(), 32);
        assert!(number.parse::<u64>().is_ok());
    }

    #[test]
    fn ec2_writes_short_names_and_zero_for_no_limit() {
        let task = Task::new(Shape::Ec2CgroupV1, "prod", "web");
        let task = task.with_container("app", Limits { cpu: Some(256.0), memory_mib: None });
        let document = document(&task);
        assert_eq!(document["Cluster"], "prod");
        assert!(document.get("Limits").is_none());
        assert!(document.get("ClockDrift").is_none());
        let app = &document["Containers"][0];
        assert_eq!(app["Limits"]["CPU"], 256);
        assert_eq!(app["Limits"]["Memory"], 0);
        assert_eq!(app["DockerId"].as_str().map(str::len), Some(64));
        assert_eq!(app["Networks"][0]["NetworkMode"], "bridge");
        assert!(app.get("Health").is_none());
    }

    #[test]
    fn a_health_check_shows_what_it_said() {
        let mut task = Task::new(Shape::Fargate, "prod", "web");
        task = task.with_container("app", Limits::default());
        task.containers[0].health = Some("HEALTHY".into());
        assert_eq!(document(&task)["Containers"][0]["Health"]["status"], "HEALTHY");
    }

    #[test]
    fn a_replaced_container_has_a_new_id() {
        let task = Task::new(Shape::Ec2CgroupV2, "prod", "web");
        assert_eq!(task.docker_id("app", 1), task.docker_id("app", 1));
        assert_ne!(task.docker_id("app", 1), task.docker_id("app", 2));
    }
}
