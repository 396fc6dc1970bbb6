# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Athena's SQL: parsed, checked as Trino checks it, and translated for DuckDB (by sqlglot)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from .errors import BadRequest, QueryFailed, position
from .hive_types import family, trino_type

_WORDS = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_NO_TEXT = {"time": "timestamp(3)", "number": "double"}


def parse(text: str, parameters: list[str] | None = None) -> exp.Query:
    """The one SELECT of a query string, `?` filled in; BadRequest as Athena refuses what it cannot parse or run."""
    try:
        statements = [statement for statement in sqlglot.parse(text, read="athena") if statement is not None]
        values = [sqlglot.parse_one(value, read="athena") for value in parameters or []]
    except (ParseError, TokenError) as error:
        details = getattr(error, "errors", None) or [{}]
        line, column, word = (details[0].get(name) for name in ("line", "col", "highlight"))
        raise BadRequest(
            f"line {line or 1}:{column or 1}: mismatched input '{word or '<EOF>'}'. Expecting: <query>",
            "MALFORMED_QUERY",
        ) from error
    if len(statements) != 1:
        raise BadRequest("Only one sql statement is allowed. Got: " + text, "MALFORMED_QUERY")
    [statement] = statements
    if not isinstance(statement, exp.Query):
        raise BadRequest("Queries of this type are not supported")
    holes = sorted(statement.find_all(exp.Placeholder), key=lambda hole: hole.meta.get("start", 0))
    if len(holes) != len(values):
        raise BadRequest(f"Incorrect number of parameters: expected {len(holes)} but found {len(values)}")
    for hole, value in zip(holes, values, strict=True):
        hole.replace(value)
    return statement


def tables(query: exp.Query) -> Iterator[exp.Table]:
    """The tables that a query reads, its own WITH names left out."""
    seen = set()
    for scope in traverse_scope(query):
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and id(source) not in seen and isinstance(source.this, exp.Identifier):
                seen.add(id(source))
                yield source


def place(text: str, node: exp.Expression | None) -> str:
    """`line 1:8` of an identifier."""
    return position(text, node.meta.get("start") if node is not None else None)


def check(query: exp.Query, text: str, known: Callable[[exp.Table], Mapping[str, str] | None]) -> None:
    """Refuse what Trino refuses and DuckDB accepts: columns that are not there, and comparisons across types.

    `known(table)` are the columns and Hive types of a table, None for one that cannot be known.
    """
    for scope in traverse_scope(query):
        for column in scope.columns:
            if isinstance(column.this, exp.Star):
                continue
            kinds = _resolve(scope, column, known)
            if kinds is _UNKNOWN:
                continue
            if kinds is None:
                name = column.sql(dialect="athena").replace('"', "")
                raise QueryFailed(f"COLUMN_NOT_FOUND: {place(text, column.this)}: Column '{name}' cannot be resolved")
            _check_comparison(column, kinds, text)


_UNKNOWN = "?"


def _is_star(select: exp.Expression) -> bool:
    return isinstance(select, exp.Star) or isinstance(select, exp.Column) and isinstance(select.this, exp.Star)


def _resolve(scope: Scope | None, column: exp.Column, known: Callable) -> str | None:
    """The column's Hive type, _UNKNOWN when it cannot be told, None when there is no such column."""
    while scope is not None:
        for name, source in scope.sources.items():
            if column.table and name.lower() != column.table.lower():
                continue
            columns = _columns(source, known)
            if columns is None:
                return _UNKNOWN
            if column.name.lower() in columns:
                return columns[column.name.lower()]
        scope = scope.parent if scope.is_correlated_subquery or scope.parent and scope.is_subquery else None
    return None


def _columns(source: exp.Expression | Scope, known: Callable) -> Mapping[str, str] | None:
    """Columns of a source with their types; None when they cannot be known."""
    if isinstance(source, exp.Table):
        return known(source)
    if not isinstance(source, Scope) or source.is_udtf:
        return None
    expression = source.expression
    while isinstance(expression, exp.SetOperation):
        expression = expression.this
    if not isinstance(expression, exp.Select):
        return None
    inner = (
        source
        if source.expression is expression
        else next((child for child in source.traverse() if child.expression is expression), None)
    )
    found: dict[str, str] = {}
    for select in expression.selects:
        if _is_star(select):
            parts = [_columns(part, known) for part in inner.sources.values()] if inner else [None]
            if any(part is None for part in parts):
                return None
            for part in parts:
                found.update(part)
        else:
            name = select.alias_or_name.lower()
            column = select.unalias()
            kind = _resolve(inner, column, known) if inner and isinstance(column, exp.Column) else None
            found[name] = kind or _UNKNOWN
    return found


