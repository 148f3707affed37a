//! A metric alarm over the datums that [`cloudwatch`](crate::cloudwatch) holds:
//! aggregation into periods and the decision m of n. Pure: the datums and the
//! time in, the state out. Simpler than the service in one thing: it looks at the
//! last n periods only, where the service may look a little further back for
//! points to stand in for missing ones.

use std::time::SystemTime;

use crate::clock;
use crate::cloudwatch::Datum;

/// How a datapoint is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Above it.
    GreaterThan,
    /// At it or above.
    GreaterOrEqual,
    /// Below it.
    LessThan,
    /// At it or below.
    LessOrEqual,
}

/// What a period without data counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreatMissingData {
    /// Within the threshold.
    NotBreaching,
    /// Beyond the threshold.
    Breaching,
    /// Where it matters, the state stays as it is.
    Ignore,
    /// As nothing; only missing data is `InsufficientData`.
    Missing,
}

/// How the samples of a period become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Sum of all samples over their count, whoever sent them.
    Average,
    /// The greatest.
    Maximum,
    /// The least.
    Minimum,
    /// The sum.
    Sum,
    /// How many there are.
    SampleCount,
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Within the threshold.
    Ok,
    /// Beyond the threshold.
    Alarm,
    /// Nothing to judge by.
    InsufficientData,
}

/// An alarm. Its period is 10, 20, 30 or a multiple of 60 s, and the service
/// evaluates one of 10 s each 10 s: call [`evaluate`](Alarm::evaluate) as often.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// The metric's namespace.
    pub namespace: String,
    /// The metric's name.
    pub metric_name: String,
    /// Exactly these dimensions, in any order.
    pub dimensions: Vec<(String, String)>,
    /// Only datums with this unit, or all of them.
    pub unit: Option<String>,
    /// What a datapoint is compared with.
    pub threshold: f64,
    /// How.
    pub comparison: Comparison,
    /// How samples become a datapoint.
    pub statistic: Statistic,
    /// Seconds of a datapoint.
    pub period_s: u32,
    /// m: so many datapoints beyond the threshold are an alarm.
    pub datapoints_to_alarm: usize,
    /// n: so many datapoints are looked at.
    pub evaluation_periods: usize,
    /// What a period without data counts as.
    pub treat_missing_data: TreatMissingData,
}

impl Alarm {
    /// The state after an evaluation at `now`, from the last n complete periods.
    #[must_use]
    pub fn evaluate(&self, datums: &[Datum], now: SystemTime, previous: State) -> State {
        let points = self.datapoints(datums, now);
        let breaching = points.iter().flatten().filter(|point| self.breaches(**point)).count();
        let missing = points.iter().filter(|point| point.is_none()).count();
        let enough = |count: usize| count >= self.datapoints_to_alarm.max(1);
        let alarm = |is_alarm| if is_alarm { State::Alarm } else { State::Ok };
        match self.treat_missing_data {
            TreatMissingData::NotBreaching => alarm(enough(breaching)),
            TreatMissingData::Breaching => alarm(enough(breaching + missing)),
            TreatMissingData::Missing if missing == points.len() => State::InsufficientData,
            _ if enough(breaching) => State::Alarm,
            // Not even if every missing point had been beyond the threshold.
            _ if !enough(breaching + missing) => State::Ok,
            TreatMissingData::Ignore => previous,
            // The service's "premature alarm": all that is known is beyond.
            TreatMissingData::Missing => alarm(breaching + missing == points.len()),
        }
    }

    /// The last n complete periods, oldest first, `None` where there is no data.
    /// A period is complete once the wall clock has passed its end; periods start
    /// at multiples of their length.
    #[must_use]
    pub fn datapoints(&self, datums: &[Datum], now: SystemTime) -> Vec<Option<f64>> {
        let period = i64::from(self.period_s.max(1)) * 1000;
        let current = clock::milliseconds(now).div_euclid(period);
        let periods = i64::try_from(self.evaluation_periods).unwrap_or(i64::MAX);
        (current.saturating_sub(periods)..current)
            .map(|index| {
                let range = index * period..(index + 1) * period;
                let inside = datums.iter().filter(|datum| range.contains(&stored_at(datum)));
                self.aggregate(inside.filter(|datum| self.watches(datum)))
            })
            .collect()
    }

