//! The weeks as a table: what adaptive publishing costs, and how near it comes to the ideal.

use esp::publisher::adaptive::Rule;

use crate::{
    arguments::Arguments,
    esp_defaults,
    source::Kind,
    week::{PROFILES, Week, usd_a_month},
};

const DAYS: u64 = 7;

/// Plays each week with requests at a fixed interval and with the rule.
pub(crate) fn show(arguments: Arguments) {
    println!(
        "A week of one task, its load made from seed {}: requests, and seconds from a burst of the \
         week to the alarm.\n",
        arguments.seed
    );
    println!(
        "| load | publishing | requests | times the fixed | USD a task-month | p50 | p99 | ideal p50 | ideal p99 | no alarm |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for profile in PROFILES {
        let week = Week::new(profile, DAYS, arguments.seed);
        let mut fixed_requests = 0;
        for (name, rule) in [("fixed", None), ("adaptive", Some(Rule::CHOSEN))] {
            let played = week.play(Kind::Endpoint, rule, arguments.seed, arguments.ingest_s);
            if rule.is_none() {
                fixed_requests = played.requests;
            }
            let per_s = played.requests as f64 / (DAYS as f64 * 86_400.0);
            let seconds = |seconds: f64| {
                if seconds.is_finite() { format!("{seconds:.1}") } else { "–".to_owned() }
            };
            let [p50, p99] = [0.5, 0.99].map(|share| seconds(played.esp.quantile(share)));
            let [ideal50, ideal99] = [0.5, 0.99].map(|share| seconds(played.ideal.quantile(share)));
            println!(
                "| {} | {name} | {} | {:.3} | {:.2} | {p50} | {p99} | {ideal50} | {ideal99} | {} |",
                profile.name,
                played.requests,
                played.requests as f64 / fixed_requests as f64,
                usd_a_month(per_s),
                played.esp.never(),
            );
        }
    }
    println!(
        "\nThe alarm: 1 of 2 periods of 10 s, sliding windows, evaluated at ten phases for each \
         burst. The interval: {} s.",
        esp_defaults::interval_s()
    );
}
