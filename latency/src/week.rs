//! A week of load, made from a seed: what the adaptive rule costs, and how soon the week's own
//! bursts raise the alarm, with the bucket as the week has left it.

use std::{f64::consts::TAU, time::Duration};

use esp::publisher::adaptive::Rule;

use crate::{
    alarm::{Alarm, Datum, State, Window},
    assumptions::{HOURS_PER_MONTH, START_UP_S, USD_PER_1000_REQUESTS},
    cloudwatch::CloudWatch,
    dice::{between, of_place, scattered},
    esp_defaults,
    load::Load,
    moment::{Clock, SECOND_NS, ns, seconds},
    race::{esp_alarm, latency},
    rivals,
    sidecar::{self, Published, Publishing, Task},
    source::Kind,
    stats::Latencies,
};

const DAY_S: u64 = 86_400;

/// How a service's load behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    /// At midnight and at noon, percent.
    day: (f64, f64),
    /// The scatter of single seconds, points.
    noise: f64,
    /// A wave that comes and goes over some minutes, points.
    wave: f64,
    /// Bursts a day: up to 70 to 100 % for one to five minutes.
    bursts: f64,
    /// Single busy seconds an hour, up to 60 points high: a garbage collector, a cache.
    spikes_an_hour: f64,
    /// A job at each full minute, for three seconds, points.
    job: f64,
    /// Deployments a day: 25 s of start-up at 100 %.
    deployments: f64,
    /// Lulls a day: 5 to 60 s with a tenth of the load, such as clients that connect anew.
    lulls: f64,
}

const DAY: (f64, f64) = (12.0, 35.0);
const LULL_S: (f64, f64) = (5.0, 60.0);
/// How long a burst lasts, and how high it is.
const BURST_S: (f64, f64) = (60.0, 300.0);
const BURST_PERCENT: (f64, f64) = (70.0, 100.0);
/// How much higher a busy second is, points.
const SPIKE: (f64, f64) = (20.0, 60.0);
/// How long the job at each full minute takes.
const JOB_S: u64 = 3;
/// For so long after a burst an alarm is waited for.
const PATIENCE_S: u64 = 60;
/// Where the requests of the task lie in the interval.
const OFFSET_S: f64 = 1.0;

/// A load that is noisy, and for which there are enough tasks: an alarm that scales out has
/// nothing to say. One task; an average over n of them is quieter by the root of n.
pub(crate) const SUFFICIENT: Profile = Profile {
    name: "noisy, but sufficient",
    day: DAY,
    noise: 12.0,
    wave: 4.0,
    bursts: 0.0,
    spikes_an_hour: 20.0,
    job: 0.0,
    deployments: 0.0,
    lulls: 0.0,
};

/// A load that is noisy, and needs its tasks: an alarm that scales in has nothing to say.
pub(crate) const NEEDED: Profile =
    Profile { name: "noisy, and needed", day: (30.0, 45.0), lulls: 20.0, ..SUFFICIENT };

/// What services are like. An assumption, stated here: nobody has given the project a week of
/// theirs.
pub(crate) const PROFILES: [Profile; 7] = [
    Profile {
        name: "calm",
        day: DAY,
        noise: 1.0,
        wave: 2.0,
        bursts: 0.0,
        spikes_an_hour: 0.0,
        job: 0.0,
        deployments: 1.0,
        lulls: 0.0,
    },
    Profile {
        name: "usual",
        day: DAY,
        noise: 3.0,
        wave: 4.0,
        bursts: 20.0,
        spikes_an_hour: 2.0,
        job: 0.0,
        deployments: 3.0,
        lulls: 0.0,
    },
    Profile {
        name: "bursts",
        day: DAY,
        noise: 3.0,
        wave: 4.0,
        bursts: 100.0,
        spikes_an_hour: 2.0,
        job: 0.0,
        deployments: 3.0,
        lulls: 0.0,
    },
    Profile {
        name: "spikes",
        day: DAY,
        noise: 3.0,
        wave: 4.0,
        bursts: 50.0,
        spikes_an_hour: 60.0,
        job: 0.0,
        deployments: 3.0,
        lulls: 0.0,
    },
    Profile {
        name: "a job each minute",
        day: DAY,
        noise: 3.0,
        wave: 4.0,
        bursts: 50.0,
        spikes_an_hour: 2.0,
        job: 30.0,
        deployments: 3.0,
        lulls: 0.0,
    },
    Profile {
        name: "noise of 12 points",
        day: DAY,
        noise: 12.0,
        wave: 4.0,
        bursts: 50.0,
        spikes_an_hour: 2.0,
        job: 0.0,
        deployments: 3.0,
        lulls: 0.0,
    },
    Profile {
        name: "noise of 15 points",
        day: DAY,
        noise: 15.0,
        wave: 4.0,
        bursts: 100.0,
        spikes_an_hour: 20.0,
        job: 0.0,
        deployments: 3.0,
        lulls: 0.0,
    },
];

