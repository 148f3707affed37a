//! The whole sidecar in a container of its own, beside a target whose stats the endpoint
//! renews each 10 s: what it publishes each second, beside the target's own counter.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use esp_endpoints::{
    cloudwatch::CloudWatch,
    containers::{Shape, Task},
    docker::{DockerAgent, DockerEngine},
    metadata::MetadataEndpoint,
};

use super::{PRIVILEGES, READER, load, mounts, truth::Watch};
use crate::engine::{Container, IMAGE, docker};

/// Until the kernel is proven, and a minute from there.
const WATCHED: Duration = Duration::from_secs(190);

/// `esp` in a container, in the PID namespace of `beside`.
struct Sidecar {
    child: Option<Child>,
    name: String,
}

impl Sidecar {
    fn start(name: &str, beside: &Container, user: &str, variables: &[(&str, &str)]) -> Self {
        let name = format!("esp-test-sidecar-{name}-{}", std::process::id());
        let mut command = Command::new("docker");
        // The stand-ins listen on the host's loopback.
        command.args(["run", "--rm", "--network", "host", "--name", &name, "--user", user]);
        command.args(PRIVILEGES).args(mounts());
        command.arg(format!("--pid=container:{}", beside.id));
        command.args(["-v", &format!("{}:/esp:ro", env!("CARGO_BIN_EXE_esp"))]);
        for (name, value) in variables {
            command.args(["--env", &format!("{name}={value}")]);
        }
        command.args([IMAGE, "/esp"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self { child: Some(command.spawn().unwrap()), name }
    }

    /// Ends it, and gives its log.
    fn end(mut self) -> String {
        let child = self.child.take().unwrap();
        docker(&["kill", "--signal", "TERM", &self.name]).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = docker(&["rm", "-f", &self.name]);
            let _ = child.wait();
        }
    }
}

/// What is published of a target that is seen as `tier`: each second's value is within
/// `points` of its counter, and the whole within 1 %.
fn beside(name: &str, options: &[&str], user: &str, tier: &str, points: f64) {
    let target = load(name, &[options, &["--cpus", "0.5"]].concat(), "square 50");
    let task = Task::new(Shape::Ec2CgroupV1, "shop", "web");
    let engine = DockerEngine::from_environment();
    let agent = DockerAgent::renewing(&engine, task, &[&target.name], 10).unwrap();
    let metadata = MetadataEndpoint::start(agent);
    let cloudwatch = CloudWatch::start();
    let variables = [
        ("CONTAINER_NAME", target.name.as_str()),
        ("NAMESPACE", "Shop"),
        ("METRICS", "CPUUsage"),
        ("PUBLISH_INTERVAL", "1s"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret-example"),
        ("ECS_CONTAINER_METADATA_URI_V4", &metadata.uri()),
        ("AWS_ENDPOINT_URL", &cloudwatch.url()),
    ];
    let esp = Sidecar::start(name, &target, user, &variables);
    let watch = Watch::over(&target, WATCHED);
    let log = esp.end();
    assert!(log.contains(tier), "{log}");
    assert!(log.contains("have confirmed the kernel's counter of this container"), "{log}");
    let mut datums: Vec<(i64, f64)> =
        cloudwatch.datums().iter().map(|datum| (datum.timestamp_ms, datum.values[0])).collect();
    datums.sort_by_key(|datum| datum.0);
    let (mut seconds, mut worst) = (0, 0.0_f64);
    let (mut published, mut counted) = (0.0, 0.0);
    for pair in datums.windows(2) {
        let [(from_ms, _), (to_ms, value)] = *pair else { continue };
        let ns = |ms: i64| u64::try_from(ms).unwrap() * 1_000_000;
        let Some(truth) = watch.points_between(ns(from_ms), ns(to_ms)) else { continue };
        let is_second = to_ms - from_ms < 1500;
        seconds += u32::from(is_second);
        if is_second {
            worst = worst.max((value - truth).abs());
        }
        published += value * (to_ms - from_ms) as f64;
        counted += truth * (to_ms - from_ms) as f64;
    }
    println!(
        "{name}: {} values, {seconds} of a second each, at most {worst:.2} points off, {:.2} % over all",
        datums.len(),
        (published / counted - 1.0) * 100.0
    );
    assert!(seconds >= 50, "{seconds}: {log}\n{datums:?}");
    assert!(worst <= points, "{worst}: {datums:?}\n{log}");
    assert!((published / counted - 1.0).abs() < 0.01, "{published} {counted}\n{log}");
}

/// Both tiers at the same time.
pub(crate) fn each_second() {
    thread::scope(|scope| {
        scope.spawn(|| {
            beside("sidecar-exact", &["--user", READER], READER, "cgroup file", 1.0);
        });
        scope.spawn(|| beside("sidecar-processes", &[], READER, "processes", 5.0));
    });
}
