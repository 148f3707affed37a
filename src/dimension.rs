//! Whose values they are: the dimensions under which an alarm finds the metric.
//! CloudWatch aggregates only over datums with the very same dimensions, so all
//! tasks of a service must choose alike.

use std::fmt;

use crate::{limits, task::TaskDocument};

/// What the configuration says in place of the task document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DimensionOverrides {
    /// `CLUSTER_NAME`.
    pub cluster_name: Option<String>,
    /// `SERVICE_NAME`.
    pub service_name: Option<String>,
}

/// Names and values, in the order in which they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dimensions {
    pairs: Vec<(&'static str, String)>,
}

impl Dimensions {
    /// `ClusterName` and `ServiceName`. A service without a name is replaced by
    /// `TaskDefinitionFamily`: the next best thing that all its tasks share.
    /// What is not known, or CloudWatch would refuse, is left out.
    #[must_use]
    pub fn choose(task: &TaskDocument, overrides: &DimensionOverrides) -> Self {
        let acceptable = |value: &&str| limits::is_dimension_value(value);
        let cluster = overrides.cluster_name.as_deref().or_else(|| task.cluster_name());
        let service = overrides.service_name.as_deref().or_else(|| task.service_name());
        let mut pairs = Vec::with_capacity(2);
        if let Some(cluster) = cluster.filter(acceptable) {
            pairs.push(("ClusterName", cluster.to_owned()));
        }
        if let Some(service) = service.filter(acceptable) {
            pairs.push(("ServiceName", service.to_owned()));
        } else if let Some(family) = task.family().filter(acceptable) {
            pairs.push(("TaskDefinitionFamily", family.to_owned()));
        }
        Self { pairs }
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.pairs.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Whether this dimension has a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| *known == name)
    }
}

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.pairs.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_named_overridden_or_replaced_by_its_family() {
        let ec2 = r#"{"Cluster": "shop", "Family": "web-task", "ServiceName": "web"}"#;
        let fargate =
            r#"{"Cluster": "arn:aws:ecs:eu-west-1:1:cluster/shop", "Family": "web-task"}"#;
        for (task, cluster, service, expected) in [
            (ec2, None, None, "ClusterName=shop, ServiceName=web"),
            (ec2, Some("other"), Some("else"), "ClusterName=other, ServiceName=else"),
            (fargate, None, None, "ClusterName=shop, TaskDefinitionFamily=web-task"),
            (fargate, None, Some("web"), "ClusterName=shop, ServiceName=web"),
            (r#"{"Cluster": "shop"}"#, None, None, "ClusterName=shop"),
            (r#"{"Cluster": "sh\u00f6p", "ServiceName": "web"}"#, None, None, "ServiceName=web"),
            ("{}", None, None, ""),
        ] {
            let task = TaskDocument::parse(&mut task.as_bytes().to_vec()).unwrap();
            let overrides = DimensionOverrides {
                cluster_name: cluster.map(str::to_owned),
                service_name: service.map(str::to_owned),
            };
            assert_eq!(Dimensions::choose(&task, &overrides).to_string(), expected);
        }
    }
}
