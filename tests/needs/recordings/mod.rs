//! Real answers of real agents, and two recorded series with the kernel's own
//! counters beside them: what is published of them is right, or it is not published.
//!
//! The recordings are not part of the project. They are read from
//! `../shared/payloads` beside the repository, or from the directory that
//! `ESP_RECORDINGS` names; if there is none, every test is ignored and says so.

mod documents;
mod series;
mod truth;

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::harness::{Case, Need};

const RECORDINGS: Need = Need {
    word: "recordings",
    lacks: || {
        let has_none = directory().is_none();
        has_none.then(|| "takes recordings: ESP_RECORDINGS names their directory".to_owned())
    },
};

pub(crate) const CASES: &[Case] = &[
    case("recordings::every_task_document_is_read_without_a_bad_field", || play(documents::tasks)),
    case("recordings::every_stats_document_gives_the_counters_that_stand_in_it", || {
        play(documents::stats);
    }),
    case("recordings::every_raw_answer_is_a_response", || play(documents::responses)),
    case("recordings::agent_that_polls_each_20_s_gives_right_values_or_none", || {
        play(series::polled_each_20_s);
    }),
    case("recordings::restarts_of_container_and_agent_give_right_values_or_none", || {
        play(series::restarts);
    }),
];

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &RECORDINGS, is_alone: false, test }
}

/// Plays a test, and prints what it says.
fn play(test: fn(&Path) -> String) {
    println!("    {}", test(&directory().unwrap()));
}

fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    let directory = env::var_os("ESP_RECORDINGS").map_or_else(beside, PathBuf::from);
    directory.join("real-agent").is_dir().then_some(directory)
}
