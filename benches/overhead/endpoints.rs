//! The endpoints, in a process of their own, so that nothing they do is counted
//! for a program that is measured: a metadata endpoint and a `CloudWatch` over
//! TLS for each, all with the same three containers. Here are both sides, the
//! process and its handle; they speak a line of JSON for a line of text.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use esp_endpoints::{
    agent::{Agent, Cadence},
    cloudwatch::{CloudWatch, Fault},
    containers::{Limits, Shape, Task},
    counters::{CounterReading, Steady},
    metadata::{Documents as _, MetadataEndpoint},
    tls::{Certificate, Tls},
};
use serde_json::{Value, json};

use crate::{Outcome, group::Group};

/// The containers of the task, and the CPUs that each uses.
const CONTAINERS: [(&str, f64); 3] = [("web", 0.5), ("proxy", 0.1), ("esp", 0.01)];

/// The argument that makes this program the endpoints' process.
pub(crate) const ARGUMENT: &str = "--endpoints";

/// The task with its containers, which begin to have data at once.
pub(crate) fn agent(cadence: Cadence) -> Agent {
    let mut task = Task::new(Shape::Ec2CgroupV1, "overhead", "web-service");
    task.limits = Limits { cpu: Some(2.0), memory_mib: Some(1024) };
    for (name, _) in CONTAINERS {
        task = task.with_container(name, Limits::default());
    }
    let agent = Agent::new(task, cadence);
    for (name, cores) in CONTAINERS {
        let mut reading = CounterReading::new(SystemTime::now(), 70_000_000_000);
        reading.memory_usage_bytes = 300 << 20;
        reading.memory_inactive_file_bytes = 44 << 20;
        agent.attach(name, Steady::new(cores, reading));
    }
    agent
}

/// The process: `programs` pairs of endpoints, until stdin ends. With `processes` the
/// first container is real, with so many.
pub(crate) fn run(programs: usize, period_ms: u64, processes: usize) -> Outcome<()> {
    let cadence = match period_ms {
        0 => Cadence::STREAMING,
        ms => Cadence { period: Duration::from_millis(ms), phase: Duration::from_millis(ms / 3) },
    };
    let mut agent = agent(cadence);
    let group = if processes > 0 {
        let task = Task::new(Shape::Ec2CgroupV1, "overhead", "web-service");
        let group = Group::start(&task.docker_id(CONTAINERS[0].0, 1), processes)?;
        agent.attach(CONTAINERS[0].0, group.counters()?);
        Some(group)
    } else {
        None
    };
    let tls = Tls::new(Certificate::Valid);
    let pairs: Vec<_> = (0..programs)
        .map(|_| (MetadataEndpoint::start(agent.clone()), CloudWatch::start_tls(&tls)))
        .collect();
    // Until every container has had a sample: before that, bodies are short.
    thread::sleep(cadence.phase * 3 + Duration::from_millis(100));
    let addresses: Vec<_> = pairs
        .iter()
        .map(|(metadata, cloudwatch)| json!([metadata.uri(), cloudwatch.url()]))
        .collect();
    answer(&json!({
        "authority_pem": tls.authority_pem(),
        "addresses": addresses,
        "body_bytes": agent.stats().len(),
        "containers": CONTAINERS.len(),
        "counter_file": group.as_ref().map(Group::counter_file),
    }))?;
    for line in io::stdin().lock().lines() {
        match line?.as_str() {
            "figures" => answer(&pairs.iter().map(figures).collect())?,
            command => {
                let fault = (command == "refuse").then_some(Fault::Status(503));
                for (_, cloudwatch) in &pairs {
                    cloudwatch.always(fault.clone());
                }
                answer(&Value::Null)?;
            }
        }
    }
    Ok(())
}

fn figures((metadata, cloudwatch): &(MetadataEndpoint, CloudWatch)) -> Value {
    let requests = cloudwatch.requests();
    json!({
        "polls": metadata.stats_requests(),
        "connections": metadata.connections(),
        "refused": requests.iter().filter(|request| request.refusal.is_some()).count(),
        "accepted": requests.iter().map(|request| request.accepted).collect::<Vec<_>>(),
    })
}

fn answer(value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{value}")?;
    stdout.flush()
}

/// The handle. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Endpoints {
    process: Child,
    /// `None` only while it is dropped.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    bundle: PathBuf,
    addresses: Vec<(String, String)>,
    pub(crate) body_bytes: u64,
    pub(crate) containers: u64,
    /// Where the kernel counts for the first container, if that is real.
    pub(crate) counter_file: String,
}

