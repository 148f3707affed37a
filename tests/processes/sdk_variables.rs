//! The table of what the AWS SDK reads from the environment, beside the sources of the
//! SDK that is built into the program.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use esp::settings::sdk::SDK_VARIABLES;

/// The folders of the SDK's packages at the versions of `Cargo.lock`, as the compiler
/// noted them beside this program. `cargo metadata` would want packages that
/// nothing here is built of, and so a network.
fn packages() -> BTreeSet<PathBuf> {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let folders: Vec<_> = lock
        .split("[[package]]\n")
        .filter_map(|package| {
            let mut values = package.lines().filter_map(|line| line.split_once(" = "));
            let mut next = || values.next().map(|it| it.1.trim_matches('"'));
            let (name, version) = (next()?, next()?);
            let is_sdk = name.starts_with("aws-") && !name.starts_with("aws-lc");
            is_sdk.then(|| format!("/{name}-{version}/src/"))
        })
        .collect();
    let program = env::current_exe().unwrap();
    let mut packages = BTreeSet::new();
    for entry in fs::read_dir(program.parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        let is_sdk = file.file_name().unwrap().to_str().unwrap().starts_with("aws_");
        if !is_sdk || file.extension().is_none_or(|extension| extension != "d") {
            continue;
        }
        // Each file on a line with a colon. A space in it has a backslash before it.
        for line in fs::read_to_string(&file).unwrap().lines() {
            let source = line.replace("\\ ", " ");
            packages.extend(folders.iter().filter_map(|folder| {
                let end = source.ends_with(".rs:").then(|| source.find(folder))?? + folder.len();
                Some(PathBuf::from(&source[..end]))
            }));
        }
    }
    packages
}

/// Every `"AWS_…"` and `"SMITHY_…"` in the sources under `folder`.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for beginning in ["AWS_", "SMITHY_"] {
            for part in text.split(&format!("\"{beginning}")).skip(1) {
                let (name, _) = part.split_once('"').unwrap_or_default();
                let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                if !name.is_empty() && name.chars().all(is_name) {
                    found.insert(format!("{beginning}{name}"));
                }
            }
        }
    }
}

#[test]
fn every_variable_that_the_sdk_names_is_in_the_table() {
    let mut found = BTreeSet::new();
    for folder in &packages() {
        names(folder, &mut found);
    }
    assert!(found.contains("AWS_RETRY_MODE"), "the sources of the SDK were not found");
    // Not of the environment: from the SDK's own tests, and read when it is compiled.
    let is_of_tests = |name: &String| name.starts_with("AWS_SOME_KEY");
    found.retain(|name| !is_of_tests(name) && name != "AWS_SDK_RUST_BUILD_UA_METADATA");
    let table: BTreeSet<_> = SDK_VARIABLES.iter().map(|row| row.name.to_owned()).collect();
    let missing: Vec<_> = found.difference(&table).collect();
    assert!(missing.is_empty(), "the SDK reads {missing:?}: decide what ESP does about them");
    // The SDK makes these two of a name and a service; one has no prefix; one is libcurl's.
    let others = [
        "AWS_ENDPOINT_URL_CLOUDWATCH",
        "AWS_ENDPOINT_URL_STS",
        "SECRET_ACCESS_KEY",
        "SSLKEYLOGFILE",
    ];
    let unknown: Vec<_> =
        table.difference(&found).filter(|name| !others.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "the SDK does not read {unknown:?} any more");
}
