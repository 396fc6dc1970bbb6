# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that a workload's identity works: every link is tried with the ServiceAccount's own token."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ._athena_query import Query, run_query
from ._connection import AwsConnection
from ._identifiers import refuse
from ._kube_api import METADATA_ONLY, KubeApi, KubeError, answer_or_error
from ._plan import gather
from ._probe_billing import Athena, lacks_right, probe_sql, query_link, table_link
from ._probe_identity import Patience, check_role_arn, check_ways, mint_token, read_role, take_own_role, take_payer_role
from ._probe_links import FAILED, PENDING, Link, arranged, awaiting, failed, in_check_mode, skipped, unreached, verdict
from ._probe_refusals import call_refused
from ._probe_workload import pods_link, release_link, secret_link, service_account_link
from ._regions import check_region

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.


_QUERY_SECONDS = 120  # a row of one partition takes two or three; a busy workgroup queues


@dataclasses.dataclass(frozen=True)
class Claim:
    """What is to be proved.

    :ivar assume_role_arn: the payer's role that the workload goes on to, ``None`` when its own role reads the data
    :ivar athena: ``None`` when no billing data is read
    :ivar query: whether the query may be run
    :ivar secret: ``name``, ``key``, ``expected`` and ``compare``
    :ivar label_selectors: of the workload's pods; ``None``: do not look at pods, empty: all pods of the namespace
    :ivar awaited: what comes next where somebody else installs the workload, ``None`` where nobody else does
    :ivar patience_seconds: how long IAM may take to spread a change
    """

    namespace: str
    service_account: str
    role_arn: str
    audience: str
    assume_role_arn: str | None = None
    athena: Athena | None = None
    query: bool = True
    secret: t.Mapping[str, t.Any] | None = None
    label_selectors: tuple[str, ...] | None = None
    helm_release: str | None = None
    awaited: str | None = None
    patience_seconds: float = 0

    @property
    def name(self) -> str:
        """``NAMESPACE:NAME`` of the ServiceAccount"""
        return f"{self.namespace}:{self.service_account}"


def check_claim(claim: Claim, host: str | None = None) -> None:
    """Refuse what cannot be proved, before any call.

    :raises AnsibleAWSError: names option, value and what to write
    """
    for option, arn in (("role_arn", claim.role_arn), ("assume_role_arn", claim.assume_role_arn)):
        if arn is not None:
            check_role_arn(option, arn)
    check_ways(host, claim.patience_seconds)
    if claim.athena is None:
        return
    if claim.athena.region is not None:
        check_region("athena.region", claim.athena.region)
    if not claim.athena.output_location.startswith("s3://"):
        write = f"Write s3://{claim.athena.output_location.lstrip('/')}"
        refuse("athena.output_location", claim.athena.output_location, "does not begin with s3://", write)


def prove(operator: AwsConnection, kube: KubeApi, claim: Claim, check_mode: bool = False) -> dict[str, t.Any]:
    """Try every link.

    The chain and the objects in the cluster are looked at side by side. Nothing is changed, neither in AWS nor in the
    cluster; in check mode the query is not run either.

    :param operator: the task's own connection, in the region of the cluster
    :returns: ``state``, ``links``, ``caller_arn`` (of the last role taken, ``None`` when none was) and ``query``
        (``None`` when it was not run)
    """
    found = gather(
        {
            "chain": lambda: _chain(operator, kube, claim, check_mode),
            "cluster": lambda: _cluster(kube, claim),
        }
    )
    links, caller_arn, query = found["chain"]
    links = [awaiting(link, claim.awaited) for link in arranged([*links, *found["cluster"]])]
    if check_mode:
        links = [in_check_mode(link) for link in links]
    return {
        "state": verdict(links),
        "links": [link.result() for link in links],
        "caller_arn": caller_arn,
        "query": query,
    }


