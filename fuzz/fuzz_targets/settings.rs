//! The configuration, as lines of `NAME=value` and of `--flag=value`: every value
//! that is accepted is within the limits that docs/configuration.md gives it, and each of the
//! errors names what was given and shows it. The table is read as it is, and
//! again with what is required added, so that one missing line hides nothing.

#![no_main]

use std::time::Duration;

use esp::{
    endpoint::EndpointUri,
    sample::{
        limits,
        metric::{Metric, MetricSet},
    },
    sampler::Selection,
    settings::{
        Given, Lookup, Settings, SettingsError, Variable, parse_duration,
        sdk::{SDK_VARIABLES, SdkVariable},
        url::{is_endpoint_url, is_proxy},
        variable,
    },
};
use libfuzzer_sys::fuzz_target;

const REQUIRED: [(&str, &str); 3] = [
    ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
    ("CONTAINER_NAME", "web"),
    ("NAMESPACE", "Shop"),
];

/// What docs/configuration.md promises of the memory for samples: at most 4 MiB, of 24
/// bytes each.
const BUFFER_SAMPLES_MAX: usize = 4 * 1024 * 1024 / 24;

fuzz_target!(|data: &[u8]| {
    esp_fuzz::run(|| {
        let text = String::from_utf8_lossy(data);
        let (flags, lines): (Vec<_>, Vec<_>) =
            text.lines().partition(|line| line.starts_with("--"));
        let mut table: Vec<_> = lines.iter().filter_map(|line| line.split_once('=')).collect();
        check_duration(lines.first().unwrap_or(&""));
        if check(&table[..]) == Checked::Incomplete {
            table.retain(|(_, text)| !text.is_empty());
            table.extend(REQUIRED);
            assert_eq!(check(&table[..]), Checked::Complete);
        }
        if !flags.is_empty() {
            let flags = flags.iter().filter_map(|flag| flag.split_once('=')).collect();
            check(&Both { flags, table: &table });
        }
    });
});

/// Flags, which go before the table, as the command line gives them.
struct Both<'a> {
    flags: Vec<(&'a str, &'a str)>,
    table: &'a [(&'a str, &'a str)],
}

impl Lookup for Both<'_> {
    fn get(&self, variable: &Variable) -> Option<Given> {
        let is_given = |(name, _): &&(&str, &str)| name.strip_prefix("--") == variable.flag;
        let flag = variable.flag.and_then(|_| self.flags.iter().find(is_given));
        flag.map(|(name, text)| Given { name: (*name).to_owned(), text: (*text).to_owned() })
            .or_else(|| Lookup::get(self.table, variable))
    }
}

#[derive(Debug, PartialEq)]
enum Checked {
    Complete,
    /// Something that is required was not there.
    Incomplete,
}

fn check(lookup: &(impl Lookup + ?Sized)) -> Checked {
    match Settings::read(lookup) {
        Ok(settings) => check_settings(&settings, lookup),
        Err(errors) => {
            assert_eq!(errors.to_string().lines().count(), errors.iter().count());
            errors.iter().for_each(|error| check_error(error, lookup));
            if errors.iter().any(|error| !matches!(error, SettingsError::Invalid { .. })) {
                return Checked::Incomplete;
            }
        }
    }
    Checked::Complete
}

fn given(lookup: &(impl Lookup + ?Sized), variable: &Variable) -> Option<Given> {
    lookup.get(variable).filter(|given| !given.text.is_empty())
}

