//! Whose values they are: the dimensions under which an alarm finds a metric.
//! CloudWatch aggregates only over datums with the very same dimensions, so all
//! tasks of a service must choose alike, and each set of dimensions is a metric
//! of its own.

use std::fmt;

use crate::{endpoint::task::TaskDocument, sample::limits};

/// A dimension whose value the task says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownDimension {
    /// The cluster's short name.
    ClusterName,
    /// The service's name.
    ServiceName,
    /// The task definition's family.
    TaskDefinitionFamily,
    /// Its revision.
    TaskDefinitionRevision,
    /// The id of the task: a metric for every task that ever ran.
    TaskId,
    /// The container's name in the task definition.
    ContainerName,
    /// Where the task runs.
    AvailabilityZone,
    /// `EC2`, `FARGATE`, `MANAGED_INSTANCES` or `EXTERNAL`.
    LaunchType,
}

/// All of them, in the order of the documentation.
pub const KNOWN_DIMENSIONS: [KnownDimension; 8] = [
    KnownDimension::ClusterName,
    KnownDimension::ServiceName,
    KnownDimension::TaskDefinitionFamily,
    KnownDimension::TaskDefinitionRevision,
    KnownDimension::TaskId,
    KnownDimension::ContainerName,
    KnownDimension::AvailabilityZone,
    KnownDimension::LaunchType,
];

impl KnownDimension {
    /// `Name` of the dimension.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClusterName => "ClusterName",
            Self::ServiceName => "ServiceName",
            Self::TaskDefinitionFamily => "TaskDefinitionFamily",
            Self::TaskDefinitionRevision => "TaskDefinitionRevision",
            Self::TaskId => "TaskId",
            Self::ContainerName => "ContainerName",
            Self::AvailabilityZone => "AvailabilityZone",
            Self::LaunchType => "LaunchType",
        }
    }
}

/// One dimension of a set, before its value is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DimensionSpec {
    /// The task says the value.
    Known(KnownDimension),
    /// The user says it.
    Constant {
        /// The dimension's name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl DimensionSpec {
    fn name(&self) -> &str {
        match self {
            Self::Known(known) => known.name(),
            Self::Constant { name, .. } => name,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some((name, value)) = text.split_once('=') {
            let is_valid = limits::is_dimension_name(name)
                && limits::is_dimension_value(value)
                && name != KnownDimension::ContainerName.name();
            return is_valid
                .then(|| Self::Constant { name: name.to_owned(), value: value.to_owned() });
        }
        KNOWN_DIMENSIONS.into_iter().find(|known| known.name() == text).map(Self::Known)
    }
}

/// `DIMENSIONS`: one or more sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DimensionSets {
    sets: Vec<Vec<DimensionSpec>>,
    is_default: bool,
}

impl Default for DimensionSets {
    /// `ClusterName,ServiceName`, with something in the place of a name that is
    /// not available.
    fn default() -> Self {
        let specs = [KnownDimension::ClusterName, KnownDimension::ServiceName];
        Self { sets: vec![specs.map(DimensionSpec::Known).to_vec()], is_default: true }
    }
}

