//! How long ago counters were renewed that are renewed by a clock of their own: the
//! network counters of an awsvpc task. The agent does that every
//! `ECS_POLLING_METRICS_WAIT_DURATION`, whether it polls or streams, and the answers
//! do not say when. So what passed between two renewals is inferred from when answers
//! first showed a change, and only said if it is known to within a twentieth. Pure:
//! times in, times out.

/// Changes that are remembered.
const CHANGES: usize = 16;
/// A time is known if the uncertainty is at most one part of this many.
const PARTS: u64 = 20;
/// The period is known from this many renewals on, if its error is small enough.
const RENEWALS_MIN: u64 = 3;
const PERIOD_PARTS: u64 = 33;
/// From so many periods without a change on, the counters are idle.
const IDLE_PERIODS: u64 = 3;

/// The answer that first showed a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the unit of each")]
pub(super) struct Change {
    /// When it came, ns on a clock that is never set.
    pub(super) at_ns: u64,
    /// How long before that the answer was asked for that did not show it yet.
    pub(super) gap_ns: u64,
    /// `read` of the reading, ns, if the counters are renewed together with it: then
    /// they are as old as it says.
    pub(super) read_ns: Option<u64>,
}

/// The latest changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal {
    changes: [Change; CHANGES],
    seen: usize,
    /// Of the intervals between them, those with an answer that showed no change, a
    /// bit each, the latest lowest.
    unchanged: u32,
    /// Answers since the last change, and new readings among them.
    answers: u32,
    readings: u32,
    /// When the last answer was asked for, and when one last had a new reading: an
    /// endpoint that replays says nothing of the counters.
    last_asked_ns: Option<u64>,
    last_reading_ns: u64,
    /// The period as it was known before the last change.
    period_before_ns: Option<u64>,
    /// Since this change, each has come with a new reading.
    together_since_ns: Option<u64>,
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            changes: [Change::default(); CHANGES],
            seen: 0,
            unchanged: 0,
            answers: 0,
            readings: 0,
            last_asked_ns: None,
            last_reading_ns: 0,
            period_before_ns: None,
            together_since_ns: None,
        }
    }
}

impl Renewal {
    /// Takes in an answer that was asked for at `asked_ns` and came at `at_ns`: what it
    /// shows was read in between. `new_read_ns` is the `read` of the reading, if that is
    /// a new one, and `cadence_ns` how often that is. Gives the change, if there is one.
    pub(super) fn on_answer(
        &mut self,
        asked_ns: u64,
        at_ns: u64,
        is_changed: bool,
        new_read_ns: Option<u64>,
        cadence_ns: Option<u64>,
    ) -> Option<Change> {
        if new_read_ns.is_some() {
            self.last_reading_ns = at_ns;
        }
        let last_asked_ns = self.last_asked_ns;
        // An answer that should have had a new reading and has none may be a replay of
        // all that is in it. No poll of a round interval falls on this part of a
        // cadence of 10 s or 20 s.
        let since_reading_ns = at_ns.saturating_sub(self.last_reading_ns);
        if cadence_ns.is_none_or(|cadence_ns| 100 * since_reading_ns <= 97 * cadence_ns) {
            self.last_asked_ns = Some(asked_ns);
        }
        self.answers = self.answers.saturating_add(1);
        self.readings = self.readings.saturating_add(u32::from(new_read_ns.is_some()));
        let Some(last_asked_ns) = last_asked_ns else {
            (self.answers, self.readings) = (0, 0);
            return None;
        };
        if !is_changed {
            return None;
        }
        let gap_ns = at_ns.saturating_sub(last_asked_ns);
        // Counters that change with the reading, while several answers bring
        // neither, are renewed with it; or as often as it is, by chance.
        let read_ns = new_read_ns.filter(|_| self.readings == 1 && self.answers >= 3);
        if read_ns.is_none() {
            self.together_since_ns = None;
        } else if self.together_since_ns.is_none() {
            self.together_since_ns = Some(at_ns);
        }
        let change = Change { at_ns, gap_ns, read_ns };
        self.period_before_ns = self.period_ns();
        self.changes[self.seen % CHANGES] = change;
        self.seen += 1;
        self.unchanged = self.unchanged << 1 | u32::from(self.answers >= 2);
        (self.answers, self.readings) = (0, 0);
        Some(change)
    }

    /// The host's clock was set: no two `read`s across that moment can be compared.
    pub(super) fn forget_reads(&mut self) {
        self.together_since_ns = None;
    }

