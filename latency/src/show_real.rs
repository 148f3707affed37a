//! The real run's tables, with what the model predicts beside it.

use std::process::ExitCode;

use crate::{
    localstack::{self, ALARMS, LOAD},
    real::{self, Measured},
    stats::Latencies,
};

const USAGE: &str =
    "usage: esp-latency real URL ESP [STEPS]\n\n`.ci/real` starts LocalStack at URL, and runs it";

/// Runs of the model for one step, and for any step.
const RUNS: (u64, u64) = (300, 2000);
const SEED: u64 = 1;

/// `URL ESP [STEPS]`: where `LocalStack` is, which program is `esp`, and how often to step.
pub(crate) fn show(words: &[String]) -> ExitCode {
    let (url, esp, steps) = match words {
        [url, esp] => (url, esp, Some(10)),
        [url, esp, steps] => (url, esp, steps.parse().ok().filter(|it| (1..=100).contains(it))),
        _ => return usage(),
    };
    let Some(steps) = steps else { return usage() };
    match real::run(url, esp, steps) {
        Ok(measured) => {
            each(&measured);
            sum_up(&measured);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(69)
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(64)
}

/// Each step with its own prediction.
fn each(measured: &[Measured]) {
    print!("| step | load, % |");
    for (period_s, breaches, periods) in ALARMS {
        print!(" {breaches} of {periods} periods of {period_s} s: evaluated after |");
        print!(" ALARM predicted | measured |");
    }
    println!("\n|--:|--:|{}", "--:|--:|--:|".repeat(ALARMS.len()));
    for (number, step) in (1..).zip(measured) {
        print!("| {number} | {:.0} → {:.0} |", step.load[0], step.load[1]);
        let predicted = localstack::predict(Some(step.known), RUNS.0, SEED);
        for (index, predicted) in predicted.iter().enumerate() {
            let after = step.known.to_evaluation_s[index];
            let came = step.seconds[index].map_or("never".to_owned(), |s| format!("{s:.1}"));
            print!(" {after:.1} | {} | {came} |", likely(predicted));
        }
        println!();
    }
    println!();
}

/// Each value of the model's runs, and in what part of them it came: `7.4 (80 %), 17.4 (20 %)`.
fn likely(predicted: &Latencies) -> String {
    let mut values = predicted.distinct(0.05);
    let runs = values.iter().map(|(_, count)| count).sum::<usize>() + predicted.never();
    // What rounds to 0 % is no prediction.
    values.retain(|(_, count)| 200 * count >= runs);
    let part = |(value, count): &(f64, usize)| {
        let share = 100.0 * *count as f64 / runs as f64;
        if share > 99.5 { format!("{value:.1}") } else { format!("{value:.1} ({share:.0} %)") }
    };
    values.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn sum_up(measured: &[Measured]) {
    let any = localstack::predict(None, RUNS.1, SEED);
    println!("| from {:.0} to {:.0} %, seconds to ALARM | least | median | most |", LOAD.0, LOAD.1);
    println!("|---|--:|--:|--:|");
    for (index, (period_s, breaches, periods)) in ALARMS.into_iter().enumerate() {
        let mut of = Latencies::default();
        for step in measured {
            of.add(step.seconds[index]);
        }
        of.sort();
        let alarm = format!("{breaches} of {periods} periods of {period_s} s");
        for (who, latencies) in [
            (format!("measured, {} steps", measured.len()), &of),
            (format!("the model with LocalStack's rules, {} steps", RUNS.1), &any[index]),
        ] {
            let [least, half, most] = [0.0, 0.5, 1.0].map(|share| latencies.quantile(share));
            println!("| {alarm}: {who} | {least:.1} | {half:.1} | {most:.1} |");
        }
    }
}
