# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the ingestion of billing data goes, from the status page, the log and the proof. Pure functions, no call.

Each integration gets one finding, with what was seen, why, and what to do next. The page comes first, since it is the
workload's own word; the log and the proof say why.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ._cloud_cost_status import (
    DENIED,
    DISABLED,
    INVALID,
    NOT_READ,
    OPAQUE,
    WRONG_TABLE,
    Log,
    Meaning,
    meaning_of,
    same_key,
)

WORKING = "working"
STARTING = "starting"
INGESTING = "ingesting"
NOT_DELIVERED = "not_delivered"
EMPTY = "empty_query"
NOT_RUNNING = "not_running"
UNREACHABLE = "unreachable"
NO_ACCESS = "no_access"

OK, PENDING, FAILED = "ok", "pending", "failed"

# Finding -> its state, the worst first. Of several integrations the first one here is that of the whole.
STATES = {
    NO_ACCESS: FAILED,
    UNREACHABLE: FAILED,
    NOT_RUNNING: FAILED,
    DISABLED: FAILED,
    NOT_READ: FAILED,
    INVALID: FAILED,
    DENIED: FAILED,
    WRONG_TABLE: FAILED,
    OPAQUE: FAILED,
    EMPTY: FAILED,
    STARTING: PENDING,
    INGESTING: PENDING,
    NOT_DELIVERED: PENDING,
    WORKING: OK,
}

# Findings that time changes -> seconds to wait for that. The configuration is read every 10 s; a failed query is tried
# again after the refresh rate only, which is 6 hours.
PATIENCE: dict[str, float] = {
    STARTING: math.inf,
    INGESTING: math.inf,
    NOT_RUNNING: math.inf,
    UNREACHABLE: 60.0,
    NOT_READ: 30.0,
}

AGAIN = "Restart the pods, or have them try again at once: GET /cloudCost/rebuild?commit=true"
_COMPARED = ("bucket", "database", "table", "region", "workgroup")
# Links of a proof -> what it means for the ingestion when one failed and AWS' text does not say more.
_LINKS = {
    "service_account": DENIED,
    "token": DENIED,
    "trust": DENIED,
    "role": DENIED,
    "payer_role": DENIED,
    "table": WRONG_TABLE,
    "query": DENIED,
    "secret": NOT_READ,
    "pods": DENIED,
}


