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

/// Reads the first lines of `/proc/stat`, up to that of the interrupts, which may be
/// cut off: it is long. Without it the list of CPUs may not be whole.
#[must_use]
pub fn machine_ticks(bytes: &[u8]) -> Option<MachineTicks> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut total = words(lines.next()?);
    total.next().filter(|name| *name == b"cpu")?;
    // After user, nice and system.
    let mut total = total.skip(3).map(number);
    let (idle, iowait) = (total.next()??, total.next()??);
    let mut names = lines.map(|line| words(line).next().unwrap_or_default()).peekable();
    let is_cpu = |name: &&[u8]| name.strip_prefix(b"cpu").and_then(number).is_some();
    let mut cpus = 0;
    while names.next_if(is_cpu).is_some() {
        cpus += 1;
    }
    let is_whole = cpus > 0 && names.next()? == b"intr";
    is_whole.then_some(MachineTicks { cpus, idle, iowait })
}

/// The last field of `/proc/loadavg`: the process id that was given last in this PID
/// namespace, to a process or to a thread. `None` where it does not say, which some
/// sandboxes write as 0.
#[must_use]
pub fn last_pid(bytes: &[u8]) -> Option<u64> {
    let line = lines(bytes).next()?;
    words(line).nth(4).and_then(number).filter(|pid| *pid > 0)
}

/// `/proc/uptime`: whole seconds since the machine started.
#[must_use]
pub fn uptime_s(bytes: &[u8]) -> Option<u64> {
    let first = words(bytes).next()?;
    number(first.split(|byte| *byte == b'.').next()?)
}
