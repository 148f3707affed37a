//! The sum beside a simulated kernel that knows the truth.

use std::collections::BTreeMap;

use super::*;

const TICK_NS: u64 = 10_000_000;
const MS: u64 = 1_000_000;
/// What it takes to start, to end, to wait for one.
const STEP_NS: u64 = MS / 100;
/// The container's first process, which gets the orphans.
const FIRST: i32 = 1;
/// So many runs, each with other dice.
const SEEDS: usize = 100;

/// One process of the simulated kernel.
#[derive(Clone, Debug)]
struct Simulated {
    parent: i32,
    start: u64,
    own_ns: u64,
    /// User and system time of the children that were waited for.
    children_ns: [u64; 2],
    has_exited: bool,
    /// Ignores the end of its children, which then leave no trace.
    ignores: bool,
}

/// A kernel whose processes do something between any two questions.
struct Machine {
    processes: BTreeMap<i32, Simulated>,
    last_pid: i32,
    now: u64,
    /// All that was used, by whoever.
    truth_ns: u64,
    dice: fastrand::Rng,
    /// Something happens before one in so many questions; 0 is never.
    questions_a_step: usize,
    some_ignore: bool,
}

impl Machine {
    fn new(seed: u64, questions_a_step: usize, some_ignore: bool) -> Self {
        let mut machine = Self {
            processes: BTreeMap::new(),
            last_pid: 0,
            now: 0,
            truth_ns: 0,
            dice: fastrand::Rng::with_seed(seed),
            questions_a_step,
            some_ignore,
        };
        machine.start(0);
        machine
    }

    fn start(&mut self, parent: i32) -> i32 {
        self.last_pid += 1;
        self.now += 1;
        let ignores = self.some_ignore && self.last_pid > FIRST && self.dice.u8(..4) == 0;
        let process = Simulated {
            parent,
            start: self.now,
            own_ns: 0,
            children_ns: [0; 2],
            has_exited: false,
            ignores,
        };
        self.processes.insert(self.last_pid, process);
        self.last_pid
    }

    fn run(&mut self, pid: i32, ns: u64) {
        self.processes.get_mut(&pid).unwrap().own_ns += ns;
        self.truth_ns += ns;
    }

    /// It ends, which takes some time.
    fn exit(&mut self, pid: i32) {
        self.run(pid, STEP_NS);
        for child in self.processes.values_mut().filter(|child| child.parent == pid) {
            child.parent = FIRST;
        }
        self.processes.get_mut(&pid).unwrap().has_exited = true;
        let parent = self.processes[&pid].parent;
        if self.processes.get(&parent).is_some_and(|parent| parent.ignores) {
            self.processes.remove(&pid);
        }
    }

    /// Its parent waits for it, which takes some time.
    fn reap(&mut self, pid: i32) {
        let ended = self.processes.remove(&pid).unwrap();
        self.run(ended.parent, STEP_NS);
        let parent = self.processes.get_mut(&ended.parent).unwrap();
        let user = ended.own_ns / 10 * 7;
        parent.children_ns[0] += user + ended.children_ns[0];
        parent.children_ns[1] += ended.own_ns - user + ended.children_ns[1];
    }

    fn any(&mut self, of: impl Fn(i32, &Simulated) -> bool) -> Option<i32> {
        let pids: Vec<i32> = self
            .processes
            .iter()
            .filter(|(pid, process)| of(**pid, process))
            .map(|(pid, _)| *pid)
            .collect();
        self.dice.choice(pids)
    }

    fn step(&mut self) {
        match self.dice.u8(..10) {
            0..=4 => {
                let ns = self.dice.u64(..30 * MS);
                if let Some(pid) = self.any(|_, process| !process.has_exited) {
                    self.run(pid, ns);
                }
            }
            5..=6 if self.processes.len() < 20 => {
                if let Some(parent) = self.any(|_, process| !process.has_exited) {
                    self.run(parent, STEP_NS);
                    self.start(parent);
                }
            }
            7 => {
                if let Some(pid) = self.any(|pid, process| pid != FIRST && !process.has_exited) {
                    self.exit(pid);
                }
            }
            _ => {
                if let Some(pid) = self.any(|_, process| process.has_exited) {
                    self.reap(pid);
                }
            }
        }
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Something may happen while the kernel is asked.
    fn disturb(&mut self) {
        if self.questions_a_step > 0 && self.dice.usize(..self.questions_a_step) == 0 {
            self.step();
        }
    }

    fn ticks(process: &Simulated) -> u64 {
        process.children_ns.iter().map(|ns| ns / TICK_NS).sum()
    }
}

impl Probe for Machine {
    type Clock = i32;

