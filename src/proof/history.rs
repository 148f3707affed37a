//! What the kernel said of one counter in the last minute or more: a ring of fixed
//! length, so that nothing is allocated once it is made. The endpoint's readings come
//! late, and are compared with the values before and after their moment.

use crate::time::Timestamp;

/// How many values are kept: 70 s of five a second, and two more around each of the
/// endpoint's renewals, one a second.
const LENGTH: usize = 512;

/// A counter that only grows, read from the kernel between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelValue {
    /// The wall clock before it was read.
    pub from: Timestamp,
    /// The wall clock after it was read. The thread may have waited for the CPU in
    /// between.
    pub to: Timestamp,
    /// CPU time since the container started, or of its processes, ns.
    pub total_ns: u64,
}

impl KernelValue {
    /// The moment that the value is taken to be of, ns since the epoch.
    pub(super) const fn middle_ns(&self) -> u64 {
        let from_ns = self.from.unix_ns();
        from_ns + self.width_ns() / 2
    }

    /// How long reading it took, ns.
    pub(super) const fn width_ns(&self) -> u64 {
        self.to.unix_ns().saturating_sub(self.from.unix_ns())
    }
}

/// The values between which a counter must have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bracket {
    /// The last value that is certainly from before the moment.
    pub(super) before: Option<KernelValue>,
    /// The first one that is certainly from after it.
    pub(super) after: Option<KernelValue>,
}

/// What became of a new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It follows the one before.
    Next,
    /// It is not later than the one before, and left out.
    NotLater,
    /// The counter fell.
    Fell,
}

/// The last values, in the order of their times.
#[derive(Debug)]
pub(super) struct KernelHistory {
    ring: Box<[KernelValue; LENGTH]>,
    /// Where the next one goes.
    next: usize,
    length: usize,
}

