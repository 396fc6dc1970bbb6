# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes ``ansible_collections.kubestrap.aws`` and ``ansible_collections.amazon.aws`` importable, as Ansible does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

COLLECTION = Path(__file__).resolve().parents[2]
TREE = COLLECTION.parents[1]

if TREE.name != "ansible_collections":
    pytest.exit("the tests run in a copy below ansible_collections/: use `make test-unit ARGS='-k name'`", returncode=4)

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder  # noqa: E402

paths = [str(TREE.parent), *filter(None, os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":"))]
_AnsibleCollectionFinder(paths=paths)._install()


@pytest.fixture(autouse=True)
def no_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that calls AWS by mistake gets neither credentials nor a region."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "KUBECONFIG", "K8S_AUTH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
