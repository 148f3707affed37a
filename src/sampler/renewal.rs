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
/// The period is known from this many renewals on, if its error is small enough. Fewer
/// can look regular by chance.
const RENEWALS_MIN: u64 = 6;
const PERIOD_PARTS: u64 = 33;
/// It is used if it is at least so many times the usual uncertainty: in that, scatter
/// could hide.
const GAPS_MIN: u64 = 3;
/// Two times that must differ, but by less than this part of the uncertainty, agree by
/// chance: the renewals scatter.
const SCATTER_PARTS: u64 = 200;
/// For so many changes after they scattered, the renewals have no period: a calm time
/// may be chance.
const DISTRUST: u32 = 64;
/// From so many periods without a change on, the counters are idle.
const IDLE_PERIODS: u64 = 3;
/// Ages of readings that are remembered.
const AGES: usize = 8;

/// An answer that has the counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerTimes {
    /// When it was asked for and when it came, ns on a clock that is never set: what it
    /// shows was read in between.
    pub(super) asked_ns: u64,
    pub(super) at_ns: u64,
    /// Its reading, if that is a new one.
    pub(super) reading: Option<NewReading>,
    /// How often there is a new one.
    pub(super) cadence_ns: Option<u64>,
}

/// A reading that no answer showed before.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewReading {
    /// Its `read`, ns.
    pub(super) read_ns: u64,
    /// How long before the answer came that was, by the wall clock.
    pub(super) age_ns: u64,
}

/// The answer that first showed a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the unit of each")]
pub(super) struct Change {
    /// When it came, ns on a clock that is never set.
    pub(super) at_ns: u64,
    /// How long before that the counters were surely older.
    pub(super) gap_ns: u64,
    /// `read` of the reading, ns, if the counters are renewed together with it: then
    /// they are as old as it says.
    pub(super) read_ns: Option<u64>,
}

/// Up to when answers showed the counters as they then were. An endpoint that replays
/// says nothing of them, and shows it only later: by the reading that does not come.
#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    /// When the last answer was asked for.
    asked_ns: Option<u64>,
    /// The answers are true up to here, unless they are a replay.
    until_ns: Option<u64>,
    /// They are true up to here in any case: a replay begins after its reading.
    sure_ns: u64,
    /// The last answer should have had a new reading.
    is_overdue: bool,
    /// So many answers in a row had a new reading.
    new_in_a_row: u32,
    /// When an answer last had a new reading.
    last_reading_ns: u64,
    ages_ns: [u64; AGES],
    ages: usize,
}

impl Truth {
    /// Takes in an answer. Gives the time up to which the ones before it are true.
    fn on_answer(&mut self, answer: AnswerTimes) -> Option<u64> {
        let AnswerTimes { asked_ns, at_ns, reading, cadence_ns } = answer;
        let last_asked_ns = self.asked_ns.replace(asked_ns);
        let until_ns =
            self.until_ns.map(|ns| if self.is_overdue { ns.min(self.sure_ns) } else { ns });
        let new_in_a_row = std::mem::take(&mut self.new_in_a_row);
        if let Some(reading) = reading {
            // It came after the answer that did not show it yet.
            let read_ns = at_ns.saturating_sub(reading.age_ns);
            self.sure_ns = read_ns.max(last_asked_ns.unwrap_or(0)).min(asked_ns);
            self.last_reading_ns = at_ns;
            self.new_in_a_row = new_in_a_row.saturating_add(1);
            self.is_overdue = false;
            // If each answer has a new reading, none will be missed: only its age tells.
            let is_doubtful = new_in_a_row >= 1 && self.is_unusual(reading.age_ns);
            self.ages_ns[self.ages % AGES] = reading.age_ns;
            self.ages += 1;
            self.until_ns = Some(if is_doubtful { self.sure_ns } else { asked_ns });
            return until_ns;
        }
        self.is_overdue |= new_in_a_row >= 2;
        let Some(cadence_ns) = cadence_ns else {
            self.until_ns = if self.is_overdue { self.until_ns } else { Some(asked_ns) };
            return until_ns;
        };
        let due_ns = self.sure_ns.saturating_add(cadence_ns.saturating_mul(103) / 100);
        self.is_overdue |= asked_ns > due_ns;
        // No poll of a round interval falls on this part of a cadence of 10 s or 20 s.
        if !self.is_overdue && 100 * at_ns.saturating_sub(self.last_reading_ns) <= 97 * cadence_ns {
            self.until_ns = Some(asked_ns);
        }
        until_ns
    }

    /// Whether a new reading is older than they usually are: the second oldest of the
    /// latest is usual.
    fn is_unusual(&self, age_ns: u64) -> bool {
        let count = self.ages.min(AGES);
        let mut sorted = self.ages_ns;
        sorted[..count].sort_unstable();
        let Some(usual_ns) = count.checked_sub(2).map(|place| sorted[place]) else { return true };
        age_ns > usual_ns.saturating_add(usual_ns / 4)
    }
}

