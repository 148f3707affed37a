//! The program: read the configuration, do what is asked, say how it ended.

#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "errors before there is a log are for a person")]

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

use async_signal::{Signal, Signals};
use smol::stream::StreamExt as _;

use esp::{
    check,
    cloudwatch::{check_ca_bundle, complete_from_profile},
    health,
    report::{fatal, log},
    secrets,
    settings::{
        Environment, Lookup, OfTask, Offline, Settings, SettingsError, SettingsErrors,
        command_line::{CommandLine, Order},
        environment, exit,
    },
    sidecar::{self, Ended},
    top,
};

fn main() -> ExitCode {
    if let Err(error) = environment::without_misread_variables() {
        eprintln!(
            "esp: cannot restart itself without the variables that the AWS SDK misreads: \
                   {error}"
        );
    }
    fatal::exit_on_panic();
    secrets::keep_environment(|name| {
        environment::given(name).map(|value| value.to_string_lossy().into_owned())
    });
    let command_line = match CommandLine::read(std::env::args_os()) {
        Ok(command_line) => command_line,
        Err(error) => {
            complain(&format_args!("{error}; see esp --help"));
            return exit::usage();
        }
    };
    let settings = || read_settings(&command_line);
    match *command_line.order() {
        Order::Run => run(settings()),
        Order::Check { offline: true, json, .. } => {
            let lookup = Offline(&command_line);
            check::run_offline(Settings::read(&lookup), lookup.has_endpoint(), json)
        }
        Order::Check { publish, json, source, .. } => {
            check::run(settings(), check::Options { publish, json, source })
                .unwrap_or_else(|error| cannot_start(&error))
        }
        Order::Health => ask_for_health(),
        Order::Top => show_top(&command_line),
        Order::Print(ref text) => {
            // A closed pipe is no error.
            let _ = io::stdout().write_all(text.as_bytes());
            exit::OK
        }
    }
}

fn run(settings: Result<Settings, SettingsErrors>) -> ExitCode {
    let settings = match settings {
        Ok(settings) => settings,
        Err(errors) => return misconfigured(&errors),
    };
    log::init(settings.log_level, settings.log_format);
    // A terminal that hangs up is no reason to end, and neither is a closed pipe,
    // whose signal Rust's runtime ignores.
    let signals = match Signals::new([Signal::Term, Signal::Int, Signal::Hup]) {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format_args!("cannot handle SIGTERM: {error}"));
            return exit::os_error();
        }
    };
    let ending = signals.filter_map(|signal| signal.ok().filter(|it| *it != Signal::Hup));
    let numbers = ending.map(|signal| signal as i32);
    let ended = sidecar::run(settings, numbers);
    log::finish();
    match ended {
        Ok(Ended::Stopped) => exit::OK,
        Ok(Ended::Aborted(signal)) => exit::aborted(signal),
        Ok(Ended::Failed(_)) => exit::software(),
        Err(error) => cannot_start(&error),
    }
}

/// Says an error without the log, and without secrets.
fn complain(error: &dyn Display) {
    eprintln!("esp: {}", secrets::clean(&error.to_string()));
}

fn cannot_start(error: &io::Error) -> ExitCode {
    complain(&format_args!("cannot start: {error}"));
    exit::os_error()
}

fn ask_for_health() -> ExitCode {
    let uri = match Settings::read_endpoint(&Environment) {
        Ok(uri) => uri,
        Err(errors) => return misconfigured(&errors),
    };
    let (is_healthy, line) =
        health::ask(&uri).unwrap_or_else(|no_answer| (false, no_answer.to_string()));
    // A closed pipe is no error: the exit code says it as well.
    let _ = writeln!(std::io::stdout(), "{line}");
    if is_healthy { exit::OK } else { exit::unhealthy() }
}

fn show_top(command_line: &CommandLine) -> ExitCode {
    let settings = match Settings::read(&OfTask(command_line)) {
        Ok(settings) => settings,
        Err(errors) => return misconfigured(&errors),
    };
    match top::run(&settings) {
        Ok(()) => exit::OK,
        Err(failure) => {
            complain(&failure);
            match failure {
                top::Failure::System(_) => exit::os_error(),
                top::Failure::NoAnswer(_) => exit::unavailable(),
            }
        }
    }
}

/// All that is wrong, a line each.
fn misconfigured(errors: &SettingsErrors) -> ExitCode {
    for error in errors.iter() {
        complain(error);
    }
    exit::usage()
}

/// The settings, with the files that they name.
fn read_settings(lookup: &impl Lookup) -> Result<Settings, SettingsErrors> {
    let settings = Settings::read(lookup).and_then(|settings| {
        let asks_aws = settings.outputs.cloudwatch;
        if asks_aws { complete_from_profile(settings) } else { Ok(settings) }
    });
    let Some(bundle) = Settings::read_ca_bundle(lookup) else { return settings };
    let Err(problem) = check_ca_bundle(&bundle.path) else { return settings };
    let error = SettingsError::Invalid {
        name: bundle.variable,
        value: bundle.path.display().to_string(),
        expected: format!("a readable file with certificates in PEM form, but it {problem}"),
    };
    Err(match settings {
        Ok(_) => error.into(),
        Err(errors) => errors.and(error.into()),
    })
}
