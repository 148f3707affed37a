//! The configuration: text in, checked values out. Where the text comes from
//! (the environment, flags, a test's table) is behind [`Lookup`]; nothing here
//! reads the environment by itself.

pub mod command_line;
mod duration;
mod outputs;
mod parse;
pub mod variable;

use std::{fmt, ops::RangeInclusive, path::PathBuf, time::Duration};

pub use duration::parse_duration;
pub use outputs::{CLOUDWATCH, EMF, EmfResolution, LineFormat, Outputs, STDOUT};
pub use variable::Variable;

use self::parse::{
    defaulted, given, optional, parse_emf_resolution, parse_given, parse_log_format,
    parse_log_level, parse_metrics, parse_outputs, parse_selection, parse_switch, required,
};
use crate::{
    endpoint::{EndpointUri, region::is_region},
    publisher::{SAMPLE_BYTES, STORE_BYTES_MAX},
    sample::{
        dimension::{DimensionOverrides, DimensionSets},
        limits,
        metric::{MetricSet, OWN},
    },
    sampler::Selection,
};

const SAMPLE_INTERVAL_LEAST: Duration = Duration::from_millis(200);
const SAMPLE_INTERVAL_MOST: Duration = Duration::from_mins(1);
/// A request a second cannot throttle an account; more might.
const PUBLISH_INTERVAL_LEAST: Duration = Duration::from_secs(1);
const PUBLISH_INTERVAL_MOST: Duration = Duration::from_hours(1);

const BUFFER_LEAST: Duration = Duration::from_mins(1);
const BUFFER_MOST: Duration = Duration::from_hours(24);
const SHUTDOWN_GRACE_MOST: Duration = Duration::from_mins(2);
const HEALTH_MAX_AGE_MOST: Duration = Duration::from_hours(24);
/// For a publish that takes several tries.
const HEALTH_LEEWAY: Duration = Duration::from_secs(30);
/// Containers to make room for where `*` does not say how many there are.
const CONTAINERS_ASSUMED: usize = 10;

/// Where values come from.
pub trait Lookup {
    /// What was given for `variable`. An empty text counts as nothing given.
    fn get(&self, variable: &Variable) -> Option<Given>;
}

/// A value as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// How it was named: `SAMPLE_INTERVAL` or `--sample-interval`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A table of names and values, for tests and for programs that bring their own.
impl Lookup for [(&str, &str)] {
    fn get(&self, variable: &Variable) -> Option<Given> {
        let (name, text) = self.iter().find(|(name, _)| *name == variable.name)?;
        Some(Given { name: (*name).to_owned(), text: (*text).to_owned() })
    }
}

/// The environment of the process.
#[derive(Clone, Copy, Debug)]
pub struct Environment;

impl Lookup for Environment {
    fn get(&self, variable: &Variable) -> Option<Given> {
        // What is not Unicode turns into U+FFFD, which no variable accepts: it
        // ends as an error that shows it, not as a value that was overlooked.
        let text = std::env::var_os(variable.name)?.to_string_lossy().into_owned();
        Some(Given { name: variable.name.to_owned(), text })
    }
}

/// How much is logged, from little to much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What needs somebody's attention.
    Error,
    /// What may need it.
    Warn,
    /// Start, changes, a summary each minute.
    Info,
    /// Each request.
    Debug,
    /// All there is.
    Trace,
}

/// How it is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// An object a line.
    Json,
    /// For people.
    Text,
}

/// All of the configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `ECS_CONTAINER_METADATA_URI_V4`.
    pub endpoint: EndpointUri,
    /// `CONTAINER_NAME`.
    pub containers: Selection,
    /// `METRICS`.
    pub metrics: MetricSet,
    /// `DIMENSIONS`.
    pub dimensions: DimensionSets,
    /// `NAMESPACE`.
    pub namespace: String,
    /// `REGION`, `AWS_REGION` or `AWS_DEFAULT_REGION`; else the task's ARN says.
    pub region: Option<String>,
    /// Which of them it was, as it was given; for `esp check`.
    pub region_from: Option<String>,
    /// `CLUSTER_NAME` and `SERVICE_NAME`.
    pub overrides: DimensionOverrides,
    /// `SAMPLE_INTERVAL`.
    pub sample_interval: Duration,
    /// `PUBLISH_INTERVAL`.
    pub publish_interval: Duration,
    /// `OUTPUT` and `EMF_RESOLUTION`.
    pub outputs: Outputs,
    /// `BUFFER`.
    pub buffer: Duration,
    /// `SHUTDOWN_GRACE`.
    pub shutdown_grace: Duration,
    /// `SELF_METRICS`.
    pub self_metrics: bool,
    /// With `HEALTH_REQUIRES_PUBLISH=on`, `HEALTH_MAX_AGE`.
    pub health_max_age: Option<Duration>,
    /// `AWS_CA_BUNDLE` or `SSL_CERT_FILE`. Not opened here.
    pub ca_bundle: Option<CaBundle>,
    /// `LOG_LEVEL`.
    pub log_level: LogLevel,
    /// `LOG_FORMAT`.
    pub log_format: LogFormat,
}

