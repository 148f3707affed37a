//! What `esp top` measures: the sidecar's poller at the sidecar's moments. What it brings
//! goes into the model and nowhere else.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use super::{
    columns::{PARTS, Part},
    model::Model,
    safe,
};
use crate::{
    settings::Settings,
    sidecar::{
        endpoint_source::Poller,
        pace::Pace,
        source_words::source_of,
        world::{Timer as _, World},
    },
};

/// How long the endpoint may stay silent at the start, as with `esp check`.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures for ever; ends only if there is no answer from the endpoint at the start, and
/// says why.
pub(super) async fn measure<W: World>(
    world: &W,
    settings: &Settings,
    model: &RefCell<Model>,
) -> String {
    let start = world.now().instant;
    let mut poller = Poller::new(world, settings);
    let mut pace = Pace::new(start, settings.sample_interval);
    let mut is_answered = false;
    loop {
        let asks_at = pace.asking().next();
        let watches_at = pace.watches_at(&poller);
        let wake = watches_at.into_iter().fold(asks_at, Instant::min);
        poller.timer.until(wake).await;
        if watches_at == Some(wake) {
            pace.watch(&mut poller, world);
        }
        if wake == asks_at {
            let trouble = ask(world, &mut poller, &mut pace, model).await;
            is_answered |= trouble.is_none();
            if let Some(trouble) = trouble
                && !is_answered
                && world.now().instant >= start + PATIENCE
            {
                return trouble;
            }
        }
        take_in(&mut poller, settings, &mut model.borrow_mut());
    }
}

/// Asks the endpoint as the sidecar does. Says what went wrong.
async fn ask<W: World>(
    world: &W,
    poller: &mut Poller<W>,
    pace: &mut Pace,
    model: &RefCell<Model>,
) -> Option<String> {
    pace.lend(poller);
    // The counters around a renewal that is asked for.
    poller.read_kernel(world, false);
    let answer = poller.poll(world).await;
    pace.settle(poller, world.now().instant, answer.error.is_none());
    let mut model = model.borrow_mut();
    model.set_names(poller.sampler.names());
    if let Some(task) = &answer.task {
        model.set_task(task);
    }
    model.trouble = answer.error.map(|error| safe::words(&error.to_string()));
    model.trouble.clone()
}

/// What the endpoint or the kernel brought.
fn take_in<W: World>(poller: &mut Poller<W>, settings: &Settings, model: &mut Model) {
    for sample in poller.samples.drain(..) {
        model.take(&sample);
    }
    // The log's. What matters of it is in the sources and in what is missing.
    poller.events.clear();
    if let Some(kernel) = &mut poller.kernel {
        kernel.events().for_each(drop);
        kernel.task_events(|_, _| ());
    }
    let (sampler, kernel) = (&poller.sampler, poller.kernel.as_ref());
    let of_containers = (0..).zip(sampler.names()).map(|(place, name)| (Some(place), Some(name)));
    for (place, name) in of_containers.chain([(None, None)]) {
        for part in PARTS {
            let metric = part.metric(place.is_none());
            let name = name.map(String::as_str);
            let source = source_of(metric, name, kernel, settings.sample_interval);
            let basis = sampler.basis(metric, place).filter(|_| part != Part::Network);
            model.set_source(place, part, source.origin.name(), basis);
        }
    }
}
