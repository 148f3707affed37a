//! An HTTP/1.1 response, put together from whatever pieces the socket gives.
//! It does no I/O: the caller reads into [`ResponseReader::spare`] and says how
//! much with [`ResponseReader::advance`]. A chunked body is decoded in place,
//! so that the parser gets one contiguous slice and nothing is copied twice. Every
//! byte of a response counts against a limit, so that one which never ends is an
//! error soon.

use std::fmt;

/// The longest head that is read, interim ones (`100 Continue`) included. The
/// agent's is about 150 bytes.
const HEAD_LIMIT: usize = 16 * 1024;
/// The longest line with a chunk's size, and the longest trailer.
const LINE_LIMIT: usize = 1024;
/// The most that a response may have besides the bytes of its body and as many
/// again: heads, sizes of chunks and their extensions, trailers. A chunk of the agent
/// has some 2000 bytes and 8 bytes around them. Each element has its own limit, but
/// a response can have any number of them.
const FRAMING_LIMIT: usize = 64 * 1024;
/// How many headers a head may have.
const HEADERS: usize = 32;
/// Room offered for each read.
const SPARE: usize = 4 * 1024;

/// Why a response could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// The head is not HTTP/1, or is too long.
    Head,
    /// `Content-Length` or `Transfer-Encoding` make no sense.
    Framing,
    /// A chunk's size, or what follows it, makes no sense.
    Chunk,
    /// The body is longer than this many bytes.
    TooLarge(usize),
    /// What is not body is longer than a response has reason for.
    Framed,
    /// The connection ended inside the response.
    Truncated,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("the response's head is not HTTP/1.1"),
            Self::Framing => {
                f.write_str("the response's Content-Length or Transfer-Encoding is invalid")
            }
            Self::Chunk => f.write_str("the response's chunked encoding is invalid"),
            Self::TooLarge(limit) => {
                write!(f, "the response's body is over the limit of {limit} bytes")
            }
            Self::Framed => f.write_str(
                "the response has far more bytes in headers, chunk lines and trailers than in \
                 its body",
            ),
            Self::Truncated => f.write_str("the connection ended inside the response"),
        }
    }
}

impl std::error::Error for ResponseError {}

/// Whether the response is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Read on.
    More,
    /// The status, the body and [`ResponseReader::keeps_alive`] are final.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    /// This many bytes of the body are still to come.
    Length(usize),
    UntilClose,
    ChunkSize,
    /// This many bytes of the chunk are still to come.
    ChunkData(usize),
    ChunkEnd,
    Trailer,
    Done,
}

/// One response after another, in one buffer that is kept.
#[derive(Debug)]
pub struct ResponseReader {
    buffer: Vec<u8>,
    body_limit: usize,
    state: Part,
    /// Decoded bytes of this response that are not body.
    framing: usize,
    /// Bytes of `buffer` that hold something received.
    filled: usize,
    /// Where the next undecoded byte is. Between it and `body_end` lies what
    /// decoding has left over: nothing that is needed.
    position: usize,
    body_start: usize,
    body_end: usize,
    status: u16,
    keep_alive: bool,
}

