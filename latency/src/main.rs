//! How long it takes from a load to the alarm: a model on a simulated clock, with ESP's real
//! sampler and real publisher in it.
//!
//! A load steps ([`load`]). The container's counter follows; a source shows it ([`source`]);
//! ESP samples and publishes ([`sidecar`]); CloudWatch takes its time ([`cloudwatch`]); an alarm
//! is evaluated ([`alarm`]). Others publish the same load ([`rivals`]). What is taken for granted
//! is in [`assumptions`]. `real` is no model: it measures the same against `LocalStack`.

#![forbid(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "seconds and percentages, far from the limits of either type"
)]
#![allow(clippy::similar_names, reason = "steps_at_s and steps_at_ns are one moment in two units")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is what it is for")]

mod alarm;
mod alarms;
mod arguments;
mod assumptions;
mod cloudwatch;
mod dice;
mod esp_defaults;
mod fleet;
mod load;
#[cfg(any(test, feature = "real"))]
mod localstack;
mod moment;
mod picture;
mod policy;
#[cfg(feature = "real")]
mod processes;
mod race;
#[cfg(feature = "real")]
mod real;
mod rivals;
mod service;
mod show_alarms;
mod show_fleet;
mod show_policies;
mod show_race;
#[cfg(feature = "real")]
mod show_real;
mod show_sweep;
mod show_week;
mod sidecar;
mod source;
mod stats;
mod week;

use std::{path::Path, process::ExitCode};

use arguments::{Arguments, Command, USAGE};

fn main() -> ExitCode {
    // The run against LocalStack, and the processes that it is made of.
    let words: Vec<_> = std::env::args().skip(1).collect();
    #[cfg(feature = "real")]
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["real", ..] => return show_real::show(&words[1..]),
        [processes::LOAD_ARGUMENT] => return processes::load(),
        [processes::KEEPER_ARGUMENT, program] => return processes::keep(program),
        _ => {}
    }
    let arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match arguments.command {
        Command::Race => show_race::show(arguments),
        Command::Sweep => show_sweep::show(arguments),
        Command::Week => show_week::show(arguments),
        Command::Alarms => show_alarms::show(arguments),
        Command::Policies => show_policies::show_policies(arguments),
        Command::Hot => show_policies::show_hot(arguments),
        Command::Picture => {
            if let Err(error) = picture::write(arguments, Path::new(".")) {
                eprintln!("the picture cannot be written: {error}");
                return ExitCode::from(74);
            }
        }
        Command::Fleet => show_fleet::show(arguments),
    }
    ExitCode::SUCCESS
}
