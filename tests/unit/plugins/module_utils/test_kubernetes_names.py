# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, as Kubernetes' and Helm's own rules have them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import (
    check_kubernetes_name,
    check_secret_key,
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Namespace", "a"),
        ("Namespace", "7-finops"),
        ("Namespace", "n" * 63),
        ("Secret", "cloud-integration"),
        ("Secret", "cloud.integration"),
        ("Secret", "s" * 253),
        ("ServiceAccount", "kubecost-cost-analyzer"),
        ("Helm release", "kubecost"),
        ("helm release", "r" * 53),
    ],
)
def test_a_name_that_is_accepted(kind: str, name: str) -> None:
    check_kubernetes_name("option", name, kind)


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("Namespace", "", "it is empty"),
        ("Namespace", None, "it is no text (NoneType); put it in quotes"),
        ("Namespace", 123, "it is no text (int); put it in quotes"),
        ("Namespace", "Kubecost", "upper-case letters"),
        ("Namespace", "kube_cost", "an underscore"),
        ("Namespace", "kube.cost", "not allowed"),
        ("Namespace", "-kubecost", "not allowed"),
        ("Namespace", "kubecost-", "not allowed"),
        ("Namespace", "kube cost", "not allowed"),
        ("Namespace", "kubecost\n", "not allowed"),
        ("Namespace", "n" * 64, "it has 64 characters"),
        ("Secret", "a..b", "not allowed"),
        ("Secret", "s" * 254, "it has 254 characters"),
        ("ServiceAccount", "kubecost/reader", "not allowed"),
        ("Helm release", "r" * 54, "it has 54 characters"),
    ],
)
def test_a_name_that_is_refused(kind: str, name: Any, problem: str) -> None:
    with pytest.raises(AnsibleAWSError, match=re.escape(problem)) as error:
        check_kubernetes_name("kubecost_namespace", name, kind)
    said = str(error.value)
    assert said.startswith(f"kubecost_namespace: '{name}' is not a name of a {kind}")
    assert "Write at most" in said


def test_the_limit_of_the_kind_is_said() -> None:
    with pytest.raises(AnsibleAWSError, match="at most 53 lower-case letters, digits, '-' and '.'"):
        check_kubernetes_name("release", "Kubecost", "Helm release")
    with pytest.raises(AnsibleAWSError, match="at most 63 lower-case letters, digits and '-'"):
        check_kubernetes_name("namespace", "Kubecost", "Namespace")


@pytest.mark.parametrize("key", ["object-store.yaml", "AWS_ACCESS_KEY_ID", ".hidden", "a" * 253])
def test_a_key_of_a_secret(key: str) -> None:
    check_secret_key("key", key)


@pytest.mark.parametrize("key", ["", "a/b", "a b", ".", "..", "..a", "a" * 254, "a\n", 7])
def test_what_is_no_key_of_a_secret(key: Any) -> None:
    with pytest.raises(AnsibleAWSError, match="is not a key of a Secret that Kubernetes accepts"):
        check_secret_key("key", key)
