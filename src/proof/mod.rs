//! Which values of the kernel are believed. A container's CPU counter can be read from
//! the kernel at any moment. The endpoint gives the same counter now and then, with its
//! moment: each time, it must lie between the kernel's values before and after that
//! moment. Until that was so often enough, and after it was not once, the endpoint's
//! values are handed on and the kernel's are not. Pure: the time is told, not read.

mod comparison;
mod containers;
mod estimate;
mod event;
mod exact;
mod handing;
mod history;
mod made;
mod task;

use std::time::{Duration, Instant};

pub use self::{
    comparison::{Compared, Comparison},
    containers::{ContainerEvent, ContainerValue, Proofs},
    event::{Event, Handed, Outcome, State},
    history::KernelValue,
    task::{COMPARISONS_NEEDED, TaskEstimate, TaskEvent},
};
use self::{
    estimate::Estimate,
    exact::{Run, Verdict},
    handing::Handing,
    history::{History, Pushed},
};
use crate::{
    reading::{CpuReading, Tier},
    time::{Now, Timestamp},
};

/// So many renewals must agree before the first value of the kernel is handed on.
pub const AGREEMENTS_NEEDED: u32 = 3;
/// And so many after one that did not.
pub const AGREEMENTS_NEEDED_AGAIN: u32 = 10;
/// For how long exact values go on without the endpoint. Docker hangs when the host is
/// overloaded, and that is when they matter.
pub const SILENCE_MAX: Duration = Duration::from_mins(10);
/// For how long estimates do.
pub const SILENCE_MAX_OF_ESTIMATES: Duration = Duration::from_mins(1);

/// A warning follows after so many cadences without a renewal, but not before
/// [`WARNING_MIN`].
const WARNING_CADENCES: u32 = 3;
const WARNING_MIN: Duration = Duration::from_secs(30);
/// No agent renews less often than that.
const CADENCE_MAX: Duration = Duration::from_mins(1);

/// How far ahead of our clock a stamp may be, ns: more is another clock.
const AHEAD_MAX_NS: u64 = 50_000_000;
/// How many of the endpoint's readings can wait for the kernel's next value.
const PENDING: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    Unproven,
    Proven,
    Refuted,
    Silent,
}

/// The proof of one container's CPU counter.
#[derive(Debug)]
pub struct CounterProof {
    tier: Option<Tier>,
    belief: Belief,
    history: History,
    exact: Run,
    estimate: Estimate,
    /// The endpoint's readings that no kernel value follows yet.
    pending: [Option<(Timestamp, CpuReading)>; PENDING],
    /// The endpoint's last reading, whatever came of it.
    said: Option<(Timestamp, u64)>,
    said_at: Option<Instant>,
    /// Between the last two, as they came.
    cadence: Duration,
    online_cpus: Option<u32>,
    /// The last renewal that agreed came then.
    agreed_at: Option<Instant>,
    is_warned: bool,
    handing: Handing,
    /// Stamps up to here may be from before the clock was set back.
    undated_until: Option<Timestamp>,
}

impl Default for CounterProof {
    fn default() -> Self {
        Self::new()
    }
}

