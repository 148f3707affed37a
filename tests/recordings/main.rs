//! Real answers of real agents, and two recorded series with the kernel's own
//! counters beside them: what is published of them is right, or it is not published.
//!
//! The recordings are not part of the project. They are read from
//! `../shared/payloads` beside the repository, or from the directory that
//! `ESP_RECORDINGS` names; if there is none, every test is ignored and says so.
//! Therefore the tests have a `main` of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::print_stdout, reason = "this is the test's report")]

mod documents;
mod series;
mod truth;

use std::{
    env,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// A test: it panics, or says what it saw.
type Test = fn(&Path) -> String;

const TESTS: [(&str, Test); 5] = [
    ("every_task_document_is_read_without_a_bad_field", documents::tasks),
    ("every_stats_document_gives_the_counters_that_stand_in_it", documents::stats),
    ("every_raw_answer_is_a_response", documents::responses),
    ("agent_that_polls_each_20_s_gives_right_values_or_none", series::polled_each_20_s),
    ("restarts_of_container_and_agent_give_right_values_or_none", series::restarts),
];

fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    let directory = env::var_os("ESP_RECORDINGS").map_or_else(beside, PathBuf::from);
    directory.join("real-agent").is_dir().then_some(directory)
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let filters: Vec<_> = arguments.iter().filter(|it| !it.starts_with('-')).collect();
    let is_wanted = |name: &str| filters.is_empty() || filters.iter().any(|it| name.contains(*it));
    let wanted: Vec<_> = TESTS.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in wanted {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", wanted.len());
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, test) in wanted {
        let Some(directory) = directory() else {
            ignored += 1;
            println!("test {name} ... ignored, there are no recordings here");
            continue;
        };
        if let Ok(said) = catch_unwind(|| test(&directory)) {
            passed += 1;
            println!("test {name} ... ok ({said})");
        } else {
            failed += 1;
            println!("test {name} ... FAILED");
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {failed} failed; {ignored} ignored\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