impl DimensionSets {
    /// Reads `ClusterName,ServiceName;Stage=prod,ServiceName`: `;` between sets,
    /// `,` between dimensions, `=` for a constant. An empty set publishes
    /// without dimensions, so `;` alone does that.
    ///
    /// Returns `None` for an unknown name, a name twice in a set, more than
    /// [`limits::DIMENSIONS_PER_DATUM`] in one (the container's is added), or a
    /// constant that CloudWatch would refuse.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut sets: Vec<Vec<DimensionSpec>> = Vec::new();
        for text in text.split(';') {
            let mut set: Vec<DimensionSpec> = Vec::new();
            for text in text.split(',').map(str::trim) {
                if text.is_empty() {
                    continue;
                }
                let spec = DimensionSpec::parse(text)?;
                if set.iter().any(|other| other.name() == spec.name()) {
                    return None;
                }
                set.push(spec);
            }
            if set.len() >= limits::DIMENSIONS_PER_DATUM {
                return None;
            }
            if !sets.iter().any(|other| is_same(other, &set)) {
                sets.push(set);
            }
        }
        let is_default =
            matches!(sets.as_slice(), [only] if is_same(only, &Self::default().sets[0]));
        Some(Self { sets, is_default })
    }

    /// How many sets there are. Each is a metric of its own.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sets.len()
    }

    /// Whether a set can hold for values of the task: one without `ContainerName`.
    #[must_use]
    pub fn has_set_for_task(&self) -> bool {
        let of_container = DimensionSpec::Known(KnownDimension::ContainerName);
        self.sets.iter().any(|set| !set.contains(&of_container))
    }

    /// Each set in words, before the task is known: `Name=value` if the configuration
    /// says the value, else the name and where the value comes from.
    pub fn describe(&self, overrides: &DimensionOverrides) -> impl Iterator<Item = String> {
        self.sets.iter().map(|set| {
            let words = |spec: &DimensionSpec| {
                let value = match spec {
                    DimensionSpec::Constant { value, .. } => Some(value),
                    DimensionSpec::Known(KnownDimension::ClusterName) => {
                        overrides.cluster_name.as_ref()
                    }
                    DimensionSpec::Known(KnownDimension::ServiceName) => {
                        overrides.service_name.as_ref()
                    }
                    DimensionSpec::Known(_) => None,
                };
                let name = spec.name();
                value.map_or_else(|| format!("{name} (the task's)"), |it| format!("{name}={it}"))
            };
            let words = set.iter().map(words).collect::<Vec<_>>().join(", ");
            if words.is_empty() { "none".to_owned() } else { words }
        })
    }

    /// The names of the constants.
    pub fn constants(&self) -> impl Iterator<Item = &str> {
        self.sets.iter().flatten().filter_map(|spec| match spec {
            DimensionSpec::Known(_) => None,
            DimensionSpec::Constant { name, .. } => Some(name.as_str()),
        })
    }
}

/// What the configuration says in place of the task document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DimensionOverrides {
    /// `CLUSTER_NAME`.
    pub cluster_name: Option<String>,
    /// `SERVICE_NAME`.
    pub service_name: Option<String>,
}

/// Names and values, as they are sent.
pub type Dimensions = Vec<(String, String)>;

/// All sets with their values: what a datum is published under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedDimensions {
    /// For values of the task.
    task: Vec<Dimensions>,
    /// For values of the containers, by place.
    containers: Vec<Vec<Dimensions>>,
    /// Names without a value here, each for the set that it made useless or, in
    /// the default set, that lacks it.
    missing: Vec<KnownDimension>,
}

impl ResolvedDimensions {
    /// Fills in the values. `containers` are the measured ones' names, by place;
    /// `is_one` says that only one was ever asked for, whose metrics then carry
    /// no `ContainerName` unless a set names it.
    #[must_use]
    pub fn resolve(
        sets: &DimensionSets,
        overrides: &DimensionOverrides,
        task: &TaskDocument,
        containers: &[String],
        is_one: bool,
    ) -> Self {
        let values = Values { overrides, task };
        let mut resolved = Self::default();
        for set in &sets.sets {
            let names_container =
                set.contains(&DimensionSpec::Known(KnownDimension::ContainerName));
            if !names_container {
                let pairs = resolved.fill(set, sets.is_default, &values, None);
                push_new(&mut resolved.task, pairs);
            }
        }
        for container in containers {
            let mut own = Vec::new();
            for set in &sets.sets {
                let mut pairs = resolved.fill(set, sets.is_default, &values, Some(container));
                if let Some(pairs) = &mut pairs
                    && !is_one
                    && !pairs.iter().any(|(name, _)| name == "ContainerName")
                    && limits::is_dimension_value(container)
                {
                    pairs.push(("ContainerName".to_owned(), container.clone()));
                }
                push_new(&mut own, pairs);
            }
            resolved.containers.push(own);
        }
        resolved
    }

