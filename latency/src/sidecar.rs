//! ESP itself, on the model's clock: the real sampler, which also says when the endpoint is
//! asked, and the real publisher, connected as the sidecar connects them. What the sidecar's
//! own tasks decide is repeated here in a few lines: that the publisher is asked after each
//! change, and that one request is under way at a time.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use esp::{
    endpoint::task::TaskDocument,
    publisher::{Action, Outcome, Publisher, adaptive::Rule},
    sample::{Metric, Sample},
    sampler::{
        Event, Sampler, Selection,
        asking::Asking,
        warm_up::{WarmUp, WarmUpRule},
    },
};

use crate::{
    alarm::Datum,
    assumptions::{ANSWER_S, ASK_EVERY_S, REQUEST_S},
    cloudwatch::CloudWatch,
    load::Load,
    moment::{Clock, SECOND_NS, ns, second_of},
    source::Source,
};

/// What the store holds at most: ten minutes of one metric, which no run here fills.
const CAPACITY: usize = 600;

/// The task's document, of a container that started in this second of the model.
fn document(started_s: u64) -> String {
    let (minute, second) = (started_s / 60, started_s % 60);
    format!(
        r#"{{"Cluster": "shop", "TaskARN": "arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3",
            "Limits": {{"CPU": 1.0}}, "Containers": [{{"DockerId": "0af3", "Name": "web",
            "KnownStatus": "RUNNING", "StartedAt": "2026-11-24T10:{minute:02}:{second:02}Z"}}]}}"#
    )
}

/// When requests go out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Publishing {
    pub(crate) interval_s: f64,
    /// How far off the wall clock's multiples of the interval.
    pub(crate) offset_s: f64,
    pub(crate) rule: Option<Rule>,
}

/// One task with ESP beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) source: Source,
    pub(crate) publishing: Publishing,
    /// When the container starts, and the source is asked first.
    pub(crate) asked_from_ns: u64,
    /// `WARMUP`.
    pub(crate) warm_up: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// What CloudWatch got, in the order of its seconds.
    pub(crate) data: Vec<Datum>,
    /// When requests went out.
    pub(crate) requests_ns: Vec<u64>,
    /// Those of them that CloudWatch throttled.
    pub(crate) throttled_ns: Vec<u64>,
}

impl Published {
    /// The requests of another schedule of the same task as well: each of its samples goes
    /// out with whichever request is first.
    pub(crate) fn add(&mut self, other: Self) {
        for datum in other.data {
            match self.data.binary_search_by_key(&datum.second, |known| known.second) {
                Ok(place) => {
                    let known = &mut self.data[place];
                    known.arrived_ns = known.arrived_ns.min(datum.arrived_ns);
                }
                Err(place) => self.data.insert(place, datum),
            }
        }
        self.requests_ns.extend(other.requests_ns);
        self.throttled_ns.extend(other.throttled_ns);
    }
}

/// Plays ESP beside `load` until a moment.
pub(crate) fn play(
    task: Task,
    load: &Load,
    cloudwatch: CloudWatch,
    clock: Clock,
    until_ns: u64,
) -> Published {
    let mut player = Player::new(task, cloudwatch, clock);
    while player.next_ns() < until_ns {
        player.step(load, |_| true);
    }
    player.finish()
}

/// One ESP, from one thing that happens to the next.
pub(crate) struct Player {
    source: Source,
    cloudwatch: CloudWatch,
    clock: Clock,
    sampler: Sampler,
    publisher: Publisher,
    asking: Asking,
    warm_up: WarmUp,
    samples: Vec<Sample>,
    events: Vec<Event>,
    /// When the publisher wants to be asked again; and, while a request is under way, when
    /// it ends, and how.
    wakes_ns: u64,
    under_way: Option<(u64, Outcome)>,
    published: Published,
}

impl Player {
    #[expect(clippy::expect_used, reason = "the text is made in this file")]
    pub(crate) fn new(task: Task, cloudwatch: CloudWatch, clock: Clock) -> Self {
        let Publishing { interval_s, offset_s, rule } = task.publishing;
        let mut publisher =
            Publisher::new(Duration::from_secs_f64(interval_s), CAPACITY, cloudwatch.seed);
        publisher.set_rule(rule);
        publisher.set_offset(Duration::from_secs_f64(offset_s));
        let selection = Selection::Named(vec!["web".to_owned()]);
        let mut sampler = Sampler::new(selection, [Metric::CpuUtilization].into_iter().collect());
        let document = document(task.asked_from_ns / SECOND_NS);
        let document = TaskDocument::parse(&mut document.into_bytes()).expect("a task document");
        let begins = clock.now(task.asked_from_ns);
        let mut warm_up = WarmUp::new(WarmUpRule::For(task.warm_up));
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        sampler.on_task(&document, begins, &mut samples, &mut events);
        warm_up.on_task(&document, sampler.names(), begins, &mut Vec::new());
        Self {
            source: task.source,
            cloudwatch,
            clock,
            sampler,
            publisher,
            asking: Asking::new(begins.instant, Duration::from_secs_f64(ASK_EVERY_S)),
            warm_up,
            samples,
            events,
            wakes_ns: task.asked_from_ns,
            under_way: None,
            published: Published::default(),
        }
    }