/// A file of certificates, and which variable named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaBundle {
    /// For an error.
    pub variable: String,
    /// The file.
    pub path: PathBuf,
}

/// A configuration that ESP cannot run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// A required variable that is missing or empty.
    Missing {
        /// Its name.
        name: &'static str,
        /// What a value looks like.
        expected: String,
    },
    /// No endpoint: not inside ECS.
    NoEndpoint,
    /// A value that cannot be used.
    Invalid {
        /// How it was named.
        name: String,
        /// The text.
        value: String,
        /// What a value looks like, or what is wrong with this one.
        expected: String,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, expected } => {
                write!(f, "{name} is not set: expected {expected}")
            }
            Self::NoEndpoint => write!(
                f,
                "{} is not set: esp runs inside an ECS task, where ECS sets it (EC2 agent 1.39 or \
                 later, Fargate platform 1.4 or later); to try it elsewhere, run \
                 `cargo run --release --example demo` in its repository",
                variable::ENDPOINT.name
            ),
            Self::Invalid { name, value, expected } => {
                write!(f, "{name}={value:?} is not valid: expected {expected}")
            }
        }
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// The first [`SettingsError`]: no endpoint, then in the order of `--help`.
    pub fn read(lookup: &(impl Lookup + ?Sized)) -> Result<Self, SettingsError> {
        // First of all: who has just started it outside ECS is told so.
        let endpoint = given(lookup, &variable::ENDPOINT).ok_or(SettingsError::NoEndpoint)?;
        let containers = required(lookup, &variable::CONTAINER_NAME, parse_selection)?;
        let namespace = required(lookup, &variable::NAMESPACE, |text| {
            limits::is_namespace(text).then(|| text.to_owned())
        })?;
        let (mut region, mut region_from) = (None, None);
        for variable in [&variable::REGION, &variable::AWS_REGION, &variable::AWS_DEFAULT_REGION] {
            region = region.or(optional(lookup, variable, is_region)?);
            region_from = region_from.or_else(|| given(lookup, variable).map(|given| given.name));
        }
        let metrics = defaulted(lookup, &variable::METRICS, parse_metrics)?;
        let dimensions = given(lookup, &variable::DIMENSIONS)
            .map(|given| parse_given(&variable::DIMENSIONS, given, DimensionSets::parse))
            .transpose()?
            .unwrap_or_default();
        let cluster_name = optional(lookup, &variable::CLUSTER_NAME, limits::is_dimension_value)?;
        let service_name = optional(lookup, &variable::SERVICE_NAME, limits::is_dimension_value)?;
        let sample_interval = defaulted(lookup, &variable::SAMPLE_INTERVAL, |text| {
            let range = SAMPLE_INTERVAL_LEAST..=SAMPLE_INTERVAL_MOST;
            parse_duration(text).filter(|duration| range.contains(duration))
        })?;
        let publish_interval = defaulted(lookup, &variable::PUBLISH_INTERVAL, |text| {
            let range = sample_interval.max(PUBLISH_INTERVAL_LEAST)..=PUBLISH_INTERVAL_MOST;
            parse_duration(text).filter(|duration| range.contains(duration))
        })
        .or_else(|error| match given(lookup, &variable::PUBLISH_INTERVAL) {
            // Not the user's own 10s, if the samples alone were slowed down.
            None => Ok(sample_interval),
            Some(_) => Err(error),
        })?;
        let resolution = defaulted(lookup, &variable::EMF_RESOLUTION, parse_emf_resolution)?;
        let outputs = defaulted(lookup, &variable::OUTPUT, |text| parse_outputs(text, resolution))?;
        if outputs.has_emf() {
            check_emf_dimensions(lookup, &dimensions)?;
        }
        let in_range = |range: RangeInclusive<Duration>| {
            move |text: &str| parse_duration(text).filter(|duration| range.contains(duration))
        };
        let buffer = defaulted(lookup, &variable::BUFFER, in_range(BUFFER_LEAST..=BUFFER_MOST))?;
        let grace = in_range(Duration::ZERO..=SHUTDOWN_GRACE_MOST);
        let shutdown_grace = defaulted(lookup, &variable::SHUTDOWN_GRACE, grace)?;
        let self_metrics = defaulted(lookup, &variable::SELF_METRICS, parse_switch)?;
        let health_max_age = read_health_max_age(lookup, publish_interval)?;
        let log_level = defaulted(lookup, &variable::LOG_LEVEL, parse_log_level)?;
        let log_format = defaulted(lookup, &variable::LOG_FORMAT, parse_log_format)?;
        let endpoint = parse_given(&variable::ENDPOINT, endpoint, EndpointUri::parse)?;
        let ca_bundle = given(lookup, &variable::AWS_CA_BUNDLE)
            .or_else(|| given(lookup, &variable::SSL_CERT_FILE))
            .map(|given| CaBundle { variable: given.name, path: given.text.into() });
        Ok(Self {
            endpoint,
            containers,
            metrics,
            dimensions,
            namespace,
            region,
            region_from,
            overrides: DimensionOverrides { cluster_name, service_name },
            sample_interval,
            publish_interval,
            outputs,
            buffer,
            shutdown_grace,
            self_metrics,
            health_max_age,
            ca_bundle,
            log_level,
            log_format,
        })
    }
}

