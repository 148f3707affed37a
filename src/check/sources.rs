//! Where the values of each metric come from, how often they are new, and what a better
//! source waits for or lacks: in the words of `sidecar::source_words`.

use std::time::Duration;

use super::{
    findings::{self, Step, ms},
    under_way::Check,
};
use crate::{
    sample::metric::Metric,
    settings::SourceChoice,
    sidecar::{
        source_words::{MetricSource, Origin, source_of},
        world::World,
    },
};

/// How often the task document is read, at the least.
const TASK_DOCUMENT_INTERVAL: Duration = Duration::from_secs(30);

impl<W: World> Check<'_, W> {
    /// Of each metric that was found, in the same order.
    pub(super) fn sources(&mut self) {
        let settings = self.settings;
        let (sampler, kernel) = (&self.poller.sampler, self.poller.kernel.as_ref());
        let names = sampler.names();
        let cadences = || (0..).zip(names).filter_map(|(place, _)| sampler.interval_of(place));
        let mut sources = Vec::new();
        for found in &self.findings.metrics {
            let Some(metric) = Metric::by_name(found.name) else { continue };
            let container = found.container.as_deref();
            let interval = settings.sample_interval;
            let MetricSource { origin, note } = source_of(metric, container, kernel, interval);
            let place = names.iter().position(|name| Some(name.as_str()) == container);
            let cadence = match origin {
                // How old the counters of a shared network are is not known so soon.
                Origin::Endpoint if metric.is_of_network() && container.is_none() => None,
                Origin::Endpoint => match place.and_then(|place| u16::try_from(place).ok()) {
                    Some(place) => sampler.interval_of(place),
                    None => cadences().max(),
                },
                Origin::TaskDocument => Some(TASK_DOCUMENT_INTERVAL),
                _ => Some(interval),
            };
            sources.push(findings::SourceFinding {
                metric: found.name,
                container: found.container.clone(),
                source: origin.name(),
                what: origin.to_string(),
                cadence_ms: cadence.map(ms),
                note,
            });
        }
        self.findings.sources = sources;
        if settings.source == SourceChoice::Kernel {
            self.warn_of_containers_without_kernel();
        }
        self.output.part(&self.findings, Step::Sources);
    }

    /// As the sidecar's log does.
    fn warn_of_containers_without_kernel(&mut self) {
        let mut missing = Vec::new();
        if let Some(kernel) = &self.poller.kernel {
            let names = self.poller.sampler.names();
            kernel.found(|name, finding| {
                if let Some(why) = finding.why_not()
                    && names.iter().any(|measured| measured == name)
                {
                    missing.push(format!(
                        "SOURCE=kernel, but the kernel's counters of {name} cannot be read: {why}"
                    ));
                }
            });
        }
        for what in missing {
            let next = "change the task definition so that ESP can read the kernel, or remove \
                        SOURCE"
                .to_owned();
            self.warn(Step::Sources, what, next);
        }
    }
}
