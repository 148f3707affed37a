//! The ECS agent's side of the stats: samples are taken at the platform's
//! cadence, and a request replays the last one. Asking never makes a new sample,
//! and a sample's `read` is the instant at which its counters were really read.
//! [`Samples`] is told when that is; [`Agent`] has a thread and the real time.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::containers::{Container, NetworkMode, Shape, Task};
use crate::counters::{CounterReading, Counters, stats_entry};
use crate::json::Object;
use crate::metadata::Documents;

/// How often a container's sample is renewed, and how containers are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Between two samples of one container.
    pub period: Duration,
    /// The first sample of the n-th counted container (from 0) is taken n phases
    /// after its counters were attached.
    pub phase: Duration,
}

impl Cadence {
    /// The EC2 agent, which follows Docker's stream: a little over 1 s, so that a
    /// poll each second meets a duplicate now and then.
    pub const STREAMING: Self =
        Self { period: Duration::from_millis(1003), phase: Duration::from_millis(137) };
    /// Fargate 1.4: 10 s, each container with its own phase.
    pub const FARGATE: Self =
        Self { period: Duration::from_secs(10), phase: Duration::from_millis(3100) };
}

/// A task with its counters, ready to be served. Clones share one sampler, so a
/// test may keep one and give the other to the endpoint; the thread ends with the
/// last clone.
#[derive(Debug, Clone)]
pub struct Agent(Arc<Sampler>);

#[derive(Debug)]
struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes the sampler when something was attached or it is to end.
    changed: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct State {
    samples: Samples,
    stopping: bool,
}

/// A task with its counters, and the last sample of each. It is told the time.
pub struct Samples {
    task: Task,
    cadence: Cadence,
    /// By container name, in the order attached.
    counted: Vec<Counted>,
}

struct Counted {
    name: String,
    counters: Box<dyn Counters>,
    due: Instant,
    /// The id that the sample belongs to; another id starts anew.
    docker_id: String,
    last: Option<CounterReading>,
    /// The entry as it is replayed.
    entry: Option<String>,
}

impl Agent {
    /// An agent that samples nothing until counters are attached.
    #[must_use]
    pub fn new(task: Task, cadence: Cadence) -> Self {
        let state = State { samples: Samples::new(task, cadence), stopping: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || sample(&shared)
        });
        Self(Arc::new(Sampler { shared, thread: Some(thread) }))
    }

    /// Counts the container of that name from now on, instead of what counted it
    /// before.
    pub fn attach(&self, name: &str, counters: impl Counters + 'static) {
        self.0.shared.state.lock().unwrap().samples.attach(name, counters, Instant::now());
        self.0.shared.changed.notify_all();
    }

    /// Changes the task: a status, an id, a container more or less. A container
    /// that stopped or has another id has no data until its next sample.
    pub fn change(&self, change: impl FnOnce(&mut Task)) {
        change(self.0.shared.state.lock().unwrap().samples.task_mut());
    }
}

impl Documents for Agent {
    fn task(&mut self) -> Vec<u8> {
        self.0.shared.state.lock().unwrap().samples.task()
    }

    fn stats(&mut self) -> Vec<u8> {
        self.0.shared.state.lock().unwrap().samples.stats()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The sampling thread: asleep until the next container is due.
fn sample(shared: &Shared) {
    let mut state = shared.state.lock().unwrap();
    while !state.stopping {
        state.samples.renew_due(Instant::now());
        let next = state.samples.next_due();
        state = match next.map(|due| due.saturating_duration_since(Instant::now())) {
            Some(wait) => shared.changed.wait_timeout(state, wait).unwrap().0,
            None => shared.changed.wait(state).unwrap(),
        };
    }
}

impl Samples {
    /// Of a task of which nothing is counted yet.
    #[must_use]
    pub fn new(task: Task, cadence: Cadence) -> Self {
        Self { task, cadence, counted: Vec::new() }
    }

    /// Counts the container of that name from `now` on, instead of what counted
    /// it before.
    pub fn attach(&mut self, name: &str, counters: impl Counters + 'static, now: Instant) {
        self.counted.retain(|counted| counted.name != name);
        let others = u32::try_from(self.counted.len()).unwrap_or(u32::MAX);
        self.counted.push(Counted {
            name: name.into(),
            counters: Box::new(counters),
            due: now + self.cadence.phase * others,
            docker_id: String::new(),
            last: None,
            entry: None,
        });
    }

    /// The task, to be changed: a status, an id, a container more or less.
    pub fn task_mut(&mut self) -> &mut Task {
        &mut self.task
    }

    /// When the next sample is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.counted.iter().map(|counted| counted.due).min()
    }

    /// Takes the samples that are due. The cadence counts from when one was due,
    /// and so does not drift; what was slept through is not made up for.
    pub fn renew_due(&mut self, now: Instant) {
        for index in 0..self.counted.len() {
            if self.counted[index].due <= now {
                self.renew(index);
                let due = self.counted[index].due + self.cadence.period;
                self.counted[index].due = if due <= now { now + self.cadence.period } else { due };
            }
        }
    }

    /// The samples that `/task/stats` has at the moment, each with its
    /// container.
    pub fn current(&self) -> impl Iterator<Item = (&Container, &CounterReading)> {
        self.task.containers.iter().filter_map(|container| {
            let counted = self.counted.iter().find(|counted| counted.measures(container))?;
            Some((container, counted.last.as_ref()?))
        })
    }

    fn renew(&mut self, index: usize) {
        let Self { task, counted, .. } = self;
        let name = &counted[index].name;
        let container = task
            .containers
            .iter()
            .find(|container| container.name == *name && container.known_status != "STOPPED");
        let Some(container) = container else {
            counted[index].last = None;
            counted[index].entry = None;
            return;
        };
        let sampled = &mut counted[index];
        let reading = sampled.counters.read();
        let previous = sampled.last.replace(reading).filter(|_| sampled.measures(container));
        sampled.docker_id.clone_from(&container.docker_id);
        // On awsvpc the counters are the task's, whichever container shows them.
        let network = match container.network_mode {
            NetworkMode::Awsvpc => counted.iter().find_map(|counted| counted.last),
            _ => None,
        };
        let network = network.unwrap_or(reading);
        let network = (network.rx_bytes, network.tx_bytes);
        let entry = stats_entry(task.shape, container, previous.as_ref(), &reading, network);
        counted[index].entry = Some(entry);
    }
}

impl Documents for Samples {
    fn task(&mut self) -> Vec<u8> {
        self.task.document()
    }

