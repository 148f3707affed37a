//! A container at rest beside one that works and has put the clocks to the test: what is
//! handed on of it, and what of a kernel that lies.

use std::time::{Duration, Instant};

use crate::{
    proof::*,
    reading::{CpuReading, Entry, Reading, Tier},
    time::{Now, Timestamp},
};

const START_NS: u64 = 1_795_514_400_000_000_000;
const MS: u64 = 1_000_000;
const UNTIL_MS: u64 = 300_000;
/// The container at rest has used so much before, ns.
const USED: u64 = 31_415_926;

/// What the kernel says of the container at rest. `at` is in ms.
type Kernel = fn(&Play, at: u64) -> u64;

/// What was handed on of it: (moment, counter, whether the kernel said it, base).
type Given = (u64, u64, bool, bool);

struct Play {
    tier: Tier,
    period_ms: u64,
    /// From then on it works, at half a CPU, for so long.
    wakes_ms: u64,
    works_ms: u64,
    /// The busy container beside it ends then.
    busy_until_ms: u64,
}

impl Play {
    fn truth(&self, at: u64) -> u64 {
        USED + at.saturating_sub(self.wakes_ms).min(self.works_ms) * MS / 2
    }

    /// Plays it with a busy container beside it, or without.
    fn play(&self, is_clock_proven: bool, kernel: Kernel) -> (Vec<Given>, Vec<ContainerEvent>) {
        let start = Instant::now();
        let mut proofs = Proofs::default();
        proofs.set_containers([("b1", "busy"), ("r1", "rests")].into_iter());
        let busy = |ms: u64| 70_000_000_000 + ms * MS / 3;
        let mut given = Vec::new();
        let mut events = Vec::new();
        for ms in (5..UNTIL_MS).step_by(5) {
            let now = Now {
                instant: start + Duration::from_millis(ms),
                wall: Timestamp::from_unix_ns(START_NS + ms * MS),
            };
            let since_renewal = ms % self.period_ms;
            if ms % 1000 == 400 || since_renewal == 255 || since_renewal == 360 {
                proofs.begin_round();
                for (id, tier, total_ns) in
                    [("b1", Tier::CgroupFile, busy(ms)), ("r1", self.tier, kernel(self, ms))]
                {
                    if id == "b1" && (!is_clock_proven || ms > self.busy_until_ms) {
                        continue;
                    }
                    let cpu = KernelValue { from: now.wall, to: now.wall, total_ns };
                    let value = ContainerValue { tier, generation: 1, cpu, memory: None };
                    if let Some(handed) = proofs.on_kernel(id, value, now)
                        && id == "r1"
                    {
                        given.push((ms, handed, true));
                    }
                }
                proofs.end_round(now);
            }
            if since_renewal == 365 {
                let read_ms = ms - 65;
                for (id, total_ns) in [("b1", busy(read_ms)), ("r1", self.truth(read_ms))] {
                    let reading = Reading {
                        read: Timestamp::from_unix_ns(START_NS + read_ms * MS),
                        cpu: Some(CpuReading { total_usage_ns: total_ns, online_cpus: Some(2) }),
                        is_cpu_base: false,
                        memory: None,
                        network: None,
                        block_io: None,
                    };
                    if let Entry::Reading(handed) =
                        proofs.on_endpoint(id, Entry::Reading(reading), now)
                        && id == "r1"
                    {
                        given.push((ms, handed, false));
                    }
                }
            }
            events.extend(proofs.events());
        }
        let given = given.into_iter().filter_map(|(_, reading, is_kernel)| {
            let read_ms = (reading.read.unix_ns() - START_NS) / MS;
            Some((read_ms, reading.cpu?.total_usage_ns, is_kernel, reading.is_cpu_base))
        });
        (given.collect(), events)
    }
}

fn rests(tier: Tier) -> Play {
    Play { tier, period_ms: 10_000, wakes_ms: u64::MAX, works_ms: 0, busy_until_ms: u64::MAX }
}

