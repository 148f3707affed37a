//! The proofs of all containers, each by its Docker id: what the kernel and the endpoint
//! say of a container goes through its proof on the way to the sampler.

use super::{CounterProof, Handed, KernelValue, ProofEvent, ProofState};
use crate::{
    reading::{Entry, MemoryReading, Reading, Tier, is_repeated},
    time::{Now, Timestamp},
};

/// A value of one container's counters that was read from the kernel.
#[derive(Clone, Copy, Debug)]
pub struct ContainerValue {
    /// Where it comes from.
    pub tier: Tier,
    /// Values are compared only within one generation.
    pub generation: u32,
    /// The CPU counter.
    pub cpu: KernelValue,
    /// Memory, if the same cgroup directory gives it.
    pub memory: Option<MemoryReading>,
}

/// Something to tell the operator of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEvent {
    /// The container's name.
    pub container: String,
    /// What happened.
    pub event: ProofEvent,
}

/// One container.
#[derive(Debug)]
struct Proven {
    docker_id: String,
    name: String,
    proof: CounterProof,
    generation: Option<u32>,
    /// The number of the last round of readings that had it.
    read_in: u64,
    /// `read` of the endpoint's last reading.
    said: Option<Timestamp>,
    /// Its memory could be read as well.
    has_memory: bool,
}

/// The proofs of the containers of a task.
#[derive(Debug, Default)]
pub struct Proofs {
    /// By Docker id.
    containers: Vec<Proven>,
    round: u64,
    /// A container has put the clocks to the test, since the clock was set and since the last
    /// disagreement. It may have ended since.
    are_clocks_proven: bool,
    events: Vec<ContainerEvent>,
    refuted: u64,
}

