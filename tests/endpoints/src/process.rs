//! Real processes for the demo and the tests: a busy child, and the CPU time that
//! the kernel has counted for it. Linux only at run time: everything is read from
//! `/proc`. Threads of a process are counted, its children are not.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::io;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use crate::counters::{CounterReading, Counters};

/// One slice of [`burn`].
const SLICE: Duration = Duration::from_millis(20);
/// `sysconf(_SC_CLK_TCK)` is 100 wherever ECS runs.
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// A child process, killed when dropped.
#[derive(Debug)]
pub struct Busy(Child);

impl Busy {
    /// Starts the command; what it does is its own affair, as a rule a call of
    /// [`burn`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// What the kernel counts for it.
    #[must_use]
    pub fn counters(&self) -> ProcessCounters {
        ProcessCounters::new(self.pid())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Keeps one CPU busy for `duty` (0 to 1) of each 20 ms, for that long.
pub fn burn(duty: f64, time: Duration) {
    let busy = SLICE.mul_f64(duty.clamp(0.0, 1.0));
    let start = Instant::now();
    let mut slice = Duration::ZERO;
    while slice < time {
        let mut work = 1_u64;
        while start.elapsed() < slice + busy {
            for _ in 0..1000 {
                work = black_box(work.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            }
        }
        slice += SLICE;
        std::thread::sleep(slice.saturating_sub(start.elapsed()));
    }
}

/// The counters of one process. They never fall: what a thread had used when it
/// was last seen is kept after it ends, and so is everything after the process
/// ends.
#[derive(Debug)]
pub struct ProcessCounters {
    pid: u32,
    /// Nanoseconds of each thread at the last reading.
    threads: HashMap<String, u64>,
    /// Nanoseconds of the threads that have ended.
    ended: u64,
    last: u64,
    online_cpus: u32,
}

impl ProcessCounters {
    /// The counters of a process that exists.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            pid,
            threads: HashMap::new(),
            ended: 0,
            last: 0,
            online_cpus: u32::try_from(cpus).unwrap_or(1),
        }
    }

    /// CPU time of all its threads so far, nanoseconds.
    pub fn cpu_time(&mut self) -> u64 {
        if let Some(threads) = self.read_threads() {
            for (id, before) in &self.threads {
                // Gone, or another thread under the same id.
                if threads.get(id).is_none_or(|now| now < before) {
                    self.ended += before;
                }
            }
            self.last = self.last.max(self.ended + threads.values().sum::<u64>());
            self.threads = threads;
        } else if let Some(total) = self.read_stat() {
            self.last = self.last.max(total);
        }
        self.last
    }

    /// `/proc/<pid>/schedstat` is of the main thread alone, hence each task's.
    /// `None` where the kernel counts none of it (no `CONFIG_SCHED_INFO`).
    fn read_threads(&self) -> Option<HashMap<String, u64>> {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?.flatten() {
            let schedstat = fs::read_to_string(entry.path().join("schedstat")).ok();
            let spent = schedstat.and_then(|text| text.split(' ').next()?.parse().ok());
            if let Some(spent) = spent {
                threads.insert(entry.file_name().to_string_lossy().into_owned(), spent);
            }
        }
        (!threads.is_empty()).then_some(threads)
    }

    /// utime and stime, the 14th and 15th field; the second is a name that may
    /// hold spaces and parentheses.
    fn read_stat(&self) -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        Some((ticks()? + ticks()?) * NANOSECONDS_PER_TICK)
    }

    /// The number after `key` in a file of `/proc/<pid>`; 0 if it is not there.
    fn read_field(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

impl Counters for ProcessCounters {
    fn read(&mut self) -> CounterReading {
        let memory_usage_bytes = self.read_field("status", "VmRSS:") * 1024;
        let read_bytes = self.read_field("io", "read_bytes:");
        let write_bytes = self.read_field("io", "write_bytes:");
        // The instant and the CPU time last and together: their ratio is what
        // everybody is after.
        let total_usage_ns = self.cpu_time();
        let read = SystemTime::now();
        CounterReading {
            online_cpus: self.online_cpus,
            memory_usage_bytes,
            read_bytes,
            write_bytes,
            ..CounterReading::new(read, total_usage_ns)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            black_box(start);
        }
    }

    /// Waits until there is more than `ns` of CPU time, however little the machine gives.
    fn until(counters: &mut ProcessCounters, ns: u64) -> u64 {
        let start = Instant::now();
        loop {
            let used = counters.cpu_time();
            if used > ns {
                return used;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{used} instead of {ns}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn every_thread_counts_and_none_is_forgotten() {
        let mut counters = ProcessCounters::new(std::process::id());
        let (tell, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            spin(Duration::from_millis(60));
            wait.recv()
        });
        let before = counters.cpu_time();
        let during = until(&mut counters, before + 5_000_000);
        drop(tell);
        let _ = thread.join();
        std::thread::sleep(Duration::from_millis(10));
        assert!(counters.cpu_time() >= during);
    }

    #[test]
    fn a_reading_has_memory_and_both_ways_of_counting_agree() {
        spin(Duration::from_millis(50));
        let mut counters = ProcessCounters::new(std::process::id());
        let reading = counters.read();
        assert!(reading.memory_usage_bytes > 100_000);
        let ticks = counters.read_stat().expect("utime and stime");
        // Threads that ended before the first reading are only in the ticks.
        assert!(ticks + 50_000_000 > reading.total_usage_ns, "{ticks} {reading:?}");
    }

    #[test]
    fn a_child_that_is_gone_keeps_its_total() {
        let mut this = Command::new(std::env::current_exe().unwrap());
        this.args(["--exact", "process::tests::spins", "--ignored", "--test-threads=1"]);
        let busy = Busy::start(this.stdout(std::process::Stdio::null())).unwrap();
        let mut counters = busy.counters();
        let alive = until(&mut counters, 5_000_000);
        drop(busy);
        assert!(counters.cpu_time() >= alive);
        assert_eq!(counters.cpu_time(), counters.cpu_time());
    }

    #[test]
    #[ignore = "not a test: the process that the one above starts"]
    fn spins() {
        spin(Duration::from_mins(1));
    }

    #[test]
    fn burning_takes_its_share_and_no_more() {
        let (duty, time) = (0.25, Duration::from_millis(400));
        let spent = std::thread::spawn(move || {
            burn(duty, time);
            let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            schedstat.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        let start = Instant::now();
        let spent = spent.join().unwrap();
        assert!(start.elapsed() >= time);
        // At most: other work on the machine may take some of the share away.
        assert!((1..=130_000_000).contains(&spent), "{spent}");
    }
}
