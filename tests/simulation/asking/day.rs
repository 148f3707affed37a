//! A day of an agent: streams that drift, late samples, streams that stall, agents that
//! are away, containers that start over, a clock that is set. Times are µs from the
//! beginning.

use esp::time::Timestamp;
use esp_endpoints::random::Random;

use super::LATENCY;

const START_NS: u64 = 1_795_514_400_000_000_000;
pub(crate) const SECOND: u64 = 1_000_000;

/// How an agent behaves. Times are µs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    pub(crate) containers: u64,
    /// Of each container, between these two.
    pub(crate) period: (u64, u64),
    /// Whether the period of a stream wanders between the two.
    pub(crate) drifts: bool,
    /// Of each renewal.
    pub(crate) jitter: u64,
    /// From `read` until it can be seen, at least and at most.
    pub(crate) delay: (u64, u64),
    /// So many renewals of ten thousand can be seen later, by up to so much.
    pub(crate) late: (u64, u64),
    /// So often in a day a stream stalls for up to 60 s, a container starts over, and the
    /// agent is away for up to 30 s.
    pub(crate) stalls: u64,
    pub(crate) restarts: u64,
    pub(crate) outages: u64,
    /// After an outage the agent has these periods and the old ones in turn.
    pub(crate) other_period: Option<(u64, u64)>,
    /// A step of the host's clock, so many a day.
    pub(crate) steps: u64,
}

const EC2: Agent = Agent {
    name: "EC2, streaming",
    containers: 1,
    period: (1_002_000, 1_050_000),
    drifts: true,
    jitter: 4000,
    delay: (15_000, 40_000),
    late: (20, 800_000),
    stalls: 24,
    restarts: 12,
    outages: 6,
    other_period: None,
    steps: 4,
};

const POLLING: Agent = Agent {
    name: "EC2, polling",
    period: (5_000_000, 20_000_000),
    drifts: false,
    jitter: 50_000,
    delay: (15_000, 60_000),
    ..EC2
};

const FARGATE: Agent = Agent {
    name: "Fargate",
    containers: 1,
    period: (10_000_000, 10_000_000),
    drifts: false,
    jitter: 300,
    delay: (5000, 60_000),
    late: (20, 5_000_000),
    ..EC2
};

pub(crate) const AGENTS: [Agent; 9] = [
    EC2,
    Agent { name: "EC2, streaming, 3 containers", containers: 3, ..EC2 },
    Agent { name: "EC2, streaming, busy host", jitter: 40_000, delay: (20_000, 250_000), ..EC2 },
    POLLING,
    Agent { name: "EC2, polling, 3 containers", containers: 3, ..POLLING },
    FARGATE,
    Agent { name: "Fargate, 4 containers", containers: 4, ..FARGATE },
    Agent {
        name: "Managed Instances, 2 containers",
        containers: 2,
        period: (9_998_500, 9_998_500),
        jitter: 2000,
        ..FARGATE
    },
    Agent {
        name: "EC2, set from 1 to 10 s and back",
        other_period: Some((10_000_000, 10_000_000)),
        outages: 24,
        ..EC2
    },
];

/// A sample of a container: when it was read, and from when on it can be seen.
#[derive(Clone, Copy)]
pub(crate) struct Renewal {
    pub(crate) read: u64,
    pub(crate) visible: u64,
}

/// What really happens in a day.
pub(crate) struct Day {
    pub(crate) hours: u64,
    /// In each container's own time.
    pub(crate) renewals: Vec<Vec<Renewal>>,
    /// When a container has no stats, though it runs.
    nulls: Vec<Vec<(u64, u64)>>,
    outages: Vec<(u64, u64)>,
    /// From when on the host's clock is ahead by so much, µs.
    clock: Vec<(u64, i64)>,
}

fn between(random: &mut Random, (least, most): (u64, u64)) -> u64 {
    least + random.below(most - least + 1)
}

/// Moments of the day, so many in 24 hours.
fn moments(random: &mut Random, a_day: u64, end: u64) -> Vec<u64> {
    let count = (a_day * end).div_ceil(24 * 3600 * SECOND);
    let mut moments: Vec<_> = (0..count).map(|_| 120 * SECOND + random.below(end)).collect();
    moments.sort_unstable();
    moments
}

fn is_within(at: u64, spans: &[(u64, u64)]) -> bool {
    let next = spans.partition_point(|(from, _)| *from <= at);
    next > 0 && at < spans[next - 1].1
}

