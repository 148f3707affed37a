//! The books of one simulation, kept beside ESP's own: which samples the
//! endpoint gave, what became of each at CloudWatch, and what ESP was told of
//! it. What must not be is noted when it happens; what must add up is looked at
//! in the end. Nothing here looks into ESP.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    hash::{DefaultHasher, Hasher as _},
    time::Duration,
};

use esp::{
    kernel::Tier,
    publisher::{OUTCOMES, Outcome},
};

mod balance;
mod polls;
mod requests;

/// How many complaints are kept at most: the first ones tell.
const COMPLAINTS_MAX: usize = 8;

/// For the last sample after a signal.
const LAST_SAMPLE_TIMEOUT: Duration = Duration::from_millis(500);

/// A sample, as CloudWatch knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The place in [`Ledger::metrics`].
    metric: u16,
    /// The place among the containers; `None` for a value of the task, and where
    /// there is only one.
    container: Option<u16>,
    timestamp_ms: i64,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// When the endpoint gave what it comes of, ms since the beginning.
    given_ms: Option<u32>,
    /// The endpoint gave what it comes of, and ESP may leave it out.
    is_optional: bool,
    /// When that was.
    offered_ms: Option<u32>,
    /// It may have any value.
    is_doubted: bool,
    /// How often CloudWatch accepted it, and how often ESP learnt so.
    accepted: u16,
    told: u16,
    /// Requests with it that were sent.
    sent: u8,
    /// Requests with it that got no answer, and whether the connection of one of
    /// them was lost.
    unanswered: u8,
    is_connection_lost: bool,
}

impl Fate {
    /// Whether it was sent as often as it may be: twice if a connection was lost,
    /// and five times if all was silence. The stricter of the two counts if it has
    /// met both.
    fn is_used_up(self) -> bool {
        self.unanswered >= if self.is_connection_lost { 2 } else { 5 }
    }
}

/// A request under way.
#[derive(Debug)]
struct UnderWay {
    is_accepted: bool,
    /// Samples in it that are outstanding.
    outstanding: u64,
}

/// What a ledger has to know of the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// By name; one has no dimension `ContainerName`.
    pub(crate) containers: Vec<String>,
    pub(crate) is_one: bool,
    /// Datums a sample, of a container and of the task.
    pub(crate) container_sets: usize,
    pub(crate) task_sets: usize,
    /// Whether the network is the task's.
    pub(crate) is_awsvpc: bool,
    /// The metrics that are wanted and whose value is known, with it.
    pub(crate) values: Vec<(&'static str, f64)>,
    /// How often the memory turns to the other of its two values.
    pub(crate) memory_turns: Option<Duration>,
    /// What ESP reads of the kernel, if anything.
    pub(crate) kernel: Option<Tier>,
    /// Whether there are no other metrics.
    pub(crate) is_all_known: bool,
    pub(crate) sample_interval: Duration,
    pub(crate) publish_interval: Duration,
    pub(crate) shutdown_grace: Duration,
    /// Samples to make room for in the books.
    pub(crate) samples: usize,
    /// From here on all is as it should be, and samples are published in time.
    pub(crate) settled_from: Option<Duration>,
    /// From here on there is no fault.
    pub(crate) faults_until: Duration,
}

#[allow(clippy::struct_excessive_bools, reason = "each is noted by itself")]
pub(crate) struct Ledger {
    terms: Terms,
    /// Names, by place.
    metrics: Vec<String>,
    fates: HashMap<Key, Fate>,
    /// Samples that are given and not known to be accepted.
    outstanding: u64,
    /// How many of them waited at most, without those under way.
    waiting_max: u64,
    given: u64,
    /// The last that was given.
    newest: Option<Key>,
    /// The samples of the request under way, or of the last one.
    keys: Vec<Key>,
    under_way: Option<UnderWay>,
    last_request_at: Option<Duration>,
    /// When the permission was refused, if it was at last.
    denied_at: Option<Duration>,
    /// Samples of requests that were refused as invalid, while it is not known
    /// which of them is.
    suspects: HashSet<Key>,
    /// What ESP was told, by outcome, and of how many samples.
    told: [u64; OUTCOMES.len()],
    told_samples: [u64; OUTCOMES.len()],
    refused_singly: u64,
    /// Samples that were sent as often as they may be, without an answer, and those
    /// sent again since then.
    used_up: u64,
    sent_again: u64,
    /// The last that was heard of CloudWatch is that it said nothing.
    is_silent: bool,
    /// When the first request was accepted after the last fault.
    recovered_at: Option<Duration>,
    /// When the last request to the endpoint was due, and how many there were.
    poll_due: Duration,
    polls: u32,
    is_polling: bool,
    /// Until when the last request to the endpoint was under way.
    polling_until: Duration,
    /// When ESP stops waiting for the last poll.
    polls_until: Duration,
    /// Ticks that passed while the endpoint kept ESP waiting.
    ticks_held: u64,
    signalled: bool,
    /// Since then the endpoint was asked once more, or was being asked.
    is_last_asked: bool,
    /// A request to the endpoint is under way.
    is_asked: bool,
    transcript: DefaultHasher,
    complaints: Vec<String>,
}

