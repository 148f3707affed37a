//! The time of ended processes that counts already, and must not count once more.

/// The time of ended processes that the sum holds, and that somebody else's time of
/// children may soon hold as well, ns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Owed {
    /// Since this reading.
    pub(super) new: u64,
    /// Since the one before.
    pub(super) old: u64,
    /// From rounding.
    pub(super) rounding: u64,
}

impl Owed {
    pub(super) const fn sum(self) -> u64 {
        self.rounding.saturating_add(self.old).saturating_add(self.new)
    }

    /// Pays with `growth_ns`, and gives what is left of that.
    pub(super) fn pay(&mut self, growth_ns: u64) -> u64 {
        let mut left = growth_ns;
        for debt in [&mut self.rounding, &mut self.old, &mut self.new] {
            let paid = left.min(*debt);
            *debt -= paid;
            left -= paid;
        }
        left
    }

    /// The next reading comes.
    pub(super) fn age(&mut self, most_rounding_ns: u64) {
        self.rounding = self.rounding.saturating_add(self.old).min(most_rounding_ns);
        self.old = std::mem::take(&mut self.new);
    }
}