    /// What passed from the renewal that `from` showed to the one that `to` showed,
    /// ns. `None` if it is not known well enough. `to` is the latest change.
    pub(super) fn elapsed_ns(&self, from: Change, to: Change) -> Option<u64> {
        let span_ns = to.at_ns.checked_sub(from.at_ns)?;
        let error_ns = from.gap_ns.max(to.gap_ns);
        if let (Some(earlier), Some(later)) = (from.read_ns, to.read_ns)
            && let Some(since_ns) = self.together_since_ns.filter(|&since| since <= from.at_ns)
            // For so long, by chance, only at the same rate.
            && to.at_ns - since_ns >= error_ns.saturating_mul(2 * PARTS)
            && later > earlier
        {
            return Some(later - earlier);
        }
        // A change that does not fit the period that was known so far was shown late.
        let Some(period_ns) = self.period_before_ns.or_else(|| self.period_ns()) else {
            return (error_ns.saturating_mul(PARTS) <= span_ns).then_some(span_ns);
        };
        if 8 * period_ns < 9 * error_ns {
            return (error_ns.saturating_mul(PARTS) <= span_ns).then_some(span_ns);
        }
        // The only number of periods that fits, the period's own error included.
        let fits = |periods: &u64| {
            let ns = periods * period_ns;
            ns.abs_diff(span_ns) < error_ns + ns / PERIOD_PARTS
        };
        let mut fitting = (1..=span_ns / period_ns + 2).filter(fits);
        let periods = fitting.next()?;
        fitting.next().is_none().then_some(periods * period_ns)
    }

    /// The time between two renewals, if they are regular and have been seen one by
    /// one.
    pub(super) fn period_ns(&self) -> Option<u64> {
        let count = self.seen.min(CHANGES);
        let latest = |back: usize| self.changes[(self.seen - 1 - back) % CHANGES];
        let intervals = count.checked_sub(1).filter(|&intervals| intervals > 0)?;
        // If each answer shows a change, there may be more renewals than answers.
        let unchanged = (self.unchanged & ((1 << intervals) - 1)).count_ones();
        if unchanged * 8 < u32::try_from(intervals).ok()? {
            return None;
        }
        let span_ns = latest(0).at_ns - latest(intervals).at_ns;
        let error_ns = latest(0).gap_ns.max(latest(intervals).gap_ns);
        let interval_ns = |back: usize| latest(back).at_ns - latest(back + 1).at_ns;
        let shortest_ns = (0..intervals).map(interval_ns).min()?;
        // Each change a renewal; or some renewals without bytes in between.
        let mean_ns = span_ns / intervals as u64;
        [mean_ns, shortest_ns].into_iter().find_map(|guess_ns| {
            if guess_ns == 0 {
                return None;
            }
            let periods_in = |ns: u64| ((ns + guess_ns / 2) / guess_ns).max(1);
            let periods: u64 = (0..intervals).map(|back| periods_in(interval_ns(back))).sum();
            let period_ns = span_ns / periods;
            // Each interval is that many periods, and can be no other number of them.
            let is_regular = (0..intervals).all(|back| {
                let (ns, gap_ns) =
                    (interval_ns(back), latest(back).gap_ns.max(latest(back + 1).gap_ns));
                let fits = |periods: u64| (periods * period_ns).abs_diff(ns) <= gap_ns;
                let periods = periods_in(ns);
                fits(periods) && !fits(periods + 1) && (periods == 1 || !fits(periods - 1))
            });
            // Renewals that were not seen are counted only if their number is beyond doubt.
            let gap_max_ns = (0..=intervals).map(|back| latest(back).gap_ns).max().unwrap_or(0);
            let is_certain = periods == intervals as u64 || 2 * period_ns >= 5 * gap_max_ns;
            let is_precise = error_ns.saturating_mul(PERIOD_PARTS) <= span_ns;
            (is_regular && is_certain && is_precise && periods >= RENEWALS_MIN).then_some(period_ns)
        })
    }

    /// At an answer without a change since `from`: a later renewal, if the counters
    /// have been idle for so long that their renewals can be counted.
    pub(super) fn idle_since(&self, from: Change) -> Option<Change> {
        let period_ns = self.period_ns()?;
        let since_ns = self.last_reading_ns.checked_sub(from.at_ns + from.gap_ns)?;
        let periods = since_ns / period_ns;
        (periods >= IDLE_PERIODS).then(|| Change {
            at_ns: from.at_ns + periods * period_ns,
            read_ns: None,
            ..from
        })
    }
}

#[cfg(test)]
#[path = "renewal/tests.rs"]
mod tests;
