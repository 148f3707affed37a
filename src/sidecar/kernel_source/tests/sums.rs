//! The sums of a task of which one container is proven and another one is at rest.

use super::*;

const TWO: &str = r#"{"Limits": {"CPU": 2, "Memory": 1024}, "Containers": [
    {"DockerId": "b1", "Name": "busy", "KnownStatus": "RUNNING"},
    {"DockerId": "r1", "Name": "rests", "KnownStatus": "RUNNING"}]}"#;
/// Of each of the two, bytes.
const MEMORY: u64 = 128 << 20;
const PERIOD_MS: u64 = 10_000;

/// Half a CPU, and nothing.
fn total_ns(docker_id: &str, ms: u64) -> u64 {
    if docker_id == "b1" { 70_000_000_000 + ms * MS / 2 } else { 31_415_926 }
}

/// A kernel that shows both, each by its own file.
struct Both(Rc<Cell<(u64, Instant)>>);

impl KernelCounters for Both {
    fn look<'a>(&mut self, _docker_ids: impl Iterator<Item = &'a str> + Clone) {}

    fn is_shared(&self) -> bool {
        true
    }

    fn read(&mut self, with_memory: bool, visit: &mut dyn FnMut(&str, &KernelReading)) {
        let (ms, at) = self.0.get();
        for docker_id in ["b1", "r1"] {
            let reading = KernelReading {
                tier: Tier::CgroupFile,
                generation: 1,
                before: at,
                after: at,
                total_ns: total_ns(docker_id, ms),
                memory: with_memory.then(|| MemoryReading::of(MEMORY, 0, None)),
            };
            visit(docker_id, &reading);
        }
    }

    fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        let finding = |docker_id| Finding {
            docker_id,
            is_own: false,
            processes: 1,
            file: Ok(()),
            sum: Ok(()),
        };
        ["b1", "r1"].into_iter().map(finding)
    }

    containers_only!();
}

#[test]
fn one_proven_and_one_at_rest_make_a_sum_each_second() {
    let start = Instant::now();
    let now_cell = Rc::new(Cell::new((0, start)));
    let wanted: MetricSet =
        [Metric::TaskCpuUtilization, Metric::TaskMemoryUtilization].into_iter().collect();
    let mut source = KernelSource::of(Both(Rc::clone(&now_cell)), wanted);
    let mut sampler = Sampler::new(Selection::All, wanted);
    let at = |ms: u64| Now {
        instant: start + Duration::from_millis(ms),
        wall: Timestamp::from_unix_ns(START_NS + ms * MS),
    };
    let task = TaskDocument::parse(&mut TWO.as_bytes().to_vec()).unwrap();
    let (mut out, mut events) = (Vec::new(), Vec::new());
    sampler.on_task(&task, at(0), &mut out, &mut events);
    source.on_task(&task, sampler.names(), at(0));
    for ms in (1005..200_000_u64).step_by(5) {
        let is_tick = ms % 1000 == 0;
        // Both renew at once, 200 ms after each tenth second.
        let since_renewal = ms % PERIOD_MS;
        now_cell.set((ms, at(ms).instant));
        if is_tick || since_renewal == 155 || since_renewal == 250 {
            source.read(at(ms), &mut sampler, &mut out, &mut events, is_tick);
        }
        if since_renewal == 255 {
            let read_ms = ms - 55;
            let visit = |visit: &mut dyn FnMut(&str, Entry)| {
                for docker_id in ["b1", "r1"] {
                    let total_usage_ns = total_ns(docker_id, read_ms);
                    let reading = Reading {
                        read: at(read_ms).wall,
                        cpu: Some(CpuReading { total_usage_ns, online_cpus: Some(2) }),
                        is_cpu_base: false,
                        memory: Some(MemoryReading::of(MEMORY, 0, None)),
                        network: None,
                        block_io: None,
                    };
                    visit(docker_id, source.on_entry(docker_id, Entry::Reading(reading), at(ms)));
                }
                Ok::<(), ()>(())
            };
            sampler.on_readings(visit, at(ms), &mut out, &mut events).unwrap();
        }
    }
    for metric in wanted.iter() {
        let of_metric = || out.iter().filter(|sample| sample.metric == metric);
        // Half a CPU of two, and twice 128 MiB of 1024.
        assert!(of_metric().all(|sample| (sample.value - 25.0).abs() < 1e-6), "{metric:?} {out:?}");
        let late: Vec<_> = of_metric()
            .map(|it| (it.read.unix_ns() - START_NS) / MS)
            .filter(|ms| *ms > 60_000)
            .collect();
        assert!(late.len() >= 139, "{metric:?} {}", late.len());
        assert!(late.windows(2).all(|pair| pair[0] + 1000 == pair[1]), "{metric:?} {late:?}");
    }
    assert_eq!(source.figures().kernel_containers, 2);
    assert!(matches!(source.found_of("r1").1, Some(ProofState::AtRest)));
}
