//! Single documents: what the endpoint's parsers make of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use esp::{
    endpoint::{
        response::{Progress, ResponseReader},
        stats::StatsParser,
        task::TaskDocument,
    },
    reading::{BlockIo, Entry, Parts},
};
use serde_json::Value;

/// Files below `directory`, one folder deep, of which the name says so.
fn files(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let list = |directory: &Path| -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let folders = list(&directory.join("real-agent"));
    let mut files = list(directory);
    files.extend(folders.iter().flat_map(|folder| list(folder)));
    files.retain(|file| is_wanted(file.file_name().unwrap().to_str().unwrap()));
    files.sort();
    files
}

fn name(file: &Path) -> String {
    let parts: Vec<_> = file.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    format!("{}/{}", parts[1], parts[0])
}

/// What a file holds, by its name. A single container is put where the task's
/// document would have it.
enum Kind {
    Task,
    Container,
    Stats,
    ContainerStats,
}

fn has_extension(file: &str, wanted: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == wanted)
}

fn kind(file: &str) -> Option<Kind> {
    if !has_extension(file, "json") {
        return None;
    }
    Some(match file {
        "container.json" => Kind::Container,
        "container_stats.json" => Kind::ContainerStats,
        _ if file.contains("container_metadata") => Kind::Container,
        _ if file.contains("container_stats") || file.contains("example_stats") => {
            Kind::ContainerStats
        }
        _ if file.contains("stats") => Kind::Stats,
        _ => Kind::Task,
    })
}

pub(crate) fn tasks(directory: &Path) -> String {
    let is_task = |file: &str| matches!(kind(file), Some(Kind::Task | Kind::Container));
    let (mut documents, mut containers) = (0, 0);
    for file in files(directory, is_task) {
        let mut body = fs::read(&file).unwrap();
        if matches!(kind(file.file_name().unwrap().to_str().unwrap()), Some(Kind::Container)) {
            body = [br#"{"Containers": ["#, &*body, b"]}"].concat();
        }
        let json: Value = serde_json::from_slice(&body).unwrap();
        let task = TaskDocument::parse(&mut body).unwrap_or_else(|error| {
            panic!("{}: {error}", name(&file));
        });
        assert!(task.bad_fields().is_empty(), "{}: {:?}", name(&file), task.bad_fields());
        let listed = json["Containers"].as_array().map_or(0, Vec::len);
        assert_eq!(task.containers().len(), listed, "{}", name(&file));
        let all = json["Containers"].as_array().into_iter().flatten();
        for (container, json) in task.containers().iter().zip(all) {
            assert_eq!(container.name(), json["Name"].as_str());
            assert_eq!(container.known_status(), json["KnownStatus"].as_str());
            assert_eq!(container.started_at().is_some(), json["StartedAt"].is_string());
            let kind = json["Type"].as_str().unwrap_or("NORMAL");
            assert_eq!(container.is_injected(), kind != "NORMAL", "{}: {json}", name(&file));
        }
        documents += 1;
        containers += listed;
    }
    assert!(documents > 20 && containers > 30);
    format!("{documents} documents, {containers} containers")
}

pub(crate) fn stats(directory: &Path) -> String {
    let is_stats = |file: &str| matches!(kind(file), Some(Kind::Stats | Kind::ContainerStats));
    let (mut documents, mut readings) = (0, 0);
    for file in files(directory, is_stats) {
        let mut body = fs::read(&file).unwrap();
        if matches!(kind(file.file_name().unwrap().to_str().unwrap()), Some(Kind::ContainerStats)) {
            body = [br#"{"id": "#, &*body, b"}"].concat();
        }
        let json: Value = serde_json::from_slice(&body).unwrap();
        let mut seen = 0;
        let visit = |id: &str, entry: Entry| {
            seen += 1;
            let json = &json[id];
            match entry {
                Entry::NoData => assert!(json["cpu_stats"].is_null(), "{}", name(&file)),
                Entry::Malformed(error) => panic!("{}: {error}", name(&file)),
                Entry::Reading(reading) => {
                    readings += 1;
                    let cpu = reading.cpu.map(|cpu| cpu.total_usage_ns);
                    assert_eq!(cpu, json["cpu_stats"]["cpu_usage"]["total_usage"].as_u64());
                    let memory = reading.memory.map(|memory| memory.usage_bytes);
                    assert_eq!(memory, json["memory_stats"]["usage"].as_u64());
                    let list = json["blkio_stats"]["io_service_bytes_recursive"].as_array();
                    let list = list.filter(|list| !list.is_empty());
                    let sum = |op: &str| -> u64 {
                        let is_op = |line: &&Value| {
                            line["op"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(op))
                        };
                        let lines = list.into_iter().flatten().filter(is_op);
                        lines.map(|line| line["value"].as_u64().unwrap_or(0)).sum()
                    };
                    match reading.block_io {
                        Some(BlockIo::Listed(listed)) => {
                            let total = listed.total();
                            assert_eq!((total.read, total.written), (sum("read"), sum("write")));
                        }
                        Some(BlockIo::NotListed) => assert!(list.is_none(), "{}", name(&file)),
                        None => assert!(json["blkio_stats"].is_null(), "{}", name(&file)),
                    }
                }
            }
        };
        StatsParser::new(Parts::ALL).parse(&mut body, visit).unwrap();
        assert_eq!(seen, json.as_object().unwrap().len());
        documents += 1;
    }
    assert!(documents > 30 && readings > 60);
    format!("{documents} documents, {readings} readings")
}

pub(crate) fn responses(directory: &Path) -> String {
    let raw = files(directory, |file| has_extension(file, "http"));
    let mut statuses = Vec::new();
    for file in &raw {
        let bytes = fs::read(file).unwrap();
        // Two were written without their chunks, by another tool.
        let is_decoded = String::from_utf8_lossy(&bytes).contains("chunked\r\n\r\n{");
        if is_decoded {
            continue;
        }
        let (mut reader, mut fed) = (ResponseReader::new(1 << 20), 0);
        let mut progress = Progress::More;
        while fed < bytes.len() {
            let spare = reader.spare();
            let count = spare.len().min(bytes.len() - fed);
            spare[..count].copy_from_slice(&bytes[fed..fed + count]);
            fed += count;
            progress =
                reader.advance(count).unwrap_or_else(|error| panic!("{}: {error}", name(file)));
        }
        if progress == Progress::More {
            reader.end().unwrap();
        }
        statuses.push(reader.status());
        let json = file.with_extension("json");
        if let Ok(body) = fs::read(&json) {
            assert_eq!(reader.body(), body, "{}", name(file));
        }
    }
    assert!(raw.len() > 30 && statuses.contains(&200) && statuses.contains(&429));
    format!("{} answers", statuses.len())
}
