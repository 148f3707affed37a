//! The built program with an environment of its own, and the log that it wrote:
//! what the tests of real processes share.

#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod ledger;
pub(crate) mod run;

use std::{
    collections::HashMap,
    ffi::OsString,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant, SystemTime},
};

use esp_endpoints::{
    agent::{Agent, Cadence},
    cloudwatch::{CloudWatch, Datum},
    containers::{Limits, Shape, Task},
    counters::{CounterReading, Steady},
    metadata::MetadataEndpoint,
};
use rustix::process::{Pid, Signal, kill_process};

/// For what comes in a second or two, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// In this it ends after a signal, when nothing keeps it: less than `SHUTDOWN_GRACE`,
/// which is 5 s. What a busy machine adds is known, see [`CpuWait`].
pub(crate) const AT_ONCE: Duration = Duration::from_secs(4);

/// How long the threads of a program and of this process, which has the stand-ins, have
/// been ready and had no CPU, as the kernel counts it; zero where it does not say. What a
/// busy machine delays is in it. Threads that end between two looks are counted up to the
/// first.
pub(crate) struct CpuWait {
    processes: [u32; 2],
    threads: HashMap<PathBuf, Duration>,
    total: Duration,
}

impl CpuWait {
    /// From when the threads that are there now started.
    pub(crate) fn since_start(child: u32) -> Self {
        let processes = [child, std::process::id()];
        let mut wait = Self { processes, threads: HashMap::new(), total: Duration::ZERO };
        wait.look();
        wait
    }

    /// From now on.
    pub(crate) fn from_now(child: u32) -> Self {
        Self { total: Duration::ZERO, ..Self::since_start(child) }
    }

    /// How long it is by now.
    pub(crate) fn look(&mut self) -> Duration {
        for process in self.processes {
            let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
            for path in tasks.flatten().map(|task| task.path()) {
                let Some(now) = Self::of_thread(&path) else { continue };
                let last = self.threads.insert(path, now).unwrap_or_default();
                self.total += now.saturating_sub(last);
            }
        }
        self.total
    }

    fn of_thread(path: &Path) -> Option<Duration> {
        let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
    }
}

/// What the command wrote at its end, and how long it and the stand-ins waited for a CPU.
pub(crate) fn output_of(command: &mut Command) -> (Output, Duration) {
    let child = command.spawn().unwrap();
    let mut wait = CpuWait::from_now(child.id());
    let (ended, end) = channel::<()>();
    thread::scope(|scope| {
        let waited = scope.spawn(move || {
            while end.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
                wait.look();
            }
            wait.look()
        });
        let output = child.wait_with_output().unwrap();
        drop(ended);
        (output, waited.join().unwrap())
    })
}

/// The built program, or another way to run it: `.ci/arm64` has one for another
/// architecture.
fn program() -> OsString {
    std::env::var_os("ESP_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_esp").into())
}

/// The program, with an environment of its own.
pub(crate) struct Esp {
    pub(crate) child: Child,
}

impl Esp {
    pub(crate) fn command(variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program());
        command.env_clear().envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(
        metadata: &MetadataEndpoint,
        cloudwatch: &CloudWatch,
        more: &[(&str, &str)],
    ) -> Self {
        Self::run(&mut Self::between(metadata, &cloudwatch.url(), more))
    }

