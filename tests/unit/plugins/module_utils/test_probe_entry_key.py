# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which access key an entry of the cloud integration has, or why none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_entry_key import read_entry_pair

ENTRY = "111111111111/s3://results"
KEY = "cloud-integration.json"
LEGACY = {"projectID": "111111111111", "athenaBucketName": "s3://results"}
PAIR = {"serviceKeyName": "AKIA1", "serviceKeySecret": "hush"}


class Kube:
    """An API server with one Secret."""

    def __init__(self, document: Any = None, error: KubeError | None = None) -> None:
        self.document, self.error = document, error

    def get(self, *_path: str) -> Any:
        if self.error:
            raise self.error
        if self.document is None:
            return None
        text = self.document if isinstance(self.document, str) else json.dumps(self.document)
        return {"data": {KEY: base64.b64encode(text.encode()).decode()}}


def read(kube: Kube) -> Any:
    return read_entry_pair(kube, "kubecost", "ci", KEY, ENTRY)  # type: ignore[arg-type]


def test_the_key_of_the_entry() -> None:
    other = {**LEGACY, "athenaBucketName": "s3://other", "serviceKeyName": "AKIA2", "serviceKeySecret": "x"}
    link, pair = read(Kube({"aws": [other, {**LEGACY, **PAIR}]}))
    assert (link, pair) == (None, KeyPair("AKIA1", "hush"))


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        (None, "it does not exist"),
        ("{", "it is no cloud integration"),
        ({"aws": [{}], "azure": {"storage": [{}]}}, "it is no cloud integration"),
        ({"aws": []}, "somebody has taken it out"),
        ({"aws": [LEGACY]}, "it was written for a role"),
    ],
)
def test_without_one_the_cause_is_named(document: Any, cause: str) -> None:
    link, pair = read(Kube(document))
    assert pair is None
    assert (link.link, link.state, link.by_run) == ("access_key", "failed", True)
    assert cause in link.cause


def test_an_api_server_that_refuses() -> None:
    link, pair = read(Kube(error=KubeError("no", "because", "do that", 403)))
    assert (link.detail, link.cause, link.change, pair) == ("no", "because", "do that", None)
