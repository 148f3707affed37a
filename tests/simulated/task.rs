//! The task and its metadata endpoint: containers that use the same amount of
//! everything all the time, but for their memory if that is to turn; the agent that
//! samples them, and what the endpoint says of them when it is asked, faults included.
//! What a sample must come of is entered in the ledger when ESP gets it.

mod script;
mod truth;

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    sync::{Arc, Mutex},
    time::Duration,
};

use esp::{
    endpoint::{EndpointError, Resource, response::ResponseError},
    kernel::Tier,
    reading::MemoryReading,
};
use esp_endpoints::{
    agent::Samples,
    containers::Task as Description,
    counters::Counters as _,
    http::{Body, Delivery, Response},
    metadata::Documents as _,
};

use self::truth::{Truth, TruthCounters};
pub(crate) use self::{
    script::{TaskEvent, TaskFault, TaskScript},
    truth::CORES,
};
use super::{
    clock::{Clock, unix_ns},
    kernel::KernelScript,
    ledger::Ledger,
    script::{Episode, pick},
};

/// Of the task: vCPU and MiB.
pub(crate) const VCPU: f64 = 2.0;
pub(crate) const MEMORY_MIB: u64 = 1024;

/// What its samples are worth.
pub(crate) const VALUES: [(&str, f64); 2] =
    [("CPUUtilization", 100.0 * CORES / VCPU), ("MemoryUtilization", 25.0)];

/// Where the memory turns, it is so many times the usual at each second turn.
pub(crate) const MEMORY_TURNED: f64 = 3.0;

/// CPU time of a container when the simulation begins, and how much less it is
/// after a restart: more than it uses meanwhile, so that each restart shows.
const USED_NS: u64 = 90_000_000_000_000;
const RESTART_NS: u64 = 20_000_000_000_000;

/// What will be said to a request.
pub(crate) struct Answer {
    pub(crate) after: Duration,
    pub(crate) outcome: Outcome,
}

/// A container's entry in the stats.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    AsItIs,
    Changed(&'static str),
    Missing,
}

pub(crate) enum Outcome {
    /// The document as it is, or with one container's entry changed.
    Document(Entry),
    Other(Response),
    Refused,
    Reset,
}

/// A sample of a container's, and in which of its times it was taken: a restart
/// or a clock that is set ends one, and there is no difference between two.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Taken {
    read_ms: i64,
    time: u32,
}

pub(crate) struct Task {
    clock: Clock,
    ledger: Arc<Mutex<Ledger>>,
    samples: Samples,
    truths: HashMap<String, Arc<Mutex<Truth>>>,
    incarnations: HashMap<String, u32>,
    /// Until when the agent takes no samples.
    stalled_until: Duration,
    script: TaskScript,
    random: fastrand::Rng,
    /// The names of those that are measured.
    measured: Vec<String>,
    /// The containers in the last `/task` that ESP got, by id.
    known: HashMap<String, String>,
    /// The stats will be asked for at the same tick as the task has been.
    is_stats_next: bool,
    /// The last sample of each container, by id; and the last that ESP got.
    taken: HashMap<String, Taken>,
    shown: HashMap<String, Taken>,
    /// When the last sample of each was taken, by id.
    taken_at: HashMap<String, Duration>,
    /// By name.
    times: HashMap<String, u32>,
    /// Of the next samples of each container so many may lack a difference: of a
    /// sample near the moment at which the clock was set nobody knows the side.
    doubtful: HashMap<String, u8>,
    /// `/task/stats` as it was last asked for, and whether it is that still. Kept
    /// until the next one, so that what is allocated depends on no coincidence.
    stats: Vec<u8>,
    is_stats_good: bool,
}

