//! What variables have to do with each other: combinations that lose data for ever,
//! that can never publish, or that have no effect. Each function takes values that
//! are valid by themselves; one that is not valid is an error already, and what
//! depends on it is then not asked.

use std::time::Duration;

use super::{
    EmfResolution, LineFormat, Lookup, Outputs, SettingsWarning,
    addresses::Addresses,
    capacity::{Load, STORE_SAMPLES_MAX},
    duration::format_duration,
    reader::Reader,
    sdk::SDK_VARIABLES,
    variable::{
        self, AWS_USE_DUALSTACK_ENDPOINT, AWS_USE_FIPS_ENDPOINT, BUFFER, DIMENSIONS,
        EMF_RESOLUTION, HEALTH_MAX_AGE, HEALTH_REQUIRES_PUBLISH, METRICS, OUTPUT, PUBLISH,
        PUBLISH_INTERVAL, SAMPLE_INTERVAL, SELF_METRICS, Variable,
    },
};
use crate::{
    publisher::{STORE_BYTES_MAX, adaptive::Rule},
    sample::{
        dimension::DimensionSets,
        limits,
        metric::{Metric, MetricSet},
    },
};

/// The fastest that the publisher sends while it has a backlog.
const REQUESTS_PER_SECOND: usize = 1;

/// `SAMPLE_INTERVAL` and `PUBLISH_INTERVAL`, if they are valid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intervals {
    pub(super) sample: Option<Duration>,
    pub(super) publish: Option<Duration>,
}

impl Intervals {
    pub(super) fn read(reader: &mut Reader<'_, impl Lookup + ?Sized>) -> Self {
        let sample = reader.duration(&SAMPLE_INTERVAL);
        let publish = reader.duration(&PUBLISH_INTERVAL);
        // The default is not the user's own: it follows slow samples.
        let is_given = reader.given(&PUBLISH_INTERVAL).is_some();
        let publish = if is_given { publish } else { publish.max(sample) };
        Self { sample, publish }
    }

    /// Samples come at least as often as requests go, and a request goes before
    /// `buffer` drops the samples that wait for it. Equal ones are fine.
    pub(super) fn check(
        &self,
        reader: &mut Reader<'_, impl Lookup + ?Sized>,
        buffer: Option<Duration>,
        outputs: Option<Outputs>,
    ) {
        if let (Some(sample), Some(publish)) = (self.sample, self.publish)
            && publish < sample
        {
            reader.conflict(&PUBLISH_INTERVAL, at_least(&SAMPLE_INTERVAL, sample));
        }
        if let (Some(publish), Some(buffer)) = (self.publish, buffer)
            && publish > buffer
            && sends_requests(outputs)
        {
            let expected = format!(
                "at most {}, which is {}, because ESP drops samples that wait longer",
                BUFFER.name,
                format_duration(buffer)
            );
            reader.conflict(&PUBLISH_INTERVAL, expected);
        }
    }
}

/// Unknown outputs are an error of their own.
fn sends_requests(outputs: Option<Outputs>) -> bool {
    outputs.is_some_and(|outputs| outputs.cloudwatch)
}

fn at_least(variable: &Variable, value: Duration) -> String {
    format!("at least {}, which is {}", variable.name, format_duration(value))
}

/// The bytes of the buffer suffice for the samples between two requests.
pub(super) fn buffer(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    load: Option<Load>,
    publish: Option<Duration>,
    buffer: Option<Duration>,
    outputs: Option<Outputs>,
) {
    let (Some(load), Some(publish), Some(buffer)) = (load, publish, buffer) else { return };
    if !sends_requests(outputs) {
        return;
    }
    let polled = format!(
        "{} samples every {}",
        load.samples_per_poll,
        format_duration(load.sample_interval)
    );
    let room = format!("the {} MiB for unsent samples", STORE_BYTES_MAX >> 20);
    if load.samples_kept_for(publish) > STORE_SAMPLES_MAX {
        let longest = format_duration(load.longest_kept());
        let expected = format!("at most {longest}, because {polled} fill {room} within that time");
        reader.conflict(&PUBLISH_INTERVAL, expected);
    } else if load.samples_kept_for(buffer) > STORE_SAMPLES_MAX {
        let longest = format_duration(load.longest_kept());
        reader.warn(SettingsWarning::new(
            format!(
                "{}={} is reduced to {longest}, because {polled} fill {room} within that time",
                BUFFER.name,
                format_duration(buffer)
            ),
            format!("set {} to {longest} or less, or take fewer samples", BUFFER.name),
        ));
    }
}

