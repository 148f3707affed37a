//! CPU time: what a container used from one reading to the next, and whether that
//! can be. Pure: readings in, a number of CPUs out.

use crate::{reading::CpuReading, time::Timestamp};

/// More than all CPUs times this is no load: a counter and its `read` are not taken
/// at the very same moment.
const CPUS_TOLERANCE: f64 = 1.1;
/// So many readings in a row may come to more than all CPUs, each added to the next.
/// If the sum of all of them does as well, the counter itself jumped.
const HELD_MAX: u8 = 4;
/// Intervals between readings that are remembered. An even number, so that early and
/// late ones in turns are half of it each.
const INTERVALS: usize = 8;
/// A reading comes this part of the usual interval later than usual, and is still the
/// next one.
const LATE_MAX: f64 = 0.08;
/// What the usual interval may be wrong by, as a part of it.
const USUAL_WITHIN: f64 = 0.25;

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
pub struct CpuCounter {
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
/// use esp::{sampler::cpu::{CpuCounter, cores}, time::Timestamp};
///
/// let at = |ms: u64, total_ns: u64| CpuCounter { read: Timestamp::from_unix_ns(ms * 1_000_000), total_ns };
/// // 501.5 ms of CPU time in 1.003 s are half a CPU.
/// assert_eq!(cores(at(0, 0), at(1003, 501_500_000)), Some(0.5));
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
pub fn cores(from: CpuCounter, to: CpuCounter) -> Option<f64> {
    let elapsed_ns = to.read.ns_since(from.read).filter(|&ns| ns > 0)?;
    Some(to.total_ns.checked_sub(from.total_ns)? as f64 / elapsed_ns as f64)
}

/// The counter of one container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    base: Option<CpuCounter>,
    /// Who read the base.
    source: Source,
    /// When the last value was read.
    last_read: Option<Timestamp>,
    /// A value below the base: a restart, if the next one goes on from there.
    fallen: Option<CpuCounter>,
    /// Readings since the base that came to more than all CPUs.
    held: u8,
    intervals: RecentIntervals,
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
    /// The counter then, ns.
    pub(super) total_ns: u64,
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
        let now = CpuCounter { read, total_ns: cpu.total_usage_ns };
        self.source = source;
        let last_read = self.last_read.replace(read);
        self.intervals.note(last_read.and_then(|last| read.ns_since(last)));
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
        if let Some(most) = self.online_cpus.map(|cpus| CPUS_TOLERANCE * f64::from(cpus))
            && cores > most
        {
            self.held += 1;
            return self.on_too_much(base, now, most);
        }
        self.held = 0;
        self.used_ns = self.used_ns.wrapping_add(now.total_ns - base.total_ns);
        self.base = Some(now);
        CpuOutcome::Cores(cores)
    }

    /// The counter grew from `base` to `now` by more than `most` CPUs can do. If the stamp
    /// explains it, the reading was stamped early, and the next difference covers it as
    /// well. Else the counter jumped: the CPU time in between is given up.
    fn on_too_much(&mut self, base: CpuCounter, now: CpuCounter, most: f64) -> CpuOutcome {
        let Some(usual_ns) = self.intervals.usual_ns() else {
            // Nobody can tell yet.
            self.rebase(now);
            return CpuOutcome::Nothing;
        };
        if self.held <= HELD_MAX
            && is_stamped_early(base, now, most, usual_ns, f64::from(self.held))
        {
            return CpuOutcome::Nothing;
        }
        self.rebase(now);
        CpuOutcome::Jumped
    }

    /// The next reading is a base: the clock was set.
    pub(super) fn forget(&mut self) {
        self.intervals = RecentIntervals::default();
        self.last_read = None;
        self.base = None;
        self.fallen = None;
        self.run = self.run.wrapping_add(1);
    }

    fn rebase(&mut self, base: CpuCounter) {
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
        let CpuCounter { read, total_ns } = base;
        Some(Accounted { read, total_ns, used_ns: self.used_ns, run: self.run })
    }
}

/// Whether growth that takes `most` CPUs longer than the stamps say is explained by when
/// readings usually come: they come at whole intervals, and `now` is the `count`th after
/// `base` at least.
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
fn is_stamped_early(
    base: CpuCounter,
    now: CpuCounter,
    most: f64,
    usual_ns: f64,
    count: f64,
) -> bool {
    let elapsed_ns = now.read.ns_since(base.read).unwrap_or(0) as f64;
    let needed_ns = now.total_ns.saturating_sub(base.total_ns) as f64 / most;
    let whole = (elapsed_ns / usual_ns - LATE_MAX).ceil().max(count);
    needed_ns <= elapsed_ns.max(whole * usual_ns) + USUAL_WITHIN * usual_ns
}

/// The last intervals between readings, ns.
#[derive(Clone, Copy, Debug, Default)]
struct RecentIntervals {
    last_ns: [u64; INTERVALS],
    count: usize,
}

impl RecentIntervals {
    fn note(&mut self, interval_ns: Option<u64>) {
        if let Some(interval_ns) = interval_ns {
            self.last_ns[self.count % INTERVALS] = interval_ns;
            self.count = self.count.wrapping_add(1);
        }
    }

    /// The interval in the middle, of an even number of the last ones. `None` before there
    /// are two.
    #[expect(clippy::cast_precision_loss, reason = "intervals of days are exact")]
    fn usual_ns(&self) -> Option<f64> {
        let even = self.count.min(INTERVALS) & !1;
        let mut last_ns = [0; INTERVALS];
        let places = (0..even).map(|back| self.count.wrapping_sub(back + 1) % INTERVALS);
        for (to, place) in last_ns.iter_mut().zip(places) {
            *to = self.last_ns[place];
        }
        let last_ns = last_ns.get_mut(..even).filter(|it| !it.is_empty())?;
        last_ns.sort_unstable();
        let (below, above) = (last_ns[even / 2 - 1], last_ns[even / 2]);
        Some(f64::midpoint(below as f64, above as f64)).filter(|usual_ns| *usual_ns > 0.0)
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
mod tests;