impl Task {
    pub(crate) fn new(
        description: Description,
        cadence: esp_endpoints::agent::Cadence,
        measured: Vec<String>,
        script: TaskScript,
        seed: u64,
        clock: &Clock,
        ledger: &Arc<Mutex<Ledger>>,
    ) -> Self {
        let names: Vec<_> = description.containers.iter().map(|c| c.name.clone()).collect();
        let mut samples = Samples::new(description, cadence);
        let mut truths = HashMap::new();
        for name in names {
            let truth = Truth {
                used_ns: USED_NS,
                since: Duration::ZERO,
                starts: 1,
                lied: None,
                is_told: false,
            };
            let truth = Arc::new(Mutex::new(truth));
            let counters = TruthCounters {
                clock: clock.clone(),
                memory_turns: script.memory_turns,
                truth: Arc::clone(&truth),
            };
            samples.attach(&name, counters, clock.instant());
            truths.insert(name, truth);
        }
        Self {
            clock: clock.clone(),
            ledger: Arc::clone(ledger),
            samples,
            truths,
            incarnations: HashMap::new(),
            stalled_until: Duration::ZERO,
            script,
            random: fastrand::Rng::with_seed(seed),
            measured,
            known: HashMap::new(),
            is_stats_next: false,
            taken: HashMap::new(),
            shown: HashMap::new(),
            taken_at: HashMap::new(),
            times: HashMap::new(),
            doubtful: HashMap::new(),
            stats: Vec::new(),
            is_stats_good: false,
        }
    }

    /// Takes the samples that are due, and says when the next is.
    pub(crate) fn renew(&mut self) -> Duration {
        let (now, elapsed) = (self.clock.instant(), self.clock.elapsed());
        if elapsed < self.stalled_until {
            return self.stalled_until;
        }
        self.samples.renew_due(now);
        self.is_stats_good = false;
        for (container, reading) in self.samples.current() {
            let read_ms = i64::try_from(unix_ns(reading.read) / 1_000_000).unwrap();
            let id = &container.docker_id;
            let before = self.taken.get(id);
            if before.is_none_or(|before| before.read_ms != read_ms) {
                let time = self.times.get(&container.name).copied().unwrap_or(0);
                let taken = Taken { read_ms, time };
                let gone = self.taken.insert(id.clone(), taken);
                let since = self.taken_at.insert(id.clone(), elapsed);
                // One that ESP knows, and has not been shown.
                let shown = self.shown.get(id).copied();
                if let Some(since) = since.filter(|_| shown.is_some() && shown != gone)
                    && self.measured.contains(&container.name)
                    && !self.script.has_kernel
                    && self.is_honest(since, elapsed)
                {
                    let mut ledger = self.ledger.lock().unwrap();
                    ledger.on_replaced_unseen(elapsed, &container.name, since);
                }
            }
        }
        elapsed + self.samples.next_due().unwrap().saturating_duration_since(now)
    }

    /// Whether each request between the two was answered as it should be, and at once.
    fn is_honest(&self, from: Duration, until: Duration) -> bool {
        let is_apart = |episode: &Episode<TaskFault>| {
            // An answer may take its time beyond the end.
            until < episode.from || from > episode.until + Duration::from_secs(12)
        };
        self.script.latency < Duration::from_millis(10) && self.script.faults.iter().all(is_apart)
    }

    pub(crate) fn happen(&mut self, event: &TaskEvent) {
        match event {
            TaskEvent::Restart(name) => self.restart(name),
            TaskEvent::Replace(name) => {
                let incarnation = self.incarnations.entry(name.clone()).or_insert(1);
                *incarnation += 1;
                let docker_id = self.samples.task_mut().docker_id(name, *incarnation);
                self.container(name).docker_id = docker_id;
                self.restart(name);
            }
            TaskEvent::Stop(name) => {
                let container = self.container(name);
                container.known_status = "STOPPED".into();
                let docker_id = container.docker_id.clone();
                // From now on its last sample is not to be seen.
                self.taken_at.remove(&docker_id);
            }
            TaskEvent::Start(name) => {
                self.container(name).known_status = "RUNNING".into();
                self.restart(name);
            }
            TaskEvent::Stall(duration) => self.stalled_until = self.clock.elapsed() + *duration,
            TaskEvent::SetClock(host_ahead_ms) => {
                self.clock.set_host_ahead(*host_ahead_ms);
                self.doubtful = self.known.keys().map(|docker_id| (docker_id.clone(), 2)).collect();
                for name in self.truths.keys() {
                    *self.times.entry(name.clone()).or_default() += 1;
                }
            }
        }
        self.is_stats_good = false;
    }

    fn container(&mut self, name: &str) -> &mut esp_endpoints::containers::Container {
        let containers = &mut self.samples.task_mut().containers;
        containers.iter_mut().find(|container| container.name == name).unwrap()
    }

    fn restart(&mut self, name: &str) {
        let mut truth = self.truths[name].lock().unwrap();
        truth.used_ns -= RESTART_NS;
        truth.since = self.clock.elapsed();
        truth.starts += 1;
        truth.lied = None;
        *self.times.entry(name.to_owned()).or_default() += 1;
    }

