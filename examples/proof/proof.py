#!/usr/bin/env python3
"""Measures on a real account how soon alarms see a load step, and leaves nothing behind.

Creates the stack of proof.yaml, waits until its load has stepped, reads the alarms'
history, the metrics and the report of `esp check --source` through the AWS CLI, prints
them, and deletes the stack: also after a failure, Ctrl-C, SIGTERM and SIGHUP.

    ./proof.py --image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/esp:0.1.0 --region eu-west-1
    ./proof.py --delete esp-proof-20261129-120000-0af3 --region eu-west-1

Needs Python 3.9 and the AWS CLI with credentials. README.md says what it costs.
"""

import argparse
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import time
import traceback
from datetime import datetime, timedelta, timezone
from pathlib import Path

TEMPLATE = Path(__file__).parent / "proof.yaml"
PREFIX = "esp-proof-"

# The end of the alarm's name; what is printed; the model's median in docs/scaling.md for
# sliding windows and single seconds that scatter by 0.5 to 5 points, seconds.
ALARMS = [
    ("esp", "ESP, the kernel, 1 of 2 periods of 10 s", 12.4),
    ("esp-1-of-1", "ESP, the kernel, 1 of 1 period of 10 s", 12.4),
    ("esp-2-of-3", "ESP, the kernel, 2 of 3 periods of 10 s", 22.0),
    ("esp-endpoint", "ESP, SOURCE=endpoint, 1 of 2 periods of 10 s", 17.1),
    ("ecs-20s-step", "ECS at 20 s, 1 of 2 periods: your own step alarm", 38.0),
    ("ecs-20s-tracking", "ECS at 20 s, 3 of 3 periods: as target tracking has it", 78.0),
    ("ecs-60s-tracking", "ECS, 3 of 3 periods of 1 minute: as target tracking has it", 226.7),
]
# AWS's own benchmark of June 2026, from load to trigger.
AWS_MEASURED = "AWS measured 86 s with target tracking at 20 s, and 363 s at one minute."

# How long the stack, and the first step beyond its time, may take.
CREATION = timedelta(minutes=20)
LATE = timedelta(minutes=10)
DELETION = timedelta(minutes=30)


class Failure(Exception):
    """What went wrong, for a person to read."""


class Ended(BaseException):
    """By a signal."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class Aws:
    """The AWS CLI in one Region."""

    def __init__(self, region):
        self.region = region
        # While this is so, a signal waits until the call has ended.
        self.is_deferring = False
        self.deferred = None
        # No pager in version 2; moments as text in both.
        self.environment = {**os.environ, "AWS_PAGER": "", "AWS_CLI_TIMESTAMP_FORMAT": "iso8601"}

    def __call__(self, *arguments):
        line = ["aws", *arguments, "--region", self.region, "--output", "json"]
        try:
            # A session of its own: the terminal's Ctrl-C is for this program alone.
            run = subprocess.run(
                line, env=self.environment, capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise Failure("there is no AWS CLI: install it, so that `aws` is on the PATH") from None
        if run.returncode != 0:
            said = (run.stderr.strip() or run.stdout.strip()).splitlines()
            raise Failure(f"aws {' '.join(arguments[:2])}: {said[-1] if said else run.returncode}")
        return json.loads(run.stdout) if run.stdout.strip() else {}


def say(text=""):
    try:
        print(text, flush=True)
    except OSError:
        # The terminal is gone, or the pipe. The stack still has to go.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, for the rest of the run


def moment(value):
    """A time as the AWS CLI prints it: ISO 8601, or seconds or milliseconds since 1970."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, timezone.utc)
    # Python before 3.11 knows neither Z nor fractions that are not of 3 or 6 digits.
    value = re.sub(r"\.(\d+)", lambda part: "." + part[1][:6].ljust(6, "0"), value)
    read = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


def iso(at):
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now():
    return datetime.now(timezone.utc)


