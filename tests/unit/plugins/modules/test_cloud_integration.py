# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module's options ask for, and that secrets among them are hidden."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.modules import cloud_integration as module

PAYER = {
    "account_id": "111111111111",
    "bucket": "results",
    "region": "us-east-1",
    "database": "d",
    "table": "t",
    "workgroup": "w",
}
OTHERS = {"alibaba": [{"accountID": "42", "clusterRegion": "eu", "serviceKeySecret": "hush"}]}


def params(**changes: Any) -> dict[str, Any]:
    given = {name: option.get("default") for name, option in module.ARGUMENTS.items()}
    return {**given, "namespace": "kubecost", "payers": [PAYER], **changes}


def document(**changes: Any) -> dict[str, Any]:
    """The document that the options ask for."""
    return dict(module.task_of(params(**changes)).objects(None).document)


def test_payers_and_other_clouds_are_one_document() -> None:
    made = document(form="legacy", others=json.dumps(OTHERS))
    assert made["alibaba"] == OTHERS["alibaba"]
    assert made["aws"][0]["projectID"] == "111111111111"


def test_annotations_are_texts() -> None:
    account = {"name": "kubecost", "created_by": "kubestrap", "annotations": {"a": True}, "release": None}
    assert module.task_of(params(service_account=account)).wanted.account.annotations == {"a": "True"}


def test_nothing_is_wanted_when_it_goes() -> None:
    task = module.task_of(params(state="absent", payers=[]))
    assert (task.payers, task.wanted.account) == (None, None)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"namespace": "Kubecost"}, "namespace: 'Kubecost'"),
        ({"secret": "a_b"}, "secret: 'a_b'"),
        ({"payers": []}, "entries: '[]' is not a list of payers"),
        ({"others": "{hush"}, "others: '...' is not JSON"),
        ({"others": json.dumps({"gcp": {"datasets": [OTHERS]}})}, "others: 'gcp.datasets' is not a section"),
        ({"service_account": {"name": "A", "annotations": {}}}, "service_account.name: 'A'"),
    ],
)
def test_wrong_input_is_refused_without_a_secret(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        module.task_of(params(**changes))
    assert text in str(error.value)
    assert "hush" not in str(error.value)


def test_secrets_are_hidden() -> None:
    assert {name for name, option in module.ARGUMENTS.items() if option.get("no_log")} == {"api_key", "others"}
    # A mapping would be hidden word by word, in all that Ansible prints.
    assert module.ARGUMENTS["others"]["type"] == "json"
