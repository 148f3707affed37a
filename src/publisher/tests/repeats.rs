//! How often a sample is sent, whatever becomes of the requests, and that the
//! figures account for every sample.

use super::*;

/// Between two requests, ms.
fn gaps(bench: &Bench) -> Vec<u64> {
    bench.sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

#[test]
fn samples_are_sent_twice_if_connections_end_without_an_answer() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::ConnectionLost;
    bench.run(600 * SECOND, each_second);
    assert_eq!(bench.sends.values().max(), Some(&2));
    let figures = bench.publisher.figures();
    assert_eq!(figures.ambiguous, bench.sends.values().filter(|sends| **sends == 2).count() as u64);
    assert_eq!(figures.ambiguous, figures.sent_again);
    let waits = bench.publisher.backlog() as u64;
    assert_eq!((figures.taken, figures.dropped(Scope::Cloudwatch)), (figures.ambiguous + waits, 0));
    assert_eq!(bench.publisher.unconfirmed() as u64, bench.sends.len() as u64 - figures.ambiguous);
    let given_up: Vec<_> = bench.publisher.events().collect();
    assert!((9..=10).contains(&given_up.len()), "once a minute: {given_up:?}");

    bench.outcome = Outcome::Accepted;
    bench.run(60 * SECOND, each_second);
    assert_eq!(bench.sends.values().max(), Some(&2));
    let figures = bench.publisher.figures();
    assert_eq!(figures.published + figures.ambiguous + bench.publisher.backlog() as u64, 660);
    assert!(bench.publisher.backlog() <= 10);
}

#[test]
fn a_request_is_repeated_soon_after_a_lost_connection() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::ConnectionLost;
    bench.run(SECOND + SECOND / 10, each_second);
    bench.outcome = Outcome::Accepted;
    bench.run(5 * SECOND, each_second);
    // With the freshest samples beside those that may have arrived.
    assert!(matches!(bench.sent[..], [(10_000, 2), (11_000..=12_100, 3 | 4)]), "{:?}", bench.sent);
    assert_eq!(bench.publisher.figures().sent_again, 2);
}

#[test]
fn silence_is_probed_with_the_freshest_sample_and_uses_up_no_other() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.publisher.set_samples_per_request(500);
    bench.outcome = Outcome::Unreachable;
    bench.run(600 * SECOND, each_second);
    bench.sent.clear();
    bench.sends.clear();
    bench.outcome = Outcome::NoAnswer;
    bench.takes_ms = 10_000;
    bench.run(3000 * SECOND, each_second);
    let probes: Vec<_> = bench.sent.iter().map(|(_, count)| *count).collect();
    assert_eq!(probes[0], 500, "silence is not known before");
    assert!(probes[1..].iter().all(|count| *count == 1), "{probes:?}");
    assert!((70..200).contains(&probes.len()), "{}", probes.len());
    assert!(gaps(&bench).iter().all(|gap| *gap <= 40_200), "{:?}", bench.sent);
    for (at, _) in &bench.sent[1..] {
        assert_eq!(bench.sends.get(&(at / 1000 * 1000)), Some(&1), "the freshest, and once");
    }
    let figures = bench.publisher.figures();
    assert_eq!(
        (figures.ambiguous, figures.sent_again, figures.dropped(Scope::Cloudwatch)),
        (0, 0, 0)
    );

    // When the probe is accepted, the backlog follows, a request a second.
    bench.outcome = Outcome::Accepted;
    bench.takes_ms = 0;
    bench.sent.clear();
    bench.run(60 * SECOND, |_| {});
    let sizes: Vec<_> = bench.sent.iter().map(|(_, count)| *count).collect();
    assert_eq!(sizes, [1, 500, 500, 500, 500, 500, 500, 500, 99]);
    assert!(gaps(&bench).iter().all(|gap| *gap == 1000), "{:?}", bench.sent);
    assert_eq!(bench.sends.values().max(), Some(&2));
}

