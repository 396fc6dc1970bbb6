# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The options by which a module reaches an API server, documented in the fragment ``kubestrap.aws.kubernetes``."""

from __future__ import annotations

import typing as t

from ._kube_api import KubeApi, KubeError, principal_of

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

KUBERNETES_ARGUMENTS: dict[str, t.Any] = {
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path"},
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "cluster_name": {"type": "str"},
}
KUBERNETES_RULES: dict[str, t.Any] = {
    "required_one_of": [("host", "kubeconfig")],
    "mutually_exclusive": [("host", "kubeconfig")],
    "required_together": [("host", "api_key")],
    "required_by": {"context": ("kubeconfig",)},
}


def kube_for(params: t.Mapping[str, t.Any], principal: t.Callable[[], str | None] | None = None) -> KubeApi:
    """The API server that the task names.

    :param params: values of the arguments above
    :param principal: who the token most likely stands for; asked only for the text of an error
    :raises KubeError: it cannot be used
    """
    texts: dict[str, t.Any] = {"cluster_name": params["cluster_name"]}
    if principal:
        texts["principal"] = principal
    if params["host"]:
        return KubeApi(params["host"], params["api_key"], params["ca_cert"], **texts)
    return KubeApi.from_kubeconfig(params["kubeconfig"], params["context"], **texts)


def kube_of(module: t.Any) -> KubeApi:
    """The API server that the task names; ends the module when it cannot be used.

    :param module: a ``KubestrapAWSModule`` with the arguments above
    """

    def principal() -> str | None:
        try:
            return principal_of(module.connection.caller["arn"])
        except (BotoCoreError, ClientError):
            return None

    try:
        return kube_for(module.params, principal)
    except KubeError as e:
        module.fail_json(msg=str(e))
