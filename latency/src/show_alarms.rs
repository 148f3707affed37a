//! Alarms compared, as tables.

use crate::{
    alarms::{Seen, Way, compare},
    arguments::Arguments,
    assumptions::{ESP_ALARM, ESP_IN_ALARM, IN_THRESHOLD, LEAST_TASKS, THRESHOLD},
    source::Kind,
    stats::Latencies,
};

/// Period in seconds, M, N.
type Of = (u64, usize, usize);

const OUT: [Of; 6] = [(10, 1, 1), (10, 1, 2), (10, 2, 3), (30, 1, 1), (30, 1, 2), (30, 2, 3)];
const IN: [Of; 11] = [
    (10, 1, 1),
    (10, 1, 2),
    (10, 2, 3),
    (10, 14, 15),
    (10, 27, 30),
    (30, 1, 1),
    (30, 1, 2),
    (30, 2, 3),
    (30, 5, 5),
    (30, 9, 10),
    (60, 4, 5),
];
const THRESHOLDS: [f64; 4] = [50.0, 60.0, 65.0, 70.0];

/// Steps of an alarm that scales in: it takes minutes, and hundredths of a second do not matter.
const IN_SHARE: u64 = 5;

/// Compares them, and prints a row for each.
pub(crate) fn show(arguments: Arguments) {
    for kind in [Kind::Endpoint, Kind::Endpoint10] {
        let source = match kind {
            Kind::Endpoint10 => "a sample each 10 s",
            _ => "a sample each second",
        };
        table(&format!("out, {source}"), Way::Out, kind, &OUT, arguments);
        table(&format!("in, {source}"), Way::In, kind, &IN, arguments);
    }
    thresholds(arguments);
}

fn table(title: &str, way: Way, kind: Kind, rows: &[Of], arguments: Arguments) {
    let alarms: Vec<_> = rows.iter().map(|of| way.alarm(*of)).collect();
    let (chosen, runs) = match way {
        Way::Out => (ESP_ALARM, arguments.runs),
        Way::In => (ESP_IN_ALARM, arguments.runs.div_ceil(IN_SHARE)),
    };
    let all = compare(way, kind, &alarms, runs, arguments);
    head(title);
    for (of, seen) in rows.iter().zip(&all) {
        let (period_s, m, n) = *of;
        let name = format!("{m} of {n} of {period_s} s");
        row(&if *of == chosen { format!("**{name}**") } else { name }, seen);
    }
    println!();
}

/// The chosen alarm at other thresholds.
fn thresholds(arguments: Arguments) {
    let alarms =
        THRESHOLDS.map(|threshold| crate::alarm::Alarm { threshold, ..Way::Out.alarm(ESP_ALARM) });
    let all = compare(Way::Out, Kind::Endpoint, &alarms, arguments.runs, arguments);
    let (period_s, m, n) = ESP_ALARM;
    head(&format!("out, {m} of {n} of {period_s} s, a sample each second, at"));
    for (threshold, seen) in THRESHOLDS.into_iter().zip(&all) {
        let name = format!("{threshold:.0} %");
        let is_chosen = threshold == THRESHOLD;
        row(&if is_chosen { format!("**{name}**") } else { name }, seen);
    }
    println!("\nOut at {THRESHOLD:.0} %, in below {IN_THRESHOLD:.0} %.");
}

fn head(title: &str) {
    println!(
        "| {title} | sliding: least | p50 | p99 | aligned: least | p50 | p99 | never, without the \
         look-back | false a day, one task: sliding, aligned | {LEAST_TASKS} tasks |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
}

fn row(name: &str, seen: &Seen) {
    let seconds = |latencies: &Latencies, share| {
        let seconds = latencies.quantile(share);
        if seconds.is_finite() { format!("{seconds:.1}") } else { "–".to_owned() }
    };
    let [sliding, aligned] = seen.latencies.each_ref().map(|it| {
        let [least, half, most] = [0.0, 0.5, 0.99].map(|share| seconds(it, share));
        format!("{least} | {half} | {most}")
    });
    let [one, few] = seen
        .false_a_day
        .map(|[of_sliding, of_aligned]| format!("{of_sliding:.1}, {of_aligned:.1}"));
    let missed = 100.0 * seen.missed();
    println!("| {name} | {sliding} | {aligned} | {missed:.1} % | {one} | {few} |");
}
