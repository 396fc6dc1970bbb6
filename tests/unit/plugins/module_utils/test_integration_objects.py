# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects in the cluster, against an API server of this test's own that keeps them."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.module_utils import _integration_objects as objects
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import build

ROLE = "eks.amazonaws.com/role-arn"
ARN = "arn:aws:iam::222222222222:role/kubecost"
PAYER = {
    "account_id": "111111111111",
    "bucket": "results",
    "region": "us-east-1",
    "database": "d",
    "table": "t",
    "workgroup": "w",
}
NAME = "aws 111111111111/s3://results"
KEY = "cloud-integration.json"
OURS = {"app.kubernetes.io/managed-by": "kubestrap.aws"}
HELM = {"meta.helm.sh/release-name": "kubecost", "meta.helm.sh/release-namespace": "kubecost"}
AZURE = {
    "storage": [{"subscriptionID": "s", "account": "a", "container": "c", "path": "", "authorizer": {"k": "hush"}}]
}
WANTED = objects.Wanted("kubecost", "cloud-integration", KEY, "athena", build([PAYER], "athena"))


class Kube:
    """An API server with these objects: ``secrets/NAME`` and so on, in one namespace."""

    def __init__(self, refuse: int | None = None, **things: Any) -> None:
        self.things = {"namespaces/kubecost": {"metadata": {"name": "kubecost"}}, **things}
        self.refuse = refuse

    def get(self, *path: str) -> Any:
        if self.refuse and path[-2] == "namespaces":
            raise KubeError("no", "", "", self.refuse)
        return self.things.get("/".join(path[-2:]))

    def send(self, method: str, *path: str, body: Any, field_manager: str) -> Any:
        assert field_manager == "kubestrap.aws"
        if self.refuse:
            raise KubeError("no", "", "", self.refuse)
        if method == "POST":
            self.things[f"{path[-1]}/{body['metadata']['name']}"] = json.loads(json.dumps(body))
            return body
        name = "/".join(path[-2:])
        if method == "DELETE":
            return self.things.pop(name)
        if name not in self.things:
            return None
        self.things[name] = patched(self.things[name], body)
        for annotation in body.get("metadata", {}).get("annotations", {}):
            fields = {"f:metadata": {"f:annotations": {f"f:{annotation}": {}}}}
            entry = {"manager": field_manager, "fieldsV1": fields}
            self.things[name]["metadata"].setdefault("managedFields", []).append(entry)
        return self.things[name]

    def document(self) -> Any:
        """What is in the Secret."""
        return json.loads(base64.b64decode(self.things["secrets/cloud-integration"]["data"][KEY]))


