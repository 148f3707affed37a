//! What counts as well. Pure: the time is told, not read.
//!
//! It is lenient, because of what hangs on it: ECS replaces a task of which an
//! essential container is unhealthy. The endpoint is away for tens of seconds at a
//! task's start and for seconds when the agent is upgraded, and no new task is
//! better off then. That a sample is a replay (nine of ten are on Fargate), that a
//! container has none, or that its name is wrong, is no matter of health: the poll
//! was answered. An outage of `CloudWatch` counts only where that is asked for.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// How late a poll may be, besides [`INTERVALS`] of its own.
const PATIENCE: Duration = Duration::from_mins(1);
/// One that is answered just before its time-out, one that is lost, and the next.
const INTERVALS: u32 = 3;

/// What the configuration asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How often the endpoint is asked, while its rhythm is not known.
    pub sample_interval: Duration,
    /// Within which time `CloudWatch` must have accepted a request; `None`: it
    /// need not.
    pub publish_max_age: Option<Duration>,
}

/// What has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the endpoint last answered with readable stats; at first the start.
    pub sampled: Instant,
    /// How long after that nothing new was due, so that it was not asked.
    pub rest: Duration,
    /// When `CloudWatch` last accepted a request; at first the start.
    pub published: Instant,
}

impl Record {
    /// That of a sidecar that starts now: what it will do counts as done once.
    #[must_use]
    pub const fn starting(now: Instant) -> Self {
        Self { sampled: now, rest: Duration::ZERO, published: now }
    }
}

/// The judgement. As text it is the one line that is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is on time.
    Healthy {
        /// Since the last poll that was answered, or the start.
        sampled_ago: Duration,
    },
    /// The endpoint has not answered for too long.
    NotSampling {
        /// For how long.
        sampled_ago: Duration,
        /// How long would have been right.
        limit: Duration,
    },
    /// `CloudWatch` has accepted nothing for too long.
    NotPublishing {
        /// For how long.
        published_ago: Duration,
        /// `HEALTH_MAX_AGE`.
        limit: Duration,
    },
}

/// How the line of a healthy sidecar begins.
pub(super) const HEALTHY: &str = "healthy";

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy { sampled_ago } => {
                write!(f, "{HEALTHY}: sampled {:.1} s ago", sampled_ago.as_secs_f64())
            }
            Self::NotSampling { sampled_ago, limit } => write!(
                f,
                "unhealthy: the task metadata endpoint has not answered for {} s (limit {} s); \
                 the log of esp says why",
                sampled_ago.as_secs(),
                limit.as_secs()
            ),
            Self::NotPublishing { published_ago, limit } => write!(
                f,
                "unhealthy: nothing has been published for {} s (HEALTH_MAX_AGE is {} s); \
                 the log of esp says why",
                published_ago.as_secs(),
                limit.as_secs()
            ),
        }
    }
}

/// Judges `record` at `now`.
#[must_use]
pub fn judge(record: Record, rules: Rules, now: Instant) -> Verdict {
    let sampled_ago = now.saturating_duration_since(record.sampled);
    let rest = record.rest.saturating_sub(rules.sample_interval);
    let limit = rules.sample_interval * INTERVALS + rest + PATIENCE;
    if sampled_ago > limit {
        return Verdict::NotSampling { sampled_ago, limit };
    }
    let published_ago = now.saturating_duration_since(record.published);
    match rules.publish_max_age {
        Some(limit) if published_ago > limit => Verdict::NotPublishing { published_ago, limit },
        _ => Verdict::Healthy { sampled_ago },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rules(sample_interval_ms: u64, publish_max_age_s: Option<u64>) -> Rules {
        Rules {
            sample_interval: Duration::from_millis(sample_interval_ms),
            publish_max_age: match publish_max_age_s {
                Some(seconds) => Some(Duration::from_secs(seconds)),
                None => None,
            },
        }
    }

    #[test]
    fn sampling_may_be_late_and_publishing_counts_where_asked_for() {
        let now = Instant::now() + Duration::from_hours(1);
        let ago = |seconds| now.checked_sub(Duration::from_secs(seconds)).unwrap();
        for (sampled_s, published_s, rules, expected) in [
            (0, 0, rules(1000, None), "healthy: sampled 0.0 s ago"),
            // An endpoint that is away for a minute.
            (63, 0, rules(1000, None), "healthy: sampled 63.0 s ago"),
            (
                64,
                0,
                rules(1000, None),
                "unhealthy: the task metadata endpoint has not answered for 64 s (limit 63 s)",
            ),
            // Longer intervals are given their time, short ones no less of it.
            (240, 0, rules(60_000, None), "healthy"),
            (241, 0, rules(60_000, None), "unhealthy: the task metadata endpoint"),
            (60, 0, rules(200, None), "healthy"),
            (61, 0, rules(200, None), "unhealthy: the task metadata endpoint"),
            // An outage of CloudWatch for an hour.
            (0, 3600, rules(1000, None), "healthy"),
            (0, 60, rules(1000, Some(60)), "healthy"),
            (
                0,
                61,
                rules(1000, Some(60)),
                "unhealthy: nothing has been published for 61 s (HEALTH_MAX_AGE is 60 s)",
            ),
            // Both: without samples there is nothing to publish.
            (70, 70, rules(1000, Some(60)), "unhealthy: the task metadata endpoint"),
        ] {
            let record = Record {
                sampled: ago(sampled_s),
                published: ago(published_s),
                ..Record::starting(now)
            };
            let line = judge(record, rules, now).to_string();
            assert!(line.starts_with(expected), "{line} instead of {expected}");
            assert_eq!(line.lines().count(), 1);
        }
    }

    #[test]
    fn while_nothing_new_is_due_the_endpoint_need_not_answer() {
        let start = Instant::now();
        let record = Record { rest: Duration::from_secs(10), ..Record::starting(start) };
        let after =
            |seconds| judge(record, rules(1000, None), start + Duration::from_secs(seconds));
        assert!(matches!(after(72), Verdict::Healthy { .. }));
        let limit = Duration::from_secs(72);
        assert!(matches!(after(73), Verdict::NotSampling { limit: is, .. } if is == limit));
    }

    #[test]
    fn the_start_counts_as_the_first_success() {
        let start = Instant::now();
        let record = Record::starting(start);
        let rules = rules(1000, Some(30));
        let after = |seconds| judge(record, rules, start + Duration::from_secs(seconds));
        assert!(matches!(after(0), Verdict::Healthy { .. }));
        assert!(matches!(after(30), Verdict::Healthy { .. }));
        assert!(matches!(after(31), Verdict::NotPublishing { .. }));
        assert!(matches!(after(64), Verdict::NotSampling { .. }));
    }
}
