# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name, version and digest of a chart that is a file or a folder on this machine."""

from __future__ import annotations

import hashlib
import os
import tarfile
import typing as t

try:
    import yaml
except ImportError:
    pass  # kubernetes.core.helm needs it too, and reports that it is missing.

_ARCHIVES = (".tgz", ".tar.gz")


def chart_of(ref: str) -> tuple[dict[str, str] | None, str | None]:
    """The chart that Helm would take from this machine for a reference without a repository.

    :param ref: as ``kubernetes.core.helm`` takes it in ``chart_ref``
    :returns: ``name`` and ``version`` of its Chart.yaml, ``None`` when it is not on this machine; and what is wrong
    """
    if "://" in ref:
        return None, None
    path = os.path.expanduser(os.path.expandvars(ref))
    if not os.path.exists(path):
        if not path.startswith(("/", ".")):
            return None, None  # a chart of a repository that the user has added to Helm
        return None, f"'{ref}' is not on this machine. Write the path of a chart's folder or archive"
    try:
        content = yaml.safe_load(_chart_yaml(path))
    except (OSError, KeyError, tarfile.TarError, yaml.YAMLError) as e:
        return None, f"'{ref}' is not a chart: {e}. Write the path of a chart's folder or archive"
    if not isinstance(content, dict) or not content.get("name") or not content.get("version"):
        return None, f"'{ref}' is not a chart: its Chart.yaml has no name and version. Write the path of another one"
    return {"name": str(content["name"]), "version": str(content["version"])}, None


def digest_of(ref: str) -> str | None:
    """``sha256:...`` of a chart's archive on this machine, ``None`` of a folder."""
    path = os.path.expanduser(os.path.expandvars(ref))
    if os.path.isdir(path):
        return None
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _chart_yaml(path: str) -> t.Any:
    if not path.endswith(_ARCHIVES):
        with open(os.path.join(path, "Chart.yaml"), "rb") as file:
            return file.read()
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            # Below the chart's folder; the charts that it depends on are deeper.
            if member.isfile() and member.name.removeprefix("./").count("/") == 1:
                if member.name.endswith("/Chart.yaml"):
                    file = archive.extractfile(member)
                    return file.read() if file else b""
    raise KeyError("it has no Chart.yaml")
