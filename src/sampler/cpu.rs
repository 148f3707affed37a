//! CPU time: what a container used from one reading to the next, and whether that
//! can be. Pure: readings in, a number of CPUs out.

use crate::{reading::CpuReading, time::Timestamp};

/// More than all CPUs times this is no load: a counter and its `read` are not taken
/// at the very same moment.
const CPUS_TOLERANCE: f64 = 1.1;
/// Twice all CPUs is what a reading that is stamped half an interval early comes to.
const JITTER_MAX: f64 = 2.0;
/// So many readings in a row may come to more than all CPUs, each added to the next.
/// If the sum of all of them does as well, the counter itself jumped.
const HELD_MAX: u8 = 4;

/// Who read a value of the counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// The agent, some time ago.
    #[default]
    Endpoint,
    /// ESP itself, from the kernel, just now.
    Kernel,
}

/// A counter that only grows, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// When it was read, by the clock of the host.
    pub read: Timestamp,
    /// CPU time since the container started, ns.
    pub total_ns: u64,
}

/// CPUs in use on average from one value of the counter to a later one. `None` if
/// the counter fell, or no time passed.
///
/// The denominator is the difference of `read`, not of any clock of ours: the
/// endpoint replays its last sample, and `system_cpu_usage` has ticks of 10 ms.
///
/// ```
/// use esp::{sampler::cpu::{Counter, cores}, time::Timestamp};
///
/// let at = |ms: u64, total_ns: u64| Counter { read: Timestamp::from_unix_ns(ms * 1_000_000), total_ns };
/// // 501.5 ms of CPU time in 1.003 s are half a CPU.
/// assert_eq!(cores(at(0, 0), at(1003, 501_500_000)), Some(0.5));
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
pub fn cores(from: Counter, to: Counter) -> Option<f64> {
    let elapsed_ns = to.read.ns_since(from.read).filter(|&ns| ns > 0)?;
    Some(to.total_ns.checked_sub(from.total_ns)? as f64 / elapsed_ns as f64)
}

/// The counter of one container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    base: Option<Counter>,
    /// Who read the base.
    source: Source,
    /// When the last value was read.
    last_read: Option<Timestamp>,
    /// A value below the base: a restart, if the next one goes on from there.
    fallen: Option<Counter>,
    /// Readings since the base that came to more than all CPUs.
    held: u8,
    /// CPUs of the host, as the last reading said.
    pub(super) online_cpus: Option<u32>,
    /// For sums: CPU time that is accounted for, ns, in this run of the counter.
    used_ns: u64,
    /// Goes up whenever some CPU time is unknown.
    run: u32,
}

/// What a reading of the counter comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CpuOutcome {
    /// CPUs in use on average since the base.
    Cores(f64),
    /// Nothing yet: a base, or a reading that waits for the next.
    Nothing,
    /// The counter fell: a restart, most likely. CPU time is unknown.
    Fell,
    /// The counter jumped, or fell and came back. CPU time is unknown.
    Jumped,
}

/// CPU time up to a moment, to be compared with itself earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accounted {
    /// Up to this reading.
    pub(super) read: Timestamp,
    used_ns: u64,
    run: u32,
}

