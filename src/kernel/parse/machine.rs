//! What `/proc` says of the whole machine.

use super::{lines, number, words};

/// The `cpu` lines of `/proc/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineTicks {
    /// CPUs that are online: those with a line of their own.
    pub cpus: u32,
    /// Over all CPUs.
    pub idle: u64,
    /// Over all CPUs.
    pub iowait: u64,
}

/// Reads the first lines of `/proc/stat`, up to the first that is not a CPU's; what
/// follows may be cut off.
#[must_use]
pub fn machine_ticks(bytes: &[u8]) -> Option<MachineTicks> {
    let mut lines = lines(bytes);
    let mut total = words(lines.next()?);
    total.next().filter(|name| *name == b"cpu")?;
    // After user, nice and system.
    let mut total = total.skip(3).map(number);
    let (idle, iowait) = (total.next()??, total.next()??);
    // The list is whole only if something follows it.
    let cpus = lines.position(|line| {
        let name = words(line).next().unwrap_or_default();
        name.strip_prefix(b"cpu").and_then(number).is_none()
    })?;
    Some(MachineTicks { cpus: u32::try_from(cpus).ok().filter(|cpus| *cpus > 0)?, idle, iowait })
}

/// The last field of `/proc/loadavg`: the process id that was given last in this PID
/// namespace, to a process or to a thread. `None` where it does not say, which some
/// sandboxes write as 0.
#[must_use]
pub fn last_pid(bytes: &[u8]) -> Option<u64> {
    let line = lines(bytes).next()?;
    words(line).nth(4).and_then(number).filter(|pid| *pid > 0)
}
