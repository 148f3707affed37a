//! ESP's own figures as samples, for `SELF_METRICS=on`.

use crate::{
    sample::{
        metric::{Measured, Sample},
        own_figures::{FigureKind, OwnFigures, OwnMetric},
    },
    settings::Outputs,
    time::Timestamp,
};

/// A sample at `wall` of each figure that is a metric and that a run with these
/// `outputs` has. A count is what was added since `before`. A figure without a
/// value is left out.
pub fn samples(
    figures: &OwnFigures,
    before: &OwnFigures,
    outputs: Outputs,
    wall: Timestamp,
) -> impl Iterator<Item = Sample> {
    OwnMetric::of_run(outputs.cloudwatch, outputs.lines.is_some()).filter_map(move |metric| {
        let figure = metric.figure();
        let value = figure.value(figures, wall)?;
        let since = match figure.kind {
            FigureKind::Count | FigureKind::Dropped => figure.value(before, wall).unwrap_or(0),
            FigureKind::Now => 0,
        };
        let value = to_f64(value.saturating_sub(since));
        Some(Sample { read: wall, value, metric: Measured::Own(metric), container: None })
    })
}

#[expect(clippy::cast_precision_loss, reason = "a count of 2^53 is not reached")]
fn to_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{LineFormat, variable};

    const WALL: Timestamp = Timestamp::from_unix_ns(100_000_000_000);

    fn value(figures: &OwnFigures, before: &OwnFigures, name: &str) -> Option<f64> {
        let outputs = Outputs { cloudwatch: true, lines: Some(LineFormat::Readable) };
        let mut samples = samples(figures, before, outputs, WALL);
        samples.find(|sample| sample.metric.name() == name).map(|sample| sample.value)
    }

    #[test]
    fn counts_are_since_the_last_time_and_the_backlog_is_now() {
        let before = OwnFigures { taken: 5, backlog: 9, ..OwnFigures::default() };
        let mut after =
            OwnFigures { taken: 12, backlog: 4, no_data: 3, requests_clock_skew: 2, ..before };
        for (name, expected) in [
            ("ESP/SamplesTaken", Some(7.0)),
            ("ESP/SamplesPublished", Some(0.0)),
            ("ESP/SkippedNoData", Some(3.0)),
            ("ESP/RequestsClockSkew", Some(2.0)),
            ("ESP/Backlog", Some(4.0)),
            ("ESP/NewestPublishedAge", None),
        ] {
            assert_eq!(value(&after, &before, name), expected, "{name}");
        }
        after.newest_published = Some(Timestamp::from_unix_ns(98_000_000_000));
        assert_eq!(value(&after, &before, "ESP/NewestPublishedAge"), Some(2000.0));
    }

    #[test]
    fn every_metric_of_a_run_is_among_the_samples_and_no_other() {
        let figures = OwnFigures { newest_published: Some(WALL), ..OwnFigures::default() };
        let readable = Some(LineFormat::Readable);
        for (cloudwatch, lines) in [(true, None), (false, readable), (true, readable)] {
            let outputs = Outputs { cloudwatch, lines };
            let of_run: Vec<_> = samples(&figures, &figures, outputs, WALL)
                .filter_map(|sample| match sample.metric {
                    Measured::Own(own) => Some(own),
                    Measured::Metric(_) => None,
                })
                .collect();
            let expected: Vec<_> = OwnMetric::of_run(cloudwatch, lines.is_some()).collect();
            assert_eq!(of_run, expected, "{outputs}");
        }
    }

    #[test]
    fn the_help_says_how_many_there_are() {
        let count = |cloudwatch, lines| OwnMetric::of_run(cloudwatch, lines).count();
        let expected = format!(
            "{} with OUTPUT=cloudwatch, {} with emf, {} with both",
            count(true, false),
            count(false, true),
            count(true, true)
        );
        assert!(variable::SELF_METRICS.help().contains(&expected), "{expected}");
    }
}
