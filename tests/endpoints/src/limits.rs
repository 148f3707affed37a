//! What `PutMetricData` refuses. Pure: a decoded request and the time in, a
//! refusal out. From the API reference and the user guide of Amazon `CloudWatch`;
//! the service stops at the first fault and takes nothing of a request that has
//! one.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use crate::cbor::{MetricDatum, PutMetricData};
use crate::clock;

/// Datums in one request.
pub const DATUMS: usize = 1000;
/// Bytes of one request, uncompressed: "1 MB", read as the lesser of the two.
pub const BODY_BYTES: usize = 1_000_000;
/// `Values` in one datum.
pub const VALUES: usize = 150;
/// Dimensions of one datum.
pub const DIMENSIONS: usize = 30;
/// Characters of a namespace, of a metric's and of a dimension's name.
pub const NAME_LENGTH: usize = 255;
/// Characters of a dimension's value.
pub const DIMENSION_VALUE_LENGTH: usize = 1024;
/// How old a timestamp may be.
pub const OLDEST: Duration = Duration::from_hours(14 * 24);
/// How far ahead a timestamp may be.
pub const FURTHEST: Duration = Duration::from_hours(2);

const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A parameter has a value that it must not have.
    Value(String),
    /// Two parameters exclude each other.
    Combination(String),
    /// A parameter is missing.
    Missing(String),
}

impl Refusal {
    /// The error's shape, as `__type` names it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Value(_) => "com.amazonaws.cloudwatch#InvalidParameterValueException",
            Self::Combination(_) => "com.amazonaws.cloudwatch#InvalidParameterCombinationException",
            Self::Missing(_) => "com.amazonaws.cloudwatch#MissingRequiredParameterException",
        }
    }

    /// The error's code of the Query protocol, as `x-amzn-query-error` names it.
    #[must_use]
    pub fn query_code(&self) -> &'static str {
        match self {
            Self::Value(_) => "InvalidParameterValue",
            Self::Combination(_) => "InvalidParameterCombination",
            Self::Missing(_) => "MissingParameter",
        }
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Value(message) | Self::Combination(message) | Self::Missing(message) => message,
        }
    }
}

/// Checks everything but the size of the body.
///
/// # Errors
/// The first limit that is not kept.
pub fn check(request: &PutMetricData, now: SystemTime) -> Result<(), Refusal> {
    namespace(required(request.namespace.as_deref(), "Namespace")?)?;
    if request.data.is_empty() {
        return Err(Refusal::Missing("The parameter MetricData is required.".into()));
    }
    at_most(request.data.len(), DATUMS, "MetricData")?;
    for (index, datum) in request.data.iter().enumerate() {
        check_datum(datum, &format!("MetricData.member.{}", index + 1), now)?;
    }
    Ok(())
}

fn check_datum(datum: &MetricDatum, at: &str, now: SystemTime) -> Result<(), Refusal> {
    let name = format!("{at}.MetricName");
    text(required(datum.metric_name.as_deref(), &name)?, NAME_LENGTH, &name)?;
    dimensions(&datum.dimensions, at)?;
    values(datum, at)?;
    let unit = datum.unit.as_deref();
    if unit.is_some_and(|unit| !UNITS.contains(&unit)) {
        return Err(invalid(&format!("{at}.Unit"), unit.unwrap_or_default()));
    }
    if datum.storage_resolution.is_some_and(|seconds| !matches!(seconds, 1 | 60)) {
        return Err(invalid(&format!("{at}.StorageResolution"), "neither 1 nor 60"));
    }
    let (oldest, furthest) =
        (clock::milliseconds(now - OLDEST), clock::milliseconds(now + FURTHEST));
    if datum.timestamp_ms.is_some_and(|time| !(oldest..=furthest).contains(&time)) {
        return Err(invalid(
            &format!("{at}.Timestamp"),
            "not within two weeks ago and two hours ahead",
        ));
    }
    Ok(())
}

fn namespace(namespace: &str) -> Result<(), Refusal> {
    text(namespace, NAME_LENGTH, "Namespace")?;
    let known = |c: char| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c);
    if namespace.starts_with("AWS/") || namespace.starts_with(':') || !namespace.chars().all(known)
    {
        return Err(invalid("Namespace", namespace));
    }
    Ok(())
}

