//! Outages of one kind each: how often a sample is sent in them, what is lost, and
//! how soon after them ESP publishes again.

use std::time::Duration;

use esp::{
    publisher::{OUTCOMES, Outcome},
    sample::own_figures::Scope,
};
use esp_endpoints::service::Fault;

use crate::{
    random::wrong,
    simulated::{
        aws::{AwsScript, CloudWatchFault, KeyFault},
        environment,
        scenario::{Played, Scenario},
        script::Episode,
    },
};

const FROM: Duration = Duration::from_secs(95);
const NEVER: Duration = Duration::from_hours(24);
/// Long enough for the longest pause, and for the backlog.
const CALM: Duration = Duration::from_mins(3);

/// The default settings and an outage of CloudWatch.
fn outage(seed: u64, lasts: Duration, faults: &[(CloudWatchFault, u8)]) -> Scenario {
    let until = FROM + lasts;
    let calm = Scenario::calm(until + CALM);
    let episode = |(fault, percent): &(_, u8)| Episode {
        from: FROM,
        until,
        percent: *percent,
        fault: Clone::clone(fault),
    };
    Scenario {
        seed,
        aws: AwsScript { cloudwatch: faults.iter().map(episode).collect(), ..calm.aws },
        settled_from: Some(until + Duration::from_secs(100)),
        samples: 20_000,
        ..calm
    }
}

fn play(scenario: &Scenario) -> Played {
    let played = scenario.clone().play(|_| {});
    assert_eq!(wrong(scenario, &played), Vec::<String>::new(), "seed {}", scenario.seed);
    played
}

fn answer_lost() -> CloudWatchFault {
    CloudWatchFault::Service(Fault::CutAfterAcceptance)
}

#[test]
fn what_turns_is_sent_before_its_time_and_in_an_outage_it_is_not() {
    environment::with_keys(
        "outages::what_turns_is_sent_before_its_time_and_in_an_outage_it_is_not",
        || {
            let requests = |publish: &str, faults: &[(CloudWatchFault, u8)]| {
                let outage = outage(7, Duration::from_mins(5), faults);
                let mut variables = outage.variables.clone();
                variables.push(("PUBLISH", publish.to_owned()));
                let turning =
                    Scenario { memory_turns: Some(Duration::from_secs(65)), variables, ..outage };
                let figures = play(&turning).figures;
                let asked = OUTCOMES.iter().map(|outcome| outcome.requests(&figures)).sum::<u64>();
                (asked, figures.requests_accepted)
            };
            let (fixed, _) = requests("fixed", &[]);
            let (adaptive, _) = requests("adaptive", &[]);
            // Eight turns, and requests for what the bucket has.
            assert!(adaptive > fixed + 10 && adaptive < fixed + 30, "{adaptive}, {fixed}");
            for fault in [Fault::Throttle, Fault::Status(503), Fault::HangBeforeHead(NEVER)] {
                let faults = [(CloudWatchFault::Service(fault), 100)];
                let (fixed, of_fixed) = requests("fixed", &faults);
                let (adaptive, of_adaptive) = requests("adaptive", &faults);
                let extra = of_adaptive.saturating_sub(of_fixed);
                assert!(adaptive <= fixed + extra + 4, "{adaptive}, {fixed}: {faults:?}");
            }
        },
    );
}

#[test]
fn answers_that_are_lost_with_the_connection_send_a_sample_twice() {
    environment::with_keys(
        "outages::answers_that_are_lost_with_the_connection_send_a_sample_twice",
        || {
            for fault in [
                answer_lost(),
                CloudWatchFault::CutInBody,
                CloudWatchFault::Service(Fault::CutBeforeAcceptance),
            ] {
                let scenario = outage(1, Duration::from_mins(10), &[(fault.clone(), 100)]);
                let Played { ledger, figures, .. } = play(&scenario);
                assert_eq!(ledger.most_sends(), 2, "{fault:?}");
                // Two metrics of ten minutes, but for those of the last pause.
                assert!((1000..=1200).contains(&figures.ambiguous), "{figures:?}");
                assert_eq!(figures.dropped(Scope::Cloudwatch), 0);
            }
        },
    );
}

#[test]
fn an_hour_of_silence_uses_up_no_sample() {
    environment::with_keys("outages::an_hour_of_silence_uses_up_no_sample", || {
        let faults = [
            CloudWatchFault::SilentBeforeAcceptance,
            CloudWatchFault::Service(Fault::HangInBody(NEVER)),
        ];
        for fault in if cfg!(debug_assertions) { &faults[..1] } else { &faults } {
            // As much as the default buffer keeps.
            let scenario = outage(2, Duration::from_mins(59), &[(fault.clone(), 100)]);
            let Played { ledger, figures, .. } = play(&scenario);
            assert_eq!(
                (figures.ambiguous, figures.dropped(Scope::Cloudwatch)),
                (0, 0),
                "{fault:?}"
            );
            assert_eq!(figures.taken, figures.published);
            assert_eq!(ledger.most_sends(), 2);
        }
    });
}

