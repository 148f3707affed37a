//! The shared network, as agents of all kinds show it.

use std::time::Duration;

use super::*;
use crate::endpoint::task::NetworkMode;

const SECOND_NS: u64 = 1_000_000_000;
const START_NS: u64 = 1_795_514_400 * SECOND_NS;

/// An agent that renews the counters of the task by a clock of its own.
struct Agent {
    /// Between two renewals, ns, and when the first is; how early or late one may be.
    period_ns: u64,
    phase_ns: u64,
    jitter_ns: u64,
    /// The same of the readings around them.
    cadence_ns: u64,
    cadence_phase_ns: u64,
    /// The counters are taken together with the reading.
    is_together: bool,
    poll_ns: u64,
    /// What an answer takes.
    answer_ns: u64,
}

impl Agent {
    fn new(period_s: f64, cadence_s: f64, poll_s: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let ns = |seconds: f64| (seconds * 1e9) as u64;
        Self {
            period_ns: ns(period_s),
            phase_ns: 370_000_000,
            jitter_ns: 0,
            cadence_ns: ns(cadence_s),
            cadence_phase_ns: 610_000_000,
            is_together: false,
            poll_ns: ns(poll_s),
            answer_ns: 0,
        }
    }

    /// The last renewal at `at_ns`, if there was one.
    fn renewed_ns(&self, at_ns: u64) -> Option<u64> {
        let number = at_ns.checked_sub(self.phase_ns)? / self.period_ns;
        let renewed_ns = |number: u64| {
            let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
            self.phase_ns + number * self.period_ns + mixed % (self.jitter_ns + 1)
        };
        let late_ns = renewed_ns(number);
        if late_ns <= at_ns { Some(late_ns) } else { number.checked_sub(1).map(renewed_ns) }
    }

    fn read_ns(&self, at_ns: u64) -> Option<u64> {
        let number = at_ns.checked_sub(self.cadence_phase_ns)? / self.cadence_ns;
        Some(self.cadence_phase_ns + number * self.cadence_ns)
    }

    /// The values of the first counter over `seconds`, each with the second it was
    /// given in, if `bytes` is what had come in at each moment.
    fn values(&self, seconds: u64, bytes: impl Fn(u64) -> u64) -> Vec<(f64, f64)> {
        let start = Instant::now();
        let mut network = TaskNetwork::default();
        let mut container = Container::new("a".into(), "web".into(), start);
        container.described.network_mode = Some(NetworkMode::Awsvpc);
        let mut containers = [container];
        let mut values = Vec::new();
        let mut last_read = None;
        for asked_ns in (0..seconds * SECOND_NS).step_by(usize::try_from(self.poll_ns).unwrap()) {
            let at_ns = asked_ns + self.answer_ns;
            let Some(read_ns) = self.read_ns(at_ns) else { continue };
            let from_ns = if self.is_together { Some(read_ns) } else { self.renewed_ns(at_ns) };
            containers[0].network = from_ns.map(|from_ns| {
                let rx_bytes = 5_000_000_000 + bytes(from_ns);
                NetworkReading { rx_bytes, tx_bytes: 3 * rx_bytes }
            });
            let is_new = last_read.replace(read_ns) != Some(read_ns);
            containers[0].new_read = is_new.then(|| Timestamp::from_unix_ns(START_NS + read_ns));
            let now = Now {
                instant: start + Duration::from_nanos(at_ns),
                wall: Timestamp::from_unix_ns(START_NS + at_ns),
            };
            if let Some(read) = containers[0].new_read {
                containers[0].fresh.on_reading(read, now);
            }
            if let NetworkOutcome::Rates { until, rates } =
                network.on_answer(&containers, start + Duration::from_nanos(asked_ns), now)
            {
                assert!((rates[1] - 3.0 * rates[0]).abs() <= 1e-6 * rates[1]);
                assert!(until <= now.wall);
                #[expect(clippy::cast_precision_loss, reason = "hours")]
                let second = at_ns as f64 / 1e9;
                values.push((second, rates[0]));
            }
        }
        values
    }
}

