//! `esp check`: what the sidecar sees and would do, and how to correct what is wrong.
//! It polls, samples, addresses and sends with the sidecar's own code; what is here
//! is the order of the questions (`steps`) and the words. What is found is in `findings`,
//! how it looks in `text`.
//!
//! Whatever hangs, it ends: each question has its time, and all have 90 s.

mod access;
mod configuration;
pub mod findings;
mod mask;
mod output;
mod probe;
mod probe_findings;
mod samples;
mod sources;
mod steps;
mod text;
mod under_way;

use std::{io, process::ExitCode};

use self::{
    findings::Findings,
    output::{Output, write},
    under_way::Check,
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
    /// Look at the sources alone: a probe of the kernel.
    pub source: bool,
}

/// Checks, prints on stdout what it finds, and gives the exit code.
///
/// Blocks the thread it is called on, for at most 90 s, and is not to be
/// called on an executor.
///
/// # Errors
///
/// Where the system has no two file descriptors left, at the start.
pub fn run(settings: Result<Settings, SettingsErrors>, options: Options) -> io::Result<ExitCode> {
    let output = Output { is_text: !options.json };
    output.say(&text::title());
    let findings = match settings {
        Ok(settings) => {
            let world = RealWorld::new()?;
            if options.source && probe::is_forbidden(&settings) {
                probe::forbidden(output)
            } else if options.source {
                let settings = probe::settings(&settings);
                let check = Check::new(&world, &settings, output);
                world.block_on(check.probe())
            } else {
                let check = Check::new(&world, &settings, output);
                world.block_on(check.run(options.publish))
            }
        }
        Err(errors) => configuration::misconfigured(&errors, output),
    };
    Ok(end(&findings, options.json))
}

/// Checks the configuration alone, prints on stdout what it says, and gives the exit
/// code, 0 or 64. Asks nobody and opens no file. Without `has_endpoint`, the endpoint
/// of the settings is only an example.
#[must_use]
pub fn run_offline(
    settings: Result<Settings, SettingsErrors>,
    has_endpoint: bool,
    json: bool,
) -> ExitCode {
    let output = Output { is_text: !json };
    output.say(&text::title());
    let findings = match settings {
        Ok(settings) => configuration::offline(&settings, has_endpoint, output),
        Err(errors) => configuration::misconfigured(&errors, output),
    };
    end(&findings, json)
}

/// The end of the text, or the whole document.
fn end(findings: &Findings, json: bool) -> ExitCode {
    if json {
        // One line, as a log wants it. Strings, numbers and lists: nothing that
        // JSON does not have.
        let document = simd_json::serde::to_string(findings).unwrap_or_default();
        write(&document);
        write("\n");
    } else {
        write(&text::end(findings));
    }
    ExitCode::from(findings.exit_code)
}
