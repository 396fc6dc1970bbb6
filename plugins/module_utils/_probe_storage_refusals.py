# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What S3's refusals mean: the cause, and what to change.

S3 names the action and whose policy refused it, but only to callers of the same account or organisation, and never
where the bucket has another owner than expected; then the operator's credentials are used to look.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import typing as t

from ._connection import AwsConnection
from ._errors import error_code, explain
from ._probe_links import Link, failed
from ._probe_refusals import by_a_node, denied_call, is_denied, may, text_of

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

DOCUMENT = "lookup kubestrap.aws.iam_document, object_storage_workload"
_OTHER_REGION = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301")
# How AWS' text goes on -> who refused, and what that means: {action}, {on}, {who} are filled in. The first that fits.
_REASONS = (
    (
        "service control policy",
        "a control policy of the organisation forbids {action} to {who}",
        "Ask whoever keeps the organisation's service control policies",
    ),
    (
        "resource control policy",
        "a control policy of the organisation forbids {action} on {on}",
        "Ask whoever keeps the organisation's resource control policies",
    ),
    (
        "VPC endpoint policy",
        "the policy of the VPC endpoint does not let {action} through",
        "Allow {action} on {on} in the policy of the VPC endpoint",
    ),
    (
        "permissions boundary",
        "the permissions boundary of {who} does not allow {action}",
        "Allow {action} on {on} in the policy that is the permissions boundary",
    ),
    (
        "explicit deny in an identity-based policy",
        "a policy of {who} denies {action} on {on}",
        "Take the statement that denies it out of the policies of {who}",
    ),
    (
        "no identity-based policy allows",
        "no policy of {who} allows {action} on {on}",
        "Add {action} on {on} to the policy of {who} (" + DOCUMENT + ")",
    ),
)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """One call that was refused.

    :ivar link: name of its link
    :ivar detail: what could not be done
    :ivar error: botocore's exception
    :ivar action, on: the right that the call needs first, and the ARN of what it is needed on
    :ivar who: ARN of the role or user that made the call
    :ivar context: condition keys of the call that matter in its policies
    """

    link: str
    detail: str
    error: Exception
    action: str
    on: str
    who: str
    context: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


class Witness(t.Protocol):
    """What can be looked at when S3 does not say why."""

    bucket: str
    region: str

    def owner_differs(self) -> bool:
        """Whether the bucket has another owner than the one that is expected."""

    def bucket_policy(self) -> t.Mapping[str, t.Any] | None:
        """The bucket's policy as the operator sees it, ``None`` when it cannot be seen."""


def storage_refused(refusal: Refusal, operator: AwsConnection, witness: Witness, owner: str | None) -> Link:
    """Why a call of the object store's client was refused.

    :param owner: the account that is expected to own the bucket
    """
    code, said = error_code(refusal.error), text_of(refusal.error)
    detail = f"{refusal.detail}: {said}"

    def answer(cause: str, change: str, missing: bool = False, by_run: bool = False) -> Link:
        return failed(refusal.link, detail, cause, change, missing, by_run)

    if code in ("NoSuchBucket", "404"):
        cause = f"the bucket {witness.bucket} does not exist"
        return answer(cause, "Make it (kubestrap.aws.s3_storage_bucket), or correct bucket", missing=True)
    if code in _OTHER_REGION:
        return _other_region(refusal, witness.region, detail)
    if code == "InvalidAccessKeyId":
        return answer(
            "AWS does not know the access key (any more), or it is inactive", "Make a new key, or activate this one"
        )
    if code == "SignatureDoesNotMatch":
        return answer("the secret key does not belong to the access key", "Correct the pair where it is kept")
    if code == "AccessControlListNotSupported":
        return answer(
            "ACLs are off in the bucket (BucketOwnerEnforced), where only bucket-owner-full-control is taken",
            "Take X-Amz-Acl out of the object store's configuration",
        )
    if (code or "").startswith("KMS."):
        return answer(*_key_state(code or "", said))
    if not is_denied(refusal.error):
        return answer(explain(refusal.error) or "AWS does not say more", "See AWS' own text")
    return _denied(refusal, detail, said, operator, witness, owner)


def region_of(error: Exception) -> str | None:
    """The region in which the bucket really is, as S3 says it when it is asked in another one."""
    response = getattr(error, "response", None) or {}
    headers = (response.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    return (response.get("Error") or {}).get("Region") or headers.get("x-amz-bucket-region")


def is_about_region(error: Exception) -> bool:
    """Whether S3 refused because the bucket is in another region."""
    return error_code(error) in _OTHER_REGION


def denying_statements(policy: t.Mapping[str, t.Any], action: str, on: str) -> list[str]:
    """The Sids (or numbers) of the statements that deny an action on a resource, their conditions aside."""
    statements = policy.get("Statement") or []
    found = []
    for number, statement in enumerate([statements] if isinstance(statements, dict) else statements, start=1):
        actions = [str(pattern).lower() for pattern in _listed(statement.get("Action"))]
        resources = [str(pattern) for pattern in _listed(statement.get("Resource"))]
        fits = "NotAction" in statement or any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in actions)
        there = "NotResource" in statement or any(fnmatch.fnmatchcase(on, pattern) for pattern in resources)
        if statement.get("Effect") == "Deny" and fits and there:
            found.append(str(statement.get("Sid") or f"number {number}"))
    return found


