//! Which values of the kernel are believed. A container's CPU counter can be read from
//! the kernel at any moment. The endpoint gives the same counter now and then, with its
//! moment: each time, it must lie between the kernel's values before and after that
//! moment. Until that was so often enough, and after it was not once, the endpoint's
//! values are handed on and the kernel's are not. Pure: the time is told, not read.

mod comparison;
mod containers;
mod counter;
mod estimate;
mod event;
mod exact;
mod handing;
mod history;
mod made;
mod rest;
mod task;

use std::time::Duration;

pub use self::{
    comparison::{Compared, Comparison},
    containers::{ContainerEvent, ContainerValue, Proofs},
    counter::CounterProof,
    event::{Handed, ProofEvent, ProofOutcome, ProofState},
    history::KernelValue,
    task::{COMPARISONS_NEEDED, TaskEstimate, TaskEvent},
};
use crate::reading::Tier;

/// So many renewals must agree before the first value of the kernel is handed on.
pub const AGREEMENTS_NEEDED: u32 = 3;
/// And so many after one that did not.
pub const AGREEMENTS_NEEDED_AGAIN: u32 = 10;
/// For how long exact values go on without the endpoint. Docker hangs when the host is
/// overloaded, and that is when they matter.
pub const SILENCE_MAX: Duration = Duration::from_mins(10);
/// For how long estimates do.
pub const SILENCE_MAX_OF_ESTIMATES: Duration = Duration::from_mins(1);

const fn silence_max(tier: Tier) -> Duration {
    match tier {
        Tier::CgroupFile => SILENCE_MAX,
        Tier::Processes => SILENCE_MAX_OF_ESTIMATES,
    }
}

#[cfg(test)]
mod tests;
