//! The proof of one container's CPU counter: what the kernel and the endpoint say comes in,
//! and what is handed on, and what there is to tell, comes out.

mod judging;

use std::time::{Duration, Instant};

use super::{
    estimate::Estimate,
    event::{Handed, ProofEvent, ProofOutcome, ProofState},
    exact::{Run, TOLERANCE_NS},
    handing::Handing,
    history::{KernelHistory, KernelValue, Pushed},
    rest::Rest,
    silence_max,
};
use crate::{
    reading::{CpuReading, Tier},
    time::{Now, Timestamp},
};

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

/// What a comparison told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The kernel's next value is waited for.
    Pending,
    /// Both agree.
    Agreed,
    /// It cannot be compared.
    Nothing,
    /// They do not agree.
    Refuted,
}

/// The proof of one container's CPU counter.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct CounterProof {
    tier: Option<Tier>,
    belief: Belief,
    history: KernelHistory,
    exact: Run,
    estimate: Estimate,
    rest: Rest,
    /// The last value of the kernel was handed on because the container is at rest.
    is_at_rest: bool,
    /// An estimate from elsewhere is handed on.
    is_estimated: bool,
    /// Other counters of the same clocks have put them to the test.
    are_clocks_proven: bool,
    /// The endpoint's readings that no kernel value follows yet.
    pending: [Option<(Timestamp, CpuReading)>; PENDING],
    /// One of them that says that a container at rest has worked.
    woken: Option<(Timestamp, CpuReading)>,
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
    /// But a stamp below this one is from after it: stamps fall only when the clock does.
    fallen_below: Option<Timestamp>,
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
            history: KernelHistory::new(),
            exact: Run::default(),
            estimate: Estimate::default(),
            rest: Rest::default(),
            is_at_rest: false,
            is_estimated: false,
            are_clocks_proven: false,
            pending: [None; PENDING],
            woken: None,
            said: None,
            said_at: None,
            cadence: Duration::ZERO,
            online_cpus: None,
            agreed_at: None,
            is_warned: false,
            handing: Handing::default(),
            undated_until: None,
            fallen_below: None,
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
        let is_tangled = self.undated_until.is_some();
        self.fallen_below = self.said.map(|(read, _)| read).filter(|_| by_ns < 0 && !is_tangled);
        // Any stamp may follow.
        self.said = self.said.map(|(_, said_ns)| (Timestamp::from_unix_ns(0), said_ns));
        let back_ns = by_ns.saturating_neg().max(0).unsigned_abs();
        let until = Timestamp::from_unix_ns(wall.unix_ns().saturating_add(back_ns));
        self.undated_until = Some(until);
        self.exact.on_clock_step();
        self.estimate.on_clock_step();
        self.rest = Rest::default();
        self.woken = None;
    }

    /// Whether the clocks are proven by another counter: they are the host's, so what holds
    /// for one container holds for all.
    pub(super) fn set_clocks_proven(&mut self, are_proven: bool) {
        self.are_clocks_proven = are_proven;
    }

    /// Whether this counter has put the clocks to the test.
    pub(super) fn has_proven_clocks(&self) -> bool {
        self.exact.has_proven_clocks()
    }

    /// A value that was read from the kernel. Values come in the order of their times.
    pub fn on_kernel(&mut self, value: KernelValue, now: Instant) -> ProofOutcome {
        let Some(tier) = self.tier else { return ProofOutcome::default() };
        let is_first = self.history.last().is_none();
        let pushed = self.history.push(value);
        if tier == Tier::CgroupFile && (is_first || pushed == Pushed::Fell) {
            self.handing.on_read_anew(value.total_ns);
        }
        match pushed {
            Pushed::Next => {}
            Pushed::NotLater => return ProofOutcome::default(),
            Pushed::Fell => {
                // Another cgroup of the same name, most likely.
                self.begin_again();
                self.history.push(value);
                return ProofOutcome::default();
            }
        }
        self.exact.on_kernel(value);
        let made_ns = self.made_of(tier, value);
        let (mut event, mut woken) = (None, None);
        for place in 0..PENDING {
            let Some((read, cpu)) = self.pending[place] else { continue };
            let (told, said) = self.compare(tier, read, cpu.total_usage_ns, now);
            if told != Told::Pending {
                self.pending[place] = None;
            }
            if told == Told::Refuted {
                self.woken = None;
                let handed = self.handing.on_refutation(read, cpu);
                return ProofOutcome { handed, event: said };
            }
            event = event.or(said);
            if told != Told::Pending && self.woken.is_some_and(|(woken, _)| woken == read) {
                self.woken = None;
                if self.belief == Belief::Silent {
                    let handed = self.after_silence(told, read, cpu, now);
                    return ProofOutcome { handed, event };
                }
                woken = Some(self.wake(told, read, cpu, now));
            }
        }
        event = event.or_else(|| self.believe(tier, now));
        event = event.or_else(|| self.advance(now));
        if let Some(handed) = woken.filter(|handed| *handed != Handed::Nothing) {
            return ProofOutcome { handed, event };
        }
        if self.belief != Belief::Proven {
            let at_rest_ns = self.at_rest_ns(value, now);
            self.is_at_rest = at_rest_ns.is_some();
            let handed = at_rest_ns.map_or(Handed::Nothing, |total_ns| {
                let cpu = CpuReading { total_usage_ns: total_ns, online_cpus: self.online_cpus };
                self.handing.kernel_at_rest(tier, value, cpu, now)
            });
            return ProofOutcome { handed, event };
        }
        self.is_at_rest = false;
        // It begins with the proof.
        let made_ns = made_ns.or_else(|| self.made_of(tier, value));
        let handed = made_ns.map_or(Handed::Nothing, |total_ns| {
            let cpu = CpuReading { total_usage_ns: total_ns, online_cpus: self.online_cpus };
            self.handing.kernel(tier, value, cpu, now)
        });
        ProofOutcome { handed, event }
    }

    /// A new reading of the endpoint. Repeated ones are left out before.
    pub fn on_endpoint(&mut self, read: Timestamp, cpu: CpuReading, now: Now) -> ProofOutcome {
        self.online_cpus = cpu.online_cpus.or(self.online_cpus);
        if let Some(before) = self.said_at.replace(now.instant) {
            self.cadence = now.instant.saturating_duration_since(before).min(CADENCE_MAX);
        }
        let was_proven = self.belief == Belief::Proven;
        let before = self.said;
        let is_later = before.is_none_or(|(before, _)| read > before);
        let has_fallen =
            is_later && before.is_some_and(|(_, before_ns)| cpu.total_usage_ns < before_ns);
        if has_fallen {
            // The container was restarted. The kernel's values may be of either run.
            self.begin_again();
            self.handing.on_restart();
            self.end_silence();
        }
        let is_dated = self.is_dated(read, now.wall);
        let was_silent = self.belief == Belief::Silent;
        if is_later {
            // Of an unknown side of a step, any stamp may still follow.
            let stamp = if is_dated { read } else { Timestamp::from_unix_ns(0) };
            self.said = Some((stamp, cpu.total_usage_ns));
        }
        let (mut event, mut told) = (None, Told::Nothing);
        let can_tell = is_later && !has_fallen && is_dated;
        let rested = self.rest;
        if let Some(tier) = self.tier.filter(|_| can_tell) {
            self.rest.on_endpoint(cpu.total_usage_ns);
            (told, event) = self.compare(tier, read, cpu.total_usage_ns, now.instant);
            match told {
                Told::Refuted => {
                    let handed = self.handing.on_refutation(read, cpu);
                    if handed != Handed::Nothing {
                        return ProofOutcome { handed, event };
                    }
                }
                Told::Pending => self.wait_with(read, cpu),
                Told::Agreed | Told::Nothing => {}
            }
            event = event.or_else(|| self.believe(tier, now.instant));
        }
        if (was_proven && self.belief == Belief::Proven) || self.is_estimated {
            return ProofOutcome { handed: Handed::Nothing, event };
        }
        if was_silent {
            let handed = self.after_silence(told, read, cpu, now.instant);
            return ProofOutcome { handed, event };
        }
        if can_tell && self.handing.is_from_rest(cpu) {
            // Over a short time growth is not compared otherwise.
            let around = self.history.bracket(read, TOLERANCE_NS);
            if told == Told::Nothing && rested.agrees_since(cpu.total_usage_ns, around) {
                told = Told::Agreed;
            }
            return ProofOutcome { handed: self.wake(told, read, cpu, now.instant), event };
        }
        let is_dated = self.undated_until.is_none();
        ProofOutcome { handed: self.handing.endpoint(read, cpu, is_dated, now.instant), event }
    }

    /// An estimate of the counter from elsewhere, at the moment of `value`: that is handed on,
    /// and the endpoint's readings are not, until [`Self::on_estimate_over`].
    pub(super) fn on_estimate(
        &mut self,
        value: KernelValue,
        total_ns: u64,
        now: Instant,
    ) -> Handed {
        self.is_estimated = true;
        let total_usage_ns = total_ns.max(self.handing.floor_ns());
        let cpu = CpuReading { total_usage_ns, online_cpus: self.online_cpus };
        self.handing.kernel(Tier::Processes, value, cpu, now)
    }

    /// The endpoint's readings are handed on again. However the estimate ended, what was handed
    /// on since the last comparison was compared with nothing: no difference begins with it.
    pub(super) fn on_estimate_over(&mut self) {
        if std::mem::take(&mut self.is_estimated) {
            self.handing.distrust();
        }
    }

    /// The time goes on. Says whether the kernel's values go on without the endpoint, or
    /// do no more.
    pub fn advance(&mut self, now: Instant) -> Option<ProofEvent> {
        let tier = self.tier.filter(|_| self.belief == Belief::Proven)?;
        let since = now.saturating_duration_since(self.agreed_at?);
        let longest = silence_max(tier);
        if since > longest {
            self.belief = Belief::Silent;
            self.is_warned = false;
            return Some(ProofEvent::GivenUp { tier, since });
        }
        let patience = (self.cadence * WARNING_CADENCES).max(WARNING_MIN);
        if tier == Tier::CgroupFile && !self.is_warned && since > patience {
            self.is_warned = true;
            return Some(ProofEvent::WithoutEndpoint {
                since,
                left: longest.saturating_sub(since),
            });
        }
        None
    }

    /// How far the proof is.
    #[must_use]
    pub fn state(&self) -> ProofState {
        let Some(tier) = self.tier else { return ProofState::NoKernel };
        let (agreed, needed) = (self.agreed(tier), self.needed());
        match self.belief {
            _ if self.is_at_rest => ProofState::AtRest,
            Belief::Unproven => ProofState::Unproven { agreed, needed },
            Belief::Proven => ProofState::Proven,
            Belief::Refuted => ProofState::Refuted { agreed, needed },
            Belief::Silent => ProofState::Silent,
        }
    }

    /// Whether the kernel's values are handed on, and with it whether the other counters
    /// of the same cgroup directory are believed: they are proven, or both sources stand
    /// still at the same value.
    #[must_use]
    pub fn is_believed(&self) -> bool {
        self.is_proven() || self.is_at_rest
    }

    /// Whether the kernel's values are proven.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.belief == Belief::Proven && self.tier.is_some()
    }

    /// What the kernel's counter is read from.
    #[must_use]
    pub fn tier(&self) -> Option<Tier> {
        self.tier
    }

    /// What the kernel said is not compared with what it says from now on.
    fn begin_again(&mut self) {
        self.history.clear();
        self.pending = [None; PENDING];
        self.exact = Run::default();
        self.estimate = Estimate::default();
        self.rest = Rest::default();
        self.is_at_rest = false;
        self.woken = None;
        self.is_warned = false;
        match self.belief {
            Belief::Proven => self.belief = Belief::Unproven,
            // Nothing is left with which what was handed on could be compared.
            Belief::Silent => self.handing.distrust(),
            Belief::Unproven | Belief::Refuted => {}
        }
    }
}
