# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links in the cluster: ServiceAccount, secret, running pods and Helm release agree with what was proved.

Each function takes objects as the API server returns them; nothing is asked here.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t

from ._differences import differences
from ._integration_merge import differing_entries
from ._probe_links import Link, failed, ok, pending

ANNOTATION = "eks.amazonaws.com/role-arn"
# Who has no role of its own takes what the node's instance metadata give, as far as they can be reached from a pod.
_AS_NODE = "as the node (with no credentials at all where the hop limit of its metadata is 1)"

Object = t.Mapping[str, t.Any]


def service_account_link(account: Object | None, name: str, role_arn: str) -> Link:
    """The ServiceAccount is annotated with the role."""
    if account is None:
        return failed(
            "service_account",
            f"The ServiceAccount {name} cannot be read",
            "it does not exist",
            "Install the workload, or correct namespace and service_account",
            missing=True,
            by_install=True,
        )
    found = (account["metadata"].get("annotations") or {}).get(ANNOTATION)
    if found == role_arn:
        return ok("service_account", f"The ServiceAccount {name} is annotated with {role_arn}")
    change = f"Annotate it with {ANNOTATION}: {role_arn}, then restart the pods that use it"
    if found is None:
        detail, cause = f"The ServiceAccount {name} has no role", f"{ANNOTATION} is missing"
    else:
        detail, cause = f"The ServiceAccount {name} has another role", f"{ANNOTATION} is {found}"
    return failed("service_account", detail, cause, change, by_run=True, by_install=True)


def secret_link(secret: Object | None, name: str, key: str, expected: t.Any, compare: str = "document") -> Link:
    """The secret has the document that is expected. Values are never shown, only where they differ.

    :param compare: ``document``, or ``entries`` when entries of others may stand beside the expected ones
    """
    change = "Run the playbook that writes the secret, or correct it; then restart the pods that read it"
    if secret is None:
        cause = "it does not exist"
        return failed("secret", f"The secret {name} cannot be read", cause, change, missing=True)
    data = secret.get("data") or {}
    if key not in data:
        keys = ", ".join(sorted(data)) or "none"
        return failed("secret", f"The secret {name} has no key {key}", f"its keys are: {keys}", change)
    if expected is None:
        return ok("secret", f"The secret {name} has the key {key}")
    try:
        document = json.loads(base64.b64decode(data[key]))
    except ValueError:
        return failed("secret", f"The key {key} of the secret {name} cannot be read", "it is not JSON", change)
    places = (differing_entries if compare == "entries" else differences)(document, expected)
    if places:
        detail = f"The secret {name} has not got the expected content"
        return failed("secret", detail, f"it differs in {', '.join(places)}", change, by_run=True)
    return ok("secret", f"The secret {name} has the expected {key}")


def pods_link(pods: t.Sequence[Object], account: Object | None, name: str, role_arn: str) -> Link:
    """The running pods got the role.

    The EKS webhook writes the role into a pod when the pod is created, never later.

    :param pods: of the workload, or of the namespace; only those of the ServiceAccount count
    :param account: the ServiceAccount, whose managed fields tell when it was annotated
    :param name: ``NAMESPACE:NAME`` of the ServiceAccount
    """
    short = name.partition(":")[2]
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp") and _phase(pod) not in _OVER]
    ours = [pod for pod in living if pod["spec"].get("serviceAccountName", "default") == short]
    if not living:
        change = "Install the workload, or correct label_selectors"
        detail = "There are no pods of the workload"
        return failed("pods", detail, "none was found", change, missing=True, by_install=True)
    if not ours:
        others = ", ".join(sorted({pod["spec"].get("serviceAccountName", "default") for pod in living}))
        node = any("AWS_ROLE_ARN" not in environment for pod in living for environment in _environments(pod))
        return failed(
            "pods",
            f"No pod runs as the ServiceAccount {short}",
            f"the pods run as: {others}{f', without a role, and call AWS {_AS_NODE}' if node else ''}",
            "Prove that ServiceAccount instead, or set this one in the values of the chart",
            by_run=True,
            by_install=True,
        )
    for judge in (_without_role, _with_keys, _with_other_role):
        for pod in ours:
            found = judge(pod, account, role_arn)
            if found:
                return found
    waiting = [pod for pod in ours if not _ready(pod)]
    if waiting:
        names = ", ".join(_name(pod) for pod in waiting)
        return pending("pods", f"Not ready: {names}", "; ".join(filter(None, map(_reason, waiting))))
    count = f"{len(ours)} pods run" if len(ours) != 1 else "1 pod runs"
    return ok("pods", f"{count} as {short} with the role {role_arn}")


def release_link(secrets: t.Sequence[Object], name: str) -> Link:
    """The newest revision of the Helm release is deployed.

    :param secrets: metadata of the release's secrets (labels ``owner=helm,name=NAME``)
    """
    revisions = [secret["metadata"].get("labels") or {} for secret in secrets]
    if not revisions:
        return failed(
            "release",
            f"The Helm release {name} cannot be found",
            "Helm has no record of it in the namespace",
            "Install the workload, or correct helm_release and namespace",
            missing=True,
        )
    newest = max(revisions, key=lambda labels: int(labels.get("version", 0)))
    status, revision = newest.get("status", "unknown"), newest.get("version")
    if status == "deployed":
        return ok("release", f"The Helm release {name} is deployed (revision {revision})")
    interrupted = status.startswith("pending-")
    return failed(
        "release",
        f"Revision {revision} of the Helm release {name} is {status}",
        "a run of Helm is under way, or was interrupted" if interrupted else "the last run of Helm did not succeed",
        f"Wait for it, or run helm rollback {name}" if interrupted else "Run the playbook again",
        missing=True,
    )


