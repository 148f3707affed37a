//! The race as tables, what is to be reached, and the line of JSON.

use crate::{
    arguments::Arguments,
    assumptions::{AFTER, AWS_MEASURED_S, BEFORE, NOISE, NOISY, ONE_STEP, THRESHOLD},
    esp_defaults::{esp, esp_with},
    load::Step,
    race::{self, Course, ECS_20_STEP, ECS_20_TRACKING, ECS_60_TRACKING, Runner},
    source::Kind,
};

/// What the median and the 99th percentile of ESP may be above the ideal publisher's, seconds.
pub(crate) const ADDED_MOST_S: (f64, f64) = (1.2, 1.0);

/// A row: what it is called, its name in the line of JSON, who runs.
type Row = (&'static str, &'static str, Runner);

fn rows() -> Vec<Row> {
    vec![
        ("ideal: in CloudWatch the moment it exists", "ideal", Runner::Ideal { is_instant: true }),
        (
            "ideal, after CloudWatch's own delay",
            "ideal_delayed",
            Runner::Ideal { is_instant: false },
        ),
        ("ESP, endpoint of 1 s", "esp", esp(Kind::Endpoint)),
        ("ESP, kernel, with an endpoint of 10 s", "esp_kernel", esp(Kind::Kernel)),
        ("ESP, endpoint of 10 s", "esp_endpoint10", esp(Kind::Endpoint10)),
        ("ESP with PUBLISH=fixed, endpoint of 1 s", "esp_fixed", esp_with(Kind::Endpoint, None)),
        ("ESP with PUBLISH=fixed, kernel", "esp_kernel_fixed", esp_with(Kind::Kernel, None)),
        ("ECS at 20 s, your own step alarm", "ecs_20s_step", ECS_20_STEP),
        ("ECS at 20 s, target tracking", "ecs_20s", ECS_20_TRACKING),
        ("ECS at 1 minute, target tracking", "ecs_60s", ECS_60_TRACKING),
    ]
}

/// Races, and prints what came of it.
pub(crate) fn show(arguments: Arguments) {
    let rows = rows();
    let (before, after) = ONE_STEP;
    let one = Step { before: (before, before), after: (after, after), noise: (0.0, 0.0) };
    let drawn = Step { before: BEFORE, after: AFTER, noise: NOISE };
    println!(
        "Seconds from a load step to the alarm at {THRESHOLD:.0} %: one task, {} steps a table, \
         CloudWatch's delay {} to {} s.\n",
        arguments.runs, arguments.ingest_s.0, arguments.ingest_s.1
    );
    let steps = [
        (format!("From {before:.0} to {after:.0} %, no noise"), one),
        (
            format!(
                "From {:.0}-{:.0} to {:.0}-{:.0} %, single seconds scatter by {}-{} points",
                BEFORE.0, BEFORE.1, AFTER.0, AFTER.1, NOISY.0, NOISY.1
            ),
            Step { noise: NOISY, ..drawn },
        ),
        (
            format!(
                "From {:.0}-{:.0} to {:.0}-{:.0} %, single seconds scatter by {}-{} points",
                BEFORE.0, BEFORE.1, AFTER.0, AFTER.1, NOISE.0, NOISE.1
            ),
            drawn,
        ),
    ];
    let mut results = Vec::new();
    for (title, step) in steps {
        println!("{title}");
        results = table(arguments, step, &rows);
    }
    compare_with_aws(&rows, &results);
    compare_with_goals(&rows, &results);
    if arguments.is_json {
        json(arguments, &rows, &results);
    }
}

fn table(arguments: Arguments, step: Step, rows: &[Row]) -> Vec<race::Result> {
    let runners: Vec<_> = rows.iter().map(|row| row.2).collect();
    let Arguments { runs, seed, ingest_s, look_back, .. } = arguments;
    let results = race::run(Course { runs, seed, step, ingest_s, look_back }, &runners);
    println!("{:44}{:>28}{:>28}{:>14}", "", "sliding windows", "aligned windows", "requests/min");
    let columns = "least   p50   p99  never";
    println!("{:44}{columns:>28}{columns:>28}{:>14}", "", "before, after");
    for ((name, _, runner), result) in rows.iter().zip(&results) {
        print!("{name:44}");
        for latencies in [&result.sliding, &result.aligned] {
            let [least, half, most] = [0.0, 0.5, 0.99].map(|share| latencies.quantile(share));
            print!("   {least:6.1}{half:6.1}{most:6.1}{:7}", latencies.never());
        }
        if let Runner::Esp { .. } = runner {
            let [before, after] = result.requests_a_minute(runs);
            print!("   {before:5.1} {after:5.1}");
        }
        println!();
    }
    println!();
    results
}

