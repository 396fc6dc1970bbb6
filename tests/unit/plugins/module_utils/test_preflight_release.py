# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Helm has installed, and which chart can follow it."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight_release as subject
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError

CREATED = "2026-11-21T12:00:00Z"
NOW = datetime.datetime(2026, 11, 21, 12, 5, tzinfo=datetime.UTC)
WIRED = {"global": {"podAnnotations": {"kubestrap.aws/cloud-integration-checksum": "abc"}}}
CHARTS = {"1": ("cost-analyzer", "1.108.1"), "2": ("cost-analyzer", "2.8.7"), "3": ("kubecost", "3.2.4")}


def document(generation: str, **values: Any) -> dict[str, Any]:
    """What Helm writes of a release, as far as it is read."""
    name, version = CHARTS.get(generation, (generation, "1.0.0"))
    return {"chart": {"metadata": {"name": name, "version": version}}, "config": {**WIRED, **values}}


class Api:
    """An API server with the revisions of one release: (status, document)."""

    def __init__(self, *revisions: tuple[str, dict[str, Any]]) -> None:
        self.secrets: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.asked: list[str] = []
        for number, (status, content) in enumerate(revisions, start=1):
            name = f"sh.helm.release.v1.kubecost.v{number}"
            labels = {"owner": "helm", "name": "kubecost", "status": status, "version": str(number)}
            metadata = {"name": name, "labels": labels, "creationTimestamp": CREATED}
            self.secrets[name] = (metadata, base64.b64encode(gzip.compress(json.dumps(content).encode())))

    def get(self, *path: str, query: dict[str, str] | None = None, accept: str = "") -> Any:
        assert path[:5] == ("api", "v1", "namespaces", "finops", "secrets")
        self.asked.append(path[-1])
        if query:
            assert query == {"labelSelector": "owner=helm,name=kubecost"}
            # As the API server does, which writes null for an empty list.
            return {"items": [{"metadata": metadata} for metadata, _packed in self.secrets.values()] or None}
        return {"data": {"release": base64.b64encode(self.secrets[path[-1]][1]).decode()}}


def read(*revisions: tuple[str, dict[str, Any]]) -> Any:
    return subject.read_release(Api(*revisions), "finops", "kubecost")[0]


def test_a_release_that_is_not_there() -> None:
    assert read() is None


def test_a_release_word_for_word() -> None:
    assert read(("deployed", document("2"))) == {
        "name": "kubecost",
        "chart": "cost-analyzer",
        "chart_version": "2.8.7",
        "generation": "2",
        "status": "deployed",
        "revision": 1,
        "written": CREATED,
        "wired": True,
        "stores": False,
        "adopted": False,
        "pods_wired": True,
        "service_accounts": ["kubecost-cost-analyzer"],
        "former_service_accounts": ["kubecost"],
    }


@pytest.mark.parametrize(
    ("labels", "written"),
    [
        ({}, CREATED),
        ({"createdAt": "1795262400"}, "2026-11-21T12:00:00Z"),
        ({"createdAt": "1795262400", "modifiedAt": "1795262460"}, "2026-11-21T12:01:00Z"),
    ],
)
def test_when_helm_wrote_it(labels: dict[str, str], written: str) -> None:
    metadata = {"labels": {"status": "pending-install", **labels}, "creationTimestamp": CREATED}
    assert subject.describe("kubecost", metadata, document("3"))["written"] == written


def test_a_release_of_somebody_else() -> None:
    found = read(("deployed", {**document("opencost"), "config": None}))
    assert (found["generation"], found["wired"], found["service_accounts"]) == (None, False, [])


def test_no_more_than_two_revisions_are_read() -> None:
    revisions = [("superseded", document("2")) for _number in range(8)]
    api = Api(*revisions, ("failed", document("2")), ("deployed", document("3")))
    found, _values = subject.read_release(api, "finops", "kubecost")
    assert found["revision"] == 10, "numbers are not compared as text"
    assert api.asked == ["secrets", "sh.helm.release.v1.kubecost.v10", "sh.helm.release.v1.kubecost.v8"]


