//! The CBOR of `PutMetricData`, both ways: the request as the service sees it,
//! and the bodies of its answers. Decodes whatever is well formed; what is
//! *allowed* is in [`limits`](crate::limits).

use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

/// A `PutMetricData` request. What was not sent is `None` or empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PutMetricData {
    /// `Namespace`.
    pub namespace: Option<String>,
    /// `MetricData`, followed by what is inside `EntityMetricData`.
    pub data: Vec<MetricDatum>,
}

/// One `MetricDatum` as sent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricDatum {
    /// `MetricName`.
    pub metric_name: Option<String>,
    /// `Dimensions`: names and values.
    pub dimensions: Vec<(String, String)>,
    /// `Timestamp`, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// `Value`.
    pub value: Option<f64>,
    /// `Values`.
    pub values: Vec<f64>,
    /// `Counts`.
    pub counts: Vec<f64>,
    /// `StatisticValues`.
    pub statistics: Option<StatisticSet>,
    /// `Unit`.
    pub unit: Option<String>,
    /// `StorageResolution`, seconds.
    pub storage_resolution: Option<i64>,
}

/// A `StatisticSet`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StatisticSet {
    /// How many samples.
    pub sample_count: f64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub minimum: f64,
    /// The greatest.
    pub maximum: f64,
}

/// Reads a request body, with maps and arrays of definite or indefinite length.
///
/// # Errors
/// When it is not CBOR, is of other types, or has bytes left over.
pub fn decode(body: &[u8]) -> Result<PutMetricData, Error> {
    let mut decoder = Decoder::new(body);
    let mut request = PutMetricData::default();
    fields(&mut decoder, |key, d| {
        match key {
            "Namespace" => request.namespace = Some(d.str()?.into()),
            "MetricData" => list(d, &mut request.data, datum)?,
            "EntityMetricData" => elements(d, |d| {
                fields(d, |key, d| match key {
                    "MetricData" => list(d, &mut request.data, datum),
                    _ => d.skip(),
                })
            })?,
            _ => d.skip()?,
        }
        Ok(())
    })?;
    if decoder.position() == body.len() {
        Ok(request)
    } else {
        Err(Error::message("bytes after the request"))
    }
}

/// The body of a success.
#[must_use]
pub fn empty() -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(0).expect("a vector takes everything");
    encoder.into_writer()
}

/// The body of an error.
#[must_use]
pub fn error(type_name: &str, message: &str) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    (|| encoder.map(2)?.str("__type")?.str(type_name)?.str("message")?.str(message)?.ok())()
        .expect("a vector takes everything");
    encoder.into_writer()
}

