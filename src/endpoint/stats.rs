//! `/task/stats`, the endpoint's document of counters: a [`Reading`] for each
//! container that has data, taken straight off simd-json's tape. Only numbers are
//! copied out of the body, and once the buffers are warm nothing is allocated.
//!
//! What the numbers mean is not decided here: no differences, no percentages.
//! Every form of "no data" that the endpoint knows ends as [`Entry::NoData`],
//! and an entry that cannot be read costs only itself.

use std::fmt;

use simd_json::{Buffers, Tape};

use super::tape::{Fields, Lengths, Value};
use crate::{
    reading::{
        BlockIo, BlockIoBytes, BlockIoReading, CpuReading, Entry, MemoryReading, NetworkReading,
        Parts, Reading, ReadingError,
    },
    time::timestamp::{Timestamp, TimestampError},
};

/// Why a whole document was unreadable.
#[derive(Debug)]
pub enum StatsError {
    /// Not JSON.
    Json(simd_json::Error),
    /// JSON, but not an object keyed by Docker id.
    NotAnObject,
}

impl fmt::Display for StatsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "/task/stats is not JSON: {error}"),
            Self::NotAnObject => f.write_str("/task/stats is not an object keyed by Docker id"),
        }
    }
}

impl std::error::Error for StatsError {}

/// The parser, kept from poll to poll for its buffers.
pub struct StatsParser {
    parts: Parts,
    buffers: Buffers,
    /// Bodies up to this length find room in `buffers`.
    room_bytes: usize,
    /// Empty between polls; kept for its allocation.
    tape: Option<Tape<'static>>,
}

impl fmt::Debug for StatsParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsParser").finish_non_exhaustive()
    }
}

impl StatsParser {
    /// A parser of these parts, with cold buffers.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, buffers: Buffers::default(), room_bytes: 0, tape: None }
    }

    /// Reads `body`, which it scribbles over, and calls `visit` with the Docker
    /// id and the entry of each container, in the document's order.
    ///
    /// # Errors
    ///
    /// [`StatsError`] where the document as a whole cannot be read; `visit` has
    /// then not been called.
    ///
    /// ```
    /// use esp::{endpoint::stats::StatsParser, reading::{Entry, Parts}};
    ///
    /// let mut body = br#"{"4f1c": {"read": "2026-11-24T10:00:00Z",
    ///     "cpu_stats": {"cpu_usage": {"total_usage": 7}, "online_cpus": 2}}, "9d2e": null}"#
    ///     .to_vec();
    /// let mut seen = Vec::new();
    /// StatsParser::new(Parts::ALL).parse(&mut body, |id, entry| seen.push((id.to_owned(), entry)))?;
    /// assert!(matches!(&seen[0], (id, Entry::Reading(stats)) if id == "4f1c"
    ///     && stats.cpu.is_some_and(|cpu| cpu.total_usage_ns == 7)));
    /// assert_eq!(seen[1], ("9d2e".to_owned(), Entry::NoData));
    /// # Ok::<(), esp::endpoint::stats::StatsError>(())
    /// ```
    pub fn parse<'body>(
        &mut self,
        body: &'body mut [u8],
        mut visit: impl FnMut(&'body str, Entry),
    ) -> Result<(), StatsError> {
        if body.len() > self.room_bytes {
            // simd-json would make room for this length and not a byte more; but
            // counters gain digits.
            self.room_bytes = body.len() + body.len() / 4;
            self.buffers = Buffers::new(self.room_bytes);
        }
        let parts = self.parts;
        let mut tape = self.tape.take().unwrap_or_else(Tape::null).reset();
        let result = simd_json::fill_tape(body, &mut self.buffers, &mut tape)
            .map_err(StatsError::Json)
            .and_then(|()| {
                let document = Value::document(&tape.0);
                let containers = document.fields().ok_or(StatsError::NotAnObject)?;
                for (docker_id, entry) in containers {
                    let entry = read_entry(entry, parts).unwrap_or_else(Entry::Malformed);
                    visit(docker_id, entry);
                }
                Ok(())
            });
        self.tape = Some(tape.reset());
        result
    }
}

