//! The counters of one container, and the entry of `/task/stats` made of them in
//! the shape of a platform. Where the numbers come from is a [`Counters`]
//! (invented ones here, a real process in [`process`](crate::process)); when they
//! are read is the [`agent`](crate::agent)'s business.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::{self, NEVER};
use crate::containers::{Container, NetworkMode, Shape};
use crate::json::{Object, array};

/// What cgroup v1 and Fargate write where a container has no memory limit.
pub const NO_LIMIT_V1: u64 = 9_223_372_036_854_771_712;
/// What cgroup v2's `max` becomes.
pub const NO_LIMIT_V2: u64 = u64::MAX;

/// A source of one container's counters.
pub trait Counters: Send {
    /// Reads them now. `read` must be the instant of the reading.
    fn read(&mut self) -> CounterReading;
}

/// Everything cumulative about a container at one instant. Bytes where nothing
/// else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterReading {
    /// When the counters were read.
    pub read: SystemTime,
    /// CPU time used since the container started, nanoseconds.
    pub total_usage_ns: u64,
    /// CPUs of the machine, not of the container.
    pub online_cpus: u32,
    /// Memory charged, page cache included.
    pub memory_usage_bytes: u64,
    /// Page cache that could be dropped first.
    pub memory_inactive_file_bytes: u64,
    /// All page cache: `cache` on cgroup v1, `file` on v2.
    pub memory_cache_bytes: u64,
    /// The container's own limit; `None` is written as the platform writes it.
    pub memory_limit: Option<u64>,
    /// Received.
    pub rx_bytes: u64,
    /// Sent.
    pub tx_bytes: u64,
    /// Read from block devices.
    pub read_bytes: u64,
    /// Written to block devices.
    pub write_bytes: u64,
}

impl CounterReading {
    /// A reading of CPU time alone, on two CPUs, with nothing else used.
    #[must_use]
    pub fn new(read: SystemTime, total_usage_ns: u64) -> Self {
        Self {
            read,
            total_usage_ns,
            online_cpus: 2,
            memory_usage_bytes: 0,
            memory_inactive_file_bytes: 0,
            memory_cache_bytes: 0,
            memory_limit: None,
            rx_bytes: 0,
            tx_bytes: 0,
            read_bytes: 0,
            write_bytes: 0,
        }
    }
}

/// An invented container that uses a constant number of cores.
#[derive(Debug, Clone)]
pub struct Steady {
    cores: f64,
    since: SystemTime,
    reading: CounterReading,
}

impl Steady {
    /// Uses `cores` (0.25 is a quarter of one CPU) from now on; the rest of each
    /// reading is as in `reading`.
    #[must_use]
    pub fn new(cores: f64, reading: CounterReading) -> Self {
        Self { cores, since: SystemTime::now(), reading }
    }
}

impl Counters for Steady {
    fn read(&mut self) -> CounterReading {
        let read = SystemTime::now();
        let used = read.duration_since(self.since).unwrap_or_default().mul_f64(self.cores);
        let total_usage_ns = self.reading.total_usage_ns + nanoseconds(used);
        CounterReading { read, total_usage_ns, ..self.reading }
    }
}

