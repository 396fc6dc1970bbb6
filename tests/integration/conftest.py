# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sandboxes for integration tests: real playbooks against a real API server and an AWS that says no.

A test that needs no cluster takes ``gateway_sandbox``, which is there in two seconds; ``sandbox`` has the cluster too.
Both are made once per pytest process, so that workers of pytest-xdist never meet. Tests of one process share them:
each uses names of its own and takes away what it made. Clusters that a test file has added end with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))  # the packages `sandbox` and `integration`, however pytest was started

from integration.fixture_charts import Helm, helm_in  # noqa: E402
from sandbox.client import Sandbox  # noqa: E402

# The longest files run first and those that take seconds last, where they fill the gaps: so no worker begins minutes of
# work when the others have come to their end. A new file is taken for one in between.
LONGEST = (
    "test_examples.py",
    "test_kubecost_adoption.py",
    "test_kubecost_breaks.py",
    "test_kubecost_federated_storage.py",
    "test_kubecost_generations.py",
    "test_kubecost_owners.py",
    "test_modules.py",
    "test_stackgres_backup.py",
    "test_stackgres_places.py",
    "test_thanos_object_store.py",
)
SHORT = (
    "test_athena_query.py",
    "test_bad_input_filters.py",
    "test_fixture_charts.py",
    "test_fixture_charts_storage.py",
    "test_playbook.py",
    "test_preflight.py",
    "test_preflight_quotas.py",
    "test_preflight_storage.py",
    "test_report_lines.py",
    "test_storage_probe.py",
    "test_tag_apply.py",
    "test_tag_report.py",
)
_started: list[Sandbox] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, each file in one piece. pytest-xdist keeps this order with --no-loadscope-reorder."""
    items.sort(key=lambda item: (item.path.name in SHORT) - (item.path.name in LONGEST))


@pytest.fixture(scope="module", autouse=True)
def _end_of_clusters() -> Iterator[None]:
    """A control plane that nobody uses any more would take half a gigabyte, and time from the tests to come."""
    before = {name for sandbox in _started for name in sandbox.state["clusters"]}
    yield
    for sandbox in _started:
        for name in set(sandbox.state["clusters"]) - before - {"demo"}:
            sandbox.remove_cluster(name)


@pytest.fixture(scope="session")
def gateway_sandbox() -> Iterator[Sandbox]:
    """AWS with the accounts payer (111111111111) and cluster (222222222222), without Kubernetes."""
    with Sandbox.start(kubernetes=False) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The same with the EKS cluster `demo` of account cluster, and its control plane."""
    with Sandbox.start() as sandbox:
        _started.append(sandbox)
        yield sandbox
        _started.remove(sandbox)


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The real helm."""
    return helm_in(tmp_path_factory.mktemp("helm"))
