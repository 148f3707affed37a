//! Joins: whichever source is handed on, and however often that changes, no CPU time is
//! counted twice or lost.

use super::{
    Play, handed_ms, proven,
    world::{Happening, Load, MS, Run, SECOND, Truth, Ways},
};
use crate::{proof::*, reading::Tier};

#[test]
fn over_each_change_of_the_source_the_sum_is_the_endpoints_own() {
    let mut changes = [0; 2];
    for seed in 0..1000 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let tier = [Tier::CgroupFile, Tier::Processes][dice.usize(..2)];
        let ways = Ways { spacing_ms: [200, 1000][dice.usize(..2)], ..Ways::fargate() };
        let cpus = dice.u64(1..=4);
        let load = [Load::Steady, Load::Full, Load::Bursts, Load::Square][dice.usize(..4)];
        let until = 400 * SECOND;
        let truth = Truth::new(load, cpus, 60 * SECOND, until + SECOND, dice);
        let mut run = Run::new(tier);
        let happenings = ways.play(until, dice);
        // The kernel's counter is lost after a while, and found again.
        let mut left = &happenings[..];
        let seen = dice.u64(985..=1005);
        while !left.is_empty() {
            let (now, later) = left.split_at(dice.usize(1..400).min(left.len()));
            run.play(now, &truth, cpus, dice, |at| match tier {
                Tier::CgroupFile => truth.at(at),
                Tier::Processes => truth.at(at) / 1000 * seen,
            });
            run.proof.on_kernel_lost();
            if dice.bool() {
                run.proof.on_kernel_found(tier);
            }
            left = later;
        }
        assert!(
            !run.events.iter().any(|(_, event)| matches!(event, ProofEvent::Refuted { .. })),
            "{seed}"
        );
        assert!(run.bases().next().is_none(), "{seed}");
        for pair in run.given.windows(2) {
            assert!(pair[0].read < pair[1].read && pair[0].total_ns <= pair[1].total_ns, "{seed}");
            changes[0] += usize::from(pair[0].is_kernel && !pair[1].is_kernel);
            changes[1] += usize::from(!pair[0].is_kernel && pair[1].is_kernel);
        }
        // So differences add up: each of the endpoint's values is handed on as it is, but
        // while an estimate is ahead of it.
        for given in run.given.iter().filter(|given| !given.is_kernel) {
            let moment = happenings.iter().find_map(|(_, happening)| match happening {
                Happening::Endpoint { read, moment } if *read == given.read => Some(*moment),
                _ => None,
            });
            let told = truth.at(moment.unwrap());
            let ahead = if tier == Tier::CgroupFile { 0 } else { 300 * MS * cpus };
            assert!((told..=told + ahead).contains(&given.total_ns), "{seed} {given:?} {told}");
        }
    }
    assert!(changes.iter().all(|count| *count > 500), "{changes:?}");
}

#[test]
fn over_a_restart_that_the_endpoint_shows_nothing_is_joined() {
    let mut play = proven(Tier::CgroupFile, 40_000);
    assert!(matches!(play.kernel(40_400, 120_200).handed, Handed::Counter { .. }));
    // The file is gone with the container, and the new one is not found yet.
    play.proof.on_kernel_lost();
    for (read_ms, total_ms) in [(40_800, 200), (41_800, 1200)] {
        let outcome = play.endpoint(read_ms, total_ms, read_ms + 100);
        assert_eq!(handed_ms(outcome.handed), Some((read_ms, total_ms)));
    }
}

#[test]
fn over_a_restart_that_only_the_kernel_shows_nothing_is_joined() {
    // The new run soon has more than the endpoint said last of the one before.
    for is_found_anew in [true, false] {
        let mut play = Play::new(Tier::CgroupFile);
        for ms in (400..30_000_u64).step_by(10) {
            let total_ms = 1 + ms / 20;
            if ms % 1000 == 400 || ms % 10_000 == 7970 || ms % 10_000 == 8030 {
                play.kernel(ms, total_ms);
            }
            if ms % 10_000 == 8100 {
                play.endpoint(ms - 100, 1 + (ms - 100) / 20, ms);
            }
        }
        assert!(play.proof.is_proven());
        assert_eq!(handed_ms(play.kernel(30_400, 1521).handed), Some((30_400, 1521)));
        if is_found_anew {
            play.proof.on_kernel_lost();
            play.proof.on_kernel_found(Tier::CgroupFile);
        }
        assert_eq!(play.kernel(31_400, 900).handed, Handed::Nothing);
        let outcome = play.endpoint(38_000, 7000, 38_100);
        assert_eq!(handed_ms(outcome.handed), Some((38_000, 7000)));
        assert!(matches!(outcome.handed, Handed::Base { .. }), "{is_found_anew}");
    }
}

#[test]
fn what_went_wrong_in_a_silence_is_no_value() {
    for tier in [Tier::CgroupFile, Tier::Processes] {
        for is_read_before in [true, false] {
            let mut play = proven(tier, 100_000);
            assert!(play.proof.is_proven());
            // From now on the kernel's counter is behind.
            let (from_ms, until_ms) =
                (100_000, if tier == Tier::CgroupFile { 710_000 } else { 170_000 });
            let told = |ms: u64| 150_000 + (ms - from_ms) / 20 * 9;
            let truth = |ms: u64| 100_000 + ms / 2;
            for ms in (from_ms + 400..until_ms).step_by(1000) {
                play.kernel(ms, told(ms));
            }
            assert_eq!(play.proof.state(), ProofState::Silent);
            // The kernel's next value comes before the endpoint's reading, or after it.
            let read_ms = if is_read_before { until_ms - 1000 } else { until_ms };
            let mut outcomes = vec![play.endpoint(read_ms, truth(read_ms), until_ms + 100)];
            if !is_read_before {
                outcomes.push(play.kernel(until_ms + 400, told(until_ms + 400)));
            }
            let handed: Vec<_> =
                outcomes.iter().map(|it| it.handed).filter(|it| *it != Handed::Nothing).collect();
            let [Handed::Base { read, cpu }] = handed[..] else {
                panic!("{tier:?} {is_read_before} {outcomes:?}")
            };
            assert_eq!((read, cpu.total_usage_ns), (Play::at(read_ms), truth(read_ms) * MS));
            let is_told = |it: &ProofOutcome| {
                matches!(it.event, Some(ProofEvent::Refuted { was_proven: true, .. }))
            };
            assert!(outcomes.iter().any(is_told), "{tier:?} {outcomes:?}");
            assert!(matches!(play.proof.state(), ProofState::Refuted { .. }));
        }
    }
}
