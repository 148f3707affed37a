//! Whether a request goes out before its time: when values leave their recent range, an
//! alarm has to see them fresh; while they stay in it, nobody notices. Pure: samples and
//! the time in, yes or no out. When ordinary requests go out is decided in `schedule`.
//!
//! The range of the last minute says what is usual, so a load that always scatters has a
//! wide one and wakes nobody. A bucket bounds what extra requests cost: each interval adds
//! a part of a request, and an extra request takes a whole one out.

use std::time::{Duration, Instant};

use crate::{
    sample::metric::{Measured, Sample},
    time::Timestamp,
};

/// How many series are watched: a metric of a container each. Of more, the first ones.
const SERIES_MAX: usize = 32;

/// Samples come each second, give or take this.
const JITTER: Duration = Duration::from_millis(300);

/// Of samples that come more often than this, some are passed over: the rule's figures
/// are for one a second.
const VALUES_APART_NS: u64 = 800_000_000;

/// The figures of the rule. `docs/scaling.md` shows what they cost and gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// So many values are averaged: a step shows among more than one second's scatter.
    pub averaged: usize,
    /// The range is that of so many averages, which end where this one's values begin.
    pub remembered: usize,
    /// So many averages have to be known before one can leave their range.
    pub known_min: usize,
    /// How far beyond the range is outside, in points: at least so many,
    pub margin_points: f64,
    /// and at least this share of the range's width.
    pub margin_share: f64,
    /// Between two requests while values are outside.
    pub spacing: Duration,
    /// How long extra requests go on after values were last seen to leave their range.
    pub length: Duration,
    /// What each interval adds to the bucket, in requests.
    pub fill: f64,
    /// What the bucket holds at most, in requests.
    pub capacity: f64,
    /// What it holds at first.
    pub at_first: f64,
}

impl Rule {
    /// What the model of the latency has chosen.
    pub const CHOSEN: Self = Self {
        averaged: 4,
        remembered: 60,
        known_min: 20,
        margin_points: 8.0,
        margin_share: 0.1,
        spacing: Duration::from_secs(2),
        length: Duration::from_secs(14),
        fill: 0.15,
        capacity: 40.0,
        at_first: 10.0,
    };
}

/// The state of the rule.
#[derive(Debug)]
pub(super) struct Adaptive {
    rule: Rule,
    interval: Duration,
    series: Vec<Series>,
    /// Extra requests that may still go out.
    bucket: f64,
    filled_at: Option<Instant>,
    /// Values are outside their range: until when they are fresh.
    fresh_until: Option<Instant>,
}

/// What is remembered of one metric of one container.
#[derive(Debug)]
struct Series {
    metric: Measured,
    container: Option<u16>,
    read: Timestamp,
    /// The last values, and the last averages, each over its oldest.
    values: Ring,
    averages: Ring,
    /// The range that it has left, while it is outside.
    left: Option<(f64, f64)>,
}

/// The last so many numbers.
#[derive(Debug)]
struct Ring {
    numbers: Vec<f64>,
    capacity: usize,
    next: usize,
}

impl Adaptive {
    pub(super) fn new(rule: Rule, interval: Duration) -> Self {
        Self {
            rule,
            interval,
            series: Vec::new(),
            bucket: rule.at_first,
            filled_at: None,
            fresh_until: None,
        }
    }

    /// Takes in a sample that came `now`; the last request went out at `sent_at`. `true`:
    /// an extra request is due, and is paid for; never unless one has a place (`may_send`).
    pub(super) fn on_sample(
        &mut self,
        sample: &Sample,
        now: Instant,
        sent_at: Option<Instant>,
        may_send: bool,
    ) -> bool {
        if !is_watched(sample.metric) {
            return false;
        }
        self.fill(now);
        match self.follow(sample) {
            Some(Change::Left) => self.fresh_until = Some(now + self.rule.length),
            Some(Change::Returned) if self.series.iter().all(|series| series.left.is_none()) => {
                self.fresh_until = None;
            }
            _ => {}
        }
        if self.fresh_until.is_some_and(|until| now >= until) {
            self.fresh_until = None;
        }
        let is_spaced = sent_at
            .is_none_or(|at| now.saturating_duration_since(at) + JITTER >= self.rule.spacing);
        let is_due = may_send && self.fresh_until.is_some() && is_spaced && self.bucket >= 1.0;
        if is_due {
            self.bucket -= 1.0;
        }
        is_due
    }

