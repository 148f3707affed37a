//! What the kernel writes into its files, read into numbers. The bytes are input:
//! some lie in another container's file system. Each parser takes any bytes, gives
//! `None` for what is not as the kernel writes it, and allocates nothing.

mod cgroup;
mod counters;
mod machine;
mod network;
mod process;

pub use self::{
    cgroup::{CgroupPath, Hierarchy, container_in, container_of, hierarchies},
    counters::{cpu_stat_ns, memory_limit_bytes, memory_stat, one_number},
    machine::{MachineTicks, last_pid, machine_ticks, uptime_s},
    network::{interface_bytes, interface_names, is_mac_address, same_mac},
    process::{ProcessStat, process_stat},
};

/// A number in decimal digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// The lines of a file. A last line without its end is left out: the file was longer
/// than what was read of it.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"))
}

/// The words of a line.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
