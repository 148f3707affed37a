//! The findings as text for a person: each part as it is done. The text says nothing
//! that is not in the findings.

pub(super) mod probe;
pub(super) mod words;

use std::fmt::Write as _;

use self::words::{fact, seconds};
use super::findings::{
    CadenceFinding, ConfigurationFinding, ContainerFinding, CredentialsFinding, DimensionFinding,
    DimensionsFinding, EndpointFinding, Findings, MetricFinding, PlanFinding, Problem,
    PublishedFinding, Reason, RegionFinding, SourceFinding, Step, TaskFinding,
};
use crate::settings::version;

pub(super) fn title() -> String {
    format!("{}: what esp sees and would do\n", version::line())
}

/// A part, with what was wrong in it. `facts` are lines without their indent.
pub(super) fn part(findings: &Findings, step: Step) -> String {
    let (name, facts) = match step {
        Step::Configuration => {
            ("Configuration", findings.configuration.as_ref().map(configuration))
        }
        Step::Endpoint => ("Endpoint", findings.endpoint.as_ref().map(endpoint)),
        Step::Containers => {
            let task = findings.task.as_ref();
            ("Task", task.map(|task| [self::task(task), containers(&findings.containers)].concat()))
        }
        Step::Region => ("Region", findings.region.as_ref().map(region)),
        Step::Dimensions => ("Dimensions", some(&findings.dimensions, dimensions)),
        Step::Samples => ("Samples", some(&findings.cadences, cadences)),
        Step::Metrics => {
            let plan = findings.plan.as_ref().map(plan).unwrap_or_default();
            ("Metrics", some(&findings.metrics, |all| [metrics(all), plan].concat()))
        }
        Step::Sources => ("Sources", some(&findings.sources, sources)),
        Step::Source => ("Source", findings.probe.as_ref().map(probe::sources)),
        Step::Credentials => ("Credentials", findings.credentials.as_ref().map(credentials)),
        Step::Publish => ("Publish", findings.published.as_ref().map(published)),
    };
    let problems: Vec<_> =
        findings.problems.iter().filter(|problem| problem.step == step).collect();
    if facts.is_none() && problems.is_empty() {
        return String::new();
    }
    let is_failed = problems.iter().any(|problem| problem.fails);
    let mut text = format!("\n{name}: {}\n", if is_failed { "FAILED" } else { "ok" });
    for fact in facts.unwrap_or_default() {
        let _ = writeln!(text, "  {}", fact.trim_end());
    }
    for problem in problems {
        text += &self::problem(problem);
    }
    text
}

/// The last lines.
pub(super) fn end(findings: &Findings) -> String {
    let code = findings.exit_code;
    let first = findings.problems.iter().find(|problem| problem.fails);
    match first {
        None => format!("\nReady: exit code {code}\n"),
        Some(problem) => {
            let reason = match findings.reason {
                Reason::Ready | Reason::Configuration => "the configuration is wrong",
                Reason::Unavailable => "unavailable",
                Reason::Temporary => "temporary, try again",
                Reason::Permission => "permission",
            };
            format!("\nNot ready ({reason}): {}\nexit code {code}\n", problem.what)
        }
    }
}

fn problem(problem: &Problem) -> String {
    let kind = if problem.fails { "failed " } else { "warning" };
    format!("  {kind}  {}\n  do       {}\n", problem.what, problem.next)
}

fn some<T>(all: &[T], lines: impl FnOnce(&[T]) -> Vec<String>) -> Option<Vec<String>> {
    (!all.is_empty()).then(|| lines(all))
}

fn configuration(it: &ConfigurationFinding) -> Vec<String> {
    vec![
        fact("containers", it.containers.join(", ")),
        fact("metrics", it.metrics.join(", ")),
        fact("namespace", &it.namespace),
        fact("output", &it.output),
        fact("sample interval", seconds(it.sample_interval_ms)),
        fact("publish interval", seconds(it.publish_interval_ms)),
        fact("publish", it.publish),
        fact("warm-up", &it.warmup),
    ]
}

fn endpoint(it: &EndpointFinding) -> Vec<String> {
    let answered = it.answered_in_ms.map(|ms| fact("answered in", format!("{ms} ms")));
    [fact("address", &it.uri)].into_iter().chain(answered).collect()
}

fn task(it: &TaskFinding) -> Vec<String> {
    let unknown = || "unknown".to_owned();
    let text = |text: &Option<String>| text.clone().unwrap_or_else(unknown);
    vec![
        fact("ARN", text(&it.arn)),
        fact("cluster", text(&it.cluster)),
        fact("service", text(&it.service)),
        fact("task definition", text(&it.task_definition)),
        fact("launch type", text(&it.launch_type)),
        fact("zone", text(&it.availability_zone)),
        fact(
            "CPU limit",
            it.cpu_limit_vcpu.map_or("none".to_owned(), |vcpu| format!("{vcpu} vCPU")),
        ),
        fact(
            "memory limit",
            it.memory_limit_mib.map_or("none".to_owned(), |mib| format!("{mib} MiB")),
        ),
    ]
}

