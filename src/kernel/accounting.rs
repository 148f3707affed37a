//! The CPU time of a container as the sum over its processes. Pure: what is asked of
//! the kernel is asked through [`Probe`].
//!
//! The rule. The sum holds the time that each process was last seen to have used
//! itself, for ever, also when it has ended. The time of processes that were never
//! seen, and what the seen ones used after they were last seen, is in their parent's
//! time of children waited for. So that grows by more than is new: first it pays for
//! the ended children whose time is in the sum already (`owed`), and only what is
//! left is added. So nothing counts twice, and the sum cannot fall.
//!
//! A process that belongs to no container may wait for the container's orphans, and for
//! nobody else's: with `pidMode: task` the first one does, if there is only one
//! container. Then what it waits for counts, and what it uses itself does not.
//!
//! Not every ended child comes to be in its parent's time: a parent may ignore its
//! children's end, and a child whose parent is gone goes to a process that may belong
//! to another container. So what is owed is forgotten after the second reading: then
//! it is certain that nobody pays. Of each parent's debt up to two ticks stay, as its
//! time is rounded down to ticks, twice.
//!
//! The order in which a reading asks is part of the rule. What a process waits for
//! leaves the list of processes after it has been added to the parent's time. So the
//! parents' times are read before it is decided which processes still are: a child
//! that ends in between is owed until the next reading, and its time stays in the sum
//! meanwhile. The other way round it would count twice. (If a whole family ends within
//! the reading itself, some 100 us, one's debt may still be looked for at another, and
//! what it was seen to have used may count once more.)

mod owed;
mod probe;

use self::owed::Owed;
pub(super) use self::probe::{Probe, Seen};
use super::parse::ProcessStat;

/// By how much a parent's time of its children may be rounded down, ticks: user and
/// system time are rounded each.
const ROUNDING_TICKS: u64 = 2;

/// So many processes there is room for from the start.
const USUAL: usize = 32;

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// It runs, or may.
    Alive,
    /// It has ended, and is still there until it is waited for. It waits for nobody.
    Exited,
    /// It is gone.
    Gone,
}

/// A process of the container.
#[derive(Clone, Copy, Debug)]
struct Process<C> {
    pid: i32,
    start_ticks: u64,
    clock: C,
    parent: i32,
    own_ns: u64,
    /// Read, and not counted before it is certain that it is this process's.
    next_own_ns: u64,
    children_ticks: u64,
    owed: Owed,
    /// It has run since its `stat` was read.
    is_stale: bool,
    /// Whether its parent was looked up once more after the list was complete: the
    /// parent may have ended while the list was made.
    is_settled: bool,
    /// It is of no container, and only what it waits for counts.
    is_reaper: bool,
    life: Life,
    /// By how much its time of children has grown in this reading.
    growth_ticks: u64,
}

/// The processes of one container, and their sum.
#[derive(Debug)]
pub(super) struct Account<C> {
    processes: Vec<Process<C>>,
    total_ns: u64,
    /// Of processes whose parent ended in the same reading: whoever waits for them.
    orphans: Owed,
    tick_ns: u64,
}

impl<C: Copy> Account<C> {
    pub(super) fn new(tick_ns: u64) -> Self {
        Self {
            processes: Vec::with_capacity(USUAL),
            total_ns: 0,
            orphans: Owed::default(),
            tick_ns,
        }
    }

    /// How many processes the container has.
    pub(super) fn len(&self) -> usize {
        self.own().count()
    }

    fn own(&self) -> impl Iterator<Item = &Process<C>> {
        self.processes.iter().filter(|process| !process.is_reaper)
    }

    /// The ids of the processes.
    pub(super) fn pids(&self) -> impl Iterator<Item = i32> {
        self.own().map(|process| process.pid)
    }

    /// A process that was found now. What it and its children have used is new.
    /// One that is known already changes nothing.
    pub(super) fn add(&mut self, clock: C, stat: ProcessStat, probe: &mut impl Probe<Clock = C>) {
        let is_known = self
            .processes
            .iter()
            .any(|process| process.pid == stat.pid && process.start_ticks == stat.start_ticks);
        if is_known {
            return;
        }
        let Some(own_ns) = probe.own_ns(clock) else { return };
        self.grow(own_ns);
        self.grow(self.in_ns(stat.children_ticks));
        self.processes.push(Process::new(clock, stat, own_ns));
    }

