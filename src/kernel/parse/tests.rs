//! The parsers beside files as kernels write them, and beside some that none does.

use super::*;
use crate::reading::{MemoryReading, NetworkReading};

const ONE: &str = "64a8b67cc4e3d5d942f81bfcfc7dcd6fe58e0eccd0eb2a253fd1113653c4ee17";
const TWO: &str = "f1113653c4ee1764a8b67cc4e3d5d942f81bfcfc7dcd6fe58e0eccd0eb2a253f";
const FARGATE: &str = "cd189a933e5849daa93386466019ab50-2495160603";
const FARGATE_SISTER: &str = "cd189a933e5849daa93386466019ab50-0495160603";

/// Which of `ids` the process is of, and the container's path and what is below it.
fn found<'a>(file: &'a str, ids: &[&str]) -> Option<(usize, &'a str, &'a str)> {
    let (place, path) = container_of(file.as_bytes(), &ids.iter().copied())?;
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    Some((place, text(path.container), text(path.below)))
}

/// The file of a process in the cgroup at `path`, of version 1.
fn v1(path: &str) -> String {
    format!("12:pids:{path}\n5:memory:{path}\n4:cpu,cpuacct:{path}\n1:name=systemd:{path}\n0::/\n")
}

fn v2(path: &str) -> String {
    format!("0::{path}\n")
}

#[test]
fn each_platform_names_the_container_in_its_own_form() {
    let paths = [
        format!("/docker/{TWO}"),
        format!("/ecs/cd189a933e5849daa93386466019ab50/{TWO}"),
        format!("/system.slice/docker-{TWO}.scope"),
        format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{TWO}.scope"),
        format!("/ecstasks.slice/ecstasks-cd18.slice/docker-{TWO}.scope"),
        format!("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{TWO}"),
        format!("/../{TWO}"),
        format!("/../../other/{TWO}"),
    ];
    for path in &paths {
        for file in [v1(path), v2(path)] {
            assert_eq!(found(&file, &[ONE, TWO]), Some((1, path.as_str(), "")), "{path}");
            assert_eq!(found(&file, &[ONE]), None, "{path}");
        }
    }
}

#[test]
fn on_fargate_two_ids_differ_in_their_end() {
    let file = v1(&format!("/ecs/cd189a933e5849daa93386466019ab50/{FARGATE}"));
    let place = |ids: &[&str]| found(&file, ids).map(|(place, ..)| place);
    assert_eq!(place(&[FARGATE_SISTER, FARGATE]), Some(1));
    assert_eq!(place(&[FARGATE_SISTER]), None);
    // The ids of the endpoint may be those of Docker alone.
    assert_eq!(place(&["849daa93386466019ab50-2495160603"]), None, "in the middle of a word");
    let file = v2(&format!("/ecs/task/cd189a933e5849daa93386466019ab50-{ONE}"));
    assert_eq!(found(&file, &[TWO, ONE]).unwrap().0, 1);
}

#[test]
fn a_cgroup_of_the_containers_own_is_below_it() {
    let file = v1(&format!("/docker/{ONE}/init.scope"));
    let container = format!("/docker/{ONE}");
    assert_eq!(found(&file, &[ONE]), Some((0, container.as_str(), "/init.scope")));
    let file = v2(&format!("/docker/{ONE}/a/b"));
    assert_eq!(found(&file, &[ONE]), Some((0, container.as_str(), "/a/b")));
    let file = v2(&format!("/docker/{ONE}/{ONE}"));
    assert_eq!(found(&file, &[ONE]).unwrap().1, container);
}

#[test]
fn nothing_is_guessed() {
    let docker = v1(&format!("/docker/{ONE}"));
    let cases: &[(&str, &str, &[&str])] = &[
        ("an empty id", &docker, &[""]),
        ("a short one", &docker, &["53c4ee17"]),
        ("only a beginning", &docker, &[&ONE[..32]]),
        ("only an end", &docker, &[&ONE[32..]]),
        ("the same id twice", &docker, &[ONE, ONE]),
        ("two containers", &v1(&format!("/docker/{ONE}/docker/{TWO}")), &[ONE, TWO]),
        ("nowhere", &v1("/"), &[ONE]),
        ("no line of the CPU", &format!("4:memory:/docker/{ONE}\n"), &[ONE]),
        ("another controller", &format!("5:memory:/{ONE}\n4:cpuacct:/\n0::/\n"), &[ONE]),
        ("cut off", &format!("0::/docker/{ONE}"), &[ONE]),
        ("no path", &format!("0::{ONE}\n"), &[ONE]),
        ("nothing", "", &[ONE]),
        ("no ids", &docker, &[]),
        (
            "both end it",
            &v2("/x-abcdefabcdef-123456789012"),
            &["123456789012", "abcdefabcdef-123456789012"],
        ),
    ];
    for (what, file, ids) in cases {
        assert_eq!(found(file, ids), None, "{what}");
    }
    // A cgroup of version 2 without controllers does not decide where version 1 counts.
    let hybrid = format!("4:cpu,cpuacct:/docker/{ONE}\n0::/docker/{TWO}\n");
    assert_eq!(found(&hybrid, &[ONE, TWO]).unwrap().0, 0);
}

