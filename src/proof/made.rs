//! A counter that is made of estimates: it only grows, and is led to where it should be
//! without a jump, so that its differences stay plausible and its sum comes out right.

/// A difference that could not be made good in its time is, within this one, ns.
const LATE_NS: f64 = 1e9;

/// CPU time that is estimated, ns.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "units in names")]
pub(super) struct MadeCounter {
    total_ns: u64,
    /// What it has still to gain; negative if it is ahead.
    owed_ns: f64,
    /// Over which time, ns.
    owed_for_ns: f64,
}

impl MadeCounter {
    pub(super) fn starting_at(total_ns: f64) -> Self {
        Self { total_ns: to_u64(total_ns), owed_ns: 0.0, owed_for_ns: 0.0 }
    }

    pub(super) const fn total_ns(&self) -> u64 {
        self.total_ns
    }

    /// It should be `target_ns` now, and is led there over the next `within_ns`.
    pub(super) fn lead_to(&mut self, target_ns: f64, within_ns: f64) {
        self.owed_ns = target_ns - to_f64(self.total_ns);
        self.owed_for_ns = within_ns;
    }

    /// Grows by `growth_ns` in `elapsed_ns`, and by the part of what is owed that falls
    /// into this time. Never down: what cannot be taken off now is taken off later.
    pub(super) fn grow(&mut self, growth_ns: f64, elapsed_ns: f64) {
        let part = (elapsed_ns / self.owed_for_ns.max(LATE_NS)).clamp(0.0, 1.0);
        self.owed_for_ns = (self.owed_for_ns - elapsed_ns).max(0.0);
        let grown_ns = to_u64(growth_ns + self.owed_ns * part);
        self.owed_ns += growth_ns - to_f64(grown_ns);
        self.total_ns = self.total_ns.saturating_add(grown_ns);
    }

    /// Is at least `floor_ns`: more than it should be, for now.
    pub(super) fn raise_to(&mut self, floor_ns: u64) {
        if self.total_ns < floor_ns {
            self.owed_ns -= to_f64(floor_ns - self.total_ns);
            self.total_ns = floor_ns;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "CPU time: 53 bits are 104 days of it to the ns")]
pub(super) fn to_f64(ns: u64) -> f64 {
    ns as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "below 0 it is to be 0, and no CPU time is past u64"
)]
pub(super) fn to_u64(ns: f64) -> u64 {
    ns.round() as u64
}
