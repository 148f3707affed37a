//! When to send which samples: a state machine that is told the time and how
//! the last request ended. It knows nothing of HTTP, of the SDK or of any clock.
//!
//! `schedule` decides when a request goes out, `adaptive` whether one goes out before,
//! `consequence` what follows from how it ended, `backoff` how long to wait after a failure,
//! `sends` how often a sample is sent at most, and `buffer` which samples are sent next and
//! which are dropped when the buffer is full.

pub mod adaptive;
mod backoff;
mod buffer;
mod consequence;
mod outcome;
mod schedule;
mod sends;

use std::time::{Duration, Instant};

use self::{
    adaptive::{Adaptive, Rule},
    backoff::Backoff,
    buffer::Buffer,
    schedule::Schedule,
};
pub use self::{
    outcome::{OUTCOMES, Outcome},
    sends::{CONNECTION_LOST_SENDS_MAX, NO_ANSWER_SENDS_MAX},
};
use crate::{
    sample::{
        drop_notices::{Dropping, DroppingSpell, NamedMetrics},
        limits::{self, Refusal},
        metric::Sample,
        own_figures::OwnFigures,
    },
    time::{Now, reminder::Reminder},
};

/// What a sample takes in the buffer, bytes.
pub const SAMPLE_BYTES: usize = size_of::<Sample>();

/// What the buffer may take at most, bytes.
pub const STORE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The ceilings of the first wait after a failure and of the longest. A second is
/// added to each wait, so that the longest is 30 s.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(29);

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send these, then tell [`Publisher::on_outcome`].
    Send(Vec<Sample>),
    /// Ask again at this moment, or after the next sample.
    WaitUntil(Instant),
}

/// Something to tell the operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PublisherEvent {
    /// The buffer is full, or has room again.
    Dropping(Dropping),
    /// Samples were sent as often as they may be, without an answer.
    GivenUp {
        /// How many, since the last event of this kind.
        samples: u64,
        /// How the last request with them ended.
        outcome: Outcome,
    },
    /// A sample that CloudWatch would refuse, or did.
    SampleDropped {
        /// The sample.
        sample: Sample,
        /// Why.
        reason: &'static str,
    },
}

/// Samples that were given up, and what of it is still to be said.
#[derive(Debug, Default)]
struct GivenUp {
    unsaid: u64,
    reminder: Reminder,
}

/// The state machine.
#[derive(Debug)]
pub struct Publisher {
    interval: Duration,
    schedule: Schedule,
    /// `None`: only the schedule says when.
    adaptive: Option<Adaptive>,
    buffer: Buffer,
    backoff: Backoff,
    samples_per_request: usize,
    /// The last request that was sent met silence. Until CloudWatch answers, a
    /// request is a probe of one sample, so that silence does not use up the sends
    /// that the others have left.
    is_silent: bool,
    given_up: GivenUp,
    spell: DroppingSpell,
    named: NamedMetrics,
    figures: OwnFigures,
    events: Vec<PublisherEvent>,
}

impl Publisher {
    /// A publisher that sends every `interval` and keeps at most `capacity`
    /// samples. `seed` is for the waits after failures.
    #[must_use]
    pub fn new(interval: Duration, capacity: usize, seed: u64) -> Self {
        Self {
            interval,
            schedule: Schedule::new(interval),
            adaptive: None,
            buffer: Buffer::new(capacity),
            backoff: Backoff::new(RETRY_FIRST, RETRY_MAX, seed),
            samples_per_request: limits::DATUMS_PER_REQUEST,
            is_silent: false,
            given_up: GivenUp::default(),
            spell: DroppingSpell::default(),
            named: NamedMetrics::default(),
            figures: OwnFigures::default(),
            events: Vec::new(),
        }
    }

    /// Sends more often while values leave their recent range, by this rule; or never.
    pub fn set_rule(&mut self, rule: Option<Rule>) {
        // Requests that go as often as extra ones would need none.
        let rule = rule.filter(|rule| rule.spacing < self.interval);
        self.adaptive = rule.map(|rule| Adaptive::new(rule, self.interval));
    }

    /// Gives the task its own point of the wall clock.
    pub fn set_task_arn(&mut self, task_arn: &str, now: Now) {
        self.schedule.set_task_arn(task_arn, now);
    }

    /// Puts the task at this point of the wall clock, rather than at that of its ARN.
    pub fn set_offset(&mut self, offset: Duration) {
        self.schedule.set_offset(offset);
    }

    /// Says how often samples are renewed.
    pub fn set_cadence(&mut self, cadence: Option<Duration>) {
        self.schedule.set_cadence(cadence);
    }

