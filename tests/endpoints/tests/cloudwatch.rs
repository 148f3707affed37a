//! The `CloudWatch` endpoint as seen from a socket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure here is a failed test")]

mod client;

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::{Answer, Client};
use esp_endpoints::cloudwatch::{Authorization, CloudWatch, Fault};
use minicbor::data::Tag;
use minicbor::{Decoder, Encoder};

const PATH: &str = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
const MOMENT: Duration = Duration::from_millis(60);

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Datums of these values, as the SDK writes them: maps of indefinite length.
fn body(values: &[f64]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.begin_map().unwrap().str("Namespace").unwrap().str("ESP").unwrap();
    e.str("MetricData").unwrap().array(values.len() as u64).unwrap();
    for value in values {
        e.begin_map().unwrap().str("MetricName").unwrap().str("CPUUtilization").unwrap();
        e.str("Dimensions").unwrap().array(1).unwrap().begin_map().unwrap();
        e.str("Name").unwrap().str("ClusterName").unwrap();
        e.str("Value").unwrap().str("prod").unwrap().end().unwrap();
        e.str("Timestamp").unwrap().tag(Tag::new(1)).unwrap().f64(seconds()).unwrap();
        e.str("Value").unwrap().f64(*value).unwrap();
        e.str("StorageResolution").unwrap().i32(1).unwrap().end().unwrap();
    }
    e.end().unwrap();
    e.into_writer()
}

fn post(client: &mut Client, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: monitoring\r\nsmithy-protocol: rpc-v2-cbor\r\n\
         Content-Type: application/cbor\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    client.send(&[head.as_bytes(), body].concat());
}

fn put(cloudwatch: &CloudWatch, body: &[u8]) -> std::io::Result<Answer> {
    let mut client = Client::connect(&cloudwatch.url());
    post(&mut client, "", body);
    client.answer()
}

/// `__type` and `message` of an error.
fn error(answer: &Answer) -> (String, String) {
    let mut decoder = Decoder::new(&answer.body);
    let mut fields = std::collections::HashMap::new();
    for _ in 0..decoder.map().unwrap().unwrap() {
        let key = decoder.str().unwrap().to_owned();
        fields.insert(key, decoder.str().unwrap().to_owned());
    }
    (fields["__type"].clone(), fields["message"].clone())
}

#[test]
fn a_request_is_stored_recorded_and_answered() {
    let cloudwatch = CloudWatch::start();
    let mut client = Client::connect(&cloudwatch.url());
    let signature = "0".repeat(64);
    let headers = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20250203/us-west-2/monitoring/\
         aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}\r\n\
         X-Amz-Security-Token: token\r\n"
    );
    let body = body(&[1.5, 2.5]);
    post(&mut client, &headers, &body);
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &[0xa0][..]));
    assert_eq!(answer.header("smithy-protocol"), Some("rpc-v2-cbor"));
    assert_eq!(answer.header("content-type"), Some("application/cbor"));
    assert!(answer.header("x-amzn-requestid").is_some());
    assert!(answer.header("date").is_some());

    let datums = cloudwatch.datums();
    assert_eq!(datums.iter().map(|datum| datum.values[0]).collect::<Vec<_>>(), [1.5, 2.5]);
    assert_eq!(datums[0].dimension("ClusterName"), Some("prod"));
    assert_eq!((datums[0].storage_resolution, &datums[0].unit), (Some(1), &None));
    let age = datums[0].received.duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(i64::try_from(age).unwrap() - datums[0].timestamp_ms < 20_000);
    let record = &cloudwatch.requests()[0];
    assert_eq!((record.body_bytes, record.accepted, record.gzipped), (body.len(), 2, false));
    assert_eq!(record.security_token.as_deref(), Some("token"));
    assert_eq!(record.host.as_deref(), Some("monitoring"));
    let Authorization::WellFormed { region, signed_headers, .. } = &record.authorization else {
        panic!("{:?}", record.authorization)
    };
    assert_eq!(region, "us-west-2");
    assert_eq!(signed_headers, &["host", "x-amz-date"]);

    cloudwatch.clear();
    assert!(cloudwatch.datums().is_empty() && cloudwatch.requests().is_empty());
    post(&mut client, "", &body);
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(cloudwatch.connections(), 1);
    assert_eq!(cloudwatch.requests()[0].authorization, Authorization::Missing);
}