impl Proofs {
    /// The containers that there are now, each by Docker id and name. Those that were
    /// known keep their proof.
    pub fn set_containers<'a>(&mut self, containers: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut before = std::mem::take(&mut self.containers);
        for (docker_id, name) in containers {
            if let Some(known) = before.iter().position(|known| known.docker_id == docker_id) {
                self.containers.push(before.swap_remove(known));
                continue;
            }
            self.containers.push(Proven {
                docker_id: docker_id.to_owned(),
                name: name.to_owned(),
                proof: CounterProof::new(),
                generation: None,
                read_in: 0,
                said: None,
                has_memory: false,
            });
        }
        self.containers.sort_by(|a, b| a.docker_id.cmp(&b.docker_id));
    }

    /// The clock was set by `by_ns` and says `wall`.
    pub fn on_clock_step(&mut self, wall: Timestamp, by_ns: i64) {
        self.are_clocks_proven = false;
        for container in &mut self.containers {
            container.proof.on_clock_step(wall, by_ns);
        }
    }

    /// The name of a container.
    #[must_use]
    pub fn name_of(&self, docker_id: &str) -> Option<&str> {
        let position = position_of(&self.containers, docker_id)?;
        Some(&self.containers[position].name)
    }

    /// A round of readings of the kernel begins.
    pub fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Takes in what the kernel has of a container, and gives what the sampler is to
    /// take, if anything.
    pub fn on_kernel(
        &mut self,
        docker_id: &str,
        value: ContainerValue,
        now: Now,
    ) -> Option<Reading> {
        let Self { containers, events, refuted, round, are_clocks_proven, .. } = self;
        let position = position_of(containers, docker_id)?;
        let container = &mut containers[position];
        container.read_in = *round;
        let is_same = container.generation == Some(value.generation)
            && container.proof.tier() == Some(value.tier);
        if !is_same {
            if container.proof.tier().is_some() {
                container.proof.on_kernel_lost();
            }
            container.proof.on_kernel_found(value.tier);
            container.generation = Some(value.generation);
            container.has_memory = false;
        }
        container.has_memory |= value.memory.is_some();
        let outcome = container.proof.on_kernel(value.cpu, now.instant);
        *are_clocks_proven &= !is_refutation(outcome.event);
        note(&container.name, outcome.event, events, refuted);
        let (read, cpu, is_cpu_base) = match outcome.handed {
            Handed::Nothing => return None,
            Handed::Counter { read, cpu } => (read, cpu, false),
            Handed::Base { read, cpu } => (read, cpu, true),
        };
        let memory = value.memory.filter(|_| container.proof.is_believed() && !is_cpu_base);
        Some(Reading { read, cpu: Some(cpu), is_cpu_base, memory, network: None, block_io: None })
    }

    /// An estimate of a container's CPU counter at the moment of `value`, made of what the
    /// machine does. Gives what the sampler is to take.
    pub fn on_estimate(
        &mut self,
        docker_id: &str,
        value: KernelValue,
        total_ns: u64,
        now: Now,
    ) -> Option<Reading> {
        let position = position_of(&self.containers, docker_id)?;
        let proof = &mut self.containers[position].proof;
        let (read, cpu, is_cpu_base) = match proof.on_estimate(value, total_ns, now.instant) {
            Handed::Nothing => return None,
            Handed::Counter { read, cpu } => (read, cpu, false),
            Handed::Base { read, cpu } => (read, cpu, true),
        };
        let cpu = Some(cpu);
        Some(Reading { read, cpu, is_cpu_base, memory: None, network: None, block_io: None })
    }

    /// There are no such estimates any more. The last ones may be wrong.
    pub fn on_estimate_over(&mut self, docker_id: &str) {
        if let Some(position) = position_of(&self.containers, docker_id) {
            self.containers[position].proof.on_estimate_over();
        }
    }

    /// A round is over: who was not in it cannot be read any more.
    pub fn end_round(&mut self, now: Now) {
        let Self { containers, events, refuted, round, are_clocks_proven, .. } = self;
        *are_clocks_proven |= containers.iter().any(|it| it.proof.has_proven_clocks());
        for container in containers {
            container.proof.set_clocks_proven(*are_clocks_proven);
            if container.read_in == *round {
                continue;
            }
            if let Some(tier) = container.proof.tier() {
                let was_proven = container.proof.is_proven();
                container.proof.on_kernel_lost();
                container.generation = None;
                container.has_memory = false;
                let lost = was_proven.then_some(ProofEvent::Lost { tier });
                note(&container.name, lost, events, refuted);
            }
            note(&container.name, container.proof.advance(now.instant), events, refuted);
        }
    }

    /// Takes in the endpoint's entry of a container, and gives what the sampler is to take
    /// of it: without the CPU counter while the kernel's counts.
    pub fn on_endpoint(&mut self, docker_id: &str, entry: Entry, now: Now) -> Entry {
        let Self { containers, events, refuted, are_clocks_proven, .. } = self;
        let Entry::Reading(reading) = entry else { return entry };
        let (Some(position), Some(cpu)) = (position_of(containers, docker_id), reading.cpu) else {
            return entry;
        };
        let container = &mut containers[position];
        if is_repeated(reading.read, container.said) {
            return entry;
        }
        container.said = Some(reading.read);
        let outcome = container.proof.on_endpoint(reading.read, cpu, now);
        *are_clocks_proven &= !is_refutation(outcome.event);
        note(&container.name, outcome.event, events, refuted);
        let (cpu, is_cpu_base) = match outcome.handed {
            Handed::Nothing => (None, false),
            Handed::Counter { cpu, .. } => (Some(cpu), false),
            Handed::Base { cpu, .. } => (Some(cpu), true),
        };
        Entry::Reading(Reading { cpu, is_cpu_base, ..reading })
    }

    /// What there is to tell the operator since the last time.
    pub fn events(&mut self) -> impl Iterator<Item = ContainerEvent> {
        self.events.drain(..)
    }

    /// How often the endpoint contradicted the kernel.
    #[must_use]
    pub const fn refuted(&self) -> u64 {
        self.refuted
    }

    /// How many containers' CPU is taken from the kernel.
    #[must_use]
    pub fn believed(&self) -> usize {
        self.containers.iter().filter(|container| container.proof.is_believed()).count()
    }

    /// How many containers the kernel shows whose CPU is taken from the endpoint all the
    /// same.
    #[must_use]
    pub fn unproven(&self) -> usize {
        let is_unproven = |it: &&Proven| it.proof.tier().is_some() && !it.proof.is_believed();
        self.containers.iter().filter(is_unproven).count()
    }

    /// Whether all of these containers are believed by their own cgroup file, and their memory
    /// is read with it if it is wanted, so that the endpoint has nothing to add for them.
    #[must_use]
    pub fn are_all_exact(&self, with_memory: bool) -> bool {
        let is_exact = |container: &Proven| {
            container.proof.is_believed()
                && container.proof.tier() == Some(Tier::CgroupFile)
                && (container.has_memory || !with_memory)
        };
        !self.containers.is_empty() && self.containers.iter().all(is_exact)
    }

    /// How far the proof of a container is.
    #[must_use]
    pub fn state_of(&self, docker_id: &str) -> Option<ProofState> {
        let position = position_of(&self.containers, docker_id)?;
        Some(self.containers[position].proof.state())
    }
}

fn position_of(containers: &[Proven], docker_id: &str) -> Option<usize> {
    containers.binary_search_by(|container| container.docker_id.as_str().cmp(docker_id)).ok()
}

const fn is_refutation(event: Option<ProofEvent>) -> bool {
    matches!(event, Some(ProofEvent::Refuted { .. }))
}

fn note(
    container: &str,
    event: Option<ProofEvent>,
    events: &mut Vec<ContainerEvent>,
    refuted: &mut u64,
) {
    let Some(event) = event else { return };
    *refuted += u64::from(is_refutation(Some(event)));
    events.push(ContainerEvent { container: container.to_owned(), event });
}
