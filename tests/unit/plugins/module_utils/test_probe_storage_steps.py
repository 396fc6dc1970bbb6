# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox does not do: answers that get lost. All other steps are made there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage_steps as steps
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_identity import Patience
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_storage_place import Storage
from botocore.exceptions import ClientError, ReadTimeoutError

LOST = ReadTimeoutError(endpoint_url="https://s3.eu-west-1.amazonaws.com")


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "PutObject")


class Bucket:
    """A client that answers by operation, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_args, **_options: None))

    def client(self, *_service: str) -> Bucket:
        return self

    def __getattr__(self, method: str) -> Any:
        def call(**params: Any) -> Any:
            self.asked.append((method, params))
            answer = self.answers.get(method, {})
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@pytest.mark.parametrize(("refusal", "left"), [(None, 0), (error("AccessDenied"), 1)])
def test_an_object_whose_answer_was_lost_is_swept_away_all_the_same(refusal: Exception | None, left: int) -> None:
    workload = Bucket(get_object=error("NoSuchKey"), put_object=LOST)
    operator = Bucket(**({"delete_object": refusal} if refusal else {}))
    tried = steps.StorageSteps(
        workload, "arn", operator, Storage("acme", "eu-west-1", owner="222222222222"), Patience(0)
    )
    links = {link.link: link.state for link in tried.run()}
    assert (links["missing"], links["put"], links["get"], links["delete"]) == ("ok", "failed", "skipped", "skipped")
    written = next(params for method, params in workload.asked if method == "put_object")
    deleted = {"Bucket": "acme", "ExpectedBucketOwner": "222222222222", "Key": written["Key"]}
    assert ("delete_object", deleted) in operator.asked
    assert [item["key"] for item in tried.left] == [written["Key"]] * left


def test_what_is_refused_was_not_written() -> None:
    operator = Bucket()
    workload = Bucket(get_object=error("NoSuchKey"), put_object=error("SlowDown"))
    tried = steps.StorageSteps(workload, "arn", operator, Storage("acme", "eu-west-1"), Patience(0))
    tried.run()
    assert operator.asked == []


def test_boto3_does_not_follow_the_way_to_another_region() -> None:
    context: dict[str, Any] = {"s3_redirect": {"redirected": False, "bucket": "acme"}}
    steps._stay(context=context, params={})
    assert context["s3_redirect"] == {"redirected": True, "bucket": "acme"}
