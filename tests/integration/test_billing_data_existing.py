# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The payer's half where something exists already: what is used, what is refused, what is taken away again.

Each payer is a situation, and a run goes over all of them at once. No cluster is needed: the reader role is taken by
the test, as Kubecost takes it.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from integration.installation import Installation, Run
from integration.world import AwsConnection, policies, text, trust
from sandbox.client import Sandbox

REFUSED = ("managed", "elsewhere", "one_bucket", "crowd", "denied_key")
GOOD = ("alone", "enforced", "adopted", "options")
SITUATIONS = GOOD + REFUSED
READER = "kubecost-cur-access"
REPORT = {
    "ReportName": "kubecost",
    "TimeUnit": "HOURLY",
    "Format": "Parquet",
    "Compression": "Parquet",
    "AdditionalSchemaElements": ["RESOURCES"],
    "S3Prefix": "billing",
    "S3Region": "us-east-1",
    "AdditionalArtifacts": ["ATHENA"],
    "RefreshClosedReports": True,
    "ReportVersioning": "OVERWRITE_REPORT",
}
OURS = {"Key": "managed-by", "Value": "kubestrap.aws"}


class Payers:
    """An installation of payers only, and what is in their accounts before the first run."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.place = Installation(sandbox, "existing", number=11, payers=len(SITUATIONS), clusters=0)
        self.hosts = dict(zip(SITUATIONS, self.place.payers, strict=True))
        self.workload = self.make_workload()
        for situation in SITUATIONS:
            if situation != "alone":
                self.vars(situation)["billing_data_reader_role_arns"] = [self.workload]
            getattr(self, situation, lambda: None)()

    def vars(self, situation: str) -> dict[str, Any]:
        """The inventory of a payer."""
        return self.place.vars[self.hosts[situation]]

    def account(self, situation: str) -> str:
        """Its account."""
        return self.place.account(self.hosts[situation])

    def aws(self, situation: str) -> AwsConnection:
        """Its operator."""
        return self.place.payer_aws(self.hosts[situation])

    def make_workload(self) -> str:
        """The role of a cluster, which may take every reader role."""
        iam = self.place.cluster_aws().client("iam")
        principal = {"AWS": f"arn:aws:iam::{self.place.cluster_account}:root"}
        statement = {"Sid": "Own", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName="kubecost-existing", AssumeRolePolicyDocument=text([statement]))["Role"]["Arn"]
        everyone = policies.assume_role(role_arns=[f"arn:aws:iam::*:role/{READER}"])
        iam.put_role_policy(RoleName="kubecost-existing", PolicyName="chain", PolicyDocument=text(everyone))
        return arn

    # --- situations

    def bucket(self, situation: str, name: str) -> str:
        """A bucket of the payer's own."""
        bucket = f"{name}-{self.account(situation)}"
        self.aws(situation).client("s3").create_bucket(Bucket=bucket)
        return bucket

    def report(self, situation: str, **members: Any) -> str:
        """A report of the payer's own, and its bucket."""
        bucket = self.bucket(situation, "their-billing")
        delivery = policies.billing_report_delivery(bucket=bucket, account_id=self.account(situation), partition="aws")
        theirs = [{**statement, "Sid": f"Their{number}"} for number, statement in enumerate(delivery)]
        self.aws(situation).client("s3").put_bucket_policy(Bucket=bucket, Policy=text(theirs))
        definition = {**REPORT, "S3Bucket": bucket, **members}
        self.aws(situation).client("cur", "us-east-1").put_report_definition(ReportDefinition=definition)
        return bucket

    def key(self, situation: str, *statements: dict[str, Any]) -> str:
        """A key with this policy."""
        root = {"AWS": f"arn:aws:iam::{self.account(situation)}:root"}
        account = {"Sid": "Account", "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
        kms = self.aws(situation).client("kms")
        return kms.create_key(Policy=text([account, *statements]))["KeyMetadata"]["Arn"]

    def enforced(self) -> None:
        """A workgroup of the payer's own, which sends results elsewhere and encrypts them."""
        bucket = self.bucket("enforced", "their-results")
        self.enforced_key = self.key("enforced")
        result = {
            "OutputLocation": f"s3://{bucket}/athena/",
            "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": self.enforced_key},
        }
        configuration = {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": result}
        self.aws("enforced").client("athena").create_work_group(Name="kubecost", Configuration=configuration)
        self.vars("enforced")["billing_data_scan_limit_bytes"] = 50_000_000

    def managed(self) -> None:
        """One that keeps the results itself."""
        configuration = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
        self.aws("managed").client("athena").create_work_group(Name="kubecost", Configuration=configuration)

    def elsewhere(self) -> None:
        """A report of our name in another bucket."""
        self.report("elsewhere")

    def adopted(self) -> None:
        """The same, named in the inventory; and a reader role and a results bucket of the payer's own."""
        bucket = self.report("adopted")
        self.vars("adopted").update(
            {
                "billing_data_report_bucket": bucket,
                "billing_data_report_prefix": "billing",
                "billing_data_results_bucket": self.bucket("adopted", "their-results"),
                "billing_data_workgroup": "primary",
                "billing_data_tags": {"team": "platform"},
            }
        )
        principal = {"AWS": f"arn:aws:iam::{self.account('adopted')}:role/operator"}
        statement = {"Sid": "Theirs", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        iam = self.aws("adopted").client("iam")
        iam.create_role(RoleName=READER, AssumeRolePolicyDocument=text([statement]))

    def options(self) -> None:
        """Customer keys, expiry, account tags; a report and the workgroup primary that are to be changed."""
        self.report("options", Format="textORcsv", Compression="GZIP", AdditionalArtifacts=[])
        managed = {"ManagedQueryResultsConfigurationUpdates": {"Enabled": True}}
        self.aws("options").client("athena").update_work_group(WorkGroup="primary", ConfigurationUpdates=managed)
        billing = policies.billing_report_key(account_id=self.account("options"))
        self.vars("options").update(
            {
                "billing_data_report_change": True,
                "billing_data_workgroup": "primary",
                "billing_data_workgroup_change": True,
                "billing_data_report_kms_key_arn": self.key("options", *billing),
                "billing_data_results_kms_key_arn": self.key("options"),
                "billing_data_report_expiry_days": 400,
                "billing_data_account_tags": True,
                "billing_data_trust_size_limit": 350,  # no room for a second one
            }
        )

    def one_bucket(self) -> None:
        """One bucket for both."""
        self.vars("one_bucket")["billing_data_results_bucket"] = self.bucket("one_bucket", "for-all")
        self.vars("one_bucket")["billing_data_report_bucket"] = f"for-all-{self.account('one_bucket')}"

    def crowd(self) -> None:
        """More readers than a trust has room for."""
        arns = [f"arn:aws:iam::{self.place.cluster_account}:role/kubecost-{number:02}" for number in range(9)]
        self.vars("crowd")["billing_data_reader_role_arns"] = arns

    def denied_key(self) -> None:
        """A key that AWS Billing may not use."""
        self.vars("denied_key")["billing_data_report_kms_key_arn"] = self.key("denied_key")

    # --- runs

    def run(self, *situations: str, state: str = "present", **options: Any) -> PayerRun:
        """Preflight and role on these payers, on all unless named."""
        tasks = [
            {
                "name": "Check",
                "ansible.builtin.include_role": {"name": "kubestrap.aws.billing_data", "tasks_from": "preflight"},
            },
            {"name": "Do it", "ansible.builtin.include_role": {"name": "kubestrap.aws.billing_data"}},
        ]
        hosts = [self.hosts[situation] for situation in situations or SITUATIONS]
        play = {"hosts": hosts, "gather_facts": False, "vars": {"billing_data_state": state}, "tasks": tasks}
        run = self.place.run([play], arguments=("--forks", str(len(SITUATIONS))), **options)
        return PayerRun(run, self)


@dataclasses.dataclass
class PayerRun:
    """A run over all payers."""

    run: Run
    payers: Payers

    def result(self, situation: str) -> dict[str, Any]:
        """The fact billing_data_result; empty where the payer failed."""
        for task in reversed(self.run.tasks):
            facts = task.result.get("ansible_facts") or {}
            if task.host == self.payers.hosts[situation] and "billing_data_result" in facts:
                return facts["billing_data_result"]
        return {}

    def failure(self, situation: str) -> str:
        """Why a payer failed."""
        failed = [t for t in self.run.tasks if t.failed and t.host == self.payers.hosts[situation]]
        return " ".join(str(task.result.get("msg")) for task in failed)

    def writes(self, situation: str) -> list[str]:
        """The calls that changed something in its account."""
        account = self.payers.account(situation)
        return [c["operation"] for c in self.run.calls if c["kind"] == "write" and c["account_id"] == account]


@pytest.fixture(scope="module")
def payers(gateway_sandbox: Sandbox) -> Payers:
    """All of them."""
    return Payers(gateway_sandbox)


@pytest.fixture(scope="module")
def predicted(payers: Payers) -> PayerRun:
    """A run in check mode, before all others."""
    return payers.run(*GOOD, check=True)


@pytest.fixture(scope="module")
def first(payers: Payers) -> PayerRun:
    """The first run for real."""
    return payers.run()


@pytest.fixture(scope="module")
def again(payers: Payers, first: PayerRun) -> PayerRun:
    """The same once more."""
    return payers.run(*GOOD)


@pytest.mark.parametrize("situation", GOOD)
def test_what_is_predicted_is_done_and_then_nothing(
    predicted: PayerRun, first: PayerRun, again: PayerRun, situation: str
) -> None:
    for run in (predicted, first, again):
        assert run.failure(situation) == ""
    assert predicted.writes(situation) == []
    assert predicted.result(situation)["changes"] == first.result(situation)["changes"] != []
    assert again.result(situation)["changes"] == []
    assert again.writes(situation) == []


@pytest.mark.parametrize(
    ("situation", "said"),
    [
        ("managed", ["billing_data_workgroup: 'kubecost' keeps the results of queries in Athena itself"]),
        ("elsewhere", ["s3_bucket is their-billing-", "To use the report as it is, write billing_data_report_bucket: "
                       "their-billing-", "billing_data_report_prefix: billing", "billing_data_report_change: true"]),
        ("one_bucket", ["billing_data_results_bucket: 'for-all-", "is the bucket of the report too"]),
        ("crowd", ["billing_data_reader_role_arns: 9 roles would make the trust", "IAM allows 2048"]),
        ("denied_key", ["is a key that AWS Billing may not use", "'billing_report_key'"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_the_first_write(first: PayerRun, situation: str, said: list[str]) -> None:
    failure = first.failure(situation)
    assert all(part in failure for part in said), failure
    assert first.writes(situation) == []


def test_without_a_reader_the_role_is_known_but_not_made(payers: Payers, first: PayerRun) -> None:
    result = first.result("alone")
    assert result["reader_role_arn"] == f"arn:aws:iam::{payers.account('alone')}:role/{READER}"
    assert result["cloud_integration"]["role_arn"] == result["reader_role_arn"]
    assert result["catalog"] == ""
    roles = payers.aws("alone").client("iam").list_roles()["Roles"]
    assert [role["RoleName"] for role in roles] == ["operator"]
    assert any("The role kubecost-cur-access is not made" in note for note in result["notes"])
    expected = policies.billing_data_reader(
        partition="aws",
        region="us-east-1",
        account_id=payers.account("alone"),
        report_bucket=result["report_bucket"],
        report_prefix="cur",
        results_bucket=f"kubestrap-athena-{payers.account('alone')}-us-east-1",
        results_prefix="kubecost",
        workgroup="kubecost",
        database="athenacurcfn_kubecost",
        table="kubecost",
    )
    assert result["reader_statements"] == expected


def query(payers: Payers, result: dict[str, Any]) -> str:
    """Query as Kubecost does, through both roles and with the location that it is given; why it fails."""
    from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import run_query

    connection = payers.place.cluster_aws()
    for arn in (payers.workload, result["reader_role_arn"]):
        answer = connection.client("sts").assume_role(RoleArn=arn, RoleSessionName="existing")
        connection = connection.with_credentials(answer["Credentials"])
    sql = f'SELECT line_item_resource_id FROM "{result["database"]}"."{result["table"]}" LIMIT 1'
    place = {"database": result["database"], "workgroup": result["workgroup"]}
    done = run_query(
        connection, sql, region="us-east-1", timeout=60, output_location=result["results_location"], **place
    )
    return "" if done.state == "SUCCEEDED" and done.rows else done.reason or done.state


@pytest.mark.parametrize("situation", ["enforced", "adopted", "options"])
def test_kubecost_can_read_with_what_is_effective(payers: Payers, first: PayerRun, situation: str) -> None:
    payers.place.deliver(payers.hosts[situation])
    assert query(payers, first.result(situation)) == ""


def test_an_enforced_location_is_followed(payers: Payers, first: PayerRun) -> None:
    result = first.result("enforced")
    assert result["results_location"] == f"s3://their-results-{payers.account('enforced')}/athena/"
    assert result["cloud_integration"]["bucket"] == result["results_location"]
    assert payers.enforced_key in json.dumps(result["reader_statements"])
    notes = " ".join(result["notes"])
    assert "It sends its results to s3://their-results-" in notes
    assert "billing_data_scan_limit_bytes is not applied" in notes
    names = [bucket["Name"] for bucket in payers.aws("enforced").client("s3").list_buckets()["Buckets"]]
    assert not [name for name in names if name.startswith("kubestrap-athena")]
    athena = payers.aws("enforced").client("athena")
    configuration = athena.get_work_group(WorkGroup="kubecost")["WorkGroup"]["Configuration"]
    assert "BytesScannedCutoffPerQuery" not in configuration


def test_what_exists_is_used_and_not_owned(payers: Payers, first: PayerRun) -> None:
    aws, result = payers.aws("adopted"), first.result("adopted")
    bucket = f"their-billing-{payers.account('adopted')}"
    assert result["report_bucket"] == bucket
    (report,) = aws.client("cur", "us-east-1").describe_report_definitions()["ReportDefinitions"]
    assert (report["S3Bucket"], report["TimeUnit"]) == (bucket, "HOURLY")
    role = aws.client("iam").get_role(RoleName=READER)["Role"]
    sids = [statement["Sid"] for statement in role["AssumeRolePolicyDocument"]["Statement"]]
    assert sids == ["Theirs", trust.reader_sid(payers.workload)]
    assert OURS not in role.get("Tags", [])
    policy = json.loads(aws.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    sids = {statement["Sid"] for statement in policy["Statement"]}
    assert {"Their0", "Their1"} < sids
    assert "DenyInsecureTransport" not in sids, "its owner says how it is reached"
    writes = set(first.writes("adopted"))
    assert writes.isdisjoint({"CreateBucket", "CreateWorkGroup", "UpdateWorkGroup", "PutReportDefinition"})
    assert writes.isdisjoint({"ModifyReportDefinition", "TagRole", "PutBucketTagging", "PutPublicAccessBlock"})


def test_options(payers: Payers, first: PayerRun) -> None:
    s3, result = payers.aws("options").client("s3"), first.result("options")
    for bucket, option in (
        (result["report_bucket"], "billing_data_report_kms_key_arn"),
        (f"kubestrap-athena-{payers.account('options')}-us-east-1", "billing_data_results_kms_key_arn"),
    ):
        rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == payers.vars("options")[option]
        assert rule["BucketKeyEnabled"]
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=result["report_bucket"])["Rules"]
    assert (rule["Filter"], rule["Expiration"]) == ({"Prefix": "cur/kubecost/"}, {"Days": 400})
    sids = {statement["Sid"] for statement in result["reader_statements"]}
    assert {"DecryptReport", "EncryptResults", "ReadAccountTags"} < sids
    notes = " ".join(result["notes"])
    assert "deleted after 400 days" in notes
    assert "of 350 characters, and each further cluster takes about 250" in notes


def test_what_may_be_changed_is_changed(payers: Payers, first: PayerRun) -> None:
    aws, result = payers.aws("options"), first.result("options")
    (report,) = aws.client("cur", "us-east-1").describe_report_definitions()["ReportDefinitions"]
    assert (report["Format"], report["AdditionalArtifacts"]) == ("Parquet", ["ATHENA"])
    assert report["S3Bucket"] == result["report_bucket"]
    configuration = aws.client("athena").get_work_group(WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert configuration["ResultConfiguration"]["OutputLocation"] == result["results_location"]
    assert configuration["ManagedQueryResultsConfiguration"] == {"Enabled": False}


@pytest.fixture(scope="module")
def left(payers: Payers, first: PayerRun) -> PayerRun:
    """What a teardown with all data leaves; the reader of `options` stays, the other ones leave."""
    for situation in ("enforced", "adopted"):
        payers.vars(situation)["billing_data_leaving_role_arns"] = [payers.workload]
        payers.vars(situation)["billing_data_reader_role_arns"] = []
        payers.vars(situation)["billing_data_delete_data"] = True
    payers.vars("options")["billing_data_reader_role_arns"] = []
    # Somebody else's report is delivered into the bucket that was made here.
    s3, account = payers.aws("enforced").client("s3"), payers.account("enforced")
    bucket = f"kubestrap-cur-{account}-us-east-1"
    other = {**REPORT, "ReportName": "finance", "S3Bucket": bucket}
    payers.aws("enforced").client("cur", "us-east-1").put_report_definition(ReportDefinition=other)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"]
    return payers.run("enforced", "adopted", "options", state="absent")


def test_everything_stays_while_somebody_reads(payers: Payers, left: PayerRun) -> None:
    (kept,) = left.result("options")["kept"]
    assert f"the trust of the role {READER} still names {payers.workload}" in kept
    assert left.writes("options") == []


def test_the_bucket_stays_while_a_report_is_delivered_into_it(payers: Payers, left: PayerRun) -> None:
    kept = " ".join(left.result("enforced")["kept"])
    assert "AWS delivers the report finance into it" in kept
    assert "the workgroup kubecost was not made by this collection" in kept
    bucket = f"kubestrap-cur-{payers.account('enforced')}-us-east-1"
    assert payers.aws("enforced").client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] > 5
    roles = payers.aws("enforced").client("iam").list_roles()["Roles"]
    assert READER not in [role["RoleName"] for role in roles]


def test_what_was_adopted_is_left_as_it_was(payers: Payers, left: PayerRun) -> None:
    aws = payers.aws("adopted")
    assert len(aws.client("cur", "us-east-1").describe_report_definitions()["ReportDefinitions"]) == 1
    bucket = f"their-billing-{payers.account('adopted')}"
    assert aws.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] > 5
    role = aws.client("iam").get_role(RoleName=READER)["Role"]
    assert [s["Sid"] for s in role["AssumeRolePolicyDocument"]["Statement"]] == ["Theirs"]
    assert aws.client("iam").list_role_policies(RoleName=READER)["PolicyNames"] == []


def test_with_an_explicit_purge_it_goes(payers: Payers, left: PayerRun) -> None:
    """Readers that nobody knows any more. The report was there before, so it stays, and its bucket with it."""
    purge = {"billing_data_purge_readers": True, "billing_data_delete_data": True}
    run = payers.run("options", state="absent", limit=payers.hosts["options"], extra_vars=purge)
    assert "billing_data_purge_readers: 'true' cannot be used with --limit" in run.failure("options")

    run = payers.run("options", state="absent", extra_vars=purge)

    assert run.failure("options") == ""
    kept = " ".join(run.result("options")["kept"])
    assert "the Cost and Usage Report kubecost was not made by this collection" in kept
    assert "AWS delivers the report kubecost into it" in kept
    names = [bucket["Name"] for bucket in payers.aws("options").client("s3").list_buckets()["Buckets"]]
    assert [name for name in names if name.startswith("kubestrap")] == [
        f"kubestrap-cur-{payers.account('options')}-us-east-1"
    ]
