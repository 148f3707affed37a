//! Readings of the kernel that are believed, as they pass through the sampler. They are
//! the counters that the endpoint gives as well, at moments of ESP's own choice; which of
//! them are believed is decided elsewhere. What they come to is decided in the same
//! files as for the endpoint's.

use super::{
    Sampler, container::Container, cpu::Source, event::Event, freshness::Silence,
    memory::with_limits_of, poll::Poll, position_of,
};
use crate::{
    reading::{NetworkReading, Reading, TaskReading},
    sample::{Metric, Sample},
    time::Now,
};

impl Sampler {
    /// Takes in what was read from the kernel `now`, and appends what is new to
    /// `samples`. `read` is handed a function and calls it with each container's id and
    /// reading.
    pub fn on_kernel(
        &mut self,
        read: impl FnOnce(&mut dyn FnMut(&str, Reading)),
        now: Now,
        samples: &mut Vec<Sample>,
        events: &mut Vec<Event>,
    ) {
        let step = self.take_step(now);
        let Self { containers, limits, wanted, figures, .. } = self;
        let mut poll = Poll::at(now, *wanted, *limits, samples, events, figures)
            .after_step(step.is_some_and(|step| step.has_cost));
        read(&mut |docker_id, reading| {
            if let Some(position) = position_of(containers, docker_id) {
                containers[position].on_kernel(reading, &mut poll);
            }
        });
        self.seen = self.seen.or(self.sums.on_answer(containers, &mut poll));
        if poll.clock_set && self.clock_set.is_due(now.instant) {
            let by_ms = step.map(super::StepTaken::by_ms);
            events.push(Event::ClockSet { by_ms });
        }
    }

    /// Takes in what all containers have used together. While it comes, it is
    /// `TaskCPUUtilization`, and the sum of the containers is not. The first is only where
    /// the next one begins.
    pub fn on_task_reading(&mut self, reading: TaskReading, now: Now, samples: &mut Vec<Sample>) {
        let Self { containers, limits, wanted, figures, .. } = self;
        let mut none = Vec::new();
        let mut poll = Poll::at(now, *wanted, *limits, samples, &mut none, figures);
        if self.sums.on_task_reading(reading, containers, &mut poll) {
            self.seen.insert(Metric::TaskCpuUtilization);
        }
    }

    /// No more of these readings come for now: the next sum that is of later time counts.
    pub const fn end_task_readings(&mut self) {
        self.sums.end_estimates();
    }

    /// Takes in the counters of the network that all containers share, `None` if the
    /// kernel does not give them; the endpoint's count then.
    pub fn on_kernel_network(
        &mut self,
        network: Option<NetworkReading>,
        now: Now,
        samples: &mut Vec<Sample>,
    ) {
        let mut none = Vec::new();
        let mut poll =
            Poll::at(now, self.wanted, self.limits, samples, &mut none, &mut self.figures);
        self.seen = self.seen.or(self.network.on_kernel(network, now).give(&mut poll));
    }
}

impl Container {
    /// Takes in what the kernel has of it. The memory limits of the endpoint stay valid:
    /// they are settings, and no older for being the endpoint's.
    fn on_kernel(&mut self, reading: Reading, poll: &mut Poll<'_>) {
        if let Some(Silence::Ended) = self.fresh.on_kernel(reading.read, poll.now.instant)
            && self.place.is_some()
        {
            poll.events.push(Event::ContainerBack { container: self.name.clone() });
        }
        self.on_cpu(reading, Source::Kernel, poll);
        if let (Some(memory), Some(limits)) = (reading.memory, self.memory) {
            let memory = with_limits_of(memory, limits);
            self.memory = Some(memory);
            self.memory_read.on_kernel(reading.read);
            if self.place.is_some() {
                self.on_memory(memory, reading.read, poll);
            }
        }
    }
}
