//! ESP itself, on the model's clock: the real sampler and the real publisher, connected as the
//! sidecar connects them. What the sidecar's own tasks decide is repeated here in a few lines:
//! when the source is asked, and that the publisher is asked after each change.

use std::convert::Infallible;

use esp::{
    endpoint::task::TaskDocument,
    publisher::{Action, Outcome, Publisher, adaptive::Rule},
    sample::{Metric, Sample},
    sampler::{Event, Sampler, Selection},
};

use crate::{
    alarm::Datum,
    assumptions::{ANSWER_S, ASK_EVERY_S, REQUEST_S},
    cloudwatch::CloudWatch,
    load::Load,
    moment::{Clock, ns, second_of},
    source::Source,
};

/// What the store holds at most: an hour of one metric.
const CAPACITY: usize = 3600;

const TASK: &str = r#"{"Cluster": "shop", "TaskARN":
    "arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3", "Limits": {"CPU": 1.0},
    "Containers": [{"DockerId": "0af3", "Name": "web", "KnownStatus": "RUNNING"}]}"#;

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
    /// When the source is asked first.
    pub(crate) asked_from_ns: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// What CloudWatch got, in the order of its seconds.
    pub(crate) data: Vec<Datum>,
    /// When requests went out.
    pub(crate) requests_ns: Vec<u64>,
}

/// When the source is asked: the one place to change if ESP asks otherwise.
fn next_ask(asked_ns: u64) -> u64 {
    asked_ns + ns(ASK_EVERY_S)
}

/// Plays ESP beside `load` until a moment.
pub(crate) fn play(
    task: Task,
    load: &Load,
    cloudwatch: &CloudWatch,
    clock: Clock,
    until_ns: u64,
) -> Published {
    let mut esp = Esp::new(task, clock);
    let mut published = Published::default();
    let mut ask_at = task.asked_from_ns;
    // The publisher's answer; and, while a request is under way, when it ends.
    let mut wake_at = ask_at;
    let mut ends_at: Option<u64> = None;
    loop {
        let at_ns = ask_at.min(ends_at.unwrap_or(wake_at));
        if at_ns >= until_ns {
            published.data.sort_by_key(|datum| datum.second);
            return published;
        }
        let now = clock.now(at_ns);
        if ends_at.is_some_and(|ends_at| ends_at <= at_ns) {
            ends_at = None;
            esp.publisher.on_outcome(Outcome::Accepted, now);
            wake_at = at_ns;
        }
        if ask_at <= at_ns {
            ask_at = next_ask(ask_at);
            if esp.ask(task.source, load, at_ns, clock) {
                wake_at = at_ns;
            }
        }
        if ends_at.is_none() && wake_at <= at_ns {
            match esp.publisher.poll(now) {
                Action::WaitUntil(at) => wake_at = clock.ns(at).max(at_ns + 1),
                Action::Send(samples) => {
                    published.requests_ns.push(at_ns);
                    let accepted_at = at_ns + cloudwatch.accepts_after(at_ns);
                    ends_at = Some(accepted_at);
                    let arrived_ns = accepted_at + cloudwatch.sees_after(at_ns);
                    published.data.extend(samples.iter().map(|sample| Datum {
                        second: second_of(sample.read),
                        sum: sample.value,
                        count: 1.0,
                        arrived_ns,
                    }));
                }
            }
        }
    }
}

/// The state machines.
struct Esp {
    sampler: Sampler,
    publisher: Publisher,
    samples: Vec<Sample>,
    events: Vec<Event>,
}

impl Esp {
    #[expect(clippy::expect_used, reason = "both texts are constants of this file")]
    fn new(task: Task, clock: Clock) -> Self {
        let now = clock.now(0);
        let interval = std::time::Duration::from_secs_f64(task.publishing.interval_s);
        let mut publisher = Publisher::new(interval, CAPACITY, 1);
        publisher.set_rule(task.publishing.rule);
        publisher.set_offset(std::time::Duration::from_secs_f64(task.publishing.offset_s));
        let selection = Selection::Named(vec!["web".to_owned()]);
        let mut sampler = Sampler::new(selection, [Metric::CpuUtilization].into_iter().collect());
        let document = TaskDocument::parse(&mut TASK.as_bytes().to_vec()).expect("a task document");
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        sampler.on_task(&document, now, &mut samples, &mut events);
        Self { sampler, publisher, samples, events }
    }

    /// Asks the source, and hands on what is new. Whether the publisher is to be asked.
    fn ask(&mut self, source: Source, load: &Load, at_ns: u64, clock: Clock) -> bool {
        self.sampler.on_asked(clock.now(at_ns).instant);
        let entry = source.ask(load, at_ns);
        let answered = clock.now(at_ns + ns(ANSWER_S));
        let read = |visit: &mut dyn FnMut(&str, _)| -> Result<(), Infallible> {
            visit("0af3", entry);
            Ok(())
        };
        let Ok(()) = self.sampler.on_readings(read, answered, &mut self.samples, &mut self.events);
        self.publisher.set_cadence(self.sampler.cadence());
        let mut is_changed = false;
        for sample in self.samples.drain(..) {
            is_changed |= self.publisher.push(sample, answered);
        }
        self.events.clear();
        is_changed
    }
}

/// How long a request takes until it is accepted, by a number between 0 and 1.
pub(crate) fn request_ns(luck: f64) -> u64 {
    ns(REQUEST_S.0 + (REQUEST_S.1 - REQUEST_S.0) * luck)
}
