//! The books of one simulation, kept beside ESP's own: which samples the
//! endpoint gave, what became of each at CloudWatch, and what ESP was told of
//! it. What must not be is noted when it happens; what must add up is looked at
//! in the end. Nothing here looks into ESP.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use esp::publisher::{OUTCOMES, Outcome};
use esp_endpoints::service::Datum;

mod balance;

/// The most complaints that are kept: the first ones tell.
const COMPLAINTS: usize = 8;

/// Between two requests.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// After a refused permission.
const DENIED_PAUSE: Duration = Duration::from_mins(1);

/// For the task's own place in the schedule, and for the way.
const SCHEDULE_SLACK: Duration = Duration::from_millis(2500);

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
    /// Whether there are no other metrics.
    pub(crate) is_all_known: bool,
    pub(crate) sample_interval: Duration,
    pub(crate) publish_interval: Duration,
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
    /// The tick that is to be polled next.
    next_tick: u32,
    is_polling: bool,
    /// Until when the last request to the endpoint was under way.
    polling_until: Duration,
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
            next_tick: 0,
            is_polling: false,
            polling_until: Duration::ZERO,
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
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(format!("at {:.3} s: {complaint}", at.as_secs_f64()));
        }
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
        let place = self.terms.containers.iter().position(|name| name == container).unwrap();
        let container = (!self.terms.is_one).then(|| u16::try_from(place).unwrap());
        let key = Key { metric: self.metric(metric), container, timestamp_ms: read_ms };
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

    /// ESP asks the endpoint for the first thing that it wants at a tick.
    pub(crate) fn on_poll(&mut self, at: Duration) {
        self.is_asked = true;
        if self.signalled {
            self.is_last_asked = true;
            return;
        }
        self.skip_held_ticks();
        let due = self.tick_at(self.next_tick).max(self.polling_until);
        if at != due {
            let (tick, due) = (self.next_tick, due.as_secs_f64());
            self.complain(at, format_args!("tick {tick} is polled, at {due:.3} s it was due"));
        }
        self.next_tick += 1;
        self.is_polling = true;
    }

    /// The endpoint has answered, or ESP has given up waiting.
    pub(crate) fn on_poll_over(&mut self, at: Duration) {
        self.is_asked = false;
        if self.is_polling {
            self.polling_until = at;
        }
        self.is_polling = !self.signalled;
    }

    fn tick_at(&self, tick: u32) -> Duration {
        self.terms.sample_interval * tick
    }

    /// Goes past the ticks that were over by half when the answer to an earlier
    /// one came at last.
    fn skip_held_ticks(&mut self) {
        while self.polling_until >= self.tick_at(self.next_tick) + self.terms.sample_interval / 2 {
            self.next_tick += 1;
            self.ticks_held += 1;
        }
    }

    /// A request is on its way to CloudWatch.
    /// Where it `waited` for a key, it was put together before.
    pub(crate) fn on_request(&mut self, at: Duration, datums: &[Datum], waited: bool) {
        if self.under_way.is_some() {
            self.complain(at, "a request while another is under way");
        }
        if let Some(last) = self.last_request_at
            && at - last < REQUEST_PAUSE.min(self.terms.publish_interval).mul_f64(0.9)
        {
            let gap = (at - last).as_millis();
            self.complain(at, format_args!("a request {gap} ms after the last one"));
        }
        if let Some(denied_at) = self.denied_at
            && !self.signalled
            && at - denied_at < DENIED_PAUSE
        {
            let gap = (at - denied_at).as_millis();
            self.complain(at, format_args!("a request {gap} ms after the permission was refused"));
        }
        self.last_request_at = Some(at);
        self.note_samples(at, datums);
        let is_outstanding = |key: &&Key| {
            self.fates.get(key).is_some_and(|fate| fate.given_ms.is_some() && fate.told == 0)
        };
        let outstanding = self.keys.iter().filter(is_outstanding).count() as u64;
        self.under_way = Some(UnderWay { is_accepted: false, outstanding });
        (at, &self.keys).hash(&mut self.transcript);
        self.check_repeats(at);
        let is_suspect = self.keys.iter().all(|key| self.suspects.contains(key));
        if let Some(newest) = self.newest
            && !is_suspect
            && !self.has_overtaken_suspect(newest)
            && !waited
            && self.fates[&newest].told == 0
            && !self.fates[&newest].is_used_up()
            && !self.keys.contains(&newest)
            && !self.is_fresh_probe(newest)
        {
            self.complain(at, format_args!("a request without the freshest sample, {newest:?}"));
        }
    }

    /// What a request may carry of samples that were sent before, and while
    /// CloudWatch is silent.
    fn check_repeats(&mut self, at: Duration) {
        let of_key = |key: &Key| self.fates.get(key).copied().unwrap_or_default();
        let used_up = self.keys.iter().find(|key| of_key(key).is_used_up());
        if let Some(key) = used_up {
            let (key, fate) = (*key, of_key(key));
            self.complain(at, format_args!("sent too often: {key:?}, {fate:?}"));
        }
        // At the end nothing is kept for later.
        if self.is_silent && !self.signalled && self.keys.len() > 1 {
            let count = self.keys.len();
            self.complain(at, format_args!("a probe of {count} samples"));
        }
    }

    /// Whether the request is a probe of one sample that came with `newest`, or of one
    /// whose value is not known here.
    fn is_fresh_probe(&self, newest: Key) -> bool {
        let given_ms = |key| self.fates.get(key).and_then(|fate| fate.given_ms);
        let of_probe = self.keys.first().and_then(given_ms);
        self.is_silent && of_probe.is_none_or(|of_probe| Some(of_probe) == given_ms(&newest))
    }

    /// Whether the freshest that the books know was in a request that CloudWatch
    /// refused, and waits among its halves, while this one carries what came
    /// later: of a metric whose values are not known here.
    fn has_overtaken_suspect(&self, newest: Key) -> bool {
        let carried = self.keys.iter().filter(|key| !self.suspects.contains(key));
        self.suspects.contains(&newest)
            && carried.map(|key| key.timestamp_ms).max() >= Some(newest.timestamp_ms)
    }

    /// Takes apart what a request carries: each sample once for each set.
    fn note_samples(&mut self, at: Duration, datums: &[Datum]) {
        self.keys.clear();
        let mut sets = 0;
        for (position, datum) in datums.iter().enumerate() {
            let container = datum
                .dimension("ContainerName")
                .filter(|_| !self.terms.is_one)
                .and_then(|name| self.terms.containers.iter().position(|known| known == name))
                .map(|place| u16::try_from(place).unwrap());
            let metric = self.metric(&datum.metric_name);
            let key = Key { metric, container, timestamp_ms: datum.timestamp_ms };
            if self.keys.last() != Some(&key) {
                self.keys.push(key);
                sets = 0;
            }
            sets += 1;
            let is_last = datums.get(position + 1).is_none_or(|next| {
                next.metric_name != datum.metric_name
                    || next.timestamp_ms != datum.timestamp_ms
                    || (!self.terms.is_one
                        && next.dimension("ContainerName") != datum.dimension("ContainerName"))
            });
            let is_of_task = self.is_of_task(&datum.metric_name);
            let expected =
                if is_of_task { self.terms.task_sets } else { self.terms.container_sets };
            if is_last && sets != expected {
                self.complain(at, format_args!("{sets} datums instead of {expected}: {datum:?}"));
            }
            let known = self.terms.values.iter().find(|(name, _)| *name == datum.metric_name);
            if let Some(&(_, value)) = known
                && (datum.values[0] - value).abs() > value * 1e-6
            {
                self.complain(
                    at,
                    format_args!("{} instead of {value}: {datum:?}", datum.values[0]),
                );
            }
        }
    }

    /// CloudWatch has stored the request under way.
    pub(crate) fn on_accepted(&mut self, at: Duration) {
        let Some(under_way) = &mut self.under_way else { return };
        under_way.is_accepted = true;
        let keys = std::mem::take(&mut self.keys);
        for key in &keys {
            let is_kept = self
                .terms
                .values
                .iter()
                .any(|(name, _)| self.metrics[usize::from(key.metric)] == *name);
            let fate = self.fates.entry(*key).or_default();
            fate.accepted += 1;
            let (told, given_ms) = (fate.told, fate.given_ms);
            if told > 0 {
                self.complain(at, format_args!("knowingly sent again: {key:?}"));
            }
            if is_kept && given_ms.is_none() {
                self.complain(at, format_args!("nobody gave {key:?}"));
            }
        }
        self.keys = keys;
    }

    /// ESP learns how its request ended.
    pub(crate) fn on_told(&mut self, at: Duration, outcome: Outcome) {
        let Some(under_way) = self.under_way.take() else { return };
        let keys = std::mem::take(&mut self.keys);
        self.told[outcome as usize] += 1;
        self.denied_at = (outcome == Outcome::Denied).then_some(at);
        self.told_samples[outcome as usize] += keys.len() as u64;
        self.is_silent = match outcome {
            Outcome::NoAnswer => true,
            Outcome::Unreachable | Outcome::Credentials => self.is_silent,
            _ => false,
        };
        if outcome != Outcome::Unreachable {
            for key in &keys {
                let fate = self.fates.entry(*key).or_default();
                fate.sent = fate.sent.saturating_add(1);
            }
        }
        if matches!(outcome, Outcome::Accepted | Outcome::ConnectionLost | Outcome::NoAnswer) {
            let is_again = |key: &&Key| self.fates.get(key).is_some_and(|fate| fate.unanswered > 0);
            self.sent_again += keys.iter().filter(is_again).count() as u64;
        }
        match outcome {
            Outcome::ConnectionLost | Outcome::NoAnswer => {
                for key in &keys {
                    let fate = self.fates.entry(*key).or_default();
                    let was_used_up = fate.is_used_up();
                    fate.unanswered += 1;
                    fate.is_connection_lost |= outcome == Outcome::ConnectionLost;
                    if fate.is_used_up() && !was_used_up {
                        self.used_up += 1;
                        self.outstanding -= u64::from(fate.given_ms.is_some());
                    }
                }
            }
            Outcome::Accepted => {
                if at >= self.terms.faults_until {
                    self.recovered_at.get_or_insert(at);
                }
                if !under_way.is_accepted {
                    self.complain(at, "a lie: it was not accepted");
                }
                for key in &keys {
                    self.suspects.remove(key);
                    let fate = self.fates.entry(*key).or_default();
                    fate.told += 1;
                    let is_first = fate.told == 1;
                    if let Some(given_ms) = fate.given_ms {
                        self.outstanding -= u64::from(is_first);
                        self.check_age(at, Duration::from_millis(given_ms.into()), key);
                    }
                }
            }
            Outcome::Invalid if keys.len() == 1 => {
                self.refused_singly += 1;
                self.suspects.remove(&keys[0]);
                if self.newest == Some(keys[0]) {
                    self.newest = None;
                }
            }
            Outcome::Invalid => self.suspects.extend(&keys),
            _ => {}
        }
        self.keys = keys;
        self.note_waiting();
    }

    /// Whether a sample is published as soon as the schedule has it.
    fn check_age(&mut self, at: Duration, given: Duration, key: &Key) {
        let most = self.terms.publish_interval + SCHEDULE_SLACK;
        let is_settled = self.terms.settled_from.is_some_and(|settled_from| given >= settled_from);
        if is_settled && at - given > most {
            let age = (at - given).as_secs_f64();
            self.complain(at, format_args!("published after {age:.3} s: {key:?}"));
        }
    }

    /// From here on ESP is ending: it may hurry, and polls once more.
    pub(crate) fn on_signal(&mut self) {
        self.signalled = true;
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

    /// Whether a value carries no `ContainerName`.
    fn is_of_task(&self, metric: &str) -> bool {
        ["ESP/", "Task", "EphemeralStorage"].iter().any(|prefix| metric.starts_with(prefix))
            || (self.terms.is_awsvpc && metric.starts_with("Network"))
    }
}
