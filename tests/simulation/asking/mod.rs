//! Simulated days: when the endpoint is asked, beside an ESP that asks it each second.
//! A model of the agent plays each platform: streams that drift, late samples, streams
//! that stall, agents that are away, containers that start over. Of the renewals that
//! asking each second would have seen none may be missed, and what comes out of it (how
//! old a sample is when it comes, and the number of requests) is printed.
//!
//!     ESP_DAY_HOURS=1000 cargo test --release --test simulation asking:: -- --nocapture
//!
//! plays weeks, as `.ci/simulation` does; `cargo test` plays a day of each.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

mod day;

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use esp::{
    endpoint::task::TaskDocument,
    reading::{CpuReading, Entry, Reading},
    sample::{Metric, MetricSet},
    sampler::{Sampler, Selection, asking::Asking},
    time::Now,
};
use esp_endpoints::random::Random;

use day::{AGENTS, Agent, Day, SECOND};

const METRICS: [Metric; 2] = [Metric::CpuUtilization, Metric::TaskCpuUtilization];
/// An answer takes this long, µs.
pub(crate) const LATENCY: u64 = 1500;

/// What was seen of a day.
struct Seen {
    /// Of each container, when each renewal was seen first, if it was.
    at: Vec<Vec<Option<u64>>>,
    requests: u64,
    /// Requests without anything new.
    empty: u64,
    /// How many values there were, of each of [`METRICS`].
    values: [usize; 2],
}

impl Seen {
    fn new(day: &Day) -> Self {
        let at = day.renewals.iter().map(|renewals| vec![None; renewals.len()]).collect();
        Self { at, requests: 0, empty: 0, values: [0; 2] }
    }

    /// An answer that shows what there is at `shown_at` and comes at `at`.
    fn on_answer(&mut self, day: &Day, shown_at: u64, at: u64) {
        let mut is_new = false;
        for container in 0..day.renewals.len() {
            if let Some(place) = day.shown(container, shown_at) {
                let first = &mut self.at[container][place];
                is_new |= first.is_none();
                first.get_or_insert(at);
            }
        }
        self.empty += u64::from(!is_new);
    }

    /// How old samples were when they came, µs, sorted.
    fn ages(&self, day: &Day) -> Vec<u64> {
        let mut ages: Vec<_> = (self.at.iter().zip(&day.renewals))
            .flat_map(|(at, renewals)| at.iter().zip(renewals))
            .filter_map(|(at, renewal)| Some((*at)? - renewal.read))
            .collect();
        ages.sort_unstable();
        ages
    }

    fn line(&self, day: &Day) -> String {
        let ages = self.ages(day);
        let part = |parts: usize| ages[(ages.len() - 1) * parts / 100] / 1000;
        let mean = ages.iter().sum::<u64>() / ages.len() as u64 / 1000;
        let minutes = day.hours * 60;
        format!(
            "{:>3}.{} {:>5} {:>5} {:>5} {:>6} {:>5.1} %",
            self.requests / minutes,
            self.requests * 10 / minutes % 10,
            mean,
            part(50),
            part(99),
            part(100),
            100.0 * self.empty as f64 / self.requests as f64,
        )
    }
}

/// When the endpoint is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    EachSecond,
    /// As ESP does.
    Learned,
    /// As ESP does beside a proven source.
    Spared,
}

fn document(containers: usize) -> TaskDocument {
    let listed: Vec<_> = (0..containers)
        .map(|n| {
            format!(
                r#"{{"DockerId": "c{n}", "Name": "c{n}", "KnownStatus": "RUNNING",
                    "Networks": [{{"NetworkMode": "bridge"}}]}}"#
            )
        })
        .collect();
    let text = format!(r#"{{"Limits": {{"CPU": 2}}, "Containers": [{}]}}"#, listed.join(","));
    TaskDocument::parse(&mut text.into_bytes()).unwrap()
}

/// What ESP's sampler sees of a day.
fn asked(day: &Day, phase: u64, how: How) -> Seen {
    let mut seen = Seen::new(day);
    let wanted: MetricSet = METRICS.into_iter().collect();
    let mut sampler = Sampler::new(Selection::All, wanted);
    let (mut made, mut events) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let now = |at: u64| Now { instant: start + Duration::from_micros(at), wall: day.wall(at) };
    let task = document(day.renewals.len());
    let ids: Vec<_> = (0..day.renewals.len()).map(|n| format!("c{n}")).collect();
    sampler.on_task(&task, now(phase), &mut made, &mut events);
    let mut asking = Asking::new(now(phase).instant, Duration::from_secs(1));
    let end = now(day.hours * 3600 * SECOND).instant;
    while asking.next() < end {
        let due = u64::try_from((asking.next() - start).as_nanos().div_ceil(1000)).unwrap();
        seen.requests += 1;
        // A source is proven by some renewals.
        let is_spared = how == How::Spared && due > 120 * SECOND;
        asking.set_spared(is_spared);
        sampler.set_spared(is_spared);
        if day.is_away(due) {
            sampler.doubt_rhythms();
            asking.plan(now(due + 300).instant, None::<std::iter::Empty<_>>);
            continue;
        }
        let came = due + LATENCY;
        sampler.on_asked(now(due).instant);
        let read = |visit: &mut dyn FnMut(&str, Entry)| {
            for (container, id) in ids.iter().enumerate() {
                let entry =
                    day.shown(container, due + LATENCY / 2).map_or(Entry::NoData, |place| {
                        let renewal = day.renewals[container][place];
                        Entry::Reading(Reading {
                            read: day.wall(renewal.read),
                            cpu: Some(CpuReading {
                                total_usage_ns: 1 + renewal.read * 100,
                                online_cpus: Some(2),
                            }),
                            memory: None,
                            network: None,
                            block_io: None,
                            is_cpu_base: false,
                        })
                    });
                visit(id, entry);
            }
            Ok::<_, Infallible>(())
        };
        sampler.on_readings(read, now(came), &mut made, &mut events).unwrap();
        seen.on_answer(day, due + LATENCY / 2, came);
        if sampler.wants_task(now(came).instant) {
            sampler.on_task(&task, now(came), &mut made, &mut events);
        }
        for (metric, values) in METRICS.into_iter().zip(&mut seen.values) {
            *values += made.iter().filter(|it| it.metric.metric() == Some(metric)).count();
        }
        made.clear();
        events.clear();
        let rhythms = sampler.rhythms().filter(|_| how != How::EachSecond);
        asking.plan(now(came).instant, rhythms);
    }
    seen
}

