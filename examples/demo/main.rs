//! The README's first command: it shows ESP on this machine in two and a half minutes. It
//! starts stand-ins for the task metadata endpoint and for CloudWatch, a process that is busy
//! for a while, and the real sidecar. It plots what CloudWatch receives, and shows when an
//! alarm on it fires, beside alarms on ECS's own metrics of the same load. It needs no
//! network, no Docker and no AWS account.
//!
//! The sidecar and the busy process are this program too, started again.
//!
//! With `--long` it goes on until the slowest of the three alarms has fired, too.
//!
//! With `--docker NAME` a real container of the local Docker engine takes the
//! place of the busy process.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod plot;
mod sidecar;
mod tracks;

use std::{
    io::{IsTerminal as _, Write as _},
    process::{Command, ExitCode},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_signal::{Signal, Signals};
use esp::settings::Settings;
use esp_endpoints::{
    agent::{Agent, Cadence},
    alarm::{Alarm, Comparison},
    cloudwatch::{CloudWatch, Datum},
    containers::{Limits, Shape, Task},
    docker::{DockerAgent, DockerEngine},
    metadata::MetadataEndpoint,
    process::{Busy, burn},
};
use sidecar::Sidecar;
use smol::stream::StreamExt as _;
use tracks::Track;

/// How long the demo is, and when its process is busy, in seconds.
#[derive(Clone, Copy)]
struct Course {
    duration_s: u64,
    busy_s: (u64, u64),
}

/// Long enough for ESP's alarm and for the one on ECS's 20-second metrics.
const SHORT: Course = Course { duration_s: 150, busy_s: (20, 120) };
/// Long enough for the one on ECS's one-minute metrics: at worst its minute has just begun,
/// three are high, ECS sends 20 s later, and an evaluation is a minute away.
const LONG: Course = Course { duration_s: 380, busy_s: (20, 350) };
/// What the process uses while it is busy, and else, of a CPU.
const SHARES: (f64, f64) = (0.22, 0.01);
/// What the task may use: 100 % of `CPUUtilization`.
const TASK_VCPU: f64 = 0.25;
/// Below this a service may scale in, percent.
const LOW: f64 = 5.0;
/// How often an alarm of 10 s is evaluated.
const EVALUATED_EACH: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(SHORT, None),
        ["--long"] => run(LONG, None),
        ["--docker", name] => run(SHORT, Some(name)),
        // The demo starts itself again, as its busy process and as the sidecar.
        ["--load"] => load(SHORT),
        ["--load", "--long"] => load(LONG),
        [sidecar::ARGUMENT] => sidecar::run(),
        _ => {
            eprintln!("usage: demo [--long | --docker NAME]");
            ExitCode::from(64)
        }
    }
}

/// The busy process: idle, then busy, then idle again.
fn load(Course { duration_s, busy_s: (from_s, to_s) }: Course) -> ExitCode {
    let (busy, idle) = SHARES;
    for (share, lasts_s) in [(idle, from_s), (busy, to_s - from_s), (idle, duration_s)] {
        burn(share, Duration::from_secs(lasts_s));
    }
    ExitCode::SUCCESS
}

