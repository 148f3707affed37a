//! The publisher as a state machine, on a clock of its own.

#![allow(clippy::cast_possible_truncation, reason = "small random numbers")]

use std::collections::HashMap;

use super::*;
use crate::{
    sample::{metric::Metric, own_figures::Scope},
    time::Timestamp,
};

const SECOND: Duration = Duration::from_secs(1);
const CAPACITY: usize = 3600;

/// A publisher on a simulated clock whose wall time is `start_s` at first.
struct Bench {
    publisher: Publisher,
    start: Instant,
    start_wall_ms: u64,
    now_ms: u64,
    /// When requests went out, ms of wall time, and how many samples they had.
    sent: Vec<(u64, usize)>,
    /// How often each sample was sent, by its `read`, ms.
    sends: HashMap<u64, usize>,
    outcome: Outcome,
    /// How long a request takes, ms.
    takes_ms: u64,
}

impl Bench {
    fn new(interval: Duration, start_wall_ms: u64) -> Self {
        Self {
            publisher: Publisher::new(interval, CAPACITY, 42),
            start: Instant::now(),
            start_wall_ms,
            now_ms: 0,
            sent: Vec::new(),
            sends: HashMap::new(),
            outcome: Outcome::Accepted,
            takes_ms: 0,
        }
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.now_ms),
            wall: Timestamp::from_unix_ns((self.start_wall_ms + self.now_ms) * 1_000_000),
        }
    }

    fn sample(&mut self) {
        let now = self.now();
        self.publisher.push(a_sample(now.wall), now);
    }

    /// Does as the publisher says for `duration`, calling `each` every 100 ms.
    fn run(&mut self, duration: Duration, mut each: impl FnMut(&mut Self)) {
        let end = self.now_ms + u64::try_from(duration.as_millis()).unwrap();
        while self.now_ms < end {
            each(self);
            while let Action::Send(batch) = self.publisher.poll(self.now()) {
                self.sent.push((self.start_wall_ms + self.now_ms, batch.len()));
                for sample in batch {
                    *self.sends.entry(sample.read.unix_ms()).or_default() += 1;
                }
                let answer_at = self.now_ms + self.takes_ms;
                while self.now_ms < answer_at {
                    self.now_ms += 100;
                    each(self);
                }
                self.publisher.on_outcome(self.outcome, self.now());
            }
            self.now_ms += 100;
        }
    }
}

#[test]
fn the_pause_begins_when_a_request_leaves_that_waited_for_a_key() {
    let mut bench = Bench::new(SECOND, 0);
    bench.sample();
    bench.now_ms = 1000;
    while !matches!(bench.publisher.poll(bench.now()), Action::Send(_)) {
        bench.now_ms += 100;
    }
    bench.now_ms += 800;
    let left = bench.now().instant;
    bench.publisher.on_departure(left);
    bench.publisher.on_outcome(Outcome::Accepted, bench.now());
    bench.sample();
    while !matches!(bench.publisher.poll(bench.now()), Action::Send(_)) {
        bench.now_ms += 50;
    }
    let pause = bench.now().instant - left;
    assert!(pause >= SECOND.mul_f64(0.9) && pause <= 2 * SECOND, "{pause:?}");
}

fn a_sample(read: Timestamp) -> Sample {
    Sample { metric: Metric::CpuUtilization.into(), container: None, read, value: 1.0 }
}

fn each_second(bench: &mut Bench) {
    if bench.now_ms.is_multiple_of(1000) {
        bench.sample();
    }
}

#[test]
fn requests_go_out_at_multiples_of_the_interval() {
    let mut bench = Bench::new(10 * SECOND, 7_000);
    bench.run(35 * SECOND, each_second);
    assert_eq!(bench.sent, [(10_000, 4), (20_000, 10), (30_000, 10), (40_000, 10)]);
}