impl Cpu {
    /// Takes in a value of the counter. A difference may begin with a value of one source
    /// and end with a value of the other, so that no time is counted twice or lost.
    pub(super) fn on_reading(
        &mut self,
        read: Timestamp,
        cpu: CpuReading,
        source: Source,
    ) -> CpuOutcome {
        self.online_cpus = cpu.online_cpus.or(self.online_cpus);
        let now = Counter { read, total_ns: cpu.total_usage_ns };
        self.source = source;
        self.last_read = Some(read);
        let Some(mut base) = self.base else {
            self.rebase(now);
            return CpuOutcome::Nothing;
        };
        if let Some(fallen) = self.fallen.take() {
            if now.total_ns >= base.total_ns {
                self.rebase(now);
                return CpuOutcome::Jumped;
            }
            if now.total_ns < fallen.total_ns {
                self.fallen = Some(now);
                return CpuOutcome::Fell;
            }
            self.base = Some(fallen);
            base = fallen;
        }
        let Some(cores) = cores(base, now) else {
            self.fallen = Some(now);
            self.held = 0;
            self.run = self.run.wrapping_add(1);
            return CpuOutcome::Fell;
        };
        if self.online_cpus.is_some_and(|cpus| cores > CPUS_TOLERANCE * f64::from(cpus)) {
            self.held += 1;
            let is_jitter = self
                .online_cpus
                .is_some_and(|cpus| cores <= JITTER_MAX * CPUS_TOLERANCE * f64::from(cpus));
            if is_jitter && self.held <= HELD_MAX {
                return CpuOutcome::Nothing;
            }
            self.rebase(now);
            return CpuOutcome::Jumped;
        }
        self.held = 0;
        self.used_ns = self.used_ns.wrapping_add(now.total_ns - base.total_ns);
        self.base = Some(now);
        CpuOutcome::Cores(cores)
    }

    /// The next reading is a base: the clock was set.
    pub(super) fn forget(&mut self) {
        self.base = None;
        self.fallen = None;
        self.run = self.run.wrapping_add(1);
    }

    fn rebase(&mut self, base: Counter) {
        self.base = Some(base);
        self.held = 0;
        self.run = self.run.wrapping_add(1);
    }

    /// Whether the last value is the kernel's.
    pub(super) fn is_from_kernel(&self) -> bool {
        self.source == Source::Kernel
    }

    /// Whether all is accounted for up to the last value.
    pub(super) fn is_settled(&self) -> bool {
        self.accounted().is_some_and(|it| Some(it.read) == self.last_read)
    }

    /// CPU time up to the last reading that is accounted for. `None` while there is
    /// none.
    pub(super) fn accounted(&self) -> Option<Accounted> {
        let base = self.fallen.or(self.base)?;
        Some(Accounted { read: base.read, used_ns: self.used_ns, run: self.run })
    }
}

impl Accounted {
    /// CPUs in use on average since `earlier`. `None` if some of it is unknown, or no
    /// time passed.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
    pub(super) fn cores_since(self, earlier: Self) -> Option<f64> {
        let elapsed_ns = self.read.ns_since(earlier.read).filter(|&ns| ns > 0)?;
        let used_ns = self.used_ns.wrapping_sub(earlier.used_ns);
        (self.run == earlier.run).then(|| used_ns as f64 / elapsed_ns as f64)
    }
}

#[cfg(test)]
mod tests {
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
        let rows =
            [(0, 70_000), (1000, 71_000), (2003, 71_000), (12_003, 73_500), (13_003, 77_500)];
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

    #[test]
    fn jitter_of_full_cpus_is_averaged_and_not_cut_off() {
        for jitter_ms in [50, 100, 200, 300] {
            for cpus in [1, 2, 4] {
                // Read early and late in turns; CPU time goes on evenly.
                let rows: Vec<_> = (1..100)
                    .map(|n: u64| {
                        let shift = if n.is_multiple_of(2) { jitter_ms } else { 0 };
                        (n * 1000 - shift, n * 1000 * u64::from(cpus))
                    })
                    .collect();
                let cores = cores_of(&outcomes(cpus, &rows));
                let mean =
                    cores.iter().sum::<f64>() / f64::from(u32::try_from(cores.len()).unwrap());
                let all = f64::from(cpus);
                assert!((mean / all - 1.0).abs() < 0.05, "{jitter_ms} {cpus}: {mean}");
                assert!(cores.iter().all(|cores| *cores <= CPUS_TOLERANCE * all), "{cores:?}");
                assert!(cores.len() >= 45, "{jitter_ms} {cpus}: {}", cores.len());
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
}
