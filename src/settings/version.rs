//! What this program was built from: its version, the commit and the build profile.
//! `build.rs` finds them out.

/// The version in Cargo.toml.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The first 12 characters of the commit: the build argument `ESP_COMMIT`, else that of
/// the repository; `unknown` without either.
pub const COMMIT: &str = env!("ESP_COMMIT");
/// The profile that Cargo built with: `dist` in the image, `release`, or `debug`.
pub const PROFILE: &str = env!("ESP_PROFILE");

/// All of it on a line, as `esp --version` prints it.
#[must_use]
pub fn line() -> String {
    format!("esp {VERSION} (commit {COMMIT}, profile {PROFILE})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_known_or_says_unknown() {
        assert!(COMMIT == "unknown" || (COMMIT.len() == 12 && COMMIT.is_ascii()), "{COMMIT}");
        assert!(!PROFILE.is_empty() && !PROFILE.contains('/'), "{PROFILE}");
    }
}
