# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tag report: what all hosts have seen, put together, for programs and for people. Pure.

What a host has seen (``Seen``): ``state`` (``done``, or ``failed`` with ``notes``), ``account_id``, ``regions`` and
``resources`` as far as they were looked at there; of a cluster ``cluster`` (the name by which Kubecost knows it) and
``names``; of a payer ``activation`` (``statuses`` key -> status) and ``cost`` (``rows`` and ``scanned_bytes``).
"""

from __future__ import annotations

import typing as t

from ._tag_findings import judge, read_as
from ._verification import DENIED, DIFFERS, FITS, PENDING, worst
from .tag_scheme import GROUPS, column, near_miss

Seen = t.Mapping[str, t.Any]

KIND = "kubestrap.aws/tag-report"
VERSION = 1

ACTIVE, INACTIVE, NOT_SEEN, UNKNOWN = "active", "inactive", "pending", "unknown"
_BEST_FIRST = (ACTIVE, INACTIVE, NOT_SEEN)
# Longer tables are no use to people; the file has everything.
_MOST_ROWS = 200
_TITLES = {"resources": "Resources outside the clusters", "keys": "Cost allocation tags", "costs": "Cost by month"}


def used_keys(resources: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Keys that Kubecost would read, as they are written on resources, and on how many."""
    count: dict[str, int] = {}
    for each in resources:
        near = [miss["key"] for miss in each["near_misses"] if miss["same_column"]]
        for key in [*each["scheme"], *near]:
            count[key] = count.get(key, 0) + 1
    return dict(sorted(count.items()))


