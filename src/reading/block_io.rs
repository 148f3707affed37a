//! Block I/O by device, and how many bytes lie between two readings of it. A volume
//! of the device mapper and the disk under it list the same bytes; this is the place
//! where each byte is counted once.
//!
//! A list says major, minor and bytes. It does not say which device lies on which,
//! so only the numbers can tell. [`BlockIoReading::since`] drops a device if all of
//! this holds:
//!
//! 1. Its major number is one that stacked devices have: 7 (loop), 9 (md), or 240 to
//!    254, from which the kernel takes the device mapper's.
//! 2. A device with another major number moved the same bytes: it grew by exactly as
//!    much in this interval, or their counters differ by less than 1/64. This has to
//!    hold for reads and for writes; where the stacked device has 0, the other may
//!    have any number, since part of a disk may be used directly.
//!    Or all stacked devices together grew by exactly as much as all others together,
//!    as several volumes on one disk do, or one volume on several disks.
//!
//! What is dropped was counted on the other device, so no byte is lost. Devices with
//! one major number are never compared with each other: two disks that were written
//! alike are two disks, and on some machines disks have majors from 240 to 254 too.
//!
//! What remains, because the numbers do not show it: a volume on one disk while
//! another partition of that disk is used directly, a mirror (whose disks each have
//! all of the writes and a part of the reads), and a stacked device that does I/O of
//! its own. Then both devices count, which is what Docker's own sum does.

use std::cmp::Reverse;

/// Devices that are kept apart. A container has two or three; if there are more than
/// this, all of them are one sum, and no byte is looked for twice.
const DEVICES_MAX: usize = 5;

/// Counters of two devices count as equal up to 1/64. They are not read at the same
/// moment, and a device that encrypts has a few megabytes under way.
const TOLERANCE: u64 = 64;

/// What the list of a container's block I/O said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockIo {
    /// There is no list (cgroup v2 before the first I/O), or an empty one (cgroup
    /// v1). The container has done no I/O so far, or nobody counts it here; only a
    /// list that comes later tells which. If one comes, the bytes were 0 until now:
    /// [`BlockIoReading::default`] is the earlier reading. If none ever comes, there
    /// is nothing to publish. After a list it means that the counters are gone,
    /// which is a reset.
    NotListed,
    /// Bytes since the container started.
    Listed(BlockIoReading),
}

/// Bytes read and written since the container started, for each device. Devices
/// without a byte are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockIoReading {
    devices: [Device; DEVICES_MAX],
    count: u8,
    /// There were too many devices: the first one holds the sum of all.
    is_sum: bool,
}

/// Bytes read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockIoBytes {
    /// Read from devices.
    pub read: u64,
    /// Written to devices.
    pub written: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Device {
    major: u32,
    minor: u32,
    bytes: BlockIoBytes,
}

/// A device between two readings.
#[derive(Clone, Copy, Debug, Default)]
struct GrownDevice {
    major: u32,
    minor: u32,
    grown: BlockIoBytes,
    /// What the counters are now.
    total: BlockIoBytes,
    /// Another device repeats its bytes.
    is_repeated: bool,
}

impl BlockIoReading {
    /// Adds what a list has for the device `major:minor`. Further bytes of a device
    /// are added to its earlier ones: a list has reads and writes apart.
    pub fn add(&mut self, major: u32, minor: u32, bytes: BlockIoBytes) {
        if bytes == BlockIoBytes::default() {
            return;
        }
        let listed = &mut self.devices[..usize::from(self.count)];
        let known = listed
            .iter_mut()
            .find(|device| self.is_sum || (device.major, device.minor) == (major, minor));
        if let Some(device) = known {
            device.bytes = device.bytes.plus(bytes);
        } else if let Some(free) = self.devices.get_mut(usize::from(self.count)) {
            *free = Device { major, minor, bytes };
            self.count += 1;
        } else {
            let sum = self.total().plus(bytes);
            *self = Self { is_sum: true, count: 1, ..Self::default() };
            self.devices[0].bytes = sum;
        }
    }

    /// The sum over all devices, as listed: bytes that two devices list count twice.
    #[must_use]
    pub fn total(&self) -> BlockIoBytes {
        self.devices().iter().fold(BlockIoBytes::default(), |sum, device| sum.plus(device.bytes))
    }