#[test]
fn the_offset_is_fixed_by_the_arn_and_anywhere_in_the_interval() {
    let mut offsets = Vec::new();
    let mut fifths = [0; 5];
    for interval in [SECOND, 10 * SECOND, 60 * SECOND] {
        for task in 0..50 {
            let bench = Bench::new(interval, 0);
            let mut publisher = Publisher::new(interval, CAPACITY, 42);
            let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/shop/{task}");
            publisher.set_task_arn(&arn, bench.now());
            let offset = publisher.schedule.offset();
            assert!(offset < interval, "{offset:?} of {interval:?}");
            fifths[(5 * offset.as_millis() / interval.as_millis()) as usize] += 1;
            publisher.set_task_arn(&arn, bench.now());
            assert_eq!(publisher.schedule.offset(), offset);
            offsets.push(offset);
        }
    }
    offsets.sort();
    offsets.dedup();
    assert!(offsets.len() > 130, "tasks are spread: {}", offsets.len());
    assert!(fifths.iter().all(|tasks| (18..43).contains(tasks)), "evenly: {fifths:?}");
}

#[test]
fn the_offset_moves_every_request_alike() {
    let mut bench = Bench::new(10 * SECOND, 7_000);
    bench.publisher.schedule.set_offset(Duration::from_millis(1_300));
    bench.run(35 * SECOND, each_second);
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [11_300, 21_300, 31_300, 41_300]);
}

#[test]
fn rare_samples_are_sent_when_they_arrive() {
    let mut bench = Bench::new(10 * SECOND, 7_000);
    bench.publisher.set_cadence(Some(Duration::from_millis(9_990)));
    bench.run(61 * SECOND, |bench| {
        if bench.now_ms % 10_000 == 3_400 {
            bench.sample();
        }
    });
    let expected: Vec<_> = (0..6).map(|n| (10_400 + n * 10_000, 1)).collect();
    assert_eq!(bench.sent, expected, "each at once");
}

#[test]
fn an_arrival_a_poll_late_delays_no_other() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.publisher.set_cadence(Some(10 * SECOND));
    // The third was seen three seconds late, since polls were dropped.
    let arrivals = [1_000, 11_000, 24_000, 31_000, 41_000];
    bench.run(50 * SECOND, |bench| {
        if arrivals.contains(&bench.now_ms) {
            bench.sample();
        }
    });
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, arrivals);
}

#[test]
fn turning_to_arrivals_leaves_no_delay_behind() {
    for phase in 0..10 {
        let mut bench = Bench::new(10 * SECOND, 0);
        // Aligned requests first, until the cadence is known.
        bench.run(31 * SECOND, each_second);
        bench.publisher.set_cadence(Some(10 * SECOND));
        bench.sent.clear();
        bench.run(60 * SECOND, |bench| {
            if bench.now_ms % 10_000 == phase * 1000 {
                bench.sample();
            }
        });
        let late: Vec<_> =
            bench.sent[1..].iter().map(|(at, _)| (at + 10_000 - phase * 1000) % 10_000).collect();
        assert!(late.iter().all(|late| *late == 0), "phase {phase}: {late:?}");
    }
}

#[test]
fn on_arrival_never_means_more_than_one_request_an_interval() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.publisher.set_cadence(Some(10 * SECOND));
    bench.run(3600 * SECOND, each_second);
    assert!((359..=362).contains(&bench.sent.len()), "{}", bench.sent.len());
}

#[test]
fn what_failed_is_tried_again_with_random_waits_that_grow() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::ServerError;
    bench.run(300 * SECOND, each_second);
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.iter().all(|wait| (1_000..=30_100).contains(wait)), "{waits:?}");
    assert!((15..60).contains(&waits.len()), "{waits:?}");
    bench.outcome = Outcome::Accepted;
    bench.run(60 * SECOND, each_second);
    assert_eq!(bench.publisher.figures().published + bench.publisher.backlog() as u64, 360);
    assert_eq!(bench.publisher.figures().dropped(Scope::Cloudwatch), 0);
    assert!(bench.publisher.backlog() <= 10);
}

