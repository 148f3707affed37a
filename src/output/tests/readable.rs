//! Lines for people.

use super::*;

#[test]
fn readable_lines_are_in_columns() {
    let more = [("OUTPUT", "stdout"), ("METRICS", "all")];
    let mut bench = Bench::new(&more, "ClusterName,ServiceName;", &["web", "log_router"]);
    let at = START_MS + 12 * 3_600_000 + 34 * 60_000 + 56_007;
    bench.now_ms = at;
    for (metric, container, value) in [
        (Metric::CpuUtilization, Some(0), 25.149_9),
        (Metric::MemoryUtilized, Some(1), 1234.5),
        (Metric::EphemeralStorageUtilization, None, 0.0),
        (Metric::NetworkRxBytes, None, 123_456_789.6),
        (Metric::RestartCount, Some(1), 3.0),
    ] {
        bench.push(metric, container, at, value);
    }
    bench.finish();
    let expected = [
        "22:34:56.007Z  CPUUtilization                      25.15 %    web         ClusterName=shop ServiceName=web ContainerName=web; ContainerName=web",
        "22:34:56.007Z  MemoryUtilized                    1234.50 MiB  log_router  ClusterName=shop ServiceName=web ContainerName=log_router; ContainerName=log_router",
        "22:34:56.007Z  EphemeralStorageUtilization          0.00 %    (task)      ClusterName=shop ServiceName=web; (none)",
        "22:34:56.007Z  NetworkRxBytes                  123456790 B/s  (task)      ClusterName=shop ServiceName=web; (none)",
        "22:34:56.007Z  RestartCount                            3      log_router  ClusterName=shop ServiceName=web ContainerName=log_router; ContainerName=log_router",
    ];
    assert_eq!(bench.lines(), expected);
}