    fn fill(
        &mut self,
        set: &[DimensionSpec],
        is_default: bool,
        values: &Values<'_>,
        container: Option<&str>,
    ) -> Option<Dimensions> {
        let mut pairs = Dimensions::new();
        for spec in set {
            let known = match spec {
                DimensionSpec::Constant { name, value } => {
                    pairs.push((name.clone(), value.clone()));
                    continue;
                }
                DimensionSpec::Known(known) => *known,
            };
            if let Some(value) = values.get(known, container) {
                pairs.push((known.name().to_owned(), value));
                continue;
            }
            if !self.missing.contains(&known) {
                self.missing.push(known);
            }
            if !is_default {
                return None;
            }
            // The next best thing that all tasks of a service share.
            let family = KnownDimension::TaskDefinitionFamily;
            if known == KnownDimension::ServiceName
                && let Some(value) = values.get(family, container)
            {
                pairs.push((family.name().to_owned(), value));
            }
        }
        Some(pairs)
    }

    /// The sets for a value of this container, or of the task.
    #[must_use]
    pub fn sets(&self, container: Option<u16>) -> &[Dimensions] {
        match container {
            None => &self.task,
            Some(place) => self.containers.get(usize::from(place)).map_or(&[], Vec::as_slice),
        }
    }

    /// Names that have no value here.
    #[must_use]
    pub fn missing(&self) -> &[KnownDimension] {
        &self.missing
    }

    /// How many samples fit into a request, whatever they are.
    #[must_use]
    pub fn samples_per_request(&self) -> usize {
        let all = || self.containers.iter().chain([&self.task]);
        let most_sets = all().map(Vec::len).max().unwrap_or(0).max(1);
        let bytes = |sets: &Vec<Dimensions>| -> usize {
            let pairs = sets.iter().flatten();
            let text: usize = pairs.map(|(name, value)| name.len() + value.len() + 32).sum();
            text + sets.len() * limits::BYTES_PER_BARE_DATUM
        };
        let most_bytes = all().map(bytes).max().unwrap_or(0).max(1);
        (limits::DATUMS_PER_REQUEST / most_sets).min(limits::BYTES_PER_REQUEST / most_bytes).max(1)
    }
}

impl fmt::Display for ResolvedDimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = self.containers.first().unwrap_or(&self.task);
        for (position, set) in sets.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { "; " })?;
            if set.is_empty() {
                f.write_str("(none)")?;
            }
            for (position, (name, value)) in set.iter().enumerate() {
                write!(f, "{}{name}={value}", if position == 0 { "" } else { ", " })?;
            }
        }
        Ok(())
    }
}

/// Adds a set, unless it is there already in another order.
fn push_new(sets: &mut Vec<Dimensions>, set: Option<Dimensions>) {
    sets.extend(set.filter(|set| !sets.iter().any(|other| is_same(other, set))));
}

/// Whether two sets have the same members. CloudWatch does not look at their order.
fn is_same<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.len() == other.len() && one.iter().all(|member| other.contains(member))
}

struct Values<'a> {
    overrides: &'a DimensionOverrides,
    task: &'a TaskDocument,
}

impl Values<'_> {
    fn get(&self, known: KnownDimension, container: Option<&str>) -> Option<String> {
        let task = self.task;
        let value = match known {
            KnownDimension::ClusterName => {
                self.overrides.cluster_name.as_deref().or_else(|| task.cluster_name())
            }
            KnownDimension::ServiceName => {
                self.overrides.service_name.as_deref().or_else(|| task.service_name())
            }
            KnownDimension::TaskDefinitionFamily => task.family(),
            KnownDimension::TaskDefinitionRevision => task.revision(),
            KnownDimension::TaskId => task.task_id(),
            KnownDimension::ContainerName => container,
            KnownDimension::AvailabilityZone => task.availability_zone(),
            KnownDimension::LaunchType => {
                return task.launch_type().filter(|value| limits::is_dimension_value(value));
            }
        };
        value.filter(|value| limits::is_dimension_value(value)).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
