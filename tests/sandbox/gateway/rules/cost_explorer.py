# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost allocation tags (service ce), which MiniStack 1.5.33 has not. Its other operations are not served.

API reference of AWS Billing and Cost Management. What billing has seen, and what becomes of it in reports, is in
`sandbox.billing.tags`. The service has one endpoint, so a signature for another region is refused; AWS' SDK signs for
us-east-1 by itself unless it is given an endpoint.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ...billing import tags
from .. import shapes
from ..aws_errors import aws_error
from ..call import Call, Response, json_response
from .registry import before

# What AWS calls the operations when it refuses them to a member.
_OPERATIONS = {
    "ListCostAllocationTags": "list Cost Allocation Tags",
    "UpdateCostAllocationTagsStatus": "update Cost Allocation Tag",
    "StartCostAllocationTagBackfill": "start Cost Allocation Tag backfill",
    "ListCostAllocationTagBackfillHistory": "list Cost Allocation Tag backfill history",
}
_PAGE = 100
_DAY = timedelta(hours=24)


def setup(gateway: Any) -> None:
    """Serve POST /_sandbox/cost-allocation-tags (see sandbox.billing.tags.Play), and let MiniStack know the service.

    It would read the models of all services of AWS to know its name, which takes seconds.
    """
    from ministack.core import router

    known = router._is_aws_service_name
    router._is_aws_service_name = lambda name: name == "ce" or known(name)

    @gateway.control("/_sandbox/cost-allocation-tags", "POST")
    def play(body: dict[str, Any]) -> dict[str, Any]:
        return tags.play({"account_id": gateway.payer(), **body})


@before("ce", *_OPERATIONS, order=0)
def refuse_bad_call(call: Call, gateway: Any) -> Response | None:
    """Region, shape, and that the account manages its tags itself."""
    if call.region != "us-east-1":
        return aws_error(call, "InvalidSignatureException", "Credential should be scoped to a valid region. ")
    if gateway.payer_of(call.account_id) != call.account_id:
        text = "Linked account doesn't have access to cost allocation tags."
        return aws_error(call, "AccessDeniedException", f"Failed to {_OPERATIONS[call.operation]}: {text}")
    return shapes.refuse(call)


@before("ce", "ListCostAllocationTags")
def list_tags(call: Call, _gateway: Any) -> Response:
    """The keys that billing has seen, by name; keys that it has not are left out without a word."""
    found = [tag.document for _key, tag in sorted(tags.of(call.account_id).keys.items())]
    if call.params.get("TagKeys"):
        found = [tag for tag in found if tag["TagKey"] in call.params["TagKeys"]]
    for name in ("Status", "Type"):
        found = [tag for tag in found if tag[name] == call.params.get(name, tag[name])]
    return _page(call, "CostAllocationTags", found)


@before("ce", "UpdateCostAllocationTagsStatus")
def update_status(call: Call, _gateway: Any) -> Response:
    """What cannot be done to one key is said beside it, and the others are done; the call itself succeeds."""
    account, errors = tags.of(call.account_id), []
    now = datetime.now(UTC)
    for entry in call.params["CostAllocationTagsStatus"]:
        key, status = entry["TagKey"], entry["Status"]
        if refusal := account.refusals.get(key):
            errors.append({"TagKey": key, "Code": refusal[0], "Message": refusal[1]})
        elif key not in account.keys:
            text = f"Failed to update Cost Allocation Tag: {key}"
            errors.append({"TagKey": key, "Code": "TagKeysNotFoundException", "Message": text})
        elif account.keys[key].status != status:
            account.keys[key].status, account.keys[key].updated = status, now
    return json_response({"Errors": errors})


@before("ce", "StartCostAllocationTagBackfill")
def start_backfill(call: Call, _gateway: Any) -> Response:
    """From the first of a month, of the last twelve; one at a time, and one in 24 hours."""
    account, now = tags.of(call.account_id), datetime.now(UTC)
    start = datetime.fromisoformat(call.params["BackfillFrom"])
    if start != start.replace(day=1, hour=0, minute=0, second=0):
        return aws_error(call, "ValidationException", "BackfillFrom must be the first day of a month.")
    if start > now or start < _earliest(now):
        text = "BackfillFrom can't precede the previous twelve months, or be in the future."
        return aws_error(call, "ValidationException", text)
    if any(backfill.status == tags.PROCESSING for backfill in account.backfills):
        text = "A request to backfill is already in progress. Once the previous request is complete, you can create "
        return aws_error(call, "BackfillLimitExceededException", f"{text}another request.")
    if any(now - backfill.requested < _DAY for backfill in account.backfills):
        text = "You made too many calls in a short period of time. Try again later."
        return aws_error(call, "LimitExceededException", text)
    account.backfills.insert(0, tags.Backfill(call.params["BackfillFrom"], now))
    return json_response({"BackfillRequest": account.backfills[0].document})


@before("ce", "ListCostAllocationTagBackfillHistory")
def list_backfills(call: Call, _gateway: Any) -> Response:
    """All requests, the last one first."""
    return _page(call, "BackfillRequests", [backfill.document for backfill in tags.of(call.account_id).backfills])


def _earliest(now: datetime) -> datetime:
    """The first of the month twelve months ago: the earliest day that can be backfilled."""
    return now.replace(year=now.year - 1, day=1, hour=0, minute=0, second=0, microsecond=0)


def _page(call: Call, name: str, entries: list[dict[str, str]]) -> Response:
    token = call.params.get("NextToken", "0")
    if not token.isdigit() or (int(token) and int(token) >= len(entries)):
        return aws_error(call, "InvalidNextTokenException", "The pagination token is invalid.")
    start, size = int(token), min(call.params.get("MaxResults", _PAGE), _PAGE)
    answer: dict[str, Any] = {name: entries[start : start + size]}
    if start + size < len(entries):
        answer["NextToken"] = str(start + size)
    return json_response(answer)
