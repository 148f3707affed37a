//! That the books of a simulation notice what must not be.

use std::time::{Duration, SystemTime};

use esp::{publisher::Outcome, sample::OwnFigures};
use esp_endpoints::service::Datum;

use crate::simulated::ledger::{Ledger, Terms};

/// The books of an ESP that samples each second and publishes each ten.
fn books() -> Ledger {
    Ledger::new(Terms {
        containers: vec!["web".to_owned()],
        is_one: true,
        container_sets: 1,
        task_sets: 1,
        values: vec![("CPUUtilization", 25.0)],
        is_all_known: true,
        sample_interval: Duration::from_secs(1),
        publish_interval: Duration::from_secs(10),
        ..Terms::default()
    })
}

fn datum(timestamp_ms: i64, value: f64) -> Datum {
    Datum {
        namespace: "Shop".into(),
        metric_name: "CPUUtilization".into(),
        dimensions: Vec::new(),
        unit: Some("Percent".into()),
        timestamp_ms,
        values: vec![value],
        counts: vec![1.0],
        statistics: None,
        storage_resolution: Some(1),
        received: SystemTime::UNIX_EPOCH,
    }
}

const fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn give(books: &mut Ledger, ms: u64) {
    books.on_given(at(ms), "CPUUtilization", "web", i64::try_from(ms).unwrap());
}

fn send(books: &mut Ledger, ms: u64, datums: &[Datum], outcome: Outcome) {
    books.on_request(at(ms), datums, false);
    if matches!(outcome, Outcome::Accepted | Outcome::ConnectionLost) {
        books.on_accepted(at(ms));
    }
    books.on_told(at(ms), outcome);
}

/// What an ESP says that had so many accepted in one request, after one without an
/// answer.
fn accepted(published: u64, sent_again: u64) -> OwnFigures {
    OwnFigures {
        taken: published,
        published,
        sent_again,
        requests_accepted: published.min(1),
        requests_connection_lost: sent_again.min(1),
        ..OwnFigures::default()
    }
}

/// The one complaint to expect, and what leads to it.
type Script<'a> = (&'static str, &'a dyn Fn(&mut Ledger));

#[test]
fn the_books_notice_what_must_not_be() {
    let scripts: [Script<'_>; 18] = [
        ("", &|books| {
            give(books, 1000);
            give(books, 2000);
            let both = [datum(1000, 25.0), datum(2000, 25.0)];
            send(books, 10_000, &both, Outcome::ConnectionLost);
            send(books, 20_000, &both, Outcome::Accepted);
            books.balance(at(30_000), &accepted(2, 2), 100);
        }),
        ("knowingly sent again", &|books| {
            give(books, 1000);
            send(books, 10_000, &[datum(1000, 25.0)], Outcome::Accepted);
            send(books, 20_000, &[datum(1000, 25.0)], Outcome::Accepted);
        }),
        ("without the freshest", &|books| {
            give(books, 1000);
            give(books, 2000);
            send(books, 10_000, &[datum(1000, 25.0)], Outcome::Accepted);
        }),
        ("500 ms after the last one", &|books| {
            send(books, 10_000, &[], Outcome::Throttled);
            send(books, 10_500, &[], Outcome::Throttled);
        }),
        ("5000 ms after the permission", &|books| {
            send(books, 10_000, &[], Outcome::Denied);
            send(books, 15_000, &[], Outcome::Denied);
        }),
        ("no last sample", &|books| {
            books.on_poll(at(0));
            books.on_poll_over(at(2));
            books.on_signal(at(10));
            books.check_last_sample(at(600));
        }),
        ("1 too many waited", &|books| {
            give(books, 1000);
            give(books, 2000);
            let both = [datum(1000, 25.0), datum(2000, 25.0)];
            send(books, 10_000, &both, Outcome::Accepted);
            books.balance(at(20_000), &accepted(2, 0), 1);
        }),
        ("nobody gave", &|books| send(books, 10_000, &[datum(7, 25.0)], Outcome::Accepted)),
        ("instead of 25", &|books| {
            give(books, 1000);
            send(books, 10_000, &[datum(1000, 26.0)], Outcome::Accepted);
        }),
        ("datums instead of 1", &|books| {
            give(books, 1000);
            send(books, 10_000, &[datum(1000, 25.0), datum(1000, 25.0)], Outcome::Accepted);
        }),
        ("another is under way", &|books| {
            books.on_request(at(0), &[], false);
            books.on_request(at(5000), &[], false);
        }),
        ("asked 20ms after the last time", &|books| {
            books.on_poll(at(0));
            books.on_poll_over(at(2));
            books.on_poll(at(20));
        }),
        ("asked 12.001s after the last time", &|books| {
            books.on_poll(at(0));
            books.on_poll_over(at(2));
            books.on_poll(at(12_001));
        }),
        ("asked, at 3.000 s it was due", &|books| {
            books.on_poll(at(0));
            books.on_poll_over(at(2900));
            books.on_poll(at(2950));
        }),
        ("asked 23 times, 22 at most", &|books| {
            for poll in 0..23 {
                books.on_poll(at(poll * 720));
                books.on_poll_over(at(poll * 720 + 2));
            }
        }),
        ("1 lost, 0 accounted for", &|books| {
            give(books, 1000);
            give(books, 2000);
            send(books, 10_000, &[datum(2000, 25.0)], Outcome::Accepted);
            books.balance(at(20_000), &accepted(1, 0), 100);
        }),
        ("published: 1 in the books, 2 by ESP", &|books| {
            give(books, 1000);
            send(books, 10_000, &[datum(1000, 25.0)], Outcome::Accepted);
            books.balance(at(20_000), &accepted(2, 0), 100);
        }),
        ("taken = published + dropped + ambiguous + backlog", &|books| {
            let figures = OwnFigures { taken: 1, ..OwnFigures::default() };
            books.balance(at(20_000), &figures, 100);
        }),
    ];
    complain(&scripts);
}

