//! A run from a number: settings, platform, faults and ending, drawn at random,
//! and the same for the same number for ever.

use std::time::Duration;

use esp::kernel::Tier;
use esp_endpoints::{
    agent::Cadence,
    containers::{Limits, Shape, Task},
    metadata::Fault as EndpointFault,
    service::Fault,
};

use super::{
    aws::{AwsScript, CloudWatchFault, KeyFault},
    kernel::{KernelScript, Lie},
    scenario::{Event, Scenario},
    script::Episode,
    task::{MEMORY_MIB, TaskEvent, TaskFault, VCPU},
};

const NEVER: Duration = Duration::from_hours(1);
const NAMES: [&str; 4] = ["web", "api", "proxy", "log-router"];
/// `DIMENSIONS`, with how many datums a container's and the task's samples make.
const DIMENSIONS: [(&str, usize, usize); 6] = [
    ("", 1, 1),
    ("", 1, 1),
    (";", 1, 1),
    ("ClusterName,ServiceName;Stage=prod", 2, 2),
    ("TaskId,LaunchType;ServiceName;TaskDefinitionFamily,TaskDefinitionRevision", 3, 3),
    ("ServiceName,ContainerName;ClusterName", 2, 1),
];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Dice(fastrand::Rng);

impl Dice {
    fn chance(&mut self, percent: u8) -> bool {
        self.0.u8(..100) < percent
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.0.usize(..of.len())].clone()
    }

    fn time(&mut self, from: Duration, until: Duration) -> Duration {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        Duration::from_millis(self.0.u64(ms(from)..ms(until)))
    }

    /// Episodes of faults before `until`: some that hold for a while, and some
    /// that strike now and then.
    fn episodes<F>(&mut self, until: Duration, fault: impl Fn(&mut Self) -> F) -> Vec<Episode<F>> {
        let mut episodes = Vec::new();
        for _ in 0..self.0.u8(..4) {
            let from = self.time(seconds(0), until);
            let lasts = self.one_of(&[1, 3, 10, 30, 90, 150]);
            let percent = self.one_of(&[100, 100, 100, 50]);
            let until = until.min(from + seconds(lasts));
            episodes.push(Episode { from, until, percent, fault: fault(self) });
        }
        for _ in 0..self.0.u8(..4) {
            let percent = self.one_of(&[2, 5, 10, 25]);
            episodes.push(Episode { from: seconds(0), until, percent, fault: fault(self) });
        }
        episodes
    }
}

impl Scenario {
    /// The run of this number.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut dice = Dice(fastrand::Rng::with_seed(seed));
        let mut turning = Dice(fastrand::Rng::with_seed(!seed));
        let shape = dice.one_of(&[Shape::Ec2CgroupV1, Shape::Ec2CgroupV2, Shape::Fargate]);
        let cadence = match shape {
            Shape::Fargate => Cadence::FARGATE,
            // ECS_POLL_METRICS.
            _ if dice.chance(10) => Cadence { period: seconds(10), ..Cadence::STREAMING },
            _ => Cadence::STREAMING,
        };
        let names = &NAMES[..=dice.0.usize(..NAMES.len())];
        let mut description = Task::new(shape, "shop", "web-service");
        for name in names {
            description = description.with_container(name, Limits::default());
        }
        description.limits = Limits { cpu: Some(VCPU), memory_mib: Some(MEMORY_MIB) };
        let (selection, measured) = match dice.0.u8(..4) {
            0 => ("*".to_owned(), names),
            1 => (names.join(","), names),
            _ => (names[0].to_owned(), &names[..1]),
        };
        let (dimensions, container_sets, task_sets) = dice.one_of(&DIMENSIONS);
        let sample_ms: u64 = dice.one_of(&[1000, 1000, 1000, 1000, 1000, 200, 500, 2000, 5000]);
        let publish_ms = sample_ms.max(dice.one_of(&[10_000, 10_000, 10_000, 1000, 5000, 30_000]));
        let variables = vec![
            ("CONTAINER_NAME", selection),
            ("NAMESPACE", "Shop".to_owned()),
            ("DIMENSIONS", dimensions.to_owned()),
            ("METRICS", dice.one_of(&["", "", "CPUUtilization", "all"]).to_owned()),
            ("SAMPLE_INTERVAL", format!("{sample_ms}ms")),
            ("PUBLISH_INTERVAL", format!("{publish_ms}ms")),
            ("BUFFER", dice.one_of(&["1m", "1m", "2m", "1h"]).to_owned()),
            ("SELF_METRICS", dice.one_of(&["on", "off", "off"]).to_owned()),
            ("SHUTDOWN_GRACE", dice.one_of(&["5s", "5s", "5s", "0s", "20s"]).to_owned()),
            ("REGION", dice.one_of(&["", "eu-west-1"]).to_owned()),
            ("PUBLISH", turning.one_of(&["", "adaptive", "fixed"]).to_owned()),
        ];

