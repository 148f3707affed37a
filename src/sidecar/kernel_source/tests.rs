//! A property of the two sources together: whatever a container does, whatever becomes of
//! the endpoint, the clock and the kernel's files, each value that is published is true of
//! the time since a reading before it; and nothing of a kernel that lies is published,
//! or nothing after the next renewal.

/// The rest of a kernel that shows containers alone: no interface, and no machine.
macro_rules! containers_only {
    () => {
        fn choose_interface<'a>(
            &mut self,
            _macs: impl Iterator<Item = &'a str>,
            _addresses: impl Iterator<Item = Ipv4Addr>,
        ) -> Result<&str, NoInterface> {
            Err(NoInterface::NothingGiven)
        }

        fn read_network(&mut self) -> Option<NetworkReading> {
            None
        }

        fn read_machine(&mut self) -> Option<MachineReading> {
            None
        }
    };
}

mod made;
mod only;
mod sums;

use std::{cell::Cell, collections::BTreeSet, net::Ipv4Addr, rc::Rc, time::Duration};

use self::made::{Dice, Lie, Made, Truth};
use super::*;
use crate::{
    kernel::{Kernel, MachineReading, NoFile},
    reading::{CpuReading, MemoryReading, NetworkReading, Reading, Tier},
    sampler::Selection,
};

const START_NS: u64 = 1_795_514_400_000_000_000;
const MS: u64 = 1_000_000;
const CPUS: u64 = 2;
const RUN_MS: u64 = 400_000;
/// From `read` until the endpoint shows it.
const DELAY_MS: u64 = 60;

const TASK: &str = r#"{"Limits": {"CPU": 2}, "Containers": [
    {"DockerId": "w1", "Name": "web", "KnownStatus": "RUNNING"}]}"#;

/// What one run is like.
#[derive(Clone, Copy, Debug)]
struct World {
    period_ms: u64,
    phase_ms: u64,
    tier: Tier,
    lie: Lie,
    lies_from_ms: u64,
    /// The endpoint does not answer in this time.
    away_ms: (u64, u64),
    gone_ms: (u64, u64),
    /// The clock is set then, by so much.
    set_at_ms: u64,
    set_by_ms: i64,
}

impl World {
    fn honest(dice: &mut Dice) -> Self {
        let away = 60_000 + dice.below(200_000);
        let gone = 60_000 + dice.below(200_000);
        let period_ms = dice.one_of(&[1003, 2000, 10_000]);
        Self {
            period_ms,
            phase_ms: dice.below(period_ms),
            tier: dice.one_of(&[Tier::CgroupFile, Tier::Processes]),
            lie: Lie::Nothing,
            lies_from_ms: 0,
            away_ms: (away, away + dice.one_of(&[0, 5000, 90_000])),
            gone_ms: (gone, gone + dice.one_of(&[0, 1, 20_000])),
            set_at_ms: if dice.below(2) == 0 { u64::MAX } else { 150_000 + dice.below(50_000) },
            set_by_ms: dice.one_of(&[-5000, -300, 700, 60_000]),
        }
    }
}

/// What came of a run.
struct Ended {
    truth: Rc<Truth>,
    /// When it was read, by a clock that is never set, ms; the value; whether that is the
    /// endpoint's own moment.
    values: Vec<(u64, f64, bool)>,
    /// The moments that were handed on, from either source.
    moments: BTreeSet<u64>,
    refuted: u64,
    proven_at_ms: Option<u64>,
}

