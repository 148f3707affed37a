//! `esp health` as a health check runs it, and callers that do nothing but connect.

#![allow(dead_code, reason = "each test uses some of it")]

use std::{
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixStream},
    },
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{process::Uid, thread::set_thread_res_uid};

use esp::{endpoint::EndpointUri, health::socket_name};

use crate::program::{Esp, SOON};

/// How many of a flood's connections stay open on its side.
const KEPT_OPEN: usize = 100;

pub(crate) fn address(uri: &str) -> SocketAddr {
    let name = socket_name(&EndpointUri::parse(uri).unwrap());
    SocketAddr::from_abstract_name(name).unwrap()
}

/// `esp health` for the sidecar with the endpoint at `uri`.
pub(crate) fn health_command(uri: &str) -> Command {
    let mut command = Esp::command(&[("ECS_CONTAINER_METADATA_URI_V4", uri)]);
    command.arg("health");
    command
}

/// The exit code and the line, which is one.
pub(crate) fn answer_of(command: &mut Command) -> (i32, String) {
    let start = Instant::now();
    let output = command.output().unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code().unwrap(), text.trim_end().to_owned())
}

/// What a sidecar answers that has the CPU for it: on a machine that is busy with other
/// work an answer may take longer than the second that `esp health` waits.
pub(crate) fn answered_health(uri: &str) -> (i32, String) {
    let start = Instant::now();
    loop {
        let (code, line) = health(uri);
        if !line.contains("esp has not answered within 1 s") || start.elapsed() > SOON {
            return (code, line);
        }
    }
}

pub(crate) fn health(uri: &str) -> (i32, String) {
    answer_of(&mut health_command(uri))
}

/// Waits until the line of `esp health` begins like this, and gives it.
pub(crate) fn wait_for_health(uri: &str, begin: &str, patience: Duration) -> String {
    let start = Instant::now();
    loop {
        let (code, line) = health(uri);
        assert_eq!(code == 0, line.starts_with("healthy"), "{code} {line}");
        if line.starts_with(begin) {
            return line;
        }
        assert!(start.elapsed() < patience, "{line} for {:?}", start.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
}

/// Runs `task` on a thread of the user `uid`, or of this process's own. On Linux
/// each thread has its own uid, and it is the thread's that a peer is told.
pub(crate) fn spawn_as<T: Send + 'static>(
    uid: Option<u32>,
    task: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || {
        if let Some(uid) = uid.map(Uid::from_raw) {
            set_thread_res_uid(uid, uid, uid).unwrap();
        }
        task()
    })
}

/// Connects `per_second` times a second until it is ended.
pub(crate) struct Flood {
    is_over: Arc<AtomicBool>,
    connections: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Flood {
    pub(crate) fn start(uri: &str, per_second: u32, uid: Option<u32>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicU64::new(0));
        let (address, over) = (address(uri), Arc::clone(&is_over));
        let (counted, begun) = (Arc::clone(&connections), Instant::now());
        let thread = spawn_as(uid, move || {
            let mut open: Vec<UnixStream> = Vec::new();
            for number in 0_u32.. {
                let due = begun + Duration::from_secs(1) * number / per_second;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if over.load(Ordering::Relaxed) {
                    return;
                }
                if open.len() == KEPT_OPEN {
                    open.clear();
                }
                open.push(UnixStream::connect_addr(&address).unwrap());
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { is_over, connections, thread }
    }

    /// How often it has connected.
    fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// While callers of the user `uid` connect 14, 100 and 1,000 times a second, as far as
/// the machine lets them, `esp health` gets each of its answers: 20, and as many as it
/// takes until there was a second's worth of callers.
pub(crate) fn every_answer_arrives_beside_callers(uri: &str, uid: Option<u32>) {
    for per_second in [14, 100, 1000] {
        let flood = Flood::start(uri, per_second, uid);
        thread::sleep(Duration::from_millis(300));
        let (begun, mut answers) = (Instant::now(), Vec::new());
        while answers.len() < 20 || flood.connections() < per_second.into() {
            assert!(begun.elapsed() < Duration::from_mins(2), "{} callers", flood.connections());
            answers.push(health(uri));
        }
        flood.end();
        let failed: Vec<_> = answers.iter().filter(|(code, _)| *code != 0).collect();
        assert!(
            failed.is_empty(),
            "{} of {} beside {per_second}/s: {failed:?}",
            failed.len(),
            answers.len()
        );
    }
}
