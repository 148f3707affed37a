//! What is said to the operator: the log lines of start, changes and summaries,
//! and how often a lasting trouble is repeated. Nothing is said each second.

pub mod figures;
pub mod log;

use std::time::Instant;

use tracing::{debug, error, info, warn};

use crate::{
    output::LineEvent,
    publisher::{Outcome, PublisherEvent},
    report::figures::Figures,
    sample::{
        dimension::{KnownDimension, ResolvedDimensions},
        dropping::Dropping,
        metric::{Metric, MetricSet, Sample},
    },
    sampler::{Event, Selection},
    settings::Settings,
    time::{Now, reminder::Reminder},
};

/// The first line.
pub fn starting(settings: &Settings) {
    info!(
        version = env!("CARGO_PKG_VERSION"),
        containers = match &settings.containers {
            Selection::All => "*".to_owned(),
            Selection::Named(names) => names.join(","),
        },
        metrics = settings.metrics.iter().map(Metric::name).collect::<Vec<_>>().join(","),
        namespace = settings.namespace,
        output = %settings.outputs,
        sample_interval = ?settings.sample_interval,
        publish_interval = ?settings.publish_interval,
        endpoint = %settings.endpoint,
        "esp starts"
    );
}

/// An event of the sampler.
pub fn event(event: &Event) {
    match event {
        Event::ContainerFound { container, docker_id, replaced } => {
            info!(container, docker_id, replaced, "container found");
        }
        Event::ContainerMissing { container, names } => error!(
            container,
            names = names.join(", "),
            "the task has no container of this name; set CONTAINER_NAME to one that it has \
             (still looking)"
        ),
        Event::Measuring { container, basis, cadence } => info!(
            container,
            cpu_basis = basis.map_or_else(|| "unknown".to_owned(), |basis| basis.to_string()),
            cadence_ms = u64::try_from(cadence.as_millis()).unwrap_or(u64::MAX),
            "measuring: 100 % of CPUUtilization is the cpu_basis, a new sample comes each cadence"
        ),
        Event::Unavailable { container, metrics } => {
            for (metric, reason) in metrics {
                warn!(
                    container = container.as_deref(),
                    metric = metric.name(),
                    reason,
                    "not published: the platform does not give it"
                );
            }
        }
        Event::CounterReset { container } => {
            info!(container, "the container was restarted: one sample dropped");
        }
        Event::ClockSet { container } => {
            warn!(container, "the host's clock was set: one sample dropped");
        }
        Event::ContainerSilent { container, since } => {
            warn!(container, seconds = since.as_secs(), "no new sample of the container");
        }
        Event::ContainerBack { container } => {
            info!(container, "samples of the container come again");
        }
        Event::EntryMalformed { container, error } => {
            warn!(container, %error, "the container's stats cannot be read");
        }
    }
}

/// The dimensions that will be used, and what to do where one is missing.
pub fn dimensions(dimensions: &ResolvedDimensions, region: Option<&str>, wanted: MetricSet) {
    info!(%dimensions, region, "publishing");
    let of_task: Vec<_> = wanted.iter().filter(|metric| metric.is_of_task()).collect();
    if !of_task.is_empty() && dimensions.sets(None).is_empty() {
        warn!(
            metrics = of_task.into_iter().map(Metric::name).collect::<Vec<_>>().join(","),
            "values of the task are not published: no set in DIMENSIONS fits them (ContainerName \
             does not) and has all its values"
        );
    }
    if dimensions.sets(Some(0)).is_empty() {
        warn!("values of containers are not published: no set in DIMENSIONS has all its values");
    }
    for missing in dimensions.missing() {
        let name = missing.name();
        match missing {
            KnownDimension::ServiceName => warn!(
                %dimensions,
                "the endpoint does not name the service: set SERVICE_NAME for the dimension \
                 ServiceName; until then these dimensions are used"
            ),
            KnownDimension::ClusterName => warn!(
                %dimensions,
                "the endpoint does not name the cluster: set CLUSTER_NAME for the dimension \
                 ClusterName; until then these dimensions are used"
            ),
            _ => warn!(
                %dimensions,
                "the endpoint has no value for {name}: the sets in DIMENSIONS with it are skipped"
            ),
        }
    }
}

