# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the cloud-cost container: reads what is mounted, goes the way to the billing data, tells how that went.

It does what OpenCost does, with the pod's own means: the Secret that a volume of the pod names, the role in the pod's
environment, a token of its ServiceAccount, the payer's role, one Athena query. The calls are authorized as any other,
and left out of the record, since no task under test makes them.
"""

from __future__ import annotations

import base64
import datetime
import json
import time
from typing import Any

from .control_plane.api import ApiError, KubernetesApi

FILE = "cloud-integration.json"
CONTAINERS = ("cloud-cost", "cost-model", "opencost")
_NODE = "arn:aws:sts::{account}:assumed-role/eks-node-group/i-0123456789abcdef0"
_QUERY_SECONDS = 30.0


class Refused(Exception):
    """A call failed; the text is what the log says."""


class Chain:
    """The way of one cluster's pods; `account_id` is the cluster's, `gateway` answers AWS' calls."""

    def __init__(self, api: KubernetesApi, gateway: Any, account_id: str) -> None:
        self._api, self._gateway, self._account_id = api, gateway, account_id

    def status(self, namespace: str) -> tuple[list[dict[str, Any]], list[str]]:
        """`data` of the status page, and the lines of the log, after one run for each integration."""
        pod = self._pod(namespace)
        document = self._document(namespace, pod) if pod else None
        if document is None:
            return [], [f"ERR open /var/configs/{FILE}: no such file or directory"]
        data, lines = [], ["INF Cloud Costs enabled: true"]
        for config in configurations(document):
            key = f"{config['account']}/{config['bucket']}"
            try:
                rows = self._query(namespace, pod, config)
                status = "Connection Successful" if rows else "Data Missing"
            except Refused as error:
                status = "Failed Connection"
                said = f"GetCloudCost: error getting Athena columns: QueryAthenaPaginated: {error}"
                lines.append(f"ERR CloudCost[{key}]: ingestor: build failed for window [a, b): {said}")
            fields = {"source": "multicloud", "provider": "AWS", "active": True, "valid": True, "runs": 1}
            data.append({"key": key, **fields, "connectionStatus": status, "coverage": "[a, b)", "config": config})
        return data, lines

    def _pod(self, namespace: str) -> dict[str, Any] | None:
        pods = self._api.request("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        pods = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp") and _reader(pod)]
        return max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], default=None)

    def _document(self, namespace: str, pod: dict[str, Any]) -> dict[str, Any] | None:
        """The file, from the Secret that one of the pod's volumes names."""
        for name in [v["secret"]["secretName"] for v in pod["spec"].get("volumes", []) if "secret" in v]:
            try:
                content = self._api.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data") or {}
            except ApiError:
                continue
            if FILE in content:
                return json.loads(base64.b64decode(content[FILE]))
        return None

    def _query(self, namespace: str, pod: dict[str, Any], config: dict[str, Any]) -> int:
        """Number of rows of this month or the last one, one at the most. Raises Refused."""
        from botocore.exceptions import ClientError

        keys = self._identity(namespace, pod, config["region"])
        try:
            if config["role_arn"]:
                sts = self._client("sts", config["region"], keys)
                answer = sts.assume_role(RoleArn=config["role_arn"], RoleSessionName="kubecost")
                keys = answer["Credentials"]
            athena = self._client("athena", config["region"], keys)
            started = athena.start_query_execution(
                QueryString=f'SELECT line_item_resource_id FROM "{config["table"]}" WHERE {_months()} LIMIT 1',
                QueryExecutionContext={"Database": config["database"]},
                ResultConfiguration={"OutputLocation": config["bucket"]},
                **({"WorkGroup": config["workgroup"]} if config["workgroup"] else {}),
            )["QueryExecutionId"]
            deadline = time.monotonic() + _QUERY_SECONDS
            while (state := _state(athena, started)) in ("QUEUED", "RUNNING") and time.monotonic() < deadline:
                time.sleep(0.1)
            if state != "SUCCEEDED":  # OpenCost does not say why
                raise Refused(f"query execution error: no query results available for query {started}")
            return len(athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"]) - 1
        except ClientError as error:
            raise Refused(_sdk_text(error)) from None

    def _identity(self, namespace: str, pod: dict[str, Any], region: str) -> dict[str, str]:
        """Credentials of the role in the pod's environment. Raises Refused; without a role as a node would be."""
        from botocore.exceptions import ClientError

        environment = {item["name"]: item.get("value", "") for item in (_reader(pod) or {}).get("env", [])}
        if "AWS_ROLE_ARN" not in environment:
            user = _NODE.format(account=self._account_id)
            said = f"User: {user} is not authorized to perform: sts:AssumeRole"
            raise Refused(f"operation error STS: AssumeRole, StatusCode: 403, api error AccessDenied: {said}")
        account = pod["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        asked["spec"] = {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}  # type: ignore[assignment]
        token = self._api.request("POST", path, asked)["status"]["token"]
        try:
            return self._client("sts", region, None).assume_role_with_web_identity(
                RoleArn=environment["AWS_ROLE_ARN"], RoleSessionName="kubecost", WebIdentityToken=token
            )["Credentials"]
        except ClientError as error:
            raise Refused(_sdk_text(error)) from None

    def _client(self, service: str, region: str, keys: dict[str, str] | None) -> Any:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        from .gateway.call import SETUP_USER_AGENT

        options: dict[str, Any] = {"user_agent_extra": SETUP_USER_AGENT, "retries": {"max_attempts": 0}}
        given = {"signature_version": UNSIGNED} if keys is None else {}
        names = {"AccessKeyId": "aws_access_key_id", "SecretAccessKey": "aws_secret_access_key"}
        names["SessionToken"] = "aws_session_token"
        return boto3.Session(**{names[name]: keys[name] for name in names} if keys else {}).client(
            service,
            region_name=region,
            endpoint_url=self._gateway.endpoint_url,
            verify=self._gateway.ca_bundle,
            config=Config(**options, **given),
        )


def configurations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The AWS entries of a cloud-integration.json of either form, in the words of the new one."""
    aws = document.get("aws") or []
    if isinstance(aws, dict):
        entries = [dict(entry) for entry in aws.get("athena", [])]
        for entry in entries:
            entry["role_arn"] = (entry.pop("authorizer", None) or {}).get("roleARN", "")
        return entries
    words = {
        "bucket": "athenaBucketName", "region": "athenaRegion", "database": "athenaDatabase", "table": "athenaTable",
        "workgroup": "athenaWorkgroup", "account": "projectID", "role_arn": "masterPayerARN",
    }  # fmt: skip
    return [{new: entry.get(old, "") for new, old in words.items()} for entry in aws]


def _reader(pod: dict[str, Any]) -> dict[str, Any] | None:
    """The container that reads billing data."""
    return next((item for item in pod["spec"]["containers"] if item["name"] in CONTAINERS), None)


def _months() -> str:
    """This month and the one before, as OpenCost writes them."""
    today = datetime.datetime.now(datetime.UTC).date()
    before = today.replace(day=1) - datetime.timedelta(days=1)
    return " OR ".join(f"(year = '{day.year}' AND month = '{day.month}')" for day in (before, today))


def _state(athena: Any, query_id: str) -> str:
    return athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"]


def _sdk_text(error: Any) -> str:
    """As the AWS SDK for Go tells it."""
    said, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    where = f"operation error {error.operation_name}, https response error StatusCode: {status}"
    return f"start query error: {where}, api error {said['Code']}: {said['Message']}"
