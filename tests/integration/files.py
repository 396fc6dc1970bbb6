# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the comment lines at the head of a test playbook (or of an example's preparation) say about how it runs.

# profile: cluster        AWS profile of tasks that name none; payer unless it says so
# sandbox: kubernetes     it needs the cluster
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml
from sandbox.client import Sandbox

COLLECTION = Path(__file__).resolve().parents[2]
# What playbooks may need of the sandbox, as extra variables.
ACCOUNTS = {"payer_account_id": "111111111111", "cluster_account_id": "222222222222"}


@dataclasses.dataclass(frozen=True)
class Head:
    """The settings of one file."""

    profile: str = "payer"
    sandbox: str = "gateway"

    @classmethod
    def of(cls, path: Path) -> Head:
        """Read them; those of a file that does not exist are the defaults.

        :raises ValueError: a word is wrong, which would otherwise go unnoticed
        """
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        comments = re.match(r"(?:(?:#.*|---)?\n)*", text)
        found = dict(re.findall(r"^# (profile|sandbox): *(.+?) *$", comments.group() if comments else "", re.MULTILINE))
        head = cls(**found)
        if head.sandbox not in ("gateway", "kubernetes"):
            raise ValueError(f"{path}: '# sandbox: {head.sandbox}' is neither gateway nor kubernetes")
        return head

    def choose(self, request: object) -> Sandbox:
        """The sandbox that the file runs in, by the fixture request."""
        return request.getfixturevalue("sandbox" if self.sandbox == "kubernetes" else "gateway_sandbox")


def plugins(kind: str) -> list[str]:
    """Names of the collection's public plugins of a kind (``modules``, ``lookup``, ``filter``, ``inventory``)."""
    # A file may hold several filters; each is documented in a file of its own.
    suffix = "yml" if kind == "filter" else "py"
    folder = COLLECTION / "plugins" / kind
    return sorted(path.stem for path in folder.glob(f"*.{suffix}") if not path.stem.startswith("_"))


def inventories(page: str) -> list[Any]:
    """The inventories of a documentation page: its YAML that begins with ``all:``."""
    text = (COLLECTION / "docs" / "docsite" / "rst" / f"{page}.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. code-block:: yaml\n\n((?:    .*\n|\n)+)", text)
    return [document for document in map(yaml.safe_load, blocks) if "all" in document]
