# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secret of an object store, against an API server of this test's own: what is ours, and what stays others'."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _store_secret_objects as objects
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_objects import Account, apply
from ansible_collections.kubestrap.aws.plugins.module_utils._store_secret_text import Source, Text
from unit.kube_fake import OURS, Kube

KEY, ROLE = "object-store.yaml", "eks.amazonaws.com/role-arn"
WANTED = objects.Wanted("kubecost", "store", KEY)
HUSH = "hush-hush"


def text(**config: Any) -> Text:
    return Source("thanos", {"bucket": "acme-store", "region": "eu-west-1", **config}).write(KeyPair("AKIA0", HUSH))


TEXT = text()


def secret(content: str | None = None, labels: Any = None, annotations: Any = None, **data: str) -> dict[str, Any]:
    metadata = {"name": "store", "uid": "1", "labels": labels or {}, "annotations": annotations or {}}
    there = {**data, **({} if content is None else {KEY: content})}
    return {"metadata": metadata, "data": {k: base64.b64encode(v.encode()).decode() for k, v in there.items()}}


def run(kube: Kube, wanted: objects.Wanted = WANTED, made: Text = TEXT, absent: bool = False) -> objects.ObjectsPlan:
    """Do it, and see that it is done then; nothing of a Secret is in what is shown."""

    def planned() -> objects.ObjectsPlan:
        state = objects.read(kube, wanted)
        return objects.plan_absent(state, wanted) if absent else objects.plan(state, wanted, made)

    first = planned()
    assert HUSH not in str(first)
    assert base64.b64encode(HUSH.encode()).decode()[:8] not in str(first)
    apply(kube, (*first.first, *first.rest))
    again = planned()
    assert (again.first, again.rest, again.lines) == ((), (), ())
    assert again.checksum == first.checksum
    return first


def refused(kube: Kube, wanted: objects.Wanted = WANTED) -> str:
    with pytest.raises(AnsibleAWSError) as error:
        objects.plan(objects.read(kube, wanted), wanted, TEXT)
    assert HUSH not in str(error.value)
    return str(error.value)


def content(kube: Kube) -> str | None:
    return objects.text_in(kube.things["secrets/store"], KEY)


def summaries(planned: objects.ObjectsPlan) -> list[str]:
    return [change.summary for change in (*planned.first, *planned.rest)]


def test_from_nothing_and_back() -> None:
    kube = Kube()
    del kube.things["namespaces/kubecost"]
    accounts = tuple(Account(name, "kubestrap", {ROLE: "arn"}) for name in ("store", "compact"))
    wanted = dataclasses.replace(WANTED, accounts=accounts)
    planned = run(kube, wanted)
    assert summaries(planned) == [
        "make the namespace kubecost",
        "write the Secret store in the namespace kubecost",
        "make the ServiceAccount store",
        "make the ServiceAccount compact",
    ]
    assert [change.summary for change in planned.first] == ["make the namespace kubecost"]
    assert "  + config.secret_key" in planned.lines
    assert content(kube) == TEXT.text
    gone = run(kube, wanted, absent=True)
    assert summaries(gone) == [
        "delete the Secret store",
        "delete the ServiceAccount store",
        "delete the ServiceAccount compact",
    ]
    assert list(kube.things) == ["namespaces/kubecost"]


def test_the_checksum_follows_text_and_annotations_and_nothing_else() -> None:
    first = run(Kube()).checksum
    assert run(Kube(**{"secrets/store": secret(other="x")})).checksum == first
    assert run(Kube(), made=text(prefix="other")).checksum != first
    accounts = (Account("store", "chart", {ROLE: "arn"}),)
    assert run(Kube(), dataclasses.replace(WANTED, accounts=accounts)).checksum != first


def test_a_text_that_changed_or_was_damaged_in_our_secret_is_written() -> None:
    kube = Kube()
    run(kube)
    run(kube, made=text(prefix="other"))
    assert content(kube) == text(prefix="other").text
    for damage in ("{", "", "\xff"):
        kube.things["secrets/store"]["data"][KEY] = base64.b64encode(damage.encode("latin-1")).decode()
        run(kube)
        assert content(kube) == TEXT.text
    del kube.things["secrets/store"]["data"]
    run(kube)
    assert content(kube) == TEXT.text


def test_a_key_is_added_to_a_secret_of_somebody_else_and_leaves_again() -> None:
    kube = Kube(**{"secrets/store": secret(other="theirs")})
    run(kube)
    gone = run(kube, absent=True)
    assert summaries(gone) == ["take the key object-store.yaml out of the Secret store"]
    left = kube.things["secrets/store"]
    assert (left["data"], left["metadata"]["annotations"]) == (secret(other="theirs")["data"], {})


