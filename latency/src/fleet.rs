//! A service of many tasks in one account: what its average, its maximum and its p90 look like
//! to the alarm, beside the truth, and what the account's limit does to it.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use esp::publisher::adaptive::Rule;

use crate::{
    alarm::{Datum, Window, p90},
    assumptions::{ACCOUNT_REQUESTS_PER_S, KERNEL_PROOF_S, START_UP_S},
    cloudwatch::CloudWatch,
    dice::between,
    esp_defaults,
    load::{Load, Step},
    moment::{Clock, SECOND_NS, ns, seconds},
    race::{Offset, esp_alarm, latency},
    sidecar::{Player, Publishing, Task},
    source::{Kind, Source},
    stats::Latencies,
};

/// When it happens; by then the tasks know what is usual.
const AT_S: f64 = 90.0;
/// For so long the service is watched after that.
const WATCHED_S: u64 = 70;
/// For so long what is seen is compared with the truth: as long as it can matter.
const COMPARED_S: u64 = 40;

/// At so many phases the alarm is evaluated.
const PHASES: u32 = 50;

pub(crate) const CALM: f64 = 30.0;
pub(crate) const HOT: f64 = 100.0;
/// How far single seconds scatter.
const NOISE: (f64, f64) = (2.0, 4.0);

/// What happens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// So many tasks turn hot at one moment.
    TurnHot(u64),
    /// Half of the tasks are new, and use all the CPU that they may for a while. Those that
    /// they replace end a minute later.
    Deployment,
    /// All tasks start within a second, after an outage.
    AllStart,
    /// The same, and use all the CPU that they may for a while.
    AllStartUp,
}

/// Which tasks read the kernel; the others, on Fargate, have the endpoint's sample each 10 s. If
/// some of them do, this is Fargate, and a new task that reads the kernel has to prove it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// All, and a new one from its first second on: as good as the endpoint on EC2.
    All,
    /// All, on Fargate.
    Proven,
    Half,
    /// Of the tasks that turn hot, all, and no other; or the other way round.
    Hot,
    Calm,
}

/// A service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fleet {
    pub(crate) tasks: u64,
    pub(crate) event: Event,
    /// So many of a hundred requests are throttled whatever the account asks.
    pub(crate) throttled_percent: u8,
    pub(crate) kernel: Kernel,
    /// During a deployment, whether one of the tasks that stay turns hot as well.
    pub(crate) is_one_hot: bool,
    pub(crate) interval_s: f64,
    /// `WARMUP`.
    pub(crate) warm_up: Duration,
    pub(crate) offset: Offset,
    pub(crate) rule: Option<Rule>,
}

/// How far what is seen of the newest period is above the truth, points.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Above {
    pub(crate) most: f64,
    /// The mean distance, whichever side.
    pub(crate) distance: f64,
}

/// What the alarm sees, over all phases of its evaluation.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) average: Above,
    pub(crate) p90: Above,
    pub(crate) maximum: Above,
    /// In which share of the phases the alarm fires, and how soon.
    pub(crate) fires: f64,
    pub(crate) latency: Latencies,
    /// The most requests of any second after it happened.
    pub(crate) requests_most: u64,
    /// The share of requests that were throttled from then on.
    pub(crate) throttled: f64,
}

/// One task and its load.
struct Member {
    load: Load,
    player: Player,
    begins_ns: u64,
    ends_ns: u64,
}

/// Requests that the account may still make: as many as in a second at most.
struct Account {
    left: f64,
    filled_ns: u64,
}

impl Account {
    fn accepts(&mut self, at_ns: u64) -> bool {
        let since_s = seconds(at_ns.saturating_sub(self.filled_ns));
        self.left = (self.left + since_s * ACCOUNT_REQUESTS_PER_S).min(ACCOUNT_REQUESTS_PER_S);
        self.filled_ns = self.filled_ns.max(at_ns);
        let is_accepted = self.left >= 1.0;
        self.left -= f64::from(u8::from(is_accepted));
        is_accepted
    }
}

impl Fleet {
    /// With requests in a fixed interval, and the tasks spread over all of it, as ESP does it.
    pub(crate) fn fixed(tasks: u64, event: Event) -> Self {
        let interval_s = esp_defaults::interval_s();
        Self {
            tasks,
            event,
            throttled_percent: 0,
            kernel: Kernel::All,
            is_one_hot: false,
            interval_s,
            warm_up: Duration::ZERO,
            offset: Offset::Within(interval_s),
            rule: None,
        }
    }

    /// The same with adaptive requests: ESP's default.
    pub(crate) fn adaptive(tasks: u64, event: Event) -> Self {
        Self { rule: Some(Rule::CHOSEN), ..Self::fixed(tasks, event) }
    }

