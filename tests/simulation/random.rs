//! Runs drawn at random from a seed, each some simulated minutes of the sidecar
//! with the AWS SDK in it: settings, platform, faults of the endpoint, of
//! CloudWatch, of the keys and of the clock, restarts, signals. After each the
//! books have to balance.
//!
//!     ESP_SEED=5 cargo test --test simulation random_runs -- --nocapture
//!
//! plays one of them alone, with its log. Unoptimised, only the first ones are
//! played; `.ci/simulation` plays all thousand.

use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::simulated::{
    environment,
    scenario::{Event, Played, Scenario},
    task::TaskEvent,
};
use esp::{
    kernel::Tier,
    publisher::{OUTCOMES, Outcome},
    sample::own_figures::{OwnFigures, Scope},
    sidecar::Ended,
};
use esp_endpoints::agent::Cadence;

/// Runs that show all that may happen, and those that are played without
/// optimisation, which makes each ten times as long.
const ALL_RUNS: u64 = 1000;
const SOME_RUNS: u64 = 40;

/// After the last fault a request is accepted within this, and within the second if
/// the permission was refused.
const RECOVERY_MAX: Duration = Duration::from_mins(1);
const RECOVERY_AFTER_REFUSAL_MAX: Duration = Duration::from_secs(90);

/// With a CloudWatch that answers, the end comes within this.
const HEALTHY_END: Duration = Duration::from_secs(2);

/// What all runs together came to.
#[derive(Debug, Default)]
struct Totals {
    runs: u64,
    simulated: Duration,
    given: u64,
    requests: u64,
    told: [u64; OUTCOMES.len()],
    accepted_again: u64,
    ticks_held: u64,
    dropped_full: u64,
    dropped_refused: u64,
    left_behind: u64,
    aborted: u64,
    ambiguous: u64,
    sent_again: u64,
    /// With the kernel: how many, in how many of them it was used at the end, and how often
    /// the endpoint contradicted it.
    kernel_runs: u64,
    kernel_used: u64,
    kernel_refuted: u64,
    slowest_recovery: Option<Duration>,
    /// Seeds, and what is wrong with them.
    failures: Vec<(u64, Vec<String>)>,
}

impl Totals {
    fn add(&mut self, seed: u64, scenario: &Scenario, played: &Played) {
        let (ledger, figures) = (&played.ledger, &played.figures);
        self.runs += 1;
        self.simulated += played.ended_at;
        self.given += ledger.given();
        self.requests += ledger.requests();
        for outcome in OUTCOMES {
            self.told[outcome as usize] += ledger.told(outcome);
        }
        self.accepted_again += ledger.accepted_again();
        self.ticks_held += ledger.ticks_held();
        self.dropped_full += figures.dropped_full;
        self.dropped_refused += figures.dropped_refused;
        self.left_behind += figures.backlog;
        self.ambiguous += figures.ambiguous;
        self.sent_again += figures.sent_again;
        self.kernel_runs += u64::from(scenario.kernel.is_some());
        self.kernel_used += u64::from(figures.kernel_containers > 0);
        self.kernel_refuted += figures.kernel_refuted;
        self.slowest_recovery = self.slowest_recovery.max(ledger.recovery());
        self.aborted += u64::from(played.ended != Ended::Stopped);
        let wrong = wrong(scenario, played);
        if !wrong.is_empty() {
            self.failures.push((seed, wrong));
        }
    }
}

/// What is wrong with a run.
pub(crate) fn wrong(scenario: &Scenario, played: &Played) -> Vec<String> {
    let mut wrong = played.ledger.complaints().to_vec();
    let (figures, ending) = (&played.figures, played.ending);
    let never = figures.dropped_invalid + figures.dropped_time + figures.dropped_unaddressed;
    if never > 0 {
        wrong.push(format!("dropped, although there was nothing wrong with them: {never}"));
    }
    let grace = played.settings.shutdown_grace;
    let second_at = scenario.second_signal_after.unwrap_or(Duration::MAX);
    let (limit, is_abort) = (grace.min(second_at), played.ended != Ended::Stopped);
    if ending > limit || (is_abort && ending != second_at) {
        wrong.push(format!("{:?} after {ending:?}", played.ended));
    }
    // Exact counters are proven by the end of a calm of two minutes, a lie never is. At
    // longer intervals the kernel is read too seldom around renewals.
    let is_settled = scenario.ends_in_calm() && !is_abort;
    let has_lied = scenario.kernel.is_some_and(|kernel| kernel.lie.is_some());
    let is_exact = scenario.kernel.is_some_and(|kernel| kernel.tier == Tier::CgroupFile);
    let is_often = played.settings.sample_interval <= Duration::from_secs(1);
    if is_exact && !has_lied && is_settled && is_often && figures.kernel_containers == 0 {
        wrong.push("the kernel's counter is true, and was not used".to_owned());
    }
    if has_lied && is_settled && figures.kernel_containers > 0 {
        wrong.push("the kernel lies, and was used at the end".to_owned());
    }
    if !has_lied && figures.kernel_refuted > 0 {
        wrong.push(format!("the kernel's counter is true, and refuted {}", figures.kernel_refuted));
    }
    let is_refused = played.ledger.told(Outcome::Denied) > 0;
    let max = if is_refused { RECOVERY_AFTER_REFUSAL_MAX } else { RECOVERY_MAX };
    let (recovery, since) = (played.ledger.recovery(), scenario.faults_until());
    let is_long_enough = !since.is_zero() && scenario.signal_at >= since + max;
    if is_long_enough && recovery.is_none_or(|recovery| recovery > max) {
        wrong.push(format!("recovered after {recovery:?}, in place of {max:?}"));
    }
    if scenario.ends_in_calm() && !is_abort && !grace.is_zero() {
        if ending > HEALTHY_END {
            wrong.push(format!("an end of {ending:?} with a healthy CloudWatch"));
        }
        if figures.backlog > 0 {
            wrong.push(format!("{} left behind by a healthy CloudWatch", figures.backlog));
        }
    }
    wrong
}

