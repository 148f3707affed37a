//! One run of the program against a CloudWatch that has its troubles.

use std::{
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::{CloudWatch, Fault},
    containers::Shape,
    http::Settings,
    metadata::MetadataEndpoint,
};

use super::{
    AT_ONCE, Esp, Log, agent,
    ledger::{self, Ledger},
};

/// For what takes some tries, with the waits between them, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A request each second, so that much happens in little time.
const EACH_SECOND: (&str, &str) = ("PUBLISH_INTERVAL", "1s");

/// A healthy metadata endpoint of a container with half a CPU.
pub(crate) fn healthy() -> MetadataEndpoint {
    healthy_with(Settings { port: 0, idle: Duration::from_secs(5) })
}

pub(crate) fn healthy_with(settings: Settings) -> MetadataEndpoint {
    let agent = agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {});
    MetadataEndpoint::start_with(settings, agent)
}

pub(crate) struct Run {
    pub(crate) metadata: MetadataEndpoint,
    pub(crate) cloudwatch: CloudWatch,
    pub(crate) esp: Esp,
}

impl Run {
    pub(crate) fn start(cloudwatch: CloudWatch, more: &[(&str, &str)]) -> Self {
        let url = cloudwatch.url();
        Self::start_with(healthy(), cloudwatch, &url, more, |_| {})
    }

    /// The same with an endpoint, a URL, and changes to the command of its own.
    pub(crate) fn start_with(
        metadata: MetadataEndpoint,
        cloudwatch: CloudWatch,
        url: &str,
        more: &[(&str, &str)],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let more = [&[EACH_SECOND], more].concat();
        let mut command = Esp::between(&metadata, url, &more);
        change(&mut command);
        let esp = Esp::run(&mut command);
        Self { metadata, cloudwatch, esp }
    }

    /// Waits until CloudWatch has that many datums more than now.
    pub(crate) fn goes_through(&self, datums: usize) {
        let before = self.cloudwatch.datums().len();
        assert!(self.cloudwatch.wait_for(before + datums, PATIENCE), "nothing gets through");
    }

    /// Waits until CloudWatch has that many datums more and has answered for
    /// them, and no request is under way for a while.
    pub(crate) fn is_quiet_after(&self, datums: usize) {
        self.goes_through(datums);
        // The answer follows the datums at once; the next request does not.
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Waits for a condition.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until sampling has gone on for that many polls.
    pub(crate) fn polls(&self, polls: u64) {
        let before = self.metadata.stats_requests();
        self.until("polls", |run| run.metadata.stats_requests() >= before + polls);
    }

    /// Ends it in time, with code 0, books that balance and no tick missed.
    pub(crate) fn end(self) -> Ended {
        self.end_within(AT_ONCE)
    }

    /// The same after an endpoint that was slow: ticks were missed.
    pub(crate) fn end_after_slowness(self) -> Ended {
        let asked = SystemTime::now();
        self.esp.signal("TERM");
        self.books(asked, AT_ONCE)
    }

    pub(crate) fn end_within(self, most: Duration) -> Ended {
        let asked = SystemTime::now();
        self.esp.signal("TERM");
        self.ended_within(asked, most)
    }

    /// The same after a signal that was sent already.
    pub(crate) fn ended_within(self, asked: SystemTime, most: Duration) -> Ended {
        let ended = self.books(asked, most);
        ended.log.assert_no_tick_missed();
        ended
    }

    fn books(self, asked: SystemTime, most: Duration) -> Ended {
        let (status, log) = self.esp.ended_within(most);
        assert_eq!(status.code(), Some(0), "{}", log.text);
        let ledger = ledger::balanced(&log, &self.metadata, &self.cloudwatch, asked);
        Ended { log, ledger, metadata: self.metadata, cloudwatch: self.cloudwatch }
    }
}

/// What is left of a run.
pub(crate) struct Ended {
    pub(crate) log: Log,
    pub(crate) ledger: Ledger,
    pub(crate) metadata: MetadataEndpoint,
    pub(crate) cloudwatch: CloudWatch,
}

impl Ended {
    /// How often something failed and worked again, as the log has it: at most
    /// one warning a minute, and an end for each.
    pub(crate) fn assert_one_trouble(&self, what: &str) {
        self.log.expect(&format!("{what} fails"));
        self.log.expect(&format!("{what} works again"));
        assert_eq!(self.log.at("WARN").count(), 1, "{}", self.log.text);
    }

    pub(crate) fn assert_no_trouble(&self) {
        assert!(self.log.lines.iter().all(|line| line["level"] == "INFO"), "{}", self.log.text);
    }

    /// Nothing is left behind, and nothing was dropped.
    pub(crate) fn assert_all_published(&self) {
        self.log.expect_all_published();
        assert!(self.ledger.figure("published") > 0);
    }
}

/// A run whose requests meet these steps, and then go well.
pub(crate) fn after(steps: impl IntoIterator<Item = Option<Fault>>) -> Ended {
    let steps: Vec<_> = steps.into_iter().collect();
    let cloudwatch = CloudWatch::start();
    let requests = steps.len() + 2;
    cloudwatch.script_steps(steps);
    let run = Run::start(cloudwatch, &[]);
    assert!(run.cloudwatch.wait_for_requests(requests, PATIENCE));
    run.end()
}

/// A run in which no connection to `url` comes about: that is said, nothing is
/// sent, sampling goes on and the end is in time.
pub(crate) fn without_connection(url: &str) {
    let more = [("SHUTDOWN_GRACE", "1s")];
    let run = Run::start_with(healthy(), CloudWatch::start(), url, &more, |_| {});
    // Two tries of 3 s and their waits; two of 10 s would take longer than that.
    // A resolver without a network may take its time for each, too.
    run.polls(14);
    let ended = run.end_within(Duration::from_secs(3));
    assert!(ended.ledger.requests("unreachable") >= 2, "{}", ended.log.text);
    assert_eq!(ended.ledger.unanswered(), 0);
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
    ended.log.expect("publishing to CloudWatch fails");
}

/// Between the arrival of one request and of the next.
pub(crate) fn gaps(cloudwatch: &CloudWatch) -> Vec<Duration> {
    let requests = cloudwatch.requests();
    let gap = |pair: &[_]| -> Duration {
        let [earlier, later]: &[esp_endpoints::cloudwatch::RequestRecord; 2] =
            pair.try_into().unwrap();
        later.received.duration_since(earlier.received).unwrap_or_default()
    };
    requests.windows(2).map(gap).collect()
}
