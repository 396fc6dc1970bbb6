# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources of two accounts are tagged by the rules of a file, with exactly the documented rights, and let go again.

The module's own playbook is in modules/resource_tags.yml. Here: several accounts, a right that is missing, AWS that is
busy, and a region that is not enabled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.playbook import Result, run_playbook
from integration.world import actions_of, operator, operator_tag_policies, text
from sandbox.client import Sandbox

ONE, TWO, REGION = "550000000300", "550000000301", "eu-west-1"
ROLE = "tagger"
NAMESPACE = {"kubernetes_namespace": "shop"}
RULES = [
    {
        "name": "orders",
        "select": {"arn": ["arn:aws:sqs:*:*:orders-*", "arn:aws:s3:::tag-apply-orders"]},
        "tags": {**NAMESPACE, "kubernetes_deployment": "orders"},
    },
    {"name": "search", "select": {"tags": {"team": "search*"}}, "tags": {"kubernetes_namespace": "search"}},
    {"name": "nobody", "select": {"resource_type": "rds:db"}, "tags": NAMESPACE},
]


class Place:
    """Two accounts: queues in the first one, of which somebody else has tagged one, and a bucket in the second."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.rules = sandbox, folder / "rules.yml"
        self.rules.write_text(yaml.safe_dump({"rules": RULES}))
        for account, profile in ((ONE, "tags-one"), (TWO, "tags-two")):
            sandbox.add_account(account, profile)
        self.sqs = operator(sandbox, ONE, REGION).client("sqs")
        for number in range(21):  # more than a call takes
            self.sqs.create_queue(QueueName=f"orders-{number:02}", tags={"team": "shop"})
        self.sqs.create_queue(QueueName="index", tags={"team": "search-a", "kubernetes_namespace": "theirs"})
        self.sqs.create_queue(QueueName="other", tags={"team": "other"})
        self.s3 = operator(sandbox, TWO, REGION).client("s3")
        for name in ("tag-apply-orders", "tag-apply-other"):
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        for account in (ONE, TWO):
            trust = {"Sid": "Operators", "Effect": "Allow", "Action": "sts:AssumeRole"}
            trust["Principal"] = {"AWS": f"arn:aws:iam::{account}:root"}
            operator(sandbox, account, REGION).client("iam").create_role(
                RoleName=ROLE, AssumeRolePolicyDocument=text([trust])
            )
        self.give(ONE, self.policy(ONE, "sqs"))
        self.give(TWO, self.policy(TWO, "s3"))

    @staticmethod
    def policy(account: str, *services: str, remove: bool = False) -> list[dict[str, Any]]:
        """The documented policy; the bucket that both look for is asked for in each account."""
        named = list(dict.fromkeys([*services, "s3"]))
        return operator_tag_policies.tag_apply_operator(
            partition="aws", account_id=account, services=named, remove=remove
        )

    def give(self, account: str, statements: list[dict[str, Any]]) -> None:
        """The role may do this and nothing else."""
        iam = operator(self.sandbox, account, REGION).client("iam")
        iam.put_role_policy(RoleName=ROLE, PolicyName="rights", PolicyDocument=text(statements))

    def run(self, check: bool = False, **extra: Any) -> Result:
        """The playbook over both accounts."""
        hosts = {
            profile: {
                "kubestrap_aws_profile": profile,
                "kubestrap_aws_region": REGION,
                "kubestrap_account_id": account,
                "kubestrap_assume_role_arn": f"arn:aws:iam::{account}:role/{ROLE}",
            }
            for profile, account in (("tags-one", ONE), ("tags-two", TWO))
        }
        given = {"kubestrap_tag_rules_file": str(self.rules), **extra}
        inventory = {"accounts": {"hosts": hosts}}
        return run_playbook("kubestrap.aws.tag_apply", self.sandbox, inventory=inventory, extra_vars=given, check=check)

    def tags(self, queue: str) -> dict[str, str]:
        """What a queue has now."""
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return self.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})

    def bucket_tags(self) -> dict[str, str]:
        """What the bucket has now."""
        found = self.s3.get_bucket_tagging(Bucket="tag-apply-orders")["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}


class Story:
    """The runs in their order, and what was looked at between them."""

    def __init__(self, place: Place) -> None:
        self.check = place.run(check=True)
        # The second account may not tag its bucket, and AWS is busy at first.
        left = [each for each in place.policy(TWO, "s3") if each["Sid"] == "TagAnything"]
        place.give(TWO, [*left, {"Sid": "Find", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "*"}])
        place.sandbox.faults([{"service": "resourcegroupstaggingapi", "kind": "write", "throttle": True, "times": 2}])
        self.refused = place.run()
        place.sandbox.faults()
        place.give(TWO, place.policy(TWO, "s3"))
        self.rest = place.run()
        self.tags = {queue: place.tags(queue) for queue in ("orders-00", "orders-20", "index", "other")}
        self.bucket = place.bucket_tags()
        self.again = place.run()
        self.forced = place.run(kubestrap_tag_override=True)
        self.forced_tags = place.tags("index")
        for account, service in ((ONE, "sqs"), (TWO, "s3")):
            place.give(account, place.policy(account, service, remove=True))
        self.gone = place.run(kubestrap_tag_state="absent")
        self.left = {queue: place.tags(queue) for queue in ("orders-00", "index")}


@pytest.fixture(scope="module")
def place(gateway_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield Place(gateway_sandbox, tmp_path_factory.mktemp("rules"))
    gateway_sandbox.faults()
    gateway_sandbox.settings({"disabled_regions": []})


@pytest.fixture(scope="module")
def story(place: Place) -> Story:
    return Story(place)


def said(run: Result) -> str:
    """What people see, as one line: tables wrap."""
    shown = [task.result for task in run.tasks if task.action.endswith("report_lines")]
    lines = [line for each in shown for one in each.get("results", [each]) for line in one.get("lines", [])]
    return " ".join(" ".join(lines).split())


def test_check_mode_shows_what_would_be_done_and_does_nothing(story: Story) -> None:
    assert story.check.ok, story.check.report
    assert story.check.writes == [] and story.check.changed == []
    shown = said(story.check)
    assert "What is to be done in tags-one" in shown and "What is to be done in tags-two" in shown
    assert f"sqs:{REGION}:{ONE}:orders-20 changed kubernetes_deployment=orders" in shown
    assert "kubernetes_namespace stays theirs" in shown
    assert "Rules that select nothing: nobody." in shown


def test_what_is_refused_is_told_by_resource_and_the_others_are_tagged(story: Story) -> None:
    assert story.refused.rc == 2
    shown = said(story.refused)
    bucket = "arn:aws:s3:::tag-apply-orders"
    assert f"1 of 1 resources were refused. {bucket}: Access Denied (AccessDeniedException)" in shown
    assert f"Allow s3:GetBucketTagging, s3:PutBucketTagging on {bucket}" in shown
    # 20 queues and one more, each call tried again as often as AWS was busy; and the bucket.
    assert story.refused.count(operation="TagResources", status=200) == 3
    assert story.refused.count(operation="TagResources") == 5


def test_a_further_run_does_what_is_left(story: Story) -> None:
    assert story.rest.ok, story.rest.report
    assert story.rest.count(operation="TagResources") == 1
    assert {key: story.bucket[key] for key in RULES[0]["tags"]} == RULES[0]["tags"]
    for queue in ("orders-00", "orders-20"):
        assert story.tags[queue] == {
            "team": "shop",
            **RULES[0]["tags"],
            "kubestrap.aws/tags": story.bucket["kubestrap.aws/tags"],
        }
    assert story.tags["index"] == {"team": "search-a", "kubernetes_namespace": "theirs"}
    assert story.tags["other"] == {"team": "other"}


def test_a_run_without_change_reads_pages_only(story: Story) -> None:
    assert story.again.ok and story.again.writes == [] and story.again.changed == []
    # Planned and done: two looks at one region of each account, and for the named bucket where it is not listed.
    assert story.again.count(service="resourcegroupstaggingapi") == 4
    assert story.again.count(service="s3") == 2
    assert story.again.count(kind="read") <= 10


def test_what_somebody_else_has_set_is_changed_only_when_it_is_said(story: Story) -> None:
    assert story.forced.ok, story.forced.report
    assert story.forced_tags["kubernetes_namespace"] == "search"


def test_only_what_was_set_is_taken_away(place: Place, story: Story) -> None:
    assert story.gone.ok, story.gone.report
    assert story.left == {"orders-00": {"team": "shop"}, "index": {"team": "search-a"}}


def test_every_right_is_needed_and_enough(place: Place, story: Story) -> None:
    """The services' own rights are asked for by the tagging service; without one its resources are refused."""
    runs = (story.check, story.rest, story.again, story.forced, story.gone)
    calls = [call for run in runs for call in run.calls if f"assumed-role/{ROLE}/" in call["who"]]
    needed = {action for call in calls for action in actions_of(call["service"], call["operation"])}
    denied = [call for call in calls if call["error_code"] and call["operation"] != "HeadBucket"]
    assert denied == []
    policy = place.policy(ONE, "sqs", remove=True)
    given = {action for each in policy if each["Sid"] == "TagAnything" for action in each["Action"]}
    assert given - needed == set()


