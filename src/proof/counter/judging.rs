//! What one container's comparisons come to: when the kernel is believed, and when not any
//! more.

use std::time::{Duration, Instant};

use super::{AHEAD_MAX_NS, Belief, CounterProof, Told};
use crate::{
    proof::{
        AGREEMENTS_NEEDED, AGREEMENTS_NEEDED_AGAIN, SILENCE_MAX_OF_ESTIMATES,
        estimate::Estimate,
        event::{Handed, ProofEvent},
        exact::{ReadingVerdict, Run, TOLERANCE_NS},
        history::KernelValue,
        rest::Rest,
        silence_max,
    },
    reading::{CpuReading, Tier},
    time::Timestamp,
};

impl CounterProof {
    pub(super) fn needed(&self) -> u32 {
        match self.belief {
            Belief::Refuted => AGREEMENTS_NEEDED_AGAIN,
            _ => AGREEMENTS_NEEDED,
        }
    }

    pub(super) fn agreed(&self, tier: Tier) -> u32 {
        match tier {
            Tier::CgroupFile => self.exact.agreed,
            Tier::Processes => self.estimate.agreed,
        }
    }

    /// What the endpoint's counter is at the moment of `value`, if it stands still with the
    /// kernel's. A wrong clock would show only when it does not any more.
    pub(super) fn at_rest_ns(&self, value: KernelValue, now: Instant) -> Option<u64> {
        let is_open = matches!(self.belief, Belief::Unproven | Belief::Refuted);
        let is_recent = self.agreed_within(SILENCE_MAX_OF_ESTIMATES, now);
        let has_clocks = self.are_clocks_proven || self.has_proven_clocks();
        (is_open && is_recent && has_clocks)
            .then(|| self.rest.total_ns(value.total_ns, self.needed()))?
    }

    pub(super) fn agreed_within(&self, longest: Duration, now: Instant) -> bool {
        self.agreed_at.is_some_and(|agreed_at| now.saturating_duration_since(agreed_at) <= longest)
    }

    /// What the endpoint's counter is at the moment of `value`, as far as there is a
    /// proof of it.
    pub(super) fn made_of(&mut self, tier: Tier, value: KernelValue) -> Option<u64> {
        match tier {
            _ if self.belief != Belief::Proven => None,
            Tier::CgroupFile => Some(value.total_ns),
            Tier::Processes => self.estimate.on_kernel(value, self.handing.floor_ns()),
        }
    }

    /// Whether this stamp can be compared with kernel values since the clock was set, or
    /// at all.
    pub(super) fn is_dated(&mut self, read: Timestamp, wall: Timestamp) -> bool {
        let has_fallen = self.fallen_below.is_some_and(|before| read < before);
        if has_fallen || self.undated_until.is_some_and(|until| read > until) {
            (self.undated_until, self.fallen_below) = (None, None);
        }
        self.undated_until.is_none()
            && read.unix_ns() <= wall.unix_ns().saturating_add(AHEAD_MAX_NS)
    }

    pub(super) fn wait_with(&mut self, read: Timestamp, cpu: CpuReading) {
        self.pending.rotate_right(1);
        self.pending[0] = Some((read, cpu));
    }

    /// Compares a reading of the endpoint with the kernel's values. Gives what that told, and
    /// what there is to say of it.
    pub(super) fn compare(
        &mut self,
        tier: Tier,
        read: Timestamp,
        said_ns: u64,
        now: Instant,
    ) -> (Told, Option<ProofEvent>) {
        let verdict = match tier {
            Tier::CgroupFile => self.exact.on_endpoint(read, said_ns, &self.history),
            Tier::Processes => self.estimate.on_endpoint(read, said_ns, &self.history),
        };
        match verdict {
            ReadingVerdict::Unknown { is_pending: true } => (Told::Pending, None),
            ReadingVerdict::Unknown { is_pending: false } => (Told::Nothing, None),
            ReadingVerdict::Agrees { .. } => {
                self.agreed_at = Some(now);
                self.rest.on_agreement(tier, said_ns, self.history.bracket(read, TOLERANCE_NS));
                let is_back = std::mem::take(&mut self.is_warned);
                (Told::Agreed, is_back.then_some(ProofEvent::EndpointBack))
            }
            ReadingVerdict::Disagrees { least_ns, most_ns } => {
                let was_refuted = self.belief == Belief::Refuted;
                let was_proven = self.is_believed() || self.belief == Belief::Silent;
                self.exact = Run::default();
                self.estimate = Estimate::default();
                self.rest = Rest::default();
                self.is_at_rest = false;
                self.belief = Belief::Refuted;
                self.is_warned = false;
                let needed = AGREEMENTS_NEEDED_AGAIN;
                let event = ProofEvent::Refuted {
                    tier,
                    read,
                    least_ns,
                    most_ns,
                    said_ns,
                    was_proven,
                    needed,
                };
                (Told::Refuted, (was_proven || !was_refuted).then_some(event))
            }
        }
    }

    /// Believes the kernel if enough has agreed.
    pub(super) fn believe(&mut self, tier: Tier, now: Instant) -> Option<ProofEvent> {
        let needed = self.needed();
        let has_proven = match tier {
            Tier::CgroupFile => self.exact.has_proven(needed, self.are_clocks_proven),
            Tier::Processes => self.estimate.has_proven(needed),
        };
        let is_recent = self.agreed_within(silence_max(tier), now);
        let is_open = matches!(self.belief, Belief::Unproven | Belief::Refuted);
        if !(has_proven && is_recent && is_open) {
            return None;
        }
        self.belief = Belief::Proven;
        Some(ProofEvent::Proven { tier, agreed: self.agreed(tier) })
    }

    /// The first thing that the endpoint says after a silence. What was handed on in the silence
    /// was compared with nothing, so it is compared before it is joined.
    pub(super) fn after_silence(
        &mut self,
        told: Told,
        read: Timestamp,
        cpu: CpuReading,
        now: Instant,
    ) -> Handed {
        match told {
            Told::Pending => {
                self.woken = Some((read, cpu));
                return Handed::Nothing;
            }
            Told::Agreed => {}
            Told::Nothing | Told::Refuted => self.handing.distrust(),
        }
        let handed = self.handing.endpoint(read, cpu, self.undated_until.is_none(), now);
        if handed != Handed::Nothing {
            self.end_silence();
        }
        handed
    }

    pub(super) fn end_silence(&mut self) {
        if self.belief == Belief::Silent {
            self.belief = Belief::Unproven;
            self.begin_again();
        }
    }

    /// The endpoint says that a container has worked since it was at rest. If the kernel does
    /// not agree, what was handed on may have been wrong; if it cannot say yet, that waits.
    pub(super) fn wake(
        &mut self,
        told: Told,
        read: Timestamp,
        cpu: CpuReading,
        now: Instant,
    ) -> Handed {
        self.is_at_rest = false;
        match told {
            Told::Agreed => self.handing.endpoint(read, cpu, true, now),
            Told::Pending => {
                self.woken = Some((read, cpu));
                Handed::Nothing
            }
            Told::Nothing | Told::Refuted => self.handing.on_refutation(read, cpu),
        }
    }
}
