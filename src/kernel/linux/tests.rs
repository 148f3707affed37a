//! Recorded trees: files as other kernels write them, of processes that are there.

use std::{
    fs, io,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;
use crate::kernel::{NoFile, Survey, Tier};

const ONE: &str = "64a8b67cc4e3d5d942f81bfcfc7dcd6fe58e0eccd0eb2a253fd1113653c4ee17";
const TWO: &str = "f1113653c4ee1764a8b67cc4e3d5d942f81bfcfc7dcd6fe58e0eccd0eb2a253f";

/// A `/proc` and a `/sys` of the test's own.
struct Tree {
    root: PathBuf,
    children: Vec<Child>,
    last_pid: u32,
}

impl Tree {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("esp-kernel-{}-{count}", process::id()));
        let mut tree = Self { root, children: Vec::new(), last_pid: 0 };
        fs::create_dir_all(tree.proc()).unwrap();
        tree.new_pid();
        tree
    }

    fn proc(&self) -> PathBuf {
        self.root.join("proc")
    }

    fn sys(&self) -> PathBuf {
        self.root.join("sys")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn new_pid(&mut self) {
        self.last_pid += 1;
        self.write("proc/loadavg", &format!("0.00 0.01 0.05 2/77 {}\n", self.last_pid));
    }

    /// A process that waits, in the cgroup at `path`.
    fn process(&mut self, path: &str) -> u32 {
        let mut this = Command::new(std::env::current_exe().unwrap());
        this.args(["--exact", "kernel::linux::tests::waits", "--ignored", "--test-threads=1"]);
        let child = this.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        self.children.push(child);
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        self.write(&format!("proc/{pid}/stat"), &stat);
        self.write(&format!("proc/{pid}/cgroup"), &format!("0::{path}\n"));
        self.new_pid();
        pid
    }

    fn kernel(&self, ids: &[&str]) -> Kernel {
        let mut kernel = Kernel::at(&self.proc(), &self.sys());
        kernel.look(ids.iter().copied());
        kernel
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
#[ignore = "not a test: the process that each of the others starts"]
fn waits() {
    // Ends with the process that started it, whatever becomes of that.
    let _ = io::stdin().read_line(&mut String::new());
}

/// How many processes each container has, by what is found.
fn counts(kernel: &Kernel) -> Vec<usize> {
    kernel.findings().map(|finding| finding.processes).collect()
}

fn read(kernel: &mut Kernel) -> Vec<(String, Tier)> {
    let mut read = Vec::new();
    kernel.read(true, &mut |id, reading| read.push((id.to_owned(), reading.tier)));
    read
}

#[test]
fn processes_are_found_by_the_id_in_their_cgroup_from_another_namespace() {
    let mut tree = Tree::new();
    tree.process(&format!("/../{ONE}"));
    tree.process(&format!("/../{ONE}/worker"));
    tree.process("/");
    let mut kernel = tree.kernel(&[ONE, TWO]);
    assert_eq!(counts(&kernel), [2, 0]);
    assert!(kernel.is_shared());
    assert_eq!(read(&mut kernel), [(ONE.to_owned(), Tier::Processes)]);
    let sums: Vec<_> = kernel.findings().map(|finding| finding.sum).collect();
    assert_eq!(sums, [Ok(()), Err(NoProcesses::NotVisible)]);

    // One that comes later is found without another look.
    tree.process(&format!("/system.slice/docker-{TWO}.scope"));
    assert_eq!(read(&mut kernel).len(), 2);
    assert_eq!(counts(&kernel), [2, 1]);
}

#[test]
fn a_process_that_moves_into_a_container_after_it_began_is_found() {
    let mut tree = Tree::new();
    tree.process(&format!("/docker/{ONE}"));
    let pid = tree.process("/system.slice/containerd.service");
    let mut kernel = tree.kernel(&[ONE, TWO]);
    assert_eq!(counts(&kernel), [1, 0]);
    tree.write(&format!("proc/{pid}/cgroup"), &format!("0::/docker/{TWO}\n"));
    assert_eq!(read(&mut kernel).len(), 2);
}

#[test]
fn a_container_that_has_ended_and_begins_again_begins_anew() {
    let mut tree = Tree::new();
    tree.process(&format!("/docker/{ONE}"));
    tree.process(&format!("/docker/{TWO}"));
    let mut kernel = tree.kernel(&[ONE, TWO]);
    let generation = |kernel: &mut Kernel| {
        let mut found = None;
        kernel.read(false, &mut |id, reading| {
            if id == ONE {
                found = Some(reading.generation);
            }
        });
        found
    };
    let before = generation(&mut kernel).unwrap();
    let mut child = tree.children.remove(0);
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_dir_all(tree.proc().join(child.id().to_string())).unwrap();
    assert_eq!(generation(&mut kernel), None);
    tree.process(&format!("/docker/{ONE}"));
    assert!(generation(&mut kernel).unwrap() > before);
}

#[test]
fn only_the_own_container_is_no_shared_namespace() {
    let tree = Tree::new();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    tree.write(&format!("proc/{}/stat", process::id()), &stat);
    tree.write(&format!("proc/{}/cgroup", process::id()), &format!("0::/docker/{ONE}\n"));
    let mut kernel = tree.kernel(&[ONE, TWO]);
    assert_eq!(counts(&kernel), [1, 0]);
    assert!(!kernel.is_shared());
    assert!(kernel.findings().all(|finding| finding.sum == Err(NoProcesses::NotShared)));
    assert_eq!(read(&mut kernel), []);
}

#[test]
fn of_more_processes_than_are_listed_none_is_followed() {
    let mut tree = Tree::new();
    tree.process(&format!("/docker/{ONE}"));
    let mut kernel = tree.kernel(&[ONE]);
    assert_eq!(read(&mut kernel).len(), 1);
    for pid in 0..LISTED_MAX {
        fs::create_dir(tree.proc().join((10_000_000 + pid).to_string())).unwrap();
    }
    tree.new_pid();
    assert_eq!(read(&mut kernel), []);
    let sum = kernel.findings().next().unwrap().sum;
    assert_eq!(sum, Err(NoProcesses::TooMany { limit: LISTED_MAX }));
}

#[test]
fn a_process_that_cannot_be_looked_at_is_looked_at_again() {
    let mut tree = Tree::new();
    tree.process(&format!("/docker/{TWO}"));
    let pid = tree.process("/");
    let path = tree.proc().join(pid.to_string()).join("cgroup");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let mut kernel = tree.kernel(&[ONE, TWO]);
    for _ in 0..5 {
        assert_eq!(read(&mut kernel).len(), 1);
    }
    fs::remove_dir(&path).unwrap();
    fs::write(&path, format!("0::/docker/{ONE}\n")).unwrap();
    assert_eq!(read(&mut kernel).len(), 2);
}

#[test]
fn a_file_that_only_looks_like_a_counter_is_not_read() {
    let mut tree = Tree::new();
    let pid = tree.process(&format!("/docker/{ONE}"));
    let root = format!("proc/{pid}/root/sys/fs/cgroup");
    tree.write(&format!("{root}/cgroup.procs"), &format!("{pid}\n"));
    tree.write(&format!("{root}/cpu.stat"), "usage_usec 5\n");
    let kernel = tree.kernel(&[ONE]);
    let finding = kernel.findings().next().unwrap();
    assert!(matches!(finding.file, Err(NoFile::NotCgroup { .. })), "{finding:?}");

    // Nor is a link followed, wherever it leads.
    fs::remove_dir_all(tree.root.join(&root)).unwrap();
    std::os::unix::fs::symlink("/sys/fs/cgroup", tree.root.join(&root)).unwrap();
    let kernel = tree.kernel(&[ONE]);
    let finding = kernel.findings().next().unwrap();
    assert!(matches!(finding.file, Err(NoFile::Open { .. })), "{finding:?}");
}

#[test]
fn the_interface_is_the_one_with_the_tasks_address() {
    let tree = Tree::new();
    let dev = " eth0: 1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n eth1: 3 0 0 0 0 0 0 0 4 0 0 0 0 0 0 0\n";
    tree.write("proc/self/net/dev", dev);
    tree.write("sys/class/net/lo/address", "00:00:00:00:00:00\n");
    tree.write("sys/class/net/eth0/address", "0e:98:9f:33:76:a7\n");
    tree.write("sys/class/net/eth1/address", "0e:98:9f:33:76:a8\n");
    let mut kernel = tree.kernel(&[]);
    let none = || std::iter::empty::<Ipv4Addr>();
    let mut choose = |macs: &[&str]| {
        let name = kernel.choose_interface(macs.iter().copied(), none()).map(str::to_owned);
        let bytes = kernel.read_network().map(|read| (read.rx_bytes, read.tx_bytes));
        (name, bytes)
    };
    assert_eq!(choose(&["0E:98:9F:33:76:A8"]), (Ok("eth1".to_owned()), Some((3, 4))));
    assert_eq!(choose(&["0e:98:9f:33:76:a9"]), (Err(NoInterface::NoMatch), None));
    assert_eq!(choose(&["00:00:00:00:00:00"]), (Err(NoInterface::NothingGiven), None));
    assert_eq!(choose(&[]), (Err(NoInterface::NothingGiven), None));
    // A bridge has the address of its port.
    tree.write("sys/class/net/br0/address", "0e:98:9f:33:76:a8\n");
    assert_eq!(choose(&["0e:98:9f:33:76:a8"]), (Err(NoInterface::Ambiguous), None));
}

#[test]
fn this_machine_has_been_idle_for_some_time() {
    let mut kernel = Kernel::new();
    let (first, second) = (kernel.read_machine().unwrap(), kernel.read_machine().unwrap());
    assert!(first.cpus > 0 && first.idle_ticks > 0);
    assert!(second.idle_ticks >= first.idle_ticks && second.before >= first.after);
}

#[test]
fn without_proc_nothing_is_found() {
    let mut kernel = Kernel::at(Path::new("/nowhere"), Path::new("/nowhere"));
    kernel.look([ONE].into_iter());
    assert_eq!(read(&mut kernel), []);
    assert_eq!(kernel.findings().next().unwrap().sum, Err(NoProcesses::NoProc));
    assert_eq!(kernel.read_machine(), None);
    assert_eq!(kernel.read_network(), None);
}

#[test]
fn a_survey_has_what_can_be_read_and_leaves_out_the_rest() {
    let mut tree = Tree::new();
    tree.process(&format!("/docker/{ONE}"));
    tree.process(&format!("/docker/{ONE}"));
    tree.process("/");
    tree.write("proc/sys/kernel/osrelease", "6.1.0-1\u{7}\n");
    tree.write("proc/uptime", "79.12 100.0\n");
    tree.write("proc/self/cgroup", "3:cpu,cpuacct:/ecs/x\n0::/y\n");
    tree.write("proc/self/net/dev", "Inter-|\n lo: 1 2 3\n eth1: 1 2 3\n");
    tree.write("sys/class/net/eth1/address", "0e:98:9f:33:76:a7\n");
    let survey = tree.kernel(&[ONE]).survey(&["0E:98:9F:33:76:A7"], &[]);
    assert_eq!(survey.release.as_deref(), Some("6.1.0-1?"));
    assert_eq!((survey.uptime_s, survey.cpus), (Some(79), None));
    assert_eq!(survey.cgroup_version, Some("1 and 2"));
    assert_eq!(survey.own_cgroup.as_deref(), Some("/ecs/x"));
    assert_eq!(survey.processes, 3);
    assert_eq!(survey.cgroups, [("/".to_owned(), 1), (format!("/docker/{ONE}"), 2)]);
    let interfaces: Vec<_> =
        survey.interfaces.iter().map(|it| (it.name.as_str(), it.has_mac, it.has_ipv4)).collect();
    assert_eq!(interfaces, [("eth1", true, false), ("lo", false, false)]);
    assert_eq!(
        Kernel::at("/nowhere".as_ref(), "/nowhere".as_ref()).survey(&[], &[]),
        Survey::default()
    );
}
