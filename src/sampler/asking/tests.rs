//! When the endpoint is asked, for rhythms that are known, late and unknown, and what
//! that costs in requests.

use super::*;
use crate::time::{Now, Timestamp};

const SECOND: Duration = Duration::from_secs(1);
/// From `read` until a reading can be seen.
const DELAY_MS: u64 = 30;

/// A container whose renewals are all in time, and what is known of it.
struct Container {
    period_ms: u64,
    phase_ms: u64,
    shown: Option<u64>,
    rhythm: Rhythm,
}

impl Container {
    fn new(period_ms: u64, phase_ms: u64) -> Self {
        Self { period_ms, phase_ms, shown: None, rhythm: Rhythm::default() }
    }

    /// `read` of the reading that the endpoint shows.
    fn read_ms(&self, ms: u64) -> Option<u64> {
        let since_ms = ms.checked_sub(self.phase_ms + DELAY_MS)?;
        Some(self.phase_ms + since_ms / self.period_ms * self.period_ms)
    }
}

struct Bench {
    start: Instant,
    asking: Asking,
    containers: Vec<Container>,
}

impl Bench {
    fn new(interval: Duration, containers: Vec<Container>) -> Self {
        let start = Instant::now();
        Self { start, asking: Asking::new(start, interval), containers }
    }

    fn now(&self, ms: u64) -> Now {
        Now {
            instant: self.start + Duration::from_millis(ms),
            wall: Timestamp::from_unix_ns((1_795_514_400_000 + ms) * 1_000_000),
        }
    }

    /// The next request, and how old what is new is, of each container.
    fn ask(&mut self) -> (u64, Vec<Option<u64>>) {
        let due = self.asking.next() - self.start;
        let ms = u64::try_from(due.as_nanos().div_ceil(1_000_000)).unwrap();
        let now = self.now(ms);
        let mut ages = Vec::new();
        for container in &mut self.containers {
            let read_ms = container.read_ms(ms);
            if read_ms == container.shown {
                container.rhythm.on_nothing_new(now.instant);
                ages.push(None);
                continue;
            }
            let is_next = container.shown.is_some();
            container.shown = read_ms;
            let read_ms = read_ms.unwrap();
            let read = Timestamp::from_unix_ns((1_795_514_400_000 + read_ms) * 1_000_000);
            container.rhythm.on_new(read, is_next, false, now);
            ages.push(Some(ms - read_ms));
        }
        let rhythms = self.containers.iter().map(|container| &container.rhythm);
        self.asking.plan(now.instant, Some(rhythms));
        (ms, ages)
    }

    /// All requests until then.
    fn until(&mut self, ms: u64) -> Vec<(u64, Vec<Option<u64>>)> {
        let end = self.now(ms).instant;
        let mut asked = Vec::new();
        while self.asking.next() < end {
            asked.push(self.ask());
        }
        asked
    }
}

#[test]
fn while_nothing_is_known_the_distances_are_fixed() {
    let mut bench = Bench::new(SECOND, vec![Container::new(10_000, 3100)]);
    let asked: Vec<_> = bench.until(30_000).into_iter().map(|(ms, _)| ms).collect();
    assert_eq!(asked, (0..30).map(|second| second * 1000).collect::<Vec<_>>());
}

#[test]
fn each_renewal_is_asked_for_once_and_soon() {
    for (period_ms, requests) in [(1003, 60..=60), (10_000, 6..=8), (20_000, 6..=7)] {
        let mut bench = Bench::new(SECOND, vec![Container::new(period_ms, 570)]);
        bench.until(600_000);
        let asked = bench.until(660_000);
        assert!(requests.contains(&asked.len()), "{period_ms}: {asked:?}");
        let ages: Vec<_> = asked.iter().flat_map(|(_, ages)| ages).flatten().collect();
        assert!(ages.iter().all(|age| (DELAY_MS..=100).contains(age)), "{period_ms}: {ages:?}");
        let renewals = 60_000 / period_ms;
        assert!(ages.len() as u64 >= renewals, "{period_ms}: {ages:?}");
    }
}

#[test]
fn several_of_one_cadence_are_asked_for_together() {
    let containers = [100, 140, 900].map(|phase_ms| Container::new(1003, phase_ms));
    let mut bench = Bench::new(SECOND, containers.into());
    bench.until(300_000);
    let asked = bench.until(360_000);
    assert!((59..=61).contains(&asked.len()), "{}", asked.len());
    // After the second of the two that are near to each other.
    for (n, most) in [120, 80, 340].into_iter().enumerate() {
        let ages: Vec<_> = asked.iter().filter_map(|(_, ages)| ages[n]).collect();
        let in_time = ages.iter().filter(|age| **age <= most).count();
        assert!(ages.len() >= 59 && in_time >= 57, "{n}: {ages:?}");
    }
}

#[test]
fn a_renewal_that_is_faster_is_sampled() {
    for (interval, period_ms) in [(SECOND, 400), (5 * SECOND, 1003)] {
        let mut bench = Bench::new(interval, vec![Container::new(period_ms, 70)]);
        let asked = bench.until(120_000);
        let distances: Vec<_> = asked.windows(2).map(|two| two[1].0 - two[0].0).collect();
        let ms = u64::try_from(interval.as_millis()).unwrap();
        assert!(distances.iter().all(|distance| *distance == ms), "{distances:?}");
    }
}

