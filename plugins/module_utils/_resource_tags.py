# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Setting and removing tags of resources of any service, and what AWS refuses of it, resource by resource. The plan is
in ``_resource_tags_plan``.

API reference: TagResources and UntagResources of the Resource Groups Tagging API (20 resources in a call, whose answer
is a success with a map of those that failed), HeadBucket of S3.
"""

from __future__ import annotations

import dataclasses
import random
import time
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._errors import error_code
from ._plan import gather
from ._resource_tags_plan import Step
from ._tag_rules import Rule
from ._tagged_resources import SERVICE, Resource, explained
from ._tagging_rights import actions

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

BATCH = 20
_ATTEMPTS = 4
_DENIED = ("not authorized", "Access Denied", "AccessDenied", "UnauthorizedOperation")


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why a resource was left as it is: AWS' code and text, and what to do about it; empty where we know no more."""

    code: str
    message: str
    hint: str = ""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call: the same tags for up to 20 resources of a region, or the same keys taken from them.

    :ivar tags: empty for a call that removes ``keys``
    """

    region: str
    arns: tuple[str, ...]
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    keys: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it does, in words that follow "Failed to "."""
        shown = ", ".join(arn.split(":", 2)[2] for arn in self.arns)
        if self.keys:
            return f"remove the tags {', '.join(self.keys)} from {shown}"
        return f"set the tags {', '.join(f'{key}={value}' for key, value in self.tags.items())} on {shown}"


def calls_of(steps: t.Iterable[Step]) -> list[Call]:
    """The calls of a plan. What is removed goes first: the marker that is set after it does not know it any more."""
    groups: dict[tuple[t.Any, ...], list[str]] = {}
    for removing in (True, False):
        for step in steps:
            region = step.resource.region
            if removing and step.remove:
                groups.setdefault((0, region, tuple(sorted(step.remove))), []).append(step.resource.arn)
            if not removing and step.add:
                groups.setdefault((1, region, tuple(sorted(step.add.items()))), []).append(step.resource.arn)
    return [
        Call(region, tuple(arns[start : start + BATCH]), dict(what) if setting else {}, () if setting else what)
        for (setting, region, what), arns in groups.items()
        for start in range(0, len(arns), BATCH)
    ]


def apply(
    connection: AwsConnection, calls: t.Iterable[Call], sleep: t.Callable[[float], None] = time.sleep
) -> dict[str, Refusal]:
    """Make the calls.

    :returns: ARN -> why AWS refused it; nothing further is tried of such a resource
    :raises AnsibleAWSError: no call can be made at all; those before it stay made
    """
    refused: dict[str, Refusal] = {}
    for call in calls:
        left = tuple(arn for arn in call.arns if arn not in refused)
        if left:
            refused |= _made(connection, dataclasses.replace(call, arns=left), sleep)
    return refused


def _made(connection: AwsConnection, call: Call, sleep: t.Callable[[float], None]) -> dict[str, Refusal]:
    """Make one call, and again for resources of which AWS says that it was too busy."""
    refused: dict[str, Refusal] = {}
    arns = call.arns
    for attempt in range(_ATTEMPTS):
        try:
            failed = _answer(connection, dataclasses.replace(call, arns=arns))
        except ClientError as e:
            # One ARN that the service does not take ends the call for all.
            if error_code(e) != "InvalidParameterException":
                error = AnsibleAWSError(message=f"Failed to {call.summary}", exception=e)
                raise explained(error, call.region) from e
            if len(arns) == 1:
                return {**refused, arns[0]: Refusal("InvalidParameterException", e.response["Error"]["Message"])}
            for arn in arns:
                refused |= _made(connection, dataclasses.replace(call, arns=(arn,)), sleep)
            return refused
        except BotoCoreError as e:
            raise AnsibleAWSError(message=f"Failed to {call.summary}", exception=e) from e
        busy = {arn: entry for arn, entry in failed.items() if _is_busy(entry)}
        last = attempt == _ATTEMPTS - 1
        refused |= {arn: _refusal(arn, entry, call) for arn, entry in failed.items() if last or arn not in busy}
        if not busy or last:
            break
        arns = tuple(busy)
        sleep(2**attempt * random.uniform(0.5, 1))
    return refused


def _answer(connection: AwsConnection, call: Call) -> dict[str, t.Any]:
    client = connection.client(SERVICE, call.region)
    if call.keys:
        answer = client.untag_resources(ResourceARNList=list(call.arns), TagKeys=list(call.keys))
    else:
        answer = client.tag_resources(ResourceARNList=list(call.arns), Tags=dict(call.tags))
    return answer.get("FailedResourcesMap") or {}


def _is_busy(entry: t.Mapping[str, t.Any]) -> bool:
    return entry.get("StatusCode", 0) >= 500 or entry.get("StatusCode") == 429 or "Thrott" in entry.get("ErrorCode", "")


def _refusal(arn: str, entry: t.Mapping[str, t.Any], call: Call) -> Refusal:
    """AWS' words, and the right that is missing; some services do not say which one it is."""
    code, message = entry.get("ErrorCode", ""), entry.get("ErrorMessage", "")
    hint = ""
    if entry.get("StatusCode") == 403 or any(word in f"{code} {message}" for word in _DENIED):
        hint = f"Allow {', '.join(actions(arn.split(':')[2], remove=bool(call.keys)))} on {arn}"
    elif "does not exist" in message:
        hint = "Correct the ARN. A bucket is tagged in the region in which it was made"
    return Refusal(code, message, hint)


def named_only(
    connection: AwsConnection,
    rules: t.Sequence[Rule],
    listed: t.Sequence[Resource],
    account_id: str,
    regions: t.Sequence[str],
) -> list[Resource]:
    """Resources that rules name by their whole ARN and that AWS does not list, because they never had a tag.

    The ARN of a bucket has neither account nor region, so S3 is asked (one call for each such bucket, which takes
    ``s3:ListBucket``). What is in another account or region is left out.
    """
    known = {resource.arn for resource in listed}
    arns = dict.fromkeys(arn for rule in rules for arn in rule.literal_arns if arn not in known)
    buckets = [arn for arn in arns if arn.split(":")[2] == "s3"]
    places = gather({arn: lambda arn=arn: _bucket_region(connection, arn, account_id) for arn in buckets})
    found = []
    for arn in arns:
        _arn, _partition, _service, region, account, _rest = arn.split(":", 5)
        region = places.get(arn, region or "us-east-1")
        if region in regions and account in ("", account_id):
            found.append(Resource(arn, account_id, region))
    return found


def _bucket_region(connection: AwsConnection, arn: str, account_id: str) -> str | None:
    """Where a bucket of this account is; ``None`` when there is none, or it is another account's."""
    name = arn.split(":", 5)[5]
    try:
        answer = connection.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=account_id)
    except ClientError as e:
        if e.response["ResponseMetadata"].get("HTTPStatusCode") in (403, 404):
            return None
        raise AnsibleAWSError(message=f"Failed to look for the bucket {name}", exception=e) from e
    except BotoCoreError as e:
        raise AnsibleAWSError(message=f"Failed to look for the bucket {name}", exception=e) from e
    return answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
