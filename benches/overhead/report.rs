//! What was measured, in figures beside their goals: as text, as JSON, and as the
//! faults that a check reports.

use std::{fmt, time::Duration};

use esp_endpoints::agent::Cadence;
use serde_json::{Value, json};

use crate::{SLICE, endpoints::Seen, process::Reading, scenarios::Backlog};

/// One program over the whole time.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// How it was started.
    pub(crate) command: String,
    /// One at the beginning and one at the end of each slice.
    pub(crate) readings: Vec<Reading>,
    pub(crate) threads: Vec<String>,
    /// What its endpoints have seen in that time.
    pub(crate) seen: Seen,
    /// What it says itself in its last summary, which comes each minute.
    pub(crate) missed_ticks: Option<u64>,
    /// Samples that CloudWatch may have got twice, by the same line.
    pub(crate) sent_again: Option<u64>,
}

/// All of it. The floor is the first of `measured`, `esp` the second.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) seconds: u64,
    pub(crate) containers: u64,
    pub(crate) body_bytes: u64,
    /// The file of `esp`.
    pub(crate) program_bytes: u64,
    pub(crate) measured: Vec<Measured>,
    /// In order.
    pub(crate) starts: Vec<Duration>,
    pub(crate) backlog: Backlog,
}

/// The original ESP, in Go, with its request to CloudWatch each second, beside a
/// floor of its own run and machine: 2.17 over 0.14 ms of CPU a second.
const ORIGINAL_RATIO: f64 = 2.17 / 0.14;

/// What `--check` lets pass, times the goal: of what a busy machine may change, and
/// of what depends on the kernel and the compiler alone.
const BUSY: Option<f64> = Some(1.5);
const NEARLY: Option<f64> = Some(1.1);
const EXACTLY: Option<f64> = Some(1.0);

const MEGABYTE: f64 = 1e6;
const NS_PER_MS: f64 = 1e6;

/// A figure of `esp` and what it is to be at most.
struct Goal {
    figure: &'static str,
    measured: f64,
    most: f64,
    /// So many times the goal is a fault. `None`: nothing is.
    slack: Option<f64>,
}

impl Measured {
    fn first_and_last(&self) -> Option<(&Reading, &Reading)> {
        Some((self.readings.first()?, self.readings.last()?))
    }

    /// What `count` has come to, a second.
    fn rate(&self, seconds: u64, count: impl Fn(&Reading) -> u64) -> f64 {
        let Some((first, last)) = self.first_and_last() else { return f64::NAN };
        float(count(last).saturating_sub(count(first))) / float(seconds)
    }

    fn cpu_ms(&self, seconds: u64) -> f64 {
        self.rate(seconds, |reading| reading.cpu_ns) / NS_PER_MS
    }

    /// CPU of each slice.
    fn slices_ns(&self) -> Vec<f64> {
        let pairs = self.readings.windows(2);
        pairs.map(|pair| float(pair[1].cpu_ns.saturating_sub(pair[0].cpu_ns))).collect()
    }

    /// The largest of a figure of memory in the last minute, MB.
    fn memory(&self, of: impl Fn(&Reading) -> u64) -> f64 {
        let last = self.readings.iter().rev().take(readings_in_a_minute());
        float(last.map(of).max().unwrap_or_default()) / MEGABYTE
    }

    /// Resident and anonymous memory in the second minute and in the last, MB;
    /// where there are three.
    fn growth(&self) -> Option<[(f64, f64); 2]> {
        let minute = readings_in_a_minute();
        let (second, last) = (self.readings.get(2 * minute)?, self.readings.last()?);
        let is_long = self.readings.len() > 3 * minute;
        let both = |reading: &Reading| {
            (float(reading.resident_bytes) / MEGABYTE, float(reading.anonymous_bytes) / MEGABYTE)
        };
        is_long.then(|| [both(second), both(last)])
    }
}

impl Report {
    fn floor(&self) -> &Measured {
        &self.measured[0]
    }

    fn esp(&self) -> &Measured {
        &self.measured[1]
    }

    /// CPU over the floor's in the same time.
    fn ratio(&self, program: &Measured) -> f64 {
        program.cpu_ms(self.seconds) / self.floor().cpu_ms(self.seconds)
    }

