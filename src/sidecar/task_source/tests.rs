//! Estimates beside the truth, on made up machines.

use std::time::Instant;

use super::*;
use crate::reading::Reading;

const TASK: &str = r#"{"LaunchType": "FARGATE", "Limits": {"CPU": 1.0, "Memory": 2048},
    "Containers": [{"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING"},
        {"DockerId": "e1", "Name": "esp", "KnownStatus": "RUNNING"}]}"#;
const BOTH: Wanted<'_> = Wanted { is_whole: true, container: Some("w1") };
const CPUS: u64 = 2;
/// ESP and what the platform uses, ns of CPU time in a second.
const ESP: u64 = 2_000_000;
const PLATFORM: u64 = 60_000_000;

fn task(json: &str) -> TaskDocument {
    TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap()
}

/// CPU time of `web` after so many ms: a minute at 0.6 CPU, a minute at 0.1.
fn web_ns(ms: u64) -> u64 {
    let (round, rest) = (ms / 120_000, ms % 120_000);
    (round * 42_000 + rest.min(60_000) * 6 / 10 + rest.saturating_sub(60_000) / 10) * 1_000_000
}

fn entry(wall: Timestamp, total_usage_ns: u64) -> Entry {
    Entry::Reading(Reading {
        read: wall,
        cpu: Some(CpuReading { total_usage_ns, online_cpus: Some(2) }),
        is_cpu_base: false,
        memory: None,
        network: None,
        block_io: None,
    })
}

#[test]
fn the_machines_busy_time_without_the_platforms_part_is_the_tasks() {
    let start = Instant::now();
    let at = |ms: u64| Now {
        instant: start + Duration::from_millis(ms),
        wall: Timestamp::from_unix_ns((1_795_514_400_000 + ms) * 1_000_000),
    };
    let mut source = TaskSource::new(&task(TASK), BOTH, at(0)).unwrap();
    // Of the task, and of `web`.
    let mut seen: [Vec<(u64, u64)>; 2] = [Vec::new(), Vec::new()];
    for ms in (0..600_000).step_by(1000) {
        for (id, phase_ms) in [("w1", 3000), ("e1", 8000)] {
            let Some(since_ms) = u64::checked_sub(ms, phase_ms) else { continue };
            let read_ms = phase_ms + since_ms / 10_000 * 10_000;
            let total_ns = if id == "w1" { web_ns(read_ms) } else { read_ms / 1000 * ESP };
            source.on_entry(id, &entry(at(read_ms).wall, 1_000_000_000 + total_ns));
        }
        let busy_ns = web_ns(ms) + ms / 1000 * (ESP + PLATFORM);
        let idle_ticks = 5_000_000 + (ms * 1_000_000 * CPUS - busy_ns) / 10_000_000;
        let machine = MachineReading {
            before: at(ms).instant,
            after: at(ms).instant,
            cpus: 2,
            idle_ticks,
            iowait_ticks: 0,
            ticks_per_second: 100,
        };
        let from = source.on_machine(machine, at(ms));
        seen[0].extend(from.whole.map(|reading| (ms, reading.total_ns)));
        seen[1].extend(from.container.map(|(_, total_ns)| (ms, total_ns)));
    }
    for (seen, esp) in seen.into_iter().zip([ESP, 0]) {
        assert!(seen.len() > 300, "{}", seen.len());
        for pair in seen.windows(11) {
            let [(from_ms, before), .., (to_ms, after)] = *pair else { continue };
            let truth_ns = web_ns(to_ms) - web_ns(from_ms) + (to_ms - from_ms) / 1000 * esp;
            // Three points of the limit, over ten seconds.
            assert!((after - before).abs_diff(truth_ns) < 300_000_000, "{from_ms}: {truth_ns}");
        }
    }
}

#[test]
fn a_task_on_a_shared_host_or_without_a_limit_is_not_estimated() {
    let now = Now { instant: Instant::now(), wall: Timestamp::from_unix_ns(0) };
    for other in [
        TASK.replace("FARGATE", "EC2"),
        TASK.replace("FARGATE", "MANAGED_INSTANCES"),
        TASK.replace(r#""LaunchType": "FARGATE", "#, ""),
        TASK.replace(r#""CPU": 1.0, "#, ""),
    ] {
        assert!(TaskSource::new(&task(&other), BOTH, now).is_none(), "{other}");
    }
    let nothing = Wanted { is_whole: false, container: None };
    assert!(TaskSource::new(&task(TASK), nothing, now).is_none());
}

#[test]
fn only_a_container_that_is_alone_with_esp_is_estimated_by_itself() {
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|&it| it.into()).collect() };
    let only = |json: &str, measured: &[&str], own: &str| {
        let task = task(json);
        let only = only_container(&task, &names(measured), |id| id == own);
        only.map(str::to_owned)
    };
    assert_eq!(only(TASK, &["web"], "e1").as_deref(), Some("w1"));
    assert_eq!(only(TASK, &["web", "esp"], "e1").as_deref(), Some("w1"));
    assert_eq!(only(TASK, &["esp"], "e1"), None);
    // If nobody can tell which one ESP is, the other may be the one that is measured.
    for measured in [&["web"][..], &["esp"], &["web", "esp"]] {
        assert_eq!(only(TASK, measured, ""), None, "{measured:?}");
        assert_eq!(only(TASK, measured, "5e1f0c9a"), None, "{measured:?}");
    }
    let more = |status: &str, name: &str| {
        let other = format!(
            r#"{{"DockerId": "l1", "Name": "{name}", "KnownStatus": "{status}"}}, {{"DockerId": "e1""#
        );
        TASK.replacen(r#"{"DockerId": "e1""#, &other, 1)
    };
    assert_eq!(only(&more("RUNNING", "logs"), &["web"], "e1"), None);
    assert_eq!(only(&more("STOPPED", "init"), &["web"], "e1").as_deref(), Some("w1"));
    assert_eq!(only(&more("RUNNING", "aws-fargate-pause"), &["web"], "e1").as_deref(), Some("w1"));
    // The platform's part is one constant: a sidecar that works is no part of it.
    for name in ["ecs-service-connect-6vBLKr", "aws-guardduty-agent-k3fX9q", "~internal~ecs-x"] {
        assert_eq!(only(&more("RUNNING", name), &["web"], "e1"), None, "{name}");
        assert_eq!(only(&more("PULLED", name), &["web"], "e1"), None, "{name}");
        assert_eq!(only(&more("STOPPED", name), &["web"], "e1").as_deref(), Some("w1"), "{name}");
    }
}