class Proof:
    def __init__(self, arguments):
        self.arguments = arguments
        self.aws = Aws(arguments.region)
        stamp = now().strftime("%Y%m%d-%H%M%S")
        # Nobody else has a stack of this name, so that it can be deleted by it.
        self.stack = f"{PREFIX}{stamp}-{secrets.token_hex(2)}"

    def planned(self):
        """From the load's start to its end."""
        a = self.arguments
        calm = sum(a.calm + 7 * step for step in range(1, a.steps + 1))
        return timedelta(seconds=calm + a.steps * a.hot)

    def pause(self):
        time.sleep(self.arguments.poll)

    def create(self):
        a = self.arguments
        parameters = {
            "EspImage": a.image,
            "Steps": a.steps,
            "CalmSeconds": a.calm,
            "HotSeconds": a.hot,
            **({"LoadImage": a.load_image} if a.load_image else {}),
        }
        pairs = [
            {"ParameterKey": key, "ParameterValue": str(value)} for key, value in parameters.items()
        ]
        # Not to be broken off: else nobody would know whether there is a stack to delete.
        self.aws.is_deferring = True
        try:
            self.aws(
                "cloudformation", "create-stack", "--stack-name", self.stack,
                "--template-body", f"file://{TEMPLATE.resolve()}",
                "--parameters", json.dumps(pairs),
                "--capabilities", "CAPABILITY_IAM",
                "--on-failure", "DO_NOTHING",
                "--timeout-in-minutes", str(int(CREATION.total_seconds() // 60)),
            )  # fmt: skip
        finally:
            self.aws.is_deferring = False
        if self.aws.deferred:
            raise Ended(self.aws.deferred)
        deadline = now() + CREATION + LATE
        while True:
            status = self.status()
            if status == "CREATE_COMPLETE":
                return
            if status != "CREATE_IN_PROGRESS":
                raise Failure(f"the stack is not created: {status}{self.reasons()}")
            if now() > deadline:
                raise Failure("the stack is not created in time")
            self.pause()

    def status(self):
        """The stack's, or nothing if it is not there."""
        try:
            stacks = self.aws("cloudformation", "describe-stacks", "--stack-name", self.stack)
        except Failure as failure:
            if "does not exist" in str(failure):
                return None
            raise
        return stacks["Stacks"][0]["StackStatus"]

    def reasons(self):
        """Why resources of the stack failed, a line each."""
        try:
            said = self.aws("cloudformation", "describe-stack-events", "--stack-name", self.stack)
        except Failure as failure:
            return f"\n  ({failure})"
        return "".join(
            f"\n  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in reversed(said["StackEvents"])
            if event["ResourceStatus"].endswith("_FAILED")
        )

    def log(self, prefix, pattern=None):
        """The lines of a container, the oldest first: when, and what."""
        said = self.aws(
            "logs", "filter-log-events", "--log-group-name", self.stack,
            "--log-stream-name-prefix", prefix,
            *(["--filter-pattern", pattern] if pattern else []),
        )  # fmt: skip
        events = sorted(said["events"], key=lambda event: event["timestamp"])
        return [(moment(event["timestamp"]), event["message"].rstrip()) for event in events]

    def wait_for_steps(self):
        """When the load stepped up, and when down again, for each step."""
        seen = 0
        deadline = now() + self.planned() + LATE
        while True:
            lines = self.log("load/", "step")
            for at, line in lines[seen:]:
                say(f"{at:%H:%M:%S}  {line}")
            seen = max(seen, len(lines))
            if any(line == "no more steps" for _, line in lines):
                break
            if now() > deadline:
                raise Failure("the load has not done its steps in time: is its image there?")
            self.pause()
        # The last alarms may be under way.
        self.pause()
        ups, downs = (
            {int(line.split()[1]): at for at, line in lines if re.fullmatch(rf"step \d+ {way}", line)}
            for way in ("up", "down")
        )
        return [(ups[step], downs[step]) for step in sorted(ups) if step in downs]

    def alarms(self, start, end):
        """When each alarm went to ALARM, the oldest first."""
        went = {}
        for suffix, *_ in ALARMS:
            said = self.aws(
                "cloudwatch", "describe-alarm-history", "--alarm-name", f"{self.stack}-{suffix}",
                "--history-item-type", "StateUpdate",
                "--start-date", iso(start), "--end-date", iso(end),
            )  # fmt: skip
            went[suffix] = sorted(
                moment(item["Timestamp"])
                for item in said["AlarmHistoryItems"]
                if json.loads(item["HistoryData"])["newState"]["stateValue"] == "ALARM"
            )
        return went

    def metric(self, namespace, period, start, end):
        """The average and the number of samples of each period: when, what, how many."""
        dimensions = [
            {"Name": name, "Value": self.stack} for name in ("ClusterName", "ServiceName")
        ]
        queries = [
            {
                "Id": statistic.lower(),
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": "CPUUtilization",
                        "Dimensions": dimensions,
                    },
                    "Period": period,
                    "Stat": statistic,
                },
            }
            for statistic in ("Average", "SampleCount")
        ]
        said = self.aws(
            "cloudwatch", "get-metric-data", "--metric-data-queries", json.dumps(queries),
            "--start-time", iso(start), "--end-time", iso(end),
            "--scan-by", "TimestampAscending",
        )  # fmt: skip
        average, count = (
            {moment(at): value for at, value in zip(result["Timestamps"], result["Values"])}
            for result in sorted(said["MetricDataResults"], key=lambda result: result["Id"])
        )
        return [(at, average[at], count.get(at, 0)) for at in sorted(average)]

    def run(self):
        started = now()
        self.create()
        say(f"The stack is there. The load has done its steps in {self.planned()}.")
        steps = self.wait_for_steps()
        if not steps:
            raise Failure("the load's log has no whole step")
        end = now()
        went = self.alarms(started, end)
        result = {
            "region": self.arguments.region,
            "date": started.date().isoformat(),
            "steps": [[iso(up), iso(down)] for up, down in steps],
            "seconds_to_alarm": {
                suffix: [first_after(went[suffix], up, down) for up, down in steps]
                for suffix, *_ in ALARMS
            },
            "metrics": {
                namespace: summary(self.metric(namespace, period, started, end), period, steps)
                for namespace, period in (("EspProof", 10), ("EspProofEndpoint", 10), ("AWS/ECS", 20))
            },
            "check": [line for _, line in self.log("check/")],
        }
        show(result)
        if self.arguments.json:
            Path(self.arguments.json).write_text(json.dumps(result, indent=2) + "\n")

    def delete(self):
        """Deletes the stack and what outlives it. Whether nothing is left."""
        say(f"Deleting {self.stack}; please wait.")
        definitions = self.task_definitions()
        for tries_left in (2, 1, 0):
            try:
                self.delete_stack()
                break
            except Failure as failure:
                say(f"proof: {failure}")
                if tries_left:
                    # For example a task that was still ending.
                    self.pause()
        else:
            say(f"The stack {self.stack} may be STILL THERE, and cost money. Delete it:")
            say(f"  {sys.argv[0]} --delete {self.stack} --region {self.aws.region}")
            return False
        # CloudFormation leaves a revision that is INACTIVE.
        if definitions:
            try:
                self.aws("ecs", "delete-task-definitions", "--task-definitions", *definitions)
            except Failure as failure:
                say(f"An inactive task definition is left, which costs nothing: {failure}")
        say("Nothing is left of it, but for the metrics in the namespaces EspProof and")
        say("EspProofEndpoint, which CloudWatch keeps for 15 months and no longer bills.")
        return True

    def delete_stack(self):
        self.aws("cloudformation", "delete-stack", "--stack-name", self.stack)
        deadline = now() + DELETION
        while (status := self.status()) not in (None, "DELETE_COMPLETE"):
            if status == "DELETE_FAILED":
                raise Failure(f"the stack is not deleted{self.reasons()}")
            if now() > deadline:
                raise Failure("the stack is not deleted in time")
            self.pause()

    def task_definitions(self):
        try:
            said = self.aws(
                "cloudformation", "describe-stack-resources", "--stack-name", self.stack
            )
        except Failure:
            return []
        return [
            resource["PhysicalResourceId"]
            for resource in said["StackResources"]
            if resource.get("ResourceType") == "AWS::ECS::TaskDefinition"
            and resource.get("PhysicalResourceId")
        ]


