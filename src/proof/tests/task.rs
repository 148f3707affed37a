//! The whole task from its machine: what is handed on comes to what the containers use.

#![allow(clippy::cast_precision_loss, reason = "the model's own arithmetic")]

use super::world::{BASE_NS, Load, MS, SECOND, Truth, stamp};
use crate::proof::*;

/// What is handed on (time, total), and what is said, and when.
type Told = (Vec<(u64, u64)>, Vec<(u64, TaskEvent)>);

/// A machine with containers that renew each 10 s, at times of their own.
struct Machine {
    containers: Vec<Truth>,
    phases: Vec<u64>,
}

impl Machine {
    fn new(loads: &[Load], cpus: u64, until: u64, dice: &mut fastrand::Rng) -> Self {
        let truth = |load: &Load, dice: &mut fastrand::Rng| {
            Truth::new(*load, cpus, 50 * MS, until + SECOND, dice)
        };
        let containers = loads.iter().map(|load| truth(load, dice)).collect();
        let phases = loads.iter().map(|_| dice.u64(0..10 * SECOND)).collect();
        Self { containers, phases }
    }

    fn used(&self, at: u64) -> u64 {
        self.containers.iter().map(|container| container.at(at)).sum()
    }

    fn play(
        &self,
        limit_cpus: f64,
        until: u64,
        dice: &mut fastrand::Rng,
        busy: impl Fn(u64) -> u64,
    ) -> Told {
        let mut estimate = TaskEstimate::new(limit_cpus, self.containers.len());
        let (mut given, mut events) = (Vec::new(), Vec::new());
        let mut shown = vec![0; self.containers.len()];
        for second in 1..until / SECOND {
            let at = second * SECOND + dice.u64(0..20 * MS);
            for (number, container) in self.containers.iter().enumerate() {
                let Some(past) = at.checked_sub(self.phases[number] + 100 * MS) else { continue };
                let read = past / (10 * SECOND) * 10 * SECOND + self.phases[number];
                if read > shown[number] {
                    shown[number] = read;
                    let moment = read - dice.u64(0..13 * MS).min(read);
                    estimate.on_endpoint(number, stamp(read), container.at(moment));
                }
            }
            // Ticks of 10 ms.
            let total_ns = busy(at) / (10 * MS) * 10 * MS;
            let value = KernelValue { from: stamp(at), to: stamp(at), total_ns };
            let (handed, event) = estimate.on_machine(value);
            events.extend(event.map(|event| (at, event)));
            if let Handed::Counter { read, cpu } | Handed::Base { read, cpu } = handed {
                given.push((read.unix_ns() - BASE_NS, cpu.total_usage_ns));
            }
        }
        (given, events)
    }
}

#[test]
fn each_ten_seconds_come_within_three_points_of_the_task() {
    let mut handed = 0;
    for seed in 0..300 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let until = 400 * SECOND;
        let loads = [Load::Steady, Load::Ticks, Load::Steady, Load::Square];
        let count = dice.usize(1..=3);
        let machine = Machine::new(&loads[..count], 1, until, dice);
        // The platform: 1 to 5 % of a CPU.
        let platform = dice.u64(1..=5);
        let busy = |at: u64| machine.used(at) + at / 100 * platform;
        let (given, events) = machine.play(4.0, until, dice, busy);
        let refuted = events.iter().any(|(_, event)| matches!(event, TaskEvent::Refuted { .. }));
        assert!(!refuted, "{seed} {events:?}");
        handed += given.len();
        for pair in given.windows(11) {
            let (from, to) = (pair[0], pair[10]);
            assert!(from.1 <= to.1);
            let said = (to.1 - from.1) as f64;
            let told = (machine.used(to.0) - machine.used(from.0)) as f64;
            let points = 100.0 * (said - told).abs() / (to.0 - from.0) as f64 / 4.0;
            assert!(points < 3.0, "{seed} {points} {from:?} {to:?}");
        }
    }
    assert!(handed > 300 * 200, "{handed}");
}

#[test]
fn a_machine_that_others_use_is_not_handed_on() {
    for seed in 0..200 {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let until = 600 * SECOND;
        let machine = Machine::new(&[Load::Steady, Load::Steady], 1, until, dice);
        // A neighbour that begins after five minutes, with half a CPU.
        let since = 300 * SECOND;
        let busy = |at: u64| machine.used(at) + at / 50 + at.saturating_sub(since) / 2;
        let (given, events) = machine.play(2.0, until, dice, busy);
        let refuted = events.iter().find(|(_, event)| matches!(event, TaskEvent::Refuted { .. }));
        let (at, _) = refuted.unwrap();
        assert!(*at < since + 40 * SECOND, "{seed} {events:?}");
        let first = given.iter().find(|(read, _)| *read > *at);
        assert!(first.is_none_or(|(read, _)| *read > at + 60 * SECOND), "{seed} {first:?}");
    }
}

#[test]
fn without_a_container_for_a_minute_nothing_is_handed_on() {
    let mut estimate = TaskEstimate::new(1.0, 1);
    let mut last = 0;
    let mut said = Vec::new();
    for second in 1..400_u64 {
        let at = second * SECOND;
        if second % 10 == 3 && second < 200 {
            estimate.on_endpoint(0, stamp(at - 50 * MS), (at - 50 * MS) / 2);
        }
        let value = KernelValue { from: stamp(at), to: stamp(at), total_ns: at / 2 + at / 100 };
        let (handed, event) = estimate.on_machine(value);
        said.extend(event);
        if handed != Handed::Nothing {
            last = second;
        }
    }
    assert!((245..=255).contains(&last), "{last} {said:?}");
    assert!(matches!(said[..], [TaskEvent::Proven { .. }, TaskEvent::GivenUp { .. }]), "{said:?}");
}