    /// From here on this process waits for this container's orphans, and for nobody
    /// else's. It belongs to none itself.
    pub(super) fn add_reaper(
        &mut self,
        clock: C,
        stat: ProcessStat,
        probe: &mut impl Probe<Clock = C>,
    ) {
        if let Some(own_ns) = probe.own_ns(clock) {
            self.remove_reaper();
            self.processes.push(Process { is_reaper: true, ..Process::new(clock, stat, own_ns) });
        }
    }

    pub(super) fn has_reaper(&self) -> bool {
        self.processes.iter().any(|process| process.is_reaper)
    }

    /// Another container may have orphans as well.
    pub(super) fn remove_reaper(&mut self) {
        self.processes.retain(|process| !process.is_reaper);
    }

    /// Reads all processes, and gives the sum, ns. `may_have_waited` is whether any
    /// process may have been started since the last reading, here or elsewhere: if
    /// none was and none of these has ended, nobody can have waited for one.
    pub(super) fn read(&mut self, may_have_waited: bool, probe: &mut impl Probe<Clock = C>) -> u64 {
        let rounding_ns = self.in_ns(ROUNDING_TICKS);
        for process in &mut self.processes {
            process.owed.age(rounding_ns);
        }
        self.orphans.age(rounding_ns);

        self.settle(probe);
        self.read_own(probe);
        let has_ended = self.processes.iter().any(Process::is_gone);
        let is_owed = self.orphans.old > 0 || self.processes.iter().any(|one| one.owed.old > 0);
        if may_have_waited || has_ended || is_owed {
            self.read_children(probe);
            // Whoever was waited for meanwhile is in both: it must be seen that it
            // has ended.
            if self.processes.iter().any(|process| process.growth_ticks > 0) {
                self.read_own(probe);
            }
        }
        self.count_own();
        self.look_at_parents(probe);
        let left = self.owe();
        self.pay(left);
        self.forget(probe);
        self.total_ns
    }

    /// Looks up the parents of new processes again that are not among the processes.
    fn settle(&mut self, probe: &mut impl Probe<Clock = C>) {
        for place in 0..self.processes.len() {
            let Process { is_settled, parent, .. } = self.processes[place];
            if !is_settled {
                self.processes[place].is_settled = true;
                if parent > 0 && !self.processes.iter().any(|other| other.pid == parent) {
                    self.processes[place].look_up_parent(probe);
                }
            }
        }
    }

    /// What each process has used itself. Nothing is counted yet.
    fn read_own(&mut self, probe: &mut impl Probe<Clock = C>) {
        for process in self.processes.iter_mut().filter(|process| !process.is_gone()) {
            match probe.own_ns(process.clock) {
                // A clock that goes back is that of another process with this id.
                Some(own_ns) if own_ns >= process.next_own_ns => {
                    process.is_stale |= own_ns > process.next_own_ns;
                    process.next_own_ns = own_ns;
                }
                _ => process.life = Life::Gone,
            }
        }
    }

    /// What the children of each process have used that it has waited for. Whether it
    /// is the process that it was is seen here as well: for its id to be another's,
    /// one must have been started.
    fn read_children(&mut self, probe: &mut impl Probe<Clock = C>) {
        for process in &mut self.processes {
            if process.is_gone() || !process.is_stale {
                continue;
            }
            match probe.stat(process.pid) {
                Seen::Unknown => {}
                Seen::Stat(stat) if stat.start_ticks == process.start_ticks => {
                    process.is_stale = false;
                    process.parent = stat.parent;
                    process.life = Life::of(stat);
                    process.growth_ticks =
                        stat.children_ticks.saturating_sub(process.children_ticks);
                    process.children_ticks += process.growth_ticks;
                }
                _ => {
                    process.next_own_ns = process.own_ns;
                    process.life = Life::Gone;
                }
            }
        }
    }

    /// Counts what the processes have used themselves.
    fn count_own(&mut self) {
        let mut grown = 0_u64;
        for process in &mut self.processes {
            if !process.is_reaper {
                grown = grown.saturating_add(process.next_own_ns - process.own_ns);
            }
            process.own_ns = process.next_own_ns;
        }
        self.grow(grown);
    }

