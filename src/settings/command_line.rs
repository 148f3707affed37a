//! The command line: what is to be done, and each of ESP's variables as a flag,
//! which overrides the environment. Values are not checked here.

mod help;

use std::ffi::OsString;

use lexopt::{
    Arg::{Long, Short, Value},
    Error, Parser,
};

use crate::settings::{Environment, Given, Lookup, Variable, variable, version};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Run the sidecar.
    Run,
    /// Say what it would do.
    Check {
        /// And send one datapoint.
        publish: bool,
        /// The configuration alone.
        offline: bool,
        /// For a machine.
        json: bool,
        /// Probe the kernel.
        source: bool,
    },
    /// Ask a running sidecar whether it is well.
    Health,
    /// Show the containers of the task, live.
    Top,
    /// Print this: a help, or the version.
    Print(String),
}

/// The order and the flags that were given, with the environment behind them.
#[derive(Debug)]
pub struct CommandLine {
    order: Order,
    /// Names and values, in the order given.
    flags: Vec<(&'static str, OsString)>,
}

impl CommandLine {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    ///
    /// [`Error`] for a flag or a word that does not exist, a flag without its
    /// value or given twice, or two flags that contradict each other.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut parser = Parser::from_iter(arguments);
        let mut line = Self { order: Order::Run, flags: Vec::new() };
        // Flags after the subcommand are its own, and go before the others.
        let mut of_subcommand = 0;
        while let Some(argument) = parser.next()? {
            match (argument, &mut line.order) {
                (Long("help") | Short('h'), order) => {
                    *order = Order::Print(help(order));
                    return Ok(line);
                }
                (Long("version") | Short('V'), Order::Run) => {
                    line.order = Order::Print(format!("{}\n", version::line()));
                    return Ok(line);
                }
                (Long("publish"), Order::Check { publish, .. }) => *publish = true,
                (Long("offline"), Order::Check { offline, .. }) => *offline = true,
                (Long("json"), Order::Check { json, .. }) => *json = true,
                (Long(name), order @ (Order::Run | Order::Check { .. } | Order::Top))
                    if let Some(flag) = known(name).filter(|flag| is_of(order, flag)) =>
                {
                    if let Order::Check { source, .. } = order
                        && variable::SOURCE.flag == Some(flag)
                        && !has_value(&mut parser)
                    {
                        *source = true;
                        continue;
                    }
                    if line.flags[of_subcommand..].iter().any(|(other, _)| *other == flag) {
                        return Err(format!("--{flag} is given twice").into());
                    }
                    line.flags.push((flag, parser.value()?));
                }
                (Value(word), order @ Order::Run) if word == CHECK => {
                    *order =
                        Order::Check { publish: false, offline: false, json: false, source: false };
                    of_subcommand = line.flags.len();
                }
                (Value(word), order @ Order::Run) if word == HEALTH => *order = Order::Health,
                (Value(word), order @ Order::Run) if word == TOP => {
                    *order = Order::Top;
                    of_subcommand = line.flags.len();
                }
                (other, _) => return Err(other.unexpected()),
            }
        }
        if let Order::Check { publish: true, offline: true, .. } = line.order {
            let problem = "--publish opens connections and --offline opens none: give only one";
            return Err(problem.into());
        }
        if let Order::Check { publish, offline, source: true, .. } = line.order
            && (publish || offline)
        {
            let problem = "--source makes another report: give it without --publish and --offline";
            return Err(problem.into());
        }
        Ok(line)
    }

    /// What is to be done.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }
}

impl Lookup for CommandLine {
    fn get(&self, variable: &Variable) -> Option<Given> {
        variable
            .flag
            .and_then(|flag| {
                let (_, text) = self.flags.iter().rev().find(|(name, _)| *name == flag)?;
                Some(Given { name: format!("--{flag}"), text: text.to_string_lossy().into_owned() })
            })
            .or_else(|| Environment.get(variable))
    }
}

const CHECK: &str = "check";
const HEALTH: &str = "health";
const TOP: &str = "top";