impl Profile {
    /// The columns of a row: what there is a day, an hour, and each second.
    pub(crate) fn row(&self) -> String {
        let Self { name, bursts, deployments, spikes_an_hour, job, wave, noise, .. } = self;
        let row = [bursts, deployments, spikes_an_hour, job, wave, noise].map(f64::to_string);
        format!("| {name} | {} |", row.join(" | "))
    }
}

/// What all of [`PROFILES`] have in common.
pub(crate) fn common() -> String {
    format!(
        "All: {} % at midnight and {} % at noon, and no lulls. A burst goes to {}-{} % for {}-{} s. \
         A deployment\nis {START_UP_S} s at 100 %. A busy second is {}-{} points higher. The job \
         takes {JOB_S} s.",
        DAY.0, DAY.1, BURST_PERCENT.0, BURST_PERCENT.1, BURST_S.0, BURST_S.1, SPIKE.0, SPIKE.1
    )
}

/// A week, and when its bursts begin, in seconds.
#[derive(Debug)]
pub(crate) struct Week {
    load: Load,
    bursts_s: Vec<f64>,
    /// Bursts and deployments, until an alarm must have forgotten them.
    busy_s: Vec<(f64, f64)>,
    days: u64,
}

impl Week {
    pub(crate) fn new(profile: Profile, days: u64, seed: u64) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let length_s = days * DAY_S;
        let mut percent: Vec<f64> = (0..length_s)
            .map(|second| {
                let hour = (second % DAY_S) as f64 / DAY_S as f64;
                let (night, noon) = profile.day;
                night + (noon - night) * (1.0 - (TAU * hour).cos()) / 2.0
            })
            .collect();
        let mut wave = 0.0;
        for (second, it) in percent.iter_mut().enumerate() {
            // Forgets itself over some minutes.
            wave += -wave / 200.0 + profile.wave * (2.0_f64 / 200.0).sqrt() * scattered(&mut dice);
            *it += wave;
            if dice.f64() < profile.spikes_an_hour / 3600.0 {
                *it += between(SPIKE, &mut dice);
            }
            if second as u64 % 60 < JOB_S {
                *it += profile.job;
            }
        }
        let (mut bursts_s, mut busy_s) = (Vec::new(), Vec::new());
        for (a_day, lasts_s, is_burst) in [
            (profile.bursts, BURST_S, true),
            (profile.deployments, (START_UP_S, START_UP_S), false),
        ] {
            for _ in 0..(a_day * days as f64) as u64 {
                let begins_s = between((600.0, length_s as f64 - 600.0), &mut dice);
                let ends_s = begins_s + between(lasts_s, &mut dice);
                let high = if is_burst { between(BURST_PERCENT, &mut dice) } else { 100.0 };
                for second in begins_s as u64..=ends_s as u64 {
                    let share = (second as f64 + 1.0 - begins_s)
                        .min(ends_s - second as f64)
                        .clamp(0.0, 1.0);
                    let it = &mut percent[second as usize];
                    *it += (high - *it).max(0.0) * share;
                }
                if is_burst {
                    bursts_s.push(begins_s);
                }
                busy_s.push((begins_s, ends_s + 60.0));
            }
        }
        for _ in 0..(profile.lulls * days as f64) as u64 {
            let begins_s = between((600.0, length_s as f64 - 600.0), &mut dice);
            let ends_s = begins_s + between(LULL_S, &mut dice);
            for it in &mut percent[begins_s as usize..ends_s as usize] {
                *it *= 0.1;
            }
        }
        bursts_s.sort_by(f64::total_cmp);
        busy_s.sort_by(|one: &(f64, f64), other| one.0.total_cmp(&other.0));
        busy_s.dedup_by(|later, earlier| {
            let is_joined = later.0 <= earlier.1;
            earlier.1 = if is_joined { earlier.1.max(later.1) } else { earlier.1 };
            is_joined
        });
        // Two that touch are one, and nobody waits for the second.
        bursts_s.dedup_by(|later, earlier| *later - *earlier < 400.0);
        let noisy: Vec<f64> = percent
            .into_iter()
            .map(|it| (it + profile.noise * scattered(&mut dice)).min(100.0))
            .collect();
        Self { load: Load::of(noisy.into_iter()), bursts_s, busy_s, days }
    }

    /// Plays ESP through the week.
    pub(crate) fn play(
        &self,
        kind: Kind,
        rule: Option<Rule>,
        seed: u64,
        ingest_s: (f64, f64),
    ) -> Played {
        let (published, phase) = self.publish(kind, rule, OFFSET_S, seed, ingest_s);
        let (cloudwatch, until_ns) = (CloudWatch { seed, ingest_s }, self.ends_ns());
        let ideal =
            rivals::ideal(Kind::Endpoint.source(phase), &self.load, &cloudwatch, true, until_ns);
        let requests = published.requests_ns.len() as u64;
        let mut played = Played { requests, ..Played::default() };
        for (data, seen) in [(&published.data, &mut played.esp), (&ideal, &mut played.ideal)] {
            self.watch(data, until_ns, seen);
        }
        played
    }

    fn ends_ns(&self) -> u64 {
        self.days * DAY_S * SECOND_NS - 1
    }

    /// What ESP publishes of the week, and the phase of the source.
    fn publish(
        &self,
        kind: Kind,
        rule: Option<Rule>,
        offset_s: f64,
        seed: u64,
        ingest_s: (f64, f64),
    ) -> (Published, f64) {
        let clock = Clock::new();
        let cloudwatch = CloudWatch { seed, ingest_s };
        let mut dice = fastrand::Rng::with_seed(seed);
        let phase = dice.f64();
        let asked_from_ns = ns(dice.f64());
        let publishing = Publishing { interval_s: esp_defaults::interval_s(), offset_s, rule };
        let task =
            Task { source: kind.source(phase), publishing, asked_from_ns, warm_up: Duration::ZERO };
        (sidecar::play(task, &self.load, cloudwatch, clock, self.ends_ns()), phase)
    }

    /// What ESP publishes of the week as it is without a variable set.
    pub(crate) fn data(&self, kind: Kind, seed: u64, ingest_s: (f64, f64)) -> Vec<Datum> {
        let offset_s = of_place(seed, 0) * esp_defaults::interval_s();
        self.publish(kind, esp_defaults::rule(), offset_s, seed, ingest_s).0.data
    }

    /// How often a day each of these alarms goes to ALARM while nothing is the matter, over
    /// [`PHASES`] phases of the evaluation. `data` is in the order of its seconds.
    pub(crate) fn false_a_day(&self, data: &[Datum], alarms: &[Alarm]) -> Vec<f64> {
        let a_day = |alarm: &Alarm| {
            let count = (0..PHASES).map(|phase| {
                let evaluation = (f64::from(phase) + 0.5) / f64::from(PHASES);
                self.false_alarms(data, *alarm, evaluation, self.ends_ns())
            });
            count.sum::<usize>() as f64 / self.days as f64 / f64::from(PHASES)
        };
        alarms.iter().map(a_day).collect()
    }

    /// What an alarm makes of the week, evaluated at each of [`PHASES`].
    fn watch(&self, data: &[Datum], until_ns: u64, seen: &mut Seen) {
        for phase in 0..PHASES {
            let evaluation = (f64::from(phase) + 0.5) / f64::from(PHASES);
            for begins_s in &self.bursts_s {
                let from_ns = ns(*begins_s);
                let patience_ns = from_ns + PATIENCE_S * SECOND_NS;
                let alarm = esp_alarm();
                let at = latency(data, alarm, Window::Sliding, evaluation, from_ns, patience_ns);
                seen.latencies.add(at);
            }
            let false_alarms = self.false_alarms(data, esp_alarm(), evaluation, until_ns);
            seen.false_a_day += false_alarms as f64 / self.days as f64 / f64::from(PHASES);
        }
        seen.latencies.sort();
    }

    /// How often the alarm goes to ALARM while nothing is the matter.
    fn false_alarms(&self, data: &[Datum], alarm: Alarm, evaluation: f64, until_ns: u64) -> usize {
        let each_ns = ns(alarm.evaluated_each_s);
        let (mut state, mut count) = (State::Ok, 0);
        let mut busy = self.busy_s.iter().peekable();
        for at_ns in (ns(evaluation * alarm.evaluated_each_s)..until_ns).step_by(each_ns as usize) {
            let before = state;
            state = alarm.evaluate(data, at_ns, state);
            let at_s = seconds(at_ns);
            while busy.next_if(|(_, ends_s)| *ends_s < at_s).is_some() {}
            let is_busy = busy.peek().is_some_and(|(begins_s, _)| *begins_s <= at_s);
            count += usize::from(state == State::Alarm && before != State::Alarm && !is_busy);
        }
        count
    }
}

/// At so many phases the alarm is evaluated.
const PHASES: u32 = 10;

/// What an alarm saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the beginning of the week's bursts.
    pub(crate) latencies: Latencies,
    pub(crate) false_a_day: f64,
}

/// What came of a week.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) requests: u64,
    pub(crate) esp: Seen,
    pub(crate) ideal: Seen,
}

/// What so many requests a second cost a month.
pub(crate) fn usd_a_month(requests_per_s: f64) -> f64 {
    requests_per_s * HOURS_PER_MONTH * 3600.0 / 1000.0 * USD_PER_1000_REQUESTS
}
