//! A program in a mount namespace of its own, with other files at the places where
//! the system's are. That takes root on Linux.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

/// The command again, in a namespace of its own in which `script` has been run
/// first. It gets `argument` as `$1`.
pub(crate) fn enter(command: &Command, script: &str, argument: impl AsRef<OsStr>) -> Command {
    let script = format!("{{ {script}; }} && shift && exec \"$@\"");
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "sh", "-c", &script, "sh"]).arg(argument);
    outer.arg(command.get_program()).args(command.get_args());
    outer.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    outer
}

/// Whether that can be done here; why not, where it cannot.
pub(crate) fn is_possible(script: &str, argument: impl AsRef<OsStr>) -> Result<(), String> {
    let output = enter(&Command::new("true"), script, argument)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// `None`, and a word about it, where `made` is an error; with
/// `ESP_TEST_NAMES=required` that is a failure.
pub(crate) fn or_skipped<T>(made: Result<T, String>) -> Option<T> {
    match made {
        Ok(made) => Some(made),
        Err(reason) if std::env::var("ESP_TEST_NAMES").as_deref() == Ok("required") => {
            panic!("no names or files of its own: {reason}")
        }
        Err(reason) => {
            eprintln!("skipped, no names or files of its own: {reason}");
            None
        }
    }
}
