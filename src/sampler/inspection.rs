//! What the sampler knows besides its samples, for a person who asks: what 100 %
//! of a metric is, how often a container's samples come, and what does not come. What
//! does not come of the task is also said once without being asked for.

use std::time::{Duration, Instant};

use super::{
    Sampler,
    basis::{CpuBasis, MemoryBasis},
    container::Container,
    event::Event,
    freshness::CADENCE_ASSUMED,
    review::Patience,
    sums,
};
use crate::sample::metric::Metric;

/// A metric that was asked for and of which there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The metric.
    pub metric: Metric,
    /// The container, by its place; `None` for the task.
    pub container: Option<u16>,
    /// Why, if it never comes.
    pub reason: &'static str,
}

impl Sampler {
    /// What 100 % of `metric` is, for a container by its place or for the task.
    /// `None` where it is no percentage, or the platform does not say.
    #[must_use]
    pub fn basis(&self, metric: Metric, container: Option<u16>) -> Option<String> {
        let limits = self.limits;
        let of_container = || self.measured(container?);
        match metric {
            Metric::CpuUtilization => Some(of_container()?.cpu_basis(limits)?.to_string()),
            Metric::CpuUsage => Some("one CPU".to_owned()),
            Metric::MemoryUtilization => Some(of_container()?.memory_basis(limits)?.to_string()),
            Metric::TaskCpuUtilization => {
                let vcpu = sums::vcpu(&self.containers, limits)?;
                Some(if limits.cpu_vcpu.is_some() {
                    CpuBasis::TaskLimit { vcpu }.to_string()
                } else {
                    format!("the containers' reservations, {vcpu} vCPU in all")
                })
            }
            Metric::TaskMemoryUtilization => {
                let bytes = sums::whole_bytes(&self.containers, limits)?;
                Some(if limits.memory_bytes.is_some() {
                    MemoryBasis::TaskLimit { bytes }.to_string()
                } else {
                    format!("the containers' limits, {} MiB in all", bytes >> 20)
                })
            }
            Metric::EphemeralStorageUtilization => Some("the reserved storage".to_owned()),
            _ => None,
        }
    }

    /// The time between the samples of a container, by its place; `None` until
    /// there were three.
    #[must_use]
    pub fn cadence_of(&self, place: u16) -> Option<Duration> {
        self.measured(place)?.fresh.cadence.estimate()
    }

    /// The time between the samples of a container, as far as it is known: that of the
    /// first two until there are three.
    #[must_use]
    pub fn interval_of(&self, place: u16) -> Option<Duration> {
        self.measured(place)?.fresh.cadence.so_far()
    }

    /// How many different samples of a container have come, by its place.
    #[must_use]
    pub fn readings_of(&self, place: u16) -> u32 {
        self.measured(place).map_or(0, |container| container.known.readings)
    }

    /// The metrics of which no value has come so far.
    #[must_use]
    pub fn unseen(&self) -> Vec<Unseen> {
        let unseen = |container| move |(metric, reason)| Unseen { metric, container, reason };
        let measured = self.containers.iter().filter(|container| container.place.is_some());
        let of_containers = measured.flat_map(|container| {
            container.unseen(self.wanted, self.limits).into_iter().map(unseen(container.place))
        });
        let of_task = self.unseen_of_task();
        of_containers.chain(of_task.into_iter().map(unseen(None))).collect()
    }

    /// Says once which of the task's metrics do not come.
    pub(super) fn review(&mut self, now: Instant, events: &mut Vec<Event>) {
        let cadence = self.cadence.unwrap_or(CADENCE_ASSUMED);
        if !self.review.is_due(now, cadence, Patience::WITH_TASK) {
            return;
        }
        let metrics = self.unseen_of_task();
        if !metrics.is_empty() {
            events.push(Event::Unavailable { container: None, metrics });
        }
    }

    /// The metrics of the task of which no value has come, with the reasons.
    fn unseen_of_task(&self) -> Vec<(Metric, &'static str)> {
        let is_awsvpc = self.containers.iter().any(Container::shares_network);
        let is_missing = |metric: &Metric| {
            !self.seen.has(*metric)
                && if metric.is_of_network() { is_awsvpc } else { metric.is_of_task() }
        };
        let missing = self.wanted.iter().filter(is_missing);
        let why = |metric| match metric {
            Metric::EphemeralStorageUtilization if self.lists_storage => {
                "the task document's EphemeralStorageMetrics is malformed or incomplete"
            }
            Metric::EphemeralStorageUtilization => {
                "the task document has no EphemeralStorageMetrics"
            }
            Metric::TaskCpuUtilization | Metric::TaskMemoryUtilization
                if self.has_bad_limits() && self.basis(metric, None).is_none() =>
            {
                "limits in the task document are malformed"
            }
            _ => sums::why_unavailable(metric, &self.containers, self.limits),
        };
        missing.map(|metric| (metric, why(metric))).collect()
    }

    /// Whether a limit in the last task document, of the task or of a container, could
    /// not be read.
    fn has_bad_limits(&self) -> bool {
        self.bad_fields.iter().any(|field| field.path().contains("Limits"))
    }

    fn measured(&self, place: u16) -> Option<&Container> {
        self.containers.iter().find(|container| container.place == Some(place))
    }
}
