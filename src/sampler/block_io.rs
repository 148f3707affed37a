//! Block I/O: bytes read and written by one container, from one reading to the next.
//! Which devices list the same bytes is decided where the readings are compared
//! (`reading::block_io`), whether their growth can be believed in `growth`.

use super::growth::{Grown, GrowthWatch, Point};
use crate::{
    reading::{BlockIo, BlockIoReading},
    time::Timestamp,
};

/// The counters of one container.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BlockIoGrowth {
    growth: GrowthWatch,
    /// The reading up to which all is accounted for, and the last one.
    base: Option<(Timestamp, BlockIoReading)>,
    last: Option<(Timestamp, BlockIoReading)>,
    /// Whether there has been a list since the container started.
    has_list: bool,
    /// The CPU counter of the last reading.
    cpu_ns: Option<u64>,
    /// Where the CPU counter was before it fell with the list gone: a restart, if it does
    /// not come back.
    fell_from_ns: Option<u64>,
}

impl BlockIoGrowth {
    /// Takes in what a new reading lists. `cpu_ns` is its CPU counter, which falls when the
    /// container is restarted under its id.
    pub(super) fn on_reading(
        &mut self,
        read: Timestamp,
        block_io: BlockIo,
        cpu_ns: Option<u64>,
    ) -> Grown {
        let fell_from_ns = self.cpu_ns.filter(|before| cpu_ns.is_some_and(|now| now < *before));
        self.cpu_ns = cpu_ns.or(self.cpu_ns);
        match block_io {
            // Nothing was counted before the first list.
            BlockIo::NotListed if !self.has_list => {
                self.begin(read);
                Grown::Nothing
            }
            BlockIo::NotListed => {
                let was_known = self.base.is_some();
                if fell_from_ns.is_some() {
                    (self.has_list, self.fell_from_ns) = (false, fell_from_ns);
                    self.begin(read);
                } else {
                    self.forget();
                }
                if was_known { Grown::Unknown } else { Grown::Nothing }
            }
            BlockIo::Listed(reading) => {
                let fell_from_ns = self.fell_from_ns.take();
                if fell_from_ns.is_some_and(|before| cpu_ns.is_none_or(|now| now >= before)) {
                    // No restart, or nobody can tell: the list may be the old one.
                    self.forget();
                }
                // All of it came since that zero, however much it is.
                if !std::mem::replace(&mut self.has_list, true) && self.base.is_some() {
                    self.growth.trust_next();
                }
                self.on_list((read, reading))
            }
        }
    }

    /// From here on, all that a list has is new.
    fn begin(&mut self, read: Timestamp) {
        let zero = (read, BlockIoReading::default());
        self.growth.forget();
        self.growth.on_point(point(zero));
        (self.base, self.last) = (Some(zero), Some(zero));
    }

    fn on_list(&mut self, now: (Timestamp, BlockIoReading)) -> Grown {
        let outcome = self.growth.on_point(point(now));
        let last = self.last.replace(now);
        let Grown::Grew { since, .. } = outcome else {
            if self.base.is_none() {
                self.base = Some(now);
            }
            return outcome;
        };
        let from = [self.base, last].into_iter().flatten();
        let from = from.into_iter().find(|(read, _)| read.unix_ns() == since.at_ns);
        self.base = Some(now);
        match from.and_then(|(_, from)| now.1.since(&from)) {
            Some(bytes) => Grown::Grew { since, by: [bytes.read, bytes.written] },
            None => Grown::Unknown,
        }
    }

    /// The next reading is a base: the clock was set.
    pub(super) fn forget(&mut self) {
        self.growth.forget();
        (self.base, self.last) = (None, None);
    }
}

fn point((read, reading): (Timestamp, BlockIoReading)) -> Point {
    let total = reading.total();
    Point { at_ns: read.unix_ns(), totals: [total.read, total.written] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::BlockIoBytes;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_ns(second * 1_000_000_000)
    }

    fn disk(read: u64) -> BlockIo {
        let mut reading = BlockIoReading::default();
        reading.add(259, 0, BlockIoBytes { read, written: 2 * read });
        BlockIo::Listed(reading)
    }

    /// Bytes read, of what `(second, list)` come to, while the CPU counter grows.
    fn seen(rows: &[(u64, BlockIo)]) -> Vec<u64> {
        let rows: Vec<_> =
            rows.iter().map(|&(second, list)| (second, list, Some(second))).collect();
        seen_with_cpu(&rows)
    }

    /// The same of `(second, list, CPU counter)`.
    fn seen_with_cpu(rows: &[(u64, BlockIo, Option<u64>)]) -> Vec<u64> {
        let mut block_io = BlockIoGrowth::default();
        let outcomes = rows
            .iter()
            .map(|&(second, list, cpu_ns)| block_io.on_reading(at(second), list, cpu_ns));
        outcomes
            .filter_map(|outcome| match outcome {
                Grown::Grew { by, .. } => Some(by[0]),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_first_bytes_are_not_lost() {
        let none = BlockIo::NotListed;
        assert_eq!(
            seen(&[(10, none), (11, none), (12, disk(4096)), (13, disk(8192))]),
            [4096, 4096]
        );
        // However many they are: 40 MiB in a second, and little after it.
        let rows = [(10, none), (11, none), (12, disk(40 << 20)), (13, disk(41 << 20))];
        assert_eq!(seen(&rows), [40 << 20, 1 << 20]);
        // A list that is gone, of a container that goes on, is a reset.
        assert_eq!(
            seen(&[(10, disk(4096)), (11, none), (12, disk(4096)), (13, disk(8192))]),
            [4096]
        );
    }

    #[test]
    fn the_first_bytes_after_a_restart_are_not_lost_either() {
        let none = BlockIo::NotListed;
        let (before, after) = ((10, disk(1 << 30), Some(9000)), (15, disk(12_288), Some(500)));
        for nulls in [
            &[(11, none, Some(100)), (12, none, Some(200))][..],
            // The list goes first.
            &[(11, none, Some(9500)), (12, none, Some(200))],
            &[(11, none, None), (12, none, Some(200))],
            // And again, before there was a list.
            &[(11, none, Some(300)), (12, none, Some(50))],
        ] {
            let rows = [&[before], nulls, &[(14, disk(8192), Some(400)), after]].concat();
            assert_eq!(seen_with_cpu(&rows), [8192, 4096], "{nulls:?}");
        }
        // A wrong low value, or no restart, or a counter that is missing: the list is a base.
        let old = disk((1 << 30) + 4096);
        for (low, back) in
            [(Some(7), Some(9500)), (Some(9500), Some(9600)), (None, None), (Some(7), None)]
        {
            let rows = [before, (11, none, low), (12, old, back), (13, old, Some(9700))];
            assert_eq!(seen_with_cpu(&rows), [0], "{low:?} {back:?}");
        }
    }

    #[test]
    fn the_same_bytes_under_two_devices_count_once_through_jumps_and_falls() {
        let both = |read: u64| {
            let mut reading = BlockIoReading::default();
            reading.add(259, 0, BlockIoBytes { read, written: 0 });
            reading.add(253, 0, BlockIoBytes { read, written: 0 });
            BlockIo::Listed(reading)
        };
        let high = 1 << 40;
        let rows = [
            (10, both(high)),
            (11, both(high + 4096)),
            (12, both(7)),
            (13, both(high + 8192)),
            (14, both(high + 12_288)),
            // A fast disk, confirmed by the next reading.
            (15, both(high + (1 << 35))),
            (16, both(high + (2 << 35))),
        ];
        assert_eq!(seen(&rows), [4096, 4096, (2 << 35) - 12_288]);
    }
}
