//! What `CloudWatch` makes of one request, without a socket: it is read and
//! judged, answered honestly, and the answer spoilt by a fault. Nothing is kept
//! here; that, and the server, is [`cloudwatch`](crate::cloudwatch).

use std::io::Read;
use std::time::{Duration, SystemTime};

use crate::cbor::{self, MetricDatum, PutMetricData, StatisticSet};
use crate::clock;
use crate::http::{Body, ClockOffset, Delivery, Framing, Request, Response};
use crate::limits::{self, Refusal};

const PATH: &str = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
const CBOR: &str = "application/cbor";

/// How far a signature's time may be from now.
const SIGNATURE_WINDOW: Duration = Duration::from_mins(5);

/// One datum that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// The namespace of its request.
    pub namespace: String,
    /// The metric's name.
    pub metric_name: String,
    /// Names and values, in the order sent.
    pub dimensions: Vec<(String, String)>,
    /// The unit, if one was sent.
    pub unit: Option<String>,
    /// Milliseconds since 1970; the time of receipt if none was sent.
    pub timestamp_ms: i64,
    /// `Values`, or the one `Value`; empty for a statistic set.
    pub values: Vec<f64>,
    /// How often each of the values was observed, once where none was sent.
    pub counts: Vec<f64>,
    /// `StatisticValues`.
    pub statistics: Option<StatisticSet>,
    /// Seconds: 1 is high resolution.
    pub storage_resolution: Option<i64>,
    /// When its request had arrived.
    pub received: SystemTime,
}

