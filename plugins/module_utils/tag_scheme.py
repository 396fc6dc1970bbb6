# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tags by which Kubecost assigns resources outside the cluster, and those by which it recognises EKS' own.

Kubecost compares columns of the report, so a key counts as it is written on the resource. Pure: no call.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ._cur_schema import athena_name
from ._identifiers import refuse

# Group -> its keys. Newer mappings of Kubecost know those of ``newer`` too.
GROUPS: t.Mapping[str, tuple[str, ...]] = {
    "guide": (
        "kubernetes_cluster",
        "kubernetes_namespace",
        "kubernetes_deployment",
        "kubernetes_pod",
        "kubernetes_daemonset",
        "kubernetes_container",
    ),
    "newer": ("kubernetes_controller", "kubernetes_service", "kubernetes_statefulset"),
    "eks": (
        "aws:eks:cluster-name",
        "eks:cluster-name",
        "alpha.eksctl.io/cluster-name",
        "kubernetes.io/service-name",
        "kubernetes.io/created-for/pvc/name",
        "kubernetes.io/created-for/pv/name",
    ),
}
# What follows it is the name of a label as Kubernetes has it, so these keys are known from what is in use only.
LABEL_PREFIX = "kubernetes_label_"
_SCHEME = (*GROUPS["guide"], *GROUPS["newer"])
_LIKE_A_LABEL = re.compile(r"kubernetes[^0-9a-z]*labels?[^0-9a-z]+(?P<name>.+)", re.IGNORECASE)
_ALIKE = 0.9
_MAX_LENGTH = 128


def keys(
    known: t.Iterable[str],
    groups: t.Sequence[str] = tuple(GROUPS),
    labels: bool = True,
    more: t.Iterable[str] = (),
    known_only: bool = False,
) -> list[str]:
    """The keys to activate: those of the groups, of labels that are in use, and the user's own; each once.

    :param known: the keys that billing has seen
    :param known_only: leaves out keys of the groups that billing has not seen; not those of ``more``
    :raises AnsibleAWSError: there is no such group
    """
    seen = list(known)
    for group in groups:
        if group not in GROUPS:
            refuse("groups", group, "is no group of tag keys", f"Write any of {', '.join(GROUPS)}")
    listed = [key for group in groups for key in GROUPS[group] if not known_only or key in seen]
    if labels:
        listed += sorted(key for key in seen if key.startswith(LABEL_PREFIX) and key != LABEL_PREFIX)
    return list(dict.fromkeys([*listed, *more]))


def check_key(option: str, key: t.Any) -> None:
    """Refuse what is not the key of a tag.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    write = "Write the key as it is on the resource, for example kubernetes_namespace"
    if not isinstance(key, str) or not key.strip():
        refuse(option, key, "is not the key of a tag" if str(key or "").strip() else "is empty", write)
    if re.match("resource_?tags[_/]", key, re.IGNORECASE):
        refuse(option, key, "is a column of the report, not the key of a tag", write)
    if len(key) > _MAX_LENGTH:
        refuse(option, key, f"has {len(key)} characters", f"The key of a tag has at most {_MAX_LENGTH}")


def column(key: str) -> str:
    """The column of a tag in reports for Athena."""
    return athena_name(f"resourceTags/{key}" if key.startswith("aws:") else f"resourceTags/user:{key}")


def is_scheme(key: str) -> bool:
    """Whether Kubecost assigns a resource by this key: those of the groups guide and newer, and those of labels."""
    return key in _SCHEME or (key.startswith(LABEL_PREFIX) and key != LABEL_PREFIX)


def near_miss(key: str) -> str | None:
    """The key of the scheme that was meant by this one; ``None`` for one of the scheme, and for any other tag.

    Where ``column`` is the same for both, Kubecost finds the tag, once that spelling is activated, too.
    """
    if key in _SCHEME or key.startswith(LABEL_PREFIX):
        return None
    for meant in _SCHEME:
        if column(key) == column(meant):
            return meant
    label = _LIKE_A_LABEL.fullmatch(key)
    if label:
        return LABEL_PREFIX + label["name"]
    return next(iter(difflib.get_close_matches(key.lower(), _SCHEME, n=1, cutoff=_ALIKE)), None)
