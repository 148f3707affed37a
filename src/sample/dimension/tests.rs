//! Tests of sets of dimensions and of their values.

use super::*;

const EC2: &str = r#"{"Cluster": "shop", "Family": "web-task", "Revision": "7", "ServiceName": "web",
    "TaskARN": "arn:aws:ecs:eu-west-1:1:task/shop/0af3", "LaunchType": "ec2"}"#;
const FARGATE: &str =
    r#"{"Cluster": "arn:aws:ecs:eu-west-1:1:cluster/shop", "Family": "web-task"}"#;

fn resolve(
    task: &str,
    sets: Option<&str>,
    containers: &[&str],
    is_one: bool,
) -> ResolvedDimensions {
    let sets = sets.map_or_else(DimensionSets::default, |sets| DimensionSets::parse(sets).unwrap());
    let task = TaskDocument::parse(&mut task.as_bytes().to_vec()).unwrap();
    let containers: Vec<_> = containers.iter().map(|name| (*name).to_owned()).collect();
    ResolvedDimensions::resolve(&sets, &DimensionOverrides::default(), &task, &containers, is_one)
}

#[test]
fn the_service_is_named_overridden_or_replaced_by_its_family() {
    for (task, cluster, service, expected) in [
        (EC2, None, None, "ClusterName=shop, ServiceName=web"),
        (EC2, Some("other"), Some("else"), "ClusterName=other, ServiceName=else"),
        (FARGATE, None, None, "ClusterName=shop, TaskDefinitionFamily=web-task"),
        (FARGATE, None, Some("web"), "ClusterName=shop, ServiceName=web"),
        (r#"{"Cluster": "shop"}"#, None, None, "ClusterName=shop"),
        (r#"{"Cluster": "sh\u00f6p", "ServiceName": "web"}"#, None, None, "ServiceName=web"),
        ("{}", None, None, "(none)"),
    ] {
        let task = TaskDocument::parse(&mut task.as_bytes().to_vec()).unwrap();
        let overrides = DimensionOverrides {
            cluster_name: cluster.map(str::to_owned),
            service_name: service.map(str::to_owned),
        };
        let sets = DimensionSets::default();
        let names = ["web".to_owned()];
        let resolved = ResolvedDimensions::resolve(&sets, &overrides, &task, &names, true);
        assert_eq!(resolved.to_string(), expected);
    }
}

#[test]
fn several_containers_are_told_apart_and_the_task_is_not() {
    let resolved = resolve(EC2, None, &["web", "log"], false);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let shared = vec![pair("ClusterName", "shop"), pair("ServiceName", "web")];
    assert_eq!(resolved.sets(None), std::slice::from_ref(&shared));
    for (place, name) in [(0, "web"), (1, "log")] {
        let expected = [&shared[..], &[pair("ContainerName", name)]].concat();
        assert_eq!(resolved.sets(Some(place)), [expected]);
    }
    assert!(resolved.sets(Some(2)).is_empty());
}

#[test]
fn sets_are_as_the_user_says() {
    for (sets, expected) in [
        ("ServiceName", "ServiceName=web"),
        (
            "ClusterName, ServiceName ; LaunchType",
            "ClusterName=shop, ServiceName=web; LaunchType=EC2",
        ),
        (";", "(none)"),
        ("ServiceName;", "ServiceName=web; (none)"),
        ("Stage=prod,TaskId", "Stage=prod, TaskId=0af3"),
        (
            "TaskDefinitionFamily,TaskDefinitionRevision",
            "TaskDefinitionFamily=web-task, TaskDefinitionRevision=7",
        ),
        ("ContainerName", "ContainerName=web"),
        ("ServiceName;ServiceName", "ServiceName=web"),
        ("ServiceName,Stage=a;Stage=a,ServiceName", "ServiceName=web, Stage=a"),
    ] {
        assert_eq!(resolve(EC2, Some(sets), &["web"], true).to_string(), expected, "{sets}");
    }
    for sets in [
        "Servicename",
        "ServiceName,ServiceName",
        "=x",
        "Stage=",
        "Stage=\u{fc}",
        "a=b,a=c",
        ":a=b",
        "ContainerName=x",
    ] {
        assert_eq!(DimensionSets::parse(sets), None, "{sets}");
    }
}

#[test]
fn a_set_that_names_the_container_is_the_same_with_it_added() {
    let sets = Some("ServiceName;ContainerName,ServiceName");
    let resolved = resolve(EC2, sets, &["web", "log"], false);
    assert_eq!(resolved.sets(Some(0)).len(), 1);
    assert_eq!(resolved.sets(None).len(), 1);
}

#[test]
fn a_set_without_a_value_is_skipped_and_named() {
    let resolved =
        resolve(FARGATE, Some("ServiceName;ClusterName;AvailabilityZone"), &["web"], true);
    assert_eq!(resolved.to_string(), "ClusterName=shop");
    assert_eq!(resolved.missing(), [KnownDimension::ServiceName, KnownDimension::AvailabilityZone]);
    assert!(resolve(FARGATE, Some("TaskId"), &["web"], true).sets(Some(0)).is_empty());
}

#[test]
fn a_set_with_the_container_is_none_for_the_task() {
    let resolved = resolve(EC2, Some("ServiceName,ContainerName"), &["web"], true);
    assert!(resolved.sets(None).is_empty());
    assert_eq!(resolved.missing(), []);
}

#[test]
fn requests_are_as_full_as_the_limits_allow() {
    assert_eq!(resolve(EC2, None, &["web"], true).samples_per_request(), 1000);
    assert_eq!(
        resolve(EC2, Some("ServiceName;;TaskId"), &["web"], true).samples_per_request(),
        333
    );
    let long = format!("A={0},B={0},C={0}", "x".repeat(1024));
    let fit = resolve(EC2, Some(&long), &["web"], true).samples_per_request();
    assert!((250..330).contains(&fit), "{fit}");
}

#[test]
fn order_of_the_default_dimensions_does_not_matter() {
    for sets in ["ClusterName,ServiceName", "ServiceName,ClusterName", " ServiceName , ClusterName"]
    {
        let parsed = DimensionSets::parse(sets).unwrap();
        assert!(parsed.is_default, "{sets}");
        let resolved = resolve(FARGATE, Some(sets), &["web"], true);
        let mut pairs = resolved.sets(Some(0))[0].clone();
        pairs.sort();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let family = pair("TaskDefinitionFamily", "web-task");
        assert_eq!(pairs, [pair("ClusterName", "shop"), family], "{sets}");
        assert_eq!(resolved.missing(), [KnownDimension::ServiceName], "{sets}");
    }
    for sets in ["ServiceName", "ServiceName,ClusterName;Stage=prod", "ServiceName,ClusterName;"] {
        assert!(!DimensionSets::parse(sets).unwrap().is_default, "{sets}");
    }
}
