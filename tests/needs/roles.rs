//! What this program does as a process of its own, when its first argument is
//! `--as=ROLE`: it arranges something that only a process itself can, and becomes
//! another program; or it is a load, or a reader of the kernel in a container.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, hint, io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::kernel;

/// This program in that role.
pub(crate) fn command(role: &str, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(format!("--as={role}")).args(arguments);
    command
}

/// This program in that role, which then becomes `command`, with its environment.
pub(crate) fn before(
    command: &Command,
    role: &str,
    arguments: impl IntoIterator<Item: AsRef<OsStr>>,
) -> Command {
    let mut outer = self::command(role, arguments);
    outer.arg(command.get_program()).args(command.get_args()).env_clear();
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    outer
}

/// Plays the role that the command line names; `None` if it names none.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let role = arguments.next()?.into_string().ok()?.strip_prefix("--as=")?.to_owned();
    let rest: Vec<_> = arguments.collect();
    let played = match role.as_str() {
        "nothing" => Ok(ExitCode::SUCCESS),
        "spin" => loop {
            hint::spin_loop();
        },
        "with-etc" => with_etc(&rest),
        "in-pid-namespace" => in_pid_namespace(&rest),
        "in-groups" => in_groups(&rest),
        "reader" | "load" => {
            let rest: Vec<_> = rest.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
            kernel::play(&role, &rest);
            Ok(ExitCode::SUCCESS)
        }
        _ => panic!("no role {role}"),
    };
    Some(played.unwrap_or_else(|error| {
        eprintln!("{role}: {error}");
        ExitCode::FAILURE
    }))
}

/// Becomes the program in `words`.
fn become_program(words: &[OsString]) -> io::Result<ExitCode> {
    Err(Command::new(&words[0]).args(&words[1..]).exec())
}

/// The first word is a directory with files, or empty.
fn with_etc(words: &[OsString]) -> io::Result<ExitCode> {
    const NONE: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    // What is mounted from here on is mounted here alone.
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    if words[0].is_empty() {
        mount(Some("none"), "/etc", Some("tmpfs"), MsFlags::empty(), NONE)?;
        return become_program(&words[1..]);
    }
    for file in fs::read_dir(&words[0])? {
        let file = file?;
        let target = Path::new("/etc").join(file.file_name());
        // A system without one of these does without the other's, too.
        if target.exists() {
            mount(Some(&file.path()), &target, NONE, MsFlags::MS_BIND, NONE)?;
        }
    }
    become_program(&words[1..])
}

fn in_pid_namespace(words: &[OsString]) -> io::Result<ExitCode> {
    unshare(CloneFlags::CLONE_NEWPID)?;
    let status = Command::new(&words[0]).args(&words[1..]).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The first two words are files that a process writes its id to, to join a group.
fn in_groups(words: &[OsString]) -> io::Result<ExitCode> {
    for file in &words[..2] {
        fs::write(file, std::process::id().to_string())?;
    }
    become_program(&words[2..])
}
