//! A container as it is, and a kernel that may lie about it.

use super::*;
use crate::kernel::MachineReading;

/// Reproducible dice.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// What is wrong with the kernel's counter, from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    Nothing,
    Frozen,
    TenPercentMore,
    OtherContainer,
    ClockTwoSecondsOff,
}

/// The container as it is: CPU time after so many ms.
#[derive(Debug)]
pub(super) struct Truth {
    /// From this ms on, so many thousandths of all CPUs; ns used until then.
    pieces: Vec<(u64, u64, u64)>,
}

impl Truth {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let (mut at, mut used) = (0, 5_000_000_000 + dice.below(1 << 40));
        let mut pieces = Vec::new();
        while at < RUN_MS + 10_000 {
            let rate = dice.one_of(&[5, 100, 250, 500, 990]);
            pieces.push((at, rate, used));
            let lasts = 300 + dice.below(30_000);
            used += lasts * rate * CPUS * MS / 1000;
            at += lasts;
        }
        Self { pieces }
    }

    pub(super) fn total_ns(&self, ms: u64) -> u64 {
        let piece = self.pieces.partition_point(|(at, ..)| *at <= ms) - 1;
        let (at, rate, used) = self.pieces[piece];
        used + (ms - at) * rate * CPUS * MS / 1000
    }

    /// % of a CPU between two moments.
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    pub(super) fn percent(&self, from_ms: u64, to_ms: u64) -> f64 {
        let used = self.total_ns(to_ms) - self.total_ns(from_ms);
        used as f64 / ((to_ms - from_ms) * MS) as f64 * 100.0
    }
}

/// A kernel that is made up.
pub(super) struct Made {
    pub(super) truth: Rc<Truth>,
    pub(super) now: Rc<Cell<(u64, Instant)>>,
    pub(super) tier: Tier,
    pub(super) lie: Lie,
    pub(super) lies_from_ms: u64,
    /// Its files cannot be read in this time.
    pub(super) gone_ms: std::ops::Range<u64>,
}

impl KernelCounters for Made {
    fn look<'a>(&mut self, _docker_ids: impl Iterator<Item = &'a str> + Clone) {}

    fn is_shared(&self) -> bool {
        true
    }

    fn read(&mut self, _with_memory: bool, visit: &mut dyn FnMut(&str, &KernelReading)) {
        let (ms, at) = self.now.get();
        if self.gone_ms.contains(&ms) {
            return;
        }
        let from = self.lies_from_ms.min(ms);
        let before = self.truth.total_ns(from);
        let grown = self.truth.total_ns(ms) - before;
        let is_lying = ms >= self.lies_from_ms;
        let total_ns = match self.lie {
            _ if !is_lying => self.truth.total_ns(ms),
            Lie::Nothing => self.truth.total_ns(ms),
            Lie::Frozen => before,
            Lie::TenPercentMore if self.lies_from_ms == 0 => self.truth.total_ns(ms) / 10 * 11,
            Lie::TenPercentMore => before + before / 10 + grown / 10 * 11,
            Lie::OtherContainer => before + (ms - from) * 370 * CPUS * MS / 1000 + 777 * MS,
            Lie::ClockTwoSecondsOff => self.truth.total_ns(ms + 2000),
        };
        // The sum over processes begins anywhere.
        let base = if self.tier == Tier::Processes { 3_000_000_000 } else { 0 };
        let generation = u32::from(ms >= self.gone_ms.end);
        let reading = KernelReading {
            tier: self.tier,
            generation,
            before: at,
            after: at,
            total_ns: total_ns - base,
            memory: None,
        };
        visit("w1", &reading);
    }

    fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        let finding =
            Finding { docker_id: "w1", is_own: false, processes: 1, file: Ok(()), sum: Ok(()) };
        std::iter::once(finding)
    }

    containers_only!();
}
