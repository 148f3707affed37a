//! A program that is measured: its process, and what the kernel counts for it.
//! Threads are all counted, processes that it starts are not.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use esp_endpoints::{counters::Counters as _, process::ProcessCounters};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Outcome;

/// What ending may take: the grace for unsent samples is 5 s.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    counters: ProcessCounters,
    log: Option<JoinHandle<Vec<String>>>,
}

/// What had been counted at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) cpu_ns: u64,
    /// Times that a thread waited.
    pub(crate) voluntary: u64,
    /// Times that a thread was put off its CPU, which a busy machine does.
    pub(crate) involuntary: u64,
    pub(crate) resident_bytes: u64,
    /// The part of it that no file is behind.
    pub(crate) anonymous_bytes: u64,
}

impl Program {
    /// Starts `command` with these variables and no others.
    pub(crate) fn start(
        command: &mut Command,
        variables: &[(&'static str, String)],
    ) -> Outcome<Self> {
        command.env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let log = child.stderr.take().map(|stderr| {
            thread::spawn(move || BufReader::new(stderr).lines().map_while(Result::ok).collect())
        });
        let counters = ProcessCounters::new(child.id());
        Ok(Self { child, counters, log })
    }

    /// Reads the counters.
    pub(crate) fn read(&mut self) -> Outcome<Reading> {
        if let Some(status) = self.child.try_wait()? {
            let log = self.log.take().and_then(|log| log.join().ok()).unwrap_or_default();
            let last = log.last().map(String::as_str).unwrap_or_default();
            return Err(format!("it ended unexpectedly, with {status}: {last}").into());
        }
        let (mut voluntary, mut involuntary) = (0, 0);
        for status in self.of_threads("status")? {
            voluntary += field(&status, "voluntary_ctxt_switches:");
            involuntary += field(&status, "nonvoluntary_ctxt_switches:");
        }
        // Not `status`: its counts are those of the CPUs, added up now and then.
        let memory = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        Ok(Reading {
            cpu_ns: self.counters.read().total_usage_ns,
            voluntary,
            involuntary,
            resident_bytes: field(&memory, "Rss:") * 1024,
            anonymous_bytes: field(&memory, "Anonymous:") * 1024,
        })
    }

    /// The names of its threads.
    pub(crate) fn threads(&self) -> Outcome<Vec<String>> {
        let names = self.of_threads("comm")?;
        Ok(names.into_iter().map(|name| name.trim_end().to_owned()).collect())
    }

    /// That file of each thread; those that end meanwhile are left out.
    fn of_threads(&self, file: &str) -> Outcome<Vec<String>> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        let files = threads.flatten().map(|thread| fs::read_to_string(thread.path().join(file)));
        Ok(files.filter_map(Result::ok).collect())
    }

    /// Ends it with SIGTERM and gives the lines of its log that are JSON.
    pub(crate) fn stop(mut self) -> Outcome<Vec<Value>> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > END_TIMEOUT {
                return Err(format!("still there {END_TIMEOUT:?} after SIGTERM").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        let log = self.log.take().and_then(|log| log.join().ok()).unwrap_or_default();
        Ok(log.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number after `key`, which begins a line; 0 if there is none.
fn field(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
