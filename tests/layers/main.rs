//! The rooms of `src` use each other in one direction, and so do its files: nothing uses
//! itself through others. A `mod.rs` is a file like any other: what it shares with the
//! files beside it is in one of them. What a room is for is in docs/architecture.md, which
//! names each of them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod graph;
mod imports;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::graph::{Files, Module, circle};

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

/// The module of a file below `src`.
fn module(file: &Path) -> Module {
    let mut module: Module = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    module.pop_if(|last| last == "mod");
    module
}

/// The files of `src`, but for tests and the root.
fn files() -> Files {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = sources(&src)
        .into_iter()
        .map(|file| (module(file.strip_prefix(&src).unwrap()), fs::read_to_string(&file).unwrap()));
    Files::new(modules.filter(|(module, _)| {
        module[..] != ["lib".to_owned()] && !module.iter().any(|part| part == "tests")
    }))
}

#[test]
fn no_room_uses_itself_through_others() {
    let graph = files().rooms();
    assert!(graph["sidecar"].contains("sampler"), "the rooms are found: {graph:?}");
    for room in graph.keys() {
        assert_eq!(circle(&graph, room), None, "{graph:#?}");
    }
}

#[test]
fn no_file_uses_itself_through_others() {
    let graph = files().graph();
    assert!(graph["sidecar/endpoint_source"].contains("sampler"), "the files are found: {graph:?}");
    for file in graph.keys() {
        assert_eq!(circle(&graph, file), None, "each of them uses the next one");
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
    for (room, others) in files().rooms() {
        let Some(mine) = place(&room) else { continue };
        for other in others {
            assert!(place(&other) > Some(mine), "{room} uses {other}, which is not below it");
        }
    }
}

#[test]
fn the_architecture_page_names_each_room_and_only_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    for room in files().rooms().keys() {
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