fn run(world: World, dice: &mut Dice) -> Ended {
    let start = Instant::now();
    let truth = Rc::new(Truth::new(dice));
    let now_cell = Rc::new(Cell::new((0, start)));
    let kernel = Made {
        truth: Rc::clone(&truth),
        now: Rc::clone(&now_cell),
        tier: world.tier,
        lie: world.lie,
        lies_from_ms: world.lies_from_ms,
        gone_ms: world.gone_ms.0..world.gone_ms.1,
    };
    let wanted: MetricSet = [Metric::CpuUsage].into_iter().collect();
    let mut source = KernelSource::of(kernel, wanted);
    let mut sampler = Sampler::new(Selection::All, wanted);
    // The wall clock at a moment, and a moment of the wall clock.
    let shift = |ms: u64| if ms >= world.set_at_ms { world.set_by_ms } else { 0 };
    let wall_ms = |ms: u64| ms.saturating_add_signed(shift(ms) + 100_000);
    let at = |ms: u64| Now {
        instant: start + Duration::from_millis(ms),
        wall: Timestamp::from_unix_ns(START_NS + wall_ms(ms) * MS),
    };
    let task = TaskDocument::parse(&mut TASK.as_bytes().to_vec()).unwrap();
    let (mut out, mut events) = (Vec::new(), Vec::new());
    sampler.on_task(&task, at(0), &mut out, &mut events);
    source.on_task(&task, sampler.names(), at(0));
    let mut ended = Ended {
        truth: Rc::clone(&truth),
        values: Vec::new(),
        moments: BTreeSet::new(),
        refuted: 0,
        proven_at_ms: None,
    };
    // The endpoint's stamp and its counter are not of the same moment.
    let mut stamps: Vec<(u64, u64)> = Vec::new();
    let mut renewal_ms = world.phase_ms + 1000;
    while renewal_ms < RUN_MS {
        stamps.push((renewal_ms, (renewal_ms + 2 + dice.below(12)).saturating_sub(13)));
        renewal_ms += world.period_ms;
    }
    for ms in (5..RUN_MS).step_by(5) {
        let is_tick = ms % 1000 == 0;
        let is_around =
            stamps.binary_search_by_key(&ms.div_ceil(5), |(at, _)| (at + 50).div_ceil(5));
        let is_before =
            stamps.binary_search_by_key(&ms.div_ceil(5), |(at, _)| (at - 45).div_ceil(5));
        now_cell.set((ms, at(ms).instant));
        if is_tick || is_around.is_ok() || is_before.is_ok() {
            source.read(at(ms), &mut sampler, &mut out, &mut events, is_tick);
            ended.moments.insert(ms);
        }
        if ms % 1000 == 500 && !(world.away_ms.0..world.away_ms.1).contains(&ms) {
            let shown = stamps.partition_point(|(at, _)| at + DELAY_MS <= ms);
            if let Some((stamp_ms, counted_ms)) = shown.checked_sub(1).map(|last| stamps[last]) {
                let cpu = CpuReading {
                    total_usage_ns: truth.total_ns(counted_ms),
                    online_cpus: u32::try_from(CPUS).ok(),
                };
                let reading = Reading {
                    read: at(stamp_ms).wall,
                    cpu: Some(cpu),
                    is_cpu_base: false,
                    memory: None,
                    network: None,
                    block_io: None,
                };
                source.note_clock(at(ms));
                let entry = source.on_entry("w1", Entry::Reading(reading), at(ms));
                let visit = |visit: &mut dyn FnMut(&str, Entry)| {
                    visit("w1", entry);
                    Ok::<(), ()>(())
                };
                sampler.on_readings(visit, at(ms), &mut out, &mut events).unwrap();
                ended.moments.insert(stamp_ms);
            }
        }
        for sample in out.drain(..) {
            let wall_ms = (sample.read.unix_ns() - START_NS) / MS;
            let shift = shift(ms) + 100_000;
            let read_ms = wall_ms.saturating_add_signed(-shift);
            // A stamp from before the clock was set.
            let read_ms = if read_ms > ms { wall_ms - 100_000 } else { read_ms };
            let is_endpoints = stamps.iter().any(|(stamp_ms, _)| *stamp_ms == read_ms);
            ended.values.push((read_ms, sample.value, is_endpoints));
        }
        if source.figures().kernel_containers > 0 {
            ended.proven_at_ms.get_or_insert(ms);
        }
    }
    ended.refuted = source.figures().kernel_refuted;
    ended
}

