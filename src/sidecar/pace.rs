//! When the poller reads the kernel and asks the endpoint: for the sampling task and for
//! `esp top`, so that both have the same samples. The moments are decided in
//! `sampler::asking` and `sampler::watching`; here they are planned anew after each.

use std::time::{Duration, Instant};

use super::{endpoint_source::Poller, kernel_source::KernelSource, world::World};
use crate::sampler::{asking::Asking, watching::Watching};

/// The next moments.
pub(crate) struct Pace {
    asking: Asking,
    watching: Watching,
}

impl Pace {
    /// The first request is at `start`, and `interval` the distance between two while
    /// nothing is known.
    pub(crate) fn new(start: Instant, interval: Duration) -> Self {
        let asking = Asking::new(start, interval);
        Self { asking, watching: Watching::new(asking.next(), interval) }
    }

    /// When the endpoint is asked, and how.
    pub(crate) const fn asking(&self) -> Asking {
        self.asking
    }

    /// When the kernel is read next; `None` if that gives nothing.
    pub(crate) fn watches_at(&self, poller: &Poller<impl World>) -> Option<Instant> {
        poller.reads_kernel().then(|| self.watching.next())
    }

    /// Reads the kernel, and plans when it is read next.
    pub(crate) fn watch<W: World>(&mut self, poller: &mut Poller<W>, world: &W) {
        let is_tick = self.watching.take(world.now().instant);
        poller.read_kernel(world, is_tick);
        if !poller.kernel.as_ref().is_some_and(KernelSource::spares_endpoint) {
            self.asking.end_sparing(world.now().instant);
        }
        self.plan_watching(poller, world.now().instant);
    }

    /// A request is about to go out. The kernel is read on while its answer is waited for.
    pub(crate) const fn lend(&self, poller: &mut Poller<impl World>) {
        poller.watching = Some(self.watching);
    }

    /// The request is over at `now`. Plans the next one.
    pub(crate) fn settle(&mut self, poller: &mut Poller<impl World>, now: Instant, is_ok: bool) {
        self.watching = poller.watching.take().unwrap_or(self.watching);
        if !is_ok {
            poller.sampler.doubt_rhythms();
        }
        let is_spared = poller.kernel.as_ref().is_some_and(KernelSource::spares_endpoint);
        self.asking.set_spared(is_spared);
        poller.sampler.set_spared(is_spared);
        let rhythms = poller.sampler.rhythms().filter(|_| is_ok);
        self.asking.plan(now, rhythms);
        self.plan_watching(poller, now);
    }

    fn plan_watching(&mut self, poller: &Poller<impl World>, now: Instant) {
        if poller.reads_kernel() {
            let rhythms = poller.sampler.rhythms();
            self.watching.plan(now, self.asking.next(), rhythms.into_iter().flatten());
        }
    }
}
