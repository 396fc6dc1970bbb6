# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart's values for tags that are not those of Kubecost's scheme."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _kubecost_labels as labels
from ansible_collections.kubestrap.aws.plugins.module_utils import kubecost_values

WIRING = {"release": "kubecost", "cluster_id": "demo", "cloud_integration_secret": "ci"}


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("acme_namespace", "acme_namespace"),
        ("acme:namespace", "acme_namespace"),  # Kubecost shows it with an underscore
        ("acme.io/Team-Name", "acme_io_team_name"),
        ("aws:createdBy", "aws_created_by"),
    ],
)
def test_a_label_is_the_column_of_its_tag(key: str, label: str) -> None:
    assert labels.label(key) == label


@pytest.mark.parametrize("generation", ["1", "2"])
def test_the_mapping_is_in_the_values_beside_what_else_is_there(generation: str) -> None:
    wiring = {**WIRING, "generation": generation, "label_mapping": {"namespace": "acme:ns", "pod": "acme_pod"}}
    configs = kubecost_values.build(wiring)["kubecostProductConfigs"]
    mapping = {"enabled": True, "namespace_external_label": "acme_ns", "pod_external_label": "acme_pod"}
    assert configs["labelMappingConfigs"] == mapping
    assert configs["cloudIntegrationSecret"] == "ci"


@pytest.mark.parametrize(
    ("generation", "mapping", "says"),
    [
        ("3", {"namespace": "ours"}, "label_mapping: 'namespace' cannot be mapped in Kubecost 3"),
        ("2", {"container": "ours"}, "label_mapping: 'container' is nothing that Kubecost maps to a tag"),
        ("2", {"pod": ""}, "label_mapping.pod: '' is empty"),
        ("2", {"pod": "resource_tags_user_pod"}, "is a column of the report, not the key of a tag"),
        ("2", ["pod"], r"label_mapping: '\['pod'\]' is not a mapping"),
    ],
)
def test_what_cannot_be_mapped_is_refused(generation: str, mapping: Any, says: str) -> None:
    with pytest.raises(AnsibleAWSError, match=says):
        kubecost_values.build({**WIRING, "generation": generation, "label_mapping": mapping})


@pytest.mark.parametrize(
    ("generation", "says"),
    [("2", "contradicts the wiring, which needs 'acme_ns'"), ("3", "is not read by the chart kubecost 3.x")],
)
def test_a_mapping_in_the_users_own_values(generation: str, says: str) -> None:
    user = {"kubecostProductConfigs": {"labelMappingConfigs": {"namespace_external_label": "other"}}}
    wiring = {**WIRING, "generation": generation, "user_values": user}
    if generation == "2":
        wiring["label_mapping"] = {"namespace": "acme:ns"}
    with pytest.raises(AnsibleAWSError, match=f"labelMappingConfigs.namespace_external_label.*{says}"):
        kubecost_values.build(wiring)
