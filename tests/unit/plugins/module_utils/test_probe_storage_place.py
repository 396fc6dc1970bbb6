# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps there are, and what encryption is right."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_links as links
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage_place as place

KEY = "arn:aws:kms:eu-west-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def storage(**options: Any) -> place.Storage:
    return place.Storage("acme", "eu-west-1", **options)


@pytest.mark.parametrize(("prefix", "folder"), [("", ""), ("/", ""), ("a", "a/"), ("/a/b/", "a/b/")])
def test_the_folder_ends_with_a_slash(prefix: str, folder: str) -> None:
    assert storage(prefix=prefix).folder == folder


def test_only_what_is_asked_for_is_a_step() -> None:
    always = ["list", "region", "missing", "put", "get", "multipart", "delete"]
    assert storage().steps == always
    assert storage(prefix_enforced=True).steps == always
    whole = storage(prefix="a", prefix_enforced=True, encryption="AES256").steps
    assert set(whole) - set(always) == {"encryption", "outside"}
    assert set(whole) < set(links.ORDER)
    assert sorted(whole, key=links.ORDER.index) == whole


def test_arns_have_the_partition() -> None:
    assert storage(partition="aws-cn").arn == "arn:aws-cn:s3:::acme"


@pytest.mark.parametrize(
    ("answer", "wanted", "cause"),
    [
        ({"ServerSideEncryption": "AES256"}, {"encryption": "AES256"}, ""),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}, {"encryption": "aws:kms"}, ""),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}, {"encryption": "aws:kms", "kms_key_arn": KEY}, ""),
        ({"ServerSideEncryption": "AES256"}, {"encryption": "aws:kms"}, "aws:kms was asked for"),
        ({}, {"encryption": "AES256"}, "AES256 was asked for"),
        (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY},
            {"encryption": "aws:kms", "kms_key_arn": f"{KEY}x"},
            f"it should be {KEY}x",
        ),
    ],
)
def test_the_encryption(answer: dict[str, str], wanted: dict[str, str], cause: str) -> None:
    link = place.encryption_link(answer, storage(**wanted))
    assert (link.state, link.cause) == ("failed" if cause else "ok", cause)
