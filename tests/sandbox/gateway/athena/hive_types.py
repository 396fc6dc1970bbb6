# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of columns: Hive's names (Glue), Trino's (information_schema, results), Arrow's and DuckDB's."""

from __future__ import annotations

import re

import pyarrow as pa

_ARROW = {
    "string": pa.string(),
    "varchar": pa.string(),
    "char": pa.string(),
    "double": pa.float64(),
    "float": pa.float32(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "tinyint": pa.int8(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
    "binary": pa.binary(),
}
_TRINO = {"string": "varchar", "int": "integer", "float": "real", "timestamp": "timestamp(3)", "binary": "varbinary"}
_DUCKDB = {
    "string": "VARCHAR",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "smallint": "SMALLINT",
    "tinyint": "TINYINT",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
_PARQUET = {
    "string": "BINARY",
    "large_string": "BINARY",
    "binary": "BINARY",
    "double": "DOUBLE",
    "float": "FLOAT",
    "int64": "INT64",
    "int32": "INT32",
    "bool": "BOOLEAN",
}
# What Athena's results call DuckDB's types.
_RESULTS = {
    "BOOLEAN": "boolean",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "UBIGINT": "bigint",
    "UINTEGER": "bigint",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "varchar",
    "BLOB": "varbinary",
    "DATE": "date",
    "TIME": "time",
    "JSON": "json",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "INTERVAL": "interval day to second",
}


def split_type(text: str) -> tuple[str, list[str]]:
    """`map<string,array<int>>` -> ("map", ["string", "array<int>"]); `decimal(10,2)` -> ("decimal", ["10", "2"])."""
    found = re.fullmatch(r"\s*(\w+)\s*(?:[<(](.*)[>)])?\s*", text.lower(), re.DOTALL)
    if found is None:
        return text.lower(), []
    inner, depth, parts, start = found.group(2) or "", 0, [], 0
    for index, character in enumerate(inner):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(inner[start:index].strip())
            start = index + 1
    return found.group(1), [*parts, inner[start:].strip()] if inner else []


def arrow_type(hive: str) -> pa.DataType:
    """The Arrow type of a Hive type; unknown types are strings."""
    base, inner = split_type(hive)
    if base == "map" and len(inner) == 2:
        return pa.map_(arrow_type(inner[0]), arrow_type(inner[1]))
    if base == "array" and inner:
        return pa.list_(arrow_type(inner[0]))
    if base == "struct":
        return pa.struct(
            [(name.strip(), arrow_type(kind)) for name, _unused, kind in (part.partition(":") for part in inner)]
        )
    if base == "decimal":
        return pa.decimal128(int(inner[0]) if inner else 10, int(inner[1]) if len(inner) > 1 else 0)
    return _ARROW.get(base, pa.string())


def trino_type(hive: str) -> str:
    """The Trino type of a Hive type, as information_schema shows it."""
    base, inner = split_type(hive)
    if base in ("map", "array"):
        return f"{base}({', '.join(trino_type(part) for part in inner)})"
    if base == "struct":
        fields = (part.partition(":") for part in inner)
        return f"row({', '.join(f'{name.strip()} {trino_type(kind)}' for name, _unused, kind in fields)})"
    if base in ("decimal", "varchar", "char") and inner:
        return f"{base}({','.join(inner)})"
    return _TRINO.get(base, base)


def duckdb_type(hive: str) -> str:
    """The DuckDB type of a partition column."""
    return _DUCKDB.get(split_type(hive)[0], "VARCHAR")


def family(hive: str) -> str:
    """text, number, time, boolean or other: what a type may be compared with."""
    base = split_type(hive)[0]
    if base in ("string", "varchar", "char"):
        return "text"
    if base in ("double", "float", "bigint", "int", "integer", "smallint", "tinyint", "decimal"):
        return "number"
    return {"timestamp": "time", "date": "time", "boolean": "boolean"}.get(base, "other")


def readable(parquet: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether Athena's Parquet reader takes a column of this type for one of that."""
    if parquet == wanted or pa.types.is_null(parquet):
        return True
    for same in (pa.types.is_timestamp, pa.types.is_decimal, pa.types.is_map, pa.types.is_list, pa.types.is_struct):
        if same(parquet) or same(wanted):
            return same(parquet) and same(wanted)
    if pa.types.is_integer(parquet) and pa.types.is_integer(wanted):
        return parquet.bit_width <= wanted.bit_width
    if pa.types.is_floating(parquet) and pa.types.is_floating(wanted):
        return parquet.bit_width <= wanted.bit_width
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(is_text(parquet) for is_text in texts) and any(is_text(wanted) for is_text in texts)


def parquet_name(kind: pa.DataType) -> str:
    """A file's type as Athena's messages call it."""
    return _PARQUET.get(str(kind), "INT64" if pa.types.is_timestamp(kind) else str(kind).upper())


def result_type(duckdb_name: str) -> str:
    """A column of a result, as GetQueryResults calls its type."""
    name = duckdb_name.upper()
    if name.endswith("]"):
        return "array"
    for prefix, kind in (("DECIMAL", "decimal"), ("MAP", "map"), ("STRUCT", "row")):
        if name.startswith(prefix):
            return kind
    if name.startswith("TIMESTAMP") and "ZONE" not in name:
        return "timestamp"
    return _RESULTS.get(name, "varchar")