fn dimensions(dimensions: &[(String, String)], at: &str) -> Result<(), Refusal> {
    at_most(dimensions.len(), DIMENSIONS, &format!("{at}.Dimensions"))?;
    let mut names = HashSet::new();
    for (index, (name, value)) in dimensions.iter().enumerate() {
        let at = format!("{at}.Dimensions.member.{}", index + 1);
        text(name, NAME_LENGTH, &format!("{at}.Name"))?;
        text(value, DIMENSION_VALUE_LENGTH, &format!("{at}.Value"))?;
        if name.starts_with(':') || !names.insert(name) {
            return Err(invalid(&format!("{at}.Name"), name));
        }
    }
    Ok(())
}

fn values(datum: &MetricDatum, at: &str) -> Result<(), Refusal> {
    let kinds = [datum.value.is_some(), !datum.values.is_empty(), datum.statistics.is_some()];
    match kinds.into_iter().filter(|present| *present).count() {
        0 => return Err(Refusal::Missing(format!("{at} needs Value, Values or StatisticValues."))),
        1 => {}
        _ => {
            let message = format!("{at}: Value, Values and StatisticValues exclude each other.");
            return Err(Refusal::Combination(message));
        }
    }
    at_most(datum.values.len(), VALUES, &format!("{at}.Values"))?;
    if !datum.counts.is_empty() && datum.counts.len() != datum.values.len() {
        return Err(invalid(&format!("{at}.Counts"), "not as many as Values"));
    }
    let set = datum.statistics.map(|set| [set.sample_count, set.sum, set.minimum, set.maximum]);
    let numbers = datum.value.iter().chain(&datum.values).chain(&datum.counts);
    let limit = 2_f64.powi(360);
    for number in numbers.chain(set.iter().flatten()) {
        if number.is_nan() || number.abs() > limit {
            return Err(invalid(&format!("{at}.Value"), &number.to_string()));
        }
    }
    if datum.counts.iter().any(|count| *count < 0.0) {
        return Err(invalid(&format!("{at}.Counts"), "negative"));
    }
    Ok(())
}

/// 1 to `most` ASCII characters, none of them a control character and at least
/// one of them not blank.
fn text(text: &str, most: usize, at: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii() && !c.is_ascii_control();
    if text.len() > most || text.trim().is_empty() || !text.chars().all(allowed) {
        return Err(invalid(at, text));
    }
    Ok(())
}

fn required<'a>(text: Option<&'a str>, at: &str) -> Result<&'a str, Refusal> {
    text.ok_or_else(|| Refusal::Missing(format!("The parameter {at} is required.")))
}

fn at_most(length: usize, most: usize, at: &str) -> Result<(), Refusal> {
    if length > most {
        let message = format!("The collection {at} must not have a size greater than {most}.");
        return Err(Refusal::Value(message));
    }
    Ok(())
}