#[test]
fn a_late_request_and_the_next_slot_are_a_second_apart_all_the_same() {
    for (interval_ms, outage_s) in
        (5..30).flat_map(|outage_s| [(1000, outage_s), (10_000, outage_s)])
    {
        let mut bench = Bench::new(Duration::from_millis(interval_ms), 0);
        bench.outcome = Outcome::Throttled;
        bench.run(outage_s * SECOND, each_second);
        bench.outcome = Outcome::Accepted;
        bench.run(150 * SECOND, each_second);
        let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 900), "{at:?}");
        // The slots are found again, and none is lost.
        let later: Vec<_> = at.into_iter().skip_while(|at| *at < 100_000).collect();
        let slots: Vec<_> = (0..later.len() as u64).map(|n| 100_000 + n * interval_ms).collect();
        assert_eq!(later, slots, "after {outage_s} s");
        assert!(bench.publisher.backlog() < 11);
    }
}

#[test]
fn a_refused_permission_is_tried_each_minute() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::Denied;
    bench.run(190 * SECOND, each_second);
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [10_000, 70_000, 130_000, 190_000]);
}

#[test]
fn after_an_outage_the_freshest_go_first_at_a_request_a_second() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.publisher.set_samples_per_request(100);
    bench.outcome = Outcome::Unreachable;
    bench.run(600 * SECOND, each_second);
    bench.outcome = Outcome::Accepted;
    bench.sent.clear();
    let newest = bench.now().wall;
    let mut first = None;
    while bench.publisher.backlog() > 20 {
        each_second(&mut bench);
        if let Action::Send(batch) = bench.publisher.poll(bench.now()) {
            first.get_or_insert(batch[batch.len() - 1].read);
            bench.sent.push((bench.now_ms, batch.len()));
            bench.publisher.on_outcome(Outcome::Accepted, bench.now());
        }
        bench.now_ms += 100;
    }
    assert!(first.unwrap() >= newest, "the newest is in the first request");
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 1000), "{at:?}");
    assert!(at.last().unwrap() - at[0] < 12_000, "{at:?}");
    assert!(bench.sent[..5].iter().all(|(_, count)| *count == 100), "{:?}", bench.sent);
}

#[test]
fn what_came_meanwhile_is_fresher_than_what_failed() {
    for outcome in OUTCOMES.into_iter().filter(|outcome| *outcome != Outcome::Accepted) {
        let mut bench = Bench::new(10 * SECOND, 0);
        bench.publisher.set_samples_per_request(3);
        (0..3).for_each(|_| bench.sample());
        assert!(bench.publisher.drain(bench.now()).is_some());
        bench.now_ms += 5000;
        (0..3).for_each(|_| bench.sample());
        let newest = bench.now().wall;
        bench.publisher.on_outcome(outcome, bench.now());
        let next = bench.publisher.drain(bench.now()).unwrap();
        let is_fresh = next.iter().all(|sample| sample.read == newest);
        assert!(is_fresh, "{outcome:?}: {next:?}");
    }
}

#[test]
fn what_is_untimely_when_its_turn_comes_is_dropped_unsent() {
    let mut bench = Bench::new(10 * SECOND, 20 * 3_600_000);
    bench.run(5 * SECOND, each_second);
    // The host's clock was three hours ahead, and is set.
    bench.start_wall_ms -= 3 * 3_600_000;
    bench.run(60 * SECOND, each_second);
    let figures = bench.publisher.figures();
    assert_eq!(
        (figures.dropped_time, figures.published),
        (5, 60 - bench.publisher.backlog() as u64)
    );
    assert_eq!(bench.sent.iter().map(|(_, count)| *count as u64).sum::<u64>(), figures.published);
    assert_eq!(bench.publisher.events().count(), 1, "named once");
}