    /// A request has failed: extra ones would be in the way.
    pub(super) fn on_failure(&mut self) {
        self.fresh_until = None;
    }

    /// CloudWatch asks the account for fewer requests: extra ones are the first to go.
    pub(super) fn on_throttled(&mut self) {
        self.on_failure();
        self.bucket = 0.0;
    }

    fn fill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.filled_at.unwrap_or(now));
        let intervals = since.as_secs_f64() / self.interval.as_secs_f64();
        self.bucket = (self.bucket + intervals * self.rule.fill).min(self.rule.capacity);
        self.filled_at = Some(now);
    }

    fn follow(&mut self, sample: &Sample) -> Option<Change> {
        let is_same =
            |it: &&mut Series| (it.metric, it.container) == (sample.metric, sample.container);
        let Some(series) = self.series.iter_mut().find(is_same) else {
            if self.series.len() < SERIES_MAX {
                self.series.push(Series::new(sample, self.rule));
            }
            return None;
        };
        series.on_value(sample, self.rule)
    }
}

/// Whether services scale by it: a share of a limit. Bytes a second jump for any reason.
fn is_watched(metric: Measured) -> bool {
    metric.metric().is_some_and(|metric| metric.unit() == "Percent")
}

/// A series has left its range, or is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Left,
    Returned,
}

impl Series {
    fn new(sample: &Sample, rule: Rule) -> Self {
        let mut values = Ring::new(rule.averaged);
        values.push(sample.value);
        Self {
            metric: sample.metric,
            container: sample.container,
            read: sample.read,
            values,
            averages: Ring::new(rule.remembered + rule.averaged),
            left: None,
        }
    }

    fn on_value(&mut self, sample: &Sample, rule: Rule) -> Option<Change> {
        if sample.read.ns_since(self.read).is_none_or(|since| since < VALUES_APART_NS) {
            // If the clock was set back, from here on.
            self.read = self.read.min(sample.read);
            return None;
        }
        self.read = sample.read;
        self.values.push(sample.value);
        let average = self.values.average();
        let is_known = self.averages.len() >= rule.known_min + rule.averaged;
        // Those that share values with this one would follow a step, and hide it.
        let range = self.averages.range_before(rule.averaged).filter(|_| is_known);
        self.averages.push(average);
        if let Some((least, most)) = self.left
            && (least..=most).contains(&average)
        {
            self.left = None;
            return Some(Change::Returned);
        }
        let (least, most) = range?;
        let margin = ((most - least) * rule.margin_share).max(rule.margin_points);
        let (least, most) = (least - margin, most + margin);
        let is_outside = average < least || average > most;
        is_outside.then(|| {
            self.left = Some((least, most));
            Change::Left
        })
    }
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self { numbers: Vec::with_capacity(capacity), capacity, next: 0 }
    }

    fn push(&mut self, number: f64) {
        if let Some(oldest) = self.numbers.get_mut(self.next) {
            *oldest = number;
        } else {
            self.numbers.push(number);
        }
        self.next = (self.next + 1) % self.capacity.max(1);
    }

    fn len(&self) -> usize {
        self.numbers.len()
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of numbers")]
    fn average(&self) -> f64 {
        self.numbers.iter().sum::<f64>() / self.len() as f64
    }

    /// The least and the greatest, without the last so many.
    fn range_before(&self, last: usize) -> Option<(f64, f64)> {
        let (later, earlier) = self.numbers.split_at(self.next.min(self.len()));
        let oldest_first = earlier.iter().chain(later);
        let mut numbers = oldest_first.copied().take(self.len().saturating_sub(last));
        let first = numbers.next()?;
        Some(numbers.fold((first, first), |(least, most), it| (least.min(it), most.max(it))))
    }
}

#[cfg(test)]
mod tests;
