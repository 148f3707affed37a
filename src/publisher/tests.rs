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
mod outages;
mod refused;
mod repeats;