fn read_entry(entry: Value<'_, '_>, parts: Parts) -> Result<Entry, ReadingError> {
    const KEYS: Lengths =
        Lengths::of(&["read", "cpu_stats", "memory_stats", "networks", "blkio_stats"]);
    let Some(fields) = object(entry, "entry")? else {
        return Ok(Entry::NoData);
    };
    let mut read = None;
    let mut cpu_stats = None;
    let mut memory_stats = None;
    let mut networks = None;
    let mut blkio_stats = None;
    for (key, value) in fields.of(KEYS) {
        match key {
            "read" => read = string(value, "read")?,
            "cpu_stats" => cpu_stats = object(value, "cpu_stats")?,
            "memory_stats" if parts.memory => memory_stats = object(value, "memory_stats")?,
            "networks" if parts.network => networks = object(value, "networks")?,
            "blkio_stats" if parts.block_io => blkio_stats = object(value, "blkio_stats")?,
            _ => {}
        }
    }
    let (Some(read), Some(cpu_stats)) = (read, cpu_stats) else {
        return Ok(Entry::NoData);
    };
    let read = match Timestamp::parse(read) {
        Ok(read) => read,
        Err(TimestampError::BeforeEpoch) => return Ok(Entry::NoData),
        Err(TimestampError::Malformed) => {
            return Err(ReadingError { field: "read", expected: "an RFC 3339 timestamp" });
        }
    };
    Ok(Entry::Reading(Reading {
        read,
        cpu: read_cpu(cpu_stats)?,
        is_cpu_base: false,
        memory: memory_stats.map_or(Ok(None), read_memory)?,
        network: networks.map_or(Ok(None), read_networks)?,
        block_io: blkio_stats.map(read_block_io).transpose()?,
    }))
}

