# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.module_utils._verification import document


def verification_document(outcomes: t.Any) -> dict[str, t.Any]:
    """The verification of all hosts; see the documentation beside this file."""
    if not isinstance(outcomes, t.Mapping):
        raise AnsibleFilterError(
            f"verification_document takes a dictionary of outcomes by host name, not {type(outcomes).__name__}"
        )
    return document(outcomes)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"verification_document": verification_document}
