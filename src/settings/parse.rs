//! From a variable's text to its value, and the error where there is none. What
//! follows from several variables together is in `Settings::read`.

use super::{
    CLOUDWATCH, EMF, EmfResolution, Given, LineFormat, LogFormat, LogLevel, Lookup, Outputs,
    STDOUT, SettingsError, Variable, parse_duration,
};
use crate::{
    sample::metric::{Metric, MetricSet},
    sampler::Selection,
};

pub(super) fn given(lookup: &(impl Lookup + ?Sized), variable: &Variable) -> Option<Given> {
    lookup.get(variable).filter(|given| !given.text.is_empty())
}

pub(super) fn parse_given<T>(
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

pub(super) fn optional(
    lookup: &(impl Lookup + ?Sized),
    variable: &Variable,
    is_valid: impl FnOnce(&str) -> bool,
) -> Result<Option<String>, SettingsError> {
    let Some(given) = given(lookup, variable) else { return Ok(None) };
    let parse = |text: &str| is_valid(text).then(|| text.to_owned());
    parse_given(variable, given, parse).map(Some)
}

pub(super) fn required<T>(
    lookup: &(impl Lookup + ?Sized),
    variable: &'static Variable,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SettingsError> {
    let missing = || SettingsError::Missing { name: variable.name, expected: variable.expected() };
    parse_given(variable, given(lookup, variable).ok_or_else(missing)?, parse)
}

pub(super) fn defaulted<T>(
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

pub(super) fn parse_selection(text: &str) -> Option<Selection> {
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

pub(super) fn parse_metrics(text: &str) -> Option<MetricSet> {
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

pub(super) fn parse_outputs(text: &str, resolution: EmfResolution) -> Option<Outputs> {
    let mut outputs = Outputs { cloudwatch: false, lines: None };
    for name in text.split(',').map(str::trim) {
        let format = match name {
            CLOUDWATCH => {
                outputs.cloudwatch = true;
                continue;
            }
            EMF => LineFormat::Emf(resolution),
            STDOUT => LineFormat::Readable,
            _ => return None,
        };
        if outputs.lines.is_some_and(|other| other != format) {
            return None;
        }
        outputs.lines = Some(format);
    }
    Some(outputs)
}

pub(super) fn parse_emf_resolution(text: &str) -> Option<EmfResolution> {
    match parse_duration(text)?.as_millis() {
        1000 => Some(EmfResolution::Second),
        10_000 => Some(EmfResolution::TenSeconds),
        _ => None,
    }
}

pub(super) fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

pub(super) fn parse_log_level(text: &str) -> Option<LogLevel> {
    Some(match text.to_ascii_lowercase().as_str() {
        "error" => LogLevel::Error,
        "warn" | "warning" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        _ => return None,
    })
}

pub(super) fn parse_log_format(text: &str) -> Option<LogFormat> {
    match text.to_ascii_lowercase().as_str() {
        "json" => Some(LogFormat::Json),
        "text" => Some(LogFormat::Text),
        _ => None,
    }
}
