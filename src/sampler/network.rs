//! Network rates, for one container or for a whole task. The counters differ
//! from all others in one point: on awsvpc EC2 they are renewed every 10 s, in
//! samples that are renewed every second.

use crate::{reading::NetworkReading, sample::metric::Metric, time::timestamp::Timestamp};

const NS_PER_SECOND: f64 = 1e9;

/// How often the agent renews the counters on awsvpc EC2.
const RENEWAL_NS: u64 = 10_000_000_000;
/// So late a renewal may be seen.
const LATENESS_NS: u64 = 5_000_000_000;

/// The counters as they were last seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NetworkRates {
    last: Option<Seen>,
    /// Held counters: up to here every renewal is accounted for.
    accounted: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    read: Timestamp,
    network: NetworkReading,
}

/// What a new sample of the counters came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NetworkOutcome {
    /// Bytes a second, received and sent, up to a moment.
    Rates { until: Timestamp, rx: f64, tx: f64 },
    /// A first sample, a replay, or counters that are not due.
    Nothing,
    /// A counter fell, or the clock did.
    Reset,
}

impl NetworkRates {
    /// Takes in the counters of a sample. `held` says that the agent renews them
    /// every 10 s, whatever the sample around them does: then a change is what
    /// came in 10 s, whenever it is seen, and never looks like the bytes of the
    /// one second in which it was.
    pub(super) fn on_sample(
        &mut self,
        read: Timestamp,
        network: NetworkReading,
        held: bool,
    ) -> NetworkOutcome {
        let current = Seen { read, network };
        let Some(previous) = self.last.replace(current) else {
            self.accounted = Some(read);
            return NetworkOutcome::Nothing;
        };
        let Some(gap_ns) = read.ns_since(previous.read) else {
            self.accounted = Some(read);
            return NetworkOutcome::Reset;
        };
        if !held {
            return rates(previous, current, gap_ns);
        }
        let accounted = self.accounted.unwrap_or(previous.read);
        if network != previous.network {
            self.accounted = Some(read);
            // One renewal, where samples come faster than that; over a longer
            // gap, what came in it.
            return rates(previous, current, gap_ns.max(RENEWAL_NS));
        }
        let since_ns = read.ns_since(accounted).unwrap_or_default();
        let renewals = since_ns.saturating_sub(LATENESS_NS) / RENEWAL_NS;
        if renewals == 0 {
            return NetworkOutcome::Nothing;
        }
        let until = Timestamp::from_unix_ns(accounted.unix_ns() + renewals * RENEWAL_NS);
        self.accounted = Some(until);
        NetworkOutcome::Rates { until, rx: 0.0, tx: 0.0 }
    }

    /// Starts anew: the counters are another container's from here on.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The growth from one to the other over `elapsed_ns`.
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
fn rates(previous: Seen, current: Seen, elapsed_ns: u64) -> NetworkOutcome {
    if elapsed_ns == 0 {
        return NetworkOutcome::Nothing;
    }
    let rate = |from: u64, to: u64| {
        to.checked_sub(from).map(|bytes| bytes as f64 / (elapsed_ns as f64 / NS_PER_SECOND))
    };
    let rx = rate(previous.network.rx_bytes, current.network.rx_bytes);
    let tx = rate(previous.network.tx_bytes, current.network.tx_bytes);
    match (rx, tx) {
        (Some(rx), Some(tx)) => NetworkOutcome::Rates { until: current.read, rx, tx },
        _ => NetworkOutcome::Reset,
    }
}

impl NetworkOutcome {
    /// The values by metric, each with its timestamp.
    pub(super) fn values(self) -> impl Iterator<Item = (Metric, Timestamp, f64)> {
        let values = match self {
            Self::Rates { until, rx, tx } => {
                Some([(Metric::NetworkRxBytes, until, rx), (Metric::NetworkTxBytes, until, tx)])
            }
            Self::Nothing | Self::Reset => None,
        };
        values.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_ns(second * 1_000_000_000)
    }

    fn bytes(rx_bytes: u64) -> NetworkReading {
        NetworkReading { rx_bytes, tx_bytes: 2 * rx_bytes }
    }

