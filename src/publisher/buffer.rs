//! The samples that CloudWatch is not known to have, in order of arrival: what
//! waits, what is under way, and what a refused request has left to be looked at
//! in halves. Which samples are sent next, and which are dropped when the buffer is
//! full, is decided here. It knows no time.

use std::{collections::VecDeque, iter};

use super::{outcome::Outcome, sends::SendsLeft};
use crate::{
    sample::{
        limits::DATUMS_PER_REQUEST,
        metric::{Measured, Sample},
    },
    time::Timestamp,
};

/// A sample in the buffer, with how often it may still be sent: a byte that a
/// [`Sample`] has to spare.
#[derive(Clone, Copy, Debug)]
struct Kept {
    read: Timestamp,
    value: f64,
    container: Option<u16>,
    metric: Measured,
    sends_left: SendsLeft,
}

const _: () = assert!(size_of::<Kept>() == size_of::<Sample>());

impl Kept {
    fn new(sample: Sample) -> Self {
        let Sample { read, value, metric, container } = sample;
        Self { read, value, container, metric, sends_left: SendsLeft::ALL }
    }

    fn sample(&self) -> Sample {
        let Self { read, value, container, metric, .. } = *self;
        Sample { read, value, metric, container }
    }

    fn is_uncertain(&self) -> bool {
        self.sends_left.is_uncertain()
    }
}

/// Where the samples under way were taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TakenFrom {
    Pending,
    Suspects,
}

/// The buffer. A full one loses its oldest samples, and counts them.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Oldest first.
    pending: VecDeque<Kept>,
    /// How many may wait. What is under way comes on top, or a request with all that
    /// waits would leave no room for the samples that arrive meanwhile.
    capacity: usize,
    in_flight: Vec<Kept>,
    origin: TakenFrom,
    /// How many of `pending`, at its end, came after what is under way.
    newer: usize,
    /// Parts of refused requests, the next one last.
    suspects: Vec<Vec<Kept>>,
    dropped: u64,
}

