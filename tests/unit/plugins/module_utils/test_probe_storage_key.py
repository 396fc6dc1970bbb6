# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key pairs in a Secret. The key itself is tried in the sandbox."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage_key as keys
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError

ID, SECRET = "AKIA0000000000000000", "example-of-a-secret"


class Cluster:
    """An API server with one Secret, or with none, or one that refuses."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get(self, *_path: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def secret(**data: bytes) -> dict[str, Any]:
    return {"data": {name: base64.b64encode(value).decode() for name, value in data.items()}}


@pytest.mark.parametrize(
    ("answer", "cause", "missing"),
    [
        (None, "it does not exist", True),
        ({}, "its keys are: none", False),
        (secret(other=b"x"), "its keys are: other", False),
        (secret(y=b"\xff\xfe"), "it is not text", False),
        (secret(y=b"a: 1"), "it has no config", False),
        (KubeError("No", "RBAC", "Allow it"), "RBAC", False),
    ],
)
def test_a_secret_without_a_pair(answer: Any, cause: str, missing: bool) -> None:
    link, pair = keys.read_pair(Cluster(answer), "monitoring", "thanos", "y")
    assert pair is None
    assert link is not None
    assert (link.state, link.cause, link.missing) == ("failed", cause, missing)


def test_a_secret_with_a_pair() -> None:
    text = f"config: {{access_key: {ID}, secret_key: {SECRET}}}".encode()
    link, pair = keys.read_pair(Cluster(secret(y=text)), "monitoring", "thanos", "y")
    assert (link, pair) == (None, KeyPair(ID, SECRET))


def test_a_secret_with_id_and_secret_by_themselves() -> None:
    both = ("accessKeyId", "secretAccessKey")
    found = secret(accessKeyId=f"{ID}\n".encode(), secretAccessKey=SECRET.encode())
    assert keys.read_pair(Cluster(found), "databases", "s3", "y", both) == (None, KeyPair(ID, SECRET))
    link, pair = keys.read_pair(Cluster(secret(accessKeyId=b"x")), "databases", "s3", "y", both)
    assert pair is None
    assert link is not None
    assert link.detail == "The Secret databases/s3 has no key secretAccessKey"
    link, pair = keys.read_pair(Cluster(secret(accessKeyId=b"\xff", secretAccessKey=b"\xff")), "d", "s", "y", both)
    assert link is not None
    assert "accessKeyId and secretAccessKey" in link.detail
