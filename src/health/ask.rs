//! `esp health`: connect, read a line, be done. Blocking, without the SDK, a log
//! or the command line's table: it is started every few seconds.

use std::{fmt, io, io::Read as _, sync::mpsc, time::Duration};

use super::{judgement::HEALTHY, socket_name};
use crate::endpoint::EndpointUri;

/// For the whole conversation.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// A line is shorter; whoever else listens there may say more.
const ANSWER_BYTES_MOST: u64 = 1024;

/// Why there is no verdict.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nobody listens there.
    Nobody(io::Error),
    /// Somebody does and says nothing in time.
    Silent,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(error) => write!(
                f,
                "unhealthy: nobody answers: esp is not running in this container, or has only just \
                 started ({error}); esp health is to be the health check of the container that \
                 runs esp"
            ),
            Self::Silent => write!(
                f,
                "unhealthy: esp has not answered within {} s: it hangs, or the machine is \
                 overloaded",
                TIMEOUT.as_secs()
            ),
        }
    }
}

impl std::error::Error for NoAnswer {}

/// Asks the sidecar with the endpoint at `uri`: whether it is healthy, and its
/// line. Takes [`TIMEOUT`] at the most.
///
/// # Errors
///
/// [`NoAnswer`], which is to be taken as unhealthy.
pub fn ask(uri: &EndpointUri) -> Result<(bool, String), NoAnswer> {
    let (sender, receiver) = mpsc::channel();
    let name = socket_name(uri);
    // A thread, since `connect` too may wait, for a queue that is full, and the
    // socket has no timeout before it is connected. It ends with the process.
    let conversation = std::thread::Builder::new().spawn(move || sender.send(converse(&name)));
    conversation.map_err(NoAnswer::Nobody)?;
    let line = match receiver.recv_timeout(TIMEOUT) {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(NoAnswer::Nobody(error)),
        Err(_) => return Err(NoAnswer::Silent),
    };
    Ok((line.starts_with(HEALTHY), line))
}

#[cfg(target_os = "linux")]
fn converse(name: &str) -> io::Result<String> {
    use std::os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixStream},
    };

    let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    let mut line = Vec::new();
    stream.take(ANSWER_BYTES_MOST).read_to_end(&mut line)?;
    let line = String::from_utf8_lossy(&line);
    let line: String = line.trim_end().chars().filter(|c| !c.is_control()).collect();
    if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
}

#[cfg(not(target_os = "linux"))]
fn converse(_: &str) -> io::Result<String> {
    let _ = ANSWER_BYTES_MOST;
    Err(io::ErrorKind::Unsupported.into())
}
