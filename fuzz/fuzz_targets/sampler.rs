//! The sampler as a state machine: a stream of documents, as they stand in the
//! input or made from a few bytes, at times of the input's choosing. Whatever they
//! say, a sample is a value that CloudWatch takes, of a metric that was asked for,
//! at a moment that the document names, and is handed out once; the figures add
//! up; a document that cannot be read changes nothing; and the memory is what the
//! longest document needs, not what all of them would.

#![no_main]

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    time::{Duration, Instant},
};

use esp::reading::Parts;
use esp::sampler::parts_of;
use esp::{
    endpoint::{stats::StatsParser, task::TaskDocument},
    reading::{Entry, Reading},
    sample::{
        limits,
        metric::{Metric, MetricSet, Sample},
        own_figures::OwnFigures,
    },
    sampler::{Event, Sampler, Selection, asking::Asking},
    time::{Now, Timestamp},
};
use libfuzzer_sys::fuzz_target;

/// Between two records of the input. JSON cannot contain it.
const SEPARATOR: u8 = 0;
/// What the host's clock says when the first document comes: 10:00:00.
const START_MS: u64 = 1_795_514_400_000;

/// A document may leave behind so many times its length: buffers for its
/// structure and its strings, a container out of 27 bytes.
const MEMORY_FACTOR: usize = 128;
/// And what is there without any, the samples and events of one document too.
const MEMORY_BASE: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    esp_fuzz::run(|| {
        let Some((&selection, records)) = data.split_first() else { return };
        let mut machine = Machine::new(selection);
        for record in records.split(|&byte| byte == SEPARATOR) {
            let Some((&op, body)) = record.split_first() else { continue };
            match op {
                b't' => machine.task(body, 1_000),
                b'T' => machine.task(body, 30_000),
                b'f' => machine.task_fails(),
                b's' => machine.stats(body, 1_000),
                b'n' => machine.stats(body, 0),
                b'l' => machine.stats(body, 60_000),
                b'g' => machine.grown(body, 1_000),
                b'G' => machine.grown(body, 10_000),
                op => machine.stats(body, u64::from(op) * 37),
            }
        }
        machine.replay();
    });
});

/// The sampler, and what is known of it from outside.
struct Machine {
    sampler: Sampler,
    wanted: MetricSet,
    now: Instant,
    wall_ms: u64,
    /// The sampler's.
    read: StatsParser,
    parser: StatsParser,
    /// `read` of the last sample under each id.
    reads: HashMap<String, Timestamp>,
    /// The names by id, of those that the last task document lists.
    names: HashMap<String, String>,
    /// What has been handed out since a clock went back or the task changed.
    seen: HashSet<(Option<u16>, Metric, Timestamp)>,
    samples: Vec<Sample>,
    events: Vec<Event>,
    handed_out: u64,
    grown: [Grown; 4],
    /// Empty unless it was the last thing that happened.
    last_document: Vec<u8>,
    longest: usize,
    memory_before: usize,
}

/// Counters that grow by what a few bytes say.
#[derive(Clone, Copy)]
struct Grown {
    read_ms: u64,
    total: u64,
}

impl Machine {
    fn new(selection: u8) -> Self {
        let named = |names: &[&str]| {
            Selection::Named(names.iter().map(|name| (*name).to_owned()).collect())
        };
        let (selection, wanted) = match selection {
            b'*' => (Selection::All, MetricSet::all()),
            b'c' => (named(&["web"]), [Metric::CpuUtilization].into_iter().collect()),
            b'n' => (named(&["web"]), [Metric::NetworkRxBytes].into_iter().collect()),
            _ => (named(&["web", "log"]), MetricSet::all()),
        };
        let memory_before = esp_fuzz::allocated_bytes();
        Self {
            sampler: Sampler::new(selection, wanted),
            wanted,
            now: Instant::now(),
            wall_ms: START_MS,
            read: StatsParser::new(parts_of(wanted)),
            parser: StatsParser::new(Parts::ALL),
            reads: HashMap::new(),
            names: HashMap::new(),
            seen: HashSet::new(),
            samples: Vec::new(),
            events: Vec::new(),
            handed_out: 0,
            grown: [Grown { read_ms: START_MS, total: 1 }; 4],
            last_document: Vec::new(),
            longest: 0,
            memory_before,
        }
    }

