//! `/task/stats`: any bytes are entries or an error, a parser that has seen other
//! documents reads a document exactly as a new one does, and what the sampler
//! makes of it can be published.

#![no_main]

use std::time::Instant;

use esp::{
    limits,
    metric::MetricSet,
    sampler::{Sampler, Selection},
    stats::{Entry, StatsParser},
    task::TaskDocument,
    timestamp::Timestamp,
};
use libfuzzer_sys::fuzz_target;

/// Containers under the ids of the seeds: with and without limits, on an
/// interface of their own and on a shared one.
const TASK: &str = r#"{"Limits": {"CPU": 0.25}, "Containers": [
    {"DockerId": "a", "Name": "web", "Networks": [{"NetworkMode": "bridge"}], "Limits": {"CPU": 128, "Memory": 64}},
    {"DockerId": "b", "Name": "log", "Networks": [{"NetworkMode": "awsvpc"}]},
    {"DockerId": "c", "Name": "job", "Networks": [{"NetworkMode": "awsvpc"}]},
    {"DockerId": "d", "Name": "~internal~ecs~pause", "Type": "CNI_PAUSE"}]}"#;

fuzz_target!(|data: &[u8]| {
    // Two documents of one input, so that what the one has left behind can do
    // harm to the other.
    let (first, second) = match data.iter().position(|&byte| byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, data),
    };
    let documents = [first, second, first, second];
    let mut kept = StatsParser::new();
    for document in documents {
        assert_eq!(read(&mut kept, document), read(&mut StatsParser::new(), document));
    }
    sample(&documents);
});

/// Everything that the document tells, or `None` where it is not read at all.
fn read(parser: &mut StatsParser, document: &[u8]) -> Option<Vec<(String, Entry)>> {
    let mut body = document.to_vec();
    let mut entries = Vec::new();
    let outcome = parser.parse(&mut body, |id, entry| {
        match entry {
            Entry::NoData => {}
            Entry::Sample(stats) => {
                if let Some(cpu) = stats.cpu {
                    assert_ne!(cpu.total_usage_ns, 0);
                    assert_ne!(cpu.online_cpus, Some(0));
                }
                if let Some(memory) = stats.memory {
                    assert_ne!(memory.usage_bytes, 0);
                }
            }
            // What goes into the log has to be writable.
            Entry::Malformed(error) => assert!(!error.to_string().is_empty()),
        }
        entries.push((id.to_owned(), entry));
    });
    match outcome {
        Ok(()) => Some(entries),
        Err(error) => {
            assert!(entries.is_empty(), "visited entries of a document with {error}");
            None
        }
    }
}

/// Polls the documents one after the other, everything asked for.
fn sample(documents: &[&[u8]]) {
    let now = Instant::now();
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    let mut sampler = Sampler::new(Selection::All, MetricSet::all());
    let task = TaskDocument::parse(&mut TASK.as_bytes().to_vec()).unwrap();
    sampler.on_task(&task, now, Timestamp::from_unix_ns(0), &mut samples, &mut events);
    for document in documents {
        let _ = sampler.on_stats(&mut document.to_vec(), now, &mut samples, &mut events);
    }
    for sample in samples {
        assert!(limits::is_value(sample.value) && sample.value >= 0.0, "{sample:?}");
    }
}