    pub(crate) fn look(&self, seed: u64, ingest_s: (f64, f64)) -> Seen {
        let mut dice = fastrand::Rng::with_seed(seed);
        let (at_ns, clock) = (ns(AT_S), Clock::new());
        let until_ns = at_ns + WATCHED_S * SECOND_NS;
        let mut members: Vec<_> = self.members(ingest_s, clock, &mut dice);
        self.play(&mut members, until_ns, &mut dice);

        let mut seen = Seen::default();
        let (mut data, mut requests) = (Vec::new(), [0_u64; WATCHED_S as usize]);
        let (mut all, mut throttled) = (0, 0);
        let mut loads = Vec::with_capacity(members.len());
        for member in members {
            let published = member.player.finish();
            data.extend(published.data.into_iter().filter(|datum| datum.second + 60 > AT_S as u64));
            for since_ns in published.requests_ns.iter().filter_map(|it| it.checked_sub(at_ns)) {
                all += 1;
                requests[(since_ns / SECOND_NS) as usize] += 1;
            }
            throttled += published.throttled_ns.iter().filter(|it| **it >= at_ns).count();
            loads.push((member.load, member.begins_ns, member.ends_ns));
        }
        data.sort_by_key(|datum| datum.second);
        seen.requests_most = requests.into_iter().max().unwrap_or(0);
        seen.throttled = throttled as f64 / f64::from(all.max(1));
        compare(&data, &loads, at_ns, &mut seen);
        for phase in 0..PHASES {
            let evaluation = (f64::from(phase) + 0.5) / f64::from(PHASES);
            let alarm = esp_alarm();
            let fires = latency(&data, alarm, Window::Sliding, evaluation, at_ns, until_ns);
            seen.fires += f64::from(u8::from(fires.is_some())) / f64::from(PHASES);
            seen.latency.add(fires);
        }
        seen.latency.sort();
        seen
    }

    fn members(&self, ingest_s: (f64, f64), clock: Clock, dice: &mut fastrand::Rng) -> Vec<Member> {
        let is_deployment = self.event == Event::Deployment;
        let new = if is_deployment { self.tasks.div_ceil(2) } else { 0 };
        (0..self.tasks + new)
            .map(|number| {
                // During a deployment the first half of the old ones is replaced.
                let all_start = matches!(self.event, Event::AllStart | Event::AllStartUp);
                let is_new = number >= self.tasks || all_start;
                let starts_up = is_new && self.event != Event::AllStart;
                let is_replaced = is_deployment && number < new;
                let is_last = self.is_one_hot && number + 1 == self.tasks;
                let is_hot = is_last || matches!(self.event, Event::TurnHot(hot) if number < hot);
                let begins_s = if is_new { AT_S + dice.f64() } else { dice.f64() };
                let length_s = AT_S as u64 + WATCHED_S + 2;
                let load = if starts_up {
                    Load::start_up(CALM, begins_s, START_UP_S, NOISE, length_s, dice)
                } else {
                    let after = if is_hot { HOT } else { CALM };
                    let step = Step { before: (CALM, CALM), after: (after, after), noise: NOISE };
                    Load::step_at(step, AT_S, length_s, dice)
                };
                // The dice fall whether they are asked for or not: the rows share their luck.
                let is_lucky = dice.u8(..100) < 50;
                let reads_kernel = match self.kernel {
                    Kernel::All | Kernel::Proven => true,
                    Kernel::Half => is_lucky,
                    Kernel::Hot => is_hot,
                    Kernel::Calm => !is_hot,
                };
                let offset_s = match self.offset {
                    Offset::At(seconds) => seconds,
                    Offset::Within(most) => between((0.0, most), dice),
                    Offset::BeforeEvaluation(_) | Offset::AndBeforeEvaluation(_) => 0.0,
                };
                let publishing =
                    Publishing { interval_s: self.interval_s, offset_s, rule: self.rule };
                let begins_ns = ns(begins_s);
                let phase = dice.f64();
                let source = if !reads_kernel {
                    Kind::Endpoint10.source(phase)
                } else if is_new && self.kernel != Kernel::All {
                    Source::proving(phase, begins_ns + ns(KERNEL_PROOF_S))
                } else {
                    Kind::Kernel.source(phase)
                };
                let task =
                    Task { source, publishing, asked_from_ns: begins_ns, warm_up: self.warm_up };
                let cloudwatch = CloudWatch { seed: dice.u64(..), ingest_s };
                let ends_ns = if is_replaced { ns(AT_S + 60.0) } else { u64::MAX };
                Member { load, player: Player::new(task, cloudwatch, clock), begins_ns, ends_ns }
            })
            .collect()
    }

