# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what a file may hold, what is refused of it and how, and what a rule selects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _tag_rules as rules
from ansible_collections.kubestrap.aws.plugins.module_utils._tagged_resources import Resource

DB = Resource(
    "arn:aws:rds:eu-west-1:222222222222:db:orders-1", "222222222222", "eu-west-1", {"team": "shop", "env": "p"}
)
BUCKET = Resource("arn:aws:s3:::archive", "222222222222", "us-east-1")
TAGS = {"kubernetes_namespace": "shop"}


def rule(**select: Any) -> rules.Rule:
    """A rule with these selectors."""
    return rules.check("rules", [{"select": select, "tags": TAGS}])[0]


@pytest.mark.parametrize(
    ("select", "selected"),
    [
        ({"arn": "arn:aws:rds:*:*:db:orders*"}, [DB]),
        ({"arn": ["arn:aws:rds:*:db:orders-?", "arn:aws:s3:::archive"]}, [DB, BUCKET]),
        ({"arn": "arn:aws:s3:::arch"}, []),
        ({"arn": "arn:aws:rds:*:ORDERS*"}, []),
        ({"resource_type": "rds"}, [DB]),
        ({"resource_type": ["rds:db", "s3"]}, [DB, BUCKET]),
        ({"resource_type": "rds:cluster"}, []),
        ({"region": "us-east-1"}, [BUCKET]),
        ({"account_id": "222222222222"}, [DB, BUCKET]),
        ({"account_id": ["111111111111"]}, []),
        ({"tags": {"team": "sh*"}}, [DB]),
        ({"tags": {"team": ["x", "shop"], "env": "?"}}, [DB]),
        ({"tags": {"team": "*", "gone": "*"}}, []),
        ({"resource_type": ["s3", "rds"], "region": ["eu-west-1"]}, [DB]),
        ({"everything": True}, [DB, BUCKET]),
    ],
)
def test_what_a_rule_selects(select: dict[str, Any], selected: list[Resource]) -> None:
    assert [each for each in (DB, BUCKET) if rule(**select).selects(each)] == selected


def test_arns_that_are_named() -> None:
    assert rule(arn=["arn:aws:s3:::archive", "arn:aws:s3:::a*"]).literal_arns == ["arn:aws:s3:::archive"]


def test_a_file_of_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(f"---\n{rules.EXAMPLE}\n")
    (found,) = rules.load("rules_file", str(path))
    assert (found.name, found.tags["kubernetes_deployment"]) == ("orders", "orders")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules:\n\t- name: a\n", "has a tab in line 2, which YAML does not take for space. Indent with spaces"),
        ("rules: [\n", "is not YAML (line 2"),
        ("- select: {}\n", "is a list. Write one key, rules"),
        ("", "is empty. Write one key, rules"),
        ("orders\n", "is no dictionary with rules"),
        ("rules: []\nmore: 1\n", "is a dictionary with rules, more"),
        ("rules: []\n", "rules_file r.yml: rules: '[]' is no list of rules. Write at least one"),
        ("rules: {a: b}\n", "is no list of rules"),
        ("rules: [a]\n", "rules[0]: 'a' is no rule"),
        ("rules:\n  - {name: a, tags: {x: y},\n     tags: {x: z}}\n", "has the key tags twice (line 3)"),
    ],
)
def test_files_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        rules.parse("rules_file", "r.yml", text)
    assert str(error.value).startswith("rules_file") and said in str(error.value), str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AnsibleAWSError, match="cannot be read .No such file or directory.*Write the path of a YAML"):
        rules.load("rules_file", str(tmp_path / "none.yml"))
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(AnsibleAWSError, match="cannot be read"):
        rules.load("rules_file", str(tmp_path / "binary.yml"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"selects": {}}, "rules[0]: 'selects' is not known here. Write select?"),
        ({"select": None}, "rules[0].select: '{}' selects every resource. Write at least one selector, or everything"),
        ({"select": {"everything": False}}, "selects every resource"),
        ({"select": {"everything": "yes"}}, "rules[0].select.everything: 'yes' is neither true nor false"),
        ({"select": ["a"]}, "is no dictionary of selectors"),
        ({"select": {"arns": "x"}}, "rules[0].select: 'arns' is not known here. Write arn?"),
        ({"select": {"arn": "orders"}}, "rules[0].select.arn: 'orders' is no pattern of an ARN"),
        ({"select": {"arn": "arn:aws:s3"}}, "is no pattern of an ARN"),
        ({"select": {"arn": "arn:aws:iam::1:role/x"}}, "is in IAM"),
        ({"select": {"arn": []}}, "is neither a text nor a list of texts"),
        ({"select": {"account_id": 111111111111}}, "is neither a text nor a list of texts. Write it in quotes"),
        ({"select": {"account_id": "1"}}, "has 1 digits"),
        ({"select": {"region": "eu-wset-1"}}, "Write eu-west-1?"),
        ({"select": {"resource_type": "RDS"}}, "is not a type of resource"),
        ({"select": {"tags": {}}}, "is no dictionary of tags"),
        ({"select": {"tags": {"team": None}}}, "rules[0].select.tags.team: 'None' is neither a text"),
        ({"tags": {}}, "rules[0].tags: '{}' is no dictionary of tags"),
        ({"tags": {f"key-{number}": "x" for number in range(50)}}, "rules[0].tags: '50' tags are too many"),
        ({"tags": {"aws:team": "x"}}, "'aws:team' begins with aws:, which AWS keeps for itself"),
        ({"tags": {"AWS:team": "x"}}, "begins with aws:"),
        ({"tags": {"k" * 129: "x"}}, "has 129 characters. The key of a tag has at most 128"),
        ({"tags": {" ": "x"}}, "is no key of a tag"),
        ({"tags": {"team": "v" * 257}}, "has 257 characters. A value has at most 256"),
        ({"tags": {"team": 4711}}, "rules[0].tags.team: '4711' is not a text. Write it in quotes: \"4711\""),
        ({"tags": {"team": "a,b"}}, "rules[0].tags.team: 'a,b' has the character ','"),
        ({"tags": {"te#am": "a"}}, "rules[0].tags: 'te#am' has the character '#'"),
        ({"tags": {"kubestrap.aws/tags": "x"}}, "is the tag by which is known what was set here"),
        ({"tags": {"managed-by": "kubestrap.aws"}}, "is the tag of what this collection makes"),
        ({"tags": {"kubernetes_namespaces": "x"}}, "which is kubernetes_namespace. Write kubernetes_namespace"),
        ({"tags": {"kubernetes-pod": "x"}}, "Write kubernetes_pod"),
    ],
)
def test_rules_that_are_refused(changes: dict[str, Any], said: str) -> None:
    good = {"select": {"resource_type": "s3"}, "tags": TAGS}
    with pytest.raises(AnsibleAWSError) as error:
        rules.check("rules", [{**good, **changes}])
    assert str(error.value).startswith("rules[0]") and said in str(error.value), str(error.value)


def test_two_rules_of_one_name() -> None:
    one = {"name": "a", "select": {"resource_type": "s3"}, "tags": TAGS}
    with pytest.raises(AnsibleAWSError, match="rules: 'a' is the name of several rules"):
        rules.check("rules", [one, one])


def test_the_longest_that_is_possible() -> None:
    tags = {"k" * 128: "v" * 256, "managed-by": "us", "Straße 1": "a b/c:d=e+f-g@h._", "empty": ""}
    assert rules.check("rules", [{"select": {"everything": True}, "tags": tags}])[0].tags == tags
