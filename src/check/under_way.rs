//! A check that is under way: what it asks with, what it has found so far, and how a
//! poll's samples and events become findings. The questions are in `steps`, `samples`,
//! `access` and `probe`.

use std::{collections::BTreeMap, time::Instant};

use super::{
    findings::{Findings, Problem, Reason, Step},
    output::Output,
};
use crate::{
    endpoint::task::TaskDocument,
    sample::metric::{Metric, Sample},
    sampler::Event,
    secrets::peer_text,
    settings::Settings,
    sidecar::{
        endpoint_source::{PollError, Poller},
        world::World,
    },
};

/// The newest sample of each metric and container.
type Newest = BTreeMap<(Option<u16>, Metric), Sample>;

/// A check that is under way.
pub(super) struct Check<'a, W: World> {
    pub(super) world: &'a W,
    pub(super) settings: &'a Settings,
    pub(super) output: Output,
    pub(super) findings: Findings,
    pub(super) poller: Poller<W>,
    pub(super) newest: Newest,
    /// The endpoint's address is not to be shown: it has an id of the container in it.
    pub(super) hides_address: bool,
}

impl<'a, W: World> Check<'a, W> {
    pub(super) fn new(world: &'a W, settings: &'a Settings, output: Output) -> Self {
        let poller = Poller::new(world, settings);
        Self {
            world,
            settings,
            output,
            findings: Findings::new(),
            poller,
            newest: Newest::new(),
            hides_address: false,
        }
    }

    pub(super) fn instant(&self) -> Instant {
        self.world.now().instant
    }

    /// One more poll, whose samples and events are taken in.
    pub(super) async fn poll(&mut self) -> (Option<TaskDocument>, Option<PollError>) {
        // The counters around a renewal that is asked for.
        self.poller.read_kernel(self.world, false);
        let polled = self.poller.poll(self.world).await;
        self.take_in();
        (polled.task, polled.error)
    }

    /// What the endpoint or the kernel brought.
    pub(super) fn take_in(&mut self) {
        for sample in self.poller.samples.drain(..) {
            // ESP's own figures do not come from here.
            if let Some(metric) = sample.metric.metric() {
                self.newest.insert((sample.container, metric), sample);
            }
        }
        for event in std::mem::take(&mut self.poller.events) {
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::ContainerMissing { container, names } => self.fail(
                Step::Containers,
                Reason::Configuration,
                format!("the task has no container {container}"),
                format!("set CONTAINER_NAME to one of these: {}", peer_text(&names.join(", "))),
            ),
            Event::EntryMalformed { container, error } => self.warn(
                Step::Samples,
                format!("the stats of {container} cannot be read: {error}"),
                "report it, with the document at ${ECS_CONTAINER_METADATA_URI_V4}/task/stats: get \
                 it from another container of the task, because the image of esp has no shell"
                    .to_owned(),
            ),
            Event::CounterReset { container } => self.warn(
                Step::Samples,
                format!("{container} was restarted during the check"),
                "find out why, unless you restarted it".to_owned(),
            ),
            Event::ClockSet { by_ms: _ } => self.warn(
                Step::Samples,
                "the clock was set during the check".to_owned(),
                "run the check again".to_owned(),
            ),
            Event::CounterJumped { container } => self.warn(
                Step::Samples,
                format!("the CPU counter of {container} fell and came back, or jumped"),
                "run the check again; if this happens again, the container's stats are not \
                 reliable"
                    .to_owned(),
            ),
            Event::SumsWait { containers, .. } => self.warn(
                Step::Samples,
                format!("there are no new stats of {}, although it runs", containers.join(", ")),
                "run the check again; if this happens again, Docker on this host may be overloaded"
                    .to_owned(),
            ),
            // What the others say is in the findings.
            _ => {}
        }
    }

    pub(super) fn fail(&mut self, step: Step, reason: Reason, what: String, next: String) {
        if self.findings.reason == Reason::Ready {
            self.findings.reason = reason;
            self.findings.exit_code = reason.exit_code();
        }
        self.findings.problems.push(Problem { step, fails: true, what, next });
    }

    pub(super) fn warn(&mut self, step: Step, what: String, next: String) {
        self.findings.problems.push(Problem { step, fails: false, what, next });
    }
}
