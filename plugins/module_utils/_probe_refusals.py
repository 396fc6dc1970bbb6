# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS' refusals mean: the cause, and what to change.

Rule of thumb (API reference of STS): InvalidIdentityToken is about provider or token, AccessDenied about trust or
policy.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ._connection import AwsConnection
from ._errors import error_code, explain
from ._probe_links import Link, failed
from ._probe_trust import Claims, Opinion

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_DENIED = re.compile(
    r"User: (?P<user>\S+) is not authorized to perform: (?P<action>[\w:-]+)(?: on resource: (?P<on>\S+))?"
)
_NODE = re.compile(r":assumed-role/[^/]+/i-[0-9a-f]{8,}$")
_ACCESS_DENIED = ("AccessDenied", "AccessDeniedException", "403")


def text_of(error: BaseException) -> str:
    """AWS' own code and text."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return str(error)
    said = response.get("Error", {})
    return f"{said.get('Code')}: {said.get('Message')}"


def is_denied(error: BaseException) -> bool:
    """Whether AWS refused for want of a right."""
    return error_code(error) in _ACCESS_DENIED


@dataclasses.dataclass(frozen=True)
class DeniedCall:
    """What AWS' text says of a call that it denied.

    :ivar user: ARN of who made the call
    :ivar action: such as ``s3:PutObject``
    :ivar on: ARN of the resource, empty where AWS does not name it
    """

    user: str
    action: str
    on: str

    @property
    def by_node(self) -> bool:
        """Whether the call was made with the role of an EC2 instance: its sessions have the instance's id as name."""
        return bool(_NODE.search(self.user))


def denied_call(said: str) -> DeniedCall | None:
    """The call that a text of AWS (or a line of a workload's log) says was denied, ``None`` when it names none."""
    found = _DENIED.search(said)
    return found and DeniedCall(found["user"], found["action"], (found["on"] or "").strip("\\\"'.,)"))


def by_a_node(link: str, detail: str, user: str) -> Link:
    """The call was not made with the ServiceAccount's role but with that of the node."""
    return failed(
        link,
        detail,
        f"the call was made with the role of a node ({user}), not with the ServiceAccount's: the pod runs as another "
        "ServiceAccount, or that one is not annotated, or the pod is older than the annotation",
        "Annotate the ServiceAccount that the pods run as, then restart the pods",
    )


def identity_refused(error: Exception, role_arn: str, state: str, opinion: Opinion, claims: Claims) -> Link:
    """Why STS did not exchange the token for the role's credentials.

    :param state: of the role: ``found``, ``missing`` or ``hidden``
    :param opinion: on its trust
    """
    account_id = role_arn.split(":")[4]
    code, said = error_code(error), text_of(error)
    detail = f"{claims.service_account} cannot take the role {role_arn}: {said}"

    def answer(cause: str, change: str, missing: bool = False) -> Link:
        return failed("role", detail, cause, change, missing)

    if code == "InvalidIdentityToken" and "No OpenIDConnect provider" in said:
        return answer(
            f"account {account_id}, in which the role is, has no OpenID Connect provider for {claims.issuer}",
            f"Register the issuer in account {account_id}: kubestrap.aws.iam_oidc_provider with url {claims.issuer}",
            missing=True,
        )
    if code == "InvalidIdentityToken" and "audience" in said.lower():
        audience = " and ".join(claims.audiences)
        return answer(
            f"the OpenID Connect provider of account {account_id} does not know the audience {audience}",
            f"Add {audience} to client_ids of the provider (kubestrap.aws.iam_oidc_provider)",
        )
    if code == "InvalidIdentityToken" and "verification key" in said:
        return answer(
            f"AWS cannot fetch the keys of {claims.issuer}",
            f"Make {claims.issuer}/.well-known/openid-configuration and its keys public, then try again",
        )
    if code == "InvalidIdentityToken":
        return answer(
            f"AWS does not accept the token of {claims.issuer}",
            "Check that the cluster's issuer is the one of its OpenID Connect provider; a cluster that was made anew "
            "under the same name has another issuer",
        )
    if code == "IDPCommunicationError":
        return answer(f"AWS cannot reach {claims.issuer} at the moment", "Try again")
    if code == "ExpiredTokenException":
        return answer("the token has expired already", "Set the clocks of controller and cluster")
    if code == "RegionDisabledException":
        return answer("STS is not switched on in this region of the account", "Activate STS in the region (IAM)")
    if not is_denied(error):
        return answer(explain(error) or "AWS does not say more", "Check the way from the controller to STS")
    if state == "missing":
        change = "Make the role (kubestrap.aws.iam_workload_role), or correct role_arn"
        return answer("the role does not exist", change, missing=True)
    if opinion.matches is False:
        return answer(opinion.reason, opinion.change)
    if opinion.matches:
        return answer(
            "the role's trust policy, as it is read here, lets the token in: IAM has not spread a change yet, or a "
            "control policy of the organisation forbids it",
            "Try again in a minute; if it stays so, ask for the organisation's control policies",
        )
    return answer(
        f"the role does not exist, or its trust policy does not name {claims.subject}; which one cannot be seen here "
        f"({opinion.reason})",
        f"Check the role's trust policy, or allow these credentials iam:GetRole on {role_arn}",
    )


