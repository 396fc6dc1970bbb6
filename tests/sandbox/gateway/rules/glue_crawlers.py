# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crawlers: MiniStack 1.5.33 lets them run and end, and makes nothing of what lies in the bucket.

AWS Glue guide, "How crawlers work": the table is called by the last folder of the path, folders `key=value` are
partition keys of type string, columns come from the files. The catalog shows it when the crawler begins here, on AWS
when it ends. Files are read whoever owns them: the rights of the crawler's role are not looked at.
"""

from __future__ import annotations

import fnmatch
import io
import re
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .. import buckets
from ..call import Call, Response
from .registry import after

_RUN_SECONDS = 1  # MiniStack's own are 5
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


def setup(_gateway: Any) -> None:
    """A crawl that tests can wait for."""
    from ministack.services import glue

    glue.CRAWLER_RUN_SECONDS = _RUN_SECONDS


@after("glue", "StartCrawler")
def crawl(call: Call, response: Response, _gateway: Any) -> None:
    """Make or renew the table of each path, and its partitions."""
    from ministack.services import glue

    if response.status != 200:
        return
    crawler = glue._crawlers[call.params["Name"]]
    for target in (crawler.get("Targets") or {}).get("S3Targets") or []:
        _crawl(glue, crawler, target)


def _crawl(glue: Any, crawler: dict[str, Any], target: dict[str, Any]) -> None:
    bucket_name, prefix = buckets.split_url(target["Path"].rstrip("/") + "/")
    bucket = buckets.find(bucket_name)
    excluded = [pattern.replace("**", "*") for pattern in target.get("Exclusions") or []]
    keys = [
        entry.key
        for entry in (bucket.objects(prefix) if bucket else [])
        if entry.key.endswith(".parquet")
        and not any(fnmatch.fnmatch(entry.key[len(prefix) :], pattern) for pattern in excluded)
    ]
    if not keys:
        return
    name = (crawler.get("TablePrefix") or "") + re.sub(
        r"[^a-z0-9_]", "_", prefix.rstrip("/").rsplit("/", 1)[-1].lower()
    )
    database, place = crawler["DatabaseName"], f"s3://{bucket_name}/{prefix}"
    columns: dict[str, str] = {}
    partitions: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        folder = key[len(prefix) :].rpartition("/")[0]
        partitions[folder] = re.findall(r"([^/=]+)=([^/]+)", folder)
        for field in pq.read_schema(io.BytesIO(bucket.read(key))):
            columns.setdefault(field.name.lower(), _hive_type(field.type))
    keys_of = [name.lower() for name, _value in next(iter(partitions.values()))]
    storage = {
        "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items() if column not in keys_of],
        "Location": place,
        "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
        "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
    }
    table = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Owner": "owner",
        "Parameters": {"classification": "parquet", "UPDATED_BY_CRAWLER": crawler["Name"]},
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in keys_of],
        "StorageDescriptor": storage,
    }
    write = glue._update_table if f"{database}/{name}" in glue._tables else glue._create_table
    write({"DatabaseName": database, "TableInput": table})
    known = glue._partitions.setdefault(f"{database}/{name}", [])
    registered = {tuple(entry["Values"]) for entry in known}
    for folder, pairs in partitions.items():
        values = [value for _key, value in pairs]
        if values and tuple(values) not in registered:
            entry = {"Values": values, "StorageDescriptor": {**storage, "Location": f"{place}{folder}/"}}
            names = {"DatabaseName": database, "TableName": name}
            known.append({**names, **entry, "Parameters": {}, "CreationTime": int(time.time())})


def _hive_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_floating(kind):
        return "double"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_boolean(kind):
        return "boolean"
    return "bigint" if pa.types.is_integer(kind) else "string"
