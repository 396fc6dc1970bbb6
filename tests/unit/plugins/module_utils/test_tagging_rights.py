# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The right to tag of each service."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._tagging_rights import actions


@pytest.mark.parametrize(
    ("service", "tag", "untag"),
    [
        ("rds", ["rds:AddTagsToResource"], ["rds:RemoveTagsFromResource"]),
        ("s3", ["s3:GetBucketTagging", "s3:PutBucketTagging"], ["s3:GetBucketTagging", "s3:PutBucketTagging"]),
        ("dynamodb", ["dynamodb:TagResource"], ["dynamodb:UntagResource"]),
    ],
)
def test_actions(service: str, tag: list[str], untag: list[str]) -> None:
    assert actions(service) == tag
    assert actions(service, remove=True) == untag
