//! Against a real Docker engine: what `esp` publishes of real containers, beside
//! what the kernel itself counts for them over the same time. How much that is, and
//! how soon it comes, depends on what else the machine does, and decides nothing.

#![allow(clippy::cast_precision_loss, reason = "counters of a minute")]

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

use crate::{
    engine::{Container, ENGINE},
    harness::Case,
};

pub(crate) const CASES: &[Case] = &[
    case("docker::half_a_cpu_is_all_of_half_a_cpu_and_a_quarter_of_two", half_a_cpu),
    case("docker::cpu_and_memory_are_what_the_kernel_counted", what_the_kernel_counted),
];

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &ENGINE, is_alone: true, test }
}

/// The engine stamps a sample a moment after the kernel was read: milliseconds, and on
/// a busy machine as long as its processes wait for a CPU.
const STAMP_MS: f64 = 1000.0;
/// For what a quiet machine has after a minute.
const PATIENCE: Duration = Duration::from_mins(5);

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

/// What the kernel says at one moment, between two readings of the clock.
struct Truth {
    before_ms: f64,
    after_ms: f64,
    cpu_ns: f64,
    working_set: f64,
}

fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3
}

fn observe(container: &Container) -> Truth {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    let field = |text: &str, key: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.map(|number| number.trim().parse().unwrap())
    };
    let before_ms = unix_ms();
    let cpu = text(container.cgroup_file("cpuacct", "cpuacct.usage", "cpu.stat"));
    let cpu_ns = field(&cpu, "usage_usec")
        .map_or_else(|| cpu.trim().parse().unwrap(), |microseconds| microseconds * 1e3);
    let usage = text(container.cgroup_file("memory", "memory.usage_in_bytes", "memory.current"));
    let stat = text(container.cgroup_file("memory", "memory.stat", "memory.stat"));
    let inactive =
        field(&stat, "total_inactive_file").or_else(|| field(&stat, "inactive_file")).unwrap();
    let working_set = usage.trim().parse::<f64>().unwrap() - inactive;
    Truth { before_ms, after_ms: unix_ms(), cpu_ns, working_set }
}

/// What the kernel counted for a container, from before `esp` started until after the
/// last sample.
struct Watched(Vec<Truth>);

impl Watched {
    /// Watches until `is_enough`, and a while longer.
    fn over(containers: &[&Container], mut is_enough: impl FnMut() -> bool) -> Vec<Self> {
        let mut watched: Vec<_> = containers.iter().map(|_| Self(Vec::new())).collect();
        let (start, mut enough_at) = (Instant::now(), None);
        let rest = Duration::from_secs_f64(STAMP_MS / 500.0);
        while enough_at.is_none_or(|at: Instant| at.elapsed() < rest) {
            assert!(start.elapsed() < PATIENCE, "too few samples within {PATIENCE:?}");
            for (watched, container) in watched.iter_mut().zip(containers) {
                watched.0.push(observe(container));
            }
            std::thread::sleep(Duration::from_millis(10));
            if enough_at.is_none() && is_enough() {
                enough_at = Some(Instant::now());
            }
        }
        watched
    }

    /// The kernel around a moment: the last reading before it, all within, the first
    /// one after it.
    fn around(&self, unix_ms: f64) -> Option<&[Truth]> {
        let first =
            self.0.partition_point(|it| it.after_ms <= unix_ms - STAMP_MS).checked_sub(1)?;
        let last = self.0.partition_point(|it| it.before_ms < unix_ms + STAMP_MS);
        self.0.get(first..=last)
    }

    /// The least and the most that the CPU counter can have been in a sample with this
    /// stamp.
    fn cpu_ns(&self, unix_ms: f64) -> Option<(f64, f64)> {
        let [first, .., last] = self.around(unix_ms)? else { return None };
        Some((first.cpu_ns, last.cpu_ns))
    }

    /// The same of the working set.
    fn working_set(&self, unix_ms: f64) -> Option<(f64, f64)> {
        let values = self.around(unix_ms)?.iter().map(|truth| truth.working_set);
        Some(
            values.fold((f64::INFINITY, 0.0), |(least, most), value| {
                (value.min(least), value.max(most))
            }),
        )
    }