/// An event of the publisher.
pub fn publisher_event(event: PublisherEvent) {
    match event {
        PublisherEvent::Dropping(Dropping::Began) => warn!(
            "the store of unsent samples is full: from here on the oldest are dropped; BUFFER \
             sets its size"
        ),
        PublisherEvent::Dropping(Dropping::Ended { dropped }) => {
            warn!(dropped, "the store of unsent samples has room again");
        }
        PublisherEvent::SampleDropped { sample, reason } => sample_dropped(&sample, reason),
    }
}

/// An event of the lines on stdout.
pub fn line_event(event: LineEvent) {
    match event {
        LineEvent::Dropping(Dropping::Began) => warn!(
            "stdout is blocked and too many lines wait: from here on the oldest are dropped; does \
             the log driver stall?"
        ),
        LineEvent::Dropping(Dropping::Ended { dropped }) => {
            warn!(dropped, "stdout takes lines again, and all that waited are written");
        }
        LineEvent::SampleDropped { sample, reason } => sample_dropped(&sample, reason),
        LineEvent::DimensionsTooLong => warn!(
            "the dimensions leave no room for a metric in a line of 16 kB: samples are dropped; \
             make DIMENSIONS shorter"
        ),
    }
}

fn sample_dropped(sample: &Sample, reason: &'static str) {
    warn!(
        metric = sample.metric.name(),
        value = sample.value,
        unix_ms = sample.read.unix_ms(),
        reason,
        "a sample is dropped; further ones of this metric are only counted"
    );
}

/// There is neither a variable nor an ARN that names the Region.
pub fn no_region() {
    error!("the Region is not known, so nothing can be published: set REGION");
}

/// `esp health` cannot be answered.
pub fn no_health(problem: &str) {
    warn!(
        problem,
        "esp health cannot be answered: its socket is not to be had, perhaps because another esp \
         runs in this container; trying on"
    );
}

/// `esp health` can be answered after all.
pub fn health_is_back() {
    info!("esp health is answered from now on");
}

/// A line with all figures, after the fields that it has besides; without those
/// of outputs that there are none of.
macro_rules! line_of_figures {
    ($say:ident, $figures:expr, $now:expr, $($field:ident = $value:expr,)* $message:literal) => {{
        let Figures { sampler, polls, failed_polls, missed_ticks, publisher, lines, outputs, .. } =
            $figures;
        let sent = |figure: u64| outputs.cloudwatch.then_some(figure);
        let requests = |outcome| sent(publisher.requests_with(outcome));
        let written = |figure: u64| outputs.lines.map(|_| figure);
        $say!(
            $($field = $value,)*
            polls,
            failed_polls,
            missed_ticks,
            samples = sampler.samples,
            duplicates = sampler.duplicates,
            no_data = sampler.no_data,
            resets = sampler.resets,
            malformed = sampler.malformed,
            taken = sent(publisher.taken),
            published = sent(publisher.published),
            backlog = sent($figures.backlog),
            under_way = sent($figures.under_way),
            dropped_full = sent(publisher.dropped_full),
            dropped_invalid = sent(publisher.dropped_invalid),
            dropped_time = sent(publisher.dropped_time),
            dropped_refused = sent(publisher.dropped_refused),
            dropped_unaddressed = sent(publisher.dropped_unaddressed),
            ambiguous = sent(publisher.ambiguous),
            sent_again = sent(publisher.sent_again),
            requests_accepted = requests(Outcome::Accepted),
            requests_throttled = requests(Outcome::Throttled),
            requests_server_error = requests(Outcome::ServerError),
            requests_unreachable = requests(Outcome::Unreachable),
            requests_connection_lost = requests(Outcome::ConnectionLost),
            requests_no_answer = requests(Outcome::NoAnswer),
            requests_denied = requests(Outcome::Denied),
            requests_credentials = requests(Outcome::Credentials),
            requests_invalid = requests(Outcome::Invalid),
            requests_clock_skew = requests(Outcome::ClockSkew),
            newest_published_age_ms = $figures.newest_published_age_ms($now),
            stdout_taken = written(lines.taken),
            stdout_written = written(lines.written),
            stdout_pending = written(lines.pending),
            stdout_dropped_full = written(lines.dropped_full),
            stdout_dropped_invalid = written(lines.dropped_invalid),
            stdout_lines = written(lines.lines),
            $message
        );
    }};
}

/// The minute's line.
pub fn summary(figures: &Figures, now: Now) {
    line_of_figures!(info, figures, now, "since the start");
}