fn steady(rate: u64) -> impl Fn(u64) -> u64 {
    move |at_ns| at_ns / 1000 * rate / 1_000_000
}

#[test]
fn each_value_is_right_or_missing_whatever_the_agent_is_set_to() {
    for period_s in [1.0, 1.3, 2.0, 3.0, 5.0, 7.5, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0] {
        for cadence_s in [1.013, 10.0, 20.0] {
            for poll_s in [0.2, 1.0, 2.0, 5.0, 10.0, 11.0, 15.0, 30.0, 60.0] {
                for jitter_ns in [0, 30_000_000] {
                    let agent = Agent { jitter_ns, ..Agent::new(period_s, cadence_s, poll_s) };
                    let seconds = if poll_s < 1.0 { 900 } else { 3600 };
                    let values = agent.values(seconds, steady(1_000_000));
                    for (second, rate) in &values {
                        assert!(
                            (rate / 1e6 - 1.0).abs() < 0.05,
                            "renewed each {period_s} s, read each {cadence_s} s, polled each \
                             {poll_s} s: {rate} at {second}"
                        );
                    }
                    assert!(values.len() >= 2, "{period_s} {cadence_s} {poll_s}: {values:?}");
                }
            }
        }
    }
}

#[test]
fn renewals_that_scatter_give_a_value_over_a_longer_time() {
    for (period_s, jitter_ms, polls_s) in [
        (1.0, 100, &[0.2, 1.0][..]),
        (2.0, 500, &[0.2, 1.0, 5.0]),
        // Of a poll each second, scatter that lies between two polls cannot be seen.
        (4.0, 500, &[0.2, 2.0, 5.0]),
        (4.0, 900, &[0.2, 1.0]),
        (7.0, 1500, &[0.2, 1.0, 2.0, 11.0]),
        (10.0, 1500, &[0.2, 1.0, 5.0]),
    ] {
        for (poll_s, answer_ns) in
            polls_s.iter().flat_map(|poll_s| [(*poll_s, 0), (*poll_s, 1_500_000)])
        {
            let jitter_ns = jitter_ms * 1_000_000;
            let agent = Agent { jitter_ns, answer_ns, ..Agent::new(period_s, 1.013, poll_s) };
            let values = agent.values(7200, steady(1_000_000));
            for (second, rate) in &values {
                assert!(
                    (rate / 1e6 - 1.0).abs() < 0.05,
                    "{period_s} s, {jitter_ms} ms, polled each {poll_s} s: {rate} at {second}"
                );
            }
            assert!(values.len() >= 25, "{period_s} {poll_s}: {}", values.len());
        }
    }
}

#[test]
fn agents_that_scatter_are_found_out_and_calm_ones_never_wrong() {
    let mut state = 12_345_u64;
    let mut below = |end: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let (mut wrong, mut in_all) = (0, 0);
    for number in 0..200 {
        let period_ns = 1_000_000_000 + below(20_000) * 1_000_000;
        let percent = [1, 3, 8, 12, 20][number % 5];
        let agent = Agent {
            period_ns,
            phase_ns: below(1000) * 1_000_000,
            jitter_ns: period_ns / 100 * percent,
            answer_ns: below(3) * 1_000_000,
            ..Agent::new(1.0, [1.013, 10.0][number % 2], [0.2, 1.0, 1.0][number % 3])
        };
        let values = agent.values(1800, steady(1_000_000));
        let off = values.iter().filter(|(_, rate)| (rate / 1e6 - 1.0).abs() >= 0.05).count();
        assert!(percent > 3 || off == 0, "{period_ns} {percent}: {off}");
        wrong += off;
        in_all += values.len();
    }
    // Renewals can look regular by chance, at first.
    assert!(in_all > 8000 && wrong * 200 <= in_all, "{wrong} of {in_all}");
}

