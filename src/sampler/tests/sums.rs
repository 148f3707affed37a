//! The sums of the task: what they wait for, and what they come to.

use super::{catalogue::*, *};

/// Two containers that use half and a tenth of a CPU, in a task of one vCPU.
fn two(read: u64, web: bool, log: bool) -> String {
    let entry = |id, is_there, ms| {
        if is_there { entry(id, read, ms) } else { format!(r#""{id}": null"#) }
    };
    let (web, log) = (entry("web", web, read * 500), entry("log", log, read * 100));
    format!("{{{web}, {log}}}")
}

fn bench_of_two() -> Bench {
    let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
    bench.task(&task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}")]));
    bench
}

#[test]
fn a_hole_in_one_container_never_makes_the_task_smaller() {
    let mut bench = bench_of_two();
    let mut seen = Vec::new();
    for read in 10..40 {
        // Missing now and then, once each and once for five polls.
        let web = ![14, 15, 22, 23, 24, 25, 26].contains(&read);
        let log = ![15, 17, 30].contains(&read);
        let bad = two(read, web, log).replace("null", if read == 17 { "7" } else { "null" });
        seen.extend(all_values(&mut bench, &bad).into_iter().map(|(.., value)| value));
    }
    assert!(seen.len() > 15 && seen.iter().all(|value| (value - 60.0).abs() < 1e-9), "{seen:?}");
}

#[test]
fn a_reset_hidden_between_two_sums_breaks_the_next_one_only() {
    let mut bench = bench_of_two();
    let at = |web: (u64, u64), log: u64| {
        format!("{{{}, {}}}", entry("web", web.0, web.1), entry("log", log, log * 100))
    };
    all_values(&mut bench, &at((10, 1000), 10));
    assert_eq!(all_values(&mut bench, &at((11, 1500), 11)).len(), 1);
    // While the other one lags, web falls and rises past where it was.
    assert_eq!(all_values(&mut bench, &at((12, 100), 11)), []);
    assert_eq!(all_values(&mut bench, &at((13, 1600), 11)), []);
    assert_eq!(all_values(&mut bench, &at((14, 2100), 14)), []);
    let values = all_values(&mut bench, &at((15, 2600), 15));
    assert!(matches!(values[..], [(_, None, value)] if (value - 60.0).abs() < 1e-9), "{values:?}");
}

/// What the sums come to while `log` has a reading in each second up to 20 and from 50
/// on, and `without` in between.
fn sums_while_silent(without: &str) -> (Vec<(u64, f64)>, Vec<Event>) {
    let mut bench = bench_of_two();
    let (mut seen, mut said) = (Vec::new(), Vec::new());
    for read in 10..70 {
        let log = if (20..50).contains(&read) {
            without.replace("REPLAY", &entry("log", 19, 1900))
        } else {
            entry("log", read, read * 100)
        };
        let json = format!("{{{}, {log}}}", entry("web", read, read * 500));
        let (values, events) = bench.stats(&json);
        seen.extend(values);
        said.extend(events);
    }
    (seen, said)
}

#[test]
fn a_sum_waits_for_a_running_container_without_new_stats_and_names_it() {
    for without in ["REPLAY", r#""log": null"#, r#""log": {}"#, r#""x": null"#] {
        let (seen, said) = sums_while_silent(without);
        // Nothing in between, and then what really was.
        assert!(seen.iter().all(|(_, value)| (value - 60.0).abs() < 1e-9), "{without}: {seen:?}");
        let reads: Vec<_> = seen.iter().map(|(read, _)| *read).collect();
        let expected: Vec<_> = (11..20).chain(50..70).collect();
        assert_eq!(reads, expected, "{without}");
        let waits: Vec<_> = said
            .iter()
            .filter(|event| matches!(event, Event::SumsWait { .. } | Event::SumsBack))
            .collect();
        assert_eq!(waits.len(), 2, "{without}: {said:?}");
        assert!(matches!(waits[0], Event::SumsWait { containers, .. } if containers == &["log"]));
    }
}

#[test]
fn a_sum_waits_for_the_first_stats_of_a_running_container() {
    let mut bench = bench_of_two();
    for read in 10..20 {
        let json = format!("{{{}, \"log\": null}}", entry("web", read, read * 500));
        assert_eq!(bench.stats(&json).0, []);
    }
    let seen: Vec<_> = (20..25).flat_map(|read| bench.stats(&two(read, true, true)).0).collect();
    assert!(seen.iter().all(|(_, value)| (value - 60.0).abs() < 1e-9), "{seen:?}");
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_sum_waits_for_no_container_that_does_not_run() {
    for (status, kind) in [
        ("PULLED", "NORMAL"),
        ("CREATED", "NORMAL"),
        ("STOPPED", "NORMAL"),
        ("NONE", "NORMAL"),
        ("RUNNING", "CNI_PAUSE"),
        ("RESOURCES_PROVISIONED", "CNI_PAUSE"),
    ] {
        let task = task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}")]);
        let log = task.rfind(r#""KnownStatus": "RUNNING""#).unwrap();
        let task = format!(
            "{}{}",
            &task[..log],
            task[log..].replacen(
                r#""KnownStatus": "RUNNING""#,
                &format!(r#""KnownStatus": "{status}", "Type": "{kind}""#),
                1
            )
        );
        let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
        bench.task(&task);
        let seen: Vec<_> =
            (10..40).flat_map(|read| bench.stats(&two(read, true, false)).0).collect();
        assert_eq!(seen.len(), 29, "{status} {kind}");
        assert!(seen.iter().all(|(_, value)| (value - 50.0).abs() < 1e-9), "{seen:?}");
    }
}

/// The task of two while `log` has this status.
fn task_of_two(log: &str) -> String {
    let task = task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}")]);
    let at = task.rfind("RUNNING").unwrap();
    format!("{}{log}{}", &task[..at], &task[at + 7..])
}

#[test]
fn a_container_that_starts_without_stats_is_waited_for_within_two_samples() {
    for status in ["CREATED", "PULLED", "NONE"] {
        for (started, wrong_max) in [(12, 2), (17, 2), (25, 2), (40, 3), (300, 5)] {
            let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
            bench.task(&task_of_two(status));
            let (mut seen, mut said, mut read_at) = (Vec::new(), Vec::new(), Vec::new());
            for read in 10..started + 60 {
                let is_back = read >= started + 30;
                let (values, events) = bench.stats(&two(read, true, is_back));
                seen.extend(values);
                said.extend(events);
                if bench.sampler.wants_task(bench.now().instant) {
                    bench.task(&task_of_two(if read < started { status } else { "RUNNING" }));
                    read_at.push(read);
                }
            }
            let case = format!("{status} {started}: {seen:?} {read_at:?}");
            let of = |from, to| seen.iter().filter(move |(at, _)| (from..to).contains(at));
            assert_eq!(of(10, started).count() as u64, started - 11, "{case}");
            assert!(of(10, started).all(|(_, value)| (value - 50.0).abs() < 1e-9), "{case}");
            assert!(of(started, started + 30).count() <= wrong_max, "{case}");
            assert_eq!(of(started + 30, started + 60).count(), 29, "{case}");
            assert!(of(started + 30, 999).all(|(_, value)| (value - 60.0).abs() < 1e-9), "{case}");
            assert!(read_at.windows(2).all(|pair| pair[0] < pair[1]) && read_at.len() < 100);
            assert!(read_at.iter().filter(|at| **at > started + 6).count() <= 1, "{case}");
            let seconds = said.iter().find_map(|event| match event {
                Event::SumsWait { since, .. } => Some(since.as_secs()),
                _ => None,
            });
            assert!(seconds.is_some_and(|seconds| (10..=12).contains(&seconds)), "{said:?}");
        }
    }
}

#[test]
fn a_container_that_has_yet_to_start_is_not_silent() {
    for without_s in [0, 30] {
        let mut bench = Bench::measuring(&["web", "log"], &[Metric::TaskCpuUtilization]);
        bench.task(&task_of_two("CREATED"));
        let mut said = Vec::new();
        for read in 10..100 {
            if read == 50 {
                bench.task(&task_of_two("RUNNING"));
            }
            said.extend(bench.stats(&two(read, true, read >= 50 + without_s)).1);
        }
        let silence = said.iter().filter_map(|event| match event {
            Event::ContainerSilent { since, .. } => Some(Some(since.as_secs())),
            Event::ContainerBack { .. } => Some(None),
            _ => None,
        });
        let expected = if without_s == 0 { vec![] } else { vec![Some(11), None] };
        assert_eq!(silence.collect::<Vec<_>>(), expected, "{said:?}");
    }
}

#[test]
fn a_container_that_has_yet_to_start_makes_nobody_read_the_task_without_sums() {
    let mut bench = Bench::measuring(&["web"], &[Metric::CpuUsage]);
    bench.task(&task_of_two("CREATED"));
    for read in 10..60 {
        bench.stats(&two(read, true, false));
        assert!(!bench.sampler.wants_task(bench.now().instant) || read >= 39, "{read}");
    }
}

#[test]
fn a_container_that_ended_costs_neither_a_gap_nor_a_warning() {
    let mut bench = bench_of_two();
    let (mut seen, mut said) = (Vec::new(), Vec::new());
    for read in 10..60 {
        let (values, events) = bench.stats(&two(read, true, read < 30));
        seen.extend(values);
        said.extend(events);
        if bench.sampler.wants_task(bench.now().instant) {
            assert_eq!(read, 30, "its stats ended");
            let task = task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}")]);
            let log = task.rfind("RUNNING").unwrap();
            let task = format!("{}STOPPED{}", &task[..log], &task[log + 7..]);
            let task = TaskDocument::parse(&mut task.into_bytes()).unwrap();
            let (mut samples, now) = (Vec::new(), bench.now());
            bench.sampler.on_task(&task, now, &mut samples, &mut said);
            seen.extend(samples.iter().map(|s| (s.read.unix_ms() / 1000, s.value)));
        }
    }
    let reads: Vec<_> = seen.iter().map(|(read, _)| *read).collect();
    assert_eq!(reads, (11..60).collect::<Vec<_>>());
    for (read, value) in seen {
        let expected = if read < 30 { 60.0 } else { 50.0 };
        assert!((value - expected).abs() < 1e-9, "{read}: {value}");
    }
    assert!(said.iter().all(|event| matches!(event, Event::Measuring { .. })), "{said:?}");
}

#[test]
fn an_agent_that_polls_rarely_makes_no_sum_of_some_containers() {
    // Each container has a reading each 20 s, in its own phase; the task is at 30 %.
    for cadence in [5, 10, 20, 30, 60_u64] {
        let mut bench = Bench::measuring(&["web"], &[Metric::TaskCpuUtilization]);
        let ids = ["io", "web", "idle"];
        bench.task(&task_with(r#"{"CPU": 2}"#, "null", &ids.map(|id| (id, "{}"))));
        let mut seen = Vec::new();
        for second in 70..1200_u64 {
            bench.second = second - 10;
            let of = |(n, id): (u64, &&str)| {
                let phase = n * cadence / 3;
                let read = (second - phase) / cadence * cadence + phase;
                entry(id, read, read * [400, 200, 0][usize::try_from(n).unwrap()] + 1)
            };
            let entries: Vec<_> = (0..).zip(&ids).map(of).collect();
            let (values, events) = bench.stats(&format!("{{{}}}", entries.join(",")));
            seen.extend(values);
            assert!(
                events.iter().all(|event| matches!(event, Event::Measuring { .. })),
                "{events:?}"
            );
        }
        assert!(seen.iter().all(|(_, value)| (value - 30.0).abs() < 1e-9), "{cadence}: {seen:?}");
        assert!(seen.len() as u64 + 3 >= 1130 / cadence, "{cadence}: {}", seen.len());
    }
}

#[test]
fn a_container_that_stopped_holds_nobody_up() {
    let stopped = task_with(r#"{"CPU": 1}"#, "null", &[("web", "{}"), ("log", "{}")]);
    let stopped = stopped.replacen("RUNNING", "x", 1).replacen("RUNNING", "STOPPED", 1);
    let mut bench = bench_of_two();
    all_values(&mut bench, &two(10, true, true));
    bench.task(&stopped);
    all_values(&mut bench, &two(11, true, false));
    let values = all_values(&mut bench, &two(12, true, false));
    assert_eq!(values, [("TaskCPUUtilization", None, 50.0)]);
}

#[test]
fn the_tasks_datum_is_stamped_with_the_newest_read() {
    let mut bench = bench_of_two();
    let at =
        |web: u64, log: u64| format!("{{{}, {}}}", entry("web", web, web), entry("log", log, log));
    all_values(&mut bench, &at(10, 10));
    let (samples, _) = bench.stats(&at(11, 12));
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].0, 12);
}

#[test]
fn memory_that_is_missing_makes_no_sum() {
    let mut bench = Bench::measuring(&["web"], &[Metric::TaskMemoryUtilization]);
    bench.task(&task_with(r#"{"Memory": 200}"#, "null", &[("web", "{}"), ("log", "{}")]));
    let document = |read: u64, log: bool| {
        let log = if log { full("log", read, read, 60, None, 0) } else { entry("log", read, read) };
        format!("{{{log}, {}}}", full("web", read, read, 60, None, 0))
    };
    all_values(&mut bench, &document(10, false));
    assert_eq!(all_values(&mut bench, &document(11, false)), []);
    assert_eq!(
        all_values(&mut bench, &document(12, true)),
        [("TaskMemoryUtilization", None, 40.0)]
    );
}

#[test]
fn an_endpoint_that_was_away_makes_no_container_silent() {
    for outage in [8, 12, 15, 40] {
        let mut bench = bench_of_two();
        let mut seen = Vec::new();
        for read in 10..30_u64 {
            let read = if read < 20 { read } else { read + outage };
            bench.second = read;
            let is_back = !(20 + outage..22 + outage).contains(&read);
            seen.extend(all_values(&mut bench, &two(read, true, is_back)).into_iter().map(|v| v.2));
        }
        assert!(
            seen.len() > 12 && seen.iter().all(|v| (v - 60.0).abs() < 1e-9),
            "{outage}: {seen:?}"
        );
    }
}

#[test]
fn a_sample_without_a_cpu_counter_makes_no_sum() {
    let mut bench = bench_of_two();
    let mut seen = Vec::new();
    for read in 10..20_u64 {
        let mut json = two(read, true, true);
        if read == 14 {
            json = json
                .replace(&format!("\"total_usage\": {}000000", read * 500), "\"total_usage\": 0");
        }
        seen.extend(all_values(&mut bench, &json).into_iter().map(|v| v.2));
    }
    assert!(seen.len() >= 6 && seen.iter().all(|v| (v - 60.0).abs() < 1e-9), "{seen:?}");
}

#[test]
fn without_a_task_limit_memory_is_divided_by_the_limits_of_the_same_containers() {
    for (log_limits, log_type, expected) in [
        (r#"{"Memory": 60}"#, "NORMAL", Some(50.0)),
        // A reservation alone.
        (r#"{"CPU": 256}"#, "NORMAL", None),
        (r#"{"Memory": 0}"#, "NORMAL", None),
        // AWS's own: neither its memory nor its limit counts.
        ("{}", "CNI_PAUSE", Some(40.0)),
    ] {
        let task = task_with("{}", "null", &[("web", r#"{"Memory": 100}"#), ("log", log_limits)]);
        let log = task.rfind(r#""KnownStatus""#).unwrap();
        let task = format!(r#"{}"Type": "{log_type}", {}"#, &task[..log], &task[log..]);
        let mut bench = Bench::measuring(&["web"], &[Metric::TaskMemoryUtilization]);
        bench.task(&task);
        let mut seen = Vec::new();
        for read in 10..20 {
            let of = |id| full(id, read, read, 60, None, 0);
            let json = format!("{{{}, {}}}", of("web"), of("log"));
            seen.extend(all_values(&mut bench, &json).into_iter().map(|(.., value)| value));
        }
        assert_eq!(seen.is_empty(), expected.is_none(), "{log_limits}: {seen:?}");
        let is_right = |value: &f64| expected.is_some_and(|it| (value - it).abs() < 1e-9);
        assert!(seen.iter().all(is_right), "{log_limits}: {seen:?}");
    }
}