#[test]
fn long_rests_are_cut_but_not_below_the_interval() {
    for (interval, period_ms) in [(SECOND, 60_000), (10 * SECOND, 60_000), (30 * SECOND, 60_000)] {
        let mut bench = Bench::new(interval, vec![Container::new(period_ms, 70)]);
        bench.until(1_200_000);
        let asked = bench.until(2_400_000);
        let distances = asked.windows(2).map(|two| Duration::from_millis(two[1].0 - two[0].0));
        let distances: Vec<_> = distances.collect();
        let longest = distances.iter().max().unwrap();
        assert!(*longest <= ALONE_MAX.max(interval * 2) + SECOND, "{distances:?}");
        let early = distances.iter().filter(|distance| **distance < interval).count();
        assert!(early <= distances.len() / 10, "{distances:?}");
        let seen = asked.iter().filter(|(_, ages)| ages[0].is_some()).count();
        assert_eq!(seen, 20, "{asked:?}");
    }
}

#[test]
fn after_an_answer_that_fails_or_is_slow_the_distances_are_fixed() {
    let mut bench = Bench::new(SECOND, vec![Container::new(10_000, 570)]);
    bench.until(120_000);
    let asked = bench.asking.next();
    bench.asking.plan(asked + SECOND / 100, None::<std::iter::Empty<_>>);
    assert_eq!(bench.asking.next(), asked + SECOND);
    // It took 3.6 s: two moments are over, and the third by more than a half.
    let now = asked + SECOND * 46 / 10;
    assert_eq!(bench.asking.missed(now), 3);
    let rhythms = bench.containers.iter().map(|container| &container.rhythm);
    bench.asking.plan(now, Some(rhythms));
    assert_eq!((bench.asking.next(), bench.asking.missed(now)), (asked + 5 * SECOND, 3));
}

#[test]
fn every_moment_is_asked_or_missed_whatever_an_answer_takes() {
    for interval_ms in [200, 333, 1000, 5000, 60_000] {
        for answer_ms in [1, 150, 600, 1050, 3000, 4900, 5500] {
            let start = Instant::now();
            let interval = Duration::from_millis(interval_ms);
            let mut asking = Asking::new(start, interval);
            let (mut now, mut polls) = (start, 0);
            while polls < 50 {
                now = now.max(asking.next()) + Duration::from_millis(answer_ms);
                asking.plan(now, None::<std::iter::Empty<_>>);
                polls += 1;
            }
            let moments = (asking.next() - start).as_nanos() / interval.as_nanos();
            let case = format!("{answer_ms} ms each {interval_ms} ms");
            assert_eq!(u128::from(polls + asking.missed(now)), moments, "{case}");
        }
    }
}

#[test]
fn the_next_renewal_can_be_told() {
    let mut bench = Bench::new(SECOND, vec![Container::new(10_000, 3000)]);
    bench.until(100_000);
    let rhythm = &bench.containers[0].rhythm;
    let at = |ms| bench.start + Duration::from_millis(ms);
    for (after_ms, expected_ms) in [(100_000, 103_000), (103_001, 113_000), (150_000, 153_000)] {
        assert_eq!(rhythm.renewal_after(at(after_ms)), Some(at(expected_ms)));
    }
}

#[test]
fn a_spared_endpoint_that_is_slow_or_away_is_not_asked_more_often() {
    for took_ms in [1, 200, 260, 1250, 4999] {
        for has_answer in [true, false] {
            let start = Instant::now();
            let mut asking = Asking::new(start, SECOND);
            asking.set_spared(true);
            let rhythms = [Rhythm::default()];
            for _ in 0..5 {
                let asked = asking.next();
                let now = asked + Duration::from_millis(took_ms);
                asking.plan(now, Some(rhythms.iter()).filter(|_| has_answer));
                assert_eq!(asking.next() - asked, SPARE, "{took_ms} {has_answer}");
            }
            assert_eq!(asking.missed(asking.next()), 0);
        }
    }
}

#[test]
fn what_the_other_source_lacks_again_is_asked_for_an_interval_after_the_last_request() {
    for (lacks_after_ms, asked_after_ms) in [(200, 1000), (1000, 1000), (4321, 4321)] {
        let start = Instant::now();
        let mut asking = Asking::new(start, SECOND);
        asking.set_spared(true);
        asking.plan(start, Some([Rhythm::default()].iter()));
        assert_eq!(asking.next(), start + SPARE);
        asking.end_sparing(start + Duration::from_millis(lacks_after_ms));
        assert_eq!(asking.next(), start + Duration::from_millis(asked_after_ms));
        assert_eq!(asking.gap(), Duration::from_millis(asked_after_ms));
        // Once, and only if it was spared.
        asking.end_sparing(start + Duration::from_millis(20));
        assert_eq!(asking.next(), start + Duration::from_millis(asked_after_ms));
    }
}
