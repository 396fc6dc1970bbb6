# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that a workload can keep its objects in a bucket, with its own identity and as its configuration says."""

from __future__ import annotations

import dataclasses
import typing as t

from ._connection import AwsConnection
from ._identifiers import check_account_id, refuse
from ._key_pair import KeyPair
from ._kube_api import KubeApi, KubeError, answer_or_error, principal_of
from ._object_store_endpoint import check_endpoint
from ._plan import gather
from ._probe_identity import Patience, check_role_arn, check_ways, mint_token, read_role, take_own_role
from ._probe_links import Link, arranged, awaiting, failed, in_check_mode, unreached, verdict
from ._probe_storage_key import read_pair, use_pair
from ._probe_storage_place import Storage
from ._probe_storage_steps import StorageSteps
from ._probe_workload import pods_link, service_account_link
from ._regions import check_region, s3_endpoint
from ._s3_names import check_bucket_name
from .policies import check_key

_CHAIN = ["token", "trust", "role"]


@dataclasses.dataclass(frozen=True)
class StorageClaim:
    """What is to be proved.

    :ivar namespace: of ServiceAccounts and Secret
    :ivar service_accounts: which all take the role ``role_arn``; empty where an access key is used
    :ivar pair: the access key, where the task gives it
    :ivar key_secret: ``name`` and ``key`` of the Secret that has it in a YAML, or ``access_key_id_key`` and
        ``secret_access_key_key`` where it has id and secret by themselves
    :ivar label_selectors: of the workload's pods; ``None``: do not look at pods, empty: all pods of the namespace
    :ivar awaited: what comes next where somebody else installs the workload, ``None`` where nobody else does
    :ivar patience_seconds: how long IAM may take to spread a change
    :ivar write: whether objects are written; else IAM is asked about that, as in check mode
    """

    storage: Storage
    namespace: str | None = None
    service_accounts: tuple[str, ...] = ()
    role_arn: str = ""
    audience: str = "sts.amazonaws.com"
    pair: KeyPair | None = None
    key_secret: t.Mapping[str, str] | None = None
    label_selectors: tuple[str, ...] | None = None
    awaited: str | None = None
    patience_seconds: float = 0
    write: bool = True


def endpoint_url(endpoint: str | None, region: str) -> str | None:
    """Where the workload calls S3, ``None`` for the region's own endpoint, which boto3 knows.

    :param endpoint: host as the object store's configuration has it
    :raises AnsibleAWSError: it is not a host, or one of AWS in another region
    """
    if endpoint is None:
        return None
    found = check_endpoint("endpoint", endpoint, region)
    return None if found.is_global or endpoint == s3_endpoint(region) else f"https://{endpoint}"


def check_storage_claim(claim: StorageClaim, host: str | None = None) -> None:
    """Refuse what cannot be proved, before any call.

    :raises AnsibleAWSError: names option, value and what to write
    """
    storage = claim.storage
    check_bucket_name("bucket", storage.bucket)
    check_region("bucket_region", storage.region)
    if storage.owner is not None:
        check_account_id("expected_bucket_owner", storage.owner)
    for option, arn in (("kms_key_arn", storage.kms_key_arn), ("upload.kms_key_arn", storage.sent.get("SSEKMSKeyId"))):
        if arn is not None:
            check_key(option, arn, storage.region)
    if storage.kms_key_arn and storage.encryption != "aws:kms":
        refuse("kms_key_arn", storage.kms_key_arn, "is looked at with KMS only", "Write encryption: aws:kms beside it")
    if any(character in storage.prefix for character in "*?"):
        refuse("prefix", storage.prefix, "must not have a wildcard", "Write the folder, for example prod-eu")
    if storage.prefix_enforced and not storage.folder:
        refuse("prefix_enforced", True, "needs a prefix", "Write prefix, or leave prefix_enforced out")
    if claim.service_accounts:
        check_role_arn("role_arn", claim.role_arn)
    check_ways(host, claim.patience_seconds)


