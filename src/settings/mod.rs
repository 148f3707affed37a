//! The configuration: text in, checked values out. The table of variables is in
//! `variable`, what one variable may hold in `kind`, what several may hold together
//! in `together`, what the AWS SDK reads besides in `sdk`. Only `environment` reads
//! the environment, and nothing opens a file.
//!
//! What the program says of itself is here as well: the help, the version and the exit
//! codes.

mod addresses;
mod capacity;
pub mod command_line;
mod duration;
pub mod environment;
mod error;
pub mod exit;
mod kind;
mod logging;
mod lookup;
mod outputs;
mod parse;
mod reader;
pub mod sdk;
mod source;
mod together;
pub mod url;
pub mod variable;
pub mod version;

use std::{path::PathBuf, time::Duration};

pub use duration::{format_duration, parse_duration};
pub use error::{SettingsError, SettingsErrors, SettingsWarning};
pub use kind::{Kind, Shown};
pub use logging::{LogFormat, LogLevel};
pub use lookup::{Environment, Given, Lookup, OfTask, Offline};
pub use outputs::{EmfResolution, LineFormat, Outputs};
pub use source::SourceChoice;
pub use variable::Variable;

use self::{
    addresses::Addresses,
    capacity::{Load, STORE_SAMPLES_MAX},
    reader::Reader,
    together::Intervals,
    url::{EndpointUrl, Proxy},
    variable::{PUBLISH_WORDS, SWITCH},
};
use crate::{
    endpoint::{EndpointUri, arn::ResourceType},
    publisher::adaptive::Rule,
    sample::{
        dimension::{DimensionOverrides, DimensionSets},
        metric::MetricSet,
    },
    sampler::{Selection, warm_up::WarmUpRule},
};

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
    /// `CLUSTER_NAME` and `SERVICE_NAME`, shortened if they are ARNs.
    pub overrides: DimensionOverrides,
    /// `SOURCE`.
    pub source: SourceChoice,
    /// `SAMPLE_INTERVAL`.
    pub sample_interval: Duration,
    /// `PUBLISH_INTERVAL`.
    pub publish_interval: Duration,
    /// `PUBLISH`: whether requests go out before their time when values change.
    pub is_adaptive: bool,
    /// `WARMUP`.
    pub warm_up: WarmUpRule,
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
    /// Where CloudWatch is: `AWS_ENDPOINT_URL_CLOUDWATCH`, or else
    /// `AWS_ENDPOINT_URL`. `None`: the Region's own endpoint, also with
    /// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true`.
    pub endpoint_url: Option<EndpointUrl>,
    /// Where STS is, which is asked for roles: `AWS_ENDPOINT_URL_STS`, or else
    /// `AWS_ENDPOINT_URL`.
    pub sts_endpoint_url: Option<EndpointUrl>,
    /// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`: if true, a profile's endpoints do not
    /// count either. `None`: it is not set.
    pub ignores_endpoint_urls: Option<bool>,
    /// `AWS_USE_FIPS_ENDPOINT`. `None`: it is not set.
    pub use_fips: Option<bool>,
    /// `AWS_USE_DUALSTACK_ENDPOINT`. `None`: it is not set.
    pub use_dual_stack: Option<bool>,
    /// The proxy for https addresses: `https_proxy`, `HTTPS_PROXY`, `all_proxy` or
    /// `ALL_PROXY`, the first of them that is set, as libcurl would choose it.
    pub https_proxy: Option<Proxy>,
    /// The proxy for http addresses: `http_proxy`, `all_proxy` or `ALL_PROXY`.
    pub http_proxy: Option<Proxy>,
    /// `no_proxy` or `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `LOG_LEVEL`.
    pub log_level: LogLevel,
    /// `LOG_FORMAT`.
    pub log_format: LogFormat,
    /// What ESP can run with, but the user should know of.
    pub warnings: Vec<SettingsWarning>,
}

/// A file of certificates, and which variable named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaBundle {
    /// For an error.
    pub variable: String,
    /// The file.
    pub path: PathBuf,
}

