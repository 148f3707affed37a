//! The rule on loads made by hand: what wakes it, what does not, and what it costs.

use super::*;
use crate::{sample::Metric, time::Timestamp};

const INTERVAL: Duration = Duration::from_secs(10);

/// The rule beside a schedule that sends each ten seconds, on a clock of its own.
struct Bench {
    adaptive: Adaptive,
    start: Instant,
    second: u64,
    sent_at: Option<Instant>,
    /// When extra requests went out, in seconds.
    extra: Vec<u64>,
}

impl Bench {
    fn new() -> Self {
        Self {
            adaptive: Adaptive::new(Rule::CHOSEN, INTERVAL),
            start: Instant::now(),
            second: 0,
            sent_at: None,
            extra: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.second)
    }

    fn sample(&self, metric: Metric, value: f64) -> Sample {
        let read = Timestamp::from_unix_ns((1_000_000 + self.second) * 1_000_000_000);
        Sample { read, value, metric: metric.into(), container: Some(0) }
    }

    /// A sample of this second; `true`: an extra request went out.
    fn take(&mut self, value: f64) -> bool {
        self.second += 1;
        if self.second.is_multiple_of(10) {
            self.sent_at = Some(self.now());
        }
        let sample = self.sample(Metric::CpuUtilization, value);
        let is_due = self.adaptive.on_sample(&sample, self.now(), self.sent_at, true);
        if is_due {
            self.sent_at = Some(self.now());
            self.extra.push(self.second);
        }
        is_due
    }

    fn run(&mut self, values: impl IntoIterator<Item = f64>) -> usize {
        let before = self.extra.len();
        for value in values {
            self.take(value);
        }
        self.extra.len() - before
    }

    fn steady(&mut self, value: f64, seconds: usize) -> usize {
        self.run(std::iter::repeat_n(value, seconds))
    }
}

/// Scatters evenly, the same each time.
fn scatter(points: f64, seed: u64) -> impl FnMut() -> f64 {
    let mut dice = fastrand::Rng::with_seed(seed);
    move || points * (dice.f64() - 0.5) * 12.0_f64.sqrt()
}

#[test]
fn a_step_is_fresh_at_once_and_for_a_while() {
    let mut bench = Bench::new();
    assert_eq!(bench.steady(20.0, 103), 0);
    assert!(bench.take(95.0), "the first sample of the step");
    bench.steady(95.0, 60);
    let pauses: Vec<_> = bench.extra.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (2..=4).contains(pause)), "{:?}", bench.extra);
    let last = bench.extra[bench.extra.len() - 1];
    assert!((104 + 14..104 + 21).contains(&last), "{:?}", bench.extra);
}

#[test]
fn a_step_of_some_points_is_not_hidden_by_its_own_averages() {
    for height in [10.0, 17.0, 30.0] {
        let mut bench = Bench::new();
        bench.steady(1.0, 43);
        bench.steady(1.0 + height, 30);
        let first = bench.extra.first();
        assert!(first.is_some_and(|second| second - 43 <= 4), "{height}: {first:?}");
    }
}

#[test]
fn a_fall_is_a_change_too() {
    let mut bench = Bench::new();
    bench.steady(90.0, 100);
    assert!(bench.steady(20.0, 30) >= 5);
}

#[test]
fn back_in_its_range_a_load_is_calm_again() {
    let mut bench = Bench::new();
    bench.steady(20.0, 103);
    // A single busy second of sixty points moves four seconds' average by fifteen.
    assert!(bench.take(80.0));
    assert!(bench.steady(20.0, 60) <= 2, "{:?}", bench.extra);
}

#[test]
fn what_a_load_always_does_wakes_nobody() {
    // A job each half minute that takes three seconds; the range knows it after a minute.
    let mut bench = Bench::new();
    let job = |second: usize| if second % 30 < 3 { 70.0 } else { 20.0 };
    bench.run((0..90).map(job));
    assert_eq!(bench.run((0..3600).map(job)), 0);
}