    /// ESP reads the kernel: the number of the container's run, its CPU time and memory.
    pub(crate) fn on_kernel_read(
        &mut self,
        docker_id: &str,
        script: KernelScript,
    ) -> Option<(u32, u64, MemoryReading)> {
        let elapsed = self.clock.elapsed();
        let containers = &self.samples.task_mut().containers;
        let container = containers.iter().find(|container| container.docker_id == docker_id)?;
        let (name, is_running) = (container.name.clone(), container.known_status == "RUNNING");
        let truth = Arc::clone(self.truths.get(&name).filter(|_| is_running)?);
        let mut counters = TruthCounters {
            clock: self.clock.clone(),
            memory_turns: self.script.memory_turns,
            truth: Arc::clone(&truth),
        };
        let reading = counters.read();
        let mut truth = truth.lock().unwrap();
        let mut total_ns = reading.total_usage_ns;
        let lie = script.lie.filter(|(from, _)| elapsed >= *from);
        if let Some((from, lie)) = lie {
            // From the start on it was never true.
            let before_ns = if from.is_zero() { total_ns / 2 } else { total_ns };
            let (before_ns, _) = *truth.lied.get_or_insert((before_ns, elapsed));
            total_ns = lie.of(before_ns, total_ns);
            truth.is_told |= from.is_zero();
        }
        let is_doubted = lie.is_some();
        if self.measured.contains(&name) && !(is_doubted && truth.is_told) {
            let read_ms = i64::try_from(unix_ns(reading.read) / 1_000_000).unwrap();
            let mut ledger = self.ledger.lock().unwrap();
            for (metric, _) in VALUES {
                ledger.on_given_perhaps(elapsed, metric, &name, read_ms, is_doubted);
            }
        }
        if script.tier == Tier::Processes {
            // It counts from elsewhere.
            total_ns -= USED_NS / 3;
        }
        let memory = MemoryReading {
            usage_bytes: reading.memory_usage_bytes,
            inactive_file_bytes: reading.memory_inactive_file_bytes,
            cache_bytes: Some(reading.memory_cache_bytes),
            limit_bytes: None,
            hierarchical_limit_bytes: None,
        };
        Some((truth.starts, total_ns, memory))
    }

    /// ESP asks.
    pub(crate) fn on_request(&mut self, resource: Resource) -> Answer {
        let now = self.clock.elapsed();
        // Without a task ESP begins with that.
        let is_second = match resource {
            Resource::Task => !self.known.is_empty(),
            Resource::Stats => std::mem::take(&mut self.is_stats_next),
        };
        if !is_second {
            self.ledger.lock().unwrap().on_poll(now);
        }
        let (mut after, mut outcome) = (self.script.latency, Outcome::Document(Entry::AsItIs));
        match pick(&self.script.faults, now, &mut self.random) {
            None => {}
            Some(TaskFault::EmptyObject) => {
                outcome = Outcome::Other(Response::new(200, "application/json", "{}"));
            }
            Some(TaskFault::Refused) => outcome = Outcome::Refused,
            Some(TaskFault::Reset) => outcome = Outcome::Reset,
            Some(TaskFault::Entry(entry)) => outcome = Outcome::Document(Entry::Changed(entry)),
            Some(TaskFault::NoEntry) => outcome = Outcome::Document(Entry::Missing),
            Some(TaskFault::Endpoint(fault)) => {
                let honest = Response::new(200, "application/json", "");
                let response = fault.clone().spoil(honest);
                match response.delivery {
                    Delivery::After(time) | Delivery::PauseInBody(time) => after = time,
                    Delivery::Cut | Delivery::CutInBody | Delivery::Reset => {
                        outcome = Outcome::Reset;
                    }
                    Delivery::Whole | Delivery::WithEnd => outcome = Outcome::Other(response),
                }
            }
        }
        Answer { after, outcome }
    }

    /// An answer has come, or ESP waits for none any more.
    pub(crate) fn on_request_over(&mut self) {
        self.ledger.lock().unwrap().on_poll_over(self.clock.elapsed());
    }

