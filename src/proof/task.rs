//! The whole task where it has its machine for itself: the machine's busy time is that
//! of the containers and of the platform's own processes. The platform's part is found
//! over a minute at a time, by what the endpoint says of the containers, and tried on
//! the minute after. The caller sees to it that the machine is the task's own.

use std::time::Duration;

use super::{
    event::Handed,
    history::{KernelHistory, KernelValue, Pushed, between},
    made::{MadeCounter, to_f64},
};
use crate::{reading::CpuReading, time::Timestamp};

/// So many comparisons must agree, one after another.
pub const COMPARISONS_NEEDED: u32 = 3;
/// By how much the containers' use over a minute may differ from what the machine and
/// the platform's part tell: of the task's CPUs.
const ERROR_MAX: f64 = 0.03;
/// Moments of comparison are at least so far apart, ns.
const APART_MIN_NS: u64 = 5_000_000_000;
/// What counts as a minute: it begins and ends at such moments.
const MINUTE_MIN_NS: u64 = 55_000_000_000;
const MINUTE_MAX_NS: u64 = 90_000_000_000;
/// Over which time the estimate is led to the endpoint's sum, ns. Containers renew at
/// different times, so that a sum at one moment is made of values from 10 s around it.
const LEAD_NS: f64 = 60e9;
/// Without a new moment of comparison for so long, nothing is handed on.
const SILENCE_MAX_NS: u64 = 60_000_000_000;

const READINGS: usize = 64;
const MOMENTS: usize = 32;

/// What the endpoint said of one container.
#[derive(Clone, Debug)]
struct Track {
    /// (time, counter), ns; the newest first.
    readings: [(u64, u64); READINGS],
    length: usize,
}

/// All containers and the machine at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at_ns: u64,
    /// The containers' counters together, ns.
    used_ns: u64,
    /// The machine's busy time, ns.
    busy_ns: u64,
    /// CPUs of the platform over the minute before.
    platform: Option<f64>,
}

/// What there is to say of the whole task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TaskEvent {
    /// From now on the estimate is handed on.
    Proven {
        /// CPUs that the platform uses, which are taken off.
        platform_cpus: f64,
    },
    /// Over a minute the containers used other than the estimate: it is not handed on
    /// any more, if it was.
    Refuted {
        /// CPUs that the containers used.
        used_cpus: f64,
        /// CPUs that the estimate came to.
        estimated_cpus: f64,
        /// By how much they may differ.
        allowed_cpus: f64,
    },
    /// The endpoint said nothing new of one container or more, for this time.
    GivenUp {
        /// Since the last comparison.
        since: Duration,
    },
}

/// The estimate of what all containers of the task use together.
#[derive(Debug)]
pub struct TaskEstimate {
    /// The task's own limit.
    limit_cpus: f64,
    machine: KernelHistory,
    tracks: Vec<Track>,
    /// The newest first.
    moments: [Option<Moment>; MOMENTS],
    agreed: u32,
    /// A comparison has been made since the start, and the last one did not agree.
    is_refuted: bool,
    made: Option<(MadeCounter, KernelValue)>,
}

impl TaskEstimate {
    /// Of a task with this limit, and so many containers that run.
    #[must_use]
    pub fn new(limit_cpus: f64, containers: usize) -> Self {
        let mut new = Self {
            limit_cpus,
            machine: KernelHistory::new(),
            tracks: Vec::new(),
            moments: [None; MOMENTS],
            agreed: 0,
            is_refuted: false,
            made: None,
        };
        new.on_containers(containers);
        new
    }

    /// There are other containers, or one was replaced: what is known is of no use.
    pub fn on_containers(&mut self, containers: usize) {
        self.tracks.clear();
        self.tracks.resize(containers, Track { readings: [(0, 0); READINGS], length: 0 });
        self.begin_again();
    }

    /// The clock was set. To be called before anything that was read after it.
    pub fn on_clock_step(&mut self) {
        self.begin_again();
    }

    /// A new reading of the container with this number.
    pub fn on_endpoint(&mut self, container: usize, read: Timestamp, total_ns: u64) {
        let Some(track) = self.tracks.get_mut(container) else { return };
        if !track.push(read.unix_ns(), total_ns) {
            self.begin_again();
        }
    }

    /// The machine's busy time, over all CPUs.
    pub fn on_machine(&mut self, value: KernelValue) -> (Handed, Option<TaskEvent>) {
        match self.machine.push(value) {
            Pushed::Next => {}
            Pushed::NotLater => return (Handed::Nothing, None),
            Pushed::Fell => {
                self.begin_again();
                return (Handed::Nothing, None);
            }
        }
        let event = self.compare(value);
        if let Some(last) = self.moments[0] {
            let since_ns = value.to.unix_ns().saturating_sub(last.at_ns);
            if since_ns > SILENCE_MAX_NS && self.agreed > 0 {
                let was_proven = self.is_proven();
                self.begin_again();
                let since = Duration::from_nanos(since_ns);
                let event = event.or(was_proven.then_some(TaskEvent::GivenUp { since }));
                return (Handed::Nothing, event);
            }
        }
        (self.hand(value), event)
    }

