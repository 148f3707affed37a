//! The command line.

use crate::assumptions::{INGEST_S, LOOK_BACK_PERIODS};

pub(crate) const USAGE: &str = "\
usage: esp-latency [COMMAND] [--runs N] [--seed N] [--delay MIN-MAX] [--json]

commands:
  race      show how soon each publisher's alarm sees the same load steps (the default)
  picture   draw the race as docs/latency-light.svg and docs/latency-dark.svg
  sweep     compare offsets, alignments and intervals of requests
  week      show what adaptive publishing costs over a week, and how much faster it is
  alarms    compare alarms that scale out and in
  policies  compare the steps and cooldowns of scaling policies
  hot       compare second alarms that find one hot task
  fleet     show the average and the requests a second of a service of many tasks
  real      run the real program with LocalStack, without a model; `.ci/real` runs this

options:
  --runs N         number of load steps in each row of a table (10,000)
  --seed N         seed of the random numbers (1)
  --delay MIN-MAX  seconds from when CloudWatch accepts a datum until an evaluation sees it
  --look-back N    number of periods before the last N that an evaluation also reads (2)
  --json           with race: print one line of JSON at the end";

/// What is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Race,
    Picture,
    Sweep,
    Week,
    Alarms,
    Policies,
    Hot,
    Fleet,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) runs: u64,
    pub(crate) seed: u64,
    pub(crate) ingest_s: (f64, f64),
    pub(crate) look_back: usize,
    pub(crate) is_json: bool,
}

impl Arguments {
    /// What `words` say, or what is wrong with them.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            command: Command::Race,
            runs: 10_000,
            seed: 1,
            ingest_s: INGEST_S,
            look_back: LOOK_BACK_PERIODS,
            is_json: false,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "race" => arguments.command = Command::Race,
                "picture" => arguments.command = Command::Picture,
                "sweep" => arguments.command = Command::Sweep,
                "week" => arguments.command = Command::Week,
                "alarms" => arguments.command = Command::Alarms,
                "policies" => arguments.command = Command::Policies,
                "hot" => arguments.command = Command::Hot,
                "fleet" => arguments.command = Command::Fleet,
                "--runs" => arguments.runs = number(&value()?)?.max(1),
                "--seed" => arguments.seed = number(&value()?)?,
                "--delay" => arguments.ingest_s = delay(&value()?)?,
                "--look-back" => arguments.look_back = number(&value()?)?.min(10) as usize,
                "--json" => arguments.is_json = true,
                _ => return Err(format!("{word:?} is not known")),
            }
        }
        Ok(arguments)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.replace(['_', ','], "").parse().map_err(|_| format!("{text:?} is not a number"))
}

fn delay(text: &str) -> Result<(f64, f64), String> {
    let parts = text.split_once('-').unwrap_or((text, text));
    match (parts.0.parse(), parts.1.parse()) {
        (Ok(least), Ok(most))
            if (0.0..=600.0).contains(&least) && (least..=600.0).contains(&most) =>
        {
            Ok((least, most))
        }
        _ => Err(format!("{text:?} is not a delay in seconds, such as 0.3-1.5")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments, String> {
        Arguments::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_are_read_in_any_order_and_wrong_ones_are_named() {
        let all = parse("--json sweep --runs 1,000 --delay 0.5-2 --seed 7").unwrap();
        assert_eq!((all.command, all.runs, all.seed, all.is_json), (Command::Sweep, 1000, 7, true));
        assert_eq!(all.ingest_s, (0.5, 2.0));
        assert_eq!(parse("").unwrap().command, Command::Race);
        for wrong in ["--runs", "--runs x", "--delay 2-1", "--delay -1", "rice"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
