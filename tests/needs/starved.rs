//! ESP in a task of 0.25 vCPU whose other container wants two CPUs: what becomes of
//! polls and requests, and whether ESP's own figures name what is lost.
//!
//! The quota is the task's, as on Fargate and with task limits on EC2: when the
//! neighbour has used it up, ESP waits as well. The containers' `cpu` units divide
//! what there is. All of that is the kernel's, in control groups made here, and it
//! is the kernel's counters that say how far the task was starved. The task's group
//! has the largest weight on the machine, so that nothing else here starves it.
//!
//! For the figures in docs/performance.md: `ESP_TEST_STARVED_SECONDS` makes the runs longer,
//! `ESP_TEST_STARVED_PROGRAM` is the `esp` to run, and `ESP_TEST_STARVED_RUNS` names
//! other runs, `ESP_UNITS/NEIGHBOUR_UNITS/SPINNING` with commas between them, which
//! print their figures and decide nothing: `starved::figures`.

#![allow(clippy::cast_precision_loss, reason = "counts of a minute")]

use std::{
    io::{self, Write as _},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, metadata::MetadataEndpoint,
    process::Busy,
};

use crate::{
    cgroup::Group,
    harness::{Case, Need},
    program::{Esp, SOON, agent, wait_for_polls},
    roles,
};

/// All of 0.25 vCPU, in the CPU units of ECS.
const TASK_UNITS: u64 = 256;
/// As much as a group can weigh.
const MAX_UNITS: u64 = 262_144;

/// Control groups that weigh more than anything else on the machine, which nobody
/// makes unasked.
const GROUPS: Need = Need { word: "starved", lacks: lacks_groups };

pub(crate) const CASES: &[Case] = &[
    case("starved::with_cpu_units_every_poll_and_request_is_made", with_units),
    case("starved::with_two_cpu_units_every_second_is_accounted_for", with_two_units),
    case("starved::by_its_own_quota_it_counts_missed_polls", with_a_quota),
    Case { need: &FIGURES, ..case("starved::figures", figures) },
];

const FIGURES: Need = Need {
    word: "figures",
    lacks: || {
        let has_none = std::env::var_os("ESP_TEST_STARVED_RUNS").is_none();
        has_none.then(|| "not a test: ESP_TEST_STARVED_RUNS names runs".to_owned())
    },
};

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &GROUPS, is_alone: true, test }
}

fn lacks_groups() -> Option<String> {
    if !GROUPS.is_required() {
        return Some("takes root and control groups: `.ci/test` as root runs it".to_owned());
    }
    let name = format!("esp-test-try-{}", std::process::id());
    let error = Group::create(&name).err()?;
    Some(format!("takes root and control groups for CPU ({error})"))
}

fn seconds() -> Duration {
    let seconds = std::env::var("ESP_TEST_STARVED_SECONDS").ok();
    Duration::from_secs(seconds.map_or(22, |seconds| seconds.parse().unwrap()))
}

/// The command again, by a process that joins `group` first.
fn within(group: &Group, command: &Command) -> Command {
    roles::before(command, "in-groups", group.procs())
}

/// The `cpu` units of the two containers, and how many processes of the other
/// one spin.
#[derive(Clone, Copy)]
struct Scenario {
    esp_units: u64,
    neighbour_units: u64,
    spinning: usize,
}

/// A task of 0.25 vCPU, with a container that spins. Fields are dropped in this
/// order: the processes first.
struct Task {
    _spinning: Vec<Busy>,
    esp: Group,
    /// For as long as its processes.
    _neighbour: Group,
    whole: Group,
}

impl Task {
    fn start(scenario: Scenario) -> Self {
        let whole = Group::create(&format!("esp-test-task-{}", std::process::id())).unwrap();
        whole.set_cpu_units(MAX_UNITS);
        whole.set_quota(Duration::from_millis(25), Duration::from_millis(100));
        let (esp, neighbour) = (whole.child("esp").unwrap(), whole.child("web").unwrap());
        esp.set_cpu_units(scenario.esp_units);
        neighbour.set_cpu_units(scenario.neighbour_units);
        let spin = roles::command("spin", [""; 0]);
        let spin = |_| Busy::start(&mut within(&neighbour, &spin)).unwrap();
        let spinning = (0..scenario.spinning).map(spin).collect();
        Self { _spinning: spinning, esp, _neighbour: neighbour, whole }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // To end takes CPU time as well.
        self.whole.lift_quota();
    }
}

fn esp_command(
    metadata: &MetadataEndpoint,
    cloudwatch: &CloudWatch,
    more: &[(&str, &str)],
) -> Command {
    let command = Esp::between(metadata, &cloudwatch.url(), more);
    let Some(program) = std::env::var_os("ESP_TEST_STARVED_PROGRAM") else { return command };
    let mut other = Command::new(program);
    other.env_clear();
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other
}

/// A run that goes on.
struct Running {
    scenario: Scenario,
    metadata: MetadataEndpoint,
    cloudwatch: CloudWatch,
    esp: Esp,
    task: Task,
    begun: Instant,
}

/// A run that has ended.
struct Ended {
    seconds: f64,
    /// The fields of ESP's last line.
    last: serde_json::Value,
    text: String,
}