impl Day {
    pub(crate) fn new(agent: Agent, hours: u64, random: &mut Random) -> Self {
        let end = hours * 3600 * SECOND;
        let spans = |random: &mut Random, a_day, most: u64| -> Vec<(u64, u64)> {
            let mut free = 0;
            let from = moments(random, a_day, end);
            let spans = from.into_iter().filter_map(|from| {
                let until = from + SECOND + random.below(most);
                let is_free = from > free;
                free = free.max(until);
                is_free.then_some((from, until))
            });
            spans.collect()
        };
        let outages = spans(random, agent.outages, 30 * SECOND);
        let mut clock = vec![(0, 0)];
        let ahead = moments(random, agent.steps, end).into_iter();
        clock.extend(
            ahead.map(|at| (at, i64::try_from(random.below(4 * SECOND)).unwrap() - 2_000_000)),
        );
        let mut day = Self { hours, renewals: Vec::new(), nulls: Vec::new(), outages, clock };
        for _ in 0..agent.containers {
            let stalls = spans(random, agent.stalls, 60 * SECOND);
            let restarts = spans(random, agent.restarts, 8 * SECOND);
            day.add_container(agent, &stalls, &restarts, end, random);
        }
        day
    }

    fn add_container(
        &mut self,
        agent: Agent,
        stalls: &[(u64, u64)],
        restarts: &[(u64, u64)],
        end: u64,
        random: &mut Random,
    ) {
        let mut renewals: Vec<Renewal> = Vec::new();
        let mut period = between(random, agent.period);
        let mut is_other = false;
        let mut due = random.below(period);
        let (mut outages, mut gaps) = (self.outages.iter().peekable(), Vec::new());
        gaps.extend(stalls.iter().chain(restarts));
        gaps.sort_unstable();
        let mut gaps = gaps.into_iter().peekable();
        while due < end {
            if agent.drifts && random.chance(1) && !is_other {
                let (least, most) = agent.period;
                let wandered = period + random.below(4001);
                period = wandered.saturating_sub(2000).clamp(least, most);
            }
            // The agent comes back with streams of a phase of their own.
            if let Some((_, until)) = outages.next_if(|(from, _)| *from <= due) {
                if let Some(other) = agent.other_period {
                    is_other = !is_other;
                    period = between(random, if is_other { other } else { agent.period });
                }
                due = until + random.below(period);
                continue;
            }
            // So do a stream that stalled and a container that starts over.
            if let Some((_, until)) = gaps.next_if(|(from, _)| *from <= due) {
                due = due.max(until + random.below(period));
                continue;
            }
            let read = due + random.below(agent.jitter + 1);
            let mut visible = read + between(random, agent.delay);
            if random.below(10_000) < agent.late.0 {
                visible += random.below(agent.late.1);
            }
            let before = renewals.last().map_or(0, |last| last.visible + 1);
            renewals.push(Renewal { read, visible: visible.max(before) });
            // Docker's stream counts from the last one, an agent's ticker does not.
            due = if agent.drifts { read + period - agent.jitter / 2 } else { due + period };
        }
        // Half of the stalls replay the last sample.
        let nulls = stalls.iter().filter(|(from, _)| from % 2 == 0).copied();
        self.nulls.push(
            nulls
                .map(|(from, until)| (from + 2 * SECOND, until))
                .filter(|(from, until)| from < until)
                .collect(),
        );
        self.renewals.push(renewals);
    }

    fn ahead(&self, at: u64) -> i64 {
        self.clock[self.clock.partition_point(|(from, _)| *from <= at) - 1].1
    }

    /// What the host's clock says, ns.
    pub(crate) fn wall(&self, at: u64) -> Timestamp {
        Timestamp::from_unix_ns(START_NS.saturating_add_signed(self.ahead(at) * 1000) + at * 1000)
    }

    pub(crate) fn is_away(&self, at: u64) -> bool {
        is_within(at, &self.outages)
    }

    pub(crate) fn is_away_between(&self, from: u64, until: u64) -> bool {
        self.outages.iter().any(|(begin, over)| *begin < until && from < *over)
    }

    /// Whether a renewal can be seen for a second without a break.
    pub(crate) fn is_there_for_a_second(&self, container: usize, place: usize) -> bool {
        let renewals = &self.renewals[container];
        let end = self.hours * 3600 * SECOND;
        let until = renewals.get(place + 1).map_or(end, |next| next.visible).min(end);
        let mut from = renewals[place].visible;
        let mut breaks: Vec<_> = self.outages.iter().chain(&self.nulls[container]).collect();
        breaks.sort_unstable();
        for (begin, over) in breaks {
            if *over > from && *begin < until {
                if begin.saturating_sub(from) > SECOND + LATENCY {
                    return true;
                }
                from = from.max(*over);
            }
        }
        until.saturating_sub(from) > SECOND + LATENCY
    }

    /// The place of the renewal that the endpoint shows of a container.
    pub(crate) fn shown(&self, container: usize, at: u64) -> Option<usize> {
        if is_within(at, &self.nulls[container]) {
            return None;
        }
        self.renewals[container].partition_point(|renewal| renewal.visible <= at).checked_sub(1)
    }
}