@pytest.mark.parametrize("status", ["failed", "pending-upgrade", "pending-rollback"])
def test_while_an_upgrade_is_not_done_old_and_new_pods_may_run(status: str) -> None:
    found = read(("superseded", document("1")), ("deployed", document("2")), (status, document("3")))
    assert found["service_accounts"] == ["kubecost", "kubecost-cost-analyzer"]
    assert found["former_service_accounts"] == []


def test_after_it_the_old_one_is_known_also_by_a_name_of_the_users() -> None:
    before = document("2", serviceAccount={"name": "reader"})
    found = read(("superseded", before), ("deployed", document("3")))
    assert found["service_accounts"] == ["kubecost"]
    assert found["former_service_accounts"] == ["kubecost-cost-analyzer", "reader"]


# Without billing data: of all generations, and of Kubecost 1, whose other pods do not open the bucket.
STORES = {"global": {"podAnnotations": {"kubestrap.aws/object-store-checksum": "1"}}}
THANOS = {"prometheus": {"server": {"podAnnotations": {"kubestrap.aws/object-store-checksum": "1"}}}}
THEIRS = {"global": {"podAnnotations": {"team": "finops"}}}
MARKED = {"global": {"podAnnotations": {**WIRED["global"]["podAnnotations"], "kubestrap.aws/release": "adopted"}}}


def who(*revisions: tuple[str, dict[str, Any]]) -> tuple[bool, bool, bool]:
    """Whether a release is wired, is adopted, and has pods with our values."""
    found = read(*((status, {**document("3"), "config": values}) for status, values in revisions))
    return found["wired"], found["adopted"], found["pods_wired"]


@pytest.mark.parametrize(
    ("revisions", "said"),
    [
        ([("deployed", WIRED)], (True, False, True)),
        ([("deployed", STORES)], (True, False, True)),
        ([("deployed", THANOS)], (True, False, True)),
        ([("deployed", THEIRS)], (False, True, False)),
        ([("deployed", {"global": {"podAnnotations": None}})], (False, True, False)),
        ([("superseded", THEIRS), ("deployed", MARKED)], (True, True, True)),
        ([("superseded", MARKED), ("deployed", THEIRS)], (False, True, False)),
        ([("failed", THEIRS)], (False, True, False)),
        # The run that would have taken it over, or given it back, has not ended.
        ([("deployed", THEIRS), ("failed", MARKED)], (True, True, True)),
        ([("deployed", THEIRS), ("pending-upgrade", MARKED)], (True, True, True)),
        ([("deployed", MARKED), ("failed", THEIRS)], (False, True, True)),
        # What its user has tried by hand makes a release of ours none of theirs.
        ([("deployed", WIRED), ("failed", THEIRS)], (False, False, True)),
        ([("uninstalled", MARKED)], (True, False, False)),
        ([("uninstalled", THEIRS)], (False, False, False)),
    ],
)
def test_whose_release_it_is(revisions: list[tuple[str, dict[str, Any]]], said: tuple[bool, bool, bool]) -> None:
    assert who(*revisions) == said


@pytest.mark.parametrize(("values", "stores"), [(STORES, True), (THANOS, True), (WIRED, False), (THEIRS, False)])
def test_a_bucket_is_not_lost_by_a_variable_that_is_missing(values: dict[str, Any], stores: bool) -> None:
    found = read(("deployed", {**document("3"), "config": values}))
    assert found["stores"] is stores
    said = subject.check_bucket(found, {"keeps_in_bucket": False})
    assert [text.partition(" is missing")[0] for text in said] == ["kubecost_federated_storage_bucket: ''"] * stores
    assert subject.check_bucket(found, {"keeps_in_bucket": True}) == []
    assert subject.check_bucket(found, {"keeps_in_bucket": False, "taken_away": True}) == []


def test_a_revision_that_goes_meanwhile() -> None:
    assert subject.decode({}) == {}
    assert subject.describe("kubecost", {"labels": {"status": "failed"}}, {})["generation"] is None


# --- what may follow


def follows(installed: str, generation: str, **changes: Any) -> list[str]:
    return subject.check_generation({**read(("deployed", document(installed))), **changes}, generation)