impl ResponseReader {
    /// A reader whose bodies end with an error at `body_limit` bytes.
    #[must_use]
    pub fn new(body_limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            body_limit,
            state: Part::Head,
            framing: 0,
            filled: 0,
            position: 0,
            body_start: 0,
            body_end: 0,
            status: 0,
            keep_alive: false,
        }
    }

    /// Forgets the last response; its memory stays.
    pub fn reset(&mut self) {
        self.state = Part::Head;
        self.framing = 0;
        self.filled = 0;
        self.position = 0;
        self.body_start = 0;
        self.body_end = 0;
        self.status = 0;
        self.keep_alive = false;
    }

    /// Whether anything of a response has arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Where to read to: never empty. The buffer grows with what arrives, so an
    /// announced length alone costs no memory.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.filled < SPARE {
            self.buffer.resize((self.buffer.len() * 2).max(self.filled + SPARE), 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// Takes in the first `count` bytes of [`Self::spare`].
    ///
    /// # Errors
    ///
    /// [`ResponseError`] at the first byte that cannot belong to a response
    /// that this reader takes; the connection is of no more use then.
    ///
    /// # Panics
    ///
    /// If `count` is more than `spare` had.
    pub fn advance(&mut self, count: usize) -> Result<Progress, ResponseError> {
        assert!(count <= self.buffer.len() - self.filled, "advanced past the spare bytes");
        self.filled += count;
        while self.step()? {}
        self.close_gap();
        Ok(if self.state == Part::Done { Progress::Done } else { Progress::More })
    }

    /// The connection has ended.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Truncated`] unless the end is what completes the body.
    pub fn end(&mut self) -> Result<(), ResponseError> {
        match self.state {
            Part::UntilClose | Part::Done => {
                self.state = Part::Done;
                self.keep_alive = false;
                Ok(())
            }
            _ => Err(ResponseError::Truncated),
        }
    }

    /// The status code, once [`Progress::Done`].
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection can carry another request.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive && self.state == Part::Done && self.position == self.filled
    }

    /// The decoded body, to be scribbled over by a parser.
    #[must_use]
    pub fn body(&mut self) -> &mut [u8] {
        &mut self.buffer[self.body_start..self.body_end]
    }

    /// Decodes one element; `false` when it needs more bytes, or none.
    fn step(&mut self) -> Result<bool, ResponseError> {
        match self.state {
            Part::Head => self.read_head(),
            Part::Length(remaining) => {
                let taken = self.take_body(remaining)?;
                self.state =
                    if taken == remaining { Part::Done } else { Part::Length(remaining - taken) };
                Ok(false)
            }
            Part::UntilClose => {
                self.take_body(usize::MAX)?;
                Ok(false)
            }
            Part::ChunkSize => self.read_chunk_size(),
            Part::ChunkData(remaining) => {
                let taken = self.take_body(remaining)?;
                self.state = if taken == remaining {
                    Part::ChunkEnd
                } else {
                    Part::ChunkData(remaining - taken)
                };
                Ok(taken > 0)
            }
            Part::ChunkEnd => match self.undecoded() {
                [b'\r', b'\n', ..] => {
                    self.take_framing(2)?;
                    self.state = Part::ChunkSize;
                    Ok(true)
                }
                [] | [b'\r'] => Ok(false),
                _ => Err(ResponseError::Chunk),
            },
            Part::Trailer => self.skip_trailer_line(),
            Part::Done => Ok(false),
        }
    }

    fn undecoded(&self) -> &[u8] {
        &self.buffer[self.position..self.filled]
    }

    /// Takes `count` undecoded bytes that are not body.
    fn take_framing(&mut self, count: usize) -> Result<(), ResponseError> {
        self.position += count;
        self.framing += count;
        let body = self.body_end - self.body_start;
        if self.framing > FRAMING_LIMIT + body { Err(ResponseError::Framed) } else { Ok(()) }
    }

    /// Moves up to `max` undecoded bytes to the end of the body.
    fn take_body(&mut self, max: usize) -> Result<usize, ResponseError> {
        let count = max.min(self.filled - self.position);
        if self.body_end - self.body_start + count > self.body_limit {
            return Err(ResponseError::TooLarge(self.body_limit));
        }
        if self.position != self.body_end {
            self.buffer.copy_within(self.position..self.position + count, self.body_end);
        }
        self.position += count;
        self.body_end += count;
        Ok(count)
    }

    /// Moves what is not decoded yet (at most part of a chunk's size) down
    /// to the body, so that chunk headers never add up.
    fn close_gap(&mut self) {
        if matches!(self.state, Part::Head) || self.position == self.body_end {
            return;
        }
        self.buffer.copy_within(self.position..self.filled, self.body_end);
        self.filled -= self.position - self.body_end;
        self.position = self.body_end;
    }

    fn read_head(&mut self) -> Result<bool, ResponseError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let undecoded = &self.buffer[self.position..self.filled];
        let length = match head.parse(undecoded) {
            Ok(httparse::Status::Complete(length)) if self.position + length <= HEAD_LIMIT => {
                length
            }
            Ok(httparse::Status::Partial) if self.filled <= HEAD_LIMIT => return Ok(false),
            _ => return Err(ResponseError::Head),
        };
        let status = head.code.ok_or(ResponseError::Head)?;
        let framing = framing(status, head.headers)?;
        self.keep_alive = keeps_alive(head.version, head.headers);
        self.status = status;
        self.take_framing(length)?;
        // 100 and its like announce the real head; 101 was not asked for.
        if status < 200 {
            return if status == 101 { Err(ResponseError::Head) } else { Ok(true) };
        }
        if let Part::Length(length) = framing
            && length > self.body_limit
        {
            return Err(ResponseError::TooLarge(self.body_limit));
        }
        self.body_start = self.position;
        self.body_end = self.position;
        self.state = framing;
        Ok(true)
    }

    fn read_chunk_size(&mut self) -> Result<bool, ResponseError> {
        let undecoded = self.undecoded();
        // httparse takes an empty line for a size of 0.
        if undecoded.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(ResponseError::Chunk);
        }
        match httparse::parse_chunk_size(undecoded) {
            Ok(httparse::Status::Complete((length, size))) if length <= LINE_LIMIT => {
                self.take_framing(length)?;
                self.state = match usize::try_from(size) {
                    Ok(0) => Part::Trailer,
                    Ok(size) => Part::ChunkData(size),
                    Err(_) => return Err(ResponseError::TooLarge(self.body_limit)),
                };
                Ok(true)
            }
            Ok(httparse::Status::Partial) if undecoded.len() <= LINE_LIMIT => Ok(false),
            _ => Err(ResponseError::Chunk),
        }
    }

    /// Trailers are allowed and mean nothing to us; an empty line ends them.
    fn skip_trailer_line(&mut self) -> Result<bool, ResponseError> {
        let undecoded = self.undecoded();
        match undecoded.iter().position(|&byte| byte == b'\n') {
            Some(end) if end <= LINE_LIMIT => {
                let is_last = matches!(&undecoded[..end], [] | [b'\r']);
                self.take_framing(end + 1)?;
                if is_last {
                    self.state = Part::Done;
                }
                Ok(!is_last)
            }
            None if undecoded.len() <= LINE_LIMIT => Ok(false),
            _ => Err(ResponseError::Chunk),
        }
    }
}

