//! Services of several sizes as a table.

use std::time::Duration;

use crate::{
    arguments::Arguments,
    assumptions::{ACCOUNT_REQUESTS_PER_S, KERNEL_PROOF_S},
    fleet::{Above, CALM, Event, Fleet, HOT, Kernel},
    race::Offset,
    stats::Latencies,
};

/// A row: what happens, how requests go out, the service.
type Row = (&'static str, &'static str, Fleet);

/// `WARMUP` in the rows that have one, and `PUBLISH_INTERVAL` in those that have a longer one.
const WARM_UP: Duration = Duration::from_secs(30);
const RARELY_S: f64 = 30.0;

fn rows(tasks: u64) -> Vec<Row> {
    let (one, third, all) =
        (Event::TurnHot(1), Event::TurnHot(tasks.div_ceil(3)), Event::TurnHot(tasks));
    let narrow = |fleet: Fleet| Fleet { offset: Offset::Within(2.0), ..fleet };
    let both = |words: &'static str, event| {
        [
            (words, "fixed", Fleet::fixed(tasks, event)),
            ("", "adaptive", Fleet::adaptive(tasks, event)),
        ]
    };
    let mut rows = Vec::new();
    if tasks == 1 {
        rows.extend(both("it turns hot", all));
        return rows;
    }
    if tasks == 5000 || tasks == 6000 {
        rows.push(("all start at once", "adaptive", Fleet::adaptive(tasks, Event::AllStart)));
        return rows;
    }
    if tasks >= 10_000 {
        let rarely =
            |fleet| Fleet { interval_s: RARELY_S, offset: Offset::Within(RARELY_S), ..fleet };
        rows.extend(both("all turn hot", all));
        rows.push(("", "fixed, each 30 s", rarely(Fleet::fixed(tasks, all))));
        rows.push(("", "adaptive, each 30 s", rarely(Fleet::adaptive(tasks, all))));
        let start = Fleet::adaptive(tasks, Event::AllStart);
        rows.push(("all start at once", "adaptive", start));
        rows.push(("", "adaptive, each 30 s", rarely(start)));
        return rows;
    }
    if tasks < 1000 {
        rows.extend(both("one turns hot", one));
        rows.push(("", "adaptive, all within 2 s", narrow(Fleet::adaptive(tasks, one))));
    }
    if (10..3000).contains(&tasks) {
        rows.extend(both("a third turns hot", third));
    }
    rows.extend(both("all turn hot", all));
    if tasks == 100 {
        let unlucky = Fleet { throttled_percent: 5, ..Fleet::adaptive(tasks, all) };
        rows.push(("the same, 5 % of requests throttled", "adaptive", unlucky));
        let mixed = Fleet { kernel: Kernel::Half, ..Fleet::adaptive(tasks, third) };
        rows.push(("a third turns hot, half without the kernel", "adaptive", mixed));
    }
    if tasks == 10 || tasks == 100 {
        for (words, kernel) in [
            ("one turns hot, half without the kernel", Kernel::Half),
            ("one turns hot, the only one with the kernel", Kernel::Hot),
            ("one turns hot, the only one without the kernel", Kernel::Calm),
        ] {
            rows.push((words, "adaptive", Fleet { kernel, ..Fleet::adaptive(tasks, one) }));
        }
    }
    if (3..3000).contains(&tasks) {
        rows.extend(both("half is replaced, and starts up", Event::Deployment));
        let warm_up = WARM_UP;
        let deployed = Fleet::adaptive(tasks, Event::Deployment);
        rows.push(("", "adaptive, `WARMUP=30s`", Fleet { warm_up, ..deployed }));
        let proven = Fleet { kernel: Kernel::Proven, ..deployed };
        rows.push(("the same, on Fargate with the kernel", "adaptive", proven));
        rows.push(("", "adaptive, `WARMUP=30s`", Fleet { warm_up, ..proven }));
    }
    if (10..3000).contains(&tasks) {
        let uneven = Fleet {
            kernel: Kernel::Half,
            is_one_hot: true,
            throttled_percent: 5,
            ..Fleet::adaptive(tasks, Event::Deployment)
        };
        let words = "the same, one hot, half without the kernel, 5 % throttled";
        rows.push((words, "adaptive", uneven));
        rows.push(("", "adaptive, `WARMUP=30s`", Fleet { warm_up: WARM_UP, ..uneven }));
    }
    if tasks == 10 || tasks == 100 {
        let start = Fleet::adaptive(tasks, Event::AllStartUp);
        rows.push(("all are new, and start up", "adaptive", start));
        rows.push(("", "adaptive, `WARMUP=30s`", Fleet { warm_up: WARM_UP, ..start }));
    }
    if tasks >= 1000 {
        rows.push(("all start at once", "adaptive", Fleet::adaptive(tasks, Event::AllStart)));
        rows.push((
            "",
            "adaptive, all within 2 s",
            narrow(Fleet::adaptive(tasks, Event::AllStart)),
        ));
    }
    rows
}

