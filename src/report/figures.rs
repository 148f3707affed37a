//! What ESP counts of itself, in one place: for the minute's line in the log, for
//! its metrics about itself, and for the end.

use crate::{
    output::LineFigures,
    publisher::{OUTCOMES, PublisherFigures},
    sample::metric::{Metric, OWN, Sample},
    sampler::SamplerFigures,
    settings::Outputs,
    time::Now,
};

/// All of it, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What the sampler counts.
    pub sampler: SamplerFigures,
    /// Polls of the endpoint that were begun.
    pub polls: u64,
    /// Polls in which the endpoint failed: no answer, or none that can be read.
    pub failed_polls: u64,
    /// Moments to poll that passed without one.
    pub missed_ticks: u64,
    /// What the publisher counts.
    pub publisher: PublisherFigures,
    /// Samples that wait for CloudWatch, or are under way, at the moment.
    pub backlog: u64,
    /// Those of the backlog that CloudWatch may have: sent, and not answered so far.
    pub unconfirmed: u64,
    /// What the lines on stdout count.
    pub lines: LineFigures,
    /// Which of them there are.
    pub outputs: Outputs,
}

impl Figures {
    /// The age of the newest sample that CloudWatch has, milliseconds.
    #[must_use]
    pub fn newest_published_age_ms(&self, now: Now) -> Option<u64> {
        let age_ns = now.wall.ns_since(self.publisher.newest_published?)?;
        Some(age_ns / 1_000_000)
    }

    /// The figures as samples of the metrics about ESP itself, counts as what
    /// was added since `before`. An age without a published sample is left out,
    /// and so is what is about an output that there is none of.
    pub fn samples(&self, before: &Self, now: Now) -> impl Iterator<Item = Sample> {
        let counts = self.counts().into_iter().zip(before.counts());
        let counts = counts.map(|(after, before)| Some(after.saturating_sub(before)));
        let present = [Some(self.backlog), self.newest_published_age_ms(now)];
        let all = OWN.into_iter().zip(counts.chain(present));
        all.filter(|(metric, _)| self.has(*metric)).filter_map(move |(metric, value)| {
            Some(Sample { read: now.wall, value: to_f64(value?), metric, container: None })
        })
    }

    /// Whether the metric is about what this ESP does.
    fn has(&self, metric: Metric) -> bool {
        match metric {
            Metric::OwnSkippedDuplicate
            | Metric::OwnSkippedNoData
            | Metric::OwnSkippedReset
            | Metric::OwnSkippedMalformed
            | Metric::OwnPollsFailed
            | Metric::OwnTicksMissed => true,
            Metric::OwnStdoutLines | Metric::OwnStdoutSamples | Metric::OwnStdoutDropped => {
                self.outputs.lines.is_some()
            }
            _ => self.outputs.cloudwatch,
        }
    }

    /// What only grows, in the order of [`OWN`].
    fn counts(&self) -> [u64; COUNTS] {
        let Self { sampler, publisher, lines, .. } = self;
        let others = [
            publisher.taken,
            publisher.published,
            sampler.duplicates,
            sampler.no_data,
            sampler.resets,
            sampler.malformed,
            self.failed_polls,
            self.missed_ticks,
            publisher.dropped_full,
            publisher.dropped_invalid,
            publisher.dropped_time,
            publisher.dropped_refused,
            publisher.dropped_unaddressed,
            publisher.ambiguous,
            publisher.sent_again,
        ];
        let mut counts = [0; COUNTS];
        let stdout = [lines.lines, lines.written, lines.dropped()];
        let all = others.into_iter().chain(publisher.requests).chain(stdout);
        counts.iter_mut().zip(all).for_each(|(count, value)| *count = value);
        counts
    }
}

/// All of [`OWN`] but the backlog and the age.
const COUNTS: usize = 15 + OUTCOMES.len() + 3;
const _: () = assert!(COUNTS + 2 == OWN.len());
const _: () = assert!(OWN[COUNTS] as u8 == Metric::OwnBacklog as u8);

#[expect(clippy::cast_precision_loss, reason = "a count of 2^53 is not reached")]
fn to_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{publisher::Outcome, settings::LineFormat, time::timestamp::Timestamp};

    #[test]
    fn counts_are_since_the_last_time_and_the_backlog_is_now() {
        let second = 1_000_000_000;
        let now = Now { instant: Instant::now(), wall: Timestamp::from_unix_ns(100 * second) };
        let mut before = Figures::default();
        before.publisher.taken = 5;
        before.backlog = 9;
        let mut after = before;
        after.publisher.taken = 12;
        after.publisher.requests[Outcome::ClockSkew as usize] = 2;
        after.sampler.no_data = 3;
        after.backlog = 4;
        let value = |figures: &Figures, metric| {
            let mut samples = figures.samples(&before, now);
            samples.find(|sample| sample.metric == metric).map(|sample| sample.value)
        };
        for (metric, expected) in [
            (Metric::OwnSamplesTaken, Some(7.0)),
            (Metric::OwnSamplesPublished, Some(0.0)),
            (Metric::OwnSkippedNoData, Some(3.0)),
            (Metric::OwnRequestsClockSkew, Some(2.0)),
            (Metric::OwnBacklog, Some(4.0)),
            (Metric::OwnNewestPublishedAge, None),
        ] {
            assert_eq!(value(&after, metric), expected, "{metric:?}");
        }
        after.publisher.newest_published = Some(Timestamp::from_unix_ns(98 * second));
        assert_eq!(value(&after, Metric::OwnNewestPublishedAge), Some(2000.0));
    }

    #[test]
    fn an_output_that_there_is_none_of_has_no_figures() {
        let now = Now { instant: Instant::now(), wall: Timestamp::from_unix_ns(0) };
        let readable = Some(LineFormat::Readable);
        for (cloudwatch, lines, counts) in
            [(true, None, 26), (false, readable, 9), (true, readable, 29)]
        {
            let outputs = Outputs { cloudwatch, lines };
            let figures = Figures { outputs, ..Figures::default() };
            // Nothing has been published, so the age is not among them.
            assert_eq!(figures.samples(&Figures::default(), now).count(), counts, "{outputs}");
        }
        let mut figures = Figures::default();
        figures.outputs.lines = readable;
        figures.lines = LineFigures { dropped_full: 2, dropped_invalid: 3, ..figures.lines };
        let before = Figures::default();
        let mut samples = figures.samples(&before, now);
        let dropped = samples.find(|sample| sample.metric == Metric::OwnStdoutDropped);
        assert_eq!(dropped.map(|sample| sample.value), Some(5.0));
    }
}
