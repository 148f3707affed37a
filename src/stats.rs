//! `/task/stats` as a borrowed view: one [`ContainerStats`] for each container
//! that has data, read straight off simd-json's tape. Nothing is copied out of
//! the body but numbers, and once the buffers are warm nothing is allocated.
//!
//! What the numbers mean is not decided here: no differences, no percentages.
//! Every form of "no data" that the endpoint knows ends as [`Entry::NoData`],
//! and an entry that cannot be read costs only itself.

use std::fmt;

use simd_json::{
    Buffers,
    prelude::*,
    tape::{Object, Tape, Value},
};

use crate::timestamp::{Timestamp, TimestampError};

/// One container's sample, as far as ESP reads it.
///
/// Each part is `None` where the document does not have it; within a part a
/// missing key counts as 0, since old agents leave zero-valued keys out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerStats {
    /// When the counters were read, by the clock of the host.
    pub read: Timestamp,
    /// `cpu_stats`; `None` while the container has used no CPU at all, which is
    /// how a sample without the counter looks as well.
    pub cpu: Option<CpuStats>,
}

/// `cpu_stats`. `precpu_stats` is deliberately not read: it is zero in first
/// samples, and always on early Fargate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuStats {
    /// CPU time used since the container started, ns, over all CPUs. Never 0.
    pub total_usage_ns: u64,
    /// CPUs of the host. On a 0.25 vCPU Fargate task it still says 2. `None`
    /// where neither `online_cpus` nor `percpu_usage` tells (Windows).
    pub online_cpus: Option<u32>,
}

/// What the document says of one Docker id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `null`, `{}`, no `cpu_stats`, or a `read` that is missing or before 1970.
    /// Not an error and not zero.
    NoData,
    /// A sample.
    Sample(ContainerStats),
    /// An entry that is not what the endpoint documents.
    Malformed(EntryError),
}

/// Which field made an entry unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryError {
    field: &'static str,
    expected: &'static str,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not {}", self.field, self.expected)
    }
}

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
#[derive(Default)]
pub struct StatsParser {
    buffers: Buffers,
    /// Empty between polls; kept for its allocation.
    tape: Option<Tape<'static>>,
}

impl fmt::Debug for StatsParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsParser").finish_non_exhaustive()
    }
}

impl StatsParser {
    /// A parser with cold buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
    /// use esp::stats::{Entry, StatsParser};
    ///
    /// let mut body = br#"{"4f1c": {"read": "2026-11-24T10:00:00Z",
    ///     "cpu_stats": {"cpu_usage": {"total_usage": 7}, "online_cpus": 2}}, "9d2e": null}"#
    ///     .to_vec();
    /// let mut seen = Vec::new();
    /// StatsParser::new().parse(&mut body, |id, entry| seen.push((id.to_owned(), entry)))?;
    /// assert!(matches!(&seen[0], (id, Entry::Sample(stats)) if id == "4f1c"
    ///     && stats.cpu.is_some_and(|cpu| cpu.total_usage_ns == 7)));
    /// assert_eq!(seen[1], ("9d2e".to_owned(), Entry::NoData));
    /// # Ok::<(), esp::stats::StatsError>(())
    /// ```
    pub fn parse<'body>(
        &mut self,
        body: &'body mut [u8],
        mut visit: impl FnMut(&'body str, Entry),
    ) -> Result<(), StatsError> {
        let mut tape = self.tape.take().unwrap_or_else(Tape::null).reset();
        let result = simd_json::fill_tape(body, &mut self.buffers, &mut tape)
            .map_err(StatsError::Json)
            .and_then(|()| {
                let document = tape.as_value();
                let containers = document.as_object().ok_or(StatsError::NotAnObject)?;
                for (docker_id, entry) in &containers {
                    visit(docker_id, read_entry(entry).unwrap_or_else(Entry::Malformed));
                }
                Ok(())
            });
        self.tape = Some(tape.reset());
        result
    }
}

fn read_entry(entry: Value<'_, '_>) -> Result<Entry, EntryError> {
    let Some(fields) = object(entry, "entry")? else {
        return Ok(Entry::NoData);
    };
    let mut read = None;
    let mut cpu_stats = None;
    for (key, value) in &fields {
        match key {
            "read" => read = string(value, "read")?,
            "cpu_stats" => cpu_stats = object(value, "cpu_stats")?,
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
            return Err(EntryError { field: "read", expected: "an RFC 3339 timestamp" });
        }
    };
    Ok(Entry::Sample(ContainerStats { read, cpu: read_cpu(&cpu_stats)? }))
}