/// Whether the flag that was just read has a value: `--source` of a check is the probe
/// without one, and the variable `SOURCE` with one.
fn has_value(parser: &mut Parser) -> bool {
    let Some(rest) = parser.try_raw_args() else { return true };
    rest.peek().is_some_and(|next| !next.as_encoded_bytes().starts_with(b"-"))
}

/// The flag of this name, if it is one of a variable's.
fn known(name: &str) -> Option<&'static str> {
    variable::OWN.into_iter().filter_map(|variable| variable.flag).find(|flag| *flag == name)
}

/// Whether the flag means something for this order.
fn is_of(order: &Order, flag: &str) -> bool {
    *order != Order::Top || variable::SOURCE.flag == Some(flag)
}

fn help(order: &Order) -> String {
    match order {
        Order::Check { .. } => help::check(),
        Order::Health => help::health(),
        Order::Top => help::top(),
        Order::Run | Order::Print(_) => help::program(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> CommandLine {
        let arguments = ["esp"].iter().chain(arguments).map(OsString::from);
        CommandLine::read(arguments).unwrap()
    }

    /// A check with these of its flags.
    fn check(flags: &[&str]) -> Order {
        let has = |flag| flags.contains(&flag);
        Order::Check {
            publish: has("publish"),
            offline: has("offline"),
            json: has("json"),
            source: has("source"),
        }
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
            (&["check"], check(&[])),
            (&["check", "--json", "--publish"], check(&["publish", "json"])),
            (&["check", "--offline"], check(&["offline"])),
            (&["check", "--source"], check(&["source"])),
            (&["check", "--source", "--json"], check(&["json", "source"])),
            (&["check", "--source", "auto"], check(&[])),
            (&["check", "--source=auto", "--source"], check(&["source"])),
            (&["health"], Order::Health),
            (&["top"], Order::Top),
            (&["--region", "x", "top", "--source", "endpoint"], Order::Top),
        ] {
            assert_eq!(read(arguments).order(), &order, "{arguments:?}");
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

    #[test]
    fn help_and_version_are_printed_whatever_else_is_there() {
        for (arguments, begin) in [
            (&["--help"][..], "ESP, the ECS Stats Plotter"),
            (&["--region", "x", "-h", "--nope"], "ESP, the ECS Stats Plotter"),
            (&["--version"], "esp "),
            (&["-V"], "esp "),
        ] {
            let order = read(arguments).order;
            assert!(matches!(&order, Order::Print(text) if text.starts_with(begin)), "{order:?}");
        }
        let of = |arguments: &[&str]| read(arguments).order;
        assert_ne!(of(&["check", "--help"]), of(&["--help"]));
        assert_ne!(of(&["health", "--help"]), of(&["check", "--help"]));
        assert_ne!(of(&["top", "--help"]), of(&["--help"]));
    }

    #[test]
    fn what_does_not_exist_is_named() {
        for (arguments, error) in [
            (&["--nope"][..], "invalid option '--nope'"),
            (&["-x"], "invalid option '-x'"),
            (&["run"], "unexpected argument \"run\""),
            (&["check", "health"], "unexpected argument \"health\""),
            (&["--publish"], "invalid option '--publish'"),
            (&["--offline"], "invalid option '--offline'"),
            (
                &["check", "--offline", "--publish"],
                "--publish opens connections and --offline opens none: give only one",
            ),
            (
                &["check", "--offline", "--source"],
                "--source makes another report: give it without --publish and --offline",
            ),
            (&["--source"], "missing argument for option '--source'"),
            (&["health", "--region", "x"], "invalid option '--region'"),
            (&["top", "--region", "x"], "invalid option '--region'"),
            (&["top", "check"], "unexpected argument \"check\""),
            (&["top", "--source"], "missing argument for option '--source'"),
            (&["--region"], "missing argument for option '--region'"),
            (&["--region", "x", "--region=y"], "--region is given twice"),
            (&["check", "--json=yes"], "unexpected argument for option '--json': \"yes\""),
        ] {
            let arguments = ["esp"].iter().chain(arguments).map(OsString::from);
            let said = CommandLine::read(arguments).unwrap_err().to_string();
            assert_eq!(said, error);
        }
    }
}
