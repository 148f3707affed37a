//! Terraform modules, `CloudFormation` templates and other YAML read into JSON
//! values. Variables and references are resolved as far as this can be done without
//! AWS. It knows enough of both languages for the templates under `examples/`, and no
//! more: what it does not know stays in the value as text, and a test that compares
//! it will fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a tool for tests, which panic"
)]

pub mod cloudformation;
pub mod terraform;

pub use cloudformation::yaml;
use serde_json::{Map, Value};

/// The same with each key of an object changed, at every depth.
#[must_use]
pub fn with_keys(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| with_keys(item, change)).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, value)| (change(&key), with_keys(value, change)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// `snake_case` as `PascalCase`.
#[must_use]
pub fn pascal(key: &str) -> String {
    key.split('_').map(|word| with_first(word, str::to_ascii_uppercase)).collect()
}

/// `PascalCase` as `camelCase`.
#[must_use]
pub fn camel(key: &str) -> String {
    with_first(key, str::to_ascii_lowercase)
}

fn with_first(word: &str, change: fn(&str) -> String) -> String {
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    change(first) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_change_their_case() {
        assert_eq!(pascal("treat_missing_data"), "TreatMissingData");
        assert_eq!(camel("ReadonlyRootFilesystem"), "readonlyRootFilesystem");
        assert_eq!((pascal(""), camel("")), (String::new(), String::new()));
    }
}
