//! Amazon Resource Names of ECS, `arn:PARTITION:ecs:REGION:ACCOUNT:RESOURCE`, and the
//! names in them. The task document and variables both hold such names; they are read
//! here, so that both are treated alike. Which Regions exist is not known here: new
//! ones appear without asking.

/// The parts of an ARN of ECS that ESP uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcsArn<'a> {
    region: &'a str,
    /// `cluster/shop`, `service/shop/web`, `task/shop/0af3`.
    resource: &'a str,
}

/// What an ARN of ECS names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    /// `cluster/NAME`.
    Cluster,
    /// `service/CLUSTER/NAME`, in older ARNs `service/NAME`.
    Service,
    /// `task/CLUSTER/ID`, in older ARNs `task/ID`.
    Task,
}

impl ResourceType {
    /// How a resource of this type begins, before the slash.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Service => "service",
            Self::Task => "task",
        }
    }
}

impl<'a> EcsArn<'a> {
    /// Takes `text` apart; `None` if it is no ARN of ECS.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let is_ecs = parts.next() == Some("arn")
            && parts.next().is_some_and(|partition| partition.starts_with("aws"))
            && parts.next() == Some("ecs");
        let (region, _account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        is_ecs.then_some(Self { region, resource })
    }

    /// The Region, if it has the shape of one.
    #[must_use]
    pub fn region(self) -> Option<&'a str> {
        Some(self.region).filter(|region| is_region(region))
    }

    /// The name or id of a resource of this type: what follows the last slash.
    #[must_use]
    pub fn name(self, of: ResourceType) -> Option<&'a str> {
        let path = self.resource.strip_prefix(of.word())?.strip_prefix('/')?;
        path.rsplit('/').next().filter(|name| !name.is_empty())
    }
}

/// The short name of a cluster or service that `text` gives by its name or by its
/// ARN. `None` if it is empty, or an ARN of something else.
///
/// ```
/// use esp::endpoint::arn::{ResourceType, short_name};
///
/// let arn = "arn:aws:ecs:eu-west-1:111122223333:service/shop/web";
/// assert_eq!(short_name(arn, ResourceType::Service), Some("web"));
/// assert_eq!(short_name("web", ResourceType::Service), Some("web"));
/// assert_eq!(short_name(arn, ResourceType::Cluster), None);
/// ```
#[must_use]
pub fn short_name(text: &str, of: ResourceType) -> Option<&str> {
    if text.starts_with("arn:") {
        return EcsArn::parse(text)?.name(of);
    }
    Some(text).filter(|name| !name.is_empty())
}

/// Whether `text` has the shape of a Region's name: lower-case words and a
/// number, as in `eu-west-1` or `us-gov-east-1`. A Region becomes part of a
/// host name, so nothing else may pass.
///
/// ```
/// assert!(esp::endpoint::arn::is_region("ap-southeast-2"));
/// assert!(!esp::endpoint::arn::is_region("eu-west-1.example.com"));
/// ```
#[must_use]
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-').rev();
    let number = parts.next().unwrap_or_default();
    let words: Vec<_> = parts.collect();
    text.len() <= 32
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.len() >= 2
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_a_shape() {
        for good in ["us-east-1", "eu-central-2", "cn-north-1", "us-gov-west-1", "us-isob-east-1"] {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "useast1",
            "us-east",
            "us-east-",
            "-east-1",
            "US-EAST-1",
            "us-east-1 ",
            "us--east-1",
            "eu-west-1a",
            "a.b-c-1",
        ] {
            assert!(!is_region(bad), "{bad}");
        }
    }

    #[test]
    fn short_name_is_the_name_or_the_end_of_its_arn() {
        use ResourceType::{Cluster, Service, Task};
        for (text, of, expected) in [
            ("shop", Cluster, Some("shop")),
            ("team/web", Service, Some("team/web")),
            ("arn:aws:ecs:eu-west-1:111122223333:cluster/shop", Cluster, Some("shop")),
            ("arn:aws-cn:ecs:cn-north-1:1:service/shop/web", Service, Some("web")),
            ("arn:aws-us-gov:ecs:us-gov-west-1:1:service/web", Service, Some("web")),
            ("arn:aws:ecs:eu-west-1:1:task/shop/0af3", Task, Some("0af3")),
            ("arn:aws:ecs:eu-west-1:1:cluster/shop", Service, None),
            ("arn:aws:ecs:eu-west-1:1:services/shop", Service, None),
            ("arn:aws:ecs:eu-west-1:1:cluster/", Cluster, None),
            ("arn:aws:ecs:eu-west-1:1:cluster", Cluster, None),
            ("arn:aws:s3:::cluster/shop", Cluster, None),
            ("arn:", Cluster, None),
            ("", Cluster, None),
        ] {
            assert_eq!(short_name(text, of), expected, "{text}");
        }
    }
}
