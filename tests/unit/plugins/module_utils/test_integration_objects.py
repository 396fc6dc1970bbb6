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
from ansible_collections.kubestrap.aws.plugins.module_utils import _store_secret_objects as store_objects
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_objects import Account, apply
from ansible_collections.kubestrap.aws.plugins.module_utils._store_secret_text import Source
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import build
from unit.kube_fake import OURS, Kube

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
AZURE = {
    "storage": [{"subscriptionID": "s", "account": "a", "container": "c", "path": "", "authorizer": {"k": "hush"}}]
}
WANTED = objects.Wanted("kubecost", "cloud-integration", KEY, "athena", build([PAYER], "athena"))


def document(kube: Kube) -> Any:
    """What is in the Secret."""
    return json.loads(base64.b64decode(kube.things["secrets/cloud-integration"]["data"][KEY]))


def secret(content: Any, labels: Any = None, annotations: Any = None, **data: str) -> dict[str, Any]:
    content = content if isinstance(content, str) else json.dumps(content)
    metadata = {"name": "cloud-integration", "uid": "1", "labels": labels or {}, "annotations": annotations or {}}
    return {"metadata": metadata, "data": {KEY: base64.b64encode(content.encode()).decode(), **data}}


def by(created_by: str, release: str | None = None) -> objects.Wanted:
    made = Account("kubecost", created_by, {ROLE: ARN}, release)
    return dataclasses.replace(WANTED, account=made)


def run(kube: Kube, wanted: objects.Wanted = WANTED, absent: bool = False) -> objects.ObjectsPlan:
    """Do it, and see that it is done then; nothing of a Secret is in what is shown."""
    decide = objects.plan_absent if absent else objects.plan
    planned = decide(objects.read(kube, wanted), wanted)
    assert "hush" not in str(planned)
    apply(kube, (*planned.first, *planned.rest))
    again = decide(objects.read(kube, wanted), wanted)
    assert (again.first, again.rest, again.lines) == ((), (), ())
    assert again.checksum == planned.checksum
    return planned


def refused(kube: Kube, wanted: objects.Wanted) -> str:
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        objects.plan(objects.read(kube, wanted), wanted)
    return str(error.value)


def summaries(planned: objects.ObjectsPlan) -> list[str]:
    return [change.summary for change in (*planned.first, *planned.rest)]


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
    assert document(kube) == WANTED.document
    assert kube.things["serviceaccounts/kubecost"]["metadata"]["annotations"] == {ROLE: ARN}
    gone = run(kube, by("chart"), absent=True)
    assert summaries(gone) == ["delete the Secret cloud-integration", "delete the ServiceAccount kubecost"]
    assert list(kube.things) == ["namespaces/kubecost"]


def test_the_checksum_follows_document_and_annotation_and_nothing_else() -> None:
    first = run(Kube(), by("kubestrap")).checksum
    assert run(Kube(), by("kubestrap")).checksum == first
    assert run(Kube(**{"secrets/cloud-integration": secret({"azure": AZURE})}), by("kubestrap")).checksum != first
    other = dataclasses.replace(by("kubestrap"), account=Account("kubecost", "kubestrap", {ROLE: ARN + "-2"}))
    assert run(Kube(), other).checksum != first


def test_what_others_have_in_the_secret_stays() -> None:
    kube = Kube(**{"secrets/cloud-integration": secret({"azure": AZURE}, other="eA==")})
    planned = run(kube)
    assert document(kube) == {**WANTED.document, "azure": AZURE}
    gone = run(kube, absent=True)
    assert gone.kept == ("the Secret cloud-integration has entries that are not ours",)
    assert document(kube) == {"azure": AZURE}
    left = kube.things["secrets/cloud-integration"]
    assert left["data"]["other"] == "eA=="
    assert left["metadata"]["annotations"] == left["metadata"]["labels"] == {}
    assert planned.lines == ("~ Secret kubecost/cloud-integration, key cloud-integration.json", f"  + {NAME}")