@pytest.mark.parametrize(("installed", "generation"), [("1", "1"), ("1", "2"), ("2", "2"), ("2", "3"), ("3", "3")])
def test_a_generation_follows_itself_and_the_one_before(installed: str, generation: str) -> None:
    assert follows(installed, generation) == []


@pytest.mark.parametrize(
    ("installed", "generation", "changes", "said"),
    [
        (
            "1",
            "3",
            {},
            "kubecost_generation: '3' cannot follow the release kubecost, which is the chart cost-analyzer 1.",
        ),
        ("1", "3", {}, "write kubecost_generation: '2', run, then go on"),
        (
            "3",
            "2",
            {},
            "kubecost_generation: '2' is older than the release kubecost, which is the chart kubecost 3.2.4",
        ),
        ("2", "3", {"wired": False}, "Take it over with kubecost_generation: '2' first"),
        ("opencost", "3", {}, "kubecost_release_name: 'kubecost' is a release of the chart opencost 1.0.0, not of"),
    ],
)
def test_what_cannot_follow(installed: str, generation: str, changes: dict[str, Any], said: str) -> None:
    (problem,) = follows(installed, generation, **changes)
    assert said in problem


def test_what_was_uninstalled_with_its_history_kept_is_no_release() -> None:
    assert follows("3", "1", status="uninstalled") == []


def judged(status: str, timeout: float) -> list[str]:
    return subject.check_status({**read(("deployed", document("3"))), "status": status}, timeout, NOW)


def test_a_run_of_helm_that_may_be_at_work_is_not_disturbed() -> None:
    (problem,) = judged("pending-upgrade", 600)
    assert "'kubecost' is pending-upgrade (revision 1) since 2026-11-21T12:00:00Z" in problem
    assert "run again in 301 seconds" in problem
    assert judged("pending-upgrade", 300) == []
    assert judged("pending-install", 0) == [], "a verification disturbs nobody"


