//! The machine's busy time beside the sum of what the endpoint says of the containers,
//! over the same time: for `esp check --source`. Pure: the times are told.

use super::{
    history::{KernelValue, between},
    made::to_f64,
};
use crate::time::Timestamp;

/// So many readings of a container are two renewals.
const READINGS_NEEDED: usize = 3;
/// More than a probe takes.
const VALUES_MAX: usize = 1024;

/// What was said, for as long as a probe takes.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Of the machine: time and busy time, ns.
    machine: Vec<(u64, u64)>,
    /// Of each container, by its Docker id: time and CPU time, ns.
    tracks: Vec<(String, Vec<(u64, u64)>)>,
}

/// Both over a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// Seconds.
    pub seconds: f64,
    /// CPUs that the machine was busy on.
    pub machine_cpus: f64,
    /// CPUs that the containers used.
    pub containers_cpus: f64,
}

impl Comparison {
    /// A value of the machine's busy time. They come in the order of their times.
    pub fn on_machine(&mut self, value: KernelValue) {
        push(&mut self.machine, value.middle_ns(), value.total_ns);
    }

    /// What the endpoint says of a container; repeated readings are left out.
    pub fn on_endpoint(&mut self, docker_id: &str, read: Timestamp, total_ns: u64) {
        let known = self.tracks.iter().position(|(known, _)| known == docker_id);
        let place = known.unwrap_or_else(|| {
            self.tracks.push((docker_id.to_owned(), Vec::new()));
            self.tracks.len() - 1
        });
        push(&mut self.tracks[place].1, read.unix_ns(), total_ns);
    }

    /// Whether two renewals of this container have come.
    #[must_use]
    pub fn has_two_renewals(&self, docker_id: &str) -> bool {
        let mut complete = self.complete();
        complete.any(|(known, _)| known == docker_id)
    }

    /// Whether anything of this container has come.
    #[must_use]
    pub fn has_any(&self, docker_id: &str) -> bool {
        self.tracks.iter().any(|(known, _)| known == docker_id)
    }

    /// Both in the first half and in the second half of the time over which everything is
    /// known of the containers with two renewals; `None` if there is no such time.
    #[must_use]
    pub fn halves(&self) -> Option<[Compared; 2]> {
        let ends =
            |(_, values): &(String, Vec<(u64, u64)>)| Some((values.first()?.0, values.last()?.0));
        let machine = (self.machine.first()?.0, self.machine.last()?.0);
        let all = || self.complete().filter_map(ends).chain([machine]);
        let (from, to) = (all().map(|it| it.0).max()?, all().map(|it| it.1).min()?);
        if self.complete().next().is_none() || from >= to {
            return None;
        }
        let middle = from + (to - from) / 2;
        Some([self.over(from, middle)?, self.over(middle, to)?])
    }

    fn complete(&self) -> impl Iterator<Item = &(String, Vec<(u64, u64)>)> {
        self.tracks.iter().filter(|(_, values)| values.len() >= READINGS_NEEDED)
    }

    fn over(&self, from: u64, to: u64) -> Option<Compared> {
        let elapsed = to_f64(to - from);
        let cpus = |values: &[(u64, u64)]| {
            let grown = at(values, to)?.saturating_sub(at(values, from)?);
            Some(to_f64(grown) / elapsed)
        };
        Some(Compared {
            seconds: elapsed / 1e9,
            machine_cpus: cpus(&self.machine)?,
            containers_cpus: self.complete().map(|(_, values)| cpus(values)).sum::<Option<_>>()?,
        })
    }
}

/// Adds a value that is later than the last one. A counter that fell begins anew.
fn push(values: &mut Vec<(u64, u64)>, at_ns: u64, total_ns: u64) {
    match values.last() {
        Some((last_ns, _)) if at_ns <= *last_ns => return,
        Some((_, last)) if total_ns < *last => values.clear(),
        _ => {}
    }
    if values.len() < VALUES_MAX {
        values.push((at_ns, total_ns));
    }
}

/// What a counter was, as if it grew evenly from one value to the next.
fn at(values: &[(u64, u64)], at_ns: u64) -> Option<u64> {
    let after = values.iter().position(|(ns, _)| *ns >= at_ns)?;
    match values[after] {
        (ns, total_ns) if ns == at_ns => Some(total_ns),
        later => between(values[after.checked_sub(1)?], later, at_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at_s(tenths: u64) -> Timestamp {
        Timestamp::from_unix_ns(tenths * SECOND / 10)
    }

    /// A machine that is busy on 0.6 CPUs, then on 1.1; each second.
    fn machine(comparison: &mut Comparison) {
        for second in 0..=40_u64 {
            let total_ns = (second.min(20) * 6 + second.saturating_sub(20) * 11) * SECOND / 10;
            let at = at_s(second * 10);
            comparison.on_machine(KernelValue { from: at, to: at, total_ns });
        }
    }

    #[test]
    fn containers_with_phases_of_their_own_are_added_up_over_the_same_time() {
        let mut comparison = Comparison::default();
        machine(&mut comparison);
        for renewal in 0..=3_u64 {
            comparison.on_endpoint("a", at_s(renewal * 100), renewal * 3 * SECOND);
            comparison.on_endpoint("a", at_s(renewal * 100), renewal * 3 * SECOND);
            comparison.on_endpoint("b", at_s(renewal * 100 + 30), renewal * 2 * SECOND);
        }
        assert!(comparison.has_two_renewals("a") && !comparison.has_two_renewals("c"));
        // From 3 s to 30 s.
        let [first, second] = comparison.halves().unwrap();
        assert!((first.seconds - 13.5).abs() < 1e-6, "{first:?}");
        assert!((first.containers_cpus - 0.5).abs() < 1e-6, "{first:?}");
        assert!((first.machine_cpus - 0.6).abs() < 1e-6, "{first:?}");
        assert!((second.machine_cpus - (3.5 * 0.6 + 10.0 * 1.1) / 13.5).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_said_of_less_than_two_renewals_or_without_the_machine() {
        let mut comparison = Comparison::default();
        comparison.on_endpoint("a", at_s(0), 0);
        comparison.on_endpoint("a", at_s(100), SECOND);
        machine(&mut comparison);
        assert_eq!(comparison.halves(), None);
        let mut comparison = Comparison::default();
        for renewal in 0..4_u64 {
            comparison.on_endpoint("a", at_s(renewal * 100), renewal);
        }
        assert_eq!(comparison.halves(), None);
    }

    #[test]
    fn a_counter_that_fell_begins_anew() {
        let mut comparison = Comparison::default();
        for (renewal, total_ns) in [(0, 9 * SECOND), (1, SECOND), (2, 2 * SECOND)] {
            comparison.on_endpoint("a", at_s(renewal * 100), total_ns);
        }
        assert!(!comparison.has_two_renewals("a"));
    }
}
