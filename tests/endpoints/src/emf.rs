//! What `CloudWatch` Logs makes of a line in the embedded metric format. Pure: a
//! line in, the datums that are extracted or the rule that it breaks out. From
//! the format's specification and its JSON schema; what is extracted has to keep
//! the limits of `PutMetricData` besides.

use std::fmt;
use std::time::SystemTime;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::cbor::{MetricDatum, PutMetricData};
use crate::limits;
use crate::service::{self, Datum};

/// Where Docker's log drivers cut a line.
pub const LINE_BYTES: usize = 16 * 1024;
/// Metrics of one directive.
pub const METRICS: usize = 100;
/// Numbers in one array.
pub const VALUES: usize = 100;
/// Characters of a dimension's name, by the schema.
pub const DIMENSION_NAME_LENGTH: usize = 250;

/// The datums of one line, in order, each under each set of dimensions.
///
/// # Errors
/// The first rule that the line breaks, in words. Stricter than the
/// specification in three things: a name stands once in an object, every member
/// of the root is a target, and a unit and a resolution are always there.
pub fn extract(line: &str, received: SystemTime) -> Result<Vec<Datum>, String> {
    if line.len() >= LINE_BYTES || line.contains('\n') {
        return Err(format!("not one line of less than 16 KiB: {} bytes", line.len()));
    }
    let Strict(root) = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let root = root.as_object().ok_or("not an object")?;
    let [timestamp, directives] =
        members(root.get("_aws").ok_or("no _aws")?, ["Timestamp", "CloudWatchMetrics"])?;
    let timestamp_ms = timestamp.as_i64().ok_or("Timestamp is no integer")?;
    let mut targets = vec!["_aws"];
    let mut datums = Vec::new();
    for directive in array(directives, 1..=usize::MAX, "CloudWatchMetrics")? {
        let [namespace, sets, metrics] =
            members(directive, ["Namespace", "Dimensions", "Metrics"])?;
        let namespace = string(namespace, 1024)?;
        for metric in array(metrics, 1..=METRICS, "Metrics")? {
            let [name, unit, resolution] = members(metric, ["Name", "Unit", "StorageResolution"])?;
            let name = string(name, 1024)?;
            targets.push(name);
            let target = root.get(name).ok_or_else(|| format!("no target {name}"))?;
            for set in array(sets, 1..=usize::MAX, "Dimensions")? {
                let dimensions = dimensions(set, root, &mut targets)?;
                let datum = MetricDatum {
                    metric_name: Some(name.to_owned()),
                    dimensions,
                    unit: Some(string(unit, 255)?.to_owned()),
                    timestamp_ms: Some(timestamp_ms),
                    values: numbers(target)?,
                    storage_resolution: Some(resolution.as_i64().ok_or("no StorageResolution")?),
                    ..MetricDatum::default()
                };
                let request =
                    PutMetricData { namespace: Some(namespace.to_owned()), data: vec![datum] };
                let accepted = service::accept(request, received);
                datums.extend(accepted.map_err(|refusal| refusal.message().to_owned())?);
            }
        }
    }
    match root.keys().find(|name| !targets.contains(&name.as_str())) {
        Some(name) => Err(format!("{name} is referred to by nothing")),
        None => Ok(datums),
    }
}

/// The members of an object that has these and no others.
fn members<'a, const N: usize>(
    value: &'a Value,
    names: [&str; N],
) -> Result<[&'a Value; N], String> {
    let object = value.as_object().ok_or_else(|| format!("not an object: {value}"))?;
    let all: Vec<_> = names.iter().filter_map(|name| object.get(*name)).collect();
    match <[&Value; N]>::try_from(all) {
        Ok(all) if object.len() == N => Ok(all),
        _ => Err(format!("not just {names:?}: {value}")),
    }
}

fn array<'a>(
    value: &'a Value,
    range: std::ops::RangeInclusive<usize>,
    what: &str,
) -> Result<&'a [Value], String> {
    match value.as_array() {
        Some(array) if range.contains(&array.len()) => Ok(array),
        Some(array) => Err(format!("{} in {what}", array.len())),
        None => Err(format!("{what} is no array: {value}")),
    }
}

fn string(value: &Value, most: usize) -> Result<&str, String> {
    let text = value.as_str().ok_or_else(|| format!("not a string: {value}"))?;
    let length = text.chars().count();
    if (1..=most).contains(&length) {
        Ok(text)
    } else {
        Err(format!("{length} characters: {text}"))
    }
}

fn dimensions<'a>(
    set: &'a Value,
    root: &Map<String, Value>,
    targets: &mut Vec<&'a str>,
) -> Result<Vec<(String, String)>, String> {
    let names = array(set, 0..=limits::DIMENSIONS, "a set of dimensions")?;
    let pairs = names.iter().map(|name| {
        let name = string(name, DIMENSION_NAME_LENGTH)?;
        let value = root.get(name).ok_or_else(|| format!("no target {name}"))?;
        targets.push(name);
        Ok((name.to_owned(), string(value, limits::DIMENSION_VALUE_LENGTH)?.to_owned()))
    });
    pairs.collect()
}

/// A number, or an array of them.
fn numbers(target: &Value) -> Result<Vec<f64>, String> {
    let one = |value: &Value| value.as_f64().ok_or_else(|| format!("not a number: {value}"));
    if target.is_array() {
        array(target, 1..=VALUES, "a target")?.iter().map(one).collect()
    } else {
        Ok(vec![one(target)?])
    }
}

