//! Network rates, for one container or for a whole task. The counters differ
//! from all others in one point: on awsvpc EC2 they are renewed every 10 s, in
//! samples that are renewed every second.

use crate::{
    metric::Metric,
    stats::NetworkStats,
    timestamp::Timestamp,
    utilisation::{Counter, Difference, difference},
};

const NS_PER_SECOND: f64 = 1e9;

/// How often the agent renews the counters on awsvpc.
const RENEWAL_NS: u64 = 10_000_000_000;
/// Without a change for this long, a renewal has brought the same numbers.
const UNCHANGED_NS: u64 = RENEWAL_NS + 2_000_000_000;
/// Two changes closer than this are not one renewal apart: the moment of the
/// first is not what it was taken for.
const TOO_CLOSE_NS: u64 = RENEWAL_NS - 1_500_000_000;

/// The counters as they were last seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NetworkRates {
    base: Option<Base>,
}

#[derive(Clone, Copy, Debug)]
struct Base {
    read: Timestamp,
    network: NetworkStats,
    /// Whether held counters were renewed at `read`; not so when they are first
    /// seen, somewhere between two renewals.
    is_renewal: bool,
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
    /// Takes in the counters of a sample. `held` says that they are renewed
    /// more seldom than the sample around them: then a rate is taken from one
    /// change to the next, so that bytes of 10 s never look like those of one.
    pub(super) fn on_sample(
        &mut self,
        read: Timestamp,
        network: NetworkStats,
        held: bool,
    ) -> NetworkOutcome {
        let current = Base { read, network, is_renewal: false };
        let Some(base) = self.base else {
            self.base = Some(current);
            return NetworkOutcome::Nothing;
        };
        let Some(elapsed_ns) = read.ns_since(base.read) else {
            self.base = Some(current);
            return NetworkOutcome::Reset;
        };
        if !held {
            self.base = Some(current);
            return rates(base, current);
        }
        if network == base.network {
            // After a known renewal the next, which changed nothing, was 10 s
            // later; else it is certain only that one was within any 10 s.
            let patience_ns = if base.is_renewal { UNCHANGED_NS } else { 2 * RENEWAL_NS };
            if elapsed_ns < patience_ns {
                return NetworkOutcome::Nothing;
            }
            let until = Timestamp::from_unix_ns(base.read.unix_ns() + RENEWAL_NS);
            self.base = Some(Base { read: until, ..base });
            return NetworkOutcome::Rates { until, rx: 0.0, tx: 0.0 };
        }
        self.base = Some(Base { is_renewal: true, ..current });
        if base.is_renewal && elapsed_ns >= TOO_CLOSE_NS {
            rates(base, current)
        } else {
            NetworkOutcome::Nothing
        }
    }

    /// Starts anew: the counters are another container's from here on.
    pub(super) fn forget(&mut self) {
        self.base = None;
    }
}

fn rates(base: Base, current: Base) -> NetworkOutcome {
    let rate = |from, to| {
        let from = Counter { read: base.read, total: from };
        difference(from, Counter { read: current.read, total: to })
    };
    match (
        rate(base.network.rx_bytes, current.network.rx_bytes),
        rate(base.network.tx_bytes, current.network.tx_bytes),
    ) {
        (Difference::PerNs(rx), Difference::PerNs(tx)) => NetworkOutcome::Rates {
            until: current.read,
            rx: rx * NS_PER_SECOND,
            tx: tx * NS_PER_SECOND,
        },
        (Difference::Duplicate, _) | (_, Difference::Duplicate) => NetworkOutcome::Nothing,
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

    fn bytes(rx_bytes: u64) -> NetworkStats {
        NetworkStats { rx_bytes, tx_bytes: 2 * rx_bytes }
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
        // 100 bytes a second, renewed at 5, 15, 25, …; seen each second. The
        // change at 5 has no known beginning.
        let samples = (0..46).map(|second| (second, (second + 5) / 10 * 1000));
        let expected = [(15, 100.0), (25, 100.0), (35, 100.0), (45, 100.0)];
        assert_eq!(seen(samples, true), expected);
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
        let expected = [(14, 100.0), (24, 0.0), (34, 0.0), (44, 0.0), (54, 200.0)];
        assert_eq!(seen(samples, true), expected);
    }

    #[test]
    fn held_counters_that_never_moved_do_not_make_their_first_move_a_spike() {
        let samples = (0..40).map(|second| (second, if second < 33 { 0 } else { 9000 }));
        assert_eq!(seen(samples, true), [(10, 0.0), (20, 0.0)]);
    }
}
