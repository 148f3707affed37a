//! When to send which samples: a state machine that is told the time and how
//! the last request ended. It keeps the samples that are not accepted yet. It
//! knows nothing of HTTP, of the SDK or of any clock.
//!
//! While all is well, requests follow the `schedule`. After a failure they wait
//! for the `backoff`; after an outage the freshest samples go first, since an
//! alarm is about to judge them, and the rest follows, newest to oldest, at no
//! more than a request a second.

mod backoff;
mod schedule;
mod store;

use std::time::{Duration, Instant};

use self::{backoff::Backoff, schedule::Schedule, store::Store};
use crate::{
    sample::{
        dropping::{Dropping, DroppingSpell, NamedMetrics},
        limits::{self, Refusal},
        metric::Sample,
    },
    time::{Now, Timestamp},
};

/// What a sample takes in the store, bytes.
pub const SAMPLE_BYTES: usize = size_of::<Sample>();

/// The most that the store may take, bytes.
pub const STORE_BYTES_MOST: usize = 4 * 1024 * 1024;

/// The ceiling of the first wait after a failure, and of the last. It comes on
/// top of [`BACKLOG_PAUSE`], so that the longest wait is 30 s.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(29);

/// Between two tries while the permission is refused.
const DENIED_PAUSE: Duration = Duration::from_mins(1);

/// Between two requests of which the first left something over.
const BACKLOG_PAUSE: Duration = Duration::from_secs(1);

/// Between any two requests, where they are not wanted more often.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send these, then tell [`Publisher::on_outcome`].
    Send(Vec<Sample>),
    /// Ask again at this moment, or after the next sample.
    WaitUntil(Instant),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was accepted.
    Accepted,
    /// CloudWatch asks for fewer requests.
    Throttled,
    /// CloudWatch answered with another error that may pass.
    ServerError,
    /// There was no connection: nothing was sent.
    Unreachable,
    /// The connection ended after the request was sent: CloudWatch may have
    /// accepted it, and there is no way to ask.
    ConnectionLost,
    /// The request was sent, and no whole answer came in time: CloudWatch may
    /// have accepted it, and there is no way to ask.
    NoAnswer,
    /// The permission is missing.
    Denied,
    /// There are no credentials, or they are not valid any more.
    Credentials,
    /// A datum breaks a rule.
    Invalid,
    /// The host's clock is too far off for a signature. The next one is made
    /// with CloudWatch's time.
    ClockSkew,
}

/// All outcomes, for the figures.
pub const OUTCOMES: [Outcome; 10] = [
    Outcome::Accepted,
    Outcome::Throttled,
    Outcome::ServerError,
    Outcome::Unreachable,
    Outcome::ConnectionLost,
    Outcome::NoAnswer,
    Outcome::Denied,
    Outcome::Credentials,
    Outcome::Invalid,
    Outcome::ClockSkew,
];

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublisherFigures {
    /// Samples taken in.
    pub taken: u64,
    /// Samples that CloudWatch has accepted.
    pub published: u64,
    /// Samples that were dropped for want of room, the oldest first.
    pub dropped_full: u64,
    /// Samples that break a rule of CloudWatch's, found before sending.
    pub dropped_invalid: u64,
    /// Samples whose time CloudWatch does not take any more, or not yet.
    pub dropped_time: u64,
    /// Samples that CloudWatch refused by themselves.
    pub dropped_refused: u64,
    /// Samples for which no set of dimensions had all its values.
    pub dropped_unaddressed: u64,
    /// Samples that were sent, never confirmed, and are not sent again.
    pub ambiguous: u64,
    /// Samples that were sent again because an earlier request with them got no
    /// answer: CloudWatch may have them more than once.
    pub sent_again: u64,
    /// Requests by outcome, in the order of [`OUTCOMES`].
    pub requests: [u64; OUTCOMES.len()],
    /// `read` of the newest sample that was accepted.
    pub newest_published: Option<Timestamp>,
}

impl PublisherFigures {
    /// Requests that ended like this.
    #[must_use]
    pub const fn requests_with(&self, outcome: Outcome) -> u64 {
        self.requests[outcome as usize]
    }

    /// Samples dropped for any reason.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped_full
            + self.dropped_invalid
            + self.dropped_time
            + self.dropped_refused
            + self.dropped_unaddressed
    }
}

/// Something to tell the operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PublisherEvent {
    /// The store is full, or has room again.
    Dropping(Dropping),
    /// A sample that CloudWatch would refuse, or did.
    SampleDropped {
        /// The sample.
        sample: Sample,
        /// Why.
        reason: &'static str,
    },
}

/// The state machine.
#[derive(Debug)]
pub struct Publisher {
    schedule: Schedule,
    store: Store,
    backoff: Backoff,
    samples_per_request: usize,
    /// After a failure, or while a backlog is sent: when the next request goes.
    resume_at: Option<Instant>,
    /// [`REQUEST_PAUSE`], or the interval, if that is shorter.
    request_pause: Duration,
    /// When the last request was sent.
    sent_at: Option<Instant>,
    /// A request is due by the schedule, and so goes before what is left of a
    /// refused one.
    is_fresh_due: bool,
    spell: DroppingSpell,
    named: NamedMetrics,
    figures: PublisherFigures,
    events: Vec<PublisherEvent>,
}

