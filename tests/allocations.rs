//! A warm sample allocates nothing: not while its bytes are fetched, nor parsed,
//! nor while its values are calculated and stored. The sidecar itself runs here,
//! and every allocation of its process is counted, whichever thread makes it; so
//! the metadata endpoint is another process, this program once more. Nothing is
//! published meanwhile, since the Region is not known: a request to CloudWatch
//! does allocate, and is the SDK's.

#![expect(clippy::unwrap_used, reason = "a test without the harness, which would allocate")]
#![expect(clippy::print_stdout, reason = "how the endpoint says where it is")]

mod program;

use std::{
    alloc::System,
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use esp::{
    report::log,
    settings::Settings,
    sidecar::{self, world::RealWorld},
};
use esp_endpoints::{
    agent::Cadence,
    containers::{Limits, Shape},
    counters::{CounterReading, Steady},
    metadata::MetadataEndpoint,
};
use smol::{LocalExecutor, channel::bounded};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The argument that makes this program the endpoint.
const ENDPOINT: &str = "--endpoint";
/// For the first samples, until every buffer has its size.
const WARM_UP: Duration = Duration::from_secs(3);
/// How long allocations are counted. 10 s after the start the publisher looks for
/// the Region again, which is not for nothing.
const COUNTED: Duration = Duration::from_secs(5);
/// Each poll meets a new sample, as a rule.
const INTERVAL: Duration = Duration::from_millis(200);
/// Of the 25 polls in that time; a busy machine may miss some.
const SAMPLES_MIN: u64 = 10;

fn main() {
    if env::args().any(|argument| argument == ENDPOINT) {
        return serve();
    }
    let mut endpoint = Command::new(env::current_exe().unwrap())
        .arg(ENDPOINT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut uri = String::new();
    BufReader::new(endpoint.stdout.take().unwrap()).read_line(&mut uri).unwrap();
    // The counters of a shared network are asked for at fixed distances.
    count(uri.trim_end(), "all", 3 * 8);
    count(uri.trim_end(), "CPUUtilization,MemoryUtilization,TaskCPUUtilization", 3 * 2 + 1);
    endpoint.kill().unwrap();
    endpoint.wait().unwrap();
}

fn count(uri: &str, metrics: &str, samples_each: u64) {
    let variables = [
        ("ECS_CONTAINER_METADATA_URI_V4", uri),
        ("CONTAINER_NAME", "*"),
        ("NAMESPACE", "Shop"),
        ("METRICS", metrics),
        ("SAMPLE_INTERVAL", "200ms"),
        ("SHUTDOWN_GRACE", "0s"),
    ];
    let settings = Settings::read(&variables[..]).unwrap();
    log::init(settings.log_level, settings.log_format);
    let (stop, stopped) = bounded(1);
    let sidecar = thread::spawn(move || {
        let (world, executor) = (RealWorld::new().unwrap(), LocalExecutor::new());
        let run = sidecar::supervise(&executor, world.clone(), settings, Box::pin(stopped));
        world.block_on(executor.run(run)).1
    });
    thread::sleep(WARM_UP);
    let before = ALLOCATOR.stats();
    thread::sleep(COUNTED);
    let after = ALLOCATOR.stats();
    stop.send_blocking(15).unwrap();
    let figures = sidecar.join().unwrap();

    let samples = figures.samples;
    assert!(samples >= SAMPLES_MIN * samples_each, "only {samples} samples");
    assert_eq!(figures.taken, samples);
    let counted = after - before;
    let times = counted.allocations + counted.reallocations;
    assert_eq!(times, 0, "{counted:?} in {COUNTED:?}, a sample each {INTERVAL:?}");
    println!("no allocation in {COUNTED:?}, with {samples} samples from start to end");
}

/// A task of three containers on EC2, without an ARN, until it is killed.
fn serve() {
    let cadence = Cadence { period: INTERVAL, phase: INTERVAL / 4 };
    let agent = program::agent(Shape::Ec2CgroupV1, cadence, |task| {
        task.arn = String::new();
        *task = task.clone().with_container("proxy", Limits::default());
    });
    for name in ["esp", "proxy"] {
        agent.attach(name, Steady::new(0.1, CounterReading::new(std::time::SystemTime::now(), 0)));
    }
    let metadata = MetadataEndpoint::start(agent);
    println!("{}", metadata.uri());
    // Ends with the process that started it, whatever becomes of that.
    let _ = std::io::stdin().read_line(&mut String::new());
}
