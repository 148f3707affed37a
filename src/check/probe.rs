//! `esp check --source`: what can be seen of the kernel from here, beside what the
//! endpoint says over two renewals, and what that means for each way to read the kernel.
//! It is made to be pasted into an issue: ids are shortened, containers have numbers
//! in place of names, and nothing of the environment is shown.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use super::{
    findings::{Findings, Reason, Step, ms},
    mask::mask,
    output::Output,
    probe_findings::{
        CgroupFinding, ComparisonFinding, InterfaceFinding, MachineFinding, ProbeFinding,
        ProbedContainer, Proof, TierVerdict, Who,
    },
    text,
    under_way::Check,
};
use crate::{
    endpoint::task::{NetworkMode, TaskContainer, TaskDocument},
    kernel::{Finding, KernelCounters, SeenInterface, Survey, parse::container_in},
    proof::{Compared, Comparison, ProofState},
    sample::MetricSet,
    sampler::watching::Watching,
    settings::{Settings, SourceChoice},
    sidecar::{kernel_source::KernelSource, world::World},
    time::ticker::Ticker,
};

/// For two renewals of each container, from the start.
const PATIENCE: Duration = Duration::from_secs(85);
/// A container without any stats is not waited for after this.
const SILENT_PATIENCE: Duration = Duration::from_secs(25);

/// The settings of the sidecar, with everything that the kernel could give.
pub(super) fn settings(settings: &Settings) -> Settings {
    Settings { metrics: MetricSet::all(), ..settings.clone() }
}

/// The findings if `SOURCE` forbids to look at the kernel.
pub(super) fn forbidden(output: Output) -> Findings {
    let mut findings = Findings::new();
    findings.problems.push(super::findings::Problem {
        step: Step::Source,
        fails: true,
        what: "SOURCE=endpoint, so ESP must not read the kernel".to_owned(),
        next: "set SOURCE to auto for this check".to_owned(),
    });
    findings.reason = Reason::Configuration;
    findings.exit_code = findings.reason.exit_code();
    output.part(&findings, Step::Source);
    findings
}

/// Whether that is what they ask for.
pub(super) fn is_forbidden(settings: &Settings) -> bool {
    settings.source == SourceChoice::Endpoint
}

impl<W: World> Check<'_, W> {
    /// Looks, waits and compares.
    pub(super) async fn probe(mut self) -> Findings {
        let start = self.instant();
        let mut ticker = Ticker::new(start, Duration::from_secs(1));
        self.hides_address = true;
        if let Some(kernel) = &mut self.poller.kernel {
            kernel.compare_machine();
        }
        let Some(task) = self.endpoint(&mut ticker).await else { return self.findings };
        let mut probe = ProbeFinding {
            launch_type: task.launch_type(),
            cpu_limit_vcpu: task.cpu_limit_vcpu(),
            ..ProbeFinding::default()
        };
        let numbers = numbers(&task);
        if let Some(kernel) = &mut self.poller.kernel {
            probe.machine = machine(kernel, &task, &numbers, self.world.now().wall.unix_ms());
        }
        self.output.say(&text::probe::machine(&probe));
        self.output.say(
            "\nwaiting for two new samples of each container, at most 85 s (one comes every second \
             on EC2, every 10 s on Fargate) ...\n",
        );
        let task = self.two_renewals(task, &mut ticker, start + PATIENCE).await;
        probe.seconds = self.instant().saturating_duration_since(start).as_secs();
        if let Some(kernel) = &self.poller.kernel {
            probe.containers = containers(kernel, &task, &self.poller.sampler, &numbers);
            let halves = kernel.compared().and_then(Comparison::halves);
            probe.comparison = halves.iter().flatten().map(ComparisonFinding::of).collect();
            probe.verdicts = verdicts(kernel, &task, &probe, halves);
        }
        self.forget_other_problems();
        if !probe.containers.iter().any(|it| it.has_two_renewals) {
            self.fail(
                Step::Source,
                Reason::Temporary,
                format!("no container had two new samples within {} s", probe.seconds),
                "try again when the task has run for a minute".to_owned(),
            );
        }
        self.findings.probe = Some(probe);
        self.output.part(&self.findings, Step::Source);
        self.findings
    }

    /// What else is wrong is said by `esp check`. It names containers.
    fn forget_other_problems(&mut self) {
        let findings = &mut self.findings;
        findings.problems.retain(|problem| problem.step == Step::Source);
        findings.reason = Reason::Ready;
        findings.exit_code = findings.reason.exit_code();
    }

    /// Polls until everything has been renewed twice, or until `deadline`.
    async fn two_renewals(
        &mut self,
        mut task: TaskDocument,
        ticker: &mut Ticker,
        deadline: Instant,
    ) -> TaskDocument {
        let start = self.instant();
        let mut watching = Watching::new(ticker.next(), Duration::from_secs(1));
        while ticker.next() <= deadline {
            self.watch_until(ticker.next(), &mut watching).await;
            if let Some((Some(renewed), _)) = self.poll_until(deadline).await {
                task = renewed;
            }
            let now = self.instant();
            ticker.advance(now);
            let Some(compared) = self.poller.kernel.as_ref().and_then(KernelSource::compared)
            else {
                break;
            };
            let is_waited_for = |docker_id: &str| {
                !compared.has_two_renewals(docker_id)
                    && (compared.has_any(docker_id) || now < start + SILENT_PATIENCE)
            };
            let mut running = task.containers().iter().filter(|it| !it.is_stopped());
            let is_waiting =
                running.any(|container| container.docker_id().is_some_and(is_waited_for));
            if !is_waiting {
                break;
            }
        }
        // The machine once more, after the last renewal.
        self.poller.read_kernel(self.world, true);
        self.take_in();
        task
    }
}