def test_other_states() -> None:
    assert judged("deployed", 600) == judged("failed", 600) == []
    (problem,) = judged("uninstalling", 600)
    assert "Finish it with helm uninstall kubecost" in problem


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("90s", 90), ("1.5m", 90), ("500ms", 0.5), ("10", None), ("", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert subject.duration(text) == seconds


# --- which chart


def chosen(installed: str | None = None, **wanted: Any) -> tuple[Any, list[str]]:
    release = read(("deployed", document(installed))) if installed else None
    if release:
        release["chart_version"] = f"{installed}.0.9"
    return subject.choose_chart(release, {"generation": "3", **wanted})


def test_a_new_install_gets_the_pinned_version_and_a_release_keeps_its_own() -> None:
    assert chosen() == ({"local": False, "version": "3.2.4"}, [])
    assert chosen("3") == ({"local": False, "version": "3.0.9"}, [])
    assert chosen("3", chart_version="3.1.0") == ({"local": False, "version": "3.1.0"}, [])
    assert chosen("2") == ({"local": False, "version": "3.2.4"}, []), "an upgrade is like a new install"
    assert chosen("3", chart_ref="oci://registry.example.com/kubecost")[0]["version"] == "3.0.9"


@pytest.mark.parametrize(
    "ref", ["cost-analyzer", "oci://registry.example.com/mirror/cost-analyzer:2.8.7", "acme/cost-analyzer"]
)
def test_a_chart_whose_name_is_that_of_another_generation(ref: str) -> None:
    (problem,) = chosen(chart_ref=ref)[1]
    assert f"kubecost_chart_ref: '{ref}' is not the chart of Kubecost 3, which is kubecost" in problem
    assert chosen(chart_ref=ref, generation="2")[1] == []


def test_a_chart_under_a_name_of_the_users_own_is_taken() -> None:
    digest = f"oci://registry.example.com/costs@sha256:{'0' * 64}"
    assert chosen(chart_ref=digest)[1] == []


@pytest.mark.parametrize(("version", "generation"), [("2.8.7", "3"), ("v3.2.4", "2"), ("~1.108", "2"), (">=3", "1")])
def test_a_version_of_another_generation(version: str, generation: str) -> None:
    (problem,) = chosen(chart_version=version, generation=generation)[1]
    assert f"kubecost_chart_version: '{version}' is not a version of generation {generation}" in problem


def test_a_local_chart(tmp_path: Any) -> None:
    (tmp_path / "Chart.yaml").write_text("name: cost-analyzer\nversion: 2.9.7\n")
    assert chosen(chart_ref=str(tmp_path), generation="2") == ({"local": True, "version": "2.9.7"}, [])
    (problem,) = chosen(chart_ref=str(tmp_path))[1]
    assert "is the chart cost-analyzer 2.9.7, not one of generation 3 (kubecost 3.x)" in problem
    assert "Write kubecost_generation: '2'" in problem
    (tmp_path / "Chart.yaml").write_text("name: opencost\nversion: 2.5.17\n")
    (problem,) = chosen(chart_ref=str(tmp_path))[1]
    assert problem.endswith("Name a chart of that generation")
    (problem,) = chosen(chart_ref=str(tmp_path / "gone"))[1]
    assert problem.startswith(f"kubecost_chart_ref: '{tmp_path / 'gone'}' is not on this machine")


def test_where_a_chart_comes_from(tmp_path: Any) -> None:
    digest, ca_file = f"sha256:{'0' * 64}", tmp_path / "ca.pem"
    ca_file.write_text("")
    source = {"chart_ref": "oci://registry.example.com/kubecost", "chart_digest": digest, "chart_ca_file": str(ca_file)}
    assert chosen("3", **source) == ({"local": False, "version": ""}, [])
    assert chosen("3", **source, chart_version="3.2.0") == ({"local": False, "version": "3.2.0"}, [])
    for changes, said in (
        ({"chart_digest": "0" * 64}, f"kubecost_chart_digest: '{'0' * 64}' is not a digest"),
        ({"chart_ref": "kubecost/kubecost"}, "cannot be compared with the chart 'kubecost/kubecost'. Write the"),
        ({"chart_ref": f"oci://registry.example.com/kubecost@{digest}"}, "is the second one"),
        ({"chart_ca_file": f"{ca_file}.old"}, f"kubecost_chart_ca_file: '{ca_file}.old' does not exist"),
    ):
        (problem,) = chosen(**{**source, **changes})[1]
        assert said in problem


@pytest.mark.parametrize("source", [{}, {"chart_ref": "kubecost", "chart_repo_url": "https://charts.example.com"}])
def test_a_digest_of_a_repository_goes_with_a_version(source: dict[str, str]) -> None:
    assert chosen("3", **source, chart_digest=f"sha256:{'0' * 64}") == ({"local": False, "version": "3.0.9"}, [])


def test_a_digest_of_a_local_chart_is_compared(tmp_path: Any) -> None:
    archive = tmp_path / "kubecost-3.2.4.tgz"
    with tarfile.open(archive, "w:gz") as made:
        member = tarfile.TarInfo("kubecost/Chart.yaml")
        content = b"name: kubecost\nversion: 3.2.4\n"
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    digest = f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}"
    assert chosen(chart_ref=str(archive), chart_digest=digest)[1] == []
    (problem,) = chosen(chart_ref=str(archive), chart_digest=f"sha256:{'0' * 64}")[1]
    assert f"is not that of the archive '{archive}', which is {digest}" in problem
    (tmp_path / "Chart.yaml").write_text(content.decode())
    (problem,) = chosen(chart_ref=str(tmp_path), chart_digest=digest)[1]
    assert "cannot be that of a folder" in problem


# --- all of it


def looked_at(monkeypatch: pytest.MonkeyPatch, api: Any, **wanted: Any) -> tuple[dict[str, Any], list[str]]:
    monkeypatch.setattr(subject, "cluster_api", lambda *_args: contextlib.nullcontext(api))
    given = {"name": "kubecost", "namespace": "finops", "generation": "3", "kubeconfig": "kubeconfig", **wanted}
    return subject.look_at_release(None, {}, given)  # type: ignore[arg-type]


def test_a_look_at_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found, problems = looked_at(monkeypatch, Api(("deployed", document("3"))), timeout="10m")
    assert (found["release"]["status"], found["chart"]["version"], problems) == ("deployed", "3.2.4", [])
    _found, problems = looked_at(monkeypatch, Api(("deployed", document("1"))), timeout="10 minutes")
    assert [problem.partition(":")[0] for problem in problems] == ["kubecost_helm_timeout", "kubecost_generation"]