def prove_storage(
    operator: AwsConnection, kube: KubeApi | None, claim: StorageClaim, check_mode: bool = False
) -> dict[str, t.Any]:
    """Try every link.

    Each ServiceAccount takes the role with its own token. What the role may then do is the same for all of them, so the
    steps in the bucket are made once, by the first one that got the role.

    :param operator: the task's own connection, in the region of the cluster
    :param kube: the cluster; ``None`` where neither ServiceAccounts nor a Secret are asked for
    :returns: ``state``, ``links``, ``caller_arn`` (who made the steps, ``None`` when nobody could) and ``left`` (what
        stays in the bucket)
    """
    patience = Patience(claim.patience_seconds)
    taken = _by_roles if claim.service_accounts else _by_key
    links, workload, identity, caller_arn = taken(operator, kube, claim, patience)
    left: list[dict[str, str | None]] = []
    if workload is None:
        way = [link for link in links if link.link in (*_CHAIN, "access_key")]
        links += [_whose(link, identity) for link in unreached(claim.storage.steps, way, claim.awaited)]
    else:
        who = claim.role_arn if claim.service_accounts else principal_of(str(caller_arn))
        steps = StorageSteps(workload, who, operator, claim.storage, patience)
        links += [_whose(link, identity) for link in steps.run(check_mode or not claim.write)]
        left = steps.left
    links = [awaiting(link, claim.awaited) for link in links]
    if check_mode:
        links = [in_check_mode(link) for link in links]
    return {
        "state": verdict(links),
        "links": [link.result() for link in links],
        "caller_arn": caller_arn,
        "left": left,
    }


# Links, the connection as the workload (if any), whose it is, and the ARN of its session.
Taken: t.TypeAlias = "tuple[list[Link], AwsConnection | None, str, str | None]"


def _by_key(operator: AwsConnection, kube: KubeApi | None, claim: StorageClaim, patience: Patience) -> Taken:
    pair, identity = claim.pair, "access key"
    if claim.key_secret and kube:
        name, key = claim.key_secret["name"], claim.key_secret["key"]
        identity = f"{claim.namespace}/{name}"
        both = (claim.key_secret.get("access_key_id_key"), claim.key_secret.get("secret_access_key_key"))
        pair_keys = (both[0], both[1]) if both[0] and both[1] else None
        missing, pair = read_pair(kube, str(claim.namespace), name, key, pair_keys)
        if missing:
            return [_whose(missing, identity)], None, identity, None
    link, connection, who = use_pair(operator, t.cast(KeyPair, pair), patience)
    return [_whose(link, identity)], connection, identity, who or None


def _by_roles(operator: AwsConnection, kube: KubeApi | None, claim: StorageClaim, patience: Patience) -> Taken:
    cluster = t.cast(KubeApi, kube)
    names = claim.service_accounts
    role_arn, namespace = claim.role_arn, str(claim.namespace)
    place = ("api", "v1", "namespaces", namespace)
    reads: dict[str, t.Callable[[], t.Any]] = {"role": lambda: read_role(operator, role_arn)}
    for name in names:
        reads[f"token {name}"] = lambda name=name: mint_token(cluster, namespace, name, claim.audience)
        reads[f"account {name}"] = lambda name=name: answer_or_error(
            lambda: cluster.get(*place, "serviceaccounts", name)
        )
    if claim.label_selectors is not None:
        selector = {"labelSelector": ",".join(claim.label_selectors)}
        reads["pods"] = lambda: answer_or_error(lambda: cluster.get(*place, "pods", query=selector)["items"] or [])
    found = gather(reads)
    taken = gather(
        {
            name: lambda name=name: take_own_role(operator, *found[f"token {name}"], found["role"], role_arn, patience)
            for name in names
        }
    )
    links: list[Link] = []
    for name in names:
        chain = taken[name][0]
        around = _around(found[f"account {name}"], found.get("pods"), f"{namespace}:{name}", role_arn)
        broken = taken[name][1] is None
        rest = unreached(_CHAIN, chain, claim.awaited) if broken else []
        links += [_whose(link, f"{namespace}:{name}") for link in arranged([*around, *chain, *rest])]
    first = next((name for name in names if taken[name][1] is not None), names[0])
    return links, taken[first][1], f"{namespace}:{first}", taken[first][2]


def _around(account: t.Any, pods: t.Any, name: str, role_arn: str) -> list[Link]:
    """ServiceAccount and pods agree with what is proved."""
    if isinstance(account, KubeError):
        links, known = [_unread("service_account", account)], None
    else:
        links, known = [service_account_link(account, name, role_arn)], account
    if isinstance(pods, KubeError):
        return [*links, _unread("pods", pods)]
    return links if pods is None else [*links, pods_link(pods, known, name, role_arn)]


def _unread(link: str, error: KubeError) -> Link:
    return failed(link, error.detail, error.cause, error.change)


def _whose(link: Link, identity: str) -> Link:
    return dataclasses.replace(link, identity=identity)