_OVER = ("Succeeded", "Failed")


def _phase(pod: Object) -> str:
    return (pod.get("status") or {}).get("phase", "Pending")


def _name(pod: Object) -> str:
    return pod["metadata"]["name"]


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _reason(pod: Object) -> str:
    """Why a pod is not ready, as the kubelet or the scheduler says it."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting:
            return f"{_name(pod)}: {waiting.get('reason')} {waiting.get('message') or ''}".rstrip()
    for condition in status.get("conditions") or []:
        if condition["status"] == "False" and condition.get("message"):
            return f"{_name(pod)}: {condition['message']}"
    return f"{_name(pod)}: {_phase(pod)}"


def _environments(pod: Object) -> list[dict[str, str]]:
    """Environment variables (those with a literal value, and the names of the others) of each container that takes
    part: the webhook leaves out those that the pod tells it to skip."""
    skip = (pod["metadata"].get("annotations") or {}).get("eks.amazonaws.com/skip-containers", "")
    skipped = {name.strip() for name in skip.split(",")}
    return [
        {variable["name"]: variable.get("value", "") for variable in container.get("env") or []}
        for container in pod["spec"]["containers"]
        if container["name"] not in skipped
    ]


def _without_role(pod: Object, account: Object | None, role_arn: str) -> Link | None:
    environments = _environments(pod)
    if not any("AWS_ROLE_ARN" not in environment for environment in environments):
        return None
    restart = f"Restart it: kubectl -n {pod['metadata']['namespace']} rollout restart {_owner(pod)}"
    if any("AWS_CONTAINER_CREDENTIALS_FULL_URI" in environment for environment in environments):
        return failed(
            "pods",
            f"The pod {_name(pod)} has credentials of EKS Pod Identity, not the role {role_arn}",
            "the ServiceAccount has a pod identity association, which wins over the annotation",
            f"Delete the association. {restart}",
        )
    # The run that annotates the ServiceAccount has its pods made anew, too.
    annotations = (account or {"metadata": {}})["metadata"].get("annotations") or {}
    unannotated = account is not None and ANNOTATION not in annotations
    return failed(
        "pods",
        f"The pod {_name(pod)} has no AWS_ROLE_ARN, so that it calls AWS {_AS_NODE}",
        f"its ServiceAccount has no annotation {ANNOTATION}" if unannotated else _too_early(pod, account),
        f"Annotate it with {ANNOTATION}: {role_arn}. {restart}" if unannotated else restart,
        by_run=annotations.get(ANNOTATION) != role_arn,
        by_install=True,
    )


def _too_early(pod: Object, account: Object | None) -> str:
    """Why a pod got no role although its ServiceAccount has one, or was not seen."""
    annotated = _annotated_at(account)
    created = pod["metadata"].get("creationTimestamp", "")
    if annotated and created and created < annotated:
        return f"it was created at {created}, before the ServiceAccount was annotated at {annotated}"
    return (
        "it was created before the webhook of EKS knew the ServiceAccount's annotation, or while the webhook could not "
        "be reached"
    )


def _with_keys(pod: Object, account: Object | None, role_arn: str) -> Link | None:
    if not any("AWS_ACCESS_KEY_ID" in environment for environment in _environments(pod)):
        return None
    return failed(
        "pods",
        f"The pod {_name(pod)} has AWS_ACCESS_KEY_ID in its environment",
        "every AWS SDK prefers it to the role",
        "Remove the access key from the values of the chart",
    )


def _with_other_role(pod: Object, account: Object | None, role_arn: str) -> Link | None:
    found = {environment.get("AWS_ROLE_ARN", role_arn) for environment in _environments(pod)} - {role_arn}
    if not found:
        return None
    return failed(
        "pods",
        f"The pod {_name(pod)} has the role {', '.join(sorted(found))} instead of {role_arn}",
        "it was created when the ServiceAccount had that annotation, or the chart sets AWS_ROLE_ARN itself",
        f"Restart it: kubectl -n {pod['metadata']['namespace']} rollout restart {_owner(pod)}",
        by_run=True,
        by_install=True,
    )


def _owner(pod: Object) -> str:
    """What to restart: the Deployment behind a ReplicaSet, else the owner, else the pod."""
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner["kind"] == "ReplicaSet":
            return "deployment/" + re.sub(r"-[0-9a-z]+$", "", owner["name"])
        return f"{owner['kind'].lower()}/{owner['name']}"
    return f"pod/{_name(pod)}"


def _annotated_at(account: Object | None) -> str:
    """When the ServiceAccount's annotation was last written, ISO 8601 in UTC; empty when nothing tells."""
    if account is None:
        return ""
    times = [
        entry.get("time", "")
        for entry in account["metadata"].get("managedFields") or []
        if f"f:{ANNOTATION}" in ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations", {})
    ]
    return max(times, default="")