#[test]
fn silence_now_and_then_sends_a_sample_five_times_at_most() {
    environment::with_keys(
        "outages::silence_now_and_then_sends_a_sample_five_times_at_most",
        || {
            let faults = [(CloudWatchFault::Service(Fault::HangBeforeHead(NEVER)), 75)];
            let ledger = play(&outage(3, Duration::from_mins(30), &faults)).ledger;
            assert!((3..=5).contains(&ledger.most_sends()), "{}", ledger.most_sends());
        },
    );
}

#[test]
fn lost_answers_among_silence_keep_both_bounds() {
    environment::with_keys("outages::lost_answers_among_silence_keep_both_bounds", || {
        let runs = if cfg!(debug_assertions) { 1 } else { 50 };
        for seed in 0..runs {
            let faults = [
                (answer_lost(), 30),
                (CloudWatchFault::SilentBeforeAcceptance, 50),
                (CloudWatchFault::Service(Fault::Throttle), 20),
            ];
            let played = play(&outage(seed, Duration::from_mins(30), &faults));
            // The books complain of what is sent too often; here it is sent at all.
            for outcome in [Outcome::ConnectionLost, Outcome::NoAnswer] {
                assert!(played.ledger.told(outcome) > 10);
            }
            assert!(played.figures.ambiguous > 0, "{seed}");
        }
    });
}

#[test]
fn publishing_resumes_within_a_minute_of_any_fault() {
    environment::with_keys("outages::publishing_resumes_within_a_minute_of_any_fault", || {
        let service = CloudWatchFault::Service;
        let denied = Fault::Error {
            status: 403,
            type_name: "com.amazonaws.cloudwatch#AccessDeniedException".into(),
            query_code: "AccessDenied".into(),
            message: "User is not authorized to perform: cloudwatch:PutMetricData".into(),
        };
        let faults = [
            service(Fault::Throttle),
            service(Fault::Status(503)),
            service(Fault::GarbageBody(500)),
            // A login page, and a proxy's own limit.
            service(Fault::Page(200, "<html>Sign in".to_owned())),
            service(Fault::Page(413, "<html>too large".to_owned())),
            service(Fault::HangBeforeHead(NEVER)),
            service(Fault::HangInBody(NEVER)),
            answer_lost(),
            service(Fault::CutBeforeAcceptance),
            service(denied),
            CloudWatchFault::SilentBeforeAcceptance,
            CloudWatchFault::CutInBody,
            CloudWatchFault::NoConnection,
            CloudWatchFault::NotConnected("could not resolve hostname"),
        ];
        let (lasts, seeds): (&[u64], u64) =
            if cfg!(debug_assertions) { (&[40], 1) } else { (&[1, 15, 40, 150, 900], 5) };
        let mut slowest = Duration::ZERO;
        for lasts in lasts.iter().copied().map(Duration::from_secs) {
            for seed in 0..seeds {
                for fault in &faults {
                    let played = play(&outage(seed, lasts, &[(fault.clone(), 100)]));
                    slowest = slowest.max(played.ledger.recovery().unwrap());
                    assert_eq!(played.figures.dropped(Scope::Cloudwatch), 0, "{fault:?}");
                }
                let statuses = [400, 429, 500, 503].map(KeyFault::Status);
                let others = [KeyFault::Garbage, KeyFault::Silent, KeyFault::Refused];
                for fault in statuses.into_iter().chain(others) {
                    let calm = outage(seed, lasts, &[]);
                    let until = FROM + lasts;
                    let keys =
                        vec![Episode { from: FROM, until, percent: 100, fault: fault.clone() }];
                    let key_lifetime = Duration::from_secs(90);
                    let aws = AwsScript { keys, key_lifetime, ..calm.aws };
                    let played = play(&Scenario { aws, ..calm });
                    slowest = slowest.max(played.ledger.recovery().unwrap());
                    assert_eq!(played.figures.dropped(Scope::Cloudwatch), 0, "{fault:?}");
                }
            }
        }
        println!("the slowest recovery took {:.1} s", slowest.as_secs_f64());
    });
}

#[test]
fn an_interval_as_long_as_the_buffer_loses_nothing() {
    environment::with_keys("outages::an_interval_as_long_as_the_buffer_loses_nothing", || {
        for (seed, latency_ms) in [(1, 30), (2, 3000)] {
            let mut scenario = Scenario::calm(Duration::from_mins(15));
            scenario.seed = seed;
            scenario.aws.latency = Duration::from_millis(latency_ms);
            let text = |text: &str| text.to_owned();
            scenario.variables.extend([
                ("PUBLISH_INTERVAL", text("1m")),
                ("BUFFER", text("1m")),
                ("METRICS", text("CPUUtilization")),
            ]);
            scenario.settled_from = None;
            let figures = play(&scenario).figures;
            assert_eq!((figures.dropped(Scope::Cloudwatch), figures.taken), (0, figures.published));
            assert!(figures.taken > 890, "{figures:?}");
        }
    });
}
