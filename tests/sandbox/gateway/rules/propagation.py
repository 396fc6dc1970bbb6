# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM is eventually consistent: with `iam_propagation_seconds` set, a change acts only that long after it was made.

What sees late: authorization of every call (the keys of users too), STS (roles, trusts, OIDC providers), EKS (roles of
clusters and associations), and the principals that a trust, bucket or key policy names. IAM's own calls see the newest
state. The default, 0, is at once. Source: IAM user guide, "Changes that I make are not always immediately visible".
"""

from __future__ import annotations

import copy
import time
from typing import Any

from ..call import Call, Response
from ..record import kind_of
from .evaluator import lagging
from .registry import after, before

_STORES = ("_roles", "_users", "_policies", "_user_inline_policies", "_oidc_providers", "_access_keys")
_LATE_SERVICES = ("sts", "eks")
# (store, account, key) -> states with the time from which they hold, oldest first.
_history: dict[tuple[str, str, Any], list[tuple[float, Any]]] = {}


def setup(gateway: Any) -> None:
    """Define the setting, and have MiniStack's stores answer with the past while `lagging` is set."""
    from ministack.core.responses import AccountScopedDict, get_account_id
    from ministack.services import iam

    gateway.define_setting("iam_propagation_seconds", 0, lambda: float(gateway.settings["iam_propagation_seconds"]))
    names = {id(getattr(iam, name)): name for name in _STORES}

    class LateDict(AccountScopedDict):
        """A store whose reads may be late."""

        __slots__ = ()

        def get(self, key: Any, default: Any = None) -> Any:
            return self.get_scoped(get_account_id(), None, key, default)

        def get_scoped(self, account_id: str, region: str | None, key: Any, default: Any = None) -> Any:
            value = AccountScopedDict.get_scoped(self, account_id, region, key)
            states = _history.get((names[id(self)], account_id, key))
            seconds = float(gateway.settings["iam_propagation_seconds"])
            if states and seconds and lagging.get():
                horizon = time.time() - seconds
                value = [state for since, state in states if since <= horizon][-1]
            return default if value is None else value

    for name in _STORES:
        getattr(iam, name).__class__ = LateDict


@before("*", "*", order=0)
def late_services(call: Call, _gateway: Any) -> None:
    """STS and EKS see late. A context of its own ends with the call."""
    lagging.set(call.service in _LATE_SERVICES)


@before("iam", "*", order=90)
def state_before(call: Call, gateway: Any) -> None:
    """Keep what a write may change."""
    if gateway.settings["iam_propagation_seconds"] and kind_of("iam", call.operation) == "write":
        call.notes["iam_before"] = _snapshot(call.account_id)


@after("iam", "*", order=90)
def note_changes(call: Call, _response: Response, _gateway: Any) -> None:
    """Note what has changed, and when."""
    previous = call.notes.get("iam_before")
    if previous is None:
        return
    now, current = time.time(), _snapshot(call.account_id)
    for key in previous.keys() | current.keys():
        if previous.get(key) != current.get(key):
            _history.setdefault(key, [(float("-inf"), previous.get(key))]).append((now, current.get(key)))


def _snapshot(account_id: str) -> dict[tuple[str, str, Any], Any]:
    from ministack.services import iam

    return {
        (name, account, key): copy.deepcopy(value)
        for name in _STORES
        for (account, key), value in list(getattr(iam, name)._data.items())
        if account == account_id
    }
