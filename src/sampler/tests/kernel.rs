//! The kernel's counters in the sampler, before, beside and after the endpoint's.

use super::{
    catalogue::{full, task_with},
    *,
};
use crate::reading::{CpuReading, MemoryReading, NetworkReading, Reading, TaskReading};

impl Bench {
    fn at(&self, ms: u64) -> Now {
        Now {
            instant: self.start + Duration::from_millis(ms),
            wall: Timestamp::from_unix_ns((10_000 + ms) * 1_000_000),
        }
    }

    /// What comes of these entries of the kernel, `ms` after the start.
    fn kernel(
        &mut self,
        ms: u64,
        entries: &[(&str, Kernel)],
        network: Option<NetworkReading>,
    ) -> (Vec<Sample>, Vec<Event>) {
        let (mut samples, mut events, now) = (Vec::new(), Vec::new(), self.at(ms));
        let read = |visit: &mut dyn FnMut(&str, Reading)| {
            for (docker_id, kernel) in entries {
                visit(docker_id, kernel.at(now.wall));
            }
        };
        self.sampler.on_kernel(read, now, &mut samples, &mut events);
        self.sampler.on_kernel_network(network, now, &mut samples);
        (samples, events)
    }

    /// The same of one container's CPU time: the values, each with its time in ms.
    fn kernel_cpu(&mut self, ms: u64, docker_id: &str, total_ms: u64) -> Vec<(u64, f64)> {
        let (samples, _) = self.kernel(ms, &[(docker_id, cpu(total_ms))], None);
        samples.iter().map(|sample| (sample.read.unix_ms() - 10_000, sample.value)).collect()
    }
}

/// What the kernel has of a container.
#[derive(Clone, Copy, Default)]
struct Kernel {
    total_usage_ns: u64,
    is_base: bool,
    memory: Option<MemoryReading>,
}

impl Kernel {
    fn at(self, read: Timestamp) -> Reading {
        let cpu = CpuReading { total_usage_ns: self.total_usage_ns, online_cpus: None };
        Reading {
            read,
            cpu: Some(cpu),
            is_cpu_base: self.is_base,
            memory: self.memory,
            network: None,
            block_io: None,
        }
    }
}

fn cpu(total_ms: u64) -> Kernel {
    Kernel { total_usage_ns: total_ms * 1_000_000, ..Kernel::default() }
}

#[test]
fn intervals_join_exactly_when_the_source_changes() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 70_000));
    assert_eq!(bench.values(&one("w1", 11, 70_125)), [(11, 25.0)]);
    // 125 ms of CPU time in 1.5 s of half a CPU are 16.7 %.
    let [(2500, first)] = bench.kernel_cpu(2500, "w1", 70_250)[..] else { panic!("no value") };
    assert!((first - 100.0 * 0.125 / 1.5 / 0.5).abs() < 1e-9, "{first}");
    assert_eq!(bench.kernel_cpu(3500, "w1", 70_500), [(3500, 50.0)]);
    // Back: the endpoint's reading of 4.5 s after the last of the kernel.
    bench.second = 7;
    assert_eq!(bench.values(&one("w1", 18, 71_500)), [(18, 100.0 * 1.0 / 4.5 / 0.5)]);
}

#[test]
fn no_difference_begins_with_a_value_that_is_not_believed_any_more() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.values(&one("w1", 10, 70_000));
    bench.kernel_cpu(1000, "w1", 70_125);
    bench.kernel_cpu(2000, "w1", 90_000);
    let base = Kernel { is_base: true, ..cpu(70_375) };
    assert_eq!(bench.kernel(3000, &[("w1", base)], None).0, []);
    assert_eq!(bench.kernel_cpu(4000, "w1", 70_500), [(4000, 25.0)]);
}

#[test]
fn a_clock_that_is_set_costs_one_value_of_the_kernel_and_no_more() {
    for set_ms in [-7_000_i64, -900, 1_500, 3_600_000] {
        let mut bench = Bench::new();
        bench.task(LIMITED);
        bench.values(&one("w1", 10, 70_000));
        let mut seen = Vec::new();
        let mut set_events = 0;
        for second in 2..12_u64 {
            let mut now = bench.at(second * 1000);
            if second >= 6 {
                let wall_ms = now.wall.unix_ms().saturating_add_signed(set_ms);
                now.wall = Timestamp::from_unix_ns(wall_ms * 1_000_000);
            }
            let (mut samples, mut events) = (Vec::new(), Vec::new());
            let entry = cpu(70_000 + second * 125);
            bench.sampler.on_kernel(
                |visit| visit("w1", entry.at(now.wall)),
                now,
                &mut samples,
                &mut events,
            );
            seen.extend(samples.iter().map(|sample| sample.value));
            set_events += events.iter().filter(|it| matches!(it, Event::ClockSet { .. })).count();
        }
        assert_eq!(seen.len(), 9, "{set_ms}: {seen:?}");
        assert!(seen.iter().all(|value| (value - 25.0).abs() < 1e-9), "{set_ms}: {seen:?}");
        assert_eq!(set_events, 1, "{set_ms}");
        assert_eq!(bench.sampler.figures().resets, 1, "{set_ms}");
    }
}

