"""The examples for a deployment against AWS's models of its APIs, and applied.

    examples.py models OUT              by botocore's models, parliament, a schema
    examples.py apply OUT TERRAFORM     the service, to moto in place of AWS

For `.ci/examples`, which installs what this imports. Each check also gets something
wrong, which it has to refuse.
"""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"
SERVICE = {"region": "eu-west-1", "cluster_name": "shop", "web_image": "web:1"}

# What moto does not keep, by the second plan.
FORGOTTEN = {
    ("aws_ecs_service.web", "availability_zone_rebalancing"),
    ("aws_ecs_service.web", "deployment_circuit_breaker"),
    ("module.endpoints[0].aws_vpc_security_group_ingress_rule.https[0]", "description"),
}


def example(name):
    return json.loads((EXAMPLES / name).read_text())


def refuses(what, check, wrong):
    try:
        check(wrong)
    except Exception:  # noqa: BLE001, whichever way it refuses
        return
    raise SystemExit(f"{what}: something wrong was let through")


def request_check(service, operation):
    """A check by the shape of a request in AWS's own model."""
    import botocore.session
    import botocore.validate

    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape

    def check(parameters):
        report = botocore.validate.ParamValidator().validate(parameters, shape)
        if report.has_errors():
            raise ValueError(report.generate_report())

    return check


def pascal(value):
    """API JSON as CloudFormation writes it: each key with a capital, but for
    those of maps whose keys are data."""
    if isinstance(value, list):
        return [pascal(item) for item in value]
    if isinstance(value, dict):
        return {
            key[0].upper() + key[1:]: inner if key == "options" else pascal(inner)
            for key, inner in value.items()
        }
    return value


