//! Responses as bytes, whole and in pieces, good and bad. No sockets.

use super::*;

const LIMIT: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
struct Whole {
    status: u16,
    body: Vec<u8>,
    keeps_alive: bool,
}

/// Feeds `bytes` in pieces of `piece` and then the end of the connection.
fn read(bytes: &[u8], piece: usize) -> Result<Whole, ResponseError> {
    let mut reader = ResponseReader::new(LIMIT);
    let mut done = false;
    for bytes in bytes.chunks(piece) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let spare = reader.spare();
            let count = bytes.len().min(spare.len());
            spare[..count].copy_from_slice(&bytes[..count]);
            done = reader.advance(count)? == Progress::Done;
            bytes = &bytes[count..];
        }
    }
    let keeps_alive = reader.keeps_alive();
    if !done {
        reader.end()?;
    }
    Ok(Whole { status: reader.status(), body: reader.body().to_vec(), keeps_alive })
}

fn in_any_pieces(bytes: &[u8]) -> Result<Whole, ResponseError> {
    let at_once = read(bytes, usize::MAX);
    for piece in [1, 2, 3, 7, 16] {
        assert_eq!(read(bytes, piece), at_once, "in pieces of {piece}");
    }
    at_once
}

#[test]
fn every_framing_gives_its_body() {
    for (response, status, body, keeps_alive) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, "", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            200,
            "hello",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n1;a=b\r\nl\r\n002\r\nlo\r\n0\r\nX: y\r\n\r\n",
            200,
            "hello",
            true,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false),
        ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n\"x\"",
            404,
            "\"x\"",
            true,
        ),
    ] {
        let expected = Whole { status, body: body.into(), keeps_alive };
        assert_eq!(in_any_pieces(response.as_bytes()), Ok(expected), "{response}");
    }
}