fn read_cpu(fields: Fields<'_, '_>) -> Result<Option<CpuReading>, ReadingError> {
    const KEYS: Lengths = Lengths::of(&["online_cpus", "cpu_usage"]);
    const USAGE_KEYS: Lengths = Lengths::of(&["total_usage", "percpu_usage"]);
    let mut total_usage_ns = 0;
    let mut online_cpus = 0;
    let mut percpu_cpus = 0;
    for (key, value) in fields.of(KEYS) {
        match key {
            "online_cpus" => online_cpus = unsigned(value, "cpu_stats.online_cpus")?,
            "cpu_usage" => {
                let Some(usage) = object(value, "cpu_stats.cpu_usage")? else { continue };
                for (key, value) in usage.of(USAGE_KEYS) {
                    match key {
                        "total_usage" => {
                            total_usage_ns = unsigned(value, "cpu_stats.cpu_usage.total_usage")?;
                        }
                        "percpu_usage" => percpu_cpus = used_cpus(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // A process that runs at all has used CPU: 0 means that the key was left
    // out, and as a base it would make the next difference the whole lifetime.
    if total_usage_ns == 0 {
        return Ok(None);
    }
    let online_cpus = if online_cpus == 0 { percpu_cpus } else { online_cpus };
    Ok(Some(CpuReading {
        total_usage_ns,
        online_cpus: u32::try_from(online_cpus).ok().filter(|&cpus| cpus > 0),
    }))
}

fn read_memory(fields: Fields<'_, '_>) -> Result<Option<MemoryReading>, ReadingError> {
    const KEYS: Lengths = Lengths::of(&["usage", "limit", "stats"]);
    // The rest of the map, 30 numbers, is of no use here.
    const DETAIL_KEYS: Lengths = Lengths::of(&[
        "cache",
        "inactive_file",
        "total_inactive_file",
        "hierarchical_memory_limit",
        "rss",
        "total_rss",
    ]);
    let mut usage_bytes = 0;
    let mut limit_bytes = 0;
    let mut details = None;
    for (key, value) in fields.of(KEYS) {
        match key {
            "usage" => usage_bytes = unsigned(value, "memory_stats.usage")?,
            "limit" => limit_bytes = unsigned(value, "memory_stats.limit")?,
            "stats" => details = object(value, "memory_stats.stats")?,
            _ => {}
        }
    }
    // Without them nobody knows how much of it is page cache.
    let Some(details) = details else { return Ok(None) };
    let mut is_v1 = false;
    let (mut cache, mut total_inactive_file, mut inactive_file, mut hierarchical) = (0, None, 0, 0);
    for (key, value) in details.of(DETAIL_KEYS) {
        let field = match key {
            "cache" => &mut cache,
            "inactive_file" => &mut inactive_file,
            "hierarchical_memory_limit" => &mut hierarchical,
            "total_inactive_file" => total_inactive_file.insert(0),
            _ => {
                is_v1 |= key == "total_rss" || key == "rss";
                continue;
            }
        };
        is_v1 |= key != "inactive_file";
        *field = unsigned(value, "memory_stats.stats")?;
    }
    if usage_bytes == 0 {
        return Ok(None);
    }
    Ok(Some(MemoryReading {
        usage_bytes,
        inactive_file_bytes: total_inactive_file.unwrap_or(inactive_file),
        cache_bytes: is_v1.then_some(cache),
        limit_bytes: Some(limit_bytes).filter(|&limit| limit > 0),
        hierarchical_limit_bytes: Some(hierarchical).filter(|&limit| limit > 0),
    }))
}

fn read_networks(interfaces: Fields<'_, '_>) -> Result<Option<NetworkReading>, ReadingError> {
    const KEYS: Lengths = Lengths::of(&["rx_bytes", "tx_bytes"]);
    let mut sum = None;
    for (_, interface) in interfaces {
        let Some(fields) = object(interface, "networks")? else { continue };
        let sum: &mut NetworkReading = sum.get_or_insert_default();
        for (key, value) in fields.of(KEYS) {
            let (total, field) = match key {
                "rx_bytes" => (&mut sum.rx_bytes, "networks.rx_bytes"),
                "tx_bytes" => (&mut sum.tx_bytes, "networks.tx_bytes"),
                _ => continue,
            };
            *total = total.wrapping_add(unsigned(value, field)?);
        }
    }
    Ok(sum)
}

fn read_block_io(fields: Fields<'_, '_>) -> Result<BlockIo, ReadingError> {
    const FIELD: &str = "blkio_stats.io_service_bytes_recursive";
    const KEY: &str = "io_service_bytes_recursive";
    let mut fields = fields.of(const { Lengths::of(&[KEY]) });
    let Some((_, entries)) = fields.find(|(key, _)| *key == KEY) else {
        return Ok(BlockIo::NotListed);
    };
    if entries.is_null() {
        return Ok(BlockIo::NotListed);
    }
    let entries = entries.items().ok_or(ReadingError { field: FIELD, expected: "an array" })?;
    let mut listed = None;
    for entry in entries {
        let Some(fields) = object(entry, FIELD)? else { continue };
        let listed = listed.get_or_insert_default();
        read_operation(fields, listed)?;
    }
    Ok(listed.map_or(BlockIo::NotListed, BlockIo::Listed))
}

/// Adds one line of the list: what one device did in one operation.
fn read_operation(fields: Fields<'_, '_>, listed: &mut BlockIoReading) -> Result<(), ReadingError> {
    const FIELD: &str = "blkio_stats.io_service_bytes_recursive";
    const KEYS: Lengths = Lengths::of(&["major", "minor", "op", "value"]);
    let (mut major, mut minor, mut op, mut value) = (0, 0, None, 0);
    for (key, field) in fields.of(KEYS) {
        match key {
            "major" => major = number_of_device(field),
            "minor" => minor = number_of_device(field),
            "op" => op = string(field, FIELD)?,
            "value" => value = unsigned(field, FIELD)?,
            _ => {}
        }
    }
    // Total, Sync and Async count the same bytes again. cgroup v2 writes the
    // operations in lower case.
    let bytes = match op {
        Some(op) if op.eq_ignore_ascii_case("read") => BlockIoBytes { read: value, written: 0 },
        Some(op) if op.eq_ignore_ascii_case("write") => BlockIoBytes { read: 0, written: value },
        _ => return Ok(()),
    };
    listed.add(major, minor, bytes);
    Ok(())
}

/// A device's major or minor number; 0 if there is none. It only tells devices
/// apart, so it costs nothing if it is not a number.
fn number_of_device(value: Value<'_, '_>) -> u32 {
    value.unsigned().and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// The number of CPUs in `percpu_usage`, as daemons from before `online_cpus`
/// tell it. Some kernels pad the array with zeros for CPUs that are not there.
fn used_cpus(value: Value<'_, '_>) -> u64 {
    let Some(usages) = value.items() else { return 0 };
    let mut cpus = 0;
    for (usage, position) in usages.zip(1..) {
        if usage.unsigned() != Some(0) {
            cpus = position;
        }
    }
    cpus
}

/// An object, `None` for `null`, which Go writes for what is not set.
fn object<'tape, 'body>(
    value: Value<'tape, 'body>,
    field: &'static str,
) -> Result<Option<Fields<'tape, 'body>>, ReadingError> {
    match value.fields() {
        Some(fields) => Ok(Some(fields)),
        None if value.is_null() => Ok(None),
        None => Err(ReadingError { field, expected: "an object" }),
    }
}

fn string<'body>(
    value: Value<'_, 'body>,
    field: &'static str,
) -> Result<Option<&'body str>, ReadingError> {
    match value.string() {
        Some(string) => Ok(Some(string)),
        None if value.is_null() => Ok(None),
        None => Err(ReadingError { field, expected: "a string" }),
    }
}

fn unsigned(value: Value<'_, '_>, field: &'static str) -> Result<u64, ReadingError> {
    match value.unsigned() {
        Some(number) => Ok(number),
        None if value.is_null() => Ok(0),
        None => Err(ReadingError { field, expected: "a whole number from 0 to 2^64-1" }),
    }
}

#[cfg(test)]
mod tests;
