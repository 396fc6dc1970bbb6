# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which resources have tags: input checks and reading. API reference: GetResources of the Resource Groups Tagging API.

It lists what has a tag, or had one once, in one region of one account, 100 resources in a page.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._errors import error_code, error_handler
from ._identifiers import refuse
from ._plan import gather
from ._regions import check_region

SERVICE = "resourcegroupstaggingapi"
PAGE = 100
_TYPE = re.compile(r"[a-z0-9-]+(:[A-Za-z0-9/._-]+)?")
# What AWS answers where credentials are not valid; elsewhere they are, or nothing could have been asked at all.
_NOT_VALID = ("UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure", "InvalidSignatureException")

_TaggingError = error_handler()


@dataclasses.dataclass(frozen=True)
class Resource:
    """A resource with its tags.

    :ivar account_id: from the ARN; that of the caller where the ARN has none
    :ivar region: in which it was listed
    """

    arn: str
    account_id: str
    region: str
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def service(self) -> str:
        return self.arn.split(":")[2]

    @property
    def resource_type(self) -> str:
        """Service and type as AWS filters by them, such as ``rds:db``; ``s3`` for a bucket, which has no type."""
        return type_of(self.arn)


def type_of(arn: str) -> str:
    """Service and type of an ARN: what is before the first ``/`` or ``:`` of its last part."""
    _arn, _partition, service, _region, _account, rest = arn.split(":", 5)
    kind = re.match(r"([^:/]+)[:/]", rest)
    return f"{service}:{kind[1]}" if kind else service


def check_regions(option: str, regions: t.Sequence[str], partition: str) -> None:
    """Refuse what is no region of the partition, and what is there twice.

    :raises AnsibleAWSError: names option, value and what to write
    """
    if not regions:
        refuse(option, "[]", "names no region", "Write at least one, for example eu-west-1")
    for region in regions:
        if check_region(option, region) != partition:
            write = f"Write regions of {partition}, and run this for each partition with its own credentials"
            refuse(option, region, f"is not a region of the partition {partition}", write)
        if list(regions).count(region) > 1:
            refuse(option, region, "is there more than once", "Write each region once")


def check_types(option: str, types: t.Iterable[str]) -> None:
    """Refuse what is no service or type of resource.

    :raises AnsibleAWSError: names option, value and what to write
    """
    for each in types:
        if not _TYPE.fullmatch(each):
            refuse(option, each, "is not a type of resource", "Write a service or its type as in ARNs: s3, rds:db")


def read(
    connection: AwsConnection, regions: t.Sequence[str], account_id: str, types: t.Sequence[str] = ()
) -> list[Resource]:
    """The tagged resources of some regions, by ARN (one call for each 100 of a region).

    :param account_id: of the caller
    :param types: ``rds:db``, ``s3``, ...; all when empty
    :raises AnsibleAWSError: a call was refused
    """
    reads = {region: lambda region=region: _read_region(connection, region, types) for region in regions}
    found: dict[str, Resource] = {}
    for region, entries in gather(reads).items():
        for entry in entries:
            arn = entry["ResourceARN"]
            tags = {tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])}
            found.setdefault(arn, Resource(arn, arn.split(":")[4] or account_id, region, tags))
    return [found[arn] for arn in sorted(found)]


def _read_region(connection: AwsConnection, region: str, types: t.Sequence[str]) -> list[dict[str, t.Any]]:
    filters = {"ResourceTypeFilters": list(types)} if types else {}

    @_TaggingError.common_error_handler(f"list the tagged resources of {region}")
    def pages() -> list[dict[str, t.Any]]:
        paginator = connection.client(SERVICE, region).get_paginator("get_resources")
        answers = paginator.paginate(ResourcesPerPage=PAGE, **filters)
        return [entry for answer in answers for entry in answer.get("ResourceTagMappingList", [])]

    try:
        return pages()
    except AnsibleAWSError as e:
        raise explained(e, region) from e


def explained(error: AnsibleAWSError, region: str) -> AnsibleAWSError:
    """The error, with what to do about it where the region is not enabled, or the right to the call is missing."""
    code = error_code(error.exception)
    if code in _NOT_VALID:
        hint = (
            f"The region {region} is not enabled in this account, or the credentials are not valid at all. Take it out "
            f"of the regions, or enable it: aws account enable-region --region-name {region}"
        )
    elif code in ("AccessDeniedException", "AccessDenied"):
        hint = "Allow the action that AWS names below on '*'; it knows no resources"
    else:
        return error
    return AnsibleAWSError(message=f"{error.message}. {hint}", exception=error.exception)
