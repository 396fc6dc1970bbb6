# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A payer with billing data and a cluster with a workload, made call by call from the collection's own documents.

Playbooks are tested elsewhere. Here each part can be left out, broken and mended alone, within milliseconds.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from sandbox.client import Sandbox

COLLECTION = Path(__file__).resolve().parents[2]
if not any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
    paths = filter(None, os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":"))
    _AnsibleCollectionFinder(paths=[str(COLLECTION.parents[2]), *paths])._install()

from ansible_collections.kubestrap.aws.plugins.module_utils import _cur_schema as schema  # noqa: E402
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight_rights as preflight_rights  # noqa: E402
from ansible_collections.kubestrap.aws.plugins.module_utils import (  # noqa: E402
    kubecost_chart,
    kubecost_values,
    operator_cost_tag_policies,
    operator_policies,
    operator_rbac,
    operator_storage_policies,
    operator_tag_policies,
    policies,
    storage_policies,
    trust,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection  # noqa: E402
from ansible_collections.kubestrap.aws.plugins.module_utils._eks_token import eks_token  # noqa: E402
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_actions import actions_of  # noqa: E402
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeApi  # noqa: E402

# For tests of other files too: only here the collection can be imported before pytest has a sandbox.
__all__ = [
    "KubeApi",
    "actions_of",
    "eks_token",
    "kubecost_chart",
    "kubecost_values",
    "operator_policies",
    "operator_rbac",
    "operator_storage_policies",
    "operator_tag_policies",
    "operator_cost_tag_policies",
    "policies",
    "preflight_rights",
    "schema",
    "storage_policies",
    "trust",
]

PAYER, CLUSTER = "111111111111", "222222222222"
ATHENA_REGION, CLUSTER_REGION = "us-east-1", "eu-west-1"
COLUMNS = (*schema.KUBECOST_REQUIRED_COLUMNS, *(key["name"] for key in schema.PARTITION_KEYS))
_FORMAT = "org.apache.hadoop.hive.ql.io.parquet."
_PARQUET = {
    "InputFormat": f"{_FORMAT}MapredParquetInputFormat",
    "OutputFormat": f"{_FORMAT}MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": f"{_FORMAT}serde.ParquetHiveSerDe"},
}


def operator(sandbox: Sandbox, account_id: str, region: str) -> AwsConnection:
    """A connection as the operator of an account."""
    state = sandbox.state
    where = {"endpoint_url": state["endpoint_url"], "verify": state["ca_bundle"]}
    root = boto3.client("sts", region, aws_access_key_id=account_id, aws_secret_access_key="test", **where)
    role_arn = state["accounts"][account_id]["operator_role_arn"]
    keys = root.assume_role(RoleArn=role_arn, RoleSessionName="integration")["Credentials"]
    connection = AwsConnection(region, state["endpoint_url"], {"verify": state["ca_bundle"]})
    return connection.with_credentials(keys)


def give_operator(sandbox: Sandbox, account_id: str, statements: list[dict[str, Any]]) -> None:
    """Let the operator of an account do this and nothing else; set by its root, whom no policy binds."""
    state = sandbox.state
    keys = {"aws_access_key_id": account_id, "aws_secret_access_key": "test"}
    where = {"endpoint_url": state["endpoint_url"], "verify": state["ca_bundle"]}
    iam = boto3.client("iam", ATHENA_REGION, **where, **keys)
    iam.put_role_policy(RoleName="operator", PolicyName="everything", PolicyDocument=text(statements))


def text(statements: list[dict[str, Any]]) -> str:
    """The document of these statements as the API takes it."""
    return json.dumps(policies.document(statements))


