# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links from the ServiceAccount's token to the role that reads the data: each is really gone, none is guessed."""

from __future__ import annotations

import dataclasses
import itertools
import re
import time
import typing as t

from ._connection import AwsConnection
from ._errors import error_code
from ._iam_oidc import provider_arn
from ._identifiers import refuse
from ._kube_api import KubeApi, KubeError
from ._probe_links import FAILED, Link, failed, ok, skipped
from ._probe_refusals import identity_refused, payer_role_refused
from ._probe_trust import Claims, Opinion, claims_of, judge

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

TOKEN_SECONDS = 600  # the shortest that the API server gives
SESSION_SECONDS = 900  # the shortest that STS gives
# "Not yet" and "never" look alike: a new role, policy or provider is refused until IAM has spread it.
_MAYBE_NOT_YET = (
    "AccessDenied",
    "AccessDeniedException",
    "InvalidIdentityToken",
    "InvalidClientTokenId",  # of a new access key, as STS says it,
    "InvalidAccessKeyId",  # and as S3 says it
)
_BETWEEN_SECONDS = (1.0, 2.0, 4.0, 8.0)

_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+")


def check_role_arn(option: str, arn: str) -> None:
    """Refuse what is not the ARN of a role.

    :raises AnsibleAWSError: names option, value and what to write
    """
    if not _ROLE_ARN.fullmatch(arn):
        write = "Write the whole ARN, for example arn:aws:iam::222222222222:role/kubecost"
        refuse(option, arn, "is not the ARN of an IAM role", write)


def check_ways(host: str | None, patience_seconds: float) -> None:
    """Refuse an API server that cannot be reached like that, and a time that cannot be waited.

    :raises AnsibleAWSError: names option, value and what to write
    """
    if host is not None and not host.startswith("https://"):
        refuse("host", host, "is not the URL of an API server", "Write the endpoint that eks_cluster_info returns")
    if patience_seconds < 0:
        refuse("wait_timeout", int(patience_seconds), "is less than nothing", "Write seconds, for example 120")


class Patience:
    """Repeats calls that are refused, as long as IAM may not have spread a change yet.

    :param seconds: for all calls together; 0 repeats nothing
    """

    def __init__(
        self,
        seconds: float,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._end = clock() + seconds

    def call(
        self,
        function: t.Callable[[], t.Any],
        hopeless: t.Callable[[], bool] = lambda: False,
        refused: t.Callable[[t.Any], bool] = lambda answer: False,
    ) -> t.Any:
        """What the function returns.

        :param hopeless: whether the refusal has a reason that time does not change
        :param refused: whether an answer, too, is a refusal (Athena fails a query later); the last one is returned
        :raises ClientError: refused for good, or to the end
        """
        waits = itertools.chain(_BETWEEN_SECONDS, itertools.repeat(_BETWEEN_SECONDS[-1]))
        for wait in waits:
            last = self._clock() + wait > self._end
            try:
                answer = function()
                if last or not refused(answer):
                    return answer
            except ClientError as e:
                if last or error_code(e) not in _MAYBE_NOT_YET or hopeless():
                    raise
            self._sleep(wait)
        raise AssertionError("waits without end")


@dataclasses.dataclass(frozen=True)
class Role:
    """A role's trust as the operator's credentials see it.

    :ivar state: ``found``, ``missing``, or ``hidden`` (another account, or no right to read it)
    :ivar why: why it is hidden
    """

    state: str
    trust: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    why: str = ""


def mint_token(kube: KubeApi, namespace: str, service_account: str, audience: str) -> tuple[Link, str | None]:
    """A token of the ServiceAccount itself, as its pods get one (TokenRequest)."""
    name = f"{namespace}:{service_account}"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": TOKEN_SECONDS},
    }
    path = ("api", "v1", "namespaces", namespace, "serviceaccounts", service_account, "token")
    try:
        answer = kube.post(*path, body=body)
    except KubeError as e:
        return failed("token", e.detail, e.cause, e.change), None
    if answer is None:
        return failed(
            "token",
            f"No token can be made for the ServiceAccount {name}",
            "the ServiceAccount does not exist",
            "Install the workload, or correct namespace and service_account",
            missing=True,
            by_install=True,
        ), None
    return ok("token", f"The API server made a token of {name} for {audience}"), answer["status"]["token"]


def read_role(operator: AwsConnection, role_arn: str) -> Role:
    """The role's trust, read with the operator's own credentials (one call, two when the role is not found)."""
    account_id, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    try:
        found = operator.client("iam").get_role(RoleName=name)["Role"]
    except ClientError as e:
        if error_code(e) != "NoSuchEntity":
            return Role("hidden", why=f"these credentials may not read it: {error_code(e)}")
        if operator.caller["account"] != account_id:
            return Role("hidden", why=f"it is in account {account_id}, these credentials are not")
        return Role("missing")
    except BotoCoreError as e:
        return Role("hidden", why=f"IAM cannot be asked: {e}")
    if found["Arn"] != role_arn:
        return Role("hidden", why=f"these credentials see {found['Arn']} instead")
    return Role("found", found["AssumeRolePolicyDocument"])