/// Looks at services to which several things happen, and prints a row for each.
pub(crate) fn show(arguments: Arguments) {
    println!(
        "| tasks | what happens | publishing | average: most above the truth, mean distance | p90 | \
         maximum | alarm | p50 | p99 | requests in a second, most | throttled, most |"
    );
    println!("|--:|---|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for tasks in [1, 3, 10, 100, 1000, 3000, 5000, 6000, 10_000] {
        for (place, row) in rows(tasks).into_iter().enumerate() {
            let tasks = if place == 0 { tasks.to_string() } else { String::new() };
            show_row(arguments, &tasks, row);
        }
    }
    println!(
        "\nCalm tasks use {CALM:.0} %, hot ones {HOT:.0} %; the alarm is that of the examples, on the \
         average, at 60 %, at fifty phases\nof its evaluation. An account may ask \
         {ACCOUNT_REQUESTS_PER_S:.0} times a second in a Region. A new task has a sample each \
         second from its\nfirst on, as on EC2; on Fargate, and where some tasks are without the \
         kernel, one each 10 s for its first {KERNEL_PROOF_S:.0} s.\nThrottled, most: in the \
         repeat with the most."
    );
}

fn show_row(arguments: Arguments, tasks: &str, (event, publishing, fleet): Row) {
    let repeats = (300 / fleet.tasks).clamp(1, 40);
    let [mut average, mut p90, mut maximum] = [Above::default(); 3];
    let (mut fires, mut requests_most, mut throttled) = (0.0, 0, 0.0_f64);
    let mut latency = Latencies::default();
    for repeat in 0..repeats {
        let seen = fleet.look(arguments.seed + repeat, arguments.ingest_s);
        let each =
            [(&mut average, seen.average), (&mut p90, seen.p90), (&mut maximum, seen.maximum)];
        for (sum, above) in each {
            sum.most = sum.most.max(above.most);
            sum.distance += above.distance / repeats as f64;
        }
        fires += seen.fires / repeats as f64;
        requests_most = requests_most.max(seen.requests_most);
        throttled = throttled.max(seen.throttled);
        latency.extend(seen.latency);
    }
    latency.sort();
    let [half, most] = [0.5, 0.99].map(|share| {
        let seconds = latency.quantile(share);
        if seconds.is_finite() { format!("{seconds:.1}") } else { "–".to_owned() }
    });
    let [average, p90, maximum] =
        [average, p90, maximum].map(|Above { most, distance }| format!("{most:.0}, {distance:.1}"));
    let (fires, throttled) = (100.0 * fires, 100.0 * throttled);
    println!(
        "| {tasks} | {event} | {publishing} | {average} | {p90} | {maximum} | {fires:.0} % | {half} | \
         {most} | {requests_most} | {throttled:.0} % |"
    );
}
