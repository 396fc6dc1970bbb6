# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be known before the first write: who the credentials are, whose the names are.

Nothing here raises for a wrong input: each finding becomes one sentence, so that a user sees all of them at once.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import tempfile
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._eks_cluster import Cluster, read
from ._eks_token import eks_token
from ._errors import error_code, explain
from ._kube_api import METADATA_ONLY, KubeApi, KubeError, principal_of
from ._plan import gather
from ._preflight_names import problems_of
from ._regions import check_region
from ._s3_names import check_bucket_name

try:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

SELF_SUBJECT_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
HELM_HELP = "Install Helm 3 (https://helm.sh/docs/intro/install/) on the controller or in the execution environment"


def check_region_of_host(region: str | None) -> list[str]:
    """Problems of the region that a host is to work in."""
    if not region:
        return ["kubestrap_aws_region: no region is set for this host. Write the name of a region, such as eu-west-1"]
    return problems_of(lambda: check_region("kubestrap_aws_region", region))


def check_caller(connection: AwsConnection, account_id: str | None) -> tuple[dict[str, str] | None, list[str]]:
    """The caller's identity, and what is wrong with it.

    :param account_id: the account that the inventory names for this host, ``None`` when it names none
    """
    try:
        caller = connection.caller
    except (BotoCoreError, ClientError) as e:
        return None, [_not_working(e)]
    if account_id and caller["account"] != account_id:
        return caller, [
            f"kubestrap_account_id: '{account_id}' is not the account of these credentials: they belong to account "
            f"{caller['account']} ({caller['arn']}). Write that account, or use the credentials of {account_id} "
            "(kubestrap_aws_profile)"
        ]
    return caller, []


def check_credentials(connection: AwsConnection) -> list[str]:
    """What is wrong with the credentials, as far as it can be known without a region to ask in (no call)."""
    try:
        if connection.session.get_credentials() is None:
            raise NoCredentialsError
    except BotoCoreError as e:
        return [_not_working(e)]
    return []


def _not_working(error: Exception) -> str:
    reason = explain(error) or "Check the profile or the keys of this host (kubestrap_aws_profile)"
    return f"The AWS credentials of this host do not work. {reason}: {error}"


def check_bucket(connection: AwsConnection, bucket: t.Mapping[str, t.Any], account_id: str) -> tuple[bool, list[str]]:
    """Whether the bucket exists, and why it cannot be used (HeadBucket, one call).

    :param bucket: ``option`` (the variable that names it) and ``name``; it has to be in the connection's region
    """
    option, name, region = bucket["option"], bucket["name"], str(connection.region)
    try:
        answer = connection.client("s3", region).head_bucket(Bucket=name, ExpectedBucketOwner=account_id)
    except ClientError as e:
        return _bucket_refused(e, option, name, region, account_id)
    actual = answer.get("BucketRegion")
    if actual and actual != region:
        return True, [_wrong_region(option, name, actual, region)]
    return True, []


def _bucket_refused(error: ClientError, option: str, name: str, region: str, account_id: str) -> tuple[bool, list[str]]:
    code = error_code(error)
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    actual = headers.get("x-amz-bucket-region")
    if code in ("404", "NoSuchBucket"):
        return False, []
    if code in ("301", "PermanentRedirect", "400", "AuthorizationHeaderMalformed") and actual and actual != region:
        return True, [_wrong_region(option, name, actual, region)]
    if code in ("403", "AccessDenied"):
        return True, [
            f"{option}: the bucket '{name}' exists and does not belong to account {account_id}, or these credentials "
            "may not see it. Bucket names are unique over all accounts: choose another name, or allow s3:ListBucket"
        ]
    return False, [f"{option}: the bucket '{name}' cannot be read: {error}"]


def _wrong_region(option: str, name: str, actual: str, region: str) -> str:
    return (
        f"{option}: the bucket '{name}' is in region {actual}, but Athena queries here run in {region}, and Athena "
        f"uses buckets of its own region only. Choose a bucket in {region}, or set the region to {actual}"
    )


def check_helm(option: str, binary: str) -> tuple[str | None, list[str]]:
    """Path of the helm program, and a problem when there is none."""
    path = shutil.which(binary)
    if path:
        return path, []
    return None, [f"{option}: '{binary}' is not a program on this controller. {HELM_HELP}"]


def check_cluster(connection: AwsConnection, name: str, account_id: str) -> tuple[Cluster | None, list[str]]:
    """The cluster, and why it cannot be used (DescribeCluster, one call)."""
    option = "kubestrap_eks_cluster_name"
    if not name:
        return None, [f"{option}: no cluster is named for this host. Write the name of its EKS cluster"]
    try:
        cluster = read(connection, name)
    except AnsibleAWSError as e:
        reason = explain(e.exception)
        return None, [f"{option}: the cluster '{name}' cannot be read{f'. {reason}' if reason else ''}: {e}"]
    if cluster is None:
        return None, [
            f"{option}: '{name}' is not a cluster of account {account_id} in region {connection.region}. Write the "
            "name that aws eks list-clusters shows there, or correct kubestrap_aws_region or kubestrap_aws_profile"
        ]
    if not cluster["issuer"]:
        wait = "" if cluster["status"] == "ACTIVE" else "Wait until it is ACTIVE, or name"
        return cluster, [
            f"{option}: the cluster '{name}' (status {cluster['status']}) has no OpenID Connect issuer, so IAM cannot "
            f"trust its ServiceAccounts. {wait or 'Name'} another cluster"
        ]
    if not cluster["endpoint"]:
        return cluster, [
            f"{option}: the cluster '{name}' (status {cluster['status']}) has no API server yet. "
            "Wait until it is ACTIVE"
        ]
    return cluster, []