#[test]
fn scatter_costs_little_and_hides_no_step() {
    for (points, cost_max) in [(3.0, 1), (12.0, 60), (15.0, 80)] {
        let mut bench = Bench::new();
        let mut scatter = scatter(points, 7);
        // In an hour of 360 ordinary requests.
        let cost = bench.run((0..3600).map(|_| 30.0 + scatter()));
        assert!(cost <= cost_max, "{points}: {cost}");
        let from = bench.second;
        bench.run((0..15).map(|_| 85.0 + scatter()));
        let first = bench.extra.iter().find(|second| **second > from);
        assert!(first.is_some_and(|first| first - from <= 4), "{points}: {first:?}");
    }
}

#[test]
fn the_bucket_bounds_what_a_wild_load_costs() {
    let mut bench = Bench::new();
    // Leaves every range that it has had, all day.
    let day = 86_400;
    let wild = (0..day).map(|second| if (second / 150) % 2 == 0 { 5.0 } else { 95.0 });
    let cost = bench.run(wild);
    let ordinary = day / 10;
    assert!(cost > ordinary / 10, "it does leave its range: {cost}");
    assert!(cost <= ordinary * 15 / 100 + 11, "{cost} extra requests beside {ordinary}");
}

#[test]
fn a_failure_ends_it_and_throttling_for_longer() {
    let mut bench = Bench::new();
    bench.steady(20.0, 103);
    assert!(bench.take(95.0));
    bench.adaptive.on_failure();
    // The average of four still leaves the range as it moves.
    assert!(bench.steady(95.0, 30) > 0);
    let mut bench = Bench::new();
    bench.steady(20.0, 103);
    assert!(bench.take(95.0));
    bench.adaptive.on_throttled();
    assert_eq!(bench.steady(95.0, 60), 0);
}

#[test]
fn extra_requests_keep_their_distance_and_wait_for_their_place() {
    let mut bench = Bench::new();
    bench.steady(20.0, 100);
    let sample = |bench: &mut Bench| {
        bench.second += 1;
        bench.sample(Metric::CpuUtilization, 95.0)
    };
    // While a backlog is sent; and right after another request.
    let (first, now) = (sample(&mut bench), bench.now());
    assert!(!bench.adaptive.on_sample(&first, now, None, false));
    let (second, sent_at) = (sample(&mut bench), now);
    assert!(!bench.adaptive.on_sample(&second, bench.now(), Some(sent_at), true));
    let third = sample(&mut bench);
    assert!(bench.adaptive.on_sample(&third, bench.now(), Some(sent_at), true));
}

#[test]
fn rates_and_own_figures_are_not_watched_and_series_are_bounded() {
    let mut bench = Bench::new();
    for second in 0..200 {
        bench.second += 1;
        let value = if second < 100 { 0.0 } else { 1e9 };
        let sample = bench.sample(Metric::NetworkRxBytes, value);
        assert!(!bench.adaptive.on_sample(&sample, bench.now(), None, true));
    }
    assert!(bench.adaptive.series.is_empty());
    for container in 0..100 {
        let sample =
            Sample { container: Some(container), ..bench.sample(Metric::CpuUtilization, 1.0) };
        bench.adaptive.on_sample(&sample, bench.now(), None, true);
    }
    assert_eq!(bench.adaptive.series.len(), SERIES_MAX);
}

#[test]
fn samples_that_come_five_times_a_second_count_once_a_second() {
    let mut adaptive = Adaptive::new(Rule::CHOSEN, INTERVAL);
    let start = Instant::now();
    let mut first = None;
    for fifth in 0..600_u64 {
        let value = if fifth < 500 { 20.0 } else { 95.0 };
        let read = Timestamp::from_unix_ns(1_000_000_000_000 + fifth * 200_000_000);
        let sample =
            Sample { read, value, metric: Metric::CpuUtilization.into(), container: Some(0) };
        let now = start + Duration::from_millis(200 * fifth);
        if adaptive.on_sample(&sample, now, None, true) {
            first.get_or_insert(fifth);
        }
    }
    assert!(first.is_some_and(|fifth| (500..505).contains(&fifth)), "{first:?}");
    assert!(adaptive.series[0].averages.len() > Rule::CHOSEN.remembered);
}
