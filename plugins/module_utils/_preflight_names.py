# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in an inventory that can be checked by their rules alone, each by the check of the module that uses it."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._athena_workgroup import check_workgroup_name
from ._cur_report import check_report_name, check_report_prefix
from ._glue_table import check_glue_name
from ._iam_principal import check_path, check_principal_name
from ._identifiers import check_account_id
from ._kubernetes_names import RULES, check_kubernetes_name

_CHECKS: dict[str, t.Callable[[str, str], None]] = {
    "report": check_report_name,
    "report_prefix": check_report_prefix,
    "workgroup": check_workgroup_name,
    "glue": check_glue_name,
    "iam_role": functools.partial(check_principal_name, "role"),
    "iam_user": functools.partial(check_principal_name, "user"),
    "iam_path": check_path,
    **{kind: functools.partial(check_kubernetes_name, kind=kind) for kind in RULES},
}

NAME_KINDS = tuple(_CHECKS)


def problems_of(check: t.Callable[[], t.Any]) -> list[str]:
    """What a check has against an input: nothing, or the message of its refusal."""
    try:
        check()
    except AnsibleAWSError as e:
        return [str(e.message)]
    return []


def check_name(option: str, kind: str, value: str) -> list[str]:
    """Problems of one name.

    :param option: the variable that holds it
    :param kind: one of ``NAME_KINDS``
    """
    return problems_of(lambda: _CHECKS[kind](option, value))


def check_account(value: t.Any, required: bool) -> list[str]:
    """Problems of the account id that an inventory names for a host (``kubestrap_account_id``)."""
    if value not in (None, ""):
        return problems_of(lambda: check_account_id("kubestrap_account_id", value))
    if not required:
        return []
    return [
        "kubestrap_account_id: no account is named for this host. Write the 12 digits of its account in quotes, so "
        "that nothing is done with the credentials of another one"
    ]