def _check_comparison(column: exp.Column, kind: str, text: str) -> None:
    parent = column.parent
    if kind == _UNKNOWN or type(parent) not in _WORDS:
        return
    other = parent.expression if parent.this is column else parent.this
    if not isinstance(other, exp.Literal):
        return
    mine, theirs = family(kind), "text" if other.is_string else "number"
    if mine in ("text", "number", "time") and mine != theirs:
        given = f"varchar({len(other.name)})" if other.is_string else "integer"
        sides = (trino_type(kind), given) if parent.this is column else (given, trino_type(kind))
        raise QueryFailed(
            f"TYPE_MISMATCH: {place(text, column.this)}: Cannot apply operator: "
            f"{sides[0]} {_WORDS[type(parent)]} {sides[1]}"
        )


def partition_predicate(query: exp.Query, table: exp.Table, keys: set[str]) -> exp.Expression | None:
    """The part of the query's conditions that only speaks of the partition columns of `table`; None when none does."""
    select = table.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if where is None:
        return None
    name = table.alias_or_name.lower()
    found = []
    for part in _conjuncts(where.this):
        columns = list(part.find_all(exp.Column))
        # What may be true of a row that a join made up says nothing about partitions.
        if (
            columns
            and not part.find(exp.Subquery, exp.Is, exp.Coalesce)
            and all(column.name.lower() in keys and (column.table or name).lower() == name for column in columns)
        ):
            part = part.copy()
            for column in part.find_all(exp.Column):
                column.set("table", None)
                column.set("db", None)
                column.set("catalog", None)
            found.append(part)
    return exp.and_(*found) if found else None


def static_values(predicate: exp.Expression | None, column: str) -> list[str]:
    """The literals that a predicate equals a column with (`x = 'a'`, `x IN ('a', 'b')`)."""
    values: list[str] = []
    for part in _conjuncts(predicate) if predicate is not None else []:
        if isinstance(part, exp.EQ) and isinstance(part.this, exp.Column) and part.this.name.lower() == column:
            values += [part.expression.name] if isinstance(part.expression, exp.Literal) else []
        if isinstance(part, exp.In) and isinstance(part.this, exp.Column) and part.this.name.lower() == column:
            values += [entry.name for entry in part.expressions if isinstance(entry, exp.Literal)]
    return values


def _conjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    node = node.unnest()
    if isinstance(node, exp.And):
        yield from _conjuncts(node.left)
        yield from _conjuncts(node.right)
    else:
        yield node


def used_columns(query: exp.Query) -> set[str] | None:
    """Lower-case names of all columns that the query mentions; None when it has a `*`."""
    if any(isinstance(star.parent, exp.Select | exp.Column) for star in query.find_all(exp.Star)):
        return None
    return {column.name.lower() for column in query.find_all(exp.Column)} | {
        identifier.name.lower() for identifier in query.find_all(exp.Identifier)
    }


def for_duckdb(query: exp.Query, now: datetime, types: Mapping[str, Mapping[str, str]]) -> str:
    """The query in DuckDB's SQL; columns of the result without a name are _col0, _col1, as in Athena.

    `types`: Hive types of the columns of each table by its name in the query. `now` (UTC) stands for the functions of
    the current time: DuckDB has no time zones without its ICU extension.
    """
    query = query.copy()
    moment = exp.cast(exp.Literal.string(f"{now:%Y-%m-%d %H:%M:%S.%f}"), exp.DataType.Type.TIMESTAMP)
    for kind, value in ((exp.CurrentTimestamp, moment), (exp.CurrentDate, exp.cast(moment, exp.DataType.Type.DATE))):
        for node in list(query.find_all(kind)):
            node.replace(value.copy())
    outer = query
    while isinstance(outer, exp.SetOperation):
        outer = outer.this.unnest() if isinstance(outer.this, exp.Subquery) else outer.this
    if isinstance(outer, exp.Select):
        named = []
        for number, select in enumerate(outer.expressions):
            if not isinstance(select, exp.Column | exp.Alias) and not _is_star(select):
                select = exp.alias_(select.copy(), f"_col{number}")
            named.append(select)
        outer.set("expressions", named)
    for column in query.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    return _typed(query, types).sql(dialect="duckdb")


def _typed(query: exp.Query, types: Mapping[str, Mapping[str, str]]) -> exp.Query:
    """The query with types where DuckDB's answer depends on them: integers divide to integers, dates stay dates."""
    known = {table: {name: trino_type(kind) for name, kind in columns.items()} for table, columns in types.items()}
    query = annotate_types(query, schema=MappingSchema(known, dialect="athena"), dialect="athena")
    date = exp.DataType.Type.DATE
    for node in list(query.find_all(exp.DateAdd, exp.DateSub, exp.DateTrunc, exp.TimestampTrunc, exp.Add, exp.Sub)):
        plain = isinstance(node, exp.Add | exp.Sub)
        if plain and not isinstance(node.expression, exp.Interval) or not node.this.is_type(date):
            continue
        node.replace(exp.cast(node.copy(), date))
    return query
