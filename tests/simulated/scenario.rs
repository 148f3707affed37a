//! One run: the settings, what goes wrong, how it ends; and playing it.

use std::{
    cell::RefCell,
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};

use esp::{
    sample::OwnFigures,
    settings::{Settings, SettingsErrors},
    sidecar::{self, Ended},
};
use esp_endpoints::{
    agent::Cadence,
    containers::{self, Limits, Shape},
};
use smol::LocalExecutor;

use super::{
    aws::{Aws, AwsScript},
    clock::Clock,
    kernel::KernelScript,
    ledger::{Ledger, Terms},
    script::Episode,
    task::{MEMORY_MIB, Task, TaskEvent, TaskFault, TaskScript, VALUES, VCPU},
    world::{SimulatedWorld, play},
};

const SIGTERM: i32 = 15;

/// Something that happens at a certain time.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Task(TaskEvent),
    /// The keys that were issued so far are not good any more.
    RevokeKeys,
    /// The host has no CPU for so long, for ESP or anybody.
    NoCpu(Duration),
}

/// All of one run.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) description: containers::Task,
    pub(crate) cadence: Cadence,
    /// The names of the containers that are measured.
    pub(crate) measured: Vec<String>,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Datums a sample.
    pub(crate) container_sets: usize,
    pub(crate) task_sets: usize,
    pub(crate) task_faults: Vec<Episode<TaskFault>>,
    pub(crate) task_latency: Duration,
    /// How often the memory of the containers turns.
    pub(crate) memory_turns: Option<Duration>,
    pub(crate) aws: AwsScript,
    /// What the kernel shows, if ESP can see anything of it.
    pub(crate) kernel: Option<KernelScript>,
    /// How far the host's clock is ahead at first, milliseconds.
    pub(crate) host_ahead_ms: i64,
    pub(crate) events: Vec<(Duration, Event)>,
    /// When ESP has got over all that went wrong; `None`: never.
    pub(crate) settled_from: Option<Duration>,
    pub(crate) signal_at: Duration,
    pub(crate) second_signal_after: Option<Duration>,
    /// Samples to make room for in the books.
    pub(crate) samples: usize,
}

/// How it went.
#[must_use]
pub(crate) struct Played {
    pub(crate) ended: Ended,
    pub(crate) figures: OwnFigures,
    /// When, and how long after the first signal.
    pub(crate) ended_at: Duration,
    pub(crate) ending: Duration,
    pub(crate) settings: Settings,
    pub(crate) ledger: Ledger,
}

impl Scenario {
    /// Nothing goes wrong until the end at `signal_at`: the default settings, one
    /// container on EC2, a sample each second.
    pub(crate) fn calm(signal_at: Duration) -> Self {
        let mut description = containers::Task::new(Shape::Ec2CgroupV2, "shop", "web-service")
            .with_container("web", Limits::default());
        description.limits = Limits { cpu: Some(VCPU), memory_mib: Some(MEMORY_MIB) };
        Self {
            seed: 1,
            description,
            cadence: Cadence::STREAMING,
            measured: vec!["web".to_owned()],
            variables: vec![("CONTAINER_NAME", "web".to_owned()), ("NAMESPACE", "Shop".to_owned())],
            container_sets: 1,
            task_sets: 1,
            task_faults: Vec::new(),
            task_latency: Duration::ZERO,
            memory_turns: None,
            aws: AwsScript {
                cloudwatch: Vec::new(),
                keys: Vec::new(),
                key_lifetime: Duration::from_hours(6),
                refused_one_in: None,
                latency: Duration::from_millis(30),
            },
            kernel: None,
            host_ahead_ms: 0,
            events: Vec::new(),
            settled_from: Some(Duration::ZERO),
            signal_at,
            second_signal_after: None,
            samples: 2000,
        }
    }