fn run(course: Course, docker: Option<&str>) -> ExitCode {
    let mut task = Task::new(Shape::Ec2CgroupV2, "demo-cluster", "demo-service");
    task.limits = Limits { cpu: Some(TASK_VCPU), memory_mib: Some(512) };
    // What fills the endpoint's counters; the process lives as long as this.
    let mut busy = None;
    let metadata = if let Some(name) = docker {
        match DockerAgent::start(&DockerEngine::from_environment(), task, &[name]) {
            Ok(agent) => MetadataEndpoint::start(agent),
            Err(error) => {
                eprintln!("demo: cannot follow the container {name:?}: {error}");
                return ExitCode::from(69);
            }
        }
    } else {
        let is_long = course.duration_s == LONG.duration_s;
        let started = std::env::current_exe().and_then(|demo| {
            Busy::start(Command::new(demo).arg("--load").args(is_long.then_some("--long")))
        });
        let process = match started {
            Ok(process) => busy.insert(process),
            Err(error) => {
                eprintln!("demo: cannot start its busy process: {error}");
                return ExitCode::from(71);
            }
        };
        let agent = Agent::new(task.with_container("web", Limits::default()), Cadence::STREAMING);
        agent.attach("web", process.counters());
        MetadataEndpoint::start(agent)
    };
    let started = Started { at: Instant::now(), wall: SystemTime::now() };
    let cloudwatch = CloudWatch::start();
    let container = docker.unwrap_or("web");
    let (metadata_uri, cloudwatch_url) = (metadata.uri(), cloudwatch.url());
    let variables = [
        ("CONTAINER_NAME", container),
        ("NAMESPACE", "Demo"),
        ("REGION", "us-west-2"),
        ("METRICS", "CPUUtilization"),
        ("LOG_FORMAT", "text"),
        ("LOG_LEVEL", "warn"),
        ("ECS_CONTAINER_METADATA_URI_V4", metadata_uri.as_str()),
        ("AWS_ENDPOINT_URL", cloudwatch_url.as_str()),
        ("AWS_ACCESS_KEY_ID", "demo"),
        ("AWS_SECRET_ACCESS_KEY", "demo"),
    ];
    let settings = match Settings::read(&variables[..]) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::from(64);
        }
    };
    introduce(course, &settings, &metadata_uri, &cloudwatch_url, docker);
    let sidecar = match Sidecar::start(&variables) {
        Ok(sidecar) => sidecar,
        Err(error) => {
            eprintln!("demo: cannot start the sidecar: {error}");
            return ExitCode::from(71);
        }
    };

    let (interrupted, interrupts) = channel();
    thread::spawn(move || {
        let signal = Signals::new([Signal::Int, Signal::Term]).ok();
        if let Some(mut signals) = signal {
            smol::future::block_on(signals.next());
            let _ = interrupted.send(());
        }
    });
    let tracks = watch(&cloudwatch, course, started, docker.is_none(), &interrupts);
    let elapsed_s = started.at.elapsed().as_secs_f64();
    let ended = sidecar.stop();
    println!("From the load to the alarm that scales out:");
    for bar in race(&tracks, course, elapsed_s, docker.is_none()) {
        println!("  {}", bar.text);
    }
    if let Some(track) = tracks.iter().find(|it| it.looks_at_s > seconds(course.duration_s)) {
        println!(
            "  The last one looks at {:.0} s, which is longer than the demo. With --long it fires, too.",
            track.looks_at_s
        );
    }
    conclude(&cloudwatch);
    match ended {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("demo: the sidecar ended with {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("demo: cannot wait for the sidecar: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy)]
struct Started {
    at: Instant,
    wall: SystemTime,
}

impl Started {
    /// Seconds from the start to this time of the wall clock.
    fn seconds_to(self, unix_ms: i64) -> f64 {
        let start = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a time in ms has 41 bits")]
        let then = unix_ms as f64 / 1000.0;
        then - start
    }
}

fn introduce(
    course: Course,
    settings: &Settings,
    metadata: &str,
    cloudwatch: &str,
    docker: Option<&str>,
) {
    println!("ESP demo: {} seconds, or until Ctrl-C", course.duration_s);
    println!("  task metadata endpoint  {metadata}");
    println!("  CloudWatch              {cloudwatch}");
    match docker {
        Some(name) => println!("  container               {name}, on the local Docker engine"),
        None => println!(
            "  container               web: a process, busy from {} s to {} s",
            course.busy_s.0, course.busy_s.1
        ),
    }
    println!("  task limit              {TASK_VCPU} vCPU, which is 100 % of CPUUtilization");
    println!(
        "  esp                     samples every {:?}, publishes every {:?}",
        settings.sample_interval, settings.publish_interval
    );
    println!(
        "  alarms                  out at {:.0} %; low: below {LOW:.0} % in 1 of 2 periods of 10 s",
        tracks::THRESHOLD
    );
    println!("  ECS's own metrics       made of the same values");
    println!();
}

