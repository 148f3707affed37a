//! How the sidecar's thread waits: for the nearest of a few moments, for the one
//! socket to the metadata endpoint and for whoever wakes it, all in one call of
//! poll(2). A reactor on a thread of its own would be woken for each of these and
//! wake this thread in turn: three context switches and a dozen system calls more
//! for each sample, which is most of what a sample costs.
//!
//! What happens once in ten seconds or more is left to async-io, whose thread
//! wakes this one like any other: connecting, signals, the SDK's timers.

use std::{
    cell::RefCell,
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use smol::io::{AsyncRead, AsyncWrite};

/// What this thread waits for, and the waiting.
#[derive(Debug)]
pub struct Waiting {
    awakening: Arc<Awakening>,
    /// The other end of what `awakening` writes to.
    awakened: UnixStream,
    /// By the number of their [`Wakeup`].
    slots: RefCell<Vec<Slot>>,
    interest: RefCell<Option<Interest>>,
}

/// Wakes the thread, from any thread.
#[derive(Debug)]
struct Awakening {
    state: AtomicU8,
    sender: UnixStream,
}

/// The thread runs.
const AWAKE: u8 = 0;
/// It waits, or is about to: a byte wakes it.
const ASLEEP: u8 = 1;
/// It is not to wait.
const WOKEN: u8 = 2;

/// The place of one [`Wakeup`].
#[derive(Debug, Default)]
struct Slot {
    is_taken: bool,
    set: Option<(Instant, Waker)>,
}

/// The socket is waited for, to be readable or writable.
#[derive(Debug)]
struct Interest {
    stream: Rc<TcpStream>,
    flags: PollFlags,
    waker: Waker,
}

impl Waiting {
    /// Nothing is waited for yet.
    ///
    /// # Errors
    ///
    /// Where the system has no two file descriptors left.
    pub fn new() -> io::Result<Rc<Self>> {
        let (sender, awakened) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        awakened.set_nonblocking(true)?;
        Ok(Rc::new(Self {
            awakening: Arc::new(Awakening { state: AtomicU8::new(AWAKE), sender }),
            awakened,
            slots: RefCell::default(),
            interest: RefCell::default(),
        }))
    }

    /// Runs `future` to its end on this thread. Only here do [`Wakeup`]s and
    /// [`Socket`]s of this `Waiting` come to life.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let waker = Waker::from(Arc::clone(&self.awakening));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            // Before the future is asked: what wakes it from here on is news.
            self.awakening.state.swap(AWAKE, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.wait();
            self.ring(Instant::now());
        }
    }

    /// Waits for anything at all, unless something has come already.
    fn wait(&self) {
        let state = &self.awakening.state;
        if state.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return;
        }
        let timeout = self.next_due().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            // One of centuries is no different from one of years.
            Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::from(u32::MAX), tv_nsec: 0 })
        });
        let (is_awakened, is_ready) = {
            let interest = self.interest.borrow();
            let awakened = PollFd::new(&self.awakened, PollFlags::IN);
            let mut both = match &*interest {
                Some(interest) => [awakened, PollFd::new(&interest.stream, interest.flags)],
                None => [awakened.clone(), awakened],
            };
            let count = 1 + usize::from(interest.is_some());
            match poll(&mut both[..count], timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // The kernel is out of memory: not to be asked in a hurry.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
            let [is_awakened, is_ready] = both.map(|fd| !fd.revents().is_empty());
            (is_awakened, is_ready && count > 1)
        };
        // From here on nobody has to send a byte.
        state.swap(AWAKE, Ordering::SeqCst);
        if is_awakened {
            // All of it, although there is never more than a byte or two.
            let _ = (&self.awakened).read(&mut [0; 16]);
        }
        if is_ready && let Some(interest) = self.interest.take() {
            interest.waker.wake();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let slots = self.slots.borrow();
        slots.iter().filter_map(|slot| slot.set.as_ref()).map(|(at, _)| *at).min()
    }

    /// Wakes those whose moment has come, one by one: whom it wakes may set
    /// timers.
    fn ring(&self, now: Instant) {
        let next = || {
            let mut slots = self.slots.borrow_mut();
            let is_due = |slot: &&mut Slot| slot.set.as_ref().is_some_and(|(at, _)| *at <= now);
            slots.iter_mut().find(is_due)?.set.take()
        };
        while let Some((_, waker)) = next() {
            waker.wake();
        }
    }
}

