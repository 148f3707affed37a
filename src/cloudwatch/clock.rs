//! The host's clock against CloudWatch's: how far it is ahead by the date of an answer,
//! whether that spoils a signature, and the time as CloudWatch has it, which requests are
//! signed with. That time outlives a client, which would begin with the host's again, and
//! by it credentials expire as well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::date_time::{DateTime, Format};

/// From here on a refused signature is the clock's fault. AWS lets 5 minutes
/// pass; the SDK corrects what it signs by the same measure.
pub(super) const CLOCK_SKEW_SECONDS: i64 = 4 * 60;

/// How far the host's clock is ahead, seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockOffset {
    /// By the answer's date.
    pub(super) ahead: i64,
    /// As was assumed when the request was signed.
    pub(super) signed_ahead: i64,
}

impl ClockOffset {
    /// Whether the signature was made with a wrong time: a right one that is
    /// refused was made with a wrong key, whatever the host's clock shows.
    pub(super) fn spoilt_signature(self) -> bool {
        (self.ahead - self.signed_ahead).abs() >= CLOCK_SKEW_SECONDS
    }
}

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

/// How far the host's clock is ahead of the one that wrote the response's `date`.
pub(super) fn clock_ahead_seconds(response: &HttpResponse, now: SystemTime) -> Option<i64> {
    let date = response.headers().get("date")?;
    let theirs = DateTime::from_str(date, Format::HttpDate).ok()?;
    DateTime::from(now).secs().checked_sub(theirs.secs())
}

#[cfg(test)]
mod tests {
    use aws_smithy_async::time::StaticTimeSource;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn the_clock_is_told_from_the_date() {
        let answer = |date: &'static str| {
            let mut response = HttpResponse::new(403.try_into().unwrap(), SdkBody::empty());
            response.headers_mut().insert("date", date);
            response
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        for (date, ahead) in [
            ("Wed, 18 Nov 2026 18:20:00 GMT", Some(-26_000)),
            ("Wed, 18 Nov 2026 11:06:40 GMT", Some(0)),
            ("yesterday", None),
        ] {
            assert_eq!(clock_ahead_seconds(&answer(date), now), ahead, "{date}");
        }
    }

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
