//! Which samples are sent, kept and dropped.

use super::*;
use crate::{sample::metric::Metric, time::timestamp::Timestamp};

fn sample(number: u64) -> Sample {
    let read = Timestamp::from_unix_ns(number);
    Sample { read, value: 0.0, metric: Metric::CpuUsage.into(), container: None }
}

fn numbers<'a>(samples: impl IntoIterator<Item = &'a Kept>) -> Vec<u64> {
    samples.into_iter().map(|sample| sample.read.unix_ns()).collect()
}

fn taken(store: &mut Store, max: usize, is_fresh_first: bool) -> Vec<u64> {
    assert!(store.take(max, is_fresh_first));
    numbers(&store.in_flight)
}

fn store(capacity: usize, samples: u64) -> Store {
    let mut store = Store::new(capacity);
    (0..samples).for_each(|number| store.push(sample(number)));
    store
}

#[test]
fn the_freshest_go_first_and_the_oldest_are_dropped() {
    let mut store = store(8, 11);
    assert_eq!(store.dropped(), 3);
    assert_eq!(taken(&mut store, 3, false), [8, 9, 10]);
    store.forget();
    assert_eq!(taken(&mut store, 3, false), [5, 6, 7]);
    store.forget();
    assert_eq!(taken(&mut store, 3, false), [3, 4]);
    store.forget();
    assert!(!store.take(3, false));
    assert_eq!(store.len(), 0);
}

#[test]
fn what_failed_goes_back_between_older_and_newer() {
    let mut store = store(8, 5);
    store.take(2, false);
    store.push(sample(5));
    store.push(sample(6));
    store.put_back(Outcome::Throttled);
    assert_eq!(numbers(&store.pending), [0, 1, 2, 3, 4, 5, 6]);
    // What came meanwhile leaves no room for the oldest.
    store.take(3, false);
    (7..12).for_each(|number| store.push(sample(number)));
    store.put_back(Outcome::Throttled);
    assert_eq!(numbers(&store.pending), [4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(store.dropped(), 4);
}

#[test]
fn an_outage_of_any_length_keeps_the_books() {
    let mut store = store(100, 0);
    for number in 0..1000 {
        store.push(sample(number));
        if number % 3 == 0 {
            store.take(17, false);
            store.push(sample(number));
            store.put_back(Outcome::Throttled);
        }
        assert!(store.len() <= 100);
    }
    assert_eq!(store.dropped() + store.len() as u64, 1000 + 334);
}

#[test]
fn what_was_set_aside_is_never_exceeded() {
    let mut store = store(1000, 0);
    let set_aside = [store.pending.capacity(), store.in_flight.capacity()];
    for number in 0..5000 {
        store.push(sample(number));
        if number % 300 == 0 {
            store.take(100, false);
        } else if number % 300 == 150 {
            store.put_back(Outcome::Throttled);
        }
    }
    store.take(1000, false);
    store.halve();
    store.take(1000, false);
    store.put_back(Outcome::Throttled);
    let kept = [store.pending.capacity(), store.in_flight.capacity()];
    assert_eq!((kept, store.len()), (set_aside, 1000));
    assert_eq!(store.dropped(), 4000);
}

#[test]
fn a_refused_request_is_halved_down_to_the_bad_one() {
    let mut store = store(100, 10);
    store.take(10, false);
    let mut requests = 0;
    let mut accepted = Vec::new();
    let mut bad = Vec::new();
    loop {
        requests += 1;
        if numbers(&store.in_flight).contains(&3) {
            bad.extend(store.halve());
        } else {
            accepted.extend(numbers(&store.in_flight));
            store.forget();
        }
        if !store.take(10, false) {
            break;
        }
    }
    accepted.sort_unstable();
    assert_eq!(accepted, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!(bad, [sample(3)]);
    assert!(requests <= 9, "{requests}");
}

#[test]
fn a_part_that_fails_otherwise_is_still_suspect() {
    let mut store = store(100, 4);
    store.take(4, false);
    store.halve();
    assert_eq!(taken(&mut store, 4, false), [2, 3]);
    store.put_back(Outcome::Throttled);
    assert!(store.has_suspects());
    assert_eq!(store.waiting(), 4);
    assert_eq!(taken(&mut store, 4, false), [2, 3]);
}

#[test]
fn what_is_fresh_can_go_before_the_suspects() {
    let mut store = store(100, 4);
    store.take(4, false);
    store.halve();
    store.push(sample(4));
    assert_eq!(taken(&mut store, 4, true), [4]);
    store.forget();
    assert_eq!(taken(&mut store, 4, true), [2, 3], "nothing is fresh");
}

#[test]
fn suspects_are_no_safer_than_others_of_their_age() {
    let mut store = store(4, 4);
    store.take(4, false);
    store.halve();
    (4..7).for_each(|number| store.push(sample(number)));
    assert_eq!(store.dropped(), 3);
    assert_eq!(taken(&mut store, 4, false), [3]);
    store.forget();
    assert_eq!(taken(&mut store, 4, false), [4, 5, 6]);
}
