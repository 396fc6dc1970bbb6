# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The link of an access key: it is what AWS has, and whose it is. Secrets are in no text and in no representation."""

from __future__ import annotations

import base64
import typing as t

from ._connection import AwsConnection
from ._errors import error_code, explain
from ._key_pair import KeyPair, NotAPair, keys_in
from ._kube_api import KubeApi, KubeError
from ._probe_identity import Patience
from ._probe_links import Link, failed, ok
from ._probe_refusals import text_of

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.


def read_pair(
    kube: KubeApi, namespace: str, name: str, key: str, pair_keys: tuple[str, str] | None = None
) -> tuple[Link | None, KeyPair | None]:
    """The key pair in a Secret; a link only where there is none.

    :param key: in which the object store's YAML is
    :param pair_keys: the keys of id and secret, where the Secret has them by themselves
    """
    change = "Run the playbook that writes the Secret, or correct key_secret"
    try:
        secret = kube.get("api", "v1", "namespaces", namespace, "secrets", name)
    except KubeError as e:
        return failed("access_key", e.detail, e.cause, e.change), None
    if secret is None:
        detail = f"The Secret {namespace}/{name} cannot be read"
        return failed("access_key", detail, "it does not exist", change, missing=True, by_run=True), None
    data = secret.get("data") or {}
    for wanted in pair_keys or (key,):
        if wanted not in data:
            keys = ", ".join(sorted(data)) or "none"
            detail = f"The Secret {namespace}/{name} has no key {wanted}"
            return failed("access_key", detail, f"its keys are: {keys}", change, by_run=True), None
    try:
        if pair_keys:
            return None, KeyPair(*(base64.b64decode(data[each]).decode().strip() for each in pair_keys))
        return None, keys_in(base64.b64decode(data[key]).decode())
    except NotAPair as e:
        detail = f"No key pair can be read from {key} of the Secret {namespace}/{name}"
        return failed("access_key", detail, str(e), change, by_run=True), None
    except ValueError:
        detail = f"No key pair can be read from {' and '.join(pair_keys or (key,))} of the Secret {namespace}/{name}"
        return failed("access_key", detail, "it is not text", change, by_run=True), None


def use_pair(operator: AwsConnection, pair: KeyPair, patience: Patience) -> tuple[Link, AwsConnection | None, str]:
    """Ask AWS whose key it is, with the key itself (one call, which needs no right).

    :returns: link, the connection with the key, ARN of its user
    """
    connection = operator.with_credentials(
        {
            "AccessKeyId": pair.access_key,
            "SecretAccessKey": pair.secret_key,
            "SessionToken": pair.session_token,
        }
    )
    try:
        who = patience.call(lambda: connection.client("sts").get_caller_identity())["Arn"]
    except (ClientError, BotoCoreError) as e:
        return _refused(e, operator, pair), None, ""
    lasts = " It is temporary: the workload loses its access when it expires." if pair.temporary else ""
    return ok("access_key", f"The access key {pair.access_key} is {who}'s.{lasts}"), connection, who


def _refused(error: Exception, operator: AwsConnection, pair: KeyPair) -> Link:
    detail = f"AWS does not take the access key {pair.access_key}: {text_of(error)}"
    code = error_code(error)

    def answer(cause: str, change: str) -> Link:
        return failed("access_key", detail, cause, change, by_run=True)

    if code == "SignatureDoesNotMatch":
        return answer("the secret key does not belong to the access key", "Correct the pair where it is kept")
    if code in ("ExpiredToken", "ExpiredTokenException"):
        return answer("it is temporary and has expired", "Use the key of an IAM user, or a role")
    if code not in ("InvalidClientTokenId", "InvalidAccessKeyId"):
        return answer(explain(error) or "AWS does not say more", "Check the way from the controller to STS")
    if pair.temporary and not pair.session_token:
        return answer(
            "it is temporary (ASIA) and has no session token beside it", "Use the key of an IAM user, or a role"
        )
    status, user = _status(operator, pair.access_key)
    if status == "Inactive":
        return answer(
            f"the key of the user {user} is inactive",
            f"Activate it (aws iam update-access-key --user-name {user} --access-key-id {pair.access_key} --status "
            "Active), or give the workload another one",
        )
    if status == "Active":
        return answer("it is active, so that it is a new key that AWS has not spread yet", "Try again in a minute")
    return answer(
        "the key was deleted, or is of another partition, or is inactive in an account that cannot be seen with these "
        "credentials (iam:GetAccessKeyLastUsed, iam:ListAccessKeys)",
        "Give the workload another key",
    )


def _status(operator: AwsConnection, access_key: str) -> tuple[str | None, str]:
    """Whether the key is active, and its user, as far as the operator can see (two calls)."""
    iam = operator.client("iam")
    try:
        user = iam.get_access_key_last_used(AccessKeyId=access_key)["UserName"]
        keys: list[dict[str, t.Any]] = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    except (ClientError, BotoCoreError, KeyError):
        return None, ""
    return next((key["Status"] for key in keys if key["AccessKeyId"] == access_key), None), user
