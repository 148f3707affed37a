//! A stdout that nobody reads, or not any more.

use super::*;
use crate::sample::own_figures::Scope;

/// A stdout that has room for so many bytes.
struct Blocked(usize);

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.0);
        self.0 -= count;
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_blocked_stdout_costs_the_oldest_lines_which_are_counted_and_logged_once() {
    let mut bench = Bench::emf(&[]);
    let mut hours = 0;
    while bench.output.figures().stdout_dropped_full == 0 {
        for _ in 0..3600 {
            bench.now_ms += 1000;
            bench.sample(99.123_456_789_012);
            bench.output.advance(bench.now());
            let _ = bench.output.write_to(&mut Blocked(0));
        }
        hours += 1;
        assert!(hours < 10, "the queue has an end");
    }
    assert_eq!(bench.output.events().collect::<Vec<_>>(), [LineEvent::Dropping(Dropping::Began)]);
    let figures = bench.output.figures();
    let sum = figures.stdout_written + figures.dropped(Scope::Stdout) + figures.stdout_pending;
    assert_eq!((figures.stdout_taken, figures.stdout_written), (sum, 0));
    bench.write();
    let dropped = figures.stdout_dropped_full;
    assert_eq!(bench.events, [LineEvent::Dropping(Dropping::Ended { dropped })]);
    // The freshest are there, whole and in order.
    let lines = times_and_values(&bench.datums());
    assert!(lines.is_sorted_by(|a, b| a.0 + 10_000 == b.0));
    assert_eq!(lines.last().unwrap().0 + 10_000, (bench.now_ms - START_MS) / 10_000 * 10_000);
}

#[test]
fn a_reader_that_is_gone_is_an_error_and_lines_are_dropped_without_a_word() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut bench = Bench::emf(&[("EMF_RESOLUTION", "1s")]);
    for dropped in 1..4 {
        bench.sample(1.0);
        bench.output.advance(bench.now());
        let error = bench.output.write_to(&mut Gone).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(bench.output.figures().stdout_dropped_full, dropped);
        assert!(!bench.output.has_lines());
        assert_eq!(bench.output.events().count(), 0);
    }
}