fn check_settings(settings: &Settings, lookup: &(impl Lookup + ?Sized)) {
    let Settings { sample_interval, publish_interval, .. } = settings;
    assert!((Duration::from_millis(200)..=Duration::from_secs(60)).contains(sample_interval));
    assert!((*sample_interval..=Duration::from_secs(3600)).contains(publish_interval));
    assert!((Duration::from_secs(60)..=Duration::from_secs(86_400)).contains(&settings.buffer));
    assert!(settings.shutdown_grace <= Duration::from_secs(120));
    let outputs = settings.outputs;
    assert!(outputs.cloudwatch || outputs.lines.is_some());
    assert!(settings.buffer_samples() <= BUFFER_SAMPLES_MAX);
    assert_eq!(settings.buffer_samples() == 0, !outputs.cloudwatch);
    assert!(!outputs.cloudwatch || *publish_interval <= settings.buffer, "samples are dropped");
    if outputs.has_emf() {
        let name = settings.dimensions.constants().find(|name| Metric::by_name(name).is_some());
        assert_eq!(name, None, "a dimension and a metric in one object");
    }

    let namespace = &settings.namespace;
    assert!((1..=255).contains(&namespace.len()), "{namespace:?}");
    assert!(namespace.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{namespace:?}");
    assert!(!namespace.starts_with(':') && !namespace.starts_with("AWS/"), "{namespace:?}");
    assert!(!namespace.trim().is_empty(), "{namespace:?}");

    if let Selection::Named(names) = &settings.containers {
        assert!(!names.is_empty());
        for (place, name) in names.iter().enumerate() {
            assert!((1..=255).contains(&name.len()), "{name:?}");
            assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','), "{name:?}");
            assert!(!names[..place].contains(name), "{name:?} twice");
        }
    }
    assert_ne!(settings.metrics, MetricSet::default());
    if let Some(region) = &settings.region {
        // It becomes part of a host's name.
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(region.len() <= 32 && region.chars().all(is_plain), "{region:?}");
    }
    let overrides = &settings.overrides;
    for value in [&overrides.cluster_name, &overrides.service_name].into_iter().flatten() {
        assert!(limits::is_dimension_value(value), "{value:?}");
    }

    let endpoint = &settings.endpoint;
    assert_eq!(EndpointUri::parse(&endpoint.to_string()).as_ref(), Some(endpoint));
    assert!(!endpoint.host().is_empty() && endpoint.port() != 0);
    // It becomes a line of the request.
    assert!(endpoint.path().is_empty() || endpoint.path().starts_with('/'));
    assert!(endpoint.path().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(endpoint.authority().bytes().all(|byte| byte.is_ascii_graphic()));

    // What was not given has its default.
    for (variable, value, default) in [
        (&variable::SAMPLE_INTERVAL, *sample_interval, Duration::from_secs(1)),
        (&variable::BUFFER, settings.buffer, Duration::from_secs(3600)),
        (&variable::SHUTDOWN_GRACE, settings.shutdown_grace, Duration::from_secs(5)),
        (
            &variable::PUBLISH_INTERVAL,
            *publish_interval,
            Duration::from_secs(10).max(*sample_interval),
        ),
    ] {
        let expected = match given(lookup, variable) {
            Some(given) => parse_duration(&given.text),
            None => Some(default),
        };
        assert_eq!(Some(value), expected, "{}", variable.name);
    }
    let is_asked = given(lookup, &variable::HEALTH_REQUIRES_PUBLISH)
        .is_some_and(|given| given.text.eq_ignore_ascii_case("on"));
    let max_age = match given(lookup, &variable::HEALTH_MAX_AGE) {
        Some(given) => parse_duration(&given.text),
        None => Some(*publish_interval * 3 + Duration::from_secs(30)),
    };
    assert_eq!(settings.health_max_age, max_age.filter(|_| is_asked));
    let has_time = |age: Duration| !outputs.cloudwatch || age >= *publish_interval;
    assert!(settings.health_max_age.is_none_or(has_time));

    // What other programs define is handed on only if it is what the table says.
    for url in [&settings.endpoint_url, &settings.sts_endpoint_url].into_iter().flatten() {
        assert!(is_endpoint_url(&url.url), "{url:?}");
        assert_ne!(settings.ignores_endpoint_urls, Some(true));
        let is_switch = settings.use_fips.or(settings.use_dual_stack) == Some(true);
        assert!(!is_switch || !outputs.cloudwatch, "{url:?}");
    }
    for proxy in [&settings.https_proxy, &settings.http_proxy].into_iter().flatten() {
        assert!(is_proxy(&proxy.url));
        assert!(!proxy.to_string().contains('@') || proxy.to_string().contains("***@"));
    }
    for variable in variable::OWN.into_iter().chain(variable::FOREIGN) {
        if let Some(given) = given(lookup, variable) {
            assert!(variable.accepts(&given.text), "{given:?}");
        }
    }

    let bundle = given(lookup, &variable::AWS_CA_BUNDLE)
        .or_else(|| given(lookup, &variable::SSL_CERT_FILE))
        .map(|given| (given.name, given.text.into()));
    let is_bundle = settings.ca_bundle.clone().map(|bundle| (bundle.variable, bundle.path));
    assert_eq!(is_bundle, bundle);
}

fn check_error(error: &SettingsError, lookup: &(impl Lookup + ?Sized)) {
    let line = error.to_string();
    // It goes to a terminal and to a log, as one line.
    assert!(!line.contains(char::is_control), "{line:?}");
    match error {
        SettingsError::InvalidInFile { .. } => unreachable!("no file is read here"),
        SettingsError::NoEndpoint => {
            assert_eq!(given(lookup, &variable::ENDPOINT), None);
            assert!(line.starts_with(variable::ENDPOINT.name));
        }
        SettingsError::Missing { name, .. } => {
            let required = [&variable::CONTAINER_NAME, &variable::NAMESPACE];
            let missing = required.into_iter().find(|variable| variable.name == *name);
            assert_eq!(given(lookup, missing.unwrap()), None);
            assert_eq!(
                line,
                format!("{name} is not set: expected {}", missing.unwrap().expected())
            );
        }
        SettingsError::Invalid { name, value, expected } => {
            // It is what was given or the default, as far as it may be shown, under
            // the name under which that was done.
            let of_sdk: Vec<_> =
                SDK_VARIABLES.into_iter().filter_map(SdkVariable::checked).collect();
            let mut all = variable::OWN.into_iter().chain(variable::FOREIGN).chain(&of_sdk);
            let is_given = |variable: &&Variable| {
                let given = given(lookup, variable);
                let default = || {
                    let text = variable.default.value()?.to_owned();
                    Some(Given { name: variable.name.to_owned(), text })
                };
                given.or_else(default).is_some_and(|given| {
                    given.name == *name && variable.shown(&given.text) == *value
                })
            };
            let variable = all.find(is_given).unwrap_or_else(|| panic!("{line}"));
            // A value that is good by itself may not go with another variable's.
            let text = given(lookup, variable).map(|given| given.text);
            let is_good = text.is_none_or(|text| variable.accepts(&text));
            assert_eq!(is_good, *expected != variable.expected(), "{line}");
            assert_eq!(line, format!("{name}={value:?} is not valid: expected {expected}"));
        }
    }
}

/// A duration is a whole number and a unit, and nothing else.
fn check_duration(text: &str) {
    let units = [("ms", 1_u128), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let ms = units.iter().find_map(|(unit, ms)| {
        let number = text.strip_suffix(unit)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<u128>().ok().filter(|_| is_number)?.checked_mul(*ms)
    });
    let expected = ms.filter(|ms| *ms <= u128::from(u64::MAX));
    assert_eq!(parse_duration(text).map(|duration| duration.as_millis()), expected, "{text:?}");
}
