//! ESP's own variables, each of which is also a flag.

use std::time::Duration;

use super::{Default, Variable};
use crate::{
    endpoint::arn::ResourceType,
    sample::{
        dimension::{DimensionSets, KNOWN_DIMENSIONS, KnownDimension},
        limits,
        metric::ALL,
    },
    settings::{
        kind::{Kind, Shown, words},
        logging::{LOG_FORMATS, LOG_LEVELS},
        outputs::{EMF_RESOLUTIONS, OUTPUTS, parse_outputs},
        parse,
        source::SOURCES,
    },
};

/// The words of a switch.
pub const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];

const SWITCH_WORDS: Kind = Kind::Choice(&words(&SWITCH));

/// Text that `accepts` decides on.
const fn text(expected: fn() -> String, accepts: fn(&str) -> bool) -> Kind {
    Kind::Text { expected, accepts, shown: Shown::Whole }
}

/// Which container to measure.
pub const CONTAINER_NAME: Variable = Variable {
    name: "CONTAINER_NAME",
    flag: Some("container-name"),
    placeholder: "NAME",
    default: Default::Required,
    kind: text(
        || {
            "the name of a container in the task definition, several names separated by commas, \
             or * for all containers except those that AWS adds"
                .to_owned()
        },
        |text| parse::selection(text).is_some(),
    ),
    example: "web",
    help: "The container to measure. If there are several, the metrics of each container have \
           the dimension ContainerName.",
};

/// Where to publish.
pub const NAMESPACE: Variable = Variable {
    name: "NAMESPACE",
    flag: Some("namespace"),
    placeholder: "NAMESPACE",
    default: Default::Required,
    kind: text(limits::namespace_expected, limits::is_namespace),
    example: "Shop",
    help: "The CloudWatch namespace to publish to.",
};

/// Where to publish, geographically.
pub const REGION: Variable = Variable {
    name: "REGION",
    flag: Some("region"),
    placeholder: "REGION",
    default: Default::From(
        "AWS_REGION, then AWS_DEFAULT_REGION, then the Region in the task's ARN",
    ),
    kind: text(parse::region_expected, parse::is_region),
    example: "eu-west-1",
    help: "The Region to publish to.",
};

/// What to publish.
pub const METRICS: Variable = Variable {
    name: "METRICS",
    flag: Some("metrics"),
    placeholder: "METRICS",
    default: Default::Value("CPUUtilization,MemoryUtilization"),
    kind: text(
        || {
            let names: Vec<_> = ALL.iter().map(|metric| metric.name()).collect();
            format!(
                "names of metrics, separated by commas, or all; the names are {}",
                names.join(", ")
            )
        },
        |text| parse::metrics(text).is_some(),
    ),
    example: "CPUUtilization,NetworkRxBytes",
    help: "The metrics to publish. CloudWatch charges for each metric.",
};

/// Under what to publish it.
pub const DIMENSIONS: Variable = Variable {
    name: "DIMENSIONS",
    flag: Some("dimensions"),
    placeholder: "SETS",
    default: Default::Value("ClusterName,ServiceName"),
    kind: text(
        || {
            let names: Vec<_> = KNOWN_DIMENSIONS.into_iter().map(KnownDimension::name).collect();
            format!(
                "names of dimensions, separated by commas, and sets of them separated by \
                 semicolons; the names are {}, and Key=value for a constant",
                names.join(", ")
            )
        },
        |text| DimensionSets::parse(text).is_some(),
    ),
    example: "ClusterName,ServiceName;Stage=prod",
    help: "The sets of dimensions to publish under. ESP publishes each value once for each set, \
           and CloudWatch bills each set as a separate metric. An empty set publishes the metric \
           without dimensions; `;` alone publishes only that. TaskId creates new metrics, billed \
           separately, for every task.",
};

/// Overrides the endpoint's `Cluster`.
pub const CLUSTER_NAME: Variable = Variable {
    name: "CLUSTER_NAME",
    flag: Some("cluster-name"),
    placeholder: "NAME",
    default: Default::From("from the endpoint"),
    kind: text(
        || parse::resource_name_expected(ResourceType::Cluster),
        |text| parse::resource_name(text, ResourceType::Cluster).is_some(),
    ),
    example: "shop",
    help: "The value of the dimension ClusterName.",
};

/// Overrides the endpoint's `ServiceName`.
pub const SERVICE_NAME: Variable = Variable {
    name: "SERVICE_NAME",
    flag: Some("service-name"),
    placeholder: "NAME",
    default: Default::From("from the endpoint"),
    kind: text(
        || parse::resource_name_expected(ResourceType::Service),
        |text| parse::resource_name(text, ResourceType::Service).is_some(),
    ),
    example: "web",
    help: "The value of the dimension ServiceName. Set it on Fargate and with EC2 agents \
           before 1.63.1, because their endpoint may not report the service. If ESP does not \
           know the name, it publishes with TaskDefinitionFamily instead.",
};

