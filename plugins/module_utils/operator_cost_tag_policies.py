# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whoever activates cost allocation tags may do (role ``cost_allocation_tags``). Pure, as ``operator_policies``.

Cost allocation tags know no resources (service authorization reference of AWS Cost Explorer).
"""

from __future__ import annotations

import typing as t

from ._identifiers import check_account_id, refuse
from .operator_policies import _own_rights, _reaches, _say
from .policies import BILLING_REGIONS, Statement


def cost_allocation_tags_operator(
    *,
    partition: str,
    account_id: str,
    backfill: bool = False,
    operator_arn: str | None = None,
    extent: str = "teardown",
) -> list[Statement]:
    """Activate cost allocation tags in the account that pays, and make them inactive.

    :param backfill: whether a backfill may be asked for (``cost_allocation_tags_backfill_from``)
    :param operator_arn, extent: as of ``kubecost_payer_operator``; ``run`` and ``teardown`` are the same here
    """
    check_account_id("account_id", account_id)
    if partition not in BILLING_REGIONS:
        known = ", ".join(sorted(BILLING_REGIONS))
        refuse("partition", partition, "has no cost allocation tags", f"Use an account in one of: {known}")
    reads = ["ce:ListCostAllocationTags"]
    writes = ["ce:UpdateCostAllocationTagsStatus"]
    if backfill:
        reads.append("ce:ListCostAllocationTagBackfillHistory")
        writes.append("ce:StartCostAllocationTagBackfill")
    return [
        _say("ReadCostAllocationTags", "*", reads),
        *([_say("SetCostAllocationTags", "*", writes)] if _reaches(extent, "run") else []),
        *_own_rights(operator_arn),
    ]


# Name, as lookup iam_document takes it -> function.
OPERATOR_COST_TAG_POLICIES: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function for function in (cost_allocation_tags_operator,)
}
