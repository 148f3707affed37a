//! The proofs of several containers, each with its own id.

use std::time::{Duration, Instant};

use crate::{
    proof::*,
    reading::{CpuReading, Entry, Reading, Tier},
    time::{Now, Timestamp},
};

const START_NS: u64 = 1_795_514_400_000_000_000;
const MS: u64 = 1_000_000;

/// Two containers that use half a CPU each, a kernel that shows them, and an endpoint that
/// renews each 2 s.
struct Bench {
    start: Instant,
    proofs: Proofs,
}

impl Bench {
    fn new() -> Self {
        let mut proofs = Proofs::default();
        proofs.set_containers([("b2", "web"), ("a1", "log")].into_iter());
        Self { start: Instant::now(), proofs }
    }

    fn now(&self, ms: u64) -> Now {
        Now {
            instant: self.start + Duration::from_millis(ms),
            wall: Timestamp::from_unix_ns(START_NS + ms * MS),
        }
    }

    /// A round of the kernel in which these containers are read. What is handed on, by id.
    fn kernel(&mut self, ms: u64, ids: &[&str], generation: u32) -> Vec<(String, Reading)> {
        let now = self.now(ms);
        self.proofs.begin_round();
        let mut handed = Vec::new();
        for id in ids {
            let cpu = KernelValue { from: now.wall, to: now.wall, total_ns: total_ns(ms) };
            let value = ContainerValue { tier: Tier::CgroupFile, generation, cpu, memory: None };
            if let Some(reading) = self.proofs.on_kernel(id, value, now) {
                handed.push(((*id).to_owned(), reading));
            }
        }
        self.proofs.end_round(now);
        handed
    }

    /// The endpoint's entry, whose counters were read `read_ms` after the start.
    fn endpoint(&mut self, id: &str, read_ms: u64, ms: u64, total_ns: u64) -> Entry {
        let reading = Reading {
            read: Timestamp::from_unix_ns(START_NS + read_ms * MS),
            cpu: Some(CpuReading { total_usage_ns: total_ns, online_cpus: Some(2) }),
            is_cpu_base: false,
            memory: None,
            network: None,
            block_io: None,
        };
        self.proofs.on_endpoint(id, Entry::Reading(reading), self.now(ms))
    }

    /// Reads both, and renews the endpoint's, until `until_ms`.
    fn run(&mut self, from_ms: u64, until_ms: u64) {
        for ms in (from_ms..until_ms).step_by(100) {
            self.kernel(ms, &["a1", "b2"], 1);
            for id in ["a1", "b2"] {
                if ms % 2000 == 0 {
                    self.endpoint(id, ms - 50, ms, total_ns(ms - 50));
                }
            }
        }
    }
}

fn total_ns(ms: u64) -> u64 {
    70_000_000_000 + ms * MS / 2
}

fn cpu_of(entry: Entry) -> Option<CpuReading> {
    match entry {
        Entry::Reading(reading) => reading.cpu,
        _ => panic!("no reading"),
    }
}

#[test]
fn each_container_is_proven_by_itself_and_the_endpoints_counter_is_then_left_out() {
    let mut bench = Bench::new();
    bench.run(10_000, 40_000);
    assert_eq!(bench.proofs.believed(), 2);
    assert!(bench.proofs.are_all_exact(false));
    let names: Vec<_> = bench.proofs.events().map(|event| event.container).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let handed = bench.kernel(40_050, &["a1", "b2"], 1);
    assert_eq!(handed.len(), 2);
    assert_eq!(cpu_of(bench.endpoint("a1", 40_000, 40_060, total_ns(40_000))), None);
}

#[test]
fn a_container_that_the_kernel_does_not_show_keeps_the_endpoint() {
    let mut bench = Bench::new();
    for ms in (10_000..40_000).step_by(100) {
        bench.kernel(ms, &["a1"], 1);
        if ms % 2000 == 0 {
            assert!(cpu_of(bench.endpoint("b2", ms - 50, ms, total_ns(ms - 50))).is_some());
        }
    }
    assert_eq!(bench.proofs.believed(), 0);
    assert!(!bench.proofs.are_all_exact(false));
    // Of an id that nobody named nothing is known.
    assert!(cpu_of(bench.endpoint("c3", 1, 2, 3)).is_some());
    assert!(bench.kernel(40_000, &["c3"], 1).is_empty());
}

#[test]
fn a_counter_that_is_lost_or_begins_anew_needs_a_new_proof() {
    for is_lost in [true, false] {
        let mut bench = Bench::new();
        bench.run(10_000, 40_000);
        assert_eq!(bench.proofs.believed(), 2);
        let (ids, generation) = if is_lost { (&["b2"][..], 1) } else { (&["a1", "b2"][..], 2) };
        bench.kernel(40_000, ids, generation);
        assert_eq!(bench.proofs.believed(), usize::from(is_lost));
        // The endpoint's next one counts, and joins.
        assert!(cpu_of(bench.endpoint("a1", 41_000, 41_060, total_ns(41_000))).is_some());
    }
}

#[test]
fn what_is_contradicted_is_counted_and_told_with_the_containers_name() {
    let mut bench = Bench::new();
    bench.run(10_000, 40_000);
    bench.proofs.events().for_each(drop);
    bench.kernel(40_000, &["a1", "b2"], 1);
    bench.kernel(40_100, &["a1", "b2"], 1);
    bench.endpoint("b2", 40_050, 40_100, total_ns(40_050) + 900 * MS);
    bench.kernel(40_200, &["a1", "b2"], 1);
    let events: Vec<_> = bench.proofs.events().collect();
    assert!(
        matches!(&events[..], [it] if it.container == "web" && matches!(it.event, ProofEvent::Refuted { .. })),
        "{events:?}"
    );
    assert_eq!((bench.proofs.refuted(), bench.proofs.believed()), (1, 1));
}

#[test]
fn an_estimate_that_went_wrong_and_is_given_up_leaves_the_endpoints_own_values() {
    // The agent hangs for a minute, and the application spins meanwhile: the estimate takes
    // what the agent's host does for the container's.
    let mut bench = Bench::new();
    bench.endpoint("a1", 10_000, 10_100, total_ns(10_000));
    for ms in (11_000..72_000).step_by(1000) {
        let now = bench.now(ms);
        let value = KernelValue { from: now.wall, to: now.wall, total_ns: ms * MS };
        let ahead_ns = total_ns(10_000) + (ms - 10_000) * MS;
        assert!(bench.proofs.on_estimate("a1", value, ahead_ns, now).is_some());
    }
    bench.proofs.on_estimate_over("a1");
    for (read_ms, is_base) in [(72_500, true), (82_500, false), (92_500, false)] {
        let entry = bench.endpoint("a1", read_ms, read_ms + 100, total_ns(read_ms));
        let Entry::Reading(Reading { cpu: Some(cpu), is_cpu_base, .. }) = entry else {
            panic!("{entry:?}");
        };
        assert_eq!((cpu.total_usage_ns, is_cpu_base), (total_ns(read_ms), is_base));
    }
}

#[test]
fn a_container_that_stays_keeps_its_proof_and_a_replaced_one_begins() {
    let mut bench = Bench::new();
    bench.run(10_000, 40_000);
    bench.proofs.set_containers([("a1", "log"), ("d4", "web")].into_iter());
    assert_eq!(bench.proofs.believed(), 1);
    assert_eq!(bench.proofs.name_of("d4"), Some("web"));
    assert_eq!(bench.proofs.name_of("b2"), None);
}