@dataclasses.dataclass(frozen=True)
class Expected:
    """An integration that should be there.

    :ivar account_id: of the payer
    :ivar bucket: location of the results; ``""`` when it is not known
    :ivar delivered: whether AWS has delivered the report, ``None`` when it is not known
    :ivar proof: result ``proof`` of workload_identity_probe, ``None`` when there is none
    :ivar values: what its entry should say, of ``database``, ``table``, ``region``, ``workgroup``
    """

    account_id: str
    bucket: str = ""
    delivered: bool | None = None
    proof: t.Mapping[str, t.Any] | None = None
    values: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> str:
        """As Kubecost names it."""
        return f"{self.account_id}/{self.bucket.rstrip('/')}"

    @property
    def proved(self) -> bool:
        """Whether the proof shows that the way is open, with or without rows."""
        return bool(self.proof) and self.proof.get("state") in ("proved", "pending")

    @property
    def has_rows(self) -> bool:
        """Whether the proof saw rows."""
        return bool(((self.proof or {}).get("query") or {}).get("rows"))

    def failed_link(self, *names: str) -> t.Mapping[str, str] | None:
        """The first link of the proof that failed; of these names only, if any are given."""
        links = (self.proof or {}).get("links") or []
        return next((link for link in links if link["state"] == FAILED and (not names or link["link"] in names)), None)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was found about one integration, or about the workload.

    :ivar finding: a key of ``STATES``
    :ivar state: ``ok``, ``pending`` or ``failed``
    :ivar status: the integration's element of the status page
    :ivar percent: of Kubecost 1's first build
    :ivar expected: whether the task asks for this integration
    """

    finding: str
    detail: str
    cause: str = ""
    change: str = ""
    key: str = ""
    state: str = ""
    status: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    percent: float | None = None
    expected: bool = True

    def __post_init__(self) -> None:
        if not self.state:
            object.__setattr__(self, "state", STATES[self.finding])

    @property
    def note(self) -> str:
        """In plain sentences."""
        name = f"Ingestion of {self.key}" if self.key else "Ingestion of billing data"
        parts = [f"{name}: {self.detail}", self.cause and self.cause[0].upper() + self.cause[1:], self.change]
        return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def findings(page: t.Sequence[t.Mapping[str, t.Any]], log: Log, expected: t.Sequence[Expected]) -> list[Finding]:
    """What a status page says, one finding for each integration that is on it or should be.

    :param page: its ``data``, with the integrations of all providers
    :param log: of the pods
    :param expected: what the task asks for; without any, all that is on the page
    """
    left = [dict(item) for item in page]
    made = []
    for wish in expected:
        item = _taken(left, wish)
        made.append(_missing(wish, log) if item is None else _found(item, wish, log))
    if not expected and not left:
        made.append(_nothing(log))
    for item in left:
        wish = Expected(*str(item.get("key") or "").partition("/")[::2])
        made.append(dataclasses.replace(_found(item, wish, log), expected=not expected))
    return made


def findings_of_log(log: Log, expected: t.Sequence[Expected]) -> list[Finding]:
    """The same for Kubecost 1, which has no such page: its log counts how much of the first build is done."""
    keys = dict.fromkeys([*log.progress, *log.started])
    wishes = list(expected) or [Expected(*key.partition("/")[::2]) for key in keys]
    return [_from_log(log, wish) for wish in wishes] or [
        Finding(STARTING, f"none of the {log.lines} lines of the log is about an integration")
    ]


def verdict(made: t.Sequence[Finding]) -> Finding:
    """The finding that stands for all: the worst of those that the task asks for."""
    asked = [finding for finding in made if finding.expected]
    rank = {FAILED: 0, PENDING: 1, OK: 2}
    order = list(STATES)
    return min(asked, key=lambda finding: (rank[finding.state], order.index(finding.finding)))


def waits(finding: str, seconds: float) -> bool:
    """Whether it makes sense to look again.

    :param finding: of the whole
    :param seconds: for how long it has been so
    """
    return seconds < PATIENCE.get(finding, 0.0)


# -- one integration ---------------------------------------------------------------------------------------------------


def _taken(left: list[dict[str, t.Any]], wish: Expected) -> dict[str, t.Any] | None:
    """Take the element of this integration out of the page; the only one of the account if its bucket differs."""
    fitting = [item for item in left if same_key(str(item.get("key")), wish.key)]
    if not fitting:
        fitting = [item for item in left if str(item.get("key")).startswith(f"{wish.account_id}/")]
        fitting = fitting if len(fitting) == 1 else []
    if fitting:
        left.remove(fitting[0])
    return fitting[0] if fitting else None


def _found(item: t.Mapping[str, t.Any], wish: Expected, log: Log) -> Finding:
    """What an element of the page means."""
    key = str(item.get("key") or "")
    status = str(item.get("connectionStatus") or "")
    error = log.error_of(key)

    def make(finding: str, detail: str, cause: str = "", change: str = "", state: str = "") -> Finding:
        return Finding(finding, detail, cause, change, key, state, item)

    if item.get("active") is False:
        change = f"Switch it on: GET /cloud/config/enable?integrationKey={key}&source={item.get('source', '')}"
        return make(DISABLED, "it is not active", "somebody switched it off at run time", change)
    differing = _differing(item, wish)
    if differing:
        cause = "the pods have read another cloud-integration.json than the one that is meant"
        return make(
            NOT_READ, f"it reads {differing}", cause, "Restart the pods; a mounted file of a Secret stays as it was"
        )
    if item.get("valid") is False or status == "Invalid Configuration":
        known = error if error and error.finding == INVALID else None
        cause = known.cause if known else "an entry of cloud-integration.json lacks a value or has a wrong one"
        change = known.change if known else "See the pods' log for 'AthenaConfiguration:', and write the entry anew"
        return make(INVALID, _said(status or "not valid", known), cause, change)
    if status == "Connection Successful":
        return make(WORKING, f"{status}, {item.get('runs', 0)} runs, coverage {item.get('coverage', 'unknown')}")
    if status == "Data Missing":
        return _without_rows(make, status, item, wish)
    if status == "Failed Connection":
        return _refused(make, status, wish, error)
    if status == "Parse Error":
        cause = "rows came back, but not in the form that this version expects: another kind of report, such as CUR 2.0"
        return make(WRONG_TABLE, status, cause, "Name the table of a legacy report, or set curVersion to what it is")
    if status in ("No Connection", ""):
        if error:
            return make(error.finding, _said(status or "no status yet", error), error.cause, error.change)
        return make(STARTING, status or "no status yet", "the first query is not done yet", "Wait")
    return make(OPAQUE, f"the unknown status '{status}'", "", "See the pods' log")


def _without_rows(make: t.Callable[..., Finding], status: str, item: t.Mapping[str, t.Any], wish: Expected) -> Finding:
    """The query succeeded, and returned nothing."""
    next_run = f"the next run is at {item['nextRun']}" if item.get("nextRun") else "it looks again every few hours"
    if wish.delivered is False:
        return make(
            NOT_DELIVERED,
            status,
            f"AWS has not delivered the report of account {wish.account_id} yet, which takes up to 24 hours",
            f"Wait, nothing is to be mended; {next_run}",
        )
    if wish.has_rows:
        cause = "the table has rows by now, but had none for the days of the last run"
        return make(EMPTY, status, cause, f"Wait, {next_run}. {AGAIN}", state=PENDING)
    cause = (
        "the query works and returns no row: the months are not registered as partitions, the table's location is not "
        "that of the report, or the report has no data of these days"
    )
    change = (
        "Count what is there: kubestrap.aws.athena_query with SELECT year, month, count(*) FROM <table> GROUP BY 1, 2; "
        "compare the table with the report: kubestrap.aws.glue_cur_table in check mode"
    )
    if wish.delivered is None:
        cause = f"AWS has not delivered yet (up to 24 hours after the report was made), or {cause}"
        return make(
            EMPTY, status, cause, f"See whether there are objects in the report's bucket. {change}", state=PENDING
        )
    return make(EMPTY, status, cause, change)


def _refused(make: t.Callable[..., Finding], status: str, wish: Expected, error: Meaning | None) -> Finding:
    """A query failed; the log says why, else the proof."""
    if error and error.finding != OPAQUE:
        if wish.proved:  # it will mend itself with the next run
            cause = f"{error.cause}. By now the proof passes, so the pods tried before it was mended"
            return make(error.finding, _said(status, error), cause, AGAIN, state=PENDING)
        return make(error.finding, _said(status, error), error.cause, error.change)
    link = wish.failed_link()
    if link:
        return make(_of_link(link), f"{status}; the proof says: {link['detail']}", link["cause"], link["change"])
    if error:
        return make(OPAQUE, _said(status, error), error.cause, error.change)
    if wish.proved:
        cause = "the proof passes, so the pods tried before something was mended, or work with another role"
        return make(OPAQUE, status, cause, AGAIN, state=PENDING)
    cause = "AWS refused a call of the pods, and their log does not show it (any more)"
    return make(OPAQUE, status, cause, f"Prove the way: kubestrap.aws.workload_identity_probe. {AGAIN}")


def _of_link(link: t.Mapping[str, str]) -> str:
    """What a failed link of the proof means."""
    meaning = meaning_of(link["detail"])
    if meaning and meaning.finding in (DENIED, WRONG_TABLE, INVALID):
        return meaning.finding
    return _LINKS.get(link["link"], OPAQUE)


def _differing(item: t.Mapping[str, t.Any], wish: Expected) -> str:
    """What the element's configuration says otherwise than is meant, in words."""
    seen = item.get("config") or {}
    meant = {**wish.values, "bucket": wish.bucket}
    parts = []
    for name in _COMPARED:
        one, other = str(seen.get(name) or "").rstrip("/"), str(meant.get(name) or "").rstrip("/")
        if one and other and one != other:
            parts.append(f"{name} {one}, not {other}")
    return "; ".join(parts)


