# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CloudFormation template that AWS delivers with a Cost and Usage Report (``crawler-cfn.yml``), made safe to use.

As delivered it makes a database, a crawler, and two Lambda functions that start the crawler whenever a file arrives.
The functions are what fails or harms: they replace all notifications of the bucket, reserve Lambda concurrency that new
accounts do not have, and need a runtime and an SDK that AWS has withdrawn. The crawler needs none of them when it has a
schedule. So all that the Glue resources do not refer to is left out.
"""

from __future__ import annotations

import re
import typing as t

import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ..module_utils._identifiers import refuse

Template = dict[str, t.Any]

_KEPT_TYPES = ("AWS::Glue::Database", "AWS::Glue::Crawler", "AWS::Glue::Table", "AWS::IAM::Role")


class _Loader(yaml.BaseLoader):
    """Every scalar stays a text: YAML would make dates of ``Version: 2012-10-17``, which IAM does not take."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, t.Any]:
    """``!Ref X`` as ``{"Ref": "X"}``, ``!GetAtt X.Arn`` as ``{"Fn::GetAtt": ["X", "Arn"]}``, others likewise."""
    value: t.Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def scheduled(
    text: str,
    schedule: str,
    database: str,
    iam_path: str = "/",
    permissions_boundary: str | None = None,
) -> Template:
    """The delivered template without its functions, and with a crawler that runs by itself.

    :param text: as delivered, YAML
    :param schedule: of the crawler, ``cron(15 12 * * ? *)``
    :param database: that it has to make
    :param iam_path: of the crawler's role
    :param permissions_boundary: of that role, an ARN
    :returns: a template that can be written as JSON
    :raises AnsibleAWSError: it is no such template, or makes another database
    """
    check_schedule("schedule", schedule)
    template = _parsed(text)
    resources = template["Resources"]
    crawlers = [name for name, resource in resources.items() if resource.get("Type") == "AWS::Glue::Crawler"]
    if len(crawlers) != 1:
        raise AnsibleAWSError(message="crawler-cfn.yml is not the template that AWS delivers: it has no crawler")
    kept = _reachable(resources)
    unknown = sorted({kept[name].get("Type", "") for name in kept} - set(_KEPT_TYPES))
    if unknown:
        raise AnsibleAWSError(
            message=f"crawler-cfn.yml has another form than known: its crawler needs {', '.join(unknown)}. Make the "
            "stack yourself and use its table (catalog existing)"
        )
    _check_database(kept, database)
    kept[crawlers[0]]["Properties"]["Schedule"] = {"ScheduleExpression": schedule}
    for resource in kept.values():
        if resource["Type"] == "AWS::IAM::Role":
            resource["Properties"]["Path"] = iam_path
            if permissions_boundary:
                resource["Properties"]["PermissionsBoundary"] = permissions_boundary
    return {**template, "Resources": kept}


def check_schedule(option: str, value: str) -> None:
    """Refuse what Glue would refuse as a schedule, after the stack was begun."""
    if not re.fullmatch(r"cron\(\S+ \S+ \S+ \S+ \S+ \S+\)", value):
        write = "Write six fields, for example cron(15 12 * * ? *), which is 12:15 UTC each day"
        refuse(option, value, "is not a schedule of a crawler", write)


def _parsed(text: str) -> Template:
    try:
        template = yaml.load(text, Loader=_Loader)  # a loader of texts only
    except yaml.YAMLError as e:
        raise AnsibleAWSError(message=f"crawler-cfn.yml is not YAML: {e}") from e
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(resources, dict) or not all(isinstance(resource, dict) for resource in resources.values()):
        raise AnsibleAWSError(message="crawler-cfn.yml is not a CloudFormation template: it has no Resources")
    for resource in resources.values():
        resource.setdefault("Properties", {})
    return template


def _reachable(resources: dict[str, t.Any]) -> dict[str, t.Any]:
    """The Glue resources and all that they refer to, in the order of the template."""
    waiting = [name for name, resource in resources.items() if str(resource.get("Type", "")).startswith("AWS::Glue::")]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [other for other in _references(resources[name]) if other in resources]
    return {name: resource for name, resource in resources.items() if name in found}


def _references(node: t.Any) -> t.Iterator[str]:
    """Names that a part of a template refers to; those of parameters and of AWS itself too."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and isinstance(value, str):
                yield value
            elif key == "Fn::GetAtt" and value:
                yield value[0]
            elif key == "Fn::Sub":
                texts = [value] if isinstance(value, str) else value
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", str(texts[0]))
            elif key == "DependsOn":
                yield from [value] if isinstance(value, str) else value
            yield from _references(value)
    elif isinstance(node, list):
        for entry in node:
            yield from _references(entry)


def _check_database(resources: dict[str, t.Any], database: str) -> None:
    """AWS derives the name from the report's, with rules of its own for capitals."""
    made = [
        (resource["Properties"].get("DatabaseInput") or {}).get("Name")
        for resource in resources.values()
        if resource["Type"] == "AWS::Glue::Database"
    ]
    if made != [database]:
        name = ", ".join(str(name) for name in made) or "none"
        refuse("database", database, f"is not the one that crawler-cfn.yml makes, which is {name}", f"Write {name}")
