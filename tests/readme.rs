//! The README's table of variables is the program's own. To rewrite it:
//!
//! ```sh
//! ESP_UPDATE_README=1 cargo test --test readme
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{fmt::Write as _, path::Path};

use esp::settings::{Variable, variable};

const BEGIN: &str = "<!-- variables: written by ESP_UPDATE_README=1 cargo test --test readme -->\n";
const END: &str = "<!-- end of variables -->\n";

/// A row for each variable, ESP's own first.
fn table() -> String {
    let mut table = "| variable | what it does | default | value | example |\n".to_owned();
    table += "|---|---|---|---|---|\n";
    for variable in variable::OWN.into_iter().chain(variable::FOREIGN) {
        let Variable { name, example, .. } = variable;
        let cells = [variable.help(), variable.default.words("`"), variable.kind.expected()];
        let [help, default, value] = cells.map(|text| escape(&text));
        let _ = writeln!(table, "| `{name}` | {help} | {default} | {value} | `{example}` |");
    }
    table
}

/// What Markdown would take for its own.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('[', "\\[")
}

#[test]
fn the_table_of_variables_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README has the first marker");
    let (written, after) = rest.split_once(END).expect("the README has the second marker");
    let table = table();
    if std::env::var_os("ESP_UPDATE_README").is_some() {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    assert!(
        written == table,
        "the README's table of variables is not the program's; rewrite it with\n\n    \
         ESP_UPDATE_README=1 cargo test --test readme\n\nIt should be\n{table}"
    );
}

#[test]
fn every_default_and_example_is_accepted() {
    let required = [
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", "Shop"),
        ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
    ];
    for variable in variable::OWN.into_iter().chain(variable::FOREIGN) {
        for text in [Some(variable.example), variable.default.value()].into_iter().flatten() {
            // A table's first entry of a name counts.
            let all = [&[(variable.name, text)][..], &required].concat();
            let read = esp::settings::Settings::read(&all[..]);
            assert!(read.is_ok(), "{}={text}: {read:?}", variable.name);
        }
    }
}