#[test]
fn the_very_first_wait_after_a_failure_is_random_already() {
    let mut waits: Vec<_> = (0..50)
        .map(|seed| {
            let mut bench = Bench::new(10 * SECOND, 9_000);
            bench.publisher = Publisher::new(10 * SECOND, CAPACITY, seed * 7919);
            bench.outcome = Outcome::Throttled;
            bench.run(13 * SECOND, each_second);
            bench.sent[1].0 - bench.sent[0].0
        })
        .collect();
    assert!(waits.iter().all(|wait| (1_000..=2_100).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() >= 5, "{waits:?}");
}

#[test]
fn what_cloudwatch_would_refuse_is_not_even_kept() {
    let mut bench = Bench::new(10 * SECOND, 1_795_514_400_000);
    let now = bench.now();
    let old = Timestamp::from_unix_ns(now.wall.unix_ns() - 15 * 24 * 3600 * 1_000_000_000);
    for (value, read) in [
        (f64::NAN, now.wall),
        (f64::INFINITY, now.wall),
        (1e200, now.wall),
        (1.0, old),
        (1.0, Timestamp::from_unix_ns(now.wall.unix_ns() + 3 * 3600 * 1_000_000_000)),
    ] {
        bench.publisher.push(Sample { value, ..a_sample(read) }, now);
    }
    let figures = bench.publisher.figures();
    assert_eq!((figures.dropped_invalid, figures.dropped_time), (3, 2));
    assert_eq!(bench.publisher.backlog(), 0);
    assert_eq!(bench.publisher.events().count(), 1, "named once");
}

#[test]
fn a_long_outage_drops_the_oldest_and_says_so_twice() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.outcome = Outcome::Unreachable;
    bench.run(4000 * SECOND, each_second);
    assert_eq!(bench.publisher.backlog(), CAPACITY);
    assert_eq!(bench.publisher.figures().dropped_full, 400);
    assert_eq!(
        bench.publisher.events().collect::<Vec<_>>(),
        [PublisherEvent::Dropping(Dropping::Began)]
    );
    bench.sent.clear();
    bench.outcome = Outcome::Accepted;
    bench.run(60 * SECOND, |_| {});
    assert!(bench.sent.iter().all(|(_, count)| *count <= limits::DATUMS_PER_REQUEST));
    assert_eq!(bench.publisher.backlog(), 0);
    assert_eq!(bench.publisher.figures().published, CAPACITY as u64);
    assert_eq!(
        bench.publisher.events().collect::<Vec<_>>(),
        [PublisherEvent::Dropping(Dropping::Ended { dropped: 400 })]
    );
}

#[test]
fn the_end_drains_in_requests_of_a_legal_size() {
    let mut bench = Bench::new(10 * SECOND, 0);
    for _ in 0..2500 {
        bench.sample();
    }
    let mut sizes = Vec::new();
    while let Some(batch) = bench.publisher.drain(bench.now()) {
        sizes.push(batch.len());
        bench.publisher.on_outcome(Outcome::Accepted, bench.now());
    }
    assert_eq!(sizes, [1000, 1000, 500]);
}

#[test]
fn a_wall_clock_that_lags_the_timer_makes_no_second_request() {
    let mut bench = Bench::new(10 * SECOND, 7_000);
    bench.sample();
    let Action::WaitUntil(slot_at) = bench.publisher.poll(bench.now()) else { panic!() };
    bench.sample();
    // The timer fires on time; the wall clock, being slewed, is 2 ms behind.
    let wall = Timestamp::from_unix_ns(9_998_000_000);
    let action = bench.publisher.poll(Now { instant: slot_at, wall });
    assert!(matches!(action, Action::Send(batch) if batch.len() == 2));
    bench.publisher.on_outcome(Outcome::Accepted, Now { instant: slot_at, wall });
    bench.sample();
    let Action::WaitUntil(next) = bench.publisher.poll(Now { instant: slot_at, wall }) else {
        panic!()
    };
    assert_eq!(next - slot_at, Duration::from_millis(10_002));
}

mod fresh;
mod refused;
mod repeats;
