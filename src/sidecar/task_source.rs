//! What the whole task uses, from what the machine does not idle: on Fargate, where the
//! task has a machine of its own. The way from `/proc/stat` and the endpoint's readings
//! through the estimate to the sampler. What is believed of it is decided in `proof`.

use std::time::{Duration, Instant};

use crate::{
    endpoint::task::{TaskContainer, TaskDocument},
    kernel::MachineReading,
    proof::{Handed, KernelValue, TaskEstimate, TaskEvent},
    reading::{Entry, TaskReading},
    time::{Now, Timestamp},
};

/// AWS documents for no other launch type that a task has its kernel for itself: on a
/// shared host the estimate would agree until a neighbour starts.
const OWN_MACHINE: &str = "FARGATE";

/// The machine's busy time, from what it has been idle.
#[derive(Debug)]
pub(super) struct BusyTime {
    /// The last reading: when, and what was idle until then, ns.
    last: (Instant, Option<u64>),
    /// Since the first reading, ns. It may fall a little, since it is made of ticks and of
    /// a time that is read beside them.
    raw_ns: i64,
    /// The most that it has been: that only grows.
    busy_ns: u64,
}

impl BusyTime {
    pub(super) const fn new(now: Now) -> Self {
        Self { last: (now.instant, None), raw_ns: 0, busy_ns: 0 }
    }

    /// The busy time at the moment of a reading, in the time of the wall clock.
    pub(super) fn on_machine(&mut self, machine: MachineReading, now: Now) -> KernelValue {
        let tick_ns = 1_000_000_000 / machine.ticks_per_second.max(1);
        let idle_ns =
            machine.idle_ticks.saturating_add(machine.iowait_ticks).saturating_mul(tick_ns);
        let (at, idle_before) = std::mem::replace(&mut self.last, (machine.before, Some(idle_ns)));
        if let Some(idle_before_ns) = idle_before {
            let elapsed_ns = ns(machine.before.saturating_duration_since(at));
            // CPUs come and go: only what all of them can do counts.
            let whole_ns = elapsed_ns.saturating_mul(u64::from(machine.cpus)).cast_signed();
            let idle_ns = idle_ns.wrapping_sub(idle_before_ns).cast_signed();
            self.raw_ns =
                self.raw_ns.saturating_add(whole_ns.saturating_sub(idle_ns).min(whole_ns));
        }
        self.busy_ns = self.busy_ns.max(u64::try_from(self.raw_ns).unwrap_or(0));
        let wall = |at: Instant| {
            let later_ns = ns(at.saturating_duration_since(now.instant));
            Timestamp::from_unix_ns(now.wall.unix_ns().saturating_add(later_ns))
        };
        KernelValue { from: wall(machine.before), to: wall(machine.after), total_ns: self.busy_ns }
    }
}

/// The estimate of one task.
#[derive(Debug)]
pub(super) struct TaskSource {
    limit_cpus: f64,
    estimate: TaskEstimate,
    /// The containers that have had data: Docker id and the `read` of the last.
    containers: Vec<(String, Timestamp)>,
    /// The containers of the task document: nothing else counts.
    listed: Vec<String>,
    busy: BusyTime,
    events: Vec<TaskEvent>,
}

impl TaskSource {
    /// `None` if this task has no machine of its own, or no limit.
    pub(super) fn new(task: &TaskDocument, now: Now) -> Option<Self> {
        let has_own = task.launch_type().as_deref() == Some(OWN_MACHINE);
        let limit_cpus = task.cpu_limit_vcpu().filter(|_| has_own)?;
        Some(Self {
            limit_cpus,
            estimate: TaskEstimate::new(limit_cpus, 0),
            containers: Vec::new(),
            listed: listed(task),
            busy: BusyTime::new(now),
            events: Vec::new(),
        })
    }

    /// Another task document of the same task: containers that are gone count no more.
    pub(super) fn on_task(&mut self, task: &TaskDocument) {
        self.listed = listed(task);
        let before = self.containers.len();
        self.containers.retain(|(docker_id, _)| self.listed.contains(docker_id));
        if self.containers.len() != before {
            self.estimate.on_containers(self.containers.len());
        }
    }

    /// The clock was set.
    pub(super) fn on_clock_step(&mut self) {
        // Any stamp may follow.
        for (_, read) in &mut self.containers {
            *read = Timestamp::from_unix_ns(0);
        }
        self.estimate.on_clock_step();
    }

    /// What the endpoint says of a container.
    pub(super) fn on_entry(&mut self, docker_id: &str, entry: &Entry) {
        let Entry::Reading(reading) = entry else { return };
        let Some(cpu) = reading.cpu else { return };
        if !self.listed.iter().any(|listed| listed == docker_id) {
            return;
        }
        let known = self.containers.iter().position(|(known, _)| known == docker_id);
        let place = known.unwrap_or_else(|| {
            self.containers.push((docker_id.to_owned(), Timestamp::from_unix_ns(0)));
            self.estimate.on_containers(self.containers.len());
            self.containers.len() - 1
        });
        if self.containers[place].1 < reading.read {
            self.containers[place].1 = reading.read;
            self.estimate.on_endpoint(place, reading.read, cpu.total_usage_ns);
        }
    }

