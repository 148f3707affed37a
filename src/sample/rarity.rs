//! Whether samples come as rarely as they are published. Then each is published
//! when it arrives: waiting for the end of the interval would only make it older.

use std::time::Duration;

/// Whether samples that are renewed every `cadence` come at most once per
/// `interval`. The measured cadence of a platform that renews every 10 s varies
/// around that, so 5 % less counts as well.
///
/// ```
/// use std::time::Duration;
/// use esp::sample::rarity::is_as_rare_as;
///
/// let interval = Duration::from_secs(10);
/// assert!(is_as_rare_as(Duration::from_millis(9_990), interval));
/// assert!(!is_as_rare_as(Duration::from_millis(9_400), interval));
/// ```
#[must_use]
pub fn is_as_rare_as(cadence: Duration, interval: Duration) -> bool {
    cadence >= interval.mul_f64(0.95)
}