    /// Says how many samples make a request that CloudWatch takes.
    pub fn set_samples_per_request(&mut self, count: usize) {
        self.samples_per_request = count.clamp(1, limits::DATUMS_PER_REQUEST);
    }

    /// Takes in a sample. `true`: the answer to [`Publisher::poll`] may have
    /// changed.
    pub fn push(&mut self, sample: Sample, now: Now) -> bool {
        self.figures.taken += 1;
        if let Some(refusal) = Refusal::of(sample.value, sample.read, now.wall) {
            *match refusal {
                Refusal::Value => &mut self.figures.dropped_invalid,
                Refusal::Time => &mut self.figures.dropped_time,
            } += 1;
            self.name(sample, refusal.reason());
            return false;
        }
        self.buffer.push(sample);
        self.note_dropping();
        self.ask_for_extra(&sample, now.instant);
        self.schedule.on_arrival()
    }

    /// Makes a request due if the rule wants one and nothing else has its say.
    fn ask_for_extra(&mut self, sample: &Sample, now: Instant) {
        let (sent_at, may_send) = (self.schedule.sent_at(), self.schedule.takes_extra());
        if let Some(adaptive) = &mut self.adaptive
            && adaptive.on_sample(sample, now, sent_at, may_send)
        {
            self.schedule.set_extra_due();
        }
    }

    /// Takes note of a sample that has nowhere to go.
    pub fn drop_unaddressed(&mut self) {
        self.figures.taken += 1;
        self.figures.dropped_unaddressed += 1;
    }

    /// What to do at `now`. To be asked at the moment of the last answer, after
    /// [`Publisher::push`] said so, and after each outcome; not while a request
    /// is under way.
    pub fn poll(&mut self, now: Now) -> Action {
        let next_at = self.schedule.next(now, self.buffer.waiting() > 0);
        if now.instant < next_at {
            return Action::WaitUntil(next_at);
        }
        // The freshest sample is of most use to an alarm, so it is the probe.
        let probe = self.is_silent.then_some(1);
        match self.take(probe.unwrap_or(self.samples_per_request), now) {
            Some(samples) => Action::Send(samples),
            None => Action::WaitUntil(self.schedule.next(now, false)),
        }
    }

    /// If the last request was less than a pause ago: when that is over.
    #[must_use]
    pub fn too_soon_until(&self, now: Now) -> Option<Instant> {
        self.schedule.too_soon_until(now)
    }

    /// The next request regardless of the schedule; `None` when nothing is
    /// left. For the end, at which what is left of a refused request comes last:
    /// there may be no time for all of it. For the same reason there are no
    /// probes: nothing is kept for later.
    pub fn drain(&mut self, now: Now) -> Option<Vec<Sample>> {
        self.schedule.set_fresh_due();
        self.take(self.samples_per_request, now)
    }

    fn take(&mut self, max: usize, now: Now) -> Option<Vec<Sample>> {
        while self.buffer.take(max, self.schedule.is_fresh_due() || self.is_silent) {
            // What waited may be too old by now, or the host's clock was set.
            let (count, one) = self.buffer.sort_out(|read| limits::is_timely(read, now.wall));
            self.figures.dropped_time += count;
            if let Some(sample) = one {
                self.name(sample, Refusal::Time.reason());
            }
            if self.buffer.in_flight_len() > 0 {
                self.schedule.on_sent(now);
                return Some(self.buffer.in_flight().collect());
            }
        }
        None
    }

    /// The request that the last [`Action::Send`] asked for left only at `at`: it
    /// waited for a key. The pause to the next one begins there.
    pub fn on_departure(&mut self, at: Instant) {
        self.schedule.on_departure(at);
    }

    /// Samples that wait, or are under way.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.buffer.len()
    }

    /// Those of the backlog that CloudWatch may have: they are under way, or were
    /// sent and got no answer.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.buffer.unconfirmed()
    }

    /// Its part of ESP's own figures.
    #[must_use]
    pub fn figures(&self) -> OwnFigures {
        OwnFigures {
            dropped_full: self.buffer.dropped(),
            backlog: self.backlog() as u64,
            unconfirmed: self.unconfirmed() as u64,
            ..self.figures
        }
    }

    /// What there is to tell since the last call.
    pub fn events(&mut self) -> impl Iterator<Item = PublisherEvent> {
        self.events.drain(..)
    }

    fn note_dropping(&mut self) {
        let change = self.spell.note(self.buffer.dropped(), self.buffer.has_room());
        self.events.extend(change.map(PublisherEvent::Dropping));
    }

    /// Names one sample of each metric; the figures have the rest.
    fn name(&mut self, sample: Sample, reason: &'static str) {
        if self.named.is_first(sample.metric) {
            self.events.push(PublisherEvent::SampleDropped { sample, reason });
        }
    }
}

#[cfg(test)]
mod tests;