    /// The bytes between `earlier` and this reading, each counted once as far as the
    /// numbers show it (see the top of this file). A device that `earlier` does not
    /// have had no bytes then.
    ///
    /// `None` if a counter fell or a device is gone: the container was restarted, or
    /// a disk was detached, and nobody knows the bytes.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<BlockIoBytes> {
        if self.is_sum || earlier.is_sum {
            return self.total().minus(earlier.total());
        }
        if let ([now], [then]) = (self.devices(), earlier.devices())
            && now.is_same(then)
        {
            return now.bytes.minus(then.bytes);
        }
        let mut growths = [GrownDevice::default(); DEVICES_MAX];
        let growths = &mut growths[..usize::from(self.count)];
        let mut found = 0;
        for (growth, now) in growths.iter_mut().zip(self.devices()) {
            let then = earlier.devices().iter().find(|then| now.is_same(then));
            found += usize::from(then.is_some());
            let base = then.map(|then| then.bytes).unwrap_or_default();
            let grown = now.bytes.minus(base)?;
            *growth = GrownDevice {
                major: now.major,
                minor: now.minor,
                grown,
                total: now.bytes,
                is_repeated: false,
            };
        }
        (found == earlier.devices().len()).then(|| each_byte_once(growths))
    }

    fn devices(&self) -> &[Device] {
        &self.devices[..usize::from(self.count)]
    }
}

impl Device {
    fn is_same(&self, other: &Self) -> bool {
        (self.major, self.minor) == (other.major, other.minor)
    }
}

impl GrownDevice {
    /// Whether this device moved no bytes that `other` did not move as well.
    fn is_within(&self, other: &Self) -> bool {
        self.grown.is_within(other.grown, 0) || self.total.is_within(other.total, TOLERANCE)
    }

    fn plus(self, other: &Self) -> Self {
        Self { grown: self.grown.plus(other.grown), total: self.total.plus(other.total), ..self }
    }
}

/// The sum of `growths`, without the devices that repeat what others have.
fn each_byte_once(growths: &mut [GrownDevice]) -> BlockIoBytes {
    let sum = |growths: &[GrownDevice], wanted: &dyn Fn(&GrownDevice) -> bool| {
        growths
            .iter()
            .filter(|growth| wanted(growth))
            .fold(GrownDevice::default(), GrownDevice::plus)
    };
    if growths.len() > 1 && growths.iter().any(|growth| may_be_stacked(growth.major)) {
        // A device repeats one with a lower major number or with one that stacked
        // devices do not have, so what it leads to is decided after it.
        growths.sort_unstable_by_key(|growth| {
            Reverse((may_be_stacked(growth.major), growth.major, growth.minor))
        });
        for place in 0..growths.len() {
            let Some(original) = original_of(growths, place) else { continue };
            let repeated = std::mem::take(&mut growths[place]).grown;
            let original = &mut growths[original];
            // Their counters are not read at the same moment.
            original.grown = original.grown.larger(repeated);
            original.is_repeated = true;
        }
        let repeated = sum(growths, &|growth| growth.is_repeated);
        let stacked = sum(growths, &|growth| !growth.is_repeated && may_be_stacked(growth.major));
        let below = sum(growths, &|growth| !growth.is_repeated && !may_be_stacked(growth.major));
        if stacked.is_within(&below) {
            return below.grown.larger(stacked.grown).plus(repeated.grown);
        }
    }
    sum(growths, &|_| true).grown
}

/// The device with the bytes that the one at `place` repeats.
fn original_of(growths: &[GrownDevice], place: usize) -> Option<usize> {
    let copy = &growths[place];
    if !may_be_stacked(copy.major) || copy.grown == BlockIoBytes::default() {
        return None;
    }
    growths.iter().enumerate().skip(place + 1).find_map(|(original_place, original)| {
        // Of two that may both be stacked on the other only a pair is certain: of a
        // third device with the same bytes nobody knows whose they are.
        let is_pair = || {
            let others = growths.iter().enumerate().filter(|(other, _)| *other != place);
            others.filter(|(_, other)| copy.is_within(other)).count() == 1
        };
        let is_original = original.major != copy.major
            && copy.is_within(original)
            && (!may_be_stacked(original.major) || is_pair());
        is_original.then_some(original_place)
    })
}

/// Whether stacked devices have this major number: loop, md, and the numbers that
/// the kernel gives out at run time, to the device mapper among others.
fn may_be_stacked(major: u32) -> bool {
    matches!(major, 7 | 9 | 240..=254)
}

impl BlockIoBytes {
    fn plus(self, other: Self) -> Self {
        Self {
            read: self.read.saturating_add(other.read),
            written: self.written.saturating_add(other.written),
        }
    }

    fn minus(self, base: Self) -> Option<Self> {
        Some(Self {
            read: self.read.checked_sub(base.read)?,
            written: self.written.checked_sub(base.written)?,
        })
    }

    fn larger(self, other: Self) -> Self {
        Self { read: self.read.max(other.read), written: self.written.max(other.written) }
    }

    /// Whether these bytes are among `other`: none, or as many. A `tolerance` of 64
    /// allows a difference of 1/64, one of 0 allows none.
    fn is_within(self, other: Self, tolerance: u64) -> bool {
        let is_within = |mine: u64, other: u64| {
            mine == 0 || mine.abs_diff(other) <= other.checked_div(tolerance).unwrap_or(0)
        };
        is_within(self.read, other.read) && is_within(self.written, other.written)
    }
}

#[cfg(test)]
mod tests;
