//! The network of an awsvpc task, which its containers share: bytes received and sent by
//! the task as a whole. Each container is told the task's counters, so they are counted
//! once, from one source, and they are renewed by a clock of their own (`renewal`). A
//! network that is a container's own is in `container`.

use std::time::Instant;

use super::{
    container::Container,
    growth::{Grown, GrowthWatch, Point, per_second},
    poll::Poll,
    renewal::{AnswerTimes, Change, NewReading, Renewal},
};
use crate::{
    reading::NetworkReading,
    sample::{Metric, MetricSet},
    time::{Now, Timestamp},
};

/// So many answers in a row may lack the source's counters before another container
/// takes its place.
const SOURCE_PATIENCE: u32 = 10;

/// Two containers of an awsvpc task show the same counters, the one perhaps some
/// renewals later than the other: so long at least, and so many bytes are never too
/// many.
const SAME_WITHIN_NS: u64 = 40_000_000_000;
const SAME_BYTES: f64 = 65_536.0;

/// What the network of the task comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NetworkOutcome {
    /// Nothing that is known well enough.
    Nothing,
    /// Bytes a second, received and sent, up to a moment.
    Rates { until: Timestamp, rates: [f64; 2] },
    /// A counter fell, or was wrong. What came in between is unknown.
    Unknown,
}

impl NetworkOutcome {
    /// Hands out what there is, as metrics of the task, and says of which there was a
    /// value.
    pub(super) fn give(self, poll: &mut Poll<'_>) -> MetricSet {
        let mut seen = MetricSet::default();
        match self {
            Self::Nothing => {}
            Self::Unknown => poll.figures.resets += 1,
            Self::Rates { until, rates } => {
                let metrics = [Metric::NetworkRxBytes, Metric::NetworkTxBytes];
                for (metric, rate) in metrics.into_iter().zip(rates) {
                    if poll.give(metric, None, until, rate) {
                        seen.insert(metric);
                    }
                }
            }
        }
        seen
    }
}

/// The network that the containers of an awsvpc task share.
#[derive(Debug, Default)]
pub(super) struct TaskNetwork {
    /// The Docker id of the container whose counters are taken.
    source: Option<String>,
    misses: u32,
    /// Times are counted from here.
    origin: Option<Instant>,
    last: Option<[u64; 2]>,
    last_ns: u64,
    growth: GrowthWatch,
    renewal: Renewal,
    /// Up to this change everything is accounted for.
    start: Option<Change>,
    /// The last change looks like a jump, and waits for the next one.
    is_held: bool,
    /// A value was given. Until then no byte is lost by another start.
    has_given: bool,
    /// What came since `start`.
    pending: [u64; 2],
    /// The counters are the kernel's, read by ESP itself: they are not old, and need no
    /// renewal.
    is_from_kernel: bool,
}

impl TaskNetwork {
    pub(super) fn is_from_kernel(&self) -> bool {
        self.is_from_kernel
    }

    /// Takes in the counters of the kernel; `None` if it gives none.
    pub(super) fn on_kernel(
        &mut self,
        network: Option<NetworkReading>,
        now: Now,
    ) -> NetworkOutcome {
        if network.is_some() != self.is_from_kernel {
            // An agent may divide its counters: they are no base for the kernel's.
            let is_from_kernel = network.is_some();
            *self = Self { origin: self.origin, is_from_kernel, ..Self::default() };
        }
        let Some(network) = network else { return NetworkOutcome::Nothing };
        let origin = *self.origin.get_or_insert(now.instant);
        let elapsed = now.instant.saturating_duration_since(origin).as_nanos();
        let at_ns = u64::try_from(elapsed).unwrap_or(u64::MAX);
        match self.growth.on_point(Point { at_ns, totals: network.totals() }) {
            Grown::Nothing => NetworkOutcome::Nothing,
            Grown::Unknown => NetworkOutcome::Unknown,
            Grown::Grew { since, by } => {
                let rates = per_second(by, at_ns.saturating_sub(since.at_ns).max(1));
                NetworkOutcome::Rates { until: now.wall, rates }
            }
        }
    }