impl CounterProof {
    /// Of a container of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tier: None,
            belief: Belief::Unproven,
            history: History::new(),
            exact: Run::default(),
            estimate: Estimate::default(),
            pending: [None; PENDING],
            said: None,
            said_at: None,
            cadence: Duration::ZERO,
            online_cpus: None,
            agreed_at: None,
            is_warned: false,
            handing: Handing::default(),
            undated_until: None,
        }
    }

    /// The kernel's counter can be read from now on.
    pub fn on_kernel_found(&mut self, tier: Tier) {
        self.begin_again();
        self.tier = Some(tier);
    }

    /// It cannot be read any more: the file is gone, or no process is left. That proves
    /// nothing against what was handed on.
    pub fn on_kernel_lost(&mut self) {
        self.begin_again();
        self.tier = None;
    }

    /// The clock was set, by `by_ns`, and says `wall`. To be called before anything that
    /// was read after it.
    pub fn on_clock_step(&mut self, wall: Timestamp, by_ns: i64) {
        self.history.clear();
        self.pending = [None; PENDING];
        self.handing.on_clock_step();
        // Any stamp may follow.
        self.said = self.said.map(|(_, said_ns)| (Timestamp::from_unix_ns(0), said_ns));
        let back_ns = by_ns.saturating_neg().max(0).unsigned_abs();
        let until = Timestamp::from_unix_ns(wall.unix_ns().saturating_add(back_ns));
        self.undated_until = Some(until);
        self.exact.on_clock_step();
        self.estimate.on_clock_step();
    }

    /// A value that was read from the kernel. Values come in the order of their times.
    pub fn on_kernel(&mut self, value: KernelValue, now: Instant) -> Outcome {
        let Some(tier) = self.tier else { return Outcome::default() };
        match self.history.push(value) {
            Pushed::Next => {}
            Pushed::NotLater => return Outcome::default(),
            Pushed::Fell => {
                // Another cgroup of the same name, most likely.
                self.begin_again();
                self.history.push(value);
                return Outcome::default();
            }
        }
        self.exact.on_kernel(value);
        let made_ns = self.made_of(tier, value);
        let mut event = None;
        for place in 0..PENDING {
            let Some((read, cpu)) = self.pending[place] else { continue };
            let (is_pending, said) = self.compare(tier, read, cpu.total_usage_ns, now);
            if !is_pending {
                self.pending[place] = None;
            }
            if let Some(Event::Refuted { .. }) = said {
                let handed = self.handing.on_refutation(read, cpu);
                return Outcome { handed, event: said };
            }
            event = event.or(said);
        }
        event = event.or_else(|| self.believe(tier, now));
        event = event.or_else(|| self.advance(now));
        if self.belief != Belief::Proven {
            return Outcome { handed: Handed::Nothing, event };
        }
        // It begins with the proof.
        let made_ns = made_ns.or_else(|| self.made_of(tier, value));
        let handed = made_ns.map_or(Handed::Nothing, |total_ns| {
            let cpu = CpuReading { total_usage_ns: total_ns, online_cpus: self.online_cpus };
            self.handing.kernel(tier, value, cpu, now)
        });
        Outcome { handed, event }
    }

    /// A new reading of the endpoint. Repeated ones are left out before.
    pub fn on_endpoint(&mut self, read: Timestamp, cpu: CpuReading, now: Now) -> Outcome {
        self.online_cpus = cpu.online_cpus.or(self.online_cpus);
        if let Some(before) = self.said_at.replace(now.instant) {
            self.cadence = now.instant.saturating_duration_since(before).min(CADENCE_MAX);
        }
        let was_proven = self.belief == Belief::Proven;
        if self.belief == Belief::Silent {
            self.begin_again();
            self.belief = Belief::Unproven;
        }
        let before = self.said;
        let is_later = before.is_none_or(|(before, _)| read > before);
        let has_fallen =
            is_later && before.is_some_and(|(_, before_ns)| cpu.total_usage_ns < before_ns);
        if has_fallen {
            // The container was restarted. The kernel's values may be of either run.
            self.begin_again();
            self.handing.on_restart();
        }
        let is_dated = self.is_dated(read, now.wall);
        if is_later {
            self.said = Some((read, cpu.total_usage_ns));
        }
        let mut event = None;
        if let Some(tier) = self.tier
            && is_later
            && !has_fallen
            && is_dated
        {
            let (is_pending, said) = self.compare(tier, read, cpu.total_usage_ns, now.instant);
            event = said;
            if let Some(Event::Refuted { .. }) = event {
                let handed = self.handing.on_refutation(read, cpu);
                if handed != Handed::Nothing {
                    return Outcome { handed, event };
                }
            } else if is_pending {
                self.wait_with(read, cpu);
            }
            event = event.or_else(|| self.believe(tier, now.instant));
        }
        if was_proven && self.belief == Belief::Proven {
            return Outcome { handed: Handed::Nothing, event };
        }
        Outcome {
            handed: self.handing.endpoint(read, cpu, self.undated_until.is_none(), now.instant),
            event,
        }
    }

    /// The time goes on. Says whether the kernel's values go on without the endpoint, or
    /// do no more.
    pub fn advance(&mut self, now: Instant) -> Option<Event> {
        let tier = self.tier.filter(|_| self.belief == Belief::Proven)?;
        let since = now.saturating_duration_since(self.agreed_at?);
        let longest = silence_max(tier);
        if since > longest {
            self.belief = Belief::Silent;
            self.is_warned = false;
            return Some(Event::GivenUp { tier, since });
        }
        let patience = (self.cadence * WARNING_CADENCES).max(WARNING_MIN);
        if tier == Tier::CgroupFile && !self.is_warned && since > patience {
            self.is_warned = true;
            return Some(Event::WithoutEndpoint { since, left: longest.saturating_sub(since) });
        }
        None
    }

    /// How far the proof is.
    #[must_use]
    pub fn state(&self) -> State {
        let Some(tier) = self.tier else { return State::NoKernel };
        let (agreed, needed) = (self.agreed(tier), self.needed());
        match self.belief {
            Belief::Unproven => State::Unproven { agreed, needed },
            Belief::Proven => State::Proven,
            Belief::Refuted => State::Refuted { agreed, needed },
            Belief::Silent => State::Silent,
        }
    }

    /// Whether the kernel's values are handed on, and with it whether the other counters
    /// of the same cgroup directory are believed.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.belief == Belief::Proven && self.tier.is_some()
    }

    /// What the kernel's counter is read from.
    #[must_use]
    pub fn tier(&self) -> Option<Tier> {
        self.tier
    }

    fn needed(&self) -> u32 {
        match self.belief {
            Belief::Refuted => AGREEMENTS_NEEDED_AGAIN,
            _ => AGREEMENTS_NEEDED,
        }
    }

    fn agreed(&self, tier: Tier) -> u32 {
        match tier {
            Tier::CgroupFile => self.exact.agreed,
            Tier::Processes => self.estimate.agreed,
        }
    }

    /// What the endpoint's counter is at the moment of `value`, as far as there is a
    /// proof of it.
    fn made_of(&mut self, tier: Tier, value: KernelValue) -> Option<u64> {
        match tier {
            _ if self.belief != Belief::Proven => None,
            Tier::CgroupFile => Some(value.total_ns),
            Tier::Processes => self.estimate.on_kernel(value, self.handing.floor_ns()),
        }
    }

    /// Whether this stamp can be compared with kernel values since the clock was set, or
    /// at all.
    fn is_dated(&mut self, read: Timestamp, wall: Timestamp) -> bool {
        if self.undated_until.is_some_and(|until| read > until) {
            self.undated_until = None;
        }
        self.undated_until.is_none()
            && read.unix_ns() <= wall.unix_ns().saturating_add(AHEAD_MAX_NS)
    }

    fn wait_with(&mut self, read: Timestamp, cpu: CpuReading) {
        self.pending.rotate_right(1);
        self.pending[0] = Some((read, cpu));
    }

    /// Compares a reading of the endpoint with the kernel's values. Says whether it waits
    /// for the next of them, and what there is to tell.
    fn compare(
        &mut self,
        tier: Tier,
        read: Timestamp,
        said_ns: u64,
        now: Instant,
    ) -> (bool, Option<Event>) {
        let verdict = match tier {
            Tier::CgroupFile => self.exact.on_endpoint(read, said_ns, &self.history),
            Tier::Processes => self.estimate.on_endpoint(read, said_ns, &self.history),
        };
        match verdict {
            Verdict::Unknown { is_pending } => (is_pending, None),
            Verdict::Agrees { .. } => {
                self.agreed_at = Some(now);
                let is_back = std::mem::take(&mut self.is_warned);
                (false, is_back.then_some(Event::EndpointBack))
            }
            Verdict::Disagrees { least_ns, most_ns } => {
                let was_refuted = self.belief == Belief::Refuted;
                let was_proven = self.belief == Belief::Proven;
                self.exact = Run::default();
                self.estimate = Estimate::default();
                self.belief = Belief::Refuted;
                self.is_warned = false;
                let needed = AGREEMENTS_NEEDED_AGAIN;
                let event =
                    Event::Refuted { tier, read, least_ns, most_ns, said_ns, was_proven, needed };
                (false, (!was_refuted).then_some(event))
            }
        }
    }

    /// Believes the kernel if enough has agreed.
    fn believe(&mut self, tier: Tier, now: Instant) -> Option<Event> {
        let needed = self.needed();
        let has_proven = match tier {
            Tier::CgroupFile => self.exact.has_proven(needed),
            Tier::Processes => self.estimate.has_proven(needed),
        };
        let is_recent = self
            .agreed_at
            .is_some_and(|agreed_at| now.saturating_duration_since(agreed_at) <= silence_max(tier));
        let is_open = matches!(self.belief, Belief::Unproven | Belief::Refuted);
        if !(has_proven && is_recent && is_open) {
            return None;
        }
        self.belief = Belief::Proven;
        Some(Event::Proven { tier, agreed: self.agreed(tier) })
    }

    /// What the kernel said is not compared with what it says from now on.
    fn begin_again(&mut self) {
        self.history.clear();
        self.pending = [None; PENDING];
        self.exact = Run::default();
        self.estimate = Estimate::default();
        self.is_warned = false;
        if self.belief == Belief::Proven {
            self.belief = Belief::Unproven;
        }
    }
}

const fn silence_max(tier: Tier) -> Duration {
    match tier {
        Tier::CgroupFile => SILENCE_MAX,
        Tier::Processes => SILENCE_MAX_OF_ESTIMATES,
    }
}

#[cfg(test)]
mod tests;
