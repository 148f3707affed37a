//! A container's own cgroup files: found through the root of one of its processes,
//! and kept open.
//!
//! What lies below that root is the container's, and may be hostile. So the path is
//! walked part by part, and no link is followed, whatever its place; what is read
//! has to be a regular file on a cgroup file system, which only the kernel writes.
//! (`openat2` would resolve links inside the root as well, but is missing before
//! Linux 5.6 and refused by older seccomp profiles. The one link that is common, from
//! `cpuacct` to `cpu,cpuacct`, is not needed: both names are tried.)
//!
//! Which cgroup it is has to be seen as well. A container usually sees its own cgroup
//! at the top, but one that is given the host's tree sees the whole machine's there.
//! The folder that is taken is the one in which, at the place that
//! `/proc/<pid>/cgroup` gives, the kernel lists this process.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{FsWord, OFlags, fstatfs},
    io::Errno,
};

use super::files::{ProcessPath, open_file, open_folder, read_again, read_once};
use crate::{
    kernel::{
        NoFile,
        parse::{
            CgroupPath, Hierarchy, container_in, cpu_stat_ns, hierarchies, memory_limit_bytes,
            memory_stat, one_number,
        },
    },
    reading::MemoryReading,
};

/// What `statfs` says of cgroups of version 1 and 2.
const CGROUP_MAGIC: FsWord = 0x27_e0eb;
const CGROUP2_MAGIC: FsWord = 0x6367_7270;

/// So much of a list of processes is searched.
const PROCS_LONGEST: usize = 64 * 1024;

/// What the files of one container's cgroup say.
#[derive(Debug)]
pub(super) struct Group {
    cpu: Counter,
    memory: Option<Memory>,
}

/// The CPU counter.
#[derive(Debug)]
enum Counter {
    /// `cpuacct.usage`.
    V1(File),
    /// `cpu.stat`.
    V2(File),
}

/// The files of memory.
#[derive(Debug)]
struct Memory {
    usage: File,
    stat: File,
    limit_bytes: Option<u64>,
    /// The last reading, and how often it has been given again.
    last: Option<(MemoryReading, u8)>,
}

/// Pages of the cache may also become active while the usage stays the same: so often a
/// reading is given again at the most.
const SAME_MOST: u8 = 4;

/// Where files lie, for what is said of them.
const TOP: &str = "/sys/fs/cgroup";

impl Group {
    /// Opens the files of the container `docker_id`, to which the process `pid`
    /// belongs.
    pub(super) fn open(
        proc: &OwnedFd,
        pid: i32,
        docker_id: &str,
        buffer: &mut [u8],
    ) -> Result<Self, NoFile> {
        let at = |path: &str, errno: Errno| NoFile::Open {
            path: path.to_owned(),
            error: io::Error::from(errno),
        };
        let root = open_folder(proc, ProcessPath::new(pid, "root").as_bytes(), OFlags::empty())
            .map_err(|errno| at("", errno))?;
        let top = walk(&root, b"sys/fs/cgroup").map_err(|errno| at(TOP, errno))?;
        let mut list = vec![0; PROCS_LONGEST];
        let own = read_once(proc, ProcessPath::new(pid, "cgroup").as_bytes(), buffer)
            .map_err(|_| NoFile::NoProcess)?;

        let find = |hierarchy: Hierarchy<'_>, list: &mut [u8]| {
            let path = container_in(hierarchy.path, &std::iter::once(docker_id));
            let (_, path) = path.ok_or(NoFile::OtherCgroup)?;
            let folder = mounted(&top, hierarchy).map_err(|errno| at(TOP, errno))?;
            folder_of(folder, path, pid, list)
        };
        let v1 = hierarchies(own).find(|hierarchy| hierarchy.has(b"cpuacct"));
        let hierarchy =
            v1.or_else(|| hierarchies(own).find(Hierarchy::is_unified)).ok_or(NoFile::NoProcess)?;
        let folder = find(hierarchy, &mut list)?;
        let name = if v1.is_some() { "cpuacct.usage" } else { "cpu.stat" };
        let file = open_counter(&folder, name)?;
        let cpu = if v1.is_some() { Counter::V1(file) } else { Counter::V2(file) };