def opinion_of(role: Role, role_arn: str, claims: Claims) -> Opinion:
    """Whether the role's trust, as far as it can be seen, lets the token in."""
    if role.state != "found":
        return Opinion(None, role.why)
    _arn, partition, _service, _region, account_id = role_arn.split(":")[:5]
    return judge(role.trust, claims, provider_arn(partition, account_id, claims.issuer))


def trust_link(role: Role, role_arn: str, claims: Claims) -> Link:
    """The role's trust agrees with the ServiceAccount."""
    if role.state == "missing":
        change = "Make the role (kubestrap.aws.iam_workload_role), or correct role_arn"
        return failed("trust", f"The role {role_arn} cannot be read", "it does not exist", change, missing=True)
    opinion = opinion_of(role, role_arn, claims)
    if opinion.matches is None:
        return skipped("trust", f"The trust of {role_arn} is left to AWS to judge: {opinion.reason}")
    if not opinion.matches:
        detail = f"The role {role_arn} does not trust {claims.service_account}"
        return failed("trust", detail, opinion.reason, opinion.change)
    return ok("trust", f"The role {role_arn} trusts {claims.service_account}")


def take_role(
    operator: AwsConnection, token: str, role_arn: str, role: Role, patience: Patience
) -> tuple[Link, AwsConnection | None, str]:
    """Take the role with the token, as the SDK in a pod does. The call is not signed.

    :returns: link, the connection as the role, ARN of the session
    """
    claims = claims_of(token)
    opinion = opinion_of(role, role_arn, claims)

    def take() -> t.Any:
        return operator.client("sts").assume_role_with_web_identity(
            RoleArn=role_arn,
            RoleSessionName=session_name(claims.service_account),
            WebIdentityToken=token,
            DurationSeconds=SESSION_SECONDS,
        )

    try:
        answer = patience.call(take, hopeless=lambda: role.state == "missing" or opinion.matches is False)
    except (ClientError, BotoCoreError) as e:
        return identity_refused(e, role_arn, role.state, opinion, claims), None, ""
    who = answer["AssumedRoleUser"]["Arn"]
    link = ok("role", f"{claims.service_account} takes the role: it is {who}")
    return link, operator.with_credentials(answer["Credentials"]), who


def take_own_role(
    operator: AwsConnection, token_link: Link, token: str | None, role: Role, role_arn: str, patience: Patience
) -> tuple[list[Link], AwsConnection | None, str | None]:
    """The links ``token``, ``trust`` and ``role`` of one ServiceAccount, as far as they are reached.

    :param token_link, token: what ``mint_token`` returned
    :returns: links, the connection as the role, ARN of the session
    """
    if token is None:
        return [token_link], None, None
    claims = claims_of(token)
    trust = trust_link(role, role_arn, claims)
    link, workload, who = take_role(operator, token, role_arn, role, patience)
    if workload is not None and trust.state == FAILED:
        # STS has the last word.
        name = claims.service_account
        trust = skipped("trust", f"AWS lets {name} in, although the trust does not read like it: {trust.cause}")
    return [token_link, trust, link], workload, who or None


def take_payer_role(
    workload: AwsConnection,
    operator: AwsConnection,
    role_arn: str,
    payer_role_arn: str,
    region: str | None,
    patience: Patience,
) -> tuple[Link, AwsConnection | None, str]:
    """Go on to the payer's role, as Kubecost and OpenCost do: through STS in the region of Athena, without further
    options.

    :returns: link, the connection as the payer role, ARN of the session
    """
    name = session_name(role_arn.rsplit("/", 1)[-1])
    try:
        answer = patience.call(
            lambda: workload.client("sts", region).assume_role(
                RoleArn=payer_role_arn, RoleSessionName=name, DurationSeconds=SESSION_SECONDS
            )
        )
    except (ClientError, BotoCoreError) as e:
        return payer_role_refused(e, operator, role_arn, payer_role_arn), None, ""
    who = answer["AssumedRoleUser"]["Arn"]
    return ok("payer_role", f"It goes on to {who}"), workload.with_credentials(answer["Credentials"]), who


def session_name(text: str) -> str:
    """A name under which CloudTrail shows the session: what it is for, in the characters that STS takes."""
    return f"kubestrap-{re.sub(r'[^0-9A-Za-z_+=,.@-]', '-', text)}"[:64]
