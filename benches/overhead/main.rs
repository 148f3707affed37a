//! What `esp` costs its task, beside the floor: a program that only fetches the
//! bytes of `/task/stats` each second. Both run at the same time and at the real
//! rate, each against endpoints of its own in a third process, so that what the
//! machine does besides meets both alike.
//!
//!     cargo bench -p esp-benches --bench overhead
//!
//! builds `esp` as the image has it (`build/static`, some minutes), measures for two
//! minutes and needs two more for its start and a backlog. After `--`:
//!
//! - `--seconds N`: how long to measure (120), in tens.
//! - `--json FILE`: writes all of it there.
//! - `--peer COMMAND`: measures another program as well; it gets the environment
//!   that `esp` gets, and no other. As often as there are peers.
//! - `--outage N`: an outage of N real seconds with the default settings, in the
//!   place of the quick one.
//! - `--esp PATH`: measures this binary, and builds none.
//! - `--kernel exact|processes|endpoint`: measures ESP with the kernel as a source instead,
//!   beside the floor of both sources, as root. `exact` reads the container's cgroup file,
//!   `processes` the clocks of 20 processes as another user, `endpoint` leaves the kernel
//!   out.
//! - `--period-ms N`: with `--kernel`, how often the endpoint renews (10000); 0 is the
//!   cadence of EC2's agent.
//! - `--check`: fails where threads, waits, memory or size are far from the goals,
//!   or where samples were sent again. Times are never checked.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod endpoints;
mod floor;
mod group;
mod kernel;
mod process;
mod report;
mod scenarios;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use endpoints::Endpoints;
use process::Program;
use report::{Measured, Report};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The argument that makes this program the floor.
const FLOOR: &str = "--floor";
/// The argument that makes this program the kernel's floor.
const KERNEL_FLOOR: &str = "--kernel-floor";
/// Before the first reading: two requests to CloudWatch, the first with its
/// handshake.
const WARM_UP: Duration = Duration::from_secs(22);
/// Between two readings: one request to CloudWatch.
const SLICE: Duration = Duration::from_secs(10);
/// The quick outage fills the buffer in this time.
const QUICK_OUTAGE: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct Options {
    seconds: u64,
    json: Option<PathBuf>,
    peers: Vec<String>,
    outage: Option<u64>,
    esp: Option<PathBuf>,
    check: bool,
    kernel: Option<kernel::Scenario>,
    period_ms: u64,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("overhead: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [FLOOR, uri] => return Ok(floor::run(uri).map(|()| true)?),
        [KERNEL_FLOOR, file] => return Ok(floor::run_kernel(file).map(|()| true)?),
        [group::ARGUMENT, kind] => group::load(kind),
        [endpoints::ARGUMENT, programs, period_ms, processes] => {
            let (programs, processes) = (programs.parse()?, processes.parse()?);
            return endpoints::run(programs, period_ms.parse()?, processes).map(|()| true);
        }
        _ => {}
    }
    let options = Options::read(arguments)?;
    let esp = match &options.esp {
        Some(path) => path.clone(),
        None => build()?,
    };
    if let Some(kernel) = options.kernel {
        return kernel::run(&options, kernel, &esp).map(|()| true);
    }
    let program_bytes = fs::metadata(&esp)?.len();
    let starts = scenarios::start_up(&esp)?;
    let (measured, containers, body_bytes) = measure(&options, &esp)?;
    let backlog = if let Some(seconds) = options.outage {
        scenarios::backlog(&esp, Duration::from_secs(seconds), false)?
    } else {
        let seconds = Duration::from_secs(options.seconds / 2).min(QUICK_OUTAGE);
        scenarios::backlog(&esp, seconds, true)?
    };
    let seconds = options.seconds;
    let report =
        Report { seconds, containers, body_bytes, program_bytes, measured, starts, backlog };
    print!("{report}");
    if let Some(file) = options.json {
        fs::write(file, format!("{:#}\n", report.json()))?;
    }
    let faults = report.faults();
    if options.check {
        for fault in &faults {
            eprintln!("overhead: {fault}");
        }
    }
    Ok(!options.check || faults.is_empty())
}

