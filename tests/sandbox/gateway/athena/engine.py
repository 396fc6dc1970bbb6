# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one query: catalog, partitions, rights, Parquet, DuckDB."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from .. import buckets, rights
from ..call import Call
from . import projection, sql
from .catalog import ON_BEHALF, Catalog, columns_of, view_sql
from .errors import QueryCancelled, QueryFailed, s3_denied
from .hive_types import arrow_type, duckdb_type, parquet_name, readable, result_type, trino_type

_DEEPEST_VIEW = 10
# Nothing is fetched from anywhere.
_DUCKDB = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}


@dataclass
class Result:
    """What a query returned: column names, their Athena types, DuckDB's type names, rows, and the bytes read for it."""

    columns: list[str]
    types: list[str]
    kinds: list[str]
    rows: list[tuple[Any, ...]]
    scanned: int = 0


@dataclass
class File:
    """A Parquet object of a table, with the values of its partition."""

    bucket: buckets.Bucket
    entry: buckets.StoredObject
    values: dict[str, str]


@dataclass
class Engine:
    """One run of one query. `cutoff`: the workgroup's limit in bytes, 0 for none."""

    call: Call
    text: str
    database: str
    cutoff: int = 0
    scanned: int = 0
    _columns: dict[int, dict[str, str]] = field(default_factory=dict)

    def run(self, query: exp.Query) -> Result:
        """QueryFailed or QueryCancelled when it does not succeed. Blocks: run it in a thread."""
        catalog = Catalog(self.call)
        connection = duckdb.connect(":memory:", config=_DUCKDB)
        try:
            query = self._expand(query, catalog)
            sources = list(sql.tables(query))
            found = [self._source(query, table, catalog) for table in sources]
            sql.check(query, self.text, lambda table: self._columns.get(id(table)))
            wanted = sql.used_columns(query)
            files = [
                [] if isinstance(source, pa.Table) else self._files(query, table, source, catalog)
                for table, source in zip(sources, found, strict=True)
            ]
            types = {}
            for number, (table, source) in enumerate(zip(sources, found, strict=True)):
                mine = self._columns[id(table)]
                needed = {name: kind for name, kind in mine.items() if wanted is None or name in wanted}
                types[f"source_{number}"] = needed or mine
                data = source if isinstance(source, pa.Table) else self._read(columns_of(source), files[number], wanted)
                connection.register(f"source_{number}", data)
                alias = table.alias_or_name
                table.replace(exp.to_table(f"source_{number}").as_(alias, quoted=True, table=True))
            return self._execute(connection, sql.for_duckdb(query, datetime.now(UTC), types))
        finally:
            connection.close()

    # -- what the query reads ------------------------------------------------------------------------------------

    def _expand(self, query: exp.Query, catalog: Catalog) -> exp.Query:
        """The query with views replaced by what they stand for."""
        for _depth in range(_DEEPEST_VIEW):
            changed = False
            for table in list(sql.tables(query)):
                if self._schema(table) == "information_schema":
                    continue
                stored = catalog.table(self._schema(table), table.name.lower(), sql.place(self.text, table.this))
                inner = view_sql(stored)
                if inner is None:
                    continue
                body = sql.parse(inner)
                for part in sql.tables(body):
                    if not part.db:
                        part.set("db", exp.to_identifier(stored["DatabaseName"]))
                table.replace(body.subquery(table.alias_or_name))
                changed = True
            if not changed:
                return query
        raise QueryFailed("INVALID_VIEW: views are nested too deeply")

    def _schema(self, table: exp.Table) -> str:
        return (table.db or self.database).lower()

    def _source(self, query: exp.Query, table: exp.Table, catalog: Catalog) -> pa.Table | Mapping[str, Any]:
        """What is behind a table of the query: rows of information_schema, or a Glue table."""
        where = sql.place(self.text, table.this)
        if table.catalog and table.catalog.lower() != "awsdatacatalog":
            raise QueryFailed(f"CATALOG_NOT_FOUND: {where}: Catalog '{table.catalog}' does not exist")
        if self._schema(table) == "information_schema":
            return self._information_schema(query, table, catalog)
        stored = catalog.table(self._schema(table), table.name.lower(), where)
        self._columns[id(table)] = columns_of(stored)
        library = ((stored.get("StorageDescriptor") or {}).get("SerdeInfo") or {}).get("SerializationLibrary", "")
        if "parquet" not in library.lower():
            raise QueryFailed(f"HIVE_UNSUPPORTED_FORMAT: the sandbox reads Parquet tables, not {library or 'none'}")
        return stored

    def _information_schema(self, query: exp.Query, table: exp.Table, catalog: Catalog) -> pa.Table:
        predicate = sql.partition_predicate(query, table, {"table_schema", "table_name", "schema_name"})
        names = {key: sql.static_values(predicate, key) for key in ("table_schema", "schema_name", "table_name")}
        schema = names["table_schema"] or names["schema_name"]
        header, rows = catalog.information_schema(
            table.name.lower(),
            schema[0] if len(schema) == 1 else None,
            names["table_name"][0] if len(names["table_name"]) == 1 else None,
        )
        self._columns[id(table)] = dict.fromkeys(header, "string") | {"ordinal_position": "bigint"}
        kinds = [pa.int64() if name == "ordinal_position" else pa.string() for name in header]
        return pa.table([pa.array([row[index] for row in rows], type=kind) for index, kind in enumerate(kinds)], header)

    def _files(self, query: exp.Query, table: exp.Table, stored: Mapping[str, Any], catalog: Catalog) -> list[File]:
        """The objects of the partitions that the query's conditions leave; every one counted and allowed."""
        keys = {key["Name"].lower(): key.get("Type", "string") for key in stored.get("PartitionKeys") or []}
        predicate = sql.partition_predicate(query, table, set(keys))
        if not keys:
            parts = [({}, (stored.get("StorageDescriptor") or {}).get("Location", ""))]
        elif projection.enabled(stored):
            injected = {key: sql.static_values(predicate, key) for key in keys}
            parts = projection.projected(stored, injected, datetime.now(UTC).replace(tzinfo=None))
        else:
            parts = catalog.partitions(stored)
        found = []
        for values, location in self._matching(parts, keys, predicate):
            found += self._objects(values, location)
        return found

    @staticmethod
    def _matching(parts: list, keys: dict[str, str], predicate: exp.Expression | None) -> list:
        if predicate is None or not parts:
            return parts
        names = ", ".join(f'"{key}" {duckdb_type(kind)}' for key, kind in keys.items())
        with duckdb.connect(":memory:", config=_DUCKDB) as connection:
            connection.execute(f"CREATE TABLE parts (part_number INTEGER, {names})")
            connection.executemany(
                f"INSERT INTO parts VALUES (?{', ?' * len(keys)})",
                [[number, *(values[key] for key in keys)] for number, (values, _unused) in enumerate(parts)],
            )
            try:
                kept = connection.execute(
                    f"SELECT part_number FROM parts WHERE {predicate.sql(dialect='duckdb')} ORDER BY 1"
                ).fetchall()
            except duckdb.Error:
                return parts  # what cannot be said of partitions alone is said of rows
        return [parts[number] for (number,) in kept]

    def _objects(self, values: dict[str, str], location: str) -> list[File]:
        try:
            name, prefix = buckets.split_url(location)
        except ValueError as error:
            raise QueryFailed(f"HIVE_INVALID_METADATA: {error}") from error
        bucket = buckets.find(name)
        if bucket is None:
            raise QueryFailed(
                "The specified bucket does not exist (Service: Amazon S3; Status Code: 404; Error Code: "
                f"NoSuchBucket; Bucket: {name})"
            )
        prefix = prefix if prefix.endswith("/") or not prefix else prefix + "/"
        denied = rights.bucket_denied(self.call, "s3:ListBucket", bucket, context={"s3:prefix": prefix, **ON_BEHALF})
        if denied is not None:
            raise s3_denied(denied, name, prefix)
        found = []
        for entry in bucket.objects(prefix):
            hidden = any(part.startswith((".", "_")) for part in entry.key[len(prefix) :].split("/"))
            if hidden or entry.key.endswith("/") or not entry.size:
                continue
            denied = rights.bucket_denied(self.call, "s3:GetObject", bucket, entry.key, ON_BEHALF)
            if denied is None and entry.kms_key:
                denied = rights.key_denied(self.call, "kms:Decrypt", entry.kms_key, bucket.owner, bucket.region)
            if denied is not None:
                raise s3_denied(denied, name, prefix)
            self.scanned += entry.size
            if self.cutoff and self.scanned > self.cutoff:
                raise QueryCancelled("Bytes scanned limit was exceeded", self.cutoff)
            found.append(File(bucket, entry, values))
        return found

    # -- reading and running -------------------------------------------------------------------------------------

    @staticmethod
    def _read(columns: dict[str, str], files: list[File], wanted: set[str] | None) -> pa.Table:
        """The files as one table in the types of the catalog; a column that a file lacks is null there.

        Columns that the query does not mention are not read.
        """
        needed = {name: kind for name, kind in columns.items() if wanted is None or name in wanted}
        # A table without columns has no rows: count(*) needs one.
        needed = needed or dict(list(columns.items())[:1])
        schema = pa.schema([(name, arrow_type(kind)) for name, kind in needed.items()])
        parts = [_read_file(file, needed, schema) for file in files]
        return pa.concat_tables([schema.empty_table(), *parts])

    def _execute(self, connection: duckdb.DuckDBPyConnection, statement: str) -> Result:
        try:
            described = connection.execute(f"DESCRIBE {statement}").fetchall()
            names, kinds = [row[0] for row in described], [row[1] for row in described]
            if any(kind == "TIMESTAMP WITH TIME ZONE" for kind in kinds):
                # Its Python values need a package that is not here; all zones are UTC.
                inner = [f"c{number}" for number in range(len(kinds))]
                outer = [
                    f"CAST({name} AS TIMESTAMP)" if "ZONE" in kind else name
                    for name, kind in zip(inner, kinds, strict=True)
                ]
                statement = f"SELECT {', '.join(outer)} FROM ({statement}) AS q({', '.join(inner)})"
            rows = connection.execute(statement).fetchall()
        except duckdb.BinderException as error:
            raise QueryFailed(f"SYNTAX_ERROR: line 1:1: {_first_line(error)}") from error
        except duckdb.CatalogException as error:
            raise QueryFailed(f"FUNCTION_NOT_FOUND: line 1:1: {_first_line(error)}") from error
        except duckdb.ConversionException as error:
            raise QueryFailed(f"INVALID_CAST_ARGUMENT: {_first_line(error)}") from error
        except duckdb.Error as error:
            raise QueryFailed(f"GENERIC_USER_ERROR: {_first_line(error)}") from error
        return Result(names, [result_type(kind) for kind in kinds], kinds, rows, self.scanned)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _read_file(file: File, needed: dict[str, str], schema: pa.Schema) -> pa.Table:
    url = f"s3://{file.bucket.name}/{file.entry.key}"
    data = file.bucket.read(file.entry.key)
    try:
        parquet = pq.ParquetFile(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise QueryFailed(f"HIVE_BAD_DATA: Not valid Parquet file: {url} expected magic number: PAR1") from error
    present = {field.name.lower(): field for field in parquet.schema_arrow}
    read = parquet.read(columns=[present[name].name for name in needed if name in present and name not in file.values])
    arrays = []
    for wanted in schema:
        if wanted.name in file.values:
            value = None if file.values[wanted.name] == "__HIVE_DEFAULT_PARTITION__" else file.values[wanted.name]
            arrays.append(pa.array([value] * parquet.metadata.num_rows, type=pa.string()).cast(wanted.type))
        elif wanted.name not in present:
            arrays.append(pa.nulls(parquet.metadata.num_rows, type=wanted.type))
        else:
            given = present[wanted.name]
            kind = needed[wanted.name]
            if not readable(given.type, wanted.type):
                raise QueryFailed(
                    f"HIVE_BAD_DATA: Field {wanted.name}'s type {parquet_name(given.type)} in parquet file {url} is "
                    f"incompatible with type {trino_type(kind).removesuffix('(3)')} defined in table schema"
                )
            arrays.append(read.column(given.name).cast(wanted.type))
    return pa.table(arrays, schema=schema)
