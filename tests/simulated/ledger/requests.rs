//! The books of what goes to CloudWatch: each request when it arrives, when it is
//! accepted, and when ESP learns how it ended.

use std::{hash::Hash as _, time::Duration};

use esp::{kernel::Tier, publisher::Outcome};
use esp_endpoints::service::Datum;

use super::{Key, Ledger, UnderWay};
use crate::simulated::task::MEMORY_TURNED;

/// Between two requests.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);

/// After a refused permission.
const DENIED_PAUSE: Duration = Duration::from_mins(1);

/// For the task's own place in the schedule, and for the way.
const SCHEDULE_SLACK: Duration = Duration::from_millis(2500);

impl Ledger {
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
            let fate = self.fates.get(&key).copied().unwrap_or_default();
            // Made of estimates, which are led to the endpoint's value.
            let is_estimate =
                self.terms.kernel == Some(Tier::Processes) && datum.metric_name == "CPUUtilization";
            let tolerance = if is_estimate { 1e-2 } else { 1e-6 };
            let is_value = |value: f64| {
                fate.is_doubted || (datum.values[0] - value).abs() <= value * tolerance
            };
            let may_be_turned =
                self.terms.memory_turns.is_some() && datum.metric_name == "MemoryUtilization";
            if let Some(&(_, value)) = known
                && !is_value(value)
                && !(may_be_turned && is_value(value * MEMORY_TURNED))
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
            let (told, given_ms, is_optional) = (fate.told, fate.given_ms, fate.is_optional);
            if told > 0 {
                self.complain(at, format_args!("knowingly sent again: {key:?}"));
            }
            if is_kept && given_ms.is_none() && !is_optional {
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
        let max = self.terms.publish_interval + SCHEDULE_SLACK;
        let is_settled = self.terms.settled_from.is_some_and(|settled_from| given >= settled_from);
        if is_settled && at - given > max {
            let age = (at - given).as_secs_f64();
            self.complain(at, format_args!("published after {age:.3} s: {key:?}"));
        }
    }

    /// Whether a value carries no `ContainerName`.
    fn is_of_task(&self, metric: &str) -> bool {
        ["ESP/", "Task", "EphemeralStorage"].iter().any(|prefix| metric.starts_with(prefix))
            || (self.terms.is_awsvpc && metric.starts_with("Network"))
    }
}
