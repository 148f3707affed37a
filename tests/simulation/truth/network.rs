//! The same of the network that the containers of an awsvpc task share: each value is right
//! to a twentieth, or there is none, however the agent renews it.

use super::*;

/// An answer that takes its time: when it arrives, when it was asked for, and what it
/// shows of the shared network: the renewal, its bytes, and `read`.
type Slow = (u64, u64, ((u64, u64), u64));

#[test]
fn each_value_of_a_shared_network_is_right_to_a_twentieth() {
    let wanted: MetricSet = [Metric::NetworkRxBytes].into_iter().collect();
    let mut in_all = 0;
    // The latter once gave a wrong value, or none: a replay that began just before its
    // reading was first seen, or while the cadence was not known yet.
    for seed in (0..80).chain([1041, 1684, 2555, 2741, 5263]) {
        let random = &mut Random::new(seed * 0x9e37_79b9 + 13);
        let agent = Agent::new(random);
        let period_ms = 1000 + random.below(59_000);
        let (mut rate, mut rate_until_ms, mut bytes) = (1000, 0, 1_u64 << 36);
        let first_ms = 1 + random.below(period_ms);
        let mut next_ms = first_ms;
        let mut stalled_until_ms = 0;
        let mut under_way: Option<Slow> = None;
        let mut replayed = ((0, 0), 0);
        // When the agent renewed the counters, and what they were.
        let mut renewed = vec![];
        let mut published_ms = 0;
        let ids = ["c0".to_owned()];
        let mut machine = Sampler::new(Selection::All, wanted);
        let mut parser = StatsParser::new(Parts::ALL);
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        let start = Instant::now();
        let document = TaskDocument::parse(&mut task(&ids, "awsvpc").into_bytes()).unwrap();
        machine.on_task(&document, at(start, 0), &mut samples, &mut events);
        let last_ms = (60 * period_ms).max(60 * agent.poll_ms);
        let mut count = 0;
        for ms in (50..last_ms).step_by(50) {
            if ms >= rate_until_ms {
                rate_until_ms = ms + 30_000 + random.below(600_000);
                rate = 100 + random.below(500_000);
            }
            bytes += rate * 50;
            if ms >= next_ms {
                // Go's ticker is late by little, and catches up.
                next_ms = first_ms + (renewed.len() as u64 + 1) * period_ms + random.below(30);
                renewed.push((ms, bytes));
            }
            let Some(&newest) = renewed.last() else { continue };
            let live = (newest, ms - ms % agent.cadence_ms);
            // Now and then Docker gives nothing new: the network goes on. Or the endpoint
            // replays all that it has, which shows if readings are due each second.
            if random.below(40_000) < agent.stalls {
                stalled_until_ms = ms + random.below(90_000);
                replayed = live;
            }
            let shown_now = match (ms < stalled_until_ms, agent.cadence_ms) {
                (false, _) => live,
                (true, ..2500) => replayed,
                (true, _) => (newest, replayed.1),
            };
            // An answer takes its time, and shows what there was when it was asked for.
            let due = match under_way {
                Some((arrives_ms, ..)) if ms < arrives_ms => continue,
                Some((_, asked_ms, shown)) => (asked_ms, shown),
                None if ms % agent.poll_ms != 0 || random.below(100) < agent.holes => continue,
                None if random.below(100) < agent.lates => {
                    under_way = Some((ms + random.below(4900), ms, shown_now));
                    continue;
                }
                None => (ms, shown_now),
            };
            under_way = None;
            let (asked_ms, ((renewed_ms, shown), read_ms)) = due;
            machine.on_asked(at(start, asked_ms).instant);
            let body = format!(
                r#"{{"c0": {{"read": "{}", "cpu_stats": {{"cpu_usage": {{"total_usage": 7}}}},
                "networks": {{"eth0": {{"rx_bytes": {shown}, "tx_bytes": {}}}}}}}}}"#,
                text(read_ms),
                shown / 7
            );
            let mut body = body.into_bytes();
            let read = |visit: &mut dyn FnMut(&str, Entry)| parser.parse(&mut body, visit);
            machine.on_readings(read, at(start, ms), &mut samples, &mut events).unwrap();
            for sample in samples.drain(..) {
                assert!(sample.container.is_none());
                let is_true = renewed.iter().any(|&(from_ms, from)| {
                    let ms = renewed_ms.saturating_sub(from_ms) as f64;
                    let truth = shown.saturating_sub(from) as f64 / ms * 1e3;
                    from_ms >= published_ms && ms > 0.0 && (sample.value / truth - 1.0).abs() < 0.05
                });
                assert!(
                    is_true,
                    "{seed} {agent:?}, renewed each {period_ms} ms: {sample:?}, {:?}",
                    &renewed[renewed.len().saturating_sub(4)..]
                );
                published_ms = renewed_ms;
                count += 1;
            }
        }
        assert!(count > 0, "{seed} {agent:?}, renewed each {period_ms} ms: no value at all");
        in_all += count;
    }
    assert!(in_all > 1000, "{in_all}");
}