        let calm_from = dice.time(seconds(30), seconds(180));
        // A refused permission is tried again after a minute, a task document that
        // was not to be had after half of one, and then comes a backlog.
        let settled_from = calm_from + seconds(100);
        let mut signal_at = settled_from + seconds(12) + 2 * Duration::from_millis(publish_ms);
        let mut second_signal_after = None;
        if dice.chance(25) {
            signal_at = dice.time(seconds(0), signal_at);
            if dice.chance(40) {
                second_signal_after = Some(dice.time(seconds(0), seconds(4)));
            }
        }
        let task_faults = dice.episodes(calm_from, task_fault);
        let cloudwatch = dice.episodes(calm_from, cloudwatch_fault);
        let keys = if dice.chance(30) { dice.episodes(calm_from, key_fault) } else { Vec::new() };
        let key_lifetime = dice.one_of(&[seconds(6 * 3600), seconds(6 * 3600), seconds(90)]);
        let kernel =
            kernel_script(&mut Dice(fastrand::Rng::with_seed(seed ^ 0x006b_6e6c)), calm_from);
        let samples_a_second = measured.len() as u64 * 2 * 1000 / sample_ms.max(1000);
        let refused_one_in = dice.chance(10).then_some(60 * samples_a_second.max(1));
        let (mut events, host_ahead_ms) = events(&mut dice, names, calm_from);
        if kernel.is_some() {
            let late = &mut Dice(fastrand::Rng::with_seed(seed ^ 0x6c61_7465));
            for _ in 0..late.0.u8(..4) {
                let lasts = late.time(Duration::from_millis(700), seconds(9));
                let at = late.time(seconds(1), calm_from);
                // The end has a time of its own.
                if at + lasts < signal_at {
                    events.push((at, Event::NoCpu(lasts)));
                }
            }
            events.sort_by_key(|(at, _)| *at);
        }
        let mut scenario = Self {
            seed,
            description,
            cadence,
            measured: measured.iter().map(|name| (*name).to_owned()).collect(),
            variables,
            container_sets,
            task_sets,
            task_faults,
            task_latency: Duration::from_millis(2),
            // By dice of their own, so that the rest of a seed's run is what it was.
            memory_turns: turning.chance(70).then(|| turning.time(seconds(25), seconds(70))),
            aws: AwsScript {
                cloudwatch,
                keys,
                key_lifetime,
                refused_one_in,
                latency: Duration::from_millis(40),
            },
            kernel,
            host_ahead_ms,
            events,
            // Among samples that CloudWatch refuses, others wait for their turn.
            settled_from: refused_one_in.is_none().then_some(settled_from),
            signal_at,
            second_signal_after,
            samples: 0,
        };
        // More samples than requests can carry are refused at the start.
        if scenario.settings().is_err() {
            let variables = scenario.variables.iter_mut();
            let interval = variables.filter(|(name, _)| *name == "SAMPLE_INTERVAL");
            interval.for_each(|(_, text)| "1s".clone_into(text));
        }
        scenario
    }
}

/// What the kernel shows in some runs, by dice of their own.
fn kernel_script(dice: &mut Dice, calm_from: Duration) -> Option<KernelScript> {
    let tier = match dice.0.u8(..10) {
        0..3 => Tier::CgroupFile,
        3 | 4 => Tier::Processes,
        _ => return None,
    };
    let lie = dice.one_of(&[Lie::Frozen, Lie::Faster, Lie::Other]);
    let lie = match dice.0.u8(..10) {
        // The sum over processes is compared over whole intervals: a lie that begins is told
        // at the end of the next.
        0 => Some((Duration::ZERO, lie)),
        1 | 2 if tier == Tier::CgroupFile => Some((calm_from + seconds(60), lie)),
        _ => None,
    };
    Some(KernelScript { tier, lie })
}