#[test]
fn a_container_that_the_kernel_shows_is_not_silent() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    let mut events = bench.stats(&one("w1", 10, 70_000)).1;
    for second in 2..60_u64 {
        events.extend(bench.kernel(second * 1000, &[("w1", cpu(70_000 + second))], None).1);
        if second % 10 == 0 {
            // Docker hangs: the endpoint replays its last sample.
            bench.second = second;
            events.extend(bench.stats(&one("w1", 10, 70_000)).1);
        }
    }
    assert!(
        !events.iter().any(|event| matches!(event, Event::ContainerSilent { .. })),
        "{events:?}"
    );
    assert_eq!(bench.sampler.cadence(), Some(Duration::from_secs(1)));
}

#[test]
fn the_sums_take_each_container_from_its_source() {
    let metrics = [Metric::TaskCpuUtilization, Metric::TaskMemoryUtilization];
    for is_all in [true, false] {
        let mut bench = Bench::measuring(&["web"], &metrics);
        bench.task(LIMITED);
        let both = |read: u64, web: u64, esp: u64| {
            format!("{{{}, {}}}", entry("w1", read, web), entry("e1", read, esp))
        };
        bench.stats(&both(10, 70_000, 5_000));
        bench.stats(&both(11, 70_100, 5_025));
        let mut sums = Vec::new();
        for second in 3..33_u64 {
            let (web, esp) = (70_100 + (second - 1) * 100, 5_025 + (second - 1) * 25);
            if second % 10 == 2 && !is_all {
                bench.second = second - 1;
                let json = one("e1", second + 9, esp - 25);
                let (samples, _) = bench.stats(&json);
                sums.extend(samples);
            }
            let entries = [("w1", cpu(web)), ("e1", cpu(esp))];
            let entries = if is_all { &entries[..] } else { &entries[..1] };
            let (samples, _) = bench.kernel(second * 1000, entries, None);
            sums.extend(samples.iter().map(|it| (it.read.unix_ms() / 1000, it.value)));
        }
        let expected = if is_all { 29 } else { 2 };
        assert!(sums.len() >= expected, "{is_all}: {sums:?}");
        assert!(sums.iter().all(|(_, v)| (v - 25.0).abs() < 1e-9), "{is_all}: {sums:?}");
    }
}

#[test]
fn memory_keeps_the_limits_that_the_endpoint_gave() {
    let metrics = [Metric::MemoryUtilization, Metric::MemoryUtilized];
    let mut bench = Bench::measuring(&["web"], &metrics);
    bench.task(r#"{"Containers": [{"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING"}]}"#);
    let json = r#"{"w1": {"read": "1970-01-01T00:00:10Z", "cpu_stats": {"cpu_usage": {"total_usage": 1}},
        "memory_stats": {"usage": 100000000, "limit": 400000000, "stats": {"inactive_file": 0}}}}"#;
    bench.stats(json);
    let memory = MemoryReading {
        usage_bytes: 250_000_000,
        inactive_file_bytes: 50_000_000,
        cache_bytes: None,
        limit_bytes: None,
        hierarchical_limit_bytes: None,
    };
    let kernel = Kernel { memory: Some(memory), ..cpu(1) };
    let (samples, _) = bench.kernel(2000, &[("w1", kernel)], None);
    let values: Vec<_> = samples.iter().map(|sample| sample.value).collect();
    assert_eq!(values, [50.0, 200_000_000.0 / 1_048_576.0]);
}

