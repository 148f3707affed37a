//! Every variable that ESP reads, once: its name, its flag, its default and what
//! a value must look like. The command line, `--help` and the errors are made
//! from this table.

/// One variable of the environment, and the flag that goes before it.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    /// In the environment: `SAMPLE_INTERVAL`.
    pub name: &'static str,
    /// On the command line: `sample-interval`. `None` for a variable that is
    /// not ESP's own.
    pub flag: Option<&'static str>,
    /// What stands for the value in `--help`.
    pub placeholder: &'static str,
    /// Used where nothing is given, written as a user would.
    pub default: Option<&'static str>,
    /// What a value must look like, to follow "expected".
    pub expected: &'static str,
    /// What it does, for `--help`.
    pub help: &'static str,
}

/// Which container to measure.
pub const CONTAINER_NAME: Variable = Variable {
    name: "CONTAINER_NAME",
    flag: Some("container-name"),
    placeholder: "NAME",
    default: None,
    expected: "the name of a container in the task definition, e.g. web, several with commas, or *",
    help: "The container to measure, by its name in the task definition; several with commas, or \
           * for all but those that ECS adds. With more than one, the containers' metrics carry \
           the dimension ContainerName. Required.",
};

/// Where to publish.
pub const NAMESPACE: Variable = Variable {
    name: "NAMESPACE",
    flag: Some("namespace"),
    placeholder: "NAMESPACE",
    default: None,
    expected: crate::limits::NAMESPACE_EXPECTED,
    help: "The CloudWatch namespace to publish to, e.g. Shop. Required.",
};

/// Where to publish, geographically.
pub const REGION: Variable = Variable {
    name: "REGION",
    flag: Some("region"),
    placeholder: "REGION",
    default: None,
    expected: "an AWS Region, e.g. eu-west-1",
    help: "The Region to publish to. Without it AWS_REGION counts, then AWS_DEFAULT_REGION, then \
           the Region in the task's ARN.",
};

/// Overrides the endpoint's `Cluster`.
pub const CLUSTER_NAME: Variable = Variable {
    name: "CLUSTER_NAME",
    flag: Some("cluster-name"),
    placeholder: "NAME",
    default: None,
    expected: crate::limits::DIMENSION_VALUE_EXPECTED,
    help: "The value of the dimension ClusterName, in place of what the endpoint says.",
};

/// Overrides the endpoint's `ServiceName`.
pub const SERVICE_NAME: Variable = Variable {
    name: "SERVICE_NAME",
    flag: Some("service-name"),
    placeholder: "NAME",
    default: None,
    expected: crate::limits::DIMENSION_VALUE_EXPECTED,
    help: "The value of the dimension ServiceName, in place of what the endpoint says. Set it on \
           Fargate and on EC2 agents before 1.63.1, which may not say it; without any, the \
           metric is published with TaskDefinitionFamily instead.",
};

/// What to publish.
pub const METRICS: Variable = Variable {
    name: "METRICS",
    flag: Some("metrics"),
    placeholder: "METRICS",
    default: Some("CPUUtilization,MemoryUtilization"),
    expected: "names of metrics with commas, or all; known are CPUUtilization, CPUUsage, \
               MemoryUtilization, MemoryUtilized, NetworkRxBytes, NetworkTxBytes, \
               StorageReadBytes, StorageWriteBytes, TaskCPUUtilization, TaskMemoryUtilization, \
               EphemeralStorageUtilization and RestartCount",
    help: "What to publish, with commas, or all: CPUUtilization, CPUUsage, MemoryUtilization, \
           MemoryUtilized, NetworkRxBytes, NetworkTxBytes, StorageReadBytes, StorageWriteBytes, \
           TaskCPUUtilization, TaskMemoryUtilization, EphemeralStorageUtilization, RestartCount.",
};

/// Under what to publish it.
pub const DIMENSIONS: Variable = Variable {
    name: "DIMENSIONS",
    flag: Some("dimensions"),
    placeholder: "SETS",
    default: Some("ClusterName,ServiceName"),
    expected: "names of dimensions with commas, sets of them with semicolons; known are \
               ClusterName, ServiceName, TaskDefinitionFamily, TaskDefinitionRevision, TaskId, \
               ContainerName, AvailabilityZone, LaunchType and Key=value for a constant",
    help: "The sets of dimensions to publish under, e.g. ClusterName,ServiceName;Stage=prod. Known \
           are ClusterName, ServiceName, TaskDefinitionFamily, TaskDefinitionRevision, TaskId, \
           ContainerName, AvailabilityZone, LaunchType, and Key=value for a constant. An empty \
           set publishes without dimensions (a lone ; does only that). Each set multiplies the \
           metrics and their price; TaskId costs a metric for every task that ever ran.",
};

