//! Readings that are late, repeated, or across steps of a clock; and silence.

use super::*;

/// What comes of `(elapsed, wall, read)` in ms, each a new answer; the host's
/// clock is watched as the sampler does.
fn arrivals(rows: &[(u64, u64, u64)]) -> Vec<Arrival> {
    let start = Instant::now();
    let base_ms = 1_795_514_400_000;
    let mut clock = crate::sampler::clock::HostClock::default();
    let mut freshness = Freshness::new(start);
    let each = rows.iter().map(|&(elapsed_ms, wall_ms, read_ms)| {
        let now = Now {
            instant: start + Duration::from_millis(elapsed_ms),
            wall: Timestamp::from_unix_ns((base_ms + wall_ms) * 1_000_000),
        };
        if let Some(step) = clock.on_answer(now) {
            freshness.on_step(step);
        }
        freshness.on_reading(Timestamp::from_unix_ns((base_ms + read_ms) * 1_000_000), now)
    });
    each.collect()
}

#[test]
fn lateness_is_only_lateness() {
    use Arrival::{First, Next, Repeated};
    // A sample that is 6.5 s late, and one that comes a minute late.
    let rows = [
        (0, 10_000, 9_500),
        (1000, 11_000, 10_500),
        (2000, 12_000, 10_500),
        (8000, 18_000, 11_500),
        (9000, 19_000, 18_500),
        (79_000, 89_000, 28_500),
        (80_000, 90_000, 89_500),
    ];
    assert_eq!(arrivals(&rows), [First, Next, Repeated, Next, Next, Next, Next]);
}

#[test]
fn a_step_ahead_costs_one_difference_if_the_stamp_tells() {
    use Arrival::{Alone, First, Next};
    for step_ms in [600, 2_000, 30_000, 3_600_000] {
        let rows = [
            (0, 10_000, 9_500),
            (1000, 11_000, 10_500),
            (2000, 12_000 + step_ms, 11_500 + step_ms),
            (3000, 13_000 + step_ms, 12_500 + step_ms),
        ];
        assert_eq!(arrivals(&rows), [First, Next, Alone, Next], "{step_ms}");
    }
    for step_ms in [1_500, 30_000, 3_600_000] {
        // Read before the step, seen after it: it goes with the ones before.
        let rows = [
            (0, 10_000, 9_500),
            (1000, 11_000, 10_500),
            (2000, 12_000 + step_ms, 11_500),
            (3000, 13_000 + step_ms, 12_500 + step_ms),
            (4000, 14_000 + step_ms, 13_500 + step_ms),
        ];
        assert_eq!(arrivals(&rows), [First, Next, Next, Alone, Next], "{step_ms}");
    }
}

#[test]
fn a_step_back_is_never_part_of_a_difference() {
    use Arrival::{Alone, First, Next, Undated};
    for step_ms in [300, 900, 2_000, 8_000] {
        for is_old in [true, false] {
            let read_ms = if is_old { 11_500 } else { 11_500 - step_ms };
            let rows = [
                (0, 10_000, 9_500),
                (1000, 11_000, 10_500),
                (2000, 12_000 - step_ms, read_ms),
                (3000, 13_000 - step_ms, 12_500 - step_ms),
                (4000, 14_000 - step_ms, 13_500 - step_ms),
            ];
            let expected = match (is_old, step_ms) {
                (_, 300) => [First, Next, Undated, Alone, Next],
                (true, 900) => [First, Next, Next, Undated, Alone],
                (false, 900) => [First, Next, Undated, Undated, Alone],
                (true, _) => [First, Next, Next, Alone, Next],
                // Its stamp is earlier than the one before.
                (false, _) => [First, Next, Alone, Next, Next],
            };
            assert_eq!(arrivals(&rows), expected, "{step_ms} {is_old}");
        }
    }
}

#[test]
fn a_first_reading_from_before_the_step_is_no_base_for_one_after_it() {
    use Arrival::{Alone, First, FirstUndated, Next};
    // Fargate: the reading of 2 s is replayed when the clock has been set already.
    let start = Instant::now();
    let base_ms = 1_795_514_400_000;
    let at = |elapsed_ms: u64, wall_ms: u64| Now {
        instant: start + Duration::from_millis(elapsed_ms),
        wall: Timestamp::from_unix_ns((base_ms + wall_ms) * 1_000_000),
    };
    let read = |ms: u64| Timestamp::from_unix_ns((base_ms + ms) * 1_000_000);
    let mut clock = crate::sampler::clock::HostClock::default();
    let mut freshness = Freshness::new(start);
    assert_eq!(clock.on_answer(at(3000, 3000)), None);
    freshness.on_step(clock.on_answer(at(4000, 904_000)).unwrap());
    assert_eq!(freshness.on_reading(read(2000), at(4000, 904_000)), FirstUndated);
    assert_eq!(freshness.on_reading(read(912_000), at(12_000, 912_000)), Alone);
    assert_eq!(freshness.on_reading(read(922_000), at(22_000, 922_000)), Next);
    // The clock was set before anybody looked.
    let rows = [(0, 900_000, 3_000), (5000, 905_000, 904_500), (15_000, 915_000, 914_500)];
    assert_eq!(arrivals(&rows), [FirstUndated, Next, Next]);
    let rows = [(0, 12_000, 3_000), (5000, 17_000, 16_500)];
    assert_eq!(arrivals(&rows), [First, Next]);
}

