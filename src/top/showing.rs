//! What is known, once a second: a screen on a terminal, lines elsewhere. Nobody who reads
//! slowly, or not at all, keeps the process from ending.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, Write},
    time::{Duration, Instant},
};

use smol::{channel::Receiver, future::FutureExt as _};

use super::{
    columns::Column,
    frame::{Look, frame},
    lines,
    model::Model,
    plot::Glyphs,
    terminal::{Terminal, drawing},
};
use crate::{
    output::stdio::Stream,
    sidecar::world::{Timer as _, World},
};

/// Between two screens, and between the lines of one second and of the next.
const INTERVAL: Duration = Duration::from_secs(1);
/// Values come when the measuring has begun, and each second after that: they are shown a
/// moment later.
const AFTER_VALUES: Duration = Duration::from_millis(150);
/// How often a stream without room is tried.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Draws screens until the terminal is gone; sooner than in a second when `changed` says so.
pub(super) async fn screens<W: World>(
    world: &W,
    model: &RefCell<Model>,
    (terminal, glyphs): (&Terminal, Glyphs),
    plotted: &Cell<Column>,
    changed: Receiver<()>,
) {
    let mut stdout = Stream::new(io::stdout());
    let mut timer = world.timer();
    let mut at = world.now().instant + AFTER_VALUES;
    loop {
        let look = Look { plotted: plotted.get(), glyphs };
        let lines = frame(&model.borrow(), world.now().wall, terminal.size(), look);
        if write(&mut stdout, drawing(&lines).as_bytes(), &mut timer, world).await.is_err() {
            return;
        }
        let is_due = async {
            timer.until(at).await;
            true
        };
        let is_changed = async {
            let _ = changed.recv().await;
            false
        };
        if is_changed.or(is_due).await {
            at = next(at, world.now().instant);
        }
    }
}

/// Writes lines until nobody reads them. A trouble with the endpoint is on stderr, once.
pub(super) async fn lines<W: World>(world: &W, model: &RefCell<Model>) {
    let mut stdout = Stream::new(io::stdout());
    let mut timer = world.timer();
    let mut at = world.now().instant + AFTER_VALUES;
    let (mut is_begun, mut told) = (false, None);
    loop {
        timer.until(at).await;
        at = next(at, world.now().instant);
        let (is_known, trouble) = {
            let model = model.borrow();
            (!model.task.is_empty(), model.trouble.clone())
        };
        if trouble.is_some() != told.is_some()
            && let Some(trouble) = &trouble
        {
            // Whether somebody reads it or not.
            let line = format!("esp: the task metadata endpoint fails; retrying: {trouble}\n");
            let _ = Stream::new(io::stderr()).write(line.as_bytes());
        }
        told = trouble;
        if !is_known {
            continue;
        }
        let mut text = if is_begun { String::new() } else { lines::heading() };
        is_begun = true;
        text += &lines::lines(&model.borrow(), world.now().wall);
        if write(&mut stdout, text.as_bytes(), &mut timer, world).await.is_err() {
            return;
        }
    }
}

/// The first moment of the row that `at` belongs to which is not over.
fn next(at: Instant, now: Instant) -> Instant {
    let passed = now.saturating_duration_since(at).as_nanos() / INTERVAL.as_nanos();
    at + INTERVAL * (u32::try_from(passed).unwrap_or(u32::MAX - 1) + 1)
}

/// All of `bytes`, as the stream has room for them.
async fn write<W: World>(
    stream: &mut impl Write,
    mut bytes: &[u8],
    timer: &mut W::Timer,
    world: &W,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                timer.until(world.now().instant + ROOM_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
