//! The ways in which these endpoints write an instant: RFC 3339 with nine
//! fractional digits (the stats document), the HTTP date, and that of a
//! signature; and a clock that is off. No clock is read here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `read` of a container without a sample: Go's zero time.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A clock that is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockOffset {
    /// It is not.
    #[default]
    Right,
    /// By this much in the future.
    Ahead(Duration),
    /// By this much in the past.
    Behind(Duration),
}

impl ClockOffset {
    /// What it shows at that instant.
    #[must_use]
    pub fn of(self, instant: SystemTime) -> SystemTime {
        match self {
            Self::Right => instant,
            Self::Ahead(time) => instant + time,
            Self::Behind(time) => instant - time,
        }
    }
}

/// `2025-02-03T04:05:06.000000789Z`; instants before 1970 read as 1970.
#[must_use]
pub fn rfc3339(instant: SystemTime) -> String {
    let since = since_epoch(instant);
    let (year, month, day) = civil(since.as_secs() / 86_400);
    let (hour, minute, second) = time_of_day(since.as_secs());
    let nanos = since.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// `Mon, 03 Feb 2025 04:05:06 GMT`, the form that HTTP wants in `Date`.
#[must_use]
pub fn http_date(instant: SystemTime) -> String {
    let seconds = since_epoch(instant).as_secs();
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let (hour, minute, second) = time_of_day(seconds);
    let weekday = WEEKDAYS[usize::try_from(days % 7).unwrap_or(0)];
    let month = MONTHS[month - 1];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// `20250203T040506Z`, as in `x-amz-date`. Later instants are greater texts.
#[must_use]
pub fn amz_date(instant: SystemTime) -> String {
    let mut text = rfc3339(instant);
    text.truncate("2025-02-03T04:05:06".len());
    text.retain(|c| c != '-' && c != ':');
    text + "Z"
}

/// Milliseconds since 1970.
#[must_use]
pub fn milliseconds(instant: SystemTime) -> i64 {
    i64::try_from(since_epoch(instant).as_millis()).unwrap_or(i64::MAX)
}

fn since_epoch(instant: SystemTime) -> Duration {
    instant.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn time_of_day(seconds: u64) -> (u64, u64, u64) {
    (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

/// Year, month (1-12) and day (1-31) of a day counted from 1970-01-01. The
/// calendar repeats every 400 years, and a year counted from March has its leap
/// day last (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, usize::try_from(month).unwrap_or(1), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_both_forms() {
        for (seconds, nanos, read, date) in [
            (0, 0, "1970-01-01T00:00:00.000000000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, 5, "2000-02-29T00:00:00.000000005Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (
                1_735_689_599,
                999_999_999,
                "2024-12-31T23:59:59.999999999Z",
                "Tue, 31 Dec 2024 23:59:59 GMT",
            ),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            let instant = UNIX_EPOCH + Duration::new(seconds, nanos);
            assert_eq!(rfc3339(instant), read);
            assert_eq!(http_date(instant), date);
        }
    }
}