def test_a_secret_with_another_key_gets_ours_and_loses_it_again() -> None:
    theirs = secret({})
    theirs["data"] = {"other": "eA=="}
    kube = Kube(**{"secrets/cloud-integration": theirs})
    run(kube)
    assert document(kube) == WANTED.document
    run(kube, absent=True)
    assert kube.things["secrets/cloud-integration"]["data"] == {"other": "eA=="}


def test_an_empty_document_of_somebody_else_is_left_empty() -> None:
    kube = Kube(**{"secrets/cloud-integration": secret({})})
    run(kube)
    run(kube, absent=True)
    assert document(kube) == {}


def test_an_equal_entry_of_somebody_else_is_used_and_stays() -> None:
    theirs = secret(WANTED.document)
    kube = Kube(**{"secrets/cloud-integration": theirs})
    assert (run(kube).first, run(kube).rest) == ((), ())
    gone = run(kube, absent=True)
    assert gone.kept == ("the Secret cloud-integration was not made by this collection",)
    assert document(kube) == WANTED.document


def test_a_secret_of_ours_in_which_somebody_added_an_entry_stays_with_that() -> None:
    kube = Kube()
    run(kube)
    mixed = {**document(kube), "azure": AZURE}
    kube.things["secrets/cloud-integration"]["data"] = secret(mixed)["data"]
    assert (run(kube).first, run(kube).rest) == ((), ())
    run(kube, absent=True)
    assert document(kube) == {"azure": AZURE}
    assert kube.things["secrets/cloud-integration"]["metadata"]["labels"] == {}


def test_a_secret_that_holds_an_object_store_too_stays_ours_until_that_leaves() -> None:
    """In either order the last one deletes it."""
    store = store_objects.Wanted("kubecost", "cloud-integration", "federated-store.yaml")
    text = Source("kubecost", {"bucket": "acme", "region": "eu-west-1"}).write(None)

    def both() -> Kube:
        kube = Kube()
        run(kube)
        apply(kube, store_objects.plan(store_objects.read(kube, store), store, text).rest)
        assert set(kube.things["secrets/cloud-integration"]["data"]) == {KEY, "federated-store.yaml"}
        return kube

    def leave(kube: Kube) -> None:
        apply(kube, store_objects.plan_absent(store_objects.read(kube, store), store).first)

    kube = both()
    assert run(kube, absent=True).kept
    assert set(kube.things["secrets/cloud-integration"]["data"]) == {"federated-store.yaml"}
    assert kube.things["secrets/cloud-integration"]["metadata"]["labels"] == OURS
    leave(kube)
    assert "secrets/cloud-integration" not in kube.things
    kube = both()
    leave(kube)
    run(kube, absent=True)
    assert "secrets/cloud-integration" not in kube.things


def test_a_payer_that_is_no_longer_read_leaves() -> None:
    kube = Kube()
    two = build([PAYER, {**PAYER, "bucket": "second"}], "athena")
    run(kube, dataclasses.replace(WANTED, document=two))
    assert run(kube).lines[1:] == ("  - aws 111111111111/s3://second",)
    assert document(kube) == WANTED.document


def test_what_is_not_json_is_mended_in_our_secret_and_refused_in_another_one() -> None:
    kube = Kube(**{"secrets/cloud-integration": secret("{hush", labels=OURS)})
    run(kube)
    assert document(kube) == WANTED.document
    text = refused(Kube(**{"secrets/cloud-integration": secret("{hush")}), WANTED)
    assert "that this collection did not make, and its key cloud-integration.json is not JSON" in text
    assert "hush" not in text


def test_an_entry_that_contradicts_ours_is_refused() -> None:
    theirs = json.loads(json.dumps(WANTED.document).replace('"workgroup": "w"', '"workgroup": "hush"'))
    text = refused(Kube(**{"secrets/cloud-integration": secret(theirs)}), WANTED)
    assert "contradicts ours in aws.athena[0].workgroup" in text
    assert "hush" not in text
