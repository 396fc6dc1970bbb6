# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as Parquet, in the types that AWS writes."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .columns import DOUBLE, TIMESTAMP, Column


def report_parquet(columns: list[Column], rows: list[dict[str, Any]]) -> bytes:
    """A report file: snappy-compressed, timestamps in milliseconds without a zone, amounts as doubles, else strings.

    Values that a row lacks are null. A row's entries that are no column are left out (AWS has no column for a tag that
    is not activated).
    """
    types = {DOUBLE: pa.float64(), TIMESTAMP: pa.timestamp("ms")}
    schema = pa.schema([(column.name, types.get(column.kind, pa.string())) for column in columns])
    arrays = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return _bytes(pa.Table.from_arrays(arrays, schema=schema))


def status_parquet(status: str) -> bytes:
    """The file of `cost_and_usage_data_status`: one row, READY or UPDATING."""
    return _bytes(pa.table({"status": pa.array([status], type=pa.string())}))


def _bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="snappy")
    return buffer.getvalue()
