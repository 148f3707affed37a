//! Reading: one request off a connection, and the framing that an answer to us
//! has as well. What is written is in the module above.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::SystemTime;

/// Past this a head is not read to its end and the connection is closed.
const LINE_LIMIT: u64 = 64 * 1024;
/// Past this a body is not read and the connection is closed; well over what
/// any limit of the endpoints themselves needs to see.
const BODY_LIMIT: u64 = 64 * 1024 * 1024;

/// One request, read whole.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The target as sent, query included.
    pub path: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding but still compressed.
    pub body: Vec<u8>,
    /// Which connection of this server carried it, counted from 1.
    pub connection: u64,
    /// When its last byte had arrived.
    pub received: SystemTime,
}

impl Request {
    /// The first header of that name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The next request, or `None` where the client closed between two of them.
pub(super) fn read_request(
    reader: &mut BufReader<impl Read + Write>,
    connection: u64,
) -> io::Result<Option<Request>> {
    let start = read_line(reader)?;
    if start.is_empty() {
        return Ok(None);
    }
    let mut words = start.split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1")) = (words.next(), words.next(), words.next())
    else {
        return Err(malformed("not an HTTP/1.1 request line"));
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("no colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
        connection,
        received: SystemTime::now(),
    };
    if request.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if request.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        request.body = read_chunks(reader)?;
    } else if let Some(length) = request.header("content-length") {
        let length = length.parse().map_err(|_| malformed("bad Content-Length"))?;
        read_exactly(reader, length, &mut request.body)?;
    }
    request.received = SystemTime::now();
    Ok(Some(request))
}

/// A body in chunks, trailers dropped. Also what a Docker engine answers with.
pub(crate) fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    while read_chunk(reader, &mut body)? {}
    Ok(body)
}

/// Appends the next chunk; false if it was the last one.
pub(crate) fn read_chunk(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let line = read_line(reader)?;
    let size = line.split(';').next().unwrap_or_default().trim();
    let size = u64::from_str_radix(size, 16).map_err(|_| malformed("bad chunk size"))?;
    if size == 0 {
        while !read_line(reader)?.is_empty() {}
        return Ok(false);
    }
    read_exactly(reader, size, body)?;
    read_line(reader)?;
    Ok(true)
}

pub(crate) fn read_exactly(
    reader: &mut impl BufRead,
    length: u64,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    if length.saturating_add(body.len() as u64) > BODY_LIMIT {
        return Err(malformed("body too large"));
    }
    if reader.take(length).read_to_end(body)? as u64 == length {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// One line without its end; empty at the end of the stream too.
pub(crate) fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(LINE_LIMIT).read_until(b'\n', &mut line)?;
    let line = String::from_utf8(line).map_err(|_| malformed("head is not UTF-8"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
