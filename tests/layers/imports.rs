//! Which paths the code of a file takes: those of its `use` items, one by one, and those
//! that are written out where they are used.

/// A path, and the name that it has in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    /// Its parts: `crate`, `time`, `Now`.
    pub(crate) path: Vec<String>,
    /// The last of them, or what is after `as`.
    pub(crate) name: String,
    /// `pub use`: others see it here.
    pub(crate) is_public: bool,
}

/// The `use` items of `code`, and the code without them.
pub(crate) fn imports(code: &str) -> (Vec<Import>, String) {
    let mut imports = Vec::new();
    let mut rest = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let Some((before, first)) = line.split_once("use ").filter(|(before, _)| {
            let before = before.trim();
            before.is_empty()
                || before == "pub"
                || before.starts_with("pub(") && before.ends_with(')')
        }) else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = first.to_owned();
        while !tree.ends_with(';') {
            let Some(line) = lines.next() else { break };
            tree.push_str(line.trim());
        }
        for (path, name) in leaves(tree.trim_end_matches(';')) {
            imports.push(Import { path, name, is_public: !before.trim().is_empty() });
        }
    }
    (imports, rest)
}

/// The paths of a tree of imports, each with its name: `a::B` and `a::c` of `a::{B, c::self}`.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let Some((head, group)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let mut path: Vec<_> = path.split("::").map(|part| part.trim().to_owned()).collect();
        if path.len() > 1 {
            path.pop_if(|last| last == "self");
        }
        let name = if alias.is_empty() {
            path.last().cloned().unwrap_or_default()
        } else {
            alias.trim().to_owned()
        };
        return vec![(path, name)];
    };
    let group = group.trim_end().trim_end_matches('}');
    // The group's own end was the last one: what is cut off too much is put back.
    let open = group.matches('{').count() - group.matches('}').count();
    let group = format!("{group}{}", "}".repeat(open));
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().into_iter().for_each(|part| part.push(character));
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(|part| leaves(&format!("{}{part}", head.trim()))).collect()
}

/// Each path of two or more parts that is written out in `code`.
pub(crate) fn written_out(code: &str) -> Vec<Vec<String>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut paths = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            path.push(rest[..end].to_owned());
            rest = &rest[end..];
            if let Some(after) = rest.strip_prefix("::").filter(|it| it.starts_with(is_word)) {
                rest = after;
                continue;
            }
        } else {
            rest = &rest[first.len_utf8()..];
        }
        paths.extend(Some(std::mem::take(&mut path)).filter(|path| path.len() > 1));
    }
    paths
}

/// Whether `name` is a word of `code`.
pub(crate) fn has_word(code: &str, name: &str) -> bool {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name)
}

#[test]
fn each_import_is_found() {
    let text = "use crate::{\n    sample::{Metric, metric::{X, Y as Z}},\n    time::{self, Now},\n};\n\
                pub(super) use self::a::B;\nfn f() {\n    use super::c;\n    super::d::e();\n}";
    let (found, rest) = imports(text);
    let found: Vec<_> =
        found.iter().map(|it| (it.path.join("::"), &*it.name, it.is_public)).collect();
    let expected = [
        ("crate::sample::Metric", "Metric", false),
        ("crate::sample::metric::X", "X", false),
        ("crate::sample::metric::Y", "Z", false),
        ("crate::time", "time", false),
        ("crate::time::Now", "Now", false),
        ("self::a::B", "B", true),
        ("super::c", "c", false),
    ];
    assert_eq!(found, expected.map(|(path, name, is_public)| (path.to_owned(), name, is_public)));
    assert_eq!(written_out(&rest), [["super", "d", "e"]]);
}

#[test]
fn paths_are_told_from_other_text() {
    let code = "a::b::<T>(1), <X as crate::c::D>::f, \"e: :g\", h::\n{}";
    let found: Vec<_> = written_out(code).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::b", "crate::c::D"]);
    assert!(has_word("f(Store)", "Store") && !has_word("f(Stored)", "Store"));
}
