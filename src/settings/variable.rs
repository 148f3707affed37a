//! Every variable that ESP reads, once: its name, its flag, its default, what a
//! value must look like and what it does. The command line, `--help`, the errors
//! and the README's table are made from this table.

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
    /// What is the case where nothing is given, where `default` does not say it
    /// or not all of it.
    pub otherwise: Option<&'static str>,
    /// What a value is written in, where that has a name.
    pub unit: Option<&'static str>,
    /// Which values are taken.
    pub limits: &'static str,
    /// One of them.
    pub example: &'static str,
    /// What it does.
    pub help: &'static str,
}

impl Variable {
    /// What a value must look like: unit and limits.
    #[must_use]
    pub fn value(&self) -> String {
        self.unit.map_or_else(|| self.limits.to_owned(), |unit| format!("{unit}, {}", self.limits))
    }

    /// The same with the example, to follow "expected".
    #[must_use]
    pub fn expected(&self) -> String {
        format!("{}, e.g. {}", self.value(), self.example)
    }
}

/// The unit of every duration.
const DURATION: Option<&str> = Some("a whole number with ms, s, m or h");

/// Which container to measure.
pub const CONTAINER_NAME: Variable = Variable {
    name: "CONTAINER_NAME",
    flag: Some("container-name"),
    placeholder: "NAME",
    default: None,
    otherwise: Some("none, it is required"),
    unit: Some("the name of a container in the task definition"),
    limits: "several with commas, or * for all but those that ECS adds",
    example: "web",
    help: "The container to measure. With more than one, the metrics of each carry the \
           dimension ContainerName.",
};

/// Where to publish.
pub const NAMESPACE: Variable = Variable {
    name: "NAMESPACE",
    flag: Some("namespace"),
    placeholder: "NAMESPACE",
    default: None,
    otherwise: Some("none, it is required"),
    unit: None,
    limits: crate::sample::limits::NAMESPACE_EXPECTED,
    example: "Shop",
    help: "The CloudWatch namespace to publish to.",
};

/// Where to publish, geographically.
pub const REGION: Variable = Variable {
    name: "REGION",
    flag: Some("region"),
    placeholder: "REGION",
    default: None,
    otherwise: Some("AWS_REGION, AWS_DEFAULT_REGION, else from the task's ARN"),
    unit: None,
    limits: "an AWS Region",
    example: "eu-west-1",
    help: "The Region to publish to.",
};

/// What to publish.
pub const METRICS: Variable = Variable {
    name: "METRICS",
    flag: Some("metrics"),
    placeholder: "METRICS",
    default: Some("CPUUtilization,MemoryUtilization"),
    otherwise: None,
    unit: Some("names of metrics"),
    limits: "with commas, or all; known are CPUUtilization, CPUUsage, MemoryUtilization, \
           MemoryUtilized, NetworkRxBytes, NetworkTxBytes, StorageReadBytes, StorageWriteBytes, \
           TaskCPUUtilization, TaskMemoryUtilization, EphemeralStorageUtilization and RestartCount",
    example: "CPUUtilization,NetworkRxBytes",
    help: "What to publish. Each metric has its price.",
};

/// Under what to publish it.
pub const DIMENSIONS: Variable = Variable {
    name: "DIMENSIONS",
    flag: Some("dimensions"),
    placeholder: "SETS",
    default: Some("ClusterName,ServiceName"),
    otherwise: None,
    unit: Some("names of dimensions"),
    limits: "with commas, sets of them with semicolons; known are ClusterName, ServiceName, \
           TaskDefinitionFamily, TaskDefinitionRevision, TaskId, ContainerName, AvailabilityZone, \
           LaunchType and Key=value for a constant",
    example: "ClusterName,ServiceName;Stage=prod",
    help: "The sets of dimensions to publish under. An empty set publishes without dimensions \
           (a lone ; does only that). Each set multiplies the metrics and their price; TaskId costs a \
           metric for every task that ever ran.",
};

/// Overrides the endpoint's `Cluster`.
pub const CLUSTER_NAME: Variable = Variable {
    name: "CLUSTER_NAME",
    flag: Some("cluster-name"),
    placeholder: "NAME",
    default: None,
    otherwise: Some("from the endpoint"),
    unit: None,
    limits: crate::sample::limits::DIMENSION_VALUE_EXPECTED,
    example: "shop",
    help: "The value of the dimension ClusterName.",
};

