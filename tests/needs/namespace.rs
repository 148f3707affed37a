//! A program in namespaces of its own: with other files in `/etc`, or as in another
//! container. That takes root on Linux.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{harness::Need, roles};

/// Root, with a mount namespace and a PID namespace to be had.
pub(crate) const ROOT: Need = Need { word: "root", lacks };

fn lacks() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("takes root".to_owned());
    }
    let nothing = roles::command("nothing", [""; 0]);
    for mut command in [with_etc(&nothing, None), in_pid_namespace(&nothing)] {
        let output = match command.output() {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "),
            Err(error) => error.to_string(),
        };
        return Some(format!("takes root and namespaces ({output})"));
    }
    None
}

/// The command again, for whom the files in `files` lie over those in `/etc`, or for
/// whom that is empty.
pub(crate) fn with_etc(command: &Command, files: Option<&Path>) -> Command {
    let files = files.map_or_else(String::new, |files| files.display().to_string());
    roles::before(command, "with-etc", [files])
}

/// The command again, in a PID namespace of its own.
pub(crate) fn in_pid_namespace(command: &Command) -> Command {
    let mut outer = roles::before(command, "in-pid-namespace", [""; 0]);
    outer.stdin(Stdio::null());
    outer
}
