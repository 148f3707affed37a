//! The README's first command: it shows ESP on this machine in two minutes. It starts
//! stand-ins for the task metadata endpoint and for CloudWatch with two alarms, a process
//! that is busy for a while, and the real sidecar. It plots what CloudWatch receives. It
//! needs no network, no Docker and no AWS account.
//!
//! The sidecar and the busy process are this program too, started again.
//!
//! With `--docker NAME` a real container of the local Docker engine takes the
//! place of the busy process.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod plot;
mod sidecar;

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
    alarm::{Alarm, Comparison, State, Statistic, TreatMissingData},
    cloudwatch::{CloudWatch, Datum},
    containers::{Limits, Shape, Task},
    docker::{DockerAgent, DockerEngine},
    metadata::MetadataEndpoint,
    process::{Busy, burn},
};
use sidecar::Sidecar;
use smol::stream::StreamExt as _;

/// Of the demo as a whole.
const DURATION: Duration = Duration::from_mins(2);
/// The busy process: idle, then busy, then idle again (from, to, share of a CPU).
const LOAD: [(u64, u64, f64); 3] = [(0, 25, 0.01), (25, 80, 0.4), (80, 600, 0.01)];
/// What the task may use: 100 % of `CPUUtilization`.
const TASK_VCPU: f64 = 0.5;
const ALARM_PERIOD: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(None),
        ["--docker", name] => run(Some(name)),
        // The demo starts itself again, as its busy process and as the sidecar.
        ["--load"] => load(),
        [sidecar::ARGUMENT] => sidecar::run(),
        _ => {
            eprintln!("usage: demo [--docker NAME]");
            ExitCode::from(64)
        }
    }
}

fn load() -> ExitCode {
    for (from, to, share) in LOAD {
        burn(share, Duration::from_secs(to - from));
    }
    ExitCode::SUCCESS
}

fn run(docker: Option<&str>) -> ExitCode {
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
        let started =
            std::env::current_exe().and_then(|demo| Busy::start(Command::new(demo).arg("--load")));
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
    introduce(&settings, &metadata_uri, &cloudwatch_url, docker);
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
    watch(&cloudwatch, started, docker.is_none(), &interrupts);
    let ended = sidecar.stop();
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

fn introduce(settings: &Settings, metadata: &str, cloudwatch: &str, docker: Option<&str>) {
    println!("ESP demo: {} seconds, or until Ctrl-C", DURATION.as_secs());
    println!("  task metadata endpoint  {metadata}");
    println!("  CloudWatch              {cloudwatch}");
    match docker {
        Some(name) => println!("  container               {name}, on the local Docker engine"),
        None => println!("  container               web: a process, busy from 25 s to 80 s"),
    }
    println!("  task limit              {TASK_VCPU} vCPU, which is 100 % of CPUUtilization");
    println!(
        "  esp                     samples every {:?}, publishes every {:?}",
        settings.sample_interval, settings.publish_interval
    );
    println!("  alarms                  high: average >= 15 %; low: average < 5 %; period 10 s");
    println!();
}

/// The alarms of the earlier ESP's README, on a period of 10 s.
fn alarms() -> [Watched; 2] {
    let alarm = |name: &str, comparison, threshold, treat_missing_data| Alarm {
        name: name.to_owned(),
        namespace: "Demo".to_owned(),
        metric_name: "CPUUtilization".to_owned(),
        dimensions: vec![
            ("ClusterName".to_owned(), "demo-cluster".to_owned()),
            ("ServiceName".to_owned(), "demo-service".to_owned()),
        ],
        unit: None,
        threshold,
        comparison,
        statistic: Statistic::Average,
        period_s: 10,
        datapoints_to_alarm: 1,
        evaluation_periods: 1,
        treat_missing_data,
    };
    let high = alarm("high", Comparison::GreaterOrEqual, 15.0, TreatMissingData::NotBreaching);
    let low = alarm("low", Comparison::LessThan, 5.0, TreatMissingData::Ignore);
    [high, low].map(|alarm| Watched { alarm, state: State::InsufficientData })
}

struct Watched {
    alarm: Alarm,
    state: State,
}

/// Draws what CloudWatch has received until the time is up, and evaluates the
/// alarms every 10 s, as CloudWatch does.
fn watch(cloudwatch: &CloudWatch, started: Started, is_scripted: bool, interrupts: &Receiver<()>) {
    let mut alarms = alarms();
    let mut events = Vec::new();
    let mut screen = plot::Screen::new(std::io::stdout().is_terminal());
    let mut evaluate_at = next_period(SystemTime::now());
    let mut seen = 0;
    while started.at.elapsed() < DURATION {
        let datums = cloudwatch.datums();
        if SystemTime::now() >= evaluate_at {
            evaluate_at = next_period(SystemTime::now());
            for watched in &mut alarms {
                let state = watched.alarm.evaluate(&datums, SystemTime::now(), watched.state);
                if state != watched.state {
                    let since = started.at.elapsed().as_secs_f64();
                    events.push(describe(watched, state, since, is_scripted));
                    watched.state = state;
                }
            }
        }
        let points: Vec<_> = datums.iter().map(|datum| point(datum, started)).collect();
        let elapsed = started.at.elapsed().as_secs_f64();
        screen.draw(&points[seen..], &points, elapsed, &events);
        seen = points.len();
        match interrupts.recv_timeout(Duration::from_millis(500)) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => break,
        }
    }
    println!();
    let _ = std::io::stdout().flush();
}

fn point(datum: &Datum, started: Started) -> (f64, f64) {
    (started.seconds_to(datum.timestamp_ms), datum.values.first().copied().unwrap_or(0.0))
}

/// When an alarm is evaluated: 2.5 s after the end of a period.
fn next_period(now: SystemTime) -> SystemTime {
    const LATENESS: Duration = Duration::from_millis(2500);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(LATENESS);
    let periods = since.as_secs() / ALARM_PERIOD.as_secs() + 1;
    UNIX_EPOCH + ALARM_PERIOD * u32::try_from(periods).unwrap_or(u32::MAX) + LATENESS
}

fn describe(watched: &Watched, state: State, since: f64, is_scripted: bool) -> String {
    let name = &watched.alarm.name;
    let mut text = match state {
        State::Alarm => format!("{since:5.1} s  alarm {name}: ALARM"),
        State::Ok => format!("{since:5.1} s  alarm {name}: OK"),
        State::InsufficientData => format!("{since:5.1} s  alarm {name}: INSUFFICIENT_DATA"),
    };
    let busy_from = 25.0;
    let idle_from = 80.0;
    let cause = match (name.as_str(), state) {
        ("high", State::Alarm) if since > busy_from => Some((busy_from, "the load began")),
        ("low", State::Alarm) if since > idle_from => Some((idle_from, "the load ended")),
        _ => None,
    };
    if let Some((at, what)) = cause.filter(|_| is_scripted) {
        text = format!("{text}, {:.1} s after {what}", since - at);
    }
    text
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
