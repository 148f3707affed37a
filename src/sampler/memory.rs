//! Memory: which part of a container's usage counts, what it comes to, and who read it
//! last. Pure: a reading in, bytes and percentages out.

use crate::{reading::MemoryReading, time::Timestamp};

/// 2²⁰: what Container Insights calls a megabyte.
pub(super) const MEBIBYTE: f64 = 1_048_576.0;

/// Memory that the kernel could not take back without the container noticing:
/// usage without the inactive page cache. Bytes.
#[must_use]
pub(super) fn working_set_bytes(memory: MemoryReading) -> u64 {
    // Read one after the other, the two may cross.
    memory.usage_bytes.checked_sub(memory.inactive_file_bytes).unwrap_or(memory.usage_bytes)
}

/// Memory as `AWS/ECS` counts it: usage without the page cache (cgroup v1) or
/// without its inactive part (v2). Bytes.
#[must_use]
pub(super) fn ecs_memory_bytes(memory: MemoryReading) -> u64 {
    let cache_bytes = memory.cache_bytes.unwrap_or(memory.inactive_file_bytes);
    memory.usage_bytes.checked_sub(cache_bytes).unwrap_or(memory.usage_bytes)
}

/// `part` as a percentage of `whole`, which is not 0.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "memory has far fewer than 2^53 bytes")]
pub(super) fn percent_of_bytes(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

/// Memory in use with the limits of another reading.
pub(super) const fn with_limits_of(memory: MemoryReading, limits: MemoryReading) -> MemoryReading {
    MemoryReading {
        limit_bytes: limits.limit_bytes,
        hierarchical_limit_bytes: limits.hierarchical_limit_bytes,
        ..memory
    }
}

/// When a container's memory was read last, and by whom.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MemoryRead {
    last: Option<Timestamp>,
    is_from_kernel: bool,
}

impl MemoryRead {
    pub(super) fn on_endpoint(&mut self, read: Timestamp) {
        self.last = Some(read);
        self.is_from_kernel = false;
    }

    pub(super) fn on_kernel(&mut self, read: Timestamp) {
        self.last = Some(read);
        self.is_from_kernel = true;
    }

    /// Whether the kernel has told a later value than this of the endpoint.
    pub(super) fn is_later_than(self, read: Timestamp) -> bool {
        self.is_from_kernel && self.last.is_some_and(|last| last >= read)
    }

    /// The clock was set: any stamp may follow.
    pub(super) fn on_step(&mut self) {
        self.is_from_kernel = false;
    }

    pub(super) fn last(self) -> Option<Timestamp> {
        self.last
    }

    pub(super) fn is_from_kernel(self) -> bool {
        self.is_from_kernel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_in_two_ways() {
        for (stats, working_set, ecs) in [
            (MemoryReading::of(900, 200, Some(300)), 700, 600),
            (MemoryReading::of(900, 250, None), 650, 650),
            (MemoryReading::of(900, 900, Some(900)), 0, 0),
            // The counters crossed while they were read.
            (MemoryReading::of(900, 901, Some(901)), 900, 900),
        ] {
            assert_eq!((working_set_bytes(stats), ecs_memory_bytes(stats)), (working_set, ecs));
        }
    }
}
