//! What ESP counts of itself, in one place: for the minute's line in the log, for
//! its metrics about itself, and for the end.

use crate::{
    publisher::{Now, PublisherFigures},
    sampler::SamplerFigures,
};

/// All of it, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What the sampler counts.
    pub sampler: SamplerFigures,
    /// Moments to poll that passed without one.
    pub missed_ticks: u64,
    /// What the publisher counts.
    pub publisher: PublisherFigures,
    /// Samples that wait, or are under way, at the moment.
    pub backlog: u64,
}

impl Figures {
    /// The age of the newest sample that CloudWatch has, milliseconds.
    #[must_use]
    pub fn newest_published_age_ms(&self, now: Now) -> Option<u64> {
        let age_ns = now.wall.ns_since(self.publisher.newest_published?)?;
        Some(age_ns / 1_000_000)
    }
}
