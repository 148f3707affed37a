//! A duration with its unit, as in `200ms`.

use std::time::Duration;

/// A whole number and `ms`, `s`, `m` or `h`. `None` for everything else: no
/// unit, a fraction, a sign, blanks, more than 64 bits.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(esp::settings::parse_duration("200ms"), Some(Duration::from_millis(200)));
/// assert_eq!(esp::settings::parse_duration("1.5s"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let ms_per_unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(ms_per_unit).map(Duration::from_millis)
}

/// `duration` in the largest unit that gives a whole number, as a user would write
/// it. Less than a millisecond is left out.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(esp::settings::format_duration(Duration::from_secs(90)), "90s");
/// ```
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let whole = units.into_iter().find(|(_, per_unit)| ms > 0 && ms.is_multiple_of(*per_unit));
    let (unit, per_unit) = whole.unwrap_or(("s", 1000));
    format!("{}{unit}", ms / per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit() {
        for (text, ms) in [
            ("0s", 0),
            ("200ms", 200),
            ("1s", 1000),
            ("010s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for text in ["0s", "1ms", "1500ms", "1s", "59s", "1m", "90m", "24h"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(format_duration(Duration::from_hours(2)), "2h");
    }

    #[test]
    fn everything_else_is_rejected() {
        for text in [
            "",
            "s",
            "1",
            "1 s",
            " 1s",
            "1s ",
            "1.5s",
            "-1s",
            "+1s",
            "1S",
            "1sec",
            "1d",
            "18446744073709551616ms",
            "18446744073709551615h",
            "１s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
