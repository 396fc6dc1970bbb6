# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation says all that the module takes and returns. What is checked is test_preflight_host's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight_host
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_names import NAME_KINDS
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_rights import DOCUMENTS
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_rbac import OPERATOR_RBAC
from ansible_collections.kubestrap.aws.plugins.modules import preflight_info


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the module asks for."""
    asked: dict[str, Any] = {}

    class Asks:
        def __init__(self, argument_spec: dict[str, Any]) -> None:
            asked.update(argument_spec)
            raise InterruptedError

    monkeypatch.setattr(preflight_info, "KubestrapAWSModule", Asks)
    with pytest.raises(InterruptedError):
        preflight_info.main()
    return asked


def test_the_documentation_is_complete(spec: dict[str, Any]) -> None:
    documentation = yaml.safe_load(preflight_info.DOCUMENTATION)["options"]
    assert set(documentation) == set(spec)
    assert set(documentation["names"]["suboptions"]["kind"]["choices"]) == set(NAME_KINDS)
    assert documentation["rights"]["suboptions"]["document"]["choices"] == sorted(DOCUMENTS)
    assert documentation["cluster_rights"]["suboptions"]["document"]["choices"] == sorted(OPERATOR_RBAC)


def test_the_documentation_shows_what_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"caller": None, "buckets": {}, "problems": ["no"], "usable": False}
    monkeypatch.setattr(_preflight_host, "check_aws", lambda *_args: seen)
    options = (
        "expected_account_id",
        "account_required",
        "caller",
        "helm_binary",
        "cluster_name",
        "billing_data",
        "release",
    )
    params = {**dict.fromkeys((*options, "rights", "quotas")), "names": [], "buckets": [], "problems": []}
    connection: Any = SimpleNamespace(region="eu-west-1")
    found = _preflight_host.look(connection, params)
    assert set(yaml.safe_load(preflight_info.RETURN)["preflight"]["contains"]) == set(found)


def test_values_of_a_release_are_hidden(spec: dict[str, Any]) -> None:
    """As one text: of a mapping each word would be hidden, in everything that is printed."""
    assert spec["release"]["options"]["wiring"] == {"type": "json", "no_log": True}
