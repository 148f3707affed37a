//! What the kernel counted for each container while the answers were recorded.

use std::{collections::HashMap, fs, path::Path};

use serde_json::Value;

/// How far `read` may be from the moment at which the kernel had the counters:
/// with both CPUs busy up to 14 ms were measured.
const READ_TOLERANCE_S: f64 = 0.02;

/// A counter of one container, by time, in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Counter(Vec<(f64, f64)>);

impl Counter {
    /// The least and the most that it can have been at that time; `None` if it was
    /// not recorded then.
    fn at(&self, time: f64) -> Option<(f64, f64)> {
        let before = self.0.iter().rev().find(|(at, _)| *at <= time - READ_TOLERANCE_S)?;
        let after = self.0.iter().find(|(at, _)| *at >= time + READ_TOLERANCE_S)?;
        // A container that ended has no samples for a while.
        (after.0 - before.0 < 1.5).then_some((before.1, after.1))
    }

    /// The least and the most that it can have grown in a second, on average.
    pub(crate) fn rate(&self, from: f64, to: f64) -> Option<(f64, f64)> {
        let ((from_low, from_high), (to_low, to_high)) = (self.at(from)?, self.at(to)?);
        let is_restarted = self.0.windows(2).any(|pair| {
            let is_between = pair[0].0 >= from - 1.0 && pair[1].0 <= to + 1.0;
            is_between && pair[1].1 < pair[0].1
        });
        let seconds = to - from;
        let least = ((to_low - from_high) / seconds).max(0.0);
        (!is_restarted).then_some((least, (to_high - from_low) / seconds))
    }

    /// The least and the most value that was recorded between two times.
    pub(crate) fn range(&self, from: f64, to: f64) -> Option<(f64, f64)> {
        let values = self.0.iter().filter(|(at, _)| (from..=to).contains(at));
        let range = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, value)| {
            (low.min(*value), high.max(*value))
        });
        range.0.is_finite().then_some(range)
    }

    /// Its growth in a second over the whole recording.
    pub(crate) fn mean_rate(&self) -> f64 {
        let (first, last) = (self.0[0], self.0[self.0.len() - 1]);
        (last.1 - first.1) / (last.0 - first.0)
    }
}

/// The counters of one container.
#[derive(Debug, Default)]
pub(crate) struct Container {
    /// Seconds of CPU time.
    pub(crate) cpu: Counter,
    /// Bytes in use without the inactive page cache.
    pub(crate) working_set: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) read: Counter,
    pub(crate) written: Counter,
}

/// By the containers' names.
pub(crate) fn load(file: &Path) -> HashMap<String, Container> {
    let mut containers: HashMap<String, Container> = HashMap::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let line: HashMap<String, Value> = serde_json::from_str(line).unwrap();
        for (name, it) in line {
            let container = containers.entry(name).or_default();
            let time = it["t"].as_f64().unwrap();
            container.cpu.0.push((time, it["cpu"].as_f64().unwrap() / 1e9));
            let Some(usage) = it["mem"].as_f64() else { continue };
            container.working_set.0.push((time, usage - it["inact"].as_f64().unwrap()));
            let interfaces = it["net"].as_object().unwrap();
            let network = |direction: usize| -> f64 {
                let real = interfaces.iter().filter(|(name, _)| *name != "lo");
                real.map(|(_, bytes)| bytes[direction].as_f64().unwrap()).sum()
            };
            container.received.0.push((time, network(0)));
            container.sent.0.push((time, network(1)));
            // Device, operation, bytes, and so on; a total without a device at the end.
            let words: Vec<_> =
                it["blk"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
            let block_io = |operation: &str| -> f64 {
                let lines = words.chunks_exact(3).filter(|line| line[1] == operation);
                lines.map(|line| line[2].parse::<f64>().unwrap()).sum()
            };
            container.read.0.push((time, block_io("Read")));
            container.written.0.push((time, block_io("Write")));
        }
    }
    containers
}
