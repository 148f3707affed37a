//! A container with a true counter, an endpoint that tells of it now and then, and a
//! kernel that tells the truth or something else. All from a seed.

use std::time::{Duration, Instant};

use super::super::*;
use crate::{
    reading::{CpuReading, Tier},
    time::{Now, Timestamp},
};

pub(super) const BASE_NS: u64 = 1_795_514_400_000_000_000;
pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;

/// How a container uses its CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Evenly.
    Steady,
    /// All CPUs.
    Full,
    /// Any load, for any time, idle times too.
    Bursts,
    /// Three seconds all of half a CPU, three seconds nothing.
    Square,
    /// A millisecond now and then.
    Ticks,
    Idle,
}

/// The true counter: (time, counter, growth in a ms), all ns since the run's start.
pub(super) struct Truth(Vec<(u64, u64, u64)>);

impl Truth {
    pub(super) fn new(
        load: Load,
        cpus: u64,
        first_ns: u64,
        until_ns: u64,
        dice: &mut fastrand::Rng,
    ) -> Self {
        let (mut at, mut total) = (0, first_ns);
        let mut points = Vec::new();
        let steady = dice.u64(20_000..=cpus * MS);
        while at <= until_ns {
            let (lasts_ms, rate) = match load {
                Load::Steady => (1000, steady * dice.u64(80..=100) / 100),
                Load::Full => (1000, cpus * MS),
                Load::Bursts => {
                    let rate = if dice.bool() { 0 } else { dice.u64(0..=cpus * MS) };
                    (dice.u64(20..15_000), rate)
                }
                Load::Square => (3000, if points.len() % 2 == 0 { MS / 2 } else { 0 }),
                Load::Ticks if points.len() % 2 == 0 => (1, dice.u64(100_000..MS)),
                Load::Ticks => (dice.u64(200..4000), 0),
                Load::Idle => (60_000, 0),
            };
            points.push((at, total, rate));
            at += lasts_ms * MS;
            total += lasts_ms * rate;
        }
        Self(points)
    }

    pub(super) fn at(&self, ns: u64) -> u64 {
        let place = self.0.partition_point(|(at, ..)| *at <= ns) - 1;
        let (at, total, rate) = self.0[place];
        total + u64::try_from(u128::from(ns - at) * u128::from(rate) / u128::from(MS)).unwrap()
    }
}

/// What there is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    /// The kernel is read, which takes so long, ns.
    Kernel(u64),
    /// The endpoint's reading with this stamp and of this moment arrives.
    Endpoint { read: u64, moment: u64 },
}

/// How both are asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    pub(super) cadence_ms: u64,
    pub(super) jitter_ms: u64,
    pub(super) spacing_ms: u64,
    /// Reads of the kernel around an expected renewal.
    pub(super) has_extra: bool,
    /// Readings of the endpoint that come late, in a hundred, and how much, ms.
    pub(super) lates: u64,
    pub(super) late_ms: u64,
    /// Reads of the kernel that are interrupted, in a hundred.
    pub(super) interrupted: u64,
}

impl Ways {
    pub(super) fn any(dice: &mut fastrand::Rng) -> Self {
        let cadence_ms = if dice.bool() { 1003 } else { 10_000 };
        Self {
            cadence_ms,
            jitter_ms: [0, 20, cadence_ms / 5][dice.usize(..3)],
            spacing_ms: if dice.bool() { 200 } else { 1000 },
            has_extra: dice.bool(),
            lates: [0, 5, 30][dice.usize(..3)],
            late_ms: [900, 8000, 90_000][dice.usize(..3)],
            interrupted: [0, 2, 20][dice.usize(..3)],
        }
    }

    /// The usual ways on Fargate.
    pub(super) fn fargate() -> Self {
        Self {
            cadence_ms: 10_000,
            jitter_ms: 0,
            spacing_ms: 1000,
            has_extra: true,
            lates: 0,
            late_ms: 0,
            interrupted: 0,
        }
    }

