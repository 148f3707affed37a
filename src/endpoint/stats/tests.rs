//! The parser on entries written here, in the shapes that platforms send.

use super::*;

fn entries(body: &str) -> Result<Vec<(String, Entry)>, StatsError> {
    let mut body = body.as_bytes().to_vec();
    let mut entries = Vec::new();
    StatsParser::new(Parts::ALL)
        .parse(&mut body, |id, entry| entries.push((id.to_owned(), entry)))?;
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
    Entry::Reading(Reading {
        read: Timestamp::from_unix_ns(1_795_514_400_500_000_000),
        cpu: Some(CpuReading { total_usage_ns, online_cpus }),
        is_cpu_base: false,
        memory: None,
        network: None,
        block_io: None,
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

/// The entry with `cpu_stats` and these parts besides.
fn stats(parts: &str) -> Reading {
    match entry(&format!(r#"{{{READ}, "cpu_stats": {{}}, {parts}}}"#)) {
        Entry::Reading(stats) => stats,
        other => panic!("{parts}: {other:?}"),
    }
}

#[test]
fn memory_has_two_dialects() {
    let v1 = r#""memory_stats": {"usage": 900, "max_usage": 950, "limit": 9223372036854771712, "stats": {
        "cache": 300, "rss": 600, "inactive_file": 1, "total_inactive_file": 200,
        "hierarchical_memory_limit": 1024}}"#;
    let v2 = r#""memory_stats": {"usage": 900, "limit": 18446744073709551615, "stats": {
        "anon": 500, "file": 400, "inactive_file": 250}}"#;
    let old = r#""memory_stats": {"usage": 900, "stats": {"rss": 900}}"#;
    for (parts, expected) in [
        (
            v1,
            MemoryReading {
                usage_bytes: 900,
                inactive_file_bytes: 200,
                cache_bytes: Some(300),
                limit_bytes: Some(9_223_372_036_854_771_712),
                hierarchical_limit_bytes: Some(1024),
            },
        ),
        (
            v2,
            MemoryReading {
                usage_bytes: 900,
                inactive_file_bytes: 250,
                cache_bytes: None,
                limit_bytes: Some(u64::MAX),
                hierarchical_limit_bytes: None,
            },
        ),
        // An old daemon on v1 leaves out what is zero.
        (
            old,
            MemoryReading {
                usage_bytes: 900,
                inactive_file_bytes: 0,
                cache_bytes: Some(0),
                limit_bytes: None,
                hierarchical_limit_bytes: None,
            },
        ),
    ] {
        assert_eq!(stats(parts).memory, Some(expected), "{parts}");
    }
    for none in [
        r#""memory_stats": null"#,
        r#""memory_stats": {}"#,
        r#""memory_stats": {"commitbytes": 5, "privateworkingset": 4}"#,
        // How much of it is page cache is unknown, not zero.
        r#""memory_stats": {"usage": 900, "limit": 1000}"#,
        r#""memory_stats": {"usage": 900, "stats": null}"#,
    ] {
        assert_eq!(stats(none).memory, None, "{none}");
    }
}

