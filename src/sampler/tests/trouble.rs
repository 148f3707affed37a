//! Holes, restarts and clocks: what real documents do to the numbers.

use super::{catalogue::*, *};

#[test]
fn a_clock_that_is_set_forward_drops_one_difference() {
    // As another host's clock is seen; our own is compared with the monotonic clock.
    for set_s in [3000, 30, 2] {
        let mut bench = Bench::measuring(
            &["web"],
            &[Metric::CpuUtilization, Metric::NetworkRxBytes, Metric::StorageReadBytes],
        );
        bench.task(&task_with(r#"{"CPU": 0.5}"#, r#""bridge""#, &[("web", "{}")]));
        let document =
            |read, n: u64| format!("{{{}}}", full("web", read, n * 250, 60, Some(n * 10), n * 10));
        all_values(&mut bench, &document(10, 1));
        assert_eq!(all_values(&mut bench, &document(11, 2)).len(), 3);
        assert_eq!(all_values(&mut bench, &document(12 + set_s, 3)), []);
        assert_eq!(
            all_values(&mut bench, &document(13 + set_s, 4)),
            [
                ("CPUUtilization", Some(0), 50.0),
                ("NetworkRxBytes", Some(0), 10.0),
                ("StorageReadBytes", Some(0), 10.0)
            ]
        );
    }
}

#[test]
fn a_clock_that_is_set_back_spares_no_counter() {
    let metrics = [Metric::NetworkRxBytes, Metric::StorageReadBytes];
    let mut bench = Bench::measuring(&["web"], &metrics);
    bench.task(&task_with("{}", r#""bridge""#, &[("web", "{}")]));
    let document = |read, n: u64| format!("{{{}}}", full("web", read, n, 60, Some(n * 10), n * 10));
    all_values(&mut bench, &document(100, 1));
    assert_eq!(all_values(&mut bench, &document(40, 2)), []);
    assert_eq!(
        all_values(&mut bench, &document(41, 3)),
        [("NetworkRxBytes", Some(0), 10.0), ("StorageReadBytes", Some(0), 10.0)]
    );
}

#[test]
fn more_than_all_cpus_is_averaged_with_the_next_sample() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    let document = |ms: u64, used_ms: u64| {
        one("w1", ms / 1000, used_ms)
            .replace(&format!("{:02}Z", ms / 1000), &format!("{:02}.{:03}Z", ms / 1000, ms % 1000))
    };
    bench.values(&document(10_000, 1000));
    assert_eq!(bench.values(&document(11_000, 1250)), [(11, 50.0)]);
    // Stamped 0.9 s too early: a second's work in a tenth of one.
    assert_eq!(bench.values(&document(11_100, 1500)), []);
    assert_eq!(bench.values(&document(13_000, 1750)), [(13, 50.0)]);
}

#[test]
fn new_limits_count_from_the_next_sample_on() {
    let mut bench =
        Bench::measuring(&["web"], &[Metric::CpuUtilization, Metric::MemoryUtilization]);
    let document = |read: u64| format!("{{{}}}", full("web", read, read * 500, 60, None, 0));
    let limited = |limits| task_with("{}", "null", &[("web", limits)]);
    bench.task(&limited(r#"{"CPU": 512, "Memory": 100}"#));
    all_values(&mut bench, &document(10));
    let of = |cpu, memory| {
        vec![("CPUUtilization", Some(0), cpu), ("MemoryUtilization", Some(0), memory)]
    };
    assert_eq!(all_values(&mut bench, &document(11)), of(100.0, 50.0));
    bench.task(&limited(r#"{"CPU": 1024, "Memory": 200}"#));
    assert_eq!(all_values(&mut bench, &document(12)), of(50.0, 25.0));
}

#[test]
fn a_kind_other_than_normal_is_ecs_s_own_whatever_its_name() {
    let mut bench = Bench::new();
    bench.sampler = Sampler::new(Selection::All, [Metric::CpuUsage].into_iter().collect());
    bench.task(
        r#"{"Containers": [{"DockerId": "a", "Name": "daemon", "Type": "MANAGED_DAEMON"},
                           {"DockerId": "b", "Name": "web", "Type": "NORMAL"}]}"#,
    );
    assert_eq!(bench.sampler.names(), ["web"]);
}

#[test]
fn a_stopped_container_is_not_silent_and_one_that_comes_back_can_be() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    for read in 8..=10 {
        bench.values(&one("w1", read, 100 * read));
    }
    bench.task(&LIMITED.replacen("RUNNING", "STOPPED", 1));
    for _ in 0..60 {
        assert_eq!(bench.stats(r#"{"w1": {}}"#).1, []);
    }
    bench.second += 1;
    bench.stats(&one("w1", 73, 50));
    let replay = one("w1", 73, 50);
    let said: Vec<_> = (0..40).flat_map(|_| bench.stats(&replay).1).collect();
    let said: Vec<_> =
        said.into_iter().filter(|event| !matches!(event, Event::Measuring { .. })).collect();
    assert!(matches!(said[..], [Event::ContainerSilent { .. }]), "{said:?}");
}

#[test]
fn a_container_that_is_started_again_under_its_id_has_the_document_read_again() {
    // Nothing else tells whoever reads it from the kernel.
    let mut bench = Bench::new();
    bench.task(LIMITED);
    for read in 8..=10 {
        bench.values(&one("w1", read, 100 * read));
    }
    bench.task(&LIMITED.replacen("RUNNING", "STOPPED", 1));
    let wants_task = |bench: &Bench| bench.sampler.wants_task(bench.now().instant);
    for _ in 0..20 {
        bench.stats(r#"{"w1": {}}"#);
        bench.second += 1;
    }
    bench.task(&LIMITED.replacen("RUNNING", "STOPPED", 1));
    bench.second += 2;
    bench.stats(r#"{"w1": {}}"#);
    assert!(!wants_task(&bench));
    bench.second += 1;
    bench.stats(&one("w1", 33, 50));
    assert!(wants_task(&bench));
    bench.task(LIMITED);
    bench.stats(&one("w1", 34, 60));
    assert!(!wants_task(&bench));
}

#[test]
fn a_task_document_that_fails_is_asked_for_less_and_less_often() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    bench.stats(&one("new", 10, 5));
    let mut asked_at = Vec::new();
    for second in 2..100 {
        bench.second = second;
        if bench.sampler.wants_task(bench.now().instant) {
            asked_at.push(second);
            bench.sampler.on_task_failed(bench.now().instant);
        }
    }
    assert_eq!(asked_at, [2, 4, 8, 16, 32, 62, 92]);
}

#[test]
fn a_star_does_not_miss_what_is_gone() {
    let mut bench = Bench::new();
    bench.sampler = Sampler::new(Selection::All, [Metric::CpuUsage].into_iter().collect());
    bench.task(LIMITED);
    let fewer = r#"{"Containers": [{"DockerId": "e1", "Name": "esp", "KnownStatus": "RUNNING"}]}"#;
    assert_eq!(bench.task(fewer), []);
    assert_eq!(bench.sampler.names(), ["web", "esp"], "places stay");
}

#[test]
fn on_fargate_neither_an_old_first_sample_nor_a_hole_is_a_clock() {
    for phase in 0..10_u64 {
        for hole in 0..10_u64 {
            let mut bench = Bench::new();
            bench.task(LIMITED);
            let (mut seen, mut events) = (Vec::new(), Vec::new());
            for second in 10..80_u64 {
                let read = (second - phase) / 10 * 10 + phase;
                let is_hole = (39..39 + hole).contains(&second);
                let json = if is_hole {
                    r#"{"w1": null}"#.to_owned()
                } else {
                    one("w1", read, read * 125)
                };
                let (samples, said) = bench.stats(&json);
                seen.extend(samples);
                events.extend(said);
            }
            assert!(
                !events.iter().any(|event| matches!(event, Event::ClockSet { .. })),
                "{phase} {hole}"
            );
            assert!(
                seen.len() >= 5 && seen.iter().all(|(_, v)| (v - 25.0).abs() < 1e-9),
                "{seen:?}"
            );
        }
    }
}

#[test]
fn an_id_that_stays_unknown_is_asked_for_every_half_minute() {
    let mut bench = Bench::new();
    bench.task(LIMITED);
    let mut asked_at = Vec::new();
    for second in 1..70 {
        bench.stats(&format!("{{{}, \"x\": null}}", entry("w1", second, second)));
        if bench.sampler.wants_task(bench.now().instant) {
            bench.task(LIMITED);
            asked_at.push(second);
        }
    }
    assert_eq!(asked_at, [1, 31, 61]);
}

#[test]
fn an_id_that_stands_twice_counts_once() {
    let metrics = [Metric::CpuUsage, Metric::MemoryUtilized];
    let mut bench = Bench::measuring(&["web"], &metrics);
    bench.task(LIMITED);
    let document = |read: u64| {
        let [older, newer] = [read - 1, read].map(|read| full("w1", read, read, 60, None, 0));
        format!("{{{newer}, {older}}}")
    };
    all_values(&mut bench, &document(10));
    for read in 11..20 {
        let (samples, events) = bench.stats(&document(read));
        assert!(samples.iter().all(|(second, _)| *second == read), "{samples:?}");
        assert_eq!(samples.len(), 2, "{samples:?}");
        assert!(events.iter().all(|event| matches!(event, Event::Measuring { .. })), "{events:?}");
    }
}

/// The names and the samples that come of a task document, everything asked for.
fn of_task(json: &str) -> (Vec<String>, Vec<(Metric, f64)>) {
    let mut machine = Sampler::new(Selection::All, MetricSet::all());
    let task = TaskDocument::parse(&mut json.as_bytes().to_vec()).unwrap();
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    let now = Now { instant: Instant::now(), wall: Timestamp::from_unix_ns(0) };
    machine.on_task(&task, now, &mut samples, &mut events);
    let samples =
        samples.iter().map(|sample| (sample.metric.metric().unwrap(), sample.value)).collect();
    (machine.names().to_vec(), samples)
}

#[test]
fn a_container_that_is_listed_twice_has_its_restarts_counted_once() {
    let json = r#"{"Containers": [{"DockerId": "a", "Name": "web", "RestartCount": 1},
        {"DockerId": "a", "Name": "web", "RestartCount": 2}]}"#;
    let (_, samples) = of_task(json);
    assert_eq!(samples, [(Metric::RestartCount, 1.0)]);
}

#[test]
fn a_value_that_cloudwatch_would_refuse_is_no_sample() {
    for (utilized, expected) in [("1e100", 1), ("1e150", 0)] {
        let json = format!(
            r#"{{"EphemeralStorageMetrics": {{"Utilized": {utilized}, "Reserved": 100}}}}"#
        );
        assert_eq!(of_task(&json).1.len(), expected, "{utilized}");
    }
    let mut bench = Bench::new();
    bench.task(&LIMITED.replace("0.5", "1e-200"));
    bench.values(&one("w1", 10, 1000));
    assert_eq!(bench.values(&one("w1", 11, 1500)), []);
}

#[test]
fn a_counter_that_jumps_all_the_time_is_said_once_a_minute_and_never_published() {
    let metrics = [Metric::CpuUsage, Metric::MemoryUtilized];
    let mut bench = Bench::measuring(&["web"], &metrics);
    bench.task(&task_with("{}", r#""bridge""#, &[("web", "{}")]));
    let (mut said, mut jumps) = (Vec::new(), 0);
    for read in 10..200_u64 {
        // Each third one, by an hour.
        let is_jump = read % 3 == 0;
        jumps += u64::from(is_jump);
        let cpu_ms = read * 500 + jumps * 3_600_000;
        let json = format!("{{{}}}", full("web", read, cpu_ms, 60, None, 0));
        let (samples, events) = bench.stats(&json);
        said.extend(events.into_iter().map(|event| (read, event)));
        // The memory of that reading is as good as any.
        let is_first = read == 10;
        let expected = if is_first { 0 } else { 2 - usize::from(is_jump) };
        assert_eq!(samples.len(), expected, "{read}: {samples:?}");
        assert!(samples.iter().all(|(_, value)| (value - 50.0).abs() < 1e-9), "{samples:?}");
    }
    let is_jump = |event: &Event| matches!(event, Event::CounterJumped { .. });
    let at: Vec<_> = said.iter().filter(|(_, event)| is_jump(event)).map(|(at, _)| *at).collect();
    assert_eq!(at, [12, 72, 132, 192]);
}

#[test]
fn a_restart_under_the_same_id_loses_no_bytes_of_the_disk() {
    let mut bench = Bench::measuring(&["web"], &[Metric::StorageReadBytes]);
    bench.task(&task_with("{}", r#""bridge""#, &[("web", "{}")]));
    let document = |read, cpu_ms, list: &str| {
        let plain = entry("web", read, cpu_ms);
        let open = plain.strip_suffix('}').unwrap();
        format!(r#"{{{open}, "blkio_stats": {{"io_service_bytes_recursive": {list}}}}}}}"#)
    };
    let disk = |bytes: u64| format!(r#"[{{"op": "read", "value": {bytes}}}]"#);
    let mut seen = Vec::new();
    for (read, cpu_ms, list) in [
        (10, 9000, disk(1 << 30)),
        (11, 9500, disk((1 << 30) + 100)),
        (12, 10, "null".to_owned()),
        (13, 20, disk(4096)),
        (14, 30, disk(4196)),
    ] {
        seen.extend(bench.values(&document(read, cpu_ms, &list)));
    }
    assert_eq!(seen, [(11, 100.0), (13, 4096.0), (14, 100.0)]);
}

#[test]
fn a_field_that_is_malformed_is_not_said_to_be_missing() {
    let why = |json: &str, metric: Metric| {
        let mut bench = Bench::measuring(&["web"], &[metric]);
        bench.task(json);
        bench.sampler.unseen()[0].reason
    };
    let web = r#""Containers": [{"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING""#;
    for storage in [r#"{"Utilized": "20", "Reserved": 100}"#, "[]", "7", "{}"] {
        let json = format!(r#"{{"EphemeralStorageMetrics": {storage}, {web}}}]}}"#);
        let said = why(&json, Metric::EphemeralStorageUtilization);
        assert!(said.contains("EphemeralStorageMetrics is malformed"), "{storage}: {said}");
    }
    for storage in ["", r#""EphemeralStorageMetrics": null, "#] {
        let json = format!("{{{storage}{web}}}]}}");
        let said = why(&json, Metric::EphemeralStorageUtilization);
        assert_eq!(said, "the task document has no EphemeralStorageMetrics");
    }
    for (count, is_malformed) in [("-1", true), (r#""2""#, true), ("null", false)] {
        let json = format!(r#"{{{web}, "RestartCount": {count}}}]}}"#);
        assert_eq!(why(&json, Metric::RestartCount).contains("malformed"), is_malformed, "{count}");
    }
    for (metric, limit) in
        [(Metric::TaskCpuUtilization, "CPU"), (Metric::TaskMemoryUtilization, "Memory")]
    {
        let json = format!(r#"{{"Limits": {{"{limit}": "2"}}, {web}}}]}}"#);
        assert_eq!(why(&json, metric), "limits in the task document are malformed");
        let json = format!(r#"{{{web}, "Limits": {{"{limit}": "2"}}}}]}}"#);
        assert_eq!(why(&json, metric), "limits in the task document are malformed");
        assert!(!why(&format!("{{{web}}}]}}"), metric).contains("malformed"));
    }
}

#[test]
fn no_name_is_kept_that_no_task_definition_can_have() {
    let json = |length| {
        let name = "x".repeat(length);
        format!(r#"{{"Containers": [{{"DockerId": "a", "Name": "{name}"}}]}}"#)
    };
    assert_eq!(of_task(&json(255)).0.len(), 1);
    assert_eq!(of_task(&json(256)).0.len(), 0);
}
