# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The teardown where not everything may or can go; that it takes away all that was made is Molecule's to show.

The tests run in the order of the file, over one installation, whose report bucket and role were there before.
"""

from __future__ import annotations

import json

import pytest
from integration.installation import Installation
from sandbox.client import Sandbox

PAYER, CLUSTER = "gone-payer", "gone"
KEPT_ROLE = "kubecost-cur-access"


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """An installation that uses a role, a report and a results bucket of the payer's own; AWS has delivered."""
    made = Installation(sandbox, "gone", number=8)
    payer = made.payer_aws()
    principal = {"AWS": f"arn:aws:iam::{made.account(PAYER)}:role/operator"}
    statement = {"Sid": "Ours", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    payer.client("iam").create_role(RoleName=KEPT_ROLE, AssumeRolePolicyDocument=trust)
    payer.client("s3").create_bucket(Bucket=bucket(made, "athena"))
    run = made.run("kubecost")
    assert run.ok, run.report
    # As if the report had been there before: it lacks the mark.
    payer.client("cur", "us-east-1").untag_resource(ReportName="kubecost", TagKeys=["managed-by"])
    made.deliver()
    return made


def bucket(place: Installation, kind: str) -> str:
    """Name of the payer's bucket for the report (``cur``) or for results (``athena``)."""
    return f"kubestrap-{kind}-{place.account(PAYER)}-us-east-1"


def objects(place: Installation) -> int:
    """Number of objects in the report bucket."""
    return place.payer_aws().client("s3").list_objects_v2(Bucket=bucket(place, "cur"))["KeyCount"]


def buckets(place: Installation) -> list[str]:
    """Names of the payer's buckets."""
    return sorted(bucket["Name"] for bucket in place.payer_aws().client("s3").list_buckets()["Buckets"])


def reports(place: Installation) -> list[str]:
    """Names of the payer's reports."""
    found = place.payer_aws().client("cur", "us-east-1").describe_report_definitions()
    return [report["ReportName"] for report in found["ReportDefinitions"]]


def test_a_payer_stays_while_its_cluster_could_not_be_taken_away(place: Installation) -> None:
    """The organisation forbids the deletion of the cluster's role."""
    forbid = {"Effect": "Deny", "Action": "iam:DeleteRole", "Resource": place.role_arn()}
    place.sandbox.settings({"organization_policies": [{"Version": "2012-10-17", "Statement": [forbid]}]})

    run = place.run("teardown")

    place.sandbox.settings({"organization_policies": []})
    assert run.rc == 2
    assert run.outcome(CLUSTER)["state"] == run.outcome(PAYER)["state"] == "failed"
    assert "DeleteRole" in run.notes(CLUSTER)
    assert f"{CLUSTER} could not be taken away, and reads the billing data of this payer" in run.notes(PAYER)
    assert run.count(kind="write", account_id=place.account(PAYER)) == 0
    assert reports(place) == ["kubecost"]


def test_the_next_run_finishes_and_keeps_the_data_and_what_is_not_ours(place: Installation) -> None:
    before = objects(place)
    assert before > 5

    predicted = place.run("teardown", check=True, diff=True)
    assert predicted.ok, predicted.report
    assert predicted.writes == []
    assert predicted.kube_writes == []

    run = place.run("teardown")

    assert run.ok, run.report
    assert run.changes == predicted.changes
    assert run.changed_steps == predicted.changed_steps
    assert run.changes[PAYER]
    assert buckets(place) == [bucket(place, "athena"), bucket(place, "cur")]
    assert objects(place) == before
    assert f"Kept: the bucket {bucket(place, 'cur')}" in run.notes(PAYER)
    for kept in (
        f"the bucket {bucket(place, 'athena')}",
        f"the role {KEPT_ROLE}",
        "the Cost and Usage Report kubecost",
    ):
        assert f"Kept: {kept} was not made by this collection" in run.notes(PAYER)
    assert reports(place) == ["kubecost"]
    roles = {role["RoleName"] for role in place.cluster_aws().client("iam").list_roles()["Roles"]}
    assert roles == {"operator", "eks-cluster"}
    trust = place.payer_aws().client("iam").get_role(RoleName=KEPT_ROLE)["Role"]["AssumeRolePolicyDocument"]
    assert "Ours" in [statement["Sid"] for statement in trust["Statement"]]


def test_the_data_of_a_report_that_stays_stays_too(place: Installation) -> None:
    """AWS goes on delivering into the bucket."""
    before = objects(place)

    run = place.run("teardown", extra_vars={"billing_data_delete_data": True})

    assert run.ok, run.report
    assert f"Kept: the bucket {bucket(place, 'cur')}: AWS delivers the report kubecost into it" in run.notes(PAYER)
    assert run.writes == []
    assert objects(place) == before
    place.payer_aws().client("cur", "us-east-1").delete_report_definition(ReportName="kubecost")


def test_with_an_explicit_choice_the_data_goes_and_nothing_else(place: Installation) -> None:
    """A Secret of somebody else, of the same name, stays too."""
    theirs = {"metadata": {"name": "cloud-integration"}, "stringData": {"cloud-integration.json": "{}"}}
    uid = place.core().create_namespaced_secret("kubecost", theirs).metadata.uid

    run = place.run("teardown", extra_vars={"billing_data_delete_data": True})

    assert run.ok, run.report
    assert place.core().read_namespaced_secret("cloud-integration", "kubecost").metadata.uid == uid
    assert buckets(place) == [bucket(place, "athena")]
    assert run.changes[CLUSTER] == []
    assert {call["resource"].partition("/")[0] for call in run.calls if call["kind"] == "write"} == {
        bucket(place, "cur")
    }
    assert run.kube_writes == []