impl Settings {
    /// `PUBLISH`, as its word.
    #[must_use]
    pub fn publish_word(&self) -> &'static str {
        let word = PUBLISH_WORDS.iter().find(|(_, is_adaptive)| *is_adaptive == self.is_adaptive);
        word.map_or("", |(word, _)| word)
    }

    /// By which rule requests go out before their time.
    #[must_use]
    pub fn publish_rule(&self) -> Option<Rule> {
        self.is_adaptive.then_some(Rule::CHOSEN)
    }

    /// How many samples the buffer has room for: those of `BUFFER` and of a request
    /// under way, within the bytes that the buffer may take. None if nothing is sent
    /// to CloudWatch.
    #[must_use]
    pub fn buffer_samples(&self) -> usize {
        if !self.outputs.cloudwatch {
            return 0;
        }
        let load =
            Load::new(&self.containers, self.metrics, self.sample_interval, self.self_metrics);
        load.samples_kept_for(self.buffer).clamp(1, STORE_SAMPLES_MAX)
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// All that is wrong: the endpoint first, since who starts ESP outside ECS must
    /// learn that at once, then in the order of `--help`.
    pub fn read(lookup: &(impl Lookup + ?Sized)) -> Result<Self, SettingsErrors> {
        let mut reader = Reader::new(lookup);
        let settings = Self::read_with(&mut reader);
        let warnings = reader.finish()?;
        // Without an error there is a value for each field.
        let settings = settings.ok_or(SettingsError::NoEndpoint)?;
        Ok(Self { warnings, ..settings })
    }

    /// The proxy for requests to CloudWatch, unless `no_proxy` names the host.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        let is_https = self.endpoint_url.as_ref().is_none_or(EndpointUrl::is_https);
        if is_https { self.https_proxy.as_ref() } else { self.http_proxy.as_ref() }
    }

    /// The endpoint alone: all that `esp health` needs.
    ///
    /// # Errors
    ///
    /// If it is not set, or no URI.
    pub fn read_endpoint(lookup: &(impl Lookup + ?Sized)) -> Result<EndpointUri, SettingsErrors> {
        let mut reader = Reader::new(lookup);
        let endpoint = read_endpoint(&mut reader);
        reader.finish()?;
        endpoint.ok_or_else(|| SettingsError::NoEndpoint.into())
    }

    /// The file of certificates, if requests are sent: also for a configuration that
    /// is wrong elsewhere, so that an error in the file is told with the others.
    #[must_use]
    pub fn read_ca_bundle(lookup: &(impl Lookup + ?Sized)) -> Option<CaBundle> {
        let mut reader = Reader::new(lookup);
        let outputs = reader.value(&variable::OUTPUT, outputs::parse_outputs)?;
        read_ca_bundle(&mut reader).filter(|_| outputs.cloudwatch)
    }

    /// `None` only if there is an error. Everything is read before the first `?`.
    fn read_with(reader: &mut Reader<'_, impl Lookup + ?Sized>) -> Option<Self> {
        let endpoint = read_endpoint(reader);
        let containers = reader.required(&variable::CONTAINER_NAME, parse::selection);
        let namespace = reader.required_text(&variable::NAMESPACE);
        let (region, region_from) = read_region(reader);
        let metrics = reader.value(&variable::METRICS, parse::metrics);
        let dimensions = reader.value(&variable::DIMENSIONS, DimensionSets::parse);
        let cluster_name = read_name(reader, &variable::CLUSTER_NAME, ResourceType::Cluster);
        let service_name = read_name(reader, &variable::SERVICE_NAME, ResourceType::Service);
        let source = reader.choice(&variable::SOURCE, &source::SOURCES);
        let intervals = Intervals::read(reader);
        let warm_up = reader.value(&variable::WARMUP, parse::warm_up);
        let is_adaptive = reader.choice(&variable::PUBLISH, &PUBLISH_WORDS);
        let resolution = reader.duration(&variable::EMF_RESOLUTION).and_then(EmfResolution::of);
        let outputs = reader.value(&variable::OUTPUT, outputs::parse_outputs);
        let outputs = outputs.map(|it| resolution.map_or(it, |to| it.with_resolution(to)));
        let buffer = reader.duration(&variable::BUFFER);
        let shutdown_grace = reader.duration(&variable::SHUTDOWN_GRACE);
        let self_metrics = reader.choice(&variable::SELF_METRICS, &SWITCH);
        let health_requires_publish = reader.choice(&variable::HEALTH_REQUIRES_PUBLISH, &SWITCH);
        let health_max_age = reader.duration(&variable::HEALTH_MAX_AGE);
        let log_level = reader.choice(&variable::LOG_LEVEL, &logging::LOG_LEVELS);
        let log_format = reader.choice(&variable::LOG_FORMAT, &logging::LOG_FORMATS);
        let ca_bundle = read_ca_bundle(reader);
        let way = Addresses::read(reader);
        if outputs.is_none_or(|outputs| outputs.cloudwatch) {
            sdk::check(reader);
        }

        let load = containers.as_ref().zip(metrics).zip(intervals.sample).zip(self_metrics).map(
            |(((containers, metrics), sample), has_own)| {
                Load::new(containers, metrics, sample, has_own)
            },
        );
        intervals.check(reader, buffer, outputs);
        together::buffer(reader, load, intervals.publish, buffer, outputs);
        together::requests(reader, load, dimensions.as_ref(), outputs);
        together::dimensions(reader, dimensions.as_ref(), metrics, self_metrics, outputs);
        let health_max_age =
            together::health(reader, health_requires_publish, health_max_age, &intervals, outputs);
        together::way(reader, &way, outputs);
        together::adaptive(reader, is_adaptive, intervals.publish, outputs);
        together::without_effect(reader, outputs, health_requires_publish);

        Some(Self {
            endpoint: endpoint?,
            containers: containers?,
            metrics: metrics?,
            dimensions: dimensions?,
            namespace: namespace?,
            region,
            region_from,
            overrides: DimensionOverrides { cluster_name, service_name },
            source: source?,
            sample_interval: intervals.sample?,
            publish_interval: intervals.publish?,
            is_adaptive: is_adaptive?,
            warm_up: warm_up?,
            outputs: outputs?,
            buffer: buffer?,
            shutdown_grace: shutdown_grace?,
            self_metrics: self_metrics?,
            health_max_age,
            ca_bundle,
            endpoint_url: way.endpoint_url,
            sts_endpoint_url: way.sts_endpoint_url,
            ignores_endpoint_urls: way.ignores_endpoint_urls,
            use_fips: way.use_fips,
            use_dual_stack: way.use_dual_stack,
            https_proxy: way.https_proxy,
            http_proxy: way.http_proxy,
            no_proxy: way.no_proxy,
            log_level: log_level?,
            log_format: log_format?,
            warnings: Vec::new(),
        })
    }
}

