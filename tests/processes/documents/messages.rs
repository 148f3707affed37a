//! Each warning and error that ESP logs is in `docs/operations.md` with its level, a
//! cause and a cure; and what is there is logged. The messages are taken out of the
//! sources.

use std::{fs, path::Path};

use super::{in_repository, text};

/// A message with its level. In one of the sources, `{}` stands for anything.
#[derive(Clone, Debug, PartialEq)]
struct Message {
    level: &'static str,
    text: String,
}

const LEVELS: [(&str, &str); 3] =
    [("warn!", "warning"), ("error!", "error"), ("log(&WARN,", "warning")];

/// The files of the program, without tests.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            sources(&path, all);
        } else {
            let file = fs::read_to_string(&path).unwrap();
            all.push(file.split("#[cfg(test)]").next().unwrap().to_owned());
        }
    }
}

/// The first text between quotes that is in no further brackets, up to the end of the
/// brackets around it.
fn first_text(arguments: &str) -> Option<String> {
    let (mut depth, mut text, mut is_quoted) = (0, String::new(), false);
    let mut characters = arguments.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if is_quoted => match characters.next()? {
                // The line goes on after its indentation.
                '\n' => {
                    let rest = characters.as_str().trim_start();
                    characters = rest.chars();
                }
                escaped => text.push(escaped),
            },
            '"' if is_quoted && depth == 0 => return Some(text),
            '"' => {
                is_quoted = !is_quoted;
                text.clear();
            }
            _ if is_quoted => text.push(character),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

/// What a file logs at WARN or above.
fn logged(file: &str) -> Vec<Message> {
    let mut all = Vec::new();
    for (macro_name, level) in LEVELS {
        for rest in file.split(macro_name).skip(1) {
            let arguments = rest.trim_start().trim_start_matches(['(', '{']);
            if let Some(text) = first_text(arguments) {
                all.push(Message { level, text });
            }
        }
    }
    all
}

/// All of them. The lines of a `Trouble` are made of what it is about.
fn of_the_program() -> Vec<Message> {
    let mut files = Vec::new();
    sources(&in_repository("src"), &mut files);
    let (of_trouble, mut all): (Vec<_>, Vec<_>) = files
        .iter()
        .flat_map(|file| logged(file))
        .partition(|message| message.text.starts_with("{} fails"));
    assert_eq!(of_trouble.len(), 2, "{of_trouble:?}");
    for file in &files {
        for rest in file.split("Trouble::new(").skip(1) {
            let Some(what) = first_text(rest) else { continue };
            for Message { level, text } in &of_trouble {
                if *level == "warning" || file.contains("trouble.denied(") {
                    all.push(Message { level, text: text.replacen("{}", &what, 1) });
                }
            }
        }
    }
    all
}

/// Those of the document, each with what is said of it.
fn of_the_document() -> Vec<(Message, String)> {
    let document = text("docs/operations.md");
    let (_, section) = document.split_once("\n## Troubleshooting by log line\n").unwrap();
    let one = |entry: &str| {
        let (message, rest) = entry.split_once("`** (").unwrap();
        let (level, said) = rest.split_once(')').unwrap();
        let level = LEVELS.iter().find(|(_, known)| *known == level).unwrap().1;
        (Message { level, text: message.to_owned() }, said.to_owned())
    };
    section.split("\n**`").skip(1).map(one).collect()
}

/// Whether the document's message can be the source's.
fn fits(source: &Message, shown: &Message) -> bool {
    let mut rest = &*shown.text;
    let mut pieces = source.text.split('{');
    let first = pieces.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    let mut is_open = false;
    for piece in pieces {
        let (_, piece) = piece.split_once('}').unwrap();
        is_open = piece.is_empty();
        let Some(place) = rest.find(piece) else { return false };
        rest = &rest[place + piece.len()..];
    }
    source.level == shown.level && (is_open || rest.is_empty())
}

#[test]
fn each_warning_and_error_has_a_cause_and_a_cure() {
    let program = of_the_program();
    let document = of_the_document();
    assert!(program.len() > 30, "{}", program.len());
    for message in &program {
        let is_shown = document.iter().any(|(shown, _)| fits(message, shown));
        assert!(is_shown, "docs/operations.md has no entry for {message:?}");
    }
    for (shown, said) in &document {
        let is_logged = program.iter().any(|message| fits(message, shown));
        assert!(is_logged, "docs/operations.md has what is not logged: {shown:?}");
        for part in ["\n- Cause: ", "\n- Cure:"] {
            assert!(said.contains(part), "{shown:?} without {part:?}");
        }
    }
}

#[test]
fn messages_are_found_in_a_source() {
    let source = r#"
        warn!(a = b.join(", "), "one \
              {} two", c);
        error! { %error, "three" }
        log(&WARN, "four", [None]);
    "#;
    let found = logged(source);
    let message = |level, text: &str| Message { level, text: text.to_owned() };
    let expected =
        [message("warning", "one {} two"), message("error", "three"), message("warning", "four")];
    assert_eq!(found, expected);
    assert!(fits(&found[0], &message("warning", "one X two")));
    assert!(!fits(&found[0], &message("error", "one X two")));
    assert!(!fits(&found[0], &message("warning", "one X two and more")));
}