/// The last line: the figures, and how many samples are left behind.
pub fn stopped(figures: &Figures, now: Now) {
    let unsent = figures.outputs.cloudwatch.then_some(figures.backlog);
    let unwritten = figures.outputs.lines.map(|_| figures.lines.pending);
    let dropped = figures.publisher.dropped() + figures.lines.dropped();
    if unsent.unwrap_or(0) > 0 || unwritten.unwrap_or(0) > 0 {
        line_of_figures!(
            warn,
            figures,
            now,
            unsent = unsent,
            unwritten = unwritten,
            dropped = dropped,
            "esp stops with unsent samples"
        );
    } else {
        let rest = if dropped > 0 { "what was not dropped" } else { "everything" };
        line_of_figures!(info, figures, now, dropped = dropped, "esp stops; {rest} is published");
    }
}

/// Something that works or does not: a line when that changes, a reminder while
/// it does not, and never more than one warning a minute, however it flaps.
#[derive(Debug)]
pub struct Health {
    what: &'static str,
    failing_since: Option<Instant>,
    reminder: Reminder,
    /// Whether the trouble that lasts has been said.
    is_said: bool,
    /// Whether it has been said that somebody has to act.
    is_refusal_said: bool,
    /// Since the last warning.
    failures: u64,
}

impl Health {
    /// Of `what`, which worked so far.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            failing_since: None,
            reminder: Reminder::default(),
            is_said: false,
            is_refusal_said: false,
            failures: 0,
        }
    }

    /// It works.
    pub fn works(&mut self, now: Instant) {
        let Some(since) = self.failing_since.take() else { return };
        let seconds = now.saturating_duration_since(since).as_secs();
        self.is_refusal_said = false;
        if self.is_said {
            self.is_said = false;
            info!(seconds, "{} works again", self.what);
        } else {
            debug!(seconds, "{} works again", self.what);
        }
    }

    /// It is not permitted. That lasts until somebody acts, so it is said at
    /// once, however lately something else was, and then no more.
    pub fn denied(&mut self, error: &dyn std::fmt::Display, now: Instant) {
        self.failing_since.get_or_insert(now);
        self.failures += 1;
        if self.is_refusal_said {
            debug!(%error, "{} fails", self.what);
            return;
        }
        error!(%error, "{} fails for want of a permission; tried each minute, said once", self.what);
        self.is_refusal_said = true;
        self.is_said = true;
    }

    /// It does not.
    pub fn fails(&mut self, error: &dyn std::fmt::Display, now: Instant) {
        self.failing_since.get_or_insert(now);
        self.failures += 1;
        if !self.reminder.is_due(now) {
            debug!(%error, "{} fails", self.what);
            return;
        }
        warn!(%error, failures = self.failures, "{} fails; trying on", self.what);
        self.is_said = true;
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
        time::Duration,
    };

    use super::*;

    /// What is logged at info and above, a line each.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(does: impl FnOnce(&mut Health, &dyn Fn(u64) -> Instant)) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .finish();
        let start = Instant::now();
        tracing::subscriber::with_default(subscriber, || {
            does(&mut Health::new("it"), &|second| start + Duration::from_secs(second));
        });
        let text = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn a_lasting_trouble_is_said_each_minute_and_when_it_ends() {
        let lines = said(|it, at| {
            (0..130).for_each(|second| it.fails(&"away", at(second)));
            it.works(at(130));
            it.works(at(131));
        });
        assert_eq!(
            lines,
            [
                "WARN it fails; trying on error=away failures=1",
                "WARN it fails; trying on error=away failures=60",
                "WARN it fails; trying on error=away failures=60",
                "INFO it works again seconds=130",
            ]
        );
    }

    #[test]
    fn a_missing_permission_is_said_at_once_and_once() {
        let lines = said(|it, at| {
            it.fails(&"away", at(0));
            (1..10).for_each(|minute| it.denied(&"no", at(60 * minute - 59)));
            it.works(at(600));
            it.denied(&"no", at(601));
        });
        assert_eq!(
            lines,
            [
                "WARN it fails; trying on error=away failures=1",
                "ERROR it fails for want of a permission; tried each minute, said once error=no",
                "INFO it works again seconds=600",
                "ERROR it fails for want of a permission; tried each minute, said once error=no",
            ]
        );
    }
}