fn read_endpoint(reader: &mut Reader<'_, impl Lookup + ?Sized>) -> Option<EndpointUri> {
    if reader.given(&variable::ENDPOINT).is_none() {
        reader.error(SettingsError::NoEndpoint);
    }
    reader.value(&variable::ENDPOINT, EndpointUri::parse)
}

/// The short name of a cluster or service. If its ARN was given, a warning says so.
fn read_name(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    variable: &Variable,
    of: ResourceType,
) -> Option<String> {
    let given = reader.named(variable)?;
    let name = parse::resource_name(&given.text, of)?;
    if name != given.text {
        let (variable, text, name) = (&given.name, &given.text, name);
        reader.warn(SettingsWarning::new(
            format!("{variable}={text:?} is an ARN; ESP uses the name in it, {name:?}"),
            format!("set {variable} to {name}"),
        ));
    }
    Some(name.to_owned())
}

fn read_ca_bundle(reader: &mut Reader<'_, impl Lookup + ?Sized>) -> Option<CaBundle> {
    reader
        .named_text(&variable::AWS_CA_BUNDLE, &variable::SSL_CERT_FILE)
        .map(|given| CaBundle { variable: given.name, path: given.text.into() })
}

/// The first of three variables that is set, and its name; all are checked.
fn read_region(reader: &mut Reader<'_, impl Lookup + ?Sized>) -> (Option<String>, Option<String>) {
    let variables = [&variable::REGION, &variable::AWS_REGION, &variable::AWS_DEFAULT_REGION];
    let named = variables.map(|variable| reader.named(variable));
    let first = named.into_iter().flatten().next();
    first.map_or((None, None), |given| (Some(given.text), Some(given.name)))
}

#[cfg(test)]
mod tests;