#[test]
fn a_value_comes_with_each_renewal_once_the_period_is_known() {
    for (period_s, poll_s, first_s, values_at_least) in [
        (10.0, 1.0, 31.0, 355),
        (20.0, 1.0, 61.0, 175),
        (5.0, 1.0, 31.0, 700),
        (60.0, 1.0, 181.0, 57),
        (10.0, 2.0, 61.0, 350),
        (1.0, 0.2, 10.0, 3500),
    ] {
        let values = Agent::new(period_s, 1.013, poll_s).values(3600, steady(20_600));
        assert!(values[0].0 <= first_s, "{period_s} {poll_s}: {}", values[0].0);
        assert!(values.len() >= values_at_least, "{period_s} {poll_s}: {}", values.len());
    }
}

#[test]
fn counters_that_are_renewed_with_the_reading_are_as_old_as_it_says() {
    for (cadence_s, values_at_least) in [(10.0, 355), (9.9997, 355), (20.0, 175), (60.0, 55)] {
        let agent = Agent { is_together: true, ..Agent::new(10.0, cadence_s, 1.0) };
        let values = agent.values(3600, steady(1_000_000));
        assert!(values.iter().all(|(_, rate)| (rate / 1e6 - 1.0).abs() < 0.05), "{values:?}");
        // Exact once it is sure that this is no chance.
        let later = &values[values.len() / 4..];
        assert!(later.iter().all(|(_, rate)| (rate / 1e6 - 1.0).abs() < 1e-6), "{values:?}");
        // What came before the first change is unknown.
        assert!(values[0].0 <= 3.0 * cadence_s + 3.0, "{:?}", values[0]);
        assert!(values.len() >= values_at_least, "{}", values.len());
    }
}

#[test]
fn a_renewal_just_before_a_poll_is_known_as_soon_as_any_other() {
    // The poll before it then comes nine tenths of a renewal after the last one.
    for cadence_phase_ns in [1, 400_000, 15_000_000, 500_000_000, 999_000_000] {
        let agent = Agent {
            is_together: true,
            answer_ns: 400_000,
            cadence_phase_ns,
            ..Agent::new(10.0, 9.999_99, 1.0)
        };
        let values = agent.values(120, steady(1_000_000));
        assert!(values[0].0 <= 42.0, "{cadence_phase_ns}: {values:?}");
        assert!(values.iter().all(|(_, rate)| (rate / 1e6 - 1.0).abs() < 0.05), "{values:?}");
    }
}

#[test]
fn a_load_that_changes_is_followed_and_no_byte_is_lost() {
    for (period_s, poll_s) in [(10.0, 1.0), (5.0, 1.0), (20.0, 1.0), (10.0, 15.0), (1.0, 1.0)] {
        // A minute of 2 MB/s in every five, else 100 kB/s.
        let bytes = |at_ns: u64| {
            let (rounds, ms) = (at_ns / 1_000_000 / 300_000, at_ns / 1_000_000 % 300_000);
            let in_round = ms.min(60_000) * 2000 + ms.saturating_sub(60_000) * 100;
            rounds * (60_000 * 2000 + 240_000 * 100) + in_round
        };
        let values = Agent::new(period_s, 1.013, poll_s).values(7200, bytes);
        let first = values[0].0;
        let mut before = first;
        let mut total = 0.0;
        for (second, rate) in &values[1..] {
            total += rate * (second - before);
            before = *second;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "hours"
        )]
        let expected = (bytes((before * 1e9) as u64) - bytes((first * 1e9) as u64)) as f64;
        assert!((total / expected - 1.0).abs() < 0.05, "{period_s} {poll_s}: {total} {expected}");
    }
}

#[test]
fn counters_that_stand_are_zero_only_once_they_are_known_to_be_renewed() {
    // 1 MB/s for five minutes, nothing for five, then 1 MB/s again.
    let bytes = |at_ns: u64| {
        let ms = at_ns / 1_000_000;
        (ms.min(300_000) + ms.saturating_sub(600_000)) * 1000
    };
    let values = Agent::new(10.0, 1.013, 1.0).values(900, bytes);
    let idle: Vec<_> =
        values.iter().filter(|(second, _)| (345.0..599.0).contains(second)).collect();
    assert!(idle.len() >= 6 && idle.iter().all(|(_, rate)| *rate == 0.0), "{idle:?}");
    // No value is higher than the truth, and it is reached again.
    assert!(values.iter().all(|(_, rate)| *rate < 1.05e6), "{values:?}");
    assert!(values.last().unwrap().1 > 0.95e6);
    // Never renewed: nothing is known, not even zero.
    assert_eq!(Agent::new(10.0, 1.013, 1.0).values(900, |_| 0), []);
}

