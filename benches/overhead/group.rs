//! A container of this bench's own, for the kernel as a source: a control group with its
//! Docker id and processes in it, which takes root. Its counters are the kernel's, so the
//! endpoint and the kernel say the same.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use esp_endpoints::counters::{CounterReading, Counters};

/// The argument that makes this program a process of the container.
pub(crate) const ARGUMENT: &str = "--load";
/// The folder of the groups, as Docker has one.
const PARENT: &str = "esp-overhead";
/// What the busy process of a container uses of a CPU: so much of each 20 ms.
const TURN: Duration = Duration::from_millis(20);
const BUSY: Duration = Duration::from_millis(5);

/// The group with its processes, which end with it.
#[derive(Debug)]
pub(crate) struct Group {
    folders: Vec<PathBuf>,
    processes: Vec<Child>,
}

impl Group {
    /// A group of this Docker id with so many processes, of which one is busy.
    pub(crate) fn start(docker_id: &str, processes: usize) -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let is_v2 = root.join("cgroup.controllers").exists();
        let hierarchies = if is_v2 {
            fs::write(root.join("cgroup.subtree_control"), "+cpu +memory")?;
            vec![root.to_owned()]
        } else {
            vec![root.join("cpuacct"), root.join("memory")]
        };
        let mut group = Self { folders: Vec::new(), processes: Vec::new() };
        for hierarchy in hierarchies {
            let parent = hierarchy.join(PARENT);
            fs::create_dir_all(&parent)?;
            if is_v2 {
                fs::write(parent.join("cgroup.subtree_control"), "+cpu +memory")?;
            }
            let folder = parent.join(docker_id);
            fs::create_dir_all(&folder)?;
            group.folders.push(folder);
        }
        for number in 0..processes {
            let kind = if number == 0 { "busy" } else { "idle" };
            let child = Command::new(std::env::current_exe()?)
                .args([ARGUMENT, kind])
                // It ends with this process, however that ends.
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()?;
            for folder in &group.folders {
                fs::write(folder.join("cgroup.procs"), child.id().to_string())?;
            }
            group.processes.push(child);
        }
        Ok(group)
    }

    /// The file of its CPU counter.
    pub(crate) fn counter_file(&self) -> PathBuf {
        let v1 = self.folders[0].join("cpuacct.usage");
        if v1.exists() { v1 } else { self.folders[0].join("cpu.stat") }
    }

    /// Its counters, as the agent reads them.
    pub(crate) fn counters(&self) -> io::Result<GroupCounters> {
        Ok(GroupCounters { cpu: File::open(self.counter_file())? })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The counters of a group.
#[derive(Debug)]
pub(crate) struct GroupCounters {
    cpu: File,
}

impl Counters for GroupCounters {
    fn read(&mut self) -> CounterReading {
        let mut reading = CounterReading::new(SystemTime::now(), usage_ns(&self.cpu).unwrap_or(1));
        reading.memory_usage_bytes = 300 << 20;
        reading.memory_inactive_file_bytes = 44 << 20;
        reading
    }
}

/// CPU time, ns: the one number of version 1, or the line of version 2.
fn usage_ns(file: &File) -> Option<u64> {
    let mut buffer = [0; 4096];
    let length = file.read_at(&mut buffer, 0).ok()?;
    let text = std::str::from_utf8(&buffer[..length]).ok()?;
    match text.lines().find_map(|line| line.strip_prefix("usage_usec ")) {
        Some(microseconds) => Some(microseconds.parse::<u64>().ok()? * 1000),
        None => text.trim().parse().ok(),
    }
}

/// A process of the container: until its parent is gone.
pub(crate) fn load(kind: &str) -> ! {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
    loop {
        if kind == "busy" {
            let turn = Instant::now();
            while turn.elapsed() < BUSY {}
            std::thread::sleep(TURN.saturating_sub(turn.elapsed()));
        } else {
            std::thread::sleep(Duration::from_hours(1));
        }
    }
}
