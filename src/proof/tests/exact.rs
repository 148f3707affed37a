//! The container's own counter: an honest kernel is believed and stays so, whatever the
//! load and the ways; a lying one is not.

use super::world::{Load, MS, Run, SECOND, Truth, Ways};
use crate::{proof::*, reading::Tier};

const LOADS: [Load; 6] =
    [Load::Steady, Load::Full, Load::Bursts, Load::Square, Load::Ticks, Load::Idle];

fn any_first(cpus: u64, dice: &mut fastrand::Rng) -> u64 {
    [50 * MS, 5 * SECOND, 300 * SECOND, 3600 * SECOND * cpus][dice.usize(..4)] + dice.u64(0..MS)
}

#[test]
fn an_honest_kernel_is_never_refuted() {
    let mut proven = 0;
    for seed in 0..10_000 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let ways = Ways::any(dice);
        let cpus = dice.u64(1..=16);
        let load = LOADS[dice.usize(..LOADS.len())];
        let until = 120 * SECOND;
        let truth = Truth::new(load, cpus, any_first(cpus, dice), until + 9 * SECOND, dice);
        let mut run = Run::new(Tier::CgroupFile);
        let happenings = ways.play(until, dice);
        run.play(&happenings, &truth, cpus, dice, |at| truth.at(at));
        for (at, event) in &run.events {
            assert!(
                !matches!(event, ProofEvent::Refuted { .. }),
                "{seed} {load:?} {ways:?} {at}: {event:?}"
            );
        }
        for pair in run.given.windows(2).filter(|pair| pair[1].is_kernel) {
            let [before, given] = pair else { continue };
            // As near as the read was short, or 1 % of the time since the value before.
            let near = (10 * MS).max((given.read - before.read) / 100);
            let around = truth.at(given.read - near)..=truth.at(given.read + near);
            assert!(around.contains(&given.total_ns), "{seed} {given:?}");
        }
        // Neither time nor counter go back, and nothing is forgotten.
        let is_in_order = |pair: &[super::world::Given]| {
            (pair[0].read < pair[1].read || pair[1].is_base) && pair[0].total_ns <= pair[1].total_ns
        };
        assert!(run.bases().next().is_none(), "{seed} {ways:?} {:?}", run.given);
        assert!(run.given.windows(2).all(is_in_order), "{seed} {ways:?} {:?}", run.given);
        proven += u32::from(run.kernel_values() > 0);
    }
    println!("proven: {proven}");
    assert!(proven > 5000, "{proven}");
}

#[test]
fn three_or_four_renewals_prove_it() {
    for seed in 0..500 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let ways = Ways { jitter_ms: [0, 20][dice.usize(..2)], ..Ways::fargate() };
        let cpus = dice.u64(1..=16);
        let load = [Load::Steady, Load::Full][dice.usize(..2)];
        let truth = Truth::new(load, cpus, 60 * SECOND * cpus, 60 * SECOND, dice);
        let mut run = Run::new(Tier::CgroupFile);
        let happenings = ways.play(50 * SECOND, dice);
        run.play(&happenings, &truth, cpus, dice, |at| truth.at(at));
        let renewals = run.given.iter().take_while(|given| !given.is_kernel).count();
        assert!(matches!(renewals, 3..=4), "{seed} {load:?} {renewals}");
    }
}

/// What a kernel may say that is not the container's counter.
#[derive(Clone, Copy, Debug)]
enum Lie {
    Other,
    More,
    Less,
    Frozen,
    Early,
    Late,
    /// Some of the processes are elsewhere.
    Moved,
    /// It agreed once, and has grown a tenth too fast since.
    Faster,
}

const LIES: [Lie; 8] =
    [Lie::Other, Lie::More, Lie::Less, Lie::Frozen, Lie::Early, Lie::Late, Lie::Moved, Lie::Faster];

