# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the versions of StackGres and of WAL-G, which its images bring, can do on S3. Pure.

Sources: changelog of StackGres 1.18.0 to 1.18.6, page "versions" of its documentation, WAL-G 3.0.0 to 3.0.8.
"""

from __future__ import annotations

import re

Version = tuple[int, int, int]

# ``useIAMRole`` and the annotations of the ServiceAccount came with 1.18.0; backups with a role worked from 1.18.3 on.
ROLE_SINCE: Version = (1, 18, 0)
ROLE_SOUND_SINCE: Version = (1, 18, 3)
RECOMMENDED: Version = (1, 18, 4)
# WAL-G took AWS_ROLE_ARN for a role to take once more, without a name for the session (wal-g 1810, 1906).
_WALG_BREAKS_IRSA: tuple[Version, Version] = ((3, 0, 0), (3, 0, 5))
# It asks for the bucket's versioning, and then lists versions; 3.0.7 took old ones for live ones (wal-g 1900, 2132).
_WALG_ASKS_VERSIONING: Version = (3, 0, 7)
_WALG_KNOWS_VERSIONS: Version = (3, 0, 8)
# First StackGres with an image -> the WAL-G in it, newest first. What is older had 3.0.3 at the most.
_WALG_OF: tuple[tuple[Version, str], ...] = (((1, 18, 4), "3.0.8"), ((1, 17, 0), "3.0.7"), ((0, 0, 0), "3.0.3"))


def parse(text: str) -> Version | None:
    """The three numbers of a version, with or without ``v`` before and a suffix behind; ``None`` for no version."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)(?!\d)", str(text or ""))
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def shown(version: Version) -> str:
    """As people write it."""
    return ".".join(map(str, version))


def walg_of(stackgres: str) -> str:
    """The WAL-G in the images of a StackGres version, empty when the version is not known."""
    version = parse(stackgres)
    return next((walg for since, walg in _WALG_OF if version >= since), "") if version else ""


def role_problem(operator: str, cluster: str, walg: str = "") -> tuple[str, str] | None:
    """Why backups with a role (IRSA) would not work, and which version to go to.

    :param operator: version of the operator that runs, empty when it is not known
    :param cluster: version of the SGCluster, which keeps its images until it is upgraded; empty for one that is to come
    :param walg: version of WAL-G, when it is known better than from the SGCluster's
    :returns: reason and advice; ``None`` when it works
    """
    go = f"Upgrade the operator to {shown(RECOMMENDED)} or later (at least {shown(ROLE_SOUND_SINCE)})"
    running = parse(operator)
    if running is None:
        reason = f"the version of the operator ('{operator}') is not known"
        return reason, f"Write the version that runs; backups with a role need {shown(ROLE_SOUND_SINCE)} at least"
    if running < ROLE_SINCE:
        return f"the operator {shown(running)} has no useIAMRole, which came with {shown(ROLE_SINCE)}", go
    if running < ROLE_SOUND_SINCE:
        reason = (
            f"backups with useIAMRole fail with the operator {shown(running)} (mended in {shown(ROLE_SOUND_SINCE)})"
        )
        return reason, go
    inside = parse(walg) or parse(walg_of(cluster or operator))
    first, last = _WALG_BREAKS_IRSA
    if inside is not None and first <= inside <= last:
        return (
            f"the images of the SGCluster{f' (StackGres {cluster})' if cluster else ''} have WAL-G {shown(inside)} or "
            f"older, and WAL-G {shown(first)} to {shown(last)} cannot use a role of a ServiceAccount",
            f"Upgrade the SGCluster too (SGDbOps, op: securityUpgrade), to {shown(RECOMMENDED)} or later",
        )
    return None


def version_note(operator: str, cluster: str) -> str:
    """What is better to know of versions that work, empty for nothing."""
    oldest = min(filter(None, (parse(operator), parse(cluster))), default=None)
    if oldest is None or oldest >= RECOMMENDED or oldest < ROLE_SINCE:
        return ""
    return (
        f"StackGres {shown(oldest)} brings WAL-G {walg_of(shown(oldest))}, which takes old versions of objects for "
        f"live ones in a bucket with versioning; {shown(RECOMMENDED)} and later do not"
    )


def asks_versioning(walg: str, versioned: bool | None) -> bool:
    """Whether WAL-G may be told the bucket's versioning without being led astray.

    :param versioned: whether the bucket keeps versions; ``None`` when that is not known
    """
    version = parse(walg)
    if version is None or versioned is None or version < _WALG_ASKS_VERSIONING:
        return False
    return not versioned or version >= _WALG_KNOWS_VERSIONS