def first_after(moments, up, down):
    """Seconds from the step to the first of them before the load steps down again."""
    seconds = [(at - up).total_seconds() for at in moments if up <= at <= down]
    return round(min(seconds), 1) if seconds else None


def summary(points, period, steps):
    """The mean before the steps and after them, percent, and the samples of a period."""

    def mean(is_part):
        values = [value for at, value, _ in points if is_part(at)]
        return round(statistics.fmean(values), 1) if values else None

    # Periods that a step lies in are neither.
    whole = timedelta(seconds=period)
    hot = mean(lambda at: any(up < at and at + whole < down for up, down in steps))
    minute = timedelta(minutes=1)
    calm = mean(lambda at: any(up - minute < at and at + whole < up for up, _ in steps))
    counts = [count for _, _, count in points]
    samples = statistics.median(counts) if counts else 0
    return {"period_s": period, "calm": calm, "hot": hot, "samples": samples}


def show(result):
    steps = len(result["steps"])
    say()
    say(f"Seconds from the load step to ALARM: {steps} step{'s' * (steps > 1)}, {result['region']}, {result['date']}")
    say(f"{'':60}{'least':>7}{'median':>8}{'most':>7}{'never':>7}{'model':>8}")
    for suffix, title, model in ALARMS:
        came = [seconds for seconds in result["seconds_to_alarm"][suffix] if seconds is not None]
        never = steps - len(came)
        figures = [min(came), statistics.median(came), max(came)] if came else []
        cells = [f"{figure:.1f}" for figure in figures] or ["–"] * 3
        least, median, most = cells
        say(f"{title:60}{least:>7}{median:>8}{most:>7}{never:>7}{model:>8.1f}")
    say("The model's column is its median (docs/scaling.md); it does not know this load.")
    say(AWS_MEASURED)
    say("The alarms of ECS's rows have the periods of target tracking, and no policy.")
    say()
    say(f"{'CPUUtilization':26}{'calm, %':>9}{'hot, %':>9}{'samples a period':>18}")
    for namespace, of in result["metrics"].items():
        calm, hot = ("–" if of[key] is None else f"{of[key]:.1f}" for key in ("calm", "hot"))
        name = f"{namespace}, {of['period_s']} s"
        say(f"{name:26}{calm:>9}{hot:>9}{of['samples']:>18.0f}")
    say()
    say("esp check --source, in the task:")
    for line in result["check"] or ["(its log is empty)"]:
        say(f"  {line}")
    say()