    /// Whether the parents of what has ended are still there to wait for anything:
    /// one may have ended since its times were read.
    fn look_at_parents(&mut self, probe: &mut impl Probe<Clock = C>) {
        for ended in 0..self.processes.len() {
            let Process { life, parent, .. } = self.processes[ended];
            if life != Life::Gone {
                continue;
            }
            let parent = self.processes.iter_mut().find(|other| other.pid == parent);
            if let Some(parent) = parent
                && parent.life == Life::Alive
                && parent.is_stale
            {
                parent.life = match probe.stat(parent.pid) {
                    Seen::Unknown => Life::Alive,
                    Seen::Stat(stat) if stat.start_ticks == parent.start_ticks => Life::of(stat),
                    // That it is gone is for the next reading.
                    Seen::Gone | Seen::Stat(_) => Life::Exited,
                };
            }
        }
    }

    /// What has ended is owed to the sum by whoever waited for it. Gives the growth
    /// that is left of what the ended had waited for themselves.
    fn owe(&mut self) -> u64 {
        let mut left = 0_u64;
        // Whoever ends does not wait any more: its children have gone to another.
        for process in self.processes.iter_mut().filter(|process| process.life == Life::Exited) {
            let orphans = std::mem::take(&mut process.owed);
            self.orphans.old = self.orphans.old.saturating_add(orphans.old);
            self.orphans.new = self.orphans.new.saturating_add(orphans.new);
        }
        for ended in 0..self.processes.len() {
            if !self.processes[ended].is_gone() {
                continue;
            }
            left = left.saturating_add(self.processes[ended].pay(self.tick_ns));
            let process = self.processes[ended];
            if process.is_reaper {
                continue;
            }
            let held_ns = process
                .own_ns
                .saturating_add(self.in_ns(process.children_ticks))
                .saturating_add(process.owed.sum());
            let parent = self.processes.iter_mut().find(|other| other.pid == process.parent);
            let owed = match parent {
                Some(parent) if parent.life == Life::Alive => &mut parent.owed,
                // Its parent waited for it, or who got it then.
                Some(_) => &mut self.orphans,
                // Nobody here.
                None => continue,
            };
            owed.new = owed.new.saturating_add(held_ns);
        }
        left
    }

    /// The growth of the times of children, without what was owed.
    fn pay(&mut self, mut left: u64) {
        for process in &mut self.processes {
            left = left.saturating_add(process.pay(self.tick_ns));
        }
        let left = self.orphans.pay(left);
        self.grow(left);
    }

    /// Forgets the processes that have ended. Their children have a new parent.
    fn forget(&mut self, probe: &mut impl Probe<Clock = C>) {
        for ended in 0..self.processes.len() {
            let Process { life, pid, .. } = self.processes[ended];
            if life != Life::Alive {
                for child in self.processes.iter_mut().filter(|child| child.parent == pid) {
                    child.look_up_parent(probe);
                }
            }
        }
        self.processes.retain(|process| !process.is_gone());
    }

    fn in_ns(&self, ticks: u64) -> u64 {
        ticks.saturating_mul(self.tick_ns)
    }

    fn grow(&mut self, by_ns: u64) {
        self.total_ns = self.total_ns.saturating_add(by_ns);
    }
}

impl Life {
    const fn of(stat: ProcessStat) -> Self {
        if stat.has_exited { Self::Exited } else { Self::Alive }
    }
}

impl<C> Process<C> {
    fn is_gone(&self) -> bool {
        self.life == Life::Gone
    }
}

impl<C: Copy> Process<C> {
    const fn new(clock: C, stat: ProcessStat, own_ns: u64) -> Self {
        Self {
            pid: stat.pid,
            start_ticks: stat.start_ticks,
            clock,
            parent: stat.parent,
            own_ns,
            next_own_ns: own_ns,
            children_ticks: stat.children_ticks,
            owed: Owed { new: 0, old: 0, rounding: 0 },
            is_stale: true,
            is_settled: false,
            is_reaper: false,
            life: Life::of(stat),
            growth_ticks: 0,
        }
    }

    /// Pays what is owed with the growth, and gives what is left of that.
    fn pay(&mut self, tick_ns: u64) -> u64 {
        self.owed.pay(std::mem::take(&mut self.growth_ticks).saturating_mul(tick_ns))
    }

    fn look_up_parent(&mut self, probe: &mut impl Probe<Clock = C>) {
        if let Seen::Stat(stat) = probe.stat(self.pid)
            && stat.start_ticks == self.start_ticks
        {
            self.parent = stat.parent;
        }
    }
}

#[cfg(test)]
mod tests;
