//! Which processes there are: the list of `/proc`, read anew only when the kernel has
//! given out a process id since, which one short file tells (`loadavg`).

use std::{fs::File, io, mem::MaybeUninit, os::fd::OwnedFd, path::Path, process};

use nix::{
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};
use rustix::{
    fs::{CWD, Mode, OFlags, RawDir, SeekFrom, openat, seek},
    io::Errno,
};

use super::files::{ProcessPath, open_file, read_again, read_once};
use crate::kernel::{
    accounting::{Probe, Seen},
    parse::{last_pid, process_stat},
};

/// More processes than this are not listed each second.
pub(super) const LISTED_MAX: usize = 4096;

/// The list is read at least each so many readings: a process can also be moved into
/// a container.
const LIST_EACH: u32 = 10;

/// So often a process is looked at that belongs to no container: what starts a
/// container's process begins outside it and moves in.
const LOOKS: u8 = 2;

/// The first process of a PID namespace. Orphans become its children.
pub(super) const FIRST: i32 = 1;

const LISTING_BYTES: usize = 8192;

/// The process folders of `/proc`.
#[derive(Debug)]
pub(super) struct ProcessList {
    pub(super) proc: OwnedFd,
    loadavg: Option<File>,
    last_pid: Option<u64>,
    /// In the order of their ids.
    known: Vec<KnownProcess>,
    /// The one before.
    before: Vec<KnownProcess>,
    age: u32,
}

/// A process that is there.
#[derive(Clone, Copy, Debug)]
struct KnownProcess {
    pid: i32,
    /// So often it is to be looked at still.
    looks_left: u8,
    /// It belongs to a container that is looked for, or has ended.
    is_settled: bool,
}

/// What a look at a process has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookedAt {
    /// It belongs to a container, or it has ended: there is no more to learn.
    Settled,
    /// It belongs to none, so far.
    Elsewhere,
    /// It could not be looked at.
    Failed,
}

/// How the list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// Nobody has been started since the last time.
    Same,
    /// Somebody may have been.
    New,
    /// There are more than [`LISTED_MAX`].
    TooMany,
    /// It cannot be read.
    Failed,
}

impl ProcessList {
    pub(super) fn open(proc: &Path) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, proc, flags, Mode::empty()).ok()?;
        let loadavg = open_file(&proc, c"loadavg").ok();
        Some(Self { proc, loadavg, last_pid: None, known: Vec::new(), before: Vec::new(), age: 0 })
    }

    /// Everything is new again.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.last_pid = None;
    }

    /// Calls `visit` with each process that is new, or not looked at often enough.
    pub(super) fn look(
        &mut self,
        buffer: &mut [u8],
        mut visit: impl FnMut(&OwnedFd, i32, &mut [u8]) -> LookedAt,
    ) -> Listing {
        // Before the list: whoever comes later moves it on.
        let last_pid =
            self.loadavg.as_ref().and_then(|file| read_again(file, buffer).ok().and_then(last_pid));
        let is_same = last_pid.is_some() && last_pid == self.last_pid;
        self.age += 1;
        if !is_same || self.age >= LIST_EACH {
            self.age = 0;
            self.last_pid = last_pid;
            match self.list() {
                Listing::New => {}
                other => {
                    self.forget();
                    return other;
                }
            }
        }
        for known in &mut self.known {
            if known.looks_left > 0 {
                match visit(&self.proc, known.pid, buffer) {
                    LookedAt::Settled => {
                        known.looks_left = 0;
                        known.is_settled = true;
                    }
                    LookedAt::Elsewhere => known.looks_left -= 1,
                    // For want of descriptors, perhaps: its time would be missing.
                    LookedAt::Failed => {}
                }
            }
        }
        if is_same { Listing::Same } else { Listing::New }
    }

    /// The processes that were there when the list was last read.
    pub(super) fn pids(&self) -> impl Iterator<Item = i32> {
        self.known.iter().map(|known| known.pid)
    }

    /// Whether no process belongs to none of the containers, but for the first one of
    /// this namespace, which does, and for this program. Whoever is about to end is in
    /// no cgroup of version 1 already, so a process counts after its second look.
    pub(super) fn has_only_the_first_elsewhere(&self) -> bool {
        let own = i32::try_from(process::id()).unwrap_or_default();
        let is_elsewhere =
            |known: &&KnownProcess| !known.is_settled && known.looks_left == 0 && known.pid != own;
        let mut elsewhere = self.known.iter().filter(is_elsewhere);
        elsewhere.next().is_some_and(|known| known.pid == FIRST) && elsewhere.next().is_none()
    }

    /// Reads the list anew.
    fn list(&mut self) -> Listing {
        std::mem::swap(&mut self.known, &mut self.before);
        self.known.clear();
        if seek(&self.proc, SeekFrom::Start(0)).is_err() {
            return Listing::Failed;
        }
        let mut buffer = [MaybeUninit::uninit(); LISTING_BYTES];
        let mut listing = RawDir::new(&self.proc, &mut buffer);
        let mut is_sorted = true;
        while let Some(entry) = listing.next() {
            let Ok(entry) = entry else { return Listing::Failed };
            let name = std::str::from_utf8(entry.file_name().to_bytes()).ok();
            let name = name.filter(|name| name.starts_with(|first: char| first.is_ascii_digit()));
            let Some(pid) = name.and_then(|name| name.parse().ok()) else { continue };
            if self.known.len() == LISTED_MAX {
                return Listing::TooMany;
            }
            is_sorted &= self.known.last().is_none_or(|last| last.pid < pid);
            self.known.push(KnownProcess { pid, looks_left: LOOKS, is_settled: false });
        }
        // The kernel lists them so; a recorded tree need not.
        if !is_sorted {
            self.known.sort_unstable_by_key(|known| known.pid);
        }
        let mut before = self.before.iter().peekable();
        for known in &mut self.known {
            while before.next_if(|before| before.pid < known.pid).is_some() {}
            if let Some(before) = before.next_if(|before| before.pid == known.pid) {
                *known = *before;
            }
        }
        Listing::New
    }
}

/// Whether that is how a file of a process fails that has ended.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::SRCH))
}

/// The kernel itself.
pub(super) struct RealProbe<'a> {
    pub(super) proc: &'a OwnedFd,
    pub(super) buffer: &'a mut [u8],
}

/// The CPU clock of a process.
pub(super) fn clock(pid: i32) -> Option<ClockId> {
    clock_getcpuclockid(Pid::from_raw(pid)).ok()
}

impl Probe for RealProbe<'_> {
    type Clock = ClockId;

    fn own_ns(&mut self, clock: ClockId) -> Option<u64> {
        let time = clock.now().ok()?;
        let seconds = u64::try_from(time.tv_sec()).ok()?;
        let ns = u64::try_from(time.tv_nsec()).ok()?;
        seconds.checked_mul(1_000_000_000)?.checked_add(ns)
    }

    fn stat(&mut self, pid: i32) -> Seen {
        match read_once(self.proc, ProcessPath::new(pid, "stat").as_bytes(), self.buffer) {
            Ok(bytes) => process_stat(bytes).map_or(Seen::Unknown, Seen::Stat),
            Err(error) if is_gone(&error) => Seen::Gone,
            Err(_) => Seen::Unknown,
        }
    }
}
