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

fn taken(buffer: &mut Buffer, max: usize, is_fresh_first: bool) -> Vec<u64> {
    assert!(buffer.take(max, is_fresh_first));
    numbers(&buffer.in_flight)
}

fn buffer(capacity: usize, samples: u64) -> Buffer {
    let mut buffer = Buffer::new(capacity);
    (0..samples).for_each(|number| buffer.push(sample(number)));
    buffer
}

#[test]
fn the_freshest_go_first_and_the_oldest_are_dropped() {
    let mut buffer = buffer(8, 11);
    assert_eq!(buffer.dropped(), 3);
    assert_eq!(taken(&mut buffer, 3, false), [8, 9, 10]);
    buffer.forget();
    assert_eq!(taken(&mut buffer, 3, false), [5, 6, 7]);
    buffer.forget();
    assert_eq!(taken(&mut buffer, 3, false), [3, 4]);
    buffer.forget();
    assert!(!buffer.take(3, false));
    assert_eq!(buffer.len(), 0);
}

#[test]
fn what_failed_goes_back_between_older_and_newer() {
    let mut buffer = buffer(8, 5);
    buffer.take(2, false);
    buffer.push(sample(5));
    buffer.push(sample(6));
    buffer.put_back(Outcome::Throttled);
    assert_eq!(numbers(&buffer.pending), [0, 1, 2, 3, 4, 5, 6]);
    // What came meanwhile leaves no room for the oldest.
    buffer.take(3, false);
    (7..12).for_each(|number| buffer.push(sample(number)));
    buffer.put_back(Outcome::Throttled);
    assert_eq!(numbers(&buffer.pending), [4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(buffer.dropped(), 4);
}

#[test]
fn an_outage_of_any_length_keeps_the_books() {
    let mut buffer = buffer(100, 0);
    for number in 0..1000 {
        buffer.push(sample(number));
        if number % 3 == 0 {
            buffer.take(17, false);
            buffer.push(sample(number));
            buffer.put_back(Outcome::Throttled);
        }
        assert!(buffer.len() <= 100);
    }
    assert_eq!(buffer.dropped() + buffer.len() as u64, 1000 + 334);
}

#[test]
fn what_was_set_aside_is_never_exceeded() {
    let mut buffer = buffer(1000, 0);
    let set_aside = [buffer.pending.capacity(), buffer.in_flight.capacity()];
    for number in 0..5000 {
        buffer.push(sample(number));
        if number % 300 == 0 {
            buffer.take(100, false);
        } else if number % 300 == 150 {
            buffer.put_back(Outcome::Throttled);
        }
    }
    buffer.take(1000, false);
    buffer.halve();
    buffer.take(1000, false);
    buffer.put_back(Outcome::Throttled);
    let kept = [buffer.pending.capacity(), buffer.in_flight.capacity()];
    assert_eq!((kept, buffer.len()), (set_aside, 1000));
    assert_eq!(buffer.dropped(), 4000);
}

#[test]
fn a_refused_request_is_halved_down_to_the_bad_one() {
    let mut buffer = buffer(100, 10);
    buffer.take(10, false);
    let mut requests = 0;
    let mut accepted = Vec::new();
    let mut bad = Vec::new();
    loop {
        requests += 1;
        if numbers(&buffer.in_flight).contains(&3) {
            bad.extend(buffer.halve());
        } else {
            accepted.extend(numbers(&buffer.in_flight));
            buffer.forget();
        }
        if !buffer.take(10, false) {
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
    let mut buffer = buffer(100, 4);
    buffer.take(4, false);
    buffer.halve();
    assert_eq!(taken(&mut buffer, 4, false), [2, 3]);
    buffer.put_back(Outcome::Throttled);
    assert!(buffer.has_suspects());
    assert_eq!(buffer.waiting(), 4);
    assert_eq!(taken(&mut buffer, 4, false), [2, 3]);
}

#[test]
fn what_is_fresh_can_go_before_the_suspects() {
    let mut buffer = buffer(100, 4);
    buffer.take(4, false);
    buffer.halve();
    buffer.push(sample(4));
    assert_eq!(taken(&mut buffer, 4, true), [4]);
    buffer.forget();
    assert_eq!(taken(&mut buffer, 4, true), [2, 3], "nothing is fresh");
}

#[test]
fn suspects_are_no_safer_than_others_of_their_age() {
    let mut buffer = buffer(4, 4);
    buffer.take(4, false);
    buffer.halve();
    (4..7).for_each(|number| buffer.push(sample(number)));
    assert_eq!(buffer.dropped(), 3);
    assert_eq!(taken(&mut buffer, 4, false), [3]);
    buffer.forget();
    assert_eq!(taken(&mut buffer, 4, false), [4, 5, 6]);
}
