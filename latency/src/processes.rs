//! What the real run is made of: this program once more, as a load or as the keeper of another
//! program, and one call of `LocalStack`'s API.

use std::{
    env,
    error::Error,
    io::{self, BufRead as _, Read as _, Write as _},
    net::TcpStream,
    process::{self, Child, ChildStdin, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use esp_endpoints::process::{ProcessCounters, burn};
use serde_json::Value;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The argument that makes this program the load's process.
pub(crate) const LOAD_ARGUMENT: &str = "--load";
/// The argument that makes it start another program, and end it when stdin ends.
pub(crate) const KEEPER_ARGUMENT: &str = "--keep";

/// This program once more. It ends when its stdin does, so when this one ends, however that is.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// With these variables and no others.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(arguments).env_clear().envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells a load how many CPUs to keep busy from now on.
    pub(crate) fn tell(&mut self, cpus: f64) -> Outcome<()> {
        let stdin = self.stdin.as_mut().ok_or("its stdin is closed")?;
        writeln!(stdin, "{cpus}")?;
        Ok(stdin.flush()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The load's process: each line of stdin is a share of a CPU. What a busy machine takes of it
/// is made up for in the next slices, as far as they go.
pub(crate) fn load() -> ExitCode {
    const SLICE: Duration = Duration::from_millis(60);
    /// What is owed at most: after a second without a CPU, what it would have done is gone.
    const OWED_MOST_S: f64 = 1.0;
    let share = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&share);
    let reader = thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let cpus: f64 = line.parse().unwrap_or(0.0);
            told.store(cpus.to_bits(), Ordering::Relaxed);
        }
    });
    let mut counters = ProcessCounters::new(process::id());
    let (mut at, mut used_ns) = (Instant::now(), counters.cpu_time());
    let mut owed_s = 0.0;
    while !reader.is_finished() {
        let cpus = f64::from_bits(share.load(Ordering::Relaxed));
        burn(cpus + owed_s / SLICE.as_secs_f64(), SLICE);
        let (now, now_used_ns) = (Instant::now(), counters.cpu_time());
        let did_s = (now_used_ns - used_ns) as f64 / 1e9;
        owed_s += cpus * now.duration_since(at).as_secs_f64() - did_s;
        owed_s = owed_s.clamp(-OWED_MOST_S, OWED_MOST_S);
        (at, used_ns) = (now, now_used_ns);
    }
    ExitCode::SUCCESS
}

/// The keeper: runs a program until stdin ends.
pub(crate) fn keep(program: &str) -> ExitCode {
    let mut child = match Command::new(program).stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{program} cannot be started: {error}");
            return ExitCode::from(71);
        }
    };
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let _ = child.kill();
    let _ = child.wait();
    ExitCode::SUCCESS
}

/// One call of CloudWatch's API at `url`. `LocalStack` takes any signature.
pub(crate) fn call(url: &str, action: &str, body: &Value) -> Outcome<Value> {
    const CREDENTIAL: &str = "AKIDEXAMPLE/20261129/eu-west-1/monitoring/aws4_request";
    let host = url.strip_prefix("http://").ok_or("the URL begins with http://")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let body = body.to_string();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         X-Amz-Target: GraniteServiceVersion20100801.{action}\r\n\
         Content-Type: application/x-amz-json-1.0\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host, Signature=0\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("{action}: {answer}").into());
    }
    Ok(serde_json::from_str(body)?)
}
