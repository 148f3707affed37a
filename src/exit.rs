//! The process's exit codes, by their names in `sysexits.h`.

use std::process::ExitCode;

/// The ordinary end, after a signal.
pub const OK: ExitCode = ExitCode::SUCCESS;

/// `esp health`: not healthy, or nobody answers. What Docker and ECS take for
/// unhealthy.
#[must_use]
pub fn unhealthy() -> ExitCode {
    ExitCode::FAILURE
}

/// `EX_USAGE`: the configuration cannot work. The sidecar's one reason to end at
/// its start.
pub const USAGE: u8 = 64;

/// `EX_UNAVAILABLE`: `esp check` cannot reach the metadata endpoint, or `CloudWatch`.
pub const UNAVAILABLE: u8 = 69;

/// `EX_SOFTWARE`: esp's own code failed. The log's last line names the task and the
/// place.
pub const SOFTWARE: u8 = 70;

/// `EX_TEMPFAIL`: what `esp check` has met may pass.
pub const TEMPORARY: u8 = 75;

/// `EX_NOPERM`: `esp check` has no credentials, or is refused.
pub const NO_PERMISSION: u8 = 77;

/// [`USAGE`].
#[must_use]
pub fn usage() -> ExitCode {
    ExitCode::from(USAGE)
}

/// [`SOFTWARE`].
#[must_use]
pub fn software() -> ExitCode {
    ExitCode::from(SOFTWARE)
}

/// `EX_OSERR`: the system gave no signal handler.
#[must_use]
pub fn os_error() -> ExitCode {
    ExitCode::from(71)
}

/// 128 and the number of the signal that did not wait, as a shell would say it.
#[must_use]
pub fn aborted(signal: i32) -> ExitCode {
    u8::try_from(128 + signal).map_or(ExitCode::FAILURE, ExitCode::from)
}
