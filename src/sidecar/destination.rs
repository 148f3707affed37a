//! Where samples go: which Region, and under which dimensions. The sidecar and
//! `esp check` resolve both here.

use crate::{
    endpoint::task::TaskDocument, sample::dimension::ResolvedDimensions, settings::Settings,
};

/// Where to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) region: Region,
    pub(crate) dimensions: ResolvedDimensions,
}

/// A Region, and what named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) name: String,
    /// The variable or flag, or the task's ARN.
    pub(crate) from: String,
}

/// The Region that a variable names, or else the task's ARN. `None` if neither
/// does.
pub(crate) fn region(settings: &Settings, task: Option<&TaskDocument>) -> Option<Region> {
    let from_settings = settings.region.clone().zip(settings.region_from.clone());
    let from_task = || Some((task?.region()?.to_owned(), "the task's ARN".to_owned()));
    let (name, from) = from_settings.or_else(from_task)?;
    Some(Region { name, from })
}

/// The dimensions of the values of each container in `names`, by its place, and of
/// the task.
pub(crate) fn dimensions(
    settings: &Settings,
    task: &TaskDocument,
    names: &[String],
) -> ResolvedDimensions {
    ResolvedDimensions::resolve(
        &settings.dimensions,
        &settings.overrides,
        task,
        names,
        settings.containers.is_one(),
    )
}