fn task_fault(dice: &mut Dice) -> TaskFault {
    match dice.0.u8(..14) {
        0 => TaskFault::Endpoint(EndpointFault::TooManyRequests),
        1 => TaskFault::Endpoint(EndpointFault::Status(500, b"{}".to_vec())),
        2 => TaskFault::Endpoint(EndpointFault::Status(404, b"\"unable to get\"".to_vec())),
        3 => TaskFault::Endpoint(EndpointFault::HangBeforeHead(NEVER)),
        4 => TaskFault::Endpoint(EndpointFault::HangInBody(NEVER)),
        5 => {
            let slow = dice.time(Duration::from_millis(50), Duration::from_secs(6));
            TaskFault::Endpoint(EndpointFault::HangBeforeHead(slow))
        }
        6 => TaskFault::Endpoint(EndpointFault::CutInBody),
        7 => TaskFault::Endpoint(EndpointFault::GarbageBody),
        8 => TaskFault::Endpoint(EndpointFault::Huge(64 << 20)),
        9 => TaskFault::EmptyObject,
        10 => TaskFault::Refused,
        11 => TaskFault::Reset,
        12 => TaskFault::NoEntry,
        _ => TaskFault::Entry(dice.one_of(&[
            "null",
            "{}",
            r#"{"read": "0001-01-01T00:00:00Z"}"#,
            r#"{"read": "yesterday"}"#,
            r#"{"read": 7, "cpu_stats": []}"#,
            "17",
        ])),
    }
}

fn cloudwatch_fault(dice: &mut Dice) -> CloudWatchFault {
    let service = CloudWatchFault::Service;
    match dice.0.u8(..18) {
        0 | 1 => service(Fault::Throttle),
        2 => service(Fault::Status(500)),
        3 => service(Fault::Status(503)),
        4 => {
            let slow = dice.time(seconds(1), seconds(15));
            service(Fault::HangBeforeHead(slow))
        }
        5 => service(Fault::HangInBody(NEVER)),
        6 => service(Fault::HangBeforeHead(NEVER)),
        7 => service(Fault::CutBeforeAcceptance),
        8 => service(Fault::CutAfterAcceptance),
        9 => service(Fault::GarbageBody(500)),
        10 => service(Fault::GarbageBody(200)),
        11 => service(Fault::Huge(64 << 20)),
        12 => service(Fault::Error {
            status: 403,
            type_name: "com.amazonaws.cloudwatch#AccessDeniedException".into(),
            query_code: "AccessDenied".into(),
            message: "User is not authorized to perform: cloudwatch:PutMetricData".into(),
        }),
        13 => CloudWatchFault::SilentBeforeAcceptance,
        14 => CloudWatchFault::CutInBody,
        15 => CloudWatchFault::NoConnection,
        _ => CloudWatchFault::NotConnected(dice.one_of(&[
            "could not resolve hostname",
            "connection refused",
            "the server certificate could not be validated",
        ])),
    }
}

fn key_fault(dice: &mut Dice) -> KeyFault {
    dice.one_of(&[KeyFault::Status(500), KeyFault::Garbage, KeyFault::Silent, KeyFault::Refused])
}

/// What happens before `until`, and how far the clock is off at first.
fn events(dice: &mut Dice, names: &[&str], until: Duration) -> (Vec<(Duration, Event)>, i64) {
    let mut events = Vec::new();
    let mut add = |at: Duration, event| events.push((at, event));
    for _ in 0..dice.0.u8(..4) {
        let at = dice.time(seconds(1), until);
        let name = dice.one_of(names).to_owned();
        match dice.0.u8(..5) {
            0 => add(at, Event::Task(TaskEvent::Restart(name))),
            1 => add(at, Event::Task(TaskEvent::Replace(name))),
            2 => {
                add(at, Event::Task(TaskEvent::Stop(name.clone())));
                let back = at + dice.time(seconds(1), seconds(30));
                add(back.min(until), Event::Task(TaskEvent::Start(name)));
            }
            3 => {
                let lasts = dice.one_of(&[3, 15, 40]).min((until - at).as_secs());
                add(at, Event::Task(TaskEvent::Stall(seconds(lasts))));
            }
            _ => add(at, Event::RevokeKeys),
        }
    }
    // Further than the sampler may take for a late sample; and at no whole number
    // of cadences, or two samples would have the same time.
    let off = dice.one_of(&[-7_200_317, -900_123, 900_211, 7_199_483]);
    let is_off_at_first = dice.chance(10);
    if !is_off_at_first && dice.chance(10) {
        add(dice.time(seconds(1), until), Event::Task(TaskEvent::SetClock(off)));
    } else if is_off_at_first && dice.chance(30) {
        add(until, Event::Task(TaskEvent::SetClock(0)));
    }
    events.sort_by_key(|(at, _)| *at);
    (events, if is_off_at_first { off } else { 0 })
}
