//! The sidecar itself: its tasks on one thread. What they share is in `shared`.
//! Sampling puts samples into the publisher's buffer and into the lines for stdout;
//! publishing and writing take them out. When something is due is decided by state
//! machines elsewhere, which are told the time; the clock and the sockets are in
//! `world`.

pub(crate) mod connecting;
pub(crate) mod destination;
pub(crate) mod endpoint_source;
pub(crate) mod kernel_source;
mod listening;
pub(crate) mod pace;
mod publishing;
mod sampling;
mod shared;
mod shutdown;
pub(crate) mod source_words;
mod task_source;
mod tasks;
pub mod world;
mod writing;

use std::{
    cell::{Cell, RefCell},
    io,
    pin::pin,
    rc::Rc,
};

use smol::{
    LocalExecutor,
    channel::bounded,
    future::{self, FutureExt as _},
    stream::{Stream, StreamExt as _},
};

pub use self::shutdown::Ended;
use self::{
    publishing::Publishing,
    sampling::Sampling,
    shared::Shared,
    world::{RealWorld, World},
    writing::Writing,
};
use crate::{
    health::Record,
    output::LineOutput,
    publisher::Publisher,
    report::{self, fatal},
    sample::OwnFigures,
    settings::Settings,
};

/// Runs until the first of `signals` (or their end), takes a last sample, sends
/// what is left within the grace and returns; at once at the second.
///
/// Blocks the thread it is called on and is not to be called on an executor.
///
/// # Errors
///
/// Where the system has no two file descriptors left, at the start.
pub fn run(settings: Settings, mut signals: impl Stream<Item = i32> + Unpin) -> io::Result<Ended> {
    let world = RealWorld::new()?;
    let executor = LocalExecutor::new();
    // To look for a signal is a system call. In a task of its own that is done
    // when there is one, and not whenever this thread is woken.
    let (caught, numbers) = bounded(1);
    let listening = async move {
        while let Some(number) = signals.next().await {
            let _ = caught.send(number).await;
        }
    };
    executor.spawn(listening).detach();
    let numbers = pin!(numbers);
    let run = supervise(&executor, world.clone(), settings, numbers);
    Ok(world.block_on(executor.run(run)).0)
}

/// A whole run in `world`, on an executor that the caller drives: how it ended,
/// and the books.
pub async fn supervise<W: World + 'static>(
    executor: &LocalExecutor<'_>,
    world: W,
    settings: Settings,
    mut signals: impl Stream<Item = i32> + Unpin,
) -> (Ended, OwnFigures) {
    report::starting(&settings);
    let (changed, notices) = bounded(1);
    let (lines_changed, line_notices) = bounded(1);
    let (stop, stopped) = bounded(1);
    let outputs = settings.outputs;
    let mut publisher =
        Publisher::new(settings.publish_interval, settings.buffer_samples(), world.seed());
    publisher.set_rule(settings.publish_rule());
    let health = Cell::new(Record::starting(world.now().instant));
    let lines = outputs.lines.map(|format| RefCell::new(LineOutput::new(format, &settings)));
    let shared = Rc::new(Shared {
        world,
        settings,
        publisher: RefCell::new(publisher),
        lines,
        destination: RefCell::new(None),
        sampled: Cell::default(),
        polling: Cell::default(),
        health,
        stopping: Cell::new(false),
        changed,
        lines_changed,
    });
    let (failing, failed) = tasks::failures();
    let may_end = |shared: &Rc<Shared<W>>| {
        let shared = Rc::clone(shared);
        move || shared.stopping.get()
    };
    // Not spawned: the executor's queue allocates now and then.
    let sampling = Sampling::new(Rc::clone(&shared)).run(stopped);
    let watched = failing.clone().watch("sampling", || stop.is_closed(), sampling);
    let mut sampling = Box::pin(watched);
    let publishing = outputs.cloudwatch.then(|| {
        let publishing = Publishing::new(Rc::clone(&shared), notices).run();
        executor.spawn(failing.clone().watch("publishing", may_end(&shared), publishing))
    });
    let writing = outputs.lines.map(|_| {
        let writing = Writing::new(Rc::clone(&shared), line_notices).run();
        executor.spawn(failing.clone().watch("writing to stdout", may_end(&shared), writing))
    });
    // Ends with this function.
    let listening = listen(Rc::clone(&shared));
    let _listening = executor.spawn(failing.watch("answering esp health", || false, listening));

    let has_signal = async {
        signals.next().await;
    };
    let has_sampled = async {
        (&mut sampling).await;
        // Which it says by `failed`.
        future::pending().await
    };
    let has_failed = async {
        let task = failed.next().await;
        fatal::task_ended(task);
        Some(Ended::Failed(task))
    };
    let begun = async {
        has_signal.await;
        None
    };
    if let Some(ended) = begun.or(has_failed).or(has_sampled).await {
        let figures = shared.figures();
        report::stopped(&figures, outputs, shared.world.now().wall);
        return (ended, figures);
    }
    let left = [publishing, writing];
    let end = shutdown::shut_down(&shared, &stop, sampling, left);
    let mut ended = end.or(shutdown::second_signal(&mut signals)).await;
    // What had to be sent may be unsent.
    if let Some(task) = failed.take() {
        fatal::task_ended(task);
        ended = Ended::Failed(task);
    }
    let figures = shared.figures();
    report::stopped(&figures, outputs, shared.world.now().wall);
    (ended, figures)
}

/// Answers `esp health`.
async fn listen<W: World>(shared: Rc<Shared<W>>) {
    shared.world.answer_health(&shared.settings.endpoint, || shared.verdict()).await;
}