    /// Whether the estimate is handed on.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.agreed >= COMPARISONS_NEEDED
    }

    /// Of how many containers it is.
    #[must_use]
    pub fn containers(&self) -> usize {
        self.tracks.len()
    }

    /// How many comparisons agreed, one after another.
    #[must_use]
    pub const fn agreed(&self) -> u32 {
        self.agreed
    }

    fn hand(&mut self, value: KernelValue) -> Handed {
        let (true, Some(last)) = (self.is_proven(), self.moments[0]) else {
            self.made = None;
            return Handed::Nothing;
        };
        let Some(platform) = last.platform else { return Handed::Nothing };
        let counter = |counter: &MadeCounter| {
            let read = Timestamp::from_unix_ns(value.middle_ns());
            (read, CpuReading { total_usage_ns: counter.total_ns(), online_cpus: None })
        };
        if let Some((made, before)) = &mut self.made {
            let elapsed = to_f64(value.middle_ns().saturating_sub(before.middle_ns()));
            let busy = to_f64(value.total_ns.saturating_sub(before.total_ns));
            made.grow(busy - platform * elapsed, elapsed);
            *before = value;
            let (read, cpu) = counter(made);
            return Handed::Counter { read, cpu };
        }
        // So much they had used for certain.
        let used_ns = self.tracks.iter().filter_map(Track::last).map(|(_, used_ns)| used_ns).sum();
        let mut started = MadeCounter::starting_at(last.goes_on(value));
        started.raise_to(used_ns);
        let (made, _) = self.made.insert((started, value));
        let (read, cpu) = counter(made);
        Handed::Base { read, cpu }
    }

    /// Compares over a minute, if there is a new moment at which all is known.
    fn compare(&mut self, value: KernelValue) -> Option<TaskEvent> {
        let at_ns = self.tracks.iter().map(|track| Some(track.last()?.0)).min()??;
        let is_new =
            self.moments[0].is_none_or(|last| at_ns >= last.at_ns.saturating_add(APART_MIN_NS));
        if !is_new {
            return None;
        }
        let busy_ns = self.machine.at(Timestamp::from_unix_ns(at_ns))?;
        let used_ns = self.tracks.iter().map(|track| track.at(at_ns)).sum::<Option<u64>>()?;
        let before = self.minute_before(at_ns);
        let mut now = Moment { at_ns, used_ns, busy_ns, platform: None };
        let mut event = None;
        if let Some(before) = before {
            let elapsed = to_f64(at_ns - before.at_ns);
            let used = to_f64(used_ns.saturating_sub(before.used_ns)) / elapsed;
            let busy = to_f64(busy_ns.saturating_sub(before.busy_ns)) / elapsed;
            now.platform = Some(busy - used);
            if let Some(platform) = before.platform {
                event = self.on_comparison(used, busy - platform, busy - used);
            }
        }
        self.moments.rotate_right(1);
        self.moments[0] = Some(now);
        if let (Some((made, _)), Some(_)) = (&mut self.made, now.platform) {
            made.lead_to(now.goes_on(value), LEAD_NS);
        }
        event
    }

    fn on_comparison(
        &mut self,
        used_cpus: f64,
        estimated_cpus: f64,
        platform_cpus: f64,
    ) -> Option<TaskEvent> {
        let allowed_cpus = ERROR_MAX * self.limit_cpus;
        let agrees =
            (used_cpus - estimated_cpus).abs() <= allowed_cpus && platform_cpus >= -allowed_cpus;
        if !agrees {
            self.agreed = 0;
            let was_refuted = std::mem::replace(&mut self.is_refuted, true);
            let event = TaskEvent::Refuted { used_cpus, estimated_cpus, allowed_cpus };
            return (!was_refuted).then_some(event);
        }
        self.agreed = self.agreed.saturating_add(1);
        if self.agreed != COMPARISONS_NEEDED {
            return None;
        }
        self.is_refuted = false;
        Some(TaskEvent::Proven { platform_cpus })
    }

    /// The last moment that is a minute before `at_ns`.
    fn minute_before(&self, at_ns: u64) -> Option<Moment> {
        let is_minute = |moment: &&Moment| {
            let ns = at_ns.saturating_sub(moment.at_ns);
            (MINUTE_MIN_NS..=MINUTE_MAX_NS).contains(&ns)
        };
        self.moments.iter().flatten().find(is_minute).copied()
    }

    fn begin_again(&mut self) {
        self.machine.clear();
        self.tracks.iter_mut().for_each(|track| track.length = 0);
        self.moments = [None; MOMENTS];
        self.agreed = 0;
        self.is_refuted = false;
        self.made = None;
    }
}

impl Moment {
    /// What the containers' counters come to when the machine's is `value`.
    fn goes_on(&self, value: KernelValue) -> f64 {
        let busy = to_f64(value.total_ns.saturating_sub(self.busy_ns));
        let elapsed = to_f64(value.middle_ns().saturating_sub(self.at_ns));
        to_f64(self.used_ns) + busy - self.platform.unwrap_or(0.0) * elapsed
    }
}

impl Track {
    /// Takes in a reading. `false` if the counter fell.
    fn push(&mut self, at_ns: u64, total_ns: u64) -> bool {
        if self.length > 0 {
            let (last_ns, before_ns) = self.readings[0];
            if at_ns <= last_ns {
                return true;
            }
            if total_ns < before_ns {
                return false;
            }
        }
        self.readings.rotate_right(1);
        self.readings[0] = (at_ns, total_ns);
        self.length = (self.length + 1).min(READINGS);
        true
    }

    fn last(&self) -> Option<(u64, u64)> {
        (self.length > 0).then_some(self.readings[0])
    }

    /// What the counter was, as if it grew evenly from one reading to the next.
    fn at(&self, at_ns: u64) -> Option<u64> {
        let known = &self.readings[..self.length];
        let place = known.iter().position(|(read_ns, _)| *read_ns <= at_ns)?;
        let before = known[place];
        if before.0 == at_ns {
            return Some(before.1);
        }
        between(before, known[place.checked_sub(1)?], at_ns)
    }
}
