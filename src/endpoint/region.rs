//! What an AWS Region's name looks like. Which Regions exist is not known here:
//! new ones appear without asking.

/// Whether `text` has the shape of a Region's name: lower-case words and a
/// number, as in `eu-west-1` or `us-gov-east-1`. A Region becomes part of a
/// host name, so nothing else may pass.
///
/// ```
/// assert!(esp::endpoint::region::is_region("ap-southeast-2"));
/// assert!(!esp::endpoint::region::is_region("eu-west-1.example.com"));
/// ```
#[must_use]
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-').rev();
    let number = parts.next().unwrap_or_default();
    let words: Vec<_> = parts.collect();
    text.len() <= 32
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.len() >= 2
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::is_region;

    #[test]
    fn regions_have_a_shape() {
        for good in ["us-east-1", "eu-central-2", "cn-north-1", "us-gov-west-1", "us-isob-east-1"] {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "useast1",
            "us-east",
            "us-east-",
            "-east-1",
            "US-EAST-1",
            "us-east-1 ",
            "us--east-1",
            "eu-west-1a",
            "a.b-c-1",
        ] {
            assert!(!is_region(bad), "{bad}");
        }
    }
}
