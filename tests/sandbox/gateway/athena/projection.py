# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partition projection: partitions that a table's properties describe instead of the catalog listing them.

Athena user guide, "Supported types for partition projection". What the properties describe is there, nothing else: a
folder that they leave out is not read, one that they name and that has no objects is empty.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from .errors import QueryFailed

_UNITS = {"YEARS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES", "SECONDS"}
# Letters of Java's DateTimeFormatter, longest first.
_JAVA = [("yyyy", "%Y"), ("uuuu", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S")]
_JAVA_SHORT = {"M": "month", "d": "day", "H": "hour", "m": "minute", "s": "second"}
_MOST = 1_000_000
_state = {"finds": True}


class Injected(Exception):
    """A column whose values only the query knows."""


def switch(finds: bool) -> None:
    """Let projections find their partitions, or none (a setting of the sandbox)."""
    if not isinstance(finds, bool):
        raise ValueError("athena_partition_projection is true or false")
    _state["finds"] = finds


def enabled(table: Mapping[str, Any]) -> bool:
    """Whether a Glue table is projected."""
    parameters = table.get("Parameters") or {}
    return str(parameters.get("projection.enabled", "")).strip().lower() == "true"


def projected(
    table: Mapping[str, Any], injected: Mapping[str, list[str]], now: datetime
) -> list[tuple[dict[str, str], str]]:
    """All partitions: values by column, and the location (`s3://…/`).

    `injected`: values that the query names for columns of type injected. QueryFailed: the properties are wrong.
    """
    parameters = table.get("Parameters") or {}
    names = [key["Name"].lower() for key in table.get("PartitionKeys") or []]
    full_name = f"{table.get('DatabaseName')}.{table.get('Name')}"
    missing = [name for name in names if f"projection.{name}.type" not in parameters]
    if missing:
        raise QueryFailed(
            f"HIVE_METASTORE_ERROR: Table {full_name} is configured for partition projection, but the following "
            f"partition columns are missing projection configuration: [{', '.join(missing)}]"
        )
    values = []
    for name in names:
        settings = {
            key.split(".", 2)[2]: str(value)
            for key, value in parameters.items()
            if key.startswith(f"projection.{name}.")
        }
        try:
            values.append(list(_values(settings, injected.get(name, []), now)))
        except Injected:
            raise QueryFailed(
                f"CONSTRAINT_VIOLATION: For the injected projected partition column {name}, the WHERE clause must "
                "contain only static equality conditions, and at least one such condition must be present."
            ) from None
        except (KeyError, ValueError) as error:
            raise QueryFailed(
                f"INVALID_TABLE_PROPERTY: Invalid projection of column {name} of table {full_name}: {error}"
            ) from error
    location = (table.get("StorageDescriptor") or {}).get("Location", "")
    template = parameters.get("storage.location.template") or _default_template(location, names)
    lost = [name for name in names if f"${{{name}}}" not in template]
    if lost:
        raise QueryFailed(
            f"INVALID_TABLE_PROPERTY: storage.location.template of table {full_name} has no "
            f"placeholder for partition columns [{', '.join(lost)}]"
        )
    if not _state["finds"]:
        return []
    found = []
    for combination in itertools.product(*values):
        entry = dict(zip(names, combination, strict=True))
        found.append((entry, re.sub(r"\$\{(\w+)\}", lambda match, entry=entry: entry[match.group(1)], template)))
        if len(found) > _MOST:
            raise QueryFailed(f"Table {full_name} projects more than {_MOST} partitions")
    return found


def _default_template(location: str, names: list[str]) -> str:
    return "/".join([location.rstrip("/"), *(f"{name}=${{{name}}}" for name in names)]) + "/"


def _values(settings: Mapping[str, str], injected: list[str], now: datetime) -> Iterator[str]:
    kind = settings["type"].strip().lower()
    if kind == "enum":
        return iter([value.strip() for value in settings["values"].split(",")])
    if kind == "integer":
        return _integers(settings)
    if kind == "date":
        return _dates(settings, now)
    if kind == "injected":
        if not injected:
            raise Injected
        return iter(injected)
    raise ValueError(f"type {kind}")


def _integers(settings: Mapping[str, str]) -> Iterator[str]:
    first, last = (int(part) for part in settings["range"].split(","))
    if last < first:
        raise ValueError(f"range {settings['range']}")
    digits = int(settings.get("digits", 0))
    return (str(number).zfill(digits) for number in range(first, last + 1, int(settings.get("interval", 1))))


def _dates(settings: Mapping[str, str], now: datetime) -> Iterator[str]:
    form = settings["format"]
    first, last = (_moment(part.strip(), form, now) for part in settings["range"].split(","))
    finest = _finest(form)
    # Both are optional where the dates are days or months, and required otherwise.
    optional = finest in ("DAYS", "MONTHS")
    unit = (settings.get("interval.unit", finest) if optional else settings["interval.unit"]).strip().upper()
    unit = unit if unit.endswith("S") else unit + "S"
    step = int(settings.get("interval", 1) if optional else settings["interval"])
    if unit not in _UNITS:
        raise ValueError(f"interval.unit {unit}")
    seen, current, number = set(), first, 0
    while current <= last:
        text = format_java(current, form)
        if text not in seen:
            seen.add(text)
            yield text
        number += step
        current = shift(first, number, unit)


def _moment(text: str, form: str, now: datetime) -> datetime:
    relative = re.fullmatch(r"NOW\s*(?:([+-])\s*(\d+)\s*([A-Z]+))?", text.upper())
    if relative is None:
        return parse_java(text, form)
    sign, number, unit = relative.groups()
    if sign is None:
        return now
    unit = unit if unit.endswith("S") else unit + "S"
    if unit not in _UNITS:
        raise ValueError(f"range {text}")
    return shift(now, int(number) if sign == "+" else -int(number), unit)


def _finest(form: str) -> str:
    for letters, unit in (("s", "SECONDS"), ("m", "MINUTES"), ("H", "HOURS"), ("d", "DAYS"), ("M", "MONTHS")):
        if letters in form:
            return unit
    return "YEARS"


def shift(moment: datetime, number: int, unit: str) -> datetime:
    """A moment `number` units later; a month's end stays within its month."""
    if unit in ("YEARS", "MONTHS"):
        index = moment.year * 12 + moment.month - 1 + number * (12 if unit == "YEARS" else 1)
        year, month = index // 12, index % 12 + 1
        first = moment.replace(year=year, month=month, day=1)
        days = (first.replace(year=year + month // 12, month=month % 12 + 1) - first).days
        return first.replace(day=min(moment.day, days))
    return moment + timedelta(**{unit.lower(): number})


def format_java(moment: datetime, form: str) -> str:
    """A moment in a pattern of Java's DateTimeFormatter: yyyy-MM-dd, yyyy/M, yyyyMMddHH."""
    return "".join(
        literal if literal else moment.strftime(pattern) if pattern else str(getattr(moment, short))
        for literal, pattern, short in _java_parts(form)
    )


def parse_java(text: str, form: str) -> datetime:
    """The moment that a text in such a pattern means; ValueError when it does not fit."""
    pattern = "".join(
        literal.replace("%", "%%")
        if literal
        else found or "%" + {"month": "m", "day": "d", "hour": "H", "minute": "M", "second": "S"}[short]
        for literal, found, short in _java_parts(form)
    )
    return datetime.strptime(text, pattern)


def _java_parts(form: str) -> Iterator[tuple[str, str, str]]:
    """(literal, strftime pattern, attribute): one of the three is not empty."""
    index = 0
    while index < len(form):
        if form[index] == "'":
            end = form.index("'", index + 1)
            yield form[index + 1 : end], "", ""
            index = end + 1
            continue
        for letters, pattern in _JAVA:
            if form.startswith(letters, index):
                yield "", pattern, ""
                index += len(letters)
                break
        else:
            short = _JAVA_SHORT.get(form[index], "")
            if not short and form[index].isalpha():
                raise ValueError(f"format {form}")
            yield ("" if short else form[index]), "", short
            index += 1