    fn watches(&self, datum: &Datum) -> bool {
        datum.metric_name == self.metric_name
            && datum.namespace == self.namespace
            && datum.dimensions.len() == self.dimensions.len()
            && self.dimensions.iter().all(|dimension| datum.dimensions.contains(dimension))
            && self
                .unit
                .as_deref()
                .is_none_or(|unit| unit == datum.unit.as_deref().unwrap_or("None"))
    }

    fn aggregate<'a>(&self, datums: impl Iterator<Item = &'a Datum>) -> Option<f64> {
        let (mut count, mut sum) = (0.0, 0.0);
        let (mut minimum, mut maximum) = (f64::INFINITY, f64::NEG_INFINITY);
        for set in datums.map(Datum::statistic_set) {
            count += set.sample_count;
            sum += set.sum;
            minimum = minimum.min(set.minimum);
            maximum = maximum.max(set.maximum);
        }
        (count > 0.0).then_some(match self.statistic {
            Statistic::Average => sum / count,
            Statistic::Maximum => maximum,
            Statistic::Minimum => minimum,
            Statistic::Sum => sum,
            Statistic::SampleCount => count,
        })
    }

    fn breaches(&self, point: f64) -> bool {
        match self.comparison {
            Comparison::GreaterThan => point > self.threshold,
            Comparison::GreaterOrEqual => point >= self.threshold,
            Comparison::LessThan => point < self.threshold,
            Comparison::LessOrEqual => point <= self.threshold,
        }
    }
}