    /// The same by slice, in order of size.
    fn ratios(&self, program: &Measured) -> Vec<f64> {
        let slices = program.slices_ns().into_iter().zip(self.floor().slices_ns());
        let mut ratios: Vec<f64> = slices.map(|(program, floor)| program / floor).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// Each renewal of the endpoint's is to be polled.
    fn missed_polls(&self, program: &Measured) -> u64 {
        let seconds = Duration::from_secs(self.seconds);
        let renewals = seconds.as_nanos() / Cadence::STREAMING.period.as_nanos();
        u64::try_from(renewals).unwrap_or(u64::MAX).saturating_sub(program.seen.polls)
    }

    fn goals(&self) -> Vec<Goal> {
        let esp = self.esp();
        let drained = &self.backlog.drained;
        let goal = |figure, measured, most, slack| Goal { figure, measured, most, slack };
        vec![
            goal("CPU, multiple of the floor", self.ratio(esp), 2.0, None),
            goal(
                "CPU, part of the earlier ESP's",
                self.ratio(esp) / ORIGINAL_RATIO,
                1.0 / 7.0,
                None,
            ),
            goal("context switches a second", esp.rate(self.seconds, all_switches), 7.0, None),
            goal("  of these, waits", esp.rate(self.seconds, |r| r.voluntary), 7.0, BUSY),
            goal("threads", float(esp.threads.len() as u64), 3.0, EXACTLY),
            goal("resident memory, MB", esp.memory(|r| r.resident_bytes), 8.0, NEARLY),
            goal("  anonymous", esp.memory(|r| r.anonymous_bytes), 1.5, NEARLY),
            goal("  after a backlog, MB", megabytes(drained.resident_bytes), 9.0, NEARLY),
            goal("  anonymous", megabytes(drained.anonymous_bytes), 3.0, NEARLY),
            goal("size of the program, MB", megabytes(self.program_bytes), 5.8, NEARLY),
            goal("start to the first poll, ms", self.start_ms(self.starts.len() / 2), 20.0, None),
            goal("polls missed", float(self.missed_polls(esp)), 0.0, None),
        ]
    }

    fn start_ms(&self, place: usize) -> f64 {
        self.starts.get(place).map_or(f64::NAN, |start| start.as_secs_f64() * 1000.0)
    }

    /// What cannot be the machine's fault.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self
            .goals()
            .iter()
            .filter(|goal| goal.slack.is_some_and(|slack| goal.measured > goal.most * slack))
            .map(|goal| {
                let Goal { figure, measured, most, .. } = goal;
                format!("{}: {measured:.2}, but the goal is {most}", figure.trim())
            })
            .collect();
        let esp = &self.esp().seen;
        if esp.accepted.is_empty() || esp.polls == 0 {
            faults.push("esp published nothing in this time".to_owned());
        }
        if esp.refused > 0 {
            faults.push(format!("{} requests exceeded a limit of CloudWatch", esp.refused));
        }
        match self.esp().sent_again {
            Some(0) => {}
            Some(again) => faults.push(format!("{again} samples were sent again without need")),
            None => faults.push("esp's log does not say how many samples it sent again".to_owned()),
        }
        faults
    }

    pub(crate) fn json(&self) -> Value {
        let programs: Vec<Value> = self.measured.iter().map(|of| self.program_json(of)).collect();
        let goals: Vec<Value> = self
            .goals()
            .iter()
            .map(|goal| {
                json!({
                    "figure": goal.figure.trim(),
                    "measured": goal.measured,
                    "most": goal.most,
                    "met": goal.is_met(),
                })
            })
            .collect();
        json!({
            "seconds": self.seconds,
            "containers": self.containers,
            "body_bytes": self.body_bytes,
            "program_bytes": self.program_bytes,
            "programs": programs,
            "goals": goals,
            "starts_ms": (0..self.starts.len()).map(|n| self.start_ms(n)).collect::<Vec<_>>(),
            "backlog": {
                "outage_s": self.backlog.outage.as_secs(),
                "quick": self.backlog.is_quick,
                "datums": self.backlog.datums,
                "full": memory_json(&self.backlog.full),
                "drained": memory_json(&self.backlog.drained),
            },
        })
    }

