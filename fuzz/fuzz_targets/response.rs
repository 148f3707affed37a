//! HTTP responses: how the bytes are cut into pieces must not matter, what was
//! written in any framing is what is read, and no response, however long it goes
//! on, takes more memory than a head and a body or is read past a limit.

#![no_main]

use std::io::Write as _;

use esp::endpoint::response::{Progress, ResponseError, ResponseReader};
use libfuzzer_sys::fuzz_target;

/// Small, so that inputs of ordinary length reach it.
const BODY_LIMIT: usize = 2 * 1024;

/// What a reader may hold: the head (16 kB), the body, a line of the chunked
/// encoding (1 kB) and the room that it offers (4 kB), twice over because its
/// buffer grows by doubling.
const MEMORY_LIMIT: usize = 2 * (16 * 1024 + BODY_LIMIT + 1024 + 4 * 1024);

/// What a response may have besides its body and as many bytes again.
const FRAMING_LIMIT: usize = 64 * 1024;

/// The most that is taken of any response: its framing, its body, as much framing
/// again as it has body, and the room for one read. An endless response has to be an
/// error by then. Pieces of it have at least `PIECE` bytes.
const ENDLESS: usize = FRAMING_LIMIT + 2 * BODY_LIMIT + MEMORY_LIMIT;
const PIECE: usize = 4096;

/// The bits of the first byte that say so.
const ENDLESS_MASK: u8 = 0b1_1000;

/// After so many chunks the rest is one more.
const CHUNKS_MAX: usize = 64;

#[derive(Debug, PartialEq, Eq)]
struct Whole {
    status: u16,
    body: Vec<u8>,
    keeps_alive: bool,
}

fuzz_target!(|data: &[u8]| {
    // The first byte counts the bytes after it that are sizes of pieces, and says
    // whether to try what never ends, which takes far longer than the rest.
    let Some((&count, rest)) = data.split_first() else { return };
    let (sizes, response) = rest.split_at(usize::from(count % 8).min(rest.len()));
    esp_fuzz::run(|| {
        let mut reader = ResponseReader::new(BODY_LIMIT);
        let at_once = read(&mut reader, response, &[]);
        if let Err(error) = at_once {
            assert!(error.to_string().starts_with("the "));
        }
        reader.reset();
        assert_eq!(read(&mut reader, response, sizes), at_once, "in pieces of {sizes:?}");
        round_trip(&mut reader, response, sizes);

        if count & ENDLESS_MASK != 0 {
            return;
        }
        // All of it over and over, and then only what follows the first bytes,
        // so that a head stands once and its chunks go on for ever.
        read_endless(&[], response);
        let start = sizes.last().map_or(0, |&size| usize::from(size).min(response.len()));
        let (start, repeated) = response.split_at(start);
        read_endless(start, repeated);
    });
});

/// The input as a body, in each of the three framings: what was written is read.
fn round_trip(reader: &mut ResponseReader, body: &[u8], sizes: &[u8]) {
    let mut chunked = b"HTTP/1.1 203 Fine\r\ntransfer-encoding: CHUNKED\r\n\r\n".to_vec();
    let mut rest = body;
    for size in sizes.iter().map(|&size| usize::from(size).max(1)).cycle().take(CHUNKS_MAX) {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        if chunk.is_empty() {
            break;
        }
        write!(chunked, "{:x};a=\"b\"\r\n", chunk.len()).unwrap();
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
        rest = after;
    }
    if !rest.is_empty() {
        write!(chunked, "{:04X}\r\n", rest.len()).unwrap();
        chunked.extend_from_slice(rest);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\nA: b\r\n\r\n");

    let length = format!("HTTP/1.1 203 Fine\r\nContent-Length: {}\r\n\r\n", body.len());
    let length = [length.as_bytes(), body].concat();
    let until_close = [b"HTTP/1.1 203 Fine\r\n\r\n", body].concat();
    for (response, keeps_alive) in [(chunked, true), (length, true), (until_close, false)] {
        reader.reset();
        let expected = if body.len() > BODY_LIMIT {
            Err(ResponseError::TooLarge(BODY_LIMIT))
        } else {
            Ok(Whole { status: 203, body: body.to_vec(), keeps_alive })
        };
        assert_eq!(read(reader, &response, sizes), expected);
    }
}

/// Feeds `response` in pieces of `sizes` over and over, or in the largest that
/// the reader takes, and then the end of the connection.
fn read(
    reader: &mut ResponseReader,
    mut response: &[u8],
    sizes: &[u8],
) -> Result<Whole, ResponseError> {
    let mut sizes = sizes.iter().map(|&size| usize::from(size).max(1)).cycle();
    let mut done = false;
    while !response.is_empty() {
        let spare = reader.spare();
        assert!(!spare.is_empty());
        let count = sizes.next().unwrap_or(usize::MAX).min(spare.len()).min(response.len());
        spare[..count].copy_from_slice(&response[..count]);
        response = &response[count..];
        done = reader.advance(count)? == Progress::Done;
        assert!(reader.body().len() <= BODY_LIMIT);
        assert!(!reader.is_empty());
    }
    let keeps_alive = reader.keeps_alive();
    if !done {
        reader.end()?;
    }
    Ok(Whole { status: reader.status(), body: reader.body().to_vec(), keeps_alive })
}

/// Feeds `start` and then `repeated` for as long as the reader asks for more,
/// and looks at the room that it offers: no more than it has.
fn read_endless(start: &[u8], repeated: &[u8]) {
    if repeated.is_empty() {
        return;
    }
    let repeated = repeated.repeat(PIECE.div_ceil(repeated.len()));
    let mut reader = ResponseReader::new(BODY_LIMIT);
    let mut piece = start;
    let mut fed = 0;
    loop {
        assert!(fed <= ENDLESS, "still not enough after {fed} bytes");
        if piece.is_empty() {
            piece = &repeated;
        }
        let spare = reader.spare();
        assert!(spare.len() <= MEMORY_LIMIT, "{} bytes of room", spare.len());
        let count = spare.len().min(piece.len());
        spare[..count].copy_from_slice(&piece[..count]);
        piece = &piece[count..];
        fed += count;
        match reader.advance(count) {
            Ok(Progress::More) => assert!(reader.body().len() <= BODY_LIMIT),
            Ok(Progress::Done) | Err(_) => return,
        }
    }
}
