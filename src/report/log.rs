//! Where log lines go and what they look like. What is logged, and when, is
//! decided in the other files of `report`.

use std::{
    io::{self, Write},
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::warn;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{
    output::stdio::{LineQueue, Stream},
    secrets,
    settings::{LogFormat, LogLevel},
};

/// How much of the log waits while stderr is blocked, bytes: about an hour
/// of the minute's line.
const QUEUE_BYTES: usize = 64 * 1024;

/// How long the last lines wait for a blocked stderr.
const LAST_LINES_TIMEOUT: Duration = Duration::from_millis(200);

static LOG: LazyLock<Log> = LazyLock::new(|| Log {
    is_behind: AtomicBool::new(false),
    lines: Mutex::new(Lines::new(QUEUE_BYTES, Stream::new(io::stderr()))),
});

/// Sends the process's log to stderr from here on. A blocked stderr delays
/// nothing but the lines: 64 kB of them wait, then the oldest are dropped and
/// counted. [`tend`] and [`finish`] belong to it.
///
/// Other crates log errors only, whatever the level: their trace logs would print
/// requests with their session tokens, and their warnings repeat with every try what
/// ESP logs once a minute.
pub fn init(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let targets = Targets::new().with_target("esp", level).with_default(LevelFilter::ERROR);
    let layer = tracing_subscriber::fmt::layer().with_writer(Writer).with_target(false);
    let layer = match format {
        LogFormat::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        LogFormat::Text => layer.with_ansi(false).boxed(),
    };
    // A second call, in a program that embeds the library, changes nothing.
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
}

/// Writes what a blocked stderr has left waiting, and says how many lines were
/// dropped once there is room again. To be called now and then; costs nothing
/// while nothing waits.
pub fn tend() {
    if !LOG.is_behind.load(Ordering::Relaxed) {
        return;
    }
    let dropped = {
        let mut lines = LOG.lock();
        LOG.is_behind.store(lines.write(), Ordering::Relaxed);
        lines.take_dropped()
    };
    if dropped > 0 {
        // Through the same stream, so not under its lock.
        warn!(dropped, "log lines were dropped while stderr was blocked");
    }
}

/// Writes the last lines, and waits a moment for a stderr that is blocked.
pub fn finish() {
    let deadline = Instant::now() + LAST_LINES_TIMEOUT;
    loop {
        tend();
        let lines = LOG.lock();
        let left = deadline.saturating_duration_since(Instant::now());
        if lines.queue.is_empty() || left.is_zero() || !lines.stream.wait(left) {
            return;
        }
    }
}

struct Log {
    /// Lines wait, or were dropped and that is not logged yet.
    is_behind: AtomicBool,
    lines: Mutex<Lines<Stream<io::Stderr>>>,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Lines<Stream<io::Stderr>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines that wait, and where they go.
struct Lines<W> {
    queue: LineQueue,
    stream: W,
    /// How many of the dropped lines have been logged.
    logged: u64,
}

impl<W: Write> Lines<W> {
    fn new(capacity_bytes: usize, stream: W) -> Self {
        Self { queue: LineQueue::new(capacity_bytes), stream, logged: 0 }
    }

    /// Writes what there is room for. `true`: there is more to do.
    fn write(&mut self) -> bool {
        if self.queue.write_to(&mut self.stream).is_err() {
            // Nobody reads, so nobody can be told.
            self.queue.drop_all();
            self.logged = self.queue.figures().lines_dropped;
        }
        !self.queue.is_empty() || self.queue.figures().lines_dropped > self.logged
    }

    /// How many lines were dropped; once, when all that waited is written.
    fn take_dropped(&mut self) -> u64 {
        if !self.queue.is_empty() {
            return 0;
        }
        let dropped = self.queue.figures().lines_dropped;
        dropped - std::mem::replace(&mut self.logged, dropped)
    }
}

/// Takes lines for stderr, and never fails: a failure could be logged nowhere.
#[derive(Clone, Copy, Debug)]
struct Writer;

impl MakeWriter<'_> for Writer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Whoever wrote the line, and whatever a peer put into it.
        let text = String::from_utf8_lossy(line);
        let clean = secrets::clean(&text);
        let mut lines = LOG.lock();
        lines.queue.push(clean.as_bytes(), 0);
        LOG.is_behind.store(lines.write(), Ordering::Relaxed);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, pipe};

    use super::*;

    #[test]
    fn dropped_lines_are_counted_and_logged_once_when_there_is_room_again() {
        let (mut reader, mut writer) = pipe().unwrap();
        let capacity = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
        writer.write_all(&vec![b' '; capacity]).unwrap();
        let mut lines = Lines::new(10, Stream::new(writer));
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            lines.queue.push(line.as_bytes(), 0);
            assert!(lines.write());
            assert_eq!(lines.take_dropped(), 0, "not while they wait");
        }
        reader.read_exact(&mut vec![0; capacity]).unwrap();
        assert!(lines.write(), "the dropped ones are to be logged");
        assert_eq!(lines.take_dropped(), 3);
        assert!(!lines.write());
        assert_eq!(lines.take_dropped(), 0);
        drop(lines);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "four\n");
    }

    #[test]
    fn nothing_is_logged_about_a_reader_that_is_gone() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut lines = Lines::new(100, Stream::new(writer));
        lines.queue.push(b"one\n", 0);
        assert!(!lines.write());
        assert_eq!(lines.take_dropped(), 0);
    }
}