/// Where the service keeps a datum: to the second at high resolution, else at
/// the start of its minute.
fn stored_at(datum: &Datum) -> i64 {
    let resolution = if datum.storage_resolution == Some(1) { 1000 } else { 60_000 };
    datum.timestamp_ms.div_euclid(resolution) * resolution
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// A multiple of 60 s, so that periods of every length start here.
    const START: u64 = 1_700_000_040;

    fn after(seconds: f64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(START) + Duration::from_secs_f64(seconds)
    }

    fn datum(seconds: f64, value: f64) -> Datum {
        Datum {
            namespace: "ESP".into(),
            metric_name: "CPUUtilization".into(),
            dimensions: vec![
                ("ClusterName".into(), "c".into()),
                ("ServiceName".into(), "s".into()),
            ],
            unit: Some("Percent".into()),
            timestamp_ms: clock::milliseconds(after(seconds)),
            values: vec![value],
            counts: vec![1.0],
            statistics: None,
            storage_resolution: Some(1),
            received: after(seconds),
        }
    }

    fn alarm(m: usize, n: usize, treat_missing_data: TreatMissingData) -> Alarm {
        Alarm {
            name: "scale-out".into(),
            namespace: "ESP".into(),
            metric_name: "CPUUtilization".into(),
            dimensions: vec![
                ("ServiceName".into(), "s".into()),
                ("ClusterName".into(), "c".into()),
            ],
            unit: None,
            threshold: 70.0,
            comparison: Comparison::GreaterThan,
            statistic: Statistic::Average,
            period_s: 10,
            datapoints_to_alarm: m,
            evaluation_periods: n,
            treat_missing_data,
        }
    }

    /// One letter a period of 10 s: `X` beyond, `0` within, `-` nothing.
    fn evaluate(alarm: &Alarm, periods: &str) -> State {
        let starts = (0_u32..).map(|n| f64::from(n) * 10.0);
        let datums: Vec<_> = periods
            .chars()
            .zip(starts)
            .filter(|(letter, _)| *letter != '-')
            .map(|(letter, start)| datum(start, if letter == 'X' { 90.0 } else { 10.0 }))
            .collect();
        let end = f64::from(u32::try_from(periods.len()).unwrap()) * 10.0;
        // What nobody would decide by itself, to see what is kept.
        alarm.evaluate(&datums, after(end), State::InsufficientData)
    }

    #[test]
    fn m_of_n_and_missing_data() {
        use State::{Alarm as A, InsufficientData as I, Ok as O};
        // (m, n, periods, not breaching, breaching, ignore, missing)
        for (m, n, periods, expected) in [
            (1, 1, "X", [A, A, A, A]),
            (1, 1, "0", [O, O, O, O]),
            (1, 1, "-", [O, A, I, I]),
            (1, 1, "X0", [O, O, O, O]),
            (2, 3, "0XX", [A, A, A, A]),
            (2, 3, "X0X", [A, A, A, A]),
            (2, 3, "00X", [O, O, O, O]),
            (2, 3, "X-X", [A, A, A, A]),
            (2, 3, "0-X", [O, A, I, O]),
            (2, 3, "--X", [O, A, I, A]),
            (3, 3, "0--", [O, O, O, O]),
            (3, 3, "-X-", [O, A, I, A]),
            (3, 3, "---", [O, A, I, I]),
        ] {
            for (treat, expected) in [
                TreatMissingData::NotBreaching,
                TreatMissingData::Breaching,
                TreatMissingData::Ignore,
                TreatMissingData::Missing,
            ]
            .into_iter()
            .zip(expected)
            {
                let state = evaluate(&alarm(m, n, treat), periods);
                assert_eq!(state, expected, "{m} of {n}, {periods}, {treat:?}");
            }
        }
    }

    #[test]
    fn a_period_counts_once_it_is_over() {
        let alarm = alarm(1, 1, TreatMissingData::NotBreaching);
        let datums = [datum(3.0, 90.0)];
        for (at, expected) in
            [(9.9, State::Ok), (10.0, State::Alarm), (19.9, State::Alarm), (20.0, State::Ok)]
        {
            assert_eq!(alarm.evaluate(&datums, after(at), State::Ok), expected, "{at}");
        }
    }

    #[test]
    fn the_average_is_over_samples_not_over_senders() {
        let alarm =
            Alarm { statistic: Statistic::Average, ..alarm(1, 1, TreatMissingData::Missing) };
        let mut many = datum(1.0, 0.0);
        many.values = vec![100.0, 40.0];
        many.counts = vec![3.0, 1.0];
        let datums = [many, datum(2.0, 60.0)];
        for (statistic, expected) in [
            (Statistic::Average, 80.0),
            (Statistic::Maximum, 100.0),
            (Statistic::Minimum, 40.0),
            (Statistic::Sum, 400.0),
            (Statistic::SampleCount, 5.0),
        ] {
            let alarm = Alarm { statistic, ..alarm.clone() };
            assert_eq!(alarm.datapoints(&datums, after(10.0)), [Some(expected)], "{statistic:?}");
        }
    }

    #[test]
    fn only_the_very_metric_counts() {
        let alarm =
            Alarm { unit: Some("Percent".into()), ..alarm(1, 1, TreatMissingData::Missing) };
        let same = datum(1.0, 90.0);
        let mut more = same.clone();
        more.dimensions.push(("TaskId".into(), "t".into()));
        let mut fewer = same.clone();
        fewer.dimensions.pop();
        let unit = Datum { unit: None, ..same.clone() };
        let namespace = Datum { namespace: "Other".into(), ..same.clone() };
        for (datum, expected) in
            [(same, Some(90.0)), (more, None), (fewer, None), (unit, None), (namespace, None)]
        {
            assert_eq!(alarm.datapoints(&[datum], after(10.0)), [expected]);
        }
    }

    #[test]
    fn a_standard_datum_lies_at_the_start_of_its_minute() {
        let alarm = alarm(1, 6, TreatMissingData::Missing);
        let standard = Datum { storage_resolution: None, ..datum(35.0, 90.0) };
        let points = alarm.datapoints(&[standard], after(60.0));
        assert_eq!(points, [Some(90.0), None, None, None, None, None]);
    }

    #[test]
    fn each_comparison_at_the_threshold() {
        for (comparison, expected) in [
            (Comparison::GreaterThan, State::Ok),
            (Comparison::GreaterOrEqual, State::Alarm),
            (Comparison::LessThan, State::Ok),
            (Comparison::LessOrEqual, State::Alarm),
        ] {
            let alarm = Alarm { comparison, ..alarm(1, 1, TreatMissingData::Missing) };
            assert_eq!(alarm.evaluate(&[datum(0.0, 70.0)], after(10.0), State::Ok), expected);
        }
    }
}