    fn both_clocks(&self) -> Now {
        Now { instant: self.now, wall: Timestamp::from_unix_ns(self.wall_ms * 1_000_000) }
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.wall_ms += ms;
        self.last_document.clear();
    }

    fn task_fails(&mut self) {
        self.pass(1_000);
        self.sampler.on_task_failed(self.now);
        assert_eq!(self.sampler.wants_task(self.now), !self.sampler.knows_task());
    }

    fn task(&mut self, body: &[u8], ms: u64) {
        self.pass(ms);
        self.longest = self.longest.max(body.len());
        let Ok(task) = TaskDocument::parse(&mut body.to_vec()) else { return self.task_fails() };
        let now = self.both_clocks();
        self.sampler.on_task(&task, now, &mut self.samples, &mut self.events);
        assert!(self.sampler.knows_task() && !self.sampler.wants_task(self.now));
        // An id keeps the name under which it was first listed.
        let before = std::mem::take(&mut self.names);
        for container in task.containers() {
            if let (Some(id), Some(name)) = (container.docker_id(), container.name()) {
                let name = before.get(id).map_or(name, String::as_str);
                self.names.entry(id.to_owned()).or_insert_with(|| name.to_owned());
            }
        }
        // A place may have gone to another container.
        self.seen.clear();
        for sample in &self.samples {
            let metric = sample.metric.metric().unwrap();
            assert!(metric.is_from_task_document() && sample.read == now.wall, "{sample:?}");
        }
        self.take();
    }

    fn stats(&mut self, body: &[u8], ms: u64) {
        self.pass(ms);
        self.longest = self.longest.max(body.len());
        let before = self.sampler.figures();
        let wanted_task = self.sampler.wants_task(self.now);
        let now = self.both_clocks();
        let mut scribbled = body.to_vec();
        let outcome = self.sampler.on_readings(
            |visit| self.read.parse(&mut scribbled, visit),
            now,
            &mut self.samples,
            &mut self.events,
        );
        let after = self.sampler.figures();
        if outcome.is_err() {
            assert_eq!((before, wanted_task), (after, self.sampler.wants_task(self.now)));
            assert!(self.samples.is_empty() && self.events.is_empty());
            return;
        }
        self.last_document = body.to_vec();
        let entries = self.entries(body);
        self.check_figures(before, after);
        self.check_asking();
        for sample in &self.samples {
            self.check_moment(sample, &entries);
        }
        self.take();
        self.check_memory();
    }

    /// Whatever the documents say, the endpoint is not asked in a hurry and not left alone.
    fn check_asking(&self) {
        let second = Duration::from_secs(1);
        for is_spared in [false, true] {
            let mut asking = Asking::new(self.now, second);
            asking.set_spared(is_spared);
            asking.plan(self.now, self.sampler.rhythms());
            let rest = asking.next() - self.now;
            assert!((second / 16..=second * 30).contains(&rest), "{rest:?}");
        }
    }

    /// What a document has under each id, the first of which counts.
    fn entries(&mut self, body: &[u8]) -> HashMap<String, Reading> {
        let mut entries = HashMap::new();
        let mut ids = HashSet::new();
        let visit = |id: &str, entry| {
            if ids.insert(id.to_owned())
                && let Entry::Reading(stats) = entry
            {
                entries.insert(id.to_owned(), stats);
            }
        };
        self.parser.parse(&mut body.to_vec(), visit).unwrap();
        for (id, stats) in &entries {
            let before = self.reads.insert(id.clone(), stats.read);
            if before.is_some_and(|before| before > stats.read) {
                self.seen.clear();
            }
        }
        entries
    }

