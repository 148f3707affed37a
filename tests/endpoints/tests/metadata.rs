//! The metadata endpoint as seen from a socket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure here is a failed test")]

mod client;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use client::Client;
use esp_endpoints::http::{Framing, Settings};
use esp_endpoints::metadata::{Documents, Fault, MetadataEndpoint};

/// The path of a document.
fn path(endpoint: &MetadataEndpoint, document: &str) -> String {
    let uri = endpoint.uri();
    format!("{}{document}", &uri[uri.find("/v4").unwrap()..])
}

struct Counting(u32);

impl Documents for Counting {
    fn task(&mut self) -> Vec<u8> {
        b"\"task\"".into()
    }

    fn stats(&mut self) -> Vec<u8> {
        self.0 += 1;
        self.0.to_string().into_bytes()
    }
}

#[test]
fn small_bodies_have_a_length_and_large_ones_chunks() {
    let endpoint = MetadataEndpoint::fixed("{}", "s".repeat(2049));
    let mut client = Client::connect(&endpoint.uri());
    let task = client.get(&path(&endpoint, "/task")).unwrap();
    assert_eq!((task.status, task.text()), (200, "{}"));
    assert_eq!(task.header("content-length"), Some("2"));
    assert_eq!(task.header("content-type"), Some("application/json"));
    assert!(task.header("date").is_some_and(|date| date.ends_with(" GMT")));
    let stats = client.get(&path(&endpoint, "/task/stats")).unwrap();
    assert_eq!(stats.header("transfer-encoding"), Some("chunked"));
    assert_eq!(stats.header("content-length"), None);
    assert_eq!(stats.text(), "s".repeat(2049));
    endpoint.set_stats("s".repeat(2048));
    let stats = client.get(&path(&endpoint, "/task/stats")).unwrap();
    assert_eq!(stats.header("content-length"), Some("2048"));
    endpoint.set_framing(Framing::Chunked(7));
    let stats = client.get(&path(&endpoint, "/task/stats")).unwrap();
    assert_eq!(stats.text(), "s".repeat(2048));
    // All of them over one connection.
    assert_eq!(endpoint.connections(), 1);
    assert_eq!((endpoint.task_requests(), endpoint.stats_requests()), (1, 3));
}

#[test]
fn documents_are_asked_once_a_request_and_can_be_replaced() {
    let endpoint = MetadataEndpoint::start(Counting(0));
    let mut client = Client::connect(&endpoint.uri());
    let mut stats = || client.get(&path(&endpoint, "/task/stats")).unwrap().body;
    assert_eq!((stats(), stats()), (b"1".to_vec(), b"2".to_vec()));
    endpoint.set_stats("new");
    assert_eq!(stats(), b"new");
}

#[test]
fn other_paths_are_answered_as_the_agent_does() {
    let endpoint = MetadataEndpoint::fixed("{}", "{}");
    let mut client = Client::connect(&endpoint.uri());
    for document in ["", "/task/", "/task/stats/", "/tasks", "/stats"] {
        let answer = client.get(&path(&endpoint, document)).unwrap();
        assert_eq!(answer.status, 404, "{document}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(body.is_string(), "{document}");
    }
    let answer = client.get(&format!("/{}", path(&endpoint, "//task"))).unwrap();
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), Some(&*path(&endpoint, "/task")));
    assert_eq!(endpoint.task_requests(), 0);
}

#[test]
fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let settings = Settings { port: 0, idle: Duration::from_secs(1) };
    let endpoint = MetadataEndpoint::start_with(settings, Counting(0));
    let mut client = Client::connect(&endpoint.uri());
    for _ in 0..4 {
        client.get(&path(&endpoint, "/task")).unwrap();
        std::thread::sleep(Duration::from_millis(400));
    }
    assert_eq!(endpoint.connections(), 1);
    let start = Instant::now();
    assert!(client.closed());
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn each_fault_is_met_once_and_in_order() {
    let endpoint = MetadataEndpoint::fixed("{}", "s".repeat(4000));
    let pause = Duration::from_millis(60);
    endpoint.script([
        Some(Fault::Status(500, b"{}".into())),
        Some(Fault::TooManyRequests),
        Some(Fault::GarbageBody),
        Some(Fault::HangBeforeHead(pause)),
        Some(Fault::HangInBody(pause)),
        Some(Fault::Huge(300_000)),
        None,
        Some(Fault::CutInBody),
        Some(Fault::Cut),
        Some(Fault::Reset),
    ]);
    let stats = path(&endpoint, "/task/stats");
    let mut client = Client::connect(&endpoint.uri());
    let answer = client.get(&stats).unwrap();
    assert_eq!((answer.status, answer.text()), (500, "{}"));
    let answer = client.get(&stats).unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let answer = client.get(&stats).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(client.get(&stats).unwrap().body.len(), 4000);
        assert!(start.elapsed() >= pause);
    }
    assert_eq!(client.get(&stats).unwrap().body.len(), 300_000);
    assert_eq!(client.get(&stats).unwrap().body.len(), 4000);
    assert!(client.get(&stats).is_err());
    assert!(Client::connect(&endpoint.uri()).get(&stats).is_err());
    let reset = Client::connect(&endpoint.uri()).get(&stats).unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    let mut client = Client::connect(&endpoint.uri());
    assert_eq!(client.get(&stats).unwrap().status, 200);
    endpoint.always(Some(Fault::TooManyRequests));
    assert_eq!(client.get(&stats).unwrap().status, 429);
    assert_eq!(client.get(&stats).unwrap().status, 429);
}

#[test]
fn it_can_refuse_connections_and_come_back_on_its_port() {
    let mut endpoint = MetadataEndpoint::fixed("{}", "{}");
    let task = path(&endpoint, "/task");
    let mut before = Client::connect(&endpoint.uri());
    before.get(&task).unwrap();
    endpoint.stop_accepting();
    assert!(before.closed());
    assert!(TcpStream::connect(("127.0.0.1", endpoint.port())).is_err());
    endpoint.accept_again();
    assert_eq!(Client::connect(&endpoint.uri()).get(&task).unwrap().status, 200);
    assert_eq!((endpoint.connections(), endpoint.task_requests()), (2, 2));
}

#[test]
fn closing_connections_leaves_the_door_open() {
    let endpoint = MetadataEndpoint::fixed("{}", "{}");
    let mut client = Client::connect(&endpoint.uri());
    client.get(&path(&endpoint, "/task")).unwrap();
    endpoint.close_connections();
    assert!(client.closed());
    assert!(Client::connect(&endpoint.uri()).get(&path(&endpoint, "/task")).is_ok());
}

#[test]
fn dropping_ends_what_hangs_what_idles_and_what_cannot_be_written() {
    let endpoint = MetadataEndpoint::fixed("{}", "{}");
    let hour = Duration::from_hours(1);
    endpoint.script([Some(Fault::HangBeforeHead(hour)), Some(Fault::HangInBody(hour))]);
    endpoint.always(Some(Fault::Huge(1 << 40)));
    let request = format!("GET {} HTTP/1.1\r\n\r\n", path(&endpoint, "/task"));
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(&endpoint.uri())).collect();
    // The last one stays idle, the third never reads.
    for client in &mut clients[..3] {
        client.send(request.as_bytes());
    }
    while endpoint.task_requests() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let start = Instant::now();
    drop(endpoint);
    assert!(start.elapsed() < Duration::from_secs(20));
}