#[test]
fn each_value_is_true_whatever_happens() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut proven, mut seconds) = (0, 0);
    for seed in 0..150 {
        let world = World::honest(&mut dice);
        let ended = run(world, &mut dice);
        let mut before = 0;
        for (read_ms, value, _) in &ended.values {
            assert!(*read_ms > before, "{seed} {world:?}: {read_ms} after {before}");
            let is_true = |from_ms: &u64| {
                let truth = ended.truth.percent(*from_ms, *read_ms);
                // Of the tier of processes an interval is within 3 %; stamps are 13 ms off.
                (value - truth).abs() <= 0.04 * 100.0 * 2.0 + 0.03 * truth
            };
            let earlier = ended.moments.range(read_ms.saturating_sub(200_000)..read_ms - 200);
            assert!(
                ended.moments.contains(&before) && is_true(&before) || earlier.rev().any(is_true),
                "{seed} {world:?}: {value} at {read_ms}, after {before}"
            );
            // What follows within little more than a second follows on it.
            if read_ms - before < 1400 {
                assert!(is_true(&before), "{seed} {world:?}: {value} at {read_ms}, after {before}");
                seconds += 1;
            }
            before = *read_ms;
        }
        assert_eq!(ended.refuted, 0, "{seed} {world:?}");
        proven += u64::from(ended.proven_at_ms.is_some());
    }
    assert!(proven > 140, "{proven}");
    assert!(seconds > 20_000, "{seconds}");
}

#[test]
fn nothing_of_a_kernel_that_lies_is_published() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for seed in 0..100 {
        let lie = dice.one_of(&[
            Lie::Frozen,
            Lie::TenPercentMore,
            Lie::OtherContainer,
            Lie::ClockTwoSecondsOff,
        ]);
        let world = World {
            lie,
            tier: Tier::CgroupFile,
            away_ms: (0, 0),
            gone_ms: (0, 0),
            set_at_ms: u64::MAX,
            ..World::honest(&mut dice)
        };
        let ended = run(world, &mut dice);
        let of_kernel: Vec<_> =
            ended.values.iter().filter(|(_, _, is_endpoints)| !is_endpoints).collect();
        assert!(of_kernel.is_empty(), "{seed} {world:?}: {of_kernel:?}");
        assert!(ended.values.len() > 30, "{seed} {world:?}: {}", ended.values.len());
    }
}

#[test]
fn nothing_of_a_kernel_that_begins_to_lie_is_published_after_the_next_renewal() {
    let mut dice = Dice(0x0fed_cba9_8765_4321);
    let mut begun = 0;
    for seed in 0..100 {
        let lie = dice.one_of(&[Lie::Frozen, Lie::TenPercentMore, Lie::OtherContainer]);
        let lies_from_ms = 200_000 + dice.below(50_000);
        let world = World {
            lie,
            lies_from_ms,
            tier: Tier::CgroupFile,
            away_ms: (0, 0),
            gone_ms: (0, 0),
            set_at_ms: u64::MAX,
            ..World::honest(&mut dice)
        };
        let ended = run(world, &mut dice);
        if ended.proven_at_ms.is_none_or(|at| at >= lies_from_ms) {
            continue;
        }
        begun += 1;
        // It is told if CPU time was used since; two renewals, to be sure of one.
        let mut told_ms = lies_from_ms + 2 * world.period_ms + 2000;
        while ended.truth.total_ns(told_ms) - ended.truth.total_ns(lies_from_ms) < 1_500 * MS {
            told_ms += world.period_ms;
        }
        let later: Vec<_> = ended
            .values
            .iter()
            .filter(|(read_ms, _, is_endpoints)| *read_ms > told_ms && !is_endpoints)
            .collect();
        assert!(later.is_empty(), "{seed} {world:?} {told_ms}: {later:?}");
        assert!(ended.refuted > 0, "{seed} {world:?}");
    }
    assert!(begun > 60, "{begun}");
}

