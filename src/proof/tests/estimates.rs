//! Estimates: what is handed on of them comes to what the endpoint's counter does.

#![allow(clippy::cast_precision_loss, reason = "the model's own arithmetic")]

use super::world::{Given, Load, MS, Run, SECOND, Truth, Ways, stamp};
use crate::{
    proof::*,
    reading::{CpuReading, Tier},
    time::Now,
};

const LOADS: [Load; 5] = [Load::Steady, Load::Full, Load::Bursts, Load::Square, Load::Ticks];

/// The sum of a container's processes.
#[derive(Clone, Copy, Debug)]
struct Sum {
    /// Of the container's CPU time, in a thousand.
    seen: u64,
    /// In steps of so much, ns: ticks.
    step: u64,
    /// When ESP came, with how much.
    base: u64,
    /// In every other 40 s, so much less is seen, in a thousand.
    lost: u64,
}

impl Sum {
    fn at(self, truth: &Truth, at: u64) -> u64 {
        let grown = |from: u64, to: u64| (truth.at(to) - truth.at(from)) / 1000;
        let windows = (40 * SECOND..at).step_by(usize::try_from(80 * SECOND).unwrap());
        let worse: u64 = windows.map(|from| grown(from, at.min(from + 40 * SECOND))).sum();
        let used = grown(0, at) * self.seen - worse * self.lost;
        self.base + used / self.step * self.step
    }
}

/// What a run handed on, with the endpoint's counter at those times.
fn rows(run: &Run) -> impl Iterator<Item = &[Given]> {
    // Where something is forgotten a new row begins.
    run.given.split(|given| given.is_base)
}

#[test]
fn a_minute_comes_within_one_percent_and_an_interval_within_three() {
    let (mut proven, mut minutes) = (0, 0);
    let mut worst = [0.0_f64; 2];
    let mut whole = 0.0_f64;
    for seed in 0..1500 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let ways = Ways { jitter_ms: [0, 20][dice.usize(..2)], ..Ways::fargate() };
        let cpus = dice.u64(1..=8);
        let load = LOADS[dice.usize(..LOADS.len())];
        let until = 400 * SECOND;
        let truth = Truth::new(load, cpus, 10 * SECOND, until + 9 * SECOND, dice);
        let sum = Sum {
            seen: dice.u64(985..=1005),
            step: [1, 10 * MS][dice.usize(..2)],
            base: dice.u64(0..SECOND),
            // What an idle container is ahead by is only taken off when it is busy again.
            lost: if load == Load::Bursts { 0 } else { [0, 15][dice.usize(..2)] },
        };
        let mut run = Run::new(Tier::Processes);
        let happenings = ways.play(until, dice);
        run.play(&happenings, &truth, cpus, dice, |at| sum.at(&truth, at));
        let refuted =
            run.events.iter().any(|(_, event)| matches!(event, ProofEvent::Refuted { .. }));
        assert!(!refuted, "{seed} {load:?} {sum:?} {:?}", run.events);
        for row in rows(&run) {
            assert!(row.windows(2).all(|pair| pair[0].total_ns <= pair[1].total_ns), "{seed}");
            let kernel: Vec<_> = row.iter().filter(|given| given.is_kernel).collect();
            proven += usize::from(!kernel.is_empty());
            // Nothing adds up: after minutes it is as near as after an interval.
            if let [first, .., last] = kernel[..] {
                let said = (last.total_ns - first.total_ns) as f64 / MS as f64;
                let told = (truth.at(last.read) - truth.at(first.read)) as f64 / MS as f64;
                // It may be ahead of a container that is idle since.
                let scale = (cpus * 10_000) as f64;
                whole = whole.max(((said - told).abs() - 40.0) / scale.max(1.0));
                assert!(
                    (said - told).abs() <= 0.01 * scale + 40.0,
                    "{seed} {load:?} {sum:?}: {said} {told}"
                );
            }
            for (length, share, slack) in [(60, 0.01, 30.0), (10, 0.03, 30.0)] {
                for (place, from) in kernel.iter().enumerate() {
                    let Some(to) =
                        kernel[place..].iter().find(|to| to.read >= from.read + length * SECOND)
                    else {
                        break;
                    };
                    minutes += usize::from(length == 60);
                    let said = (to.total_ns - from.total_ns) as f64 / MS as f64;
                    let told = (truth.at(to.read) - truth.at(from.read)) as f64 / MS as f64;
                    // What is owed from the interval before is paid in this one.
                    let since = from.read.saturating_sub(21 * SECOND);
                    let scale = (truth.at(to.read) - truth.at(since)) as f64 / MS as f64;
                    let off = (said - told).abs();
                    let place = usize::from(length == 10);
                    worst[place] = worst[place].max((off - slack) / scale.max(1.0));
                    assert!(
                        off <= share * scale + slack,
                        "{seed} {length} {load:?} {sum:?}: {said} {told} {from:?} {to:?}"
                    );
                }
            }
        }
    }
    println!("proven {proven}, minutes {minutes}, worst {worst:?} {whole}");
    assert!(proven > 700 && minutes > 50_000, "{proven} {minutes}");
}