/// Overrides the endpoint's `ServiceName`.
pub const SERVICE_NAME: Variable = Variable {
    name: "SERVICE_NAME",
    flag: Some("service-name"),
    placeholder: "NAME",
    default: None,
    otherwise: Some("from the endpoint"),
    unit: None,
    limits: crate::sample::limits::DIMENSION_VALUE_EXPECTED,
    example: "web",
    help: "The value of the dimension ServiceName. Set it on Fargate and on EC2 agents before \
           1.63.1, which may not say it; without any, the metric is published with \
           TaskDefinitionFamily instead.",
};

/// How often the endpoint is asked.
pub const SAMPLE_INTERVAL: Variable = Variable {
    name: "SAMPLE_INTERVAL",
    flag: Some("sample-interval"),
    placeholder: "DURATION",
    default: Some("1s"),
    otherwise: None,
    unit: DURATION,
    limits: "from 200ms to 60s",
    example: "1s",
    help: "How often the endpoint is asked.",
};

/// How often CloudWatch gets a request.
pub const PUBLISH_INTERVAL: Variable = Variable {
    name: "PUBLISH_INTERVAL",
    flag: Some("publish-interval"),
    placeholder: "DURATION",
    default: Some("10s"),
    otherwise: Some("10s, or SAMPLE_INTERVAL if that is longer"),
    unit: DURATION,
    limits: "from SAMPLE_INTERVAL, but not below 1s, to 1h",
    example: "10s",
    help: "How often the samples go to CloudWatch. Each request has a price; 10s is the \
           shortest period of an alarm.",
};

/// Where the samples go.
pub const OUTPUT: Variable = Variable {
    name: "OUTPUT",
    flag: Some("output"),
    placeholder: "OUTPUTS",
    default: Some("cloudwatch"),
    otherwise: None,
    unit: None,
    limits: "cloudwatch, emf or stdout, several with commas, but not emf together with stdout: \
             both write to it",
    example: "cloudwatch,stdout",
    help: "Where the samples go: cloudwatch (PutMetricData), emf (documents of the embedded metric \
           format on stdout, which the awslogs driver carries to CloudWatch, without a permission \
           or a network of ESP's own) or stdout (readable lines, for trying).",
};

/// How fine the timestamps of EMF documents are.
pub const EMF_RESOLUTION: Variable = Variable {
    name: "EMF_RESOLUTION",
    flag: Some("emf-resolution"),
    placeholder: "DURATION",
    default: Some("10s"),
    otherwise: None,
    unit: None,
    limits: "10s or 1s",
    example: "1s",
    help: "With emf: 10s (a document for each 10 s of the wall clock, whose values share a \
           timestamp; what alarms of 10 s and more need) or 1s (a document for each sample, with \
           its own timestamp, whose bytes cost about five times as much). Ignored without emf.",
};

/// How long unsent samples are kept.
pub const BUFFER: Variable = Variable {
    name: "BUFFER",
    flag: Some("buffer"),
    placeholder: "DURATION",
    default: Some("1h"),
    otherwise: None,
    unit: DURATION,
    limits: "from 1m to 24h",
    example: "1h",
    help: "How much of the samples is kept while CloudWatch cannot be reached; 24 bytes a \
           sample are set aside for it, 4 MiB at the most. When it is full the oldest go. It is not \
           kept across a restart.",
};

/// How long the end may take.
pub const SHUTDOWN_GRACE: Variable = Variable {
    name: "SHUTDOWN_GRACE",
    flag: Some("shutdown-grace"),
    placeholder: "DURATION",
    default: Some("5s"),
    otherwise: None,
    unit: DURATION,
    limits: "from 0s to 2m",
    example: "5s",
    help: "How long unsent samples are still sent after SIGTERM or SIGINT; keep it below the \
           container's stopTimeout, 30 s unless set, after which ECS kills. A second signal ends it \
           at once.",
};

