//! An answer as a handler gives it: status, headers and body, and how it is framed
//! and delivered. Sending it is the server's.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use crate::clock::{self, ClockOffset};

/// How the body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// As the ECS agent: over 2048 bytes one chunk, else `Content-Length`.
    #[default]
    Auto,
    /// Chunks of at most this many bytes.
    Chunked(usize),
    /// `Content-Length`.
    ContentLength,
}

/// What is sent after the head.
#[derive(Debug, Clone)]
pub enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many zero bytes, made as they are sent.
    Zeros(u64),
    /// No head and no framing of the server's: the first text once, then the second
    /// again and again without pause, until the client closes the connection.
    Endless(&'static str, &'static str),
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// At once and whole.
    #[default]
    Whole,
    /// After silence.
    After(Duration),
    /// The head and half of the body, silence, and the rest.
    PauseInBody(Duration),
    /// The head and half of the body, then the connection closes.
    CutInBody,
    /// Whole, together with the end of the connection: over TLS without a word of
    /// farewell (`close_notify`).
    WithEnd,
    /// The connection closes without an answer.
    Cut,
    /// The connection is reset without an answer.
    Reset,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers besides `Date` and the framing ones, which the server writes.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// How its end is told.
    pub framing: Framing,
    /// How it travels.
    pub delivery: Delivery,
    /// How far ahead, or behind, the clock is that writes `Date`.
    pub clock: ClockOffset,
    /// What is in `Date` instead of a clock's time.
    pub date: Option<String>,
}

impl Response {
    /// An answer with a body of the given type, framed as the ECS agent does.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: Body::Bytes(body.into()),
            framing: Framing::Auto,
            delivery: Delivery::Whole,
            clock: ClockOffset::Right,
            date: None,
        }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same answer, delivered another way.
    #[must_use]
    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    pub(super) fn head(&self, framing: &str) -> Vec<u8> {
        let mut head = Vec::new();
        let _ = write!(head, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let date = self.date.clone();
        let date = date.unwrap_or_else(|| clock::http_date(self.clock.of(SystemTime::now())));
        let _ = write!(head, "Date: {date}\r\n");
        let _ = write!(head, "{framing}\r\n\r\n");
        head
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