/// How often the endpoint is asked.
pub const SAMPLE_INTERVAL: Variable = Variable {
    name: "SAMPLE_INTERVAL",
    flag: Some("sample-interval"),
    placeholder: "DURATION",
    default: Some("1s"),
    expected: "a whole number with ms, s, m or h, from 200ms to 60s, e.g. 1s",
    help: "How often the endpoint is asked, from 200ms to 60s.",
};

/// How often CloudWatch gets a request.
pub const PUBLISH_INTERVAL: Variable = Variable {
    name: "PUBLISH_INTERVAL",
    flag: Some("publish-interval"),
    placeholder: "DURATION",
    default: Some("10s"),
    expected: "a whole number with ms, s, m or h, from SAMPLE_INTERVAL to 1h, e.g. 10s",
    help: "How often the samples go to CloudWatch, from SAMPLE_INTERVAL to 1h. Each request has \
           a price; 10s is the shortest period of an alarm.",
};

/// How long unsent samples are kept.
pub const BUFFER: Variable = Variable {
    name: "BUFFER",
    flag: Some("buffer"),
    placeholder: "DURATION",
    default: Some("1h"),
    expected: "a whole number with ms, s, m or h, from 1m to 24h, e.g. 1h",
    help: "How much of the samples is kept while CloudWatch cannot be reached, from 1m to 24h; 24 \
           bytes a sample are set aside for it, 4 MiB at the most. When it is full the oldest go. \
           It is not kept across a restart.",
};

/// How long the end may take.
pub const SHUTDOWN_GRACE: Variable = Variable {
    name: "SHUTDOWN_GRACE",
    flag: Some("shutdown-grace"),
    placeholder: "DURATION",
    default: Some("5s"),
    expected: "a whole number with ms, s, m or h, from 0s to 2m, e.g. 5s",
    help: "How long unsent samples are still sent after SIGTERM or SIGINT, from 0s to 2m; ECS kills \
           after its stopTimeout, 30 s by default. A second signal ends it at once.",
};

/// Whether ESP publishes about itself.
pub const SELF_METRICS: Variable = Variable {
    name: "SELF_METRICS",
    flag: Some("self-metrics"),
    placeholder: "SWITCH",
    default: Some("off"),
    expected: "on or off",
    help: "Whether ESP's own figures are published too, each minute: on or off. They are 25 metrics \
           in the same namespace, whose names begin with ESP/ and which have their price.",
};

/// How much is logged.
pub const LOG_LEVEL: Variable = Variable {
    name: "LOG_LEVEL",
    flag: Some("log-level"),
    placeholder: "LEVEL",
    default: Some("info"),
    expected: "error, warn, info, debug or trace",
    help: "How much is logged: error, warn, info, debug or trace.",
};

/// How it is logged.
pub const LOG_FORMAT: Variable = Variable {
    name: "LOG_FORMAT",
    flag: Some("log-format"),
    placeholder: "FORMAT",
    default: Some("json"),
    expected: "json or text",
    help: "How it is logged, on stderr: json (an object a line) or text.",
};

/// The endpoint's address, which ECS sets.
pub const ENDPOINT: Variable = Variable {
    name: "ECS_CONTAINER_METADATA_URI_V4",
    flag: None,
    placeholder: "URI",
    default: None,
    expected: crate::endpoint::uri::EXPECTED,
    help: "The task metadata endpoint. ECS sets it.",
};

const fn foreign(name: &'static str, expected: &'static str, help: &'static str) -> Variable {
    Variable { name, flag: None, placeholder: "", default: None, expected, help }
}

/// The SDKs' own Region.
pub const AWS_REGION: Variable =
    foreign("AWS_REGION", REGION.expected, "The Region, where REGION is not set.");

/// The SDKs' own Region, by its older name.
pub const AWS_DEFAULT_REGION: Variable =
    foreign("AWS_DEFAULT_REGION", REGION.expected, "The Region, where AWS_REGION is not set.");

/// Certificates to trust in place of the bundled ones.
pub const AWS_CA_BUNDLE: Variable = foreign(
    "AWS_CA_BUNDLE",
    "a readable file with certificates in PEM form",
    "A file with the certificates to trust, in place of the roots in the binary.",
);

/// The same under its general name.
pub const SSL_CERT_FILE: Variable =
    foreign("SSL_CERT_FILE", AWS_CA_BUNDLE.expected, "The same, where AWS_CA_BUNDLE is not set.");

/// ESP's own variables, in the order of `--help`.
pub const OWN: [&Variable; 14] = [
    &CONTAINER_NAME,
    &NAMESPACE,
    &REGION,
    &METRICS,
    &DIMENSIONS,
    &CLUSTER_NAME,
    &SERVICE_NAME,
    &SAMPLE_INTERVAL,
    &PUBLISH_INTERVAL,
    &BUFFER,
    &SHUTDOWN_GRACE,
    &SELF_METRICS,
    &LOG_LEVEL,
    &LOG_FORMAT,
];
