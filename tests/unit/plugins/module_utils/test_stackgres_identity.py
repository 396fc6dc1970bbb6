# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Place of a bucket and name of an identity; what follows from them for a plan is in test_stackgres.py."""

from __future__ import annotations

from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_identity import (
    Place,
    bucket_host,
    folder_above,
    host_option,
    principal_of,
    user_name,
)

PLACE = Place(
    option="stackgres_backup_clusters",
    cluster_name="demo",
    region="eu-west-1",
    account_id="222222222222",
    partition="aws-cn",
    storages={"host": {"bucket": "store"}},
    iam_path="/team/",
)
ENTRY = {"name": "orders", "namespace": "db", "bucket": "store/x"}


def test_names() -> None:
    assert principal_of(ENTRY, PLACE, True) == "arn:aws-cn:iam::222222222222:role/team/stackgres-demo-db-orders"
    assert principal_of(ENTRY, PLACE, False) == "arn:aws-cn:iam::222222222222:user/team/stackgres-demo-db-orders"
    assert user_name({**ENTRY, "user_name": "stackgres-backup-user"}, PLACE) == "stackgres-backup-user"
    assert host_option(PLACE, "when_too_old") == "stackgres_backup_when_too_old"


def test_places() -> None:
    assert bucket_host("option", ENTRY, PLACE) == ("host", "x")
    assert folder_above("p", "db", ["p/sgbackups.stackgres.io/db/a", "p/sgbackups.stackgres.io/db/b"]) == (
        "p/sgbackups.stackgres.io/db"
    )
    assert folder_above("p", "db", ["p/sgbackups.stackgres.io/db/a", "p/elsewhere"]) == "p"