#[test]
fn sums_that_are_wrong_are_not_handed_on() {
    for seed in 0..1000 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let ways = Ways { spacing_ms: [200, 1000][dice.usize(..2)], ..Ways::fargate() };
        let cpus = dice.u64(1..=8);
        let load = LOADS[dice.usize(..LOADS.len())];
        let until = 300 * SECOND;
        let truth = Truth::new(load, cpus, 10 * SECOND, until + 9 * SECOND, dice);
        let other = Truth::new(Load::Bursts, cpus, 10 * SECOND, until + 9 * SECOND, dice);
        let kind = dice.usize(..5);
        let kernel = |at: u64| match kind {
            0 => truth.at(at) / 10 * 11,
            1 => truth.at(at) / 10 * 9,
            2 => truth.at(0),
            // Half of it is elsewhere.
            3 => truth.at(at) / 2,
            _ => other.at(at) / 2,
        };
        let mut run = Run::new(Tier::Processes);
        let happenings = ways.play(until, dice);
        run.play(&happenings, &truth, cpus, dice, kernel);
        assert_eq!(run.kernel_values(), 0, "{seed} {kind} {load:?} {:?}", run.events);
    }
}

#[test]
fn a_sum_that_goes_wrong_is_not_handed_on_after_the_next_renewal() {
    for seed in 0..300 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let cpus = dice.u64(1..=8);
        let until = 200 * SECOND;
        let truth = Truth::new(Load::Full, cpus, 10 * SECOND, until + 9 * SECOND, dice);
        let since = 120 * SECOND + dice.u64(0..7 * SECOND);
        // Far off, the next renewal tells; a tenth off, the first whole interval does.
        let (share, within) = match seed % 3 {
            0 => (dice.u64(0..6), 13 * SECOND),
            1 => (9, 23 * SECOND),
            _ => (11, 23 * SECOND),
        };
        let kernel = |at: u64| {
            let before = truth.at(at.min(since));
            before + (truth.at(at) - before) / 10 * share
        };
        let mut run = Run::new(Tier::Processes);
        let happenings = Ways::fargate().play(until, dice);
        run.play(&happenings, &truth, cpus, dice, kernel);
        let refuted =
            run.events.iter().find(|(_, event)| matches!(event, ProofEvent::Refuted { .. }));
        let (at, _) = refuted.unwrap();
        assert!(*at < since + within, "{seed} {share}: {at} {since}");
        let last = run.given.iter().filter(|given| given.is_kernel).map(|given| given.at).max();
        assert!(last.is_some_and(|last| last > 100 * SECOND && last < *at), "{seed} {last:?}");
        let next = run.given.iter().find(|given| given.at >= *at).unwrap();
        assert!(next.is_base && !next.is_kernel, "{seed}");
    }
}

#[test]
fn a_steady_load_is_proven_soon_after_its_renewals_are_known() {
    // As measured: readings 45 ms before a renewal and 60 ms after it, once its time is known.
    for (share, until_s) in [(25, 100), (10, 110), (5, 130), (2, 240)] {
        let mut proof = CounterProof::new();
        proof.on_kernel_found(Tier::Processes);
        let start = std::time::Instant::now();
        let mut proven_s = None;
        for ms in (1..300_000_u64).filter(|ms| ms % 5 == 0) {
            let instant = start + std::time::Duration::from_millis(ms);
            let since_renewal = ms % 10_000;
            let is_known = ms > 45_000;
            let is_read =
                ms % 1000 == 300 || (is_known && (since_renewal == 4055 || since_renewal == 4160));
            let total = |ms: u64| ms * MS * share / 100;
            if is_read {
                let value =
                    KernelValue { from: stamp(ms * MS), to: stamp(ms * MS), total_ns: total(ms) };
                proof.on_kernel(value, instant);
            }
            if since_renewal == 4165 {
                let now = Now { instant, wall: stamp(ms * MS) };
                let cpu = CpuReading { total_usage_ns: SECOND + total(ms - 65), online_cpus: None };
                proof.on_endpoint(stamp((ms - 65) * MS), cpu, now);
            }
            if proven_s.is_none() && proof.is_proven() {
                proven_s = Some(ms / 1000);
            }
        }
        assert!(proven_s.is_some_and(|at| at <= until_s), "{share} %: {proven_s:?}");
    }
}