#[test]
fn a_sample_meets_silence_five_times_with_pauses_that_grow() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.sample();
    bench.now_ms += 1000;
    bench.sample();
    bench.outcome = Outcome::NoAnswer;
    bench.run(400 * SECOND, |_| {});
    let sizes: Vec<_> = bench.sent.iter().map(|(_, count)| *count).collect();
    assert_eq!(sizes, [2, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert!(gaps(&bench)[..5].is_sorted(), "{:?}", bench.sent);
    assert_eq!(bench.sends, HashMap::from([(9_000, 5), (10_000, 5)]));
    let figures = bench.publisher.figures();
    assert_eq!((figures.ambiguous, figures.sent_again, bench.publisher.backlog()), (2, 8, 0));
    assert_eq!(
        bench.publisher.events().collect::<Vec<_>>(),
        [1, 1].map(|samples| PublisherEvent::GivenUp { samples, outcome: Outcome::NoAnswer })
    );
}

#[test]
fn any_answer_ends_the_probing() {
    for (outcome, count) in [
        (Outcome::Throttled, 20),
        (Outcome::ServerError, 20),
        (Outcome::Denied, 20),
        (Outcome::Unreachable, 1),
        (Outcome::NoAnswer, 1),
    ] {
        let mut bench = Bench::new(10 * SECOND, 9_000);
        bench.outcome = Outcome::NoAnswer;
        (0..20).for_each(|_| bench.sample());
        bench.run(SECOND + SECOND / 10, |_| {});
        assert_eq!(bench.sent, [(10_000, 20)]);
        bench.outcome = outcome;
        while bench.sent.len() < 3 {
            bench.run(SECOND, |_| {});
        }
        assert_eq!((bench.sent[1].1, bench.sent[2].1), (1, count), "{outcome:?}");
    }
}

#[test]
fn a_probe_of_a_refused_request_is_one_sample_too() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    (0..8).for_each(|_| bench.sample());
    bench.outcome = Outcome::Invalid;
    bench.run(SECOND + SECOND / 10, |_| {});
    bench.outcome = Outcome::NoAnswer;
    bench.run(10 * SECOND, |_| {});
    let sizes: Vec<_> = bench.sent.iter().map(|(_, count)| *count).collect();
    assert!(sizes.starts_with(&[8, 4, 1, 1]), "{sizes:?}");
    bench.outcome = Outcome::Accepted;
    bench.run(60 * SECOND, |_| {});
    assert_eq!((bench.publisher.figures().published, bench.publisher.backlog()), (8, 0));
}

#[test]
fn the_end_sends_all_that_is_left_whatever_was_before() {
    let mut bench = Bench::new(10 * SECOND, 9_000);
    bench.outcome = Outcome::NoAnswer;
    bench.run(30 * SECOND, each_second);
    let left = bench.publisher.backlog();
    assert_eq!(bench.publisher.drain(bench.now()).map(|batch| batch.len()), Some(left));
}

#[test]
fn an_interval_as_long_as_the_buffer_loses_nothing() {
    for takes_ms in [0, 100, 2000, 9000] {
        let mut bench = Bench::new(60 * SECOND, 9_000);
        // A poll at either end of a minute.
        bench.publisher = Publisher::new(60 * SECOND, 61, 42);
        bench.takes_ms = takes_ms;
        bench.run(3600 * SECOND, |bench| {
            // Every other minute begins with a sample that is a moment late.
            let late = if (bench.start_wall_ms + bench.now_ms) / 60_000 % 2 == 0 { 100 } else { 0 };
            if bench.now_ms % 1000 == late {
                bench.sample();
            }
        });
        let figures = bench.publisher.figures();
        assert_eq!((figures.dropped(Scope::Cloudwatch), figures.taken), (0, 3600), "{takes_ms} ms");
        assert_eq!(figures.published + bench.publisher.backlog() as u64, 3600);
        let fullest = bench.sent.iter().map(|(_, count)| *count).max();
        assert_eq!(fullest, Some(61), "{:?}", bench.sent);
    }
}

/// What a sample has been through.
#[derive(Debug, Default)]
struct Fate {
    /// Requests without an answer, and whether one of them lost its connection.
    unanswered: u8,
    is_lost: bool,
    is_over: bool,
}

impl Fate {
    fn is_used_up(&self) -> bool {
        let max = if self.is_lost { CONNECTION_LOST_SENDS_MAX } else { NO_ANSWER_SENDS_MAX };
        self.unanswered >= max
    }
}