impl Publisher {
    /// A publisher that sends every `interval` and keeps at most `capacity`
    /// samples. `seed` is for the waits after failures.
    #[must_use]
    pub fn new(interval: Duration, capacity: usize, seed: u64) -> Self {
        Self {
            schedule: Schedule::new(interval),
            store: Store::new(capacity),
            backoff: Backoff::new(RETRY_FIRST, RETRY_MOST, seed),
            samples_per_request: limits::DATUMS_PER_REQUEST,
            resume_at: None,
            request_pause: REQUEST_PAUSE.min(interval),
            sent_at: None,
            is_fresh_due: false,
            spell: DroppingSpell::default(),
            named: NamedMetrics::default(),
            figures: PublisherFigures::default(),
            events: Vec::new(),
        }
    }

    /// Gives the task its own point of the wall clock.
    pub fn set_task_arn(&mut self, task_arn: &str, now: Now) {
        self.schedule.set_task_arn(task_arn, now);
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
        self.store.push(sample);
        self.note_dropping();
        self.is_fresh_due |= self.schedule.is_on_arrival();
        self.schedule.is_on_arrival()
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
        let (slot_is_due, slot_at) = self.schedule.advance(now);
        self.is_fresh_due |= slot_is_due;
        if self.store.waiting() == 0 {
            self.is_fresh_due = false;
            return Action::WaitUntil(slot_at);
        }
        let due_at = match self.resume_at {
            Some(resume_at) => resume_at,
            None if self.schedule.is_on_arrival() => self.schedule.arrival_at(now),
            None if self.is_fresh_due => now.instant,
            None => slot_at,
        };
        if let Some(again_at) = self.too_soon_until(now)
            && due_at <= now.instant
        {
            // Where slots are as near, the next one will do.
            let is_slot_near = slot_at.saturating_duration_since(again_at) < self.request_pause;
            let due_at = if is_slot_near { slot_at } else { again_at };
            self.resume_at = Some(due_at);
            return Action::WaitUntil(due_at);
        }
        if now.instant < due_at {
            return Action::WaitUntil(due_at);
        }
        self.resume_at = None;
        match self.take(now) {
            Some(samples) => Action::Send(samples),
            None => Action::WaitUntil(slot_at),
        }
    }

    /// Where the last request was less than a pause ago: when that is over. A
    /// slot's timer may be a little early, or the last one's was late.
    #[must_use]
    pub fn too_soon_until(&self, now: Now) -> Option<Instant> {
        let again_at = self.sent_at? + self.request_pause;
        let is_too_soon = now.instant + self.request_pause / 10 < again_at;
        is_too_soon.then_some(again_at)
    }

    /// The next request regardless of the schedule; `None` when nothing is
    /// left. For the end, at which what is left of a refused request comes last:
    /// there may be no time for all of it.
    pub fn drain(&mut self, now: Now) -> Option<Vec<Sample>> {
        self.is_fresh_due = true;
        self.take(now)
    }

    fn take(&mut self, now: Now) -> Option<Vec<Sample>> {
        while self.store.take(self.samples_per_request, self.is_fresh_due).is_some() {
            self.is_fresh_due = false;
            // What waited may be too old by now, or the host's clock was set.
            let (count, one) =
                self.store.sort_out(|sample| limits::is_timely(sample.read, now.wall));
            self.figures.dropped_time += count;
            if let Some(sample) = one {
                self.name(sample, Refusal::Time.reason());
            }
            if !self.store.in_flight().is_empty() {
                self.schedule.pay(now);
                self.sent_at = Some(now.instant);
                return Some(self.store.in_flight().to_vec());
            }
        }
        None
    }

    /// The request that the last [`Action::Send`] asked for left only at `at`: it
    /// waited for a key. The pause to the next one begins there.
    pub fn on_departure(&mut self, at: Instant) {
        self.sent_at = self.sent_at.max(Some(at));
    }

    /// The request that the last [`Action::Send`] asked for has ended.
    pub fn on_outcome(&mut self, outcome: Outcome, now: Now) {
        self.figures.requests[outcome as usize] += 1;
        let pause = match outcome {
            Outcome::Accepted => {
                let samples = self.store.in_flight();
                self.figures.published += samples.len() as u64;
                let newest = samples.iter().map(|sample| sample.read).max();
                self.figures.newest_published = self.figures.newest_published.max(newest);
                let was_full = samples.len() >= self.samples_per_request;
                self.store.forget();
                self.backoff.reset();
                let is_backlog = was_full || self.store.has_suspects();
                is_backlog.then_some(BACKLOG_PAUSE)
            }
            Outcome::Invalid => {
                if let Some(sample) = self.store.halve() {
                    self.figures.dropped_refused += 1;
                    self.name(sample, "CloudWatch refused it");
                }
                Some(BACKLOG_PAUSE)
            }
            Outcome::Denied => {
                self.store.put_back();
                Some(DENIED_PAUSE)
            }
            Outcome::Throttled
            | Outcome::ServerError
            | Outcome::Unreachable
            | Outcome::ConnectionLost
            | Outcome::NoAnswer
            | Outcome::Credentials
            | Outcome::ClockSkew => {
                if matches!(outcome, Outcome::ConnectionLost | Outcome::NoAnswer) {
                    self.figures.sent_again += self.store.in_flight().len() as u64;
                }
                self.store.put_back();
                Some(BACKLOG_PAUSE + self.backoff.next())
            }
        };
        self.resume_at = pause.map(|pause| now.instant + pause);
        self.note_dropping();
    }

    /// Samples that wait, or are under way.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.store.len()
    }

    /// Samples of the request that is under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.store.len() - self.store.waiting()
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn figures(&self) -> PublisherFigures {
        PublisherFigures { dropped_full: self.store.dropped(), ..self.figures }
    }

    /// What there is to tell since the last call.
    pub fn events(&mut self) -> impl Iterator<Item = PublisherEvent> {
        self.events.drain(..)
    }

    fn note_dropping(&mut self) {
        let change = self.spell.note(self.store.dropped(), self.store.has_room());
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
