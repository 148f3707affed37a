//! Which containers of a task AWS adds to those of the task definition. Only their
//! type and their name tell, so this is the one list of both.

/// Names that AWS gives whole.
const NAMES: [&str; 1] = [
    // With `pidMode: task` on Fargate.
    "aws-fargate-pause",
];

/// Names that AWS completes with a suffix, a new one for every task.
const PREFIXES: [&str; 2] = [
    // Service Connect's proxy.
    "ecs-service-connect-",
    // GuardDuty's runtime monitoring.
    "aws-guardduty-agent-",
];

/// The agent's own containers. A task definition cannot use this name: `~` is not
/// allowed there.
const AGENT_PREFIX: &str = "~internal~ecs";

/// Whether AWS added a container with this name and this `Type`.
///
/// It is injected if the document gives a type other than `NORMAL` (`CNI_PAUSE`,
/// `NAMESPACE_PAUSE`, `EMPTY_HOST_VOLUME`, `MANAGED_DAEMON`, and any type that ESP
/// does not know), or if it has one of AWS's names. The name counts as well,
/// because some injected containers are `NORMAL`.
///
/// A container of the task definition that is called `ecs-service-connect-` or
/// `aws-guardduty-agent-` plus something cannot be told from AWS's, and counts as
/// injected. Names that only resemble these do not: `ecs-service-connect`,
/// `my-aws-guardduty-agent-x`, `aws-fargate-pause-2` and `AWS-Fargate-Pause` are the
/// task definition's.
///
/// ```
/// use esp::endpoint::injected::is_injected;
///
/// assert!(is_injected("aws-guardduty-agent-k3fX9q", Some("NORMAL")));
/// assert!(is_injected("any name", Some("CNI_PAUSE")));
/// assert!(!is_injected("web", None));
/// ```
#[must_use]
pub fn is_injected(name: &str, kind: Option<&str>) -> bool {
    let is_other_type =
        kind.is_some_and(|kind| !kind.is_empty() && !kind.eq_ignore_ascii_case("NORMAL"));
    let has_suffix = |prefix: &&str| name.len() > prefix.len() && name.starts_with(prefix);
    is_other_type
        || name.starts_with(AGENT_PREFIX)
        || NAMES.contains(&name)
        || PREFIXES.iter().any(has_suffix)
}

/// Whether it is one of those that only hold namespaces and wait: what it uses of CPU is
/// nothing. By its type, or by the names of the pause containers.
///
/// ```
/// use esp::endpoint::injected::is_pause;
///
/// assert!(is_pause("aws-fargate-pause", Some("NORMAL")));
/// assert!(!is_pause("ecs-service-connect-6vBLKr", None));
/// ```
#[must_use]
pub fn is_pause(name: &str, kind: Option<&str>) -> bool {
    let is_type = |pause: &&str| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(pause));
    ["CNI_PAUSE", "NAMESPACE_PAUSE"].iter().any(is_type)
        || NAMES.contains(&name)
        || name.strip_prefix(AGENT_PREFIX).is_some_and(|rest| rest.starts_with("~pause"))
}

#[cfg(test)]
mod tests {
    use super::{is_injected, is_pause};

    #[test]
    fn only_pause_containers_are_pause_containers() {
        for (name, kind, expected) in [
            ("aws-fargate-pause", None, true),
            ("aws-fargate-pause", Some("NORMAL"), true),
            ("~internal~ecs~pause", None, true),
            ("~internal~ecs~pause~0af3", Some("NORMAL"), true),
            ("x", Some("CNI_PAUSE"), true),
            ("x", Some("namespace_pause"), true),
            ("x", Some("EMPTY_HOST_VOLUME"), false),
            ("x", Some("MANAGED_DAEMON"), false),
            ("~internal~ecs-emptyvolume-source", None, false),
            ("ecs-service-connect-6vBLKr", None, false),
            ("aws-guardduty-agent-k3fX9q", Some("NORMAL"), false),
            ("aws-fargate-pause-2", None, false),
            ("web", None, false),
        ] {
            assert_eq!(is_pause(name, kind), expected, "{name} {kind:?}");
        }
    }

    #[test]
    fn type_other_than_normal_is_injected() {
        for (kind, expected) in [
            (None, false),
            (Some(""), false),
            (Some("NORMAL"), false),
            (Some("normal"), false),
            (Some("CNI_PAUSE"), true),
            (Some("NAMESPACE_PAUSE"), true),
            (Some("EMPTY_HOST_VOLUME"), true),
            (Some("MANAGED_DAEMON"), true),
            (Some("SOMETHING_NEW"), true),
        ] {
            assert_eq!(is_injected("web", kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn name_of_aws_is_injected_whatever_the_type_says() {
        for name in [
            "~internal~ecs~pause",
            "~internal~ecs-emptyvolume-source",
            "~internal~ecs~pause~0af3",
            "ecs-service-connect-6vBLKr",
            "ecs-service-connect-a1b2-c3d4",
            "aws-guardduty-agent-k3fX9q",
            "aws-guardduty-agent-1",
            "aws-fargate-pause",
        ] {
            for kind in [None, Some("NORMAL")] {
                assert!(is_injected(name, kind), "{name} {kind:?}");
            }
        }
    }

    #[test]
    fn name_that_only_resembles_one_of_aws_is_the_task_definitions() {
        for name in [
            "",
            "web",
            "internal",
            "internal-ecs-web",
            "ecs-service-connect",
            "ecs-service-connect-",
            "ecs-service-connector-1",
            "my-ecs-service-connect-1",
            "aws-guardduty-agent",
            "aws-guardduty-agents-1",
            "my-aws-guardduty-agent-x",
            "aws-fargate-pause-2",
            "my-aws-fargate-pause",
            "AWS-Fargate-Pause",
            "ecs-agent",
            "aws-otel-collector",
            "log_router",
        ] {
            for kind in [None, Some("NORMAL")] {
                assert!(!is_injected(name, kind), "{name} {kind:?}");
            }
        }
    }
}