    fn own_ns(&mut self, pid: i32) -> Option<u64> {
        self.disturb();
        self.processes.get(&pid).map(|process| process.own_ns)
    }

    fn stat(&mut self, pid: i32) -> Seen {
        self.disturb();
        self.processes.get(&pid).map_or(Seen::Gone, |process| {
            Seen::Stat(ProcessStat {
                pid,
                has_exited: process.has_exited,
                parent: process.parent,
                own_ticks: process.own_ns / TICK_NS,
                children_ticks: Self::ticks(process),
                start_ticks: process.start,
            })
        })
    }
}

/// A reading as the list of processes makes it.
struct Reader {
    account: Account<i32>,
    last_pid: i32,
    known: Vec<i32>,
}

impl Reader {
    fn new() -> Self {
        Self { account: Account::new(TICK_NS), last_pid: 0, known: Vec::new() }
    }

    fn read(&mut self, machine: &mut Machine) -> u64 {
        let last_pid = machine.last_pid;
        let is_same = std::mem::replace(&mut self.last_pid, last_pid) == last_pid;
        if !is_same {
            let pids: Vec<i32> = machine.processes.keys().copied().collect();
            for pid in pids.iter().filter(|pid| !self.known.contains(pid)) {
                if let Seen::Stat(stat) = machine.stat(*pid) {
                    self.account.add(*pid, stat, machine);
                }
            }
            self.known = pids;
        }
        self.account.read(!is_same, machine)
    }
}

/// What the times of children may be rounded down by, with every process that was
/// waited for as much.
fn rounding_ns(machine: &Machine) -> u64 {
    2 * TICK_NS * machine.processes.len() as u64
}

#[test]
fn between_two_readings_everything_is_counted_once() {
    for seed in 0..SEEDS as u64 {
        let mut machine = Machine::new(seed, 0, false);
        let mut reader = Reader::new();
        for round in 0..60 {
            let count = machine.dice.usize(..80);
            machine.steps(count);
            let total = reader.read(&mut machine);
            let off = total.abs_diff(machine.truth_ns);
            assert!(
                off <= rounding_ns(&machine),
                "seed {seed}, round {round}: {total} of {}, {:?}",
                machine.truth_ns,
                reader.account
            );
        }
    }
}

#[test]
fn while_it_is_read_everything_is_counted_once_in_the_end() {
    let mut exact = 0;
    for seed in 0..SEEDS as u64 {
        let mut machine = Machine::new(seed, 2 + usize::try_from(seed % 3).unwrap(), false);
        let mut reader = Reader::new();
        let mut before = 0;
        for round in 0..40 {
            let count = machine.dice.usize(..80);
            machine.steps(count);
            let total = reader.read(&mut machine);
            assert!(total >= before, "seed {seed}, round {round}: {before} falls to {total}");
            before = total;
        }
        machine.questions_a_step = 0;
        for _ in 0..3 {
            let total = reader.read(&mut machine);
            assert!(total >= before, "seed {seed}: {before} falls to {total}");
            before = total;
        }
        // In so many endings at once one can be taken for another's.
        let most_off = rounding_ns(&machine) + machine.truth_ns / 33;
        let off = before.abs_diff(machine.truth_ns);
        assert!(off <= most_off, "seed {seed}: {before} of {}", machine.truth_ns);
        exact += usize::from(off <= rounding_ns(&machine));
    }
    assert!(exact >= SEEDS * 98 / 100, "{exact} of {SEEDS} runs were exact");
}

#[test]
fn children_that_nobody_waits_for_never_count_twice() {
    for seed in 0..SEEDS as u64 {
        let mut machine = Machine::new(seed, 0, true);
        let mut reader = Reader::new();
        let mut before = 0;
        for round in 0..60 {
            let count = machine.dice.usize(..80);
            machine.steps(count);
            let total = reader.read(&mut machine);
            assert!(total >= before, "seed {seed}, round {round}: {before} falls to {total}");
            assert!(
                total <= machine.truth_ns + rounding_ns(&machine),
                "seed {seed}, round {round}: {total} of {}",
                machine.truth_ns
            );
            before = total;
        }
    }
}

/// One process that waits for its children, and one reading.
fn shell() -> (Machine, Reader) {
    let mut machine = Machine::new(0, 0, false);
    let mut reader = Reader::new();
    reader.read(&mut machine);
    (machine, reader)
}

#[test]
fn a_child_that_is_never_seen_counts_by_its_parent() {
    let (mut machine, mut reader) = shell();
    let child = machine.start(FIRST);
    machine.run(child, 400 * MS);
    machine.exit(child);
    machine.reap(child);
    assert_eq!(reader.read(&mut machine), 400 * MS + STEP_NS, "10 us are less than a tick");
}

#[test]
fn a_child_that_is_seen_keeps_its_time_until_its_parent_has_it() {
    let (mut machine, mut reader) = shell();
    let child = machine.start(FIRST);
    machine.run(child, 400 * MS);
    assert_eq!(reader.read(&mut machine), 400 * MS);
    machine.run(child, 100 * MS);
    machine.exit(child);
    assert_eq!(reader.read(&mut machine), 500 * MS + STEP_NS, "nobody has waited for it yet");
    machine.reap(child);
    assert_eq!(reader.read(&mut machine), 500 * MS + 2 * STEP_NS);
    machine.run(FIRST, 50 * MS);
    assert_eq!(reader.read(&mut machine), 550 * MS + 2 * STEP_NS);
}

#[test]
fn a_child_that_ends_while_its_parent_ignores_that_keeps_what_was_seen() {
    let (mut machine, mut reader) = shell();
    machine.processes.get_mut(&FIRST).unwrap().ignores = true;
    let child = machine.start(FIRST);
    machine.run(child, 400 * MS);
    assert_eq!(reader.read(&mut machine), 400 * MS);
    machine.run(child, 100 * MS);
    machine.exit(child);
    for _ in 0..4 {
        assert_eq!(reader.read(&mut machine), 400 * MS);
    }
    // And what its parent waits for later is not taken for it.
    machine.processes.get_mut(&FIRST).unwrap().ignores = false;
    let child = machine.start(FIRST);
    machine.run(child, 300 * MS);
    machine.exit(child);
    machine.reap(child);
    let total = reader.read(&mut machine);
    assert!((680 * MS..=701 * MS).contains(&total), "{total}");
}

#[test]
fn a_worker_whose_master_is_killed_with_it_counts_once() {
    let (mut machine, mut reader) = shell();
    let master = machine.start(FIRST);
    let worker = machine.start(master);
    machine.run(worker, 100_000 * MS);
    assert_eq!(reader.read(&mut machine), 100_000 * MS);
    machine.exit(master);
    machine.exit(worker);
    machine.reap(worker);
    let total = reader.read(&mut machine);
    assert_eq!(total, 100_000 * MS + 2 * STEP_NS, "the master is not gone yet");
    machine.reap(master);
    assert_eq!(reader.read(&mut machine), 100_000 * MS + 3 * STEP_NS);
}

#[test]
fn an_id_that_is_used_again_is_another_process() {
    let (mut machine, mut reader) = shell();
    let child = machine.start(FIRST);
    machine.run(child, 400 * MS);
    reader.read(&mut machine);
    machine.exit(child);
    machine.reap(child);
    let stranger = Simulated { start: 1_000_000, parent: 0, ..machine.processes[&FIRST].clone() };
    machine.processes.insert(child, Simulated { own_ns: 9_000_000 * MS, ..stranger });
    machine.last_pid += 1;
    let total = reader.read(&mut machine);
    assert!(total < 500 * MS, "{total}: the clock of the stranger is not this container's");
}

#[test]
fn orphans_of_the_only_container_count_by_the_reaper() {
    let mut machine = Machine::new(0, 0, false);
    machine.run(FIRST, 500 * MS);
    let first = machine.start(FIRST);
    let mut account = Account::new(TICK_NS);
    let Seen::Stat(stat) = machine.stat(first) else { unreachable!() };
    account.add(first, stat, &mut machine);
    let Seen::Stat(reaper) = machine.stat(FIRST) else { unreachable!() };
    account.add_reaper(FIRST, reaper, &mut machine);
    assert_eq!((account.len(), account.read(true, &mut machine)), (1, 0));

    let (seen, unseen) = (machine.start(first), machine.start(first));
    machine.run(seen, 300 * MS);
    let Seen::Stat(stat) = machine.stat(seen) else { unreachable!() };
    account.add(seen, stat, &mut machine);
    assert_eq!(account.read(true, &mut machine), 300 * MS);
    machine.run(unseen, 200 * MS);
    for pid in [first, seen, unseen] {
        machine.exit(pid);
    }
    machine.reap(seen);
    machine.reap(unseen);
    let total = account.read(true, &mut machine);
    assert!((490 * MS..=501 * MS).contains(&total), "{total}");
    // The reaper's own time is not the container's.
    machine.run(FIRST, 500 * MS);
    let total = account.read(true, &mut machine);
    assert!((490 * MS..=501 * MS).contains(&total), "{total}");
}
