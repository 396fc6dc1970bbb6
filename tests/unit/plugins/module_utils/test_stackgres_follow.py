# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a job is followed by its module alone, and what the module refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _stackgres_follow as follow
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_jobs import BACKUPS, Job, backup_of

JOB = Job(BACKUPS, "postgres", "sales", None, {})
GIVEN = {"host": "https://x", "namespace": "postgres", "sgcluster": "sales", "name": None, "wait_timeout": 0}


class Kube:
    """An API server whose backup goes through these states."""

    def __init__(self, *states: str) -> None:
        self.states, self.made = list(states), 0

    def get(self, *path: str) -> Any:
        if path[-1] == "v1":
            return {"resources": [{"name": name} for name in ("sgbackups", "sgdbops", "sgclusters")]}
        if path[-1] == "sales":
            return {"spec": {"configurations": {"backups": [{}]}}}
        return {"items": []} if path[-1] in ("sgbackups", "sgdbops") else self.item()

    def send(self, *_path: str, **_options: Any) -> Any:
        self.made += 1
        return self.item()

    def item(self) -> Any:
        state = self.states.pop(0)
        spec, status = {"sgCluster": "sales"}, {"process": {"status": state}}
        return {"metadata": {"name": "b"}, "spec": spec, "status": status} if state else None


def followed(kube: Any, check_mode: bool = False, timeout: float = 60) -> tuple[bool, dict[str, Any]]:
    """Follow with a clock that only sleep moves."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def shape(job: Job, wanted: Any, item: Any, _found: Any) -> dict[str, Any]:
        return backup_of(job, wanted, item)

    return follow.followed(kube, JOB, shape, check_mode, timeout, sleep, lambda: now[0])


def test_it_is_followed_to_its_end() -> None:
    kube = Kube("Pending", "Running", "Completed")
    changed, seen = followed(kube)
    assert (changed, seen["state"], seen["seconds"], kube.made) == (True, "Completed", 10, 1)


def test_the_end_of_the_time_is_a_state() -> None:
    changed, seen = followed(Kube("Pending", "Running", "Running"), timeout=11)
    assert (changed, seen["state"], seen["seconds"]) == (True, "Running", 10)
    assert followed(Kube("Pending"), timeout=0)[1]["state"] == "Pending"


def test_check_mode_makes_nothing() -> None:
    kube = Kube()
    changed, seen = followed(kube, check_mode=True)
    assert (changed, seen["state"], kube.made) == (True, "NotStarted", 0)
    assert seen["name"].startswith("sales-proof-")


def test_a_backup_that_somebody_deletes_is_an_error() -> None:
    with pytest.raises(KubeError, match="somebody deleted it"):
        followed(Kube("Running", ""))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"namespace": "Postgres"}, "namespace: 'Postgres' is not a name of a namespace"),
        ({"sgcluster": "1sales"}, "sgcluster: '1sales' is not a name that StackGres takes"),
        ({"sgcluster": "s" * 45}, "has 45 characters, of which StackGres takes 44"),
        ({"name": "n" * 57}, "has 57 characters, of which StackGres takes 56"),
        ({"wait_timeout": -1}, "wait_timeout: '-1' is not a number from 0 on"),
        ({"host": "http://x"}, "host: 'http://x' is not the URL of an API server"),
    ],
)
def test_bad_input_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleAWSError, match=words):
        follow.check({**GIVEN, **given}, BACKUPS)


def test_good_input_is_not() -> None:
    follow.check(GIVEN, BACKUPS)
    follow.check({**GIVEN, "host": None, "name": "n" * 56}, BACKUPS)
