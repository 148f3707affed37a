//! Tests that need what not every machine has: root, control groups, a Docker engine,
//! the built image, LocalStack, recordings. What cannot run here says `ignored` and
//! why, and who runs it. `.ci/run` runs each with what it needs, or says that it did
//! not.
//!
//! A Docker engine is not used unasked: `ESP_TEST_REQUIRE=docker` asks. So do
//! `starved`, for control groups that weigh more than the rest of the machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test program of its own")]

#[cfg(target_os = "linux")]
#[path = "../processes/health/asking.rs"]
mod asking;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod docker;
#[cfg(target_os = "linux")]
mod engine;
mod harness;
#[cfg(target_os = "linux")]
mod image;
#[cfg(target_os = "linux")]
mod kernel;
mod localhost;
mod localstack;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod namespace;
#[path = "../program/mod.rs"]
mod program;
mod recordings;
#[cfg(target_os = "linux")]
mod roles;
#[cfg(target_os = "linux")]
mod starved;
#[cfg(target_os = "linux")]
mod strangers;

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    {
        if let Some(code) = roles::run() {
            return code;
        }
        harness::run(&[
            recordings::CASES,
            localhost::CASES,
            names::CASES,
            strangers::CASES,
            starved::CASES,
            localstack::CASES,
            docker::CASES,
            kernel::CASES,
            image::CASES,
        ])
    }
    #[cfg(not(target_os = "linux"))]
    harness::run(&[recordings::CASES, localhost::CASES, localstack::CASES])
}
