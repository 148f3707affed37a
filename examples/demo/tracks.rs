//! The race: one load on three tracks, each with the alarm that would scale the service out.
//! ESP's track is what CloudWatch received from the real sidecar. The two others are ECS's own
//! metrics with target tracking, made of the same values as ECS would make them. The rules are
//! those of the model behind docs/scaling.md. Pure: the values and the time in, the moments of
//! the alarms out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use esp_endpoints::{
    alarm::{Alarm, Comparison, Statistic, TreatMissingData},
    cloudwatch::Datum,
};

/// All three scale out at this, percent. A quarter of what the examples have: on a machine that
/// is busy with other things, the demo's process gets a fraction of the CPU that it wants.
pub(crate) const THRESHOLD: f64 = 15.0;

/// From CloudWatch's acceptance until an alarm sees a datum: the middle of what the model takes.
const SEEN_AFTER: Duration = Duration::from_millis(900);
/// ECS sends its metrics up to so long after their period, at a moment of its own.
const ECS_SENDS_WITHIN_S: f64 = 20.0;
/// So many periods before its own an evaluation asks for, if some are without data.
const LOOK_BACK: usize = 2;

/// A publisher and its alarm.
pub(crate) struct Track {
    pub(crate) name: &'static str,
    /// What the model says of it: half of the alarms come within so many seconds.
    pub(crate) half_within_s: f64,
    /// How long the periods are together that have to be high.
    pub(crate) looks_at_s: f64,
    /// When its alarm was on first, seconds after the start.
    pub(crate) alarm_s: Option<f64>,
    alarm: Alarm,
    /// The length of ECS's periods, and how long after their end they are sent.
    native: Option<(Duration, Duration)>,
    made: Vec<Datum>,
    evaluated_each: Duration,
    next: Duration,
}

impl Track {
    /// The three, with their evaluations and ECS's sending at moments that `luck`, from 0 to 1,
    /// decides: nobody outside AWS knows them.
    pub(crate) fn all(luck: f64) -> [Self; 3] {
        let track =
            |name, half_within_s, (period_s, m, n): (u32, u8, usize), each_s: u64, luck: f64| {
                Self {
                    name,
                    half_within_s,
                    looks_at_s: f64::from(period_s) * f64::from(m),
                    alarm_s: None,
                    alarm: alarm(THRESHOLD, period_s, usize::from(m), n),
                    native: None,
                    made: Vec::new(),
                    evaluated_each: Duration::from_secs(each_s),
                    next: Duration::from_secs(each_s).mul_f64(luck),
                }
            };
        let native = |track: Self, luck: f64| {
            let period = Duration::from_secs(track.alarm.period_s.into());
            let sent_after = Duration::from_secs_f64(ECS_SENDS_WITHIN_S * luck);
            let comparison = Comparison::GreaterThan;
            let alarm = Alarm { comparison, ..track.alarm.clone() };
            Self { native: Some((period, sent_after)), alarm, ..track }
        };
        // As far apart as can be.
        let luck_of = |number: u32| (luck + f64::from(number) / 5.0).fract();
        let esp = track("ESP, 1 of 2 periods of 10 s", 12.0, (10, 1, 2), 10, luck_of(0));
        let of_20 = track("ECS at 20 s, target tracking", 78.0, (20, 3, 3), 10, luck_of(1));
        let of_60 = track("ECS at 1 minute, target tracking", 227.0, (60, 3, 3), 60, luck_of(2));
        [esp, native(of_20, luck_of(3)), native(of_60, luck_of(4))]
    }

