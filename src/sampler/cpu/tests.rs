//! What rows of `read` and counter come to: loads, restarts, stamps that jitter, and
//! counters that jump.

use super::*;

/// What `(read ms, total ms)` come to on a host of `cpus`.
fn outcomes(cpus: u32, rows: &[(u64, u64)]) -> Vec<CpuOutcome> {
    let mut cpu = Cpu::default();
    let each = rows.iter().map(|&(read_ms, total_ms)| {
        let read = Timestamp::from_unix_ns(read_ms * 1_000_000);
        let total_usage_ns = total_ms * 1_000_000;
        let cpu_reading = CpuReading { total_usage_ns, online_cpus: Some(cpus) };
        cpu.on_reading(read, cpu_reading, Source::Endpoint)
    });
    each.collect()
}

fn cores_of(outcomes: &[CpuOutcome]) -> Vec<f64> {
    let values = outcomes.iter().filter_map(|outcome| match outcome {
        CpuOutcome::Cores(cores) => Some(*cores),
        _ => None,
    });
    values.collect()
}

#[test]
fn a_difference_is_growth_over_the_difference_of_read() {
    use CpuOutcome::{Cores, Nothing};
    let rows = [(0, 70_000), (1000, 71_000), (2003, 71_000), (12_003, 73_500), (13_003, 77_500)];
    assert_eq!(outcomes(4, &rows), [Nothing, Cores(1.0), Cores(0.0), Cores(0.25), Cores(4.0)]);
}

#[test]
fn a_restart_costs_one_difference() {
    use CpuOutcome::{Cores, Fell, Nothing};
    let rows = [(0, 9000), (1000, 100), (2000, 600), (3000, 1100)];
    assert_eq!(outcomes(2, &rows), [Nothing, Fell, Cores(0.5), Cores(0.5)]);
    // Again before it got anywhere.
    let rows = [(0, 9000), (1000, 100), (2000, 50), (3000, 550)];
    assert_eq!(outcomes(2, &rows), [Nothing, Fell, Fell, Cores(0.5)]);
}

#[test]
fn a_counter_that_falls_and_comes_back_gives_nothing_for_that_time() {
    use CpuOutcome::{Cores, Fell, Jumped, Nothing};
    let rows = [(0, 9000), (1000, 9500), (2000, 7), (3000, 10_500), (4000, 11_000)];
    assert_eq!(outcomes(2, &rows), [Nothing, Cores(0.5), Fell, Jumped, Cores(0.5)]);
}

/// Readings of CPUs that are all busy, each read `cadence_ms` after the one before and
/// stamped that many ms off.
fn full(cadence_ms: u64, cpus: u32, off_ms: impl Fn(u64) -> i64) -> Vec<(u64, u64)> {
    let stamped = |n: u64| (n * cadence_ms).saturating_add_signed(off_ms(n));
    (1..100).map(|n| (stamped(n), n * cadence_ms * u64::from(cpus))).collect()
}

fn mean(cores: &[f64]) -> f64 {
    cores.iter().sum::<f64>() / f64::from(u32::try_from(cores.len()).unwrap())
}

#[test]
fn jitter_of_full_cpus_is_averaged_and_not_cut_off() {
    for (cadence_ms, jitters_ms) in
        [(1000, &[50, 100, 150, 200, 300, 350, 400, 450][..]), (10_000, &[500, 1000, 3000, 4500])]
    {
        for &jitter_ms in jitters_ms {
            // Early and late in turns; only early; only late; the first one late.
            for (even_ms, odd_ms) in
                [(-jitter_ms, jitter_ms), (jitter_ms, -jitter_ms), (-jitter_ms, 0), (jitter_ms, 0)]
            {
                for cpus in [1, 2, 4] {
                    let off_ms = |n: u64| if n.is_multiple_of(2) { even_ms } else { odd_ms };
                    let outcomes = outcomes(cpus, &full(cadence_ms, cpus, off_ms));
                    let (cores, all) = (cores_of(&outcomes), f64::from(cpus));
                    let case = format!("{cadence_ms} {even_ms} {odd_ms} {cpus}: {cores:?}");
                    assert!((mean(&cores) / all - 1.0).abs() < 0.02, "{case}");
                    assert!(cores.iter().all(|cores| *cores <= CPUS_TOLERANCE * all), "{case}");
                    assert!(cores.len() >= 45, "{case}");
                    assert!(!outcomes.contains(&CpuOutcome::Jumped), "{case}");
                }
            }
        }
    }
}

