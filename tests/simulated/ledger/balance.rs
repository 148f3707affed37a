//! What must add up in the end, between the books and ESP's own figures.

use std::time::Duration;

use esp::{
    publisher::{OUTCOMES, Outcome},
    sample::own_figures::{OwnFigures, Scope},
};

use super::{Fate, Key, Ledger};

/// Between two samples, with the kernel: three renewals of the slowest agent, since after
/// one that contradicts the kernel there is no difference.
const GAP_MAX: Duration = Duration::from_secs(32);

impl Ledger {
    /// Holds the figures of an ESP that keeps at most `capacity` samples against
    /// the books.
    pub(crate) fn balance(&mut self, at: Duration, figures: &OwnFigures, capacity: u64) {
        let mut equal = |what: &str, ours: u64, theirs: u64| {
            if ours != theirs {
                self.complain(at, format_args!("{what}: {ours} in the books, {theirs} by ESP"));
            }
        };
        equal(
            "taken = published + dropped + ambiguous + backlog",
            figures.published
                + figures.dropped(Scope::Cloudwatch)
                + figures.ambiguous
                + figures.backlog,
            figures.taken,
        );
        let accepted = self.told_samples[Outcome::Accepted as usize];
        let all = [
            ("published", accepted, figures.published),
            ("ambiguous", self.used_up, figures.ambiguous),
            ("sent again", self.sent_again, figures.sent_again),
        ];
        for (what, ours, theirs) in all {
            if ours != theirs {
                self.complain(at, format_args!("{what}: {ours} in the books, {theirs} by ESP"));
            }
        }
        for outcome in OUTCOMES {
            let (ours, theirs) = (self.told(outcome), outcome.requests(figures));
            // Without a key no request is made at all.
            let is_known = outcome != Outcome::Credentials || theirs < ours;
            if ours != theirs && is_known {
                self.complain(
                    at,
                    format_args!("{outcome:?}: {ours} in the books, {theirs} by ESP"),
                );
            }
        }
        if self.refused_singly != figures.dropped_refused {
            let (ours, theirs) = (self.refused_singly, figures.dropped_refused);
            self.complain(at, format_args!("refused: {ours} in the books, {theirs} by ESP"));
        }
        self.ticks_held += self.passed();
        if self.ticks_held != figures.missed_ticks && self.terms.kernel.is_none() {
            let (ours, theirs) = (self.ticks_held, figures.missed_ticks);
            self.complain(
                at,
                format_args!("ticks: {ours} held by the endpoint, {theirs} missed by ESP"),
            );
        }
        let twice = self.accepted_again();
        let again = figures.sent_again + figures.unconfirmed;
        if twice > again {
            self.complain(at, format_args!("{twice} accepted again, {again} sent again"));
        }
        let is_full = self.waiting_max >= capacity || !self.terms.is_all_known;
        if figures.dropped_full > 0 && !is_full {
            let (max, dropped) = (self.waiting_max, figures.dropped_full);
            self.complain(at, format_args!("{dropped} dropped, of {max} at most"));
        }
        // Of what waited at the worst moment, more than the room is dropped.
        let over = self.waiting_max.saturating_sub(capacity);
        if figures.dropped(Scope::Cloudwatch) < over {
            let dropped = figures.dropped(Scope::Cloudwatch);
            self.complain(at, format_args!("{over} too many waited, {dropped} were dropped"));
        }
        // A request under way comes on top.
        if figures.backlog > capacity + 1000 {
            self.complain(at, format_args!("{} kept, in place of {capacity}", figures.backlog));
        }
        let is_lost = |fate: &Fate| fate.given_ms.is_some() && fate.told == 0 && !fate.is_used_up();
        let lost = self.fates.iter().filter(|(_, fate)| is_lost(fate));
        let first = lost.clone().min_by_key(|(_, fate)| fate.given_ms);
        let (lost, first) = (lost.count() as u64, first.map(|(key, fate)| (*key, *fate)));
        let accounted = figures.dropped(Scope::Cloudwatch) + figures.backlog;
        if lost > accounted {
            let first = first.unwrap();
            self.complain(
                at,
                format_args!("{lost} lost, {accounted} accounted for; the first: {first:?}"),
            );
        }
    }

    /// After the signal there was a last sample to take.
    pub(crate) fn check_last_sample(&mut self, at: Duration) {
        if !self.is_last_asked {
            self.complain(at, "no last sample was asked for");
        }
    }

    /// Each sample that was given since then is accepted, as far as ESP knows.
    pub(crate) fn all_told_since(&mut self, at: Duration, since: Duration) {
        let since_ms = u32::try_from(since.as_millis()).unwrap();
        if self.terms.kernel.is_some() {
            self.no_gap_since(at, since_ms);
            return;
        }
        let is_due = |fate: &&Fate| fate.given_ms.is_some_and(|given_ms| given_ms >= since_ms);
        let due = self.fates.values().filter(is_due).count();
        let untold = self.fates.values().filter(is_due).filter(|fate| fate.told == 0).count();
        if untold > 0 || due == 0 {
            self.complain(
                at,
                format_args!("{untold} of {due} samples of the calm are not accepted"),
            );
        }
    }

    /// With the kernel ESP chooses the moments. There have to be some, one after another.
    fn no_gap_since(&mut self, at: Duration, since_ms: u32) {
        let gap_max_ms = GAP_MAX.max(self.terms.sample_interval * 3).as_millis();
        let places = (0..self.terms.containers.len()).map(|place| u16::try_from(place).unwrap());
        let containers: Vec<_> =
            if self.terms.is_one { vec![None] } else { places.map(Some).collect() };
        let metric = self.metric("CPUUtilization");
        for container in containers {
            let is_told = |(key, fate): &(&Key, &Fate)| {
                key.metric == metric
                    && key.container == container
                    && fate.told > 0
                    && fate.offered_ms.is_some_and(|offered_ms| offered_ms >= since_ms)
            };
            let told = self.fates.iter().filter(is_told);
            let mut moments: Vec<_> = told.filter_map(|(_, fate)| fate.offered_ms).collect();
            moments.push(since_ms);
            moments.push(u32::try_from(at.as_millis()).unwrap());
            moments.sort_unstable();
            let gap_ms = moments.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            if u128::from(gap_ms) > gap_max_ms {
                self.complain(at, format_args!("{container:?}: no sample for {gap_ms} ms"));
            }
        }
    }
}