def patched(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = patched(new.get(key), value)
    return new


def secret(document: Any, labels: Any = None, annotations: Any = None, **data: str) -> dict[str, Any]:
    content = document if isinstance(document, str) else json.dumps(document)
    metadata = {"name": "cloud-integration", "uid": "1", "labels": labels or {}, "annotations": annotations or {}}
    return {"metadata": metadata, "data": {KEY: base64.b64encode(content.encode()).decode(), **data}}


def account(annotations: Any = None, labels: Any = None) -> dict[str, Any]:
    return {"metadata": {"name": "kubecost", "uid": "2", "annotations": annotations or {}, "labels": labels or {}}}


def by(created_by: str, release: str | None = None) -> objects.Wanted:
    made = objects.Account("kubecost", created_by, {ROLE: ARN}, release)
    return dataclasses.replace(WANTED, account=made)


def run(kube: Kube, wanted: objects.Wanted = WANTED, absent: bool = False) -> objects.ObjectsPlan:
    """Do it, and see that it is done then; nothing of a Secret is in what is shown."""
    decide = objects.plan_absent if absent else objects.plan
    planned = decide(objects.read(kube, wanted), wanted)
    assert "hush" not in str(planned)
    objects.apply(kube, planned.changes)
    again = decide(objects.read(kube, wanted), wanted)
    assert again.changes == again.lines == ()
    assert again.checksum == planned.checksum
    return planned


def refused(kube: Kube, wanted: objects.Wanted) -> str:
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        objects.plan(objects.read(kube, wanted), wanted)
    return str(error.value)


def summaries(planned: objects.ObjectsPlan) -> list[str]:
    return [change.summary for change in planned.changes]


def test_from_nothing_and_back() -> None:
    kube = Kube()
    del kube.things["namespaces/kubecost"]
    planned = run(kube, by("kubestrap"))
    assert summaries(planned) == [
        "make the namespace kubecost",
        "write the Secret cloud-integration in the namespace kubecost",
        "make the ServiceAccount kubecost",
    ]
    assert f"  + {NAME}" in planned.lines
    assert kube.document() == WANTED.document
    assert kube.things["serviceaccounts/kubecost"]["metadata"]["annotations"] == {ROLE: ARN}
    gone = run(kube, by("chart"), absent=True)
    assert summaries(gone) == ["delete the Secret cloud-integration", "delete the ServiceAccount kubecost"]
    assert list(kube.things) == ["namespaces/kubecost"]


def test_the_checksum_follows_document_and_annotation_and_nothing_else() -> None:
    first = run(Kube(), by("kubestrap")).checksum
    assert run(Kube(), by("kubestrap")).checksum == first
    assert run(Kube(**{"secrets/cloud-integration": secret({"azure": AZURE})}), by("kubestrap")).checksum != first
    other = dataclasses.replace(by("kubestrap"), account=objects.Account("kubecost", "kubestrap", {ROLE: ARN + "-2"}))
    assert run(Kube(), other).checksum != first


def test_what_others_have_in_the_secret_stays() -> None:
    kube = Kube(**{"secrets/cloud-integration": secret({"azure": AZURE}, other="eA==")})
    planned = run(kube)
    assert kube.document() == {**WANTED.document, "azure": AZURE}
    gone = run(kube, absent=True)
    assert gone.kept == ("the Secret cloud-integration has entries that are not ours",)
    assert kube.document() == {"azure": AZURE}
    left = kube.things["secrets/cloud-integration"]
    assert left["data"]["other"] == "eA=="
    assert left["metadata"]["annotations"] == left["metadata"]["labels"] == {}
    assert planned.lines == ("~ Secret kubecost/cloud-integration, key cloud-integration.json", f"  + {NAME}")


def test_a_secret_with_another_key_gets_ours_and_loses_it_again() -> None:
    theirs = secret({})
    theirs["data"] = {"other": "eA=="}
    kube = Kube(**{"secrets/cloud-integration": theirs})
    run(kube)
    assert kube.document() == WANTED.document
    run(kube, absent=True)
    assert kube.things["secrets/cloud-integration"]["data"] == {"other": "eA=="}


def test_an_empty_document_of_somebody_else_is_left_empty() -> None:
    kube = Kube(**{"secrets/cloud-integration": secret({})})
    run(kube)
    run(kube, absent=True)
    assert kube.document() == {}


def test_an_equal_entry_of_somebody_else_is_used_and_stays() -> None:
    theirs = secret(WANTED.document)
    kube = Kube(**{"secrets/cloud-integration": theirs})
    assert run(kube).changes == ()
    gone = run(kube, absent=True)
    assert gone.kept == ("the Secret cloud-integration was not made by this collection",)
    assert kube.document() == WANTED.document


def test_a_secret_of_ours_in_which_somebody_added_an_entry_stays_with_that() -> None:
    kube = Kube()
    run(kube)
    mixed = {**kube.document(), "azure": AZURE}
    kube.things["secrets/cloud-integration"]["data"] = secret(mixed)["data"]
    assert run(kube).changes == ()
    run(kube, absent=True)
    assert kube.document() == {"azure": AZURE}
    assert kube.things["secrets/cloud-integration"]["metadata"]["labels"] == {}


def test_a_payer_that_is_no_longer_read_leaves() -> None:
    kube = Kube()
    two = build([PAYER, {**PAYER, "bucket": "second"}], "athena")
    run(kube, dataclasses.replace(WANTED, document=two))
    assert run(kube).lines[1:] == ("  - aws 111111111111/s3://second",)
    assert kube.document() == WANTED.document


def test_what_is_not_json_is_mended_in_our_secret_and_refused_in_another_one() -> None:
    kube = Kube(**{"secrets/cloud-integration": secret("{hush", labels=OURS)})
    run(kube)
    assert kube.document() == WANTED.document
    text = refused(Kube(**{"secrets/cloud-integration": secret("{hush")}), WANTED)
    assert "that this collection did not make, and its key cloud-integration.json is not JSON" in text
    assert "hush" not in text


def test_an_entry_that_contradicts_ours_is_refused() -> None:
    theirs = json.loads(json.dumps(WANTED.document).replace('"workgroup": "w"', '"workgroup": "hush"'))
    text = refused(Kube(**{"secrets/cloud-integration": secret(theirs)}), WANTED)
    assert "contradicts ours in aws.athena[0].workgroup" in text
    assert "hush" not in text


# --- the ServiceAccount


def test_an_existing_account_gets_our_annotation_and_loses_it_again() -> None:
    for created_by in ("existing", "kubestrap"):
        kube = Kube(**{"serviceaccounts/kubecost": account({"theirs": "x"})})
        assert "annotate the ServiceAccount kubecost" in summaries(run(kube, by(created_by)))
        assert kube.things["serviceaccounts/kubecost"]["metadata"]["annotations"] == {"theirs": "x", ROLE: ARN}
        assert "take our annotation from the ServiceAccount kubecost" in summaries(
            run(kube, by(created_by), absent=True)
        )
        left = kube.things["serviceaccounts/kubecost"]["metadata"]
        assert (left["annotations"], left["labels"]) == ({"theirs": "x"}, {})


def test_an_annotation_that_was_there_is_used_and_stays() -> None:
    kube = Kube(**{"serviceaccounts/kubecost": account({ROLE: ARN})})
    assert not any("ServiceAccount" in summary for summary in summaries(run(kube, by("existing"))))
    run(kube, by("existing"), absent=True)
    assert kube.things["serviceaccounts/kubecost"]["metadata"]["annotations"] == {ROLE: ARN}


def test_another_role_on_an_account_of_ours_is_mended_and_on_another_one_refused() -> None:
    kube = Kube(**{"serviceaccounts/kubecost": account({ROLE: "old"}, labels=OURS)})
    run(kube, by("kubestrap"))
    assert kube.things["serviceaccounts/kubecost"]["metadata"]["annotations"] == {ROLE: ARN}
    text = refused(Kube(**{"serviceaccounts/kubecost": account({ROLE: "old"})}), by("existing"))
    assert f"has the annotation {ROLE}: old, which this collection did not write" in text


def test_an_account_that_is_not_there_is_not_made_where_it_shall_exist() -> None:
    assert "does not exist in the namespace kubecost. Create it" in refused(Kube(), by("existing"))


def test_an_account_of_helm_is_left_to_its_chart() -> None:
    kube = Kube(**{"serviceaccounts/kubecost": account(HELM)})
    for created_by in ("existing", "kubestrap"):
        assert "belongs to the Helm release kubecost" in refused(kube, by(created_by))
    run(kube, by("chart", "kubecost"))


@pytest.mark.parametrize(
    ("annotations", "text"),
    [({}, "was not made by Helm"), ({**HELM, "meta.helm.sh/release-name": "x"}, "belongs to the Helm release x")],
)
def test_an_account_that_helm_could_not_take_over_is_named(annotations: dict[str, str], text: str) -> None:
    kube = Kube(**{"serviceaccounts/kubecost": account(annotations)})
    assert text in refused(kube, by("chart", "kubecost"))
    assert not any("ServiceAccount" in summary for summary in summaries(run(kube, by("chart")))), (
        "Argo CD takes it over"
    )


# --- refusals of the API server


def test_who_may_not_see_namespaces_works_in_one_that_exists() -> None:
    state = objects.read(Kube(refuse=403), WANTED)
    assert summaries(objects.plan(state, WANTED)) == ["write the Secret cloud-integration in the namespace kubecost"]
    with pytest.raises(KubeError):
        objects.read(Kube(refuse=401), WANTED)


@pytest.mark.parametrize(
    ("status", "text"), [(409, "somebody else changed it at the same time. Run this again"), (422, "no")]
)
def test_a_refused_change_says_which_one(status: int, text: str) -> None:
    planned = objects.plan(objects.read(Kube(), WANTED), WANTED)
    with pytest.raises(KubeError, match=f"^Failed to write the Secret cloud-integration.*{text}"):
        objects.apply(Kube(refuse=status), planned.changes)


def test_an_object_that_goes_away_meanwhile_is_told() -> None:
    kube = Kube(**{"secrets/cloud-integration": secret({})})
    planned = objects.plan(objects.read(kube, WANTED), WANTED)
    with pytest.raises(KubeError, match="has just been deleted"):
        objects.apply(Kube(), planned.changes)