#[test]
fn gzip_and_continue() {
    let cloudwatch = CloudWatch::start();
    let plain = body(&[3.0; 100]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    let mut client = Client::connect(&cloudwatch.url());
    post(&mut client, "Content-Encoding: gzip\r\nExpect: 100-continue\r\n", &packed);
    assert_eq!(client.answer().unwrap().status, 100);
    assert_eq!(client.answer().unwrap().status, 200);
    let record = &cloudwatch.requests()[0];
    assert!(record.gzipped);
    assert_eq!((record.body_bytes, record.wire_bytes), (plain.len(), packed.len()));
    assert_eq!(cloudwatch.datums().len(), 100);
}

#[test]
fn a_chunked_request_is_read_too() {
    let cloudwatch = CloudWatch::start();
    let mut client = Client::connect(&cloudwatch.url());
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nsmithy-protocol: rpc-v2-cbor\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.send(head.as_bytes());
    for chunk in body(&[1.0]).chunks(50) {
        client.send(format!("{:x}\r\n", chunk.len()).as_bytes());
        client.send(&[chunk, b"\r\n"].concat());
    }
    client.send(b"0\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(cloudwatch.datums().len(), 1);
}

#[test]
fn one_bad_datum_fails_the_whole_request() {
    let cloudwatch = CloudWatch::start();
    let answer = put(&cloudwatch, &body(&[1.0, f64::NAN])).unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-amzn-query-error"), Some("InvalidParameterValue;Sender"));
    let (type_name, message) = error(&answer);
    assert_eq!(type_name, "com.amazonaws.cloudwatch#InvalidParameterValueException");
    assert_eq!(message, "The value NaN for parameter MetricData.member.2.Value is invalid.");
    assert!(cloudwatch.datums().is_empty());
    let record = &cloudwatch.requests()[0];
    assert_eq!(record.accepted, 0);
    assert_eq!(record.refusal.as_ref().unwrap().message(), message);
}

#[test]
fn what_is_too_large_or_not_understood_is_refused() {
    let cloudwatch = CloudWatch::start();
    let mut large = body(&[1.0]);
    large.resize(1_000_001, 0);
    assert_eq!(put(&cloudwatch, &large).unwrap().status, 413);
    assert_eq!(put(&cloudwatch, b"not CBOR").unwrap().status, 400);
    let mut client = Client::connect(&cloudwatch.url());
    post(&mut client, "Content-Encoding: gzip\r\n", b"not gzip");
    assert_eq!(client.answer().unwrap().status, 400);
    assert_eq!(client.get(PATH).unwrap().status, 404);
    client.send(format!("POST {PATH} HTTP/1.1\r\nContent-Length: 0\r\n\r\n").as_bytes());
    assert_eq!(client.answer().unwrap().status, 404);
    assert!(cloudwatch.datums().is_empty());
}

#[test]
fn each_fault_says_whether_it_accepted() {
    let cloudwatch = CloudWatch::start();
    let teapot = Fault::Error {
        status: 500,
        type_name: "com.amazonaws.cloudwatch#InternalServiceFault".into(),
        query_code: "InternalServiceError".into(),
        message: "sorry".into(),
    };
    // The fault, the status that the client sees (0: none), and what is stored.
    for (fault, status, stored) in [
        (Fault::Throttle, 400, 0),
        (Fault::Status(503), 503, 0),
        (teapot.clone(), 500, 0),
        (Fault::HangBeforeHead(MOMENT), 200, 1),
        (Fault::HangInBody(MOMENT), 200, 1),
        (Fault::CutBeforeAcceptance, 0, 0),
        (Fault::CutAfterAcceptance, 0, 1),
        (Fault::ResetAfterAcceptance, 0, 1),
        (Fault::CutInBody, 0, 1),
        (Fault::GarbageBody(200), 200, 0),
        (Fault::GarbageBody(502), 502, 0),
        (Fault::Huge(200_000), 200, 0),
    ] {
        cloudwatch.clear();
        cloudwatch.script(vec![fault.clone()]);
        let start = Instant::now();
        let answer = put(&cloudwatch, &body(&[1.0]));
        assert_eq!(answer.as_ref().map_or(0, |answer| answer.status), status, "{fault:?}");
        let record = &cloudwatch.requests()[0];
        assert_eq!(cloudwatch.datums().len(), stored, "{fault:?}");
        assert_eq!((record.accepted, record.fault.as_ref()), (stored, Some(&fault)));
        match (fault, answer) {
            (Fault::Throttle, Ok(answer)) => {
                assert_eq!(answer.header("x-amzn-query-error"), Some("Throttling;Sender"));
                assert!(error(&answer).0.ends_with("#ThrottlingException"));
            }
            (Fault::Error { .. }, Ok(answer)) => {
                let expected = Some("InternalServiceError;Receiver");
                assert_eq!(answer.header("x-amzn-query-error"), expected);
                assert_eq!(error(&answer).1, "sorry");
            }
            (Fault::HangBeforeHead(_) | Fault::HangInBody(_), _) => {
                assert!(start.elapsed() >= MOMENT);
            }
            (Fault::Huge(bytes), Ok(answer)) => assert_eq!(answer.body.len() as u64, bytes),
            _ => {}
        }
    }
    cloudwatch.always(Some(Fault::Throttle));
    for _ in 0..2 {
        assert_eq!(put(&cloudwatch, &body(&[1.0])).unwrap().status, 400);
    }
    cloudwatch.always(None);
    assert_eq!(put(&cloudwatch, &body(&[1.0])).unwrap().status, 200);
}

#[test]
fn a_reset_is_told_from_an_end() {
    let kind = |fault| {
        let cloudwatch = CloudWatch::start();
        cloudwatch.script(vec![fault]);
        put(&cloudwatch, &body(&[1.0])).unwrap_err().kind()
    };
    assert_eq!(kind(Fault::CutAfterAcceptance), ErrorKind::UnexpectedEof);
    assert_eq!(kind(Fault::ResetAfterAcceptance), ErrorKind::ConnectionReset);
}

#[test]
fn it_can_refuse_connections_and_come_back_at_its_address() {
    let mut cloudwatch = CloudWatch::start();
    put(&cloudwatch, &body(&[1.0])).unwrap();
    cloudwatch.stop_accepting();
    assert!(std::net::TcpStream::connect(cloudwatch.address()).is_err());
    cloudwatch.accept_again();
    put(&cloudwatch, &body(&[1.0])).unwrap();
    assert_eq!((cloudwatch.datums().len(), cloudwatch.connections()), (2, 2));
}

#[test]
fn waiting_ends_with_the_datums_or_the_time() {
    let cloudwatch = CloudWatch::start();
    assert!(!cloudwatch.wait_for(1, Duration::from_millis(10)));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            put(&cloudwatch, &body(&[1.0, 2.0])).unwrap()
        });
        assert!(cloudwatch.wait_for(2, Duration::from_secs(20)));
    });
    assert!(cloudwatch.wait_for_requests(1, Duration::ZERO));
}

#[test]
fn dropping_ends_what_hangs() {
    let cloudwatch = CloudWatch::start();
    let hour = Duration::from_hours(1);
    cloudwatch.script(vec![Fault::HangBeforeHead(hour), Fault::HangInBody(hour)]);
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(&cloudwatch.url())).collect();
    for client in &mut clients {
        post(client, "", &body(&[1.0]));
    }
    assert!(cloudwatch.wait_for_requests(2, Duration::from_secs(20)));
    let start = Instant::now();
    drop(cloudwatch);
    assert!(start.elapsed() < Duration::from_secs(20));
}
