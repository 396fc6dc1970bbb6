# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What filters, lookups and actions of the playbooks import: Ansible does it in a process of its own for each task."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COLLECTION = Path(__file__).resolve().parents[2]

PROGRAM = """
import importlib, sys
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=sys.argv[2:])._install()
importlib.import_module("ansible_collections.kubestrap.aws.plugins." + sys.argv[1])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
PLUGINS = [
    *(f"{kind}.{path.stem}" for kind in ("filter", "action") for path in (COLLECTION / "plugins" / kind).glob("*.py")),
    "lookup.iam_document",
]


def imported(plugin: str) -> list[str]:
    """Names of the packages that are loaded with a plugin."""
    paths = [str(COLLECTION.parents[2]), *filter(None, os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":"))]
    command = [sys.executable, "-c", PROGRAM, plugin, *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize("plugin", PLUGINS)
def test_no_sdk_is_loaded_by_a_plugin_that_makes_no_call(plugin: str) -> None:
    found = imported(plugin)
    assert "ansible" in found
    assert {"boto3", "botocore", "kubernetes"} & set(found) == set()


def test_a_plugin_that_makes_calls_would_be_noticed() -> None:
    assert "botocore" in imported("lookup.eks_token")
