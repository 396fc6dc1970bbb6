# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key pairs in an object store's YAML, and what is never shown. The key itself is tried in the sandbox."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage_key as keys
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError

ID, SECRET = "AKIA0000000000000000", "example-of-a-secret"


def test_a_pair() -> None:
    pair = keys.keys_in(f"type: S3\nconfig: {{bucket: b, access_key: {ID}, secret_key: {SECRET}}}")
    assert (pair.access_key, pair.secret_key, pair.session_token, pair.temporary) == (ID, SECRET, None, False)
    assert SECRET not in repr(pair)


def test_a_temporary_pair() -> None:
    pair = keys.keys_in(f"config: {{access_key: ASIA0000000000000000, secret_key: {SECRET}, session_token: t}}")
    assert (pair.session_token, pair.temporary) == ("t", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"config:\n\tsecret_key: {SECRET}", "it is not YAML (line 2)"),
        (f"- {SECRET}", "it has no config"),
        (SECRET, "it has no config"),
        (f"config: [{SECRET}]", "it has no config"),
        (f"config: {{secret_key: {SECRET}}}", "it has no config.access_key"),
        (f"config: {{access_key: {ID}, secret_key: ''}}", "it has no config.secret_key"),
        (f"config: {{access_key: 12345, secret_key: {SECRET}}}", "config.access_key is not a text"),
    ],
)
def test_a_text_without_a_pair_is_told_without_its_values(text: str, said: str) -> None:
    with pytest.raises(keys.NotAPair) as error:
        keys.keys_in(text)
    assert said in str(error.value)
    assert SECRET not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


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
    assert (link, pair) == (None, keys.KeyPair(ID, SECRET))
