//! What is learned of a container's rhythm from readings at moments written here.

use super::*;

const BASE_MS: u64 = 1_795_514_400_000;

fn at_ms(ms: u64) -> Timestamp {
    Timestamp::from_unix_ns((BASE_MS + ms) * 1_000_000)
}

/// What is known after readings of these times, each seen so long after its `read`.
fn learned(start: Instant, reads_ms: &[u64], age_ms: u64) -> Rhythm {
    let mut rhythm = Rhythm::default();
    for (n, read_ms) in reads_ms.iter().enumerate() {
        let seen_ms = read_ms + age_ms;
        let now = Now { instant: start + Duration::from_millis(seen_ms), wall: at_ms(seen_ms) };
        // Somebody has looked before.
        rhythm.on_nothing_new(now.instant.checked_sub(Duration::from_secs(1)).unwrap_or(start));
        rhythm.on_new(at_ms(*read_ms), n > 0, false, now);
    }
    rhythm
}

#[test]
fn a_period_is_what_three_intervals_agree_on() {
    let start = Instant::now() + Duration::from_hours(1);
    for (reads_ms, period_ms) in [
        (&[0, 1003, 2006][..], None),
        (&[0, 1003, 2006, 3009], Some(1003)),
        (&[0, 1040, 2010, 3050], Some(1016)),
        (&[0, 1000, 3000, 4000], None),
        (&[0, 10_000, 20_000, 30_000, 40_002], Some(10_000)),
        // From 1 to 10 s, and back.
        (&[0, 1000, 2000, 3000, 13_000, 23_000], None),
        (&[0, 1000, 2000, 3000, 13_000, 23_000, 33_000], Some(10_000)),
        (&[0, 10_000, 20_000, 30_000, 31_000, 32_000, 33_000], Some(1000)),
        // Late, and in time again.
        (&[0, 10_000, 20_000, 31_500, 40_000, 50_000], None),
        (&[0, 10_000, 20_000, 30_000, 31_500], None),
    ] {
        let rhythm = learned(start, reads_ms, 50);
        let is_near = match (rhythm.period(), period_ms) {
            (Some(period), Some(ms)) => period.abs_diff(Duration::from_millis(ms)).as_millis() <= 1,
            (period, ms) => period.is_none() && ms.is_none(),
        };
        assert!(is_near, "{reads_ms:?}: {:?}", rhythm.period());
    }
}

#[test]
fn times_that_cannot_be_are_no_rhythm() {
    let (mut rhythm, instant) = (Rhythm::default(), Instant::now());
    let times = [0, 1, u64::MAX / 2, u64::MAX, u64::MAX - 1, 5, 1 << 62, (1 << 62) + 1];
    for (n, wall_ns) in times.into_iter().cycle().take(800).enumerate() {
        let read = Timestamp::from_unix_ns(times[n * 7 / 3 % times.len()]);
        let now = Now { instant, wall: Timestamp::from_unix_ns(wall_ns) };
        rhythm.on_new(read, n % 5 > 0, n % 2 > 0, now);
        rhythm.on_nothing_new(instant);
        let _ = (rhythm.visible_at(), rhythm.gone_at(), rhythm.renewal_after(instant));
        let _ = rhythm.visible_after(instant);
    }
}

#[test]
fn a_clock_of_the_endpoints_own_does_not_matter() {
    let start = Instant::now() + Duration::from_hours(30);
    for ahead_ms in [-3_600_000_i64, -700, 0, 400, 86_000_000] {
        let mut rhythm = Rhythm::default();
        let mut asked_ms = Vec::new();
        // Read at 300 ms of each second, and seen from 330 ms on.
        let mut ms: u64 = 900;
        let mut shown = None;
        while asked_ms.len() < 200 {
            asked_ms.push(ms);
            let instant = start + Duration::from_millis(ms);
            let read_ms = (ms - 330) / 1000 * 1000 + 300;
            if shown == Some(read_ms) {
                rhythm.on_nothing_new(instant);
            } else {
                let wall = at_ms(ms).unix_ns() / 1_000_000;
                let read = (BASE_MS + read_ms).checked_add_signed(ahead_ms).unwrap();
                let read = Timestamp::from_unix_ns(read * 1_000_000);
                let now = Now { instant, wall: Timestamp::from_unix_ns(wall * 1_000_000) };
                rhythm.on_new(read, shown.is_some(), false, now);
                shown = Some(read_ms);
            }
            let next = rhythm.visible_at().map(|at| at.saturating_duration_since(start));
            let next_ms = next.map_or(0, |next| u64::try_from(next.as_millis()).unwrap() + 1);
            ms = next_ms.max(ms + if next_ms > 0 && rhythm.late() > 0 { 60 } else { 500 });
        }
        let in_second: Vec<_> = asked_ms[150..].iter().map(|ms| ms % 1000).collect();
        let late = in_second.iter().filter(|ms| !(325..=420).contains(*ms)).count();
        assert!(late <= 5, "{ahead_ms}: {in_second:?}");
    }
}