    /// What a row of `(second, total)` comes to: `(until, rx)`.
    fn seen(samples: impl Iterator<Item = (u64, u64)>, held: bool) -> Vec<(u64, f64)> {
        let mut network = NetworkRates::default();
        let outcomes = samples.map(|(s, total)| network.on_sample(at(s), bytes(total), held));
        let values = outcomes.flat_map(NetworkOutcome::values);
        values
            .filter(|(metric, ..)| *metric == Metric::NetworkRxBytes)
            .map(|(_, until, rx)| (until.unix_ms() / 1000, rx))
            .collect()
    }

    #[test]
    fn rates_are_per_second_of_read() {
        let samples = [(0, 1000), (1, 1500), (1, 1500), (3, 1500), (4, 100), (5, 300)];
        assert_eq!(seen(samples.into_iter(), false), [(1, 500.0), (3, 0.0), (5, 200.0)]);
        let mut network = NetworkRates::default();
        network.on_sample(at(1), bytes(1000), false);
        assert_eq!(network.on_sample(at(2), bytes(10), false), NetworkOutcome::Reset);
        assert_eq!(network.on_sample(at(1), bytes(20), false), NetworkOutcome::Reset);
    }

    #[test]
    fn held_counters_are_spread_over_the_time_they_were_held() {
        // 100 bytes a second, renewed at 5, 15, 25, …, seen at any interval that
        // is shorter: no rate but the true one.
        for step in 1..10 {
            let samples = (0..100).step_by(step).map(|second| (second, (second + 5) / 10 * 1000));
            let seen = seen(samples, true);
            assert!(seen.len() >= 8, "{step}: {seen:?}");
            assert!(seen.iter().all(|(_, rx)| (*rx - 100.0).abs() < 1e-9), "{step}: {seen:?}");
        }
    }

    #[test]
    fn samples_as_seldom_as_renewals_lose_nothing() {
        // 100 bytes a second, in samples 10.02 s to 60 s apart.
        for step_ms in [10_020, 15_000, 20_000, 30_000, 60_000] {
            let mut network = NetworkRates::default();
            let (mut bytes_seen, mut last_ms) = (0.0, 0);
            for ms in (0..7_200_000).step_by(step_ms) {
                let read = Timestamp::from_unix_ns(ms * 1_000_000);
                let renewed = (ms + 5_000) / 10_000 * 1000;
                if let NetworkOutcome::Rates { rx, .. } =
                    network.on_sample(read, bytes(renewed), true)
                {
                    #[expect(clippy::cast_precision_loss, reason = "two hours")]
                    let seconds = (ms - last_ms) as f64 / 1000.0;
                    bytes_seen += rx * seconds;
                }
                last_ms = ms;
            }
            assert!((bytes_seen / 720_000.0 - 1.0).abs() < 0.02, "{step_ms}: {bytes_seen}");
        }
    }

    #[test]
    fn idle_counters_are_zero_now_and_not_long_ago() {
        for step in [1, 11, 15, 30, 60] {
            let seen = seen((0..7200).step_by(step).map(|second| (second, 5)), true);
            let (until, rx) = *seen.last().unwrap();
            assert!(rx.abs() < 1e-9 && until + 75 > 7200, "{step}: {until}");
        }
    }

    #[test]
    fn held_counters_that_do_not_move_are_zero_and_the_next_change_is_right() {
        // Renewed at 4, 14, 24, …; moves at 4, 14 and 54 only.
        let samples = (0..61).map(|second| match second {
            0..4 => (second, 0),
            4..14 => (second, 500),
            14..54 => (second, 1500),
            _ => (second, 3500),
        });
        let expected = [(4, 50.0), (14, 100.0), (24, 0.0), (34, 0.0), (44, 0.0), (54, 200.0)];
        assert_eq!(seen(samples, true), expected);
    }

    #[test]
    fn another_container_starts_anew() {
        let mut network = NetworkRates::default();
        network.on_sample(at(1), bytes(1000), false);
        network.forget();
        assert_eq!(network.on_sample(at(2), bytes(9000), false), NetworkOutcome::Nothing);
    }
}
