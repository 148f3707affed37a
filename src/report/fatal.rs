//! The last line of a process whose own code failed. Without it a task could die
//! while the others go on, and the sidecar would look alive and publish nothing.
//! So a panic ends the process, whichever thread meets it and whether or not the
//! build unwinds.

use std::{
    cell::Cell,
    panic::{self, PanicHookInfo},
    pin::pin,
    sync::mpsc,
    thread,
    time::Duration,
};

use tracing::{dispatcher, error};

use super::log;
use crate::{secrets, settings::exit};

/// For the last line: stderr may be blocked, or the log itself may have failed.
const LAST_LINE_TIMEOUT: Duration = Duration::from_millis(500);

/// How much of a panic's message is logged, characters.
const MAX_MESSAGE_CHARS: usize = 300;

thread_local! {
    /// The task that this thread is running.
    static TASK: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// From here on a panic logs one line, which names the task, and ends the process
/// with [`exit::SOFTWARE`].
pub fn exit_on_panic() {
    panic::set_hook(Box::new(|panic| {
        let line = LastLine::of(panic);
        // On a thread of its own: this one may hold the log's lock.
        let (logged, done) = mpsc::channel();
        let logging = thread::Builder::new().spawn({
            let line = line.clone();
            move || {
                line.log();
                let _ = logged.send(());
            }
        });
        match logging {
            Ok(_) => drop(done.recv_timeout(LAST_LINE_TIMEOUT)),
            Err(_) => line.log(),
        }
        std::process::exit(exit::SOFTWARE.into());
    }));
}

/// A task has ended that must not end. Nothing else tells the operator.
pub fn task_ended(task: &str) {
    error!(
        task,
        "esp's own code failed: this task has ended, although it must not. esp exits with code {}; \
         please report this",
        exit::SOFTWARE
    );
}

/// `future`, under a name for the last line.
pub async fn named<T>(task: &'static str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let before = TASK.replace(Some(task));
        let polled = future.as_mut().poll(context);
        TASK.set(before);
        polled
    })
    .await
}

/// What is known of a panic.
#[derive(Clone, Debug)]
struct LastLine {
    task: String,
    location: String,
    message: String,
}

impl LastLine {
    fn of(panic: &PanicHookInfo<'_>) -> Self {
        let thread = thread::current();
        let of_thread = || format!("thread {}", thread.name().unwrap_or("without a name"));
        let message = panic.payload_as_str().unwrap_or("no message");
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            task: TASK.get().map_or_else(of_thread, str::to_owned),
            location: panic.location().map(ToString::to_string).unwrap_or_default(),
            message: message.chars().take(MAX_MESSAGE_CHARS).map(clean).collect(),
        }
    }

    fn log(&self) {
        let Self { task, location, message } = self;
        let code = exit::SOFTWARE;
        if dispatcher::has_been_set() {
            error!(
                task,
                location,
                error = message,
                "esp's own code failed: this task panicked. esp exits with code {code}; please \
                 report this"
            );
            log::finish();
        } else {
            let line = format!(
                "esp: esp's own code failed at {location}: {message}; exit code {code}; please \
                 report this"
            );
            #[expect(clippy::print_stderr, reason = "there is no log yet")]
            {
                eprintln!("{}", secrets::clean(&line));
            }
        }
    }
}