fn read_cpu(fields: &Object<'_, '_>) -> Result<Option<CpuStats>, EntryError> {
    let mut total_usage_ns = 0;
    let mut online_cpus = 0;
    let mut percpu_cpus = 0;
    for (key, value) in fields {
        match key {
            "online_cpus" => online_cpus = unsigned(value, "cpu_stats.online_cpus")?,
            "cpu_usage" => {
                let Some(usage) = object(value, "cpu_stats.cpu_usage")? else { continue };
                for (key, value) in &usage {
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
    Ok(Some(CpuStats {
        total_usage_ns,
        online_cpus: u32::try_from(online_cpus).ok().filter(|&cpus| cpus > 0),
    }))
}

/// The number of CPUs in `percpu_usage`, as daemons from before `online_cpus`
/// tell it. Some kernels pad the array with zeros for CPUs that are not there.
fn used_cpus(value: Value<'_, '_>) -> u64 {
    let Some(usages) = value.as_array() else { return 0 };
    let mut cpus = 0;
    for (usage, position) in usages.iter().zip(1..) {
        if usage.as_u64() != Some(0) {
            cpus = position;
        }
    }
    cpus
}

/// An object, `None` for `null`, which Go writes for what is not set.
fn object<'tape, 'body>(
    value: Value<'tape, 'body>,
    field: &'static str,
) -> Result<Option<Object<'tape, 'body>>, EntryError> {
    match value.as_object() {
        Some(object) => Ok(Some(object)),
        None if value.is_null() => Ok(None),
        None => Err(EntryError { field, expected: "an object" }),
    }
}

fn string<'body>(
    value: Value<'_, 'body>,
    field: &'static str,
) -> Result<Option<&'body str>, EntryError> {
    match value.into_string() {
        Some(string) => Ok(Some(string)),
        None if value.is_null() => Ok(None),
        None => Err(EntryError { field, expected: "a string" }),
    }
}

fn unsigned(value: Value<'_, '_>, field: &'static str) -> Result<u64, EntryError> {
    match value.as_u64() {
        Some(number) => Ok(number),
        None if value.is_null() => Ok(0),
        None => Err(EntryError { field, expected: "a whole number from 0 to 2^64-1" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(body: &str) -> Result<Vec<(String, Entry)>, StatsError> {
        let mut body = body.as_bytes().to_vec();
        let mut entries = Vec::new();
        StatsParser::new().parse(&mut body, |id, entry| entries.push((id.to_owned(), entry)))?;
        Ok(entries)
    }

    /// The one entry of a document that has one.
    fn entry(json: &str) -> Entry {
        let all = entries(&format!(r#"{{"id": {json}}}"#)).unwrap();
        assert_eq!(all.len(), 1);
        all[0].1
    }

    const READ: &str = r#""read": "2026-11-24T10:00:00.5Z""#;

    fn sample(total_usage_ns: u64, online_cpus: Option<u32>) -> Entry {
        Entry::Sample(ContainerStats {
            read: Timestamp::from_unix_ns(1_795_514_400_500_000_000),
            cpu: Some(CpuStats { total_usage_ns, online_cpus }),
        })
    }

    #[test]
    fn every_form_of_no_data_is_no_data() {
        for json in [
            "null",
            "{}",
            &format!("{{{READ}}}"),
            &format!(r#"{{{READ}, "cpu_stats": null}}"#),
            r#"{"cpu_stats": {"cpu_usage": {"total_usage": 5}}}"#,
            r#"{"read": null, "cpu_stats": {"cpu_usage": {"total_usage": 5}}}"#,
            r#"{"read": "0001-01-01T00:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 5}}}"#,
        ] {
            assert_eq!(entry(json), Entry::NoData, "{json}");
        }
    }

    #[test]
    fn reads_the_counters_and_nothing_of_precpu() {
        for (cpu_stats, expected) in [
            (r#"{"cpu_usage": {"total_usage": 7}, "online_cpus": 2}"#, sample(7, Some(2))),
            (
                r#"{"online_cpus": 4, "cpu_usage": {"usage_in_usermode": 1, "total_usage": 18446744073709551615}}"#,
                sample(u64::MAX, Some(4)),
            ),
            // Before online_cpus: count percpu_usage, without the padding.
            (
                r#"{"cpu_usage": {"total_usage": 7, "percpu_usage": [3, 0, 4, 0, 0]}}"#,
                sample(7, Some(3)),
            ),
            (
                r#"{"cpu_usage": {"total_usage": 7, "percpu_usage": null}, "online_cpus": 0}"#,
                sample(7, None),
            ),
            // Of two keys of one name the last counts, as in the agent's own language.
            (
                r#"{"cpu_usage": {"total_usage": 7, "total_usage": 8}, "online_cpus": 1}"#,
                sample(8, Some(1)),
            ),
        ] {
            let json = format!(
                r#"{{{READ}, "cpu_stats": {cpu_stats}, "precpu_stats": {{"cpu_usage": {{"total_usage": 3}}}}}}"#
            );
            assert_eq!(entry(&json), expected, "{json}");
        }
    }

    #[test]
    fn a_counter_left_out_is_no_counter() {
        for cpu_stats in [r"{}", r#"{"cpu_usage": {}}"#, r#"{"cpu_usage": {"total_usage": 0}}"#] {
            let json = format!(r#"{{{READ}, "cpu_stats": {cpu_stats}}}"#);
            assert!(
                matches!(entry(&json), Entry::Sample(ContainerStats { cpu: None, .. })),
                "{json}"
            );
        }
    }

    #[test]
    fn a_bad_entry_names_its_field_and_costs_only_itself() {
        for (json, message) in [
            ("7", "entry is not an object"),
            (r#""text""#, "entry is not an object"),
            ("[]", "entry is not an object"),
            (r#"{"read": 7, "cpu_stats": {}}"#, "read is not a string"),
            (r#"{"read": "yesterday", "cpu_stats": {}}"#, "read is not an RFC 3339 timestamp"),
            (r#"{"cpu_stats": 7}"#, "cpu_stats is not an object"),
            (
                &format!(r#"{{{READ}, "cpu_stats": {{"cpu_usage": []}}}}"#),
                "cpu_stats.cpu_usage is not an object",
            ),
            (
                &format!(r#"{{{READ}, "cpu_stats": {{"cpu_usage": {{"total_usage": "7"}}}}}}"#),
                "cpu_stats.cpu_usage.total_usage is not a whole number from 0 to 2^64-1",
            ),
            (
                &format!(
                    r#"{{{READ}, "cpu_stats": {{"cpu_usage": {{"total_usage": 18446744073709551616}}}}}}"#
                ),
                "cpu_stats.cpu_usage.total_usage is not a whole number from 0 to 2^64-1",
            ),
            (
                &format!(r#"{{{READ}, "cpu_stats": {{"cpu_usage": {{"total_usage": -1}}}}}}"#),
                "cpu_stats.cpu_usage.total_usage is not a whole number from 0 to 2^64-1",
            ),
        ] {
            let good = format!(
                r#"{{{READ}, "cpu_stats": {{"cpu_usage": {{"total_usage": 7}}, "online_cpus": 2}}}}"#
            );
            let all = entries(&format!(r#"{{"a": {good}, "bad": {json}, "z": {good}}}"#)).unwrap();
            assert_eq!(all[0].1, sample(7, Some(2)), "{json}");
            assert_eq!(all[2].1, sample(7, Some(2)), "{json}");
            match all[1].1 {
                Entry::Malformed(error) => assert_eq!(error.to_string(), message, "{json}"),
                other => panic!("{json}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_bad_document_is_an_error_and_the_parser_goes_on() {
        let mut parser = StatsParser::new();
        for bad in ["", "{", "nonsense", "[]", "null", "7", r#"{"a": {}"#] {
            let mut body = bad.as_bytes().to_vec();
            assert!(parser.parse(&mut body, |_, _| panic!("visited")).is_err(), "{bad}");
            let mut good = br#"{"a": null}"#.to_vec();
            let mut count = 0;
            parser.parse(&mut good, |_, _| count += 1).unwrap();
            assert_eq!(count, 1);
        }
    }
}