def test_two_keys_of_ours_in_one_secret() -> None:
    other = dataclasses.replace(WANTED, key="federated-store.yaml")
    kube = Kube()
    run(kube)
    run(kube, other)
    assert run(kube, absent=True).kept == ("the Secret store has other keys",)
    assert kube.things["secrets/store"]["metadata"]["labels"] == OURS, "it is still ours"
    assert summaries(run(kube, other, absent=True)) == ["delete the Secret store"]


def test_what_somebody_added_to_our_secret_stays_as_his() -> None:
    kube = Kube()
    run(kube)
    kube.things["secrets/store"]["data"]["theirs"] = "eA=="
    run(kube, absent=True)
    left = kube.things["secrets/store"]
    assert left["data"] == {"theirs": "eA=="}
    assert left["metadata"]["labels"] == left["metadata"]["annotations"] == {}


def test_a_secret_that_also_has_our_cloud_integration_stays_ours() -> None:
    mark = {"kubestrap.aws/cloud-integration": "{}"}
    kube = Kube(**{"secrets/store": secret(None, OURS, mark, other="x")})
    run(kube)
    run(kube, absent=True)
    assert kube.things["secrets/store"]["metadata"]["labels"] == OURS
    assert kube.things["secrets/store"]["metadata"]["annotations"] == mark


@pytest.mark.parametrize("theirs", ["{", f"secret: {HUSH}", text(prefix="other").text])
def test_another_text_of_somebody_else_is_refused_unless_it_is_adopted(theirs: str) -> None:
    kube = Kube(**{"secrets/store": secret(theirs)})
    said = refused(kube, dataclasses.replace(WANTED, inputs={"secret": "my_secret", "adopt": "my_adopt"}))
    assert said.startswith("my_secret: 'store' is a Secret in the namespace kubecost whose key object-store.yaml")
    assert "my_adopt: true" in said
    run(kube, dataclasses.replace(WANTED, adopt=True))
    assert content(kube) == TEXT.text
    assert run(kube, absent=True).kept == ("the Secret store was not made by this collection",)
    assert kube.things["secrets/store"]["data"] == {}


def test_the_same_of_somebody_else_is_used_and_stays_unless_it_is_adopted() -> None:
    theirs = "# theirs\n" + TEXT.text
    kube = Kube(**{"secrets/store": secret(theirs)})
    assert run(kube).rest == ()
    assert run(kube, absent=True).kept == (
        "the key object-store.yaml of the Secret store was not made by this collection",
    )
    assert content(kube) == theirs
    kube = Kube(**{"secrets/store": secret(TEXT.text)})
    assert "  ~ it is ours from now on" in run(kube, dataclasses.replace(WANTED, adopt=True)).lines


def test_a_key_in_our_secret_that_somebody_else_added_is_theirs() -> None:
    kube = Kube()
    run(kube, dataclasses.replace(WANTED, key="other.yaml"))
    kube.things["secrets/store"]["data"][KEY] = secret("{")["data"][KEY]
    assert "this collection did not write" in refused(kube)


def test_a_secret_with_our_label_alone_is_ours() -> None:
    kube = Kube(**{"secrets/store": secret("{", labels=OURS)})
    run(kube)
    assert summaries(run(kube, absent=True)) == ["delete the Secret store"]


def test_nothing_is_nothing_to_take_away() -> None:
    assert run(Kube(), absent=True) == objects.ObjectsPlan()


EXISTING = objects.Wanted("kubecost", "store", KEY, existing=objects.Existing("theirs", "id", "secret"))


def test_a_pair_in_a_secret_of_the_user() -> None:
    found = secret(id="AKIA0\n", secret=f"{HUSH}\n", token="t")
    kube = Kube(**{"secrets/theirs": found})
    assert objects.pair_in(objects.read(kube, EXISTING)["existing"], EXISTING) == KeyPair("AKIA0", HUSH)
    with_token = dataclasses.replace(EXISTING, existing=objects.Existing("theirs", "id", "secret", "token"))
    assert objects.pair_in(found, with_token).session_token == "t"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "existing_secret.name: 'theirs' does not exist in the namespace kubecost"),
        (secret(id="AKIA0"), "existing_secret.secret_access_key_key: 'secret' is not a key of the Secret"),
        (secret(secret=HUSH, other=HUSH), "existing_secret.access_key_id_key: 'id' is not a key .* are: other, secret"),
        (secret(id=" ", secret=HUSH), "existing_secret.access_key_id_key: 'id' .* has no text in it"),
    ],
)
def test_a_secret_of_the_user_without_a_pair(found: Any, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=said) as error:
        objects.pair_in(found, EXISTING)
    assert HUSH not in str(error.value)
