//! Requests before their time: beside the schedule, after failures, and in the books.

use super::*;

/// A publisher by the rule, a sample of this value each second.
fn adaptive(interval: Duration) -> Bench {
    let mut bench = Bench::new(interval, 0);
    bench.publisher.set_rule(Some(Rule::CHOSEN));
    bench
}

fn run(bench: &mut Bench, seconds: u32, value: impl Fn(u64) -> f64) {
    bench.run(seconds * SECOND, |bench| {
        if bench.now_ms % 1000 == 400 {
            let now = bench.now();
            let sample = Sample { value: value(bench.now_ms / 1000), ..a_sample(now.wall) };
            bench.publisher.push(sample, now);
        }
    });
}

/// When requests went out from `from_ms` on.
fn sent_from(bench: &Bench, from_ms: u64) -> Vec<u64> {
    bench.sent.iter().map(|(at, _)| *at).filter(|at| *at >= from_ms).collect()
}

#[test]
fn a_step_is_sent_at_once_and_the_schedule_goes_on() {
    let mut bench = adaptive(10 * SECOND);
    run(&mut bench, 200, |second| if second < 143 { 20.0 } else { 90.0 });
    let before: Vec<_> = (1..=14).map(|slot| slot * 10_000).collect();
    assert_eq!(sent_from(&bench, 0)[..14], before);
    let after = sent_from(&bench, 141_000);
    assert_eq!(after[0], 143_400, "with the first sample that shows it");
    // Nothing waits at the slots in between.
    assert_eq!(after[after.len() - 3..], [170_000, 180_000, 190_000], "{after:?}");
    assert!((9..=14).contains(&after.len()), "{after:?}");
    assert!(after.windows(2).all(|pair| pair[1] - pair[0] >= 1000), "{after:?}");
    assert!(bench.sends.values().all(|times| *times == 1), "each sample once");
}

#[test]
fn without_the_rule_and_with_rare_samples_nothing_is_extra() {
    let step = |second| if second < 143 { 20.0 } else { 90.0 };
    let mut bench = Bench::new(10 * SECOND, 0);
    run(&mut bench, 200, step);
    assert_eq!(bench.sent.len(), 19);
    let mut bench = adaptive(10 * SECOND);
    bench.publisher.set_cadence(Some(10 * SECOND));
    run(&mut bench, 1000, step);
    assert!(bench.sent.len() <= 101, "one an interval: {}", bench.sent.len());
    // Requests that go as often anyway.
    let mut bench = adaptive(2 * SECOND);
    run(&mut bench, 200, step);
    assert_eq!(bench.sent.len(), 99);
}

#[test]
fn a_failure_has_its_pause_whatever_the_values_do() {
    for outcome in [Outcome::Denied, Outcome::Throttled, Outcome::NoAnswer, Outcome::Unreachable] {
        let wild = |second: u64| if second.is_multiple_of(140) { 95.0 } else { 20.0 };
        let sent = |rule| {
            let mut bench = Bench::new(10 * SECOND, 0);
            bench.publisher.set_rule(rule);
            run(&mut bench, 130, |_| 20.0);
            bench.outcome = outcome;
            run(&mut bench, 600, wild);
            sent_from(&bench, 130_000)
        };
        assert_eq!(sent(Some(Rule::CHOSEN)), sent(None), "{outcome:?}");
    }
}

#[test]
fn no_load_and_no_outcome_sends_twice_in_a_second_or_more_than_the_bucket_has() {
    let mut dice = fastrand::Rng::with_seed(17);
    for _ in 0..20 {
        let mut bench = adaptive(10 * SECOND);
        let hours = 3;
        for _ in 0..hours * 60 {
            let (low, high) = (100.0 * dice.f64(), 100.0 * dice.f64());
            let turns = dice.u64(1..60);
            bench.outcome = if dice.u8(..20) == 0 { Outcome::Throttled } else { Outcome::Accepted };
            bench.takes_ms = dice.u64(0..5) * 100;
            run(&mut bench, 60, |second| if second % 60 < turns { low } else { high });
        }
        let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 900));
        let failures = bench.publisher.figures().requests_throttled;
        let most = hours * 360 * 115 / 100 + 12 + 40 * failures;
        assert!(bench.sent.len() as u64 <= most, "{} of {most}", bench.sent.len());
        let figures = bench.publisher.figures();
        assert_eq!(figures.taken, figures.published + bench.publisher.backlog() as u64);
    }
}
