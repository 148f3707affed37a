//! What the sampler knows besides its samples, for a person who asks: what 100 %
//! of a metric is, how often a container's samples come, and what does not come.

use std::time::Duration;

use super::{Sampler, container::Container, sums};
use crate::{
    sample::metric::Metric,
    sampler::basis::{CpuBasis, MemoryBasis},
};

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
            Metric::EphemeralStorageUtilization => Some("what is reserved".to_owned()),
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

    fn measured(&self, place: u16) -> Option<&Container> {
        self.containers.iter().find(|container| container.place == Some(place))
    }
}