#[test]
fn the_books_notice_repeats_without_bounds() {
    let scripts: [Script<'_>; 5] = [
        ("sent too often", &|books| {
            give(books, 1000);
            for second in [10, 20, 30] {
                send(books, second * 1000, &[datum(1000, 25.0)], Outcome::ConnectionLost);
            }
        }),
        ("sent too often", &|books| {
            give(books, 1000);
            for second in [10, 20, 30, 40, 50, 60] {
                send(books, second * 1000, &[datum(1000, 25.0)], Outcome::NoAnswer);
            }
        }),
        ("sent too often", &|books| {
            give(books, 1000);
            send(books, 10_000, &[datum(1000, 25.0)], Outcome::ConnectionLost);
            send(books, 20_000, &[datum(1000, 25.0)], Outcome::NoAnswer);
            send(books, 30_000, &[datum(1000, 25.0)], Outcome::Throttled);
        }),
        ("a probe of 2 samples", &|books| {
            give(books, 1000);
            give(books, 2000);
            let both = [datum(1000, 25.0), datum(2000, 25.0)];
            send(books, 10_000, &both, Outcome::NoAnswer);
            send(books, 20_000, &[datum(2000, 25.0)], Outcome::Unreachable);
            send(books, 30_000, &both, Outcome::Unreachable);
        }),
        ("ambiguous: 1 in the books, 0 by ESP", &|books| {
            give(books, 1000);
            send(books, 10_000, &[datum(1000, 25.0)], Outcome::ConnectionLost);
            send(books, 20_000, &[datum(1000, 25.0)], Outcome::ConnectionLost);
            let figures =
                OwnFigures { requests_connection_lost: 2, sent_again: 1, ..OwnFigures::default() };
            books.balance(at(30_000), &figures, 100);
        }),
    ];
    complain(&scripts);
}

/// Checks that each script leads to its complaint and no other.
fn complain(scripts: &[Script<'_>]) {
    for (expected, script) in scripts {
        let mut books = books();
        script(&mut books);
        let complaints = books.complaints();
        assert_eq!(
            complaints.len(),
            usize::from(!expected.is_empty()),
            "{expected}: {complaints:?}"
        );
        assert!(complaints.iter().all(|complaint| complaint.contains(expected)), "{complaints:?}");
    }
}
