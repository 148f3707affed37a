//! What is handed on, in which order: values of two sources as one counter. A difference
//! may begin with a value of the one and end with a value of the other, and no CPU time is
//! counted twice or lost.

use std::time::{Duration, Instant};

use super::{event::Handed, history::KernelValue};
use crate::{
    reading::{CpuReading, Tier},
    time::Timestamp,
};

/// Values of different sources are only differenced if they are so far apart, ns: the
/// endpoint's stamp and its counter lie up to 14 ms apart, which is 3 % of this time but
/// much of a shorter one.
const JOIN_MIN_NS: u64 = 500_000_000;
/// A kernel value that took longer to read is of an uncertain moment, ns: it is good for
/// a comparison, but 1 % of a second off. It is good enough if it is so small a part of
/// the time since the last value: on a host that has no CPU for us, some values are better
/// than none.
const WIDTH_MAX_NS: u64 = 20_000_000;
const WIDTH_PARTS: u64 = 50;
/// If the endpoint's readings stay older than the kernel's last value for so long, they
/// are taken as they are.
const OLDER_FOR_MAX: Duration = Duration::from_mins(1);

/// A value that was handed on.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// Its moment; `None` if the clock was set since.
    read: Option<Timestamp>,
    /// Of the kernel: when. `None` if it is the endpoint's.
    kernel_at: Option<Instant>,
    total_ns: u64,
    /// It is not proven: the container is at rest by both sources.
    is_at_rest: bool,
}

/// What was handed on last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handing {
    last: Option<Last>,
    /// What was handed on of an estimate: nothing less may follow.
    floor_ns: u64,
}

impl Handing {
    pub(super) const fn floor_ns(&self) -> u64 {
        self.floor_ns
    }

    /// The container was restarted: its counter falls. What follows is of another run, so it
    /// need not be apart from what was handed on of the one before.
    pub(super) fn on_restart(&mut self) {
        *self = Self::default();
    }

    /// The container's own counter is read anew, and has so much. If that is less than what was
    /// handed on, the container was restarted, whether or not the endpoint will show a fall.
    pub(super) fn on_read_anew(&mut self, total_ns: u64) {
        if self.last.is_some_and(|last| total_ns < last.total_ns) {
            self.distrust();
        }
    }

    pub(super) fn on_clock_step(&mut self) {
        self.last = self.last.map(|last| Last { read: None, ..last });
    }

    /// Hands on a kernel value that is proven. `cpu` is the container's counter then.
    pub(super) fn kernel(
        &mut self,
        tier: Tier,
        value: KernelValue,
        cpu: CpuReading,
        now: Instant,
    ) -> Handed {
        let read = Timestamp::from_unix_ns(value.middle_ns());
        let endpoint = self.last.filter(|last| last.kernel_at.is_none());
        let is_too_early =
            endpoint.and_then(|last| last.read).is_some_and(|last_read| !is_apart(last_read, read));
        let last_read = self.last.and_then(|last| last.read);
        let since_ns = last_read.and_then(|last_read| read.ns_since(last_read)).unwrap_or(0);
        if value.width_ns() > WIDTH_MAX_NS.max(since_ns / WIDTH_PARTS) || is_too_early {
            return Handed::Nothing;
        }
        if tier == Tier::Processes {
            self.floor_ns = cpu.total_usage_ns;
        }
        let total_ns = cpu.total_usage_ns;
        let last = Last { read: Some(read), kernel_at: Some(now), total_ns, is_at_rest: false };
        let before = self.last.replace(last);
        if before.is_some_and(|before| before.read.is_none()) {
            return Handed::Base { read, cpu };
        }
        Handed::Counter { read, cpu }
    }

    /// The same of a container at rest, whose counter is not proven.
    pub(super) fn kernel_at_rest(
        &mut self,
        tier: Tier,
        value: KernelValue,
        cpu: CpuReading,
        now: Instant,
    ) -> Handed {
        let handed = self.kernel(tier, value, cpu, now);
        if let (Some(last), true) = (&mut self.last, handed != Handed::Nothing) {
            last.is_at_rest = true;
        }
        handed
    }

    /// Whether the last value was the kernel's of a container at rest, and this one is not
    /// the same.
    pub(super) fn is_from_rest(&self, cpu: CpuReading) -> bool {
        self.last.is_some_and(|last| last.is_at_rest && last.total_ns != cpu.total_usage_ns)
    }

    /// Hands on a reading of the endpoint, which counts. `is_dated` if it is known to be
    /// from after the last step of the clock.
    pub(super) fn endpoint(
        &mut self,
        read: Timestamp,
        cpu: CpuReading,
        is_dated: bool,
        now: Instant,
    ) -> Handed {
        let mut is_base = false;
        if let Some(Last { read: last_read, kernel_at: Some(at), total_ns, .. }) = self.last
            && !last_read.is_some_and(|last_read| is_apart(last_read, read))
        {
            let is_good = match last_read {
                // A container at rest: it says again what the kernel said later.
                Some(last_read) if read <= last_read && cpu.total_usage_ns == total_ns => false,
                Some(_) => now.saturating_duration_since(at) > OLDER_FOR_MAX,
                None => is_dated,
            };
            if !is_good {
                return Handed::Nothing;
            }
            is_base = true;
            self.floor_ns = 0;
        }
        // An estimate that was ahead is waited for.
        let total_usage_ns = cpu.total_usage_ns.max(self.floor_ns);
        if cpu.total_usage_ns >= self.floor_ns {
            self.floor_ns = 0;
        }
        let total_ns = total_usage_ns;
        let cpu = CpuReading { total_usage_ns, ..cpu };
        self.last = Some(Last { read: Some(read), kernel_at: None, total_ns, is_at_rest: false });
        if is_base { Handed::Base { read, cpu } } else { Handed::Counter { read, cpu } }
    }

    /// What was handed on last may be wrong: the next value is a new base.
    pub(super) fn distrust(&mut self) {
        self.floor_ns = 0;
        self.last = self.last.map(|last| Last { read: None, ..last });
    }

    /// What the kernel said last may be wrong: the endpoint's reading is a new base. If
    /// the last value was the endpoint's, nothing is to be taken back.
    pub(super) fn on_refutation(&mut self, read: Timestamp, cpu: CpuReading) -> Handed {
        if self.last.is_none_or(|last| last.kernel_at.is_none()) {
            return Handed::Nothing;
        }
        self.floor_ns = 0;
        let total_ns = cpu.total_usage_ns;
        self.last = Some(Last { read: Some(read), kernel_at: None, total_ns, is_at_rest: false });
        Handed::Base { read, cpu }
    }
}

fn is_apart(from: Timestamp, to: Timestamp) -> bool {
    to.ns_since(from).is_some_and(|ns| ns >= JOIN_MIN_NS)
}
