# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for the tests of the sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [path for path in [str(Path(__file__).resolve().parents[2])] if path not in sys.path]
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]  # nothing of the developer's own account may get in
os.environ |= {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

from sandbox.tests.clients import ClientSandbox  # noqa: E402


@pytest.fixture(scope="session")
def sandbox() -> Iterator[ClientSandbox]:
    """A whole sandbox: accounts 111111111111 (payer) and 222222222222 (cluster), cluster demo."""
    with ClientSandbox.start() as started:
        yield started


@pytest.fixture(scope="session")
def gateway() -> Iterator[ClientSandbox]:
    """A sandbox without Kubernetes, accounts 111111111111 (payer) and 222222222222 (cluster)."""
    with ClientSandbox.start(kubernetes=False) as started:
        yield started