class World:
    """The parts, all named after the world, so that worlds do not meet.

    :ivar payer: connection as operator of the payer's account, in the region of Athena
    :ivar cluster: the same of the cluster's account, in the region of the cluster
    """

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox = sandbox
        self.name = name
        self.payer = operator(sandbox, PAYER, ATHENA_REGION)
        self.cluster = operator(sandbox, CLUSTER, CLUSTER_REGION)
        self.report_bucket, self.results_bucket = f"{name}-report", f"{name}-results"
        self.output_location = f"s3://{self.results_bucket}/kubecost"
        self.database = self.table = name.replace("-", "_")
        self.reader_arn = f"arn:aws:iam::{PAYER}:role/{name}-reader"
        self.workload_arn = f"arn:aws:iam::{CLUSTER}:role/{name}-workload"
        self.namespace, self.service_account = name, "kubecost"

    # --- the payer's half

    def reader_parameters(self) -> dict[str, str]:
        """Parameters of the document ``billing_data_reader`` for this world."""
        return {
            "partition": "aws",
            "region": ATHENA_REGION,
            "account_id": PAYER,
            "report_bucket": self.report_bucket,
            "report_prefix": "reports",
            "results_bucket": self.results_bucket,
            "results_prefix": "kubecost",
            "workgroup": self.name,
            "database": self.database,
            "table": self.table,
        }

    def delivery(self) -> list[dict[str, Any]]:
        """Statements of the report bucket."""
        return policies.billing_report_delivery(bucket=self.report_bucket, account_id=PAYER, partition="aws")

    def definition(self) -> dict[str, Any]:
        """The report as Kubecost needs it."""
        return {
            "ReportName": self.name,
            "TimeUnit": "DAILY",
            "Format": "Parquet",
            "Compression": "Parquet",
            "AdditionalSchemaElements": ["RESOURCES"],
            "S3Bucket": self.report_bucket,
            "S3Prefix": "reports",
            "S3Region": ATHENA_REGION,
            "AdditionalArtifacts": ["ATHENA"],
            "RefreshClosedReports": True,
            "ReportVersioning": "OVERWRITE_REPORT",
        }

    def make_buckets(self) -> None:
        """Both buckets, the policy of billing on the first one."""
        s3 = self.payer.client("s3")
        for bucket in (self.report_bucket, self.results_bucket):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_policy(Bucket=self.report_bucket, Policy=text(self.delivery()))

    def make_report(self) -> None:
        """The report's definition."""
        self.payer.client("cur").put_report_definition(ReportDefinition=self.definition())

    def deliver(self, **options: Any) -> None:
        """AWS Billing delivers this month and the last one."""
        request = {"account_id": PAYER, "report_name": self.name, "months": 2, "rows": 200, **options}
        assert self.sandbox.deliver(**request)["status"] == "SUCCESS"

    def table_input(self) -> dict[str, Any]:
        """The table over the report, with partition projection."""
        location = f"s3://{self.report_bucket}/reports/{self.name}/{self.name}/"
        return {
            "Name": self.table,
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": {
                "Columns": [{"Name": c["name"], "Type": c["type"]} for c in schema.base_columns()],
                "Location": location,
                **_PARQUET,
            },
            "PartitionKeys": [{"Name": c["name"], "Type": c["type"]} for c in schema.PARTITION_KEYS],
            "Parameters": {
                "projection.enabled": "true",
                "projection.year.type": "integer",
                "projection.year.range": "2020,2040",
                "projection.month.type": "integer",
                "projection.month.range": "1,12",
                "storage.location.template": location + "year=${year}/month=${month}",
            },
        }

    def make_table(self) -> None:
        """Workgroup, database and table."""
        self.payer.client("athena").create_work_group(Name=self.name, Configuration={})
        glue = self.payer.client("glue")
        glue.create_database(DatabaseInput={"Name": self.database})
        glue.create_table(DatabaseName=self.database, TableInput=self.table_input())

    def make_reader(self) -> None:
        """The payer's role, which trusts the workload's role."""
        statements = trust.workload_role_trust(role_arns=[self.workload_arn])
        name = self.reader_arn.rsplit("/", 1)[-1]
        self.payer.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=text(statements))
        self.set_reader_policy(policies.billing_data_reader(**self.reader_parameters()))

    def set_reader_policy(self, statements: list[dict[str, Any]]) -> None:
        """What the payer's role may do."""
        name = self.reader_arn.rsplit("/", 1)[-1]
        self.payer.client("iam").put_role_policy(RoleName=name, PolicyName="reader", PolicyDocument=text(statements))

    def set_reader_trust(self, statements: list[dict[str, Any]]) -> None:
        """Who may take the payer's role."""
        name = self.reader_arn.rsplit("/", 1)[-1]
        self.payer.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=text(statements))

    # --- the cluster's half

    @property
    def issuer(self) -> str:
        """Issuer of the cluster."""
        return self.sandbox.state["clusters"]["demo"]["issuer"]

    @property
    def provider_arn(self) -> str:
        """ARN of the issuer's provider in the cluster's account."""
        return f"arn:aws:iam::{CLUSTER}:oidc-provider/{self.issuer.removeprefix('https://')}"

    def irsa(self, *subjects: str) -> list[dict[str, Any]]:
        """Trust for these ServiceAccounts; without any, for the workload's own."""
        own = trust.subject(self.namespace, self.service_account)
        return trust.irsa_trust(
            oidc_provider_arn=self.provider_arn, issuer=self.issuer, subjects=list(subjects) or [own]
        )

    def make_provider(self) -> None:
        """The cluster's provider, which all worlds of a cluster share."""
        iam = self.cluster.client("iam")
        known = [provider["Arn"] for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
        if self.provider_arn not in known:
            iam.create_open_id_connect_provider(Url=self.issuer, ClientIDList=["sts.amazonaws.com"])

    def make_workload_role(self, statements: list[dict[str, Any]]) -> None:
        """The workload's role, which may take the payer's role."""
        name = self.workload_arn.rsplit("/", 1)[-1]
        self.cluster.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=text(statements))
        self.set_workload_policy(policies.assume_role(role_arns=[self.reader_arn]))

    def set_workload_policy(self, statements: list[dict[str, Any]]) -> None:
        """What the workload's role may do."""
        iam, name = self.cluster.client("iam"), self.workload_arn.rsplit("/", 1)[-1]
        iam.put_role_policy(RoleName=name, PolicyName="workload", PolicyDocument=text(statements))

    def set_workload_trust(self, statements: list[dict[str, Any]]) -> None:
        """Who may take the workload's role."""
        name = self.workload_arn.rsplit("/", 1)[-1]
        self.cluster.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=text(statements))

    def kube(self) -> KubeApi:
        """The cluster's API server, as its administrator."""
        cluster = self.sandbox.state["clusters"]["demo"]
        return KubeApi(cluster["endpoint"], cluster["admin_token"], cluster["ca_file"], cluster_name="demo")

    def make_service_account(self) -> None:
        """Namespace and annotated ServiceAccount."""
        core = ("api", "v1", "namespaces")
        self.kube().post(*core, body={"kind": "Namespace", "metadata": {"name": self.namespace}})
        annotations = {"eks.amazonaws.com/role-arn": self.workload_arn}
        metadata = {"name": self.service_account, "annotations": annotations}
        self.kube().post(
            *core, self.namespace, "serviceaccounts", body={"kind": "ServiceAccount", "metadata": metadata}
        )

    def make_secret(self, document: Any) -> None:
        """The cloud integration as a Secret."""
        data = {"cloud-integration.json": base64.b64encode(json.dumps(document).encode()).decode()}
        body = {"kind": "Secret", "metadata": {"name": "cloud-integration"}, "data": data}
        self.kube().post("api", "v1", "namespaces", self.namespace, "secrets", body=body)

    def token(self, service_account: str | None = None, audience: str = "sts.amazonaws.com") -> str:
        """A token of a ServiceAccount."""
        place = ("api", "v1", "namespaces", self.namespace, "serviceaccounts", service_account or self.service_account)
        spec = {"audiences": [audience], "expirationSeconds": 600}
        return self.kube().post(*place, "token", body={"spec": spec})["status"]["token"]
