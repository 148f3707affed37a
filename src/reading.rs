//! What every source of counters gives: which moment, which counters. The task
//! metadata endpoint and the kernel are sources: `sidecar::endpoint_source` and
//! `sidecar::kernel_source` hand their readings to the sampler, and neither side knows
//! more of the other. No differences, no percentages: those are the sampler's.

mod block_io;

use std::fmt;

pub use self::block_io::{BlockIo, BlockIoBytes, BlockIoReading};

use crate::time::Timestamp;

/// One container's counters at one moment.
///
/// Each part is `None` where the document does not have it; within a part a
/// missing key counts as 0, since old agents leave zero-valued keys out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When the counters were read, by the clock of the host.
    pub read: Timestamp,
    /// `cpu_stats`; `None` while the container has used no CPU at all, which is
    /// how a sample without the counter looks as well.
    pub cpu: Option<CpuReading>,
    /// No difference of the CPU counter may begin before this reading: what was given
    /// before may be wrong.
    pub is_cpu_base: bool,
    /// `memory_stats`; `None` if it has no `usage` (Windows) or no `stats`.
    pub memory: Option<MemoryReading>,
    /// `networks`, all interfaces together; `None` in the modes `host` and
    /// `none`, and on awsvpc for the first 10 s.
    pub network: Option<NetworkReading>,
    /// `blkio_stats`; `None` if the document does not have it at all.
    pub block_io: Option<BlockIo>,
}

/// `memory_stats`, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryReading {
    /// Memory in use, the page cache included. Never 0.
    pub usage_bytes: u64,
    /// The part of the page cache that the kernel gives up first:
    /// `total_inactive_file` in cgroup v1, `inactive_file` in v2.
    pub inactive_file_bytes: u64,
    /// The whole page cache, which only cgroup v1 has under this name.
    pub cache_bytes: Option<u64>,
    /// The container's limit. Absurdly large where it has none.
    pub limit_bytes: Option<u64>,
    /// The least limit on the way up to the root; cgroup v1.
    pub hierarchical_limit_bytes: Option<u64>,
}

#[cfg(test)]
impl MemoryReading {
    /// For tests: usage, the page cache's inactive part, and the cache of cgroup v1.
    pub(crate) const fn of(
        usage_bytes: u64,
        inactive_file_bytes: u64,
        cache_bytes: Option<u64>,
    ) -> Self {
        Self {
            usage_bytes,
            inactive_file_bytes,
            cache_bytes,
            limit_bytes: None,
            hierarchical_limit_bytes: None,
        }
    }
}

/// `networks`, bytes since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkReading {
    /// Received.
    pub rx_bytes: u64,
    /// Sent.
    pub tx_bytes: u64,
}

impl NetworkReading {
    /// Received and sent, in the order in which their growth is watched.
    pub(crate) const fn totals(self) -> [u64; 2] {
        [self.rx_bytes, self.tx_bytes]
    }
}

/// `cpu_stats`. `precpu_stats` is deliberately not read: it is zero in first
/// samples, and always on early Fargate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuReading {
    /// CPU time used since the container started, ns, over all CPUs. Never 0.
    pub total_usage_ns: u64,
    /// CPUs of the host. On a 0.25 vCPU Fargate task it still says 2. `None`
    /// where neither `online_cpus` nor `percpu_usage` tells (Windows).
    pub online_cpus: Option<u32>,
}

/// What a container's CPU counter is read from in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The counter of its own cgroup: the one that the endpoint gives.
    CgroupFile,
    /// The sum over its processes: near to it, from another base.
    Processes,
}

/// What all containers of the task have used together, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskReading {
    /// The moment.
    pub read: Timestamp,
    /// CPU time, ns: the sum of the containers' counters, estimated.
    pub total_ns: u64,
    /// No difference to an earlier one of these may be made.
    pub is_base: bool,
}

/// Whether a value that was read at `read` is the one that was read at `last`. A source gives
/// the last one again until there is another, and one moment has one value.
pub(crate) fn is_repeated(read: Timestamp, last: Option<Timestamp>) -> bool {
    last == Some(read)
}

/// Which parts of a [`Reading`] are read. The others are `None`, whatever
/// the document has there, and cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// [`Reading::memory`].
    pub memory: bool,
    /// [`Reading::network`].
    pub network: bool,
    /// [`Reading::block_io`].
    pub block_io: bool,
}

impl Parts {
    /// Every part there is.
    pub const ALL: Self = Self { memory: true, network: true, block_io: true };
}

/// What a source says of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "on the stack, one at a time; a box would allocate")]
pub enum Entry {
    /// `null`, `{}`, no `cpu_stats`, or a `read` that is missing or before 1970.
    /// Not an error and not zero.
    NoData,
    /// Its counters.
    Reading(Reading),
    /// An entry that is not what the endpoint documents.
    Malformed(ReadingError),
}

/// Which field made an entry unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadingError {
    /// The field, by its path.
    pub(crate) field: &'static str,
    /// What it should be, with its article.
    pub(crate) expected: &'static str,
}

impl fmt::Display for ReadingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not {}", self.field, self.expected)
    }
}
