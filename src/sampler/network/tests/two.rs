//! Two containers of one network, of which the one that is the source ends.

use super::*;

/// Two containers that show the counters of one task, each at its own time; the first
/// ends at second 100.
fn of_two(offset: u64) -> Vec<f64> {
    let start = Instant::now();
    let mut network = TaskNetwork::default();
    let new = |id: &str| {
        let mut container = Container::new(id.into(), id.into(), start);
        container.described.network_mode = Some(NetworkMode::Awsvpc);
        container
    };
    let mut containers = [new("a"), new("b")];
    containers[0].place = Some(0);
    let mut rates_seen = Vec::new();
    for second in 0..300_u64 {
        for (n, container) in (0..).zip(&mut containers) {
            let phase = 3 + 4 * n;
            let read = second.checked_sub(phase).map(|since| phase + since / 10 * 10);
            let is_gone = n == 0 && second >= 100;
            container.network = read.filter(|_| !is_gone).map(|read| NetworkReading {
                rx_bytes: 1000 + read * 1000 + n * offset,
                tx_bytes: 0,
            });
            container.new_read = read
                .filter(|read| *read == second && !is_gone)
                .map(|read| Timestamp::from_unix_ns(START_NS + read * SECOND_NS));
        }
        let now = Now {
            instant: start + Duration::from_secs(second),
            wall: Timestamp::from_unix_ns(START_NS + second * SECOND_NS),
        };
        let still_there = usize::from(second >= 130);
        if let NetworkOutcome::Rates { rates, .. } =
            network.on_answer(&containers[still_there..], now.instant, now)
        {
            rates_seen.push(rates[0]);
        }
    }
    rates_seen
}

#[test]
fn a_source_that_ends_loses_no_byte() {
    let seen = of_two(0);
    assert!(
        seen.len() >= 22 && seen.iter().all(|rate| (rate / 1000.0 - 1.0).abs() < 0.05),
        "{seen:?}"
    );
}

#[test]
fn another_source_with_other_counters_starts_anew() {
    let seen = of_two(7_000_000);
    assert!(
        seen.len() >= 20 && seen.iter().all(|rate| (rate / 1000.0 - 1.0).abs() < 0.05),
        "{seen:?}"
    );
}
