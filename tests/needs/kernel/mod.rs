//! What is read from the kernel beside what the kernel itself counts for the same
//! control group: in real containers, with no privilege or with the target's user.
//! Nothing here expects that anything takes so or so long: at each reading the
//! counter of the group is known from just before and just after.
//!
//! `.ci/docker` sees to all that it needs.
//! The program itself is what runs in the containers, in two other roles: `reader`
//! reads the kernel once a second, `load` uses the CPU.

#![allow(clippy::cast_precision_loss, reason = "counters of a minute")]
#![allow(clippy::print_stdout, reason = "what the roles say, and the measured figures")]

mod probe;
mod roles;
mod sidecar;
mod truth;

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    engine::{Container, ENGINE, docker},
    harness::Case,
};
pub(crate) use roles::play;
use truth::{Line, Watch, lines};

/// The user that ESP's image has.
const READER: &str = "65532:65532";
const MINUTE: Duration = Duration::from_secs(64);
/// Nothing but what is in the examples.
const PRIVILEGES: [&str; 5] =
    ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"];

pub(crate) const CASES: &[Case] = &[
    case("kernel::without_a_shared_namespace_nothing_is_found_or_asked", not_shared),
    case("kernel::the_own_cgroup_file_is_the_counter_at_the_moment", own_file),
    case("kernel::a_container_that_is_started_again_is_found_again", started_again),
    case("kernel::the_sum_over_processes_follows_the_counter", processes),
    case("kernel::a_probe_says_what_can_be_read_and_shows_no_ids", probe::says_what_can_be_read),
    case("kernel::a_sidecar_publishes_each_second_what_is_renewed_each_10_s", sidecar::each_second),
];

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &ENGINE, is_alone: true, test }
}

/// The options with which this program runs in a container of busybox.
fn mounts() -> Vec<String> {
    let own = std::env::current_exe().unwrap();
    let mut mounts = vec![format!("{}:/esp-test:ro", own.display())];
    for folder in ["/lib", "/lib64", "/usr/lib"] {
        if std::path::Path::new(folder).exists() {
            mounts.push(format!("{folder}:{folder}:ro"));
        }
    }
    mounts.into_iter().flat_map(|mount| ["-v".to_owned(), mount]).collect()
}

/// A container in which this program uses the CPU.
fn load(name: &str, options: &[&str], what: &str) -> Container {
    let mounts = mounts();
    let mounts: Vec<&str> = mounts.iter().map(String::as_str).collect();
    let options = [options, &mounts].concat();
    Container::start(name, &options, &format!("exec /esp-test --as=load {what}"))
}

/// A reader in a container of its own, in the PID namespace of `beside`.
struct Reader {
    child: Option<Child>,
    name: String,
}

impl Reader {
    fn start(name: &str, beside: Option<&Container>, user: &str, of: &[&Container]) -> Self {
        let name = format!("esp-test-reader-{name}-{}", std::process::id());
        let mut command = Command::new("docker");
        command.args(["run", "--rm", "--network", "none", "--name", &name, "--user", user]);
        command.args(PRIVILEGES).args(mounts());
        if let Some(beside) = beside {
            command.arg(format!("--pid=container:{}", beside.id));
        }
        command.args([crate::engine::IMAGE, "/esp-test", "--as=reader"]);
        command.args(of.iter().map(|container| container.id.as_str()));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Self { child: Some(command.spawn().unwrap()), name }
    }

    /// Ends it, and gives what it printed.
    fn end(mut self) -> String {
        let child = self.child.take().unwrap();
        docker(&["kill", &self.name]).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = docker(&["rm", "-f", &self.name]);
            let _ = child.wait();
        }
    }
}

fn not_shared() {
    let target = load("alone", &[], "square 10");
    let reader = Reader::start("alone", None, "0:0", &[&target]);
    thread::sleep(Duration::from_secs(4));
    let printed = reader.end();
    assert!(printed.contains("no shared PID namespace"), "{printed}");
    assert_eq!(lines(&printed).count(), 0, "{printed}");
}