    /// The program, about to run beside `metadata` and to publish to `url`.
    pub(crate) fn between(
        metadata: &MetadataEndpoint,
        url: &str,
        more: &[(&str, &str)],
    ) -> Command {
        let uri = metadata.uri();
        let mut command = Self::command(&[
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("METRICS", "CPUUtilization"),
            ("ECS_CONTAINER_METADATA_URI_V4", &uri),
            ("AWS_ENDPOINT_URL", url),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret-example"),
        ]);
        command.envs(more.iter().copied());
        command
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn signal(&self, name: &str) {
        let signal = match name {
            "TERM" => Signal::TERM,
            "INT" => Signal::INT,
            "HUP" => Signal::HUP,
            "PIPE" => Signal::PIPE,
            _ => panic!("no signal {name}"),
        };
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it by a signal and gives the log, [`AT_ONCE`].
    pub(crate) fn stop(self, signal: &str) -> (ExitStatus, Log) {
        self.stop_within(signal, AT_ONCE)
    }

    /// Ends it by a signal and gives the log, after at most that long.
    pub(crate) fn stop_within(self, signal: &str, most: Duration) -> (ExitStatus, Log) {
        self.signal(signal);
        self.ended_within(most)
    }

    /// Waits for at most that long until it has ended, and gives the log.
    pub(crate) fn ended_within(mut self, most: Duration) -> (ExitStatus, Log) {
        let (status, waited) = self.wait_for_end(most);
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (status, Log { waited, ..Log::parse(&text) })
    }

    /// Ends it by a signal, within `most`.
    pub(crate) fn end(&mut self, signal: &str, most: Duration) -> ExitStatus {
        self.signal(signal);
        self.wait_for_end(most).0
    }

    /// Waits for the end, and gives all that it wrote.
    pub(crate) fn whole_output(mut self) -> String {
        let mut text = String::new();
        for stream in [
            &mut self.child.stdout.take().unwrap() as &mut dyn std::io::Read,
            &mut self.child.stderr.take().unwrap(),
        ] {
            stream.read_to_string(&mut text).unwrap();
        }
        self.wait_for_end(SOON);
        text
    }

    /// Waits for at most that long, and for as long as it or a stand-in waits for a CPU
    /// meanwhile. Gives also how long they did that since they started.
    fn wait_for_end(&mut self, most: Duration) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let mut wait = CpuWait::since_start(self.child.id());
        let before = wait.look();
        loop {
            let waited = wait.look();
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, waited);
            }
            let added = waited.saturating_sub(before);
            assert!(asked.elapsed() < most + added, "still there after {most:?} and {added:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Esp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log, an object a line.
pub(crate) struct Log {
    pub(crate) text: String,
    /// How long the process, and this one with the stand-ins, have waited for a CPU.
    pub(crate) waited: Duration,
    pub(crate) lines: Vec<serde_json::Value>,
}

impl Log {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("not a JSON line: {line}"))
        });
        Self { lines: lines.collect(), text: text.to_owned(), waited: Duration::ZERO }
    }

    pub(crate) fn find(&self, message: &str) -> Option<&serde_json::Value> {
        self.lines.iter().find(|line| line["message"].as_str().unwrap_or("").contains(message))
    }

    /// Lines of this level.
    pub(crate) fn at<'log>(
        &'log self,
        level: &'log str,
    ) -> impl Iterator<Item = &'log serde_json::Value> {
        self.lines.iter().filter(move |line| line["level"] == level)
    }

    /// The last line, which says that no sample was lost.
    pub(crate) fn expect_all_published(&self) -> &serde_json::Value {
        let line = self.expect("esp stops");
        assert_eq!(line["message"], "esp stops; all samples were published", "{}", self.text);
        line
    }

    /// Asserts that no tick was missed but those that the machine had no CPU for.
    pub(crate) fn assert_no_tick_missed(&self) {
        let missed = self.expect("esp stops")["missed_ticks"].as_u64().unwrap();
        // A tick is missed if the next one is due before it is done.
        let most = (self.waited + Duration::from_millis(500)).as_secs();
        assert!(missed <= most, "{missed} missed, {:?} without CPU\n{}", self.waited, self.text);
    }

    pub(crate) fn expect(&self, message: &str) -> &serde_json::Value {
        self.find(message).unwrap_or_else(|| panic!("no {message:?} in\n{}", self.text))
    }
}

/// Waits until the endpoint has been polled that many times more.
pub(crate) fn wait_for_polls(metadata: &MetadataEndpoint, polls: u64) {
    let (before, start) = (metadata.stats_requests(), Instant::now());
    while metadata.stats_requests() < before + polls {
        assert!(start.elapsed() < SOON, "no {polls} polls within {SOON:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A task with one container `web` that uses half a CPU, and `esp` itself.
pub(crate) fn agent(shape: Shape, cadence: Cadence, change: impl FnOnce(&mut Task)) -> Agent {
    let mut task = Task::new(shape, "shop", "web-service")
        .with_container("web", Limits::default())
        .with_container("esp", Limits::default());
    task.limits = Limits { cpu: Some(2.0), memory_mib: Some(1024) };
    change(&mut task);
    let agent = Agent::new(task, cadence);
    let mut reading = CounterReading::new(SystemTime::now(), 70_000_000_000);
    reading.memory_usage_bytes = 300 << 20;
    reading.memory_inactive_file_bytes = 44 << 20;
    agent.attach("web", Steady::new(0.5, reading));
    agent
}

pub(crate) fn values(datums: &[Datum]) -> Vec<f64> {
    datums.iter().map(|datum| datum.values[0]).collect()
}

pub(crate) fn assert_all_near(datums: &[Datum], expected: f64, tolerance: f64) {
    assert!(
        datums.iter().all(|datum| (datum.values[0] - expected).abs() <= tolerance),
        "{:?} instead of {expected}",
        values(datums)
    );
}
