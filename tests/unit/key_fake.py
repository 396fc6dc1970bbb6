# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster and an IAM user in memory, for what makes an access key and writes it into a Secret."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _iam_user, _key_in_secret
from unit.kube_fake import Kube

# Begins each secret key that is made, and may be seen nowhere.
HUSH = "hush-hush"


class KeyedWorld:
    """IAM and a cluster, and in which order they were written.

    :ivar user: as ``_iam_user.read`` would return it
    :ivar kube: its ``sent`` has the calls of both
    :ivar made: how many keys
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.user: Any = None
        self.kube: Any = Kube()
        self.made = 0
        monkeypatch.setattr(_iam_user, "read", lambda *_args, **_options: self.user)
        monkeypatch.setattr(_iam_user, "read_to_delete", lambda *_args: self.user)
        monkeypatch.setattr(_key_in_secret, "apply_to_aws", self.apply)

    def apply(self, _connection: Any, changes: Any) -> list[Any]:
        """Answer as IAM does."""
        self.kube.sent += [change.method for change in changes]
        self.made += changes[-1].method == "create_access_key"
        key = {"AccessKeyId": f"AKIA{self.made}", "SecretAccessKey": f"{HUSH}-{self.made}"}
        return [{} for _change in changes[:-1]] + [{"AccessKey": key}]

    def be_as_planned(self, planned: _key_in_secret.KeyedPlan) -> None:
        """The user is as it was planned, with the key that was made."""
        assert planned.user
        self.user = copy.deepcopy(planned.user.plan.after)
        for key in self.user["access_keys"]:
            key["access_key_id"] = key["access_key_id"] or f"AKIA{self.made}"
