# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task may want of a role."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_settings import Settings

NAME = "reader"
ARN = "arn:aws:iam::222222222222:role/reader"
TRUST = {
    "Sid": "Account",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
    "Action": "sts:AssumeRole",
}
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
POLICY = "arn:aws:iam::222222222222:policy/common"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_which_policies_are_read() -> None:
    assert Settings().policy_names == []
    assert Settings(inline_policies={"b": READ}, absent_inline_policies=["a"]).policy_names == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("x" * 65, {}, "^name: .* has 65 characters; IAM allows 64"),
        ("my role", {}, "^name: 'my role' is not a name of a role"),
        ("", {}, "^name: '' is not a name of a role"),
        ("path/name", {}, "a path goes into its own option"),
        (NAME, {"path": "kubestrap"}, "^path: .* begins and ends with a slash"),
        (NAME, {"path": "/kubestrap"}, "^path: "),
        (NAME, {"path": "/a//b/"}, "^path: "),
        (NAME, {"path": f"/{'x' * 511}/"}, "^path: .* at most 512"),
        (NAME, {"description": "x" * 1001}, "^description: .* has 1001 characters"),
        (NAME, {"max_session_duration": 3599}, "^max_session_duration: '3599'"),
        (NAME, {"max_session_duration": 43201}, "^max_session_duration: '43201'"),
        (NAME, {"permissions_boundary": "boundary"}, "^permissions_boundary: 'boundary' is not the ARN"),
        (NAME, {"managed_policy_arns": [POLICY, ARN]}, "^managed_policy_arns: .*role/reader' is not the ARN"),
        (NAME, {"trust_statements": [{"Effect": "Allow"}]}, "^trust_statements: .* has no Sid"),
        (NAME, {"inline_policies": {"a b": READ}}, "^inline_policies: 'a b' is not a name of a policy"),
        (NAME, {"inline_policies": {"p": "x"}}, "^inline_policies: 'p' is not JSON"),
        (NAME, {"absent_inline_policies": ["x" * 129]}, "is not a name of a policy"),
        (NAME, {"inline_policies": {"p": READ}, "absent_inline_policies": ["p"]}, "'p' is in inline_policies too"),
    ],
)
def test_bad_input(name: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleAWSError, match=says):
        Settings(**settings).check(name)


def test_inline_policies_that_are_too_long_together() -> None:
    half = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "x" * 5100})

    Settings(inline_policies={"a": half}).check(NAME)
    with pytest.raises(AnsibleAWSError) as caught:
        Settings(inline_policies={"a": half, "b": half}).check(NAME)

    assert "inline_policies: 'a, b' have 103" in caught.value.message
    assert "IAM allows 10240" in caught.value.message
    assert "fewer prefixes, or one wildcard for several. Or make a managed policy of it" in caught.value.message


def test_good_input() -> None:
    Settings(
        path="/a/b/",
        description="Reads",
        permissions_boundary="arn:aws-us-gov:iam::aws:policy/PowerUserAccess",
        max_session_duration=43200,
        trust_statements=[TRUST],
        inline_policies={"read": READ},
        absent_inline_policies=["old"],
        managed_policy_arns=[POLICY],
    ).check("x" * 64)
    Settings(permissions_boundary="", path="/").check(NAME)