    /// What the machine has been idle. Gives what the sampler is to take.
    pub(super) fn on_machine(&mut self, machine: MachineReading, now: Now) -> Option<TaskReading> {
        let value = self.busy.on_machine(machine, now);
        let (handed, event) = self.estimate.on_machine(value);
        self.events.extend(event);
        match handed {
            Handed::Nothing => None,
            Handed::Counter { read, cpu } => {
                Some(TaskReading { read, total_ns: cpu.total_usage_ns, is_base: false })
            }
            Handed::Base { read, cpu } => {
                Some(TaskReading { read, total_ns: cpu.total_usage_ns, is_base: true })
            }
        }
    }

    /// What there is to tell the operator since the last time.
    pub(super) fn events(&mut self) -> impl Iterator<Item = TaskEvent> {
        self.events.drain(..)
    }

    /// How many comparisons agreed, and whether the estimate is used.
    pub(super) fn progress(&self) -> (u32, bool) {
        (self.estimate.agreed(), self.estimate.is_proven())
    }

    /// Whether the task is the same, as far as the estimate depends on it.
    pub(super) fn is_of(&self, task: &TaskDocument) -> bool {
        task.cpu_limit_vcpu() == Some(self.limit_cpus)
    }
}

/// The ids of the containers that have not stopped.
fn listed(task: &TaskDocument) -> Vec<String> {
    let running = task.containers().iter().filter(|it| !TaskContainer::is_stopped(it));
    running.filter_map(|it| it.docker_id().map(str::to_owned)).collect()
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::reading::{CpuReading, Reading};

    const TASK: &str = r#"{"LaunchType": "FARGATE", "Limits": {"CPU": 1.0, "Memory": 2048},
        "Containers": [{"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING"},
            {"DockerId": "e1", "Name": "esp", "KnownStatus": "RUNNING"}]}"#;
    const CPUS: u64 = 2;
    /// ESP and what the platform uses, ns of CPU time in a second.
    const ESP: u64 = 2_000_000;
    const PLATFORM: u64 = 60_000_000;

    fn task(json: &str) -> TaskDocument {
        TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap()
    }

    /// CPU time of `web` after so many ms: a minute at 0.6 CPU, a minute at 0.1.
    fn web_ns(ms: u64) -> u64 {
        let (round, rest) = (ms / 120_000, ms % 120_000);
        (round * 42_000 + rest.min(60_000) * 6 / 10 + rest.saturating_sub(60_000) / 10) * 1_000_000
    }

    fn entry(wall: Timestamp, total_usage_ns: u64) -> Entry {
        Entry::Reading(Reading {
            read: wall,
            cpu: Some(CpuReading { total_usage_ns, online_cpus: Some(2) }),
            is_cpu_base: false,
            memory: None,
            network: None,
            block_io: None,
        })
    }

    #[test]
    fn the_machines_busy_time_without_the_platforms_part_is_the_tasks() {
        let start = Instant::now();
        let at = |ms: u64| Now {
            instant: start + Duration::from_millis(ms),
            wall: Timestamp::from_unix_ns((1_795_514_400_000 + ms) * 1_000_000),
        };
        let mut source = TaskSource::new(&task(TASK), at(0)).unwrap();
        let mut seen: Vec<(u64, u64)> = Vec::new();
        for ms in (0..600_000).step_by(1000) {
            for (id, phase_ms) in [("w1", 3000), ("e1", 8000)] {
                let Some(since_ms) = u64::checked_sub(ms, phase_ms) else { continue };
                let read_ms = phase_ms + since_ms / 10_000 * 10_000;
                let total_ns = if id == "w1" { web_ns(read_ms) } else { read_ms / 1000 * ESP };
                source.on_entry(id, &entry(at(read_ms).wall, 1_000_000_000 + total_ns));
            }
            let busy_ns = web_ns(ms) + ms / 1000 * (ESP + PLATFORM);
            let idle_ticks = 5_000_000 + (ms * 1_000_000 * CPUS - busy_ns) / 10_000_000;
            let machine = MachineReading {
                before: at(ms).instant,
                after: at(ms).instant,
                cpus: 2,
                idle_ticks,
                iowait_ticks: 0,
                ticks_per_second: 100,
            };
            if let Some(reading) = source.on_machine(machine, at(ms)) {
                seen.push((ms, reading.total_ns));
            }
        }
        assert!(seen.len() > 300, "{}", seen.len());
        for pair in seen.windows(11) {
            let [(from_ms, before), .., (to_ms, after)] = *pair else { continue };
            let truth_ns = web_ns(to_ms) - web_ns(from_ms) + (to_ms - from_ms) / 1000 * ESP;
            // Three points of the limit, over ten seconds.
            assert!((after - before).abs_diff(truth_ns) < 300_000_000, "{from_ms}: {truth_ns}");
        }
    }

    #[test]
    fn a_task_on_a_shared_host_or_without_a_limit_is_not_estimated() {
        let now = Now { instant: Instant::now(), wall: Timestamp::from_unix_ns(0) };
        for other in [
            TASK.replace("FARGATE", "EC2"),
            TASK.replace("FARGATE", "MANAGED_INSTANCES"),
            TASK.replace(r#""LaunchType": "FARGATE", "#, ""),
            TASK.replace(r#""CPU": 1.0, "#, ""),
        ] {
            assert!(TaskSource::new(&task(&other), now).is_none(), "{other}");
        }
    }
}