/// A JSON value none of whose objects has a name twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects, arrays, strings and numbers")
    }

    fn visit_str<E>(self, text: &str) -> Result<Strict, E> {
        Ok(Strict(text.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Strict, E> {
        Ok(Strict(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Strict, E> {
        Ok(Strict(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Strict, E> {
        Ok(Strict(number.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Strict, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = array.next_element()? {
            values.push(value);
        }
        Ok(Strict(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Strict, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = object.next_entry::<String, _>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("{name} twice")));
            }
            members.insert(name, value);
        }
        Ok(Strict(members.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const GOOD: &str = r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":
        "Shop","Dimensions":[["A","B"],[]],"Metrics":[{"Name":"CPU","Unit":"Percent",
        "StorageResolution":1}]}]},"A":"a","B":"b","CPU":[1,2.5]}"#;

    fn good() -> String {
        GOOD.lines().map(str::trim).collect()
    }

    fn received() -> SystemTime {
        std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_005)
    }

    #[test]
    fn a_metric_is_extracted_under_each_set() {
        let datums = extract(&good(), received()).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(datums.len(), 2);
        assert_eq!(datums[0].dimensions, [pair("A", "a"), pair("B", "b")]);
        assert_eq!(datums[1].dimensions, []);
        for datum in datums {
            assert_eq!((&*datum.namespace, &*datum.metric_name), ("Shop", "CPU"));
            assert_eq!(
                (datum.unit.as_deref(), datum.storage_resolution),
                (Some("Percent"), Some(1))
            );
            assert_eq!((datum.timestamp_ms, datum.values), (1_700_000_000_000, vec![1.0, 2.5]));
            assert_eq!(datum.counts, [1.0, 1.0]);
        }
    }

    #[test]
    fn every_rule_can_be_broken() {
        let numbers = |count| vec!["1"; count].join(",");
        let metrics = |count| {
            let metric = |n| format!(r#"{{"Name":"M{n}","Unit":"Count","StorageResolution":60}}"#);
            (0..count).map(metric).collect::<Vec<_>>().join(",")
        };
        let long = "n".repeat(251);
        for (from, to, error) in [
            (r#""_aws""#, r#""_AWS""#.to_owned(), "no _aws"),
            ("{\"_aws", "[{\"_aws".to_owned(), "EOF"),
            (r#""A":"a""#, "\"A\":\"a\"\n".to_owned(), "not one line"),
            (r#""A":"a""#, format!(r#""A":"{}""#, "a".repeat(16_384)), "not one line"),
            (r#""A":"a""#, format!(r#""A":"{}""#, "a".repeat(1025)), "1025 characters"),
            (r#""A":"a""#, r#""A":"""#.to_owned(), "0 characters"),
            (r#""A":"a""#, r#""A":1"#.to_owned(), "not a string"),
            (r#""A":"a","#, String::new(), "no target A"),
            (r#""A":"a""#, r#""A":"a","A":"a""#.to_owned(), "A twice"),
            (r#""A":"a""#, r#""A":"a","C":"c""#.to_owned(), "C is referred to by nothing"),
            (r#"["A","B"]"#, r#"["A","A"]"#.to_owned(), "Name is invalid"),
            (r#"["A","B"]"#, format!(r#"["{long}"]"#), "251 characters"),
            (r#"["A","B"],[]"#, String::new(), "0 in Dimensions"),
            (r#""Namespace":"Shop","#, String::new(), "not just"),
            (r#""Shop""#, r#""AWS/ECS""#.to_owned(), "Namespace is invalid"),
            (r#""Timestamp":"#, r#""Flush":1,"Timestamp":"#.to_owned(), "not just"),
            ("1700000000000", "1.5".to_owned(), "Timestamp is no integer"),
            ("1700000000000", "1500000000000".to_owned(), "not within two weeks"),
            (r#""Percent""#, r#""percent""#.to_owned(), "Unit is invalid"),
            (
                r#""StorageResolution":1"#,
                r#""StorageResolution":10"#.to_owned(),
                "neither 1 nor 60",
            ),
            (r#","StorageResolution":1"#, String::new(), "not just"),
            (r#""CPU":[1,2.5]"#, r#""CPU":"1""#.to_owned(), "not a number"),
            (r#""CPU":[1,2.5]"#, r#""CPU":[]"#.to_owned(), "0 in a target"),
            (r#""CPU":[1,2.5]"#, r#""CPU":[1e109]"#.to_owned(), "is invalid"),
            (r#""CPU":[1,2.5]"#, r#""CPU":[1,NaN]"#.to_owned(), "expected value"),
            (r#""CPU":[1,2.5]"#, format!(r#""CPU":[{}]"#, numbers(101)), "101 in a target"),
            (r#""Metrics":[{"#, format!(r#""Metrics":[{},{{"#, metrics(100)), "101 in Metrics"),
        ] {
            let line = good().replace(from, &to);
            assert_ne!(line, good(), "{from}");
            let result = extract(&line, received()).unwrap_err();
            assert!(result.contains(error), "{from} → {to}: {result}");
        }
        let line = good().replace("[1,2.5]", &format!("[{}]", numbers(100)));
        assert_eq!(extract(&line, received()).unwrap()[0].values.len(), 100);
    }

    #[test]
    fn a_long_name_of_a_dimension_is_refused_although_put_metric_data_takes_it() {
        for (length, is_good) in [(250, true), (251, false)] {
            let name = format!("\"{}\"", "n".repeat(length));
            let line = good().replace("\"A\"", &name);
            assert_eq!(extract(&line, received()).is_ok(), is_good, "{length}");
        }
    }
}
