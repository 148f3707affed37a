//! `esp top`: the containers of the task, live, in a terminal or as lines. It measures by
//! itself, with the sidecar's own code; it asks no running sidecar, and publishes nothing.

mod columns;
mod frame;
mod history;
mod keys;
mod lines;
mod measuring;
mod model;
mod plot;
mod safe;
mod showing;
mod terminal;

use std::{
    cell::{Cell, RefCell},
    fmt, io,
};

use async_signal::{Signal, Signals};
use smol::{channel::bounded, future::FutureExt as _, stream::StreamExt as _};

use self::{
    columns::{Column, METRICS},
    keys::Key,
    model::Model,
    plot::Glyphs,
    terminal::Terminal,
};
use crate::{
    settings::{Settings, environment},
    sidecar::world::RealWorld,
};

/// Why it could not go on.
#[derive(Debug)]
pub enum Failure {
    /// The system refuses a signal handler or a file descriptor.
    System(io::Error),
    /// There was no answer from the task metadata endpoint, and why.
    NoAnswer(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "cannot start: {error}"),
            Self::NoAnswer(why) => write!(f, "no answer from the task metadata endpoint: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Measures and shows, until `q`, Ctrl-C, SIGTERM or SIGHUP, or until nobody reads it any
/// more. Of `settings` it uses the endpoint and the source.
///
/// Blocks the thread it is called on, and is not to be called on an executor.
///
/// # Errors
///
/// [`Failure`], on a terminal that is as it was before.
pub fn run(settings: &Settings) -> Result<(), Failure> {
    let settings = Settings { metrics: METRICS.into_iter().collect(), ..settings.clone() };
    let signals = [Signal::Term, Signal::Int, Signal::Hup, Signal::Winch];
    let signals = Signals::new(signals).map_err(Failure::System)?;
    let world = RealWorld::new().map_err(Failure::System)?;
    let variable = |name: &str| Some(environment::given(name)?.to_string_lossy().into_owned());
    let terminal = Terminal::take(variable("TERM").as_deref());
    let glyphs = Glyphs::of_locale(variable);
    let screen = terminal.as_ref().map(|terminal| (terminal, glyphs));
    world.block_on(live(&world, &settings, signals, screen)).map_err(Failure::NoAnswer)
}

/// Until it is to end; an error says why there was no answer.
async fn live(
    world: &RealWorld,
    settings: &Settings,
    mut signals: Signals,
    screen: Option<(&Terminal, Glyphs)>,
) -> Result<(), String> {
    let model = RefCell::new(Model::default());
    let plotted = Cell::new(Column::Cpu);
    let (changed, redraws) = bounded(1);
    let is_changed = || {
        // Full means that it is drawn anyway.
        let _ = changed.try_send(());
    };
    let measuring = async { Err(measuring::measure(world, settings, &model).await) };
    let showing = async {
        match screen {
            Some(screen) => showing::screens(world, &model, screen, &plotted, redraws).await,
            None => showing::lines(world, &model).await,
        }
        Ok(())
    };
    let keys = async {
        if screen.is_none() {
            return std::future::pending().await;
        }
        keys::listen(|key| {
            if key == Key::NextPlot {
                plotted.set(plotted.get().next());
                is_changed();
            }
        })
        .await;
        Ok(())
    };
    let ending = async {
        while let Some(signal) = signals.next().await {
            match signal {
                Ok(Signal::Winch) => is_changed(),
                _ => break,
            }
        }
        Ok(())
    };
    ending.or(keys).or(measuring).or(showing).await
}
