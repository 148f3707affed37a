//! The socket on which `esp health` asks. It costs nothing while nobody does, and
//! nobody who does can hold it up: a line is written into the socket's buffer and
//! the connection closed, without waiting for the other side.

#[cfg(not(target_os = "linux"))]
pub(super) async fn answer(_: &str, _: impl Fn() -> String) {
    crate::report::no_health("there are no abstract sockets on this system");
    std::future::pending().await
}

#[cfg(target_os = "linux")]
pub(super) use linux::answer;

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io::{self, Write as _},
        os::{
            linux::net::SocketAddrExt as _,
            unix::net::{SocketAddr, UnixListener},
        },
        time::Duration,
    };

    use async_io::{Async, Timer};

    use crate::report;

    /// Between two tries to have the socket: another `esp` in the container may
    /// be about to end.
    const BIND_PAUSE: Duration = Duration::from_secs(10);
    /// After an answer: whoever asks without end costs ten of them a second. A
    /// second one who asks meanwhile waits that long.
    const ANSWER_PAUSE: Duration = Duration::from_millis(100);

    /// Tells `line` to whoever connects to the abstract socket `name`, for ever.
    pub(in crate::sidecar) async fn answer(name: &str, line: impl Fn() -> String) {
        let mut is_said = false;
        let listener = loop {
            match bind(name) {
                Ok(listener) => break listener,
                Err(error) if !is_said => {
                    report::no_health(&error.to_string());
                    is_said = true;
                }
                Err(_) => {}
            }
            Timer::after(BIND_PAUSE).await;
        };
        if is_said {
            report::health_is_back();
        }
        loop {
            if let Ok((client, _)) = listener.accept().await {
                // It does not block, and the buffer of a new socket has room. One
                // who has gone already is no matter.
                let _ = client.get_ref().write_all(line().as_bytes());
            }
            Timer::after(ANSWER_PAUSE).await;
        }
    }

    fn bind(name: &str) -> io::Result<Async<UnixListener>> {
        Async::new(UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?)
    }
}