/// Requests carry all samples that come, if they are sent as fast as ESP sends them.
pub(super) fn requests(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    load: Option<Load>,
    sets: Option<&DimensionSets>,
    outputs: Option<Outputs>,
) {
    let (Some(load), Some(sets)) = (load, sets) else { return };
    let samples_per_second = limits::DATUMS_PER_REQUEST * REQUESTS_PER_SECOND / sets.count().max(1);
    // A minute, so that an interval that is no whole part of a second counts right.
    let coming = load.samples_in(Duration::from_mins(1));
    if sends_requests(outputs) && coming > samples_per_second.saturating_mul(60) {
        let expected = format!(
            "a longer interval, or fewer containers, metrics or sets of dimensions: {} samples every \
             {} in {} sets of dimensions are more than ESP can send, which is one request a second \
             with {} values",
            load.samples_per_poll,
            format_duration(load.sample_interval),
            sets.count(),
            limits::DATUMS_PER_REQUEST
        );
        reader.conflict(&SAMPLE_INTERVAL, expected);
    }
}

/// Every metric has a set of dimensions that can hold for it, and no document of emf
/// has two members of one name.
pub(super) fn dimensions(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    sets: Option<&DimensionSets>,
    metrics: Option<MetricSet>,
    has_own: Option<bool>,
    outputs: Option<Outputs>,
) {
    let Some(sets) = sets else { return };
    if outputs.is_some_and(Outputs::has_emf)
        && let Some(bad) = sets.constants().find(|name| !limits::is_emf_dimension_name(name))
    {
        let expected = format!(
            "names of at most {} characters that are not the name of a metric, because OUTPUT \
             contains emf; {bad:?} is not allowed",
            limits::EMF_DIMENSION_NAME_CHARACTERS
        );
        reader.conflict(&DIMENSIONS, expected);
    }
    if sets.has_set_for_task() {
        return;
    }
    let of_task = |metric: &Metric| metric.is_of_task() && !metric.is_of_network();
    let names: Vec<_> = metrics.into_iter().flat_map(MetricSet::iter).filter(of_task).collect();
    let all_of_task = metrics.is_some_and(|all| all.iter().count() == names.len());
    let names = names.into_iter().map(Metric::name).collect::<Vec<_>>().join(", ");
    let no_set = "a set without ContainerName, because task-level metrics have no container";
    if all_of_task && !names.is_empty() {
        reader.conflict(&DIMENSIONS, format!("{no_set}: {} contains only {names}", METRICS.name));
    } else if !names.is_empty() {
        reader.warn(SettingsWarning::new(
            format!(
                "{names} will not be published: each set in {} has ContainerName",
                DIMENSIONS.name
            ),
            format!("add {no_set}, or leave them out of {}", METRICS.name),
        ));
    }
    if has_own == Some(true) {
        reader.warn(SettingsWarning::new(
            format!(
                "ESP's own metrics ({}) will not be published: each set in {} has ContainerName",
                SELF_METRICS.name, DIMENSIONS.name
            ),
            format!("add a set without ContainerName, or leave {} out", SELF_METRICS.name),
        ));
    }
}