/// The latest changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Renewal {
    changes: [Change; CHANGES],
    seen: usize,
    /// So many of them are of another source, which is renewed at another time.
    seen_before: usize,
    /// Of the intervals between them, those with an answer that showed no change, a
    /// bit each, the latest lowest.
    unchanged: u32,
    /// Answers since the last change, and new readings among them.
    answers: u32,
    readings: u32,
    shown: Truth,
    /// The period, and as it was known before the last change.
    period_ns: Option<u64>,
    period_before_ns: Option<u64>,
    /// As it was last seen, believed or not.
    known_ns: Option<u64>,
    /// For so many more changes no period is believed: the renewals scattered.
    distrust: u32,
    /// Since this change, each has come with a new reading.
    together_since_ns: Option<u64>,
}

/// What the latest changes say of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Known(u64),
    /// Nothing yet.
    Unknown,
    /// There is none.
    Scattered,
}

impl Renewal {
    /// Takes in an answer, and whether the counters are others than in the last one.
    /// Gives the change, if there is one.
    pub(super) fn on_answer(&mut self, answer: AnswerTimes, is_changed: bool) -> Option<Change> {
        let AnswerTimes { at_ns, reading, .. } = answer;
        let until_ns = self.shown.on_answer(answer);
        self.answers = self.answers.saturating_add(1);
        self.readings = self.readings.saturating_add(u32::from(reading.is_some()));
        let Some(until_ns) = until_ns else {
            (self.answers, self.readings) = (0, 0);
            return None;
        };
        if !is_changed {
            return None;
        }
        let gap_ns = at_ns.saturating_sub(until_ns);
        // Counters that change with the reading, while several answers bring
        // neither, are renewed with it; or as often as it is, by chance.
        let new_read_ns = reading.map(|reading| reading.read_ns);
        let read_ns = new_read_ns.filter(|_| self.readings == 1 && self.answers >= 3);
        if read_ns.is_none() {
            self.together_since_ns = None;
        } else if self.together_since_ns.is_none() {
            self.together_since_ns = Some(at_ns);
        }
        let change = Change { at_ns, gap_ns, read_ns };
        self.changes[self.seen % CHANGES] = change;
        self.seen += 1;
        self.unchanged = self.unchanged << 1 | u32::from(self.answers >= 2);
        (self.answers, self.readings) = (0, 0);
        let (period_ns, distrust) = match self.infer() {
            Period::Scattered => (None, DISTRUST),
            Period::Unknown => (None, self.distrust.saturating_sub(1)),
            Period::Known(ns) => (Some(ns), self.distrust.saturating_sub(1)),
        };
        self.known_ns = period_ns.or(self.known_ns);
        self.period_before_ns = self.period_ns;
        self.period_ns = period_ns.filter(|_| distrust == 0);
        self.distrust = distrust;
        Some(change)
    }

    /// The host's clock was set: no two `read`s across that moment can be compared.
    pub(super) fn forget_reads(&mut self) {
        self.together_since_ns = None;
    }

    /// The counters are those of another source from here on.
    pub(super) fn on_source(&mut self) {
        self.seen_before = self.seen;
        self.period_ns = None;
        self.together_since_ns = None;
    }

    fn together_parts(&self) -> u64 {
        if self.distrust == 0 { 2 * PARTS } else { 16 * PARTS }
    }

    /// What passed from the renewal that `from` showed to the one that `to` showed,
    /// ns. `None` if it is not known well enough. `to` is the latest change.
    pub(super) fn elapsed_ns(&self, from: Change, to: Change) -> Option<u64> {
        let span_ns = to.at_ns.checked_sub(from.at_ns)?;
        let error_ns = from.gap_ns.max(to.gap_ns);
        if let (Some(earlier), Some(later)) = (from.read_ns, to.read_ns)
            && let Some(since_ns) = self.together_since_ns.filter(|&since| since <= from.at_ns)
            // For so long, by chance, only at the same rate, and if both are regular.
            && to.at_ns - since_ns >= error_ns.saturating_mul(self.together_parts())
            && later > earlier
        {
            return Some(later - earlier);
        }
        let usual_ns = from.gap_ns.min(to.gap_ns);
        let is_fine =
            |period_ns: &u64| *period_ns >= GAPS_MIN * usual_ns && 8 * *period_ns >= 9 * error_ns;
        let is_long = error_ns.saturating_mul(PARTS) <= span_ns;
        // A change that does not fit the period that was known so far was shown late.
        let period_ns = self.period_before_ns.filter(|_| self.distrust == 0).or(self.period_ns);
        let Some(period_ns) = period_ns.filter(is_fine) else {
            return is_long.then_some(span_ns);
        };
        // The only number of periods that fits, the period's own error included.
        let fits = |periods: &u64| {
            let ns = periods * period_ns;
            ns.abs_diff(span_ns) < error_ns + ns / PERIOD_PARTS
        };
        let mut fitting = (1..=span_ns / period_ns + 2).filter(fits);
        let periods = fitting.next()?;
        if fitting.next().is_some() {
            return is_long.then_some(span_ns);
        }
        Some(periods * period_ns)
    }

