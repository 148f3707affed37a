//! The proof of a counter, step by step.

use std::time::{Duration, Instant};

use super::*;

mod exact;
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

    fn kernel(&mut self, ms: u64, total_ms: u64) -> Outcome {
        let read = Self::at(ms);
        let value = KernelValue { from: read, to: read, total_ns: total_ms * 1_000_000 };
        self.proof.on_kernel(value, self.instant(ms))
    }

    fn endpoint(&mut self, read_ms: u64, total_ms: u64, ms: u64) -> Outcome {
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
    assert_eq!(events, [Event::Proven { tier: Tier::CgroupFile, agreed: 3 }]);
    assert_eq!(play.proof.state(), State::Proven);
    assert_eq!(
        handed[..4],
        [(8000, 104_000), (18_000, 109_000), (28_000, 114_000), (29_400, 114_700)]
    );
    assert!(handed.iter().all(|(ms, total_ms)| *total_ms == 100_000 + ms / 2), "{handed:?}");
    assert_eq!(handed.len(), 3 + 16 + 2);
}
