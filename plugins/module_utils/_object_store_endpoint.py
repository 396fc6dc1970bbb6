# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoint of an object store: a host of S3, of a VPC endpoint, or of a server that speaks S3."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._identifiers import refuse
from ._object_store_keys import HIDDEN
from ._regions import check_region, dns_suffixes, s3_endpoint

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-f:]+\])(:\d{{1,5}})?")
# Before the suffix of the partition. Both separators are in use: s3-us-west-2 is the older form.
_S3 = re.compile(r"s3(-fips)?(\.dualstack)?[.-](?P<region>[a-z0-9-]+)")
_VPC = re.compile(r"((bucket|accesspoint)\.)?vpce-[a-z0-9-]+\.s3\.(?P<region>[a-z0-9-]+)\.vpce")
_GLOBAL = "s3"
_NORTHERN_VIRGINIA = "s3-external-1"


class Endpoint(t.NamedTuple):
    """What a host name says."""

    is_aws: bool
    # The region that the host names; empty for the global host and for other servers.
    region: str = ""
    is_global: bool = False


def check_endpoint(place: str, endpoint: str, region: str) -> Endpoint:
    """Refuse what is no host, and a host of AWS that does not belong to the region.

    :param region: the region that stands in the document; may be empty
    :raises AnsibleAWSError: names the place and what to write
    """
    host = endpoint.lower()
    _check_host(place, host, region)
    name = host.split(":")[0] if not host.startswith("[") else host
    partitions = {p: suffix for p, suffix in dns_suffixes().items() if name.endswith(f".{suffix}")}
    if not partitions:
        if "amazonaws" in name.split("."):
            refuse(place, endpoint, "is not a host of AWS, though it looks like one", f"Write {wanted_host(region)}")
        return Endpoint(is_aws=False)
    if region:
        check_region(place.removesuffix("endpoint") + "region", region)
    found = _of_aws(name.removesuffix(f".{next(iter(partitions.values()))}"))
    if found is None:
        refuse(place, endpoint, "is not the host of S3 in a region", f"Write {wanted_host(region)}")
    if found.is_global:
        _check_global(place, endpoint, partitions, region)
        return found
    partition = check_region(place, found.region)
    if partition not in partitions:
        refuse(
            place,
            endpoint,
            f"is not in the partition {partition} of {found.region}",
            f"Write {wanted_host(found.region)}",
        )
    if region and region != found.region:
        refuse(place, endpoint, f"is in {found.region}, but the region is {region}", f"Write {wanted_host(region)}")
    return found


def _check_host(place: str, host: str, region: str) -> None:
    """Refuse URLs, paths and the like. What stands before an @ may be a key, so such a value is not shown."""
    if "@" in host:
        refuse(place, HIDDEN, "has a user name in it", "Write the host alone, and keys in access_key and secret_key")
    bare = re.sub(r"^[a-z0-9+.-]+://", "", host).split("/")[0]
    write = f"Write {bare}" if _HOST.fullmatch(bare) else f"Write {wanted_host(region)}"
    if "://" in host:
        plain = " and insecure: true" if host.startswith("http://") and "amazonaws" not in host else ""
        refuse(place, host, "is a URL, not a host", f"{write}{plain}")
    if "/" in host:
        refuse(place, host, "has a path", write)
    if not _HOST.fullmatch(host):
        refuse(place, host, "is not the name of a host", write)


def _of_aws(name: str) -> Endpoint | None:
    """What the part before the partition's suffix says."""
    if name == _GLOBAL:
        return Endpoint(is_aws=True, is_global=True)
    if name == _NORTHERN_VIRGINIA:
        return Endpoint(is_aws=True, region="us-east-1")
    match = _S3.fullmatch(name) or _VPC.fullmatch(name)
    return Endpoint(is_aws=True, region=match["region"]) if match else None


def _check_global(place: str, endpoint: str, partitions: t.Container[str], region: str) -> None:
    if "aws" not in partitions:
        refuse(
            place, endpoint, "does not exist; only the partition aws has a global host", f"Write {wanted_host(region)}"
        )
    if region and check_region("region", region) != "aws":
        refuse(place, endpoint, f"does not serve {region}, only the partition aws", f"Write {wanted_host(region)}")


def wanted_host(region: str) -> str:
    """The host that S3 has in a region, for a message."""
    try:
        return s3_endpoint(region)
    except AnsibleAWSError:  # the region is unknown too, or there is none
        return "the host alone, for example s3.eu-west-1.amazonaws.com"
