# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sandboxes for integration tests: real playbooks against a real API server and an AWS that says no.

A test that needs no cluster takes ``gateway_sandbox``, which is there in two seconds; ``sandbox`` has the cluster too.
Both are made once per pytest process, so that workers of pytest-xdist never meet. Tests of one process share them:
each uses names of its own and takes away what it made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))  # the packages `sandbox` and `integration`, however pytest was started

from sandbox.client import Sandbox  # noqa: E402


@pytest.fixture(scope="session")
def gateway_sandbox() -> Iterator[Sandbox]:
    """AWS with the accounts payer (111111111111) and cluster (222222222222), without Kubernetes."""
    with Sandbox.start(kubernetes=False) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The same with the EKS cluster `demo` of account cluster, and its control plane."""
    with Sandbox.start() as sandbox:
        yield sandbox
