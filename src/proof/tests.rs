//! The proof of a counter, step by step.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    reading::{CpuReading, Tier},
    time::{Now, Timestamp},
};

mod containers;
mod estimates;
mod exact;
mod joins;
mod rest;
mod task;
mod world;

const BASE_MS: u64 = 1_795_514_400_000;

/// A container that uses half a CPU, its kernel and its endpoint.
struct Play {
    start: Instant,
    proof: CounterProof,
}

impl Play {
    fn new(tier: Tier) -> Self {
        let mut proof = CounterProof::new();
        proof.on_kernel_found(tier);
        Self { start: Instant::now(), proof }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ns((BASE_MS + ms) * 1_000_000)
    }

    fn instant(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn kernel(&mut self, ms: u64, total_ms: u64) -> ProofOutcome {
        let read = Self::at(ms);
        let value = KernelValue { from: read, to: read, total_ns: total_ms * 1_000_000 };
        self.proof.on_kernel(value, self.instant(ms))
    }

    fn endpoint(&mut self, read_ms: u64, total_ms: u64, ms: u64) -> ProofOutcome {
        let now = Now { instant: self.instant(ms), wall: Self::at(ms) };
        let cpu = CpuReading { total_usage_ns: total_ms * 1_000_000, online_cpus: Some(2) };
        self.proof.on_endpoint(Self::at(read_ms), cpu, now)
    }
}

fn handed_ms(handed: Handed) -> Option<(u64, u64)> {
    match handed {
        Handed::Counter { read, cpu } | Handed::Base { read, cpu } => {
            Some((read.unix_ms() - BASE_MS, cpu.total_usage_ns / 1_000_000))
        }
        Handed::Nothing => None,
    }
}

#[test]
fn three_renewals_prove_it_and_from_then_on_the_kernel_is_handed_on() {
    let mut play = Play::new(Tier::CgroupFile);
    let mut handed = Vec::new();
    let mut events = Vec::new();
    for ms in (0..45_000).step_by(10) {
        let total_ms = 100_000 + ms / 2;
        // Each second, and 30 ms before and after a renewal.
        if ms % 1000 == 400 || ms % 10_000 == 7970 || ms % 10_000 == 8030 {
            let outcome = play.kernel(ms, total_ms);
            handed.extend(handed_ms(outcome.handed));
            events.extend(outcome.event);
        }
        if ms % 10_000 == 8100 {
            let outcome = play.endpoint(ms - 100, 100_000 + (ms - 100) / 2, ms);
            handed.extend(handed_ms(outcome.handed));
            events.extend(outcome.event);
        }
    }
    assert_eq!(events, [ProofEvent::Proven { tier: Tier::CgroupFile, agreed: 3 }]);
    assert_eq!(play.proof.state(), ProofState::Proven);
    assert_eq!(
        handed[..4],
        [(8000, 104_000), (18_000, 109_000), (28_000, 114_000), (29_400, 114_700)]
    );
    assert!(handed.iter().all(|(ms, total_ms)| *total_ms == 100_000 + ms / 2), "{handed:?}");
    assert_eq!(handed.len(), 3 + 16 + 2);
}

/// Half a CPU all the time, proven by 28.1 s, up to `until_ms`.
fn proven(tier: Tier, until_ms: u64) -> Play {
    let mut play = Play::new(tier);
    for ms in (0..until_ms).step_by(10) {
        if ms % 1000 == 400 || ms % 10_000 == 7970 || ms % 10_000 == 8030 {
            play.kernel(ms, 100_000 + ms / 2);
        }
        if ms % 10_000 == 8100 {
            play.endpoint(ms - 100, 100_000 + (ms - 100) / 2, ms);
        }
    }
    play
}

#[test]
fn exact_values_go_on_for_ten_minutes_without_the_endpoint_and_estimates_for_one() {
    for (tier, proven_s, limit_s) in [(Tier::CgroupFile, 40, 600), (Tier::Processes, 100, 60)] {
        let mut play = proven(tier, proven_s * 1000);
        assert_eq!(play.proof.state(), ProofState::Proven, "{tier:?}");
        let agreed_s = proven_s - 2;
        let mut events = Vec::new();
        let mut last_s = 0;
        for second in proven_s..proven_s + 700 {
            let outcome = play.kernel(second * 1000 + 400, 100_000 + second * 500 + 200);
            events.extend(outcome.event);
            if outcome.handed != Handed::Nothing {
                last_s = second;
            }
        }
        assert_eq!(last_s, agreed_s + limit_s - 1, "{tier:?}");
        assert_eq!(play.proof.state(), ProofState::Silent);
        match (tier, &events[..]) {
            (
                Tier::CgroupFile,
                [ProofEvent::WithoutEndpoint { since, .. }, ProofEvent::GivenUp { .. }],
            ) => {
                assert_eq!(since.as_secs(), 30);
            }
            (Tier::Processes, [ProofEvent::GivenUp { .. }]) => {}
            _ => panic!("{tier:?} {events:?}"),
        }
        // The endpoint's next one joins: no CPU time is lost.
        let ms = (proven_s + 699) * 1000 + 500;
        let outcome = play.endpoint(ms - 100, 100_000 + (ms - 100) / 2, ms);
        assert_eq!(outcome.handed, Handed::Nothing, "the kernel's next value is waited for");
        let outcome = play.kernel(ms + 900, 100_450 + ms / 2);
        assert_eq!(handed_ms(outcome.handed), Some((ms - 100, 100_000 + (ms - 100) / 2)));
        assert!(matches!(outcome.handed, Handed::Counter { .. }));
        assert_eq!(play.proof.state(), ProofState::Unproven { agreed: 0, needed: 3 });
    }
}

#[test]
fn an_endpoint_that_comes_back_in_time_is_said() {
    let mut play = proven(Tier::CgroupFile, 40_000);
    let mut events = Vec::new();
    for second in 40..120 {
        events.extend(play.kernel(second * 1000 + 400, 100_000 + second * 500 + 200).event);
        if second == 110 {
            events.extend(play.endpoint(109_900, 100_000 + 54_950, 110_410).event);
        }
    }
    assert!(
        matches!(events[..], [ProofEvent::WithoutEndpoint { .. }, ProofEvent::EndpointBack]),
        "{events:?}"
    );
    assert!(play.proof.is_proven());
}

#[test]
fn a_kernel_value_that_is_lost_is_followed_by_the_endpoint_and_no_time_is_lost() {
    let mut play = proven(Tier::CgroupFile, 40_000);
    // The last value is of 39.4 s.
    play.proof.on_kernel_lost();
    assert_eq!(play.proof.state(), ProofState::NoKernel);
    for (read_ms, is_handed) in [(38_500, false), (39_390, false), (39_890, false), (39_900, true)]
    {
        let total_ms = 100_000 + read_ms / 2;
        let outcome = play.endpoint(read_ms, total_ms, 40_000);
        let expected = is_handed.then_some((read_ms, total_ms));
        assert_eq!(handed_ms(outcome.handed), expected);
        assert_eq!(outcome.event, None);
        assert!(!matches!(outcome.handed, Handed::Base { .. }));
    }
    // Found again, it must be proven again.
    play.proof.on_kernel_found(Tier::CgroupFile);
    assert_eq!(play.kernel(40_400, 120_200).handed, Handed::Nothing);
    assert_eq!(play.proof.state(), ProofState::Unproven { agreed: 0, needed: 3 });
}

#[test]
fn a_refutation_says_what_was_expected_and_gives_a_new_base() {
    let mut play = proven(Tier::CgroupFile, 40_000);
    // 5 s of CPU time that the kernel does not have.
    let said = play.endpoint(40_000, 125_000, 40_100);
    assert_eq!((said.handed, said.event), (Handed::Nothing, None), "it waits for the kernel");
    let outcome = play.kernel(40_400, 120_200);
    let Some(ProofEvent::Refuted { least_ns, most_ns, said_ns, was_proven, needed, .. }) =
        outcome.event
    else {
        panic!("{outcome:?}");
    };
    assert_eq!([least_ns, most_ns, said_ns].map(|ns| ns / 1_000_000), [119_700, 120_200, 125_000]);
    assert!(was_proven && needed == 10);
    assert!(matches!(outcome.handed, Handed::Base { .. }));
    assert_eq!(handed_ms(outcome.handed), Some((40_000, 125_000)));
    // Ten must agree again.
    let mut proven_at = None;
    for ms in (41_000..180_000_u64).step_by(10) {
        let total_ms = 105_000 + ms / 2;
        if ms % 1000 == 400 || ms % 10_000 == 7970 || ms % 10_000 == 8030 {
            let outcome = play.kernel(ms, total_ms);
            if outcome.event.is_some() {
                assert_eq!(
                    outcome.event,
                    Some(ProofEvent::Proven { tier: Tier::CgroupFile, agreed: 10 })
                );
                proven_at = Some(ms);
            }
        }
        if ms % 10_000 == 8100 {
            let outcome = play.endpoint(ms - 100, 105_000 + (ms - 100) / 2, ms);
            if outcome.event.is_some() {
                proven_at = Some(ms);
            }
        }
    }
    assert_eq!(proven_at, Some(138_100));
}

#[test]
fn a_restart_is_no_refutation() {
    for endpoint_first in [true, false] {
        let mut play = proven(Tier::CgroupFile, 40_000);
        let mut events = Vec::new();
        let mut handed = Vec::new();
        for ms in (40_000..100_000_u64).step_by(10) {
            // Restarted at 44 s.
            let total =
                |ms: u64| if ms < 44_000 { 100_000 + ms / 2 } else { 1 + (ms - 44_000) / 2 };
            let is_lost = endpoint_first && (44_000..49_000).contains(&ms);
            if !is_lost && (ms % 1000 == 400 || ms % 10_000 == 7970 || ms % 10_000 == 8030) {
                let outcome = play.kernel(ms, total(ms));
                events.extend(outcome.event);
                handed.extend(handed_ms(outcome.handed));
            }
            if ms % 10_000 == 8100 {
                let outcome = play.endpoint(ms - 100, total(ms - 100), ms);
                events.extend(outcome.event);
                handed.extend(handed_ms(outcome.handed));
            }
        }
        assert!(matches!(events[..], [ProofEvent::Proven { .. }]), "{events:?}");
        let after: Vec<_> = handed.iter().filter(|(ms, _)| *ms >= 44_000).collect();
        assert_eq!(after[0], &(48_000, 2001));
    }
}

#[test]
fn a_step_of_the_clock_refutes_nothing_and_no_difference_is_made_over_it() {
    for step_ms in [-30_000_i64, -2000, -300, 300, 2000, 3_600_000] {
        let mut play = proven(Tier::CgroupFile, 40_000);
        let wall = |ms: u64| ms.checked_add_signed(step_ms).unwrap();
        let total = |ms: u64| 100_000 + ms / 2;
        play.proof.on_clock_step(Play::at(wall(40_000)), step_ms * 1_000_000);
        let mut handed = Vec::new();
        let mut events = Vec::new();
        let mut take = |outcome: ProofOutcome| {
            events.extend(outcome.event);
            if outcome.handed != Handed::Nothing {
                handed.push(outcome.handed);
            }
        };
        for ms in (40_010..150_000_u64).step_by(10) {
            let instant = play.instant(ms);
            if ms % 1000 == 400 || ms % 10_000 == 7970 || ms % 10_000 == 8030 {
                let read = Play::at(wall(ms));
                let value = KernelValue { from: read, to: read, total_ns: total(ms) * 1_000_000 };
                take(play.proof.on_kernel(value, instant));
            }
            let now = Now { instant, wall: Play::at(wall(ms)) };
            let cpu =
                |ms| CpuReading { total_usage_ns: total(ms) * 1_000_000, online_cpus: Some(2) };
            if ms == 41_500 {
                // Stamped before the step, seen after it.
                take(play.proof.on_endpoint(Play::at(39_900), cpu(39_900), now));
            }
            if ms % 10_000 == 8100 {
                take(play.proof.on_endpoint(Play::at(wall(ms - 100)), cpu(ms - 100), now));
            }
        }
        // Set back far, the first stamp that falls tells that it is from after it.
        assert_eq!(events, [], "{step_ms}");
        assert!(!events.iter().any(|event| matches!(event, ProofEvent::Refuted { .. })));
        assert!(play.proof.is_proven());
        assert!(matches!(handed[0], Handed::Base { .. }), "{step_ms}");
        assert!(handed[1..].iter().all(|handed| matches!(handed, Handed::Counter { .. })));
        assert!(handed.len() > 100);
    }
}

#[test]
fn a_counter_that_stands_still_is_not_proven() {
    // It may be frozen; and it is nothing that the endpoint would be late with.
    let mut play = Play::new(Tier::CgroupFile);
    for second in 0..200 {
        assert_eq!(play.kernel(second * 1000 + 400, 5000).event, None);
        if second % 10 == 8 {
            let outcome = play.endpoint(second * 1000 + 420, 5000, second * 1000 + 500);
            assert!(matches!(outcome.handed, Handed::Counter { .. }));
        }
    }
    assert_eq!(play.proof.state(), ProofState::Unproven { agreed: 1, needed: 3 });
}
