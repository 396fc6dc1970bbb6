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
from ._probe_billing import Athena, Table, lacks_right, probe_sql, query_link, table_link
from ._probe_entry_key import read_entry_pair
from ._probe_identity import Patience, check_role_arn, check_ways, mint_token, read_role, take_own_role, take_payer_role
from ._probe_links import (
    FAILED,
    OK,
    PENDING,
    Link,
    arranged,
    awaiting,
    failed,
    in_check_mode,
    skipped,
    unreached,
    verdict,
)
from ._probe_refusals import call_refused
from ._probe_storage_key import use_pair
from ._probe_tags import Tags, no_columns_link, tags_link, tags_sql
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

    :ivar role_arn: that the ServiceAccount takes; ``None`` with ``key_entry``
    :ivar key_entry: ``<account>/<bucket>`` of the entry, in the cloud integration that ``secret`` names, whose access
        key the workload uses
    :ivar assume_role_arn: the payer's role that the workload goes on to, ``None`` when its own role reads the data
    :ivar athena: ``None`` when no billing data is read
    :ivar query: whether the query may be run
    :ivar tags: whose cost is to be found; ``None`` when nobody asks for it
    :ivar secret: ``name``, ``key``, ``expected`` and ``compare``
    :ivar label_selectors: of the workload's pods; ``None``: do not look at pods, empty: all pods of the namespace
    :ivar awaited: what comes next where somebody else installs the workload, ``None`` where nobody else does
    :ivar patience_seconds: how long IAM may take to spread a change
    """

    namespace: str
    service_account: str
    role_arn: str | None
    audience: str
    key_entry: str | None = None
    assume_role_arn: str | None = None
    athena: Athena | None = None
    query: bool = True
    tags: Tags | None = None
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
    wanted = ["access_key"] if claim.key_entry else ["token", "trust", "role"]
    wanted += ["payer_role"] if claim.assume_role_arn else []
    wanted += ["table", "query"] if claim.athena else []
    wanted += ["tags"] if claim.athena and claim.tags else []
    identity = _by_key if claim.key_entry else _by_token
    links, workload, caller_arn = identity(operator, kube, claim, patience)
    own_arn = claim.role_arn or caller_arn or ""

    def broken() -> tuple[list[Link], str | None, None]:
        return [*links, *unreached(wanted, links, claim.awaited)], caller_arn, None

    if workload is None:
        return broken()
    reader = workload

    if claim.assume_role_arn:
        region = claim.athena.region if claim.athena else None
        link, payer, who = take_payer_role(workload, operator, own_arn, claim.assume_role_arn, region, patience)
        links.append(link)
        if payer is None:
            return broken()
        reader, caller_arn = payer, who

    if claim.athena is None:
        return links, caller_arn, None
    reading = claim.assume_role_arn or own_arn
    link, table = table_link(reader, claim.athena, reading, patience)
    links.append(link)
    if link.state == FAILED:
        return broken()
    reason = "There is no table yet" if link.state == PENDING else ""
    if not reason and (check_mode or not claim.query):
        reason = f"No query is run {'in check mode' if check_mode else 'as the task asks'}"
    if reason or table is None:
        return [*links, *(skipped(name, reason) for name in wanted[wanted.index("query") :])], caller_arn, None
    found = _queries(reader, claim.athena, table, claim.tags, reading, patience)
    return [*links, *found[0]], caller_arn, found[1]


def _by_token(
    operator: AwsConnection, kube: KubeApi, claim: Claim, patience: Patience
) -> tuple[list[Link], AwsConnection | None, str | None]:
    """The links of a ServiceAccount that takes its role: links, the connection as the role, ARN of the session."""
    role_arn = t.cast(str, claim.role_arn)
    first = gather(
        {
            "token": lambda: mint_token(kube, claim.namespace, claim.service_account, claim.audience),
            "role": lambda: read_role(operator, role_arn),
        }
    )
    return take_own_role(operator, *first["token"], first["role"], role_arn, patience)


def _by_key(
    operator: AwsConnection, kube: KubeApi, claim: Claim, patience: Patience
) -> tuple[list[Link], AwsConnection | None, str | None]:
    """The link of an access key in the cloud integration: link, the connection with the key, ARN of its user."""
    secret = t.cast("t.Mapping[str, t.Any]", claim.secret)
    entry = t.cast(str, claim.key_entry)
    broken, pair = read_entry_pair(kube, claim.namespace, secret["name"], secret["key"], entry)
    if broken or pair is None:
        return [link for link in [broken] if link], None, None
    link, workload, who = use_pair(operator, pair, patience)
    return [link], workload, who or None


def _cluster(kube: KubeApi, claim: Claim) -> list[Link]:
    """The links in the cluster; one that cannot be read does not hide the others."""
    place = ("api", "v1", "namespaces", claim.namespace)
    reads: dict[str, t.Callable[[], t.Any]] = {}
    if claim.role_arn:
        reads["service_account"] = lambda: kube.get(*place, "serviceaccounts", claim.service_account)
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


def _queries(
    reader: AwsConnection, athena: Athena, table: Table, tags: Tags | None, role_arn: str, patience: Patience
) -> tuple[list[Link], dict[str, t.Any] | None]:
    """The links of the billing data's rows. What a tagged resource costs proves both of them, by one query; where there
    is none, another one tells whether there is a row at all.
    """
    columns = list(tags.in_table(table.columns)) if tags else []
    today = datetime.datetime.now(datetime.UTC).date()
    found = None
    if columns:
        found = _query(reader, athena, tags_sql(athena, columns, table.partitions, today), role_arn, patience)
    if found is None or not (found[2] or found[0].state == FAILED):
        found = *_query(reader, athena, probe_sql(athena, table.partitions, today), role_arn, patience)[:2], []
    link, query, rows = found
    if not tags:
        return [link], query
    if link.state != OK:
        return [link, skipped("tags", "Not reached: there is no billing data to look into")], query
    return [link, tags_link(rows, tags, columns, athena) if columns else no_columns_link(tags, athena)], query


def _query(
    reader: AwsConnection, athena: Athena, sql: str, role_arn: str, patience: Patience
) -> tuple[Link, dict[str, t.Any] | None, list[t.Any]]:
    """Run a query with the workload's final credentials: link, what is told of it, its rows.

    It is run again only within the time that IAM may need, and only when a right is what it lacks.
    """
    try:
        query = patience.call(
            lambda: _run(reader, athena, sql),
            refused=lambda answer: answer.state == "FAILED" and lacks_right(answer.reason),
        )
    except (ClientError, BotoCoreError) as e:
        return call_refused("query", f"No query of {athena.name} can be run", e, role_arn), None, []
    result = {
        "query_execution_id": query.id,
        "state": query.state,
        "rows": len(query.rows),
        "bytes_scanned": query.bytes_scanned,
    }
    return query_link(query.state, len(query.rows), query.reason, athena, role_arn), result, query.rows


def _run(reader: AwsConnection, athena: Athena, sql: str) -> Query:
    return run_query(
        reader,
        sql,
        region=athena.region,
        workgroup=athena.workgroup,
        database=athena.database,
        output_location=athena.output_location,
        timeout=_QUERY_SECONDS,
    )