    /// ESP gets the answer.
    pub(crate) fn deliver(
        &mut self,
        resource: Resource,
        outcome: Outcome,
        body: &mut Vec<u8>,
    ) -> Result<(), EndpointError> {
        body.clear();
        match outcome {
            Outcome::Refused => {
                Err(EndpointError::Connect(io::Error::from(ErrorKind::ConnectionRefused)))
            }
            Outcome::Reset => Err(EndpointError::Response(ResponseError::Truncated)),
            Outcome::Other(response) => {
                let Body::Bytes(bytes) = response.body else {
                    return Err(EndpointError::Response(ResponseError::TooLarge(0)));
                };
                if response.status != 200 {
                    let excerpt = String::from_utf8_lossy(&bytes).into_owned();
                    return Err(EndpointError::Status { status: response.status, excerpt });
                }
                body.extend_from_slice(&bytes);
                Ok(())
            }
            Outcome::Document(_) if resource == Resource::Task => {
                body.extend(self.samples.task());
                self.is_stats_next = self.known.is_empty();
                let containers = &self.samples.task_mut().containers;
                self.known = containers
                    .iter()
                    .map(|container| (container.docker_id.clone(), container.name.clone()))
                    .collect();
                self.shown.retain(|docker_id, _| self.known.contains_key(docker_id));
                Ok(())
            }
            Outcome::Document(entry) => {
                if !std::mem::replace(&mut self.is_stats_good, true) {
                    self.stats = self.samples.stats();
                }
                body.extend_from_slice(&self.stats);
                let changed = self.change_entry(body, entry);
                self.note_shown(changed.as_deref());
                Ok(())
            }
        }
    }

    /// Changes one of the measured containers' entries; says whose.
    fn change_entry(&mut self, body: &mut Vec<u8>, entry: Entry) -> Option<String> {
        if matches!(entry, Entry::AsItIs) {
            return None;
        }
        let name = &self.measured[self.random.usize(..self.measured.len())];
        let containers = &self.samples.task_mut().containers;
        let container = containers.iter().find(|container| container.name == *name)?;
        let docker_id = container.docker_id.clone();
        let mut document: serde_json::Value = serde_json::from_slice(body).unwrap();
        let entries = document.as_object_mut().unwrap();
        match entry {
            Entry::Changed(entry) => {
                entries.insert(docker_id.clone(), serde_json::from_str(entry).unwrap());
            }
            Entry::Missing => {
                entries.remove(&docker_id);
            }
            Entry::AsItIs => {}
        }
        *body = document.to_string().into_bytes();
        Some(docker_id)
    }

    /// Enters in the books what must come of a document: a value for each sample
    /// that has one before it.
    fn note_shown(&mut self, changed: Option<&str>) {
        let now = self.clock.elapsed();
        let mut ledger = self.ledger.lock().unwrap();
        for (container, _) in self.samples.current() {
            let docker_id = &container.docker_id;
            if changed == Some(docker_id)
                || !self.known.contains_key(docker_id)
                || !self.measured.contains(&container.name)
            {
                continue;
            }
            let taken = self.taken[docker_id];
            if !self.shown.contains_key(docker_id) {
                self.shown.insert(docker_id.clone(), taken);
            }
            let before = std::mem::replace(self.shown.get_mut(docker_id).unwrap(), taken);
            if before == taken {
                continue;
            }
            let [cpu, memory] = VALUES.map(|(metric, _)| metric);
            if self.script.has_kernel {
                for metric in [cpu, memory] {
                    ledger.on_given_perhaps(now, metric, &container.name, taken.read_ms, false);
                }
                let mut truth = self.truths[&container.name].lock().unwrap();
                let taken_at = self.taken_at.get(docker_id).copied();
                // The kernel has been read between both, at every other interval at least.
                let apart = ledger.sample_interval() * 3;
                truth.is_told |= truth
                    .lied
                    .zip(taken_at)
                    .is_some_and(|((_, began), taken_at)| taken_at > began + apart);
                continue;
            }
            ledger.on_given(now, memory, &container.name, taken.read_ms);
            let doubtful = self.doubtful.get_mut(docker_id).filter(|left| **left > 0);
            let is_doubtful = doubtful.is_some();
            if let Some(left) = doubtful {
                *left -= 1;
            }
            if before.time != taken.time {
                // There is no difference.
            } else if is_doubtful {
                ledger.on_given_perhaps(now, cpu, &container.name, taken.read_ms, false);
            } else {
                ledger.on_given(now, cpu, &container.name, taken.read_ms);
            }
        }
    }
}
