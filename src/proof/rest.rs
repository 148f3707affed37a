//! A container at rest. Its counter stands still, which proves nothing of the kernel's: a
//! frozen one would look the same. But while the kernel's counter and the endpoint's both
//! stand still, both say that the container uses nothing. So the kernel's value is as good
//! as the endpoint's, and a sum need not wait for that.
//!
//! Only that one value is believed, and only while the kernel still gives it. When the
//! container works again, its counter has to be proven as any other. If the kernel's is
//! frozen, the first renewal after that tells.

use super::history::Bracket;
use crate::reading::Tier;

/// By how much the growth by both may differ: a part of it, and so many ns besides.
const SLACK_PARTS: u64 = 33;
const SLACK_NS: u64 = 30_000_000;

/// What both said at a renewal around which the kernel's counter stood still, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Still {
    kernel_ns: u64,
    said_ns: u64,
}

/// Renewals at rest, one after another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// How many were.
    renewals: u32,
    last: Option<Still>,
    /// The endpoint has said another value since the last.
    is_over: bool,
}

impl Rest {
    /// Takes in a reading of the endpoint that agreed with the kernel's values around it.
    ///
    /// A cgroup file has to give the endpoint's own number, to the nanosecond: no other
    /// container has that. The sum over processes counts from elsewhere: both have to stand
    /// still since the renewal before.
    pub(super) fn on_agreement(&mut self, tier: Tier, said_ns: u64, around: Bracket) {
        let (Some(before), Some(after)) = (around.before, around.after) else { return };
        let still = Still { kernel_ns: before.total_ns, said_ns };
        let stands = before.total_ns == after.total_ns && said_ns > 0;
        let is_at_rest = match tier {
            Tier::CgroupFile => stands && still.kernel_ns == said_ns,
            Tier::Processes => stands && self.last == Some(still),
        };
        self.renewals = if is_at_rest { self.renewals.saturating_add(1) } else { 0 };
        self.last = stands.then_some(still);
        self.is_over = false;
    }

    /// The endpoint says so much: it is at rest no more, if that is another value.
    pub(super) fn on_endpoint(&mut self, said_ns: u64) {
        self.is_over |= self.last.is_some_and(|still| still.said_ns != said_ns);
    }

    /// Whether the endpoint's counter has grown as the kernel's has since both stood still,
    /// by as much as can be told of the sum over processes within a short time.
    pub(super) fn agrees_since(self, said_ns: u64, around: Bracket) -> bool {
        let (Some(before), Some(after), Some(still)) = (around.before, around.after, self.last)
        else {
            return false;
        };
        let slack_ns = |grown_ns: u64| grown_ns / SLACK_PARTS + SLACK_NS;
        let least_ns = before.total_ns.saturating_sub(still.kernel_ns);
        let most_ns = after.total_ns.saturating_sub(still.kernel_ns);
        let said_ns = said_ns.saturating_sub(still.said_ns);
        said_ns.saturating_add(slack_ns(least_ns)) >= least_ns
            && said_ns <= most_ns.saturating_add(slack_ns(most_ns))
    }

    /// What the endpoint's counter is while the kernel gives `kernel_ns`, if `needed`
    /// renewals at rest have told.
    pub(super) fn total_ns(self, kernel_ns: u64, needed: u32) -> Option<u64> {
        let still = self.last.filter(|still| still.kernel_ns == kernel_ns && !self.is_over)?;
        (self.renewals >= needed).then_some(still.said_ns)
    }
}