#[test]
fn jitter_without_a_pattern_loses_nothing() {
    for jitter_ms in [100, 300, 450] {
        // Spread evenly, in an order of its own.
        let off_ms = |n: u64| i64::try_from(n * 7919 % 101).unwrap() * jitter_ms / 50 - jitter_ms;
        let rows = full(1000, 2, off_ms);
        let outcomes = outcomes(2, &rows);
        assert!(!outcomes.contains(&CpuOutcome::Jumped), "{jitter_ms}: {outcomes:?}");
        assert!((mean(&cores_of(&outcomes)) / 2.0 - 1.0).abs() < 0.05, "{jitter_ms}: {outcomes:?}");
    }
}

#[test]
fn a_jump_is_never_part_of_a_value() {
    for cadence_ms in [1000, 10_000] {
        for cpus in [1_u32, 2, 4] {
            for intervals in [2, 3, 5, 10, 100, 1 << 20] {
                for at in 1..12 {
                    let jump_ms = intervals * cadence_ms * u64::from(cpus);
                    let rows: Vec<_> = (0..30)
                        .map(|n| {
                            let jumped_ms = if n < at { 0 } else { jump_ms };
                            // A little off, as readings are.
                            let read_ms = n * cadence_ms + n * 37 % 11;
                            (read_ms, read_ms / 2 + jumped_ms)
                        })
                        .collect();
                    let cores = cores_of(&outcomes(cpus, &rows));
                    assert!(
                        cores.iter().all(|cores| (cores - 0.5).abs() < 0.01) && cores.len() >= 27,
                        "{cadence_ms} {cpus} {intervals} {at}: {cores:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_jump_past_all_cpus_is_given_up_and_never_published() {
    let rows: Vec<_> =
        (0..20).map(|n| (n * 1000, if n < 3 { 0 } else { 1 << 40 } + n * 500)).collect();
    let outcomes = outcomes(2, &rows);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == CpuOutcome::Jumped).count(), 1);
    let cores = cores_of(&outcomes);
    assert!(cores.len() >= 14 && cores.iter().all(|cores| (cores - 0.5).abs() < 1e-9));
}

#[test]
fn a_jump_is_not_averaged_into_a_load_that_can_be() {
    // Two low values of a counter that is 10 s higher, on four CPUs.
    let rows = [(0, 100_000), (1000, 100_500), (2000, 90_000), (3000, 90_500), (4000, 102_000)];
    let mut rows: Vec<_> = rows.to_vec();
    rows.extend((5..12).map(|n| (n * 1000, 102_000 + (n - 4) * 500)));
    let cores = cores_of(&outcomes(4, &rows));
    assert!(cores.iter().all(|cores| (cores - 0.5).abs() < 1e-9), "{cores:?}");
}

#[test]
fn sums_know_when_some_of_the_time_is_unknown() {
    let mut cpu = Cpu::default();
    let mut take = |read_ms: u64, total_ms: u64| {
        let read = Timestamp::from_unix_ns(read_ms * 1_000_000);
        let reading = CpuReading { total_usage_ns: total_ms * 1_000_000, online_cpus: Some(2) };
        cpu.on_reading(read, reading, Source::Endpoint);
        cpu.accounted()
    };
    let first = take(0, 1000).unwrap();
    take(1000, 1500);
    let third = take(2000, 2500).unwrap();
    assert_eq!(third.cores_since(first), Some(0.75));
    assert_eq!(third.cores_since(third), None);
    let fallen = take(3000, 10).unwrap();
    assert_eq!(fallen.cores_since(third), None);
    let fifth = take(4000, 510).unwrap();
    assert_eq!(fifth.cores_since(fallen), Some(0.5));
    let back = take(5000, 4000).unwrap();
    assert_eq!(back.cores_since(fifth), None, "it is past all CPUs");
}
