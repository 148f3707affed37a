//! The documents that users read fit the program: their tables are the program's,
//! their links lead somewhere, their snippets are valid, and each warning and error
//! that ESP logs is in `docs/operations.md`. To rewrite the tables of variables, of exit
//! codes and of ESP's own figures:
//!
//! ```sh
//! ESP_UPDATE_DOCS=1 cargo test --test processes documents
//! ```

mod commands;
mod links;
mod messages;
mod snippets;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use esp::{
    sample::own_figures::{FigureKind, OwnMetric, Scope, TABLE},
    settings::{Variable, exit, variable},
};

const HOW: &str = "written by ESP_UPDATE_DOCS=1 cargo test --test processes documents";

/// What the README may come to: more belongs into `docs`.
const README_BYTES: usize = 11_000;

/// A path in the repository.
fn in_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(in_repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents, by their paths in the repository.
fn documents() -> Vec<String> {
    let mut all = ["examples/README.md", "examples/proof/README.md", "fuzz/README.md"]
        .map(str::to_owned)
        .to_vec();
    for folder in ["", "docs/"] {
        let entries = std::fs::read_dir(in_repository(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        all.extend(
            names
                .filter(|name| Path::new(name).extension().is_some_and(|it| it == "md"))
                .map(|name| folder.to_owned() + &name),
        );
    }
    all.sort();
    all
}

/// What a document has between `` ``` `` and `` ``` ``: the language and the text. The
/// rest of it, with an empty line for each that was taken.
fn fences(document: &str) -> (Vec<(String, String)>, String) {
    let (mut blocks, mut rest) = (Vec::new(), String::new());
    let mut open: Option<(String, String)> = None;
    for line in document.lines() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, None) => rest += line,
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some((_, block)), None) => block.extend([line, "\n"]),
            (Some(_), Some(_)) => blocks.extend(open.take()),
        }
        rest += "\n";
    }
    assert!(open.is_none(), "a block without an end: {open:?}");
    (blocks, rest)
}

/// A row for each variable, ESP's own first.
fn variables() -> String {
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

/// A row for each of ESP's own figures, and how many metrics they are.
fn own_figures() -> String {
    let mut table = "| in the log | metric | unit | with `OUTPUT` | what it is |\n".to_owned();
    table += "|---|---|---|---|---|\n";
    for figure in TABLE {
        let metric = figure.metric_name.map_or("none".to_owned(), |name| format!("`{name}`"));
        let scope = match figure.scope {
            Scope::Always => "any",
            Scope::Cloudwatch => "`cloudwatch`",
            Scope::Stdout => "`emf` or `stdout`",
        };
        let now = if figure.kind == FigureKind::Now { "now: " } else { "" };
        let _ = writeln!(
            table,
            "| `{}` | {metric} | {} | {scope} | {now}{} |",
            figure.log_name, figure.unit, figure.what
        );
    }
    let count = |cloudwatch, lines| OwnMetric::of_run(cloudwatch, lines).count();
    let _ = writeln!(
        table,
        "\nAs metrics they are {} with `cloudwatch`, {} with `emf`, {} with both, at 0.30 USD a month \
         each.",
        count(true, false),
        count(false, true),
        count(true, true)
    );
    table
}

/// What Markdown would take for its own.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('[', "\\[")
}

/// A row for each exit code, a column for each command.
fn exit_codes() -> String {
    let commands = [&exit::OF_SIDECAR[..], &exit::OF_CHECK, &exit::OF_HEALTH, &exit::OF_TOP];
    let codes: BTreeSet<_> =
        commands.iter().flat_map(|codes| codes.iter()).map(|it| it.0).collect();
    let mut table =
        "| exit code | `esp` | `esp check` | `esp health` | `esp top` |\n|--:|---|---|---|---|\n"
            .to_owned();
    for code in codes {
        let meaning = |of: &[exit::Meaning]| {
            of.iter().find(|it| it.0 == code).map_or_else(String::new, |it| escape(it.1))
        };
        let [sidecar, check, health, top] = commands.map(meaning);
        let _ = writeln!(table, "| {code} | {sidecar} | {check} | {health} | {top} |");
    }
    let (code, meaning) = exit::AFTER_SECOND_SIGNAL;
    let _ = writeln!(table, "| {code} | {meaning} | | | |");
    table
}

#[test]
fn the_tables_are_those_of_the_program() {
    let tables = [
        ("docs/configuration.md", "variables", variables()),
        ("docs/operations.md", "exit codes", exit_codes()),
        ("docs/metrics.md", "own figures", own_figures()),
    ];
    for (path, name, table) in tables {
        let document = text(path);
        let begin = format!("<!-- {name}: {HOW} -->\n");
        let end = format!("<!-- end of {name} -->\n");
        let (before, rest) = document.split_once(&begin).expect("the first marker");
        let (_, after) = rest.split_once(&end).expect("the second marker");
        let expected = [before, &begin, &table, &end, after].concat();
        if std::env::var_os("ESP_UPDATE_DOCS").is_some() {
            std::fs::write(in_repository(path), expected).unwrap();
            continue;
        }
        let mut lines = document.lines().zip(expected.lines());
        let differs = lines.find(|(written, table)| written != table);
        assert!(
            document == expected,
            "a table of {path} is not the program's; rewrite it with\n\n    \
             ESP_UPDATE_DOCS=1 cargo test --test processes documents\n\nThe first line that differs: \
             {differs:?}"
        );
    }
}

#[test]
fn the_readme_is_short_and_complete_in_itself() {
    let readme = text("README.md");
    assert!(readme.len() <= README_BYTES, "{} bytes", readme.len());
    // A module of this repository with variables that are defined elsewhere.
    assert!(!readme.contains("source = "), "works inside the repository only");
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
