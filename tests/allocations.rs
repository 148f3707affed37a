//! A warm sample allocates nothing: not while its bytes are fetched, nor parsed,
//! nor while its values are calculated and stored. The sidecar itself runs here,
//! and every allocation of its process is counted, whichever thread makes it; so
//! the metadata endpoint is another process, this program once more. Nothing is
//! published meanwhile, since the Region is not known: a request to CloudWatch
//! does allocate, and is the SDK's. Nor does a reading of the kernel allocate on its way
//! through its proof and the sampler; that the reading itself does not is counted in
//! `needs`, beside real containers.

#![expect(clippy::unwrap_used, reason = "a test without the harness, which would allocate")]
#![expect(clippy::print_stdout, reason = "how the endpoint says where it is")]

mod program;

use std::{
    alloc::System,
    convert::Infallible,
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use esp::{
    endpoint::task::TaskDocument,
    proof::{ContainerValue, KernelValue, Proofs},
    reading::{CpuReading, Entry, MemoryReading, Reading, Tier},
    report::log,
    sample::Metric,
    sampler::{Sampler, Selection},
    settings::Settings,
    sidecar::{self, world::RealWorld},
    time::{Now, Timestamp},
};
use esp_endpoints::{
    agent::Cadence,
    containers::{Limits, Shape},
    counters::{CounterReading, Steady},
    metadata::MetadataEndpoint,
};
use smol::{LocalExecutor, channel::bounded};
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The argument that makes this program the endpoint.
const ENDPOINT: &str = "--endpoint";
/// Polls until every buffer has its size.
const WARM_UP_POLLS: u64 = 15;
/// Polls while allocations are counted.
const COUNTED_POLLS: u64 = 20;
/// This long after the start the publisher looks for the Region again, which is not for
/// nothing. All polls take 7 s.
const REGION: Duration = Duration::from_secs(10);
/// On a machine that is so busy that the polls take longer, it begins again: in all so
/// often.
const TRIES: u32 = 30;
/// Each poll meets a new sample, as a rule.
const INTERVAL: Duration = Duration::from_millis(200);
/// Of all those polls; a busy machine may renew less often.
const SAMPLES_MIN: u64 = 10;
/// In which the polls come, on whatever machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// How the endpoint is asked how often it has been polled.
const ASK: [u8; 1] = *b"?";

fn main() {
    if env::args().any(|argument| argument == ENDPOINT) {
        return serve();
    }
    let mut endpoint = Endpoint::start();
    // The counters of a shared network are asked for at fixed distances.
    count(&mut endpoint, "all", 3 * 8);
    count(&mut endpoint, "CPUUtilization,MemoryUtilization,TaskCPUUtilization", 3 * 2 + 1);
    drop(endpoint);
    count_kernel();
}

/// The process that is the endpoint.
struct Endpoint {
    process: Child,
    uri: String,
    answers: ChildStdout,
}

impl Endpoint {
    fn start() -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .arg(ENDPOINT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(process.stdout.take().unwrap());
        let mut uri = String::new();
        reader.read_line(&mut uri).unwrap();
        // It says no more before it is asked.
        Self { process, uri: uri.trim_end().to_owned(), answers: reader.into_inner() }
    }

    /// How often it has been polled. Allocates nothing.
    fn polls(&mut self) -> u64 {
        let mut polls = [0; 8];
        self.process.stdin.as_mut().unwrap().write_all(&ASK).unwrap();
        self.answers.read_exact(&mut polls).unwrap();
        u64::from_le_bytes(polls)
    }

    /// Waits until it has been polled that many times in all. Allocates nothing.
    fn wait_for_polls(&mut self, polls: u64) {
        let start = Instant::now();
        while self.polls() < polls {
            assert!(start.elapsed() < PATIENCE, "no polls in {PATIENCE:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two containers that are read from the kernel each second, by their cgroup files, with an
/// endpoint that renews each 10 s: proven at first, and then counted.
fn count_kernel() {
    let mut proofs = Proofs::default();
    let wanted = ["CPUUtilization", "MemoryUtilization", "TaskCPUUtilization"];
    let wanted = wanted.into_iter().filter_map(Metric::by_name).collect();
    let mut sampler = Sampler::new(Selection::All, wanted);
    let task = br#"{"Limits": {"CPU": 1, "Memory": 1024}, "Containers": [
        {"DockerId": "a1", "Name": "web", "KnownStatus": "RUNNING"},
        {"DockerId": "b2", "Name": "log", "KnownStatus": "RUNNING"}]}"#;
    let task = TaskDocument::parse(&mut task.to_vec()).unwrap();
    let start = Instant::now();
    let at = |ms: u64| Now {
        instant: start + Duration::from_millis(ms),
        wall: Timestamp::from_unix_ns((1_795_514_400_000 + ms) * 1_000_000),
    };
    let cpu = |ms: u64| CpuReading {
        total_usage_ns: 70_000_000_000 + ms * 300_000,
        online_cpus: Some(2),
    };
    let memory = Some(MemoryReading {
        usage_bytes: 300 << 20,
        inactive_file_bytes: 0,
        cache_bytes: None,
        limit_bytes: None,
        hierarchical_limit_bytes: None,
    });
    let (mut out, mut events) = (Vec::with_capacity(64), Vec::with_capacity(64));
    sampler.on_task(&task, at(0), &mut out, &mut events);
    proofs.set_containers([("a1", "web"), ("b2", "log")].into_iter());
    let mut seen = 0;
    let mut before = None;
    for ms in (50..200_000).step_by(100) {
        let now = at(ms);
        if ms % 10_000 == 50 {
            let read = |visit: &mut dyn FnMut(&str, Entry)| {
                for id in ["a1", "b2"] {
                    let reading = Reading {
                        read: at(ms - 50).wall,
                        cpu: Some(cpu(ms - 50)),
                        is_cpu_base: false,
                        memory,
                        network: None,
                        block_io: None,
                    };
                    visit(id, proofs.on_endpoint(id, Entry::Reading(reading), now));
                }
                Ok::<(), Infallible>(())
            };
            sampler.on_readings(read, now, &mut out, &mut events).unwrap();
        }
        let read = |visit: &mut dyn FnMut(&str, Reading)| {
            proofs.begin_round();
            for id in ["a1", "b2"] {
                let cpu =
                    KernelValue { from: now.wall, to: now.wall, total_ns: cpu(ms).total_usage_ns };
                let value = ContainerValue { tier: Tier::CgroupFile, generation: 1, cpu, memory };
                if let Some(reading) = proofs.on_kernel(id, value, now).filter(|_| ms % 1000 == 50)
                {
                    visit(id, reading);
                }
            }
            proofs.end_round(now);
        };
        sampler.on_kernel(read, now, &mut out, &mut events);
        if ms > 100_000 {
            before.get_or_insert_with(|| ALLOCATOR.stats());
            seen += out.len();
        }
        out.clear();
        events.clear();
        proofs.events().for_each(drop);
    }
    let counted = ALLOCATOR.stats() - before.unwrap();
    assert_eq!(proofs.believed(), 2);
    assert!(seen >= 99 * 5, "only {seen} samples");
    assert_eq!(counted.allocations + counted.reallocations, 0, "{counted:?}");
    println!("no allocation with {seen} samples of the kernel");
}

fn count(endpoint: &mut Endpoint, metrics: &str, samples_each: u64) {
    for _ in 0..TRIES {
        let (counted, lasted) = run(endpoint, metrics, samples_each);
        let times = counted.allocations + counted.reallocations;
        if times == 0 {
            println!("no allocation in {COUNTED_POLLS} polls");
            return;
        }
        assert!(lasted >= REGION, "{counted:?} in {COUNTED_POLLS} polls, one each {INTERVAL:?}");
    }
    panic!("in {TRIES} tries the polls have not been done within {REGION:?}");
}

/// What was allocated while it was counted, and how long after the start that ended.
fn run(endpoint: &mut Endpoint, metrics: &str, samples_each: u64) -> (Stats, Duration) {
    let variables = [
        ("ECS_CONTAINER_METADATA_URI_V4", endpoint.uri.as_str()),
        ("CONTAINER_NAME", "*"),
        ("NAMESPACE", "Shop"),
        ("METRICS", metrics),
        ("SAMPLE_INTERVAL", "200ms"),
        ("SHUTDOWN_GRACE", "0s"),
    ];
    let settings = Settings::read(&variables[..]).unwrap();
    log::init(settings.log_level, settings.log_format);
    let (stop, stopped) = bounded(1);
    let polls = endpoint.polls();
    let start = Instant::now();
    let sidecar = thread::spawn(move || {
        let (world, executor) = (RealWorld::new().unwrap(), LocalExecutor::new());
        let run = sidecar::supervise(&executor, world.clone(), settings, Box::pin(stopped));
        world.block_on(executor.run(run)).1
    });
    endpoint.wait_for_polls(polls + WARM_UP_POLLS);
    let before = ALLOCATOR.stats();
    endpoint.wait_for_polls(polls + WARM_UP_POLLS + COUNTED_POLLS);
    let after = ALLOCATOR.stats();
    let lasted = start.elapsed();
    stop.send_blocking(15).unwrap();
    let figures = sidecar.join().unwrap();

    let samples = figures.samples;
    assert!(samples >= SAMPLES_MIN * samples_each, "only {samples} samples");
    assert_eq!(figures.taken, samples);
    (after - before, lasted)
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
    let mut out = io::stdout();
    println!("{}", metadata.uri());
    // Ends with the process that started it, whatever becomes of that.
    while io::stdin().read_exact(&mut ASK.clone()).is_ok() {
        out.write_all(&metadata.stats_requests().to_le_bytes()).unwrap();
        out.flush().unwrap();
    }
}