fn containers(all: &[ContainerFinding]) -> Vec<String> {
    let width = all.iter().map(|container| container.name.len()).max().unwrap_or(0);
    let line = |it: &ContainerFinding| {
        let limits = [
            it.cpu_units.map(|units| format!("{units} CPU units")),
            it.memory_limit_mib.map(|mib| format!("{mib} MiB")),
        ];
        let limits = limits.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let limits = if limits.is_empty() { "no container limits" } else { &limits };
        let who = match (it.is_measured, it.is_injected) {
            (true, _) => "measured",
            (false, true) => "injected by AWS",
            (false, false) => "",
        };
        let mode = it.network_mode.unwrap_or("network unknown");
        let (name, state) = (&it.name, &it.state);
        fact("container", format!("{name:<width$}  {state:<8}  {limits:<22}  {mode:<12}  {who}"))
    };
    all.iter().map(line).collect()
}

fn region(it: &RegionFinding) -> Vec<String> {
    vec![fact("Region", &it.name), fact("from", &it.from)]
}

fn dimensions(all: &[DimensionsFinding]) -> Vec<String> {
    let of = |it: &DimensionsFinding| {
        let whose = it.container.as_deref().unwrap_or("the task");
        it.sets.iter().map(|set| fact(whose, pairs(set))).collect::<Vec<_>>()
    };
    all.iter().flat_map(of).collect()
}

fn pairs(set: &[DimensionFinding]) -> String {
    if set.is_empty() {
        return "none".to_owned();
    }
    let pair = |it: &DimensionFinding| format!("{}={}", it.name, it.value);
    set.iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn cadences(all: &[CadenceFinding]) -> Vec<String> {
    let line = |it: &CadenceFinding| match it.cadence_ms {
        Some(ms) => fact(&it.container, format!("a new sample every {}", seconds(ms))),
        None => fact(&it.container, "too few samples to tell how often they come"),
    };
    all.iter().map(line).collect()
}

fn metrics(all: &[MetricFinding]) -> Vec<String> {
    let name = all.iter().map(|metric| metric.name.len()).max().unwrap_or(0);
    let whose = |it: &MetricFinding| it.container.clone().unwrap_or_else(|| "the task".to_owned());
    let width = all.iter().map(|metric| whose(metric).len()).max().unwrap_or(0);
    let line = |it: &MetricFinding| {
        let head = format!("{:<name$}  {:<width$}", it.name, whose(it));
        match (it.value, &it.basis) {
            (Some(value), Some(basis)) => {
                format!("{head}  {value:>10.2} {:<12}  100 % = {basis}", it.unit)
            }
            (Some(value), None) => format!("{head}  {value:>10.2} {}", it.unit),
            (None, _) => format!("{head}  none: {}", it.unavailable.unwrap_or("no value yet")),
        }
    };
    all.iter().map(line).collect()
}

fn sources(all: &[SourceFinding]) -> Vec<String> {
    let whose = |it: &SourceFinding| it.container.clone().unwrap_or_else(|| "the task".to_owned());
    let name = all.iter().map(|it| it.metric.len()).max().unwrap_or(0);
    let width = all.iter().map(|it| whose(it).len()).max().unwrap_or(0);
    let line = |it: &SourceFinding| {
        let every = it.cadence_ms.map_or_else(
            || "as often as it has new values".to_owned(),
            |cadence| format!("every {}", seconds(cadence)),
        );
        let note = it.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
        format!("{:<name$}  {:<width$}  {}, {every}{note}", it.metric, whose(it), it.what)
    };
    all.iter().map(line).collect()
}

fn plan(it: &PlanFinding) -> Vec<String> {
    let how = it.request_interval_ms.map_or_else(
        || "in lines on stdout".to_owned(),
        |interval_ms| format!("in a request every {}", seconds(interval_ms)),
    );
    vec![format!("esp would publish {} CloudWatch metrics, {how}", it.metrics)]
}

fn credentials(it: &CredentialsFinding) -> Vec<String> {
    let expire = it.expire_in_s.map(|seconds| fact("valid for", format!("{seconds} s")));
    [fact("from", &it.source)].into_iter().chain(expire).collect()
}

fn published(it: &PublishedFinding) -> Vec<String> {
    let outcome = if it.is_accepted { "accepted by" } else { "sent to" };
    let sets = it.sets.iter().map(|set| fact("dimensions", pairs(set)));
    let of = it.container.as_deref().unwrap_or("the task");
    [
        fact("datapoint", format!("{} of {of}: {:.2} {}", it.metric, it.value, it.unit)),
        fact("time", format!("{} ms since 1970", it.read_unix_ms)),
        fact(outcome, format!("{} in {}", it.namespace, it.region)),
    ]
    .into_iter()
    .chain(sets)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_without_facts_is_no_part() {
        assert_eq!(part(&Findings::default(), Step::Region), "");
    }

    #[test]
    fn a_warning_is_no_failure_and_both_say_what_to_do() {
        let problem = |fails, what: &str| Problem {
            step: Step::Region,
            fails,
            what: what.to_owned(),
            next: "do it".to_owned(),
        };
        let mut findings =
            Findings { problems: vec![problem(false, "odd")], ..Findings::default() };
        assert_eq!(
            part(&findings, Step::Region),
            "\nRegion: ok\n  warning  odd\n  do       do it\n"
        );
        assert_eq!(end(&findings), "\nReady: exit code 0\n");
        findings.problems.push(problem(true, "bad"));
        findings.reason = Reason::Temporary;
        findings.exit_code = findings.reason.exit_code();
        assert!(part(&findings, Step::Region).starts_with("\nRegion: FAILED\n"));
        assert_eq!(end(&findings), "\nNot ready (temporary, try again): bad\nexit code 75\n");
    }
}
