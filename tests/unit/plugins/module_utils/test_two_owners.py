# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reads whose billing data: the run wins over the document, nobody is forgotten, partitions are not crossed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._two_owners import (
    billing_of,
    partial,
    payer_problems,
    reader_problems,
    readers_of,
)

PAYER, CLUSTER = "111111111111", "222222222222"


def reader(name: str, account_id: str = CLUSTER, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:iam::{account_id}:role/{name}"
    return {"account_id": account_id, "partition": "aws", "role_arn": arn, "payers": ["main"], "leaving": False, **more}


def arn(name: str) -> str:
    return f"arn:aws:iam::{CLUSTER}:role/{name}"


def test_readers_come_from_the_run_and_from_the_document() -> None:
    run = {"a": reader("a"), "failed": {}, "other": reader("other", payers=["second"])}
    known = {"b": reader("b"), "failed": reader("failed")}
    assert readers_of("main", PAYER, run, known) == {
        "role_arns": [arn("a"), arn("b"), arn("failed")],
        "leaving_role_arns": [],
        "clusters": ["a", "b", "failed"],
        "run": ["a"],
    }


def test_a_host_of_the_run_wins_over_the_document() -> None:
    known = {"a": reader("old"), "b": reader("b", leaving=True)}
    found = readers_of("main", PAYER, {"a": reader("new"), "b": reader("b")}, known)
    assert found["role_arns"] == [arn("b"), arn("new")]
    assert found["leaving_role_arns"] == []


def test_who_is_leaving_is_told() -> None:
    found = readers_of("main", PAYER, {"a": reader("a", leaving=True)}, {"b": reader("b", leaving=True)})
    assert found == {"role_arns": [], "leaving_role_arns": [arn("a"), arn("b")], "clusters": [], "run": []}


def test_a_role_that_another_cluster_uses_does_not_leave() -> None:
    run = {"a": reader("shared", leaving=True), "b": reader("shared")}
    assert readers_of("main", PAYER, run, {})["leaving_role_arns"] == []


def test_a_cluster_of_the_payers_own_account_needs_no_trust() -> None:
    found = readers_of("main", PAYER, {"a": reader("a", account_id=PAYER)}, {})
    assert found["role_arns"] == []
    assert found["clusters"] == ["a"]


def test_a_user_of_the_payers_own_account_takes_the_role() -> None:
    user = f"arn:aws:iam::{PAYER}:user/kubecost"
    found = readers_of("main", PAYER, {"a": reader("a", account_id=PAYER, role_arn=user)}, {})
    assert found["role_arns"] == [user]


def test_billing_comes_from_the_run_then_from_the_document() -> None:
    run = {"main": {"account_id": "1", "changes": ["x"]}, "failed": {}}
    known = {"main": {"account_id": "old"}, "second": {"account_id": "2"}}
    assert billing_of(["second", "main", "failed", "third"], run, known) == {
        "billing": [{"account_id": "2", "changes": [], "notes": []}, {"account_id": "1", "changes": ["x"]}],
        "missing": ["failed", "third"],
    }


def problems(payers: Any, **changed: Any) -> str:
    side = {"host": "prod", "hosts": ["main"], "known": {}, "region": "eu-west-1", "partitions": {}}
    return " ".join(payer_problems(payers=payers, **{**side, **changed}))


def test_payers_that_are_known_are_accepted() -> None:
    assert problems(["main"]) == ""
    assert problems(["main", "second"], known={"second": {"partition": "aws"}}) == ""


def test_names_cannot_be_judged_where_nothing_is_known() -> None:
    """The owner of the cluster comes first, and has no payers in the inventory."""
    assert problems(["main"], hosts=[]) == ""


@pytest.mark.parametrize("payers", [[], "main", None, [7], {}])
def test_payers_are_a_list_of_names(payers: Any) -> None:
    for hosts in (["main"], []):
        said = problems(payers, hosts=hosts)
        assert "of prod is not a list of hosts of the group payers. Write a list of inventory names" in said


def test_an_unknown_payer_is_named() -> None:
    said = problems(["main", "mian"], known={"second": {"partition": "aws"}})
    assert "kubecost_payers: 'main, mian' of prod is not a list of hosts of the group payers" in said
    assert "of these: [main, second]. mian is neither in the group payers nor in the billing document" in said


@pytest.mark.parametrize("where", ["partitions", "known"])
def test_a_payer_of_another_partition_is_refused_with_the_way_that_works(where: str) -> None:
    changed = (
        {"partitions": {"main": "aws-cn"}} if where == "partitions" else {"known": {"main": {"partition": "aws-cn"}}}
    )
    said = problems(["main"], **changed)
    assert "kubecost_payers: 'main' of prod is a payer in the partition aws-cn, and the cluster is in aws" in said
    assert "with a Kubecost on a cluster of aws-cn, one payer for each partition" in said
    assert "access keys of an IAM user of aws-cn" in said
    assert problems(["main"], region="cn-north-1", **changed) == ""


def test_a_wrong_region_is_told_elsewhere() -> None:
    assert problems(["main"], region="eu-wset-1", partitions={"main": "aws"}) == ""


def readers(run: dict[str, Any] | None = None, known: dict[str, Any] | None = None, **changed: Any) -> str:
    return " ".join(reader_problems("main", "aws", run or {}, known or {}, **changed))


def test_a_cluster_of_another_partition_is_refused() -> None:
    china = reader("a", partition="aws-cn")
    said = readers(known={"far": china})
    assert "kubestrap_hand_off_readers: 'far', which reads main, is a cluster in the partition aws-cn" in said
    assert "access keys of an IAM user of aws for it" in said
    assert readers(known={"far": {**china, "leaving": True}}) == ""
    assert readers(known={"far": {**china, "payers": ["second"]}}) == ""
    assert readers(known={"near": reader("a")}) == ""


def test_a_crowd_of_readers_is_told_before_the_trust_is_full() -> None:
    def crowd(count: int, state: str = "present", **changed: Any) -> str:
        run = {str(i): reader(f"kubecost-{i}", state=state) for i in range(count)}
        trust = {"account_id": "111111111111", "named": [], "readers": [], "size_limit": None, **changed}
        return readers(run, trust=trust)

    assert crowd(8) == crowd(9, "absent") == ""
    said = crowd(9)
    assert "kubecost_payers: main would have 9 readers, and the trust of its role " in said
    assert "IAM allows 2048. Name many roles by one pattern in billing_data_reader_role_arns of main" in said
    assert crowd(9, size_limit=4096) == ""
    assert crowd(9, named=[arn("kubecost-*")]) == ""
    there = [{"sid": "theirs", "principals": [f"arn:aws:iam::333333333333:role/kubecost-{i}"]} for i in range(8)]
    assert "would have 9 readers" in crowd(1, readers=there)
    # Who is there already is no question any more.
    own = [{"sid": "ours", "principals": [reader(f"kubecost-{i}")["role_arn"]]} for i in range(9)]
    assert crowd(9, readers=own) == ""


def test_a_payer_that_is_read_cannot_be_absent() -> None:
    run = {"a": reader("a", state="present"), "b": reader("b", state="absent"), "c": {}}
    assert "billing_data_state: 'absent' of main cannot be while a reads its billing data" in readers(run, absent=True)
    assert readers({"b": run["b"]}, absent=True) == ""
    assert readers(run) == ""


def test_a_purge_sees_all_clusters_or_is_refused() -> None:
    run = {"a": reader("a", state="present")}
    assert readers(run, purge=True) == ""
    assert readers(known={"b": reader("b")}, purge=True) == ""
    said = readers(run, purge=True, limit="main")
    assert "billing_data_purge_readers: 'true' of main cannot be with --limit: clusters that are not part" in said
    assert readers(run, limit="main") == ""
    slice_of = {"id": "7", "launch_type": "workflow", "workflow": "payers", "template": "payers"}
    assert "cannot be in a slice of the AWX job template payers: " in readers(run, purge=True, job=slice_of)
    assert "would leave it without a reader" in readers(purge=True)
    assert readers(purge=True, absent=True) == "", "there, nobody is to read it any more"


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ({}, ""),
        ({"launch_type": "workflow", "workflow": "payers", "template": "payers"}, ""),  # no job of AWX at all
        ({"id": "7", "launch_type": "manual", "template": "payers"}, ""),
        ({"id": "7", "launch_type": "scheduled", "template": "payers"}, ""),
        ({"id": "7", "launch_type": "workflow", "workflow": "costs", "template": "payers"}, ""),
        (
            {"id": "7", "launch_type": "workflow", "workflow": "payers", "template": "payers"},
            "in a slice of the AWX job",
        ),
        ({"id": "7", "launch_type": "workflow", "workflow": "", "template": "payers"}, "in a job of AWX that may be a"),
        ({"id": "7", "launch_type": "relaunch", "workflow": "", "template": "payers"}, "in a job of AWX that may be a"),
        ({"id": "7"}, "in a job of AWX that may be a slice"),
    ],
)
def test_a_slice_of_awx_is_known_by_its_workflow(job: dict[str, str], why: str) -> None:
    said = partial("", job)
    assert said.startswith(why) and bool(said) is bool(why)
    assert partial("", job, whole=True) == ""
    assert partial("main", job, whole=True) == "with --limit"


def test_roles_that_the_payer_names_itself_are_trusted_and_a_pattern_covers_others() -> None:
    run = {"a": reader("kubecost-a"), "b": reader("other")}
    pattern = f"arn:aws:iam::{CLUSTER}:role/kubecost-*"
    assert readers_of("main", PAYER, run, {}, [pattern])["role_arns"] == [pattern, arn("other")]
    assert readers_of("main", PAYER, {}, {}, [arn("c")])["role_arns"] == [arn("c")]