def keys_to_ask(resources: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """The keys whose activation matters: those in use, and those of the scheme."""
    return list(dict.fromkeys([*GROUPS["guide"], *GROUPS["newer"], *used_keys(resources)]))


def document(seen: t.Mapping[str, Seen], other_clusters: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """The report of all hosts.

    :param other_clusters: names of clusters that exist, and are not in the inventory
    """
    resources = [each for host in seen.values() for each in host.get("resources") or []]
    clusters = {host["cluster"]: host.get("names") for host in seen.values() if host.get("cluster")}
    payers = {
        host["account_id"]: host["activation"]["statuses"]
        for host in seen.values()
        if host.get("activation") is not None
    }
    judged = [_judged(each, clusters, other_clusters) for each in resources]
    keys = _keys(used_keys(resources), payers)
    costs = [row for host in seen.values() for row in _costs(host)]
    verdict = worst([_of_resources(judged), _of_keys(keys), *(_of_host(host) for host in seen.values())])
    return {
        "kind": KIND,
        "version": VERSION,
        "verdict": verdict,
        "hosts": {
            name: {
                "verdict": worst([_of_host(host), _of_resources(_of(judged, host))]),
                "account_id": host.get("account_id", ""),
                "regions": list(host.get("regions") or []),
                "listed": host.get("listed", 0),
                "tagged": len(host.get("resources") or []),
                "notes": list(host.get("notes") or []),
            }
            for name, host in seen.items()
        },
        "resources": judged,
        "keys": keys,
        "costs": costs,
        "scanned_bytes": sum((host.get("cost") or {}).get("scanned_bytes", 0) for host in seen.values()),
        "notes": _notes(seen, judged, keys, clusters, payers),
    }


def _judged(
    resource: t.Mapping[str, t.Any], clusters: t.Mapping[str, t.Any], other_clusters: t.Sequence[str]
) -> dict[str, t.Any]:
    return {
        "arn": resource["arn"],
        "account_id": resource["account_id"],
        "region": resource["region"],
        "tags": {**{each["key"]: each["value"] for each in resource["near_misses"]}, **resource["scheme"]},
        "read_as": read_as(resource),
        "findings": [
            {key: value for key, value in finding.items() if key != "arn"}
            for finding in judge(resource, clusters, other_clusters)
        ],
    }


def _of(judged: t.Sequence[t.Mapping[str, t.Any]], host: Seen) -> list[t.Mapping[str, t.Any]]:
    arns = {each["arn"] for each in host.get("resources") or []}
    return [each for each in judged if each["arn"] in arns]


def _of_host(host: Seen) -> str:
    # A host that was not reached has no state: nothing is known of it.
    return FITS if host.get("state") == "done" else DENIED


def _of_resources(judged: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    return DIFFERS if any(each["findings"] for each in judged) else FITS


def _of_keys(keys: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    by_state = {ACTIVE: FITS, INACTIVE: DIFFERS, NOT_SEEN: PENDING, UNKNOWN: FITS}
    return worst(by_state[each["state"]] for each in keys if each["resources"])


def _keys(used: t.Mapping[str, int], payers: t.Mapping[str, t.Mapping[str, str]]) -> list[dict[str, t.Any]]:
    """Each key that is used, or active without being used."""
    active = [key for statuses in payers.values() for key, status in statuses.items() if status == ACTIVE]
    found = []
    for key in sorted({*used, *active}):
        states = {account: statuses.get(key, NOT_SEEN) for account, statuses in payers.items()}
        state = min(states.values(), key=_BEST_FIRST.index, default=UNKNOWN)
        meant = near_miss(key)
        found.append(
            {
                "key": key,
                "column": column(key),
                "meant": meant,
                "resources": used.get(key, 0),
                "state": state,
                "payers": states,
                "text": _said_of(key, meant, used.get(key, 0), state),
            }
        )
    return found


def _said_of(key: str, meant: str | None, count: int, state: str) -> str:
    spelling = f"It has the column of {meant}, and is a tag of its own for billing. " if meant else ""
    if not count:
        return f"{spelling}No resource that was looked at carries it."
    if state == INACTIVE:
        return f"{spelling}It is used and not activated, so that reports have no column for it. Activate it."
    if state == NOT_SEEN:
        return f"{spelling}Billing has not met it yet, which takes 24 hours. Activate it then."
    if state == UNKNOWN:
        return f"{spelling}Whether it is active is not known without its payer account."
    return f"{spelling}Reports have a column for it.".strip()


def _costs(host: Seen) -> t.Iterator[dict[str, t.Any]]:
    for row in (host.get("cost") or {}).get("rows") or []:
        total, inside, attributed = (float(row[name] or 0) for name in ("total", "in_clusters", "attributed"))
        outside = total - inside
        yield {
            "payer": host["account_id"],
            "month": f"{row['year']}-{int(row['month']):02}",
            "total": round(total, 2),
            "in_clusters": round(inside, 2),
            "attributed": round(attributed, 2),
            "not_attributed": round(outside - attributed, 2),
            "attributed_percent": round(100 * attributed / outside, 1) if outside > 0 else None,
        }


def _notes(
    seen: t.Mapping[str, Seen],
    judged: t.Sequence[t.Any],
    keys: t.Sequence[t.Any],
    clusters: t.Mapping[str, t.Any],
    payers: t.Mapping[str, t.Any],
) -> list[str]:
    notes = []
    if not judged and any(_of_host(host) == FITS for host in seen.values()):
        notes.append(
            "No resource of these accounts and regions carries a tag of the scheme, so Kubecost assigns none of them. "
            "The playbook kubestrap.aws.tag_apply sets such tags."
        )
    if not clusters:
        notes.append("Without a cluster in the inventory, what the tags name was not looked for.")
    if not payers:
        notes.append("Without a payer in the inventory, neither activation nor cost was looked at.")
    if any(each["resources"] and each["state"] == INACTIVE for each in keys):
        notes.append(
            "A key is activated in the payer account: kubestrap.aws.ce_cost_allocation_tag. What reports had before "
            "that moment gets its column by a backfill only."
        )
    return notes


# --- for people


def tables(report: t.Mapping[str, t.Any], path: str = "") -> list[dict[str, t.Any]]:
    """The report as tables: ``title``, ``columns``, ``rows``, ``lines``; empty ones are left out.

    :param path: of the file that has everything
    """
    made = [
        _table("resources", ["resource", "tags", "what does not fit"], _resource_rows(report), path),
        _table("keys", ["key", "state", "resources", "what it means"], _key_rows(report), path),
        _table(
            "costs",
            ["month", "payer", "total", "in clusters", "assigned", "not assigned", "assigned %"],
            _cost_rows(report),
        ),
    ]
    if made[2]["rows"]:
        scanned = report["scanned_bytes"]
        made[2]["lines"] = [
            "USD of usage, without taxes and fees. Outside the clusters, what has a tag of the scheme is assigned.",
            f"The query has scanned {scanned / 1e6:.1f} MB ({scanned} bytes).",
        ]
    return [table for table in made if table["rows"]]


def plan_table(resources: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """``columns`` and ``rows`` of what ``resource_tags`` returns; what changes or was refused comes first."""
    order = ("refused", "changed", "unchanged")
    listed = sorted(resources, key=lambda each: (order.index(each["state"]), each["arn"]))
    rows = [
        [
            each["arn"].split(":", 2)[2],
            each["state"],
            "\n".join(
                [
                    *(f"{key}={value}" for key, value in sorted(each["set"].items())),
                    *(f"without {key}" for key in each["removed"]),
                ]
            ),
            "\n".join(
                [
                    *(f"{key} stays {value['value']}" for key, value in sorted(each["kept"].items())),
                    *([each["refused"]["message"]] if each["refused"] else []),
                ]
            ),
        ]
        for each in listed[:_MOST_ROWS]
    ]
    more = len(listed) - _MOST_ROWS
    rows += [[f"{more} more", None, None, "Run with -v to see all"]] if more > 0 else []
    return {"columns": ["resource", "state", "tags", "remarks"], "rows": rows}


def _table(name: str, columns: list[str], rows: list[list[t.Any]], path: str = "") -> dict[str, t.Any]:
    more = len(rows) - _MOST_ROWS
    where = f"They are in {path}." if path else "Write kubestrap_tag_report_file to have them in a file."
    lines = [f"{more} more are not shown. {where}"] if more > 0 else []
    return {"title": _TITLES[name], "columns": columns, "rows": rows[:_MOST_ROWS], "lines": lines}


def _resource_rows(report: t.Mapping[str, t.Any]) -> list[list[t.Any]]:
    """Those that do not fit come first."""
    return [
        [
            each["arn"].split(":", 2)[2],
            "\n".join(f"{key}={value}" for key, value in sorted(each["tags"].items())),
            "\n".join(f"{finding['text']}. {finding['change']}." for finding in each["findings"]),
        ]
        for each in sorted(report["resources"], key=lambda each: (not each["findings"], each["arn"]))
    ]


def _key_rows(report: t.Mapping[str, t.Any]) -> list[list[t.Any]]:
    worst_first = (INACTIVE, NOT_SEEN, UNKNOWN, ACTIVE)
    listed = sorted(
        report["keys"], key=lambda each: (not each["resources"], worst_first.index(each["state"]), each["key"])
    )
    return [[each["key"], each["state"], str(each["resources"]), each["text"]] for each in listed]


def _cost_rows(report: t.Mapping[str, t.Any]) -> list[list[t.Any]]:
    return [
        [
            row["month"],
            row["payer"],
            *(f"{row[name]:.2f}" for name in ("total", "in_clusters", "attributed", "not_attributed")),
            None if row["attributed_percent"] is None else f"{row['attributed_percent']:.1f}",
        ]
        for row in report["costs"]
    ]
