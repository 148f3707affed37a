//! The pieces that the lines of `esp check` are made of.

/// The column of the values.
const LABEL: usize = 18;

pub(in crate::check) fn fact(label: &str, value: impl std::fmt::Display) -> String {
    format!("{label:<LABEL$}{value}")
}

/// Milliseconds as seconds, without needless zeros.
#[expect(clippy::cast_precision_loss, reason = "an hour has few milliseconds")]
pub(super) fn seconds(ms: u64) -> String {
    format!("{} s", ms as f64 / 1000.0)
}
