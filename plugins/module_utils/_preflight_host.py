# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of one host before the first write: which are made, in which order, and what becomes of what they say.

Each check is a function of a file ``_preflight*`` that returns sentences. Which of them a host needs follows from what
is found: the rights and the room for a first run matter only where much is still to be made.
"""

from __future__ import annotations

import base64
import datetime
import tempfile
import typing as t

from ._connection import AwsConnection
from ._eks_cluster import Cluster
from ._kube_api import KubeError, principal_of
from ._preflight import check_access, check_aws, check_cluster, check_helm, cluster_api, has_ours, is_installed
from ._preflight_billing import Wanted
from ._preflight_billing import look as look_at_billing
from ._preflight_cluster_rights import check_cluster_rights
from ._preflight_lake import lake_notes
from ._preflight_names import check_account, check_name
from ._preflight_quota import check_roles
from ._preflight_release import look_at_release
from ._preflight_rights import DOCUMENTS, check_rights
from ._preflight_tags import WantedTags
from ._preflight_tags import look as look_at_tags

Params = t.Mapping[str, t.Any]
Found = tuple[list[str], list[str]]  # problems and notes
# Of a connection's caller, what the result calls it.
_CALLER = {"account": "account_id", "arn": "arn", "partition": "aws_partition"}


def look(connection: AwsConnection, params: Params, check_mode: bool = False) -> dict[str, t.Any]:
    """What M(kubestrap.aws.preflight_info) returns below ``preflight``.

    :param params: the options of that module
    :param check_mode: nothing will be written, so that a right which is missing is a note
    """
    if params["caller"]:
        seen_before = params["caller"]
        connection.caller = {name: seen_before[key] for name, key in _CALLER.items()}
    account_problems = check_account(params["expected_account_id"], params["account_required"])
    account_id = None if account_problems else params["expected_account_id"]
    problems = [*params["problems"], *account_problems]
    misnamed = [
        problem for name in params["names"] for problem in check_name(name["option"], name["kind"], name["value"] or "")
    ]
    problems += misnamed
    notes: list[str] = []
    parts = ("cluster", "helm", "billing_data", "release", "chart", "quotas", "cost_allocation_tags")
    found: dict[str, t.Any] = dict.fromkeys(parts)
    if params["helm_binary"]:
        found["helm"], missing = check_helm("kubestrap_helm_binary", params["helm_binary"])
        problems += missing
    seen = check_aws(connection, account_id, params["buckets"])
    problems += seen["problems"]
    caller = seen["caller"]
    first = not all(seen["buckets"].values())
    if seen["usable"] and params["cluster_name"] is not None:
        found["cluster"], wrong = check_cluster(connection, params["cluster_name"], caller["account"])
        wrong = wrong or _access(connection, params, found["cluster"])
        if not wrong and not misnamed:
            first = first or _is_missing(connection, params, found["cluster"])
            if first and params["cluster_rights"]:
                wrong, unseen = _may(_cluster_rights(connection, params, caller, found["cluster"]), check_mode)
                notes += unseen
        problems += wrong
        if params["release"] and not wrong and not misnamed:
            installed, wrong = look_at_release(connection, found["cluster"], params["release"])
            found |= installed
            problems += wrong
    # Names that break their rules would only be refused once more, by AWS.
    if seen["usable"] and params["billing_data"] and not problems:
        wanted = Wanted(region=connection.region, check_quotas=params["quotas"], **params["billing_data"])
        found["billing_data"], wrong = look_at_billing(connection, caller["account"], wanted)
        problems += wrong
    if seen["usable"] and params["cost_allocation_tags"]:
        tags = {name: tuple(v) if isinstance(v, list) else v for name, v in params["cost_allocation_tags"].items()}
        now = datetime.datetime.now(datetime.UTC)
        found["cost_allocation_tags"], wrong = look_at_tags(connection, WantedTags(**tags), now)
        problems += wrong
        # Where a key is to be set, there is something to be made.
        first = first or bool((found["cost_allocation_tags"] or {}).get("changes"))
    found["first"] = first
    if not problems:
        if params["rights"] and (first or params["rights"].get("always")):
            lacking, unseen = _may(_rights(connection, params, caller, seen["buckets"], found["cluster"]), check_mode)
            problems, notes = problems + lacking, notes + unseen
        if params["quotas"] and _makes_roles(found["billing_data"], first):
            found["quotas"], lacking, unseen = _room(connection, params, caller, found["cluster"])
            problems, notes = problems + lacking, notes + unseen
    caller = caller or {}
    return {
        "account_id": caller.get("account"),
        "arn": caller.get("arn"),
        "aws_partition": caller.get("partition"),
        "region": connection.region,
        "buckets": seen["buckets"],
        "problems": problems,
        "notes": notes,
        **found,
    }


def _access(connection: AwsConnection, params: Params, cluster: Cluster) -> list[str]:
    return _with_ca(cluster, check_access, connection, cluster) if params["cluster_access"] else []


def _is_missing(connection: AwsConnection, params: Params, cluster: Cluster) -> bool:
    """Whether the workload is not installed yet, as far as it is known and of use."""
    if not (params["namespace"] and (params["rights"] or params["cluster_rights"] or params["quotas"])):
        return False
    return not params["cluster_access"] or not _with_ca(cluster, is_installed, connection, cluster, params["namespace"])


def _makes_roles(billing_data: t.Mapping[str, t.Any] | None, first: bool) -> bool:
    """Whether a run may make roles; of a payer it is known."""
    return first if billing_data is None else not billing_data["reader_role"]["exists"]


def _room(
    connection: AwsConnection, params: Params, caller: t.Mapping[str, str], cluster: Cluster | None
) -> tuple[dict[str, t.Any] | None, list[str], list[str]]:
    """What IAM has room for, problems and notes."""
    found, problems, notes = check_roles(
        connection,
        caller["account"],
        caller["partition"],
        [name["value"] for name in params["names"] if name["kind"] == "iam_role"],
        cluster["oidc_provider_arn"] if cluster else None,
    )
    # The role of a payer is made for its readers. Whether other hosts read it, the playbook knows.
    unread = params["billing_data"] and not params["billing_data"].get("reader_role_arns")
    return found, [] if unread else problems, notes


def _rights(
    connection: AwsConnection,
    params: Params,
    caller: t.Mapping[str, str],
    buckets: t.Mapping[str, bool],
    cluster: Cluster | None,
) -> Found:
    rights = params["rights"]
    place = {"partition": caller["partition"], "account_id": caller["account"], "extent": "run"}
    given = {key: value for key, value in rights["parameters"].items() if value not in (None, "")}
    statements = DOCUMENTS[rights["document"]](**given, **place)
    lacking, notes = check_rights(
        connection,
        caller["arn"],
        statements,
        rights["document"],
        rights["tags"],
        known_arns=[cluster["oidc_provider_arn"]] if cluster else [],
        buckets=buckets,
    )
    if rights["document"] == "kubecost_payer_operator":
        notes = [*notes, *lake_notes(connection, rights["parameters"]["database"], rights["parameters"]["role_name"])]
    return lacking, notes


def _cluster_rights(connection: AwsConnection, params: Params, caller: t.Mapping[str, str], cluster: Cluster) -> Found:
    rights = params["cluster_rights"]
    wanted = (rights["document"], rights["parameters"])
    path = rights.get("kubeconfig")

    try:
        with cluster_api(connection, cluster, path, rights.get("context")) as api:
            if not path:
                return check_cluster_rights(api, *wanted, principal_of(caller["arn"]))
            if has_ours(api, params["namespace"]):  # which nobody has asked this API server yet
                return [], []
            return check_cluster_rights(api, *wanted, f"the kubeconfig {path}")
    except KubeError as e:
        return [f"kubestrap_kubeconfig: {e}"], []


def _may(judged: Found, check_mode: bool) -> Found:
    """Rights that are missing are no problem of a dry run, which needs none of them."""
    lacking, notes = judged
    return ([], [*(f"{problem}." for problem in lacking), *notes]) if check_mode else (lacking, notes)


def _with_ca(cluster: Cluster, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
    with tempfile.NamedTemporaryFile(mode="wb", suffix=".pem") as ca_file:
        ca_file.write(base64.b64decode(cluster["certificate_authority_data"]))
        ca_file.flush()
        return function(*args, ca_file=ca_file.name)
