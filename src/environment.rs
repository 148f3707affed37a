//! The environment as libraries see it. The AWS SDK takes an empty variable for a
//! value, unlike ESP and its README, and fails or panics on it. A process cannot take
//! a variable out of its own environment safely, but it can begin again without it.

#[cfg(unix)]
use std::os::unix::process::CommandExt as _;
use std::{env, ffi::OsStr, io, process::Command};

/// What the AWS SDK copies into a header of each request.
const IN_A_HEADER: &str = "AWS_EXECUTION_ENV";

/// Replaces this process by the same program without the variables of AWS that would
/// be misread, if there are any: empty ones, and one that no header can carry. To be
/// called before there are threads, files and handlers.
///
/// # Errors
///
/// The system's, if the program cannot be begun again: then they stay.
#[cfg(unix)]
pub fn without_misread_variables() -> io::Result<()> {
    let misread: Vec<_> = env::vars_os().filter(|(name, value)| is_misread(name, value)).collect();
    if misread.is_empty() {
        return Ok(());
    }
    let mut arguments = env::args_os();
    let mut again = Command::new(env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    again.args(arguments);
    for (name, _) in misread {
        again.env_remove(name);
    }
    Err(again.exec())
}

/// Elsewhere they stay.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn without_misread_variables() -> io::Result<()> {
    Ok(())
}

fn is_misread(name: &OsStr, value: &OsStr) -> bool {
    let is_sendable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    name.to_str().is_some_and(|name| {
        name.starts_with("AWS_")
            && (value.is_empty() || name == IN_A_HEADER && !value.to_str().is_some_and(is_sendable))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_misread_is_left_out() {
        for (name, value, expected) in [
            ("AWS_ENDPOINT_URL", "", true),
            ("AWS_SOMETHING_NEW", "", true),
            ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE", false),
            ("AWS_EXECUTION_ENV", "x\u{1}y", true),
            ("AWS_EXECUTION_ENV", "größe", true),
            ("AWS_SESSION_TOKEN", "größe", false),
            ("NAMESPACE", "", false),
        ] {
            assert_eq!(is_misread(name.as_ref(), value.as_ref()), expected, "{name}={value}");
        }
    }
}