impl Ledger {
    pub(crate) fn new(terms: Terms) -> Self {
        let fates = HashMap::with_capacity(terms.samples);
        Self {
            terms,
            metrics: Vec::new(),
            fates,
            outstanding: 0,
            waiting_max: 0,
            given: 0,
            newest: None,
            keys: Vec::with_capacity(1000),
            under_way: None,
            last_request_at: None,
            denied_at: None,
            suspects: HashSet::new(),
            told: [0; OUTCOMES.len()],
            told_samples: [0; OUTCOMES.len()],
            refused_singly: 0,
            used_up: 0,
            sent_again: 0,
            is_silent: false,
            recovered_at: None,
            poll_due: Duration::ZERO,
            polls: 0,
            is_polling: false,
            polling_until: Duration::ZERO,
            polls_until: Duration::MAX,
            ticks_held: 0,
            signalled: false,
            is_last_asked: false,
            is_asked: false,
            transcript: DefaultHasher::new(),
            complaints: Vec::new(),
        }
    }

    /// Something is not as it must be.
    pub(crate) fn complain(&mut self, at: Duration, complaint: impl Display) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(format!("at {:.3} s: {complaint}", at.as_secs_f64()));
        }
    }

    /// The endpoint has given what a sample of `metric` may come of: nobody can tell
    /// whether the clock was set before or after.
    /// Or ESP may take the kernel's value. `is_doubted` if nobody can expect it to be right.
    pub(crate) fn on_given_perhaps(
        &mut self,
        at: Duration,
        metric: &str,
        container: &str,
        read_ms: i64,
        is_doubted: bool,
    ) {
        if !self.terms.values.iter().any(|(name, _)| *name == metric) {
            return;
        }
        let key = self.key(metric, container, read_ms);
        let optional = Fate { is_optional: true, ..Fate::default() };
        let fate = self.fates.entry(key).or_insert(optional);
        fate.is_doubted |= is_doubted;
        fate.offered_ms = Some(u32::try_from(at.as_millis()).unwrap());
    }

    pub(crate) fn sample_interval(&self) -> Duration {
        self.terms.sample_interval
    }

    fn key(&mut self, metric: &str, container: &str, timestamp_ms: i64) -> Key {
        let place = self.terms.containers.iter().position(|name| name == container).unwrap();
        let container = (!self.terms.is_one).then(|| u16::try_from(place).unwrap());
        Key { metric: self.metric(metric), container, timestamp_ms }
    }

    fn note_waiting(&mut self) {
        let under_way = self.under_way.as_ref().map_or(0, |under_way| under_way.outstanding);
        self.waiting_max = self.waiting_max.max(self.outstanding.saturating_sub(under_way));
    }

    fn metric(&mut self, name: &str) -> u16 {
        let known = self.metrics.iter().position(|metric| metric == name);
        let place = known.unwrap_or_else(|| {
            self.metrics.push(name.to_owned());
            self.metrics.len() - 1
        });
        u16::try_from(place).unwrap()
    }

    /// The endpoint has given what a sample of `metric` must come of.
    pub(crate) fn on_given(&mut self, at: Duration, metric: &str, container: &str, read_ms: i64) {
        if !self.terms.values.iter().any(|(name, _)| *name == metric) {
            return;
        }
        let key = self.key(metric, container, read_ms);
        let given_ms = u32::try_from(at.as_millis()).unwrap();
        let fate = Fate { given_ms: Some(given_ms), ..Fate::default() };
        if self.fates.insert(key, fate).is_some() {
            self.complain(at, format_args!("the endpoint gives {key:?} twice"));
        }
        self.given += 1;
        self.outstanding += 1;
        self.note_waiting();
        self.newest = Some(key);
    }

    /// From here on ESP is ending: it may hurry, and polls once more.
    pub(crate) fn on_signal(&mut self, at: Duration) {
        self.signalled = true;
        self.polls_until = at + LAST_SAMPLE_TIMEOUT.min(self.terms.shutdown_grace);
        self.is_last_asked = self.is_asked;
        // The last poll is at no tick.
        self.is_polling = self.is_asked;
    }

    /// How often ESP was told this.
    pub(crate) fn told(&self, outcome: Outcome) -> u64 {
        self.told[outcome as usize]
    }

    /// Requests so far that ESP learnt the end of.
    pub(crate) fn requests(&self) -> u64 {
        self.told.iter().sum()
    }

    /// How long after the last fault a request was accepted, if one was.
    pub(crate) fn recovery(&self) -> Option<Duration> {
        Some(self.recovered_at? - self.terms.faults_until)
    }

    /// Samples of the metrics with known values.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// How often CloudWatch accepted what it had accepted before.
    pub(crate) fn accepted_again(&self) -> u64 {
        self.fates.values().map(|fate| u64::from(fate.accepted.saturating_sub(1))).sum()
    }

    /// How often the sample was sent that was sent most often.
    pub(crate) fn most_sends(&self) -> u8 {
        self.fates.values().map(|fate| fate.sent).max().unwrap_or(0)
    }

    /// A hash over all requests: when, and with what.
    pub(crate) fn transcript(&self) -> u64 {
        self.transcript.finish()
    }

    /// Ticks at which the endpoint still kept ESP waiting for an answer to an
    /// earlier one.
    pub(crate) fn ticks_held(&self) -> u64 {
        self.ticks_held
    }

    /// What must not have been.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }
}
