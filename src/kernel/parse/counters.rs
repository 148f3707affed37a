//! The counters of one cgroup, of version 1 and 2.

use super::{lines, number, words};
use crate::reading::MemoryReading;

/// No more than this can have been counted: 10,000 CPUs for 50 years.
const NS_MAX: u64 = u64::MAX - 1;

/// A file that holds one number and a line's end: `cpuacct.usage` in ns,
/// `memory.usage_in_bytes`, `memory.current`.
#[must_use]
pub fn one_number(bytes: &[u8]) -> Option<u64> {
    number(bytes.strip_suffix(b"\n")?)
}

/// `cpu.stat` of version 2: `usage_usec`, in ns.
#[must_use]
pub fn cpu_stat_ns(bytes: &[u8]) -> Option<u64> {
    let usage = lines(bytes).find_map(|line| line.strip_prefix(b"usage_usec "))?;
    number(usage)?.checked_mul(1000).filter(|ns| *ns <= NS_MAX)
}

/// `memory.limit_in_bytes` and `memory.max`; `None` for `max`, which is no limit.
#[must_use]
pub fn memory_limit_bytes(bytes: &[u8]) -> Option<u64> {
    one_number(bytes).filter(|limit| *limit > 0)
}

/// `memory.stat` of either version, and the memory in use. As in the endpoint's
/// document, a file with `total_inactive_file` is one of version 1. `None` without
/// either name of the inactive page cache, and for a usage of 0.
#[must_use]
pub fn memory_stat(
    bytes: &[u8],
    usage_bytes: u64,
    limit_bytes: Option<u64>,
) -> Option<MemoryReading> {
    let (mut cache, mut total_inactive, mut inactive, mut hierarchical) = (None, None, None, None);
    for line in lines(bytes) {
        let mut words = words(line);
        let value = match words.next() {
            Some(b"cache") => &mut cache,
            Some(b"total_inactive_file") => &mut total_inactive,
            Some(b"inactive_file") => &mut inactive,
            Some(b"hierarchical_memory_limit") => &mut hierarchical,
            _ => continue,
        };
        *value = Some(number(words.next()?)?);
    }
    let is_v1 = total_inactive.is_some();
    (usage_bytes > 0).then_some(())?;
    Some(MemoryReading {
        usage_bytes,
        inactive_file_bytes: total_inactive.or(inactive)?,
        cache_bytes: if is_v1 { cache } else { None },
        limit_bytes,
        hierarchical_limit_bytes: hierarchical.filter(|limit| is_v1 && *limit > 0),
    })
}
