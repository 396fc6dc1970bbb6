# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Glue tables over Cost and Usage Reports: what is refused before a call, and what is read."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _glue_table
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import (
    Delivery,
    Found,
    ReportPlace,
    TableId,
    _database_tags,
    _has_other_tables,
    check_glue_name,
    delivery_of,
    keeps_partitions,
    read,
    read_delivery,
    read_tables,
    shape,
)
from botocore.exceptions import ClientError
from botocore.stub import Stubber

TARGET = TableId("athenacurcfn_kubecost", "kubecost", "eu-west-1", "111111111111", "aws")
PLACE = ReportPlace("example-reports", "cur", "kubecost")


def test_manifests_lie_under_their_month() -> None:
    key = PLACE.manifest_key(datetime.date(2026, 12, 1))
    assert key == "cur/kubecost/20261201-20270101/kubecost-Manifest.json"


class Objects:
    """A bucket with these objects, and what is read of it."""

    def __init__(self, objects: dict[str, bytes], missing: str = "NoSuchKey") -> None:
        self.objects = objects
        self.missing = missing
        self.read: list[str] = []

    def client(self, _service: str) -> Objects:
        return self

    def get_object(self, Bucket: str, Key: str, ExpectedBucketOwner: str) -> dict[str, Any]:
        assert (Bucket, ExpectedBucketOwner) == (PLACE.bucket, TARGET.account_id)
        self.read.append(Key)
        if Key in self.objects:
            return {"Body": io.BytesIO(self.objects[Key])}
        raise ClientError({"Error": {"Code": self.missing, "Message": "no"}}, "GetObject")

    def list_objects_v2(self, Bucket: str, Prefix: str, Delimiter: str, ExpectedBucketOwner: str) -> dict[str, Any]:
        assert (Bucket, ExpectedBucketOwner) == (PLACE.bucket, TARGET.account_id)
        self.read.append(Prefix)
        if self.missing == "NoSuchBucket":
            raise ClientError({"Error": {"Code": self.missing, "Message": "no"}}, "ListObjectsV2")
        folders = {key[: key.index(Delimiter, len(Prefix)) + 1] for key in self.objects if key.startswith(Prefix)}
        return {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]} if folders else {}


DECEMBER = "cur/kubecost/20251201-20260101/kubecost-Manifest.json"
JANUARY = "cur/kubecost/20260101-20260201/kubecost-Manifest.json"
MANIFEST = b'{"columns": [{"category": "bill", "name": "bill_bill_type", "type": "STRING"}]}'


def delivery(objects: Objects) -> Delivery | None:
    """What is read in January."""
    return read_delivery(objects, PLACE, TARGET.account_id, datetime.date(2026, 1, 31))  # type: ignore[arg-type]


def test_the_manifest_of_this_month() -> None:
    objects = Objects({JANUARY: MANIFEST, DECEMBER: b"not read"})
    assert delivery(objects) == Delivery("2026-01", [{"name": "bill_bill_type", "type": "string"}])
    assert objects.read == [JANUARY]


FOLDER = "cur/kubecost/"


def test_the_newest_manifest() -> None:
    old = "cur/kubecost/20240201-20240301/kubecost-Manifest.json"
    data = "cur/kubecost/kubecost/year=2025/month=12/kubecost-00001.snappy.parquet"
    objects = Objects({old: b"not read", DECEMBER: MANIFEST, data: b"", "cur/kubecost/20251301-x/a": b""})
    found = delivery(objects)
    assert found is not None
    assert found.period == "2025-12"
    assert objects.read == [JANUARY, FOLDER, DECEMBER]


def test_a_report_that_stopped_long_ago_was_delivered() -> None:
    found = delivery(Objects({"cur/kubecost/20231201-20240101/kubecost-Manifest.json": MANIFEST}))
    assert found is not None
    assert found.period == "2023-12"