    fn stats(&mut self) -> Vec<u8> {
        let no_data = if self.task.shape == Shape::Fargate { "{}" } else { "null" };
        let mut document = Object::new();
        for container in self.task.containers.iter().filter(|c| !c.docker_id.is_empty()) {
            let counted = self.counted.iter().find(|counted| counted.measures(container));
            let entry = counted.and_then(|counted| counted.entry.as_deref());
            document = document.raw(&container.docker_id, entry.unwrap_or(no_data));
        }
        document.end().into_bytes()
    }
}

impl Counted {
    /// Whether its sample is one of this very container.
    fn measures(&self, container: &Container) -> bool {
        self.name == container.name
            && self.docker_id == container.docker_id
            && container.known_status != "STOPPED"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::containers::Limits;
    use crate::counters::Steady;

    const CADENCE: Cadence =
        Cadence { period: Duration::from_millis(60), phase: Duration::from_millis(20) };

    fn agent(shape: Shape) -> Agent {
        let task = Task::new(shape, "prod", "web");
        let task = task.with_container("app", Limits::default());
        Agent::new(task.with_container("proxy", Limits::default()), CADENCE)
    }

    fn steady(cores: f64) -> Steady {
        Steady::new(cores, CounterReading::new(std::time::SystemTime::now(), 0))
    }

    /// The entries of the two containers, in the task's order.
    fn entries(agent: &Agent) -> [Value; 2] {
        let mut agent = agent.clone();
        let task: Value = serde_json::from_slice(&agent.task()).unwrap();
        let stats: Value = serde_json::from_slice(&agent.stats()).unwrap();
        [0, 1].map(|n| stats[task["Containers"][n]["DockerId"].as_str().unwrap()].clone())
    }

    /// Waits for the condition; a sample is at most two periods away.
    fn until(what: &str, agent: &Agent, condition: impl Fn(&[Value; 2]) -> bool) -> [Value; 2] {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let entries = entries(agent);
            if condition(&entries) {
                return entries;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("not within 5 s: {what}");
    }

    #[test]
    fn asking_replays_and_time_renews() {
        let agent = agent(Shape::Ec2CgroupV1);
        assert_eq!(entries(&agent), [Value::Null, Value::Null]);
        agent.attach("app", steady(1.0));
        let first = until("a first sample", &agent, |e| e[0].is_object())[0].clone();
        assert_eq!(entries(&agent)[0], first);
        let second = until("a second", &agent, |e| e[0]["read"] != first["read"])[0].clone();
        assert_eq!(second["preread"], first["read"]);
        assert_eq!(second["precpu_stats"], first["cpu_stats"]);
    }

    #[test]
    fn a_stopped_container_has_an_empty_entry_on_fargate() {
        let agent = agent(Shape::Fargate);
        agent.attach("app", steady(1.0));
        until("a sample", &agent, |e| e[0]["cpu_stats"].is_object());
        agent.change(|task| task.containers[0].known_status = "STOPPED".into());
        assert_eq!(entries(&agent)[0], serde_json::json!({}));
    }

    #[test]
    fn a_replaced_container_starts_without_a_predecessor() {
        let agent = agent(Shape::Ec2CgroupV2);
        agent.attach("app", steady(1.0));
        let old = until("a sample", &agent, |e| e[0].is_object())[0]["id"].clone();
        agent.change(|task| task.containers[0].docker_id = task.docker_id("app", 2));
        assert_eq!(entries(&agent)[0], Value::Null);
        let new = until("a sample of the new one", &agent, |e| e[0].is_object())[0].clone();
        assert_ne!(new["id"], old);
        assert_eq!(new["preread"], crate::clock::NEVER);
    }

    #[test]
    fn awsvpc_shows_the_same_network_counters_everywhere() {
        let agent = agent(Shape::Fargate);
        let mut counters = [CounterReading::new(std::time::SystemTime::now(), 0); 2];
        (counters[0].rx_bytes, counters[1].rx_bytes) = (11, 99);
        agent.attach("app", Steady::new(0.1, counters[0]));
        agent.attach("proxy", Steady::new(0.1, counters[1]));
        let both = until("both", &agent, |e| e.iter().all(|e| e["networks"].is_object()));
        assert_eq!(both[0]["networks"], both[1]["networks"]);
        assert_eq!(both[0]["networks"]["eth1"]["rx_bytes"], 11);
    }
}