@pytest.mark.parametrize(
    ("text_of_rules", "options", "words"),
    [
        ("rules:\n  - name: a\n\tselect: {}\n", {}, "has a tab in line 3"),
        (
            "rules:\n  - {select: {arn: 'arn:aws:sqs:*:none-*'}, tags: {a: '1'}}\n",
            {},
            "selects no resource of tags-one, tags-two",
        ),
        ("rules:\n  - {select: {arn: '*'}, tags: {a: '1'}}\n", {}, "selects every one of the 23 resources"),
        (
            "rules:\n  - {select: {arn: '*orders*'}, tags: {a: '1'}}\n",
            {"kubestrap_tag_regions": ["ap-east-1"]},
            "is not enabled",
        ),
        (None, {"kubestrap_tag_rules_file": ""}, "kubestrap_tag_rules_file: '' is missing"),
    ],
    ids=["tab", "nothing", "everything", "region", "missing"],
)
def test_bad_input_is_refused_before_the_first_write(
    place: Place, story: Story, tmp_path: Path, text_of_rules: str | None, options: dict[str, Any], words: str
) -> None:
    place.sandbox.settings({"disabled_regions": ["ap-east-1"]})
    rules = tmp_path / "rules.yml"
    if text_of_rules is not None:
        rules.write_text(text_of_rules)
    run = place.run(**{"kubestrap_tag_rules_file": str(rules), **options})
    assert run.rc == 2
    assert words in " ".join(run.report.split()), run.report
    assert run.writes == []
