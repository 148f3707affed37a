//! `/proc/<pid>/stat`. The second field is the program's name in parentheses, which
//! may hold anything: spaces, parentheses, line ends. It ends at the last `)`.

use super::{number, words};

/// What is read of `/proc/<pid>/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// The process's own id.
    pub pid: i32,
    /// It has ended, and its parent has not waited for it yet. Its children have
    /// another parent already.
    pub has_exited: bool,
    /// Its parent's id; 0 if that is not in this PID namespace.
    pub parent: i32,
    /// Its own CPU time, user and system, over all its threads, in ticks.
    pub own_ticks: u64,
    /// That of its children that it has waited for, and of theirs, in ticks.
    pub children_ticks: u64,
    /// When it started, in ticks since the machine did: with the id it names a
    /// process, also if the id is used again.
    pub start_ticks: u64,
}

/// Reads `/proc/<pid>/stat`.
#[must_use]
pub fn process_stat(bytes: &[u8]) -> Option<ProcessStat> {
    let name_end = bytes.iter().rposition(|byte| *byte == b')')?;
    let (before, after) = (&bytes[..name_end], &bytes[name_end + 1..]);
    let pid_end = before.windows(2).position(|two| two == b" (")?;
    let pid = process_id(&before[..pid_end])?;
    let line = after.split(|byte| *byte == b'\n').next()?;
    let mut fields = words(line);
    // Field 3.
    let has_exited = matches!(fields.next()?, b"Z" | b"X" | b"x");
    let parent = process_id(fields.next()?)?;
    // Then 14 to 17, the four times, of which the children's are signed.
    let mut times = fields.by_ref().skip(9).map(number);
    let mut time = || times.next()?;
    let own_ticks = time()?.checked_add(time()?)?;
    let children_ticks = time()?.checked_add(time()?)?;
    // And 22.
    let start_ticks = number(fields.nth(4)?)?;
    Some(ProcessStat { pid, has_exited, parent, own_ticks, children_ticks, start_ticks })
}

fn process_id(digits: &[u8]) -> Option<i32> {
    i32::try_from(number(digits)?).ok()
}
