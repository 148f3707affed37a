//! Counters that jump, fall, and are multiplied.

use super::*;

const SECOND: u64 = 1_000_000_000;

/// The rates of the first counter that come of totals a second apart; the second
/// counter is twice as high.
fn seen(totals: impl IntoIterator<Item = u64>) -> Vec<f64> {
    pairs(totals.into_iter().map(|total| [total, total.saturating_mul(2)]))
}

fn pairs(totals: impl IntoIterator<Item = [u64; 2]>) -> Vec<f64> {
    let mut growth = GrowthWatch::default();
    let mut seen = Vec::new();
    for (second, totals) in (1..).zip(totals) {
        let now = Point { at_ns: second * SECOND, totals };
        if let Grown::Grew { since, by } = growth.on_point(now) {
            seen.push(per_second(by, now.at_ns - since.at_ns)[0]);
        }
    }
    seen
}

#[test]
fn growth_is_per_second_and_a_restart_costs_one_value() {
    assert_eq!(seen([1000, 1500, 3000, 3000]), [500.0, 1500.0, 0.0]);
    assert_eq!(seen([9000, 9500, 40, 540, 1040]), [500.0, 500.0, 500.0]);
}

#[test]
fn a_low_value_between_two_high_ones_gives_nothing() {
    for low in [0, 7, 1_000_000] {
        for high in [50_000_000_000_u64, 3_000_000_000_000] {
            let totals = [high, high + 500, low, high + 1500, high + 2000];
            assert_eq!(seen(totals), [500.0, 500.0], "{low} {high}");
        }
    }
}

#[test]
fn two_low_values_are_a_restart_and_the_way_back_is_no_load() {
    let high = 50_000_000_000;
    let totals = [high, high + 500, 7, 507, high + 2000, high + 2500, high + 3000];
    assert_eq!(seen(totals), [500.0, 500.0, 500.0, 500.0]);
}

#[test]
fn the_way_back_is_no_load_on_a_busy_link_either() {
    let (high, rate) = (50_000_000_000_u64, 100_000_000);
    let totals = (0..20).map(|n| if (5..9).contains(&n) { 7 + n } else { high + n * rate });
    let seen = seen(totals);
    assert!(seen.iter().all(|seen| *seen <= 100_000_000.0), "{seen:?}");
    assert!(seen.len() >= 14, "{seen:?}");
}

#[test]
fn a_high_value_between_two_right_ones_gives_nothing() {
    for high in [u64::MAX / 4, 1 << 50, 90_000_000_000] {
        assert_eq!(seen([1000, 1500, high, 2500, 3000, 3500]), [500.0, 500.0, 500.0], "{high}");
    }
}

#[test]
fn a_fast_network_is_confirmed_by_the_next_value_and_loses_no_byte() {
    // From nothing to 400 Gb/s.
    let fast = 50_000_000_000;
    let totals = [5, 5, 5, 5 + fast, 5 + 2 * fast, 5 + 3 * fast];
    assert_eq!(seen(totals), [0.0, 0.0, 50e9, 50e9]);
}

#[test]
fn a_burst_of_one_value_is_published_once_the_next_value_stands() {
    let megabytes = 1_000_000;
    let totals = [5, 5, 5 + 80 * megabytes, 5 + 80 * megabytes, 5 + 80 * megabytes];
    // 80 MB in the two seconds that it took to know.
    assert_eq!(seen(totals), [0.0, 40e6, 0.0]);
    let twice = totals.into_iter().chain([5 + 170 * megabytes, 5 + 170 * megabytes]);
    assert_eq!(seen(twice), [0.0, 40e6, 0.0, 90e6, 0.0]);
    // What an idle container may always do.
    assert_eq!(seen([5, 5, 400_005, 400_005]), [0.0, 4e5, 0.0]);
}

#[test]
fn no_byte_of_rare_bursts_is_lost() {
    for (burst, every) in [([50_000_000, 300_000], 3480), ([7, 3_000_000], 1500)] {
        let mut growth = GrowthWatch::default();
        let (mut totals, mut sum) = ([1_000_000_u64, 600_000], [0; 2]);
        let first = totals;
        for second in 1..8000 {
            for n in 0..2 {
                totals[n] += 50 + if second % every == 0 { burst[n] } else { 0 };
            }
            let now = Point { at_ns: second * SECOND, totals };
            if let Grown::Grew { by, .. } = growth.on_point(now) {
                sum = [sum[0] + by[0], sum[1] + by[1]];
            }
        }
        assert_eq!(sum, [0, 1].map(|n| totals[n] - first[n] - 50), "{burst:?}");
    }
}

#[test]
fn a_burst_that_looks_like_a_factor_is_left_out_and_counted() {
    // At the start, when there is no rate to compare with; and later. What really
    // came in between blurs the factor.
    for (idle, received) in [(1, 0), (20, 0), (1, 90_000_000), (20, 90_000_000)] {
        let mut growth = GrowthWatch::default();
        let mut unknown = 0;
        for second in 1..40 {
            let truth = [4_000_000_000 + second * 1000, 3_000_000_000 + second * 700];
            let mut totals = truth.map(|bytes| if second <= idle { bytes / 2 } else { bytes });
            totals[0] += if second <= idle { 0 } else { received };
            let now = Point { at_ns: second * SECOND, totals };
            match growth.on_point(now) {
                Grown::Unknown => unknown += 1,
                Grown::Grew { by, .. } => assert!(by[0] <= 2000, "{idle} {by:?}"),
                Grown::Nothing => {}
            }
        }
        assert_eq!(unknown, 1, "{idle}");
    }
}

#[test]
fn an_agent_that_stops_dividing_is_no_load() {
    for (containers, total, rate) in [
        (2_u64, 500_000_000_000_u64, 1_000_000_u32),
        (3, 500_000_000, 1_000_000),
        (4, 1_000_000_000, 20_000_000),
        (10, 3_000_000_000, 100),
    ] {
        let totals = (0..20).map(|second| {
            let truth = [0, 1].map(|n: u64| (total + second * u64::from(rate)) * (n + 1));
            if second < 10 { truth.map(|bytes| bytes / containers) } else { truth }
        });
        let seen = pairs(totals);
        let (divided, whole) = (seen[0], *seen.last().unwrap());
        assert!((whole - f64::from(rate)).abs() < 1.0, "{seen:?}");
        assert!(
            seen.len() >= 17
                && seen
                    .iter()
                    .all(|seen| { (seen - divided).abs() < 2.0 || (seen - whole).abs() < 2.0 }),
            "{containers} {total} {rate}: {seen:?}"
        );
    }
}

#[test]
fn ten_times_the_load_is_believed_at_once() {
    let mut total = 1_000_000_000;
    let totals = (0..20_u64).map(|second| {
        total += if second < 10 { 20_000 } else { 900_000 };
        [total, total / 3 + second * 50_000]
    });
    let seen = pairs(totals);
    assert_eq!(seen.len(), 19);
    assert_eq!(seen.iter().filter(|rate| (**rate - 900_000.0).abs() < 1.0).count(), 10);
}
