//! What `esp` does besides running steadily: its start, and an outage of
//! CloudWatch whose samples are sent afterwards.

use std::{
    path::Path,
    process::Command,
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use esp_endpoints::{
    agent::{Agent, Cadence},
    metadata::{Documents, MetadataEndpoint},
};

use crate::{
    Outcome,
    endpoints::{Endpoints, agent, variables},
    process::{Program, Reading},
};

/// How often `esp` is started.
const STARTS: usize = 20;
/// For a start; far more than any takes.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The quick outage: five samples a second.
const QUICK_INTERVAL_MS: u64 = 200;
/// A request that is this full was not the last of its backlog.
const FULL_REQUEST: u64 = 1000;
/// The first request after an outage may wait for half a minute, and each
/// further one for a second.
const DRAIN_TIMEOUT: Duration = Duration::from_mins(2);
/// After the backlog, for a request or two as usual.
const SETTLE: Duration = Duration::from_secs(12);

/// The times from just before `esp` is started to its first request for
/// `/task/stats`, which comes after the one for `/task`; in order.
pub(crate) fn start_up(esp: &Path) -> Outcome<Vec<Duration>> {
    let (polled, polls) = channel();
    let agent = agent(Cadence::STREAMING);
    let metadata = MetadataEndpoint::start(Watched { agent, polled });
    // Nothing listens there, and nothing is sent so early.
    let variables = variables(&metadata.uri(), "http://127.0.0.1:9", "");
    let mut times = Vec::new();
    for _ in 0..STARTS {
        while polls.try_recv().is_ok() {}
        let start = Instant::now();
        let program = Program::start(&mut Command::new(esp), &variables)?;
        let first = polls.recv_timeout(START_TIMEOUT).map_err(|_| "esp does not poll")?;
        times.push(first - start);
        drop(program);
    }
    times.sort();
    Ok(times)
}

/// The documents of an agent, and when each `/task/stats` was asked for.
struct Watched {
    agent: Agent,
    polled: Sender<Instant>,
}

impl Documents for Watched {
    fn task(&mut self) -> Vec<u8> {
        self.agent.task()
    }

    fn stats(&mut self) -> Vec<u8> {
        let _ = self.polled.send(Instant::now());
        self.agent.stats()
    }
}

/// A backlog, and what is left of the memory that it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    /// How long CloudWatch answered 503.
    pub(crate) outage: Duration,
    /// Whether samples came five times as fast, of all containers and metrics.
    pub(crate) is_quick: bool,
    /// Datums that were sent until the backlog was gone.
    pub(crate) datums: u64,
    /// Just before the outage ended.
    pub(crate) full: Reading,
    /// After the backlog, and some requests as usual.
    pub(crate) drained: Reading,
}

/// An outage from the start, and its end. A quick one makes about 130 samples a
/// second into a buffer for 7,800: the default settings make 7,200 in an hour.
pub(crate) fn backlog(esp: &Path, outage: Duration, is_quick: bool) -> Outcome<Backlog> {
    let mut endpoints = Endpoints::start(1, if is_quick { QUICK_INTERVAL_MS } else { 0 }, 0)?;
    endpoints.set_outage(true)?;
    let mut variables = endpoints.variables(0);
    if is_quick {
        let interval = format!("{QUICK_INTERVAL_MS}ms");
        variables.extend([
            ("SAMPLE_INTERVAL", interval),
            ("CONTAINER_NAME", "*".to_owned()),
            ("METRICS", "all".to_owned()),
            ("BUFFER", "1m".to_owned()),
        ]);
    }
    let mut program = Program::start(&mut Command::new(esp), &variables)?;
    thread::sleep(outage);
    let full = program.read()?;
    let refused = endpoints.seen()?[0].accepted.len();
    endpoints.set_outage(false)?;
    let end = Instant::now();
    let datums = loop {
        thread::sleep(Duration::from_millis(500));
        let accepted = &endpoints.seen()?[0].accepted[refused..];
        // A refused request under way counts 0.
        if accepted.iter().any(|&datums| (1..FULL_REQUEST).contains(&datums)) {
            break accepted.iter().sum();
        }
        if end.elapsed() > DRAIN_TIMEOUT {
            return Err("ESP has not sent the backlog two minutes after the outage".into());
        }
    };
    thread::sleep(SETTLE);
    let drained = program.read()?;
    program.stop()?;
    Ok(Backlog { outage, is_quick, datums, full, drained })
}
