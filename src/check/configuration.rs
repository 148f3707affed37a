//! What the configuration alone says: the first part of every check, and all of
//! `esp check --offline`, which runs on machines that are no ECS task. Nobody is
//! asked and no file is opened.

use std::{fmt::Write as _, time::Duration};

use super::{
    findings::{ConfigurationFinding, Findings, OfflineFinding, Problem, Reason, Step},
    output::Output,
    text::words::fact,
};
use crate::{
    publisher::SAMPLE_BYTES,
    sample::metric::Metric,
    sampler::Selection,
    settings::{LineFormat, Settings, SettingsErrors, format_duration, variable},
};

/// The findings if the configuration cannot be read: all that is wrong with it.
pub(super) fn misconfigured(errors: &SettingsErrors, output: Output) -> Findings {
    let mut findings = Findings::new();
    findings.problems.extend(errors.iter().map(|error| Problem {
        step: Step::Configuration,
        fails: true,
        what: error.to_string(),
        next: "correct it; esp --help has every variable with an example".to_owned(),
    }));
    findings.reason = Reason::Configuration;
    findings.exit_code = findings.reason.exit_code();
    output.part(&findings, Step::Configuration);
    findings
}

/// What the variables ask for, with the warnings about it.
pub(super) fn of(settings: &Settings, output: Output) -> Findings {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut findings = Findings::new();
    findings.configuration = Some(ConfigurationFinding {
        containers: match &settings.containers {
            Selection::Named(names) => names.clone(),
            Selection::All => vec!["*".to_owned()],
        },
        metrics: settings.metrics.iter().map(Metric::name).collect(),
        namespace: settings.namespace.clone(),
        output: settings.outputs.to_string(),
        sample_interval_ms: ms(settings.sample_interval),
        publish_interval_ms: ms(settings.publish_interval),
        publish: settings.publish_word(),
        warmup: settings.warm_up.to_string(),
    });
    findings.problems.extend(settings.warnings.iter().map(|warning| Problem {
        step: Step::Configuration,
        fails: false,
        what: warning.what.clone(),
        next: warning.next.clone(),
    }));
    output.part(&findings, Step::Configuration);
    findings
}

/// The same, and what would be published where.
pub(super) fn offline(settings: &Settings, has_endpoint: bool, output: Output) -> Findings {
    let mut findings = of(settings, output);
    let endpoint = has_endpoint.then(|| settings.endpoint.to_string());
    let offline = leads_to(settings, endpoint);
    output.say(&plan(settings, &offline));
    findings.offline = Some(offline);
    findings
}

fn leads_to(settings: &Settings, endpoint: Option<String>) -> OfflineFinding {
    let has_requests = settings.outputs.cloudwatch;
    let of = |value: &str, variable: &str| format!("{value} ({variable})");
    let region = || match (&settings.region, &settings.region_from) {
        (Some(region), Some(variable)) => of(region, variable),
        _ => "from the task's ARN".to_owned(),
    };
    let hosts = [
        (settings.use_fips, variable::AWS_USE_FIPS_ENDPOINT.name),
        (settings.use_dual_stack, variable::AWS_USE_DUALSTACK_ENDPOINT.name),
    ];
    let hosts: Vec<_> = hosts
        .into_iter()
        .filter(|(is_on, _)| *is_on == Some(true))
        .map(|(_, name)| format!("{name}=true"))
        .collect();
    let url = settings.endpoint_url.as_ref().map(|url| of(&url.url, &url.variable));
    let address = url.or_else(|| (!hosts.is_empty()).then(|| hosts.join(", ")));
    let proxy = settings.proxy().map(|proxy| of(&proxy.to_string(), &proxy.variable));
    let certificates = settings
        .ca_bundle
        .as_ref()
        .map(|bundle| of(&bundle.path.display().to_string(), &bundle.variable));
    OfflineFinding {
        endpoint,
        region: has_requests.then(region),
        address: address.filter(|_| has_requests),
        proxy: proxy.filter(|_| has_requests),
        certificates: certificates.filter(|_| has_requests),
        sets: settings.dimensions.describe(&settings.overrides).collect(),
        buffer_samples: has_requests.then(|| settings.buffer_samples()),
    }
}

/// What would be published where, in words.
fn plan(settings: &Settings, offline: &OfflineFinding) -> String {
    let mut plan = "\nPlan: ok\n".to_owned();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(plan, "  {}", fact(label, value));
    };
    if let Some(region) = &offline.region {
        let namespace = &settings.namespace;
        line("publishes to", &format!("CloudWatch, namespace {namespace}, Region {region}"));
        let usual = "the Region's usual one".to_owned();
        line("address", offline.address.as_ref().unwrap_or(&usual));
        line("proxy", offline.proxy.as_deref().unwrap_or("none"));
        if let Some(certificates) = &offline.certificates {
            line("certificates", &format!("{certificates}; the file is not opened offline"));
        }
        let interval = format_duration(settings.publish_interval);
        let more = if settings.is_adaptive { ", and more while values change" } else { "" };
        line("requests", &format!("one every {interval}{more}"));
        let samples = offline.buffer_samples.unwrap_or_default();
        let kilobytes = (samples * SAMPLE_BYTES).div_ceil(1000);
        line("keeps unsent", &format!("up to {samples} samples, in {kilobytes} kB"));
    }
    match settings.outputs.lines {
        Some(LineFormat::Emf(resolution)) => {
            let resolution = format_duration(resolution.duration());
            let namespace = &settings.namespace;
            let what = format!("documents of {resolution} on stdout, namespace {namespace}");
            line("writes", &what);
        }
        Some(LineFormat::Readable) => line("writes", "readable lines on stdout"),
        None => {}
    }
    for set in &offline.sets {
        line("dimensions", set);
    }
    if !settings.containers.is_one() {
        line("", "and ContainerName, for the metrics of a container");
    }
    line("endpoint", offline.endpoint.as_deref().unwrap_or("not set; ECS sets it in a task"));
    plan +=
        "\nNot checked offline: the endpoint, the task, its containers, credentials, CloudWatch.\n";
    plan
}