/// `HEALTH_MAX_AGE` is not shorter than the time between two publishes, or `esp
/// health` would call a sidecar unhealthy that works. It is checked even if it does
/// not count. Gives the age that counts.
pub(super) fn health(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    is_required: Option<bool>,
    given: Option<Duration>,
    intervals: &Intervals,
    outputs: Option<Outputs>,
) -> Option<Duration> {
    let (publish, sample, outputs) = (intervals.publish?, intervals.sample?, outputs?);
    let window = EmfResolution::TenSeconds.duration();
    let (variable, between) = match outputs.lines {
        _ if outputs.cloudwatch => (&PUBLISH_INTERVAL, publish),
        Some(LineFormat::Emf(EmfResolution::TenSeconds)) if sample < window => {
            (&EMF_RESOLUTION, window)
        }
        _ => (&SAMPLE_INTERVAL, sample),
    };
    if given.is_some_and(|given| given < between) {
        reader.conflict(&HEALTH_MAX_AGE, at_least(variable, between));
    }
    let default = match HEALTH_MAX_AGE.default {
        variable::Default::PublishIntervals { times, plus } => publish * times + plus,
        _ => publish,
    };
    let max_age = given.unwrap_or(default.max(between));
    is_required?.then_some(max_age)
}

/// An address of one's own, CloudWatch's or that of the STS that is asked for a role, is
/// neither a FIPS nor a dual-stack endpoint.
pub(super) fn way(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    way: &Addresses,
    outputs: Option<Outputs>,
) {
    let given = |name| SDK_VARIABLES.iter().find(|row| row.name == name)?.checked();
    let is_given = |name| given(name).is_some_and(|variable| reader.given(&variable).is_some());
    let has_role = is_given("AWS_WEB_IDENTITY_TOKEN_FILE") && is_given("AWS_ROLE_ARN");
    let of_sts = way.sts_endpoint_url.as_ref().filter(|_| has_role);
    let Some(url) = way.endpoint_url.as_ref().or(of_sts).filter(|_| sends_requests(outputs)) else {
        return;
    };
    let switches =
        [(&AWS_USE_FIPS_ENDPOINT, way.use_fips), (&AWS_USE_DUALSTACK_ENDPOINT, way.use_dual_stack)];
    for (variable, _) in switches.into_iter().filter(|(_, is_on)| *is_on == Some(true)) {
        reader.conflict(variable, url.instead_of_switch());
    }
}

/// Extra requests that would come no sooner than the ordinary ones.
pub(super) fn adaptive(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    is_adaptive: Option<bool>,
    publish: Option<Duration>,
    outputs: Option<Outputs>,
) {
    if let Some(given) = reader.given(&PUBLISH)
        && let (Some(true), Some(publish)) = (is_adaptive, publish)
        && sends_requests(outputs)
        && publish <= Rule::CHOSEN.spacing
    {
        let (name, text) = (&given.name, PUBLISH.shown(&given.text));
        let (interval, publish) = (PUBLISH_INTERVAL.name, format_duration(publish));
        reader.warn(SettingsWarning::new(
            format!("{name}={text:?} has no effect, because {interval} is {publish}"),
            "leave it out, or set PUBLISH_INTERVAL to a longer time",
        ));
    }
}

/// Variables that were given, but change nothing.
pub(super) fn without_effect(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    outputs: Option<Outputs>,
    health_requires_publish: Option<bool>,
) {
    let Some(outputs) = outputs else { return };
    let no_emf = (!outputs.has_emf()).then(|| format!("{} does not contain emf", OUTPUT.name));
    let no_requests =
        (!outputs.cloudwatch).then(|| format!("{} does not contain cloudwatch", OUTPUT.name));
    let no_health = (health_requires_publish == Some(false))
        .then(|| format!("{} is off", HEALTH_REQUIRES_PUBLISH.name));
    for (variable, reason) in [
        (&EMF_RESOLUTION, &no_emf),
        (&PUBLISH_INTERVAL, &no_requests),
        (&PUBLISH, &no_requests),
        (&BUFFER, &no_requests),
        (&HEALTH_MAX_AGE, &no_health),
    ] {
        if let (Some(given), Some(reason)) = (reader.given(variable), reason) {
            let (name, text) = (&given.name, variable.shown(&given.text));
            reader.warn(SettingsWarning::new(
                format!("{name}={text:?} has no effect, because {reason}"),
                "leave it out, or change the other variable",
            ));
        }
    }
}
