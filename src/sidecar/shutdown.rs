//! The end of a run. The first SIGTERM or SIGINT takes a last sample, and what is
//! unsent is sent within `SHUTDOWN_GRACE`. A second signal does not wait for that.

use std::{pin::Pin, time::Duration};

use smol::{
    Task,
    channel::Sender,
    future::{self, FutureExt as _},
    stream::{Stream, StreamExt as _},
};

use super::{
    shared::Shared,
    tasks,
    world::{self, Timer as _, World},
};

/// For the last sample after a signal; a poll that is under way included.
const LAST_SAMPLE_TIMEOUT: Duration = Duration::from_millis(500);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By the first signal; what was left has been sent, or the grace is over.
    Stopped,
    /// By a second signal, of this number.
    Aborted(i32),
    /// A task of this name has ended before it was told to: a fault of ESP's own,
    /// which has been logged.
    Failed(&'static str),
}

/// After the first signal. `stop` tells the sampling task; `left` are the tasks that
/// send and write what is left.
pub(super) async fn shut_down<W: World>(
    shared: &Shared<W>,
    stop: &Sender<()>,
    mut sampling: Pin<Box<impl Future<Output = ()>>>,
    left: [Option<Task<()>>; 2],
) -> Ended {
    let world = &shared.world;
    let grace = shared.settings.shutdown_grace;
    let deadline = world.now().instant + grace;
    // The sampling task takes a last sample when it notices.
    stop.close();
    (&mut sampling).or(world::pause(world, LAST_SAMPLE_TIMEOUT.min(grace))).await;
    // With a request that is still under way.
    drop(sampling);
    shared.end_sampling();
    if let Some(lines) = &shared.lines {
        lines.borrow_mut().finish();
    }
    shared.stopping.set(true);
    shared.notify();
    shared.notify_writing();
    let mut over = world.timer();
    let [publishing, writing] = left;
    let sent = async {
        future::zip(tasks::done(publishing), tasks::done(writing)).await;
    };
    sent.or(over.until(deadline)).await;
    Ended::Stopped
}

/// Waits for one more signal.
pub(super) async fn second_signal(signals: &mut (impl Stream<Item = i32> + Unpin)) -> Ended {
    match signals.next().await {
        Some(signal) => Ended::Aborted(signal),
        None => future::pending().await,
    }
}
