//! What `esp check --source` has found, as data.

use serde::Serialize;

use crate::proof::Compared;

/// The whole of it. There is nothing in it that is not to be shown.
#[derive(Debug, Default, Serialize)]
pub struct ProbeFinding {
    /// `EC2`, `FARGATE`, `EXTERNAL` or `MANAGED_INSTANCES`.
    pub launch_type: Option<String>,
    /// The task's CPU limit.
    pub cpu_limit_vcpu: Option<f64>,
    /// The machine, and what is visible on it.
    pub machine: MachineFinding,
    /// How long it took.
    pub seconds: u64,
    /// The containers of the task, by number.
    pub containers: Vec<ProbedContainer>,
    /// The machine beside the endpoint, in two parts of the time.
    pub comparison: Vec<ComparisonFinding>,
    /// What it means for each way to read the kernel.
    pub verdicts: Vec<TierVerdict>,
}

/// The machine, and what is visible on it.
#[derive(Debug, Default, Serialize)]
pub struct MachineFinding {
    /// The kernel's release.
    pub release: Option<String>,
    /// Of the cgroups that this process sees.
    pub cgroup_version: Option<&'static str>,
    /// This process's own, with ids shortened.
    pub own_cgroup: Option<String>,
    /// In `/proc/stat`.
    pub cpus: Option<u32>,
    /// Those that this process may use.
    pub usable_cpus: Option<usize>,
    /// Since the machine's start.
    pub uptime_s: Option<u64>,
    /// When that was.
    pub booted_unix_s: Option<u64>,
    /// Visible ones.
    pub processes: usize,
    /// Whose they are.
    pub cgroups: Vec<CgroupFinding>,
    /// The network interfaces.
    pub interfaces: Vec<InterfaceFinding>,
}

/// A cgroup with visible processes.
#[derive(Debug, Serialize)]
pub struct CgroupFinding {
    /// With ids shortened.
    pub path: String,
    /// The number of the container whose id is in it.
    pub container: Option<usize>,
    /// How many.
    pub processes: usize,
}

/// A network interface, beside the addresses of the task document.
#[derive(Debug, Serialize)]
pub struct InterfaceFinding {
    /// Its name.
    pub name: String,
    /// It has the task's MAC address.
    pub has_mac: bool,
    /// It has the task's IPv4 address.
    pub has_ipv4: bool,
}

/// A container.
#[derive(Debug, Serialize)]
pub struct ProbedContainer {
    /// In place of its name.
    pub number: usize,
    /// Which kind it is.
    pub who: Who,
    /// `RUNNING` and so on.
    pub state: String,
    /// Its Docker id, shortened.
    pub id_form: String,
    /// How often the endpoint has something new; of measured ones.
    pub cadence_ms: Option<u64>,
    /// The endpoint had something new twice.
    pub has_two_renewals: bool,
    /// Those that are followed.
    pub processes: usize,
    /// Its cgroup file.
    pub file_is_open: bool,
    /// Why it is not open.
    pub no_file: Option<String>,
    /// Why its processes are not summed.
    pub no_sum: Option<String>,
    /// How far the proof of the kernel's counter is.
    pub proof: Proof,
    /// So many renewals agreed so far,
    pub agreed: Option<u32>,
    /// of so many.
    pub needed: Option<u32>,
}

/// Which kind of container it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// This runs in it.
    Own,
    /// ESP measures it. The verdicts are about these.
    Measured,
    /// AWS added it to the task.
    Injected,
    /// Another one.
    Other,
}

/// How far the proof of the kernel's counter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// There is nothing to prove.
    None,
    /// Too few renewals so far.
    Unproven,
    /// The endpoint agreed often enough.
    Proven,
    /// Both sources stand still, at the same value.
    AtRest,
    /// The endpoint disagreed.
    Refuted,
}

/// The machine beside the endpoint's containers, over the same time.
#[derive(Debug, Serialize)]
pub struct ComparisonFinding {
    /// Seconds.
    pub seconds: f64,
    /// CPUs that the machine was busy on (`/proc/stat`).
    pub machine_cpus: f64,
    /// CPUs that the containers used.
    pub containers_cpus: f64,
    /// The one less the other.
    pub difference_cpus: f64,
}

impl ComparisonFinding {
    /// To a thousandth.
    pub(super) fn of(it: &Compared) -> Self {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        Self {
            seconds: round(it.seconds),
            machine_cpus: round(it.machine_cpus),
            containers_cpus: round(it.containers_cpus),
            difference_cpus: round(it.machine_cpus - it.containers_cpus),
        }
    }
}

/// What it means for one way to read the kernel.
#[derive(Debug, Serialize)]
pub struct TierVerdict {
    /// `exact`, `processes`, `network` or `task estimate`.
    pub tier: &'static str,
    /// Whether it can be read.
    pub is_possible: bool,
    /// What was found, or what is missing.
    pub what: String,
}

impl TierVerdict {
    pub(super) fn of(tier: &'static str, found: Result<String, String>) -> Self {
        let is_possible = found.is_ok();
        Self { tier, is_possible, what: found.unwrap_or_else(|missing| missing) }
    }
}
