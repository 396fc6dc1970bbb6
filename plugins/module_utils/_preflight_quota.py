# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an account has room for what a first run makes: a role, the cluster's OpenID Connect provider, a report.

IAM tells how many roles there are and may be, and how many identity providers there are. How many providers and reports
there may be nobody tells: what AWS allows by default is all that is known. Of providers that is a note, because the
quota can be raised.
"""

from __future__ import annotations

import typing as t

from ._connection import AwsConnection
from ._errors import error_code
from ._plan import gather

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

SWITCH = "kubestrap_check_quotas"
REPORTS = 10  # of an account
_PROVIDERS = 100  # of an account, unless AWS has raised it
# With fewer roles left than this it is looked whether ours are there already; hosts of one account share what is left.
_SCARCE = 100
_DENIED = ("AccessDenied", "AccessDeniedException")
# Where Service Quotas has those of IAM, by partition.
_ASKED_IN = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def check_roles(
    connection: AwsConnection,
    account_id: str,
    partition: str,
    roles: t.Sequence[str],
    provider_arn: str | None = None,
) -> tuple[dict[str, t.Any] | None, list[str], list[str]]:
    """Whether IAM has room for roles and a provider; one call, and one for each of them where room is short.

    :param roles: names of those that the run makes where they do not exist
    :param provider_arn: of the provider that the run makes where it does not exist
    :returns: ``roles_left`` and ``roles_needed`` (``None`` when IAM does not tell), problems and notes
    """
    try:
        summary = connection.client("iam").get_account_summary().get("SummaryMap", {})
    except (ClientError, BotoCoreError) as e:
        why = "these credentials may not call iam:GetAccountSummary" if error_code(e) in _DENIED else str(e)
        return None, [], [_unseen(account_id, why)]
    provider_notes = _provider_notes(connection, account_id, partition, provider_arn, summary.get("Providers", 0))
    if "Roles" not in summary or "RolesQuota" not in summary:
        return None, [], [_unseen(account_id, "IAM does not tell how many there are and may be"), *provider_notes]
    left = max(0, summary["RolesQuota"] - summary["Roles"])
    found = {"roles_left": left, "roles_needed": 0 if left >= _SCARCE else _missing(connection, roles)}
    if found["roles_needed"] <= left:
        return found, [], provider_notes
    problem = (
        f"kubestrap_account_id: the account {account_id} has {summary['Roles']} IAM roles, and its quota is "
        f"{summary['RolesQuota']}: {found['roles_needed']} needed ({', '.join(roles)}), {left} left. Delete roles that "
        f"nobody uses, or {_ask('Roles per account', partition)}"
    )
    return found, [problem], provider_notes


def check_reports(reports: int, report_name: str) -> list[str]:
    """Why a new report finds no room. Pure.

    :param reports: how many the account has; ours is not among them
    """
    if reports < REPORTS:
        return []
    return [
        f"billing_data_report_name: '{report_name}' does not exist, and the account has {reports} Cost and Usage "
        f"Reports already; AWS allows {REPORTS}. Delete one that nobody reads, use one of them (write its name, bucket "
        f"and prefix), or set {SWITCH} to false when AWS allows this account more"
    ]


def _provider_notes(
    connection: AwsConnection, account_id: str, partition: str, provider_arn: str | None, providers: int
) -> list[str]:
    """Those of SAML are counted too, and have a quota of their own: only AWS knows whether it is too many."""
    if provider_arn is None or providers < _PROVIDERS:
        return []
    iam = connection.client("iam")
    if _exists(lambda: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider_arn)):
        return []
    return [
        f"The account {account_id} has {providers} identity providers, and unless AWS has raised the quota it takes "
        f"{_PROVIDERS} of OpenID Connect: the one of this cluster may find no room. Then delete those of clusters that "
        f"are gone, or {_ask('OpenID Connect providers per account', partition)}."
    ]


def _missing(connection: AwsConnection, roles: t.Sequence[str]) -> int:
    """How many of the roles do not exist."""
    iam = connection.client("iam")
    found = gather({name: lambda name=name: _exists(lambda: iam.get_role(RoleName=name)) for name in roles})
    return len([name for name, exists in found.items() if not exists])


def _exists(read: t.Callable[[], t.Any]) -> bool:
    """Whether a thing is there, or these credentials may not look: then they may not make it either."""
    try:
        return bool(read())
    except ClientError as e:
        return error_code(e) != "NoSuchEntity"
    except BotoCoreError:
        return True


def _ask(quota: str, partition: str) -> str:
    where = f", in {_ASKED_IN[partition]} whatever region you work in" if partition in _ASKED_IN else ""
    return f"ask for a higher quota (Service Quotas, AWS Identity and Access Management (IAM), {quota}{where})"


def _unseen(account_id: str, why: str) -> str:
    return f"Whether the account {account_id} has room for new IAM roles was not seen: {why}."
