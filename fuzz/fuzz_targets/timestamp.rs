//! `read` times, twice over. The input as text: what it is has to be what a
//! second, slower reading of RFC 3339 says. The input as numbers: two points in
//! time, written in any of the forms that are allowed, are read as they were, in
//! their order.

#![no_main]

use esp::time::timestamp::{Timestamp, TimestampError};
use libfuzzer_sys::fuzz_target;

const NS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

fuzz_target!(|data: &[u8]| {
    esp_fuzz::run(|| {
        if let Ok(text) = std::str::from_utf8(data) {
            check_text(text);
        }
        check_numbers(data);
    });
});

fn check_text(text: &str) {
    let outcome = Timestamp::parse(text);
    assert_eq!(outcome, parse_slowly(text), "{text:?}");
    match outcome {
        Ok(read) => {
            let form = Form { digits: 9, offset_minutes: 0, letters: *b"TZ" };
            assert_eq!(Timestamp::parse(&form.write(read.unix_ns())), Ok(read), "{text:?}");
        }
        // It becomes part of a line of the log.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_numbers(data: &[u8]) {
    let byte = |place: usize| data.get(place).copied().unwrap_or_default();
    let number = |from: usize| {
        let bytes: [u8; 8] = std::array::from_fn(|place| byte(from + place));
        u64::from_le_bytes(bytes)
    };
    let form = Form {
        digits: usize::from(byte(16) % 20),
        offset_minutes: i64::from(i16::from_le_bytes([byte(17), byte(18)]) % 1440),
        letters: [b"Tt "[usize::from(byte(19) % 3)], b"Zz"[usize::from(byte(20) % 2)]],
    };
    // What follows the last digit is lost.
    let kept_ns = 10_u64.pow(9_u32.saturating_sub(u32::try_from(form.digits).unwrap()));
    let points = [number(0), number(8)].map(|unix_ns| unix_ns - unix_ns % kept_ns);
    let [first, second] = points.map(|unix_ns| {
        let text = form.write(unix_ns);
        let read = Timestamp::parse(&text);
        assert_eq!(read, Ok(Timestamp::from_unix_ns(unix_ns)), "{text:?}");
        read.unwrap()
    });
    assert_eq!(first.cmp(&second), points[0].cmp(&points[1]));
    assert_eq!(second.ns_since(first), points[1].checked_sub(points[0]));
    assert_eq!(first.unix_ms(), points[0] / 1_000_000);
}

/// One of the ways to write a time.
struct Form {
    /// Of the fraction; past the ninth they are the text's own.
    digits: usize,
    /// East of UTC. 0 is written as a letter.
    offset_minutes: i64,
    /// Between date and time, and for UTC.
    letters: [u8; 2],
}

impl Form {
    fn write(&self, unix_ns: u64) -> String {
        let mut seconds = i64::try_from(unix_ns / NS_PER_SECOND).unwrap();
        // What is west of the epoch is written in UTC.
        let offset_minutes = match self.offset_minutes {
            minutes if seconds + minutes * 60 < 0 => 0,
            minutes => minutes,
        };
        seconds += offset_minutes * 60;
        let seconds = u64::try_from(seconds).unwrap();
        let (year, month, day) = date(seconds / SECONDS_PER_DAY);
        let time = seconds % SECONDS_PER_DAY;
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let mut fraction = format!(".{:09}7318402957", unix_ns % NS_PER_SECOND);
        fraction.truncate(if self.digits == 0 { 0 } else { 1 + self.digits });
        let [between, utc] = self.letters.map(char::from);
        let zone = match offset_minutes {
            0 => utc.to_string(),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        };
        format!(
            "{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}{fraction}{zone}"
        )
    }
}

/// The date `days` after 1970-01-01, counted off year by year and month by month.
fn date(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    for (month, length) in (1..).zip(days_in_months(year)) {
        if days < length {
            return (year, month, days + 1);
        }
        days -= length;
    }
    unreachable!("a year has as many days as its months")
}

fn days_in_year(year: u64) -> u64 {
    days_in_months(year).iter().sum()
}

fn days_in_months(year: u64) -> [u64; 12] {
    let is_leap = year.is_multiple_of(400) || (year.is_multiple_of(4) && !year.is_multiple_of(100));
    [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// RFC 3339, section 5.6, by its letters: a mask for what has a fixed place,
/// a number where the mask has a 0, and days counted off one year at a time.
fn parse_slowly(text: &str) -> Result<Timestamp, TimestampError> {
    let read = || {
        let (date_and_time, rest) = (text.get(..19)?, text.get(19..)?);
        let is_like = |(byte, mask): (u8, u8)| match mask {
            b'0' => byte.is_ascii_digit(),
            b'T' => b"Tt ".contains(&byte),
            mask => byte == mask,
        };
        if !date_and_time.bytes().zip(*b"0000-00-00T00:00:00").all(is_like) {
            return None;
        }
        let number = |range: std::ops::Range<usize>| date_and_time.get(range)?.parse::<u64>().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let months = days_in_months(year);
        let length = *months.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
        if day < 1 || day > length || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let earlier: u64 = months.iter().take(usize::try_from(month).ok()? - 1).sum();
        let since_new_year = i128::from(earlier + day - 1);
        let to_new_year: i128 = if year >= 1970 {
            (1970..year).map(|year| i128::from(days_in_year(year))).sum()
        } else {
            -(year..1970).map(|year| i128::from(days_in_year(year))).sum::<i128>()
        };

        let zone_at = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (fraction, zone) = rest.split_at(zone_at);
        let fraction_ns = match fraction.strip_prefix('.') {
            Some(digits) if !digits.is_empty() && !digits.contains('.') => {
                format!("{digits:0<9}")[..9].parse::<u64>().ok()?
            }
            None if fraction.is_empty() => 0,
            _ => return None,
        };
        let offset_minutes = if zone.eq_ignore_ascii_case("z") {
            0
        } else {
            let (sign, zone) = zone.split_at_checked(1)?;
            let (hours, minutes) = zone.split_once(':')?;
            let two = |text: &str, most| {
                let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<i128>().ok().filter(|number| is_number && *number <= most)
            };
            let minutes = two(hours, 23)? * 60 + two(minutes, 59)?;
            match sign {
                "+" => minutes,
                "-" => -minutes,
                _ => return None,
            }
        };
        let days = to_new_year + since_new_year;
        let minutes = (days * 24 + i128::from(hour)) * 60 + i128::from(minute) - offset_minutes;
        Some((minutes * 60 + i128::from(second)) * 1_000_000_000 + i128::from(fraction_ns))
    };
    match read() {
        Some(unix_ns) if unix_ns < 0 => Err(TimestampError::BeforeEpoch),
        Some(unix_ns) => u64::try_from(unix_ns)
            .map(Timestamp::from_unix_ns)
            .map_err(|_| TimestampError::Malformed),
        None => Err(TimestampError::Malformed),
    }
}
