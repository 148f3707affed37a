//! When requests go out, swept: the interval, the offset, how far the tasks are spread, and a
//! request just before an evaluation, which nobody outside CloudWatch can time: as the task's
//! only one of the interval, or as one more.

use esp::publisher::adaptive::Rule;

use crate::{
    arguments::Arguments,
    assumptions::{AFTER, BEFORE, NOISE},
    load::Step,
    race::{self, Course, Offset, Runner},
    source::Kind,
    week::usd_a_month,
};

/// Races one task with each schedule, and prints a row for each.
pub(crate) fn show(arguments: Arguments) {
    let esp =
        |interval_s, offset, rule| Runner::Esp { kind: Kind::Endpoint, interval_s, offset, rule };
    let mut rows = Vec::new();
    for interval_s in [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0] {
        rows.push((
            format!("each {interval_s} s, anywhere"),
            esp(interval_s, Offset::Within(interval_s), None),
        ));
    }
    for offset_s in [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] {
        rows.push((
            format!("each 10 s, {offset_s} s after its multiples"),
            esp(10.0, Offset::At(offset_s), None),
        ));
    }
    rows.push((
        "each 10 s, within 2 s after its multiples".to_owned(),
        esp(10.0, Offset::Within(2.0), None),
    ));
    for by_s in [1.0, 2.0, 3.0] {
        let offset = Offset::BeforeEvaluation(by_s);
        rows.push((
            format!("each 10 s, its only request {by_s} s before an evaluation"),
            esp(10.0, offset, None),
        ));
    }
    for by_s in [1.0, 2.0, 3.0] {
        rows.push((
            format!("each 10 s, anywhere, and one more {by_s} s before an evaluation"),
            esp(10.0, Offset::AndBeforeEvaluation(by_s), None),
        ));
    }
    let adaptive = Some(Rule::CHOSEN);
    for interval_s in [5.0, 10.0, 20.0, 30.0, 60.0] {
        let offset = Offset::Within(interval_s);
        rows.push((
            format!("adaptive, each {interval_s} s, anywhere"),
            esp(interval_s, offset, adaptive),
        ));
    }
    rows.push((
        "adaptive, each 10 s, within 2 s after its multiples".to_owned(),
        esp(10.0, Offset::Within(2.0), adaptive),
    ));
    rows.push(("ideal".to_owned(), Runner::Ideal { is_instant: true }));

    let step = Step { before: BEFORE, after: AFTER, noise: NOISE };
    let Arguments { runs, seed, ingest_s, look_back, .. } = arguments;
    let runners: Vec<_> = rows.iter().map(|row| row.1).collect();
    let results = race::run(Course { runs, seed, step, ingest_s, look_back }, &runners);
    println!("| requests | sliding: p50 | p99 | aligned: p50 | p99 | USD a task-month |");
    println!("|---|--:|--:|--:|--:|--:|");
    for ((name, runner), result) in rows.iter().zip(&results) {
        let [sliding, aligned] = [&result.sliding, &result.aligned]
            .map(|it| format!("{:.1} | {:.1}", it.quantile(0.5), it.quantile(0.99)));
        let price = match runner {
            Runner::Esp { .. } => {
                format!("{:.2}", usd_a_month(result.requests_a_minute(runs)[0] / 60.0))
            }
            _ => "–".to_owned(),
        };
        println!("| {name} | {sliding} | {aligned} | {price} |");
    }
}