#[test]
fn bytes_after_the_response_end_the_connections_use() {
    let whole = in_any_pieces(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1").unwrap();
    assert_eq!(whole, Whole { status: 200, body: b"hi".to_vec(), keeps_alive: false });
}

#[test]
fn what_is_not_a_response_is_an_error() {
    use ResponseError::{Chunk, Framing, Head, TooLarge, Truncated};
    let chunked =
        |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    for (response, error) in [
        (String::new(), Truncated),
        ("HTTP/1.1 200 OK\r\n".into(), Truncated),
        ("SSH-2.0-OpenSSH\r\n\r\n".into(), Head),
        ("HTTP/1.1 101 Switching\r\n\r\n".into(), Head),
        (format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(HEAD_LIMIT)), Head),
        ("HTTP/1.1 100 Continue\r\n\r\n".repeat(HEAD_LIMIT / 16), Head),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell".into(), Truncated),
        ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".into(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n".into(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n".into(), Framing),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            Framing,
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n".into(), Framing),
        ("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n".into(), TooLarge(LIMIT)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".into(), Framing),
        (format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(LIMIT + 1)), TooLarge(LIMIT)),
        (chunked(&"1000\r\n".replace("1000", "fffffffffffffff1")), Truncated),
        (chunked(&format!("20000\r\n{}", "x".repeat(0x20000))), TooLarge(LIMIT)),
        (chunked("5\r\nhello"), Truncated),
        (chunked("5\r\nhello\r\n"), Truncated),
        (chunked("5\r\nhello\r\n0\r\n"), Truncated),
        (chunked("5\r\nhelloo\r\n"), Chunk),
        (chunked("x\r\n"), Chunk),
        (chunked("\r\n"), Chunk),
        (chunked(&format!("0\r\nX: {}", "y".repeat(LINE_LIMIT))), Chunk),
    ] {
        let outcome = in_any_pieces(response.as_bytes());
        assert_eq!(outcome, Err(error), "{}", &response[..response.len().min(80)]);
    }
}

#[test]
fn many_small_chunks_need_no_more_memory_than_their_body() {
    let mut reader = ResponseReader::new(LIMIT);
    let mut feed = |bytes: &[u8]| {
        reader.spare()[..bytes.len()].copy_from_slice(bytes);
        reader.advance(bytes.len()).unwrap()
    };
    feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..LIMIT / 32 {
        feed(b"20;padding=padding\r\n01234567890123456789012345678901\r\n");
    }
    assert_eq!(feed(b"0\r\n\r\n"), Progress::Done);
    assert_eq!(reader.body().len(), LIMIT);
    assert!(reader.buffer.len() <= 2 * (LIMIT + SPARE), "{}", reader.buffer.len());
}

/// Feeds `start` and then `repeated` until the reader has enough of it; gives how
/// many bytes it took.
fn read_endless(start: &str, repeated: &str) -> (ResponseError, usize) {
    let mut reader = ResponseReader::new(LIMIT);
    let (mut piece, mut fed) = (start.as_bytes(), 0);
    loop {
        assert!(fed < 100 * LIMIT, "{repeated:?} goes on");
        if piece.is_empty() {
            piece = repeated.as_bytes();
        }
        let spare = reader.spare();
        let count = spare.len().min(piece.len());
        spare[..count].copy_from_slice(&piece[..count]);
        piece = &piece[count..];
        fed += count;
        match reader.advance(count) {
            Ok(Progress::More) => {}
            Ok(Progress::Done) => panic!("{repeated:?} came to an end"),
            Err(error) => return (error, fed),
        }
    }
}

#[test]
fn response_that_never_ends_is_an_error_after_a_bounded_number_of_bytes() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long_line = format!("X: {}\r\n", "y".repeat(1000));
    let long_chunk = format!("1;{}\r\nx\r\n", "y".repeat(1000));
    let trailers = format!("{chunked}0\r\n");
    for (start, repeated, error) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n", ResponseError::Head),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n", ResponseError::Head),
        ("HTTP/1.1 200 OK\r\nX: ", "y", ResponseError::Head),
        (&trailers, "X: y\r\n", ResponseError::Framed),
        (&trailers, "X\n", ResponseError::Framed),
        (&trailers, &long_line, ResponseError::Framed),
        (&trailers, "y", ResponseError::Chunk),
        (chunked, "1\r\nx\r\n", ResponseError::Framed),
        (chunked, "001\r\nx\r\n", ResponseError::Framed),
        (chunked, "1;a=b\r\nx\r\n", ResponseError::Framed),
        (chunked, &long_chunk, ResponseError::Framed),
        (chunked, "0", ResponseError::Chunk),
        (chunked, "8\r\n12345678\r\n", ResponseError::TooLarge(LIMIT)),
        ("HTTP/1.1 200 OK\r\n\r\n", "x", ResponseError::TooLarge(LIMIT)),
    ] {
        let (outcome, fed) = read_endless(start, repeated);
        assert_eq!(outcome, error, "{repeated:?}");
        assert!(fed <= FRAMING_LIMIT + 3 * LIMIT, "{repeated:?}: {fed} bytes");
    }
}

#[test]
fn limits_leave_room_for_every_answer_of_an_agent() {
    // Two headers a line of the agent's, its chunks of 2 kB or less, and a proxy
    // that makes chunks of 16 bytes of the longest body.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
        X-Rate-Limit-Duration: 1\r\nX-Rate-Limit-Limit: 40.00\r\n\
        Date: Fri, 27 Nov 2026 10:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunk in [2048, 512, 64, 16] {
        let line = format!("{chunk:x}\r\n{}\r\n", "x".repeat(chunk));
        let response = format!("{head}{}0\r\n\r\n", line.repeat(LIMIT / chunk));
        assert_eq!(read(response.as_bytes(), 1000).unwrap().body.len(), LIMIT, "{chunk}");
    }
    // A body of the usual length, byte by byte.
    let response = format!("{head}{}0\r\n\r\n", "1\r\nx\r\n".repeat(8 * 1024));
    assert_eq!(read(response.as_bytes(), 1000).unwrap().body.len(), 8 * 1024);
}

#[test]
fn the_next_response_starts_clean() {
    let mut reader = ResponseReader::new(LIMIT);
    for (response, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "hi"),
    ] {
        reader.reset();
        assert!(reader.is_empty());
        reader.spare()[..response.len()].copy_from_slice(response.as_bytes());
        assert_eq!(reader.advance(response.len()), Ok(Progress::Done));
        assert_eq!(reader.body(), body.as_bytes());
    }
}
