//! The weeks as a table: what adaptive publishing costs, and how near it comes to the ideal.

use esp::publisher::adaptive::Rule;

use crate::{
    arguments::Arguments,
    esp_defaults,
    show_race::ADDED_MOST_S,
    source::Kind,
    week::{PROFILES, Seen, Week, common, usd_a_month},
};

const DAYS: u64 = 7;

/// What the rule may cost, in requests of a fixed interval.
const COST_MOST: f64 = 1.15;

/// Plays each week with requests at a fixed interval and with the rule.
pub(crate) fn show(arguments: Arguments) {
    println!(
        "| load | bursts a day | deployments a day | busy seconds an hour | a job each minute, \
         points | wave over minutes, points | scatter of single seconds, points |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for profile in &PROFILES {
        println!("{}", profile.row());
    }
    println!("\n{}\n", common());
    println!(
        "| load | publishing | requests | USD a task-month | p50 | p99 | above the ideal | false \
         alarms a day |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    let mut missed = Vec::new();
    for profile in PROFILES {
        let week = Week::new(profile, DAYS, arguments.seed);
        let mut fixed_requests = 0;
        for (name, rule) in [("fixed", None), ("adaptive", Some(Rule::CHOSEN))] {
            let played = week.play(Kind::Endpoint, rule, arguments.seed, arguments.ingest_s);
            if rule.is_none() {
                fixed_requests = played.requests;
                row(profile.name, "ideal", None, &played.ideal, &played.ideal);
            }
            let cost = played.requests as f64 / fixed_requests as f64;
            let usd = usd_a_month(played.requests as f64 / (DAYS as f64 * 86_400.0));
            row("", name, Some((cost, usd)), &played.esp, &played.ideal);
            let [half, most] = added(&played.esp, &played.ideal);
            let is_within = !half.is_finite() || (half <= ADDED_MOST_S.0 && most <= ADDED_MOST_S.1);
            if rule.is_some() && !(is_within && cost <= COST_MOST) {
                missed.push(profile.name);
            }
        }
    }
    println!(
        "\nOne task for a week; the alarm is 1 of 2 periods of 10 s with sliding windows, evaluated \
         at ten moments.\nThe interval is {} s. Goal of adaptive publishing: at most {COST_MOST} times the \
         requests, and {} and {} s\nabove the ideal at the median and at the 99th percentile: {}.",
        esp_defaults::interval_s(),
        ADDED_MOST_S.0,
        ADDED_MOST_S.1,
        if missed.is_empty() { "reached".to_owned() } else { format!("MISSED with {missed:?}") }
    );
}

/// How much longer the median and the 99th percentile are than the ideal publisher's.
fn added(seen: &Seen, ideal: &Seen) -> [f64; 2] {
    [0.5, 0.99].map(|share| seen.latencies.quantile(share) - ideal.latencies.quantile(share))
}

fn row(load: &str, publishing: &str, cost: Option<(f64, f64)>, seen: &Seen, ideal: &Seen) {
    let seconds = |seconds: f64| {
        if seconds.is_finite() { format!("{seconds:.1}") } else { "–".to_owned() }
    };
    let [half, most] = [0.5, 0.99].map(|share| seconds(seen.latencies.quantile(share)));
    let [more_half, more_most] = added(seen, ideal);
    let above = if cost.is_none() || !more_half.is_finite() {
        "–".to_owned()
    } else {
        format!("{more_half:+.1}, {more_most:+.1}")
    };
    let (times, usd) = cost.map_or_else(
        || ("–".to_owned(), "–".to_owned()),
        |(times, usd)| (format!("{times:.3}"), format!("{usd:.2}")),
    );
    println!(
        "| {load} | {publishing} | {times} | {usd} | {half} | {most} | {above} | {:.1} |",
        seen.false_a_day
    );
}