#[test]
fn interfaces_are_summed() {
    for (parts, expected) in [
        (r#""networks": {"eth0": {"rx_bytes": 5, "tx_bytes": 7, "rx_errors": 9}}"#, Some((5, 7))),
        (
            r#""networks": {"eth0": {"rx_bytes": 5}, "eth1": {"rx_bytes": 6, "tx_bytes": 1}}"#,
            Some((11, 1)),
        ),
        (r#""networks": {"eth0": {}}"#, Some((0, 0))),
        (r#""networks": {}"#, None),
        (r#""networks": null"#, None),
        (r#""network_rate_stats": {"rx_bytes_per_sec": 1e19}"#, None),
    ] {
        let expected = expected.map(|(rx_bytes, tx_bytes)| NetworkReading { rx_bytes, tx_bytes });
        assert_eq!(stats(parts).network, expected, "{parts}");
    }
}

/// What is listed of each `major:minor`, in one sum.
fn listed(devices: &[(u32, u32, u64, u64)]) -> BlockIo {
    let mut reading = BlockIoReading::default();
    for &(major, minor, read, written) in devices {
        reading.add(major, minor, BlockIoBytes { read, written });
    }
    BlockIo::Listed(reading)
}

#[test]
fn reads_and_writes_are_listed_by_device_and_nothing_twice() {
    for (entries, expected) in [
        (
            r#"[{"major": 259, "minor": 0, "op": "Read", "value": 5},
               {"major": 259, "minor": 0, "op": "Write", "value": 7},
               {"major": 259, "minor": 0, "op": "Sync", "value": 7},
               {"major": 259, "minor": 0, "op": "Async", "value": 5},
               {"major": 259, "minor": 0, "op": "Total", "value": 12},
               {"major": 8, "op": "Read", "value": 1}]"#,
            listed(&[(259, 0, 5, 7), (8, 0, 1, 0)]),
        ),
        (r#"[{"op": "read", "value": 5}, {"op": "write"}]"#, listed(&[(0, 0, 5, 0)])),
        (
            r#"[null, {"major": "8", "minor": -1, "op": "WRITE", "value": 5}]"#,
            listed(&[(0, 0, 0, 5)]),
        ),
        (r#"[{"major": 259, "op": "Discard", "value": 9}]"#, listed(&[])),
        ("[]", BlockIo::NotListed),
        ("[null]", BlockIo::NotListed),
        ("null", BlockIo::NotListed),
    ] {
        let parts = format!(r#""blkio_stats": {{"io_service_bytes_recursive": {entries}}}"#);
        assert_eq!(stats(&parts).block_io, Some(expected), "{entries}");
    }
}

#[test]
fn block_io_without_a_list_is_not_the_same_as_no_block_io() {
    assert_eq!(stats(r#""blkio_stats": {}"#).block_io, Some(BlockIo::NotListed));
    assert_eq!(stats(r#""blkio_stats": null"#).block_io, None);
    assert_eq!(stats(r#""networks": {}"#).block_io, None);
}

#[test]
fn a_counter_left_out_is_no_counter() {
    for cpu_stats in [r"{}", r#"{"cpu_usage": {}}"#, r#"{"cpu_usage": {"total_usage": 0}}"#] {
        let json = format!(r#"{{{READ}, "cpu_stats": {cpu_stats}}}"#);
        assert!(matches!(entry(&json), Entry::Reading(Reading { cpu: None, .. })), "{json}");
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
    let mut parser = StatsParser::new(Parts::ALL);
    for bad in ["", "{", "nonsense", "[]", "null", "7", r#"{"a": {}"#] {
        let mut body = bad.as_bytes().to_vec();
        assert!(parser.parse(&mut body, |_, _| panic!("visited")).is_err(), "{bad}");
        let mut good = br#"{"a": null}"#.to_vec();
        let mut count = 0;
        parser.parse(&mut good, |_, _| count += 1).unwrap();
        assert_eq!(count, 1);
    }
}

#[test]
fn a_windows_container_breaks_nothing_and_has_no_memory_limit_or_block_io() {
    let stats = stats(
        r#""preread": "2026-11-24T09:59:59Z", "num_procs": 9, "pids_stats": {},
            "cpu_stats": {"cpu_usage": {"total_usage": 7, "usage_in_kernelmode": 3},
                "throttling_data": {"periods": 0}},
            "memory_stats": {"commitbytes": 5, "commitpeakbytes": 6, "privateworkingset": 4},
            "blkio_stats": {"io_service_bytes_recursive": null},
            "storage_stats": {"read_count_normalized": 2, "write_size_bytes": 9},
            "networks": {"b2c3": {"rx_bytes": 5, "tx_bytes": 6, "endpoint_id": "x"}}"#,
    );
    assert_eq!(stats.cpu, Some(CpuReading { total_usage_ns: 7, online_cpus: None }));
    assert_eq!((stats.memory, stats.block_io), (None, Some(BlockIo::NotListed)));
    assert_eq!(stats.network, Some(NetworkReading { rx_bytes: 5, tx_bytes: 6 }));
}

#[test]
fn a_part_that_is_not_asked_for_is_not_read() {
    let json = format!(
        r#"{{"id": {{{READ}, "cpu_stats": {{"cpu_usage": {{"total_usage": 7}}}},
            "memory_stats": {{"usage": 9, "stats": {{}}}}, "networks": {{"eth0": {{"rx_bytes": 3}}}},
            "blkio_stats": {{"io_service_bytes_recursive": [{{"op": "Read", "value": 5}}]}}}}}}"#
    );
    let read = |json: &str, parts| {
        let mut entries = Vec::new();
        let mut body = json.as_bytes().to_vec();
        StatsParser::new(parts).parse(&mut body, |_, entry| entries.push(entry)).unwrap();
        entries[0]
    };
    let Entry::Reading(all) = read(&json, Parts::ALL) else { panic!("no sample") };
    assert!(all.memory.is_some() && all.network.is_some() && all.block_io.is_some());
    for (parts, expected) in [
        (Parts { memory: false, ..Parts::ALL }, Reading { memory: None, ..all }),
        (Parts { network: false, ..Parts::ALL }, Reading { network: None, ..all }),
        (Parts { block_io: false, ..Parts::ALL }, Reading { block_io: None, ..all }),
    ] {
        assert_eq!(read(&json, parts), Entry::Reading(expected), "{parts:?}");
    }
    // So what is wrong in it costs nothing.
    let wrong = json.replace("[{", "{").replace("}]", "}");
    assert!(matches!(read(&wrong, Parts::ALL), Entry::Malformed(_)));
    let without = Parts { block_io: false, ..Parts::ALL };
    assert_eq!(read(&wrong, without), Entry::Reading(Reading { block_io: None, ..all }));
}

#[test]
fn keys_of_a_wanted_length_are_told_apart() {
    // Each is as long as one that is read.
    let json = format!(
        r#"{{{READ}, "peak_stat": 1, "cpu_stats": {{"online_cpuz": 9, "cpu_usagf": 1,
            "cpu_usage": {{"total_usagf": 1, "total_usage": 7, "percpu_usagf": 1}}, "online_cpus": 2}},
            "{}": 1}}"#,
        "k".repeat(100)
    );
    assert_eq!(entry(&json), sample(7, Some(2)));
}