def _chain(
    operator: AwsConnection, kube: KubeApi, claim: Claim, check_mode: bool
) -> tuple[list[Link], str | None, dict[str, t.Any] | None]:
    """The links from token to query, up to the first that fails; those behind it are skipped."""
    patience = Patience(claim.patience_seconds)
    wanted = ["token", "trust", "role"]
    wanted += ["payer_role"] if claim.assume_role_arn else []
    wanted += ["table", "query"] if claim.athena else []
    first = gather(
        {
            "token": lambda: mint_token(kube, claim.namespace, claim.service_account, claim.audience),
            "role": lambda: read_role(operator, claim.role_arn),
        }
    )
    links, workload, caller_arn = take_own_role(operator, *first["token"], first["role"], claim.role_arn, patience)

    def broken() -> tuple[list[Link], str | None, None]:
        return [*links, *unreached(wanted, links, claim.awaited)], caller_arn, None

    if workload is None:
        return broken()
    reader = workload

    if claim.assume_role_arn:
        region = claim.athena.region if claim.athena else None
        link, payer, who = take_payer_role(workload, operator, claim.role_arn, claim.assume_role_arn, region, patience)
        links.append(link)
        if payer is None:
            return broken()
        reader, caller_arn = payer, who

    if claim.athena is None:
        return links, caller_arn, None
    reading = claim.assume_role_arn or claim.role_arn
    link, partitions = table_link(reader, claim.athena, reading, patience)
    links.append(link)
    if link.state == FAILED:
        return broken()
    if link.state == PENDING:
        return [*links, skipped("query", "There is no table yet")], caller_arn, None
    if check_mode or not claim.query:
        reason = "in check mode" if check_mode else "as the task asks"
        return [*links, skipped("query", f"No query is run {reason}")], caller_arn, None
    link, query = _query(reader, claim.athena, partitions or [], reading, patience)
    return [*links, link], caller_arn, query


def _cluster(kube: KubeApi, claim: Claim) -> list[Link]:
    """The links in the cluster; one that cannot be read does not hide the others."""
    place = ("api", "v1", "namespaces", claim.namespace)
    reads: dict[str, t.Callable[[], t.Any]] = {
        "service_account": lambda: kube.get(*place, "serviceaccounts", claim.service_account)
    }
    if claim.secret:
        reads["secret"] = lambda: kube.get(*place, "secrets", claim.secret["name"])
    if claim.label_selectors is not None:
        selector = {"labelSelector": ",".join(claim.label_selectors)}
        reads["pods"] = lambda: kube.get(*place, "pods", query=selector)["items"] or []
    if claim.helm_release:
        labels = {"labelSelector": f"owner=helm,name={claim.helm_release}"}
        reads["release"] = lambda: kube.get(*place, "secrets", query=labels, accept=METADATA_ONLY)["items"] or []
    found = gather({name: lambda read=read: answer_or_error(read) for name, read in reads.items()})

    def judge(name: str) -> Link:
        seen = found[name]
        if isinstance(seen, KubeError):
            return failed(name, seen.detail, seen.cause, seen.change)
        if name == "service_account":
            return service_account_link(seen, claim.name, claim.role_arn)
        if name == "secret":
            secret = claim.secret
            compare = secret.get("compare") or "document"
            return secret_link(seen, secret["name"], secret["key"], secret.get("expected"), compare)
        if name == "pods":
            account = found["service_account"]
            known = None if isinstance(account, KubeError) else account
            return pods_link(seen, known, claim.name, claim.role_arn)
        return release_link(seen, claim.helm_release)

    return [judge(name) for name in reads]


def _query(
    reader: AwsConnection, athena: Athena, partitions: list[str], role_arn: str, patience: Patience
) -> tuple[Link, dict[str, t.Any] | None]:
    """Run the one query with the workload's final credentials.

    It is run again only within the time that IAM may need, and only when a right is what it lacks.
    """
    sql = probe_sql(athena, partitions, datetime.datetime.now(datetime.UTC).date())

    def run() -> Query:
        return run_query(
            reader,
            sql,
            region=athena.region,
            workgroup=athena.workgroup,
            database=athena.database,
            output_location=athena.output_location,
            timeout=_QUERY_SECONDS,
        )

    try:
        query = patience.call(run, refused=lambda answer: answer.state == "FAILED" and lacks_right(answer.reason))
    except (ClientError, BotoCoreError) as e:
        return call_refused("query", f"No query of {athena.name} can be run", e, role_arn), None
    result = {
        "query_execution_id": query.id,
        "state": query.state,
        "rows": len(query.rows),
        "bytes_scanned": query.bytes_scanned,
    }
    return query_link(query.state, len(query.rows), query.reason, athena, role_arn), result