    /// All that happens in this time, in its order.
    pub(super) fn play(self, until_ns: u64, dice: &mut fastrand::Rng) -> Vec<(u64, Happening)> {
        let mut all = Vec::new();
        let mut extra = Vec::new();
        let mut due = 3 * SECOND + dice.u64(0..self.cadence_ms * MS);
        let mut shown = 0;
        while due < until_ns {
            let jitter = dice.u64(0..=self.jitter_ms * MS);
            let read = due + jitter;
            // Up to 13 ms before the stamp, and 2 ms after it.
            let moment = read - 13 * MS + dice.u64(0..=15 * MS);
            let delay =
                if dice.u64(0..100) < self.lates { dice.u64(0..=self.late_ms * MS) } else { 0 };
            // The endpoint shows the last reading only.
            let arrives = read + 5 * MS + dice.u64(0..60 * MS) + delay;
            if arrives > shown {
                all.push((arrives, Happening::Endpoint { read, moment }));
                shown = arrives;
            }
            extra.extend([due - 40 * MS, due + 50 * MS]);
            due += self.cadence_ms * MS;
        }
        let mut at = SECOND;
        let mut kernel = Vec::new();
        while at < until_ns {
            kernel.push(at);
            at += self.spacing_ms * MS - 10 * MS + dice.u64(0..20 * MS);
        }
        if self.has_extra {
            kernel.extend(extra);
        }
        kernel.sort_unstable();
        let mut free = 0;
        for at in kernel {
            if at <= free {
                continue;
            }
            let width = if dice.u64(0..100) < self.interrupted {
                dice.u64(0..100 * MS)
            } else {
                dice.u64(1000..200_000)
            };
            free = at + width;
            all.push((free, Happening::Kernel(width)));
        }
        all.sort_unstable();
        all
    }
}

/// A value that was handed on, of whom, and whether the one before is forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// Since the run's start, ns.
    pub(super) at: u64,
    pub(super) read: u64,
    pub(super) total_ns: u64,
    pub(super) is_kernel: bool,
    pub(super) is_base: bool,
}

/// One run.
pub(super) struct Run {
    pub(super) proof: CounterProof,
    pub(super) given: Vec<Given>,
    pub(super) events: Vec<(u64, ProofEvent)>,
    pub(super) renewals: u32,
    start: Instant,
}

impl Run {
    pub(super) fn new(tier: Tier) -> Self {
        let mut proof = CounterProof::new();
        proof.on_kernel_found(tier);
        Self { proof, given: vec![], events: vec![], renewals: 0, start: Instant::now() }
    }

    /// Plays `happenings`; `said` gives the kernel's counter at a moment.
    pub(super) fn play(
        &mut self,
        happenings: &[(u64, Happening)],
        truth: &Truth,
        cpus: u64,
        dice: &mut fastrand::Rng,
        mut kernel: impl FnMut(u64) -> u64,
    ) {
        for &(at, happening) in happenings {
            let instant = self.start + Duration::from_nanos(at);
            match happening {
                Happening::Kernel(width) => {
                    let read = at - dice.u64(0..=width);
                    let value = KernelValue {
                        from: stamp(at - width),
                        to: stamp(at),
                        total_ns: kernel(read),
                    };
                    let outcome = self.proof.on_kernel(value, instant);
                    self.take(at, outcome, Some(value.middle_ns()));
                }
                Happening::Endpoint { read, moment } => {
                    self.renewals += 1;
                    let cpu = CpuReading {
                        total_usage_ns: truth.at(moment),
                        online_cpus: u32::try_from(cpus).ok(),
                    };
                    let now = Now { instant, wall: stamp(at) };
                    let outcome = self.proof.on_endpoint(stamp(read), cpu, now);
                    self.take(at, outcome, None);
                }
            }
        }
    }

    fn take(&mut self, at: u64, outcome: ProofOutcome, middle_ns: Option<u64>) {
        self.events.extend(outcome.event.map(|event| (at, event)));
        let (read, cpu, is_base) = match outcome.handed {
            Handed::Nothing => return,
            Handed::Counter { read, cpu } => (read, cpu, false),
            Handed::Base { read, cpu } => (read, cpu, true),
        };
        let is_kernel = middle_ns == Some(read.unix_ns());
        let (read, total_ns) = (read.unix_ns() - BASE_NS, cpu.total_usage_ns);
        self.given.push(Given { at, read, total_ns, is_kernel, is_base });
    }

    /// Where something is forgotten, but after a container that was at rest: what cannot be
    /// compared then is a base.
    pub(super) fn bases(&self) -> impl Iterator<Item = &Given> {
        let is_from_rest = |place: usize| {
            let before = &self.given[..place];
            let last = before.last().filter(|last| last.is_kernel);
            let said = before.iter().rfind(|given| !given.is_kernel);
            last.zip(said).is_some_and(|(last, said)| last.total_ns == said.total_ns)
        };
        let bases = self.given.iter().enumerate().filter(|(_, given)| given.is_base);
        bases.filter(move |(place, _)| !is_from_rest(*place)).map(|(_, given)| given)
    }

    pub(super) fn kernel_values(&self) -> usize {
        self.given.iter().filter(|given| given.is_kernel).count()
    }
}

pub(super) fn stamp(ns: u64) -> Timestamp {
    Timestamp::from_unix_ns(BASE_NS + ns)
}
