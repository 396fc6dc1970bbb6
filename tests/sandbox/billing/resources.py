# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the bill the sandbox really has: such a resource is billed with the tags that it has got, whoever put them
there, its own service or the Resource Groups Tagging API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .fleet import Item


def with_present_tags(items: Iterable[Item]) -> list[Item]:
    """The items; one whose resource is there carries the resource's tags instead of those that it was made up with."""
    known: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    found = []
    for item in items:
        place = (item.account, item.region)
        if place not in known:
            known[place] = _tags_in(*place)
        present = known[place].get(item.resource)
        found.append(item if present is None else replace(item, tags=present))
    return found


def _tags_in(account: str, region: str) -> dict[str, dict[str, str]]:
    """Resource id as billing writes it -> tags. Of a bucket billing has the name, of others the ARN."""
    from ministack.core.responses import request_scope

    from ..gateway.rules.tagging import tags_of_all

    with request_scope(account, region):
        return {arn.removeprefix("arn:aws:s3:::"): tags for arn, tags in tags_of_all()}
