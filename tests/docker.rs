//! Against a real Docker engine: what `esp` publishes of real containers, beside
//! what the kernel itself counts for them.
//!
//! Needs an engine on its socket, the `docker` command and a static busybox;
//! where one of them is missing the tests say so and pass, unless
//! `ESP_TEST_DOCKER=required`. `.ci/docker` installs and starts all of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::cast_precision_loss, reason = "counters of a minute")]
#![allow(clippy::print_stderr, reason = "a test that was skipped must say so")]

mod engine;

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use esp_endpoints::{
    cloudwatch::{CloudWatch, Datum},
    containers::{Limits, Shape, Task},
    docker::{DockerAgent, DockerEngine},
    metadata::MetadataEndpoint,
};

use engine::{Container, prepare};

/// `true` where the tests can run; says why where not.
fn is_ready() -> bool {
    match prepare() {
        Ok(()) => true,
        Err(reason) if std::env::var("ESP_TEST_DOCKER").as_deref() == Ok("required") => {
            panic!("no Docker engine to test against: {reason}")
        }
        Err(reason) => {
            eprintln!("skipped, no Docker engine to test against: {reason}");
            false
        }
    }
}

/// `esp`, killed when dropped.
struct Esp(Child);

impl Esp {
    fn start(
        metadata: &MetadataEndpoint,
        cloudwatch: &CloudWatch,
        container: &str,
        metrics: &str,
    ) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_esp"))
            .env_clear()
            .envs([
                ("CONTAINER_NAME", container),
                ("NAMESPACE", "Shop"),
                ("METRICS", metrics),
                ("PUBLISH_INTERVAL", "2s"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "secret-example"),
            ])
            .env("ECS_CONTAINER_METADATA_URI_V4", metadata.uri())
            .env("AWS_ENDPOINT_URL", cloudwatch.url())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Esp {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn task(limit_vcpu: Option<f64>) -> Task {
    let mut task = Task::new(Shape::Ec2CgroupV1, "shop", "web");
    task.limits = Limits { cpu: limit_vcpu, memory_mib: None };
    task
}

fn serve(containers: &[&Container], limit_vcpu: Option<f64>) -> MetadataEndpoint {
    let names: Vec<_> = containers.iter().map(|container| container.name.as_str()).collect();
    let engine = DockerEngine::from_environment();
    MetadataEndpoint::start(DockerAgent::start(&engine, task(limit_vcpu), &names).unwrap())
}

fn mean(datums: &[Datum]) -> f64 {
    datums.iter().map(|datum| datum.values[0]).sum::<f64>() / datums.len() as f64
}

#[test]
fn half_a_cpu_is_all_of_half_a_cpu_and_a_quarter_of_two() {
    if !is_ready() {
        return;
    }
    let spin = Container::start("half", &["--cpus", "0.5"], "while :; do :; done");
    let runs: Vec<_> = [(0.5, 100.0, 2.0), (2.0, 25.0, 1.0)]
        .into_iter()
        .map(|(limit, expected, tolerance)| {
            let metadata = serve(&[&spin], Some(limit));
            let cloudwatch = CloudWatch::start();
            let esp = Esp::start(&metadata, &cloudwatch, &spin.name, "CPUUtilization");
            (limit, expected, tolerance, cloudwatch, metadata, esp)
        })
        .collect();
    for (limit, expected, tolerance, cloudwatch, ..) in &runs {
        assert!(cloudwatch.wait_for(15, Duration::from_secs(40)));
        let mean = mean(&cloudwatch.datums());
        eprintln!("task limit {limit} vCPU: CPUUtilization {mean:.2} %");
        assert!(
            (mean - expected).abs() <= *tolerance,
            "{mean} instead of {expected} ± {tolerance}"
        );
    }
}

/// What the kernel says at one moment.
struct Truth {
    unix_ms: f64,
    cpu_ns: f64,
    working_set: f64,
}

fn observe(container: &Container) -> Truth {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    let field = |text: &str, key: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.map(|number| number.trim().parse().unwrap())
    };
    let cpu = text(container.cgroup_file("cpuacct", "cpuacct.usage", "cpu.stat"));
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3;
    let cpu_ns = field(&cpu, "usage_usec")
        .map_or_else(|| cpu.trim().parse().unwrap(), |microseconds| microseconds * 1e3);
    let usage = text(container.cgroup_file("memory", "memory.usage_in_bytes", "memory.current"));
    let stat = text(container.cgroup_file("memory", "memory.stat", "memory.stat"));
    let inactive =
        field(&stat, "total_inactive_file").or_else(|| field(&stat, "inactive_file")).unwrap();
    Truth { unix_ms, cpu_ns, working_set: usage.trim().parse::<f64>().unwrap() - inactive }
}

/// The kernel's CPU counter at a time between two observations.
fn cpu_at(truths: &[Truth], unix_ms: f64) -> f64 {
    let next = truths.partition_point(|truth| truth.unix_ms <= unix_ms);
    let (before, after) = (&truths[next - 1], &truths[next]);
    let share = (unix_ms - before.unix_ms) / (after.unix_ms - before.unix_ms);
    before.cpu_ns + share * (after.cpu_ns - before.cpu_ns)
}

#[test]
fn a_minute_of_cpu_and_memory_is_what_the_kernel_counted() {
    if !is_ready() {
        return;
    }
    let spinning = Container::start(
        "spinning",
        &["--cpus", "0.5"],
        "(busybox head -c 30000000 /dev/zero; while :; do :; done) | busybox tail -c 30000000",
    );
    let bursty = Container::start(
        "bursty",
        &[],
        "while :; do i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; busybox sleep 1.7; done",
    );
    let idle = Container::start("idle", &[], "busybox sleep 600");
    let containers = [&spinning, &bursty, &idle];
    let metadata = serve(&containers, None);
    let cloudwatch = CloudWatch::start();
    let _esp = Esp::start(&metadata, &cloudwatch, "*", "CPUUsage,MemoryUtilized");

    let mut truths: [Vec<Truth>; 3] = Default::default();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(66) {
        for (truths, container) in truths.iter_mut().zip(containers) {
            truths.push(observe(container));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let datums = cloudwatch.datums();
    for (truths, container) in truths.iter().zip(containers) {
        let of = |metric: &str| {
            let mut found: Vec<_> = datums
                .iter()
                .filter(|datum| {
                    datum.metric_name == metric
                        && datum.dimension("ContainerName") == Some(&container.name)
                })
                .map(|datum| (datum.timestamp_ms as f64, datum.values[0]))
                .collect();
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            found
        };
        let usage = of("CPUUsage");
        assert!(usage.len() >= 55, "{}: {} datums", container.name, usage.len());
        // From the first datum's end to the last one's.
        let (first, last) = (usage[0].0, usage[usage.len() - 1].0);
        let published: f64 =
            usage.windows(2).map(|pair| pair[1].1 * (pair[1].0 - pair[0].0)).sum::<f64>()
                / (last - first);
        let counted =
            100.0 * (cpu_at(truths, last) - cpu_at(truths, first)) / ((last - first) * 1e6);
        eprintln!("{}: CPUUsage {published:.3} %, the kernel {counted:.3} %", container.name);
        assert!((published - counted).abs() <= (counted * 0.01).max(0.1));

        let mut worst = 0.0_f64;
        for (unix_ms, megabytes) in of("MemoryUtilized") {
            // Docker reads memory a moment before or after it stamps the sample.
            let near = truths.iter().filter(|truth| (truth.unix_ms - unix_ms).abs() < 60.0);
            let difference = near
                .map(|truth| (megabytes * 1_048_576.0 - truth.working_set).abs())
                .fold(f64::INFINITY, f64::min);
            let allowed = (megabytes * 1_048_576.0 * 0.01).max(1_048_576.0);
            assert!(difference <= allowed, "{}: off by {difference} bytes", container.name);
            worst = worst.max(difference);
        }
        eprintln!("{}: MemoryUtilized off by at most {worst} bytes", container.name);
    }
}
