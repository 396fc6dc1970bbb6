# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Partition projection of a table over a Cost and Usage Report: Athena computes years and months. Pure: no call.

Athena user guide, "Supported types for partition projection". AWS does not pad the month with a zero, and neither do
the queries of OpenCost.
"""

from __future__ import annotations

import re
import typing as t

from ._identifiers import refuse

Parameters = t.Mapping[str, str]  # of a Glue table

# A query without a condition on the year lists every partition, so the range is small and ends by itself.
FIRST_YEAR = 2022
_OLDEST_YEAR = 2010
_MONTHS = {"type": "integer", "range": "1,12"}
_YEARS = {"type": "date", "format": "yyyy", "range": "", "interval": "1", "interval.unit": "YEARS"}


def check_first_year(option: str, value: int | None, this_year: int) -> None:
    """Refuse a year in which there was no report, or will be one."""
    if value is not None and not _OLDEST_YEAR <= value <= this_year:
        refuse(option, value, "is no year of a report", f"Write one from {_OLDEST_YEAR} to {this_year}")


def wanted_parameters(current: Parameters, location: str, first_year: int | None, this_year: int) -> dict[str, str]:
    """The parameters of a table with a projection over this report.

    What somebody else has set is kept where it serves: months 1 to 12 without padding, and years to the next one or
    without an end, from ``first_year`` (where it is not set, from last year or before).

    :param location: of the report, with a slash at its end
    :param first_year: ``None`` when the task does not set it; a new range then begins with ``FIRST_YEAR``
    """
    wanted = dict(current)
    if wanted.get("projection.enabled", "").strip().lower() != "true":
        wanted["projection.enabled"] = "true"
    years = _years(settings_of(current, "year"))
    begins = years is not None and (years[0] == first_year if first_year else years[0] < this_year)
    if years is None or not begins or years[1] <= this_year:
        _replace(wanted, "year", {**_YEARS, "range": f"{first_year or FIRST_YEAR},NOW"})
    if not _all_months(settings_of(current, "month")):
        _replace(wanted, "month", _MONTHS)
    template = f"{location}year=${{year}}/month=${{month}}"
    if wanted.get("storage.location.template", "").rstrip("/") != template:
        wanted["storage.location.template"] = f"{template}/"
    return wanted


def projection_problems(parameters: Parameters, this_year: int) -> list[str]:
    """Why a projection of somebody else would find no rows of a report; empty when it serves, or there is none."""
    if parameters.get("projection.enabled", "").strip().lower() != "true":
        return []
    seen = []
    if not _all_months(settings_of(parameters, "month")):
        seen.append("its projection of month is not 1 to 12 without a leading zero")
    kind = settings_of(parameters, "year").get("type", "").lower()
    years = _years(settings_of(parameters, "year"))
    if kind != "injected" and (years is None or not years[0] <= this_year <= years[1]):
        seen.append(f"its projection of year does not cover {this_year}")
    return seen


def settings_of(parameters: Parameters, column: str) -> dict[str, str]:
    """What a table says of the projection of a column: ``type``, ``range``, ``interval.unit``, ..."""
    prefix = f"projection.{column}."
    return {
        name.removeprefix(prefix): str(value).strip() for name, value in parameters.items() if name.startswith(prefix)
    }


def _replace(parameters: dict[str, str], column: str, settings: t.Mapping[str, str]) -> None:
    for name in settings_of(parameters, column):
        del parameters[f"projection.{column}.{name}"]
    parameters.update({f"projection.{column}.{name}": value for name, value in settings.items()})


def _numbers(settings: t.Mapping[str, str]) -> tuple[int, int] | None:
    """First and last number of a column of type integer or enum; ``None`` when some are left out, or padded."""
    kind = settings.get("type", "").lower()
    if kind == "integer" and settings.get("interval", "1") == "1" and settings.get("digits", "1") == "1":
        found = re.fullmatch(r"(\d+)\s*,\s*(\d+)", settings.get("range", ""))
        return (int(found[1]), int(found[2])) if found else None
    values = settings.get("values", "").split(",")
    if kind == "enum" and all(re.fullmatch(r"[1-9]\d*", value) for value in values):
        numbers = sorted({int(value) for value in values})
        return (numbers[0], numbers[-1]) if numbers == list(range(numbers[0], numbers[-1] + 1)) else None
    return None


def _all_months(settings: t.Mapping[str, str]) -> bool:
    months = _numbers(settings)
    return months is not None and months[0] <= 1 and months[1] >= 12


def _years(settings: t.Mapping[str, str]) -> tuple[int, float] | None:
    """First and last year; ``None`` when it cannot be told."""
    kind = settings.get("type", "").lower()
    if kind != "date":
        return _numbers({**settings, "digits": "1"} if settings.get("digits") == "4" else settings)
    step = (settings.get("interval"), settings.get("interval.unit", "").upper().removesuffix("S"))
    found = re.fullmatch(r"(\d{4})\s*,\s*(\d{4}|NOW(\s*\+.*)?)", settings.get("range", "").upper())
    if settings.get("format") not in ("yyyy", "uuuu") or step != ("1", "YEAR") or not found:
        return None
    return int(found[1]), int(found[2]) if found[2].isdigit() else float("inf")