/// Where the counters come from.
pub const SOURCE: Variable = Variable {
    name: "SOURCE",
    flag: Some("source"),
    placeholder: "SOURCE",
    default: Default::Value("auto"),
    kind: Kind::Choice(&words(&SOURCES)),
    example: "endpoint",
    help: "Where ESP reads the counters. auto: each counter from the kernel once the \
           endpoint's values have confirmed it, otherwise from the endpoint. endpoint: only \
           from the endpoint. kernel: like auto, with a warning for each container whose \
           counters ESP cannot read from the kernel. The kernel has new values every second, \
           on Fargate too. For the counters of a container, set pidMode=task in the task \
           definition.",
};

/// How often the endpoint is asked.
pub const SAMPLE_INTERVAL: Variable = Variable {
    name: "SAMPLE_INTERVAL",
    flag: Some("sample-interval"),
    placeholder: "DURATION",
    default: Default::Value("1s"),
    kind: Kind::Duration {
        min: Duration::from_millis(200),
        max: Duration::from_mins(1),
        also: "at most PUBLISH_INTERVAL",
    },
    example: "1s",
    help: "The shortest time between two requests to the endpoint. At most one request in ten \
           comes sooner. ESP asks when a container's next sample is due. Until it knows when that is, it \
           asks at this interval.",
};

/// How often CloudWatch gets a request. One a second cannot throttle an account;
/// more might.
pub const PUBLISH_INTERVAL: Variable = Variable {
    name: "PUBLISH_INTERVAL",
    flag: Some("publish-interval"),
    placeholder: "DURATION",
    default: Default::ValueOr("10s", "or SAMPLE_INTERVAL if that is longer"),
    kind: Kind::Duration {
        min: Duration::from_secs(1),
        max: Duration::from_hours(1),
        also: "at least SAMPLE_INTERVAL and at most BUFFER",
    },
    example: "10s",
    help: "The time between two requests to CloudWatch. CloudWatch charges for each request. \
           The shortest period of an alarm is 10s.",
};

/// The words of `PUBLISH`, and whether requests then go out before their time.
pub const PUBLISH_WORDS: [(&str, bool); 2] = [("adaptive", true), ("fixed", false)];

/// Whether requests go out before their time when values change.
pub const PUBLISH: Variable = Variable {
    name: "PUBLISH",
    // `esp check --publish` is something else.
    flag: Some("publish-mode"),
    placeholder: "MODE",
    default: Default::Value("adaptive"),
    kind: Kind::Choice(&words(&PUBLISH_WORDS)),
    example: "fixed",
    help: "When ESP sends requests. adaptive: every PUBLISH_INTERVAL, and about every 2s for \
           some seconds after a percentage has left its recent range, so that an alarm sees a \
           change sooner. A load that changes often causes up to 15% more requests, and 10 \
           after each start. fixed: only every PUBLISH_INTERVAL.",
};

/// Until when a new container's samples are held back.
pub const WARMUP: Variable = Variable {
    name: "WARMUP",
    flag: Some("warmup"),
    placeholder: "DURATION",
    default: Default::Value("0s"),
    kind: text(parse::warm_up_expected, |text| parse::warm_up(text).is_some()),
    example: "30s",
    help: "How long ESP publishes nothing for a new container, so that the CPU of its start \
           does not scale the service out. A duration: that long after the container's \
           StartedAt. healthy: until the container's health check reports HEALTHY. Task-level \
           metrics wait for all measured containers.",
};

/// Where the samples go.
pub const OUTPUT: Variable = Variable {
    name: "OUTPUT",
    flag: Some("output"),
    placeholder: "OUTPUTS",
    default: Default::Value("cloudwatch"),
    kind: text(
        || {
            format!(
                "{}, several separated by commas, but not emf and stdout together, because both \
                 write to stdout",
                crate::settings::kind::one_of(OUTPUTS.into_iter())
            )
        },
        |text| parse_outputs(text).is_some(),
    ),
    example: "cloudwatch,stdout",
    help: "Where ESP writes the samples. cloudwatch: requests to CloudWatch (PutMetricData). \
           emf: documents in the embedded metric format on stdout. The awslogs driver sends \
           them to CloudWatch, so ESP needs no permission and no network. stdout: readable \
           lines, for a trial.",
};

