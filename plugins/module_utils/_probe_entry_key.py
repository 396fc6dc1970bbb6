# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The access key in a cloud integration: which pair an entry of the Secret has. No text here has a secret in it."""

from __future__ import annotations

import base64
import json
import typing as t

from ._integration_entries import form_of, name_of, sections
from ._integration_keys import pair_of
from ._key_pair import KeyPair
from ._kube_api import KubeApi, KubeError
from ._probe_links import Link, failed

_CHANGE = "Run the playbook that writes the Secret"


def read_entry_pair(
    kube: KubeApi, namespace: str, secret: str, key: str, entry: str
) -> tuple[Link | None, KeyPair | None]:
    """The key pair of an entry; a link only where there is none.

    :param entry: ``<account>/<bucket>``, as Kubecost calls it
    """

    def refused(detail: str, cause: str, **marks: bool) -> tuple[Link, None]:
        return failed("access_key", detail, cause, _CHANGE, by_run=True, **marks), None

    try:
        found = kube.get("api", "v1", "namespaces", namespace, "secrets", secret)
    except KubeError as e:
        return failed("access_key", e.detail, e.cause, e.change), None
    if found is None:
        return refused(f"The Secret {namespace}/{secret} cannot be read", "it does not exist", missing=True)
    place = f"{key} of the Secret {namespace}/{secret}"
    try:
        document = json.loads(base64.b64decode((found.get("data") or {}).get(key) or "e30="))
        form = form_of(document)
    except ValueError as e:
        return refused(f"No key pair can be read from {place}", f"it is no cloud integration ({type(e).__name__})")
    entries = [
        each
        for section, listed in (sections(document, form) if form else {}).items()
        for each in listed
        if name_of(section, each, t.cast(str, form)) == f"aws {entry}"
    ]
    if not entries:
        return refused(f"{place} has no entry {entry}", "somebody has taken it out, or changed account or bucket")
    pair = pair_of(entries[0])
    if pair is None:
        return refused(f"The entry {entry} in {place} has no access key", "it was written for a role, or was damaged")
    return None, pair
