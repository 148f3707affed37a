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

/// The counters as they were last seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NetworkRates {
    base: Option<(Timestamp, NetworkStats)>,
}

/// What a new sample of the counters came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NetworkOutcome {
    /// Bytes a second, received and sent.
    Rates { rx: f64, tx: f64 },
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
        let Some((base_read, base)) = self.base else {
            self.base = Some((read, network));
            return NetworkOutcome::Nothing;
        };
        if held && network == base {
            let Some(elapsed_ns) = read.ns_since(base_read) else {
                self.base = Some((read, network));
                return NetworkOutcome::Reset;
            };
            if elapsed_ns < UNCHANGED_NS {
                return NetworkOutcome::Nothing;
            }
            // There was a renewal 10 s after the last one: from there on the
            // next change is measured.
            let renewed = Timestamp::from_unix_ns(base_read.unix_ns() + RENEWAL_NS);
            self.base = Some((renewed, network));
            return NetworkOutcome::Rates { rx: 0.0, tx: 0.0 };
        }
        self.base = Some((read, network));
        let rate = |total, base_total| {
            difference(Counter { read: base_read, total: base_total }, Counter { read, total })
        };
        match (rate(network.rx_bytes, base.rx_bytes), rate(network.tx_bytes, base.tx_bytes)) {
            (Difference::PerNs(rx), Difference::PerNs(tx)) => {
                NetworkOutcome::Rates { rx: rx * NS_PER_SECOND, tx: tx * NS_PER_SECOND }
            }
            (Difference::Duplicate, _) | (_, Difference::Duplicate) => NetworkOutcome::Nothing,
            _ => NetworkOutcome::Reset,
        }
    }

    /// Starts anew: the counters are another container's from here on.
    pub(super) fn forget(&mut self) {
        self.base = None;
    }
}

impl NetworkOutcome {
    /// The values by metric.
    pub(super) fn values(self) -> impl Iterator<Item = (Metric, f64)> {
        let values = match self {
            Self::Rates { rx, tx } => {
                Some([(Metric::NetworkRxBytes, rx), (Metric::NetworkTxBytes, tx)])
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

    fn rates(rx: f64) -> NetworkOutcome {
        NetworkOutcome::Rates { rx, tx: 2.0 * rx }
    }

    #[test]
    fn rates_are_per_second_of_read() {
        let mut network = NetworkRates::default();
        for (second, total, expected) in [
            (0, 1000, NetworkOutcome::Nothing),
            (1, 1500, rates(500.0)),
            (1, 1500, NetworkOutcome::Nothing),
            (3, 1500, rates(0.0)),
            (4, 100, NetworkOutcome::Reset),
            (5, 300, rates(200.0)),
        ] {
            assert_eq!(network.on_sample(at(second), bytes(total), false), expected, "{second}");
        }
    }

    #[test]
    fn held_counters_are_spread_over_the_time_they_were_held() {
        let mut network = NetworkRates::default();
        // 100 bytes a second, renewed at 5, 15, 25, …; seen each second.
        let mut seen = Vec::new();
        for second in 0..46_u64 {
            let renewed = (second + 5) / 10;
            if let NetworkOutcome::Rates { rx, .. } =
                network.on_sample(at(second), bytes(renewed * 1000), true)
            {
                seen.push((second, rx));
            }
        }
        // The first change is measured from the first sight, which may be late.
        assert_eq!(seen[1..], [(15, 100.0), (25, 100.0), (35, 100.0), (45, 100.0)]);
    }

    #[test]
    fn held_counters_that_do_not_move_are_zero_and_the_next_change_is_right() {
        let mut network = NetworkRates::default();
        let mut seen = Vec::new();
        for second in 0..61_u64 {
            // Renewed at 0, 10, 20, …; moves at 10 and at 50 only.
            let total = match second {
                0..10 => 0,
                10..50 => 1000,
                _ => 3000,
            };
            if let NetworkOutcome::Rates { rx, .. } =
                network.on_sample(at(second), bytes(total), true)
            {
                seen.push((second, rx));
            }
        }
        assert_eq!(seen, [(10, 100.0), (22, 0.0), (32, 0.0), (42, 0.0), (50, 200.0)]);
    }
}