fn datum(decoder: &mut Decoder<'_>) -> Result<MetricDatum, Error> {
    let mut datum = MetricDatum::default();
    fields(decoder, |key, d| {
        match key {
            "MetricName" => datum.metric_name = Some(d.str()?.into()),
            "Dimensions" => list(d, &mut datum.dimensions, dimension)?,
            "Timestamp" => datum.timestamp_ms = Some(timestamp(d)?),
            "Value" => datum.value = Some(number(d)?),
            "Values" => list(d, &mut datum.values, number)?,
            "Counts" => list(d, &mut datum.counts, number)?,
            "StatisticValues" => datum.statistics = Some(statistics(d)?),
            "Unit" => datum.unit = Some(d.str()?.into()),
            "StorageResolution" => datum.storage_resolution = Some(d.i64()?),
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(datum)
}

fn dimension(decoder: &mut Decoder<'_>) -> Result<(String, String), Error> {
    let mut pair = (String::new(), String::new());
    fields(decoder, |key, d| {
        match key {
            "Name" => pair.0 = d.str()?.into(),
            "Value" => pair.1 = d.str()?.into(),
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(pair)
}

fn statistics(decoder: &mut Decoder<'_>) -> Result<StatisticSet, Error> {
    let mut set = StatisticSet::default();
    fields(decoder, |key, d| {
        match key {
            "SampleCount" => set.sample_count = number(d)?,
            "Sum" => set.sum = number(d)?,
            "Minimum" => set.minimum = number(d)?,
            "Maximum" => set.maximum = number(d)?,
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(set)
}

/// Tag 1 (RFC 8949, 3.4.2) over seconds, whole or not.
#[allow(clippy::cast_possible_truncation, reason = "`as` saturates, and the limits refuse that")]
fn timestamp(decoder: &mut Decoder<'_>) -> Result<i64, Error> {
    if decoder.tag()?.as_u64() != 1 {
        return Err(Error::message("a timestamp has tag 1"));
    }
    Ok((number(decoder)? * 1000.0).round() as i64)
}

#[allow(clippy::cast_precision_loss, reason = "a double is what the service stores")]
fn number(decoder: &mut Decoder<'_>) -> Result<f64, Error> {
    match decoder.datatype()? {
        Type::F16 | Type::F32 | Type::F64 => decoder.f64(),
        _ => Ok(decoder.i64()? as f64),
    }
}

/// Calls `each` with every key of a map; it must consume the value.
fn fields<'b>(
    decoder: &mut Decoder<'b>,
    mut each: impl FnMut(&'b str, &mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    let length = decoder.map()?;
    entries(decoder, length, |d| {
        let key = d.str()?;
        each(key, d)
    })
}

fn elements<'b>(
    decoder: &mut Decoder<'b>,
    each: impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    let length = decoder.array()?;
    entries(decoder, length, each)
}

fn list<'b, T>(
    decoder: &mut Decoder<'b>,
    into: &mut Vec<T>,
    mut element: impl FnMut(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<(), Error> {
    elements(decoder, |d| {
        into.push(element(d)?);
        Ok(())
    })
}

/// A definite length counts down; an indefinite one ends with a break.
fn entries<'b>(
    decoder: &mut Decoder<'b>,
    length: Option<u64>,
    mut each: impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(count) = length {
        return (0..count).try_for_each(|_| each(decoder));
    }
    while decoder.datatype()? != Type::Break {
        each(decoder)?;
    }
    decoder.skip()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Made = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

    /// One datum, in maps that are told their length or not.
    fn body(definite: bool) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        let open =
            |e: &mut Encoder<Vec<u8>>, n| if definite { e.map(n) } else { e.begin_map() }.map(drop);
        let close = |e: &mut Encoder<Vec<u8>>| if definite { Ok(()) } else { e.end().map(drop) };
        let mut make = || -> Made {
            open(&mut e, 3)?;
            e.str("Namespace")?.str("ESP")?.str("StrictEntityValidation")?.bool(false)?;
            e.str("MetricData")?.array(1)?;
            open(&mut e, 6)?;
            e.str("MetricName")?.str("CPUUtilization")?.str("Dimensions")?.array(1)?;
            open(&mut e, 2)?;
            e.str("Name")?.str("ClusterName")?.str("Value")?.str("prod")?;
            close(&mut e)?;
            e.str("Timestamp")?.tag(minicbor::data::Tag::new(1))?.f64(1_700_000_000.123)?;
            e.str("Value")?.f64(42.5)?.str("Unit")?.str("Percent")?;
            e.str("StorageResolution")?.i32(1)?;
            close(&mut e)?;
            close(&mut e)
        };
        make().unwrap();
        e.into_writer()
    }

    #[test]
    fn maps_of_either_kind_are_read_and_the_unknown_is_skipped() {
        for definite in [false, true] {
            let request = decode(&body(definite)).unwrap();
            assert_eq!(request.namespace.as_deref(), Some("ESP"));
            let datum = MetricDatum {
                metric_name: Some("CPUUtilization".into()),
                dimensions: vec![("ClusterName".into(), "prod".into())],
                timestamp_ms: Some(1_700_000_000_123),
                value: Some(42.5),
                unit: Some("Percent".into()),
                storage_resolution: Some(1),
                ..MetricDatum::default()
            };
            assert_eq!(request.data, [datum]);
        }
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_refused() {
        let whole = body(false);
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(decode(&[whole, vec![0]].concat()).is_err());
    }
}