def test_a_release_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses:
        def get(self, *_path: str, **_more: Any) -> Any:
            raise KubeError("The API server refuses GET secrets", "forbidden", "Allow it", 403)

    found, problems = looked_at(monkeypatch, Refuses())
    assert found == {"release": None, "chart": None}
    said = "The API server refuses GET secrets: forbidden. Allow it"
    assert problems == [f"kubecost_release_name: the release cannot be looked at. {said}"]


def test_where_helm_has_no_record_only_the_pods_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pods:
        def get(self, *path: str) -> Any:
            assert path == ("api", "v1", "namespaces", "finops", "pods")
            return {"items": [{"spec": {"serviceAccountName": "kubecost-cost-analyzer"}}]}

    found, problems = looked_at(monkeypatch, Pods(), recorded=False, wiring="{}", timeout="10 minutes")
    accounts = {"service_accounts": ["kubecost-cost-analyzer"], "former_service_accounts": []}
    assert (found, problems) == ({"release": accounts, "chart": None}, [])
    # A verification gives no wiring, and nothing is asked for it.
    assert looked_at(monkeypatch, None, recorded=False) == ({"release": None, "chart": None}, [])


# --- a release of somebody else


WIRING = {
    "generation": "3",
    "release": "kubecost",
    "cluster_id": "demo",
    "cloud_integration_secret": "cloud-integration",
}


def theirs(generation: str = "3", **values: Any) -> Api:
    """A release that this collection did not install."""
    return Api(("deployed", {**document(generation), "config": values}))


def test_its_values_are_not_lost_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    api = theirs(**{"global": {"proxy": "secret-one"}, "networkCosts": {"enabled": False}})
    wiring = json.dumps({**WIRING, "user_values": {"networkCosts": {"enabled": False}}})

    found, problems = looked_at(monkeypatch, api, wiring=wiring)

    assert problems == [
        "kubecost_values: the release kubecost in namespace finops was not installed by this collection and has values "
        "that would be lost or changed: global.proxy. Write them into kubecost_values (helm get values kubecost -n "
        "finops shows them), or set kubecost_release_change: true to have them replaced"
    ]
    assert "secret-one" not in json.dumps(found)
    assert looked_at(monkeypatch, api, wiring=wiring, change=True)[1] == []
    assert looked_at(monkeypatch, api, wiring="")[1] == [], "a verification refuses nothing"


def test_a_release_of_ours_follows_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(("deployed", document("3", mine="one")))
    assert looked_at(monkeypatch, api, wiring=json.dumps(WIRING))[1] == []


def test_values_of_another_generation_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = looked_at(monkeypatch, theirs("2", mine="one"), wiring=json.dumps(WIRING))[1]
    assert "Take it over with kubecost_generation: '2' first" in problem


def test_to_take_ours_away_nothing_has_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"taken_away": True, "timeout": "10 minutes", "chart_ref": "./there-is-none"}
    for api in (Api(("deployed", document("1"))), theirs("1", mine="one"), Api()):
        found, problems = looked_at(monkeypatch, api, **wrong)
        assert (found["chart"], problems) == (None, [])


def test_what_stays_needs_its_chart_to_get_its_values_back(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(("deployed", {**document("2"), "config": MARKED}))
    found, problems = looked_at(monkeypatch, api, taken_away=True, generation="2", timeout="10m")
    assert (found["chart"], problems) == ({"local": False, "version": "2.8.7"}, [])
    (problem,) = looked_at(monkeypatch, api, taken_away=True, generation="3")[1]
    assert (
        "kubecost_generation: '3' is not that of the release kubecost, which is the chart cost-analyzer 2.8.7"
        in problem
    )
    assert problem.endswith("write kubecost_generation: '2'")
    (problem,) = looked_at(monkeypatch, api, taken_away=True, generation="2", chart_ref="./there-is-none")[1]
    assert problem.startswith("kubecost_chart_ref: './there-is-none' is not on this machine")
