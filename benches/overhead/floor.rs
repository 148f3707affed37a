//! The floor: what it costs to have the bytes of `/task/stats` each second and
//! to do nothing with them. One thread, blocking calls, one connection, one
//! buffer. No program that polls the endpoint can do much less. And the floor of the
//! kernel: one `pread` of a counter each second.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::FileExt as _,
    thread,
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_secs(1);
/// How a chunked body ends. A real one of three containers always is.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// Polls the endpoint at `uri` until it goes away.
pub(crate) fn run(uri: &str) -> io::Result<()> {
    let (authority, path) = uri
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| io::Error::other(format!("{uri} is not http://HOST:PORT/PATH")))?;
    let request = format!("GET /{path}/task/stats HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let mut stream = TcpStream::connect(authority)?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut next = Instant::now();
    loop {
        stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        while !buffer[..filled].ends_with(LAST_CHUNK) {
            match stream.read(&mut buffer[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        next += INTERVAL;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Reads the counter in `file` each second, for ever.
pub(crate) fn run_kernel(file: &str) -> io::Result<()> {
    let file = File::open(file)?;
    let mut buffer = [0; 4096];
    let mut next = Instant::now();
    loop {
        file.read_at(&mut buffer, 0)?;
        next += INTERVAL;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
