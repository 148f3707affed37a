//! The samples that CloudWatch has not accepted yet, in order of arrival and
//! within a fixed number: what waits, what is under way, and what a refused
//! request has left to be looked at in halves. It knows no time.

use std::collections::VecDeque;

use crate::sample::{limits::DATUMS_PER_REQUEST, metric::Sample};

/// Where the samples under way were taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Pending,
    Suspects,
}

/// The store. A full one loses its oldest samples, and counts them.
#[derive(Debug)]
pub(super) struct Store {
    /// Oldest first.
    pending: VecDeque<Sample>,
    capacity: usize,
    in_flight: Vec<Sample>,
    origin: Origin,
    /// How many of `pending`, at its end, came after what is under way.
    newer: usize,
    /// Parts of refused requests, the next one last.
    suspects: Vec<Vec<Sample>>,
    dropped: u64,
}

impl Store {
    /// A store of at most `capacity` samples, which take 24 bytes each and are
    /// set aside at once, with the fullest request.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            pending: VecDeque::with_capacity(capacity),
            capacity,
            in_flight: Vec::with_capacity(capacity.min(DATUMS_PER_REQUEST)),
            origin: Origin::Pending,
            newer: 0,
            suspects: Vec::new(),
            dropped: 0,
        }
    }

    /// Takes in a sample, in the place of the oldest if there is no room.
    pub(super) fn push(&mut self, sample: Sample) {
        // Before, or what was set aside would grow for it.
        self.make_room(1);
        self.pending.push_back(sample);
        self.newer += 1;
        // Where all there is is under way, not even this one has room.
        self.make_room(0);
    }

    /// Drops the oldest until so many more have room.
    fn make_room(&mut self, wanted: usize) {
        while self.len() + wanted > self.capacity {
            if !self.drop_oldest() {
                return;
            }
            self.dropped += 1;
            self.newer = self.newer.min(self.pending.len());
        }
    }

    /// The oldest sample that is not under way goes. `false`: there is none.
    fn drop_oldest(&mut self) -> bool {
        // The part that is looked at last has the oldest suspects.
        if let Some(part) = self.suspects.first_mut()
            && let Some(suspect) = part.first()
            && self.pending.front().is_none_or(|waiting| suspect.read <= waiting.read)
        {
            part.remove(0);
            self.suspects.retain(|part| !part.is_empty());
            return true;
        }
        self.pending.pop_front().is_some()
    }

    /// The next request: a suspect part, else the freshest `most` samples; the
    /// other way round where `is_fresh_first`. `None` where there is nothing.
    pub(super) fn take(&mut self, most: usize, is_fresh_first: bool) -> Option<&[Sample]> {
        let is_fresh = is_fresh_first && !self.pending.is_empty();
        if let Some(part) = self.suspects.pop_if(|_| !is_fresh) {
            self.in_flight.clear();
            self.in_flight.extend(part);
            self.origin = Origin::Suspects;
        } else if self.pending.is_empty() {
            return None;
        } else {
            let older = self.pending.len().saturating_sub(most);
            self.in_flight.clear();
            self.in_flight.extend(self.pending.drain(older..));
            self.origin = Origin::Pending;
        }
        self.newer = 0;
        Some(&self.in_flight)
    }

    /// Takes those that are not to be `kept` out of what is under way, before it
    /// is sent: how many, and one of them.
    pub(super) fn sort_out(&mut self, kept: impl Fn(&Sample) -> bool) -> (u64, Option<Sample>) {
        let before = self.in_flight.len();
        let one = self.in_flight.iter().find(|sample| !kept(sample)).copied();
        self.in_flight.retain(kept);
        ((before - self.in_flight.len()) as u64, one)
    }

    /// What is under way, for the books.
    pub(super) fn in_flight(&self) -> &[Sample] {
        &self.in_flight
    }

    /// What is under way was accepted, and is forgotten.
    pub(super) fn forget(&mut self) {
        self.in_flight.clear();
    }

    /// What is under way was not accepted: it goes back to where it was.
    pub(super) fn put_back(&mut self) {
        match self.origin {
            Origin::Suspects => self.suspects.push(self.in_flight.drain(..).collect()),
            Origin::Pending => {
                let newer = self.pending.split_off(self.pending.len() - self.newer);
                self.pending.extend(self.in_flight.drain(..));
                self.pending.extend(newer);
            }
        }
        self.make_room(0);
    }

    /// What is under way was refused as invalid: it is halved, to be looked at
    /// part by part. A single sample is the bad one, and is given out.
    pub(super) fn halve(&mut self) -> Option<Sample> {
        if self.in_flight.len() <= 1 {
            return self.in_flight.pop();
        }
        let second = self.in_flight.split_off(self.in_flight.len() / 2);
        // The later half is the fresher one, and so the next.
        self.suspects.push(self.in_flight.drain(..).collect());
        self.suspects.push(second);
        None
    }

    /// Whether parts of a refused request are still to be sent.
    pub(super) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Samples that wait to be sent, without those under way.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len() + self.suspects.iter().map(Vec::len).sum::<usize>()
    }

    /// All samples.
    pub(super) fn len(&self) -> usize {
        self.waiting() + self.in_flight.len()
    }

    /// Whether a tenth of the room is free: a spell of dropping is over then,
    /// and not with each single sample that goes out.
    pub(super) fn has_room(&self) -> bool {
        self.len() <= self.capacity - self.capacity.div_ceil(10)
    }

    /// Samples that were lost for want of room, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample::metric::Metric, time::timestamp::Timestamp};

    fn sample(number: u64) -> Sample {
        let read = Timestamp::from_unix_ns(number);
        Sample { read, value: 0.0, metric: Metric::CpuUsage, container: None }
    }

    fn numbers<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<u64> {
        samples.into_iter().map(|sample| sample.read.unix_ns()).collect()
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
        assert_eq!(numbers(store.take(3, false).unwrap()), [8, 9, 10]);
        store.forget();
        assert_eq!(numbers(store.take(3, false).unwrap()), [5, 6, 7]);
        store.forget();
        assert_eq!(numbers(store.take(3, false).unwrap()), [3, 4]);
        store.forget();
        assert_eq!(store.take(3, false), None);
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn what_failed_goes_back_between_older_and_newer() {
        let mut store = store(8, 5);
        store.take(2, false);
        store.push(sample(5));
        store.push(sample(6));
        store.put_back();
        assert_eq!(numbers(&store.pending), [0, 1, 2, 3, 4, 5, 6]);
        // What came meanwhile leaves no room for the oldest.
        store.take(3, false);
        (7..12).for_each(|number| store.push(sample(number)));
        store.put_back();
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
                store.put_back();
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
                store.put_back();
            }
        }
        store.take(1000, false);
        store.halve();
        store.take(1000, false);
        store.put_back();
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
                accepted.extend(numbers(store.in_flight()));
                store.forget();
            }
            if store.take(10, false).is_none() {
                break;
            }
        }
        accepted.sort_unstable();
        assert_eq!(accepted, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
        assert_eq!(numbers(&bad), [3]);
        assert!(requests <= 9, "{requests}");
    }

    #[test]
    fn a_part_that_fails_otherwise_is_still_suspect() {
        let mut store = store(100, 4);
        store.take(4, false);
        store.halve();
        assert_eq!(numbers(store.take(4, false).unwrap()), [2, 3]);
        store.put_back();
        assert!(store.has_suspects());
        assert_eq!(store.waiting(), 4);
        assert_eq!(numbers(store.take(4, false).unwrap()), [2, 3]);
    }

    #[test]
    fn what_is_fresh_can_go_before_the_suspects() {
        let mut store = store(100, 4);
        store.take(4, false);
        store.halve();
        store.push(sample(4));
        assert_eq!(numbers(store.take(4, true).unwrap()), [4]);
        store.forget();
        assert_eq!(numbers(store.take(4, true).unwrap()), [2, 3], "nothing is fresh");
    }

    #[test]
    fn suspects_are_no_safer_than_others_of_their_age() {
        let mut store = store(4, 4);
        store.take(4, false);
        store.halve();
        (4..7).for_each(|number| store.push(sample(number)));
        assert_eq!(store.dropped(), 3);
        assert_eq!(numbers(store.take(4, false).unwrap()), [3]);
        store.forget();
        assert_eq!(numbers(store.take(4, false).unwrap()), [4, 5, 6]);
    }
}