/// Whether ESP publishes about itself.
pub const SELF_METRICS: Variable = Variable {
    name: "SELF_METRICS",
    flag: Some("self-metrics"),
    placeholder: "SWITCH",
    default: Some("off"),
    otherwise: None,
    unit: None,
    limits: "on or off",
    example: "on",
    help: "Whether ESP's own figures are published too, each minute. They are metrics in the same \
           namespace, whose names begin with ESP/ and which have their price: 27 with \
           OUTPUT=cloudwatch, 9 with emf, 30 with both.",
};

/// Whether `esp health` looks at publishing.
pub const HEALTH_REQUIRES_PUBLISH: Variable = Variable {
    name: "HEALTH_REQUIRES_PUBLISH",
    flag: Some("health-requires-publish"),
    placeholder: "SWITCH",
    default: Some("off"),
    otherwise: None,
    unit: None,
    limits: "on or off",
    example: "on",
    help: "Whether esp health also asks that CloudWatch has accepted a request of late, or with \
           emf that stdout has taken a line. Leave it off where the container is essential: an \
           outage of CloudWatch would replace the tasks.",
};

/// How long ago a request may have been accepted.
pub const HEALTH_MAX_AGE: Variable = Variable {
    name: "HEALTH_MAX_AGE",
    flag: Some("health-max-age"),
    placeholder: "DURATION",
    default: None,
    otherwise: Some("three times PUBLISH_INTERVAL and 30s"),
    unit: DURATION,
    limits: "from PUBLISH_INTERVAL to 24h",
    example: "2m",
    help: "With HEALTH_REQUIRES_PUBLISH=on: how long ago CloudWatch may have accepted the last \
           request.",
};

/// How much is logged.
pub const LOG_LEVEL: Variable = Variable {
    name: "LOG_LEVEL",
    flag: Some("log-level"),
    placeholder: "LEVEL",
    default: Some("info"),
    otherwise: None,
    unit: None,
    limits: "error, warn, info, debug or trace",
    example: "debug",
    help: "How much is logged.",
};

/// How it is logged.
pub const LOG_FORMAT: Variable = Variable {
    name: "LOG_FORMAT",
    flag: Some("log-format"),
    placeholder: "FORMAT",
    default: Some("json"),
    otherwise: None,
    unit: None,
    limits: "json or text",
    example: "text",
    help: "How it is logged, on stderr: json is an object a line, text is for people.",
};

/// The endpoint's address, which ECS sets.
pub const ENDPOINT: Variable = Variable {
    name: "ECS_CONTAINER_METADATA_URI_V4",
    flag: None,
    placeholder: "URI",
    default: None,
    otherwise: Some("set by ECS"),
    unit: None,
    limits: crate::endpoint::uri::EXPECTED,
    example: "http://169.254.170.2/v4/0af3…",
    help: "The task metadata endpoint.",
};

/// The SDKs' own Region.
pub const AWS_REGION: Variable = Variable {
    name: "AWS_REGION",
    flag: None,
    placeholder: "REGION",
    default: None,
    otherwise: Some("AWS_DEFAULT_REGION"),
    unit: None,
    limits: REGION.limits,
    example: "eu-west-1",
    help: "The Region, where REGION is not set.",
};

/// The SDKs' own Region, by its older name.
pub const AWS_DEFAULT_REGION: Variable = Variable {
    name: "AWS_DEFAULT_REGION",
    flag: None,
    placeholder: "REGION",
    default: None,
    otherwise: Some("from the task's ARN"),
    unit: None,
    limits: REGION.limits,
    example: "eu-west-1",
    help: "The Region, where AWS_REGION is not set.",
};

/// Certificates to trust in place of the bundled ones.
pub const AWS_CA_BUNDLE: Variable = Variable {
    name: "AWS_CA_BUNDLE",
    flag: None,
    placeholder: "FILE",
    default: None,
    otherwise: Some("SSL_CERT_FILE, else the roots in the program"),
    unit: None,
    limits: "a readable file with certificates in PEM form",
    example: "/etc/ssl/proxy.pem",
    help: "The certificates to trust towards AWS.",
};

/// The same under its general name.
pub const SSL_CERT_FILE: Variable = Variable {
    name: "SSL_CERT_FILE",
    flag: None,
    placeholder: "FILE",
    default: None,
    otherwise: Some("the roots in the program"),
    unit: None,
    limits: AWS_CA_BUNDLE.limits,
    example: "/etc/ssl/proxy.pem",
    help: "The same, where AWS_CA_BUNDLE is not set.",
};

