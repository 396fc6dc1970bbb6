# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page permissions.rst has the policies word for word, by the very lookups that it shows."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.kubestrap.aws.plugins.module_utils import (
    operator_cost_tag_policies,
    operator_policies,
    operator_rbac,
    operator_stackgres,
    operator_storage_policies,
    operator_tag_policies,
    policies,
)

PAGE = (Path(__file__).resolve().parents[4] / "docs/docsite/rst/permissions.rst").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", PAGE, re.M)
    return [textwrap.dedent(block).strip() + "\n" for block in found]


def shown(document: str) -> dict[str, Any]:
    """The parameters of the lookup that the page shows."""
    (call,) = re.findall(rf"'{document}',(.*?)\)", PAGE, re.S)
    return {name: ast.literal_eval(value) for name, value in re.findall(r"(\w+)=('[^']*'|\[[^]]*\])", call)}


def test_the_policies_are_those_of_the_lookups_that_are_shown() -> None:
    functions = {
        **operator_policies.OPERATOR_POLICIES,
        **operator_storage_policies.OPERATOR_STORAGE_POLICIES,
        **operator_stackgres.OPERATOR_STACKGRES,
        **operator_tag_policies.OPERATOR_TAG_POLICIES,
        **operator_cost_tag_policies.OPERATOR_COST_TAG_POLICIES,
    }
    documents = ("kubecost_payer_operator", "kubecost_cluster_operator")
    documents += ("workload_storage_operator", "object_storage_workload_operator", "stackgres_backup_operator")
    documents += ("tag_report_payer_operator", "tag_report_operator", "tag_apply_operator")
    documents += ("cost_allocation_tags_operator",)
    assert set(documents) == set(functions)
    for document, block in zip(documents, blocks("json"), strict=True):
        assert json.loads(block) == policies.document(functions[document](**shown(document)))


def test_the_rbac_objects() -> None:
    objects = [block for block in blocks("yaml") if "ClusterRole" in block]
    wanted = [operator_rbac.kubecost_cluster_rbac(), operator_rbac.object_store_rbac(), operator_rbac.tag_report_rbac()]
    wanted.append(operator_stackgres.stackgres_backup_rbac(namespace="databases"))
    listed = [yaml.safe_load(block) for block in objects]
    assert [each["kind"] for each in listed] == ["List"] * len(wanted)
    assert [each["items"] for each in listed] == wanted


def test_the_actions_that_only_repair_are_named() -> None:
    occasional = operator_policies.OCCASIONAL | operator_storage_policies.STORAGE_OCCASIONAL
    assert {action for action in occasional if f"``{action}``" not in PAGE} == set()


def test_the_size_that_is_told() -> None:
    statements = operator_policies.kubecost_payer_operator(**shown("kubecost_payer_operator"))
    assert round(policies.size(statements), -3) == 5000
    (stack,) = re.findall(r"crawler_stack='([^']*)'", PAGE)
    crawling = operator_policies.kubecost_payer_operator(**shown("kubecost_payer_operator"), crawler_stack=stack)
    assert policies.MANAGED_POLICY_SIZE < policies.size(crawling) < 6500
