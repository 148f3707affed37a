//! Points in time as the endpoint writes them: RFC 3339 text to nanoseconds
//! since the Unix epoch. What the time is *now* does not live here; no clock is
//! read.

use std::fmt;

const NS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Nanoseconds since the Unix epoch, UTC. Reaches to the year 2554.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point `unix_ns` nanoseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_unix_ns(unix_ns: u64) -> Self {
        Self(unix_ns)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn unix_ns(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down: what CloudWatch keeps.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Nanoseconds from `earlier` to `self`; `None` where `earlier` is later.
    #[must_use]
    pub const fn ns_since(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }

    /// Parses `2026-01-02T03:04:05.123456789Z`, with any number of fractional
    /// digits (those past the ninth are dropped) and `Z` or `±hh:mm`.
    ///
    /// # Errors
    ///
    /// [`TimestampError::BeforeEpoch`] for what precedes 1970: Docker writes
    /// `0001-01-01T00:00:00Z` for "never read". [`TimestampError::Malformed`]
    /// for all else, a day that the month does not have and a year past 2554
    /// included.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        parse(text.as_bytes())
    }
}

/// Why a text is no [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampError {
    /// Not RFC 3339, or out of range.
    Malformed,
    /// A valid time before 1970: the endpoint's way to say "no sample yet".
    BeforeEpoch,
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an RFC 3339 timestamp",
            Self::BeforeEpoch => "before 1970",
        })
    }
}

impl std::error::Error for TimestampError {}

fn parse(text: &[u8]) -> Result<Timestamp, TimestampError> {
    use TimestampError::{BeforeEpoch, Malformed};

    let (date_and_time, rest) = text.split_at_checked(19).ok_or(Malformed)?;
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        mo1,
        mo2,
        b'-',
        d1,
        d2,
        b'T' | b't' | b' ',
        h1,
        h2,
        b':',
        mi1,
        mi2,
        b':',
        s1,
        s2,
    ] = date_and_time
    else {
        return Err(Malformed);
    };
    let year = number(&[y1, y2, y3, y4])?;
    let month = number(&[mo1, mo2])?;
    let day = number(&[d1, d2])?;
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[mi1, mi2])?, number(&[s1, s2])?);
    // A leap second is written :60; Go never writes one, RFC 3339 allows it.
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return Err(Malformed);
    }

    let (fraction_ns, rest) = fraction(rest)?;
    let offset_seconds = offset(rest)?;
    let seconds =
        days_since_epoch(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second
            - offset_seconds;
    let seconds = u64::try_from(seconds).map_err(|_| BeforeEpoch)?;
    seconds
        .checked_mul(NS_PER_SECOND)
        .and_then(|ns| ns.checked_add(fraction_ns))
        .map(Timestamp)
        .ok_or(Malformed)
}

fn number(digits: &[u8]) -> Result<i64, TimestampError> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Ok(value * 10 + i64::from(digit - b'0')),
        _ => Err(TimestampError::Malformed),
    })
}

/// `.123` to nanoseconds, and what follows it.
fn fraction(text: &[u8]) -> Result<(u64, &[u8]), TimestampError> {
    let Some(text) = text.strip_prefix(b".") else {
        return Ok((0, text));
    };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Err(TimestampError::Malformed);
    }
    let (digits, rest) = text.split_at(length);
    let ns = (0..9).fold(0, |ns, place| {
        ns * 10 + digits.get(place).map_or(0, |digit| u64::from(digit - b'0'))
    });
    Ok((ns, rest))
}

/// `Z` or `±hh:mm` to seconds east of UTC.
fn offset(text: &[u8]) -> Result<i64, TimestampError> {
    match *text {
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return Err(TimestampError::Malformed);
            }
            let seconds = hours * 3600 + minutes * 60;
            Ok(if sign == b'-' { -seconds } else { seconds })
        }
        _ => Err(TimestampError::Malformed),
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, negative before.
/// Years are counted from March, so that the leap day ends a year; 719,468 is
/// the number of days from 0000-03-01 to 1970-01-01.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_docker_and_the_agent_write() {
        for (text, unix_ns) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000000001Z", 1),
            ("2000-02-29T12:00:00Z", 951_825_600_000_000_000),
            ("2024-02-29T23:59:59.5Z", 1_709_251_199_500_000_000),
            ("2026-11-24T10:00:00.123456789Z", 1_795_514_400_123_456_789),
            ("2026-11-24T10:00:00.1234567899Z", 1_795_514_400_123_456_789),
            ("2026-11-24T12:30:00+02:30", 1_795_514_400_000_000_000),
            ("2026-11-24T02:00:00-08:00", 1_795_514_400_000_000_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
            ("2554-07-21T23:34:33Z", 18_446_744_073_000_000_000),
        ] {
            assert_eq!(Timestamp::parse(text).map(Timestamp::unix_ns), Ok(unix_ns), "{text}");
        }
    }

    #[test]
    fn never_read_is_before_the_epoch() {
        for text in
            ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00+00:01"]
        {
            assert_eq!(Timestamp::parse(text), Err(TimestampError::BeforeEpoch), "{text}");
        }
    }

    #[test]
    fn rejects_everything_else() {
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T10:00:00",
            "2026-11-24T10:00:00.Z",
            "2026-11-24T10:00:00.5",
            "2026-11-24T10:00:00Zx",
            "2026-11-24T10:00:00+2:00",
            "2026-11-24T10:00:00+24:00",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-04-00T00:00:00Z",
            "2026-04-01T24:00:00Z",
            "2026-04-01T00:60:00Z",
            "2026-04-01T00:00:61Z",
            "+026-04-01T00:00:00Z",
            "2554-07-22T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "２026-04-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), Err(TimestampError::Malformed), "{text}");
        }
    }

    #[test]
    fn differences_never_wrap() {
        let (early, late) = (Timestamp::from_unix_ns(1), Timestamp::from_unix_ns(3));
        assert_eq!(late.ns_since(early), Some(2));
        assert_eq!(early.ns_since(late), None);
    }
}
