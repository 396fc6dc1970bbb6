# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regions, partitions and host names, from botocore's own data; no call.

botocore is imported where it is used. Each task that uses a filter of this collection imports this file in a process of
its own, and few of them ask for a region; the import would be most of what such a task costs.
"""

from __future__ import annotations

import difflib
import functools

from ._identifiers import refuse


def s3_endpoint(region: str) -> str:
    """Host name of S3 in a region, ``s3.<region>.<suffix of the partition>``.

    The global host ``s3.amazonaws.com`` serves the partition ``aws`` only, and VPC endpoints want the regional one.

    :raises AnsibleAWSError: see ``check_region``
    """
    return f"s3.{region}.{dns_suffixes()[check_region('region', region)]}"


@functools.cache
def dns_suffixes() -> dict[str, str]:
    """Partition -> suffix of its host names."""
    import botocore.session

    data = botocore.session.Session().get_component("data_loader").load_data("partitions")
    return {partition["id"]: partition["outputs"]["dnsSuffix"] for partition in data["partitions"]}


def check_region(option: str, region: str) -> str:
    """The partition of a region.

    :raises AnsibleAWSError: the SDK knows no such region. Its rules for names accept many a typing error (eu-wset-1),
        so the region must be in its list
    """
    partition = _partitions().get(region)
    if partition is None:
        import botocore

        near = difflib.get_close_matches(str(region), _partitions(), n=1)
        hint = f"Write {near[0]}?" if near else "Write a region such as eu-west-1."
        refuse(
            option,
            region,
            "is not a region that AWS' SDK knows",
            f"{hint} If the region is newer than botocore {botocore.__version__}, update boto3",
        )
    return partition


@functools.cache
def _partitions() -> dict[str, str]:
    """Region -> partition."""
    import botocore.session

    session = botocore.session.Session()
    return {
        region: partition
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("s3", partition_name=partition)
    }
