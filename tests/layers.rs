//! The rooms of `src` use each other in one direction: no room uses itself through
//! others. What a room is for is in docs/architecture.md, which names each of them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The room of a file: the first part of its path below `src`.
fn room(file: &Path, src: &Path) -> String {
    let first = file.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
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
        let indent = line.len() - line.trim_start().len();
        let is_last = |line: &str| {
            line.len() - line.trim_start().len() == indent
                && line.trim_end().ends_with([';', ',', '}'])
        };
        lines.find(|line| is_last(line));
    }
    kept
}

/// What the parts of a group of imports begin with: `a` and `b` of `a::{C, d::E}, b}`.
fn firsts(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ => {}
        }
        if let Some(part) = parts.last_mut().filter(|_| depth == 0) {
            part.push(character);
        }
    }
    let first =
        |part: &String| part.trim_matches([',', ' ', '\n']).split("::").next().map(str::to_owned);
    parts.iter().filter_map(first).filter(|name| !name.is_empty()).collect()
}

/// The rooms that `text` names after `crate::`, its tests left out.
fn used(text: &str) -> BTreeSet<String> {
    let code = without_tests(text);
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut used = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            used.extend(firsts(group));
        } else {
            let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
            used.extend(name.map(str::to_owned));
        }
    }
    used
}

fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&src);
    let rooms: BTreeSet<_> = files.iter().map(|file| room(file, &src)).collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let is_test = |file: &Path| {
        file.components()
            .any(|part| part.as_os_str().to_str().unwrap().trim_end_matches(".rs") == "tests")
    };
    for file in files.iter().filter(|file| !is_test(file)) {
        let mine = room(file, &src);
        let text = fs::read_to_string(file).unwrap();
        let others =
            used(&text).into_iter().filter(|other| rooms.contains(other) && *other != mine);
        graph.entry(mine.clone()).or_default().extend(others);
    }
    graph
}

/// A way from `room` back to itself.
fn circle(graph: &BTreeMap<String, BTreeSet<String>>, room: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![room.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in graph.get(way.last()?).into_iter().flatten() {
            if next == room {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next.clone());
                ways.push(longer);
            }
        }
    }
    None
}

#[test]
fn no_room_uses_itself_through_others() {
    let graph = graph();
    assert!(graph["sidecar"].contains("sampler"), "the rooms are found: {graph:?}");
    for room in graph.keys() {
        assert_eq!(circle(&graph, room), None, "{graph:#?}");
    }
}

#[test]
fn a_room_uses_only_rooms_below_it_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let (_, table) = page.split_once("## The rooms").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rooms: Vec<_> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(room, _)| room.trim_end_matches(".rs"))
        .collect();
    let place = |name: &str| rooms.iter().position(|room| *room == name);
    for (room, others) in graph() {
        let Some(mine) = place(&room) else { continue };
        for other in others {
            assert!(place(&other) > Some(mine), "{room} uses {other}, which is not below it");
        }
    }
}

#[test]
fn a_circle_is_found() {
    let graph = [("a", "b"), ("b", "c"), ("c", "a")]
        .map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])));
    assert_eq!(circle(&graph.into(), "a").unwrap(), ["a", "b", "c"]);
    let text =
        "use crate::{\n    sample::{Metric, metric::X},\n    time::Now,\n};\nuse crate::exit;";
    assert_eq!(used(text).into_iter().collect::<Vec<_>>(), ["exit", "sample", "time"]);
    let text = "use crate::{exit, sample::Metric};\nfn f() -> (u8, time) {}";
    assert_eq!(used(text).into_iter().collect::<Vec<_>>(), ["exit", "sample"]);
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
            assert_eq!(used(&text).into_iter().collect::<Vec<_>>(), ["sample", "time"], "{text}");
        }
    }
    let text = "struct A {\n    #[cfg(test)]\n    at: crate::exit::A,\n    is: crate::time::B,\n}";
    assert_eq!(used(text).into_iter().collect::<Vec<_>>(), ["time"]);
}

#[test]
fn the_architecture_page_names_each_room_and_only_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    for room in graph().keys().filter(|room| *room != "lib") {
        let is_named =
            page.contains(&format!("| `{room}` |")) || page.contains(&format!("| `{room}.rs` |"));
        assert!(is_named, "{room}");
    }
    let (_, table) = page.split_once("## Where is it decided?").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let is_path = |name: &&str| name.contains('/') && !name.starts_with('/');
    let names = table.split('`').skip(1).step_by(2).filter(is_path);
    let mut count = 0;
    for name in names {
        assert!(root.join("src").join(name).exists() || root.join(name).exists(), "{name}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}