#[test]
fn a_reading_of_the_endpoint_that_waited_for_the_kernel_is_not_lost_between_two_ticks() {
    let start = Instant::now();
    let truth = Rc::new(Truth::new(&mut Dice(7)));
    let now_cell = Rc::new(Cell::new((0, start)));
    let kernel = Made {
        truth: Rc::clone(&truth),
        now: Rc::clone(&now_cell),
        tier: Tier::CgroupFile,
        lie: Lie::Nothing,
        lies_from_ms: 0,
        gone_ms: 0..0,
    };
    let wanted: MetricSet = [Metric::CpuUsage].into_iter().collect();
    let mut source = KernelSource::of(kernel, wanted);
    let mut sampler = Sampler::new(Selection::All, wanted);
    let at = |ms: u64| Now {
        instant: start + Duration::from_millis(ms),
        wall: Timestamp::from_unix_ns(START_NS + ms * MS),
    };
    let task = TaskDocument::parse(&mut TASK.as_bytes().to_vec()).unwrap();
    let (mut out, mut events) = (Vec::new(), Vec::new());
    sampler.on_task(&task, at(0), &mut out, &mut events);
    source.on_task(&task, sampler.names(), at(0));
    // The endpoint renews each 2 s, and is then silent until the kernel is given up.
    let (silent_ms, back_ms) = (60_000, 670_200);
    let is_said = |stamp_ms: u64| {
        (stamp_ms > 0 && stamp_ms < silent_ms && stamp_ms % 2000 == 200) || stamp_ms == back_ms
    };
    for ms in (5..back_ms + 100).step_by(5) {
        let is_tick = ms % 1000 == 0;
        now_cell.set((ms, at(ms).instant));
        if is_tick || is_said(ms + 45) || is_said(ms.saturating_sub(50)) {
            source.read(at(ms), &mut sampler, &mut out, &mut events, is_tick);
        }
        let stamp_ms = ms.saturating_sub(10);
        if is_said(stamp_ms) {
            let total_usage_ns = truth.total_ns(stamp_ms);
            let reading = Reading {
                read: at(stamp_ms).wall,
                cpu: Some(CpuReading { total_usage_ns, online_cpus: None }),
                is_cpu_base: false,
                memory: None,
                network: None,
                block_io: None,
            };
            let entry = source.on_entry("w1", Entry::Reading(reading), at(ms));
            let visit = |visit: &mut dyn FnMut(&str, Entry)| {
                visit("w1", entry);
                Ok::<(), ()>(())
            };
            sampler.on_readings(visit, at(ms), &mut out, &mut events).unwrap();
        }
    }
    let [.., before, last] = &out[..] else { panic!("{out:?}") };
    let ms_of = |sample: &Sample| (sample.read.unix_ns() - START_NS) / MS;
    assert!((650_000..660_000).contains(&ms_of(before)), "{before:?}");
    assert_eq!(ms_of(last), back_ms);
    assert!((last.value - truth.percent(ms_of(before), back_ms)).abs() < 1e-6, "{last:?}");
}

#[test]
fn with_source_endpoint_the_kernel_is_not_even_opened() {
    let settings = |source| {
        let table = [
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
            ("SOURCE", source),
        ];
        Settings::read(&table[..]).unwrap()
    };
    let opened = Cell::new(0);
    for (source, count) in [("endpoint", 0), ("auto", 1), ("kernel", 2)] {
        let open = || {
            opened.set(opened.get() + 1);
            Kernel::at("/nowhere".as_ref(), "/nowhere".as_ref())
        };
        let is_there = KernelSource::new(open, &settings(source)).is_some();
        assert_eq!((opened.get(), is_there), (count, count > 0));
    }
}

/// A kernel with more processes than are listed, which counts how often it is looked at.
struct Crowded(Rc<Cell<u32>>);

impl KernelCounters for Crowded {
    fn look<'a>(&mut self, _docker_ids: impl Iterator<Item = &'a str> + Clone) {
        self.0.set(self.0.get() + 1);
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn read(&mut self, _with_memory: bool, _visit: &mut dyn FnMut(&str, &KernelReading)) {}

    fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        const NO_FILE: &NoFile = &NoFile::NoProcess;
        std::iter::once(Finding {
            docker_id: "w1",
            is_own: false,
            processes: 0,
            file: Err(NO_FILE),
            sum: Err(NoProcesses::TooMany { limit: 4096 }),
        })
    }

    containers_only!();
}

#[test]
fn processes_that_were_too_many_are_looked_at_again_after_five_minutes() {
    let looks = Rc::new(Cell::new(0));
    let wanted: MetricSet = [Metric::CpuUsage].into_iter().collect();
    let mut source = KernelSource::of(Crowded(Rc::clone(&looks)), wanted);
    let task = TaskDocument::parse(&mut TASK.as_bytes().to_vec()).unwrap();
    let start = Instant::now();
    let mut looked = Vec::new();
    for second in (0..1000).step_by(30) {
        let now = Now {
            instant: start + Duration::from_secs(second),
            wall: Timestamp::from_unix_ns(START_NS + second * 1000 * MS),
        };
        if source.on_task(&task, &["web".to_owned()], now) {
            looked.push(second);
        }
    }
    assert_eq!((looked, looks.get()), (vec![0, 300, 600, 900], 4));
}
