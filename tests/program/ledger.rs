//! The books of a run: what the program says it did with its samples, beside what
//! the two endpoints saw of it. For one set of dimensions and no metrics about
//! the program itself.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use esp::time::timestamp::Timestamp;
use esp_endpoints::{agent::Cadence, cloudwatch::CloudWatch, metadata::MetadataEndpoint};

use super::Log;

/// Answers that say for certain whether the samples were accepted.
const ANSWERED: [&str; 5] = ["accepted", "throttled", "server_error", "denied", "invalid"];

/// The figures of the last line.
pub(crate) struct Ledger {
    line: serde_json::Value,
    /// Datums that CloudWatch has more than once, each time after the first.
    pub(crate) copies: u64,
}

impl Ledger {
    /// A figure of the last line.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        self.line[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.line))
    }

    /// Requests that ended like this.
    pub(crate) fn requests(&self, outcome: &str) -> u64 {
        self.figure(&format!("requests_{outcome}"))
    }

    /// Requests that were sent and got no answer.
    pub(crate) fn unanswered(&self) -> u64 {
        self.sum("requests", &["connection_lost", "no_answer"])
    }

    fn sum(&self, prefix: &str, names: &[&str]) -> u64 {
        names.iter().map(|name| self.figure(&format!("{prefix}_{name}"))).sum()
    }
}

/// Checks that the books balance. `asked` is when the signal was sent.
pub(crate) fn balanced(
    log: &Log,
    metadata: &MetadataEndpoint,
    cloudwatch: &CloudWatch,
    asked: SystemTime,
) -> Ledger {
    let mut ledger = Ledger { line: log.expect("esp stops").clone(), copies: 0 };
    let of = |name| ledger.figure(name);

    // Every sample has one fate.
    let reasons = ["full", "invalid", "time", "refused", "unaddressed"];
    assert_eq!(of("samples"), of("taken") + of("samples_warming_up"), "{}", log.text);
    let lost = ledger.sum("dropped", &reasons) + of("ambiguous");
    let fates = of("published") + lost + of("backlog");
    assert_eq!(of("taken"), fates, "{}", log.text);

    // CloudWatch has what was published, and besides only what the books call
    // uncertain: once, or, of that, more than once.
    let mut stored: HashMap<_, u64> = HashMap::new();
    for datum in cloudwatch.datums() {
        let name = (datum.metric_name.clone(), datum.dimensions.clone(), datum.timestamp_ms);
        *stored.entry(name).or_default() += 1;
    }
    let distinct = stored.len() as u64;
    let copies = stored.values().sum::<u64>() - distinct;
    let uncertain = of("ambiguous") + of("unconfirmed");
    let (published, taken) = (of("published"), of("taken"));
    assert!(
        (published..=taken.min(published + uncertain)).contains(&distinct),
        "CloudWatch has {distinct} samples\n{}",
        log.text
    );
    assert!(
        copies <= of("sent_again") + of("unconfirmed"),
        "CloudWatch has {copies} samples twice\n{}",
        log.text
    );

    // And it saw no request that the books do not know.
    let seen = cloudwatch.requests().len() as u64;
    let answered = ledger.sum("requests", &ANSWERED);
    let perhaps = ledger.unanswered() + ledger.requests("credentials");
    // At the end one may be broken off.
    let under_way = u64::from(of("unconfirmed") > 0);
    assert!(
        (answered..=answered + perhaps + under_way).contains(&seen),
        "CloudWatch saw {seen} requests\n{}",
        log.text
    );

    // Sampling went on all the time: each tick was polled or is counted as missed,
    // and after the signal there was one poll more.
    let (ticks, polled_or_missed) = (ticks(log, asked), of("polls") + of("missed_ticks"));
    assert!(ticks.contains(&polled_or_missed), "{ticks:?} ticks\n{}", log.text);
    let asked_for = metadata.stats_requests();
    assert!(asked_for + of("failed_polls") >= of("polls"), "{asked_for}\n{}", log.text);

    ledger.copies = copies;
    ledger
}

/// The fewest and the most requests from the start to the signal, those included that
/// there was no time for. Each follows a renewal, so there are a little fewer than one an
/// interval if renewals are further apart, and one in ten may come sooner.
fn ticks(log: &Log, asked: SystemTime) -> RangeInclusive<u64> {
    // From the line to the first request, on a busy machine.
    let slack = Duration::from_millis(500) + log.waited;
    let time = |message| {
        let written = log.expect(message)["timestamp"].as_str().unwrap();
        UNIX_EPOCH + Duration::from_nanos(Timestamp::parse(written).unwrap().unix_ns())
    };
    let started = time("esp starts");
    let interval = interval(log.expect("esp starts")["sample_interval"].as_str().unwrap());
    let ticks =
        |lasted: Duration| u64::try_from(lasted.as_millis() / interval.as_millis()).unwrap();
    let rest = interval.max(Cadence::STREAMING.period) * 101 / 100;
    let rests = |lasted: Duration| u64::try_from(lasted.as_millis() / rest.as_millis()).unwrap();
    let least = asked.duration_since(started + slack).map_or(0, |lasted| rests(lasted) + 1);
    let most = time("esp stops").duration_since(started).map_or(0, |lasted| ticks(lasted) + 2);
    least..=most + most / 10 + 3
}

/// `200ms` or `1s`.
fn interval(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(ms) => Duration::from_millis(ms.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}