    fn check_figures(&self, before: OwnFigures, after: OwnFigures) {
        let grown = |of: fn(&OwnFigures) -> u64| of(&after).checked_sub(of(&before)).unwrap();
        assert_eq!(grown(|figures| figures.samples), self.samples.len() as u64);
        let polls = [
            grown(|figures| figures.duplicates),
            grown(|figures| figures.no_data),
            grown(|figures| figures.malformed),
        ];
        assert!(polls.iter().sum::<u64>() <= self.names.len() as u64, "{before:?} {after:?}");
        // CPU, clock, network, reads and writes of a container; the task's network.
        assert!(grown(|figures| figures.resets) <= 5 * self.names.len() as u64 + 1);
    }

    /// A sample is of a moment that a document has named, a container's of one in
    /// this document, and no more than that bears out.
    fn check_moment(&self, sample: &Sample, entries: &HashMap<String, Reading>) {
        let Some(place) = sample.container else {
            // A shared network has a value up to the answer that showed its counters.
            let mut known = self.reads.iter().filter(|(id, _)| self.names.contains_key(*id));
            let is_known = known.any(|(_, read)| *read >= sample.read);
            assert!(is_known || sample.read == self.both_clocks().wall, "{sample:?}");
            return;
        };
        let name = &self.sampler.names()[usize::from(place)];
        let is_borne_out = |stats: &Reading| match sample.metric.metric().unwrap() {
            Metric::CpuUsage => stats.cpu.is_some_and(|cpu| {
                cpu.online_cpus.is_none_or(|cpus| sample.value <= 110.1 * f64::from(cpus))
            }),
            Metric::MemoryUtilized => stats
                .memory
                .is_some_and(|memory| sample.value * 1_048_576.0 <= memory.usage_bytes as f64),
            _ => true,
        };
        // Two containers may have one name, and one time.
        let mut own = entries
            .iter()
            .filter(|(id, stats)| self.names.get(*id) == Some(name) && stats.read == sample.read);
        assert!(own.any(|(_, stats)| is_borne_out(stats)), "{sample:?} of {name}");
    }

    /// Takes the samples and events of a document off, each of them sound.
    fn take(&mut self) {
        let names = self.sampler.names();
        for sample in self.samples.drain(..) {
            assert!(limits::is_value(sample.value) && sample.value >= 0.0, "{sample:?}");
            let metric = sample.metric.metric().unwrap();
            assert!(self.wanted.has(metric), "{sample:?}");
            match sample.container {
                Some(place) => assert!(usize::from(place) < names.len(), "{sample:?}"),
                None => assert!(metric.is_of_task(), "{sample:?}"),
            }
            // Of several containers two may be read at the very same moment, and
            // then the task's values are.
            let is_new = self.seen.insert((sample.container, metric, sample.read));
            let is_one = self.names.len() <= 1;
            assert!(is_new || (sample.container.is_none() && !is_one), "{sample:?} twice");
            self.handed_out += 1;
        }
        assert_eq!(self.sampler.figures().samples, self.handed_out);
        for event in self.events.drain(..) {
            let (Event::ContainerFound { container, .. }
            | Event::ContainerMissing { container, .. }
            | Event::Measuring { container, .. }
            | Event::Unavailable { container: Some(container), .. }
            | Event::CounterReset { container }
            | Event::CounterJumped { container }
            | Event::ContainerSilent { container, .. }
            | Event::ContainerBack { container }
            | Event::EntryMalformed { container, .. }) = event
            else {
                continue;
            };
            assert!(names.contains(&container), "{container:?}");
        }
        assert_ne!(self.sampler.cadence(), Some(Duration::ZERO));
    }