/// How the body ends, by RFC 9112, section 6.3. Both headers at once is how
/// responses are smuggled: refused.
fn framing(status: u16, headers: &[httparse::Header<'_>]) -> Result<Part, ResponseError> {
    let mut length = None;
    let mut is_chunked = false;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = decimal(header.value).ok_or(ResponseError::Framing)?;
            if length.is_some_and(|earlier| earlier != value) {
                return Err(ResponseError::Framing);
            }
            length = Some(value);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") || is_chunked {
                return Err(ResponseError::Framing);
            }
            is_chunked = true;
        }
    }
    match (status, is_chunked, length) {
        (_, true, Some(_)) => Err(ResponseError::Framing),
        (204 | 304, ..) => Ok(Part::Length(0)),
        (_, true, None) => Ok(Part::ChunkSize),
        (_, false, Some(length)) => Ok(Part::Length(length)),
        (_, false, None) => Ok(Part::UntilClose),
    }
}

fn decimal(text: &[u8]) -> Option<usize> {
    let text = text.trim_ascii();
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn keeps_alive(version: Option<u8>, headers: &[httparse::Header<'_>]) -> bool {
    let connection_has = |option: &str| {
        headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("connection"))
            .flat_map(|header| header.value.split(|&byte| byte == b','))
            .any(|value| value.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    version == Some(1) && !connection_has("close")
}

#[cfg(test)]
mod tests;
