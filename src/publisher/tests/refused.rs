//! Requests that CloudWatch refuses as invalid, and the search for the bad sample.

use super::*;

#[test]
fn a_bad_datum_costs_only_itself() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    let bad = 1_795_514_400_000_000_000;
    let mut accepted = 0;
    for millisecond in (0..120_000).step_by(100) {
        bench.now_ms = millisecond;
        each_second(&mut bench);
        if millisecond == 20_500 {
            let mut sample = a_sample(bench.now().wall);
            sample.value = f64::from_bits(bad);
            bench.publisher.push(sample, bench.now());
        }
        if let Action::Send(batch) = bench.publisher.poll(bench.now()) {
            let is_bad = batch.iter().any(|sample| sample.value.to_bits() == bad);
            let outcome = if is_bad { Outcome::Invalid } else { Outcome::Accepted };
            accepted += if is_bad { 0 } else { batch.len() as u64 };
            bench.publisher.on_outcome(outcome, bench.now());
        }
    }
    let figures = bench.publisher.figures();
    assert_eq!((figures.dropped_refused, figures.published), (1, accepted));
    assert_eq!(figures.taken, accepted + 1 + bench.publisher.backlog() as u64);
    let events: Vec<_> = bench.publisher.events().collect();
    assert!(matches!(
        events[..],
        [PublisherEvent::SampleDropped { reason: "CloudWatch refused it", .. }]
    ));
}

#[test]
fn fresh_samples_do_not_wait_for_the_halves_of_a_refused_request() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    let bad = -1.0;
    let mut freshest = Vec::new();
    for millisecond in (0..60_000).step_by(100) {
        bench.now_ms = millisecond;
        if millisecond.is_multiple_of(200) {
            let mut sample = a_sample(bench.now().wall);
            sample.value = if millisecond == 20_600 { bad } else { 1.0 };
            bench.publisher.push(sample, bench.now());
        }
        if let Action::Send(batch) = bench.publisher.poll(bench.now()) {
            let at = bench.start_wall_ms + millisecond;
            let newest = batch.iter().map(|sample| sample.read.unix_ms()).max().unwrap();
            if at - newest < 1000 {
                freshest.push(at / 10_000 * 10);
            }
            bench.sent.push((at, batch.len()));
            let is_bad = batch.iter().any(|sample| sample.value.to_bits() == bad.to_bits());
            let outcome = if is_bad { Outcome::Invalid } else { Outcome::Accepted };
            bench.publisher.on_outcome(outcome, bench.now());
        }
    }
    // Fifty samples take longer to halve than the interval.
    assert_eq!(freshest, [10, 20, 30, 40, 50, 60]);
    assert!(bench.sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1000), "{:?}", bench.sent);
    let figures = bench.publisher.figures();
    assert_eq!(figures.dropped_refused, 1);
    assert!(Outcome::Invalid.requests(&figures) > 5, "{figures:?}");
    assert!(bench.publisher.backlog() < 50);
}

#[test]
fn at_the_end_the_last_samples_go_before_the_parts_of_a_refused_request() {
    let mut bench = Bench::new(10 * SECOND, 0);
    (0..8).for_each(|_| bench.sample());
    assert_eq!(bench.publisher.drain(bench.now()).unwrap().len(), 8);
    bench.publisher.on_outcome(Outcome::Invalid, bench.now());
    bench.now_ms += 1000;
    bench.sample();
    let last = bench.now().wall;
    let sizes: Vec<_> = std::iter::from_fn(|| {
        let next = bench.publisher.drain(bench.now())?;
        bench.publisher.on_outcome(Outcome::Accepted, bench.now());
        Some((next.len(), next[0].read == last))
    })
    .collect();
    assert_eq!(sizes, [(1, true), (4, false), (4, false)]);
}
