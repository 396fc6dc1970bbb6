# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the module, and its wait. What it finds is tested with its functions, and in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.modules import stackgres_cluster_info as module

ONE: dict[str, Any] = {"namespace": "db", "name": "orders", "object_storage": "o", "secrets": [], "role_arn": "r"}


def params(**changes: Any) -> dict[str, Any]:
    return {"operator_namespace": "stackgres", "wait_timeout": 5, "clusters": [{**ONE, **changes}]}


@pytest.mark.parametrize("wrong", [{"namespace": "D"}, {"name": "a_b"}, {"object_storage": "O"}, {"secrets": ["S"]}])
def test_names_are_checked_before_the_first_call(wrong: dict[str, Any]) -> None:
    module.check(params())
    with pytest.raises(AnsibleAWSError, match=f"clusters\\[\\].{next(iter(wrong))}"):
        module.check(params(**wrong))


@pytest.mark.parametrize(("timeout", "reads"), [(5, 3), (0, 1)])
def test_it_reads_until_the_operator_has_annotated_or_time_is_over(
    monkeypatch: pytest.MonkeyPatch, timeout: int, reads: int
) -> None:
    roles = iter(["", "", "r", "r"])
    made = []

    def read(*_args: Any) -> dict[str, Any]:
        account = {"name": "orders-patroni", "role_arn": next(roles)}
        made.append({"clusters": [{"cluster": {}, "parts": ["orders"], "service_accounts": [account]}]})
        return made[-1]

    monkeypatch.setattr(module, "read", read)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)
    assert module.found(None, {**params(), "wait_timeout": timeout}) is made[-1]
    assert len(made) == reads
