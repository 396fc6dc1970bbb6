# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access keys in entries of a ``cloud-integration.json``: where each form has them. No text here has a secret in it.

Sources: OpenCost 1.112, pkg/cloud/aws (``AwsAthenaInfo``; ``AccessKey`` and ``AssumeRole`` of authorizer.go).
"""

from __future__ import annotations

import typing as t

from ._key_pair import KeyPair

LEGACY_ID, LEGACY_SECRET = "serviceKeyName", "serviceKeySecret"
_TYPE = "authorizerType"
_ACCESS_KEY = "AWSAccessKey"


def key_authorizer(pair: KeyPair) -> dict[str, t.Any]:
    """The authorizer of the new form that uses a key."""
    return {_TYPE: _ACCESS_KEY, "id": pair.access_key, "secret": pair.secret_key}


def pair_of(entry: t.Any) -> KeyPair | None:
    """The key pair of an entry of either form, ``None`` when it has none, or none that can be one."""
    if not isinstance(entry, t.Mapping):
        return None
    if "authorizer" in entry:
        authorizer = entry["authorizer"]
        # A role is taken with the identity of the authorizer in it.
        while isinstance(authorizer, t.Mapping) and isinstance(authorizer.get("authorizer"), t.Mapping):
            authorizer = authorizer["authorizer"]
        if not isinstance(authorizer, t.Mapping) or authorizer.get(_TYPE) != _ACCESS_KEY:
            return None
        found = authorizer.get("id"), authorizer.get("secret")
    else:
        found = entry.get(LEGACY_ID), entry.get(LEGACY_SECRET)
    if not all(isinstance(text, str) and text for text in found):
        return None
    return KeyPair(*t.cast("tuple[str, str]", found))