/// Each container's number, by its Docker id: in the order of their names.
fn numbers(task: &TaskDocument) -> BTreeMap<String, usize> {
    let mut containers: Vec<_> = task
        .containers()
        .iter()
        .filter_map(|it| Some((it.name().unwrap_or_default(), it.docker_id()?.to_owned())))
        .collect();
    containers.sort();
    containers.into_iter().zip(1..).map(|((_, docker_id), number)| (docker_id, number)).collect()
}

fn machine(
    kernel: &mut KernelSource<impl KernelCounters>,
    task: &TaskDocument,
    numbers: &BTreeMap<String, usize>,
    now_unix_ms: u64,
) -> MachineFinding {
    let shared = task.containers().iter();
    let shared: Vec<_> =
        shared.filter(|it| it.network_mode() == Some(NetworkMode::Awsvpc)).collect();
    let networks = || shared.iter().flat_map(|it| it.networks());
    let macs: Vec<&str> = networks().filter_map(|it| it.mac_address()).collect();
    let addresses: Vec<Ipv4Addr> =
        networks().flat_map(|it| it.ipv4_addresses().iter().copied()).collect();
    let survey = kernel.survey(&macs, &addresses);
    let Survey { release, cgroup_version, own_cgroup, cpus, uptime_s, processes, .. } = survey;
    let ids = || numbers.keys().map(String::as_str);
    let mut cgroups: BTreeMap<(Option<usize>, String), usize> = BTreeMap::new();
    for (path, processes) in &survey.cgroups {
        let place = container_in(path.as_bytes(), &ids()).map(|(place, _)| place);
        let number = place.and_then(|place| numbers.values().nth(place).copied());
        *cgroups.entry((number, mask(path))).or_default() += processes;
    }
    let interface = |it: SeenInterface| InterfaceFinding {
        name: mask(&it.name),
        has_mac: it.has_mac,
        has_ipv4: it.has_ipv4,
    };
    let booted = uptime_s.map(|uptime_s| (now_unix_ms / 1000).saturating_sub(uptime_s));
    MachineFinding {
        release: release.map(|release| mask(&release)),
        cgroup_version,
        own_cgroup: own_cgroup.map(|path| mask(&path)),
        cpus,
        usable_cpus: std::thread::available_parallelism().ok().map(usize::from),
        uptime_s,
        booted_unix_s: booted,
        processes,
        cgroups: cgroups
            .into_iter()
            .map(|((container, path), processes)| CgroupFinding { path, container, processes })
            .collect(),
        interfaces: survey.interfaces.into_iter().map(interface).collect(),
    }
}

fn containers(
    kernel: &KernelSource<impl KernelCounters>,
    task: &TaskDocument,
    sampler: &crate::sampler::Sampler,
    numbers: &BTreeMap<String, usize>,
) -> Vec<ProbedContainer> {
    let mut all: Vec<_> = task
        .containers()
        .iter()
        .filter_map(|container| {
            let docker_id = container.docker_id()?;
            let number = numbers.get(docker_id).copied()?;
            let (finding, state) = kernel.found_of(docker_id);
            Some(probed(container, number, finding.as_ref(), state, sampler, kernel))
        })
        .collect();
    all.sort_by_key(|it| it.number);
    all
}

