//! The table of what the AWS SDK reads from the environment, beside the sources of the
//! SDK that is built into the program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use esp::settings::sdk::SDK_VARIABLES;

/// The folders of the SDK's packages, wherever cargo has them.
fn packages() -> Vec<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| {
            let name = package["name"].as_str().unwrap();
            name.starts_with("aws-") && !name.starts_with("aws-lc")
        })
        .map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap());
            manifest.parent().unwrap().join("src")
        })
        .collect()
}

/// Every `"AWS_…"` in the sources under `folder`.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for part in text.split("\"AWS_").skip(1) {
            let (name, _) = part.split_once('"').unwrap_or_default();
            let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if !name.is_empty() && name.chars().all(is_name) {
                found.insert(format!("AWS_{name}"));
            }
        }
    }
}

#[test]
fn every_variable_that_the_sdk_names_is_in_the_table() {
    let mut found = BTreeSet::new();
    for folder in packages() {
        names(&folder, &mut found);
    }
    assert!(found.contains("AWS_RETRY_MODE"), "the sources of the SDK were not found");
    // Not of the environment: from the SDK's own tests, and read when it is compiled.
    let is_of_tests = |name: &String| name.starts_with("AWS_SOME_KEY");
    found.retain(|name| !is_of_tests(name) && name != "AWS_SDK_RUST_BUILD_UA_METADATA");
    let table: BTreeSet<_> = SDK_VARIABLES.iter().map(|row| row.name.to_owned()).collect();
    let missing: Vec<_> = found.difference(&table).collect();
    assert!(missing.is_empty(), "the SDK reads {missing:?}: decide what ESP does about them");
    // The SDK makes these two of a name and a service; and one has no prefix.
    let others = ["AWS_ENDPOINT_URL_CLOUDWATCH", "AWS_ENDPOINT_URL_STS", "SECRET_ACCESS_KEY"];
    let unknown: Vec<_> =
        table.difference(&found).filter(|name| !others.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "the SDK does not read {unknown:?} any more");
}
