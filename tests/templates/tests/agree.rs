//! The templates under `examples/` say what the JSON files beside them say. That those fit the program is for `esp`'s own tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{collections::BTreeMap, path::PathBuf};

use esp_templates::{
    camel,
    cloudformation::Template,
    pascal,
    terraform::{self, Module},
    with_keys,
};
use serde_json::{Value, json};

fn path(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn example(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

/// What all of them come to, in the form of the AWS APIs.
#[derive(Debug, PartialEq)]
struct Deployment {
    /// The sidecar's definition; its environment in the order of names.
    container: Value,
    /// What the task role may do.
    permission: Value,
    /// The scalable target.
    target: Value,
    /// By name, without the service that they are for.
    policies: BTreeMap<String, Value>,
    /// By name, without their actions.
    alarms: BTreeMap<String, Value>,
    /// By alarm, the policy that it calls.
    actions: BTreeMap<String, String>,
}

impl Deployment {
    /// The JSON files.
    fn expected() -> Self {
        let task = example("task-definition/fargate.json");
        let [out, back] =
            ["alarm-out", "alarm-in"].map(|name| example(&format!("scaling/{name}.json")));
        let pair = |alarm: &Value, policy: &str| (text(&alarm["AlarmName"]), policy.to_owned());
        Self {
            container: container(&task["containerDefinitions"]),
            permission: example("iam/publish.json")["Statement"].clone(),
            target: example("scaling/target.json"),
            actions: [pair(&out, "web-out"), pair(&back, "web-in")].into(),
            policies: ["policy-out", "policy-in"]
                .map(|name| policy(example(&format!("scaling/{name}.json"))))
                .into(),
            alarms: [out, back].map(|alarm| (text(&alarm["AlarmName"]), alarm)).into(),
        }
    }

    /// With the second alarm of `scaling/alarm-hot-STATISTIC.json`.
    fn expected_with(statistic: &str) -> Self {
        let alarm = example(&format!("scaling/alarm-hot-{statistic}.json"));
        let mut expected = Self::expected();
        let (name, steps) = policy(example("scaling/policy-hot.json"));
        expected.actions.insert(text(&alarm["AlarmName"]), name.clone());
        expected.policies.insert(name, steps);
        expected.alarms.insert(text(&alarm["AlarmName"]), alarm);
        expected
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn container(definitions: &Value) -> Value {
    let of = |definition: &&Value| definition["name"] == "esp";
    let mut esp = definitions.as_array().unwrap().iter().find(of).unwrap().clone();
    let environment = esp["environment"].as_array_mut().unwrap();
    environment.sort_by_key(|variable| text(&variable["name"]));
    esp
}

/// Its name, and what it does.
fn policy(mut policy: Value) -> (String, Value) {
    let steps = policy["StepScalingPolicyConfiguration"].take();
    assert_eq!(policy["PolicyType"], "StepScaling");
    (text(&policy["PolicyName"]), steps)
}

fn of_terraform(service: &Module) -> Deployment {
    let (esp, scaling) = (&service.modules["esp"], &service.modules["scaling"]);
    let of_kind = |kind: &'static str| {
        let all = scaling.resources.iter();
        all.filter_map(move |(name, resource)| Some((name.strip_prefix(kind)?, resource)))
    };
    let definitions =
        text(&service.resources["aws_ecs_task_definition.web"]["container_definitions"]);
    let permission = text(&esp.resources["aws_iam_role_policy.publish"]["policy"]);
    let permission: Value = serde_json::from_str(&permission).unwrap();

    let (mut policies, mut alarms, mut actions) =
        <(BTreeMap<_, _>, BTreeMap<_, _>, BTreeMap<_, _>)>::default();
    let mut names = BTreeMap::new();
    for (resource, attributes) in of_kind("aws_appautoscaling_policy.") {
        for key in ["service_namespace", "resource_id", "scalable_dimension"] {
            let target = &scaling.resources["aws_appautoscaling_target.service"];
            assert_eq!(attributes[key], target[key]);
        }
        let steps = attributes["step_scaling_policy_configuration"][0].clone();
        let mut steps = with_keys(steps, &pascal);
        let adjustments = steps.as_object_mut().unwrap().remove("StepAdjustment").unwrap();
        steps["StepAdjustments"] = adjustments;
        // One with a count is named with its place.
        let names_of_one = [resource.to_owned(), format!("{resource}[0]")];
        for resource in names_of_one {
            let arn = format!("${{aws_appautoscaling_policy.{resource}.arn}}");
            names.insert(arn, text(&attributes["name"]));
        }
        policies.insert(text(&attributes["name"]), steps);
        assert_eq!(attributes["policy_type"], "StepScaling");
    }
    for (_, attributes) in of_kind("aws_cloudwatch_metric_alarm.") {
        let mut alarm = attributes.clone();
        let entries = alarm.as_object_mut().unwrap();
        entries.remove("lifecycle");
        entries.remove("count");
        // The provider's name for it has one letter more.
        if let Some(few) = entries.remove("evaluate_low_sample_count_percentiles") {
            entries.insert("evaluate_low_sample_count_percentile".to_owned(), few);
        }
        let action = entries.remove("alarm_actions").unwrap();
        let dimensions = entries.remove("dimensions").unwrap();
        let mut alarm = with_keys(alarm, &pascal);
        let dimensions = dimensions.as_object().unwrap().iter();
        alarm["Dimensions"] =
            dimensions.map(|(name, value)| json!({"Name": name, "Value": value})).collect();
        let name = text(&alarm["AlarmName"]);
        assert_eq!(action.as_array().unwrap().len(), 1);
        actions.insert(name.clone(), names[&text(&action[0])].clone());
        alarms.insert(name, alarm);
    }
    let mut target = scaling.resources["aws_appautoscaling_target.service"].clone();
    target.as_object_mut().unwrap().remove("count");
    Deployment {
        container: container(&serde_json::from_str(&definitions).unwrap()),
        permission: permission["Statement"].clone(),
        target: with_keys(target, &pascal),
        policies,
        alarms,
        actions,
    }
}

fn of_cloudformation(template: &Template) -> Deployment {
    let tasks = template.resources("AWS::ECS::TaskDefinition");
    let task = with_keys(tasks.values().next().unwrap().clone(), &camel);
    let targets = template.resources("AWS::ApplicationAutoScaling::ScalableTarget");
    let (target_name, target) = targets.iter().next().unwrap();

    let policies = template.resources("AWS::ApplicationAutoScaling::ScalingPolicy");
    let mut actions = BTreeMap::new();
    let mut alarms = BTreeMap::new();
    for mut alarm in template.resources("AWS::CloudWatch::Alarm").into_values() {
        let action = alarm.as_object_mut().unwrap().remove("AlarmActions").unwrap();
        let name = text(&alarm["AlarmName"]);
        assert_eq!(action.as_array().unwrap().len(), 1);
        let called = &policies[&text(&action[0]["Ref"])];
        actions.insert(name.clone(), text(&called["PolicyName"]));
        alarms.insert(name, alarm);
    }
    let target_is_meant = |policy: &Value| policy["ScalingTargetId"]["Ref"] == **target_name;
    assert!(policies.values().all(target_is_meant));

    // In a role of its own or beside it.
    let roles = template.resources("AWS::IAM::Role");
    let inside = roles.values().flat_map(|role| role["Policies"].as_array().into_iter().flatten());
    let beside = template.resources("AWS::IAM::Policy");
    let mut statements: Vec<_> = inside
        .chain(beside.values())
        .map(|policy| policy["PolicyDocument"]["Statement"].clone())
        .filter(|statements| statements.to_string().contains("cloudwatch:"))
        .collect();
    assert_eq!(statements.len(), 1);
    Deployment {
        container: container(&task["containerDefinitions"]),
        permission: statements.remove(0),
        target: target.clone(),
        policies: policies.into_values().map(policy).collect(),
        alarms,
        actions,
    }
}

fn terraform_service(more: &Value) -> Module {
    let image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/esp:0.1.0";
    let mut inputs = json!({
        "region": "eu-west-1",
        "cluster_name": "shop",
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-1"],
        "web_image": "web",
        "esp_image": image,
    });
    let inputs_of = inputs.as_object_mut().unwrap();
    inputs_of.extend(more.as_object().unwrap().clone());
    terraform::module(&path("terraform/service"), &inputs)
}

#[test]
fn terraform_says_what_the_json_files_say() {
    assert_eq!(of_terraform(&terraform_service(&json!({}))), Deployment::expected());
}

#[test]
fn the_second_alarm_is_the_same_everywhere() {
    for statistic in ["maximum", "p90"] {
        let expected = Deployment::expected_with(statistic);
        let service = terraform_service(&json!({"hot_task_alarm": statistic}));
        assert_eq!(of_terraform(&service), expected, "{statistic}");
        let template = cloudformation(&[("HotTaskAlarm", statistic)]);
        assert_eq!(of_cloudformation(&template), expected, "{statistic}");
    }
}

#[test]
fn terraform_takes_further_variables_and_leaves_out_the_service() {
    let fips = example("networks/fips.json")[0].clone();
    let environment = json!({text(&fips["name"]): fips["value"]});
    let service = terraform_service(&json!({"esp_environment": environment}));
    let expected = {
        let mut container = Deployment::expected().container;
        container["environment"].as_array_mut().unwrap().insert(0, fips);
        container
    };
    assert_eq!(of_terraform(&service).container, expected);

    let sidecar = terraform::module(
        &path("terraform/sidecar"),
        &json!({
            "image": "esp", "container_name": "web", "namespace": "Shop", "region": "eu-west-1",
            "task_role_name": "web-task", "log_group_name": "/ecs/shop/web",
        }),
    );
    let ec2 = example("task-definition/ec2.json");
    let definition = json!([sidecar.outputs["container_definition"]]);
    assert_eq!(
        container(&definition)["environment"],
        container(&ec2["containerDefinitions"])["environment"]
    );
}

fn cloudformation(more: &[(&str, &str)]) -> Template {
    let text = std::fs::read_to_string(path("cloudformation/service.yaml")).unwrap();
    let image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/esp:0.1.0";
    let given = [&[("EspImage", image), ("WebImage", "web")], more].concat();
    Template::from_yaml(&text, &given)
}

#[test]
fn cloudformation_says_what_the_json_files_say() {
    assert_eq!(of_cloudformation(&cloudformation(&[])), Deployment::expected());
}

#[test]
fn the_proof_runs_esp_and_judges_it_as_the_examples_do() {
    let text = std::fs::read_to_string(path("proof/proof.yaml")).unwrap();
    let template =
        Template::from_yaml(&text, &[("EspImage", "esp:1"), ("AWS::StackName", "proof")]);
    let tasks = template.resources("AWS::ECS::TaskDefinition");
    let task = with_keys(tasks.values().next().unwrap().clone(), &camel);
    let esp = container(&task["containerDefinitions"]);
    let expected = Deployment::expected();
    for key in [
        "essential",
        "restartPolicy",
        "cpu",
        "memory",
        "user",
        "readonlyRootFilesystem",
        "linuxParameters",
    ] {
        assert_eq!(esp[key], expected.container[key], "{key}");
    }
    assert_eq!(task["pidMode"], example("task-definition/fargate-pid-mode.json")["pidMode"]);
    let alarm = &template.resources("AWS::CloudWatch::Alarm")["EspAlarm"];
    let of_example = &expected.alarms["web-cpu-high"];
    for key in [
        "MetricName",
        "Statistic",
        "Period",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "ComparisonOperator",
        "Threshold",
        "TreatMissingData",
    ] {
        assert_eq!(alarm[key], of_example[key], "{key}");
    }
}

#[test]
#[ignore = "needs the CDK's templates: .ci/examples"]
fn the_cdk_says_what_the_json_files_say() {
    let file = std::env::var_os("ESP_TEST_CDK_TEMPLATE");
    let file = file.expect("ESP_TEST_CDK_TEMPLATE names a template; .ci/examples makes it");
    let file = PathBuf::from(file);
    let name = file.file_name().unwrap();
    // With a second alarm in a folder beside it.
    let beside = |folder: &str| file.parent().unwrap().with_file_name(folder).join(name);
    for (file, expected) in [
        (file.clone(), Deployment::expected()),
        (beside("cdk.maximum"), Deployment::expected_with("maximum")),
        (beside("cdk.p90"), Deployment::expected_with("p90")),
    ] {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut deployment = of_cloudformation(&Template::from_json(&text, &[]));
        // The CDK counts in bytes.
        let size = &mut deployment.container["logConfiguration"]["options"]["max-buffer-size"];
        assert_eq!(*size, "1048576b");
        *size = json!("1m");
        assert_eq!(deployment, expected, "{}", file.display());
    }
}
