# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cost allocation tags: input checks, reading, and the call that changes them; the plan is in
``_cost_allocation_tags_plan``.

API reference: ListCostAllocationTags, UpdateCostAllocationTagsStatus, StartCostAllocationTagBackfill and
ListCostAllocationTagBackfillHistory of AWS Billing and Cost Management.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._errors import error_code, error_handler
from ._identifiers import refuse
from ._plan import gather
from .tag_scheme import check_key

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_CeError = error_handler()

Tag = dict[str, t.Any]  # tag_key, type, status (active, inactive), last_updated_date, last_used_date
Backfill = dict[str, t.Any]  # from (a date), status (PROCESSING, SUCCEEDED, FAILED), requested_at, completed_at

ACTIVE, INACTIVE = "active", "inactive"
# How AWS writes a status.
STATUSES = {ACTIVE: "Active", INACTIVE: "Inactive"}
BATCH = 20
_LIST_BATCH = 100
_PAGE = 1000
_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-northwest-1"}
_LINKED = "Linked account"


@dataclasses.dataclass(frozen=True)
class Found:
    """What AWS knows.

    :ivar tags: key -> the tag, of the keys that were asked for; one that billing has not seen is missing
    :ivar backfills: all that were ever asked for, the last one first; empty where they were not read
    """

    tags: dict[str, Tag]
    backfills: list[Backfill] = dataclasses.field(default_factory=list)

    def pending(self, keys: t.Iterable[str]) -> list[str]:
        """The keys that billing has not seen yet."""
        return [key for key in keys if key not in self.tags]


def service_region(connection: AwsConnection) -> str:
    """The one region in which the service is: ``us-east-1``, in China ``cn-northwest-1``, whatever the task's region.

    :raises AnsibleAWSError: the partition has no cost allocation tags
    """
    region = _REGIONS.get(connection.partition)
    if region is None:
        refuse(
            "region",
            connection.region,
            f"is in the partition {connection.partition}, which has no cost allocation tags",
            "Run this in the payer account, which is in another partition",
        )
    return region


# --- input checks


def check_tag_keys(option: str, keys: t.Sequence[str]) -> None:
    """Refuse what is no tag key, and what is there twice."""
    for key in keys:
        check_key(option, key)
        if list(keys).count(key) > 1:
            refuse(option, key, "is there more than once", "Write each key once")


def check_backfill_from(option: str, text: str, today: datetime.date) -> None:
    """Refuse what is no first of a month, or still to come; whether it is too old depends on what was done already."""
    example = f"for example {today:%Y-%m}-01"
    try:
        start = datetime.date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        start = None
    if start is None:
        refuse(option, text, "is not a date", f"Write the first of a month, {example}")
    if start.day != 1:
        refuse(option, text, "is not the first of a month", f"Write {start:%Y-%m}-01")
    if start > today:
        refuse(option, text, "is in the future", f"Write the first of a month that has begun, {example}")


def check_backfill_age(option: str, text: str, today: datetime.date) -> None:
    """Refuse a month that AWS does not go back to."""
    first = f"{today.year - 1}-{today.month:02}-01"
    if text < first:
        refuse(option, text, "is more than twelve months ago, and AWS goes back no further", f"Write {first} or later")


# --- reading


def read(connection: AwsConnection, region: str, keys: t.Sequence[str], with_backfills: bool = False) -> Found:
    """The tags of these keys (one call for each 100), and the backfills (one call) where asked for."""
    reads: dict[str, t.Callable[[], t.Any]] = {
        f"tags from {start}": lambda some=keys[start : start + _LIST_BATCH]: read_tags(connection, region, TagKeys=some)
        for start in range(0, len(keys), _LIST_BATCH)
    }
    if with_backfills:
        reads["backfills"] = lambda: read_backfills(connection, region)
    found = gather(reads)
    backfills = found.pop("backfills", [])
    tags = {tag["tag_key"]: tag for some in found.values() for tag in some}
    return Found({key: tags[key] for key in keys if key in tags}, backfills)


