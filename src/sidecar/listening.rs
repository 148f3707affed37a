//! The socket on which `esp health` asks. It costs nothing while nobody does.
//!
//! Nobody who connects can hold it up. A caller is dealt with at once: its answer
//! goes into the socket's buffer, and the connection is closed without waiting for
//! the other side. All callers that wait are dealt with in one go, so however many
//! connect, the next one is not far behind. How many are dealt with in a second is
//! bounded all the same, since each takes time from this thread, which samples.

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
        io::{self, ErrorKind},
        os::{
            linux::net::SocketAddrExt as _,
            unix::net::{SocketAddr, UnixListener, UnixStream},
        },
        time::Duration,
    };

    use async_io::{Async, Timer};
    use rustix::net::{SendFlags, listen, send};

    use crate::{
        health::peer::{own_uid, peer},
        report,
    };

    /// Between two tries to bind the socket: another `esp` in the container may
    /// be about to end.
    const BIND_PAUSE: Duration = Duration::from_secs(10);
    /// How many callers are dealt with in one go.
    const CALLERS_PER_TURN: usize = 32;
    /// Between one turn and the next: at most 3,200 callers are dealt with in a
    /// second, however many there are.
    const TURN_PAUSE: Duration = Duration::from_millis(10);
    /// How many callers may wait. `connect` blocks for the others. Those that wait
    /// are dealt with within 80 ms, a small part of the second that `esp health`
    /// has.
    const MAX_WAITING_CALLERS: i32 = 256;
    /// After an error, such as a lack of file descriptors.
    const ERROR_PAUSE: Duration = Duration::from_millis(100);

    /// Tells `line` to each caller on the abstract socket `name` that is of this
    /// process's user and container, for ever.
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
        let own_uid = own_uid();
        loop {
            let turn = match listener.readable().await {
                Ok(()) => answer_waiting(listener.get_ref(), own_uid, &line),
                Err(error) => Err(error),
            };
            Timer::after(if turn.is_ok() { TURN_PAUSE } else { ERROR_PAUSE }).await;
        }
    }

    fn bind(name: &str) -> io::Result<Async<UnixListener>> {
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        // It listens already, with a longer queue. That it can be made shorter is
        // no condition for anything.
        let _ = listen(&listener, MAX_WAITING_CALLERS);
        Async::new(listener)
    }

    /// Deals with the callers that wait, at most [`CALLERS_PER_TURN`] of them.
    fn answer_waiting(
        listener: &UnixListener,
        own_uid: u32,
        line: impl Fn() -> String,
    ) -> io::Result<()> {
        for _ in 0..CALLERS_PER_TURN {
            match listener.accept() {
                Ok((caller, _)) => answer_caller(&caller, own_uid, &line),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn answer_caller(caller: &UnixStream, own_uid: u32, line: impl Fn() -> String) {
        if peer(caller).is_ok_and(|peer| peer.check(own_uid).is_ok()) {
            // The buffer of a new socket has room for a line. A caller that has
            // gone already is no matter.
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let _ = send(caller, line().as_bytes(), flags);
        }
    }
}
