# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where two documents differ, told by place and never by value: a value may be a secret."""

from __future__ import annotations

import typing as t


def differences(actual: t.Any, expected: t.Any, place: str = "") -> list[str]:
    """Where two documents differ, as paths such as ``aws.athena[0].bucket``; no values."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        keys = list(dict.fromkeys([*expected, *actual]))
        return [
            found
            for key in keys
            for found in (
                differences(actual[key], expected[key], f"{place}.{key}".lstrip("."))
                if key in actual and key in expected
                else [f"{place}.{key}".lstrip(".")]
            )
        ]
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        return [
            found
            for number, (one, other) in enumerate(zip(actual, expected, strict=True))
            for found in differences(one, other, f"{place}[{number}]")
        ]
    return [] if actual == expected else [place or "the whole document"]
