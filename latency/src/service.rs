//! A service that scales: ESP beside each task, alarms on what CloudWatch has, policies that add
//! and remove tasks, and the load of each task as it follows from their number.

use std::time::Duration;

use crate::{
    alarm::{Alarm, Datum, State},
    assumptions::{DRAIN_S, START_S},
    cloudwatch::CloudWatch,
    dice::scattered,
    esp_defaults,
    load::Load,
    moment::{Clock, SECOND_NS, ns, seconds},
    policy::{Policy, Ready},
    sidecar::{Player, Publishing, Task},
    source::Kind,
};

/// So long a service is played, seconds: less than an hour, which the tasks' documents know.
pub(crate) const LENGTH_S: u64 = 2700;

/// When something happens to it. From half of it on its alarms are evaluated: by then the tasks
/// publish what is usual.
pub(crate) const AT_S: u64 = 300;

/// What a service has to do.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Of all tasks together, second by second, in percent of one task.
    pub(crate) demand: Vec<f64>,
    /// How many times an equal share the first task gets.
    pub(crate) skew: f64,
    /// From when and until when the first tasks use all that they may, whatever the others do,
    /// and how many.
    pub(crate) stuck_s: (u64, u64),
    pub(crate) stuck: usize,
    /// The scatter of single seconds, points.
    pub(crate) noise: f64,
    /// Seconds an hour in which a task uses all that it may: a garbage collector.
    pub(crate) busy_seconds: f64,
}

/// What scales it: alarms with their policies.
#[derive(Clone, Debug)]
pub(crate) struct Scaling {
    pub(crate) out: Vec<(Alarm, Policy)>,
    pub(crate) back: (Alarm, Policy),
}

/// What came of it, after [`AT_S`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    /// When each alarm that scales out was on first, seconds after it happened.
    pub(crate) first_s: Vec<Option<f64>>,
    /// When there were enough tasks first that the average was within.
    pub(crate) enough_s: Option<f64>,
    pub(crate) outs: u64,
    pub(crate) ins: u64,
    /// How often it added tasks after it had removed some, and the other way round.
    pub(crate) turns: u64,
    /// How often any alarm that scales out went to ALARM.
    pub(crate) alarms: u64,
    pub(crate) most: u64,
    /// Running tasks, over time.
    pub(crate) mean: f64,
    /// The share of the time in which the busiest task used at least 95 %.
    pub(crate) full: f64,
}

struct Member {
    load: Load,
    player: Player,
    begins_s: u64,
    ends_s: u64,
}

struct Watched {
    alarm: Alarm,
    ready: Ready,
    state: State,
    next_ns: u64,
    is_out: bool,
    first_s: Option<f64>,
}

/// Plays a service that begins with so many tasks.
pub(crate) fn play(
    work: &Work,
    scaling: &Scaling,
    tasks: u64,
    seed: u64,
    ingest_s: (f64, f64),
) -> Story {
    let (mut dice, clock) = (fastrand::Rng::with_seed(seed), Clock::new());
    let out = scaling.out.iter().map(|pair| (pair, true));
    let mut watched: Vec<_> = out
        .chain([(&scaling.back, false)])
        .map(|((alarm, policy), is_out)| Watched {
            alarm: *alarm,
            ready: Ready::new(*policy),
            state: State::Ok,
            next_ns: ns((AT_S / 2) as f64 + dice.f64() * alarm.evaluated_each_s),
            is_out,
            first_s: None,
        })
        .collect();
    let mut members: Vec<Member> =
        (0..tasks).map(|_| member(0, &mut dice, clock, ingest_s)).collect();
    let keep_s = watched
        .iter()
        .map(|it| (it.alarm.periods + it.alarm.look_back + 1) as u64 * it.alarm.period_s)
        .max()
        .unwrap_or(0);
    let (mut data, mut story): (Vec<Datum>, _) = (Vec::new(), Story::default());
    let (mut desired, mut went_out) = (tasks, None);
    for second in 0..LENGTH_S {
        let ends_ns = (second + 1) * SECOND_NS;
        let (busiest, mean, running) = work.share(second, &mut members, &mut dice);
        for member in members.iter_mut().filter(|it| it.begins_s <= second) {
            while member.player.next_ns() < ends_ns {
                member.player.step(&member.load, |_| true);
            }
            data.extend(member.player.take_data());
        }
        members.retain(|it| it.ends_s > second);
        if second >= AT_S {
            story.most = story.most.max(running);
            story.mean += running as f64 / (LENGTH_S - AT_S) as f64;
            story.full += f64::from(u8::from(busiest >= 95.0)) / (LENGTH_S - AT_S) as f64;
            let threshold = watched[0].alarm.threshold;
            if story.enough_s.is_none() && story.outs > 0 && mean < threshold {
                story.enough_s = Some((second - AT_S) as f64);
            }
        }
        if watched.iter().any(|it| it.next_ns < ends_ns) {
            data.retain(|datum| datum.second + keep_s >= second);
            data.sort_by_key(|datum| datum.second);
        }
        for place in 0..watched.len() {
            if watched[place].next_ns >= ends_ns {
                continue;
            }
            let at_s = seconds(watched[place].next_ns);
            let is_held = watched.iter().any(|it| it.is_out && it.ready.is_cooling(at_s));
            let Some(wanted) = watched[place].evaluate(&data, desired, is_held, &mut story) else {
                continue;
            };
            let is_out = wanted > desired;
            if second >= AT_S {
                story.outs += u64::from(is_out);
                story.ins += u64::from(!is_out);
                story.turns += u64::from(went_out.is_some_and(|it| it != is_out));
                went_out = Some(is_out);
            }
            for _ in desired..wanted {
                let begins_s = second + START_S.0 + dice.u64(0..=START_S.1 - START_S.0);
                members.push(member(begins_s, &mut dice, clock, ingest_s));
            }
            // The youngest go.
            let living = members.iter_mut().rev().filter(|it| it.ends_s == u64::MAX);
            for member in living.take(desired.saturating_sub(wanted) as usize) {
                member.ends_s = second + DRAIN_S;
            }
            desired = wanted;
        }
    }
    story.first_s = watched.iter().filter(|it| it.is_out).map(|it| it.first_s).collect();
    story
}