    /// When the next thing happens.
    pub(crate) fn next_ns(&self) -> u64 {
        let ends_ns = self.under_way.map(|(ends_ns, _)| ends_ns);
        self.clock.ns(self.asking.next()).min(ends_ns.unwrap_or(self.wakes_ns))
    }

    /// Does it. `accepts` says whether CloudWatch takes a request that reaches it then.
    pub(crate) fn step(&mut self, load: &Load, accepts: impl FnOnce(u64) -> bool) {
        let at_ns = self.next_ns();
        let now = self.clock.now(at_ns);
        if let Some((ends_ns, outcome)) = self.under_way
            && ends_ns <= at_ns
        {
            self.under_way = None;
            self.publisher.on_outcome(outcome, now);
            self.wakes_ns = at_ns;
        }
        if self.asking.next() <= now.instant && self.ask(load, at_ns) {
            self.wakes_ns = at_ns;
        }
        if self.under_way.is_some() || self.wakes_ns > at_ns {
            return;
        }
        match self.publisher.poll(now) {
            Action::WaitUntil(at) => self.wakes_ns = self.clock.ns(at).max(at_ns + 1),
            Action::Send(samples) => self.send(&samples, at_ns, accepts),
        }
    }

    fn send(&mut self, samples: &[Sample], at_ns: u64, accepts: impl FnOnce(u64) -> bool) {
        self.published.requests_ns.push(at_ns);
        let ends_ns = at_ns + self.cloudwatch.accepts_after(at_ns);
        if !accepts(ends_ns) {
            self.published.throttled_ns.push(at_ns);
            self.under_way = Some((ends_ns, Outcome::Throttled));
            return;
        }
        self.under_way = Some((ends_ns, Outcome::Accepted));
        let arrived_ns = ends_ns + self.cloudwatch.sees_after(at_ns);
        self.published.data.extend(samples.iter().map(|sample| Datum {
            second: second_of(sample.read),
            sum: sample.value,
            count: 1.0,
            arrived_ns,
        }));
    }

    /// Asks the source, plans when it is asked next, and hands on what is new. Whether the
    /// publisher is to be asked.
    fn ask(&mut self, load: &Load, at_ns: u64) -> bool {
        self.sampler.on_asked(self.asking.next());
        let entry = self.source.ask(load, at_ns);
        let answered = self.clock.now(at_ns + ns(ANSWER_S));
        let read = |visit: &mut dyn FnMut(&str, _)| -> Result<(), Infallible> {
            visit("0af3", entry);
            Ok(())
        };
        let Ok(()) = self.sampler.on_readings(read, answered, &mut self.samples, &mut self.events);
        self.plan(answered.instant, at_ns);
        self.publisher.set_cadence(self.sampler.cadence());
        let mut is_changed = false;
        for sample in self.samples.drain(..).filter(|sample| self.warm_up.admits(sample)) {
            is_changed |= self.publisher.push(sample, answered);
        }
        self.events.clear();
        is_changed
    }

    /// When the source is asked next: the endpoint when it has something new, by the
    /// sampler's own rule, and the kernel at fixed distances.
    fn plan(&mut self, answered: Instant, at_ns: u64) {
        let rhythms = match self.source.now(at_ns) {
            Source::Endpoint { .. } => self.sampler.rhythms(),
            Source::Kernel | Source::Proving { .. } => None,
        };
        self.asking.plan(answered, rhythms);
    }

    /// What CloudWatch has got since this was asked last.
    pub(crate) fn take_data(&mut self) -> impl Iterator<Item = Datum> + '_ {
        self.published.data.drain(..)
    }

    pub(crate) fn finish(mut self) -> Published {
        self.published.data.sort_by_key(|datum| datum.second);
        self.published
    }
}

/// How long a request takes until it is accepted, by a number between 0 and 1.
pub(crate) fn request_ns(luck: f64) -> u64 {
    ns(REQUEST_S.0 + (REQUEST_S.1 - REQUEST_S.0) * luck)
}
