//! The container's own counter, read from its cgroup: the same one that the endpoint
//! gives. So each new reading of the endpoint must lie between the kernel's values
//! before and after it. Whether one of them does, and what that proves.

use super::history::{Bracket, KernelHistory, KernelValue};
use crate::time::Timestamp;

/// How far the moment of the endpoint's counter may be from its stamp, ns. Measured with
/// Docker: 13.5 ms before to 1.9 ms after it on a machine with more to do than CPUs.
/// The kernel adds a tick, 4 or 10 ms, up to which a counter of a running thread lags.
pub(super) const TOLERANCE_NS: u64 = 20_000_000;

/// A clock that is this wrong must be noticed, ns: the counter has to pass the
/// endpoint's value within this time before and after its stamp. Longer than a second,
/// since that is how far apart the kernel's values may be.
const CLOCK_ERROR_NS: u64 = 1_500_000_000;

/// A counter that is off by this part of it must be told from the true one.
const SCALE_ERROR: f64 = 0.1;

/// A reading of the endpoint that agreed, from which growth is counted.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    said_ns: u64,
    /// How far the kernel's values before and after it were apart.
    width_ns: u64,
}

/// What an agreement proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadingVerdict {
    /// A kernel value after the reading is still missing, or one before it.
    Unknown {
        /// It may come.
        is_pending: bool,
    },
    /// The reading lies between the kernel's values.
    Agrees {
        /// A wrong counter would have been told.
        discriminates: bool,
    },
    /// It does not. The counter should have been at least, and at most so much, ns.
    Disagrees { least_ns: u64, most_ns: u64 },
}

/// Agreements one after another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    /// Those that discriminated.
    pub(super) agreed: u32,
    anchor: Option<Anchor>,
    /// The last agreement: which the counter must pass soon after.
    watched: Option<(Timestamp, u64)>,
    /// The kernel's values are not stamped earlier than they are, and not later.
    is_not_early: bool,
    is_not_late: bool,
}

impl Run {
    /// Whether so many agreements are enough. They are not if the clocks were never put
    /// to the test, by this counter or by another: as long as a counter stands still, any
    /// clock agrees.
    pub(super) fn has_proven(&self, needed: u32, are_clocks_proven: bool) -> bool {
        self.agreed >= needed && (are_clocks_proven || self.has_proven_clocks())
    }

    /// Whether the counter has moved just before a reading, and just after one.
    pub(super) fn has_proven_clocks(&self) -> bool {
        self.is_not_early && self.is_not_late
    }

    /// Compares a new reading of the endpoint with the kernel's values.
    pub(super) fn on_endpoint(
        &mut self,
        read: Timestamp,
        said_ns: u64,
        history: &KernelHistory,
    ) -> ReadingVerdict {
        let Bracket { before, after } = history.bracket(read, TOLERANCE_NS);
        // From before the first value: it may be of an earlier run of the container.
        let Some(before) = before else { return ReadingVerdict::Unknown { is_pending: false } };
        let (least_ns, most_ns) = (before.total_ns, after.map_or(u64::MAX, |after| after.total_ns));
        if said_ns < least_ns || said_ns > most_ns {
            return ReadingVerdict::Disagrees { least_ns, most_ns };
        }
        let Some(after) = after else { return ReadingVerdict::Unknown { is_pending: true } };
        let width_ns = after.total_ns - before.total_ns;
        let discriminates = self.take_agreement(said_ns, width_ns);
        let earliest_ns = read.unix_ns().saturating_sub(CLOCK_ERROR_NS - TOLERANCE_NS);
        // If the stamps were too early, this value would be from after the reading.
        let oldest = history.first_from(earliest_ns);
        self.is_not_early |= oldest.is_some_and(|value| value.total_ns < said_ns);
        self.watched = Some((read, said_ns));
        if let Some(last) = history.last_until(latest_in_time_ns(read)) {
            self.on_kernel(last);
        }
        ReadingVerdict::Agrees { discriminates }
    }

    /// The clock was set: what was read before and after it is not compared.
    pub(super) fn on_clock_step(&mut self) {
        self.watched = None;
    }

    /// Takes in a value after a reading that agreed.
    pub(super) fn on_kernel(&mut self, value: KernelValue) {
        let Some((read, said_ns)) = self.watched else { return };
        if value.to.unix_ns() > latest_in_time_ns(read) {
            self.watched = None;
        } else if value.total_ns > said_ns {
            // If the stamps were too late, it would be from before the reading.
            self.is_not_late = true;
            self.watched = None;
        }
    }

    /// Whether a counter that is off by [`SCALE_ERROR`], as a whole or in its growth,
    /// would have fallen outside. A counter that stands still shows neither: it may be
    /// frozen.
    fn take_agreement(&mut self, said_ns: u64, width_ns: u64) -> bool {
        let now = Anchor { said_ns, width_ns };
        let Some(anchor) = self.anchor else {
            self.anchor = Some(now);
            let discriminates = is_narrow(width_ns, said_ns);
            self.agreed += u32::from(discriminates);
            return discriminates;
        };
        let growth_ns = said_ns.saturating_sub(anchor.said_ns);
        let discriminates = is_narrow(width_ns.saturating_add(anchor.width_ns), growth_ns);
        // Growth is counted from a narrow place, or it would never be told.
        if discriminates || width_ns < anchor.width_ns / 2 {
            self.anchor = Some(now);
        }
        self.agreed = self.agreed.saturating_add(u32::from(discriminates));
        discriminates
    }
}

/// Until then the counter has to pass what it was at `read`, ns since the epoch.
fn latest_in_time_ns(read: Timestamp) -> u64 {
    read.unix_ns().saturating_add(CLOCK_ERROR_NS - TOLERANCE_NS)
}

/// Whether a value that is only known within `width_ns` is still told from one that is
/// off by [`SCALE_ERROR`].
#[expect(clippy::cast_precision_loss, reason = "53 bits of a bound")]
fn is_narrow(width_ns: u64, value_ns: u64) -> bool {
    value_ns as f64 * SCALE_ERROR > width_ns as f64 * (1.0 + SCALE_ERROR)
}
