//! The configuration: text in, checked values out. Where the text comes from
//! (the environment, flags, a test's table) is behind [`Lookup`]; nothing here
//! reads the environment by itself.

mod duration;
pub mod variable;

use std::{fmt, ops::RangeInclusive, path::PathBuf, time::Duration};

pub use duration::parse_duration;
pub use variable::Variable;

use crate::{
    dimension::{DimensionOverrides, DimensionSets},
    endpoint::EndpointUri,
    limits,
    metric::{Metric, MetricSet, OWN},
    publisher::{SAMPLE_BYTES, STORE_BYTES_MOST},
    region::is_region,
    sampler::Selection,
};

const SAMPLE_INTERVAL_LEAST: Duration = Duration::from_millis(200);
const SAMPLE_INTERVAL_MOST: Duration = Duration::from_mins(1);
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
            let range = sample_interval..=PUBLISH_INTERVAL_MOST;
            parse_duration(text).filter(|duration| range.contains(duration))
        })
        .or_else(|error| match given(lookup, &variable::PUBLISH_INTERVAL) {
            // Not the user's own 10s, if the samples alone were slowed down.
            None => Ok(sample_interval),
            Some(_) => Err(error),
        })?;
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
    /// take.
    #[must_use]
    pub fn buffer_samples(&self) -> usize {
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
        samples.clamp(1, STORE_BYTES_MOST / SAMPLE_BYTES)
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

fn given(lookup: &(impl Lookup + ?Sized), variable: &Variable) -> Option<Given> {
    lookup.get(variable).filter(|given| !given.text.is_empty())
}

fn parse_given<T>(
    variable: &Variable,
    given: Given,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SettingsError> {
    parse(&given.text).ok_or_else(|| SettingsError::Invalid {
        name: given.name,
        value: given.text,
        expected: variable.expected(),
    })
}

fn optional(
    lookup: &(impl Lookup + ?Sized),
    variable: &Variable,
    is_valid: impl FnOnce(&str) -> bool,
) -> Result<Option<String>, SettingsError> {
    let Some(given) = given(lookup, variable) else { return Ok(None) };
    let parse = |text: &str| is_valid(text).then(|| text.to_owned());
    parse_given(variable, given, parse).map(Some)
}

fn required<T>(
    lookup: &(impl Lookup + ?Sized),
    variable: &'static Variable,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SettingsError> {
    let missing = || SettingsError::Missing { name: variable.name, expected: variable.expected() };
    parse_given(variable, given(lookup, variable).ok_or_else(missing)?, parse)
}

fn defaulted<T>(
    lookup: &(impl Lookup + ?Sized),
    variable: &Variable,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SettingsError> {
    let given = given(lookup, variable).unwrap_or_else(|| Given {
        name: variable.name.to_owned(),
        text: variable.default.unwrap_or_default().to_owned(),
    });
    parse_given(variable, given, parse)
}

fn parse_selection(text: &str) -> Option<Selection> {
    if text == "*" {
        return Some(Selection::All);
    }
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if !is_container_name(name) || names.iter().any(|other| other == name) {
            return None;
        }
        names.push(name.to_owned());
    }
    Some(Selection::Named(names))
}

fn parse_metrics(text: &str) -> Option<MetricSet> {
    if text == "all" {
        return Some(MetricSet::all());
    }
    text.split(',').map(|name| Metric::by_name(name.trim())).collect()
}

/// What ECS accepts as a container's name: up to 255 letters, digits, hyphens
/// and underscores. Dots and tildes occur in names that ECS itself gives.
fn is_container_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn parse_log_level(text: &str) -> Option<LogLevel> {
    Some(match text.to_ascii_lowercase().as_str() {
        "error" => LogLevel::Error,
        "warn" | "warning" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        _ => return None,
    })
}

fn parse_log_format(text: &str) -> Option<LogFormat> {
    match text.to_ascii_lowercase().as_str() {
        "json" => Some(LogFormat::Json),
        "text" => Some(LogFormat::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
