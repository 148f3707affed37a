//! Most of what the model takes for granted, each with where it comes from; the loads of the
//! tables are beside what plays them. Nothing here was fitted to a result: what the model says
//! otherwise than AWS is printed as a difference.

/// How often the ECS agent on EC2 renews a container's stats, in seconds. Source: streams of
/// Docker's stats renew each 1.002 to 1.05 s.
pub(crate) const ENDPOINT_FAST_S: f64 = 1.003;

/// The same on Fargate and on Managed Instances. Source: captures of the endpoint, the newest
/// of September 2026.
pub(crate) const ENDPOINT_SLOW_S: f64 = 10.0;

/// How long the endpoint takes to answer. Source: measured on this project's test endpoint, a
/// millisecond; the agent answers out of its memory.
pub(crate) const ANSWER_S: f64 = 0.001;

/// What ESP asks with: `SAMPLE_INTERVAL`'s default.
pub(crate) const ASK_EVERY_S: f64 = 1.0;

/// From the decision to send until CloudWatch has accepted, in seconds, evenly distributed: a
/// signed request over a connection that is open, within a Region. An assumption: nobody has
/// measured it here.
pub(crate) const REQUEST_S: (f64, f64) = (0.02, 0.08);

/// From there until an alarm's evaluation sees the datum, in seconds, evenly distributed;
/// `--delay` sets another. An assumption: AWS publishes no figures. It is CloudWatch's own, so the
/// ideal publisher waits for it too, unless it is instant.
pub(crate) const INGEST_S: (f64, f64) = (0.3, 1.5);

/// From the end of a period until the native metric has left ECS for CloudWatch, in seconds,
/// evenly distributed. Source: the ECS agent sends what it has each 20 s, at a moment of its
/// own. What ECS itself adds is not published, and is not in here.
pub(crate) const ECS_SENDS_S: (f64, f64) = (0.0, 20.0);

/// How often an alarm is evaluated, in seconds: one with a period below a minute, and any
/// other. Source: AWS's documentation of alarms.
pub(crate) const EVALUATED_EACH_S: (f64, f64) = (10.0, 60.0);

/// How many periods before the last N an evaluation asks for, to have N with data. Source: the
/// examples in AWS's documentation of missing data show 5 for N = 3. AWS says that the number
/// depends on the period and on the resolution, and not how.
pub(crate) const LOOK_BACK_PERIODS: usize = 2;

/// From an evaluation that finds a breach to the trigger. AWS publishes nothing of it; every
/// column of the tables would have to add the same.
pub(crate) const TRIGGER_S: f64 = 0.0;

/// What the alarm that scales in is set below, percent: less than half of the other, so that a
/// task of two that takes over the other's load is not above it.
pub(crate) const IN_THRESHOLD: f64 = 20.0;

/// The alarm of the examples that scales in: period in seconds, M, N.
pub(crate) const ESP_IN_ALARM: (u64, usize, usize) = (10, 27, 30);

/// The second alarms of the examples that find a hot task, on the maximum and on p90: their
/// threshold, and their period in seconds, M and N. Of the newest period there may be data of
/// other tasks only, so one more than M.
pub(crate) const HOT_MAXIMUM_ALARM: (f64, (u64, usize, usize)) = (90.0, (10, 6, 7));
pub(crate) const HOT_P90_ALARM: (f64, (u64, usize, usize)) = (80.0, (30, 2, 2));

/// The tasks that the examples keep at least: `MinCapacity`.
pub(crate) const LEAST_TASKS: u64 = 2;

/// The load before and after it falls, percent, evenly distributed: tasks that are needed, and
/// tasks that are not. An assumption.
pub(crate) const IN_BEFORE: (f64, f64) = (30.0, 55.0);
pub(crate) const IN_AFTER: (f64, f64) = (2.0, 15.0);

/// What a service is to scale out at, percent: the threshold of the alarm of the examples and
/// the target value of target tracking.
pub(crate) const THRESHOLD: f64 = 60.0;