fn probed(
    container: &TaskContainer,
    number: usize,
    finding: Option<&Finding<'_>>,
    state: Option<ProofState>,
    sampler: &crate::sampler::Sampler,
    kernel: &KernelSource<impl KernelCounters>,
) -> ProbedContainer {
    let name = container.name().unwrap_or_default();
    let place = sampler.names().iter().position(|measured| measured == name);
    let is_own = finding.is_some_and(|it| it.is_own);
    let who = match (is_own, place.is_some(), container.is_injected()) {
        (true, ..) => Who::Own,
        (_, true, _) => Who::Measured,
        (_, _, true) => Who::Injected,
        (..) => Who::Other,
    };
    let cadence = place
        .and_then(|place| u16::try_from(place).ok())
        .and_then(|place| sampler.interval_of(place));
    let docker_id = container.docker_id().unwrap_or_default();
    let agreement = match state {
        Some(ProofState::Unproven { agreed, needed } | ProofState::Refuted { agreed, needed }) => {
            Some((agreed, needed))
        }
        _ => None,
    };
    ProbedContainer {
        number,
        who,
        state: container.known_status().unwrap_or("unknown").to_owned(),
        id_form: mask(docker_id),
        cadence_ms: cadence.map(ms),
        has_two_renewals: kernel.compared().is_some_and(|it| it.has_two_renewals(docker_id)),
        processes: finding.map_or(0, |it| it.processes),
        file_is_open: finding.is_some_and(|it| it.file.is_ok()),
        no_file: finding.and_then(|it| it.file.err()).map(|reason| mask(&reason.to_string())),
        no_sum: finding.and_then(|it| it.sum.err()).map(|reason| reason.to_string()),
        proof: match state {
            None | Some(ProofState::NoKernel) => Proof::None,
            Some(ProofState::Unproven { .. } | ProofState::Silent) => Proof::Unproven,
            Some(ProofState::Proven) => Proof::Proven,
            Some(ProofState::AtRest) => Proof::AtRest,
            Some(ProofState::Refuted { .. }) => Proof::Refuted,
        },
        agreed: agreement.map(|it| it.0),
        needed: agreement.map(|it| it.1),
    }
}

/// What it means for each way to read the kernel.
fn verdicts(
    kernel: &KernelSource<impl KernelCounters>,
    task: &TaskDocument,
    probe: &ProbeFinding,
    halves: Option<[Compared; 2]>,
) -> Vec<TierVerdict> {
    let is_judged = |it: &&ProbedContainer| it.who == Who::Measured && it.state != "STOPPED";
    let others: Vec<_> = probe.containers.iter().filter(is_judged).collect();
    let first_without = |lacks: &dyn Fn(&ProbedContainer) -> Option<String>| {
        others.iter().find_map(|it| Some(format!("container {}: {}", it.number, lacks(it)?)))
    };
    let none = || others.is_empty().then(|| "no measured container runs".to_owned());
    let refuted = || {
        first_without(&|it| {
            (it.proof == Proof::Refuted).then(|| "the endpoint disagreed".to_owned())
        })
    };
    let exact = none().or_else(|| first_without(&|it| it.no_file.clone())).or_else(refuted);
    let sum = none().or_else(|| first_without(&|it| it.no_sum.clone())).or_else(refuted);
    let open = || {
        let proven = others.iter().filter(|it| it.proof == Proof::Proven).count();
        format!("{proven} of {} measured containers confirmed so far", others.len())
    };
    let network = match kernel.interface() {
        Some(Ok(name)) => Ok(format!("interface {name}")),
        Some(Err(reason)) => Err(reason.to_string()),
        None => Err("the network mode is not awsvpc".to_owned()),
    };
    vec![
        TierVerdict::of("exact", exact.map_or_else(|| Ok(open()), Err)),
        TierVerdict::of("processes", sum.map_or_else(|| Ok(processes(&others)), Err)),
        TierVerdict::of("network", network),
        TierVerdict::of("task estimate", task_estimate(kernel, task, probe, halves)),
    ]
}

fn processes(others: &[&ProbedContainer]) -> String {
    let processes: usize = others.iter().map(|it| it.processes).sum();
    let uses_file = others.iter().any(|it| it.file_is_open);
    let not_tried = if uses_file { "; not used if ESP can read the cgroup file" } else { "" };
    format!(
        "{} of {} measured containers{not_tried}",
        text::probe::processes(processes),
        others.len()
    )
}

fn task_estimate(
    kernel: &KernelSource<impl KernelCounters>,
    task: &TaskDocument,
    probe: &ProbeFinding,
    halves: Option<[Compared; 2]>,
) -> Result<String, String> {
    if task.launch_type().as_deref() != Some("FARGATE") {
        return Err("only on Fargate does a task have its own machine".to_owned());
    }
    if probe.cpu_limit_vcpu.is_none() {
        return Err("the task document has no CPU limit".to_owned());
    }
    if !kernel.estimates_task() {
        return Err("not needed: the containers' processes are visible".to_owned());
    }
    let Some([first, second]) = halves else { return Err("nothing to compare".to_owned()) };
    let difference = |it: Compared| it.machine_cpus - it.containers_cpus;
    Ok(format!(
        "the platform used {:.3} and {:.3} CPUs; this may change by 3 % of the task's limit",
        difference(first),
        difference(second)
    ))
}
