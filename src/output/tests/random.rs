//! Whatever samples come in: each is written once, in documents within the rules.

#![allow(clippy::cast_possible_truncation, reason = "small random numbers")]

use std::collections::HashMap;

use esp_endpoints::random::Random;

use super::*;
use crate::sample::{metric::ALL, own_figures::Scope};

/// What must be the same before and after: whose it is, its window, its value.
type Key = (String, String, u64, u64);

#[test]
fn whatever_comes_in_goes_out_once_within_the_rules() {
    let sets = [
        "ClusterName,ServiceName",
        "ServiceName;TaskId;",
        "Stage=a\"b\\c;Stage=b,ClusterName;ServiceName",
    ];
    let names = ["web", "log_router", "~internal.x"];
    for seed in 1..30 {
        let mut random = Random::new(seed);
        let pick = |random: &mut Random, limit: usize| random.below(limit as u64) as usize;
        let (set, count) = (sets[pick(&mut random, 3)], 1 + pick(&mut random, 3));
        let resolution = if random.chance(30) { "1s" } else { "10s" };
        let more = [("OUTPUT", "emf"), ("EMF_RESOLUTION", resolution), ("NAMESPACE", "a b/c#1")];
        let mut bench = Bench::new(&more, set, &names[..count]);
        let mut expected: HashMap<Key, i64> = HashMap::new();
        for _ in 0..random.below(60) {
            bench.now_ms += random.below(1500);
            // Now and then more than one document can have.
            let (samples, metrics) = if random.chance(3) { (500, 1) } else { (30, ALL.len()) };
            for _ in 0..random.below(samples) {
                let metric = ALL[pick(&mut random, metrics)];
                let place = pick(&mut random, count + 1);
                let container = (place < count).then_some(place as u16);
                let exponent = random.below(60) as i32 - 30;
                let value = random.bits() as f64 * 10f64.powi(exponent);
                let value = if random.chance(20) { (value % 100.0).round() } else { value };
                let read_ms = bench.now_ms - random.below(3000);
                bench.push(metric, container, read_ms, value);
                for dimensions in bench.output.dimensions.sets(container) {
                    let window = if resolution == "1s" { 1 } else { 10_000 };
                    let key = (metric.name().to_owned(), format!("{dimensions:?}"));
                    let time = (read_ms - read_ms % window, value.to_bits());
                    *expected.entry((key.0, key.1, time.0, time.1)).or_default() += 1;
                }
            }
            bench.advance();
        }
        bench.finish();
        let taken = bench.output.figures().stdout_taken;
        for datum in bench.datums().into_iter().flatten() {
            assert_eq!(datum.namespace, "a b/c#1");
            for value in datum.values {
                let dimensions = format!("{:?}", datum.dimensions);
                let unix_ms = u64::try_from(datum.timestamp_ms).unwrap();
                let key = (datum.metric_name.clone(), dimensions, unix_ms, value.to_bits());
                *expected.get_mut(&key).unwrap_or_else(|| panic!("seed {seed}: {key:?}")) -= 1;
            }
        }
        let wrong = expected.iter().find(|(_, count)| **count != 0);
        assert_eq!(wrong, None, "seed {seed}");
        let figures = bench.output.figures();
        assert_eq!(
            (figures.stdout_written, figures.stdout_pending, figures.dropped(Scope::Stdout)),
            (taken, 0, 0)
        );
    }
}