impl Settings {
    /// The endpoint alone: all that `esp health` needs.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] where there is none, or it is no URI.
    pub fn read_endpoint(lookup: &(impl Lookup + ?Sized)) -> Result<EndpointUri, SettingsError> {
        let endpoint = given(lookup, &variable::ENDPOINT).ok_or(SettingsError::NoEndpoint)?;
        parse_given(&variable::ENDPOINT, endpoint, EndpointUri::parse)
    }

    /// How many samples `BUFFER` comes to, within the bytes that the store may
    /// take; none where nothing is sent to CloudWatch.
    #[must_use]
    pub fn buffer_samples(&self) -> usize {
        if !self.outputs.cloudwatch {
            return 0;
        }
        let containers = match &self.containers {
            Selection::Named(names) => names.len(),
            Selection::All => CONTAINERS_ASSUMED,
        };
        let polls = self.buffer.as_millis().div_ceil(self.sample_interval.as_millis().max(1));
        let polls = usize::try_from(polls).unwrap_or(usize::MAX);
        let samples = polls.saturating_mul(containers).saturating_mul(self.metrics.iter().count());
        let minutes = usize::try_from(self.buffer.as_secs().div_ceil(60)).unwrap_or(usize::MAX);
        let own = if self.self_metrics { minutes.saturating_mul(OWN.len()) } else { 0 };
        let samples = samples.saturating_add(own);
        samples.clamp(1, STORE_BYTES_MAX / SAMPLE_BYTES)
    }
}

/// The value of `HEALTH_MAX_AGE` is checked even where it does not count.
fn read_health_max_age(
    lookup: &(impl Lookup + ?Sized),
    publish_interval: Duration,
) -> Result<Option<Duration>, SettingsError> {
    let is_required = defaulted(lookup, &variable::HEALTH_REQUIRES_PUBLISH, parse_switch)?;
    let max_age = match given(lookup, &variable::HEALTH_MAX_AGE) {
        Some(given) => parse_given(&variable::HEALTH_MAX_AGE, given, |text| {
            let range = publish_interval..=HEALTH_MAX_AGE_MOST;
            parse_duration(text).filter(|duration| range.contains(duration))
        })?,
        None => publish_interval * 3 + HEALTH_LEEWAY,
    };
    Ok(is_required.then_some(max_age))
}

/// In an EMF document dimensions and metrics are members of one object.
fn check_emf_dimensions(
    lookup: &(impl Lookup + ?Sized),
    dimensions: &DimensionSets,
) -> Result<(), SettingsError> {
    let Some(bad) = dimensions.constants().find(|name| !limits::is_emf_dimension_name(name)) else {
        return Ok(());
    };
    let given = given(lookup, &variable::DIMENSIONS);
    let (name, value) = given.map(|given| (given.name, given.text)).unwrap_or_default();
    let expected = format!(
        "names of at most 250 characters that are no metric's, because of OUTPUT=emf, but {bad:?} is \
         not such a name"
    );
    Err(SettingsError::Invalid { name, value, expected })
}

#[cfg(test)]
mod tests;