/// How fine the timestamps of EMF documents are.
pub const EMF_RESOLUTION: Variable = Variable {
    name: "EMF_RESOLUTION",
    flag: Some("emf-resolution"),
    placeholder: "DURATION",
    default: Default::Value("10s"),
    kind: Kind::DurationOf(&EMF_RESOLUTIONS),
    example: "1s",
    help: "The resolution of the timestamps with emf. 10s: one document with one timestamp \
           for every 10 s of the wall clock, which is enough for alarms of 10 s and more. 1s: \
           one document with its own timestamp for every sample, whose bytes cost about five \
           times as much. Without emf, this variable has no effect.",
};

/// How long unsent samples are kept.
pub const BUFFER: Variable = Variable {
    name: "BUFFER",
    flag: Some("buffer"),
    placeholder: "DURATION",
    default: Default::Value("1h"),
    kind: Kind::Duration {
        min: Duration::from_mins(1),
        max: Duration::from_hours(24),
        also: "at least PUBLISH_INTERVAL",
    },
    example: "1h",
    help: "How long ESP keeps samples while it cannot reach CloudWatch. It reserves the \
           memory at the start: {sample_bytes} bytes per sample, at most {store_mib} MiB. \
           When the memory is full, it drops the oldest samples. A restart loses the samples.",
};

/// How long the end may take.
pub const SHUTDOWN_GRACE: Variable = Variable {
    name: "SHUTDOWN_GRACE",
    flag: Some("shutdown-grace"),
    placeholder: "DURATION",
    default: Default::Value("5s"),
    kind: Kind::Duration { min: Duration::ZERO, max: Duration::from_mins(2), also: "" },
    example: "5s",
    help: "How long ESP still sends samples after SIGTERM or SIGINT. Keep it below the \
           container's stopTimeout (30 s if it is not set), because ECS then kills the \
           container. A second signal ends ESP immediately.",
};

/// Whether ESP publishes about itself.
pub const SELF_METRICS: Variable = Variable {
    name: "SELF_METRICS",
    flag: Some("self-metrics"),
    placeholder: "SWITCH",
    default: Default::Value("off"),
    kind: SWITCH_WORDS,
    example: "on",
    help: "Whether ESP also publishes its own figures, every minute. They are metrics in the \
           same namespace, with names that begin with ESP/, and are billed like others: \
           {own_cloudwatch} with OUTPUT=cloudwatch, {own_emf} with emf, {own_both} with both.",
};

/// Whether `esp health` looks at publishing.
pub const HEALTH_REQUIRES_PUBLISH: Variable = Variable {
    name: "HEALTH_REQUIRES_PUBLISH",
    flag: Some("health-requires-publish"),
    placeholder: "SWITCH",
    default: Default::Value("off"),
    kind: SWITCH_WORDS,
    example: "on",
    help: "If on, esp health also requires a recent successful publish: a request that \
           CloudWatch accepted or, with emf only, a line written to stdout. Leave it off if \
           the container is essential. Otherwise ECS would replace tasks while CloudWatch has \
           an outage.",
};

/// How long ago a request may have been accepted.
pub const HEALTH_MAX_AGE: Variable = Variable {
    name: "HEALTH_MAX_AGE",
    flag: Some("health-max-age"),
    placeholder: "DURATION",
    // The time is for a publish that takes several tries.
    default: Default::PublishIntervals { times: 3, plus: Duration::from_secs(30) },
    kind: Kind::Duration {
        min: Duration::from_secs(1),
        max: Duration::from_hours(24),
        also: "at least PUBLISH_INTERVAL; with emf only, at least EMF_RESOLUTION",
    },
    example: "2m",
    help: "With HEALTH_REQUIRES_PUBLISH=on: the longest time since the last successful \
           publish.",
};

/// How much is logged.
pub const LOG_LEVEL: Variable = Variable {
    name: "LOG_LEVEL",
    flag: Some("log-level"),
    placeholder: "LEVEL",
    default: Default::Value("info"),
    kind: Kind::Choice(&words(&LOG_LEVELS)),
    example: "debug",
    help: "The lowest level of the log lines that ESP writes.",
};

/// How it is logged.
pub const LOG_FORMAT: Variable = Variable {
    name: "LOG_FORMAT",
    flag: Some("log-format"),
    placeholder: "FORMAT",
    default: Default::Value("json"),
    kind: Kind::Choice(&words(&LOG_FORMATS)),
    example: "text",
    help: "The format of the log on stderr. json: one object per line. text: readable lines.",
};

/// ESP's own variables, in the order of `--help`.
pub const OWN: [&Variable; 21] = [
    &CONTAINER_NAME,
    &NAMESPACE,
    &REGION,
    &METRICS,
    &DIMENSIONS,
    &CLUSTER_NAME,
    &SERVICE_NAME,
    &SOURCE,
    &SAMPLE_INTERVAL,
    &PUBLISH_INTERVAL,
    &PUBLISH,
    &WARMUP,
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
