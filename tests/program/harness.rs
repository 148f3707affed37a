//! A harness for tests that need what not every machine has. Such a test says
//! `ignored` and why, which Rust's own harness can only decide at compile time.
//!
//! It takes what `cargo test` passes on: words of which one must be part of the
//! test's name, `--exact`, `--list`, and switches that change nothing here. With
//! the given variable set to `required`, a test that cannot run fails.

use std::{
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

/// A test.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What this machine lacks to run it, if anything.
    pub(crate) lacks: fn() -> Option<String>,
    pub(crate) test: fn(),
}

/// Runs `cases`, one after the other.
pub(crate) fn run(required_by: &str, cases: &[Case]) -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |switch: &str| arguments.iter().any(|argument| argument == switch);
    let words: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let is_required = std::env::var(required_by).as_deref() == Ok("required");
    let chosen = cases.iter().filter(|case| {
        words.is_empty()
            || words.iter().any(|word| {
                if has("--exact") { case.name == *word } else { case.name.contains(*word) }
            })
    });
    let mut out = io::stdout();
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for case in chosen {
        if has("--list") {
            let _ = writeln!(out, "{}: test", case.name);
            continue;
        }
        let start = Instant::now();
        let outcome = match (case.lacks)() {
            Some(reason) if is_required => {
                failed += 1;
                format!("FAILED, cannot run here: {reason}")
            }
            Some(reason) => {
                ignored += 1;
                format!("ignored, {reason}")
            }
            None if catch_unwind(AssertUnwindSafe(case.test)).is_ok() => {
                passed += 1;
                format!("ok ({:.1} s)", start.elapsed().as_secs_f64())
            }
            None => {
                failed += 1;
                "FAILED".to_owned()
            }
        };
        let _ = writeln!(out, "test {} ... {outcome}", case.name);
    }
    if !has("--list") {
        let result = if failed == 0 { "ok" } else { "FAILED" };
        let _ = writeln!(
            out,
            "\ntest result: {result}. {passed} passed; {failed} failed; {ignored} ignored\n"
        );
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
