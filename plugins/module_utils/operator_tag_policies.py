# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whoever runs the playbooks ``tag_report`` and ``tag_apply`` may do: the least policy of each account.

As in ``operator_policies``. The actions of AWS' tagging service and of Cost Explorer know no resources (service
authorization reference). Proved by ``tests/integration/test_tag_report.py`` and ``test_tag_apply.py``.
"""

from __future__ import annotations

import re
import typing as t

from ._identifiers import check_account_id, refuse
from ._tagging_rights import actions
from .operator_policies import _check_name, _say
from .policies import Statement, billing_data_reader

_LIST = "tag:GetResources"
# Services whose ARNs have no account: anybody's, and S3 then asks the owner of the bucket.
_WITHOUT_ACCOUNT = ("s3", "apigateway")


def tag_report_operator(
    *, partition: str, account_id: str, region: str | None = None, cluster_name: str | None = None
) -> list[Statement]:
    """Look at the tags of an account, and reach one of its clusters. Rights in the cluster: ``operator_rbac``.

    :param region, cluster_name: of the cluster; ``None`` for an account without one
    """
    check_account_id("account_id", account_id)
    statements = [_say("ListTagged", "*", [_LIST])]
    if cluster_name is not None:
        for option, value in {"region": region, "cluster_name": cluster_name}.items():
            _check_name(option, value)
        arn = f"arn:{partition}:eks:{region}:{account_id}:cluster/{cluster_name}"
        statements.append(_say("ReadCluster", arn, ["eks:DescribeCluster"]))
    return statements


def tag_report_payer_operator(
    *,
    partition: str,
    region: str,
    account_id: str,
    report_bucket: str,
    report_prefix: str,
    results_bucket: str,
    results_prefix: str,
    workgroup: str,
    database: str,
    table: str,
    report_kms_key_arn: str | None = None,
    results_kms_key_arn: str | None = None,
) -> list[Statement]:
    """Look at the tags of a payer account, at what billing knows of them, and ask how much of the cost they assign.

    :param region: of the billing data; all parameters are those of ``policies.billing_data_reader``
    """
    return [
        *tag_report_operator(partition=partition, account_id=account_id),
        _say("ReadActivation", "*", ["ce:ListCostAllocationTags", "ce:ListCostAllocationTagBackfillHistory"]),
        *billing_data_reader(
            partition=partition,
            region=region,
            account_id=account_id,
            report_bucket=report_bucket,
            report_prefix=report_prefix,
            results_bucket=results_bucket,
            results_prefix=results_prefix,
            workgroup=workgroup,
            database=database,
            table=table,
            report_kms_key_arn=report_kms_key_arn,
            results_kms_key_arn=results_kms_key_arn,
        ),
    ]


def tag_apply_operator(
    *, partition: str, account_id: str, services: t.Sequence[str], remove: bool = False
) -> list[Statement]:
    """Tag resources of some services, and with ``remove`` take the tags away again.

    :param services: as in ARNs: ``rds``, ``s3``. Each has a right to tag of its own
    :param remove: whether tags are removed (``kubestrap_tag_purge``, ``kubestrap_tag_state: absent``)
    """
    check_account_id("account_id", account_id)
    if isinstance(services, str) or not services:
        refuse("services", services, "is no list of services", "Write them as in ARNs, for example [rds, s3]")
    statements = [_say("TagAnything", "*", [_LIST, "tag:TagResources", *(["tag:UntagResources"] if remove else [])])]
    for service in dict.fromkeys(services):
        if not re.fullmatch(r"[a-z0-9-]+", service) or service == "iam":
            refuse("services", service, "is no service of AWS that can be tagged so", "Write it as in ARNs: rds, s3")
        account = "" if service in _WITHOUT_ACCOUNT else account_id
        arn = f"arn:{partition}:{service}:{'' if service == 's3' else '*'}:{account}:*"
        allowed = [*actions(service), *(actions(service, remove=True) if remove else [])]
        # A bucket that never had a tag is looked for by its name.
        allowed += ["s3:ListBucket"] if service == "s3" else []
        name = "".join(part.capitalize() for part in service.split("-"))
        statements.append(_say(f"Tag{name}", arn, list(dict.fromkeys(allowed))))
    return statements


# Name, as lookup iam_document takes it -> function.
OPERATOR_TAG_POLICIES: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function for function in (tag_report_operator, tag_report_payer_operator, tag_apply_operator)
}
