# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespace and ServiceAccounts, against an API server of this test's own that keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.module_utils import _kube_objects as objects
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from unit.kube_fake import OURS, Kube

ROLE = "eks.amazonaws.com/role-arn"
ARN = "arn:aws:iam::222222222222:role/kubecost"
HELM = {"meta.helm.sh/release-name": "kubecost", "meta.helm.sh/release-namespace": "kubecost"}
PATH = "serviceaccounts/kubecost"


def account(annotations: Any = None, labels: Any = None) -> dict[str, Any]:
    return {"metadata": {"name": "kubecost", "uid": "2", "annotations": annotations or {}, "labels": labels or {}}}


def by(created_by: str, release: str | None = None, /, **inputs: str) -> objects.Account:
    return objects.Account("kubecost", created_by, {ROLE: ARN}, release, objects.Inputs(**inputs))


def run(kube: Kube, wanted: objects.Account, absent: bool = False) -> list[str]:
    """Do it, and see that it is done then."""

    def planned() -> list[objects.KubeChange]:
        found = kube.things.get(PATH)
        if absent:
            change = objects.plan_account_absent(found, "kubecost", wanted) if found else None
        else:
            change = objects.plan_account(found, "kubecost", wanted)
        return [change] if change else []

    changes = planned()
    objects.apply(kube, changes)
    assert planned() == []
    return [change.summary for change in changes]


def refused(kube: Kube, wanted: objects.Account) -> str:
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        objects.plan_account(kube.things.get(PATH), "kubecost", wanted)
    return str(error.value)


def test_an_account_of_ours_comes_and_goes() -> None:
    kube = Kube()
    assert run(kube, by("kubestrap")) == ["make the ServiceAccount kubecost"]
    assert kube.things[PATH]["metadata"]["annotations"] == {ROLE: ARN}
    assert run(kube, by("chart"), absent=True) == ["delete the ServiceAccount kubecost"]
    assert PATH not in kube.things


@pytest.mark.parametrize("created_by", ["existing", "kubestrap"])
def test_an_existing_account_gets_our_annotation_and_loses_it_again(created_by: str) -> None:
    kube = Kube(**{PATH: account({"theirs": "x"})})
    assert run(kube, by(created_by)) == ["annotate the ServiceAccount kubecost"]
    assert kube.things[PATH]["metadata"]["annotations"] == {"theirs": "x", ROLE: ARN}
    assert run(kube, by(created_by), absent=True) == ["take our annotation from the ServiceAccount kubecost"]
    left = kube.things[PATH]["metadata"]
    assert (left["annotations"], left["labels"]) == ({"theirs": "x"}, {})


def test_another_role_replaces_ours_on_an_existing_account_and_our_other_annotations_stay() -> None:
    kube = Kube(**{PATH: account()})
    run(kube, objects.Account("kubecost", "existing", {ROLE: "old", "other": "ours"}))
    run(kube, by("existing"))
    assert kube.things[PATH]["metadata"]["annotations"] == {ROLE: ARN, "other": "ours"}
    change = objects.plan_account(kube.things[PATH], "kubecost", objects.Account("kubecost", "existing", {"new": "x"}))
    assert change
    assert change.body["metadata"]["annotations"] == {ROLE: ARN, "other": "ours", "new": "x"}


def test_an_annotation_that_was_there_is_used_and_stays() -> None:
    kube = Kube(**{PATH: account({ROLE: ARN})})
    assert run(kube, by("existing")) == []
    assert run(kube, by("existing"), absent=True) == []
    assert kube.things[PATH]["metadata"]["annotations"] == {ROLE: ARN}


def test_another_role_on_an_account_of_ours_is_mended_and_on_another_one_refused() -> None:
    kube = Kube(**{PATH: account({ROLE: "old"}, labels=OURS)})
    run(kube, by("kubestrap"))
    assert kube.things[PATH]["metadata"]["annotations"] == {ROLE: ARN}
    text = refused(Kube(**{PATH: account({ROLE: "old"})}), by("existing"))
    assert f"service_account: 'kubecost' has the annotation {ROLE}: old, which this collection did not write" in text
    assert "(kubecost_role_name)" in text


