//! The end of a task. A task that ends before it is told to, or panics, is an error
//! of the whole sidecar: the others would go on and look healthy.

use std::panic::AssertUnwindSafe;

use smol::{
    Task,
    channel::{Receiver, Sender, bounded},
    future::FutureExt as _,
};

use crate::report::fatal;

/// Where tasks say that they have failed.
#[derive(Clone)]
pub(super) struct Failing(Sender<&'static str>);

/// Where it is heard.
pub(super) struct Failed(Receiver<&'static str>);

pub(super) fn failures() -> (Failing, Failed) {
    // The first failure is enough.
    let (sender, receiver) = bounded(1);
    (Failing(sender), Failed(receiver))
}

impl Failing {
    /// Runs `future` as the task of this name. It may end only when `may_end` says
    /// so.
    pub(super) async fn watch(
        self,
        name: &'static str,
        may_end: impl Fn() -> bool,
        future: impl Future<Output = ()>,
    ) {
        // What a task leaves half done is not used again: the run ends.
        let ended = AssertUnwindSafe(fatal::named(name, future)).catch_unwind().await;
        if ended.is_err() || !may_end() {
            let _ = self.0.try_send(name);
        }
    }
}

impl Failed {
    /// The name of the first task that fails; waits until one does.
    pub(super) async fn next(&self) -> &'static str {
        match self.0.recv().await {
            Ok(name) => name,
            // All tasks are gone, and none has failed.
            Err(_) => std::future::pending().await,
        }
    }

    /// The name of a task that has failed already.
    pub(super) fn take(&self) -> Option<&'static str> {
        self.0.try_recv().ok()
    }
}

/// The end of a task, at once if there is none.
pub(super) async fn done(task: Option<Task<()>>) {
    if let Some(task) = task {
        task.await;
    }
}
