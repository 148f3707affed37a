//! `esp check`: what the sidecar sees and would do, and what to do where it cannot.
//! It polls, samples, addresses and sends with the sidecar's own code; what is
//! here is the order of the questions and the words. How the answers look is in
//! `report` (data) and `text`.
//!
//! Whatever hangs, it ends: each question has its time.

mod access;
pub mod report;
mod steps;
mod text;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use self::{
    report::{Report, Step},
    steps::Check,
};
use crate::{
    settings::{Settings, SettingsErrors},
    sidecar::world::RealWorld,
};

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Send one datapoint.
    pub publish: bool,
    /// One JSON document in place of the text.
    pub json: bool,
}

/// Checks, prints on stdout what it finds, and gives the exit code.
///
/// Blocks the thread it is called on, for a minute at the most, and is not to be
/// called on an executor.
///
/// # Errors
///
/// Where the system has no two file descriptors left, at the start.
pub fn run(settings: Result<Settings, SettingsErrors>, options: Options) -> io::Result<ExitCode> {
    let output = Output { is_text: !options.json };
    output.say(&text::title(env!("CARGO_PKG_VERSION")));
    let report = match settings {
        Ok(settings) => {
            let world = RealWorld::new()?;
            let check = Check::new(&world, &settings, output);
            world.block_on(check.run(options.publish))
        }
        Err(errors) => steps::misconfigured(&errors, output),
    };
    if options.json {
        // One line, as a log wants it. Strings, numbers and lists: nothing that
        // JSON does not have.
        let document = simd_json::serde::to_string(&report).unwrap_or_default();
        write(&document);
        write("\n");
    } else {
        write(&text::end(&report));
    }
    Ok(ExitCode::from(report.exit_code))
}

/// Where the parts go as they are done.
#[derive(Clone, Copy, Debug)]
struct Output {
    is_text: bool,
}

impl Output {
    fn part(self, report: &Report, step: Step) {
        if self.is_text {
            write(&text::part(report, step));
        }
    }

    fn say(self, text: &str) {
        if self.is_text {
            write(text);
        }
    }
}

/// A reader who has gone is no error: the exit code says it as well.
fn write(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
