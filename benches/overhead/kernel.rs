//! ESP with the kernel as a source, beside two floors in the same time: a program that
//! only fetches the bytes of `/task/stats` each second, and one that only reads a counter
//! of the kernel each second.

use std::{
    env,
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    FLOOR, KERNEL_FLOOR, Options, Outcome, SLICE,
    endpoints::Endpoints,
    process::{Program, Reading},
    report::float,
    sleep_until,
};

/// The user that ESP's image has.
const USER: u32 = 65532;
/// Until the kernel is proven, with a renewal each 10 s.
const WARM_UP: Duration = Duration::from_secs(130);

/// What ESP can read of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Its cgroup file: both have the same user.
    Exact,
    /// The clocks of its processes.
    Processes,
    /// Nothing: `SOURCE=endpoint`.
    Endpoint,
}

impl Scenario {
    pub(crate) fn named(name: &str) -> Outcome<Self> {
        match name {
            "exact" => Ok(Self::Exact),
            "processes" => Ok(Self::Processes),
            "endpoint" => Ok(Self::Endpoint),
            _ => Err(format!("--kernel {name}: expected exact, processes or endpoint").into()),
        }
    }

    const fn processes(self) -> usize {
        match self {
            Self::Processes => 20,
            Self::Exact | Self::Endpoint => 1,
        }
    }
}

/// Measures, and prints what came of it.
pub(crate) fn run(options: &Options, scenario: Scenario, esp: &Path) -> Outcome<()> {
    let this = env::current_exe()?;
    let names = ["floor", "kernel floor", "esp"];
    let mut endpoints = Endpoints::start(names.len(), options.period_ms, scenario.processes())?;
    let start = Instant::now();
    let mut programs = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let mut variables = endpoints.variables(place);
        let mut command = match *name {
            "floor" => {
                let mut command = Command::new(&this);
                command.args([FLOOR, endpoints.metadata_uri(place)]);
                command
            }
            "kernel floor" => {
                let mut command = Command::new(&this);
                command.args([KERNEL_FLOOR, &endpoints.counter_file]);
                command
            }
            _ => Command::new(esp),
        };
        if *name == "esp" {
            match scenario {
                Scenario::Exact => {}
                Scenario::Processes => {
                    command.uid(USER).gid(USER);
                }
                Scenario::Endpoint => variables.push(("SOURCE", "endpoint".to_owned())),
            }
        }
        sleep_until(start + Duration::from_millis(250 * (place as u64 + 1)));
        programs.push(Program::start(&mut command, &variables)?);
    }

    let begin = start + WARM_UP;
    sleep_until(begin);
    let before = endpoints.seen()?;
    let mut readings: Vec<Vec<Reading>> = vec![Vec::new(); names.len()];
    for slice in 0..=u32::try_from(options.seconds / SLICE.as_secs())? {
        sleep_until(begin + SLICE * slice);
        for (place, program) in programs.iter_mut().enumerate() {
            readings[place].push(program.read().map_err(|e| format!("{}: {e}", names[place]))?);
        }
    }
    let after = endpoints.seen()?;
    let log = programs.pop().map(Program::stop).transpose()?.unwrap_or_default();
    let last = log.iter().rev().find(|line| line["kernel_containers"].is_u64());
    let kernel_containers = last.and_then(|line| line["kernel_containers"].as_u64());

    let seconds = float(options.seconds);
    let rate = |place: usize, of: fn(&Reading) -> u64| {
        let all = &readings[place];
        float(of(&all[all.len() - 1]) - of(&all[0])) / seconds
    };
    let cpu_ms = |place: usize| rate(place, |reading| reading.cpu_ns) / 1e6;
    println!("\n{seconds} s, renewed each {} ms, {scenario:?}\n", options.period_ms);
    println!("program       CPU ms/s  x floor  x kernel floor  switches/s  polls/s  requests");
    let mut rows = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let seen = after[place].since(&before[place]);
        let switches = rate(place, |reading| reading.voluntary + reading.involuntary);
        let polls = float(seen.polls) / seconds;
        println!(
            "{name:12}  {:8.3}  {:7.2}  {:14.2}  {switches:10.1}  {polls:7.2}  {:8}",
            cpu_ms(place),
            cpu_ms(place) / cpu_ms(0),
            cpu_ms(place) / cpu_ms(1),
            seen.accepted.len(),
        );
        rows.push(json!({
            "name": name,
            "cpu_ms_per_s": cpu_ms(place),
            "times_floor": cpu_ms(place) / cpu_ms(0),
            "switches_per_s": switches,
            "polls_per_s": polls,
            "requests": seen.accepted.len(),
            "datums": seen.accepted.iter().sum::<u64>(),
        }));
    }
    let shown = kernel_containers.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    println!("\nContainers read from the kernel, as ESP counted: {shown}.");
    if let Some(file) = &options.json {
        let all: Value = json!({
            "seconds": seconds,
            "period_ms": options.period_ms,
            "scenario": format!("{scenario:?}"),
            "kernel_containers": kernel_containers,
            "programs": rows,
        });
        std::fs::write(file, format!("{all:#}\n"))?;
    }
    if scenario != Scenario::Endpoint && kernel_containers != Some(1) {
        return Err(
            "ESP did not use the kernel, so these figures are not what was asked for".into()
        );
    }
    Ok(())
}
