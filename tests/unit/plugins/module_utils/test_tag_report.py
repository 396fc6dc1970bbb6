# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of all hosts: its verdict, its keys, its costs, and its tables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _tag_report as report
from ansible_collections.kubestrap.aws.plugins.module_utils._tag_findings import near_misses_of, scheme_of

PAYER, ACCOUNT = "111111111111", "222222222222"
NAMES = {"namespace": [{"namespace": "", "name": "shop"}]}


def resource(name: str = "orders", **tags: str) -> dict[str, Any]:
    """A queue as it is listed."""
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}"
    place = {"arn": arn, "account_id": ACCOUNT, "region": "eu-west-1"}
    return {**place, "scheme": scheme_of(tags), "near_misses": near_misses_of(tags)}


def cluster(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What was seen in a cluster's account, and in the cluster."""
    seen = {"state": "done", "account_id": ACCOUNT, "regions": ["eu-west-1"], "listed": 9, "resources": list(resources)}
    return {**seen, "cluster": "demo", "names": NAMES, **more}


def payer(rows: tuple[dict[str, str], ...] = (), **statuses: str) -> dict[str, Any]:
    """What was seen of a payer."""
    cost = {"rows": list(rows), "scanned_bytes": 4_200_000}
    return {
        "state": "done",
        "account_id": PAYER,
        "resources": [],
        "regions": ["us-east-1"],
        "activation": {"statuses": statuses},
        "cost": cost,
    }


def made(*hosts: dict[str, Any], others: tuple[str, ...] = ()) -> dict[str, Any]:
    return report.document({f"host-{number}": host for number, host in enumerate(hosts)}, others)


def keys(document: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {each["key"]: (each["state"], each["resources"]) for each in document["keys"]}


GOOD = resource(kubernetes_namespace="shop")


@pytest.mark.parametrize(
    ("hosts", "verdict"),
    [
        ([cluster(GOOD), payer(kubernetes_namespace="active")], "fits"),
        ([cluster(GOOD)], "fits"),
        ([cluster()], "fits"),
        ([cluster(GOOD), payer()], "pending"),
        ([cluster(GOOD), payer(kubernetes_namespace="inactive")], "differs"),
        ([cluster(resource(kubernetes_namespace="shoop")), payer(kubernetes_namespace="active")], "differs"),
        ([cluster(resource(kubernetes_cluster="deno"))], "differs"),
        ([cluster(resource(kubernetes_namespaces="shop"))], "differs"),
        ([cluster(GOOD, state="failed", notes=["no"])], "denied"),
        ([cluster(GOOD), {}], "denied"),
        ([cluster(GOOD), payer(kubernetes_namespace="active", kubernetes_pod="inactive")], "fits"),
    ],
)
def test_the_verdict(hosts: list[dict[str, Any]], verdict: str) -> None:
    found = made(*hosts)
    assert found["verdict"] == verdict
    assert (found["kind"], found["version"]) == ("kubestrap.aws/tag-report", 1)


def test_each_host_has_the_verdict_of_its_own_resources() -> None:
    found = made(cluster(resource(kubernetes_namespace="shoop")), payer(), {"state": "failed", "notes": ["no access"]})
    assert [host["verdict"] for host in found["hosts"].values()] == ["differs", "fits", "denied"]
    assert found["hosts"]["host-0"]["tagged"] == 1 and found["hosts"]["host-0"]["listed"] == 9
    assert found["hosts"]["host-2"]["notes"] == ["no access"]


def test_a_cluster_that_exists_elsewhere_is_not_judged() -> None:
    elsewhere = resource(kubernetes_cluster="legacy", kubernetes_namespace="old")
    assert made(cluster(elsewhere))["verdict"] == "differs"
    assert made(cluster(elsewhere), others=("legacy",))["verdict"] == "fits"


def test_keys_in_use_and_active_ones() -> None:
    resources = [
        resource("a", kubernetes_namespace="shop", kubernetes_label_app="a"),
        resource("b", **{"kubernetes-namespace": "shop"}),
        resource("c", kubernetes_namespace="shop"),
    ]
    found = made(
        cluster(*resources),
        payer(kubernetes_namespace="active", kubernetes_pod="active", kubernetes_label_app="inactive"),
    )
    assert keys(found) == {
        "kubernetes-namespace": ("pending", 1),
        "kubernetes_label_app": ("inactive", 1),
        "kubernetes_namespace": ("active", 2),
        "kubernetes_pod": ("active", 0),
    }
    assert "has the column of kubernetes_namespace, and is a tag of its own" in found["keys"][0]["text"]
    assert found["keys"][0]["column"] == found["keys"][2]["column"] == "resource_tags_user_kubernetes_namespace"
    assert found["resources"][1]["read_as"] == {"kubernetes_namespace": "shop"}


def test_of_several_payers_the_best_state_counts() -> None:
    """Which payer pays for an account is not known."""
    other = {**payer(), "account_id": "333333333333"}
    found = made(cluster(GOOD), payer(kubernetes_namespace="active"), other)
    assert found["keys"][0]["payers"] == {PAYER: "active", "333333333333": "pending"}
    assert keys(found) == {"kubernetes_namespace": ("active", 1)}


def test_keys_to_ask_for() -> None:
    asked = report.keys_to_ask([resource(kubernetes_label_app="x", **{"kubernetes-pod": "p"}), GOOD])
    assert asked[-2:] == ["kubernetes-pod", "kubernetes_label_app"]
    assert "kubernetes_statefulset" in asked and len(asked) == len(set(asked)) == 11


def test_costs() -> None:
    rows = (
        {"year": "2026", "month": "1", "total": "100", "in_clusters": "60.5", "attributed": "10"},
        {"year": "2026", "month": "2", "total": "5", "in_clusters": "5", "attributed": None},
    )
    found = made(payer(rows))
    assert found["costs"] == [
        {
            "payer": PAYER,
            "month": "2026-01",
            "total": 100.0,
            "in_clusters": 60.5,
            "attributed": 10.0,
            "not_attributed": 29.5,
            "attributed_percent": 25.3,
        },
        {
            "payer": PAYER,
            "month": "2026-02",
            "total": 5.0,
            "in_clusters": 5.0,
            "attributed": 0.0,
            "not_attributed": 0.0,
            "attributed_percent": None,
        },
    ]
    (table,) = report.tables(found)
    assert table["rows"][0] == ["2026-01", PAYER, "100.00", "60.50", "10.00", "29.50", "25.3"]
    assert table["rows"][1][-1] is None
    assert table["lines"][-1] == "The query has scanned 4.2 MB (4200000 bytes)."


def test_what_was_not_looked_at_is_said() -> None:
    said = " ".join(made(payer())["notes"])
    assert "No resource of these accounts and regions carries a tag" in said and "Without a cluster" in said
    said = " ".join(made(cluster(GOOD))["notes"])
    assert "Without a payer" in said and "Without a cluster" not in said
    said = " ".join(made(cluster(GOOD), payer(kubernetes_namespace="inactive"))["notes"])
    assert "A key is activated in the payer account" in said


def test_what_does_not_fit_comes_first_in_the_tables() -> None:
    bad = resource("z", kubernetes_namespace="shoop", team="x")
    found = made(cluster(GOOD, bad), payer(kubernetes_namespace="inactive", kubernetes_pod="active"))
    resources, listed = report.tables(found)
    assert [row[0] for row in resources["rows"]] == [f"sqs:eu-west-1:{ACCOUNT}:z", f"sqs:eu-west-1:{ACCOUNT}:orders"]
    assert resources["rows"][0][1] == "kubernetes_namespace=shoop"
    assert resources["rows"][0][2].startswith("there is no namespace 'shoop' in any cluster of the inventory. Correct")
    assert [row[:3] for row in listed["rows"]] == [
        ["kubernetes_namespace", "inactive", "2"],
        ["kubernetes_pod", "active", "0"],
    ]


def test_a_long_table_is_cut_and_says_so() -> None:
    found = made(cluster(*[resource(f"q{number:03}", kubernetes_namespace="shop") for number in range(201)]))
    table = report.tables(found)[0]
    assert len(table["rows"]) == 200
    assert table["lines"] == ["1 more are not shown. Write kubestrap_tag_report_file to have them in a file."]
    assert report.tables(found, "tags.json")[0]["lines"] == ["1 more are not shown. They are in tags.json."]


def test_the_table_of_a_plan() -> None:
    entry = {"arn": "arn:aws:s3:::a", "state": "unchanged", "set": {}, "removed": [], "kept": {}, "refused": None}
    kept = {**entry, "kept": {"team": {"value": "x", "wanted": "y"}}}
    changed = {**entry, "state": "changed", "set": {"b": "1"}, "removed": ["c"]}
    refused = {**entry, "state": "refused", "refused": {"code": "", "message": "no", "hint": ""}}
    assert report.plan_table([kept, changed, refused])["rows"] == [
        ["s3:::a", "refused", "", "no"],
        ["s3:::a", "changed", "b=1\nwithout c", ""],
        ["s3:::a", "unchanged", "", "team stays x"],
    ]
    assert report.plan_table([entry] * 205)["rows"][-1][0] == "5 more"
