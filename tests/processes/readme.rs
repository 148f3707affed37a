//! The README's tables of variables, of exit codes and of ESP's own figures are the
//! program's. To rewrite them:
//!
//! ```sh
//! ESP_UPDATE_README=1 cargo test --test processes readme
//! ```

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use esp::{
    exit,
    sample::own_figures::{FigureKind, OwnMetric, Scope, TABLE},
    settings::{Variable, variable},
};

const HOW: &str = "written by ESP_UPDATE_README=1 cargo test --test processes readme";

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
    let commands = [&exit::OF_SIDECAR[..], &exit::OF_CHECK, &exit::OF_HEALTH];
    let codes: BTreeSet<_> =
        commands.iter().flat_map(|codes| codes.iter()).map(|it| it.0).collect();
    let mut table =
        "| exit code | `esp` | `esp check` | `esp health` |\n|--:|---|---|---|\n".to_owned();
    for code in codes {
        let meaning = |of: &[exit::Meaning]| {
            of.iter().find(|it| it.0 == code).map_or_else(String::new, |it| escape(it.1))
        };
        let [sidecar, check, health] = commands.map(meaning);
        let _ = writeln!(table, "| {code} | {sidecar} | {check} | {health} |");
    }
    let (code, meaning) = exit::AFTER_SECOND_SIGNAL;
    let _ = writeln!(table, "| {code} | {meaning} | | |");
    table
}

#[test]
fn the_tables_are_those_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let mut expected = readme.clone();
    let tables =
        [("variables", variables()), ("exit codes", exit_codes()), ("own figures", own_figures())];
    for (name, table) in tables {
        let begin = format!("<!-- {name}: {HOW} -->\n");
        let end = format!("<!-- end of {name} -->\n");
        let (before, rest) = expected.split_once(&begin).expect("the README has the first marker");
        let (_, after) = rest.split_once(&end).expect("the README has the second marker");
        expected = [before, &begin, &table, &end, after].concat();
    }
    if std::env::var_os("ESP_UPDATE_README").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let differs = readme.lines().zip(expected.lines()).find(|(written, table)| written != table);
    assert!(
        readme == expected,
        "a table of the README is not the program's; rewrite it with\n\n    \
         ESP_UPDATE_README=1 cargo test --test processes readme\n\nThe first line that differs: {differs:?}"
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