def payer_role_refused(error: Exception, operator: AwsConnection, role_arn: str, payer_role_arn: str) -> Link:
    """Why the workload's role could not go on to the payer's role, and on which side that is to be mended."""
    said = text_of(error)
    detail = f"{role_arn} cannot take {payer_role_arn}: {said}"
    action = "sts:TagSession" if "sts:TagSession" in said else "sts:AssumeRole"
    if not is_denied(error):
        change = "Check that STS in the region of Athena can be reached"
        return failed("payer_role", detail, explain(error) or "AWS does not say more", change)
    ours = (
        f"the policies of {role_arn} do not allow {action} on {payer_role_arn}",
        f"Allow sts:AssumeRole and sts:TagSession on {payer_role_arn} to {role_arn} (lookup "
        "kubestrap.aws.iam_document, assume_role)",
    )
    theirs = (
        f"the trust policy of {payer_role_arn} does not name {role_arn}, or that role does not exist",
        f"Let the trust policy of {payer_role_arn} name {role_arn} with sts:AssumeRole and sts:TagSession (lookup "
        "kubestrap.aws.iam_document, workload_role_trust): a task for the payer's side",
    )
    allowed = may(operator, role_arn, action, payer_role_arn)
    if allowed is False or "no identity-based policy allows" in said:
        return failed("payer_role", detail, *ours)
    if allowed:
        return failed("payer_role", detail, f"{role_arn} itself may do so, but {theirs[0]}", theirs[1])
    return failed(
        "payer_role",
        detail,
        f"{ours[0]}, or {theirs[0]}; which one cannot be seen with these credentials (iam:SimulatePrincipalPolicy)",
        f"{ours[1]}. {theirs[1]}",
    )


def may(
    operator: AwsConnection, arn: str, action: str, resource: str, context: t.Mapping[str, str] | None = None
) -> bool | None:
    """Whether a role's (or user's) own policies allow an action, ``None`` when the operator may not ask (one call).

    The simulator knows identity policies, boundary and the organisation's policies, but not the other side's trust.

    :param context: condition keys of the call that the simulator cannot know
    """
    found = allowed(operator, arn, [action], resource, context)
    return None if found is None else all(found.values())


def allowed(
    operator: AwsConnection,
    arn: str,
    actions: t.Sequence[str],
    resource: str,
    context: t.Mapping[str, str] | None = None,
) -> dict[str, bool] | None:
    """Action -> whether a role's (or user's) own policies allow it, see ``may`` (one call for all)."""
    entries = [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for key, value in (context or {}).items()
    ]
    extra = {"ContextEntries": entries} if entries else {}
    try:
        results = operator.client("iam").simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=list(actions), ResourceArns=[resource], **extra
        )["EvaluationResults"]
    except (ClientError, BotoCoreError):
        return None
    found = {result.get("EvalActionName", actions[0]): result["EvalDecision"] == "allowed" for result in results}
    return found or None


def call_refused(link: str, detail: str, error: BaseException | str, role_arn: str) -> Link:
    """Why a call that the workload will make was refused.

    :param error: the exception, or the reason that Athena gives for a failed query
    :param role_arn: the role that made the call
    """
    said = error if isinstance(error, str) else text_of(error)
    detail = f"{detail}: {said}"
    if "Lake Formation permission" in said:
        return failed(
            link,
            detail,
            f"Lake Formation governs the table and has not granted it to {role_arn}",
            "Grant SELECT and DESCRIBE on database and table to the role in Lake Formation",
        )
    found = denied_call(said)
    if found and found.by_node:
        return by_a_node(link, detail, found.user)
    if found:
        return failed(
            link,
            detail,
            f"no policy of {role_arn} allows {found.action}{' on ' + found.on if found.on else ''}",
            f"Add {found.action} to the policy of the role (lookup kubestrap.aws.iam_document, billing_data_reader)"
            + (
                ", and check the bucket's and the key's own policies"
                if found.action.startswith(("s3:", "kms:"))
                else ""
            ),
        )
    if "output bucket" in said or "outputLocation" in said:
        return failed(
            link,
            detail,
            f"the bucket of the results does not exist, is in another region than Athena, or {role_arn} lacks "
            "s3:GetBucketLocation and s3:ListBucket on it",
            "Correct athena.output_location, or the policy of the role (lookup kubestrap.aws.iam_document, "
            "billing_data_reader, statement ListResultsBucket)",
        )
    if not isinstance(error, str) and not is_denied(error):
        return failed(link, detail, explain(error) or "AWS does not say more", "See AWS' own text")
    return failed(
        link,
        detail,
        f"{role_arn} lacks a right, or the policy of the bucket or of the key refuses it",
        "Compare the role's policy with lookup kubestrap.aws.iam_document, billing_data_reader",
    )
