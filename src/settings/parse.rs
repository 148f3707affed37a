//! The values that are more than a word, a number or a URL: selections of
//! containers, lists of metrics, Regions. The outputs are in `outputs`, the sets of
//! dimensions in `sample::dimension`.

use std::time::Duration;

use crate::{
    endpoint::arn::{self, ResourceType, short_name},
    sample::{
        limits,
        metric::{Metric, MetricSet},
    },
    sampler::{Selection, warm_up::WarmUpRule},
    settings::duration::{format_duration, parse_duration},
};

/// The longest that a container may warm up.
const WARM_UP_MAX: Duration = Duration::from_mins(30);

/// `healthy`, or how long.
pub(super) fn warm_up(text: &str) -> Option<WarmUpRule> {
    if text.eq_ignore_ascii_case("healthy") {
        return Some(WarmUpRule::Healthy);
    }
    parse_duration(text).filter(|lasts| *lasts <= WARM_UP_MAX).map(WarmUpRule::For)
}

pub(super) fn warm_up_expected() -> String {
    let most = format_duration(WARM_UP_MAX);
    format!("healthy, or a whole number with ms, s, m or h, from 0s to {most}")
}

/// `*`, or names with commas between them, each once.
pub(super) fn selection(text: &str) -> Option<Selection> {
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

/// What ECS accepts as a container's name: up to 255 letters, digits, hyphens
/// and underscores. Dots and tildes occur in names that ECS itself gives.
fn is_container_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

/// `all`, or names with commas between them.
pub(super) fn metrics(text: &str) -> Option<MetricSet> {
    if text == "all" {
        return Some(MetricSet::all());
    }
    text.split(',').map(|name| Metric::by_name(name.trim())).collect()
}

/// The name of a cluster or service, which may be given by its ARN.
pub(super) fn resource_name(text: &str, of: ResourceType) -> Option<&str> {
    short_name(text, of).filter(|name| limits::is_dimension_value(name))
}

pub(super) fn resource_name_expected(of: ResourceType) -> String {
    format!("{}, or the ARN of a {}", limits::dimension_value_expected(), of.word())
}

/// Whether `text` may be the Region to publish to. `fips-us-east-1` has the shape of
/// one, but names an endpoint of older tools.
pub(super) fn is_region(text: &str) -> bool {
    arn::is_region(text) && !text.starts_with("fips-")
}

pub(super) fn region_expected() -> String {
    "the name of an AWS Region (for its FIPS endpoint also set AWS_USE_FIPS_ENDPOINT=true)"
        .to_owned()
}
