//! Networks that are shared, and the clock: what real documents do to the rates.

use super::{catalogue::*, *};

/// What the network came to over `polls`, each the document of one second.
fn network_of(task: &str, polls: impl Iterator<Item = String>) -> Vec<(Option<u16>, f64)> {
    let mut bench = Bench::measuring(&["web"], &[Metric::NetworkRxBytes]);
    bench.task(task);
    polls
        .flat_map(|document| all_values(&mut bench, &document))
        .map(|(_, container, value)| (container, value))
        .collect()
}

#[test]
fn on_awsvpc_ec2_the_bytes_of_ten_seconds_never_look_like_those_of_one() {
    let task = task_with("{}", r#""awsvpc""#, &[("web", "{}")]);
    // Renewed every 10 s, 100 bytes a second; from the first poll on.
    let polls = (10..120_u64).map(|read| {
        format!("{{{}}}", full("web", read, read, 60, Some((read + 3) / 10 * 1000), 0))
    });
    let seen = network_of(&task, polls);
    assert!(seen.len() >= 7, "{seen:?}");
    assert!(seen.iter().all(|(container, rx)| container.is_none() && (*rx - 100.0).abs() < 1e-9));
}

#[test]
fn on_awsvpc_a_sample_without_networks_is_no_zero_and_no_other_source() {
    let task = task_with("{}", r#""awsvpc""#, &[("web", "{}"), ("log", "{}")]);
    let polls = (10..200_u64).map(|read| {
        // The other one's counters would be a jump, were they taken.
        let (net, other) = (read * 100, 7_000_000 + read * 100);
        let log = full("log", read, read, 60, Some(other), 0);
        let web = match read {
            15 => full("web", read, read, 60, None, 0),
            20 | 21 => r#""web": null"#.to_owned(),
            _ => full("web", read, read, 60, Some(net), 0),
        };
        format!("{{{web}, {log}}}")
    });
    let seen = network_of(&task, polls);
    // One right value in 20 s: how old the counters are is known to a second.
    assert!(seen.len() >= 7, "{seen:?}");
    assert!(seen.iter().all(|(_, rx)| (*rx - 100.0).abs() < 5.0), "{seen:?}");
}

#[test]
fn a_source_that_is_gone_is_replaced_without_a_jump() {
    let task = task_with("{}", r#""awsvpc""#, &[("web", "{}"), ("log", "{}")]);
    let polls = (10..400_u64).map(|read| {
        let log = full("log", read, read, 60, Some(7_000_000 + read * 100), 0);
        let web = if read < 30 {
            full("web", read, read, 60, Some(read * 100), 0)
        } else {
            entry("web", read, read)
        };
        format!("{{{web}, {log}}}")
    });
    let seen = network_of(&task, polls);
    assert!(seen.len() > 15, "{}", seen.len());
    assert!(seen.iter().all(|(_, rx)| (*rx - 100.0).abs() < 1e-9), "{seen:?}");
}

#[test]
fn one_container_that_says_awsvpc_says_it_for_all() {
    let task = task_with("{}", r#""awsvpc""#, &[("pause", "{}"), ("web", "{}")]);
    let task = {
        let position = task.rfind(r#""awsvpc""#).unwrap();
        format!("{}null{}", &task[..position], &task[position + 8..])
    };
    let polls = (10..60_u64).map(|read| {
        let of = |id| full(id, read, read, 60, Some(read / 10 * 1000), 0);
        format!("{{{}, {}}}", of("pause"), of("web"))
    });
    let seen = network_of(&task, polls);
    assert!(!seen.is_empty() && seen.iter().all(|(container, _)| container.is_none()), "{seen:?}");
}

#[test]
fn a_clock_that_is_set_makes_no_network_rate_of_the_task() {
    for fargate in ["", r#""LaunchType": "FARGATE", "#] {
        for set_s in [-8_i64, -5, 60, 1200] {
            let task = task_with("{}", r#""awsvpc""#, &[("web", "{}")]);
            let task = task.replacen('{', &format!("{{{fargate}"), 1);
            let polls = (10..120_u64).map(|second| {
                let read = if second < 32 { second } else { second.saturating_add_signed(set_s) };
                let bytes =
                    if fargate.is_empty() { (second + 3) / 10 * 1000 } else { second * 100 };
                format!("{{{}}}", full("web", read, second, 60, Some(bytes), 0))
            });
            let seen = network_of(&task, polls);
            assert!(seen.len() >= 3, "{fargate} {set_s}: {seen:?}");
            assert!(
                seen.iter().all(|(_, rx)| (*rx - 100.0).abs() < 1e-9),
                "{fargate} {set_s}: {seen:?}"
            );
        }
    }
}