/// An honest kernel; the sum over processes begins elsewhere.
fn honest(play: &Play, at: u64) -> u64 {
    match play.tier {
        Tier::CgroupFile => play.truth(at),
        Tier::Processes => play.truth(at) - USED + 7 * MS,
    }
}

#[test]
fn a_container_at_rest_is_handed_on_each_second_and_its_counter_is_the_endpoints() {
    for (tier, renewals) in [(Tier::CgroupFile, 3), (Tier::Processes, 6)] {
        let (given, events) = rests(tier).play(true, honest);
        let kernel: Vec<_> = given.iter().filter(|given| given.2).collect();
        assert!(kernel[0].0 <= (renewals + 1) * 10_000, "{tier:?} {:?}", kernel[0]);
        // Each second from then on.
        let left_s = (UNTIL_MS - kernel[0].0) / 1000;
        assert!(kernel.len() as u64 >= left_s, "{tier:?}: {} of {left_s}", kernel.len());
        assert!(given.iter().all(|given| given.1 == USED && !given.3), "{tier:?}");
        assert!(events.iter().all(|it| it.container == "busy"), "{events:?}");
    }
}

#[test]
fn without_a_clock_that_is_proven_nothing_is() {
    for tier in [Tier::CgroupFile, Tier::Processes] {
        let (given, _) = rests(tier).play(false, honest);
        assert!(given.iter().all(|given| !given.2), "{tier:?}");
    }
}

#[test]
fn the_clocks_stay_proven_when_the_container_that_proved_them_ends() {
    for tier in [Tier::CgroupFile, Tier::Processes] {
        for busy_until_ms in [100_000, 150_000] {
            let (given, _) = Play { busy_until_ms, ..rests(tier) }.play(true, honest);
            let after = given.iter().filter(|given| given.2 && given.0 > busy_until_ms).count();
            let left_s = (UNTIL_MS - busy_until_ms) / 1000;
            assert!(after as u64 >= left_s - 1, "{tier:?}: {after} of {left_s}");
        }
    }
}

#[test]
fn one_that_works_again_joins_exactly_and_is_proven_then() {
    for tier in [Tier::CgroupFile, Tier::Processes] {
        for period_ms in [2000, 10_000] {
            for wakes_ms in (100_000..110_000).step_by(370) {
                let play = Play { period_ms, wakes_ms, works_ms: u64::MAX, ..rests(tier) };
                let (given, events) = play.play(true, honest);
                assert!(
                    given.iter().any(|given| given.2 && given.0 < wakes_ms),
                    "at rest before: {tier:?} {wakes_ms}"
                );
                assert!(given.iter().all(|given| !given.3), "no base");
                for pair in given.windows(2) {
                    assert!(pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1, "{pair:?}");
                }
                // What is handed on is the truth, or an estimate of it.
                let near = if tier == Tier::CgroupFile { 2 * MS } else { 40 * MS };
                for (at, total_ns, ..) in &given {
                    assert!(total_ns.abs_diff(play.truth(*at)) <= near, "{tier:?} {at} {total_ns}");
                }
                assert!(given.last().unwrap().2, "the kernel's again: {tier:?} {wakes_ms}");
                let refuted = |it: &ContainerEvent| matches!(it.event, ProofEvent::Refuted { .. });
                assert!(!events.iter().any(refuted), "{events:?}");
            }
        }
    }
}

/// What the kernel says, from when on that is not so, and until when at most it may be
/// handed on after the container works.
struct Lie {
    what: &'static str,
    tier: Tier,
    says: Kernel,
    /// Of the container at rest.
    wakes_ms: u64,
    works_ms: u64,
    /// Whether it has the endpoint's own value while that stands still.
    is_same_at_rest: bool,
}

