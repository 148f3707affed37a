//! Where the SDK looks for keys is in the environment, which belongs to the whole
//! process. So a test of the simulation runs in a process of its own, with
//! nothing else in it that could change what the SDK does.

use std::process::Command;

const KEYS_URI: (&str, &str) =
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/0f1e2d3c");
/// What a test may be told.
const PASSED_ON: [&str; 3] = ["ESP_SEED", "ESP_SEEDS", "RUST_BACKTRACE"];

/// Runs the body of `test`, by its name, in such a process.
pub(crate) fn with_keys(test: &str, body: impl FnOnce()) {
    if std::env::var(KEYS_URI.0).is_ok_and(|uri| uri == KEYS_URI.1) {
        return body();
    }
    let this = std::env::current_exe().unwrap();
    let named = Command::new(&this).args(["--list", "--exact", test]).output().unwrap();
    let named = String::from_utf8(named.stdout).unwrap();
    assert!(named.starts_with(&format!("{test}: test\n")), "no test is called {test}");
    let passed_on = PASSED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let status = Command::new(this)
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .envs(passed_on)
        .envs([KEYS_URI, ("HOME", "/nonexistent")])
        .status();
    assert!(status.unwrap().success(), "see above");
}
