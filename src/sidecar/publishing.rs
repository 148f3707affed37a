//! The task that sends: it asks the publisher what to do, does it, and tells it
//! how that ended.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use smol::{channel::Receiver, future::FutureExt as _};
use tracing::debug;

use super::{
    connecting::{Connecting, Sent},
    shared::Shared,
    world::{Timer as _, World},
};
use crate::{
    publisher::{Action, Outcome},
    report::{self, Trouble},
    sample::metric::Sample,
};

/// How often a client that cannot be had is tried.
const CONNECT_PAUSE: Duration = Duration::from_secs(10);

/// The task that sends.
pub(super) struct Publishing<W: World> {
    shared: Rc<Shared<W>>,
    notices: Receiver<()>,
    timer: W::Timer,
    trouble: Trouble,
    connecting: Connecting,
}

impl<W: World> Publishing<W> {
    pub(super) fn new(shared: Rc<Shared<W>>, notices: Receiver<()>) -> Self {
        let trouble = Trouble::new("publishing to CloudWatch");
        let (timer, connecting) = (shared.world.timer(), Connecting::new(&shared.world));
        let mut publishing = Self { shared, notices, timer, trouble, connecting };
        // It takes this thread a while: now, before there are ticks to miss.
        let Self { shared, connecting, .. } = &mut publishing;
        if let Err(error) = connecting.make_http_client(&shared.world, &shared.settings) {
            publishing.trouble.fails(&error, publishing.instant());
        }
        publishing
    }

    pub(super) async fn run(mut self) {
        while !self.shared.stopping.get() {
            if !self.connect() {
                self.wait_until(self.instant() + CONNECT_PAUSE).await;
                continue;
            }
            let action = self.shared.publisher.borrow_mut().poll(self.shared.world.now());
            match action {
                Action::Send(samples) => {
                    self.send(&samples).await;
                }
                Action::WaitUntil(at) => self.wait_until(at).await,
            }
        }
        while self.shared.publisher.borrow().backlog() > 0 && self.connect() {
            // One request a second at the end too, the first one included.
            let too_soon = self.shared.publisher.borrow().too_soon_until(self.shared.world.now());
            if let Some(again_at) = too_soon {
                self.timer.until(again_at).await;
            }
            let left = self.shared.publisher.borrow_mut().drain(self.shared.world.now());
            let Some(samples) = left else { return };
            // Nobody will grant it in the seconds that are left.
            if self.send(&samples).await == Outcome::Denied {
                return;
            }
        }
    }

    /// Whether there is a client for the current destination; makes one where
    /// the destination is new.
    fn connect(&mut self) -> bool {
        let destination = match &*self.shared.destination.borrow() {
            None => return false,
            Some(destination) if self.connecting.is_connected_to(destination) => return true,
            Some(destination) => destination.clone(),
        };
        let Shared { world, settings, .. } = &*self.shared;
        match self.connecting.connect(world, settings, destination) {
            Ok(_) => true,
            Err(error) => {
                self.trouble.fails(&error, self.instant());
                false
            }
        }
    }

    /// One request, and what became of it. Callers have connected.
    async fn send(&mut self, samples: &[Sample]) -> Outcome {
        let Some(Sent { result, left_ago }) = self.connecting.put(samples).await else {
            return Outcome::Unreachable;
        };
        let left = left_ago.and_then(|ago| self.instant().checked_sub(ago));
        let outcome = match result {
            Ok(()) => {
                debug!(samples = samples.len(), "published");
                self.trouble.works(self.instant());
                self.shared.note_published(self.instant());
                Outcome::Accepted
            }
            Err(error) => {
                if error.outcome == Outcome::Denied {
                    self.trouble.denied(&error, self.instant());
                } else {
                    self.trouble.fails(&error, self.instant());
                }
                error.outcome
            }
        };
        let mut publisher = self.shared.publisher.borrow_mut();
        if let Some(left) = left {
            publisher.on_departure(left);
        }
        publisher.on_outcome(outcome, self.shared.world.now());
        publisher.events().for_each(report::publisher_event);
        outcome
    }

    fn instant(&self) -> Instant {
        self.shared.world.now().instant
    }

    async fn wait_until(&mut self, at: Instant) {
        let change = async {
            // The sender lives in `shared`, so it cannot be gone.
            let _ = self.notices.recv().await;
        };
        self.timer.until(at).or(change).await;
    }
}
