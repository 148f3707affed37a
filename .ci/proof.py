"""examples/proof/proof.py with a fake `aws` in the place of the AWS CLI.

    python3 .ci/proof.py

Its answers were written by hand after AWS's documentation of the APIs. If botocore is
there, each call is checked with AWS's own model of the request.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROOF = ROOT / "examples/proof/proof.py"
MS = 1_795_960_000_000  # 2026-11-29

FAKE = r'''
import json, os, sys, time
from pathlib import Path

folder = Path(os.environ["FAKE_AWS"])
plan = json.loads((folder / "plan.json").read_text())
words = sys.argv[1:]
action = words[1]
options = {}
for word in words[2:]:
    if word.startswith("--"):
        options[word] = values = []
    else:
        values.append(word)
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([words[0], action, options]) + "\n")

def fail(code, message):
    print(f"\nAn error occurred ({code}) when calling the X operation: {message}", file=sys.stderr)
    sys.exit(254)

def count(name):
    """How often this was asked, with this time."""
    file = folder / f"count-{name}"
    number = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(number))
    return number

def answer(value):
    print(json.dumps(value))
    sys.exit(0)

if action in plan.get("denied", []):
    fail("AccessDenied", f"User: arn:aws:iam::111122223333:user/x is not authorized to perform: {action}")
stack = options.get("--stack-name", [""])[0]
there = folder / "stack"
deleted = folder / "deleted"
if action == "get-caller-identity":
    answer({"UserId": "AIDA", "Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/x"})
if action == "create-stack":
    (folder / "creating").touch()
    time.sleep(plan.get("create_takes", 0))
    there.write_text(stack)
    answer({"StackId": f"arn:aws:cloudformation:eu-west-1:111122223333:stack/{stack}/0af3"})
if action == "describe-stacks":
    if not there.exists() or there.read_text() != stack:
        fail("ValidationError", f"Stack with id {stack} does not exist")
    if deleted.exists():
        status = plan.get("deletion", ["DELETE_IN_PROGRESS", None])
        status = status[min(count("deletion"), len(status)) - 1]
        if status is None:
            fail("ValidationError", f"Stack with id {stack} does not exist")
    else:
        status = plan.get("creation", ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
        status = status[min(count("creation"), len(status)) - 1]
    answer({"Stacks": [{"StackName": stack, "StackStatus": status, "CreationTime": "2026-11-29T12:00:00.123000+00:00"}]})
if action == "describe-stack-events":
    answer({"StackEvents": [
        {"LogicalResourceId": "Service", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "ECS Deployment Circuit Breaker was triggered"},
        {"LogicalResourceId": "Vpc", "ResourceStatus": "CREATE_COMPLETE"},
    ]})
if action == "describe-stack-resources":
    answer({"StackResources": [
        {"LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC", "PhysicalResourceId": "vpc-1"},
        {"LogicalResourceId": "TaskDefinition", "ResourceType": "AWS::ECS::TaskDefinition", "PhysicalResourceId": "arn:aws:ecs:eu-west-1:111122223333:task-definition/x:1"},
    ]})
if action == "delete-stack":
    if there.exists() and there.read_text() == stack:
        deleted.touch()
    sys.exit(0)
if action == "delete-task-definitions":
    answer({"taskDefinitions": [], "failures": []})
if action == "filter-log-events":
    if options["--log-stream-name-prefix"] == ["check/"]:
        lines = plan["check"]
    else:
        lines = plan["load"][: 2 * count("log")]
    answer({"events": [{"logStreamName": "x", "timestamp": at, "message": text, "eventId": "1"} for at, text in lines], "searchedLogStreams": []})
if action == "describe-alarm-history":
    suffix = options["--alarm-name"][0][len(there.read_text()) + 1 :]
    answer({"AlarmHistoryItems": plan["history"].get(suffix, [])})
if action == "get-metric-data":
    answer({"MetricDataResults": plan["metric"]})
fail("InvalidAction", action)
'''


def at(seconds):
    """So long after the first step, as the AWS CLI prints it."""
    whole, fraction = divmod(MS + round(seconds * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:03}000+00:00"


def change(seconds, state):
    old = "OK" if state == "ALARM" else "ALARM"
    data = {
        "version": "1.0",
        "oldState": {"stateValue": old, "stateReason": "Threshold Crossed: ..."},
        "newState": {"stateValue": state, "stateReason": "Threshold Crossed: ..."},
    }
    return {
        "AlarmName": "x",
        "AlarmType": "MetricAlarm",
        "Timestamp": at(seconds),
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {old} to {state}",
        "HistoryData": json.dumps(data),
    }


def metric():
    """The second step is 800 s after the first; both last 480 s. A sample every second."""
    times = [at(seconds) for seconds in range(-60, 1400, 10)]
    hot = [0 <= seconds < 480 or 800 <= seconds < 1280 for seconds in range(-60, 1400, 10)]
    return [
        {"Id": "samplecount", "Label": "x", "Timestamps": times, "Values": [10.0] * len(times), "StatusCode": "Complete"},
        {"Id": "average", "Label": "x", "Timestamps": times, "Values": [99.0 if it else 2.0 for it in hot], "StatusCode": "Complete"},
    ]  # fmt: skip


PLAN = {
    "load": [
        [MS, "step 1 up"],
        [MS + 480_000, "step 1 down"],
        [MS + 800_000, "step 2 up"],
        [MS + 1_280_000, "step 2 down"],
        [MS + 1_280_001, "no more steps"],
    ],
    "check": [[MS, "Endpoint: ok\n"], [MS + 1, "Ready: exit code 0"]],
    "history": {
        # The newest first, as CloudWatch gives them.
        "esp": [change(1300, "OK"), change(814.5, "ALARM"), change(500, "OK"), change(9.3, "ALARM")],
        "esp-1-of-1": [change(811, "ALARM"), change(500, "OK"), change(8, "ALARM")],
        # Before the first step, and after the second one's end: neither counts.
        "ecs-20s-step": [change(1290, "ALARM"), change(40, "ALARM"), change(-30, "ALARM")],
    },
    "metric": metric(),
}


class Tests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        aws = self.path / "bin/aws"
        aws.parent.mkdir()
        aws.write_text(f"#!{sys.executable}{FAKE}")
        aws.chmod(0o755)

    def tearDown(self):
        self.folder.cleanup()

    def start(self, *more, plan=None, arguments=("--image", "esp:1", "--steps", "2", "--yes")):
        (self.path / "plan.json").write_text(json.dumps({**PLAN, **(plan or {})}))
        environment = {
            "PATH": f"{self.path / 'bin'}:/usr/bin:/bin",
            "FAKE_AWS": self.folder.name,
            "AWS_REGION": "eu-west-1",
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [sys.executable, PROOF, *arguments, "--poll", "0.05", *more],
            env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run_it(self, *more, **plan):
        process = self.start(*more, **plan)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def calls(self):
        file = self.path / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def actions(self):
        return [action for _, action, _ in self.calls()]

    def assert_deleted(self, said):
        names = [
            options["--stack-name"]
            for _, action, options in self.calls()
            if action in ("create-stack", "delete-stack")
        ]
        self.assertGreaterEqual(len(names), 2, said)
        self.assertEqual(len({*map(tuple, names)}), 1, said)
        self.assertTrue((self.path / "deleted").exists(), said)
        self.assertIn("Nothing is left of it", said)
        self.assertIn("delete-task-definitions", self.actions())

    def test_a_whole_run_prints_what_came_and_deletes_the_stack(self):
        code, said = self.run_it("--json", str(self.path / "result"))
        self.assertEqual(code, 0, said)
        rows = {line[:60].strip(): line[60:].split() for line in said.splitlines()}
        self.assertEqual(rows["ESP, the kernel, 1 of 2 periods of 10 s"][:4], ["9.3", "11.9", "14.5", "0"])
        self.assertEqual(rows["ESP, the kernel, 1 of 1 period of 10 s"], ["8.0", "9.5", "11.0", "0", "12.4"])
        of_20 = rows["ECS at 20 s, 1 of 2 periods: your own step alarm"]
        self.assertEqual(of_20[:4], ["40.0", "40.0", "40.0", "1"])
        of_60 = rows["ECS, 3 of 3 periods of 1 minute: as target tracking has it"]
        self.assertEqual(of_60[:4], ["–", "–", "–", "2"])
        self.assertRegex(said, r"EspProof, 10 s +2\.0 +99\.0 +10\n")
        self.assertIn("  Endpoint: ok\n  Ready: exit code 0\n", said)
        self.assertEqual(json.loads((self.path / "result").read_text())["seconds_to_alarm"]["esp-1-of-1"], [8.0, 11.0])
        self.assert_deleted(said)

    def test_a_stack_that_fails_is_explained_and_deleted(self):
        code, said = self.run_it(plan={"creation": ["CREATE_IN_PROGRESS", "CREATE_FAILED"]})
        self.assertEqual(code, 1, said)
        self.assertIn("Service: ECS Deployment Circuit Breaker was triggered", said)
        self.assertNotIn("Vpc:", said)
        self.assert_deleted(said)

    def test_a_failure_on_the_way_deletes_it(self):
        for denied in ("filter-log-events", "describe-alarm-history", "get-metric-data"):
            with self.subTest(denied):
                self.tearDown()
                self.setUp()
                code, said = self.run_it(plan={"denied": [denied]})
                self.assertEqual(code, 1, said)
                self.assertIn("not authorized", said)
                self.assert_deleted(said)

    def test_even_what_nobody_thought_of_deletes_it(self):
        code, said = self.run_it(plan={"metric": [{"Id": "average"}]})
        self.assertEqual(code, 70, said)
        self.assertIn("KeyError", said)
        self.assert_deleted(said)

    def test_signals_delete_it_and_a_second_one_does_not_stop_that(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                self.tearDown()
                self.setUp()
                process = self.start(plan={"load": PLAN["load"][:2], "deletion": ["DELETE_IN_PROGRESS"] * 9 + [None]})
                said = ""
                while "The stack is there" not in said:
                    said += process.stdout.readline()
                process.send_signal(number)
                while "Deleting" not in said:
                    said += process.stdout.readline()
                process.send_signal(number)
                rest, _ = process.communicate(timeout=120)
                said += rest
                self.assertEqual(process.returncode, 128 + number, said)
                self.assertIn(f"ended by {number.name}", said)
                self.assert_deleted(said)

    def test_a_terminal_that_goes_away_does_not_keep_it(self):
        process = self.start(plan={"load": PLAN["load"][:2]})
        for line in process.stdout:
            if "The stack is there" in line:
                break
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        self.assertEqual(process.wait(timeout=120), 128 + signal.SIGHUP)
        self.assertTrue((self.path / "deleted").exists())

    def test_a_signal_while_it_is_being_created_waits_for_the_answer(self):
        process = self.start(plan={"create_takes": 1})
        while not (self.path / "creating").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, said)
        self.assert_deleted(said)

    def test_what_fails_at_first_is_deleted_again(self):
        code, said = self.run_it(plan={"deletion": ["DELETE_FAILED", "DELETE_IN_PROGRESS", None]})
        self.assertEqual(code, 0, said)
        self.assert_deleted(said)

    def test_a_stack_that_stays_is_said_loudly(self):
        code, said = self.run_it(plan={"deletion": ["DELETE_IN_PROGRESS", "DELETE_FAILED"]})
        self.assertEqual(code, 1, said)
        self.assertIn("STILL THERE", said)
        line = re.search(r"--delete (esp-proof-\S+) --region eu-west-1", said)
        (self.path / "count-deletion").unlink()
        code, said = self.run_it(arguments=("--delete", line[1]))
        self.assertEqual(code, 0, said)
        self.assertIn("Nothing is left of it", said)

    def test_without_credentials_or_an_answer_nothing_is_created(self):
        for plan, arguments in (
            ({"denied": ["get-caller-identity"]}, ("--image", "esp:1", "--yes")),
            ({}, ("--image", "esp:1")),
            ({}, ()),
            ({}, ("--delete", "production")),
            ({}, ("--image", "esp:1", "--steps", "8", "--hot", "1800")),
        ):
            with self.subTest(arguments):
                code, said = self.run_it(plan=plan, arguments=arguments)
                self.assertNotEqual(code, 0, said)
                self.assertLessEqual(set(self.actions()), {"get-caller-identity"})

    def test_without_the_cli_that_is_said(self):
        (self.path / "bin/aws").unlink()
        code, said = self.run_it()
        self.assertEqual(code, 1, said)
        self.assertIn("there is no AWS CLI", said)

    def test_the_model_s_figures_are_those_of_the_documentation(self):
        page = (ROOT / "docs/scaling.md").read_text()
        # The last of the three tables.
        lines = page.split("<!-- esp-latency race -->")[1].split("<!-- end -->")[0].splitlines()[::-1]
        script = PROOF.read_text()
        for row, suffix in (
            ("ESP, kernel, with an endpoint of 10 s", "esp"),
            ("ESP, endpoint of 10 s", "esp-endpoint"),
            ("ECS at 20 s, your own step alarm", "ecs-20s-step"),
            ("ECS at 20 s, target tracking", "ecs-20s-tracking"),
            ("ECS at 1 minute, target tracking", "ecs-60s-tracking"),
        ):
            line = next(line for line in lines if line.startswith(row))
            median = float(line[len(row) :].split()[1])
            said = float(re.search(rf'\("{suffix}", .*, ([\d.]+)\),', script)[1])
            self.assertLess(abs(said - median), 1, f"{row}: {median} in the documentation, {said} here")
        # The first table of the alarms: out, a sample each second.
        lines = page.split("<!-- esp-latency alarms -->")[1].splitlines()
        for row, suffix in (("1 of 1 of 10 s", "esp-1-of-1"), ("2 of 3 of 10 s", "esp-2-of-3")):
            cells = next(line for line in lines if line.startswith(f"| {row} |")).split("|")
            said = float(re.search(rf'\("{suffix}", .*, ([\d.]+)\),', script)[1])
            self.assertLess(abs(said - float(cells[3])), 0.1, row)

    def test_the_script_knows_each_alarm_of_the_template(self):
        template = (ROOT / "examples/proof/proof.yaml").read_text()
        there = re.findall(r"AlarmName: !Sub \$\{AWS::StackName\}-(\S+)", template)
        known = re.findall(r'^    \("([a-z0-9-]+)", ', PROOF.read_text(), re.MULTILINE)
        self.assertEqual(sorted(there), sorted(known))
        self.assertNotIn("AlarmActions", template)

    def test_each_call_is_as_the_model_of_the_api_has_it(self):
        try:
            import botocore.session
            import botocore.validate
            from botocore import xform_name
        except ImportError:
            self.skipTest("no botocore")
        self.run_it()
        calls = self.calls()
        self.assertGreater(len(calls), 10)
        session = botocore.session.get_session()
        for service, action, options in calls:
            model = session.get_service_model(service)
            names = {xform_name(name, "-"): name for name in model.operation_names}
            shape = model.operation_model(names[action]).input_shape
            members = {xform_name(name, "-"): (name, of) for name, of in shape.members.items()}
            parameters = {}
            for option, values in options.items():
                if option in ("--region", "--output"):
                    continue
                name, of = members[option[2:]]
                text = values[0]
                if text.startswith("file://"):
                    text = Path(text[7:]).read_text()
                if of.type_name in ("list", "structure") and text[:1] in "[{":
                    parameters[name] = json.loads(text)
                elif of.type_name == "list":
                    parameters[name] = values
                elif of.type_name in ("integer", "long"):
                    parameters[name] = int(text)
                else:
                    # Moments are checked as text by the CLI's own reader.
                    parameters[name] = text
            report = botocore.validate.ParamValidator().validate(parameters, shape)
            self.assertFalse(report.has_errors(), f"{service} {action}: {report.generate_report()}")


if __name__ == "__main__":
    unittest.main()