/// A duration in whole nanoseconds.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One value of `/task/stats`. `previous` is the sample before, if there was one;
/// `network` is what the platform counts for this container, in and out.
#[must_use]
pub fn stats_entry(
    shape: Shape,
    container: &Container,
    previous: Option<&CounterReading>,
    reading: &CounterReading,
    network: (u64, u64),
) -> String {
    let preread = previous.map_or_else(|| NEVER.into(), |p| clock::rfc3339(p.read));
    let mut entry = Object::new()
        .text("read", &clock::rfc3339(reading.read))
        .text("preread", &preread)
        .raw("pids_stats", if shape == Shape::Fargate { "{}" } else { r#"{"current":2}"# })
        .raw("blkio_stats", blkio(shape, reading))
        .raw("num_procs", 0)
        .raw("storage_stats", "{}")
        .raw("cpu_stats", cpu(shape, Some(reading)))
        .raw("precpu_stats", cpu(shape, previous))
        .raw("memory_stats", memory(shape, container, reading))
        .text("name", &docker_name(shape, container))
        .text("id", &container.docker_id);
    let interface = match container.network_mode {
        NetworkMode::Awsvpc => "eth1",
        NetworkMode::Bridge => "eth0",
        NetworkMode::Host | NetworkMode::None => return entry.end(),
    };
    let counters = Object::new()
        .raw("rx_bytes", network.0)
        .raw("rx_packets", network.0 / 1000)
        .raw("rx_errors", 0)
        .raw("rx_dropped", 0)
        .raw("tx_bytes", network.1)
        .raw("tx_packets", network.1 / 1000)
        .raw("tx_errors", 0)
        .raw("tx_dropped", 0)
        .end();
    entry = entry.raw("networks", Object::new().raw(interface, counters).end());
    // What a reset makes of these two: nobody should believe them.
    entry.raw("network_rate_stats", r#"{"rx_bytes_per_sec":0,"tx_bytes_per_sec":1.8e19}"#).end()
}

fn docker_name(shape: Shape, container: &Container) -> String {
    match shape {
        Shape::Fargate => container.name.clone(),
        Shape::Ec2CgroupV1 | Shape::Ec2CgroupV2 => format!("/ecs-{}", container.name),
    }
}

fn cpu(shape: Shape, reading: Option<&CounterReading>) -> String {
    const THROTTLING: &str = r#"{"periods":0,"throttled_periods":0,"throttled_time":0}"#;
    let Some(reading) = reading else {
        let usage = r#"{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0}"#;
        return Object::new().raw("cpu_usage", usage).raw("throttling_data", THROTTLING).end();
    };
    let total = reading.total_usage_ns;
    let cpus = u64::from(reading.online_cpus.max(1));
    let mut usage = Object::new().raw("total_usage", total);
    if shape != Shape::Ec2CgroupV2 {
        let part = |n| if n == 0 { total - total / cpus * (cpus - 1) } else { total / cpus };
        usage = usage.raw("percpu_usage", array((0..cpus).map(|n| part(n).to_string())));
    }
    // The kernel counts these two in ticks of 10 ms on cgroup v1.
    let user = total / 10_000_000 * 10_000_000;
    let usage = usage.raw("usage_in_kernelmode", 0).raw("usage_in_usermode", user).end();
    Object::new()
        .raw("cpu_usage", usage)
        .raw("system_cpu_usage", system_cpu(reading))
        .raw("online_cpus", cpus)
        .raw("throttling_data", THROTTLING)
        .end()
}

/// CPU time of the whole machine, idle time included, in its ticks of 10 ms: as
/// of a machine that booted at 2025-01-01.
fn system_cpu(reading: &CounterReading) -> u64 {
    let boot = UNIX_EPOCH + Duration::from_hours(482_136);
    let up = nanoseconds(reading.read.duration_since(boot).unwrap_or_default());
    (up / 10_000_000 * 10_000_000).saturating_mul(reading.online_cpus.into())
}

fn memory(shape: Shape, container: &Container, reading: &CounterReading) -> String {
    let (usage, cache) = (reading.memory_usage_bytes, reading.memory_cache_bytes);
    let inactive = reading.memory_inactive_file_bytes;
    let anonymous = usage.saturating_sub(cache);
    let active = cache.saturating_sub(inactive);
    let limit = reading.memory_limit;
    let memory = Object::new().raw("usage", usage);
    if shape == Shape::Ec2CgroupV2 {
        let stats = Object::new()
            .raw("active_anon", 0)
            .raw("active_file", active)
            .raw("anon", anonymous)
            .raw("file", cache)
            .raw("inactive_anon", anonymous)
            .raw("inactive_file", inactive)
            .raw("kernel_stack", 16384)
            .raw("pgfault", 4000)
            .raw("slab", 196_608)
            .raw("unevictable", 0)
            .end();
        return memory.raw("stats", stats).raw("limit", limit.unwrap_or(NO_LIMIT_V2)).end();
    }
    let hierarchical = container.limits.memory_mib.map_or(NO_LIMIT_V1, |mib| mib << 20);
    let mut stats = Object::new();
    for prefix in ["", "total_"] {
        for (key, value) in [
            ("active_anon", anonymous),
            ("active_file", active),
            ("cache", cache),
            ("dirty", 0),
            ("inactive_anon", 0),
            ("inactive_file", inactive),
            ("mapped_file", 0),
            ("pgfault", 4000),
            ("rss", anonymous),
            ("rss_huge", 0),
            ("unevictable", 0),
        ] {
            stats = stats.raw(&format!("{prefix}{key}"), value);
        }
    }
    let stats = stats
        .raw("hierarchical_memory_limit", hierarchical)
        .raw("hierarchical_memsw_limit", NO_LIMIT_V1)
        .end();
    memory
        .raw("max_usage", usage)
        .raw("stats", stats)
        .raw("limit", limit.unwrap_or(NO_LIMIT_V1))
        .end()
}

fn blkio(shape: Shape, reading: &CounterReading) -> String {
    let (read, write) = (reading.read_bytes, reading.write_bytes);
    let entry = |(op, value): (&str, u64)| {
        Object::new().raw("major", 259).raw("minor", 1).text("op", op).raw("value", value).end()
    };
    let (bytes, others) = match shape {
        Shape::Ec2CgroupV2 if read + write == 0 => ("null".into(), "null"),
        Shape::Ec2CgroupV2 => (array([("read", read), ("write", write)].map(entry)), "null"),
        Shape::Fargate if read + write == 0 => ("[]".into(), "[]"),
        Shape::Ec2CgroupV1 | Shape::Fargate => {
            let all = read + write;
            let ops =
                [("Read", read), ("Write", write), ("Sync", all), ("Async", 0), ("Total", all)];
            (array(ops.map(entry)), "[]")
        }
    };
    let mut stats = Object::new().raw("io_service_bytes_recursive", bytes);
    for key in [
        "io_serviced_recursive",
        "io_queue_recursive",
        "io_service_time_recursive",
        "io_wait_time_recursive",
        "io_merged_recursive",
        "io_time_recursive",
        "sectors_recursive",
    ] {
        stats = stats.raw(key, others);
    }
    stats.end()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn entry(shape: Shape, mode: NetworkMode, reading: CounterReading) -> Value {
        let mut container = Container::new("web");
        container.network_mode = mode;
        let text = stats_entry(shape, &container, None, &reading, (7, 8));
        serde_json::from_str(&text).expect("an entry is JSON")
    }

    fn reading() -> CounterReading {
        CounterReading {
            memory_usage_bytes: 100,
            memory_cache_bytes: 30,
            memory_inactive_file_bytes: 10,
            read_bytes: 5,
            ..CounterReading::new(UNIX_EPOCH + Duration::from_nanos(1), 1_000_000_001)
        }
    }

    #[test]
    fn each_shape_has_its_own_memory_keys_and_no_others() {
        for (shape, present, absent, limit) in [
            (Shape::Ec2CgroupV1, ["cache", "rss", "total_inactive_file"], "anon", NO_LIMIT_V1),
            (Shape::Fargate, ["cache", "rss", "total_inactive_file"], "anon", NO_LIMIT_V1),
            (Shape::Ec2CgroupV2, ["anon", "file", "inactive_file"], "cache", NO_LIMIT_V2),
        ] {
            let entry = entry(shape, NetworkMode::Bridge, reading());
            let memory = &entry["memory_stats"];
            for key in present {
                assert!(memory["stats"].get(key).is_some(), "{shape:?} {key}");
            }
            assert!(memory["stats"].get(absent).is_none(), "{shape:?} {absent}");
            assert_eq!(memory["limit"].as_u64(), Some(limit), "{shape:?}");
            let percpu = entry["cpu_stats"]["cpu_usage"].get("percpu_usage");
            assert_eq!(percpu.is_some(), shape != Shape::Ec2CgroupV2);
        }
    }

    #[test]
    fn a_first_sample_has_no_predecessor() {
        let entry = entry(Shape::Ec2CgroupV1, NetworkMode::Bridge, reading());
        assert_eq!(entry["read"], "1970-01-01T00:00:00.000000001Z");
        assert_eq!(entry["preread"], NEVER);
        assert_eq!(entry["cpu_stats"]["cpu_usage"]["total_usage"], 1_000_000_001_u64);
        assert_eq!(entry["precpu_stats"]["cpu_usage"]["total_usage"], 0);
    }

    #[test]
    fn block_operations_are_written_as_the_cgroup_version_does() {
        let ops = |shape, reading| {
            let entry = entry(shape, NetworkMode::None, reading);
            let list = entry["blkio_stats"]["io_service_bytes_recursive"].clone();
            list.as_array().map(|l| l.iter().map(|e| e["op"].to_string()).collect::<String>())
        };
        let idle = CounterReading::new(UNIX_EPOCH, 0);
        let all = r#""Read""Write""Sync""Async""Total""#;
        assert_eq!(ops(Shape::Ec2CgroupV1, idle).as_deref(), Some(all));
        assert_eq!(ops(Shape::Ec2CgroupV2, reading()).as_deref(), Some(r#""read""write""#));
        assert_eq!(ops(Shape::Ec2CgroupV2, idle), None);
        assert_eq!(ops(Shape::Fargate, idle).as_deref(), Some(""));
    }

    #[test]
    fn networks_are_there_unless_the_mode_has_none() {
        for (mode, interface) in [
            (NetworkMode::Awsvpc, Some("eth1")),
            (NetworkMode::Bridge, Some("eth0")),
            (NetworkMode::Host, None),
        ] {
            let entry = entry(Shape::Fargate, mode, reading());
            let found = entry.get("networks").and_then(Value::as_object);
            let found = found.and_then(|n| n.keys().next()).map(String::as_str);
            assert_eq!(found, interface);
        }
    }

    #[test]
    fn steady_counters_grow_with_the_clock() {
        let mut steady = Steady::new(0.5, CounterReading::new(UNIX_EPOCH, 100));
        let first = steady.read();
        std::thread::sleep(Duration::from_millis(20));
        let second = steady.read();
        let elapsed = nanoseconds(second.read.duration_since(first.read).unwrap());
        let used = second.total_usage_ns - first.total_usage_ns;
        assert!(used.abs_diff(elapsed / 2) <= 2, "{used} of {elapsed}");
    }
}
