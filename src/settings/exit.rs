//! The process's exit codes, by their names in `sysexits.h`, and what each means for
//! each command. The help and the table in docs/operations.md are made from the lists here.

use std::process::ExitCode;

/// The ordinary end, after a signal.
pub const OK: ExitCode = ExitCode::SUCCESS;

/// `esp health`: not healthy, or nobody answers. What Docker and ECS take for
/// unhealthy.
pub const UNHEALTHY: u8 = 1;

/// `EX_USAGE`: the configuration cannot work. The sidecar's one reason to end at
/// its start.
pub const USAGE: u8 = 64;

/// `EX_UNAVAILABLE`: `esp check` cannot reach the metadata endpoint or `CloudWatch`, or
/// `esp top` the endpoint.
pub const UNAVAILABLE: u8 = 69;

/// `EX_SOFTWARE`: esp's own code failed. The log's last line names the task and the
/// place.
pub const SOFTWARE: u8 = 70;

/// `EX_OSERR`: the system gave no signal handler.
pub const OS_ERROR: u8 = 71;

/// `EX_TEMPFAIL`: what `esp check` has met may pass.
pub const TEMPORARY: u8 = 75;

/// `EX_NOPERM`: `esp check` has no credentials, or is refused.
pub const NO_PERMISSION: u8 = 77;

/// What is added to a signal's number, as a shell would.
const SIGNAL: i32 = 128;

/// A code and what it means for one command.
pub type Meaning = (u8, &'static str);

/// The codes of the sidecar, besides 128 and the number of a signal.
pub const OF_SIDECAR: [Meaning; 4] = [
    (0, "ended by SIGTERM or SIGINT"),
    (USAGE, "the configuration is wrong"),
    (SOFTWARE, "a fault in ESP; the last line of the log names it"),
    (OS_ERROR, "the system refuses a signal handler or a file descriptor"),
];

/// The sidecar's code after a second signal.
pub const AFTER_SECOND_SIGNAL: (&str, &str) =
    ("128 + n", "ended by a second signal; n is its number");

/// The codes of `esp check`.
pub const OF_CHECK: [Meaning; 7] = [
    (0, "ready"),
    (USAGE, "the configuration is wrong"),
    (UNAVAILABLE, "no answer from the metadata endpoint or, with --publish, from CloudWatch"),
    (SOFTWARE, "a fault in ESP"),
    (OS_ERROR, "the system refuses a file descriptor"),
    (TEMPORARY, "temporary, try again: no sample yet, throttling, or a server's error"),
    (NO_PERMISSION, "no credentials, or AWS refuses a role or a permission"),
];

/// The codes of `esp health`.
pub const OF_HEALTH: [Meaning; 3] = [
    (0, "healthy"),
    (UNHEALTHY, "unhealthy, or no answer within a second"),
    (USAGE, "ECS_CONTAINER_METADATA_URI_V4 is not set or not valid"),
];

/// The codes of `esp top`.
pub const OF_TOP: [Meaning; 5] = [
    (0, "ended by q, Ctrl-C, SIGTERM or SIGHUP, or because its output is closed"),
    (USAGE, "ECS_CONTAINER_METADATA_URI_V4 or SOURCE is not valid"),
    (UNAVAILABLE, "no answer from the metadata endpoint within 10 s"),
    (SOFTWARE, "a fault in ESP"),
    (OS_ERROR, "the system refuses a signal handler or a file descriptor"),
];

/// [`UNHEALTHY`].
#[must_use]
pub fn unhealthy() -> ExitCode {
    ExitCode::from(UNHEALTHY)
}

/// [`USAGE`].
#[must_use]
pub fn usage() -> ExitCode {
    ExitCode::from(USAGE)
}

/// [`UNAVAILABLE`].
#[must_use]
pub fn unavailable() -> ExitCode {
    ExitCode::from(UNAVAILABLE)
}

/// [`SOFTWARE`].
#[must_use]
pub fn software() -> ExitCode {
    ExitCode::from(SOFTWARE)
}

/// [`OS_ERROR`].
#[must_use]
pub fn os_error() -> ExitCode {
    ExitCode::from(OS_ERROR)
}

/// 128 and the number of the signal that did not wait, as a shell would say it.
#[must_use]
pub fn aborted(signal: i32) -> ExitCode {
    u8::try_from(SIGNAL + signal).map_or(ExitCode::FAILURE, ExitCode::from)
}