#[test]
fn a_programs_name_may_hold_anything() {
    let rest = "S 17 1 1 0 -1 4194560 1 2 3 4 150 50 30 -0 20 0 1 0 98765 1 2 3";
    let negative = process_stat(format!("42 (sh) {rest}\n").as_bytes());
    assert_eq!(negative, None, "not a number of ticks");
    let rest = "S 17 1 1 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 98765 1 2 3";
    let stat = ProcessStat {
        pid: 42,
        has_exited: false,
        parent: 17,
        own_ticks: 200,
        children_ticks: 50,
        start_ticks: 98765,
    };
    for name in ["sh", "a b", "a) S 1 (b", ")", "", "\n", ") R 1 1 1 1 1 1 1 1 1 1 1 1 1"] {
        let line = format!("42 ({name}) {rest}\n");
        assert_eq!(process_stat(line.as_bytes()), Some(stat), "{name}");
    }
    let zombie = process_stat(format!("42 (sh) Z{}\n", &rest[1..]).as_bytes()).unwrap();
    assert!(zombie.has_exited);
    for bad in [
        "",
        "42",
        "42 (sh",
        "42 (sh)",
        "42 (sh) S 1",
        "x (sh) S 17 1",
        "42) S",
        "99999999999 (sh) S",
    ] {
        assert_eq!(process_stat(bad.as_bytes()), None, "{bad}");
    }
    let no_name = format!("42){}\n", &rest[1..]);
    assert_eq!(process_stat(no_name.as_bytes()), None, "fuzzed: no name at all");
    for cut in 0..40 {
        let line = format!("42 (sh) {rest}");
        assert_eq!(process_stat(&line.as_bytes()[..cut]), None, "cut after {cut}");
    }
}

#[test]
fn counters_of_cpu_time() {
    assert_eq!(one_number(b"123456789\n"), Some(123_456_789));
    assert_eq!(one_number(b"0\n"), Some(0));
    assert_eq!(one_number(b"18446744073709551615\n"), Some(u64::MAX));
    for bad in ["", "\n", "1", "1\n\n", "-1\n", "+1\n", " 1\n", "1 2\n", "18446744073709551616\n"] {
        assert_eq!(one_number(bad.as_bytes()), None, "{bad:?}");
    }
    let stat = b"usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\nnr_periods 0\n";
    assert_eq!(cpu_stat_ns(stat), Some(1_234_567_000));
    assert_eq!(cpu_stat_ns(b"user_usec 7\nusage_usec 5\n"), Some(5000));
    for bad in ["", "usage_usec 5", "usage_usec x\n", "usage 5\n", "usage_usec \n"] {
        assert_eq!(cpu_stat_ns(bad.as_bytes()), None, "{bad:?}");
    }
    assert_eq!(cpu_stat_ns(b"usage_usec 18446744073709552\n"), None, "more than u64 holds in ns");
}

#[test]
fn memory_of_both_versions() {
    let v1 = b"cache 100\nrss 50\ninactive_file 20\nhierarchical_memory_limit 4096\n\
               total_cache 100\ntotal_inactive_file 30\n";
    assert_eq!(
        memory_stat(v1, 1000, Some(2048)),
        Some(MemoryReading {
            usage_bytes: 1000,
            inactive_file_bytes: 30,
            cache_bytes: Some(100),
            limit_bytes: Some(2048),
            hierarchical_limit_bytes: Some(4096),
        })
    );
    let v2 = b"anon 50\nfile 100\ninactive_file 20\nactive_file 80\n";
    assert_eq!(
        memory_stat(v2, 1000, None),
        Some(MemoryReading {
            usage_bytes: 1000,
            inactive_file_bytes: 20,
            cache_bytes: None,
            limit_bytes: None,
            hierarchical_limit_bytes: None,
        })
    );
    assert_eq!(memory_stat(v2, 0, None), None, "unknown is not zero");
    assert_eq!(memory_stat(b"anon 50\n", 1000, None), None);
    assert_eq!(memory_stat(b"inactive_file x\n", 1000, None), None);
    assert_eq!(memory_limit_bytes(b"max\n"), None);
    assert_eq!(memory_limit_bytes(b"4096\n"), Some(4096));
}