impl KernelHistory {
    pub(super) fn new() -> Self {
        let epoch = Timestamp::from_unix_ns(0);
        let none = KernelValue { from: epoch, to: epoch, total_ns: 0 };
        Self { ring: Box::new([none; LENGTH]), next: 0, length: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Takes in a value. One that fell is left out.
    pub(super) fn push(&mut self, value: KernelValue) -> Pushed {
        if let Some(last) = self.last() {
            if value.to < value.from || value.from < last.from || value.to <= last.to {
                return Pushed::NotLater;
            }
            if value.total_ns < last.total_ns {
                return Pushed::Fell;
            }
        }
        self.ring[self.next] = value;
        self.next = (self.next + 1) % LENGTH;
        self.length = (self.length + 1).min(LENGTH);
        Pushed::Next
    }

    pub(super) fn last(&self) -> Option<KernelValue> {
        self.get(self.length.checked_sub(1)?)
    }

    /// The value at this place, the oldest first.
    fn get(&self, place: usize) -> Option<KernelValue> {
        let oldest = self.next + LENGTH - self.length;
        (place < self.length).then(|| self.ring[(oldest + place) % LENGTH])
    }

    /// How many of the oldest values fulfil `is_before`, which no later one does after
    /// the first that does not.
    fn count(&self, is_before: impl Fn(&KernelValue) -> bool) -> usize {
        let (mut low, mut high) = (0, self.length);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.get(middle).is_some_and(|value| is_before(&value)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The first value that was read at `ns` or later.
    pub(super) fn first_from(&self, ns: u64) -> Option<KernelValue> {
        self.get(self.count(|value| value.from.unix_ns() < ns))
    }

    /// The last value that was read by `ns`.
    pub(super) fn last_until(&self, ns: u64) -> Option<KernelValue> {
        self.get(self.count(|value| value.to.unix_ns() <= ns).checked_sub(1)?)
    }

    /// The values around `read`, which may be this much earlier or later than its stamp.
    pub(super) fn bracket(&self, read: Timestamp, tolerance_ns: u64) -> Bracket {
        let before = self.last_until(read.unix_ns().saturating_sub(tolerance_ns));
        let after = self.first_from(read.unix_ns().saturating_add(tolerance_ns));
        Bracket { before, after }
    }

    /// What the counter was at `read`, as if it grew evenly from one value to the next.
    /// `None` if `read` is not between two values.
    pub(super) fn at(&self, read: Timestamp) -> Option<u64> {
        let read_ns = read.unix_ns();
        let until = self.count(|value| value.middle_ns() <= read_ns);
        let before = self.get(until.checked_sub(1)?)?;
        let after = self.get(until)?;
        between((before.middle_ns(), before.total_ns), (after.middle_ns(), after.total_ns), read_ns)
    }
}

/// The value at `at_ns` on the line from one point (time, value) to a later one. `None`
/// if it is not between them.
pub(super) fn between(from: (u64, u64), to: (u64, u64), at_ns: u64) -> Option<u64> {
    let elapsed = u128::from(at_ns.checked_sub(from.0)?);
    let length = u128::from(to.0.checked_sub(from.0)?);
    if elapsed > length {
        return None;
    }
    let growth = u128::from(to.1.checked_sub(from.1)?);
    let part = (growth * elapsed).checked_div(length).unwrap_or(0);
    Some(from.1 + u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(from_ms: u64, to_ms: u64, total_ns: u64) -> KernelValue {
        let ms = |ms: u64| Timestamp::from_unix_ns(ms * 1_000_000);
        KernelValue { from: ms(from_ms), to: ms(to_ms), total_ns }
    }

    #[test]
    fn a_moment_lies_between_the_values_that_are_surely_before_and_after_it() {
        let mut history = KernelHistory::new();
        for second in 1..=3 {
            let pushed = history.push(value(second * 1000, second * 1000 + 10, second * 100));
            assert_eq!(pushed, Pushed::Next);
        }
        for (read_ms, before, after) in [
            (900, None, Some(100)),
            (1029, None, Some(200)),
            (1030, Some(100), Some(200)),
            (1500, Some(100), Some(200)),
            (1980, Some(100), Some(200)),
            (1981, Some(100), Some(300)),
            (2029, Some(100), Some(300)),
            (2990, Some(200), None),
            (3500, Some(300), None),
        ] {
            let read = Timestamp::from_unix_ns(read_ms * 1_000_000);
            let bracket = history.bracket(read, 20_000_000);
            let totals = [bracket.before, bracket.after].map(|it| it.map(|value| value.total_ns));
            assert_eq!(totals, [before, after], "{read_ms}");
        }
        let at = |ms: u64| history.at(Timestamp::from_unix_ns(ms * 1_000_000));
        assert_eq!([at(1000), at(1005), at(1505), at(3005), at(3006)], {
            [None, Some(100), Some(150), None, None]
        });
    }

    #[test]
    fn values_that_are_no_later_or_fell_are_left_out() {
        let mut history = KernelHistory::new();
        assert_eq!(history.push(value(1000, 1001, 50)), Pushed::Next);
        assert_eq!(history.push(value(1000, 1001, 60)), Pushed::NotLater);
        assert_eq!(history.push(value(900, 1002, 60)), Pushed::NotLater);
        assert_eq!(history.push(value(1002, 1001, 60)), Pushed::NotLater);
        assert_eq!(history.push(value(2000, 2001, 49)), Pushed::Fell);
        assert_eq!(history.push(value(2000, 2001, 50)), Pushed::Next);
    }

    #[test]
    fn the_oldest_make_room_and_more_than_a_minute_stays() {
        let mut history = KernelHistory::new();
        // Five a second, and two around each of the endpoint's.
        for n in 0..5000_u64 {
            assert_eq!(history.push(value(n * 1000 / 7, n * 1000 / 7, n)), Pushed::Next);
        }
        let last_ms = 4999 * 1000 / 7;
        let read = |ms: u64| Timestamp::from_unix_ns(ms * 1_000_000);
        for age_ms in (1..70_000).step_by(97) {
            let at_ms = last_ms - age_ms;
            let around = history.bracket(read(at_ms), 0);
            let (before, after) = (around.before.unwrap(), around.after.unwrap());
            assert!(before.total_ns <= after.total_ns && after.total_ns - before.total_ns <= 1);
        }
        assert_eq!(history.bracket(read(last_ms - 80_000), 0).before, None);
    }
}
