//! `esp health`: connect, see who listens, read a line. Blocking, without the SDK,
//! a log or the command line's table: it is started every few seconds.

use std::{fmt, io, sync::mpsc, time::Duration};

use super::{judgement::HEALTHY, peer::Stranger, socket_name};
use crate::endpoint::EndpointUri;

/// For the whole conversation.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no verdict.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nobody listens there.
    Nobody(io::Error),
    /// Somebody listens and says nothing in time.
    Silent,
    /// Somebody listens who is not to be believed, whatever they say.
    Stranger(Stranger),
    /// Somebody listens, and closes the connection without an answer.
    Refused,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unhealthy: ")?;
        match self {
            Self::Nobody(error) => write!(
                f,
                "no answer: esp is not running in this container, or has just started ({error}); \
                 run esp health in the container that runs esp"
            ),
            Self::Silent => write!(
                f,
                "esp has not answered within {} s: esp hangs, or the machine is overloaded",
                TIMEOUT.as_secs()
            ),
            Self::Stranger(stranger) => stranger.fmt(f),
            Self::Refused => f.write_str(
                "esp has closed the connection without an answer: it is stopping, or it runs in \
                 another container; run esp health in the container that runs esp",
            ),
        }
    }
}

impl std::error::Error for NoAnswer {}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        Self::Nobody(error)
    }
}

/// Asks the sidecar with the endpoint at `uri`: whether it is healthy, and its
/// line. Takes at most [`TIMEOUT`].
///
/// # Errors
///
/// [`NoAnswer`], which means unhealthy.
pub fn ask(uri: &EndpointUri) -> Result<(bool, String), NoAnswer> {
    let (sender, receiver) = mpsc::channel();
    let name = socket_name(uri);
    // A thread, since `connect` too may wait, for a queue that is full, and the
    // socket has no timeout before it is connected. It ends with the process.
    std::thread::Builder::new().spawn(move || sender.send(converse(&name)))?;
    let line = receiver.recv_timeout(TIMEOUT).unwrap_or(Err(NoAnswer::Silent))?;
    Ok((line.starts_with(HEALTHY), line))
}

#[cfg(target_os = "linux")]
fn converse(name: &str) -> Result<String, NoAnswer> {
    use std::{
        io::Read as _,
        os::{
            linux::net::SocketAddrExt as _,
            unix::net::{SocketAddr, UnixStream},
        },
    };

    use super::peer::{own_uid, peer};

    /// A line is shorter.
    const MAX_ANSWER_BYTES: u64 = 1024;

    let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    peer(&stream)?.check(own_uid()).map_err(NoAnswer::Stranger)?;
    let mut line = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut line)?;
    let line = String::from_utf8_lossy(&line);
    let line: String = line.trim_end().chars().filter(|c| !c.is_control()).collect();
    if line.is_empty() { Err(NoAnswer::Refused) } else { Ok(line) }
}

#[cfg(not(target_os = "linux"))]
fn converse(_: &str) -> Result<String, NoAnswer> {
    Err(io::Error::from(io::ErrorKind::Unsupported).into())
}