fn invalid(at: &str, value: &str) -> Refusal {
    Refusal::Value(format!("The value {value} for parameter {at} is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::StatisticSet;

    fn now() -> SystemTime {
        std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn datum() -> MetricDatum {
        MetricDatum {
            metric_name: Some("CPUUtilization".into()),
            dimensions: vec![("ClusterName".into(), "prod".into())],
            value: Some(1.0),
            ..MetricDatum::default()
        }
    }

    fn code(request: &PutMetricData) -> Option<&'static str> {
        check(request, now()).err().map(|refusal| refusal.query_code())
    }

    fn of(data: Vec<MetricDatum>) -> PutMetricData {
        PutMetricData { namespace: Some("ESP".into()), data }
    }

    const VALUE: Option<&str> = Some("InvalidParameterValue");
    const COMBINATION: Option<&str> = Some("InvalidParameterCombination");
    const MISSING: Option<&str> = Some("MissingParameter");

    #[test]
    fn namespaces() {
        for (namespace, expected) in [
            (Some("ESP"), None),
            (Some("my app/web#1:x.y-z_0"), None),
            (Some(&*"n".repeat(255)), None),
            (Some(&*"n".repeat(256)), VALUE),
            (Some(""), VALUE),
            (Some("  "), VALUE),
            (Some(":x"), VALUE),
            (Some("AWS/ECS"), VALUE),
            (Some("AWSome"), None),
            (Some("caf\u{e9}"), VALUE),
            (Some("a(b)"), VALUE),
            (None, MISSING),
        ] {
            let namespace = namespace.map(str::to_owned);
            let request = PutMetricData { namespace, data: vec![datum()] };
            assert_eq!(code(&request), expected, "{:?}", request.namespace);
        }
    }

    #[test]
    fn the_number_of_datums() {
        assert_eq!(code(&of(vec![])), MISSING);
        assert_eq!(code(&of(vec![datum(); 1000])), None);
        assert_eq!(code(&of(vec![datum(); 1001])), VALUE);
    }

    #[test]
    fn one_bad_datum_is_named_and_fails_the_request() {
        let bad = MetricDatum { value: Some(f64::NAN), ..datum() };
        let refusal = check(&of(vec![datum(), bad]), now()).unwrap_err();
        let message = "The value NaN for parameter MetricData.member.2.Value is invalid.";
        assert_eq!(refusal.message(), message);
    }

    #[test]
    fn dimensions() {
        let numbered = |count| (0..count).map(|n| (format!("D{n}"), "v".into())).collect();
        let pair = |name: &str, value: &str| vec![(name.into(), value.into())];
        for (dimensions, expected) in [
            (vec![], None),
            (numbered(30), None),
            (numbered(31), VALUE),
            (pair(&"n".repeat(255), "v"), None),
            (pair(&"n".repeat(256), "v"), VALUE),
            (pair("", "v"), VALUE),
            (pair(" ", "v"), VALUE),
            (pair(":n", "v"), VALUE),
            (pair("n\u{e9}", "v"), VALUE),
            (pair("n", &"v".repeat(1024)), None),
            (pair("n", &"v".repeat(1025)), VALUE),
            (pair("n", ""), VALUE),
            (pair("n", "\t"), VALUE),
            (pair("n", "a b"), None),
            (pair("n", "a\nb"), VALUE),
            (pair("n", "v\u{fc}"), VALUE),
            ([pair("n", "1"), pair("n", "2")].concat(), VALUE),
        ] {
            let datum = MetricDatum { dimensions, ..datum() };
            assert_eq!(code(&of(vec![datum.clone()])), expected, "{:?}", datum.dimensions);
        }
    }

    #[test]
    fn values() {
        let limit = 2_f64.powi(360);
        let none = || MetricDatum { value: None, ..datum() };
        let one = |value| MetricDatum { value: Some(value), ..datum() };
        let many = |count, counts| MetricDatum {
            values: vec![1.0; count],
            counts: vec![1.0; counts],
            ..none()
        };
        let set = Some(StatisticSet { sample_count: 2.0, sum: 3.0, minimum: 1.0, maximum: 2.0 });
        let mut infinite = set;
        infinite.as_mut().unwrap().sum = f64::INFINITY;
        for (datum, expected) in [
            (one(limit), None),
            (one(-limit), None),
            (one(limit * 1.01), VALUE),
            (one(f64::NAN), VALUE),
            (one(f64::NEG_INFINITY), VALUE),
            (none(), MISSING),
            (many(150, 0), None),
            (many(150, 150), None),
            (many(151, 0), VALUE),
            (many(3, 2), VALUE),
            (MetricDatum { counts: vec![-1.0], ..many(1, 0) }, VALUE),
            (MetricDatum { value: Some(1.0), ..many(1, 1) }, COMBINATION),
            (MetricDatum { statistics: set, ..none() }, None),
            (MetricDatum { statistics: set, ..datum() }, COMBINATION),
            (MetricDatum { statistics: set, ..many(1, 0) }, COMBINATION),
            (MetricDatum { statistics: infinite, ..none() }, VALUE),
        ] {
            assert_eq!(code(&of(vec![datum.clone()])), expected, "{datum:?}");
        }
    }

    #[test]
    fn names_units_resolutions_and_times() {
        let now = clock::milliseconds(now());
        let (week, hour) = (7 * 24 * 3_600_000, 3_600_000);
        let at = |time| MetricDatum { timestamp_ms: Some(time), ..datum() };
        let named = |name: &str| MetricDatum { metric_name: Some(name.into()), ..datum() };
        let unit = |unit: &str| MetricDatum { unit: Some(unit.into()), ..datum() };
        let resolution = |s| MetricDatum { storage_resolution: Some(s), ..datum() };
        for (datum, expected) in [
            (named(&"n".repeat(255)), None),
            (named(&"n".repeat(256)), VALUE),
            (named(""), VALUE),
            (MetricDatum { metric_name: None, ..datum() }, MISSING),
            (unit("Percent"), None),
            (unit("Bytes/Second"), None),
            (unit("percent"), VALUE),
            (unit("Furlongs"), VALUE),
            (resolution(1), None),
            (resolution(60), None),
            (resolution(10), VALUE),
            (at(now), None),
            (at(now - 2 * week), None),
            (at(now - 2 * week - 1), VALUE),
            (at(now + 2 * hour), None),
            (at(now + 2 * hour + 1), VALUE),
        ] {
            assert_eq!(code(&of(vec![datum.clone()])), expected, "{datum:?}");
        }
    }
}
