//! The publisher as a state machine, on a clock of its own.

use super::*;
use crate::metric::Metric;

const SECOND: Duration = Duration::from_secs(1);

/// A publisher on a simulated clock whose wall time is `start_s` at first.
struct Bench {
    publisher: Publisher,
    start: Instant,
    start_wall_ms: u64,
    now_ms: u64,
    /// When requests went out, ms of wall time, and how many samples they had.
    sent: Vec<(u64, usize)>,
    outcome: Outcome,
}

impl Bench {
    fn new(interval: Duration, start_wall_ms: u64) -> Self {
        Self {
            publisher: Publisher::new(interval, SECOND),
            start: Instant::now(),
            start_wall_ms,
            now_ms: 0,
            sent: Vec::new(),
            outcome: Outcome::Accepted,
        }
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.now_ms),
            wall: Timestamp::from_unix_ns((self.start_wall_ms + self.now_ms) * 1_000_000),
        }
    }

    fn sample(&mut self) {
        let read = self.now().wall;
        self.publisher.push(Sample {
            metric: Metric::CpuUtilization,
            container: None,
            read,
            value: 1.0,
        });
    }

    /// Does as the publisher says for `duration`, calling `each` every 100 ms.
    fn run(&mut self, duration: Duration, mut each: impl FnMut(&mut Self)) {
        let end = self.now_ms + u64::try_from(duration.as_millis()).unwrap();
        while self.now_ms < end {
            each(self);
            while let Action::Send(batch) = self.publisher.poll(self.now()) {
                self.sent.push((self.start_wall_ms + self.now_ms, batch.len()));
                self.publisher.on_outcome(self.outcome, self.now());
            }
            self.now_ms += 100;
        }
    }
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
fn the_offset_is_fixed_by_the_arn_and_small() {
    let mut offsets = Vec::new();
    for interval in [SECOND, 10 * SECOND, 60 * SECOND] {
        for task in 0..50 {
            let bench = Bench::new(interval, 0);
            let mut publisher = Publisher::new(interval, SECOND);
            let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/shop/{task}");
            publisher.set_task_arn(&arn, bench.now());
            let offset = publisher.offset;
            assert!(offset < OFFSET_MOST.min(interval / 5), "{offset:?} of {interval:?}");
            publisher.set_task_arn(&arn, bench.now());
            assert_eq!(publisher.offset, offset);
            offsets.push(offset);
        }
    }
    offsets.sort();
    offsets.dedup();
    assert!(offsets.len() > 80, "tasks are spread: {}", offsets.len());
}

#[test]
fn the_offset_moves_every_request_alike() {
    let mut bench = Bench::new(10 * SECOND, 7_000);
    bench.publisher.offset = Duration::from_millis(1_300);
    bench.run(35 * SECOND, each_second);
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [11_300, 21_300, 31_300, 41_300]);
}

#[test]
fn seldom_samples_are_sent_when_they_arrive() {
    let mut bench = Bench::new(10 * SECOND, 7_000);
    bench.publisher.set_cadence(Some(Duration::from_millis(9_990)));
    bench.run(61 * SECOND, |bench| {
        if bench.now_ms % 10_000 == 3_400 {
            bench.publisher.push(Sample {
                metric: Metric::CpuUtilization,
                container: None,
                read: bench.now().wall,
                value: 1.0,
            });
        }
    });
    let expected: Vec<_> = (0..6).map(|n| (10_400 + n * 10_000, 1)).collect();
    assert_eq!(bench.sent, expected, "each at once");
}

#[test]
fn an_arrival_a_poll_late_delays_no_other() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.publisher.set_cadence(Some(10 * SECOND));
    // The third was seen a second late, since a poll was dropped.
    let arrivals = [1_000, 11_000, 22_000, 31_000, 41_000];
    bench.run(50 * SECOND, |bench| {
        if arrivals.contains(&bench.now_ms) {
            bench.sample();
        }
    });
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, arrivals);
}

#[test]
fn on_arrival_never_means_more_than_one_request_an_interval() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.publisher.set_cadence(Some(10 * SECOND));
    bench.run(3600 * SECOND, each_second);
    assert!((359..=361).contains(&bench.sent.len()), "{}", bench.sent.len());
}

#[test]
fn what_failed_is_tried_again_less_and_less_often() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::Failed;
    bench.run(40 * SECOND, each_second);
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [10_000, 11_000, 13_000, 17_000, 25_000, 35_000, 45_000]);
    bench.outcome = Outcome::Accepted;
    bench.run(20 * SECOND, each_second);
    let (published, dropped) =
        (bench.publisher.figures().published, bench.publisher.figures().dropped);
    assert_eq!(published + bench.publisher.backlog() as u64, 60);
    assert_eq!(dropped, 0);
    assert!(bench.publisher.backlog() <= 10);
}

#[test]
fn a_long_outage_drops_the_oldest_and_counts_them() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.outcome = Outcome::Failed;
    bench.run(4000 * SECOND, each_second);
    assert_eq!(bench.publisher.backlog(), CAPACITY);
    assert_eq!(bench.publisher.figures().dropped, 400);
    bench.sent.clear();
    bench.outcome = Outcome::Accepted;
    bench.run(60 * SECOND, |_| {});
    assert!(bench.sent.iter().all(|(_, count)| *count <= limits::DATUMS_PER_REQUEST));
    assert_eq!(bench.publisher.backlog(), 0);
    assert_eq!(bench.publisher.figures().published, CAPACITY as u64);
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
