//! The parser beside another one: what simd-json's tape is read to has to be what
//! serde_json reads into owned structs, field by field, wherever both take the
//! input; and where one of them refuses it, there has to be a reason that is
//! known. The task document is put to the same test.

#![no_main]

use std::{fmt, marker::PhantomData};

use esp::{
    endpoint::{stats::StatsParser, task::TaskDocument},
    reading::{
        BlockIo, BlockIoBytes, BlockIoReading, CpuReading, Entry, MemoryReading, NetworkReading,
        Parts, Reading,
    },
    time::timestamp::{Timestamp, TimestampError},
};
use libfuzzer_sys::fuzz_target;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

fuzz_target!(|data: &[u8]| {
    esp_fuzz::run(|| {
        compare_stats(data);
        compare_task(data);
    });
});

fn compare_stats(data: &[u8]) {
    let mut ours = Vec::new();
    let mut body = data.to_vec();
    let outcome = StatsParser::new(Parts::ALL)
        .parse(&mut body, |id, entry| ours.push((id.to_owned(), entry)));
    let Ok(theirs) = serde_json::from_slice::<Pairs<Box<RawValue>>>(data) else { return };
    if outcome.is_err() {
        return;
    }
    let ids = |pairs: &[(String, _)]| pairs.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    assert_eq!(ours.len(), theirs.0.len());
    let their_ids: Vec<_> = theirs.0.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids(&ours), their_ids);
    for ((id, ours), (_, json)) in ours.iter().zip(&theirs.0) {
        match (ours, read_entry(json)) {
            (ours, Ok(theirs)) => assert_eq!(*ours, theirs, "{id}: {json}"),
            (Entry::Malformed(_), Err(_)) => {}
            (ours, Err(why)) => {
                assert!(is_tolerated(&why), "{id}: {ours:?}, but {why} in {json}");
            }
        }
    }
}

/// Why serde_json may refuse an entry that we read: a key that stands twice, which
/// we do not look for; `-0`, which is a float to it and 0 to us; and depth.
fn is_tolerated(why: &str) -> bool {
    let reasons =
        ["duplicate field", "invalid type: floating point `-0.0`", "recursion limit exceeded"];
    reasons.iter().any(|reason| why.starts_with(reason))
}

/// What the document says of the task and its containers, read once more out of a
/// tree: a field that is as documented is there, any other is not.
fn compare_task(data: &[u8]) {
    let Ok(ours) = TaskDocument::parse(&mut data.to_vec()) else { return };
    let Ok(theirs) = serde_json::from_slice::<Value>(data) else { return };
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    assert_eq!(ours.family().map(str::to_owned), full(text(&theirs, "Family")));
    assert_eq!(ours.revision().map(str::to_owned), full(text(&theirs, "Revision")));
    assert_eq!(ours.service_name().map(str::to_owned), full(text(&theirs, "ServiceName")));
    assert_eq!(ours.task_arn().map(str::to_owned), full(text(&theirs, "TaskARN")));
    let vcpu = theirs["Limits"]["CPU"].as_f64().filter(|vcpu| *vcpu > 0.0);
    assert_eq!(ours.cpu_limit_vcpu(), vcpu);
    let all = theirs["Containers"].as_array().cloned().unwrap_or_default();
    let all: Vec<_> = all.into_iter().take(1000).filter(Value::is_object).collect();
    assert_eq!(ours.containers().len(), all.len());
    for (ours, theirs) in ours.containers().iter().zip(&all) {
        assert_eq!(ours.name().map(str::to_owned), text(theirs, "Name"));
        assert_eq!(ours.docker_id().map(str::to_owned), full(text(theirs, "DockerId")));
        assert_eq!(ours.known_status().map(str::to_owned), text(theirs, "KnownStatus"));
        let restarts = match &theirs["RestartCount"] {
            // A float to serde_json and 0 to us.
            minus_zero if minus_zero.as_f64() == Some(0.0) => Some(0),
            count => count.as_u64(),
        };
        assert_eq!(ours.restart_count(), restarts.and_then(|count| u32::try_from(count).ok()));
    }
}

/// A map as a list, in the document's order.
#[derive(Debug)]
struct Pairs<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

/// An object; serde would take an array for a struct, field by field.
#[derive(Debug)]
struct OnlyObject<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for OnlyObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for ObjectVisitor<T> {
            type Value = OnlyObject<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(OnlyObject)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A counter: `null` is 0, as Go writes what is not set.
#[derive(Clone, Copy, Debug, Default)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|count: Option<u64>| Self(count.unwrap_or_default()))
    }
}

/// A key that is there counts, even with `null`.
fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

type Object<T> = Option<OnlyObject<T>>;

