# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory asks of a payer account: the role's defaults, with what a test changes of them."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_billing import Wanted

OURS = {"managed-by": "kubestrap.aws"}
WANTED = Wanted(
    region="us-east-1",
    report_name="kubecost",
    report_bucket="acme-cur",
    report_prefix="cur",
    workgroup="kubecost",
    results_location="s3://acme-results/kubecost/",
    role_name="kubecost-cur-access",
    ownership_tags=OURS,
)


def wanted(**changes: Any) -> Wanted:
    """The defaults with these changes."""
    return dataclasses.replace(WANTED, **changes)
