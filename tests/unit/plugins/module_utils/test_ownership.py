# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection created carries its tags; what it did not create stays."""

from __future__ import annotations

from ansible_collections.kubestrap.aws.plugins.module_utils._ownership import (
    creation_tags,
    is_foreign,
    keep_foreign,
    kept_tags,
)

OURS = {"managed-by": "example"}


def test_tags_of_a_creation() -> None:
    assert creation_tags(None, None) == {}
    assert creation_tags({"a": "1"}, None) == {"a": "1"}
    assert creation_tags({"a": "1", "managed-by": "me"}, OURS) == {"a": "1", **OURS}


def test_tags_of_what_exists() -> None:
    assert kept_tags(None, OURS, OURS) is None
    assert kept_tags({"a": "1"}, None, OURS) == {"a": "1"}
    assert kept_tags({"a": "1"}, OURS, OURS) == {"a": "1", **OURS}
    assert kept_tags({"a": "1"}, OURS, {}) == {"a": "1"}
    assert kept_tags({"a": "1"}, OURS, {"managed-by": "someone"}) == {"a": "1"}


def test_foreign() -> None:
    assert is_foreign({}, OURS)
    assert is_foreign({"managed-by": "someone"}, OURS)
    assert is_foreign(OURS, {**OURS, "cluster": "prod"})
    assert not is_foreign({**OURS, "a": "1"}, OURS)
    assert not is_foreign({}, None)


def test_what_is_foreign_is_kept_and_said() -> None:
    resource = {"arn": "arn:aws:thing"}

    plan = keep_foreign(resource, {}, OURS, "the thing")

    assert plan is not None
    assert not plan.changed
    assert plan.before == plan.after == resource
    assert plan.kept == "the thing was not made by this collection (no tag managed-by=example)"
    assert keep_foreign(resource, OURS, OURS, "the thing") is None
    assert keep_foreign(resource, {}, None, "the thing") is None