const NET_DEV: &[u8] = b"Inter-|   Receive                            |  Transmit\n \
face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
lo:      10       1    0    0    0     0          0         0       11       1    0    0    0     0       0          0\n  \
eth0:1234567890    2    0    0    0     0          0         0       22       3    0    0    0     0       0          0\n\
eth0:1: 7 2 0 0 0 0 0 0 8 3 0 0 0 0 0 0\n\
eth1: 5 2 0 0\n";

#[test]
fn only_the_interface_that_was_chosen() {
    let read = |name: &str| interface_bytes(NET_DEV, name.as_bytes());
    let bytes = |rx_bytes, tx_bytes| Some(NetworkReading { rx_bytes, tx_bytes });
    assert_eq!(read("lo"), bytes(10, 11));
    assert_eq!(read("eth0"), bytes(1_234_567_890, 22));
    assert_eq!(read("eth0:1"), bytes(7, 8));
    assert_eq!(read("eth1"), None, "cut short");
    assert_eq!(read("eth"), None);
    assert_eq!(read(""), None);
}

#[test]
fn mac_addresses_in_letters_of_either_case() {
    assert!(same_mac(b"0e:98:9f:33:76:a7", b"0E:98:9F:33:76:A7"));
    assert!(!same_mac(b"0e:98:9f:33:76:a7", b"0e:98:9f:33:76:a8"));
    assert!(!same_mac(b"00:00:00:00:00:00", b"00:00:00:00:00:00"), "a loopback's");
    assert!(!same_mac(b"ff:ff:ff:ff:ff:ff", b"FF:FF:FF:FF:FF:FF"));
    assert!(!same_mac(b"", b""));
    assert!(!same_mac(b"0e:98:9f:33:76", b"0e:98:9f:33:76"));
}

#[test]
fn the_machine_as_a_whole() {
    let stat = b"cpu  10 20 30 4000 50 6 7 0 0 0\ncpu0 5 10 15 2000 25 3 3 0 0 0\n\
                 cpu1 5 10 15 2000 25 3 4 0 0 0\nintr 12345 0 0";
    assert_eq!(machine_ticks(stat), Some(MachineTicks { cpus: 2, idle: 4000, iowait: 50 }));
    // CPUs that are offline have no line.
    let stat = b"cpu  1 2 3 4 5\ncpu0 1 2 3 4 5\ncpu7 1 2 3 4 5\nintr 1\n";
    assert_eq!(machine_ticks(stat).unwrap().cpus, 2);
    for bad in [
        &b""[..],
        b"cpu  1 2 3 4 5\n",
        b"cpu  1 2 3 4 5\nintr 1\n",
        b"cpu  1 2 3 4 5\ncpu0 1 2 3 4 5\n",
        b"cpu  1 2 3 4\ncpu0 1 2 3 4 5\nintr 1\n",
        b"cpu0 1 2 3 4 5\ncpu  1 2 3 4 5\nintr 1\n",
        b"cpu  1 2 3 x 5\ncpu0 1 2 3 4 5\nintr 1\n",
    ] {
        assert_eq!(machine_ticks(bad), None, "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn the_process_id_that_was_given_last() {
    assert_eq!(last_pid(b"0.00 0.01 0.05 2/77 12345\n"), Some(12345));
    assert_eq!(last_pid(b"0.00 0.00 0.00 0/0 0\n"), None, "a sandbox that does not say");
    assert_eq!(last_pid(b"0.00 0.00 0.00 0/0\n"), None);
    assert_eq!(last_pid(b"0.00 0.01 0.05 2/77 123"), None, "cut short");
    assert_eq!(last_pid(b""), None);
}

#[test]
fn how_long_the_machine_has_run() {
    assert_eq!(uptime_s(b"5809.31 11000.02\n"), Some(5809));
    assert_eq!(uptime_s(b"x 1\n"), None);
    assert_eq!(uptime_s(b""), None);
}

#[test]
fn the_names_of_interfaces() {
    let dev = b"Inter-|   Receive\n face |bytes\n    lo: 1 2\n  eth1:3 4\n eth0:1: 5 6\n";
    let names: Vec<_> = interface_names(dev).collect();
    assert_eq!(names, [&b"lo"[..], b"eth1", b"eth0:1"]);
}
