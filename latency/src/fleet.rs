//! A service of many tasks: what its average looks like to the alarm while some tasks
//! publish more often than others.

use crate::{
    alarm::{Alarm, Datum, Window},
    assumptions::WARM_UP_S,
    cloudwatch::CloudWatch,
    dice::between,
    load::{Load, Step},
    moment::{Clock, SECOND_NS, ns},
    race::{Offset, esp_alarm, latency},
    sidecar::{self, Publishing, Task},
    source::Kind,
    stats::Latencies,
};

/// A service, some of whose tasks turn hot at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fleet {
    pub(crate) tasks: u64,
    pub(crate) hot: u64,
    pub(crate) calm: f64,
    pub(crate) heat: f64,
    pub(crate) kind: Kind,
    pub(crate) offset: Offset,
    pub(crate) rule: Option<esp::publisher::adaptive::Rule>,
    pub(crate) interval_s: f64,
}

/// What the alarm sees of it, over all phases of its evaluation.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How far the newest period's average is above the truth at most, in points, and the
    /// mean distance, over the 30 s after the step.
    pub(crate) above_most: f64,
    pub(crate) distance: f64,
    /// The share of phases in which the alarm fires, and how soon.
    pub(crate) fires: f64,
    pub(crate) latency: Latencies,
    /// The most requests of any second.
    pub(crate) requests_most: u64,
}

impl Fleet {
    pub(crate) fn look(&self, seed: u64, ingest_s: (f64, f64)) -> Seen {
        let mut dice = fastrand::Rng::with_seed(seed);
        let clock = Clock::new();
        let steps_at_s = WARM_UP_S + between((0.0, 60.0), &mut dice);
        let steps_at_ns = ns(steps_at_s);
        let until_ns = steps_at_ns + 70 * SECOND_NS;
        let (mut data, mut truth): (Vec<Datum>, Vec<f64>) = (Vec::new(), vec![0.0; 300]);
        let mut requests = vec![0_u64; 400];
        for number in 0..self.tasks {
            let is_hot = number < self.hot;
            let after = if is_hot { self.heat } else { self.calm };
            let step =
                Step { before: (self.calm, self.calm), after: (after, after), noise: (2.0, 4.0) };
            let load = Load::step_at(step, steps_at_s, 290, &mut dice);
            let offset_s = match self.offset {
                Offset::At(seconds) => seconds,
                Offset::Within(most) => between((0.0, most), &mut dice),
                Offset::BeforeEvaluation(_) => 0.0,
            };
            let task = Task {
                source: self.kind.source(dice.f64()),
                publishing: Publishing { interval_s: self.interval_s, offset_s, rule: self.rule },
                asked_from_ns: ns(dice.f64()),
            };
            let cloudwatch = CloudWatch { seed: dice.u64(..), ingest_s };
            let published = sidecar::play(task, &load, &cloudwatch, clock, until_ns);
            data.extend(published.data);
            for at_ns in published.requests_ns {
                requests[(at_ns / SECOND_NS) as usize] += 1;
            }
            for (second, sum) in truth.iter_mut().take(280).enumerate() {
                let begin_ns = second as u64 * SECOND_NS;
                *sum += load.mean(begin_ns, begin_ns + SECOND_NS) / self.tasks as f64;
            }
        }
        data.sort_by_key(|datum| datum.second);
        let alarm = esp_alarm();
        let mut seen = Seen {
            requests_most: requests.into_iter().skip(60).max().unwrap_or(0),
            ..Seen::default()
        };
        let mut looks = 0.0;
        for tenth in 0..300 {
            let at_ns = steps_at_ns + tenth * SECOND_NS / 10;
            if let Some(average) = (Alarm { look_back: 0, ..alarm }).points(&data, at_ns)[0] {
                let end = (at_ns / SECOND_NS) as usize;
                let true_average = truth[end - 10..end].iter().sum::<f64>() / 10.0;
                seen.above_most = seen.above_most.max(average - true_average);
                seen.distance += (average - true_average).abs();
                looks += 1.0;
            }
        }
        seen.distance /= looks;
        for phase in 0..50 {
            let evaluation = (f64::from(phase) + 0.5) / 50.0;
            let at = latency(&data, alarm, Window::Sliding, evaluation, steps_at_ns, until_ns);
            seen.fires += f64::from(u8::from(at.is_some())) / 50.0;
            seen.latency.add(at);
        }
        seen.latency.sort();
        seen
    }
}
