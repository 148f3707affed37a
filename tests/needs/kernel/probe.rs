//! `esp check --source` in a container of its own, beside a target: with each privilege
//! that the examples have.

use std::process::{Command, Stdio};

use esp_endpoints::{
    containers::{Shape, Task},
    docker::{DockerAgent, DockerEngine},
    metadata::MetadataEndpoint,
};

use super::{PRIVILEGES, READER, load, mounts};
use crate::engine::{Container, IMAGE};

/// What a check with these arguments says as `user` with `more` options of Docker.
fn check(
    target: &Container,
    is_shared: bool,
    user: &str,
    more: &[&str],
    arguments: &[&str],
) -> String {
    let task = Task::new(Shape::Ec2CgroupV1, "shop", "web");
    let engine = DockerEngine::from_environment();
    let agent = DockerAgent::renewing(&engine, task, &[&target.name], 2).unwrap();
    let metadata = MetadataEndpoint::start(agent);
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network", "host", "--user", user]);
    command.args(PRIVILEGES).args(more).args(mounts());
    if is_shared {
        command.arg(format!("--pid=container:{}", target.id));
    }
    command.args(["-v", &format!("{}:/esp:ro", env!("CARGO_BIN_EXE_esp"))]);
    for (name, value) in [
        ("CONTAINER_NAME", target.name.as_str()),
        ("NAMESPACE", "Secret-Project"),
        ("AWS_SECRET_ACCESS_KEY", "secret-example"),
        ("OUTPUT", "stdout"),
        ("ECS_CONTAINER_METADATA_URI_V4", &metadata.uri()),
    ] {
        command.args(["--env", &format!("{name}={value}")]);
    }
    command.args([IMAGE, "/esp", "check"]).args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
    println!("as {user} {more:?}:\n{text}");
    text
}

/// The probe, which shows no ids and no names.
fn probe(target: &Container, is_shared: bool, user: &str, more: &[&str]) -> String {
    let text = check(target, is_shared, user, more, &["--source"]);
    for hidden in [&target.id[..12], target.name.as_str(), "ecret", "111122223333", "127.0.0.1"] {
        assert!(!text.contains(hidden), "{hidden:?} is in\n{text}");
    }
    text
}

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

pub(super) fn says_what_can_be_read() {
    let target = load("probe", &["--user", READER, "--cpus", "0.5"], "square 50");
    let text = probe(&target, true, READER, &[]);
    let is_v1 = std::path::Path::new("/sys/fs/cgroup/cpuacct").exists();
    expect(&text, &[if is_v1 { "cgroup version    1" } else { "cgroup version    2" }]);
    expect(
        &text,
        &["kernel            ", "container 1       measured, RUNNING", "cgroup file     open"],
    );
    expect(&text, &["exact             can be read: ", "/proc/stat        over ", "difference "]);
    expect(&text, &["network           no: ", "task estimate     no: only on Fargate"]);

    let text = probe(&target, true, "65533:65533", &[]);
    expect(
        &text,
        &["exact             no: container 1: ", "(needs the same uid and gid, or uid 0"],
    );
    expect(&text, &["processes         can be read: "]);

    let text = probe(&target, true, "0:0", &["--cap-add", "SYS_PTRACE"]);
    expect(&text, &["exact             can be read: "]);

    let text = probe(&target, false, READER, &[]);
    expect(&text, &["exact             no: container 1: none of its processes is visible"]);
    expect(
        &text,
        &["processes         no: container 1: its processes are not visible, because there is no \
           shared PID"],
    );

    let text = check(&target, true, READER, &[], &[]);
    let words = "the endpoint, every 2";
    expect(
        &text,
        &["Sources: ok\n  CPUUtilization     ", words, "; the kernel (cgroup file, every 1s) "],
    );
}