@pytest.mark.parametrize(
    ("period", "today", "stopped"),
    [
        ("2026-01", datetime.date(2026, 1, 31), False),
        ("2026-01", datetime.date(2026, 2, 3), False),
        ("2026-01", datetime.date(2026, 2, 4), True),
        ("2025-12", datetime.date(2026, 1, 1), False),
        ("2024-03", datetime.date(2026, 1, 1), True),
    ],
)
def test_a_report_has_stopped_when_a_month_is_missing_for_days(
    period: str, today: datetime.date, stopped: bool
) -> None:
    facts = delivery_of(Delivery(period, []), today)
    assert facts == {"delivered": True, "delivered_period": period, "delivery_stopped": stopped}


def test_what_was_never_delivered_has_not_stopped() -> None:
    assert delivery_of(None, datetime.date(2026, 1, 1))["delivery_stopped"] is False


def test_a_folder_without_a_manifest() -> None:
    objects = Objects({DECEMBER.replace("Manifest", "other"): b""})
    assert delivery(objects) is None
    assert objects.read == [JANUARY, FOLDER, DECEMBER]


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket"])
def test_no_manifest(code: str) -> None:
    objects = Objects({}, code)
    assert delivery(objects) is None
    assert objects.read == [JANUARY, FOLDER]


def test_a_manifest_that_may_not_be_read() -> None:
    with pytest.raises(AnsibleAWSError) as refused:
        delivery(Objects({}, "AccessDenied"))
    assert f"Failed to read the manifest s3://example-reports/{JANUARY}" in str(refused.value)
    assert "s3:ListBucket" in str(refused.value)
    assert "belong to the account 111111111111" in str(refused.value)


@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"columns": 1}'])
def test_what_is_no_manifest(content: bytes) -> None:
    with pytest.raises(AnsibleAWSError, match="is not the manifest of a Cost and Usage Report"):
        delivery(Objects({JANUARY: content}))


@pytest.fixture
def connection() -> AwsConnection:
    """One with credentials that nobody accepts."""
    credentials = {"aws_access_key_id": "example-access-key", "aws_secret_access_key": "example-secret-key"}
    return AwsConnection("eu-west-1", None, credentials)


@pytest.fixture
def glue(connection: AwsConnection) -> Iterator[Stubber]:
    """Glue's API."""
    with Stubber(connection.client("glue")) as stubber:
        yield stubber


TABLE = {
    "Name": "kubecost",
    "StorageDescriptor": {
        "Location": "s3://example-reports/cur/kubecost/kubecost/",
        "Columns": [{"Name": "Line_Item_Usage_Account_Id", "Type": "string"}],
    },
    "PartitionKeys": [{"Name": "year", "Type": "string"}],
    "Parameters": {"a": "b"},
    "CreateTime": datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC),
}


def test_where_there_is_a_table_the_database_is_not_read(connection: AwsConnection, glue: Stubber) -> None:
    glue.add_response("get_table", {"Table": TABLE}, {"DatabaseName": TARGET.database, "Name": TARGET.table})
    assert read(connection, TARGET) == Found(TABLE)
    glue.assert_no_pending_responses()


def test_without_a_table_it_is(connection: AwsConnection, glue: Stubber) -> None:
    glue.add_client_error("get_table", "EntityNotFoundException")
    glue.add_response("get_database", {"Database": {"Name": TARGET.database}}, {"Name": TARGET.database})
    assert read(connection, TARGET) == Found(None, {"Name": TARGET.database})


MARKED = {"Parameters": {"kubestrap.partitions": "registered"}}


@pytest.mark.parametrize(
    ("table", "wanted", "kept"),
    [
        (None, None, False),
        (None, "registered", True),
        (TABLE, None, False),
        (TABLE, "registered", True),
        (MARKED, None, True),
        (MARKED, "projected", False),
    ],
)
def test_a_table_keeps_its_kind_of_partitions(table: Any, wanted: str | None, kept: bool) -> None:
    assert keeps_partitions(table, wanted) is kept