/// The address of CloudWatch.
pub const AWS_ENDPOINT_URL_CLOUDWATCH: Variable = Variable {
    name: "AWS_ENDPOINT_URL_CLOUDWATCH",
    flag: None,
    placeholder: "URL",
    default: None,
    otherwise: Some("AWS_ENDPOINT_URL"),
    unit: None,
    limits: "http://HOST[:PORT] or https://HOST[:PORT]",
    example: "https://monitoring.internal",
    help: "Where CloudWatch is, if not at its usual address.",
};

/// The address of every service of AWS.
pub const AWS_ENDPOINT_URL: Variable = Variable {
    name: "AWS_ENDPOINT_URL",
    flag: None,
    placeholder: "URL",
    default: None,
    otherwise: Some("the Region's own endpoints"),
    unit: None,
    limits: AWS_ENDPOINT_URL_CLOUDWATCH.limits,
    example: "https://aws.internal",
    help: "The same for every service that the SDKs ask.",
};

/// FIPS endpoints.
pub const AWS_USE_FIPS_ENDPOINT: Variable = Variable {
    name: "AWS_USE_FIPS_ENDPOINT",
    flag: None,
    placeholder: "SWITCH",
    default: None,
    otherwise: Some("false"),
    unit: None,
    limits: "true or false",
    example: "true",
    help: "Whether monitoring-fips.REGION.amazonaws.com is asked, in Regions that have it.",
};

/// Dual-stack endpoints.
pub const AWS_USE_DUALSTACK_ENDPOINT: Variable = Variable {
    name: "AWS_USE_DUALSTACK_ENDPOINT",
    flag: None,
    placeholder: "SWITCH",
    default: None,
    otherwise: Some("false"),
    unit: None,
    limits: AWS_USE_FIPS_ENDPOINT.limits,
    example: "true",
    help: "Whether monitoring.REGION.api.aws is asked, which has IPv6 addresses too.",
};

/// The proxy towards AWS.
pub const HTTPS_PROXY: Variable = Variable {
    name: "HTTPS_PROXY",
    flag: None,
    placeholder: "URL",
    default: None,
    otherwise: Some("none"),
    unit: None,
    limits: "http://[USER:PASSWORD@]HOST:PORT",
    example: "http://proxy.internal:3128",
    help: "The proxy to reach CloudWatch through, by CONNECT. The metadata endpoint and the sources of credentials are never asked through one.",
};

/// What is reached without it.
pub const NO_PROXY: Variable = Variable {
    name: "NO_PROXY",
    flag: None,
    placeholder: "NAMES",
    default: None,
    otherwise: Some("nothing"),
    unit: None,
    limits: "names of hosts and, with a leading dot, of domains, with commas",
    example: ".api.aws",
    help: "What is reached without the proxy.",
};

/// ESP's own variables, in the order of `--help`.
pub const OWN: [&Variable; 18] = [
    &CONTAINER_NAME,
    &NAMESPACE,
    &REGION,
    &METRICS,
    &DIMENSIONS,
    &CLUSTER_NAME,
    &SERVICE_NAME,
    &SAMPLE_INTERVAL,
    &PUBLISH_INTERVAL,
    &OUTPUT,
    &EMF_RESOLUTION,
    &BUFFER,
    &SHUTDOWN_GRACE,
    &SELF_METRICS,
    &HEALTH_REQUIRES_PUBLISH,
    &HEALTH_MAX_AGE,
    &LOG_LEVEL,
    &LOG_FORMAT,
];

/// What is read besides, and has no flag.
pub const FOREIGN: [&Variable; 11] = [
    &ENDPOINT,
    &AWS_REGION,
    &AWS_DEFAULT_REGION,
    &AWS_CA_BUNDLE,
    &SSL_CERT_FILE,
    &AWS_ENDPOINT_URL_CLOUDWATCH,
    &AWS_ENDPOINT_URL,
    &AWS_USE_FIPS_ENDPOINT,
    &AWS_USE_DUALSTACK_ENDPOINT,
    &HTTPS_PROXY,
    &NO_PROXY,
];