#[test]
fn the_network_of_the_kernel_is_a_rate_each_second_and_no_jump_from_the_endpoints() {
    let task = task_with("{}", r#""awsvpc""#, &[("web", "{}")]);
    let mut bench = Bench::measuring(&["web"], &[Metric::NetworkRxBytes, Metric::NetworkTxBytes]);
    bench.task(&task);
    // An agent before 1.100.0 gives a part of them.
    bench.stats(&format!("{{{}}}", full("web", 10, 10, 60, Some(50_000), 0)));
    let mut seen = Vec::new();
    for second in 2..22_u64 {
        let network = NetworkReading { rx_bytes: 150_000 + second * 700, tx_bytes: second * 90 };
        let (samples, _) = bench.kernel(second * 1000, &[], Some(network));
        seen.extend(samples.iter().map(|sample| (sample.container, sample.value)));
        bench.second = second;
        let (samples, _) = bench.stats(&format!(
            "{{{}}}",
            full("web", second + 10, second, 60, Some(50_000 + second / 10 * 2_000), 0)
        ));
        assert_eq!(samples, []);
    }
    assert_eq!(seen.len(), 38, "{seen:?}");
    assert!(seen.iter().all(|(place, value)| place.is_none() && [700.0, 90.0].contains(value)));
}

#[test]
fn a_reading_of_memory_is_in_one_sum_and_the_kernels_is_not_replaced_by_an_older_one() {
    let memory = |usage_bytes| Some(MemoryReading::of(usage_bytes, 0, None));
    for has_kernel_memory in [true, false] {
        let mut bench = Bench::measuring(&["web"], &[Metric::TaskMemoryUtilization]);
        bench.task(
            r#"{"Limits": {"CPU": 0.5, "Memory": 1000}, "Containers": [
                {"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING"}]}"#,
        );
        let mut seen = Vec::new();
        for second in 1..42_u64 {
            if second % 10 == 1 {
                bench.second = second - 1;
                let read = format!("1970-01-01T00:00:{:02}Z", second + 9);
                let cpu = r#""cpu_stats": {"cpu_usage": {"total_usage": 7}}"#;
                let cpu = if second == 1 { cpu } else { r#""cpu_stats": {}"# };
                let json = format!(
                    r#"{{"w1": {{"read": "{read}", {cpu}, "memory_stats": {{"usage": {},
                        "stats": {{"inactive_file": 0}}}}}}}}"#,
                    second << 20
                );
                let (samples, _) = bench.stats(&json);
                seen.extend(samples.iter().map(|(_, value)| (second, *value)));
            } else {
                let kernel = Kernel {
                    memory: memory(second << 20).filter(|_| has_kernel_memory),
                    ..cpu(second)
                };
                let (samples, _) = bench.kernel(second * 1000, &[("w1", kernel)], None);
                seen.extend(samples.iter().map(|sample| (second, sample.value)));
            }
        }
        let expected = if has_kernel_memory { 35 } else { 3 };
        assert!((expected..expected + 3).contains(&seen.len()), "{has_kernel_memory}: {seen:?}");
        for (second, value) in seen {
            let shown = if has_kernel_memory { second } else { second / 10 * 10 + 1 };
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let right = shown as f64 / 10.0;
            assert!((value - right).abs() < 1e-9, "{has_kernel_memory} {second}: {value}");
        }
    }
}

#[test]
fn while_the_whole_task_is_estimated_the_sum_is_not_published_and_nothing_counts_twice() {
    let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
    bench.task(LIMITED);
    let mut seen = Vec::new();
    for second in 1..60_u64 {
        bench.second = second - 1;
        // 100 and 25 ms in a second are a quarter of half a CPU.
        if second % 10 == 1 {
            let json = format!(
                "{{{}, {}}}",
                entry("w1", second + 9, second * 100),
                entry("e1", second + 9, second * 25)
            );
            let (samples, _) = bench.stats(&json);
            seen.extend(samples.iter().map(|(_, value)| (second, *value)));
        } else if (15..35).contains(&second) {
            let now = bench.at(second * 1000);
            let mut samples = Vec::new();
            let reading = TaskReading {
                read: now.wall,
                total_ns: (second + 1) * 125_000_000,
                is_base: second == 25 || second == 15,
            };
            bench.sampler.on_task_reading(reading, now, &mut samples);
            seen.extend(samples.iter().map(|sample| (second, sample.value)));
        } else if second == 35 {
            bench.sampler.end_task_readings();
        }
    }
    assert!(seen.iter().all(|(_, value)| (value - 25.0).abs() < 1e-9), "{seen:?}");
    let at: Vec<_> = seen.iter().map(|(second, _)| *second).collect();
    let estimates = (16..35).filter(|second| ![21, 25, 31].contains(second));
    // No estimate begins with a sum, and no sum with an estimate: that of 41 s has a part
    // of which estimates were published.
    let expected: Vec<u64> = [11].into_iter().chain(estimates).chain([51]).collect();
    assert_eq!(at, expected);
}

