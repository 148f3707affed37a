//! What the tasks of the sidecar share: the publisher, the lines for stdout, the books,
//! and what `esp health` is told.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use smol::channel::Sender;

use super::{destination::Destination, world::World};
use crate::{
    health::{Record, Rules, judge},
    output::LineOutput,
    publisher::Publisher,
    sample::OwnFigures,
    sampler::asking::Asking,
    settings::Settings,
};

/// All of it. One thread: nothing is locked.
pub(super) struct Shared<W> {
    pub(super) world: W,
    pub(super) settings: Settings,
    /// Empty for ever where `OUTPUT` has no cloudwatch.
    pub(super) publisher: RefCell<Publisher>,
    /// Where `OUTPUT` has lines on stdout.
    pub(super) lines: Option<RefCell<LineOutput>>,
    /// Where to publish, once the task is known.
    pub(super) destination: RefCell<Option<Destination>>,
    /// The sampling task's part of ESP's own figures.
    pub(super) sampled: Cell<OwnFigures>,
    /// While the endpoint is being asked: for the moments that pass meanwhile.
    pub(super) polling: Cell<Option<Asking>>,
    /// What `esp health` is told of.
    pub(super) health: Cell<Record>,
    pub(super) stopping: Cell<bool>,
    /// Wakes the publishing task.
    pub(super) changed: Sender<()>,
    /// Wakes the writing task.
    pub(super) lines_changed: Sender<()>,
}

impl<W: World> Shared<W> {
    pub(super) fn notify(&self) {
        // Full means that the task will look anyway.
        let _ = self.changed.try_send(());
    }

    pub(super) fn notify_writing(&self) {
        let _ = self.lines_changed.try_send(());
    }

    pub(super) fn figures(&self) -> OwnFigures {
        let lines = self.lines.as_ref().map(|lines| lines.borrow().figures());
        let publisher = self.publisher.borrow().figures();
        let mut sampled = self.sampled.get();
        if let Some(asking) = self.polling.get() {
            sampled.missed_ticks = asking.missed(self.world.now().instant);
        }
        sampled.plus(publisher).plus(lines.unwrap_or_default())
    }

    /// A poll that is still under way is given up: no tick is missed from here on.
    pub(super) fn end_sampling(&self) {
        let missed_ticks = self.figures().missed_ticks;
        self.polling.take();
        self.sampled.set(OwnFigures { missed_ticks, ..self.sampled.get() });
    }

    pub(super) fn note_sampled(&self, now: Instant) {
        self.health.set(Record { sampled: now, rest: Duration::ZERO, ..self.health.get() });
    }

    /// After an answer: so long after it the endpoint is not asked.
    pub(super) fn note_rest(&self, rest: Duration) {
        self.health.set(Record { rest, ..self.health.get() });
    }

    pub(super) fn note_published(&self, now: Instant) {
        self.health.set(Record { published: now, ..self.health.get() });
    }

    /// The line for `esp health`.
    pub(super) fn verdict(&self) -> String {
        let rules = Rules {
            sample_interval: self.settings.sample_interval,
            publish_max_age: self.settings.health_max_age,
        };
        judge(self.health.get(), rules, self.world.now().instant).to_string()
    }
}