    /// Evaluates the alarm if it is time. `elapsed` is the time since `start`. Whether it has
    /// gone to ALARM now.
    pub(crate) fn look(&mut self, datums: &[Datum], start: SystemTime, elapsed: Duration) -> bool {
        self.make(datums, start + elapsed);
        let mut is_new = false;
        while self.next <= elapsed {
            let at = start + self.next;
            let seen: Vec<_> = self
                .native
                .map_or(datums, |_| &self.made)
                .iter()
                .filter(|datum| datum.received + SEEN_AFTER <= at)
                .cloned()
                .collect();
            if self.alarm_s.is_none() && is_on(&self.alarm, &seen, at) {
                self.alarm_s = Some(self.next.as_secs_f64());
                is_new = true;
            }
            self.next += self.evaluated_each;
        }
        is_new
    }

    /// Makes ECS's datum of each period that is over and sent: the average of its values.
    fn make(&mut self, datums: &[Datum], now: SystemTime) {
        let Some((period, sent_after)) = self.native else { return };
        let Some(first) = datums.iter().map(|datum| datum.timestamp_ms).min() else { return };
        let length_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        let begin_ms = self.made.last().map_or_else(
            || first.div_euclid(length_ms) * length_ms,
            |made| made.timestamp_ms + length_ms,
        );
        let end_ms = begin_ms + length_ms;
        let end = UNIX_EPOCH + Duration::from_millis(u64::try_from(end_ms).unwrap_or(0));
        if end + sent_after > now {
            return;
        }
        let inside = datums.iter().filter(|it| (begin_ms..end_ms).contains(&it.timestamp_ms));
        let values: Vec<f64> = inside.flat_map(|datum| datum.values.iter().copied()).collect();
        let Some(like) = datums.first() else { return };
        #[expect(clippy::cast_precision_loss, reason = "at most a minute's values")]
        let average = values.iter().sum::<f64>() / values.len().max(1) as f64;
        self.made.push(Datum {
            timestamp_ms: begin_ms,
            values: vec![average],
            counts: vec![1.0],
            received: end + sent_after,
            ..like.clone()
        });
    }
}

/// An alarm on the average of the demo's metric, at the threshold or above it.
pub(crate) fn alarm(
    threshold: f64,
    period_s: u32,
    datapoints_to_alarm: usize,
    evaluation_periods: usize,
) -> Alarm {
    Alarm {
        name: String::new(),
        namespace: "Demo".to_owned(),
        metric_name: "CPUUtilization".to_owned(),
        dimensions: vec![
            ("ClusterName".to_owned(), "demo-cluster".to_owned()),
            ("ServiceName".to_owned(), "demo-service".to_owned()),
        ],
        unit: None,
        threshold,
        comparison: Comparison::GreaterOrEqual,
        statistic: Statistic::Average,
        period_s,
        datapoints_to_alarm,
        evaluation_periods,
        treat_missing_data: TreatMissingData::NotBreaching,
    }
}

/// Whether the alarm is on at an evaluation: its last period ends with the evaluation, to the
/// second, and periods before its own stand in for those without data.
pub(crate) fn is_on(alarm: &Alarm, datums: &[Datum], at: SystemTime) -> bool {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // The periods of the stand-in begin at multiples of their length. So all is moved.
    let shift = since % u64::from(alarm.period_s);
    let shift_ms = i64::try_from(shift * 1000).unwrap_or(0);
    let moved: Vec<_> = datums
        .iter()
        .map(|datum| Datum { timestamp_ms: datum.timestamp_ms - shift_ms, ..datum.clone() })
        .collect();
    let looked_at =
        Alarm { evaluation_periods: alarm.evaluation_periods + LOOK_BACK, ..alarm.clone() };
    let points = looked_at.datapoints(&moved, UNIX_EPOCH + Duration::from_secs(since - shift));
    let newest = points.into_iter().rev().flatten().take(alarm.evaluation_periods);
    let breaching = newest.filter(|point| match alarm.comparison {
        Comparison::GreaterOrEqual => *point >= alarm.threshold,
        Comparison::GreaterThan => *point > alarm.threshold,
        Comparison::LessThan => *point < alarm.threshold,
        Comparison::LessOrEqual => *point <= alarm.threshold,
    });
    breaching.count() >= alarm.datapoints_to_alarm
}