    /// # Errors
    ///
    /// If ESP would not start with these variables.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsErrors> {
        let mut variables =
            vec![("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0f1e2d3c")];
        variables.extend(self.variables.iter().map(|(name, value)| (*name, value.as_str())));
        Settings::read(&variables[..])
    }

    /// When the last fault is over.
    pub(crate) fn faults_until(&self) -> Duration {
        let of_aws = self.aws.cloudwatch.iter().map(|episode| episode.until);
        let of_aws = of_aws.chain(self.aws.keys.iter().map(|episode| episode.until));
        let of_task = self.task_faults.iter().map(|episode| episode.until);
        let events = self.events.iter().map(|(at, _)| *at);
        of_aws.chain(of_task).chain(events).max().unwrap_or_default()
    }

    /// Whether it goes well for long before it ends.
    pub(crate) fn ends_in_calm(&self) -> bool {
        self.settled_from.is_some_and(|settled_from| self.signal_at > settled_from)
    }

    /// Plays it. `look` sees the clock before ESP begins, and each time that
    /// nothing can run any more.
    pub(crate) fn play(self, mut look: impl FnMut(&Clock)) -> Played {
        // What the SDK throws dice for follows the seed too.
        fastrand::seed(self.seed);
        let settings = self.settings().unwrap();
        let clock = Clock::new();
        clock.set_host_ahead(self.host_ahead_ms);
        let ledger = Arc::new(Mutex::new(Ledger::new(Terms {
            containers: self.measured.clone(),
            is_one: self.measured.len() == 1,
            container_sets: self.container_sets,
            task_sets: self.task_sets,
            is_awsvpc: self.description.shape == containers::Shape::Fargate,
            values: VALUES
                .into_iter()
                .filter(|(name, _)| settings.metrics.iter().any(|metric| metric.name() == *name))
                .collect(),
            memory_turns: self.memory_turns,
            kernel: self.kernel.map(|kernel| kernel.tier),
            is_all_known: self.kernel.is_none()
                && !settings.self_metrics
                && settings
                    .metrics
                    .iter()
                    .all(|m| VALUES.iter().any(|(name, _)| m.name() == *name)),
            sample_interval: settings.sample_interval,
            publish_interval: settings.publish_interval,
            shutdown_grace: settings.shutdown_grace,
            samples: self.samples,
            settled_from: self.settled_from,
            faults_until: self.faults_until(),
        })));
        let aws = Aws::new(self.aws, self.seed, clock.clone(), Arc::clone(&ledger));
        let task = Task::new(
            self.description,
            self.cadence,
            self.measured,
            TaskScript {
                faults: self.task_faults,
                latency: self.task_latency,
                memory_turns: self.memory_turns,
                has_kernel: self.kernel.is_some(),
            },
            self.seed,
            &clock,
            &ledger,
        );
        let world = SimulatedWorld {
            clock: clock.clone(),
            task: Rc::new(RefCell::new(task)),
            aws: aws.clone(),
            seed: self.seed,
            kernel: self.kernel,
        };
        let (signal, signals) = smol::channel::bounded(2);
        let signals = pin!(signals);
        let executor = LocalExecutor::new();
        let agent = executor.spawn(sample(world.clone()));
        let events = executor.spawn(happen(world.clone(), self.events));
        let signalling = executor.spawn({
            let (clock, ledger, signal) = (clock.clone(), Arc::clone(&ledger), signal.clone());
            async move {
                clock.until(self.signal_at).await;
                ledger.lock().unwrap().on_signal(clock.elapsed());
                signal.send(SIGTERM).await.unwrap();
                if let Some(after) = self.second_signal_after {
                    clock.pause(after).await;
                    signal.send(SIGTERM).await.unwrap();
                }
            }
        });
        let run = sidecar::supervise(&executor, world, settings.clone(), signals);
        let (ended, figures) = play(&executor, &clock, run, || look(&clock));
        drop((agent, events, signalling));
        drop(executor);
        let ending = clock.elapsed().saturating_sub(self.signal_at);
        let mut books = ledger.lock().unwrap();
        books.balance(clock.elapsed(), &figures, settings.buffer_samples() as u64);
        let is_calm_end = ended == Ended::Stopped && !settings.shutdown_grace.is_zero();
        if is_calm_end {
            books.check_last_sample(clock.elapsed());
        }
        if let Some(settled_from) = self.settled_from.filter(|from| *from < self.signal_at)
            && is_calm_end
        {
            books.all_told_since(clock.elapsed(), settled_from);
        }
        let ledger = std::mem::replace(&mut *books, Ledger::new(Terms::default()));
        drop(books);
        Played { ended, ended_at: clock.elapsed(), figures, ending, settings, ledger }
    }
}

/// The agent, which takes samples for ever.
async fn sample(world: SimulatedWorld) {
    loop {
        let next = world.task.borrow_mut().renew();
        world.clock.until(next).await;
    }
}

async fn happen(world: SimulatedWorld, events: Vec<(Duration, Event)>) {
    for (at, event) in events {
        world.clock.until(at).await;
        match event {
            Event::Task(event) => world.task.borrow_mut().happen(&event),
            Event::RevokeKeys => world.aws.revoke_keys(),
            Event::NoCpu(duration) => world.clock.skip(duration),
        }
    }
}