def _missing(wish: Expected, log: Log) -> Finding:
    """An integration that is not on the page."""
    detail = "it is not on the status page"
    link = wish.failed_link("secret", "pods")
    if link:
        return Finding(NOT_READ, f"{detail}; the proof says: {link['detail']}", link["cause"], link["change"], wish.key)
    return dataclasses.replace(_nothing(log), detail=detail, key=wish.key)


def _nothing(log: Log) -> Finding:
    """No integration at all."""
    detail = "the status page knows no integration"
    error = next((error for error in reversed(log.errors) if error.finding in (NOT_READ, INVALID, DISABLED)), None)
    if error:
        return Finding(error.finding, _said(detail, error), error.cause, error.change)
    return Finding(
        NOT_READ,
        detail,
        "the pods have not read the Secret: its name or its key is not the one that the chart mounts, or it was made "
        "or changed after they started",
        "Compare the Secret's name with the chart's values and its key with cloud-integration.json, then restart the "
        "pods",
    )


def _from_log(log: Log, wish: Expected) -> Finding:
    """An integration of Kubecost 1."""
    percent, error = log.percent_of(wish.key), log.error_of(wish.key)

    def make(finding: str, detail: str, cause: str = "", change: str = "", state: str = "") -> Finding:
        return Finding(finding, detail, cause, change, wish.key, state, percent=percent)

    if error:
        return _refused(make, "its queries fail", wish, error)
    if percent is not None and percent >= 100:
        return make(WORKING, f"{percent:g} percent of the first build are done")
    if wish.delivered is False:
        return _without_rows(make, "no data yet", {}, wish)
    if percent is not None:
        change = "Wait; it can take more than an hour in large accounts"
        return make(INGESTING, f"{percent:g} percent of the first build are done", "", change)
    if any(same_key(key, wish.key) for key in log.started):
        return make(STARTING, "the first build has begun", "", "Wait")
    link = wish.failed_link()
    if link:
        return _refused(make, "the log does not name it", wish, None)
    return make(
        STARTING,
        f"none of the {log.lines} lines of the log is about it",
        "the pods have just started, or have not read the Secret",
        "Wait; if it stays so, compare the Secret with the chart's values and restart the pods",
    )


def _said(status: str, error: Meaning | None) -> str:
    """A status with the line of the log that explains it."""
    return f"{status}; the log says: {error.text[:400]}" if error else status