impl Watched {
    /// One evaluation. What the capacity is to be, if that changes.
    fn evaluate(
        &mut self,
        data: &[Datum],
        desired: u64,
        is_held: bool,
        story: &mut Story,
    ) -> Option<u64> {
        let (at_ns, before) = (self.next_ns, self.state);
        let at_s = seconds(at_ns);
        self.next_ns += ns(self.alarm.evaluated_each_s);
        self.state = self.alarm.evaluate(data, at_ns, before);
        if self.state != State::Alarm {
            self.ready.on_ok();
            return None;
        }
        let is_after = at_s >= AT_S as f64;
        if self.is_out && is_after {
            story.alarms += u64::from(before != State::Alarm);
            self.first_s = self.first_s.or(Some(at_s - AT_S as f64));
        }
        if !self.is_out && is_held {
            return None;
        }
        let newest = self.alarm.points(data, at_ns).into_iter().flatten().next()?;
        let beyond = newest - self.alarm.threshold;
        self.ready.on_alarm(at_s, if self.is_out { beyond } else { -beyond }, desired)
    }
}

impl Work {
    /// Gives each task its part of a second. The busiest one's, the mean, and how many run.
    fn share(
        &self,
        second: u64,
        members: &mut [Member],
        dice: &mut fastrand::Rng,
    ) -> (f64, f64, u64) {
        let running = members.iter().filter(|it| it.begins_s <= second).count();
        let (stuck_from_s, stuck_until_s) = self.stuck_s;
        let is_stuck_now = (stuck_from_s..stuck_until_s).contains(&second);
        let of_one = self.demand[second as usize] / (running as f64 - 1.0 + self.skew);
        let (mut busiest, mut sum) = (0.0_f64, 0.0);
        for (place, member) in members.iter_mut().filter(|it| it.begins_s <= second).enumerate() {
            let is_stuck = is_stuck_now && place < self.stuck;
            let share = if place == 0 { of_one * self.skew } else { of_one };
            let has_to = if is_stuck { 100.0 } else { share };
            // A single busy second is no trouble by itself; what the task has to do is.
            busiest = busiest.max(has_to);
            let is_busy = dice.f64() < self.busy_seconds / 3600.0;
            let noise = self.noise * scattered(dice);
            let percent = if is_busy || is_stuck { 100.0 } else { share + noise };
            let percent = percent.clamp(0.0, 100.0);
            sum += percent;
            member.load.push(percent);
        }
        (busiest, sum / running as f64, running as u64)
    }
}

fn member(begins_s: u64, dice: &mut fastrand::Rng, clock: Clock, ingest_s: (f64, f64)) -> Member {
    let interval_s = esp_defaults::interval_s();
    let publishing =
        Publishing { interval_s, offset_s: dice.f64() * interval_s, rule: esp_defaults::rule() };
    let task = Task {
        source: Kind::Kernel.source(0.0),
        publishing,
        asked_from_ns: begins_s * SECOND_NS + ns(dice.f64()),
        warm_up: Duration::ZERO,
    };
    let cloudwatch = CloudWatch { seed: dice.u64(..), ingest_s };
    // It has used nothing before it begins.
    let load = Load::of((0..begins_s).map(|_| 0.0));
    Member { load, player: Player::new(task, cloudwatch, clock), begins_s, ends_s: u64::MAX }
}