def policy_of(text: str) -> dict[str, t.Any] | None:
    """A policy document from its text."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _other_region(refusal: Refusal, region: str, detail: str) -> Link:
    actual = region_of(refusal.error)
    where = f"the bucket is in {actual}, not in {region}" if actual else f"the bucket is not in {region}"
    write = f"Write region {actual} and the endpoint of that region" if actual else "Correct region and endpoint"
    return failed("region", detail, where, f"{write} into the object store's configuration")


def _key_state(code: str, said: str) -> tuple[str, str]:
    if code == "KMS.DisabledException":
        return "the bucket's KMS key is disabled", "Enable the key (aws kms enable-key), or give the bucket another one"
    if code == "KMS.NotFoundException":
        return (
            "the KMS key with which the bucket encrypts does not exist in the bucket's region",
            "Give the bucket a key of its own region",
        )
    if "pending deletion" in said.lower() or "pendingdeletion" in said.lower():
        return (
            "the bucket's KMS key is about to be deleted; with it all objects that it encrypts are lost",
            "Cancel it (aws kms cancel-key-deletion), then enable the key",
        )
    return "the bucket's KMS key cannot be used as it is", "Look at the state of the key (aws kms describe-key)"


def _denied(
    refusal: Refusal, detail: str, said: str, operator: AwsConnection, witness: Witness, owner: str | None
) -> Link:
    call = denied_call(said)
    if call and call.by_node:
        return by_a_node(refusal.link, detail, call.user)
    action, on = (call.action, call.on or refusal.on) if call else (refusal.action, refusal.on)
    texts = {"action": action, "on": on, "who": refusal.who}

    def answer(cause: str, change: str) -> Link:
        return failed(refusal.link, detail, cause.format(**texts), change.format(**texts), by_run=True)

    if "resource-based policy" in said:
        return answer(*_by_resource(action, on, said, witness))
    for text, cause, change in _REASONS:
        if text in said:
            return answer(cause, change)
    if owner and witness.owner_differs():
        return failed(
            refusal.link,
            detail,
            f"the bucket {witness.bucket} belongs to another account than {owner}",
            "Correct the bucket's name, or expected_bucket_owner: names are unique over all accounts, so that somebody "
            "else may have taken this one",
        )
    via = {"kms:ViaService": f"s3.{witness.region}.amazonaws.com"}
    own = may(operator, refusal.who, action, on, via if action.startswith("kms:") else refusal.context)
    lacks = _REASONS[-1][1:]
    if own is False:
        return answer(*lacks)
    if own:
        return answer(*_by_resource(action, on, said, witness))
    return answer(
        lacks[0] + ", or the policy of the " + ("key" if action.startswith("kms:") else "bucket") + " refuses it; "
        "which one cannot be seen with these credentials (iam:SimulatePrincipalPolicy)",
        lacks[1] + ", and look at the policy of the " + ("key" if action.startswith("kms:") else "bucket"),
    )


def _by_resource(action: str, on: str, said: str, witness: Witness) -> tuple[str, str]:
    """Bucket or key refuse, not the policies of who calls."""
    if action.startswith("kms:"):
        if "explicit deny" in said:
            return "the key policy of {on} denies {action} to {who}", "Take the statement that denies it out of it"
        return (
            "the key policy of {on} does not let {who} use the key",
            "Add a statement for {who} to the key policy (lookup kubestrap.aws.iam_document, object_storage_key)",
        )
    policy = witness.bucket_policy() or {}
    sids = denying_statements(policy, action, on)
    if sids:
        return (
            f"the bucket policy denies {{action}}: statement {' or '.join(sids)}",
            f"Let that statement except {{who}}, or take it out of the policy of {witness.bucket}",
        )
    if "explicit deny" in said:
        return "the bucket policy denies {action} to {who}", f"Look at the policy of the bucket {witness.bucket}"
    return (
        "{who} itself may do {action}, but the bucket " + witness.bucket + " is of another account and its policy does "
        "not let {who} in, or a policy that cannot be seen here refuses it",
        "Add a statement for {who} to the bucket policy (lookup kubestrap.aws.iam_document, object_storage_sharing)",
    )


def _listed(value: t.Any) -> list[t.Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def look(call: t.Callable[[], t.Any]) -> t.Any:
    """What a call that only explains returns, ``None`` when it is refused."""
    try:
        return call()
    except (ClientError, BotoCoreError):
        return None