impl Lie {
    /// What the kernel says at `at`, if it lies since `since`.
    fn at(self, truth: &Truth, other: &Truth, since: u64, at: u64) -> u64 {
        let told = truth.at(at);
        if at < since {
            return told;
        }
        let before = truth.at(since);
        match self {
            Self::Other => other.at(at),
            Self::More => told + told / 10,
            Self::Less => told - told / 10,
            Self::Frozen => before,
            Self::Early => truth.at(at + 2 * SECOND),
            Self::Late => truth.at(at.saturating_sub(2 * SECOND)).max(1),
            Self::Moved => before + (told - before) / 2,
            Self::Faster => told + (told - before) / 10,
        }
    }
}

#[test]
fn of_a_lie_from_the_start_not_one_value_is_handed_on() {
    for lie in LIES {
        for seed in 0..1000 {
            let dice = &mut fastrand::Rng::with_seed(seed);
            let ways = Ways::any(dice);
            let cpus = dice.u64(1..=16);
            let until = 150 * SECOND;
            let load = LOADS[dice.usize(..LOADS.len())];
            let truth = Truth::new(load, cpus, any_first(cpus, dice), until + 9 * SECOND, dice);
            let load = LOADS[dice.usize(..LOADS.len())];
            // Two that do the same since the same second cannot be told, and need not be.
            let first = any_first(cpus, dice) + 3 * cpus * SECOND;
            let other = Truth::new(load, cpus, first, until + 9 * SECOND, dice);
            let mut run = Run::new(Tier::CgroupFile);
            let happenings = ways.play(until, dice);
            run.play(&happenings, &truth, cpus, dice, |at| lie.at(&truth, &other, 0, at));
            assert_eq!(run.kernel_values(), 0, "{lie:?} {seed} {load:?} {ways:?} {:?}", run.events);
            // The endpoint's are all there.
            assert_eq!(run.given.len(), usize::try_from(run.renewals).unwrap());
        }
    }
}

#[test]
fn of_a_lie_that_begins_later_none_is_handed_on_after_the_next_renewal() {
    for lie in LIES {
        let mut caught = 0;
        for seed in 0..300 {
            let dice = &mut fastrand::Rng::with_seed(seed);
            let ways = Ways { jitter_ms: [0, 20][dice.usize(..2)], ..Ways::fargate() };
            let cpus = dice.u64(1..=16);
            let until = 120 * SECOND;
            let load = [Load::Steady, Load::Full][dice.usize(..2)];
            let first = 600 * SECOND * cpus;
            let truth = Truth::new(load, cpus, first, until + 9 * SECOND, dice);
            let other = Truth::new(load, cpus, any_first(cpus, dice), until + 9 * SECOND, dice);
            let mut run = Run::new(Tier::CgroupFile);
            let happenings = ways.play(until, dice);
            let since = 60 * SECOND + dice.u64(0..10 * SECOND);
            run.play(&happenings, &truth, cpus, dice, |at| lie.at(&truth, &other, since, at));
            // A part of the processes shows when it has done a part of the work.
            let enough = since + 2 * SECOND;
            let next = happenings.iter().find_map(|(at, happening)| match happening {
                super::world::Happening::Endpoint { read, .. } if *read > enough => Some(*at),
                _ => None,
            });
            let last = run.given.iter().filter(|given| given.is_kernel).map(|given| given.at).max();
            assert!(last.is_some_and(|last| last > 40 * SECOND), "proven before: {seed}");
            assert!(last < next, "{lie:?} {seed} {load:?} {last:?} {next:?} {:?}", run.events);
            let refuted =
                run.events.iter().filter(|(_, event)| matches!(event, ProofEvent::Refuted { .. }));
            caught += refuted.count();
            // What was handed on is forgotten, if the renewal told.
            let after = run.given.iter().find(|given| Some(given.at) >= next);
            assert!(after.is_none_or(|after| !after.is_kernel), "{lie:?} {seed}");
        }
        assert!(
            caught >= 290 || matches!(lie, Lie::Other | Lie::Less | Lie::Late),
            "{lie:?} {caught}"
        );
    }
}