fn of<'a>(name: &str, rows: &[Row], results: &'a [race::Result]) -> &'a race::Result {
    let place = rows.iter().position(|row| row.1 == name);
    &results[place.unwrap_or_default()]
}

fn compare_with_aws(rows: &[Row], results: &[race::Result]) {
    let (of_60, of_20) = AWS_MEASURED_S;
    for (name, words, measured) in
        [("ecs_60s", "one-minute", of_60), ("ecs_20s", "20-second", of_20)]
    {
        let half = of(name, rows, results).sliding.quantile(0.5);
        println!(
            "Target tracking on the {words} metrics: {half:.0} s at the median here; AWS measured \
             {measured:.0} s."
        );
    }
    println!(
        "We did not adjust the model to AWS's figures. AWS measured with a load that ramps up, or \
         that hardly exceeds\nthe target, and its times include how long ECS takes to make a metric. \
         AWS published neither.\n"
    );
}

fn compare_with_goals(rows: &[Row], results: &[race::Result]) {
    let quantiles = |name: &str| {
        let sliding = &of(name, rows, results).sliding;
        (sliding.quantile(0.5), sliding.quantile(0.99))
    };
    let (ideal_half, ideal_most) = quantiles("ideal");
    let verdict = |is_met| if is_met { "reached" } else { "MISSED" };
    println!("Goals, for sliding windows, in the last table:");
    for (name, words) in [("esp", "the endpoint of 1 s"), ("esp_kernel", "the kernel")] {
        let (half, most) = quantiles(name);
        let (half, most) = (half - ideal_half, most - ideal_most);
        let is_met = half <= ADDED_MOST_S.0 && most <= ADDED_MOST_S.1;
        println!(
            "  ESP with {words} adds at most {} s at the median and {} s at the 99th percentile to \
             the ideal: {half:+.2} s and {most:+.2} s: {}",
            ADDED_MOST_S.0,
            ADDED_MOST_S.1,
            verdict(is_met)
        );
    }
    let (esp, tracking) = (quantiles("esp").0, quantiles("ecs_20s").0);
    println!(
        "  Its median is at most a third of that of the 20-second metrics with target tracking: \
         {:.2} of it: {}",
        esp / tracking,
        verdict(3.0 * esp <= tracking)
    );
    let step = quantiles("ecs_20s_step");
    println!(
        "  Your own step alarm on the 20-second metrics, which needs no sidecar: {:.0} s at \
         the median,\n  {:.0} s at the 99th percentile: {:.1} times ESP's median, and half of what \
         target tracking takes.",
        step.0,
        step.1,
        step.0 / esp
    );
}

fn json(arguments: Arguments, rows: &[Row], results: &[race::Result]) {
    // JSON has no infinity.
    let number = |seconds: f64| {
        if seconds.is_finite() { format!("{seconds:.3}") } else { "null".to_owned() }
    };
    let mut fields = vec![
        format!("\"runs\":{}", arguments.runs),
        format!("\"seed\":{}", arguments.seed),
        format!("\"delay_min_s\":{}", arguments.ingest_s.0),
        format!("\"delay_max_s\":{}", arguments.ingest_s.1),
        format!("\"aws_measured_60s_s\":{}", AWS_MEASURED_S.0),
        format!("\"aws_measured_20s_s\":{}", AWS_MEASURED_S.1),
    ];
    for ((_, name, _), result) in rows.iter().zip(results) {
        for (window, latencies) in [("", &result.sliding), ("_aligned", &result.aligned)] {
            for (share, place) in [(0.5, "p50"), (0.99, "p99")] {
                let seconds = number(latencies.quantile(share));
                fields.push(format!("\"{name}{window}_{place}_s\":{seconds}"));
            }
            fields.push(format!("\"{name}{window}_never\":{}", latencies.never()));
        }
    }
    println!("\n{{{}}}", fields.join(","));
}