def read_tags(connection: AwsConnection, region: str, **filters: t.Any) -> list[Tag]:
    """The tags that billing knows, by key.

    :param filters: ``TagKeys`` (100 at most), ``Status``, ``Type``
    """
    what = "read the cost allocation tags"
    listed = _pages(connection, region, what, "list_cost_allocation_tags", "CostAllocationTags", filters)
    return sorted((_tag(entry) for entry in listed), key=lambda tag: tag["tag_key"])


def read_backfills(connection: AwsConnection, region: str) -> list[Backfill]:
    """All backfills, the last one first."""
    what = "read the backfills of cost allocation tags"
    method, name = "list_cost_allocation_tag_backfill_history", "BackfillRequests"
    found = [_backfill(entry) for entry in _pages(connection, region, what, method, name, {})]
    return sorted(found, key=lambda entry: moment(entry["requested_at"]), reverse=True)


def moment(text: str | None) -> datetime.datetime:
    """A time of the API; long ago where there is none."""
    if not text:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return datetime.datetime.fromisoformat(text)


def _pages(
    connection: AwsConnection, region: str, what: str, method: str, name: str, filters: dict[str, t.Any]
) -> list[dict[str, t.Any]]:
    """All pages of a list; not each version of botocore has paginators for them."""

    @_CeError.common_error_handler(what)
    def page(params: dict[str, t.Any]) -> dict[str, t.Any]:
        return getattr(connection.client("ce", region), method)(MaxResults=_PAGE, **params)

    params, found = dict(filters), []
    while True:
        try:
            answer = page(params)
        except AnsibleAWSError as e:
            raise _explained(connection, region, e) from e
        found += answer.get(name, [])
        if not answer.get("NextToken"):
            return found
        params["NextToken"] = answer["NextToken"]


def _explained(connection: AwsConnection, region: str, error: AnsibleAWSError) -> AnsibleAWSError:
    """The error, with what to do about it where the account is a member of an organization."""
    if error_code(error.exception) != "AccessDeniedException" or _LINKED not in str(error.exception):
        return error
    manager = _management_account(connection, region)
    message = (
        f"{error.message}. This account is a member of an organization, whose cost allocation tags are those of its "
        f"management account{f' {manager}' if manager else ''}. Run this with credentials of that account"
    )
    return AnsibleAWSError(message=message, exception=error.exception)


def _management_account(connection: AwsConnection, region: str) -> str:
    """The account that pays; empty where Organizations does not tell it."""
    try:
        organization = connection.client("organizations", region).describe_organization()["Organization"]
    except (BotoCoreError, ClientError):
        return ""
    return organization.get("MasterAccountId", "")


def _tag(entry: t.Mapping[str, t.Any]) -> Tag:
    return {
        "tag_key": entry["TagKey"],
        "type": entry["Type"],
        "status": entry["Status"].lower(),
        "last_updated_date": entry.get("LastUpdatedDate"),
        "last_used_date": entry.get("LastUsedDate"),
    }


def _backfill(entry: t.Mapping[str, t.Any]) -> Backfill:
    return {
        "from": entry.get("BackfillFrom", "")[:10],
        "status": entry.get("BackfillStatus"),
        "requested_at": entry.get("RequestedAt"),
        "completed_at": entry.get("CompletedAt"),
    }


# --- changing


def update(connection: AwsConnection, region: str, keys: t.Sequence[str], state: str) -> None:
    """Set the status of keys, 20 in a call; a key that AWS refuses does not keep it from the others.

    :raises AnsibleAWSError: names the keys that AWS refused, each with its reason
    """
    errors: list[dict[str, str]] = []
    for start in range(0, len(keys), BATCH):
        batch = [{"TagKey": key, "Status": STATUSES[state]} for key in keys[start : start + BATCH]]
        answer = connection.client("ce", region).update_cost_allocation_tags_status(CostAllocationTagsStatus=batch)
        errors += answer.get("Errors", [])
    if not errors:
        return
    told = "; ".join(f"{error.get('TagKey')}: {error.get('Message')} ({error.get('Code')})" for error in errors)
    others = len(keys) - len(errors)
    rest = f". The other {others} {'is' if others == 1 else 'are'} {state} now" if others else ""
    raise AnsibleAWSError(message=f"AWS refused to make these cost allocation tags {state}: {told}{rest}")
