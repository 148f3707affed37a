//! Renewals as answers show them.

use super::*;

const SECOND: u64 = 1_000_000_000;

/// Answers each `gap` seconds, of which those at `changes` show a change.
fn renewal(gap: u64, changes: &[u64]) -> (Renewal, Vec<Change>) {
    let mut renewal = Renewal::default();
    let mut seen = Vec::new();
    let last = *changes.last().unwrap();
    for second in (0..=last).step_by(usize::try_from(gap).unwrap()) {
        let at_ns = second * SECOND;
        let reading = Some(NewReading { read_ns: at_ns, age_ns: 0 });
        let answer = AnswerTimes { asked_ns: at_ns, at_ns, reading, cadence_ns: None };
        seen.extend(renewal.on_answer(answer, changes.contains(&second)));
    }
    (renewal, seen)
}

#[test]
fn the_period_is_known_once_it_is_regular_and_seen() {
    for (gap, changes, expected) in [
        (1, &[10, 20][..], None),
        (1, &[10, 20, 30, 40, 50], None),
        (1, &[10, 20, 30, 40, 50, 60, 70], Some(10)),
        // Renewals without bytes.
        (1, &[10, 20, 30, 60, 70, 100], Some(10)),
        (1, &[10, 27, 31, 60, 77, 100], None),
        // To and fro by more than the answers explain.
        (1, &[10, 20, 31, 40, 50, 61, 70, 80], None),
        // Each answer shows a change: it may be of more than one renewal.
        (15, &[15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165, 180], None),
    ] {
        let (renewal, _) = renewal(gap, changes);
        let expected = expected.map(|seconds: u64| seconds * SECOND);
        assert_eq!(renewal.period_ns(), expected, "{gap} {changes:?}");
    }
}

#[test]
fn a_time_is_known_to_a_twentieth_or_not_at_all() {
    let (irregular, seen) = renewal(1, &[10, 21, 29, 41]);
    assert_eq!(irregular.elapsed_ns(seen[0], seen[1]), None, "11 s, give or take one");
    assert_eq!(irregular.elapsed_ns(seen[0], seen[3]), Some(31 * SECOND));
    let (regular, seen) = renewal(1, &[10, 20, 30, 40, 50, 60, 70, 80]);
    assert_eq!(regular.elapsed_ns(seen[6], seen[7]), Some(10 * SECOND));
}
