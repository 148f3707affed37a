//! The command line: each of ESP's variables as a flag, which goes before the
//! environment. Values are not checked here.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command};

use crate::settings::{Environment, Given, Lookup, Variable, variable};

/// The flags that were given, with the environment behind them.
#[derive(Debug)]
pub struct CommandLine {
    matches: ArgMatches,
}

impl CommandLine {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    ///
    /// [`clap::Error`] for a flag that does not exist; for `--help` and
    /// `--version` too, which it knows how to print.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Ok(Self { matches: command().try_get_matches_from(arguments)? })
    }
}

impl Lookup for CommandLine {
    fn get(&self, variable: &Variable) -> Option<Given> {
        variable
            .flag
            .and_then(|flag| {
                let text = self.matches.get_one::<OsString>(flag)?.to_string_lossy().into_owned();
                Some(Given { name: format!("--{flag}"), text })
            })
            .or_else(|| Environment.get(variable))
    }
}

fn command() -> Command {
    let arguments = variable::OWN.into_iter().filter_map(|variable| {
        let flag = variable.flag?;
        let default = variable.default.map(|text| format!(" Default: {text}.")).unwrap_or_default();
        let help = format!("{}{default} Variable: {}.", variable.help, variable.name);
        Some(
            Arg::new(flag)
                .long(flag)
                .value_name(variable.placeholder)
                .value_parser(clap::value_parser!(OsString))
                .help(help),
        )
    });
    Command::new("esp")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "ESP, the ECS Stats Plotter: reads the stats of a container of its ECS task each \
             second and publishes its CPUUtilization to CloudWatch as a high-resolution metric, \
             so that an alarm can scale the service within seconds.",
        )
        .after_help(
            "Each flag is also an environment variable; a flag goes before it, and an empty \
             value counts as not given. Besides, ECS_CONTAINER_METADATA_URI_V4 (set by ECS), the \
             variables of the AWS SDKs for credentials and endpoints, AWS_CA_BUNDLE, \
             SSL_CERT_FILE, HTTPS_PROXY and NO_PROXY are read.\n\n\
             Example, in a task definition:\n  \
             \"environment\": [{\"name\": \"CONTAINER_NAME\", \"value\": \"web\"},\n                   \
             {\"name\": \"NAMESPACE\", \"value\": \"Shop\"},\n                   \
             {\"name\": \"REGION\", \"value\": \"eu-west-1\"}]\n\n\
             Exit codes: 0 after SIGTERM or SIGINT, 128 and its number after a second one, 64 for a \
             configuration that cannot work, 71 where the system refuses a signal handler.",
        )
        .args(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> CommandLine {
        let arguments = ["esp"].iter().chain(arguments).map(OsString::from);
        CommandLine::read(arguments).unwrap()
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_flag_is_named_as_it_was_given() {
        let line = read(&["--container-name", "web", "--namespace="]);
        let given = Given { name: "--container-name".into(), text: "web".into() };
        assert_eq!(line.get(&variable::CONTAINER_NAME), Some(given));
        assert_eq!(line.get(&variable::NAMESPACE).unwrap().text, "");
    }

    #[test]
    fn help_has_every_variable() {
        let help = command().render_long_help().to_string();
        for variable in variable::OWN {
            assert!(help.contains(&format!("Variable: {}.", variable.name)), "{}", variable.name);
        }
    }
}
