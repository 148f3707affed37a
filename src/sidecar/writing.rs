//! The task that writes lines to stdout, as fast as stdout takes them. It knows
//! nothing of what is in them.

use std::{
    io::Write,
    rc::Rc,
    time::{Duration, Instant},
};

use smol::{channel::Receiver, future::FutureExt as _};

use super::{
    shared::Shared,
    world::{Timer as _, World},
};
use crate::report::{self, Trouble};

/// Between two tries while stdout is blocked: doubled from the first to the
/// last. A pipe holds many seconds of lines, so nothing is urgent.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// The task that writes.
pub(super) struct Writing<W: World> {
    shared: Rc<Shared<W>>,
    notices: Receiver<()>,
    timer: W::Timer,
    stdout: Box<dyn Write>,
    trouble: Trouble,
}

impl<W: World> Writing<W> {
    pub(super) fn new(shared: Rc<Shared<W>>, notices: Receiver<()>) -> Self {
        let (timer, stdout) = (shared.world.timer(), shared.world.stdout());
        Self { shared, notices, timer, stdout, trouble: Trouble::new("writing to stdout") }
    }

    pub(super) async fn run(mut self) {
        let mut retry = RETRY_FIRST;
        loop {
            let is_all = self.write();
            let is_stopping = self.shared.stopping.get();
            if is_all && is_stopping {
                return;
            }
            retry = if is_all || is_stopping { RETRY_FIRST } else { (2 * retry).min(RETRY_MAX) };
            let retry_at = self.instant() + retry;
            let change = async {
                // The sender lives in `shared`, so it cannot be gone.
                let _ = self.notices.recv().await;
            };
            if is_all {
                change.await;
            } else {
                self.timer.until(retry_at).or(change).await;
            }
        }
    }

    /// Whether nothing is left to write.
    fn write(&mut self) -> bool {
        let Some(lines) = &self.shared.lines else { return true };
        let mut lines = lines.borrow_mut();
        let had_lines = lines.has_lines();
        let result = lines.write_to(&mut self.stdout);
        lines.events().for_each(report::line_event);
        match result {
            Ok(is_all) => {
                // Not where there was nothing to write, or no room.
                if had_lines && is_all {
                    self.trouble.works(self.instant());
                    if !self.shared.settings.outputs.cloudwatch {
                        self.shared.note_published(self.instant());
                    }
                }
                is_all
            }
            Err(error) => {
                self.trouble.fails(&error, self.instant());
                !lines.has_lines()
            }
        }
    }

    fn instant(&self) -> Instant {
        self.shared.world.now().instant
    }
}
