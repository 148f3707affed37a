//! A service of many tasks as a table.

use esp::publisher::adaptive::Rule;

use crate::{
    arguments::Arguments, assumptions::ACCOUNT_REQUESTS_PER_S, fleet::Fleet, race::Offset,
    source::Kind, stats::Latencies,
};

const CALM: f64 = 30.0;
const HOT: f64 = 100.0;

/// Looks at services of several sizes, some of whose tasks turn hot at one moment.
pub(crate) fn show(arguments: Arguments) {
    println!(
        "| tasks | hot | true average | spread | publishing | above the truth at most | distance | fires | p50 | p99 | requests in a second, most |"
    );
    println!("|--:|--:|--:|---|---|--:|--:|--:|--:|--:|--:|");
    for (tasks, hot) in [(3, 1), (10, 1), (10, 3), (100, 1), (10, 10), (100, 100), (1000, 1000)] {
        for (spread, offset) in [("2 s", Offset::Within(2.0)), ("10 s", Offset::Within(10.0))] {
            for (name, rule) in [("fixed", None), ("adaptive", Some(Rule::CHOSEN))] {
                let fleet = Fleet {
                    tasks,
                    hot,
                    calm: CALM,
                    heat: HOT,
                    kind: Kind::Endpoint,
                    offset,
                    rule,
                    interval_s: 10.0,
                };
                let repeats = (300 / tasks).clamp(2, 40);
                let (mut above, mut distance, mut fires, mut most) = (0.0_f64, 0.0, 0.0, 0);
                let mut latency = Latencies::default();
                for repeat in 0..repeats {
                    let seen = fleet.look(arguments.seed + repeat, arguments.ingest_s);
                    above = above.max(seen.above_most);
                    distance += seen.distance / repeats as f64;
                    fires += seen.fires / repeats as f64;
                    most = most.max(seen.requests_most);
                    latency.extend(seen.latency);
                }
                latency.sort();
                let seconds = |share| {
                    let seconds: f64 = latency.quantile(share);
                    if seconds.is_finite() { format!("{seconds:.1}") } else { "–".to_owned() }
                };
                let truth = (CALM * (tasks - hot) as f64 + HOT * hot as f64) / tasks as f64;
                println!(
                    "| {tasks} | {hot} | {truth:.0} % | {spread} | {name} | {above:.0} | {distance:.1} | {:.0} % | {} | {} | {most} |",
                    100.0 * fires,
                    seconds(0.5),
                    seconds(0.99)
                );
            }
        }
    }
    println!("\nAn account may ask {ACCOUNT_REQUESTS_PER_S} times a second in a Region.");
}
