//! What a deployment of the examples needs besides the container: a deployment that
//! fails is rolled back, tasks start only once they have their permissions and their
//! way out, and subnets without a way out have every endpoint that a task needs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{collections::BTreeSet, path::PathBuf};

use esp_templates::{
    cloudformation::Template,
    pascal,
    terraform::{self, Module},
    with_keys,
};
use serde_json::{Value, json};

/// What a Fargate task asks before and beside its own work: the registry twice, the
/// log, CloudWatch. The layers of an image come from S3.
const INTERFACES: [&str; 4] = ["ecr.api", "ecr.dkr", "logs", "monitoring"];

fn path(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

fn terraform_service(endpoints: &[&str]) -> Module {
    let inputs = json!({
        "region": "eu-west-1", "cluster_name": "shop", "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-1"], "web_image": "web", "esp_image": "esp:1",
        "endpoints": endpoints,
        "endpoint_route_table_ids": if endpoints.len() > 1 { json!(["rtb-1"]) } else { json!([]) },
    });
    terraform::module(&path("terraform/service"), &inputs)
}

fn cloudformation(endpoints: &str) -> Template {
    let text = std::fs::read_to_string(path("cloudformation/service.yaml")).unwrap();
    Template::from_yaml(
        &text,
        &[("EspImage", "esp:1"), ("WebImage", "web"), ("CreateEndpoints", endpoints)],
    )
}

/// The template that `.ci/examples` makes of the CDK's example.
fn cdk() -> Template {
    let file = std::env::var_os("ESP_TEST_CDK_TEMPLATE");
    let file = file.expect("ESP_TEST_CDK_TEMPLATE names a template; .ci/examples makes it");
    Template::from_json(&std::fs::read_to_string(file).unwrap(), &[])
}

/// The one resource of a type: its name and its properties.
fn only(template: &Template, kind: &str) -> (String, Value) {
    let mut resources = template.resources(kind).into_iter();
    let first = resources.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(resources.next().is_none(), "several {kind}");
    first
}

fn assert_rolls_back(deployment: &Value) {
    let breaker = json!({"Enable": true, "Rollback": true});
    assert_eq!(deployment["DeploymentCircuitBreaker"], breaker);
    // No running task ends before its successor runs: 100, which is ECS's default.
    let healthy = &deployment["MinimumHealthyPercent"];
    assert!(healthy.is_null() || *healthy == 100, "{healthy}");
}

/// By what the endpoints of a template are for, without the Region.
fn services<'a>(endpoints: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    let name = |endpoint: &Value| {
        let name = text(&endpoint["ServiceName"]);
        name.strip_prefix("com.amazonaws.eu-west-1.").expect("a service of the Region").to_owned()
    };
    endpoints.map(name).collect()
}

fn assert_complete<'a>(endpoints: impl Iterator<Item = &'a Value> + Clone) {
    let mut expected: BTreeSet<_> = INTERFACES.map(str::to_owned).into();
    for endpoint in endpoints.clone().filter(|endpoint| endpoint["VpcEndpointType"] == "Interface")
    {
        assert_eq!(endpoint["PrivateDnsEnabled"], true);
        assert_eq!(endpoint["SecurityGroupIds"].as_array().unwrap().len(), 1);
    }
    expected.insert("s3".into());
    assert_eq!(services(endpoints.clone()), expected);
    let mut gateways = endpoints.filter(|endpoint| endpoint["VpcEndpointType"] == "Gateway");
    let gateway = gateways.next().unwrap();
    assert_eq!(services([gateway].into_iter()), ["s3".to_owned()].into());
    assert!(!gateway["RouteTableIds"].is_null());
    assert!(gateways.next().is_none());
}

#[test]
fn a_failed_deployment_is_rolled_back_by_terraform() {
    let service = terraform_service(&[]);
    let attributes = &service.resources["aws_ecs_service.web"];
    let breaker = with_keys(attributes["deployment_circuit_breaker"][0].clone(), &pascal);
    assert_rolls_back(&json!({
        "DeploymentCircuitBreaker": breaker,
        "MinimumHealthyPercent": attributes["deployment_minimum_healthy_percent"],
    }));
}

#[test]
fn a_failed_deployment_is_rolled_back_by_cloudformation() {
    let (_, service) = only(&cloudformation("none"), "AWS::ECS::Service");
    assert_rolls_back(&service["DeploymentConfiguration"]);
}

#[test]
#[ignore = "needs the CDK's template: .ci/examples"]
fn a_failed_deployment_is_rolled_back_by_the_cdk() {
    let (_, service) = only(&cdk(), "AWS::ECS::Service");
    assert_rolls_back(&service["DeploymentConfiguration"]);
}

#[test]
fn terraform_starts_tasks_once_they_may_and_can_do_what_they_need() {
    let service = terraform_service(&INTERFACES);
    for earlier in [
        "module.esp.aws_iam_role_policy.publish",
        "aws_iam_role_policy_attachment.execution",
        "aws_vpc_security_group_egress_rule.https",
        "aws_cloudwatch_log_group.service",
        "module.endpoints.aws_vpc_endpoint.interface",
        "module.endpoints.aws_vpc_endpoint.s3",
        "module.endpoints.aws_vpc_security_group_ingress_rule.https",
    ] {
        assert!(service.is_created_after("aws_ecs_service.web", earlier), "{earlier}");
        assert!(!service.is_created_after(earlier, "aws_ecs_service.web"), "{earlier}");
    }
    // Whoever takes the container's definition gets the permission's order with it.
    assert!(
        service.is_created_after(
            "aws_ecs_task_definition.web",
            "module.esp.aws_iam_role_policy.publish",
        )
    );
    let target = "module.scaling.aws_appautoscaling_target.service";
    assert!(service.is_created_after(target, "aws_ecs_service.web"));
}