fn hours(usual: u64) -> u64 {
    std::env::var("ESP_DAY_HOURS").map_or(usual, |text| text.parse().unwrap())
}

/// The places of the renewals that were seen by nobody, as container and place.
fn unseen(seen: &Seen) -> Vec<(usize, usize)> {
    let containers = seen.at.iter().enumerate();
    let places = containers.flat_map(|(n, at)| {
        let places = at.iter().enumerate().filter(|(_, at)| at.is_none());
        places.map(move |(place, _)| (n, place))
    });
    places.collect()
}

fn played(number: u64, agent: Agent, hours: u64) -> (Day, u64) {
    let random = &mut Random::new(number * 0x9e37_79b9);
    let day = Day::new(agent, hours, random);
    let phase = random.below(SECOND);
    (day, phase)
}

#[test]
fn no_renewal_is_missed_that_asking_each_second_would_have_seen() {
    println!(
        "{:<34}{:>24}  age at arrival, ms            nothing  renewals unseen",
        "", "requests"
    );
    println!(
        "{:<34}{:>24}  mean   p50   p99    max         new  (seen by the other)",
        "", "a minute"
    );
    let mut wrong = Vec::new();
    for (number, agent) in (1_u64..).zip(AGENTS) {
        let (day, phase) = played(number, agent, hours(24));
        let [before, after] = [How::EachSecond, How::Learned].map(|how| asked(&day, phase, how));
        let (unseen_before, unseen_after) = (unseen(&before), unseen(&after));
        let by_chance = unseen_after.iter().filter(|(n, place)| before.at[*n][*place].is_some());
        let by_chance = by_chance.count();
        let lines = (before.line(&day), after.line(&day));
        println!("{:<34} each second  {}  {}", agent.name, lines.0, unseen_before.len());
        println!("{:<34} as ESP does  {}  {} ({by_chance})", "", lines.1, unseen_after.len());
        // What is there for a second is seen whatever the phase.
        let surely = |(n, place): &&(usize, usize)| day.is_there_for_a_second(*n, *place);
        let missed = unseen_after.iter().filter(surely).count();
        // An agent that is away for less than a rest of 10 s and comes back with renewals each
        // second gives no sign of it until the next request.
        let without_a_sign = if agent.other_period.is_some() { 9 } else { 0 };
        if missed > without_a_sign {
            wrong.push(format!("{}: missed {missed}", agent.name));
        }
        // And of what a lucky phase sees besides, no less than another phase.
        if unseen_after.len() > unseen_before.len().max(2) {
            let (ours, theirs) = (unseen_after.len(), unseen_before.len());
            wrong.push(format!("{}: {ours} unseen in place of {theirs}", agent.name));
        }
        let later = later(&day, &before, &after);
        if later > 0 {
            wrong.push(format!("{}: {later} seen later than each second", agent.name));
        }
        // A step of the clock, or a restart between two requests, costs a value or two.
        for (metric, (before, after)) in METRICS.iter().zip(before.values.iter().zip(after.values))
        {
            println!("{:<34} {metric:?}: {before} values, and {after}", "");
            if after + 20 < *before {
                wrong.push(format!("{}: {after} of {metric:?} in place of {before}", agent.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// How many renewals were seen more than a second later than by asking each second,
/// though the endpoint could be asked.
fn later(day: &Day, before: &Seen, after: &Seen) -> usize {
    let both = before.at.iter().flatten().zip(after.at.iter().flatten());
    let both = both.filter_map(|(before, after)| Some(((*before)?, (*after)?)));
    both.filter(|(before, after)| {
        *after > before + SECOND + 100_000 && !day.is_away_between(*before, *after)
    })
    .count()
}

#[test]
fn beside_a_proven_source_the_endpoint_is_asked_once_in_ten_seconds() {
    for (number, agent) in (1_u64..).zip(AGENTS) {
        let agent = Agent { outages: 0, ..agent };
        let (day, phase) = played(number, agent, 1);
        let seen = asked(&day, phase, How::Spared);
        println!("{:<34} spared       {}", agent.name, seen.line(&day));
        let most = 120 + 3480 / 10 * 101 / 100 + 2;
        assert!(seen.requests <= most, "{}: {} requests", agent.name, seen.requests);
        // Just after a renewal.
        if agent.containers == 1 {
            let ages = seen.ages(&day);
            let median = ages[ages.len() / 2];
            assert!(median < 400_000, "{}: {median} µs", agent.name);
        }
    }
}