        let memory = if v1.is_some() {
            hierarchies(own)
                .find(|hierarchy| hierarchy.has(b"memory"))
                .and_then(|hierarchy| find(hierarchy, &mut list).ok())
                .and_then(|folder| {
                    let names = ["memory.usage_in_bytes", "memory.stat", "memory.limit_in_bytes"];
                    Memory::open(&folder, names, &mut list).ok()
                })
        } else {
            Memory::open(&folder, ["memory.current", "memory.stat", "memory.max"], &mut list).ok()
        };
        let group = Self { cpu, memory };
        match group.read(buffer) {
            Ok(Some(_)) => Ok(group),
            Ok(None) => Err(NoFile::NotACounter),
            Err(error) => Err(NoFile::Lost(error)),
        }
    }

    /// The CPU time, ns; `None` if that is not what the file holds.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<u64>> {
        Ok(match &self.cpu {
            Counter::V1(file) => one_number(read_again(file, buffer)?),
            Counter::V2(file) => cpu_stat_ns(read_again(file, buffer)?),
        })
    }

    /// Memory, if its files could be opened and say it. While not a byte was taken or given
    /// back, its parts are not read again each time: the kernel adds them up for each
    /// reading, which is half of what that costs.
    pub(super) fn read_memory(&mut self, buffer: &mut [u8]) -> Option<MemoryReading> {
        let memory = self.memory.as_mut()?;
        let usage_bytes = one_number(read_again(&memory.usage, buffer).ok()?)?;
        if usage_bytes == 0 {
            return None;
        }
        if let Some((last, times)) = &mut memory.last
            && last.usage_bytes == usage_bytes
            && *times < SAME_MOST
        {
            *times += 1;
            return Some(*last);
        }
        memory.last = None;
        let stat = read_again(&memory.stat, buffer).ok()?;
        let reading = memory_stat(stat, usage_bytes, memory.limit_bytes)?;
        memory.last = Some((reading, 0));
        Some(reading)
    }
}

impl Memory {
    /// Usage, statistics, limit.
    fn open(folder: &OwnedFd, names: [&str; 3], buffer: &mut [u8]) -> Result<Self, NoFile> {
        let [usage, stat, limit] = names.map(|name| open_counter(folder, name));
        let limit_bytes = read_again(&limit?, buffer).ok().and_then(memory_limit_bytes);
        Ok(Self { usage: usage?, stat: stat?, limit_bytes, last: None })
    }
}

/// The folder at `path` below `from`, no part of which is a link, nor leads up.
fn walk(from: impl AsFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut folder = open_folder(from, c".", OFlags::NOFOLLOW)?;
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        if part == b".." {
            return Err(Errno::NOENT);
        }
        folder = open_folder(&folder, part, OFlags::NOFOLLOW)?;
    }
    Ok(folder)
}

/// Where this hierarchy is mounted below `/sys/fs/cgroup`.
fn mounted(top: &OwnedFd, hierarchy: Hierarchy<'_>) -> Result<OwnedFd, Errno> {
    if hierarchy.is_unified() {
        return walk(top, b"");
    }
    let names: &[&[u8]] = if hierarchy.has(b"cpuacct") {
        &[hierarchy.controllers, b"cpu,cpuacct", b"cpuacct,cpu", b"cpuacct"]
    } else {
        &[hierarchy.controllers, b"memory"]
    };
    let mut outcome = Err(Errno::NOENT);
    for name in names {
        outcome = walk(top, name);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn is_cgroup(file: impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|system| matches!(system.f_type, CGROUP_MAGIC | CGROUP2_MAGIC))
}

/// The container's own folder: the one that is mounted here, or the one below it
/// that the path names. The kernel's list of processes says which.
fn folder_of(
    mounted: OwnedFd,
    path: CgroupPath<'_>,
    pid: i32,
    list: &mut [u8],
) -> Result<OwnedFd, NoFile> {
    if !is_cgroup(&mounted) {
        return Err(NoFile::NotCgroup { path: TOP.to_owned() });
    }
    if has_process(&mounted, path.below, pid, list) {
        return Ok(mounted);
    }
    let folder = walk(&mounted, path.container).ok();
    folder
        .filter(|folder| is_cgroup(folder) && has_process(folder, path.below, pid, list))
        .ok_or(NoFile::OtherCgroup)
}

/// Whether the process is listed in the cgroup at `below`.
fn has_process(folder: &OwnedFd, below: &[u8], pid: i32, list: &mut [u8]) -> bool {
    let Ok(folder) = walk(folder, below) else { return false };
    let Ok(list) = read_once(&folder, c"cgroup.procs", list) else { return false };
    is_cgroup(&folder)
        && list
            .split(|byte| *byte == b'\n')
            .any(|line| std::str::from_utf8(line).is_ok_and(|line| line.parse() == Ok(pid)))
}

fn open_counter(folder: &OwnedFd, name: &str) -> Result<File, NoFile> {
    let path = || format!("{TOP}/…/{name}");
    let file = open_file(folder, name)
        .map_err(|errno| NoFile::Open { path: path(), error: io::Error::from(errno) })?;
    if is_cgroup(&file) { Ok(file) } else { Err(NoFile::NotCgroup { path: path() }) }
}