#[test]
fn a_reading_between_two_steps_is_part_of_no_difference() {
    use Arrival::{Alone, First, Undated};
    // 2 s ahead at 4 s, a sample stamped 7.5 s, 2 s back at 5.9 s; and ahead twice.
    let rows = [(0, 0, 0), (5000, 7000, 0), (6000, 6000, 7500), (16_000, 16_000, 15_500)];
    assert_eq!(arrivals(&rows)[..], [First, Arrival::Repeated, Undated, Alone]);
    let rows = [(0, 0, 0), (5000, 7000, 0), (6000, 10_000, 7500), (16_000, 20_000, 19_500)];
    assert_eq!(arrivals(&rows)[..], [First, Arrival::Repeated, Undated, Alone]);
}

#[test]
fn a_late_stamp_from_before_a_step_back_is_no_base() {
    use Arrival::{Alone, First, Next, Undated};
    // Set back by 2 s at 10 s; the sample of 9.5 s is seen 3 s later.
    let rows = [
        (0, 500, 0),
        (9000, 9500, 0),
        (10_000, 8500, 0),
        (13_000, 11_500, 9500),
        (20_000, 18_500, 17_500),
        (30_000, 28_500, 27_500),
    ];
    let seen: Vec<_> = arrivals(&rows).into_iter().filter(|it| *it != Arrival::Repeated).collect();
    assert_eq!(seen, [First, Undated, Alone, Next]);
}

#[test]
fn a_clock_of_the_endpoints_own_is_noticed_when_it_is_set() {
    use Arrival::{Alone, First, Next};
    // Always 5 s ahead of ours, then 30 s, then 20 s.
    let rows = [
        (0, 10_000, 14_500),
        (1000, 11_000, 15_500),
        (2000, 12_000, 41_500),
        (3000, 13_000, 42_500),
        (4000, 14_000, 33_500),
        (5000, 15_000, 34_500),
    ];
    assert_eq!(arrivals(&rows), [First, Next, Alone, Next, Alone, Next]);
}

#[test]
fn a_long_interval_within_which_nobody_looked_is_no_cadence() {
    let start = Instant::now();
    for (asked_each_s, expected_s) in [(1_usize, 10), (10, 1)] {
        let mut freshness = Freshness::new(start);
        // Renewed each second at first, and then seen each 10 s only.
        let reads = (0..10).chain((20..100).step_by(10));
        let reads: Vec<u64> = reads.collect();
        let looks = (0..10).chain((20..100).step_by(asked_each_s));
        for second in looks {
            let now = Now {
                instant: start + Duration::from_secs(second),
                wall: Timestamp::from_unix_ns((1_000_000 + second) * 1_000_000_000),
            };
            let read = *reads.iter().rfind(|read| **read <= second).unwrap();
            let read = Timestamp::from_unix_ns((1_000_000 + read) * 1_000_000_000);
            freshness.on_reading(read, now);
            freshness.on_answer(now.instant, None);
        }
        let expected = Some(Duration::from_secs(expected_s));
        assert_eq!(freshness.cadence.estimate(), expected, "{asked_each_s}");
    }
}

#[test]
fn silence_is_judged_by_the_cadence_and_not_by_a_constant() {
    for (cadence_s, others, silent_after_s) in
        [(1_u64, None, 11), (20, None, 61), (60, None, 181), (0, None, 181), (0, Some(2), 11)]
    {
        let start = Instant::now();
        let mut freshness = Freshness::new(start);
        let at = |second: u64| Now {
            instant: start + Duration::from_secs(second),
            wall: Timestamp::from_unix_ns((1_000_000 + second) * 1_000_000_000),
        };
        let readings = if cadence_s == 0 { 1 } else { 4 };
        let last = cadence_s * (readings - 1);
        let mut began = None;
        for second in 0..400_u64 {
            let newest = second.checked_div(cadence_s).map_or(0, |n| n * cadence_s).min(last);
            freshness.on_reading(at(newest).wall, at(second));
            let others = others.map(Duration::from_secs);
            if let Some(Silence::Began { .. }) = freshness.on_answer(at(second).instant, others) {
                began.get_or_insert(second - last);
            }
        }
        assert_eq!(began, Some(silent_after_s), "{cadence_s}");
    }
}