def test_an_account_that_is_not_there_is_not_made_where_it_shall_exist() -> None:
    text = refused(Kube(), by("existing"))
    assert "does not exist in the namespace kubecost. Create it" in text
    assert "kubecost_service_account_created_by" in text


def test_an_account_of_helm_is_left_to_its_chart() -> None:
    kube = Kube(**{PATH: account(HELM)})
    for created_by in ("existing", "kubestrap"):
        assert "belongs to the Helm release kubecost" in refused(kube, by(created_by))
    assert run(kube, by("chart", "kubecost")) == []


@pytest.mark.parametrize(
    ("annotations", "text"),
    [({}, "was not made by Helm"), ({**HELM, "meta.helm.sh/release-name": "x"}, "belongs to the Helm release x")],
)
def test_an_account_that_helm_could_not_take_over_is_named(annotations: dict[str, str], text: str) -> None:
    kube = Kube(**{PATH: account(annotations)})
    assert text in refused(kube, by("chart", "kubecost"))
    assert run(kube, by("chart")) == [], "Argo CD takes it over"


@pytest.mark.parametrize(
    ("found", "created_by"), [({}, "existing"), (HELM, "kubestrap"), ({ROLE: "old"}, "existing"), ({}, "chart")]
)
def test_messages_name_the_inputs_of_whoever_asks(found: dict[str, str], created_by: str) -> None:
    named = {name: f"thanos_{name}" for name in ("account", "name", "created_by", "role")}
    things = {PATH: account(found)} if found or created_by == "chart" else {}
    text = refused(Kube(**things), by(created_by, "kubecost", **named))
    assert text.startswith("thanos_account: 'kubecost'")
    assert text.count("thanos_") > 1
    assert "kubecost_" not in text


def test_an_account_from_options() -> None:
    params = {"name": "kubecost", "created_by": "kubestrap", "annotations": {"a": True}, "release": None}
    assert objects.account_of("service_account", params).annotations == {"a": "True"}
    with pytest.raises(exceptions.AnsibleAWSError, match="service_account.name: 'A'"):
        objects.account_of("service_account", {**params, "name": "A"})


# --- the namespace, and refusals of the API server


def test_the_namespace_is_made_when_it_is_missing() -> None:
    kube = Kube()
    assert objects.plan_namespace(objects.read_namespace(kube, "kubecost"), "kubecost") is None
    change = objects.plan_namespace(objects.read_namespace(kube, "other"), "other")
    assert change
    objects.apply(kube, [change], dry_run=True)
    assert "namespaces/other" not in kube.things
    objects.apply(kube, [change])
    assert objects.read_namespace(kube, "other")


def test_who_may_not_see_namespaces_works_in_one_that_exists() -> None:
    assert objects.read_namespace(Kube(refuse=403), "kubecost") == {"metadata": {"name": "kubecost"}}
    with pytest.raises(KubeError):
        objects.read_namespace(Kube(refuse=401), "kubecost")


@pytest.mark.parametrize(
    ("status", "text"), [(409, "somebody else changed it at the same time. Run this again"), (422, "no")]
)
def test_a_refused_change_says_which_one(status: int, text: str) -> None:
    change = objects.plan_namespace(None, "kubecost")
    with pytest.raises(KubeError, match=f"^Failed to make the namespace kubecost.*{text}"):
        objects.apply(Kube(refuse=status), [change])


def test_an_object_that_goes_away_meanwhile_is_told() -> None:
    change = objects.plan_account(account(), "kubecost", by("existing"))
    with pytest.raises(KubeError, match="has just been deleted"):
        objects.apply(Kube(), [change])


def test_a_patch_and_a_deletion_hold_against_the_object_that_was_read() -> None:
    thing = {"metadata": {"name": "x", "uid": "7", "resourceVersion": "9"}}
    assert objects.guarded(thing, {"metadata": {"labels": {}}})["metadata"] == {"labels": {}, "resourceVersion": "9"}
    assert objects.this(thing)["preconditions"] == {"uid": "7"}
