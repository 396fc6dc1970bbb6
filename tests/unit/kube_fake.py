# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that keeps objects of one namespace in memory, for tests of what is read, planned and sent."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError

OURS = {"app.kubernetes.io/managed-by": "kubestrap.aws"}


class Kube:
    """An API server with these objects: ``secrets/NAME`` and so on, in one namespace.

    :ivar refuse: the status with which it refuses changes, and to show the namespace
    :ivar sent: methods of the changes that were sent, those of a dry run among them
    """

    def __init__(self, refuse: int | None = None, **things: Any) -> None:
        self.things = {"namespaces/kubecost": {"metadata": {"name": "kubecost"}}, **things}
        self.refuse = refuse
        self.sent: list[str] = []

    def get(self, *path: str) -> Any:
        if self.refuse and path[-2] == "namespaces":
            raise KubeError("no", "", "", self.refuse)
        return self.things.get("/".join(path[-2:]))

    def send(self, method: str, *path: str, body: Any, field_manager: str, dry_run: bool = False) -> Any:
        assert field_manager == "kubestrap.aws"
        self.sent.append(f"{method} {path[-1]}{' (dry run)' if dry_run else ''}")
        if self.refuse:
            raise KubeError("no", "", "", self.refuse)
        if method == "POST":
            self._put(f"{path[-1]}/{body['metadata']['name']}", remembered(body, body, field_manager), dry_run)
            return body
        name = "/".join(path[-2:])
        if method == "DELETE":
            return self.things.pop(name)
        if name not in self.things:
            return None
        old = self.things[name]
        thing = patched(old, body)
        if method == "APPLY" or old["metadata"].get("managedFields"):
            thing = remembered(thing, body, field_manager)
        self._put(name, thing, dry_run)
        return thing

    def _put(self, name: str, thing: Any, dry_run: bool) -> None:
        if not dry_run:
            self.things[name] = json.loads(json.dumps(thing))


def remembered(thing: Any, wrote: Any, manager: str) -> Any:
    """The object with the note who wrote its annotations.

    An API server makes none when there is nothing to note at the creation (a name is not noted), and then none for
    patches either, until something is applied.
    """
    fields = {f"f:{name}": {} for name in wrote.get("metadata", {}).get("annotations") or {}}
    if not fields:
        return thing
    entry = {"manager": manager, "fieldsV1": {"f:metadata": {"f:annotations": fields}}}
    known = thing["metadata"].get("managedFields", [])
    return {**thing, "metadata": {**thing["metadata"], "managedFields": [*known, entry]}}


def patched(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = patched(new.get(key), value)
    return new