    fn program_json(&self, program: &Measured) -> Value {
        json!({
            "name": program.name,
            "command": program.command,
            "cpu_ms_per_s": program.cpu_ms(self.seconds),
            "ratio": self.ratio(program),
            "ratios_of_slices": self.ratios(program),
            "slice_s": SLICE.as_secs(),
            "voluntary_switches_per_s": program.rate(self.seconds, |r| r.voluntary),
            "involuntary_switches_per_s": program.rate(self.seconds, |r| r.involuntary),
            "threads": program.threads,
            "memory": program.readings.iter().map(memory_json).collect::<Vec<_>>(),
            "polls": program.seen.polls,
            "connections_to_metadata": program.seen.connections,
            "requests": program.seen.accepted.len(),
            "datums": program.seen.accepted.iter().sum::<u64>(),
            "refused_requests": program.seen.refused,
            "missed_ticks_by_itself": program.missed_ticks,
            "sent_again_by_itself": program.sent_again,
        })
    }
}

impl Goal {
    fn is_met(&self) -> bool {
        self.measured <= self.most
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, containers, body_bytes, .. } = self;
        writeln!(
            f,
            "\n{seconds} s, a poll every second, {containers} containers, {body_bytes} bytes a \
             body\n"
        )?;
        writeln!(
            f,
            "program     CPU ms/s  × floor  (slices)       switches/s  resident MB  anonymous  threads  polls  requests"
        )?;
        for program in &self.measured {
            let ratios = self.ratios(program);
            let ends = (ratios.first().unwrap_or(&0.0), ratios.last().unwrap_or(&0.0));
            writeln!(
                f,
                "{:10}  {:8.3}  {:7.2}  ({:5.2}-{:5.2})  {:10.1}  {:11.2}  {:9.2}  {:7}  {:5}  {:8}",
                program.name,
                program.cpu_ms(*seconds),
                self.ratio(program),
                ends.0,
                ends.1,
                program.rate(*seconds, all_switches),
                program.memory(|reading| reading.resident_bytes),
                program.memory(|reading| reading.anonymous_bytes),
                program.threads.len(),
                program.seen.polls,
                program.seen.accepted.len(),
            )?;
        }
        for peer in &self.measured[2..] {
            writeln!(f, "{}: {}", peer.name, peer.command)?;
        }
        writeln!(f, "\nesp                            measured    goal")?;
        for goal in self.goals() {
            let verdict = if goal.is_met() { "" } else { "  missed" };
            let Goal { figure, measured, most, .. } = goal;
            writeln!(f, "{figure:29}  {measured:8.2}  {most:6.2}{verdict}")?;
        }
        writeln!(f, "\nThreads: {}.", self.esp().threads.join(", "))?;
        let ends = (self.start_ms(0), self.start_ms(self.starts.len().saturating_sub(1)));
        writeln!(f, "Starts: {}, {:.1} to {:.1} ms.", self.starts.len(), ends.0, ends.1)?;
        self.backlog.fmt(f)?;
        if let Some([second, last]) = self.esp().growth() {
            writeln!(
                f,
                "Memory, resident and anonymous: {:.2} and {:.2} MB in the second minute, {:.2} and \
                 {:.2} MB in the last.",
                second.0, second.1, last.0, last.1
            )?;
        }
        if let Some(missed) = self.esp().missed_ticks {
            writeln!(f, "Ticks missed, as ESP counted: {missed}.")?;
        }
        if let Some(again) = self.esp().sent_again {
            writeln!(f, "Samples sent again, as ESP counted: {again}.")?;
        }
        Ok(())
    }
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = if self.is_quick {
            "with a poll every 200 ms for all metrics of all containers"
        } else {
            "with the default settings"
        };
        writeln!(
            f,
            "Backlog: {} datums of {} s {rate}; {:.2} MB resident and {:.2} anonymous while full.",
            self.datums,
            self.outage.as_secs(),
            megabytes(self.full.resident_bytes),
            megabytes(self.full.anonymous_bytes),
        )
    }
}

fn all_switches(reading: &Reading) -> u64 {
    reading.voluntary + reading.involuntary
}

fn memory_json(reading: &Reading) -> Value {
    json!({
        "resident_bytes": reading.resident_bytes,
        "anonymous_bytes": reading.anonymous_bytes,
    })
}

fn readings_in_a_minute() -> usize {
    usize::try_from(60 / SLICE.as_secs()).unwrap_or(1)
}

fn megabytes(bytes: u64) -> f64 {
    float(bytes) / MEGABYTE
}

#[expect(clippy::cast_precision_loss, reason = "counts of minutes, far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
