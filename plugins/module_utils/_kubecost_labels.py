# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tags by which Kubecost 1 and 2 assign resources outside the cluster, where they are not those of its scheme.

Source: values.yaml of cost-analyzer 1.108.1 and 2.8.7, ``kubecostProductConfigs.labelMappingConfigs``; the chart
kubecost (3) has no key of this kind. Pure: no call.
"""

from __future__ import annotations

import typing as t

from ._identifiers import refuse
from .tag_scheme import check_key, column

# What a tag can stand for.
CONCEPTS = (
    "namespace", "cluster", "controller", "product", "service", "deployment", "owner", "team", "environment",
    "department", "statefulset", "daemonset", "pod",
)  # fmt: skip
PLACE = "kubecostProductConfigs.labelMappingConfigs"
SCHEME_ONLY = (
    "Leave it out, and tag resources by Kubecost's own scheme (kubernetes_namespace, kubernetes_deployment and so on), "
    "or stay with Kubecost 2"
)


def value_key(concept: str) -> str:
    """The key of a concept in the chart's values."""
    return f"{concept}_external_label"


def label(key: str) -> str:
    """The label that Kubecost makes of a tag: the tag's column in the report, without what all columns begin with."""
    return column(key).removeprefix("resource_tags_").removeprefix("user_")


def values(option: str, mapping: t.Any, generation: str) -> dict[str, t.Any]:
    """The chart's values for a mapping.

    :param mapping: concept -> key of the tag, as it is on resources
    :raises AnsibleAWSError: the generation knows no mapping, or it is none
    """
    if not mapping:
        return {}
    if generation == "3":
        refuse(
            option,
            ", ".join(mapping) if isinstance(mapping, t.Mapping) else mapping,
            "cannot be mapped in Kubecost 3, which reads the tags of its own scheme only",
            SCHEME_ONLY,
        )
    if not isinstance(mapping, t.Mapping):
        refuse(option, mapping, "is not a mapping", "Write a mapping such as {namespace: our_namespace_tag}")
    made = {}
    for concept, key in mapping.items():
        if concept not in CONCEPTS:
            refuse(option, concept, "is nothing that Kubecost maps to a tag", f"Write any of {', '.join(CONCEPTS)}")
        check_key(f"{option}.{concept}", key)
        made[value_key(concept)] = label(key)
    return {"kubecostProductConfigs": {"labelMappingConfigs": {"enabled": True, **made}}}