const LIES: [Lie; 9] = [
    Lie {
        what: "another container's file, which is idle too",
        tier: Tier::CgroupFile,
        says: |_, _| USED + 1,
        wakes_ms: 123_000,
        works_ms: 50_000,
        is_same_at_rest: false,
    },
    Lie {
        what: "another container's file, which is idle, and the container never works",
        tier: Tier::CgroupFile,
        says: |_, _| USED - 1,
        wakes_ms: u64::MAX,
        works_ms: 0,
        is_same_at_rest: false,
    },
    Lie {
        what: "a file without a value",
        tier: Tier::CgroupFile,
        says: |_, _| 0,
        wakes_ms: 123_000,
        works_ms: 50_000,
        is_same_at_rest: false,
    },
    Lie {
        what: "a tenth more",
        tier: Tier::CgroupFile,
        says: |play, at| play.truth(at) / 10 * 11,
        wakes_ms: 123_000,
        works_ms: 50_000,
        is_same_at_rest: false,
    },
    Lie {
        what: "a file that was frozen before, while the container worked",
        tier: Tier::CgroupFile,
        says: |play, at| play.truth(at.min(3000)),
        wakes_ms: 2500,
        works_ms: 4000,
        is_same_at_rest: false,
    },
    Lie {
        what: "a frozen file, of a container at rest",
        tier: Tier::CgroupFile,
        says: |_, _| USED,
        wakes_ms: 123_000,
        works_ms: 50_000,
        is_same_at_rest: true,
    },
    Lie {
        what: "processes that are frozen, of a container at rest",
        tier: Tier::Processes,
        says: |_, _| 7 * MS,
        wakes_ms: 123_000,
        works_ms: 50_000,
        is_same_at_rest: true,
    },
    Lie {
        what: "another container's processes, which work for a while",
        tier: Tier::Processes,
        says: |_, at| 7 * MS + at.saturating_sub(80_000).min(5000) * MS,
        wakes_ms: u64::MAX,
        works_ms: 0,
        is_same_at_rest: true,
    },
    Lie {
        what: "a file that goes on a tenth too fast",
        tier: Tier::CgroupFile,
        says: |play, at| play.truth(at) + (play.truth(at) - USED) / 10,
        wakes_ms: 123_000,
        works_ms: 50_000,
        is_same_at_rest: true,
    },
];

#[test]
fn of_a_lie_about_a_container_at_rest_nothing_is_handed_on_after_the_next_renewal() {
    for lie in LIES {
        for period_ms in [2000, 10_000] {
            let Lie { what, tier, wakes_ms, works_ms, .. } = lie;
            let play = Play { period_ms, wakes_ms, works_ms, ..rests(tier) };
            let (given, events) = play.play(true, lie.says);
            let kernel: Vec<_> = given.iter().filter(|given| given.2).collect();
            if !lie.is_same_at_rest {
                assert!(kernel.is_empty(), "{what}: {kernel:?}");
                continue;
            }
            assert!(!kernel.is_empty(), "{what}");
            // The first renewal that shows that it works.
            let next_ms = wakes_ms.saturating_add(period_ms).saturating_add(100);
            let back_ms = wakes_ms.saturating_add(works_ms);
            for (at, total_ns, _, _) in &kernel {
                // Never a value that is not the endpoint's own at rest: what is wrong is
                // only that it is at rest, and only until the next renewal.
                assert!(
                    *at < next_ms || *at > back_ms,
                    "{what}, {period_ms}: {at} {total_ns} {events:?}"
                );
                assert!(
                    *total_ns == USED || (*at > back_ms && *total_ns == play.truth(*at)),
                    "{what}, {period_ms}: {at} {total_ns}"
                );
            }
            // What may be wrong is forgotten: no difference begins with it.
            let first_after = given.iter().find(|given| given.1 > USED);
            let is_wrong = kernel.iter().any(|given| given.1 < play.truth(given.0));
            assert!(
                first_after.is_none_or(|first| !is_wrong || first.3),
                "{what}, {period_ms}: {first_after:?}"
            );
        }
    }
}