def models(out):
    check = request_check("ecs", "RegisterTaskDefinition")
    for path in sorted((EXAMPLES / "task-definition").glob("*.json")):
        platform = path.stem
        task = example(f"task-definition/{path.name}")
        check(task)
        wrong = copy.deepcopy(task)
        wrong["containerDefinitions"][1]["restartPolicy"]["enabled"] = "yes"
        refuses("RegisterTaskDefinition", check, wrong)
        # For cfn-lint, which knows values where the model has types only.
        resource = {"Type": "AWS::ECS::TaskDefinition", "Properties": pascal(task)}
        template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Task": resource}}
        (out / f"task-definition-{platform}.json").write_text(json.dumps(template, indent=2))
    print("task definitions: as the model of RegisterTaskDefinition has them")

    for name, service, operation in (
        ("target", "application-autoscaling", "RegisterScalableTarget"),
        ("policy-out", "application-autoscaling", "PutScalingPolicy"),
        ("policy-in", "application-autoscaling", "PutScalingPolicy"),
        ("alarm-out", "cloudwatch", "PutMetricAlarm"),
        ("alarm-in", "cloudwatch", "PutMetricAlarm"),
        ("policy-hot", "application-autoscaling", "PutScalingPolicy"),
        ("alarm-hot-maximum", "cloudwatch", "PutMetricAlarm"),
        ("alarm-hot-p90", "cloudwatch", "PutMetricAlarm"),
    ):
        check = request_check(service, operation)
        check(example(f"scaling/{name}.json"))
        refuses(operation, check, {**example(f"scaling/{name}.json"), "Cooldown": 1})
    print("scaling: as the models of the APIs have it")

    import parliament

    def check_policy(text):
        found = parliament.analyze_policy_string(text, include_community_auditors=False).findings
        if found:
            raise ValueError(found)

    text = (EXAMPLES / "iam/publish.json").read_text()
    check_policy(text)
    refuses("parliament", check_policy, text.replace("cloudwatch:namespace", "cloudwatch:name"))
    refuses("parliament", check_policy, text.replace("PutMetricData", "PutMetrics"))
    print("permission: nothing found by parliament")

    import jsonschema

    schema = json.loads((Path(__file__).parent / "dashboard.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema).validate
    dashboard = example("dashboard.json")
    check(dashboard)
    wrong = copy.deepcopy(dashboard)
    wrong["widgets"][0]["properties"]["period"] = 15
    refuses("dashboard", check, wrong)
    print("dashboard: as its schema has it")


class Terraform:
    def __init__(self, program, directory):
        self.program, self.directory = program, directory

    def __call__(self, command, *arguments, expected=0, flags=("-input=false", "-no-color")):
        line = [self.program, command, *flags, *arguments]
        run = subprocess.run(
            line, cwd=self.directory, capture_output=True, text=True, timeout=900, check=False
        )
        if run.returncode != expected:
            print(run.stdout[-4000:], run.stderr[-4000:])
            raise SystemExit(f"terraform {command}: {run.returncode} instead of {expected}")
        return run.stdout if expected == 0 else run.stderr


def includes(actual, expected, where=""):
    """Whether everything that is expected is there; the API may add to it."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in actual, f"{where}.{key} is missing"
            includes(actual[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        order = lambda item: json.dumps(item, sort_keys=True, default=str)  # noqa: E731
        assert len(actual) == len(expected), f"{where}: {actual}"
        for pair in zip(sorted(actual, key=order), sorted(expected, key=order)):
            includes(*pair, where)
    else:
        assert actual == expected, f"{where}: {actual} instead of {expected}"


def stand_in():
    """moto on a free port of the loopback, and the environment that leads there."""
    import logging

    # Before moto is imported: AWS's own policies are there to be attached.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
    from moto.server import ThreadedMotoServer

    # Not there in moto; Terraform asks for it after each resource.
    ApplicationAutoScalingResponse.list_tags_for_resource = lambda self: '{"Tags": {}}'
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}",
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY="secret-example",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_REGION="eu-west-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_MAX_ATTEMPTS="2",
        NO_PROXY="127.0.0.1",
    )
    return server


def apply(out, program):
    import boto3

    server = stand_in()
    ec2, ecs = boto3.client("ec2"), boto3.client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"]
        for n in (1, 2)
    ]
    tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]]
    ecs.create_cluster(clusterName="shop")
    esp = example("task-definition/fargate.json")["containerDefinitions"][1]
    inputs = {
        **SERVICE,
        "vpc_id": vpc,
        "subnet_ids": subnets,
        "esp_image": esp["image"],
        "endpoints": ["ecr.api", "ecr.dkr", "logs", "monitoring"],
        "endpoint_route_table_ids": tables,
    }
    directory = out / "terraform/service"
    (directory / "inputs.auto.tfvars.json").write_text(json.dumps(inputs))
    terraform = Terraform(program, directory)
    terraform("apply", "-auto-approve")
    # What AWS gives back is what was asked for: a second plan changes nothing.
    terraform("plan", "-out=again")
    again = json.loads(terraform("show", "-json", "again", flags=()))
    changes = {
        (resource["address"], attribute)
        for resource in again["resource_changes"]
        for attribute, value in (resource["change"]["after"] or {}).items()
        if (resource["change"]["before"] or {}).get(attribute) != value
    }
    assert changes <= FORGOTTEN, changes - FORGOTTEN

    service = ecs.describe_services(cluster="shop", services=["web"])["services"][0]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    includes([c for c in task["containerDefinitions"] if c["name"] == "esp"], [esp], "esp")

    scaling = boto3.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    includes(targets, [example("scaling/target.json")], "target")
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    expected = [example(f"scaling/policy-{way}.json") for way in ("in", "out")]
    by_name = lambda policy: policy["PolicyName"]  # noqa: E731
    for pair in zip(sorted(policies, key=by_name), sorted(expected, key=by_name), strict=True):
        includes(*pair, "policy")
    arns = {policy["PolicyName"]: policy["PolicyARN"] for policy in policies}
    alarms = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
    alarms = {alarm["AlarmName"]: alarm for alarm in alarms}
    assert len(alarms) == 2, alarms
    for way in ("out", "in"):
        alarm = example(f"scaling/alarm-{way}.json")
        actions = {"AlarmActions": [arns[f"web-{way}"]]}
        includes(alarms[alarm["AlarmName"]], {**alarm, **actions}, "alarm")

    iam = boto3.client("iam")
    role = task["taskRoleArn"].split("/")[-1]
    policy = iam.get_role_policy(RoleName=role, PolicyName="esp-publish")["PolicyDocument"]
    includes(policy, example("iam/publish.json"), "permission")
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []

    endpoints = {
        endpoint["ServiceName"].removeprefix("com.amazonaws.eu-west-1."): endpoint
        for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]
    }
    assert set(endpoints) == {*inputs["endpoints"], "s3"}, set(endpoints)
    includes(endpoints["s3"], {"VpcEndpointType": "Gateway", "RouteTableIds": tables}, "s3")
    for name in inputs["endpoints"]:
        includes(endpoints[name], {"PrivateDnsEnabled": True, "SubnetIds": subnets}, name)
    terraform("destroy", "-auto-approve")
    print("terraform: applied, planned again without a change, as the JSON files say, destroyed")

    thresholds = {
        "cluster_name": "shop",
        "service_name": "web",
        "namespace": "Shop",
        "scale_in_threshold": 30,
    }
    directory = out / "terraform/scaling"
    (directory / "inputs.auto.tfvars.json").write_text(json.dumps(thresholds))
    # The module takes its provider's Region from the environment.
    said = Terraform(program, directory)("plan", expected=1)
    assert "less than half of scale_out_threshold" in " ".join(said.split()), said
    print("terraform: thresholds that would swing are refused")
    server.stop()


if __name__ == "__main__":
    what, out, *more = sys.argv[1:]
    {"models": models, "apply": apply}[what](Path(out), *more)