impl Datum {
    /// The value of that dimension.
    #[must_use]
    pub fn dimension(&self, name: &str) -> Option<&str> {
        self.dimensions.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What the datum adds to the aggregate of its period.
    #[must_use]
    pub fn statistic_set(&self) -> StatisticSet {
        if let Some(set) = self.statistics {
            return set;
        }
        let weighted = self.values.iter().zip(&self.counts);
        StatisticSet {
            sample_count: self.counts.iter().sum(),
            sum: weighted.map(|(value, count)| value * count).sum(),
            minimum: self.values.iter().copied().fold(f64::INFINITY, f64::min),
            maximum: self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// What the `authorization` header holds. The signature itself is not checked:
/// the endpoint has no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// No such header.
    Missing,
    /// Not of the form `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…,
    /// Signature=…` with a scope of `…/monitoring/aws4_request`; as sent.
    Malformed(String),
    /// Signature version 4 for this service.
    WellFormed {
        /// The access key's id.
        access_key: String,
        /// The Region of the scope.
        region: String,
        /// The names of the signed headers.
        signed_headers: Vec<String>,
    },
}

/// What can go wrong with one request. "Accepted" means that its datums count,
/// as far as they keep the limits, whatever the client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 400 `Throttling`, not accepted.
    Throttle,
    /// This status with an empty body, not accepted.
    Status(u16),
    /// An error in the service's form, not accepted.
    Error {
        /// The status code.
        status: u16,
        /// `__type`, a bare name or `namespace#Name`.
        type_name: String,
        /// The code in `x-amzn-query-error`; the header is left out if empty.
        query_code: String,
        /// The message.
        message: String,
    },
    /// Accepted, then silence before the answer.
    HangBeforeHead(Duration),
    /// Accepted, then silence between head and body.
    HangInBody(Duration),
    /// The connection closes without an answer; not accepted.
    CutBeforeAcceptance,
    /// The connection closes without an answer; accepted.
    CutAfterAcceptance,
    /// The connection is reset without an answer; accepted.
    ResetAfterAcceptance,
    /// Accepted; the connection closes in the middle of the answer's body.
    CutInBody,
    /// This status with a body that is no CBOR; not accepted.
    GarbageBody(u16),
    /// An answer of this many zero bytes; not accepted.
    Huge(u64),
    /// This status with this page, as something says that is no CloudWatch; not
    /// accepted.
    Page(u16, String),
    /// An error as with that fault, with this in `Date`.
    Dated(String, Box<Fault>),
    /// Answered as without a fault, or as with that one, and the connection closes
    /// with the answer, over TLS without `close_notify`.
    EndWithAnswer(Option<Box<Fault>>),
}

impl Fault {
    /// Whether a request that meets it counts all the same, told or not.
    #[must_use]
    pub fn accepts(&self) -> bool {
        match self {
            Self::HangBeforeHead(_)
            | Self::HangInBody(_)
            | Self::CutAfterAcceptance
            | Self::ResetAfterAcceptance
            | Self::CutInBody => true,
            Self::Dated(_, fault) => fault.accepts(),
            Self::EndWithAnswer(fault) => fault.as_ref().is_none_or(|fault| fault.accepts()),
            Self::Throttle
            | Self::Status(_)
            | Self::GarbageBody(_)
            | Self::Error { .. }
            | Self::Page(..)
            | Self::Huge(_)
            | Self::CutBeforeAcceptance => false,
        }
    }
}

impl Fault {
    /// The honest answer as the client sees it.
    #[must_use]
    pub fn spoil(self, mut honest: Response) -> Response {
        match self {
            Self::Throttle => error(
                400,
                "com.amazon.coral.availability#ThrottlingException",
                "Throttling",
                "Rate exceeded",
            ),
            Self::Status(status) => answer(status, Vec::new()),
            Self::Error { status, type_name, query_code, message } => {
                error(status, &type_name, &query_code, &message)
            }
            Self::HangBeforeHead(time) => honest.delivered(Delivery::After(time)),
            Self::HangInBody(time) => honest.delivered(Delivery::PauseInBody(time)),
            Self::CutBeforeAcceptance | Self::CutAfterAcceptance => honest.delivered(Delivery::Cut),
            Self::ResetAfterAcceptance => honest.delivered(Delivery::Reset),
            Self::CutInBody => {
                // The body is one byte, and that much is to arrive.
                honest.framing = Framing::Chunked(1);
                honest.delivered(Delivery::CutInBody)
            }
            Self::GarbageBody(status) => answer(status, "<html>not CBOR</html>".into()),
            Self::Huge(bytes) => {
                honest.body = Body::Zeros(bytes);
                honest
            }
            Self::Page(status, page) => Response::new(status, "text/html", page),
            Self::Dated(date, fault) => {
                let mut answer = fault.spoil(honest);
                answer.date = Some(date);
                answer
            }
            Self::EndWithAnswer(fault) => {
                let answer = match fault {
                    Some(fault) => fault.spoil(honest),
                    None => honest,
                };
                answer.delivered(Delivery::WithEnd)
            }
        }
    }
}

/// A request as it was read, and what is honestly said to it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Bytes of the body, uncompressed.
    pub body_bytes: usize,
    /// Whether it came compressed.
    pub is_gzipped: bool,
    /// What it would store, or why it is refused.
    pub datums: Result<Vec<Datum>, Refusal>,
}

/// Reads a `PutMetricData`, at the time at which it was received. `None` for
/// anything else.
#[must_use]
pub fn judge(request: &Request) -> Option<Judged> {
    let protocol = request.header("smithy-protocol") == Some("rpc-v2-cbor");
    if request.method != "POST" || request.path != PATH || !protocol {
        return None;
    }
    let is_gzipped = request.header("content-encoding") == Some("gzip");
    let unpacked = is_gzipped.then(|| gunzip(&request.body));
    let body = unpacked.as_ref().unwrap_or(&request.body);
    let datums = judge_body(body, request.received);
    Some(Judged { body_bytes: body.len(), is_gzipped, datums })
}

impl Judged {
    /// The honest answer.
    #[must_use]
    pub fn answer(&self) -> Response {
        match &self.datums {
            Err(_) if self.body_bytes > limits::BODY_BYTES => {
                error(413, "RequestEntityTooLarge", "", "the request is over 1 MB")
            }
            Err(refusal) => refused(refusal),
            Ok(_) => answer(200, cbor::empty()),
        }
    }
}

/// As far as it says when it was signed, by that clock.
#[must_use]
pub fn is_signed_in_time(request: &Request, clock: ClockOffset) -> bool {
    let now = clock.of(request.received);
    let within = clock::amz_date(now - SIGNATURE_WINDOW)..=clock::amz_date(now + SIGNATURE_WINDOW);
    request.header("x-amz-date").is_none_or(|date| within.contains(&date.to_owned()))
}

/// What a request is told whose signature is not of now.
#[must_use]
pub fn refused_signature() -> Response {
    let message = "Signature expired: is now earlier or later than allowed";
    let code = "com.amazon.coral.service#InvalidSignatureException";
    error(403, code, "SignatureDoesNotMatch", message)
}

/// What a request is told that breaks a rule.
#[must_use]
pub fn refused(refusal: &Refusal) -> Response {
    error(400, refusal.type_name(), refusal.query_code(), refusal.message())
}

/// What anything but a `PutMetricData` is told.
#[must_use]
pub fn unknown_operation() -> Response {
    error(404, "UnknownOperationException", "", "no such operation")
}

fn judge_body(body: &[u8], received: SystemTime) -> Result<Vec<Datum>, Refusal> {
    if body.len() > limits::BODY_BYTES {
        return Err(Refusal::Value("The request is over 1 MB.".into()));
    }
    let request = cbor::decode(body).map_err(|error| Refusal::Value(format!("CBOR: {error}")))?;
    accept(request, received)
}

/// What is kept of a request, if it keeps the limits; however it was written.
pub(crate) fn accept(request: PutMetricData, received: SystemTime) -> Result<Vec<Datum>, Refusal> {
    limits::check(&request, received)?;
    let namespace = request.namespace.unwrap_or_default();
    Ok(request.data.into_iter().map(|raw| store(raw, &namespace, received)).collect())
}

fn store(raw: MetricDatum, namespace: &str, received: SystemTime) -> Datum {
    let values = raw.value.map_or(raw.values, |value| vec![value]);
    let counts = if raw.counts.is_empty() { vec![1.0; values.len()] } else { raw.counts };
    Datum {
        namespace: namespace.into(),
        metric_name: raw.metric_name.unwrap_or_default(),
        dimensions: raw.dimensions,
        unit: raw.unit,
        timestamp_ms: raw.timestamp_ms.unwrap_or_else(|| clock::milliseconds(received)),
        values,
        counts,
        statistics: raw.statistics,
        storage_resolution: raw.storage_resolution,
        received,
    }
}

/// Unpacks one byte past the limit at most, which is enough to refuse it. What is
/// no gzip is left empty and refused as CBOR.
fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let limit = limits::BODY_BYTES as u64 + 1;
    match flate2::read::GzDecoder::new(body).take(limit).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => Vec::new(),
    }
}