    /// The time between two renewals, if they are regular and have been seen one by
    /// one.
    pub(super) fn period_ns(&self) -> Option<u64> {
        self.period_ns
    }

    fn latest(&self, back: usize) -> Change {
        self.changes[(self.seen - 1 - back) % CHANGES]
    }

    fn infer(&self) -> Period {
        let intervals = (self.seen - self.seen_before).min(CHANGES).saturating_sub(1);
        // If each answer shows a change, there may be more renewals than answers.
        let unchanged = (self.unchanged & ((1 << intervals) - 1)).count_ones();
        if intervals < 2 || (unchanged as usize) * 8 < intervals {
            return Period::Unknown;
        }
        let interval_ns = |back: usize| self.latest(back).at_ns - self.latest(back + 1).at_ns;
        let Some(shortest_ns) = (0..intervals).map(interval_ns).min() else {
            return Period::Unknown;
        };
        // Each change a renewal; or some renewals without bytes in between.
        let span_ns = self.latest(0).at_ns - self.latest(intervals).at_ns;
        let mean_ns = span_ns / intervals as u64;
        let tried = [mean_ns, shortest_ns].map(|guess_ns| self.try_period(guess_ns, intervals));
        if let Some(known) = tried.into_iter().find(|tried| matches!(tried, Period::Known(_))) {
            return known;
        }
        let is_refuted = self
            .known_ns
            .is_some_and(|known_ns| self.try_period(known_ns, intervals) == Period::Scattered);
        let is_scattered = tried == [Period::Scattered; 2] && intervals as u64 >= RENEWALS_MIN;
        if is_refuted || is_scattered { Period::Scattered } else { Period::Unknown }
    }

    /// Whether all changes fit renewals about so often.
    fn try_period(&self, guess_ns: u64, intervals: usize) -> Period {
        if guess_ns == 0 {
            return Period::Scattered;
        }
        let interval_ns = |back: usize| self.latest(back).at_ns - self.latest(back + 1).at_ns;
        let periods_in = |ns: u64| ((ns + guess_ns / 2) / guess_ns).max(1);
        // Each two changes say how long the period is at least and at most.
        let (mut least_ns, mut most_ns) = (0, u64::MAX);
        for first in 0..intervals {
            let later = self.latest(first);
            let mut periods = 0;
            for back in first..intervals {
                periods += periods_in(interval_ns(back));
                let earlier = self.latest(back + 1);
                let ns = later.at_ns - earlier.at_ns;
                // Answers overlap by what they take.
                let spare_ns = (later.gap_ns + earlier.gap_ns) / SCATTER_PARTS;
                least_ns = least_ns.max((ns + spare_ns).saturating_sub(later.gap_ns) / periods);
                most_ns = most_ns.min((ns + earlier.gap_ns).saturating_sub(spare_ns) / periods);
            }
        }
        if least_ns >= most_ns {
            return Period::Scattered;
        }
        let periods: u64 = (0..intervals).map(|back| periods_in(interval_ns(back))).sum();
        let span_ns = self.latest(0).at_ns - self.latest(intervals).at_ns;
        let period_ns = (span_ns / periods).clamp(least_ns, most_ns).max(1);
        // Each interval can be no other number of periods.
        let is_clear = (0..intervals).all(|back| {
            let (ns, gap_ns) =
                (interval_ns(back), self.latest(back).gap_ns.max(self.latest(back + 1).gap_ns));
            let fits = |periods: u64| (periods * period_ns).abs_diff(ns) <= gap_ns;
            let periods = periods_in(ns);
            !fits(periods + 1) && (periods == 1 || !fits(periods - 1))
        });
        // Renewals that were not seen are counted only if their number is beyond doubt.
        let gap_max_ns = (0..=intervals).map(|back| self.latest(back).gap_ns).max().unwrap_or(0);
        let is_certain = periods == intervals as u64 || 2 * period_ns >= 5 * gap_max_ns;
        let error_ns = (most_ns - period_ns).max(period_ns - least_ns);
        let is_precise = error_ns.saturating_mul(PERIOD_PARTS) <= period_ns;
        if is_clear && is_certain && is_precise && periods >= RENEWALS_MIN {
            Period::Known(period_ns)
        } else {
            Period::Unknown
        }
    }

    /// At an answer without a change since `from`: a later renewal, if the counters
    /// have been idle for so long that their renewals can be counted.
    pub(super) fn idle_since(&self, from: Change) -> Option<Change> {
        let period_ns = self.period_ns?;
        let since_ns = self.shown.last_reading_ns.checked_sub(from.at_ns + from.gap_ns)?;
        let periods = since_ns / period_ns;
        (periods >= IDLE_PERIODS).then(|| Change {
            at_ns: from.at_ns + periods * period_ns,
            read_ns: None,
            ..from
        })
    }
}

#[cfg(test)]
mod tests;
