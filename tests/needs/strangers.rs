//! The health socket and those who have no business there: processes of another
//! user or of another container, in the same network namespace.
//!
//! All of it takes root, to be somebody else.

use std::{
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::Command,
    time::Duration,
};

use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, metadata::MetadataEndpoint,
};

use crate::{
    asking::{
        address, answer_of, every_answer_arrives_beside_callers, health, health_command, spawn_as,
        wait_for_health,
    },
    harness::Case,
    namespace::{ROOT, in_pid_namespace},
    program::{Esp, SOON, agent},
};

/// A user that is neither root nor the image's.
const OTHER_UID: u32 = 64_321;
/// The image's.
const IMAGE_UID: u32 = 65_532;

pub(crate) const CASES: &[Case] = &[
    case("strangers::callers_of_another_uid_delay_no_answer", delay),
    case("strangers::callers_of_another_uid_get_no_answer", no_answer),
    case("strangers::an_answer_from_another_uid_is_refused", impostor),
    case("strangers::the_image_s_uid_asks_itself_and_root_is_told_to", image),
    case("strangers::another_pid_namespace_is_another_container", container),
];

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &ROOT, is_alone: false, test }
}

fn endpoint() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

fn delay() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let esp = Esp::start(&metadata, &cloudwatch, &[]);
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    every_answer_arrives_beside_callers(&metadata.uri(), Some(OTHER_UID));
    esp.stop("TERM");
}

fn no_answer() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let esp = Esp::start(&metadata, &cloudwatch, &[]);
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    let listen_to = |uid| {
        let address = address(&metadata.uri());
        let hear = move || {
            let mut said = String::new();
            UnixStream::connect_addr(&address).unwrap().read_to_string(&mut said).unwrap();
            said
        };
        spawn_as(uid, hear).join().unwrap()
    };
    assert_eq!(listen_to(Some(OTHER_UID)), "");
    assert!(listen_to(None).starts_with("healthy: "));
    esp.stop("TERM");
}

/// Who takes the name after ESP has ended, and says `healthy` to everybody.
fn answer_falsely(uri: &str, uid: Option<u32>) {
    let address = address(uri);
    let listen = move || UnixListener::bind_addr(&address).unwrap();
    let listener = spawn_as(uid, listen).join().unwrap();
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            let _ = caller.unwrap().write_all(b"healthy: sampled 0.1 s ago\n");
        }
    });
}

fn impostor() {
    let metadata = endpoint();
    answer_falsely(&metadata.uri(), Some(OTHER_UID));
    let (code, line) = health(&metadata.uri());
    assert_eq!(code, 1, "{line}");
    assert!(line.starts_with("unhealthy: "), "{line}");
    assert!(line.contains("uid 64321") && line.contains("uid 0"), "{line}");
    assert!(!line.contains("sampled"), "{line}");
}

/// The program where every user may run it.
fn program_for_all() -> PathBuf {
    let directory = std::env::temp_dir().join(format!("esp-strangers-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&directory, all.clone()).unwrap();
    let program = directory.join("esp");
    std::fs::copy(env!("CARGO_BIN_EXE_esp"), &program).unwrap();
    std::fs::set_permissions(&program, all).unwrap();
    program
}

/// The command again, by the program that all may run.
fn with_program(command: &Command, program: &PathBuf) -> Command {
    let mut other = Command::new(program);
    other.args(command.get_args()).env_clear();
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other
}

fn image() {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let program = program_for_all();
    let esp = with_program(&Esp::between(&metadata, &cloudwatch.url(), &[]), &program)
        .uid(IMAGE_UID)
        .gid(IMAGE_UID)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let esp = Esp { child: esp };
    let mut ask = with_program(&health_command(&metadata.uri()), &program);
    ask.uid(IMAGE_UID).gid(IMAGE_UID);
    let start = std::time::Instant::now();
    loop {
        let (code, line) = answer_of(&mut ask);
        if code == 0 {
            break;
        }
        assert!(start.elapsed() < SOON, "{line}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (code, line) = health(&metadata.uri());
    assert_eq!(code, 1, "{line}");
    assert!(line.contains("uid 65532") && line.contains("uid 0"), "{line}");
    assert!(line.contains("as the user of the sidecar"), "{line}");
    esp.stop("TERM");
    std::fs::remove_dir_all(program.parent().unwrap()).unwrap();
}

/// As tasks in the network mode `host` are to each other: one uid, one network
/// namespace, and each container its own processes.
fn container() {
    let metadata = endpoint();
    answer_falsely(&metadata.uri(), None);
    let (code, line) = answer_of(&mut in_pid_namespace(&health_command(&metadata.uri())));
    assert_eq!(code, 1, "{line}");
    assert!(line.contains("another container"), "{line}");
    // It stays one of this process's own for as long as that lives.
    assert_eq!(health(&metadata.uri()).0, 0);

    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let esp = Esp::start(&metadata, &cloudwatch, &[]);
    wait_for_health(&metadata.uri(), "healthy: ", SOON);
    let (code, line) = answer_of(&mut in_pid_namespace(&health_command(&metadata.uri())));
    assert_eq!(code, 1, "{line}");
    assert!(line.contains("another container"), "{line}");
    esp.stop("TERM");
}