def test_registered_partitions_are_read_beside_the_delivered_months(
    connection: AwsConnection, glue: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    months = [datetime.date(2026, 1, 1), datetime.date(2025, 12, 1)]
    monkeypatch.setattr(_glue_table, "read_delivery", lambda *_arguments: None)
    monkeypatch.setattr(_glue_table, "_months", lambda *_arguments: months)
    glue.add_response("get_table", {"Table": TABLE})
    glue.add_response("get_partitions", {"Partitions": [{"Values": ["2025", "12"]}], "NextToken": "2"})
    glue.add_response("get_partitions", {"Partitions": [{"Values": ["2026", "1"]}]})
    found = read(connection, TARGET, PLACE, partitions="registered")
    assert found.months == tuple(reversed(months))
    assert found.registered == (("2025", "12"), ("2026", "1"))


def test_tags_of_the_database(connection: AwsConnection, glue: Stubber) -> None:
    arn = {"ResourceArn": "arn:aws:glue:eu-west-1:111111111111:database/athenacurcfn_kubecost"}
    glue.add_response("get_tags", {"Tags": {"team": "platform"}}, arn)
    glue.add_client_error("get_tags", "EntityNotFoundException")
    assert _database_tags(connection, TARGET) == {"team": "platform"}
    assert _database_tags(connection, TARGET) is None


@pytest.mark.parametrize(("names", "others"), [([], False), (["kubecost"], False), (["kubecost", "x"], True)])
def test_other_tables(connection: AwsConnection, glue: Stubber, names: list[str], others: bool) -> None:
    glue.add_response("get_tables", {"TableList": [{"Name": name} for name in names]})
    assert _has_other_tables(connection, TARGET) is others


def test_shape() -> None:
    assert shape(TARGET, TABLE) == {
        "database": "athenacurcfn_kubecost",
        "table": "kubecost",
        "arn": "arn:aws:glue:eu-west-1:111111111111:table/athenacurcfn_kubecost/kubecost",
        "location": "s3://example-reports/cur/kubecost/kubecost/",
        "columns": [{"name": "line_item_usage_account_id", "type": "string"}],
        "partition_keys": [{"name": "year", "type": "string"}],
        "parameters": {"a": "b"},
        "create_time": "2026-01-31T12:00:00+00:00",
    }


def test_tables_over_something_else_are_left_out(connection: AwsConnection, glue: Stubber) -> None:
    status = {"Name": "cost_and_usage_data_status", "StorageDescriptor": {"Columns": [{"Name": "status"}]}}
    glue.add_response("get_tables", {"TableList": [status], "NextToken": "2"})
    glue.add_response("get_tables", {"TableList": [TABLE]})
    found = read_tables(connection, "111111111111", TARGET.database, None)
    assert [table["table"] for table in found] == ["kubecost"]


def test_a_table_by_its_name(connection: AwsConnection, glue: Stubber) -> None:
    glue.add_response("get_table", {"Table": TABLE})
    glue.add_client_error("get_table", "EntityNotFoundException")
    assert read_tables(connection, "111111111111", TARGET.database, "kubecost") == [shape(TARGET, TABLE)]
    assert read_tables(connection, "111111111111", TARGET.database, "kubecost") == []


@pytest.mark.parametrize("name", ["kubecost", "athenacurcfn_kubecost", "2026", "my-database", "x" * 255])
def test_good_names(name: str) -> None:
    check_glue_name("table", name)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("", "Write a name"),
        ("Kubecost", "Write kubecost"),
        ("a.b", "Use a-z"),
        ("a b", "Use a-z"),
        ("a/b", "Use a-z"),
        ("kubecost\n", "Use a-z"),
        ("x" * 256, "at most 255"),
    ],
)
def test_bad_names(name: str, write: str) -> None:
    with pytest.raises(AnsibleAWSError) as refused:
        check_glue_name("table", name)
    assert str(refused.value).startswith(f"table: '{name}'")
    assert write in str(refused.value)