/// What one pair of endpoints has seen since its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Requests for `/task/stats`.
    pub(crate) polls: u64,
    /// Connections to the metadata endpoint.
    pub(crate) connections: u64,
    /// Requests that broke a limit of CloudWatch's.
    pub(crate) refused: u64,
    /// The datums of each request to CloudWatch that were accepted.
    pub(crate) accepted: Vec<u64>,
}

impl Seen {
    /// What has come since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            polls: self.polls - before.polls,
            connections: self.connections - before.connections,
            refused: self.refused - before.refused,
            accepted: self.accepted[before.accepted.len()..].to_vec(),
        }
    }
}

impl Endpoints {
    /// Starts endpoints for so many programs. Samples are renewed each
    /// `period_ms`; 0 is the cadence of EC2's agent. `processes` are those of the first
    /// container; 0: it is not real.
    pub(crate) fn start(programs: usize, period_ms: u64, processes: usize) -> Outcome<Self> {
        let numbers = [programs.to_string(), period_ms.to_string(), processes.to_string()];
        let mut process = Command::new(env::current_exe()?)
            .arg(ARGUMENT)
            .args(numbers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = process.stdin.take();
        let stdout = process.stdout.take().ok_or("the endpoints have no stdout")?;
        let bundle = env::temp_dir().join(format!("esp-overhead-{}.pem", process.id()));
        let mut endpoints = Self {
            process,
            commands,
            answers: BufReader::new(stdout),
            bundle,
            addresses: Vec::new(),
            body_bytes: 0,
            containers: 0,
            counter_file: String::new(),
        };
        let introduction = endpoints.read()?;
        fs::write(&endpoints.bundle, introduction["authority_pem"].as_str().unwrap_or_default())?;
        endpoints.body_bytes = introduction["body_bytes"].as_u64().unwrap_or_default();
        endpoints.containers = introduction["containers"].as_u64().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        endpoints.counter_file = text(&introduction["counter_file"]);
        endpoints.addresses = introduction["addresses"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .collect();
        Ok(endpoints)
    }

    /// The metadata endpoint of that program.
    pub(crate) fn metadata_uri(&self, program: usize) -> &str {
        &self.addresses[program].0
    }

    /// The environment of that program.
    pub(crate) fn variables(&self, program: usize) -> Vec<(&'static str, String)> {
        let (metadata, cloudwatch) = &self.addresses[program];
        variables(metadata, cloudwatch, &self.bundle.to_string_lossy())
    }

    /// Has every `CloudWatch` answer 503, or work again.
    pub(crate) fn set_outage(&mut self, is_on: bool) -> Outcome<()> {
        self.ask(if is_on { "refuse" } else { "accept" })?;
        Ok(())
    }

    /// What each pair has seen.
    pub(crate) fn seen(&mut self) -> Outcome<Vec<Seen>> {
        let answer = self.ask("figures")?;
        let seen = |value: &Value| Seen {
            polls: value["polls"].as_u64().unwrap_or_default(),
            connections: value["connections"].as_u64().unwrap_or_default(),
            refused: value["refused"].as_u64().unwrap_or_default(),
            accepted: value["accepted"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_u64)
                .collect(),
        };
        Ok(answer.as_array().into_iter().flatten().map(seen).collect())
    }

    fn ask(&mut self, command: &str) -> Outcome<Value> {
        let commands = self.commands.as_mut().ok_or("the endpoints take no commands")?;
        writeln!(commands, "{command}")?;
        self.read()
    }

    fn read(&mut self) -> Outcome<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err("the endpoints have ended".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.bundle);
    }
}

/// What `esp`, or a peer, is told of its surroundings.
pub(crate) fn variables(
    metadata: &str,
    cloudwatch: &str,
    bundle: &str,
) -> Vec<(&'static str, String)> {
    [
        ("PATH", env::var("PATH").unwrap_or_default().as_str()),
        ("CONTAINER_NAME", CONTAINERS[0].0),
        ("NAMESPACE", "Overhead"),
        ("REGION", "us-west-2"),
        ("AWS_REGION", "us-west-2"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret-example"),
        ("AWS_ENDPOINT_URL", cloudwatch),
        ("AWS_CA_BUNDLE", bundle),
        ("ECS_CONTAINER_METADATA_URI_V4", metadata),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect()
}
