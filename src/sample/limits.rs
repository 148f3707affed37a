//! What CloudWatch accepts, by `PutMetricData` and in documents of the embedded
//! metric format. One bad datum fails a whole request and the SDK checks nothing,
//! so the rules stand here, before anything is sent.

use crate::{sample::metric, time::Timestamp};

/// Datums in one request.
pub const DATUMS_PER_REQUEST: usize = 1000;

/// Dimensions of one datum.
pub const DIMENSIONS_PER_DATUM: usize = 30;

/// Bytes of one request before compression, a little below the 1 MB that is
/// allowed: where AWS's own agent stops.
pub const BYTES_PER_REQUEST: usize = 999_000;

/// What a datum takes besides its dimensions, in CBOR, generously.
pub const BYTES_PER_BARE_DATUM: usize = 160;

/// Characters of a namespace.
pub const NAMESPACE_CHARACTERS: usize = 255;

/// Characters of a dimension's name.
pub const DIMENSION_NAME_CHARACTERS: usize = 255;

/// Characters of a dimension's value.
pub const DIMENSION_VALUE_CHARACTERS: usize = 1024;

/// Characters of a dimension's name in a document of the embedded metric format.
pub const EMF_DIMENSION_NAME_CHARACTERS: usize = 250;

/// The member of such a document that is the format's own.
pub const EMF_METADATA: &str = "_aws";

/// What a namespace must look like, for an error's one line.
#[must_use]
pub fn namespace_expected() -> String {
    format!("{} or 'AWS/'", ascii_text_expected(NAMESPACE_CHARACTERS))
}

/// What a dimension's value must look like, for an error's one line.
#[must_use]
pub fn dimension_value_expected() -> String {
    ascii_text_expected(DIMENSION_VALUE_CHARACTERS)
}

/// Whether `text` may be a namespace. `AWS/` is reserved for AWS's own.
///
/// ```
/// assert!(esp::sample::limits::is_namespace("Shop/Web"));
/// assert!(!esp::sample::limits::is_namespace("AWS/ECS"));
/// ```
#[must_use]
pub fn is_namespace(text: &str) -> bool {
    is_ascii_text(text, NAMESPACE_CHARACTERS) && !text.starts_with("AWS/")
}

/// Whether `text` may be a dimension's value.
#[must_use]
pub fn is_dimension_value(text: &str) -> bool {
    is_ascii_text(text, DIMENSION_VALUE_CHARACTERS)
}

/// Whether `text` may be a dimension's name.
#[must_use]
pub fn is_dimension_name(text: &str) -> bool {
    is_ascii_text(text, DIMENSION_NAME_CHARACTERS)
}

/// Whether `name` may be a dimension's in a document of the embedded metric format:
/// dimensions and metrics are members of one object, so a metric's name is taken,
/// whether it is published or not.
#[must_use]
pub fn is_emf_dimension_name(name: &str) -> bool {
    let is_taken = || metric::names().any(|taken| taken == name);
    name.len() <= EMF_DIMENSION_NAME_CHARACTERS && name != EMF_METADATA && !is_taken()
}

/// Whether `value` may be a datum's: finite and within ±2^360.
#[must_use]
pub fn is_value(value: f64) -> bool {
    // 2^360 has an exponent and nothing else.
    const MAX: f64 = f64::from_bits((1023 + 360) << 52);
    (-MAX..=MAX).contains(&value)
}

/// Whether CloudWatch takes a datum of `time` at `now`: at most two weeks old, and
/// at most two hours ahead.
#[must_use]
pub fn is_timely(time: Timestamp, now: Timestamp) -> bool {
    const PAST_NS: u64 = 14 * 24 * 3600 * 1_000_000_000;
    const FUTURE_NS: u64 = 2 * 3600 * 1_000_000_000;
    match now.ns_since(time) {
        Some(age_ns) => age_ns <= PAST_NS,
        None => time.ns_since(now).is_some_and(|ahead_ns| ahead_ns <= FUTURE_NS),
    }
}

/// Why CloudWatch would not take a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// See [`is_value`].
    Value,
    /// See [`is_timely`].
    Time,
}

impl Refusal {
    /// Of a sample with this value and time, at `now`.
    #[must_use]
    pub fn of(value: f64, time: Timestamp, now: Timestamp) -> Option<Self> {
        if !is_value(value) {
            return Some(Self::Value);
        }
        (!is_timely(time, now)).then_some(Self::Time)
    }

    /// In words, to follow "dropped:".
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Value => "its value is not a number that CloudWatch accepts",
            Self::Time => "its time is more than two weeks ago or more than two hours ahead",
        }
    }
}

fn ascii_text_expected(max: usize) -> String {
    format!("1 to {max} printable ASCII characters, not all blank, not beginning with ':'")
}

fn is_ascii_text(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && text.bytes().any(|byte| byte != b' ')
        && !text.starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces() {
        for good in ["a", "Shop/Web", "ESP Stats", "x:y", "AWSome", &"x".repeat(255)] {
            assert!(is_namespace(good), "{good}");
        }
        for bad in ["", " ", ":x", "AWS/ECS", "Straße", "a\tb", "a\nb", &"x".repeat(256)] {
            assert!(!is_namespace(bad), "{bad}");
        }
    }

    #[test]
    fn times() {
        let hours = |hours: u64| Timestamp::from_unix_ns(hours * 3600 * 1_000_000_000);
        let now = hours(1000);
        for (hour, expected) in
            [(1000, true), (664, true), (663, false), (1002, true), (1003, false)]
        {
            assert_eq!(is_timely(hours(hour), now), expected, "{hour}");
        }
    }

    #[test]
    fn dimension_values() {
        for good in ["web", "AWS/ECS", "a b", &"x".repeat(1024)] {
            assert!(is_dimension_value(good), "{good}");
        }
        for bad in ["", "  ", ":x", "ü", "a\u{7f}", &"x".repeat(1025)] {
            assert!(!is_dimension_value(bad), "{bad}");
        }
    }

    #[test]
    fn values() {
        for good in [0.0, -0.0, 100.0, 2f64.powi(360), -(2f64.powi(360))] {
            assert!(is_value(good), "{good}");
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2f64.powi(361), -(2f64.powi(361))] {
            assert!(!is_value(bad), "{bad}");
        }
    }
}