    /// Replayed at once, the last document brings nothing.
    fn replay(&mut self) {
        let document = std::mem::take(&mut self.last_document);
        if document.is_empty() {
            return;
        }
        let before = self.handed_out;
        self.stats(&document, 0);
        assert_eq!(self.handed_out, before, "a replay brought samples");
    }

    fn check_memory(&self) {
        let mine = self.seen.capacity() * 2 * size_of::<(Option<u16>, Metric, Timestamp)>()
            + (self.reads.len() + self.names.len()) * 2 * (self.longest + 128);
        let used = esp_fuzz::allocated_bytes().saturating_sub(self.memory_before);
        let limit = MEMORY_BASE + MEMORY_FACTOR * self.longest + mine;
        assert!(used <= limit, "{used} bytes after documents of up to {} bytes", self.longest);
    }

    /// A document out of three bytes for each entry: whose it is and what is
    /// odd about it, by how much its time moves, and by how much its counters do.
    fn grown(&mut self, bytes: &[u8], ms: u64) {
        let mut json = String::from("{");
        for (position, entry) in bytes.chunks_exact(3).take(8).enumerate() {
            let &[who, time, growth] = entry else { continue };
            let id = usize::from(who % 4);
            let grown = &mut self.grown[id];
            grown.read_ms = match time {
                0..200 => grown.read_ms + u64::from(time) * 10,
                200..240 => grown.read_ms + u64::from(time - 199) * 1_000,
                240..248 => grown.read_ms + u64::from(time - 239) * 1_000_000,
                248.. => grown.read_ms.saturating_sub(u64::from(time - 247) * 700),
            };
            grown.total = match growth {
                0..250 => grown.total.saturating_add(u64::from(growth) * 10),
                250..253 => grown.total / 2,
                253.. => grown.total.saturating_mul(1 << 20),
            };
            let comma = if position == 0 { "" } else { ", " };
            let id = char::from(b"abcd"[id]);
            write!(json, "{comma}\"{id}\": {}", document(*grown, who / 4)).unwrap();
        }
        json.push('}');
        self.stats(json.as_bytes(), ms);
    }
}

/// An entry with these counters; the bits of `odd` leave things out.
fn document(grown: Grown, odd: u8) -> String {
    let Grown { read_ms, total } = grown;
    let read = utc(read_ms);
    let has = |bit: u8| odd & (1 << bit) == 0;
    if odd == 0b11_1111 {
        return "null".to_owned();
    }
    let cpu = if has(0) {
        format!(r#""total_usage": {}"#, total.saturating_mul(1_000_000))
    } else {
        String::new()
    };
    let cpus = if has(1) { r#", "online_cpus": 2"# } else { "" };
    let memory = if has(2) {
        format!(r#", "memory_stats": {{"usage": {total}, "limit": 4096}}"#)
    } else {
        String::new()
    };
    let networks = if has(3) {
        format!(r#", "networks": {{"eth0": {{"rx_bytes": {total}, "tx_bytes": {}}}}}"#, total / 2)
    } else {
        String::new()
    };
    let block_io = if has(4) {
        format!(
            r#", "blkio_stats": {{"io_service_bytes_recursive": [{{"op": "Read", "value": {total}}}]}}"#
        )
    } else {
        String::new()
    };
    format!(
        r#"{{"read": "{read}", "cpu_stats": {{"cpu_usage": {{{cpu}}}{cpus}}}{memory}{networks}{block_io}}}"#
    )
}

/// RFC 3339, by way of a date that does not matter: days are all of 2026.
fn utc(ms: u64) -> String {
    const NEW_YEAR_MS: u64 = 1_767_225_600_000;
    let ms = ms.saturating_sub(NEW_YEAR_MS) % (28 * 86_400_000 * 12);
    let (day, ms) = (ms / 86_400_000, ms % 86_400_000);
    format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        day / 28 + 1,
        day % 28 + 1,
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1000 % 60,
        ms % 1000
    )
}