/// Draws what CloudWatch has received until the time is up, and evaluates the alarms as often
/// as CloudWatch does.
fn watch(
    cloudwatch: &CloudWatch,
    course: Course,
    started: Started,
    is_scripted: bool,
    interrupts: &Receiver<()>,
) -> [Track; 3] {
    // Where the evaluations lie is left to the moment of the start.
    let moment = started.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut tracks = Track::all(f64::from(moment.subsec_millis()) / 1000.0);
    let low = Alarm { comparison: Comparison::LessThan, ..tracks::alarm(LOW, 10, 1, 2) };
    let (mut was_low, mut next_low) = (None, EVALUATED_EACH);
    let mut events = Vec::new();
    let mut screen = plot::Screen::new(std::io::stdout().is_terminal(), seconds(course.duration_s));
    let mut seen = 0;
    while started.at.elapsed() < Duration::from_secs(course.duration_s) {
        let (datums, elapsed) = (cloudwatch.datums(), started.at.elapsed());
        for track in &mut tracks {
            if track.look(&datums, started.wall, elapsed) {
                events.extend(
                    track.alarm_s.map(|at_s| describe_track(track, course, at_s, is_scripted)),
                );
            }
        }
        if elapsed >= next_low {
            next_low += EVALUATED_EACH;
            let is_low = tracks::is_on(&low, &datums, started.wall + elapsed);
            if was_low.replace(is_low) != Some(is_low) {
                events.push(describe_low(is_low, course, elapsed.as_secs_f64(), is_scripted));
            }
        }
        let points: Vec<_> = datums.iter().map(|datum| point(datum, started)).collect();
        let bars = race(&tracks, course, elapsed.as_secs_f64(), is_scripted);
        screen.draw(&points[seen..], &points, elapsed.as_secs_f64(), &bars, &events);
        seen = points.len();
        match interrupts.recv_timeout(Duration::from_millis(500)) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => break,
        }
    }
    println!();
    let _ = std::io::stdout().flush();
    tracks
}

/// Each track as the plot draws it: a bar from the load's beginning to the alarm, or to now.
fn race(tracks: &[Track], course: Course, elapsed_s: f64, is_scripted: bool) -> Vec<plot::Bar> {
    let from_s = if is_scripted { seconds(course.busy_s.0) } else { 0.0 };
    let bar = |track: &Track| plot::Bar {
        from_s,
        to_s: track.alarm_s.unwrap_or(elapsed_s),
        is_over: track.alarm_s.is_some(),
        text: verdict(track, elapsed_s - from_s, from_s),
    };
    tracks.iter().filter(|_| elapsed_s > from_s).map(bar).collect()
}

/// What a track has come to: its alarm, or what is expected of it.
fn verdict(track: &Track, since_s: f64, from_s: f64) -> String {
    let Track { name, half_within_s, alarm_s, .. } = track;
    // A line of the plot may not be wider than a terminal.
    alarm_s.map_or_else(
        || format!("{name}: none after {since_s:.0} s; model: half within {half_within_s:.0} s"),
        |at_s| format!("{name}: ALARM after {:.1} s", at_s - from_s),
    )
}

fn seconds(whole: u64) -> f64 {
    u32::try_from(whole).map_or(f64::INFINITY, f64::from)
}

fn point(datum: &Datum, started: Started) -> (f64, f64) {
    (started.seconds_to(datum.timestamp_ms), datum.values.first().copied().unwrap_or(0.0))
}

fn describe_track(track: &Track, course: Course, at_s: f64, is_scripted: bool) -> String {
    let since_s = at_s - seconds(course.busy_s.0);
    let cause = if is_scripted && since_s > 0.0 {
        format!(", {since_s:.1} s after the load began")
    } else {
        String::new()
    };
    format!("{at_s:5.1} s  {}: ALARM{cause}", track.name)
}

fn describe_low(is_on: bool, course: Course, at_s: f64, is_scripted: bool) -> String {
    let since_s = at_s - seconds(course.busy_s.1);
    match is_on {
        true if is_scripted && since_s > 0.0 => {
            format!("{at_s:5.1} s  low: ALARM, {since_s:.1} s after the load ended")
        }
        true => format!("{at_s:5.1} s  low: ALARM"),
        false => format!("{at_s:5.1} s  low: OK"),
    }
}

fn conclude(cloudwatch: &CloudWatch) {
    let (datums, requests) = (cloudwatch.datums(), cloudwatch.requests());
    let bytes: usize = requests.iter().map(|request| request.wire_bytes).sum();
    println!(
        "CloudWatch received {} datums in {} requests, {bytes} bytes in all.",
        datums.len(),
        requests.len()
    );
}
