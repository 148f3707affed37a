//! What the proof says: what is handed on to the sampler, how far the proof is, and
//! what the operator is told.

use std::time::Duration;

use crate::{
    reading::{CpuReading, Tier},
    time::Timestamp,
};

/// What the sampler is to take of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handed {
    /// Nothing: this value of the counter is not to be taken.
    #[default]
    Nothing,
    /// The counter at a later moment than the one before: a difference may begin with
    /// that one and end with this, whichever source they are from.
    Counter {
        /// The moment.
        read: Timestamp,
        /// The counter.
        cpu: CpuReading,
    },
    /// What was handed on before may be wrong, or of a clock that was set since: no
    /// difference begins with it. This is the new base.
    Base {
        /// The moment. It may be earlier than that of the value before.
        read: Timestamp,
        /// The counter.
        cpu: CpuReading,
    },
}

/// What became of a value, and what there is to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProofOutcome {
    /// For the sampler.
    pub handed: Handed,
    /// For the operator.
    pub event: Option<ProofEvent>,
}

/// How far the proof of one container's counter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofState {
    /// The kernel gives nothing: the endpoint's values are handed on.
    NoKernel,
    /// Not proven yet: the endpoint's values are handed on.
    Unproven {
        /// Renewals that agreed and would have told a wrong counter.
        agreed: u32,
        /// How many of them it takes. It takes more if the clocks were never put to the
        /// test, because the counter stood still around each of them.
        needed: u32,
    },
    /// Proven: the kernel's values are handed on.
    Proven,
    /// Not proven, since the counter stands still by both sources: the kernel's value is
    /// handed on while it is still the one that the endpoint has.
    AtRest,
    /// The kernel's values did not agree: the endpoint's are handed on.
    Refuted {
        /// Renewals that agreed since.
        agreed: u32,
        /// How many it takes.
        needed: u32,
    },
    /// The endpoint said nothing for too long: nothing is handed on until it does.
    Silent,
}

/// Something to tell the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofEvent {
    /// From now on the kernel's values are handed on.
    Proven {
        /// What they are read from.
        tier: Tier,
        /// So many renewals agreed, one after another.
        agreed: u32,
    },
    /// The endpoint's counter was not where the kernel's values say that it was. From
    /// now on the endpoint's values are handed on.
    Refuted {
        /// What the kernel's values are read from.
        tier: Tier,
        /// The moment of the endpoint's counter.
        read: Timestamp,
        /// What it should have been at least, ns of CPU time.
        least_ns: u64,
        /// What it should have been at most, ns; `u64::MAX` if that was not known yet.
        most_ns: u64,
        /// What it was, ns.
        said_ns: u64,
        /// Values of the kernel were handed on since the renewal before: they may be
        /// wrong, and are not taken back.
        was_proven: bool,
        /// So many renewals must agree before the kernel is believed again.
        needed: u32,
    },
    /// No renewal has come for several cadences: the kernel's values are handed on
    /// without.
    WithoutEndpoint {
        /// Since the last renewal that agreed.
        since: Duration,
        /// For how long that goes on.
        left: Duration,
    },
    /// Renewals come again, and the first one agrees.
    EndpointBack,
    /// The kernel's values cannot be read any more: the endpoint's are handed on.
    Lost {
        /// What they were read from.
        tier: Tier,
    },
    /// No renewal has come for too long: nothing is handed on until one comes.
    GivenUp {
        /// What the kernel's values are read from.
        tier: Tier,
        /// Since the last renewal that agreed.
        since: Duration,
    },
}