/// Follows every sample of a publisher by its time, which no other has.
#[derive(Default)]
struct Model {
    fates: HashMap<u64, Fate>,
    is_silent: bool,
    published: u64,
    ambiguous: u64,
    sent_again: u64,
}

impl Model {
    fn on_sent(&mut self, batch: &[Sample], is_end: bool) {
        assert!(!batch.is_empty());
        assert!(!self.is_silent || is_end || batch.len() == 1, "{} while silent", batch.len());
        for sample in batch {
            let fate = self.fates.entry(sample.read.unix_ns()).or_default();
            assert!(!fate.is_over && !fate.is_used_up(), "{fate:?}");
        }
    }

    fn on_outcome(&mut self, batch: &[Sample], outcome: Outcome) {
        let is_unanswered = matches!(outcome, Outcome::ConnectionLost | Outcome::NoAnswer);
        for sample in batch {
            let fate = self.fates.get_mut(&sample.read.unix_ns()).unwrap();
            if is_unanswered || outcome == Outcome::Accepted {
                self.sent_again += u64::from(fate.unanswered > 0);
            }
            if outcome == Outcome::Accepted {
                fate.is_over = true;
                self.published += 1;
            }
            if is_unanswered {
                fate.unanswered += 1;
                fate.is_lost |= outcome == Outcome::ConnectionLost;
                self.ambiguous += u64::from(fate.is_used_up());
            }
        }
        match outcome {
            Outcome::NoAnswer => self.is_silent = true,
            Outcome::Unreachable | Outcome::Credentials => {}
            _ => self.is_silent = false,
        }
    }

    fn check(&self, publisher: &Publisher) {
        let figures = publisher.figures();
        assert_eq!(
            (figures.published, figures.ambiguous, figures.sent_again),
            (self.published, self.ambiguous, self.sent_again)
        );
        let over = figures.published + figures.dropped(Scope::Cloudwatch) + figures.ambiguous;
        assert_eq!(figures.taken, over + publisher.backlog() as u64);
        let may_have =
            self.fates.values().filter(|fate| fate.unanswered > 0 && !fate.is_over).count() as u64;
        let may_have = may_have - figures.ambiguous;
        let lost = figures.dropped(Scope::Cloudwatch);
        let unconfirmed = publisher.unconfirmed() as u64;
        assert!((may_have.saturating_sub(lost)..=may_have).contains(&unconfirmed));
    }
}

#[test]
fn no_sequence_of_outcomes_sends_a_sample_more_often_than_it_may_or_loses_one() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    let mut given_up = 0;
    for _ in 0..100 {
        let mut bench = Bench::new(10 * SECOND, 0);
        let mut model = Model::default();
        bench.publisher = Publisher::new(10 * SECOND, 50 + next(500) as usize, next(1 << 40));
        bench.publisher.set_cadence(Some(SECOND * (1 + next(12) as u32)));
        let mut reads = 0;
        let mut sample = |bench: &mut Bench| {
            reads += 1;
            let now = bench.now();
            let read = Timestamp::from_unix_ns(now.wall.unix_ns() + reads);
            bench.publisher.push(a_sample(read), now);
        };
        let mut outcome = Outcome::Accepted;
        // Most outcomes last, as in the world.
        let lasts = 1 + next(12);
        for second in 0..900 {
            bench.now_ms = second * 1000;
            (0..next(3)).for_each(|_| sample(&mut bench));
            if next(50) == 0 {
                // Another set of dimensions.
                bench.publisher.set_samples_per_request(1 + next(100) as usize);
            }
            let is_end = next(100) == 0;
            let batch = if is_end {
                bench.publisher.drain(bench.now())
            } else if let Action::Send(batch) = bench.publisher.poll(bench.now()) {
                Some(batch)
            } else {
                None
            };
            let Some(batch) = batch else { continue };
            model.on_sent(&batch, is_end);
            // Samples arrive while a request is under way.
            (0..next(4)).for_each(|_| sample(&mut bench));
            if next(lasts) == 0 {
                outcome = OUTCOMES[next(OUTCOMES.len() as u64) as usize];
            }
            model.on_outcome(&batch, outcome);
            bench.publisher.on_outcome(outcome, bench.now());
        }
        model.check(&bench.publisher);
        given_up += bench.publisher.figures().ambiguous;
    }
    assert!(given_up > 1000, "{given_up}");
}