fn play_all(seeds: Range<u64>) -> Totals {
    let next = AtomicU64::new(seeds.start);
    let totals = Mutex::new(Totals::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let scenario = Scenario::of_seed(seed);
                    let played = scenario.clone().play(|_| {});
                    totals.lock().unwrap().add(seed, &scenario, &played);
                }
            });
        }
    });
    totals.into_inner().unwrap()
}

#[test]
fn random_runs_keep_the_books() {
    environment::with_keys("random::random_runs_keep_the_books", || {
        let alone: Option<u64> = std::env::var("ESP_SEED").ok().map(|text| text.parse().unwrap());
        let runs = if cfg!(debug_assertions) { SOME_RUNS } else { ALL_RUNS };
        let runs = std::env::var("ESP_SEEDS").map_or(runs, |text| text.parse().unwrap());
        if let Some(seed) = alone {
            esp::report::log::init(esp::settings::LogLevel::Debug, esp::settings::LogFormat::Text);
            let scenario = Scenario::of_seed(seed);
            println!("{scenario:#?}");
            let played = scenario.clone().play(|_| {});
            println!("{:#?}", played.figures);
            assert_eq!(wrong(&scenario, &played), [""; 0]);
            return;
        }
        let start = Instant::now();
        let mut totals = play_all(0..runs);
        totals.failures.sort();
        println!("{totals:#?}, in {:.1} s", start.elapsed().as_secs_f64());
        let failures = &totals.failures;
        assert!(
            failures.is_empty(),
            "alone: ESP_SEED={} cargo test --test simulation random_runs",
            failures[0].0
        );
        if runs < ALL_RUNS {
            return;
        }
        // Whatever may happen has happened.
        for outcome in OUTCOMES {
            assert!(totals.told[outcome as usize] > 0, "{outcome:?}");
        }
        for count in [
            totals.accepted_again,
            totals.ambiguous,
            totals.sent_again,
            totals.ticks_held,
            totals.dropped_full,
            totals.dropped_refused,
            totals.left_behind,
            totals.aborted,
            totals.kernel_used,
            totals.kernel_refuted,
        ] {
            assert!(count > 0);
        }
    });
}

#[test]
fn a_seed_plays_the_same_each_time() {
    environment::with_keys("random::a_seed_plays_the_same_each_time", || {
        for seed in 0..10 {
            let [first, second] = [0; 2].map(|_| Scenario::of_seed(seed).play(|_| {}));
            assert_eq!(first.figures, second.figures, "{seed}");
            assert_eq!(first.ended_at, second.ended_at, "{seed}");
            assert_eq!(first.ledger.transcript(), second.ledger.transcript(), "{seed}");
        }
    });
}

/// Twelve minutes without a fault but for the host's clock, which is set ahead
/// and right again, far ahead and right again, behind and right again.
fn jumping_clock() -> Scenario {
    let jump = |minute, ahead_ms| {
        (Duration::from_mins(minute), Event::Task(TaskEvent::SetClock(ahead_ms)))
    };
    Scenario {
        events: vec![
            // No jump further than CloudWatch lets a sample be ahead.
            jump(2, 900_211),
            jump(4, 0),
            jump(6, 7_199_483),
            jump(8, 0),
            jump(9, -900_123),
            jump(10, 0),
        ],
        settled_from: Some(Duration::from_mins(11)),
        ..Scenario::calm(Duration::from_mins(12))
    }
}

#[test]
fn a_clock_that_jumps_forwards_and_backwards_costs_a_sample_and_a_request_each() {
    let name =
        "random::a_clock_that_jumps_forwards_and_backwards_costs_a_sample_and_a_request_each";
    environment::with_keys(name, || {
        let scenario = jumping_clock();
        let played = scenario.clone().play(|_| {});
        assert_eq!(wrong(&scenario, &played), Vec::<String>::new());
        let figures = played.figures;
        let OwnFigures { polls, missed_ticks, .. } = figures;
        assert_eq!((missed_ticks, figures.dropped(Scope::Cloudwatch)), (0, 0));
        // Two metrics of 720 seconds, without the difference over each jump.
        assert!(figures.published >= 2 * (polls - 6 * 3 - 3), "{:?}", played.figures);
        // Of the six, each is further than a signature may be off.
        let refused = Outcome::ClockSkew.requests(&figures);
        assert!((1..=6).contains(&refused), "{refused} refused");
    });
}

#[test]
fn the_endpoint_is_asked_when_there_is_something_new() {
    let name = "random::the_endpoint_is_asked_when_there_is_something_new";
    environment::with_keys(name, || {
        // In 20 minutes: renewals, and requests besides while they are learned.
        for (cadence, renewals, besides) in
            [(Cadence::STREAMING, 1196, 8), (Cadence::FARGATE, 120, 70)]
        {
            let calm = Scenario::calm(Duration::from_mins(20));
            let scenario = Scenario { cadence, ..calm };
            let played = scenario.clone().play(|_| {});
            assert_eq!(wrong(&scenario, &played), Vec::<String>::new());
            let OwnFigures { polls, missed_ticks, duplicates, samples, .. } = played.figures;
            assert!((renewals..=renewals + besides).contains(&polls), "{cadence:?}: {polls}");
            assert!(duplicates <= besides, "{cadence:?}: {duplicates}");
            assert_eq!(missed_ticks, 0);
            // Two metrics, of all but the first.
            assert!(samples >= 2 * (renewals - 2), "{cadence:?}: {samples}");
        }
    });
}
