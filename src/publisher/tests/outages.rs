//! Requests that fail for a while, and what follows once they succeed again.

use super::*;

#[test]
fn what_failed_is_tried_again_with_random_waits_that_grow() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::ServerError;
    bench.run(300 * SECOND, each_second);
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.iter().all(|wait| (1_000..=30_100).contains(wait)), "{waits:?}");
    assert!((15..60).contains(&waits.len()), "{waits:?}");
    bench.outcome = Outcome::Accepted;
    bench.run(60 * SECOND, each_second);
    assert_eq!(bench.publisher.figures().published + bench.publisher.backlog() as u64, 360);
    assert_eq!(bench.publisher.figures().dropped(Scope::Cloudwatch), 0);
    assert!(bench.publisher.backlog() <= 10);
}

#[test]
fn a_late_request_and_the_next_slot_are_a_second_apart_all_the_same() {
    for (interval_ms, outage_s) in
        (5..30).flat_map(|outage_s| [(1000, outage_s), (10_000, outage_s)])
    {
        let mut bench = Bench::new(Duration::from_millis(interval_ms), 0);
        bench.outcome = Outcome::Throttled;
        bench.run(outage_s * SECOND, each_second);
        bench.outcome = Outcome::Accepted;
        bench.run(150 * SECOND, each_second);
        let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 900), "{at:?}");
        // The slots are found again, and none is lost.
        let later: Vec<_> = at.into_iter().skip_while(|at| *at < 100_000).collect();
        let slots: Vec<_> = (0..later.len() as u64).map(|n| 100_000 + n * interval_ms).collect();
        assert_eq!(later, slots, "after {outage_s} s");
        assert!(bench.publisher.backlog() < 11);
    }
}

#[test]
fn a_refused_permission_is_tried_each_minute() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::Denied;
    bench.run(190 * SECOND, each_second);
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [10_000, 70_000, 130_000, 190_000]);
}

#[test]
fn after_an_outage_the_freshest_go_first_at_a_request_a_second() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.publisher.set_samples_per_request(100);
    bench.outcome = Outcome::Unreachable;
    bench.run(600 * SECOND, each_second);
    bench.outcome = Outcome::Accepted;
    bench.sent.clear();
    let newest = bench.now().wall;
    let mut first = None;
    while bench.publisher.backlog() > 20 {
        each_second(&mut bench);
        if let Action::Send(batch) = bench.publisher.poll(bench.now()) {
            first.get_or_insert(batch[batch.len() - 1].read);
            bench.sent.push((bench.now_ms, batch.len()));
            bench.publisher.on_outcome(Outcome::Accepted, bench.now());
        }
        bench.now_ms += 100;
    }
    assert!(first.unwrap() >= newest, "the newest is in the first request");
    let at: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 1000), "{at:?}");
    assert!(at.last().unwrap() - at[0] < 12_000, "{at:?}");
    assert!(bench.sent[..5].iter().all(|(_, count)| *count == 100), "{:?}", bench.sent);
}

#[test]
fn what_came_meanwhile_is_fresher_than_what_failed() {
    for outcome in OUTCOMES.into_iter().filter(|outcome| *outcome != Outcome::Accepted) {
        let mut bench = Bench::new(10 * SECOND, 0);
        bench.publisher.set_samples_per_request(3);
        (0..3).for_each(|_| bench.sample());
        assert!(bench.publisher.drain(bench.now()).is_some());
        bench.now_ms += 5000;
        (0..3).for_each(|_| bench.sample());
        let newest = bench.now().wall;
        bench.publisher.on_outcome(outcome, bench.now());
        let next = bench.publisher.drain(bench.now()).unwrap();
        let is_fresh = next.iter().all(|sample| sample.read == newest);
        assert!(is_fresh, "{outcome:?}: {next:?}");
    }
}

#[test]
fn the_very_first_wait_after_a_failure_is_random_already() {
    let mut waits: Vec<_> = (0..50)
        .map(|seed| {
            let mut bench = Bench::new(10 * SECOND, 9_000);
            bench.publisher = Publisher::new(10 * SECOND, CAPACITY, seed * 7919);
            bench.outcome = Outcome::Throttled;
            bench.run(13 * SECOND, each_second);
            bench.sent[1].0 - bench.sent[0].0
        })
        .collect();
    assert!(waits.iter().all(|wait| (1_000..=2_100).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() >= 5, "{waits:?}");
}

#[test]
fn a_long_outage_drops_the_oldest_and_says_so_twice() {
    let mut bench = Bench::new(10 * SECOND, 0);
    bench.outcome = Outcome::Unreachable;
    bench.run(4000 * SECOND, each_second);
    assert_eq!(bench.publisher.backlog(), CAPACITY);
    assert_eq!(bench.publisher.figures().dropped_full, 400);
    assert_eq!(
        bench.publisher.events().collect::<Vec<_>>(),
        [PublisherEvent::Dropping(Dropping::Began)]
    );
    bench.sent.clear();
    bench.outcome = Outcome::Accepted;
    bench.run(60 * SECOND, |_| {});
    assert!(bench.sent.iter().all(|(_, count)| *count <= limits::DATUMS_PER_REQUEST));
    assert_eq!(bench.publisher.backlog(), 0);
    assert_eq!(bench.publisher.figures().published, CAPACITY as u64);
    assert_eq!(
        bench.publisher.events().collect::<Vec<_>>(),
        [PublisherEvent::Dropping(Dropping::Ended { dropped: 400 })]
    );
}
