# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the EKS pod identity webhook adds to a pod whose ServiceAccount names an IAM role.

As aws/amazon-eks-pod-identity-webhook does it (pkg/handler/handler.go, README): everything follows from the annotations
of the ServiceAccount at the moment the pod is created; only token-expiration and skip-containers are read from the pod.
"""

from __future__ import annotations

import csv
from typing import Any

DOMAIN = "eks.amazonaws.com"
MOUNT_PATH = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
VOLUME = "aws-iam-token"
_EXPIRATION = (600, 86400)


def mutate(pod: dict[str, Any], annotations: dict[str, str], region: str) -> list[dict[str, Any]]:
    """The JSON patch for a pod whose ServiceAccount has these annotations; [] when it names no role."""
    role = annotations.get(f"{DOMAIN}/role-arn", "")
    if not role:
        return []
    spec, own = pod["spec"], pod["metadata"].get("annotations") or {}
    skipped = set(next(csv.reader([own.get(f"{DOMAIN}/skip-containers", "")]), []))
    regional = annotations.get(f"{DOMAIN}/sts-regional-endpoints", "true").lower() in ("true", "t", "1")
    patch: list[dict[str, Any]] = []
    volumes = spec.get("volumes") or []
    if not any(volume["name"] == VOLUME for volume in volumes):
        audience = annotations.get(f"{DOMAIN}/audience", "sts.amazonaws.com")
        volume = _token_volume(audience, _expiration(annotations, own))
        patch.append({"op": "add", "path": "/spec/volumes", "value": [volume, *volumes]})
    for field in ("containers", "initContainers"):
        if spec.get(field):
            value = [c if c["name"] in skipped else _with_identity(c, role, region, regional) for c in spec[field]]
            patch.append({"op": "add", "path": f"/spec/{field}", "value": value})
    return patch


def _expiration(annotations: dict[str, str], pod_annotations: dict[str, str]) -> int:
    """Seconds a token lives: the pod's word, else the ServiceAccount's, else a day; what is no number is ignored."""
    for source in (pod_annotations, annotations):
        text = source.get(f"{DOMAIN}/token-expiration", "")
        if text.lstrip("-").isdigit():
            return min(max(int(text), _EXPIRATION[0]), _EXPIRATION[1])
    return _EXPIRATION[1]


def _token_volume(audience: str, expiration: int) -> dict[str, Any]:
    token = {"audience": audience, "expirationSeconds": expiration, "path": "token"}
    return {"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}


def _with_identity(container: dict[str, Any], role: str, region: str, regional: bool) -> dict[str, Any]:
    """The container with what is missing; of each group nothing is added when any of it is set already."""
    environment = container.get("env") or []
    names = {variable["name"] for variable in environment}
    groups = [
        {"AWS_STS_REGIONAL_ENDPOINTS": "regional"},
        {"AWS_DEFAULT_REGION": region, "AWS_REGION": region},
        {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{MOUNT_PATH}/token"},
    ]
    missing = [group for group in groups if not names & set(group)]
    if not missing:
        return container
    if not regional and groups[0] in missing:
        missing.remove(groups[0])
    added = [{"name": name, "value": value} for group in missing for name, value in group.items()]
    mounts = container.get("volumeMounts") or []
    if not any(mount["name"] == VOLUME for mount in mounts):
        mounts = [*mounts, {"name": VOLUME, "readOnly": True, "mountPath": MOUNT_PATH}]
    return {**container, "env": [*environment, *added], "volumeMounts": mounts}
