# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What a verification says of each host and of all of them. Pure functions, no call."""

from __future__ import annotations

import typing as t

Link = t.Mapping[str, t.Any]

KIND = "kubestrap.aws/verification"
VERSION = 1

FITS, PENDING, DIFFERS, DENIED = "fits", "pending", "differs", "denied"
# From good to bad: the whole is as good as its worst part.
VERDICTS = (FITS, PENDING, DIFFERS, DENIED)

# What a link shows beside the existence of its object: that it is as it should be, or that a call works.
ASPECTS = {
    "service_account": "fits",
    "token": "works",
    "trust": "fits",
    "role": "works",
    "payer_role": "works",
    "table": "works",
    "query": "works",
    "tags": "works",
    # Of object storage.
    "access_key": "works",
    "list": "works",
    "region": "fits",
    "missing": "works",
    "put": "works",
    "get": "works",
    "encryption": "fits",
    "multipart": "works",
    "delete": "works",
    "outside": "fits",
    "secret": "fits",
    # A pod without the role calls AWS as its node, and is denied.
    "pods": "works",
    "release": "fits",
    # What the workload itself says of it, where it is asked.
    "ingestion": "works",
}
COLUMNS = ("link", "exists", "fits", "works", "detail")
_WORDS = {"ok": "yes", "failed": "no", "pending": "pending"}


def verdict_of(links: t.Sequence[Link], differences: t.Sequence[str] = ()) -> str:
    """One of ``VERDICTS``.

    ``denied``: a call of the workload does not work; ``differs``: all work, but something is not as it should be;
    ``pending``: something has not come yet.

    :param links: of a proof; none proves nothing, and is ``denied``
    :param differences: what a run of the playbook would change, one sentence each
    """
    if not links:
        return DENIED
    failed = {ASPECTS.get(link["link"], "works") for link in links if link["state"] == "failed"}
    if "works" in failed:
        return DENIED
    if failed or differences:
        return DIFFERS
    return PENDING if any(link["state"] == "pending" for link in links) else FITS


def worst(verdicts: t.Iterable[str]) -> str:
    """The verdict over several."""
    return max(verdicts, key=VERDICTS.index, default=FITS)


def rows(links: t.Sequence[Link]) -> list[list[str | None]]:
    """A row per link with the columns ``COLUMNS``; ``None`` where a column says nothing of a link."""
    return [_row(link) for link in links]


def _row(link: Link) -> list[str | None]:
    aspect = ASPECTS.get(link["link"], "works")
    if link["state"] == "skipped":
        return [_named(link), None, None, None, link["detail"]]
    missing = bool(link.get("missing"))
    cells: dict[str, str | None] = {"exists": "no" if missing else "yes", "fits": None, "works": None}
    if not missing:
        cells[aspect] = _WORDS[link["state"]]
    return [_named(link), cells["exists"], cells["fits"], cells["works"], link["detail"]]


def _named(link: Link) -> str:
    """The link's name; of several identities also whose link it is."""
    name = link["link"].replace("_", " ")
    return f"{name} ({link['identity']})" if link.get("identity") else name


def document(outcomes: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """The verification of all hosts, to be read by programs.

    :param outcomes: host -> ``state`` (a verdict, ``done``, or ``failed`` when the verification itself failed there),
        ``changes`` (differences), ``notes``, ``links``
    :returns: ``kind``, ``version``, ``verdict`` and ``hosts`` (host -> ``verdict``, ``differences``, ``links`` and
        ``notes``)
    """
    hosts = {
        host: {
            "verdict": _verdict(outcome),
            "differences": list(outcome.get("changes") or []),
            "links": [dict(link) for link in outcome.get("links") or []],
            "notes": list(outcome.get("notes") or []),
        }
        for host, outcome in outcomes.items()
    }
    verdict = worst(host["verdict"] for host in hosts.values())
    return {"kind": KIND, "version": VERSION, "verdict": verdict, "hosts": hosts}


def _verdict(outcome: t.Mapping[str, t.Any]) -> str:
    state = outcome.get("state")
    if state == "done":
        return FITS
    # A host that could not be looked at is not known to work.
    return state if state in VERDICTS else DENIED
