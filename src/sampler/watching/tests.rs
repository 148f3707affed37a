//! When the kernel is read, around the renewals of rhythms that are known.

use super::*;
use crate::time::{Now, Timestamp};

const SECOND: Duration = Duration::from_secs(1);

/// A rhythm that is known: renewed each `period_ms`, seen each time 60 ms later, last
/// at `last_ms`.
fn rhythm(start: Instant, period_ms: u64, last_ms: u64) -> Rhythm {
    let mut rhythm = Rhythm::default();
    let first_ms = last_ms - 5 * period_ms;
    for n in 0..6 {
        let read_ms = first_ms + n * period_ms;
        let wall = |ms: u64| Timestamp::from_unix_ns((1_795_514_400_000 + ms) * 1_000_000);
        let at = |ms: u64| Now { instant: start + Duration::from_millis(ms), wall: wall(ms) };
        rhythm.on_new(wall(read_ms), n > 0, false, at(read_ms + 60));
        rhythm.on_nothing_new(start + Duration::from_millis(read_ms + period_ms - 5));
    }
    rhythm
}

/// At which milliseconds after `now_ms` the kernel is read around renewals, if the
/// endpoint is asked at `asks_ms`.
fn around(rhythms: &[Rhythm], start: Instant, now_ms: u64, asks_ms: u64) -> Vec<u64> {
    let mut watching = Watching::new(start + Duration::from_hours(1), SECOND);
    let at = |ms: u64| start + Duration::from_millis(ms);
    let (mut now, mut seen) = (at(now_ms), Vec::new());
    loop {
        watching.plan(now, at(asks_ms), rhythms.iter());
        now = watching.next();
        if now >= at(asks_ms) {
            return seen;
        }
        seen.push(u64::try_from((now - start).as_millis()).unwrap());
        assert!(!watching.take(now));
    }
}

#[test]
fn the_kernel_is_read_around_the_last_renewal_before_a_request() {
    let start = Instant::now();
    // Renewed each second: of ten renewals the last is seen.
    let fast = [rhythm(start, 1000, 60_000)];
    assert_eq!(around(&fast, start, 60_100, 70_300), [69_955, 70_050]);
    // The request itself reads the kernel as well.
    assert_eq!(around(&fast, start, 60_100, 70_060), [69_955]);
    // Renewed each 10 s.
    let slow = [rhythm(start, 10_000, 60_000)];
    assert_eq!(around(&slow, start, 60_100, 72_000), [69_955, 70_050]);
    // Two containers, each at its own time.
    let both = [rhythm(start, 10_000, 60_000), rhythm(start, 10_000, 57_000)];
    assert_eq!(around(&both, start, 60_100, 70_060), [66_955, 67_050, 69_955]);
}

#[test]
fn without_a_rhythm_there_are_only_ticks() {
    let start = Instant::now();
    let mut watching = Watching::new(start, SECOND);
    let mut ticks = Vec::new();
    for _ in 0..3 {
        let now = watching.next();
        watching.plan(now, now + SECOND, [Rhythm::default()].iter());
        assert!(watching.take(now));
        ticks.push((now - start).as_millis());
    }
    assert_eq!(ticks, [0, 1000, 2000]);
}

#[test]
fn a_tick_and_a_reading_around_a_renewal_at_the_same_time_are_one() {
    let start = Instant::now();
    let mut watching = Watching::new(start + Duration::from_millis(69_955), SECOND);
    let slow = [rhythm(start, 10_000, 60_000)];
    let at = |ms: u64| start + Duration::from_millis(ms);
    watching.plan(at(60_100), at(72_000), slow.iter());
    assert_eq!(watching.next(), at(69_955));
    assert!(watching.take(at(69_955)));
    assert_eq!(watching.next(), at(70_955));
}

#[test]
fn two_ticks_are_never_nearly_at_the_same_moment() {
    for interval_ms in [200_u64, 1000, 5000] {
        for late_ms in (0..4 * interval_ms).step_by(usize::try_from(interval_ms / 20).unwrap()) {
            let start = Instant::now();
            let mut watching = Watching::new(start, Duration::from_millis(interval_ms));
            assert!(watching.take(start));
            let late = watching.next() + Duration::from_millis(late_ms);
            assert!(watching.take(late));
            let after = watching.next() - late;
            let half = Duration::from_millis(interval_ms / 2);
            assert!(after >= half && after <= 3 * half, "{interval_ms} {late_ms}: {after:?}");
            // On the same grid as before.
            let since = u64::try_from((watching.next() - start).as_millis()).unwrap();
            assert_eq!(since % interval_ms, 0, "{interval_ms} {late_ms}");
        }
    }
}
