//! The real sidecar in a process of its own, configured as in a task: by its
//! environment, which names the two stand-ins. It ends when its stdin is closed, so
//! that it never outlives the demo.

use std::{
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
};

use esp::settings::{Environment, Settings, exit};

/// The argument that makes the demo the sidecar.
pub(crate) const ARGUMENT: &str = "--sidecar";

/// The running sidecar.
pub(crate) struct Sidecar(Child);

impl Sidecar {
    /// Starts it with these variables and no others.
    pub(crate) fn start(variables: &[(&str, &str)]) -> io::Result<Self> {
        Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            // Ctrl-C is for the demo, which then ends the sidecar.
            .process_group(0)
            .spawn()
            .map(Self)
    }

    /// Ends it as a signal would, and waits until it has sent what it has.
    pub(crate) fn stop(mut self) -> io::Result<ExitStatus> {
        drop(self.0.stdin.take());
        self.0.wait()
    }
}

/// The sidecar's own process.
pub(crate) fn run() -> ExitCode {
    let settings = match Settings::read(&Environment) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("demo: {error}");
            return exit::usage();
        }
    };
    esp::report::log::init(settings.log_level, settings.log_format);
    let (signal, signals) = smol::channel::bounded(1);
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop::<smol::channel::Sender<i32>>(signal);
    });
    match esp::sidecar::run(settings, Box::pin(signals)) {
        Ok(_) => exit::OK,
        Err(error) => {
            eprintln!("demo: the sidecar cannot start: {error}");
            exit::os_error()
        }
    }
}