#[test]
fn cloudformation_starts_tasks_once_they_may_and_can_do_what_they_need() {
    let template = cloudformation("all");
    let (service, _) = only(&template, "AWS::ECS::Service");
    let endpoints = template.resources("AWS::EC2::VPCEndpoint").into_keys();
    let earlier = ["TaskRole", "ExecutionRole", "TaskSecurityGroup", "LogGroup"];
    for earlier in earlier.map(str::to_owned).into_iter().chain(endpoints) {
        assert!(template.is_created_after(&service, &earlier), "{earlier}");
    }
    // They have their policies from the start.
    assert!(template.resources("AWS::IAM::Policy").is_empty());
    assert!(template.resources("AWS::IAM::ManagedPolicy").is_empty());
    let (target, _) = only(&template, "AWS::ApplicationAutoScaling::ScalableTarget");
    assert!(template.is_created_after(&target, &service));
}

#[test]
#[ignore = "needs the CDK's template: .ci/examples"]
fn the_cdk_starts_tasks_once_they_may_and_can_do_what_they_need() {
    let template = cdk();
    let (service, _) = only(&template, "AWS::ECS::Service");
    let kinds = ["AWS::IAM::Role", "AWS::IAM::Policy", "AWS::EC2::VPCEndpoint"];
    let earlier: Vec<_> =
        kinds.iter().flat_map(|kind| template.resources(kind).into_keys()).collect();
    assert_eq!(earlier.len(), 2 + 2 + INTERFACES.len() + 1, "{earlier:?}");
    for earlier in earlier {
        assert!(template.is_created_after(&service, &earlier), "{earlier}");
    }
}

#[test]
fn the_execution_role_may_pull_and_log() {
    const POLICY: &str = ":iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    let service = terraform_service(&[]);
    let attachment = &service.resources["aws_iam_role_policy_attachment.execution"];
    assert!(text(&attachment["policy_arn"]).contains(POLICY));
    let (_, role) = only_role(&cloudformation("none"), "ExecutionRole");
    assert!(text(&role["ManagedPolicyArns"][0]).ends_with(POLICY));
}

#[test]
#[ignore = "needs the CDK's template: .ci/examples"]
fn the_execution_role_of_the_cdk_may_pull_and_log() {
    let (_, role) = only_role(&cdk(), "TaskExecutionRole");
    let policies = role["ManagedPolicyArns"].to_string();
    assert!(policies.contains("service-role/AmazonECSTaskExecutionRolePolicy"), "{policies}");
}

fn only_role(template: &Template, name: &str) -> (String, Value) {
    let mut roles = template.resources("AWS::IAM::Role").into_iter();
    roles.find(|(role, _)| role.starts_with(name)).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn terraform_makes_the_endpoints_that_are_asked_for() {
    assert!(!terraform_service(&[]).modules.contains_key("endpoints"));
    let made = |endpoints: &[&str]| -> Vec<Value> {
        let service = terraform_service(endpoints);
        let resources = service.modules["endpoints"].resources.iter();
        let of_kind = resources.filter(|(name, _)| name.starts_with("aws_vpc_endpoint."));
        of_kind.map(|(_, attributes)| with_keys(attributes.clone(), &pascal)).collect()
    };
    assert_eq!(services(made(&["monitoring"]).iter()), ["monitoring".to_owned()].into());
    assert_complete(made(&INTERFACES).iter());
}

#[test]
fn cloudformation_makes_the_endpoints_that_are_asked_for() {
    let made = |endpoints: &str| cloudformation(endpoints).resources("AWS::EC2::VPCEndpoint");
    assert!(made("none").is_empty());
    assert_eq!(services(made("monitoring").values()), ["monitoring".to_owned()].into());
    assert_complete(made("all").values());
}

#[test]
#[ignore = "needs the CDK's template: .ci/examples"]
fn isolated_subnets_of_the_cdk_have_what_a_task_needs() {
    let template = cdk();
    let endpoints = template.resources("AWS::EC2::VPCEndpoint");
    assert_complete(endpoints.values());

    // In the service's own subnets, by their names.
    let (_, service) = only(&template, "AWS::ECS::Service");
    let subnets = &service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"];
    let subnets = subnets.as_array().unwrap();
    for endpoint in endpoints.values().filter(|it| it["VpcEndpointType"] == "Interface") {
        assert_eq!(endpoint["SubnetIds"].as_array().unwrap(), subnets);
    }
    let gateway = endpoints.values().find(|it| it["VpcEndpointType"] == "Gateway").unwrap();
    let associations = template.resources("AWS::EC2::SubnetRouteTableAssociation");
    let routes = gateway["RouteTableIds"].as_array().unwrap();
    for subnet in subnets {
        let own = associations.values().find(|it| it["SubnetId"] == *subnet).unwrap();
        assert!(routes.contains(&own["RouteTableId"]), "{subnet}");
    }
}
