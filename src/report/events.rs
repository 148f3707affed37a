//! A log line for each event: of the sampler, of the publisher, of the lines on
//! stdout, and of the socket for `esp health`.

use tracing::{error, info, warn};

use crate::{
    output::LineEvent,
    publisher::{Outcome, PublisherEvent},
    sample::{drop_notices::Dropping, metric::Sample},
    sampler::{Event, warm_up::WarmUpEvent},
    secrets::peer_text,
};

/// A container warms up, or has.
pub fn warm_up_event(event: &WarmUpEvent) {
    match event {
        WarmUpEvent::Began { container } => {
            info!(
                container,
                "the container warms up: ESP publishes nothing for it until WARMUP is over"
            );
        }
        WarmUpEvent::Ended { container } => {
            info!(container, "the warm-up is over: ESP publishes the container's samples");
        }
        WarmUpEvent::NoHealthCheck { container } => warn!(
            container,
            "WARMUP=healthy has no effect: the container has no health check. Add one to the task \
             definition, or set WARMUP to a duration"
        ),
    }
}

/// An event of the sampler.
pub fn event(event: &Event) {
    match event {
        Event::ContainerFound { container, docker_id, replaced } => {
            info!(container, docker_id, replaced, "container found");
        }
        Event::ContainerMissing { container, names } => error!(
            container,
            names = peer_text(&names.join(", ")),
            "the task has no container of this name; set CONTAINER_NAME to one of names. ESP keeps \
             looking"
        ),
        Event::Measuring { container, basis, cadence } => info!(
            container,
            cpu_basis = basis.map_or_else(|| "unknown".to_owned(), |basis| basis.to_string()),
            cadence_ms = u64::try_from(cadence.as_millis()).unwrap_or(u64::MAX),
            "measuring (100 % of CPUUtilization = cpu_basis; one new sample per cadence_ms)"
        ),
        Event::TaskFieldsMalformed { fields } => warn!(
            fields = fields.join("; "),
            "ESP cannot read some fields of the task document, and ignores them"
        ),
        Event::Unavailable { container, metrics } => {
            for (metric, reason) in metrics {
                warn!(
                    container = container.as_deref(),
                    metric = metric.name(),
                    reason,
                    "a metric is not published, because the platform does not report it"
                );
            }
        }
        Event::CounterReset { container } => {
            info!(
                container,
                "the container's CPU counter fell, as after a restart; ESP dropped one sample"
            );
        }
        Event::CounterJumped { container } => warn!(
            container,
            "the container's CPU counter fell and came back, or jumped; ESP dropped the samples of \
             that time"
        ),
        Event::ClockSet { by_ms } => {
            warn!(by_ms, "the clock was set; ESP dropped the samples across that moment");
        }
        Event::SumsWait { containers, since } => warn!(
            containers = containers.join(", "),
            seconds = since.as_secs(),
            "task-level metrics are not published, because these running containers have no new \
             stats"
        ),
        Event::SumsBack => info!("task-level metrics are published again"),
        Event::ContainerSilent { container, since } => {
            warn!(container, seconds = since.as_secs(), "no new sample of this container");
        }
        Event::ContainerBack { container } => {
            info!(container, "there are new samples of this container again");
        }
        Event::EntryMalformed { container, error } => {
            warn!(container, %error, "cannot read the stats of this container");
        }
    }
}

/// An event of the publisher.
pub fn publisher_event(event: PublisherEvent) {
    match event {
        PublisherEvent::Dropping(Dropping::Began) => warn!(
            "the buffer of unsent samples is full; ESP drops the oldest samples from now on. A \
             larger BUFFER keeps more"
        ),
        PublisherEvent::Dropping(Dropping::Ended { dropped }) => {
            warn!(dropped, "the buffer of unsent samples has room again");
        }
        PublisherEvent::GivenUp { samples, outcome: Outcome::ConnectionLost } => warn!(
            samples,
            "ESP gave up samples that it had sent more than once, because the connection ended \
             before an answer. CloudWatch may have them, so ESP does not send them again. A proxy, \
             firewall or endpoint may be closing connections early"
        ),
        PublisherEvent::GivenUp { samples, .. } => warn!(
            samples,
            "ESP gave up samples that it had sent more than once, because no answer came in time. \
             CloudWatch may have them, so ESP does not send them again. A firewall or a route may \
             be dropping packets"
        ),
        PublisherEvent::SampleDropped { sample, reason } => sample_dropped(&sample, reason),
    }
}

/// An event of the lines on stdout.
pub fn line_event(event: LineEvent) {
    match event {
        LineEvent::Dropping(Dropping::Began) => warn!(
            "stdout is blocked and the queue of lines is full; ESP drops the oldest lines from now \
             on. Check whether the log driver stalls"
        ),
        LineEvent::Dropping(Dropping::Ended { dropped }) => {
            warn!(dropped, "stdout accepts lines again; ESP has written all waiting lines");
        }
        LineEvent::SampleDropped { sample, reason } => sample_dropped(&sample, reason),
        LineEvent::DimensionsTooLong => warn!(
            "the dimensions leave no room for a metric in a line of 16 kB, so ESP drops samples. \
             Make DIMENSIONS shorter"
        ),
    }
}

fn sample_dropped(sample: &Sample, reason: &'static str) {
    warn!(
        metric = sample.metric.name(),
        value = sample.value,
        unix_ms = sample.read.unix_ms(),
        reason,
        "ESP dropped a sample. It counts further dropped samples of this metric, but does not log \
         them"
    );
}

/// `esp health` cannot be answered.
pub fn no_health(problem: &str) {
    warn!(
        problem,
        "cannot bind the health socket; another esp may be running in this container. Retrying"
    );
}

/// `esp health` can be answered again.
pub fn health_is_back() {
    info!("the health socket is bound; ESP answers esp health from now on");
}
