# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the operator may do in the cluster what a first run does, asked from the API server before the first write.

SelfSubjectAccessReview asks all that decide, EKS' access policies among them; SelfSubjectRulesReview would be one
request, and lists what RBAC gives and nothing else. Every identity may ask about itself (ClusterRole
``system:basic-user``). Source: API reference of authorization.k8s.io/v1.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ._kube_api import KubeApi, KubeError
from ._plan import gather
from ._preflight_rights import SWITCH
from .operator_rbac import OPERATOR_RBAC, Manifest

REVIEW = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}

# Kinds that a chart makes only where its values ask for them.
_SELDOM = ("daemonsets", "ingresses", "networkpolicies")
# Needed by who has not got all that the roles of a chart grant, which no question tells.
_GRANTING = ("bind", "escalate")


@dataclasses.dataclass(frozen=True)
class Right:
    """A verb on a kind of things: in a namespace, or of the cluster when it has none."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    @property
    def surely(self) -> bool:
        """Whether every first run needs it."""
        # A namespace that is there need not be looked at, and is written only while billing data is unknown.
        if self.resource == "namespaces":
            return self.verb == "create"
        return self.verb not in _GRANTING and self.resource not in _SELDOM

    @property
    def attributes(self) -> dict[str, str]:
        """As a review has them."""
        resource, _slash, subresource = self.resource.partition("/")
        return {
            "verb": self.verb,
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": self.namespace,
            "name": self.name,
        }


def needed(manifests: t.Iterable[Manifest]) -> list[Right]:
    """What the roles among these objects grant, one right after the other."""
    return [
        Right(verb, group, resource, manifest["metadata"].get("namespace", ""), name)
        for manifest in manifests
        for rule in manifest.get("rules", [])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]


def check_cluster_rights(
    api: KubeApi, document: str, parameters: t.Mapping[str, t.Any], who: str
) -> tuple[list[str], list[str]]:
    """The rights that are missing, and what could not be seen (one short request for each right, side by side).

    :param document: name of the objects that give enough rights, see ``OPERATOR_RBAC``
    :param parameters: of these; ``namespace`` is one of them. While it does not exist, it has to be made too
    :param who: the API server's caller, for the sentences
    :returns: problems (one sentence at most) and notes
    """
    rights = needed(OPERATOR_RBAC[document](**parameters))
    namespace = parameters["namespace"]
    looks = Right("get", "", "namespaces", name=namespace)
    try:
        allowed = _ask(api, rights)
        if allowed.get(looks) and api.get("api", "v1", "namespaces", namespace) is None:
            allowed |= _ask(api, [Right("create", "", "namespaces")])
    except KubeError as e:
        return [], [f"The rights of {who} in the cluster were not checked before the first write. {e}."]
    missing = [right for right, may in allowed.items() if not may]
    problems, notes = [], []
    lacking = _listed(right for right in missing if right.surely)
    if lacking:
        problems.append(
            f"kubestrap_eks_cluster_name: '{who}' lacks rights in the cluster that this run needs: {lacking}. Have an "
            "administrator apply the objects of the cluster that the page Permissions of the documentation shows, or "
            f"set {SWITCH} to false when you know better than the API server"
        )
    doubtful = _listed(right for right in missing if not right.surely)
    if doubtful:
        notes.append(f"{who} lacks rights in the cluster that run or chart may need, as the input is: {doubtful}.")
    return problems, notes


def _ask(api: KubeApi, rights: t.Sequence[Right]) -> dict[Right, bool]:
    def ask(right: Right) -> bool:
        body = {**REVIEW, "spec": {"resourceAttributes": right.attributes}}
        answer = api.post("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews", body=body)
        return bool(answer and answer["status"]["allowed"])

    return gather({right: lambda right=right: ask(right) for right in rights})  # type: ignore[arg-type]


def _listed(rights: t.Iterable[Right]) -> str:
    """``create and patch on secrets and serviceaccounts in the namespace kubecost; ...``"""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        where = f" in the namespace {right.namespace}" if right.namespace else f" {right.name}" if right.name else ""
        verbs.setdefault((right.resource, where), []).append(right.verb)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (resource, where), some in verbs.items():
        resources.setdefault((where, tuple(some)), []).append(resource)
    return "; ".join(
        f"{' and '.join(some)} on {' and '.join(names)}{where}" for (where, some), names in resources.items()
    )