#[test]
fn an_estimate_at_any_interval_leaves_out_only_the_sums_that_it_covers() {
    for interval in [1, 3, 4, 10, 30, 60] {
        let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
        bench.task(LIMITED);
        let (mut estimates, mut sums) = (0, 0);
        for second in 1..600_u64 {
            bench.second = second - 1;
            if second % 10 == 1 {
                let (minutes, seconds) = ((second + 9) / 60, (second + 9) % 60);
                let entry = |id: &str, total_ms: u64| {
                    format!(
                        r#""{id}": {{"read": "1970-01-01T00:{minutes:02}:{seconds:02}Z", "cpu_stats": {{
                            "cpu_usage": {{"total_usage": {total_ms}000000}}, "online_cpus": 2}}}}"#
                    )
                };
                let json =
                    format!("{{{}, {}}}", entry("w1", second * 100), entry("e1", second * 25));
                sums += bench.stats(&json).0.len();
            } else if second % interval == 0 && (100..400).contains(&second) {
                let now = bench.at(second * 1000);
                let mut samples = Vec::new();
                let reading = TaskReading {
                    read: now.wall,
                    total_ns: (second + 1) * 125_000_000,
                    is_base: false,
                };
                bench.sampler.on_task_reading(reading, now, &mut samples);
                assert!(samples.iter().all(|it| (it.value - 25.0).abs() < 1e-9), "{samples:?}");
                estimates += samples.len();
            } else if second == 402 {
                bench.sampler.end_task_readings();
            }
        }
        let ticks = usize::try_from(300 / interval).unwrap();
        assert!(estimates + 2 + ticks / 10 >= ticks, "{interval}: {estimates}");
        assert!(sums >= 27, "{interval}: {sums}");
    }
}

#[test]
fn at_a_change_between_sums_and_estimates_each_value_is_true_whatever_the_phases() {
    // Of a task of two vCPU: CPU that is used steadily, thousandths, and the phases, ms.
    for loads in [[1000, 0], [0, 1000], [1000, 100], [50, 1800], [0, 0]] {
        for phases in (0..100).map(|step| [step % 10 * 1000 + 100, step / 10 * 1000 + 100]) {
            for interval in [1000, 10_000] {
                steady(loads, phases, interval);
            }
        }
    }
}

/// Fails if a value of such a task is not true. An estimate comes from 188 s to 290 s, and
/// then no more.
#[expect(clippy::cast_precision_loss, reason = "thousandths")]
fn steady(loads: [u64; 2], phases_ms: [u64; 2], interval_ms: u64) {
    let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
    bench.task(&LIMITED.replace("0.5", "2"));
    let truth = loads.iter().sum::<u64>() as f64 / 20.0;
    let (mut estimates, mut sums, mut is_base) = (0, 0, true);
    for ms in (150_000..340_000_u64).step_by(100) {
        let now = bench.at(ms);
        let mut given = Vec::new();
        let mut has_new = false;
        let mut entries = Vec::new();
        for ((id, load), phase_ms) in ["w1", "e1"].into_iter().zip(loads).zip(phases_ms) {
            let Some(since_ms) = ms.checked_sub(phase_ms + 100) else { continue };
            has_new |= since_ms % 10_000 == 0;
            let read_ms = since_ms / 10_000 * 10_000 + phase_ms;
            entries.push((
                id,
                Reading {
                    read: bench.at(read_ms).wall,
                    cpu: Some(CpuReading {
                        total_usage_ns: read_ms * load * 1000,
                        online_cpus: Some(2),
                    }),
                    is_cpu_base: false,
                    memory: None,
                    network: None,
                    block_io: None,
                },
            ));
        }
        if has_new {
            let visit = |visit: &mut dyn FnMut(&str, Entry)| {
                entries.drain(..).for_each(|(id, reading)| visit(id, Entry::Reading(reading)));
                Ok::<(), ()>(())
            };
            bench.sampler.on_readings(visit, now, &mut given, &mut Vec::new()).unwrap();
            sums += given.len();
        }
        let before = given.len();
        if ms % interval_ms == 400 && (188_000..290_000).contains(&ms) {
            let reading = TaskReading {
                read: now.wall,
                total_ns: ms * loads.iter().sum::<u64>() * 1000,
                is_base: std::mem::take(&mut is_base),
            };
            bench.sampler.on_task_reading(reading, now, &mut given);
            estimates += given.len() - before;
        } else if ms == 290_700 {
            bench.sampler.end_task_readings();
        }
        for sample in given {
            let off = (sample.value - truth).abs();
            assert!(off <= 3.0, "{loads:?} {phases_ms:?} {interval_ms} {ms}: {sample:?}");
        }
    }
    assert!(estimates >= 9, "{loads:?} {phases_ms:?} {interval_ms}: {estimates} estimates");
    assert!(sums >= 5, "{loads:?} {phases_ms:?} {interval_ms}: {sums} sums");
}
