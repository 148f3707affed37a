//! One answer of a source, as it passes through the sampler: when it came, what is
//! wanted of it, the task's limits, and where samples, events and figures go.

use std::time::Instant;

use super::{basis::Limits, event::Event};
use crate::{
    sample::{Metric, MetricSet, OwnFigures, Sample, limits},
    time::{Now, Timestamp},
};

/// The answer under way.
#[derive(Debug)]
pub(super) struct Poll<'a> {
    /// When it was asked for: what it shows was read between then and `now`.
    pub(super) asked: Instant,
    /// Most renewals are left out.
    pub(super) is_spared: bool,
    pub(super) now: Now,
    pub(super) wanted: MetricSet,
    pub(super) limits: Limits,
    pub(super) samples: &'a mut Vec<Sample>,
    pub(super) events: &'a mut Vec<Event>,
    pub(super) figures: &'a mut OwnFigures,
    /// Set if a step of the clock cost a measured container a difference.
    pub(super) clock_set: bool,
}

impl<'a> Poll<'a> {
    /// What came `now`, without being asked for before: a value of the kernel, or of the
    /// task document.
    pub(super) fn at(
        now: Now,
        wanted: MetricSet,
        limits: Limits,
        samples: &'a mut Vec<Sample>,
        events: &'a mut Vec<Event>,
        figures: &'a mut OwnFigures,
    ) -> Self {
        Self {
            asked: now.instant,
            is_spared: false,
            now,
            wanted,
            limits,
            samples,
            events,
            figures,
            clock_set: false,
        }
    }

    /// An answer to a request that left at `asked`. `is_spared`: most renewals are left
    /// out.
    pub(super) fn asked_for(self, asked: Instant, is_spared: bool) -> Self {
        Self { asked, is_spared, ..self }
    }

    /// The same after a step of the clock: whether it cost a difference.
    pub(super) fn after_step(self, has_cost: bool) -> Self {
        Self { clock_set: has_cost, ..self }
    }

    /// Hands out a value of a container, by its place, or of the task, if it is wanted
    /// and CloudWatch would take it. `true` if there is such a value, wanted or not.
    pub(super) fn give(
        &mut self,
        metric: Metric,
        container: Option<u16>,
        read: Timestamp,
        value: f64,
    ) -> bool {
        if !limits::is_value(value) {
            return false;
        }
        if self.wanted.has(metric) {
            self.figures.samples += 1;
            self.samples.push(Sample { read, value, metric: metric.into(), container });
        }
        true
    }
}
