//! The task that sends: it asks the publisher what to do, does it, and tells it
//! how that ended.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use smol::{channel::Receiver, future::FutureExt as _};
use tracing::debug;

use super::{
    Shared,
    destination::Destination,
    world::{Timer as _, World},
};
use crate::{
    cloudwatch::{CloudWatch, CorrectedClock},
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
    http_client: Option<SharedHttpClient>,
    clock: CorrectedClock,
    connected: Option<(Destination, CloudWatch)>,
}

impl<W: World> Publishing<W> {
    pub(super) fn new(shared: Rc<Shared<W>>, notices: Receiver<()>) -> Self {
        let trouble = Trouble::new("publishing to CloudWatch");
        let timer = shared.world.timer();
        let clock = CorrectedClock::new(shared.world.time_source());
        let mut publishing =
            Self { shared, notices, timer, trouble, http_client: None, clock, connected: None };
        // It takes this thread a while: now, before there are ticks to miss.
        publishing.make_http_client();
        publishing
    }

    /// Makes the way to AWS, unless it is there.
    fn make_http_client(&mut self) {
        if self.http_client.is_some() {
            return;
        }
        let world = &self.shared.world;
        let ca_bundle = self.shared.settings.ca_bundle.as_ref().map(|bundle| bundle.path.clone());
        match world.http_client(ca_bundle) {
            Ok(http_client) => self.http_client = Some(http_client),
            Err(error) => self.trouble.fails(&error, world.now().instant),
        }
    }

    pub(super) async fn run(mut self) {
        while !self.shared.stopping.get() {
            if !self.connect().await {
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
        while self.shared.publisher.borrow().backlog() > 0 && self.connect().await {
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
    async fn connect(&mut self) -> bool {
        let destination = match (&*self.shared.destination.borrow(), &self.connected) {
            (None, _) => return false,
            (Some(destination), Some((connected, _))) if destination == connected => return true,
            (Some(destination), _) => destination.clone(),
        };
        self.make_http_client();
        let settings = &self.shared.settings;
        let Some(http_client) = self.http_client.clone() else { return false };
        let cloudwatch = CloudWatch::connect(
            http_client,
            self.shared.world.sleep(),
            self.clock.clone(),
            destination.region.name.clone(),
            settings.namespace.clone(),
            destination.dimensions.clone(),
        )
        .await;
        self.connected = Some((destination, cloudwatch));
        true
    }

    /// One request, and what became of it. Callers have connected.
    async fn send(&mut self, samples: &[Sample]) -> Outcome {
        let Some((_, cloudwatch)) = &self.connected else { return Outcome::Unreachable };
        let result = cloudwatch.put(samples).await;
        let left = cloudwatch.since_departure().and_then(|ago| self.instant().checked_sub(ago));
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
        if matches!(outcome, Outcome::Credentials | Outcome::ClockSkew) {
            // A new client asks for new credentials; the old one would keep
            // its own until they say that they have expired. And it knows nothing
            // of the SDK's own correction, which would come on top of the clock's.
            self.connected = None;
        }
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