#[test]
fn a_renewal_that_fails_is_no_zero_and_no_double() {
    // The agent misses one renewal in seven.
    let bytes = |at_ns: u64| {
        let renewal = at_ns / (10 * SECOND_NS);
        let shown = if renewal % 7 == 3 { renewal - 1 } else { renewal };
        shown * 10_000_000
    };
    let values = Agent::new(10.0, 1.013, 1.0).values(3600, bytes);
    assert!(values.len() > 200, "{}", values.len());
    assert!(values.iter().all(|(_, rate)| (rate / 1e6 - 1.0).abs() < 0.05), "{values:?}");
}

#[test]
fn an_endpoint_that_replays_is_no_idle_network_and_no_spike_after_it() {
    // 1 MB/s, renewed each 10 s; from 200 s to 265 s the answer is the one of 200 s.
    let start = Instant::now();
    let mut network = TaskNetwork::default();
    let mut container = Container::new("a".into(), "web".into(), start);
    container.described.network_mode = Some(NetworkMode::Awsvpc);
    let mut containers = [container];
    let mut values = Vec::new();
    for second in 0..400_u64 {
        let is_stalled = (200..265).contains(&second);
        let at = if is_stalled { 199 } else { second };
        containers[0].network =
            Some(NetworkReading { rx_bytes: 5_000_000_000 + at / 10 * 10_000_000, tx_bytes: 7 });
        let read = Timestamp::from_unix_ns(START_NS + second * SECOND_NS);
        containers[0].new_read = Some(read).filter(|_| !is_stalled);
        let now = Now { instant: start + Duration::from_secs(second), wall: read };
        if !is_stalled {
            containers[0].fresh.on_reading(read, now);
        }
        if let NetworkOutcome::Rates { rates, .. } =
            network.on_answer(&containers, now.instant, now)
        {
            values.push(rates[0]);
        }
    }
    assert!(values.len() > 20, "{values:?}");
    assert!(values.iter().all(|rate| (rate / 1e6 - 1.0).abs() < 0.05), "{values:?}");
}

#[test]
fn an_answer_that_took_long_shows_what_may_be_old() {
    // Polled each 200 ms, renewed each 10 s at 1 MB/s; some answers take 4.9 s, and show
    // what was there when they were asked for.
    let start = Instant::now();
    let mut network = TaskNetwork::default();
    let mut container = Container::new("a".into(), "web".into(), start);
    container.described.network_mode = Some(NetworkMode::Awsvpc);
    let mut containers = [container];
    let mut values = Vec::new();
    let (mut at_ms, mut polls) = (0, 0_u64);
    while at_ms < 600_000 {
        let asked_ms = at_ms;
        polls += 1;
        at_ms += if polls.is_multiple_of(37) { 4900 } else { 200 };
        let shown = (asked_ms + 4000) / 10_000 * 10_000_000;
        containers[0].network =
            Some(NetworkReading { rx_bytes: 5_000_000_000 + shown, tx_bytes: 7 });
        let wall = Timestamp::from_unix_ns(START_NS + at_ms * 1_000_000);
        containers[0].new_read = Some(wall);
        let asked = start + Duration::from_millis(asked_ms);
        let now = Now { instant: start + Duration::from_millis(at_ms), wall };
        if let NetworkOutcome::Rates { rates, .. } = network.on_answer(&containers, asked, now) {
            values.push(rates[0]);
        }
    }
    assert!(values.len() > 10, "{values:?}");
    assert!(values.iter().all(|rate| (rate / 1e6 - 1.0).abs() < 0.05), "{values:?}");
}

mod two;