    /// After an answer has been taken in by all containers.
    pub(super) fn on_answer(
        &mut self,
        containers: &[Container],
        asked: Instant,
        now: Now,
    ) -> NetworkOutcome {
        if self.is_from_kernel {
            return NetworkOutcome::Nothing;
        }
        let origin = *self.origin.get_or_insert(asked);
        let ns_at = |at: Instant| {
            u64::try_from(at.saturating_duration_since(origin).as_nanos()).unwrap_or(u64::MAX)
        };
        let (asked_ns, at_ns) = (ns_at(asked), ns_at(now.instant));
        let Some(source) = self.choose(containers, at_ns) else {
            return NetworkOutcome::Nothing;
        };
        let Some(network) = source.network else { return NetworkOutcome::Nothing };
        let reading = source.new_read.map(|read| NewReading {
            read_ns: read.unix_ns(),
            age_ns: now.wall.unix_ns().saturating_sub(read.unix_ns()),
        });
        let cadence = source.fresh.cadence.so_far();
        let cadence_ns = cadence.map(|it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX / 2));
        self.last_ns = at_ns;
        let totals = network.totals();
        let before = self.last.replace(totals);
        let is_changed = before.is_some_and(|before| before != totals);
        let answer = AnswerTimes { asked_ns, at_ns, reading, cadence_ns };
        let change = self.renewal.on_answer(answer, is_changed);
        if before.is_none() {
            self.growth.on_point(Point { at_ns, totals });
        }
        match change {
            Some(change) => self.on_change(change, totals, now),
            None => self.on_idle(now),
        }
    }

    fn on_change(&mut self, change: Change, totals: [u64; 2], now: Now) -> NetworkOutcome {
        let outcome = self.growth.on_point(Point { at_ns: change.at_ns, totals });
        self.is_held = false;
        match outcome {
            Grown::Nothing => {
                self.is_held = true;
                return NetworkOutcome::Nothing;
            }
            Grown::Unknown => {
                self.begin(change);
                return NetworkOutcome::Unknown;
            }
            Grown::Grew { by, .. } => {
                self.pending = [0, 1].map(|n| self.pending[n].saturating_add(by[n]));
            }
        }
        // What the first change brought came in an unknown time.
        let Some(start) = self.start else {
            self.begin(change);
            return NetworkOutcome::Nothing;
        };
        let Some(elapsed_ns) = self.renewal.elapsed_ns(start, change) else {
            // From a change that was seen sooner, a value comes sooner.
            if !self.has_given && 2 * change.gap_ns <= start.gap_ns {
                self.begin(change);
            }
            return NetworkOutcome::Nothing;
        };
        self.has_given = true;
        let rates = per_second(self.pending, elapsed_ns);
        self.begin(change);
        let until = change.read_ns.map_or(now.wall, Timestamp::from_unix_ns);
        NetworkOutcome::Rates { until, rates }
    }

    fn on_idle(&mut self, now: Now) -> NetworkOutcome {
        let is_settled = self.pending == [0, 0] && !self.is_held;
        match self.start.filter(|_| is_settled).and_then(|start| self.renewal.idle_since(start)) {
            Some(later) => {
                self.start = Some(later);
                NetworkOutcome::Rates { until: now.wall, rates: [0.0, 0.0] }
            }
            None => NetworkOutcome::Nothing,
        }
    }

    fn begin(&mut self, change: Change) {
        self.start = Some(change);
        self.pending = [0, 0];
    }

    /// The host's clock was set.
    pub(super) fn on_step(&mut self) {
        self.renewal.forget_reads();
    }

    /// The container whose counters are taken of this answer.
    fn choose<'all>(
        &mut self,
        containers: &'all [Container],
        at_ns: u64,
    ) -> Option<&'all Container> {
        let shared = || containers.iter().filter(|container| container.shares_network());
        let source = self.source.as_ref().and_then(|source| {
            shared()
                .find(|container| container.docker_id == *source && !container.fresh.is_stopped())
        });
        if let Some(source) = source.filter(|source| source.network.is_some()) {
            self.misses = 0;
            return Some(source);
        }
        self.misses += 1;
        if source.is_some() && self.misses <= SOURCE_PATIENCE {
            return None;
        }
        let others = shared().filter(|container| container.network.is_some());
        let next = others.max_by_key(|container| container.place.is_some())?;
        match self.relation(next.network?.totals(), at_ns) {
            Relation::Same => self.renewal.on_source(),
            Relation::Behind => return None,
            Relation::Other => *self = Self { origin: self.origin, ..Self::default() },
        }
        self.misses = 0;
        self.source = Some(next.docker_id.clone());
        Some(next)
    }

    /// Whether these counters of another container are those of the last source, some
    /// renewals earlier or later.
    #[expect(clippy::cast_precision_loss, reason = "an order of magnitude")]
    fn relation(&self, totals: [u64; 2], at_ns: u64) -> Relation {
        let Some(last) = self.last else { return Relation::Same };
        let elapsed_ns = at_ns.saturating_sub(self.last_ns);
        let periods_ns = 2 * self.renewal.period_ns().unwrap_or(SAME_WITHIN_NS);
        let seconds = elapsed_ns.saturating_add(periods_ns.max(SAME_WITHIN_NS)) as f64 / 1e9;
        let most = SAME_BYTES + seconds * self.growth.recent_rate();
        let is_near = (0..2).all(|n| totals[n].abs_diff(last[n]) as f64 <= most);
        match (0..2).all(|n| totals[n] >= last[n]) {
            _ if !is_near => Relation::Other,
            true => Relation::Same,
            false => Relation::Behind,
        }
    }
}

/// How the counters of another container relate to the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// They go on from them.
    Same,
    /// They are an earlier renewal of the same.
    Behind,
    /// They are others.
    Other,
}

#[cfg(test)]
mod tests;
