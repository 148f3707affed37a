//! A simulated week of the sidecar, AWS SDK and all, at the default settings: a
//! sample each second, a request each ten, faults now and then, an outage of
//! hours. Memory has to stay as it was in its second hour: its minimum, mean and
//! maximum. A program of its own, since everything that it allocates is counted.
//! Optimised, a week passes in about 40 s, which it says and does not insist on.

use std::time::{Duration, Instant};

use crate::simulated::{
    aws::{AwsScript, CloudWatchFault, KeyFault},
    environment,
    scenario::{Event, Scenario},
    script::Episode,
    task::{TaskEvent, TaskFault},
};
use esp::{publisher::Outcome, sidecar::Ended};
use esp_endpoints::{containers::Limits, metadata::Fault as EndpointFault, service::Fault};

const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);
const WEEK_HOURS: usize = 7 * 24;

/// Bytes that are allocated at the moment.
fn live_bytes() -> usize {
    let stats = crate::ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// From this hour of the week on, for so many minutes.
fn episode<F>(hour: u64, minutes: u64, percent: u8, fault: F) -> Episode<F> {
    let from = Duration::from_hours(hour);
    Episode { from, until: from + Duration::from_mins(minutes), percent, fault }
}

fn week() -> Scenario {
    let calm = Scenario::calm(WEEK);
    let service = CloudWatchFault::Service;
    let silence = Duration::from_mins(10);
    let at = |hour, event| (Duration::from_hours(hour), event);
    Scenario {
        task_faults: vec![
            episode(5, 600, 1, TaskFault::Reset),
            episode(30, 5, 100, TaskFault::Endpoint(EndpointFault::HangBeforeHead(silence))),
            episode(52, 60, 10, TaskFault::Endpoint(EndpointFault::TooManyRequests)),
            episode(77, 2, 100, TaskFault::Refused),
            episode(100, 30, 30, TaskFault::Endpoint(EndpointFault::GarbageBody)),
        ],
        aws: AwsScript {
            cloudwatch: vec![
                episode(6, 600, 2, service(Fault::Status(500))),
                episode(26, 180, 100, CloudWatchFault::NotConnected("could not resolve hostname")),
                episode(50, 20, 100, service(Fault::Throttle)),
                episode(74, 30, 50, service(Fault::HangBeforeHead(silence))),
                episode(98, 60, 20, service(Fault::CutAfterAcceptance)),
                episode(122, 30, 5, service(Fault::Huge(64 << 20))),
            ],
            keys: vec![episode(59, 90, 100, KeyFault::Status(500))],
            ..calm.aws
        },
        events: vec![
            at(20, Event::Task(TaskEvent::Restart("web".to_owned()))),
            at(44, Event::Task(TaskEvent::Replace("web".to_owned()))),
            at(60, Event::RevokeKeys),
            at(70, Event::Task(TaskEvent::Stall(Duration::from_mins(1)))),
            at(116, Event::Task(TaskEvent::SetClock(7_199_483))),
            at(117, Event::Task(TaskEvent::SetClock(0))),
        ],
        settled_from: Some(Duration::from_hours(124)),
        description: calm.description.with_container("proxy", Limits::default()),
        samples: 1_250_000,
        ..calm
    }
}

/// Live bytes of one hour, whenever nothing could run any more.
#[derive(Clone, Copy, Debug, Default)]
struct Hour {
    min: usize,
    max: usize,
    sum: usize,
    count: usize,
}

impl Hour {
    fn note(&mut self, live: usize) {
        self.min = if self.count == 0 { live } else { self.min.min(live) };
        self.max = self.max.max(live);
        self.sum += live;
        self.count += 1;
    }

    fn mean(self) -> usize {
        self.sum / self.count
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "twelve minutes unoptimised: .ci/simulation plays it")]
fn a_week_takes_no_more_memory_at_its_end() {
    environment::with_keys("week::a_week_takes_no_more_memory_at_its_end", || {
        let start = Instant::now();
        // Without what the simulation itself set aside.
        let mut before = None;
        let mut hours = [Hour::default(); WEEK_HOURS + 1];
        let played = week().play(|clock| {
            let now = live_bytes();
            let before = *before.get_or_insert(now);
            let hour = usize::try_from(clock.elapsed().as_secs() / HOUR.as_secs()).unwrap();
            hours[hour].note(now - before);
        });
        let took = start.elapsed();

        let figures = &played.figures;
        assert_eq!(played.ledger.complaints(), [""; 0]);
        assert_eq!((played.ended, played.figures.backlog), (Ended::Stopped, 0));
        // Three hours without CloudWatch, of which the last one is kept.
        let lost = figures.dropped_full;
        assert!((14_000..15_000).contains(&lost), "{lost}");
        assert_eq!(figures.taken, figures.published + lost + figures.ambiguous);
        println!(
            "a week in {:.1} s: {} samples, {} requests accepted, {} samples sent again, \
             {} accepted again; live bytes: hour 2 {:?}, hour 28 (outage) {:?}, hour {} {:?}",
            took.as_secs_f64(),
            figures.taken,
            played.ledger.told(Outcome::Accepted),
            figures.sent_again,
            played.ledger.accepted_again(),
            hours[1],
            hours[27],
            WEEK_HOURS,
            hours[WEEK_HOURS - 1],
        );
        let [early, late] = [1, WEEK_HOURS - 1].map(|hour| hours[hour]);
        for (before, after) in
            [(early.min, late.min), (early.mean(), late.mean()), (early.max, late.max)]
        {
            assert!(after.abs_diff(before) * 100 <= before, "{before} bytes, then {after}");
        }
    });
}