impl Buffer {
    /// A buffer of at most `capacity` samples that wait, which take 24 bytes each and
    /// are set aside at once, with the fullest request.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            pending: VecDeque::with_capacity(capacity),
            capacity,
            in_flight: Vec::with_capacity(capacity.min(DATUMS_PER_REQUEST)),
            origin: TakenFrom::Pending,
            newer: 0,
            suspects: Vec::new(),
            dropped: 0,
        }
    }

    /// Takes in a sample, in the place of the oldest if there is no room.
    pub(super) fn push(&mut self, sample: Sample) {
        // Before, or what was set aside would grow for it.
        while self.waiting() >= self.capacity.max(1) {
            self.drop_oldest();
        }
        self.pending.push_back(Kept::new(sample));
        self.newer += 1;
    }

    /// The oldest sample that waits goes.
    fn drop_oldest(&mut self) {
        self.dropped += 1;
        // The part that is looked at last has the oldest suspects.
        if let Some(part) = self.suspects.first_mut()
            && let Some(suspect) = part.first()
            && self.pending.front().is_none_or(|waiting| suspect.read <= waiting.read)
        {
            part.remove(0);
            self.suspects.retain(|part| !part.is_empty());
        } else {
            self.pending.pop_front();
            self.newer = self.newer.min(self.pending.len());
        }
    }

    /// Makes the next request of at most `max` samples: of a suspect part or else of
    /// the freshest; the other way round if `is_fresh_first`. `false`: nothing waits.
    pub(super) fn take(&mut self, max: usize, is_fresh_first: bool) -> bool {
        let is_fresh = is_fresh_first && !self.pending.is_empty();
        self.in_flight.clear();
        self.newer = 0;
        if let Some(mut part) = self.suspects.pop_if(|_| !is_fresh) {
            let rest = part.len().saturating_sub(max);
            self.in_flight.extend(part.drain(rest..));
            self.origin = TakenFrom::Suspects;
            if !part.is_empty() {
                self.suspects.push(part);
            }
        } else {
            let older = self.pending.len().saturating_sub(max);
            self.in_flight.extend(self.pending.drain(older..));
            self.origin = TakenFrom::Pending;
        }
        !self.in_flight.is_empty()
    }

    /// Takes those that are not to be `kept`, by their time, out of what is under way,
    /// before it is sent: how many, and one of them.
    pub(super) fn sort_out(&mut self, kept: impl Fn(Timestamp) -> bool) -> (u64, Option<Sample>) {
        let before = self.in_flight.len();
        let one = self.in_flight.iter().find(|sample| !kept(sample.read)).map(Kept::sample);
        self.in_flight.retain(|sample| kept(sample.read));
        ((before - self.in_flight.len()) as u64, one)
    }

    /// What is under way.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = Sample> {
        self.in_flight.iter().map(Kept::sample)
    }

    /// How many are under way.
    pub(super) fn in_flight_len(&self) -> usize {
        self.in_flight.len()
    }

    /// How many are under way that CloudWatch may have from an earlier request.
    pub(super) fn uncertain_in_flight(&self) -> u64 {
        self.in_flight.iter().filter(|kept| kept.is_uncertain()).count() as u64
    }

    /// The time of the newest sample under way.
    pub(super) fn newest_in_flight(&self) -> Option<Timestamp> {
        self.in_flight.iter().map(|kept| kept.read).max()
    }

    /// What is under way was accepted, and is forgotten.
    pub(super) fn forget(&mut self) {
        self.in_flight.clear();
    }

    /// What is under way was not accepted, as far as is known: it goes back to where
    /// it was, but for the samples that have been sent as often as they may. Their
    /// number is given out.
    pub(super) fn put_back(&mut self, outcome: Outcome) -> u64 {
        let before = self.in_flight.len();
        self.in_flight.retain_mut(|kept| {
            let left = kept.sends_left.after(outcome);
            kept.sends_left = left.unwrap_or(kept.sends_left);
            left.is_some()
        });
        let given_up = before - self.in_flight.len();
        self.make_room_for_in_flight();
        match self.origin {
            TakenFrom::Suspects if self.in_flight.is_empty() => {}
            TakenFrom::Suspects => self.suspects.push(self.in_flight.drain(..).collect()),
            TakenFrom::Pending => {
                let newer = self.pending.split_off(self.pending.len() - self.newer);
                self.pending.extend(self.in_flight.drain(..));
                self.pending.extend(newer);
            }
        }
        given_up as u64
    }

    /// Drops the oldest until what is under way has room among what waits. It is
    /// itself as old as where it came from.
    fn make_room_for_in_flight(&mut self) {
        let mut too_old = 0;
        while self.waiting() + self.in_flight.len() - too_old > self.capacity {
            let waits = self.pending.iter().take(1).chain(self.suspects.iter().flatten().take(1));
            let oldest = waits.map(|kept| kept.read).min();
            match self.in_flight.get(too_old) {
                Some(kept) if oldest.is_none_or(|oldest| kept.read < oldest) => too_old += 1,
                _ => self.drop_oldest(),
            }
        }
        self.in_flight.drain(..too_old);
        self.dropped += too_old as u64;
    }

    /// What is under way was refused as invalid: it is halved, to be looked at
    /// part by part. A single sample is the bad one, and is given out.
    pub(super) fn halve(&mut self) -> Option<Sample> {
        if self.in_flight.len() <= 1 {
            return self.in_flight.pop().map(|kept| kept.sample());
        }
        self.make_room_for_in_flight();
        let second = self.in_flight.split_off(self.in_flight.len() / 2);
        // The later half is the fresher one, and so the next.
        for half in [self.in_flight.drain(..).collect(), second] {
            if !half.is_empty() {
                self.suspects.push(half);
            }
        }
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

    /// Samples that CloudWatch may have: those under way, and those that were sent
    /// and got no answer.
    pub(super) fn unconfirmed(&self) -> usize {
        let waiting = iter::empty().chain(&self.pending).chain(self.suspects.iter().flatten());
        self.in_flight.len() + waiting.filter(|kept| kept.is_uncertain()).count()
    }

    /// Whether a tenth of the room is free: a spell of dropping is over then,
    /// and not with each single sample that goes out.
    pub(super) fn has_room(&self) -> bool {
        self.len() <= self.capacity - self.capacity.div_ceil(10)
    }

    /// Samples that were lost because the buffer was full, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests;