/// The alarm of the examples: period in seconds, M, N.
pub(crate) const ESP_ALARM: (u64, usize, usize) = (10, 1, 2);

/// An alarm of one's own for step scaling on ECS's 20-second metric: the same M of N on the
/// shortest period that the metric fills.
pub(crate) const ECS_STEP_ALARM: (u64, usize, usize) = (20, 1, 2);

/// What target tracking makes for itself on the 20-second metric. Source: AWS's announcement
/// of June 2026.
pub(crate) const ECS_20_S_TRACKING: (u64, usize, usize) = (20, 3, 3);

/// What it makes on the one-minute metric. Source: AWS's documentation of target tracking.
pub(crate) const ECS_60_S_TRACKING: (u64, usize, usize) = (60, 3, 3);

/// From load to scale-out trigger in AWS's own benchmark of June 2026, in seconds: target
/// tracking on the one-minute and on the 20-second metric.
pub(crate) const AWS_MEASURED_S: (f64, f64) = (363.0, 86.0);

/// The load before and after the step in percent of the task's CPU, evenly distributed: below
/// the threshold on one side, above it on the other. An assumption: the steps that matter.
pub(crate) const BEFORE: (f64, f64) = (5.0, 40.0);
pub(crate) const AFTER: (f64, f64) = (70.0, 100.0);

/// How far single seconds scatter around the load, as a standard deviation in points, evenly
/// distributed over the runs. An assumption; the noisy rows have [`NOISY`].
pub(crate) const NOISE: (f64, f64) = (0.5, 5.0);

/// Single seconds that scatter widely: what a fixed threshold of 25 points cannot live with.
pub(crate) const NOISY: (f64, f64) = (12.0, 15.0);

/// The one step of the examples.
pub(crate) const ONE_STEP: (f64, f64) = (10.0, 100.0);

/// How long a task has run before its load steps, in seconds: enough for the cadence to be
/// known and for the adaptive rule to know its noise. An assumption: most tasks are older.
pub(crate) const WARM_UP_S: f64 = 130.0;

/// For how long a new task uses all the CPU that it may, seconds. An assumption: a runtime
/// that loads its classes and fills its caches.
pub(crate) const START_UP_S: f64 = 25.0;

/// For how long ESP uses the endpoint's values on Fargate before it trusts the kernel, seconds: the
/// least that three agreements take there. Source: ESP's own rule (docs/sources.md).
pub(crate) const KERNEL_PROOF_S: f64 = 30.0;

/// What a thousand requests cost in USD, in us-east-1; and the hours of a month. Source: AWS's list
/// of CloudWatch's prices, which has requests by the thousand, and counts a month as 730 hours.
pub(crate) const USD_PER_1000_REQUESTS: f64 = 0.01;
pub(crate) const HOURS_PER_MONTH: f64 = 730.0;

/// Requests a second that CloudWatch takes from an account in a Region. Source: AWS's list of
/// CloudWatch's quotas, the default of `PutMetricData`.
pub(crate) const ACCOUNT_REQUESTS_PER_S: f64 = 500.0;

/// An alarm on a percentile p may leave its state as it is while a period has fewer samples than
/// 10 / (1 - p). Source: AWS's documentation of percentiles and few samples; that a period is
/// meant, and not all N of them, is an assumption.
pub(crate) const P90_SAMPLES: usize = 100;

/// While an alarm stays on, its policy is asked again so often, seconds. Source: AWS's
/// documentation of step scaling.
pub(crate) const ACTION_REPEATS_S: f64 = 60.0;

/// From the decision until a new task has load, seconds, evenly distributed. An assumption: a
/// small image on Fargate, and a load balancer's first healthy answers.
pub(crate) const START_S: (u64, u64) = (30, 60);

/// From the decision until a task that is removed has no load any more, seconds. An assumption.
pub(crate) const DRAIN_S: u64 = 5;

/// The capacity of the services whose policies are played.
pub(crate) const SERVICE_LEAST_TASKS: u64 = 2;
pub(crate) const MOST_TASKS: u64 = 50;