fn own_file() {
    let target = load("exact", &["--user", READER, "--cpus", "0.5"], "square 50");
    let reader = Reader::start("exact", Some(&target), READER, &[&target]);
    let watch = Watch::over(&target, Duration::from_secs(15));
    let printed = reader.end();
    let read: Vec<Line> = lines(&printed).filter(|line| watch.covers(line)).collect();
    assert!(read.len() >= 8, "{printed}");
    for line in &read {
        assert_eq!(line.tier, "CgroupFile", "{printed}");
        let (least, most) = watch.bounds(line);
        assert!((least..=most).contains(&line.total_ns), "{line:?}: {least} to {most}");
        assert!(line.memory_bytes > 0, "{line:?}");
        assert_eq!(line.allocations, 0, "{line:?}");
    }
}

fn started_again() {
    let pause = Container::start("pause", &[], "while :; do busybox sleep 1; done");
    let pid = format!("--pid=container:{}", pause.id);
    let target = load("again", &["--user", READER, &pid, "--cpus", "0.3"], "square 20");
    let reader = Reader::start("again", Some(&pause), READER, &[&target]);
    thread::sleep(Duration::from_secs(5));
    docker(&["restart", "-t", "0", &target.name]).unwrap();
    thread::sleep(Duration::from_secs(16));
    let printed = reader.end();
    let mut last: Option<Line> = None;
    for line in lines(&printed) {
        if let Some(last) = &last
            && last.generation == line.generation
        {
            assert!(last.total_ns <= line.total_ns, "{printed}");
        }
        last = Some(line);
    }
    let generations: Vec<u64> = lines(&printed).map(|line| line.generation).collect();
    assert!(generations.first() < generations.last(), "{printed}");
    assert_eq!(last.unwrap().tier, "CgroupFile", "{printed}");
}

fn processes() {
    let quota = ["--cpus", "0.3"];
    let shell = |name, script| Container::start(name, &quota, script);
    let pause = load("pause", &[], "pause 5");
    let pid = format!("--pid=container:{}", pause.id);
    let orphans = "while :; do (busybox sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done' &); \
                   busybox sleep 0.05; done";
    let targets = [
        load("one", &quota, "square 30"),
        load("threads", &quota, "threads 30"),
        load("idle", &quota, "idle 200"),
        shell("forks", "while :; do busybox true; done"),
        shell("orphans", orphans),
        // As with `pidMode: task`: another process waits for the orphans.
        Container::start("orphans-beside", &[&quota[..], &[&pid]].concat(), orphans),
    ];
    let readers: Vec<Reader> = targets
        .iter()
        .map(|target| Reader::start(&target.name, Some(target), READER, &[target]))
        .collect();
    let watches: Vec<Watch> = thread::scope(|scope| {
        let watching: Vec<_> =
            targets.iter().map(|target| scope.spawn(|| Watch::over(target, MINUTE))).collect();
        watching.into_iter().map(|watching| watching.join().unwrap()).collect()
    });
    let mut faults = Vec::new();
    for ((target, reader), watch) in targets.iter().zip(readers).zip(&watches) {
        let printed = reader.end();
        let read: Vec<Line> = lines(&printed).filter(|line| watch.covers(line)).collect();
        assert!(read.len() >= 30, "{}: {printed}", target.name);
        let off: Vec<f64> =
            read.windows(2).map(|pair| watch.points_off(&pair[0], &pair[1])).collect();
        let worst = off.iter().fold(0.0, |worst: f64, off| worst.max(off.abs()));
        let whole = watch.share_off(&read[0], read.last().unwrap());
        let cost: u64 = read.iter().map(|line| line.took_ns).sum::<u64>() / read.len() as u64;
        println!(
            "{}: at most {worst:.2} points off, {:.2} % over {} readings, {} us each",
            target.name,
            whole * 100.0,
            read.len(),
            cost / 1000
        );
        // The lists grow when more processes come than ever before.
        let allocated = read.iter().skip(20).filter(|line| line.allocations > 0).count();
        if allocated > 2 || worst > 5.0 || whole.abs() > 0.01 {
            faults.push(format!("{}: {off:.2?}\n{printed}", target.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