    /// All of them at once, in the order in which things happen: they share the account.
    fn play(&self, members: &mut [Member], until_ns: u64, dice: &mut fastrand::Rng) {
        let mut account = Account { left: ACCOUNT_REQUESTS_PER_S, filled_ns: 0 };
        let next = |(place, member): (usize, &Member)| Reverse((member.player.next_ns(), place));
        let mut queue: BinaryHeap<_> = members.iter().enumerate().map(next).collect();
        while let Some(Reverse((at_ns, place))) = queue.pop() {
            let member = &mut members[place];
            if at_ns >= until_ns {
                break;
            }
            if at_ns >= member.ends_ns {
                continue;
            }
            let is_unlucky = dice.u8(..100) < self.throttled_percent;
            member.player.step(&member.load, |at_ns| account.accepts(at_ns) && !is_unlucky);
            queue.push(next((place, member)));
        }
    }
}

/// Compares what has arrived of the newest ten seconds with what they were, each half second.
fn compare(data: &[Datum], loads: &[(Load, u64, u64)], at_ns: u64, seen: &mut Seen) {
    let period_s = esp_alarm().period_s;
    let mut looks = 0.0;
    for half in 0..2 * COMPARED_S {
        let look_ns = at_ns + half * SECOND_NS / 2;
        let end_s = look_ns / SECOND_NS;
        let begin_s = end_s - period_s;
        let from = data.partition_point(|datum| datum.second < begin_s);
        let until = data.partition_point(|datum| datum.second < end_s);
        let arrived = data[from..until].iter().filter(|datum| datum.arrived_ns <= look_ns);
        let shown: Vec<f64> = arrived.map(|datum| datum.sum).collect();
        let true_values = loads.iter().flat_map(|(load, begins_ns, ends_ns)| {
            (begin_s..end_s).filter_map(move |second| {
                let second_ns = second * SECOND_NS;
                let is_there = (*begins_ns..*ends_ns).contains(&second_ns);
                is_there.then(|| load.mean(second_ns, second_ns + SECOND_NS))
            })
        });
        let truth: Vec<f64> = true_values.collect();
        let (Some(shown), Some(truth)) = (Statistics::of(shown), Statistics::of(truth)) else {
            continue;
        };
        looks += 1.0;
        seen.average.note(shown.average - truth.average);
        seen.p90.note(shown.p90 - truth.p90);
        seen.maximum.note(shown.maximum - truth.maximum);
    }
    for above in [&mut seen.average, &mut seen.p90, &mut seen.maximum] {
        above.distance /= looks;
    }
}

impl Above {
    fn note(&mut self, above: f64) {
        self.most = self.most.max(above);
        self.distance += above.abs();
    }
}

/// What an alarm can be set on.
struct Statistics {
    average: f64,
    p90: f64,
    maximum: f64,
}

impl Statistics {
    fn of(values: Vec<f64>) -> Option<Self> {
        let average = values.iter().sum::<f64>() / values.len() as f64;
        let maximum = values.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { maximum, p90: p90(values)?, average })
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::assumptions::INGEST_S;

    /// How many times a calm task a hot one counts at most: docs/scaling.md says 2 to 2.4.
    const HOT_WEIGHT_MOST: f64 = 2.5;

    /// How far the average is too high if a share of the tasks rises, and counts so many times.
    fn too_high(share: f64, weight: f64) -> f64 {
        (HOT - CALM) * share * (1.0 - share) * (weight - 1.0) / (1.0 + share * (weight - 1.0))
    }

    #[test]
    fn hot_tasks_count_more_than_calm_ones_but_not_by_more_than_is_said() {
        for (tasks, repeats) in [(100, 3), (1000, 1)] {
            let hot = u64::div_ceil(tasks, 3);
            let share = hot as f64 / tasks as f64;
            let looks = (0..repeats).map(|repeat| {
                Fleet::adaptive(tasks, Event::TurnHot(hot)).look(1 + repeat, INGEST_S).average.most
            });
            let most = looks.fold(0.0, f64::max);
            let bounds = [1.9, HOT_WEIGHT_MOST].map(|weight| too_high(share, weight));
            assert!((bounds[0]..=bounds[1]).contains(&most), "{tasks}: {most}, {bounds:?}");
        }
    }

    #[test]
    fn a_new_task_on_fargate_has_few_samples_until_the_kernel_is_trusted() {
        let requests = |kernel| {
            let fleet = Fleet { kernel, ..Fleet::adaptive(10, Event::AllStartUp) };
            let (mut dice, clock) = (fastrand::Rng::with_seed(1), Clock::new());
            let mut members = fleet.members(INGEST_S, clock, &mut dice);
            fleet.play(&mut members, ns(AT_S + 60.0), &mut dice);
            let data = members.into_iter().flat_map(|member| member.player.finish().data);
            let proven_s = (AT_S + KERNEL_PROOF_S) as u64;
            let (early, late): (Vec<_>, Vec<_>) = data.partition(|datum| datum.second <= proven_s);
            (early.len(), late.len())
        };
        let (early, late) = requests(Kernel::Proven);
        let (at_once, later) = requests(Kernel::All);
        assert!(early < 40 && at_once > 250, "{early}, {at_once}");
        assert!(late > 150 && later > 150, "{late}, {later}");
    }
}