fn answer(status: u16, body: Vec<u8>) -> Response {
    Response::new(status, CBOR, body).with_header("smithy-protocol", "rpc-v2-cbor")
}

/// An error in the service's form; without a query code, if that is empty.
#[must_use]
pub fn error(status: u16, type_name: &str, query_code: &str, message: &str) -> Response {
    let response = answer(status, cbor::error(type_name, message));
    if query_code.is_empty() {
        return response;
    }
    let side = if status < 500 { "Sender" } else { "Receiver" };
    response.with_header("x-amzn-query-error", &format!("{query_code};{side}"))
}

/// What such a header holds.
#[must_use]
pub fn authorization(header: Option<&str>) -> Authorization {
    let Some(header) = header else { return Authorization::Missing };
    parse_authorization(header).unwrap_or_else(|| Authorization::Malformed(header.into()))
}

/// Signature version 4; the scope is `KEY/DATE/REGION/monitoring/aws4_request`.
fn parse_authorization(header: &str) -> Option<Authorization> {
    let fields = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let field =
        |name| fields.split(',').find_map(|f| f.trim().strip_prefix(name)?.strip_prefix('='));
    let scope: Vec<&str> = field("Credential")?.split('/').collect();
    let [access_key, date, region, "monitoring", "aws4_request"] = scope[..] else { return None };
    let signature = field("Signature")?;
    let dated = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = signature.len() == 64 && signature.bytes().all(|b| b.is_ascii_hexdigit());
    (dated && hexadecimal && !region.is_empty()).then(|| Authorization::WellFormed {
        access_key: access_key.into(),
        region: region.into(),
        signed_headers: field("SignedHeaders")
            .map(|headers| headers.split(';').map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_signature_for_this_service_is_well_formed() {
        let hex = "0123456789abcdef".repeat(4);
        let of = |scope: &str, signature: &str| {
            let head = "AWS4-HMAC-SHA256 Credential=";
            let header =
                format!("{head}{scope}, SignedHeaders=host;x-amz-date, Signature={signature}");
            matches!(authorization(Some(&header)), Authorization::WellFormed { .. })
        };
        assert!(of("AKID/20250203/us-west-2/monitoring/aws4_request", &hex));
        assert!(!of("AKID/20250203/us-west-2/s3/aws4_request", &hex));
        assert!(!of("AKID/2025/us-west-2/monitoring/aws4_request", &hex));
        assert!(!of("AKID/20250203//monitoring/aws4_request", &hex));
        assert!(!of("AKID/20250203/us-west-2/monitoring/aws4_request", "short"));
        assert_eq!(authorization(None), Authorization::Missing);
    }
}