impl Running {
    fn start(scenario: Scenario, more: &[(&str, &str)]) -> Self {
        let metadata =
            MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
        let cloudwatch = CloudWatch::start();
        let task = Task::start(scenario);
        let begun = Instant::now();
        let esp = Esp::run(&mut within(&task.esp, &esp_command(&metadata, &cloudwatch, more)));
        Self { scenario, metadata, cloudwatch, esp, task, begun }
    }

    /// Lets it run, and asserts that the task was starved, by its own quota and
    /// not by the rest of the machine.
    fn go_on(&self) {
        let (start, task) = (Instant::now(), &self.task);
        let throttling = || task.whole.throttling();
        let before = (throttling(), task.whole.cpu_s(), task.esp.cpu_s());
        thread::sleep(seconds());
        let measured = start.elapsed().as_secs_f64();
        let after = (throttling(), task.whole.cpu_s(), task.esp.cpu_s());
        let periods = after.0.periods - before.0.periods;
        let throttled = after.0.throttled - before.0.throttled;
        let used = (after.1 - before.1) / measured;
        let Scenario { esp_units, neighbour_units, spinning } = self.scenario;
        let _ = writeln!(
            io::stdout(),
            "esp {esp_units} units, neighbour {neighbour_units} and {spinning} spinning, \
             {measured:.1} s: throttled in {throttled} of {periods} periods; CPU of the task \
             {used:.3}, of esp {:.4}; {} polls and {} requests since the start",
            (after.2 - before.2) / measured,
            self.metadata.stats_requests(),
            self.cloudwatch.requests().len(),
        );
        assert!(throttled * 10 >= periods * 9, "throttled in {throttled} of {periods} periods");
        assert!(used > 0.2, "the task had {used:.3} CPUs");
    }

    /// Ends it, and asserts that each second since the start has a poll or is
    /// counted as missed, and that each sample was accepted.
    fn end(self) -> Ended {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (status, log) = self.esp.stop_within("TERM", SOON);
        assert_eq!(status.code(), Some(0), "{}", log.text);
        let ended = Ended { seconds, last: log.expect("esp stops").clone(), text: log.text };
        let (polls, missed) = (ended.figure("polls"), ended.figure("missed_ticks"));
        let _ = writeln!(
            io::stdout(),
            "    after {seconds:.1} s: {polls} polls, {} of them failed, {missed} missed",
            ended.figure("failed_polls"),
        );
        // The first poll is at the start, and the end takes a last one.
        let difference = (polls + missed) as f64 - ended.seconds;
        assert!((-1.5..=3.0).contains(&difference), "{polls} and {missed} in {seconds:.1} s");
        assert_eq!(ended.figure("taken"), ended.figure("published"), "{}", ended.last);
        assert_eq!(ended.figure("backlog"), 0, "{}", ended.last);
        ended
    }
}

impl Ended {
    fn figure(&self, name: &str) -> u64 {
        self.last[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.last))
    }
}

fn with_units() {
    let scenario = Scenario { esp_units: 32, neighbour_units: TASK_UNITS - 32, spinning: 2 };
    let running = Running::start(scenario, &[]);
    running.go_on();
    // A request each 10 s, the first one within 2 s after the first 10.
    let expected = usize::try_from(seconds().as_secs().saturating_sub(2) / 10).unwrap();
    let requests = running.cloudwatch.requests().len();
    assert!(requests >= expected, "{requests} requests instead of {expected}");
    let ended = running.end();
    assert_eq!(ended.figure("failed_polls"), 0, "{}", ended.text);
    let (polls, missed) = (ended.figure("polls"), ended.figure("missed_ticks"));
    assert!(missed * 20 <= polls, "{missed} of {polls} missed");
}

fn with_two_units() {
    let running =
        Running::start(Scenario { esp_units: 2, neighbour_units: 1024, spinning: 2 }, &[]);
    running.go_on();
    running.end();
}

/// What the units leave to the kernel's good will, this takes away for certain:
/// less time in a second than a poll and a request need.
fn with_a_quota() {
    let running = Running::start(
        Scenario { esp_units: 2, neighbour_units: 1024, spinning: 2 },
        &[("PUBLISH_INTERVAL", "1s")],
    );
    wait_for_polls(&running.metadata, 3);
    running.task.esp.set_quota(Duration::from_millis(1), Duration::from_secs(1));
    running.go_on();
    running.task.esp.lift_quota();
    wait_for_polls(&running.metadata, 5);
    let ended = running.end();
    assert!(ended.figure("missed_ticks") > 0, "{}", ended.last);
}

fn figures() {
    let runs = std::env::var("ESP_TEST_STARVED_RUNS").unwrap();
    for text in runs.split(',') {
        let mut numbers = text.split('/').map(|number| number.parse().unwrap());
        let mut next = || numbers.next().unwrap();
        let (esp_units, neighbour_units) = (next(), next());
        let spinning = usize::try_from(next()).unwrap();
        let running = Running::start(Scenario { esp_units, neighbour_units, spinning }, &[]);
        running.go_on();
        running.end();
    }
}