    /// Asserts that values in CPUs, by the time at the end of each, are the growth of
    /// the counter from the first one's to the last one's.
    fn assert_cpus(&self, what: &str, values: &[(f64, f64)]) {
        let known = |it: &&(f64, f64)| self.cpu_ns(it.0).is_some();
        let values: Vec<_> = values.iter().filter(known).copied().collect();
        assert!(values.len() >= 2, "{what}: {} samples while it was watched", values.len());
        let published_ns: f64 =
            values.windows(2).map(|pair| pair[1].1 * (pair[1].0 - pair[0].0) * 1e6).sum();
        let (from_ms, to_ms) = (values[0].0, values[values.len() - 1].0);
        let [begin, end] = [from_ms, to_ms].map(|at| self.cpu_ns(at).unwrap());
        let (least, most) = (end.0 - begin.1, end.1 - begin.0);
        let all_ns = (to_ms - from_ms) * 1e6;
        println!(
            "    {what}: {:.4} CPUs of {} samples in {:.0} s, the kernel {:.4} to {:.4}",
            published_ns / all_ns,
            values.len(),
            all_ns / 1e9,
            least / all_ns,
            most / all_ns
        );
        // A stamp is a whole number of milliseconds.
        let slack = 1e-3 * all_ns;
        assert!(((least - slack)..=(most + slack)).contains(&published_ns), "{what}");
    }
}

/// Time and value of each datum of a metric, in order.
fn series(datums: &[Datum], metric: &str, container: &str) -> Vec<(f64, f64)> {
    let is_its = |datum: &&Datum| {
        let name = datum.dimension("ContainerName");
        datum.metric_name == metric && name.is_none_or(|name| name == container)
    };
    let found = datums.iter().filter(is_its);
    let mut found: Vec<_> =
        found.map(|datum| (datum.timestamp_ms as f64, datum.values[0])).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

fn half_a_cpu() {
    let spin = Container::start("half", &["--cpus", "0.5"], "while :; do :; done");
    let runs = [0.5, 2.0].map(|limit| {
        let metadata = serve(&[&spin], Some(limit));
        let cloudwatch = CloudWatch::start();
        let esp = Esp::start(&metadata, &cloudwatch, &spin.name, "CPUUtilization");
        (limit, cloudwatch, metadata, esp)
    });
    let watched = Watched::over(&[&spin], || {
        runs.iter().all(|(_, cloudwatch, ..)| cloudwatch.datums().len() >= 40)
    });
    for (limit, cloudwatch, ..) in &runs {
        let mut values = series(&cloudwatch.datums(), "CPUUtilization", &spin.name);
        for (_, value) in &mut values {
            *value *= limit / 100.0;
        }
        watched[0].assert_cpus(&format!("CPUUtilization of {limit} vCPU"), &values);
    }
}

fn what_the_kernel_counted() {
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
    let watched = Watched::over(&containers, || {
        let datums = cloudwatch.datums();
        containers.iter().all(|container| series(&datums, "CPUUsage", &container.name).len() >= 50)
    });

    let datums = cloudwatch.datums();
    for (watched, container) in watched.iter().zip(containers) {
        let mut cpus = series(&datums, "CPUUsage", &container.name);
        for (_, percent) in &mut cpus {
            *percent /= 100.0;
        }
        watched.assert_cpus(&container.name, &cpus);

        let mut compared = 0;
        for (unix_ms, megabytes) in series(&datums, "MemoryUtilized", &container.name) {
            let Some((least, most)) = watched.working_set(unix_ms) else { continue };
            let bytes = megabytes * 1_048_576.0;
            // Its pages may come and go between two readings.
            let slack = (bytes * 0.01).max(1_048_576.0);
            assert!(
                ((least - slack)..=(most + slack)).contains(&bytes),
                "{}: {bytes} bytes, the kernel {least} to {most}",
                container.name
            );
            compared += 1;
        }
        assert!(compared >= 40, "{}: {compared} values of memory", container.name);
    }
}
