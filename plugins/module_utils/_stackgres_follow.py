# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module carries out a job of StackGres: make the object or find it, look at it until it has ended, tell."""

from __future__ import annotations

import datetime
import time
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._identifiers import refuse
from ._kube_api import KubeApi, KubeError
from ._kube_connection import KUBERNETES_ARGUMENTS, kube_for
from ._kubernetes_names import check_kubernetes_name
from ._stackgres_jobs import ENDED, FAILED, Job, Object, Plan, Refused, plan, problem_of_name, read, start

# Between two looks of one start of the module. The action plugin starts it anew for each look.
PAUSE_SECONDS = 5.0

ARGUMENTS: dict[str, t.Any] = {
    **KUBERNETES_ARGUMENTS,
    "namespace": {"type": "str", "required": True},
    "sgcluster": {"type": "str", "required": True},
    "name": {"type": "str"},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 1800},
}

Shape = t.Callable[[Job, Plan, "Object | None", t.Mapping[str, t.Any]], dict[str, t.Any]]


def check(params: t.Mapping[str, t.Any], kind: str) -> None:
    """Refuse an input before anything is asked.

    :raises AnsibleAWSError: names option, value and what to write
    """
    check_kubernetes_name("namespace", params["namespace"], "namespace")
    for option, of in (("sgcluster", "sgclusters"), ("name", kind)):
        value = params[option]
        problem = None if value is None else problem_of_name(of, value)
        if problem:
            write = "Write lower-case letters, digits and '-', a letter first and no '-' last, for example sales"
            refuse(option, value, problem, write)
    if params["wait_timeout"] < 0:
        refuse("wait_timeout", params["wait_timeout"], "is not a number from 0 on", "Write one, or leave it out")
    if params["host"] is not None and not params["host"].startswith("https://"):
        write = "Write its endpoint, https://... (endpoint of eks_cluster_info)"
        refuse("host", params["host"], "is not the URL of an API server", write)


def carry_out(module: t.Any, kind: str, result_name: str, spec: Object, shape: Shape) -> t.NoReturn:
    """Ends the module: with the object as it was last seen, or with what went wrong.

    :param module: an ``AnsibleModule`` with the arguments above
    :param kind: ``sgbackups`` or ``sgdbops``
    :param spec: of the object, without ``sgCluster``
    :param shape: what the module returns of the job, its plan, the object and what is around it
    """
    params = module.params
    try:
        check(params, kind)
        kube = kube_for(params)
        job = Job(kind, params["namespace"], params["sgcluster"], params["name"], spec)
        timeout = params["wait_timeout"] if params["wait"] else 0
        changed, seen = followed(kube, job, shape, module.check_mode, timeout)
    except (AnsibleAWSError, KubeError, Refused) as e:
        module.fail_json(msg=str(e))
    if seen["state"] == FAILED:
        text = f"The {result_name} {seen['name']} of SGCluster {job.namespace}/{job.cluster} failed: {seen['failure']}"
        said = f"{text.strip().rstrip('.:')}. Cause: {seen['cause']}. {seen['change']}"
        module.fail_json(msg=said, changed=changed, **{result_name: seen})
    module.exit_json(changed=changed, **{result_name: seen})


def followed(
    kube: KubeApi,
    job: Job,
    shape: Shape,
    check_mode: bool,
    timeout: float,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> tuple[bool, dict[str, t.Any]]:
    """Whether an object was made, and the job as it was last seen.

    :param timeout: seconds; 0 looks once
    :raises KubeError, Refused: see ``read``, ``plan``, ``start``
    """
    begun = clock()
    found = read(kube, job)
    wanted = plan(job, found, datetime.datetime.now(datetime.UTC))
    changed = wanted.body is not None
    item = wanted.found
    if wanted.body is not None and not check_mode:
        item = start(kube, job, wanted.name, wanted.body)
    while True:
        seen = {**shape(job, wanted, item, found), "seconds": int(clock() - begun)}
        if check_mode or seen["state"] in ENDED or clock() - begun + PAUSE_SECONDS > timeout:
            return changed, seen
        sleep(PAUSE_SECONDS)
        item = kube.get(*job.path, wanted.name)
        if item is None:
            change = "Run this again, which makes a new one"
            raise KubeError(f"{job.kind} {wanted.name} is gone", "somebody deleted it", change)
