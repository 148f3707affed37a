//! Faults of ESP's own: a task that panics, or ends although it must not, ends the
//! whole sidecar with one line and code 70. The sidecar runs here in a real process
//! between real endpoints, in a world of which one part is faulty.

#![allow(clippy::print_stderr, reason = "what a dropped value leaves behind")]

use std::{
    io::{self, Write},
    process::{Command, Output},
    time::Instant,
};

use crate::program::{Esp, Log, agent};
use aws_smithy_async::{rt::sleep::SharedAsyncSleep, time::SharedTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use esp::{
    endpoint::{EndpointClient, EndpointError, EndpointUri, Resource},
    kernel::Kernel,
    report::{fatal, log},
    settings::{Environment, Settings},
    sidecar::{
        self, Ended,
        world::{Endpoint, RealWorld, World},
    },
    time::{Now, waiting::Wakeup},
};
use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, metadata::MetadataEndpoint,
};
use smol::{LocalExecutor, channel::bounded};

/// Which part is faulty.
const PART: &str = "ESP_TEST_FAULTY_PART";
/// Whether the process is one like the program, which ends by the panic itself.
const HAS_HOOK: &str = "ESP_TEST_HAS_HOOK";

/// What a panic says: two lines, of which one must come.
const MESSAGE: &str = "injected\nfault";

/// The real world but for one part.
#[derive(Clone)]
struct FaultyWorld {
    real: RealWorld,
    part: String,
}

impl FaultyWorld {
    fn fail_as(&self, part: &str) {
        assert!(self.part != part, "{MESSAGE}");
    }
}

impl World for FaultyWorld {
    type Timer = Wakeup;
    type Endpoint = FaultyEndpoint;
    type Kernel = Kernel;

    fn now(&self) -> Now {
        self.real.now()
    }

    fn timer(&self) -> Wakeup {
        self.real.timer()
    }

    fn kernel(&self) -> Kernel {
        self.real.kernel()
    }

    fn endpoint(&self, uri: EndpointUri) -> FaultyEndpoint {
        FaultyEndpoint { real: self.real.endpoint(uri), world: self.clone(), answered: 0 }
    }

    fn http_client(&self, settings: &Settings) -> Result<SharedHttpClient, String> {
        self.real.http_client(settings)
    }

    /// Asked for by the publishing task when it connects.
    fn sleep(&self) -> SharedAsyncSleep {
        self.fail_as("publishing");
        self.real.sleep()
    }

    fn time_source(&self) -> SharedTimeSource {
        self.real.time_source()
    }

    fn seed(&self) -> u64 {
        self.real.seed()
    }

    async fn answer_health(&self, uri: &EndpointUri, line: impl Fn() -> String) {
        self.fail_as("answering esp health");
        if self.part == "ends" {
            return;
        }
        self.real.answer_health(uri, line).await;
    }

    fn stdout(&self) -> Box<dyn Write> {
        Box::new(FaultyStdout(self.clone()))
    }
}

struct FaultyEndpoint {
    real: EndpointClient,
    world: FaultyWorld,
    answered: u32,
}

impl Endpoint for FaultyEndpoint {
    async fn get(&mut self, resource: Resource, now: Instant) -> Result<&mut [u8], EndpointError> {
        self.answered += 1;
        if self.answered > 3 {
            self.world.fail_as("sampling");
        }
        self.real.get(resource, now).await
    }
}

struct FaultyStdout(FaultyWorld);

impl Write for FaultyStdout {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.0.fail_as("writing to stdout");
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says so when the stack is unwound, which must not have to happen.
struct Unwound;

impl Drop for Unwound {
    fn drop(&mut self) {
        eprintln!("unwound");
    }
}

#[test]
#[ignore = "not a test: the process that the tests below start"]
fn faulty_sidecar() {
    let part = std::env::var(PART).unwrap();
    let settings = Settings::read(&Environment).unwrap();
    log::init(settings.log_level, settings.log_format);
    let has_hook = std::env::var_os(HAS_HOOK).is_some();
    if has_hook {
        fatal::exit_on_panic();
    }
    let unwound = Unwound;
    let real = RealWorld::new().unwrap();
    let executor = LocalExecutor::new();
    let (signal, signals) = bounded::<i32>(1);
    let world = FaultyWorld { real: real.clone(), part };
    let run = sidecar::supervise(&executor, world, settings, Box::pin(signals));
    let (ended, _) = real.block_on(executor.run(run));
    drop(signal);
    std::mem::forget(unwound);
    let Ended::Failed(_) = ended else { panic!("{ended:?}") };
    std::process::exit(esp::settings::exit::SOFTWARE.into());
}

/// Runs the sidecar until it ends, and then `esp health`.
fn run(part: &str, has_hook: bool) -> (Output, Output) {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let (uri, url) = (metadata.uri(), cloudwatch.url());
    let variables = [
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", "Shop"),
        ("SAMPLE_INTERVAL", "200ms"),
        ("PUBLISH_INTERVAL", "1s"),
        ("OUTPUT", "cloudwatch,stdout"),
        ("ECS_CONTAINER_METADATA_URI_V4", uri.as_str()),
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret-example"),
    ];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "own_faults::faulty_sidecar", "--ignored", "--nocapture"])
        .env_clear()
        .envs(variables)
        .env(PART, part);
    if has_hook {
        command.env(HAS_HOOK, "1");
    }
    let ended = command.output().unwrap();
    (ended, Esp::command(&variables).arg("health").output().unwrap())
}

const TASKS: [&str; 4] = ["sampling", "publishing", "writing to stdout", "answering esp health"];

#[test]
fn a_panic_in_any_task_is_one_line_and_code_70_without_unwinding() {
    for task in TASKS {
        let (ended, health) = run(task, true);
        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(70), "{task}: {text}");
        // Each line is JSON: nothing of the panic comes besides, and the stack is not
        // unwound, so that a build which aborts ends alike.
        let log = Log::parse(&text);
        let last = log.lines.last().unwrap();
        assert_eq!(log.at("ERROR").count(), 1, "{text}");
        assert_eq!((&last["level"], &last["task"]), (&"ERROR".into(), &task.into()), "{text}");
        assert_eq!(last["error"], "injected fault");
        assert!(
            last["location"].as_str().unwrap().starts_with("tests/processes/own_faults.rs:"),
            "{text}"
        );
        let said = last["message"].as_str().unwrap();
        assert!(said.contains("this task panicked") && said.contains("code 70"), "{text}");
        assert_eq!(health.status.code(), Some(1), "esp health of a dead sidecar");
    }
}

#[test]
fn a_panic_that_only_unwinds_ends_the_run_as_failed() {
    for task in TASKS {
        let (ended, health) = run(task, false);
        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(70), "{task}: {text}");
        assert!(text.contains(&format!("\"task\":\"{task}\"")), "{text}");
        assert_eq!(health.status.code(), Some(1), "esp health of a dead sidecar");
    }
}

#[test]
fn a_task_that_ends_before_it_is_told_to_is_one_line_and_code_70() {
    let (ended, _) = run("ends", true);
    let text = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(70), "{text}");
    let log = Log::parse(&text);
    let errors: Vec<_> = log.at("ERROR").collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert_eq!(errors[0]["task"], "answering esp health");
    assert!(errors[0]["message"].as_str().unwrap().contains("has ended, although"), "{text}");
}
