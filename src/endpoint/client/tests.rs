//! Connections in memory, and one port on which nobody listens.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use super::*;

/// A connection in memory: it takes what is written and answers with the
/// script, a piece a read, then ends.
struct Scripted {
    written: Vec<u8>,
    pieces: Vec<io::Result<&'static [u8]>>,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.pieces.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let piece = self.pieces.remove(0);
        Poll::Ready(piece.map(|piece| {
            buffer[..piece.len()].copy_from_slice(piece);
            piece.len()
        }))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn run(pieces: Vec<io::Result<&'static [u8]>>) -> (Result<String, ExchangeError>, String) {
    let mut stream = Scripted { written: Vec::new(), pieces };
    let mut reader = ResponseReader::new(BODY_LIMIT);
    let outcome = smol::future::block_on(exchange(&mut stream, b"GET / ", &mut reader));
    let body = String::from_utf8(reader.body().to_vec()).unwrap();
    (outcome.map(|()| body), String::from_utf8(stream.written).unwrap())
}

fn client(uri: &str) -> EndpointClient {
    EndpointClient::new(EndpointUri::parse(uri).unwrap(), Waiting::new().unwrap())
}

#[test]
fn a_response_may_come_in_pieces() {
    let (body, written) = run(vec![
        Ok(b"HTTP/1.1 200 OK\r\nTransfer-En"),
        Ok(b"coding: chunked\r\n\r\n4\r\n{\"a\""),
        Ok(b"\r\n3\r\n: 1\r\n1\r\n}\r\n0\r"),
        Ok(b"\n\r\n"),
    ]);
    assert_eq!(body.unwrap(), r#"{"a": 1}"#);
    assert_eq!(written, "GET / ");
}

#[test]
fn a_connection_that_breaks_is_an_error() {
    let (body, _) = run(vec![]);
    assert!(matches!(body, Err(ExchangeError::Response(ResponseError::Truncated))));
    let (body, _) = run(vec![Ok(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")]);
    assert!(matches!(body, Err(ExchangeError::Response(ResponseError::Truncated))));
    let (body, _) = run(vec![Err(ErrorKind::ConnectionReset.into())]);
    assert!(matches!(body, Err(ExchangeError::Io(_))));
}

/// A connection that always has another byte of its head, which does not end. It
/// has given this many.
struct Flood(usize);

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        buffer[0] = *b"HTTP/1.1 200 OK\r\nX: ".get(self.0).unwrap_or(&b'y');
        self.0 += 1;
        Poll::Ready(Ok(1))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn reading_without_pause_gives_the_rest_of_the_thread_its_turn() {
    let mut reader = ResponseReader::new(BODY_LIMIT);
    let mut flood = Flood(0);
    let mut exchange = pin!(exchange(&mut flood, b"GET / ", &mut reader));
    for _ in 0..3 {
        let outcome = smol::future::block_on(smol::future::poll_once(exchange.as_mut()));
        assert!(outcome.is_none(), "{outcome:?}");
    }
}

#[test]
fn the_request_names_path_host_and_version() {
    let client = client("http://127.0.0.1:8080/v4/x/");
    let request = String::from_utf8(client.stats_request).unwrap();
    assert!(request.starts_with("GET /v4/x/task/stats HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
    assert!(request.ends_with("\r\n\r\n"));
}

#[test]
fn connecting_pauses_after_failures_up_to_900_ms() {
    // Port 9 of the loopback: nothing listens there.
    let mut client = client("http://127.0.0.1:9/v4/x");
    let start = Instant::now();
    let mut attempts = Vec::new();
    for tick_ms in (0..5000).step_by(50) {
        let now = start + Duration::from_millis(tick_ms);
        match smol::future::block_on(client.get(Resource::Stats, now)) {
            Err(EndpointError::Connect(_)) => attempts.push(tick_ms),
            Err(EndpointError::Pausing(error)) => assert!(error.contains("refused"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(attempts, [0, 100, 300, 700, 1500, 2400, 3300, 4200]);
}

#[test]
fn an_excerpt_is_one_short_line() {
    assert_eq!(excerpt(b"\"V4 stats handler:\nunable\"\n"), "\"V4 stats handler: unable\"");
    assert_eq!(excerpt(&[b'x'; 1000]).len(), EXCERPT);
    assert_eq!(excerpt(b"\xff\x00"), "\u{fffd}");
}

#[test]
fn a_connection_is_not_tried_after_an_idle_time_that_has_ended_one_before() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let uri = format!("http://{}/v4/0af3", listener.local_addr().unwrap());
    // It says that it keeps each connection, and keeps none.
    let server = std::thread::spawn(move || {
        for _ in 0..5 {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        }
    });
    let waiting = Waiting::new().unwrap();
    let mut client = EndpointClient::new(EndpointUri::parse(&uri).unwrap(), Rc::clone(&waiting));
    let mut now = Instant::now();
    for (idle_s, learned) in [
        (0, Duration::MAX),
        // The agent was upgraded, perhaps.
        (1, Duration::MAX),
        (6, Duration::from_secs(6)),
        (5, Duration::from_secs(5)),
        (7, Duration::from_secs(5)),
    ] {
        now += Duration::from_secs(idle_s);
        let body = waiting.block_on(client.get(Resource::Stats, now)).unwrap().to_vec();
        assert_eq!((body.as_slice(), client.dead_after), (&b"{}"[..], learned), "{idle_s}");
    }
    server.join().unwrap();
}
