# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters are offered by their names, and turn a wrong form into Ansible's own error."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.stackgres_backup import FilterModule

FILTERS = FilterModule().filters()
PLACE: dict[str, Any] = {
    "option": "clusters",
    "cluster_name": "demo",
    "region": "eu-west-1",
    "account_id": "222222222222",
    "partition": "aws",
    "storages": {"host": {"bucket": "store", "region": "eu-west-1"}},
    "bucket": "host",
    "operator_version": None,
}
SEEN = {
    "served": {"sgobjectstorages": "v1beta1", "sgclusters": "v1"},
    "operator": {"version": "1.18.6"},
    "clusters": [],
}


def test_a_plan() -> None:
    made = FILTERS["stackgres_backup_plan"]([{"name": "orders", "namespace": "db"}], SEEN, PLACE)
    assert made["problems"] == []
    assert made["operator_version"] == "1.18.6"
    assert made["clusters"][0]["label"] == "db/orders"


def test_what_is_asked_leaves_out_what_is_no_sgcluster() -> None:
    asked = FILTERS["stackgres_backup_asked"]([{"name": "orders", "namespace": "db"}, {"name": "x"}, "y"])
    assert asked == [
        {"namespace": "db", "name": "orders", "sharded": False, "object_storage": "orders-backups", "secrets": []}
    ]


@pytest.mark.parametrize(
    ("clusters", "seen", "place", "says"),
    [
        ({}, SEEN, PLACE, "clusters has another form"),
        (["orders"], SEEN, PLACE, "clusters has another form"),
        ([], [], PLACE, "seen has another form"),
        ([], SEEN, {**PLACE, "regoin": "x"}, "regoin"),
    ],
)
def test_another_form_is_refused(clusters: Any, seen: Any, place: Any, says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says):
        FILTERS["stackgres_backup_plan"](clusters, seen, place)


def test_a_restore_uses_the_bucket_of_the_old_one_too() -> None:
    one = {
        "label": "db/new",
        "bucket_host": "new",
        "folder": "n",
        "principal_arn": "arn:role",
        "restore_hosts": [{"host": "old", "folder": "o"}],
        "state": "absent",
    }
    tenants = FILTERS["stackgres_backup_tenants"]([one], "demo", "222222222222", "aws")
    assert [(each["bucket"], each["prefix"], each["role_arn"]) for each in tenants] == [
        ("new", "n", "arn:role"),
        ("old", "o", "arn:role"),
    ]
    assert {(each["wanted"], each["state"], each["cluster"]) for each in tenants} == {("absent", "present", "demo")}


def test_users_of_a_bucket_are_found_however_they_name_it() -> None:
    one = {"name": "orders", "namespace": "db"}
    hosts: list[dict[str, Any]] = [
        {"stackgres_backup_bucket": "backups", "stackgres_backup_clusters": [one]},
        {"stackgres_backup_clusters": [{**one, "bucket": "s3://store/prod"}]},
        {
            "stackgres_backup_bucket": "other",
            "stackgres_backup_clusters": [{**one, "restore_from": [{"bucket": "store"}]}],
        },
        # None of these uses it.
        {"stackgres_backup_bucket": "other", "stackgres_backup_clusters": [one]},
        {"stackgres_backup_bucket": "backups", "stackgres_backup_clusters": [{**one, "state": "absent"}]},
        {"stackgres_backup_bucket": "backups", "stackgres_backup_clusters": [one], "stackgres_backup_state": "absent"},
        {"stackgres_backup_bucket": "backups"},
        {"stackgres_backup_bucket": "backups", "stackgres_backup_clusters": "orders"},
        {"stackgres_backup_bucket": ":", "stackgres_backup_clusters": [one, "orders"]},
    ]
    hosts = [{"inventory_hostname": f"c{number}", **host} for number, host in enumerate(hosts)]
    assert FILTERS["stackgres_backup_users"](hosts, "backups", "store") == ["c0", "c1", "c2"]
