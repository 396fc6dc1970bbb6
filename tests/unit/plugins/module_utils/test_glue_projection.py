# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which years and months a table describes, and what of somebody else's is kept."""

from __future__ import annotations

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_projection import (
    check_first_year,
    projection_problems,
    settings_of,
    wanted_parameters,
)

LOCATION = "s3://example-reports/cur/kubecost/kubecost/"
NEW = {
    "projection.enabled": "true",
    "projection.year.type": "date",
    "projection.year.format": "yyyy",
    "projection.year.range": "2022,NOW",
    "projection.year.interval": "1",
    "projection.year.interval.unit": "YEARS",
    "projection.month.type": "integer",
    "projection.month.range": "1,12",
    "storage.location.template": f"{LOCATION}year=${{year}}/month=${{month}}/",
}
DATE = {"type": "date", "format": "yyyy", "interval": "1", "interval.unit": "YEARS"}


def wanted(current: dict[str, str], first_year: int | None = None) -> dict[str, str]:
    """The parameters in 2026."""
    return wanted_parameters(current, LOCATION, first_year, 2026)


def with_settings(column: str, **settings: str) -> dict[str, str]:
    """Our parameters, with another projection of a column."""
    kept = {name: value for name, value in NEW.items() if not name.startswith(f"projection.{column}.")}
    return kept | {f"projection.{column}.{name}": value for name, value in settings.items()}


def test_a_new_table() -> None:
    assert wanted({}) == NEW
    assert wanted({"classification": "parquet"}, 2024) == {
        **NEW,
        "classification": "parquet",
        "projection.year.range": "2024,NOW",
    }


@pytest.mark.parametrize(
    "years",
    [
        {**DATE, "range": "2025,NOW"},
        {**DATE, "range": "2010 , NOW+1YEARS"},
        {**DATE, "range": "2018,2030", "interval.unit": "Year", "type": "DATE"},
        {"type": "integer", "range": "2018,2099"},
        {"type": "integer", "range": "2018,2027", "interval": "1", "digits": "4"},
        {"type": "enum", "values": "2027,2025,2026"},
    ],
)
def test_years_that_serve_are_kept(years: dict[str, str]) -> None:
    current = with_settings("year", **years)
    assert wanted(current) == current


@pytest.mark.parametrize(
    "years",
    [
        {},
        {**DATE, "range": "2026,NOW"},
        {**DATE, "range": "2018,2026"},
        {**DATE, "range": "NOW-1YEARS,NOW"},
        {**DATE, "range": "2018,NOW-1YEARS"},
        {**DATE, "range": "2018,NOW", "interval": "2"},
        {**DATE, "range": "2018,NOW", "interval.unit": "DAYS"},
        {**DATE, "range": "18,NOW", "format": "yy"},
        {**DATE},
        {"type": "integer", "range": "2018,2026"},
        {"type": "integer", "range": "2018,2099", "interval": "2"},
        {"type": "integer", "range": "2018,2099", "digits": "6"},
        {"type": "enum", "values": "2020,2025,2027"},
        {"type": "enum", "values": "2025, 2026, 2027"},
        {"type": "injected"},
    ],
)
def test_years_that_do_not_serve_are_corrected(years: dict[str, str]) -> None:
    assert wanted(with_settings("year", **years)) == NEW


@pytest.mark.parametrize("range_", ["2022,NOW", "2024,2099"])
def test_a_first_year_that_the_task_sets_is_compared(range_: str) -> None:
    current = with_settings("year", **DATE, range=range_)
    assert wanted(current, int(range_[:4])) == current
    assert wanted(current, 2023) == {**NEW, "projection.year.range": "2023,NOW"}


@pytest.mark.parametrize(
    "months",
    [{"type": "integer", "range": "01, 12", "digits": "1"}, {"type": "enum", "values": "1,2,3,4,5,6,7,8,9,10,11,12"}],
)
def test_months_that_serve_are_kept(months: dict[str, str]) -> None:
    current = with_settings("month", **months)
    assert wanted(current) == current


@pytest.mark.parametrize(
    "months",
    [
        {},
        {"type": "integer", "range": "1,11"},
        {"type": "integer", "range": "1,12", "digits": "2"},
        {"type": "integer", "range": "1,12", "interval": "2"},
        {"type": "enum", "values": "01,02,03,04,05,06,07,08,09,10,11,12"},
        {"type": "injected"},
    ],
)
def test_months_that_do_not_serve_are_corrected(months: dict[str, str]) -> None:
    assert wanted(with_settings("month", **months)) == NEW


def test_the_rest() -> None:
    same = {**NEW, "projection.enabled": "TRUE", "storage.location.template": NEW["storage.location.template"][:-1]}
    assert wanted(same) == same
    assert wanted({**NEW, "projection.enabled": "false", "storage.location.template": "s3://other/"}) == NEW
    assert settings_of({"projection.year.range": " 1,2 ", "projection.yearly.x": "1"}, "year") == {"range": "1,2"}


@pytest.mark.parametrize("year", [2009, 2027, 22])
def test_a_first_year_without_reports(year: int) -> None:
    with pytest.raises(AnsibleAWSError) as refused:
        check_first_year("first_year", year, 2026)
    assert str(refused.value) == f"first_year: '{year}' is no year of a report. Write one from 2010 to 2026"


@pytest.mark.parametrize("year", [None, 2010, 2026])
def test_a_first_year(year: int | None) -> None:
    check_first_year("first_year", year, 2026)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, ""),
        ({"projection.enabled": "false"}, ""),
        (NEW, ""),
        (with_settings("year", type="injected"), ""),
        (with_settings("year", type="integer", range="2018,2025"), "its projection of year does not cover 2026"),
        (with_settings("year", type="integer", range="2027,2099"), "its projection of year does not cover 2026"),
        (with_settings("month", type="integer", range="1,12", digits="2"), "without a leading zero"),
        (with_settings("month", type="enum", values="01,02,03,04,05,06,07,08,09,10,11,12"), "without a leading zero"),
        ({"projection.enabled": "TRUE"}, "month"),
    ],
)
def test_why_a_projection_finds_nothing(parameters: dict[str, str], said: str) -> None:
    found = " ".join(projection_problems(parameters, 2026))
    assert (said in found) if said else not found
