//! HTTP responses: how the bytes are cut into pieces must not matter, and no
//! response, however long it goes on, takes more memory than a head and a body.

#![no_main]

use esp::endpoint::response::{Progress, ResponseError, ResponseReader};
use libfuzzer_sys::fuzz_target;

/// Small, so that inputs of ordinary length reach it.
const BODY_LIMIT: usize = 2 * 1024;

/// What a reader may hold: the head (16 kB), the body, a line of the chunked
/// encoding (1 kB) and the room that it offers (4 kB), twice over because its
/// buffer grows by doubling.
const MEMORY_LIMIT: usize = 2 * (16 * 1024 + BODY_LIMIT + 1024 + 4 * 1024);

/// How much the endless response is made to say, and in what pieces.
const ENDLESS: usize = 2 * MEMORY_LIMIT;
const PIECE: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
struct Whole {
    status: u16,
    body: Vec<u8>,
    keeps_alive: bool,
}

fuzz_target!(|data: &[u8]| {
    // The first byte counts the bytes after it that are sizes of pieces.
    let Some((&count, rest)) = data.split_first() else { return };
    let (sizes, response) = rest.split_at(usize::from(count % 8).min(rest.len()));

    let mut reader = ResponseReader::new(BODY_LIMIT);
    let at_once = read(&mut reader, response, &[]);
    reader.reset();
    assert_eq!(read(&mut reader, response, sizes), at_once, "in pieces of {sizes:?}");

    // All of it over and over, and then only what follows the first bytes, so
    // that a head stands once and its chunks go on for ever.
    read_endless(&[], response);
    let start = sizes.last().map_or(0, |&size| usize::from(size).min(response.len()));
    let (start, repeated) = response.split_at(start);
    read_endless(start, repeated);
});

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
    let mut reader = ResponseReader::new(BODY_LIMIT);
    let mut next = start.iter().chain(repeated.iter().cycle());
    let mut fed = 0;
    while fed < ENDLESS {
        let spare = reader.spare();
        assert!(spare.len() <= MEMORY_LIMIT, "{} bytes of room", spare.len());
        for (to, from) in spare.iter_mut().take(PIECE).zip(&mut next) {
            *to = *from;
        }
        let count = spare.len().min(PIECE);
        fed += count;
        match reader.advance(count) {
            Ok(Progress::More) => assert!(reader.body().len() <= BODY_LIMIT),
            Ok(Progress::Done) | Err(_) => return,
        }
    }
}