def read_arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", help="ESP's image, in a registry that the account can pull from")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    parser.add_argument("--region", default=region)
    parser.add_argument("--steps", type=int, default=5, help="load steps (5)")
    parser.add_argument("--calm", type=int, default=300, help="seconds before each step (300)")
    parser.add_argument("--hot", type=int, default=480, help="seconds after each step (480)")
    parser.add_argument("--load-image", help="an image with a shell, instead of busybox")
    parser.add_argument("--json", metavar="FILE", help="also write the result to this file")
    parser.add_argument("--yes", action="store_true", help="do not ask before creating anything that costs money")
    parser.add_argument("--delete", metavar="STACK", help="delete the stack of a run that was killed")
    parser.add_argument("--poll", type=float, default=15, help="seconds between requests to AWS (15)")
    arguments = parser.parse_args(words)
    if not arguments.region:
        parser.error("--region, AWS_REGION or AWS_DEFAULT_REGION: one of them is needed")
    if not arguments.delete and not arguments.image:
        parser.error("--image is needed")
    if arguments.delete and not arguments.delete.startswith(PREFIX):
        parser.error(f"the name of a stack of this script begins with {PREFIX}")
    if not (1 <= arguments.steps <= 8 and arguments.calm >= 60 and arguments.hot >= 60):
        parser.error("--steps is from 1 to 8, --calm and --hot are at least 60")
    # CloudWatch keeps periods below a minute for three hours.
    if Proof(arguments).planned() > timedelta(hours=2.5):
        parser.error("all steps take more than 2.5 hours, and CloudWatch keeps seconds for 3")
    return arguments


def may_go_on(proof):
    account = proof.aws("sts", "get-caller-identity")["Account"]
    minutes = (proof.planned() + timedelta(minutes=15)).total_seconds() / 60
    say(f"Creates the stack {proof.stack} in account {account}, {proof.aws.region}:")
    say("a network, a Fargate task of 0.5 vCPU, seven alarms. Deletes it in the end.")
    say(f"Takes about {minutes:.0f} minutes and costs less than 0.20 USD. Nobody has run it yet.")
    if proof.arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise Failure("nobody is there to ask: say --yes")
    return input("Go on? [y/N] ").strip().lower() in ("y", "yes")


def on_signals(action):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


def main(words):
    proof = Proof(read_arguments(words))

    def end(number, _frame):
        # Once: what follows is not to be interrupted.
        on_signals(signal.SIG_IGN)
        if proof.aws.is_deferring:
            proof.aws.deferred = number
        else:
            raise Ended(number)

    if proof.arguments.delete:
        proof.stack = proof.arguments.delete
        return 0 if proof.delete() else 1
    has_begun = False
    code = 0
    try:
        try:
            on_signals(end)
            if not may_go_on(proof):
                return 1
            has_begun = True
            proof.run()
        finally:
            on_signals(signal.SIG_IGN)
    except Failure as failure:
        say(f"proof: {failure}")
        code = 1
    except Ended as ended:
        say(f"proof: ended by {signal.Signals(ended.number).name}")
        code = 128 + ended.number
    except Exception:  # noqa: BLE001, whatever it is, the stack has to go
        say(traceback.format_exc())
        code = 70
    if has_begun and not proof.delete():
        code = code or 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
