# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's way to the API server: which one, and what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_for,
    kube_of,
)


class Module:
    """What kube_of needs of a module."""

    def __init__(self, **params: Any) -> None:
        self.params = {**dict.fromkeys(KUBERNETES_ARGUMENTS), **params}

    def fail_json(self, msg: str) -> NoReturn:
        raise SystemExit(msg)


def test_the_host_that_is_given() -> None:
    kube = kube_of(Module(host="https://demo.example/", api_key="k8s-aws-v1.dGVzdA"))
    assert kube.host == "https://demo.example"


def test_a_module_without_an_aws_connection(tmp_path: Path) -> None:
    params = Module(host="https://demo.example", api_key="x").params
    assert kube_for(params).host == "https://demo.example"
    with pytest.raises(KubeError, match=r"none\.pem cannot be read"):
        kube_for({**params, "ca_cert": str(tmp_path / "none.pem")})


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"none\.pem cannot be read"):
        kube_of(Module(host="https://demo.example", api_key="x", ca_cert=str(tmp_path / "none.pem")))


def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="kubeconfig .*none cannot be used"):
        kube_of(Module(kubeconfig=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "one of the following is required: host, kubeconfig"),
        ({"host": "https://a", "kubeconfig": "b"}, "mutually exclusive"),
        ({"host": "https://a"}, "required together"),
        ({"host": "https://a", "api_key": "b", "context": "c"}, "missing parameter"),
        ({"kubeconfig": "b", "context": "c"}, ""),
    ],
)
def test_what_goes_together(params: dict[str, str], problem: str) -> None:
    rules = {name: value for name, value in KUBERNETES_RULES.items() if name != "mutually_exclusive"}
    validator = ArgumentSpecValidator(KUBERNETES_ARGUMENTS, KUBERNETES_RULES["mutually_exclusive"], **rules)
    found = " ".join(validator.validate(params).error_messages)
    assert problem in found if problem else not found
