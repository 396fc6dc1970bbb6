# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the playbook kubecost: from nothing, and a run without change (``make bench ARGS="--clusters 1 3"``).

It prints how many modules were started, AWS calls and seconds, for one cluster and for ten, without latency and with
60 ms for each AWS call; beside a run without change the floor, which is the same reads by plain boto3, side by side.
Seconds depend on the machine and on what else it does: compare the columns of one table, not tables.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterable

from integration.installation import Installation
from integration.playbook import Result, run_playbook
from sandbox.client import Sandbox

from bench.floor import floor

COLUMNS = ("clusters", "latency", "run", "modules", "calls", "seconds", "floor calls", "floor seconds", "ratio")


@dataclasses.dataclass(frozen=True)
class Row:
    """One measured run.

    :ivar modules: that were started
    :ivar calls: of AWS; queries and the taking of roles are counted on their own, as everywhere
    :ivar floor: calls and seconds of the floor, None where it is not measured
    """

    clusters: int
    latency_ms: int
    run: str
    modules: int
    calls: int
    seconds: float
    floor: tuple[int, float] | None = None

    def cells(self) -> list[str]:
        """As the table shows it, in the order of COLUMNS."""
        cells = [f"{self.clusters}", f"{self.latency_ms} ms", self.run, f"{self.modules}", f"{self.calls}"]
        cells.append(f"{self.seconds:.1f}")
        if self.floor is None:
            return [*cells, "", "", ""]
        calls, seconds = self.floor
        return [*cells, f"{calls}", f"{seconds:.1f}", f"{self.seconds / max(seconds, 0.001):.1f}"]


def table(rows: Iterable[Row]) -> str:
    """The rows with aligned columns; numbers to the right."""
    lines = [list(COLUMNS), *(row.cells() for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(COLUMNS))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == "run" else cell.rjust(width)
            for cell, width, column in zip(line, widths, COLUMNS, strict=True)
        ).rstrip()
        for line in lines
    )


def further(rows: Iterable[Row]) -> list[str]:
    """What each cluster beyond the fewest that were measured adds, a line for each kind of run."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.run, row.latency_ms), []).append(row)
    lines = []
    for (run, latency_ms), group in groups.items():
        few, many = min(group, key=lambda row: row.clusters), max(group, key=lambda row: row.clusters)
        more = many.clusters - few.clusters
        if more:
            calls, modules = (many.calls - few.calls) / more, (many.modules - few.modules) / more
            seconds = (many.seconds - few.seconds) / more
            lines.append(
                f"Each further cluster, {run}, {latency_ms} ms: "
                f"{modules:.1f} modules, {calls:.1f} calls, {seconds:.1f} s"
            )
    return lines


def measure(sandbox: Sandbox, number: int, clusters: int, latency_ms: int, forks: int) -> list[Row]:
    """An installation from nothing, then without change.

    :param number: of the installation, none twice
    """
    place = Installation(sandbox, f"bench{number}", number=number, clusters=clusters)
    # A trust has room for eight roles by name. Ten are named as such a user would.
    place.vars[place.payers[0]]["billing_data_reader_role_arns"] = [
        f"arn:aws:iam::{place.cluster_account}:role/kubecost-*"
    ]
    slow = [{"latency_ms": latency_ms}] if latency_ms else []

    def run(name: str, limit: str | None = None) -> tuple[Row, Result]:
        sandbox.faults(slow)
        begin = time.monotonic()
        arguments = ("--forks", str(forks))
        result = run_playbook(
            "kubestrap.aws.kubecost",
            sandbox,
            inventory=place.inventory(),
            limit=limit,
            arguments=arguments,
            timeout=1800,
            plain=True,
        )
        seconds = time.monotonic() - begin
        sandbox.faults()
        if not result.ok:
            raise SystemExit(f"{name} failed\n{result.report}")
        calls = result.count(kind="read") + result.count(kind="write")
        return Row(clusters, latency_ms, name, len(result.modules), calls, seconds), result

    first, _result = run("from nothing")
    place.deliver()
    run("the payer takes up the delivery", limit=place.payers[0])
    again, result = run("without change")
    if result.writes:
        raise SystemExit(f"the run without change wrote {result.writes}")
    sandbox.faults(slow)
    least = floor(sandbox, result.calls)
    sandbox.faults()
    for cluster in place.clusters:
        sandbox.remove_cluster(cluster)
    return [first, dataclasses.replace(again, floor=least)]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--clusters", type=int, nargs="+", default=[1, 10], help="sizes (default: 1 10)")
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 60], help="ms for each AWS call (default: 0 60)")
    parser.add_argument("--forks", type=int, default=10, help="of Ansible (default: 10)")
    options = parser.parse_args()
    rows: list[Row] = []
    number = 0
    with Sandbox.start(clusters=[]) as sandbox:
        for clusters in options.clusters:
            for latency_ms in options.latency:
                number += 2 if (number + 1) % 10 == 0 else 1
                rows += measure(sandbox, number, clusters, latency_ms, options.forks)
                print(", ".join(" ".join(row.cells()) for row in rows[-2:]), flush=True)
    print("\n".join(["", table(rows), "", *further(rows)]))


if __name__ == "__main__":
    main()
