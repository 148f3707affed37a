//! `/task/stats`: any bytes are entries or an error, and a parser that has seen
//! other documents reads a document exactly as a new one does.

#![no_main]

use esp::stats::{Entry, Parts, StatsParser};
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
    });
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
            assert!(error.to_string().starts_with("/task/stats is not "));
            None
        }
    }
}