def check_access(connection: AwsConnection, cluster: Cluster, ca_file: str) -> list[str]:
    """Why the API server cannot be used with these credentials (a token is made, one request is sent to it).

    :param ca_file: file with the cluster's certificate authority
    """
    api = kube_api(connection, cluster, ca_file)
    try:
        # Every authenticated identity may ask who it is; an anonymous one may not.
        api.post("apis", "authentication.k8s.io", "v1", "selfsubjectreviews", body=SELF_SUBJECT_REVIEW)
    except KubeError as e:
        return [_unreachable(cluster, e) if e.status is None else f"kubestrap_eks_cluster_name: {e}"]
    return []


def _unreachable(cluster: Cluster, error: KubeError) -> str:
    """Why there is no answer, as far as the cluster's own settings tell."""
    private, networks = not cluster["endpoint_public_access"], cluster["public_access_cidrs"]
    if private:
        why = "its endpoint is private: it answers within its VPC, and in networks that are connected to it, only"
        change = "Run this from there (an AWX instance in the VPC, a VPN, a peered network)"
    elif networks and "0.0.0.0/0" not in networks:
        why = f"its public endpoint admits these networks only: {', '.join(networks)}"
        change = "Run this from one of them, or add the controller's own to the public access CIDRs of the cluster"
    else:
        return f"kubestrap_eks_cluster_name: {error}"
    return (
        f"kubestrap_eks_cluster_name: {error.detail} ({error.cause}), and {why}. {change}, or give "
        "kubestrap_kubeconfig with another way to it"
    )


def is_installed(connection: AwsConnection, cluster: Cluster, namespace: str, ca_file: str) -> bool:
    """Whether a namespace has a Secret of this collection, as far as these credentials may see it (one request)."""
    return has_ours(kube_api(connection, cluster, ca_file), namespace)


def has_ours(api: KubeApi, namespace: str) -> bool:
    """The same of an API server (one request)."""
    query = {"labelSelector": "app.kubernetes.io/managed-by=kubestrap.aws", "limit": "1"}
    try:
        found = api.get("api", "v1", "namespaces", namespace, "secrets", query=query, accept=METADATA_ONLY)
    except KubeError:
        return False
    return bool(found and found["items"])


@contextlib.contextmanager
def cluster_api(
    connection: AwsConnection, cluster: Cluster, kubeconfig: str | None = None, context: str | None = None
) -> t.Iterator[KubeApi]:
    """The API server of a cluster: by a kubeconfig where one is named, else with the connection's credentials.

    :raises KubeError: the kubeconfig cannot be used
    """
    if kubeconfig:
        yield KubeApi.from_kubeconfig(kubeconfig, context or None)
        return
    with tempfile.NamedTemporaryFile(mode="wb", suffix=".pem") as ca_file:
        ca_file.write(base64.b64decode(cluster["certificate_authority_data"]))
        ca_file.flush()
        yield kube_api(connection, cluster, ca_file.name)


def kube_api(connection: AwsConnection, cluster: Cluster, ca_file: str) -> KubeApi:
    """The API server of a cluster that accepts the connection's credentials, with a new token."""
    return KubeApi(
        cluster["endpoint"],
        api_key=eks_token(connection, cluster["name"]),
        ca_cert=ca_file,
        principal=lambda: principal_of(connection.caller["arn"]),
        cluster_name=cluster["name"],
    )


def check_aws(
    connection: AwsConnection,
    account_id: str | None,
    buckets: t.Sequence[t.Mapping[str, str]],
) -> dict[str, t.Any]:
    """Region, caller and buckets of one host.

    :param buckets: ``option`` and ``name`` of each; all of them have to be in the connection's region
    :returns: ``caller`` (account, arn, partition; ``None`` when the credentials do not work), ``buckets``
        (name -> exists), ``problems`` (sentences; empty when all is well) and ``usable`` (whether region and caller are
        right, so that more can be asked with them)
    """
    region_problems = check_region_of_host(connection.region)
    judged = [
        (bucket, problems_of(lambda bucket=bucket: check_bucket_name(bucket["option"], bucket["name"])))
        for bucket in buckets
    ]
    problems = region_problems + [problem for _bucket, wrong in judged for problem in wrong]
    if region_problems:  # there is nobody to ask
        problems += check_credentials(connection)
        return {"caller": None, "buckets": {}, "problems": problems, "usable": False}
    caller, caller_problems = check_caller(connection, account_id)
    if caller_problems or caller is None:
        return {"caller": caller, "buckets": {}, "problems": problems + caller_problems, "usable": False}
    checks = {
        bucket["name"]: _bucket_check(connection, bucket, caller["account"]) for bucket, wrong in judged if not wrong
    }
    found = gather(checks)
    return {
        "caller": caller,
        "buckets": {name: exists for name, (exists, _problems) in found.items()},
        "problems": problems + [problem for _exists, wrong in found.values() for problem in wrong],
        "usable": True,
    }


def _bucket_check(
    connection: AwsConnection, bucket: t.Mapping[str, t.Any], account_id: str
) -> t.Callable[[], tuple[bool, list[str]]]:
    def check() -> tuple[bool, list[str]]:
        try:
            return check_bucket(connection, bucket, account_id)
        except BotoCoreError as e:
            reason = explain(e)
            why = f"{reason}: {e}" if reason else str(e)
            return False, [f"{bucket['option']}: the bucket '{bucket['name']}' cannot be read. {why}"]

    return check
