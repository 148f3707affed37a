//! The environment as libraries see it, and as it was given. The AWS SDK takes an empty
//! variable for a value, unlike ESP and its documentation, and fails or panics on it; and it
//! asks at addresses that it was told to ignore. A process cannot take a variable out of
//! its own environment safely, but it can begin again without it.

#[cfg(unix)]
use std::os::unix::process::CommandExt as _;
use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    process::Command,
};

/// What the AWS SDK copies into a header of each request.
const IN_A_HEADER: &str = "AWS_EXECUTION_ENV";

/// A longer one makes a request that servers refuse.
pub const HEADER_BYTES_MAX: usize = 256;

/// If true, the next two are not for the SDK either, which would use them for STS.
const IGNORES_ADDRESSES: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
const ADDRESSES: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"];

/// With it, libcurl would write the keys of its connections to a file.
const KEYS_OF_CONNECTIONS: &str = "SSLKEYLOGFILE";

/// Variables that the SDK reads and that do not begin as AWS's do.
const OTHERS: [&str; 3] =
    ["SECRET_ACCESS_KEY", "SMITHY_CLIENT_SDK_CUSTOM_PARTITION", KEYS_OF_CONNECTIONS];

/// Before the name of a variable that was taken out of the SDK's sight: its value stays
/// there, so that it is checked and told as any other.
const AS_GIVEN: &str = "ESP_AS_GIVEN_";

/// The value of a variable as it was given.
#[must_use]
pub fn given(name: &str) -> Option<OsString> {
    env::var_os(name).or_else(|| env::var_os(format!("{AS_GIVEN}{name}")))
}

/// What becomes of a variable of AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    /// It says nothing.
    Removed,
    /// Only ESP reads it.
    Hidden,
}

/// Replaces this process by the same program without the variables of AWS that would
/// be misread, if there are any: empty ones, one that no header can carry, and addresses
/// that are to be ignored. To be called before there are threads, files and handlers.
///
/// # Errors
///
/// The system's, if the program cannot be begun again: then they stay.
#[cfg(unix)]
pub fn without_misread_variables() -> io::Result<()> {
    let ignores = env::var_os(IGNORES_ADDRESSES).is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let misread: Vec<_> = env::vars_os()
        .map(|(name, value)| (fate(&name, &value, ignores), name, value))
        .filter(|(fate, ..)| *fate != Fate::Stays)
        .collect();
    if misread.is_empty() {
        return Ok(());
    }
    let mut arguments = env::args_os();
    let mut again = Command::new(env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    again.args(arguments);
    for (fate, name, value) in misread {
        again.env_remove(&name);
        if fate == Fate::Hidden {
            let mut hidden = OsString::from(AS_GIVEN);
            hidden.push(name);
            again.env(hidden, value);
        }
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

fn fate(name: &OsStr, value: &OsStr, ignores_addresses: bool) -> Fate {
    let is_sendable = |text: &str| {
        text.len() <= HEADER_BYTES_MAX && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    let is_read = |name: &&str| name.starts_with("AWS_") || OTHERS.contains(name);
    let Some(name) = name.to_str().filter(is_read) else { return Fate::Stays };
    if value.is_empty() {
        Fate::Removed
    } else if name == KEYS_OF_CONNECTIONS
        || name == IN_A_HEADER && !value.to_str().is_some_and(is_sendable)
        || ignores_addresses && ADDRESSES.contains(&name)
    {
        Fate::Hidden
    } else {
        Fate::Stays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_misread_is_left_out() {
        for (name, value, expected) in [
            ("AWS_ENDPOINT_URL", "", Fate::Removed),
            ("AWS_SOMETHING_NEW", "", Fate::Removed),
            ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE", Fate::Stays),
            ("AWS_EXECUTION_ENV", "x\u{1}y", Fate::Hidden),
            ("AWS_EXECUTION_ENV", "größe", Fate::Hidden),
            ("AWS_EXECUTION_ENV", &"x".repeat(257), Fate::Hidden),
            ("AWS_SESSION_TOKEN", "größe", Fate::Stays),
            ("AWS_ENDPOINT_URL_STS", "https://sts.internal", Fate::Stays),
            ("NAMESPACE", "", Fate::Stays),
            ("SECRET_ACCESS_KEY", "", Fate::Removed),
            ("SMITHY_CLIENT_SDK_CUSTOM_PARTITION", "", Fate::Removed),
            ("SSLKEYLOGFILE", "", Fate::Removed),
            ("SSLKEYLOGFILE", "/tmp/keys", Fate::Hidden),
        ] {
            assert_eq!(fate(name.as_ref(), value.as_ref(), false), expected, "{name}={value}");
        }
    }

    #[test]
    fn addresses_to_ignore_are_hidden_from_the_sdk() {
        for (name, expected) in [
            ("AWS_ENDPOINT_URL", Fate::Hidden),
            ("AWS_ENDPOINT_URL_STS", Fate::Hidden),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Fate::Stays),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", Fate::Stays),
        ] {
            assert_eq!(fate(name.as_ref(), "https://aws.internal".as_ref(), true), expected);
        }
    }
}