impl Wake for Awakening {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == ASLEEP {
            // It cannot be full: a byte goes in for each time of waiting.
            let _ = (&self.sender).write(&[1]);
        }
    }
}

/// One timer for one task, to be set again and again. Setting it costs nothing.
#[derive(Debug)]
pub struct Wakeup {
    waiting: Rc<Waiting>,
    number: usize,
}

impl Wakeup {
    /// A timer that is not set.
    #[must_use]
    pub fn new(waiting: Rc<Waiting>) -> Self {
        let number = {
            let mut slots = waiting.slots.borrow_mut();
            let free = slots.iter().position(|slot| !slot.is_taken);
            free.unwrap_or_else(|| {
                slots.push(Slot::default());
                slots.len() - 1
            })
        };
        waiting.slots.borrow_mut()[number] = Slot { is_taken: true, set: None };
        Self { waiting, number }
    }

    /// Waits until `at`. Dropped before, it may still wake its task once.
    pub async fn until(&mut self, at: Instant) {
        std::future::poll_fn(|context| {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            let set = (at, context.waker().clone());
            let earlier = self.waiting.slots.borrow_mut()[self.number].set.replace(set);
            // Not before the slots are free: with a waker its task may go.
            drop(earlier);
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        let slot = std::mem::take(&mut self.waiting.slots.borrow_mut()[self.number]);
        drop(slot);
    }
}

/// How long an answer is waited for in the read itself, or up to a tick of the
/// kernel longer. The endpoint answers out of its memory, within a millisecond;
/// whoever else runs on this thread can wait so long, and is not woken for it.
/// Where the endpoint is slow, each request of a poll keeps them waiting so long.
const ANSWER_AT_ONCE: Duration = Duration::from_millis(10);

/// A connection that is waited for by this thread. A `Waiting` has one at a time.
#[derive(Debug)]
pub struct Socket {
    stream: Rc<TcpStream>,
    waiting: Rc<Waiting>,
    /// Something was sent and nothing received since.
    expects_answer: bool,
}

impl Socket {
    /// Takes `stream`, in whatever mode it is.
    ///
    /// # Errors
    ///
    /// Where the system refuses to change the mode.
    pub fn new(stream: TcpStream, waiting: Rc<Waiting>) -> io::Result<Self> {
        // All but the first read of an answer says of itself that it is not to
        // block.
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(ANSWER_AT_ONCE))?;
        Ok(Self { stream: Rc::new(stream), waiting, expects_answer: false })
    }

    /// Runs `operation`, or has the task woken when it is worth a try.
    fn try_io<T>(
        &self,
        context: &Context<'_>,
        flags: PollFlags,
        mut operation: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match operation(&self.stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait_for(flags, context);
                    return Poll::Pending;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    fn wait_for(&self, flags: PollFlags, context: &Context<'_>) {
        let (stream, waker) = (Rc::clone(&self.stream), context.waker().clone());
        self.waiting.interest.replace(Some(Interest { stream, flags, waker }));
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let is_first = std::mem::take(&mut self.expects_answer);
        let flags = if is_first { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        self.try_io(context, PollFlags::IN, |stream| {
            let (received, _) = recv(stream, &mut *buffer, flags)?;
            Ok(received)
        })
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.expects_answer = true;
        // A connection that is gone is an error here and no SIGPIPE: a Rust program
        // ignores that one from its start.
        self.try_io(context, PollFlags::OUT, |stream| Ok(send(stream, bytes, SendFlags::DONTWAIT)?))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown(std::net::Shutdown::Write))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It would be kept open, and found ready again and again.
        self.waiting.interest.take();
    }
}

#[cfg(test)]
mod tests;
