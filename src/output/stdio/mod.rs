//! Writing to stdout and stderr without ever waiting for who reads them. A log
//! driver that stalls leaves a full pipe behind, and a blocking write to it
//! would stop the one thread that samples.
//!
//! `O_NONBLOCK` is no way: it belongs to the open file, which the process may
//! share with its parent and with its other stream. So a stream is asked before
//! each write whether there is room, and gets no more at once than a pipe with
//! room takes. What does not fit waits in a [`LineQueue`].

mod queue;

use std::{
    io::{self, IsTerminal, Write},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
};

pub use self::queue::{LineQueue, QueueFigures};

/// What goes into a pipe at once when it says that it has room: a page, which
/// is also how much of one writer's stays together (`PIPE_BUF`).
pub const WRITE_BYTES_MAX: usize = 4096;

/// Asking for room and using it are one step: stdout and stderr may be the same
/// pipe, and lines of the log come from the HTTP client's thread too.
static ROOM: Mutex<()> = Mutex::new(());

/// A stream that takes what there is room for.
#[derive(Debug)]
pub struct Stream<F> {
    shared: F,
    /// A terminal, opened once more for ourselves: one that says it has room
    /// may have less than is written, so here `O_NONBLOCK` is needed.
    own: Option<OwnedFd>,
}

impl<F: AsFd> Stream<F> {
    /// Writes to `shared`, of which no flag is changed. A pipe must have no
    /// other writer than this process, or that one could take the room between
    /// question and write.
    pub fn new(shared: F) -> Self {
        let own = shared.as_fd().is_terminal().then(|| reopen(shared.as_fd())).flatten();
        Self { shared, own }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.own.as_ref().map_or_else(|| self.shared.as_fd(), AsFd::as_fd)
    }

    /// Waits until there is room, or until `timeout` is over. `true`: there is.
    pub fn wait(&self, timeout: Duration) -> bool {
        let timeout = Timespec::try_from(timeout).unwrap_or_default();
        let mut fds = [PollFd::from_borrowed_fd(self.fd(), PollFlags::OUT)];
        // Errors and a reader that is gone count as room: the write tells.
        poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
    }
}

impl<F: AsFd> Write for Stream<F> {
    /// Writes the beginning of `bytes`, at most [`WRITE_BYTES_MAX`].
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where there is no room; else what the
    /// system says, [`io::ErrorKind::BrokenPipe`] for a reader that is gone.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _room = ROOM.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.wait(Duration::ZERO) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        Ok(rustix::io::write(self.fd(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal behind `fd`, by way of a name that needs no path to it. `None`
/// without `/proc` or the permission.
fn reopen(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(name, flags, Mode::empty()).ok()
}

#[cfg(test)]
mod tests;
