//! `/task/stats`: any bytes are entries or an error; a parser that has seen other
//! documents reads a document exactly as a new one does; and one that leaves parts
//! unread reads the others exactly as one that reads all.

#![no_main]

use esp::{
    endpoint::stats::StatsParser,
    reading::{Entry, Parts, Reading},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Two documents of one input, so that what the one has left behind can do
    // harm to the other.
    let (first, second) = match data.iter().position(|&byte| byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, data),
    };
    esp_fuzz::run(|| {
        let mut kept = StatsParser::new(Parts::ALL);
        let new = [first, second].map(|document| read(&mut StatsParser::new(Parts::ALL), document));
        for (document, new) in [first, second, first].into_iter().zip([&new[0], &new[1], &new[0]]) {
            assert_eq!(read(&mut kept, document), *new);
        }
        // Each combination for some length.
        let has = |bit: usize| data.len() & bit != 0;
        let parts = Parts { memory: has(1), network: has(2), block_io: has(4) };
        compare(parts, &read(&mut StatsParser::new(parts), first), &new[0]);
    });
});

/// What is left unread is `None`, and cannot make an entry malformed.
fn compare(parts: Parts, some: &Document, all: &Document) {
    let (Some(some), Some(all)) = (some, all) else {
        assert_eq!(some, all);
        return;
    };
    assert_eq!(some.len(), all.len());
    for ((id, some), (id_of_all, all)) in some.iter().zip(all) {
        assert_eq!(id, id_of_all);
        match all {
            Entry::NoData => assert_eq!(*some, Entry::NoData),
            Entry::Reading(all) => {
                let expected = Reading {
                    memory: all.memory.filter(|_| parts.memory),
                    network: all.network.filter(|_| parts.network),
                    block_io: all.block_io.filter(|_| parts.block_io),
                    ..*all
                };
                assert_eq!(*some, Entry::Reading(expected));
            }
            // By a part that is left unread, perhaps.
            Entry::Malformed(_) => assert!(parts != Parts::ALL || some == all),
        }
    }
}

/// The Docker ids and their entries, or `None` where it is not read at all.
type Document = Option<Vec<(String, Entry)>>;

/// Everything that the document tells.
fn read(parser: &mut StatsParser, document: &[u8]) -> Document {
    let mut body = document.to_vec();
    let mut entries = Vec::new();
    let outcome = parser.parse(&mut body, |id, entry| {
        match entry {
            Entry::NoData => {}
            Entry::Reading(stats) => {
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
            assert!(error.to_string().starts_with("/task/stats is not "));
            None
        }
    }
}
