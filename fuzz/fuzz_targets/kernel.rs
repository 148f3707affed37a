//! The kernel's files. The first byte says which; what follows is the file. Some lie
//! in another container's file system, so any bytes may come. What must hold: a
//! number is one that stands there, a container is one that was asked for and whose
//! id stands in the path, and a file that is cut off brings nothing that the whole
//! one would not.

#![no_main]

use esp::kernel::parse::{
    CgroupPath, container_in, container_of, cpu_stat_ns, hierarchies, interface_bytes,
    interface_names, is_mac_address, last_pid, machine_ticks, memory_limit_bytes, memory_stat,
    one_number, process_stat, same_mac, uptime_s,
};
use libfuzzer_sys::fuzz_target;

const IDS: [&str; 5] = [
    "64a8b67cc4e3d5d942f81bfcfc7dcd6fe58e0eccd0eb2a253fd1113653c4ee17",
    "cd189a933e5849daa93386466019ab50-2495160603",
    "abcdefabcdef-123456789012",
    "123456789012",
    "",
];

fuzz_target!(|data: &[u8]| {
    let Some((&which, file)) = data.split_first() else { return };
    esp_fuzz::run(|| match which {
        b'c' => cgroup(file),
        b'p' => process(file),
        b'n' => network(file),
        b's' => machine(file),
        _ => counters(file),
    });
});

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn number_stands_in(file: &[u8], number: u64) {
    let digits = number.to_string();
    let zeros = file.split(|byte| !byte.is_ascii_digit()).any(|word| {
        let significant = word.iter().position(|digit| *digit != b'0').unwrap_or(word.len());
        !word.is_empty() && (&word[significant..] == digits.as_bytes() || number == 0)
    });
    assert!(zeros, "{number} does not stand in the file");
}

fn cgroup(file: &[u8]) {
    for hierarchy in hierarchies(file) {
        assert!(hierarchy.path.starts_with(b"/"));
        if let Some((place, CgroupPath { container, below })) =
            container_in(hierarchy.path, &IDS.iter().copied())
        {
            assert!(!IDS[place].is_empty());
            assert_eq!([container, below].concat(), hierarchy.path);
            let last = container.rsplit(|byte| *byte == b'/').next().unwrap();
            assert!(contains(last, IDS[place].as_bytes()));
            assert!(below.is_empty() || below.starts_with(b"/"));
            // The ids' order decides nothing.
            let reversed = container_in(hierarchy.path, &IDS.iter().rev().copied());
            assert_eq!(reversed.map(|(place, _)| IDS.len() - 1 - place), Some(place));
        }
    }
    if let Some((place, _)) = container_of(file, &IDS.iter().copied()) {
        assert!(contains(file, IDS[place].as_bytes()));
    }
}

fn process(file: &[u8]) {
    let Some(stat) = process_stat(file) else { return };
    assert!(stat.pid >= 0 && stat.parent >= 0);
    number_stands_in(file, stat.start_ticks);
    // Whatever the program's name is.
    let open = file.iter().position(|byte| *byte == b' ').unwrap();
    let close = file.iter().rposition(|byte| *byte == b')').unwrap();
    let renamed = [&file[..open], b" (x) 1) R 1 (y", &file[close..]].concat();
    assert_eq!(process_stat(&renamed), Some(stat));
}

fn network(file: &[u8]) {
    for name in [&b"lo"[..], b"eth0", b"eth0:1", b""] {
        if let Some(read) = interface_bytes(file, name) {
            number_stands_in(file, read.rx_bytes);
            number_stands_in(file, read.tx_bytes);
            assert!(contains(file, &[name, b":"].concat()));
        }
    }
    for name in interface_names(file) {
        assert!(name.is_empty() || contains(file, name));
    }
    let (one, other) = file.split_at(file.len() / 2);
    assert_eq!(same_mac(one, other), same_mac(other, one));
    if same_mac(one, other) {
        assert!(is_mac_address(one) && is_mac_address(other));
    }
}

fn machine(file: &[u8]) {
    if let Some(ticks) = machine_ticks(file) {
        number_stands_in(file, ticks.idle);
        number_stands_in(file, ticks.iowait);
        assert!(ticks.cpus > 0);
    }
    if let Some(uptime_s) = uptime_s(file) {
        number_stands_in(file, uptime_s);
    }
    if let Some(pid) = last_pid(file) {
        assert!(pid > 0);
        number_stands_in(file, pid);
    }
}

fn counters(file: &[u8]) {
    if let Some(number) = one_number(file) {
        number_stands_in(file, number);
        assert_eq!(memory_limit_bytes(file), Some(number).filter(|number| *number > 0));
    }
    if let Some(ns) = cpu_stat_ns(file) {
        assert_eq!(ns % 1000, 0);
        number_stands_in(file, ns / 1000);
    }
    for usage_bytes in [0, 1, u64::MAX] {
        let Some(memory) = memory_stat(file, usage_bytes, None) else { continue };
        assert!(usage_bytes > 0);
        assert_eq!(memory.usage_bytes, usage_bytes);
        number_stands_in(file, memory.inactive_file_bytes);
        assert_eq!(memory.limit_bytes, None);
    }
}