impl Options {
    fn read(arguments: Vec<String>) -> Outcome<Self> {
        let mut options = Self {
            seconds: 120,
            json: None,
            peers: Vec::new(),
            outage: None,
            esp: None,
            check: false,
            kernel: None,
            period_ms: 10_000,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--seconds" => options.seconds = value()?.parse()?,
                "--json" => options.json = Some(value()?.into()),
                "--peer" => options.peers.push(value()?),
                "--outage" => options.outage = Some(value()?.parse()?),
                "--esp" => options.esp = Some(value()?.into()),
                "--check" => options.check = true,
                "--kernel" => options.kernel = Some(kernel::Scenario::named(&value()?)?),
                "--period-ms" => options.period_ms = value()?.parse()?,
                // Cargo's own.
                "--bench" => {}
                _ => return Err(format!("{argument} is not an option of this bench").into()),
            }
        }
        let slice = SLICE.as_secs();
        options.seconds = options.seconds.div_ceil(slice).max(1) * slice;
        Ok(options)
    }
}

/// Builds `esp` as the image has it, by the script that builds that one, and says
/// where it is.
fn build() -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    // This program is TARGET/release/deps/overhead-….
    let this = env::current_exe()?;
    let target = this.ancestors().nth(3).ok_or("this program is in no target directory")?;
    let built =
        Command::new(root.join("build/static")).arg(target).stderr(Stdio::inherit()).output()?;
    if !built.status.success() {
        return Err("esp cannot be built".into());
    }
    let path = String::from_utf8(built.stdout)?;
    Ok(root.join(path.trim_end()))
}

/// Runs the floor, `esp` and the peers side by side; with them the number of
/// containers and the bytes of a body.
fn measure(options: &Options, esp: &Path) -> Outcome<(Vec<Measured>, u64, u64)> {
    let this = env::current_exe()?;
    let count = 2 + options.peers.len();
    let mut endpoints = Endpoints::start(count, 0, 0)?;
    let peers = options.peers.iter().zip(1..);
    let peers = peers.map(|(command, number)| (format!("peer {number}"), command.clone()));
    let ours = [("floor", String::new()), ("esp", esp.display().to_string())];
    let ours = ours.map(|(name, command)| (name.to_owned(), command));
    let names: Vec<(String, String)> = ours.into_iter().chain(peers).collect();

    let start = Instant::now();
    let mut programs = Vec::new();
    for (place, (_, line)) in names.iter().enumerate() {
        let mut command = match place {
            0 => Command::new(&this),
            1 => Command::new(esp),
            _ => Command::new("sh"),
        };
        if place == 0 {
            command.args([FLOOR, endpoints.metadata_uri(place)]);
        } else if place > 1 {
            command.args(["-c", &format!("exec {line}")]);
        }
        // Each has its own part of the second, and the readings have one too.
        let part = f64::from(u32::try_from(place + 1)?) / f64::from(u32::try_from(count + 1)?);
        sleep_until(start + Duration::from_secs_f64(part));
        programs.push(Program::start(&mut command, &endpoints.variables(place))?);
    }

    let begin = start + WARM_UP;
    sleep_until(begin);
    let before = endpoints.seen()?;
    let mut readings = vec![Vec::new(); count];
    let slices = u32::try_from(options.seconds / SLICE.as_secs())?;
    for slice in 0..=slices {
        sleep_until(begin + SLICE * slice);
        for place in 0..count {
            let reading = programs[place].read().map_err(|e| format!("{}: {e}", names[place].0))?;
            readings[place].push(reading);
        }
    }
    let after = endpoints.seen()?;

    let mut measured = Vec::new();
    let programs = programs.into_iter().zip(names).zip(readings);
    for (((program, (name, command)), readings), (before, after)) in
        programs.zip(before.iter().zip(&after))
    {
        let threads = program.threads()?;
        let log = if name == "esp" { program.stop()? } else { Vec::new() };
        let last = |figure: &str| log.iter().rev().find_map(|line| line[figure].as_u64());
        let (missed_ticks, sent_again) = (last("missed_ticks"), last("sent_again"));
        let seen = after.since(before);
        measured.push(Measured {
            name,
            command,
            readings,
            threads,
            seen,
            missed_ticks,
            sent_again,
        });
    }
    Ok((measured, endpoints.containers, endpoints.body_bytes))
}

fn sleep_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}