/// Without `read` or `cpu_stats` an entry is no data, whatever else is in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedEntry {
    read: Option<String>,
    cpu_stats: Option<Box<RawValue>>,
    memory_stats: Option<Box<RawValue>>,
    networks: Option<Box<RawValue>>,
    blkio_stats: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedCpu {
    online_cpus: Count,
    cpu_usage: Object<OwnedUsage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedUsage {
    total_usage: Count,
    /// Only counted, so it may be anything.
    percpu_usage: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedMemory {
    usage: Count,
    limit: Count,
    stats: Object<OwnedMemoryDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedMemoryDetails {
    #[serde(deserialize_with = "there")]
    cache: Option<Count>,
    #[serde(deserialize_with = "there")]
    total_inactive_file: Option<Count>,
    inactive_file: Count,
    #[serde(deserialize_with = "there")]
    hierarchical_memory_limit: Option<Count>,
    #[serde(deserialize_with = "there")]
    rss: Option<IgnoredAny>,
    #[serde(deserialize_with = "there")]
    total_rss: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedInterface {
    rx_bytes: Count,
    tx_bytes: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedBlockIo {
    io_service_bytes_recursive: Option<Vec<Object<OwnedOperation>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnedOperation {
    major: Value,
    minor: Value,
    op: Option<String>,
    value: Count,
}

/// What a time is, is not compared here: `timestamp` does that.
fn read_entry(json: &RawValue) -> Result<Entry, String> {
    let entry: Object<OwnedEntry> = read(json)?;
    let Some(OnlyObject(entry)) = entry else { return Ok(Entry::NoData) };
    let OwnedEntry { read: time, cpu_stats, memory_stats, networks, blkio_stats } = entry;
    for part in [&cpu_stats, &memory_stats, &networks, &blkio_stats].into_iter().flatten() {
        if !part.get().starts_with('{') {
            return Err(format!("{part} is no object"));
        }
    }
    let (Some(time), Some(cpu)) = (time, cpu_stats) else { return Ok(Entry::NoData) };
    let time = match Timestamp::parse(&time) {
        Ok(time) => time,
        Err(TimestampError::BeforeEpoch) => return Ok(Entry::NoData),
        Err(error) => return Err(error.to_string()),
    };
    let memory: Option<OwnedMemory> = memory_stats.as_deref().map(read).transpose()?;
    let networks: Option<Pairs<Object<OwnedInterface>>> =
        networks.as_deref().map(read).transpose()?;
    let block_io: Option<OwnedBlockIo> = blkio_stats.as_deref().map(read).transpose()?;
    Ok(Entry::Reading(Reading {
        read: time,
        cpu: read::<OwnedCpu>(&cpu)?.stats(),
        is_cpu_base: false,
        memory: memory.and_then(OwnedMemory::stats),
        network: networks.and_then(|Pairs(interfaces)| sum_of_interfaces(&interfaces)),
        block_io: block_io.map(OwnedBlockIo::stats),
    }))
}

fn read<T: DeserializeOwned>(json: &RawValue) -> Result<T, String> {
    serde_json::from_str(json.get()).map_err(|error| error.to_string())
}

impl OwnedCpu {
    fn stats(self) -> Option<CpuReading> {
        let OnlyObject(usage) = self.cpu_usage?;
        let per_cpu = match usage.percpu_usage {
            Some(Value::Array(per_cpu)) => per_cpu,
            _ => Vec::new(),
        };
        let is_used = |value: &Value| value.as_u64() != Some(0);
        let counted = per_cpu.iter().rposition(is_used).map_or(0, |last| last + 1);
        let cpus = match self.online_cpus.0 {
            0 => u64::try_from(counted).unwrap(),
            cpus => cpus,
        };
        (usage.total_usage.0 > 0).then(|| CpuReading {
            total_usage_ns: usage.total_usage.0,
            online_cpus: u32::try_from(cpus).ok().filter(|&cpus| cpus > 0),
        })
    }
}

impl OwnedMemory {
    fn stats(self) -> Option<MemoryReading> {
        // Without details nobody knows how much of it is page cache.
        let OnlyObject(details) = self.stats?;
        let is_v1 = details.cache.is_some()
            || details.total_inactive_file.is_some()
            || details.hierarchical_memory_limit.is_some()
            || details.rss.is_some()
            || details.total_rss.is_some();
        let positive = |bytes: u64| (bytes > 0).then_some(bytes);
        Some(MemoryReading {
            usage_bytes: positive(self.usage.0)?,
            inactive_file_bytes: details.total_inactive_file.unwrap_or(details.inactive_file).0,
            cache_bytes: is_v1.then_some(details.cache.unwrap_or_default().0),
            limit_bytes: positive(self.limit.0),
            hierarchical_limit_bytes: positive(
                details.hierarchical_memory_limit.unwrap_or_default().0,
            ),
        })
    }
}

fn sum_of_interfaces(interfaces: &[(String, Object<OwnedInterface>)]) -> Option<NetworkReading> {
    let present: Vec<_> =
        interfaces.iter().filter_map(|(_, interface)| interface.as_ref()).collect();
    let sum = |bytes: fn(&OwnedInterface) -> Count| {
        present.iter().fold(0_u64, |sum, interface| sum.wrapping_add(bytes(&interface.0).0))
    };
    (!present.is_empty()).then(|| NetworkReading {
        rx_bytes: sum(|interface| interface.rx_bytes),
        tx_bytes: sum(|interface| interface.tx_bytes),
    })
}

impl OwnedBlockIo {
    fn stats(self) -> BlockIo {
        let operations = self.io_service_bytes_recursive.unwrap_or_default();
        let present: Vec<_> = operations.into_iter().flatten().map(|OnlyObject(op)| op).collect();
        if present.is_empty() {
            return BlockIo::NotListed;
        }
        let number = |value: &Value| {
            value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
        };
        let mut reading = BlockIoReading::default();
        for operation in &present {
            let Count(value) = operation.value;
            let bytes = match operation.op.as_deref().unwrap_or_default() {
                op if op.eq_ignore_ascii_case("read") => BlockIoBytes { read: value, written: 0 },
                op if op.eq_ignore_ascii_case("write") => BlockIoBytes { read: 0, written: value },
                _ => continue,
            };
            reading.add(number(&operation.major), number(&operation.minor), bytes);
        }
        BlockIo::Listed(reading)
    }
}
