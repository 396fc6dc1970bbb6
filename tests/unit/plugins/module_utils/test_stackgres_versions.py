# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions can use a role, and what they may be told of a bucket."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_versions import (
    asks_versioning,
    parse,
    role_problem,
    version_note,
    walg_of,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.18.6", (1, 18, 6)),
        ("v1.18.4", (1, 18, 4)),
        ("1.18.6-jvm", (1, 18, 6)),
        ("1.19.0-SNAPSHOT", (1, 19, 0)),
        ("1.18", None),
        ("", None),
        ("latest", None),
    ],
)
def test_three_numbers(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse(text) == version


def test_the_walg_in_the_images() -> None:
    versions = ("1.16.3", "1.17.0", "1.18.3", "1.18.4", "1.19.0", "unknown")
    assert [walg_of(version) for version in versions] == ["3.0.3", "3.0.7", "3.0.7", "3.0.8", "3.0.8", ""]


@pytest.mark.parametrize(
    ("operator", "cluster", "walg", "says"),
    [
        ("1.17.4", "", "", "has no useIAMRole, which came with 1.18.0"),
        ("1.18.0", "", "", "fail with the operator 1.18.0 (mended in 1.18.3)"),
        ("1.18.2", "1.18.2", "", "mended in 1.18.3"),
        ("1.18.6", "1.16.2", "", "(StackGres 1.16.2) have WAL-G 3.0.3"),
        ("1.18.6", "1.18.6", "3.0.0", "WAL-G 3.0.0 to 3.0.5 cannot use a role"),
        ("1.18.6", "1.18.6", "3.0.5", "WAL-G 3.0.0 to 3.0.5 cannot use a role"),
        ("", "1.18.6", "", "is not known"),
    ],
)
def test_a_version_that_cannot_use_a_role_is_named_with_the_one_to_go_to(
    operator: str, cluster: str, walg: str, says: str
) -> None:
    trouble = role_problem(operator, cluster, walg)
    assert trouble is not None
    assert says in trouble[0]
    assert "1.18." in trouble[1]


@pytest.mark.parametrize(
    ("operator", "cluster", "walg"),
    [
        ("1.18.3", "1.18.3", ""),
        ("1.18.6", "", ""),
        ("1.18.6", "1.17.4", ""),
        ("1.18.6", "1.16.2", "2.0.1"),
        ("1.18.6", "1.16.2", "3.0.6"),
    ],
)
def test_versions_that_can(operator: str, cluster: str, walg: str) -> None:
    assert role_problem(operator, cluster, walg) is None


def test_what_is_better_is_said_of_the_oldest() -> None:
    assert "3.0.7" in version_note("1.18.3", "1.18.3")
    assert version_note("1.18.6", "1.18.4") == ""
    assert version_note("", "") == ""


@pytest.mark.parametrize(
    ("walg", "versioned", "told"),
    [
        ("3.0.6", False, False),
        ("3.0.7", False, True),
        ("3.0.7", True, False),
        ("3.0.8", True, True),
        ("3.0.8", None, False),
        ("", True, False),
    ],
)
def test_who_may_be_told_that_a_bucket_keeps_versions(walg: str, versioned: bool | None, told: bool) -> None:
    assert asks_versioning(walg, versioned) is told
