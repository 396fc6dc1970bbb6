# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server-side apply would change, and what it would refuse."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils._kube_apply import conflicts, differs, leaves, owned

WANTED: dict[str, Any] = {
    "apiVersion": "stackgres.io/v1",
    "kind": "SGCluster",
    "metadata": {"name": "orders", "namespace": "databases"},
    "spec": {"configurations": {"backups": [{"sgObjectStorage": "mine"}]}, "metadata": {"annotations": {"a/b": "c"}}},
}
FIELDS = {"f:spec": {"f:configurations": {"f:backups": {}}, "f:metadata": {"f:annotations": {"f:a/b": {}}}}}


def there(manager: str, operation: str = "Apply", spec: Any = None, fields: Any = None) -> dict[str, Any]:
    entry = {"manager": manager, "operation": operation, "fieldsV1": fields or FIELDS}
    return {"metadata": {"name": "orders", "managedFields": [entry]}, "spec": spec or WANTED["spec"]}


def test_maps_are_taken_by_entries_and_lists_as_a_whole() -> None:
    assert set(leaves(WANTED)) == {("spec", "configurations", "backups"), ("spec", "metadata", "annotations", "a/b")}


def test_what_we_have_applied_does_not_differ() -> None:
    found = there("kubestrap.aws")
    assert owned(found) == set(leaves(WANTED))
    assert not differs(found, WANTED)
    assert conflicts(found, WANTED) == []


def test_a_missing_object_another_value_and_a_field_less_differ() -> None:
    other = {"configurations": {"backups": [{"sgObjectStorage": "other"}]}, "metadata": {"annotations": {"a/b": "c"}}}
    assert differs(None, WANTED)
    assert differs(there("kubestrap.aws", spec=other), WANTED)
    less = {**WANTED, "spec": {"configurations": WANTED["spec"]["configurations"]}}
    assert differs(there("kubestrap.aws"), less)


def test_what_others_have_is_shared_when_it_says_the_same_and_refused_when_not() -> None:
    assert differs(there("kubectl"), WANTED)
    assert conflicts(there("kubectl"), WANTED) == []
    other = {"configurations": {"backups": [{"sgObjectStorage": "other"}]}, "metadata": {"annotations": {"a/b": "d"}}}
    assert conflicts(there("argocd", spec=other), WANTED) == [
        (".spec.configurations.backups", "argocd"),
        (".spec.metadata.annotations.a/b", "argocd"),
    ]
    assert conflicts(there("kubectl-client-side-apply", "Update", spec=other), WANTED)


def test_a_field_that_nobody_owns_is_no_conflict() -> None:
    other = {"configurations": {"backups": [{"sgObjectStorage": "other"}]}}
    assert conflicts(there("kubectl", spec=other, fields={"f:spec": {"f:instances": {}}}), WANTED) == []
