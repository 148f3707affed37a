//! What a sum over processes asks of the kernel.

use crate::kernel::parse::ProcessStat;

/// What is asked of the kernel.
pub(in crate::kernel) trait Probe {
    /// A process's CPU clock.
    type Clock: Copy;

    /// What the process of this clock has used itself, over all its threads, ns.
    /// `None` if there is no such process.
    fn own_ns(&mut self, clock: Self::Clock) -> Option<u64>;

    /// What the kernel says of the process that has this id now.
    fn stat(&mut self, pid: i32) -> Seen;
}

/// What became of a look at one process.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) enum Seen {
    /// There is no such process.
    Gone,
    /// It could not be looked at this time.
    Unknown,
    /// There it is.
    Stat(ProcessStat),
}
