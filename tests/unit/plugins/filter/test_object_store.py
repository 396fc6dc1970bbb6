# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters are offered by their names, and turn a refusal into Ansible's own error."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.object_store import FilterModule

OPTIONS = {"bucket": "acme-store", "region": "eu-west-1"}
object_store_yaml = FilterModule().filters()["object_store_yaml"]
object_store_facts = FilterModule().filters()["object_store_facts"]


def test_text_and_facts() -> None:
    text = object_store_yaml(OPTIONS, "kubecost")
    assert yaml.safe_load(text)["config"]["endpoint"] == "s3.eu-west-1.amazonaws.com"
    said = object_store_facts(text, "kubecost", region="eu-west-1", partition="aws")
    assert (said["bucket"], said["put_object_acl"], said["notes"]) == ("acme-store", False, [])
    assert object_store_facts(yaml.safe_load(text), "thanos") == said


def test_notes_are_among_the_facts() -> None:
    text = object_store_yaml({**OPTIONS, "endpoint": "s3.amazonaws.com"}, "thanos")
    (note,) = object_store_facts(text, "thanos")["notes"]
    assert "s3.eu-west-1.amazonaws.com" in note


def test_a_refusal_names_filter_and_option() -> None:
    with pytest.raises(AnsibleFilterError, match=r"object_store_yaml: options.bukket: '...' is not a key"):
        object_store_yaml({**OPTIONS, "bukket": "x"}, "thanos")
    with pytest.raises(AnsibleFilterError, match=r"object_store_yaml: mine.bucket: '' is missing"):
        object_store_yaml({"region": "eu-west-1"}, "thanos", option="mine")
    with pytest.raises(AnsibleFilterError, match=r"object_store_facts: my.yaml: 'line 1' is a list"):
        object_store_facts("[]", "thanos", option="my.yaml")
    with pytest.raises(AnsibleFilterError, match=r"document.config.region: 'eu-west-1' is not in the region"):
        object_store_facts(object_store_yaml(OPTIONS, "thanos"), "thanos", region="eu-west-3")
