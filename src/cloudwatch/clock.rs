//! The time as CloudWatch has it: the host's clock, put right by what CloudWatch's
//! answers have said of it. It outlives a client, which would begin with the
//! host's again, and by it credentials expire as well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::{SharedTimeSource, TimeSource};

/// The clock; clones are the same.
#[derive(Clone, Debug)]
pub struct CorrectedClock {
    host: SharedTimeSource,
    /// By how many seconds the host's clock is taken to be ahead.
    ahead_seconds: Arc<AtomicI64>,
}

impl CorrectedClock {
    /// The host's clock, as long as nothing is known against it.
    #[must_use]
    pub fn new(host: SharedTimeSource) -> Self {
        Self { host, ahead_seconds: Arc::default() }
    }

    /// What the host's clock shows.
    pub(super) fn host_time(&self) -> SystemTime {
        self.host.now()
    }

    pub(super) fn ahead_seconds(&self) -> i64 {
        self.ahead_seconds.load(Ordering::Relaxed)
    }

    /// The host's clock is ahead by this, or behind where it is negative.
    pub(super) fn set_ahead_seconds(&self, ahead_seconds: i64) {
        self.ahead_seconds.store(ahead_seconds, Ordering::Relaxed);
    }
}

impl TimeSource for CorrectedClock {
    fn now(&self) -> SystemTime {
        let (host, ahead) = (self.host.now(), self.ahead_seconds());
        let by = Duration::from_secs(ahead.unsigned_abs());
        let corrected = if ahead < 0 { host.checked_add(by) } else { host.checked_sub(by) };
        corrected.unwrap_or(host)
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_async::time::StaticTimeSource;

    use super::*;

    #[test]
    fn the_hosts_time_is_corrected_both_ways_and_for_all_clones() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(10);
        let clock = CorrectedClock::new(SharedTimeSource::new(StaticTimeSource::new(time)));
        let clone = clock.clone();
        assert_eq!(clone.now(), time);
        clock.set_ahead_seconds(7200);
        assert_eq!(clone.now(), time - Duration::from_hours(2));
        clock.set_ahead_seconds(-900);
        assert_eq!(clone.now(), time + Duration::from_mins(15));
        assert_eq!(clone.host_time(), time);
        // Further than the beginning of time.
        clock.set_ahead_seconds(i64::MAX);
        let _ = clone.now();
    }
}
