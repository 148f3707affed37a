//! The command line: what is to be done, and each of ESP's variables as a flag,
//! which goes before the environment. Values are not checked here.

mod help;

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::settings::{Environment, Given, Lookup, Variable, variable};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Run the sidecar.
    Run,
    /// Say what it would do.
    Check {
        /// And send one datapoint.
        publish: bool,
        /// For a machine.
        json: bool,
    },
    /// Ask a running sidecar whether it is well.
    Health,
}

/// The order and the flags that were given, with the environment behind them.
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

    /// What is to be done.
    #[must_use]
    pub fn order(&self) -> Order {
        match self.matches.subcommand() {
            Some((CHECK, check)) => {
                Order::Check { publish: check.get_flag(PUBLISH), json: check.get_flag(JSON) }
            }
            Some((HEALTH, _)) => Order::Health,
            _ => Order::Run,
        }
    }

    /// A flag's value: `esp check --region X` before `esp --region X check`.
    fn flag(&self, flag: &str) -> Option<&OsString> {
        let of_check = self.matches.subcommand_matches(CHECK);
        of_check.and_then(|check| check.get_one(flag)).or_else(|| self.matches.get_one(flag))
    }
}

impl Lookup for CommandLine {
    fn get(&self, variable: &Variable) -> Option<Given> {
        variable
            .flag
            .and_then(|flag| {
                let text = self.flag(flag)?.to_string_lossy().into_owned();
                Some(Given { name: format!("--{flag}"), text })
            })
            .or_else(|| Environment.get(variable))
    }
}

const CHECK: &str = "check";
const PUBLISH: &str = "publish";
const JSON: &str = "json";
const HEALTH: &str = "health";

fn command() -> Command {
    let switch = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("esp")
        .version(env!("CARGO_PKG_VERSION"))
        .override_help(help::program())
        .args(flags())
        .subcommand(
            Command::new(CHECK)
                .override_help(help::check())
                .arg(switch(PUBLISH))
                .arg(switch(JSON))
                .args(flags()),
        )
        .subcommand(Command::new(HEALTH).override_help(help::health()))
        // `--help` does the same.
        .disable_help_subcommand(true)
}

/// One for each variable.
fn flags() -> impl Iterator<Item = Arg> {
    variable::OWN.into_iter().filter_map(|variable| {
        let flag = variable.flag?;
        let arg = Arg::new(flag).long(flag).value_name(variable.placeholder);
        Some(arg.value_parser(clap::value_parser!(OsString)))
    })
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
    fn the_order_is_a_subcommand_or_to_run() {
        for (arguments, order) in [
            (&[][..], Order::Run),
            (&["--region", "x"], Order::Run),
            (&["check"], Order::Check { publish: false, json: false }),
            (&["check", "--json", "--publish"], Order::Check { publish: true, json: true }),
            (&["health"], Order::Health),
        ] {
            assert_eq!(read(arguments).order(), order, "{arguments:?}");
        }
    }

    #[test]
    fn the_flags_of_the_sidecar_are_those_of_a_check() {
        for (arguments, region) in [
            (&["check", "--region", "a"][..], "a"),
            (&["--region", "b", "check"], "b"),
            (&["--region", "b", "check", "--region", "a"], "a"),
        ] {
            assert_eq!(read(arguments).get(&variable::REGION).unwrap().text, region);
        }
    }
}
