//! The code of a file: its text without tests, comments and visibilities.

/// What is left of `text`, so that each path in it is one that the program takes.
pub(crate) fn code(text: &str) -> String {
    let text = without_tests(text);
    let is_said = |line: &&str| line.trim_start().starts_with("//") || is_declaration(line);
    let lines = text.lines().filter(|line| !is_said(line));
    own_modules(&without_visibilities(&lines.collect::<Vec<_>>().join("\n")))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `mod a;` says that there is a file, and uses nothing of it.
fn is_declaration(line: &str) -> bool {
    let declared = line.split_once("mod ").filter(|(before, _)| {
        let before = before.trim();
        before.is_empty() || before.starts_with("pub")
    });
    declared.is_some_and(|(_, name)| name.ends_with(';'))
}

/// What is left of `text` without each item that follows a `#[cfg(test)]`. As rustfmt has
/// it, an item ends at the first line that is indented as its attribute is and closes
/// something.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let is_last = |other: &str| {
            indent(other) == indent(line) && other.trim_end().ends_with([';', ',', '}'])
        };
        lines.find(|line| is_last(line));
    }
    kept
}

/// `pub(in a::b)` names a module without using it.
fn without_visibilities(text: &str) -> String {
    let mut parts = text.split("pub(in ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str("pub");
        kept.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    kept
}

/// In a module within the file, `super` is the file itself.
fn own_modules(text: &str) -> String {
    let mut kept = String::new();
    let mut module = None;
    for line in text.lines() {
        let is_module = line.trim_start().starts_with("mod ") && line.ends_with('{');
        if is_module && module.is_none() {
            module = Some(indent(line));
        } else if module == Some(indent(line)) && line.trim() == "}" {
            module = None;
        }
        if module.is_some() {
            kept.push_str(&line.replace("super::", "self::").replace("self::self::", "super::"));
        } else {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

#[test]
fn only_the_item_after_cfg_test_is_left_out() {
    for item in [
        "mod tests;",
        "#[path = \"x/tests.rs\"]\nmod tests;",
        "use crate::exit;",
        "fn f() {}",
        "fn f(\n    a: u8,\n) -> u8\nwhere\n    u8: Copy,\n{\n    crate::exit::of(a)\n}",
        "impl A {\n    fn f() {\n        crate::exit::f();\n    }\n}",
        "mod tests {\n    use crate::exit;\n\n    fn f() {}\n}",
    ] {
        for indent in ["", "    "] {
            let text = format!("\nuse crate::time;\n#[cfg(test)]\n{item}\n\nuse crate::sample;\n");
            let text = text.replace('\n', &format!("\n{indent}"));
            let left: Vec<_> = without_tests(&text).split_whitespace().map(str::to_owned).collect();
            assert_eq!(left, ["use", "crate::time;", "use", "crate::sample;"], "{text}");
        }
    }
    let text = "struct A {\n    #[cfg(test)]\n    at: crate::exit::A,\n    is: crate::time::B,\n}";
    assert_eq!(without_tests(text), "struct A {\n    is: crate::time::B,\n}\n");
}

#[test]
fn comments_visibilities_and_modules_within_are_seen_through() {
    let text = "// use crate::a;\npub mod a;\nmod b;\npub(in crate::b) fn f() {}";
    assert_eq!(code(text), "pub fn f() {}\n");
    let text = "mod a {\n    use super::B;\n    use super::super::C;\n}\nuse super::D;";
    let expected = "mod a {\n    use self::B;\n    use super::C;\n}\nuse super::D;\n";
    assert_eq!(code(text), expected);
}
