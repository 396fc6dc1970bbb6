# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the operator may do what a first run does, asked from IAM before the first write.

SimulatePrincipalPolicy knows the operator's policies, its permissions boundary and the organisation's policies, but not
those that a session was given, nor condition keys that only a real call has. What it cannot decide is a note, never a
refusal. Source: API reference of IAM.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ._connection import AwsConnection
from ._errors import error_code
from ._plan import gather
from .operator_cost_tag_policies import OPERATOR_COST_TAG_POLICIES
from .operator_policies import OCCASIONAL, OPERATOR_POLICIES
from .operator_stackgres import OPERATOR_STACKGRES
from .operator_storage_policies import OPERATOR_STORAGE_POLICIES, STORAGE_OCCASIONAL

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

Pair = tuple[str, str]  # an action and the resource it is needed on

# The documents of which IAM can be asked, with what no run with the defaults needs of them. A workload's role is that
# of Kubecost with another name, so that it has the exceptions of both.
DOCUMENTS = {**OPERATOR_POLICIES, **OPERATOR_STORAGE_POLICIES, **OPERATOR_STACKGRES, **OPERATOR_COST_TAG_POLICIES}
_SELDOM = {
    "object_storage_workload_operator": OCCASIONAL | STORAGE_OCCASIONAL,
    "stackgres_backup_operator": OCCASIONAL | STORAGE_OCCASIONAL,
    "workload_storage_operator": STORAGE_OCCASIONAL,
}

# A first run finds nothing that it would have to take away, and no key that is to be replaced.
_LATER = frozenset(
    {
        "iam:DeleteAccessKey",
        "iam:DeleteUserPolicy",
        "iam:GetAccessKeyLastUsed",
        "iam:UntagUser",
        "iam:UpdateAccessKey",
    }
)

# What is needed only to make a thing, and not where it exists already; action -> kind of thing.
_MAKING = {
    "athena:CreateWorkGroup": "workgroup",
    "athena:TagResource": "workgroup",
    "cur:PutReportDefinition": "report",
    "glue:CreateDatabase": "database",
    "iam:CreateOpenIDConnectProvider": "provider",
    "iam:CreateRole": "role",
    "iam:CreateUser": "user",
    "iam:TagOpenIDConnectProvider": "provider",
    "iam:TagRole": "role",
    "iam:TagUser": "user",
    "s3:CreateBucket": "bucket",
    "s3:TagResource": "bucket",
}
SWITCH = "kubestrap_check_rights"

# Of keys the keys' own policies decide too, once there are any; that Lake Formation or quotas cannot be asked is a note
# of its own.
_NOT_ASKED = ("kms:", "lakeformation:", "iam:GetAccountSummary")
_WITHOUT_A_KEY = ("kms:CreateKey", "kms:ListKeys")
_SESSION = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")
_PAGE = 1000  # results; the most that a page has


def needed(
    statements: t.Iterable[t.Mapping[str, t.Any]], document: str, known_arns: t.Sequence[str] = ()
) -> list[Pair]:
    """What a first run needs of a policy, each action on one resource, in the order of the policy.

    :param statements: of a document of ``DOCUMENTS``
    :param document: its name
    :param known_arns: what ``*`` in a resource stands for, where it is known
    """
    seldom = _SELDOM.get(document, OCCASIONAL) | _LATER
    pairs: dict[Pair, None] = {}
    for statement in statements:
        resources = statement["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            for action in statement["Action"]:
                asked = not action.startswith(_NOT_ASKED) or action in _WITHOUT_A_KEY
                if asked and action not in seldom:
                    pairs[(action, _sample(resource, known_arns))] = None
    return list(pairs)


def context_of(statements: t.Iterable[t.Mapping[str, t.Any]], tags: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """The condition keys that are known before the calls: tags, TLS, and what the policy itself demands."""
    values: dict[str, list[str]] = {f"aws:RequestTag/{key}": [str(value)] for key, value in tags.items()}
    if tags:
        values["aws:TagKeys"] = list(tags)
    values["aws:SecureTransport"] = ["true"]
    for statement in statements:
        for key, value in statement.get("Condition", {}).get("StringEquals", {}).items():
            if isinstance(value, str):
                values[key] = [value]
    kinds = {"aws:TagKeys": "stringList", "aws:SecureTransport": "boolean"}
    return [
        {"ContextKeyName": key, "ContextKeyValues": given, "ContextKeyType": kinds.get(key, "string")}
        for key, given in values.items()
    ]


def check_rights(
    connection: AwsConnection,
    caller_arn: str,
    statements: t.Sequence[t.Mapping[str, t.Any]],
    document: str,
    tags: t.Mapping[str, str],
    known_arns: t.Sequence[str] = (),
    buckets: t.Mapping[str, bool] | None = None,
) -> tuple[list[str], list[str]]:
    """The rights that are missing, and what could not be seen.

    One call; two more for a role with a path, and one for each thing that may not be made: it may be there already.

    :param statements: of the policy that is enough, see ``DOCUMENTS``
    :param document: its name in the lookup ``iam_document``
    :param tags: of the create calls
    :param buckets: name -> whether it exists
    :returns: problems (one sentence at most) and notes
    """
    principal = _principal(caller_arn)
    if principal is None:  # root of an account, or a session without a role: nothing that IAM can simulate
        return [], [_unseen(caller_arn, "IAM can look up the rights of roles and users only", document)]
    pairs = needed(statements, document, known_arns)
    try:
        results = _simulate(connection, principal, pairs, context_of(statements, tags))
    except (ClientError, BotoCoreError) as e:
        denied = error_code(e) in ("AccessDenied", "AccessDeniedException")
        why = "these credentials may not ask for iam:SimulatePrincipalPolicy" if denied else str(e)
        return [], [_unseen(principal, why, document)]
    missing, unclear = _judge(pairs, results)
    there = _there(connection, missing, buckets or {})
    missing = {pair: why for pair, why in missing.items() if (_MAKING.get(pair[0]), pair[1]) not in there}
    problems, notes = [], []
    if missing:
        listed = "; ".join(f"{text} ({why})" for why, text in _grouped(missing))
        problems.append(
            f"kubestrap_aws_profile: '{principal}' lacks rights that this run needs: {listed}. Give it the policy that "
            f"lookup('kubestrap.aws.iam_document', '{document}', ...) returns, or set {SWITCH} to false when you know "
            "better than IAM's simulation"
        )
    if unclear:
        keys = ", ".join(sorted({key for keys in unclear.values() for key in keys}))
        listed = ", ".join(sorted({action for action, _resource in unclear}))
        notes.append(f"Whether {principal} may call {listed} could not be seen before the calls: it depends on {keys}.")
    return problems, notes


def _unseen(principal: str, why: str, document: str) -> str:
    return (
        f"The rights of {principal} were not checked before the first write: {why}. What it needs is in "
        f"lookup('kubestrap.aws.iam_document', '{document}', ...)."
    )


def _principal(caller_arn: str) -> str | None:
    """The role or user behind a caller; of a session the role as if it had no path, which a session does not tell."""
    found = _SESSION.fullmatch(caller_arn)
    if found:
        return f"arn:{found['partition']}:iam::{found['account']}:role/{found['role']}"
    return caller_arn if ":user/" in caller_arn and ":iam:" in caller_arn else None


def _sample(resource: str, known_arns: t.Sequence[str]) -> str:
    """A resource that a pattern means."""
    if "*" not in resource or resource == "*":
        return resource
    return next((arn for arn in known_arns if fnmatch.fnmatchcase(arn, resource)), resource.replace("*", "kubestrap"))


def _simulate(
    connection: AwsConnection, principal: str, pairs: t.Sequence[Pair], context: list[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """IAM's results for all actions on all resources: more than the pairs, in one call."""
    iam = connection.client("iam")

    def ask(arn: str) -> list[dict[str, t.Any]]:
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=arn,
            ActionNames=list(dict.fromkeys(action for action, _resource in pairs)),
            ResourceArns=list(dict.fromkeys(resource for _action, resource in pairs)),
            ContextEntries=context,
            PaginationConfig={"PageSize": _PAGE},
        )
        return [result for page in pages for result in page["EvaluationResults"]]

    try:
        return ask(principal)
    except ClientError as e:
        if error_code(e) != "NoSuchEntity" or ":role/" not in principal:
            raise
    # A role with a path, as those of IAM Identity Center.
    return ask(iam.get_role(RoleName=principal.rsplit("/", 1)[-1])["Role"]["Arn"])


def _there(connection: AwsConnection, missing: t.Iterable[Pair], buckets: t.Mapping[str, bool]) -> set[tuple[str, str]]:
    """Kind and ARN of what need not be made, of the things that may not be made."""
    wanted = {(_MAKING[action], resource) for action, resource in missing if action in _MAKING}
    reads = {thing: lambda thing=thing: _exists(connection, *thing, buckets) for thing in wanted}
    return {thing for thing, exists in gather(reads).items() if exists}


def _exists(connection: AwsConnection, kind: str, arn: str, buckets: t.Mapping[str, bool]) -> bool:
    name = re.split("[/:]", arn)[-1]
    try:
        if kind == "bucket":
            return buckets.get(name, False)
        if kind == "provider":
            return bool(connection.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn))
        if kind == "role":
            return bool(connection.client("iam").get_role(RoleName=name))
        if kind == "user":
            return bool(connection.client("iam").get_user(UserName=name))
        if kind == "workgroup":
            return bool(connection.client("athena").get_work_group(WorkGroup=name))
        if kind == "database":
            # Of the catalog itself, which the action is needed on as well, nothing can be said.
            return name != "catalog" and bool(connection.client("glue").get_database(Name=name))
        pages = connection.client("cur", arn.split(":")[3]).get_paginator("describe_report_definitions").paginate()
        return any(found["ReportName"] == name for page in pages for found in page.get("ReportDefinitions", []))
    except (ClientError, BotoCoreError):
        return False  # it is not there, or these credentials may not look: which is among the missing rights too


def _judge(
    pairs: t.Sequence[Pair], results: t.Iterable[t.Mapping[str, t.Any]]
) -> tuple[dict[Pair, str], dict[Pair, list[str]]]:
    """The pairs that are denied, with the reason; and those that depend on a condition key that was not given."""
    found: dict[Pair, t.Mapping[str, t.Any]] = {}
    for result in results:
        action = result["EvalActionName"]
        found[(action, result.get("EvalResourceName", "*"))] = result
        for single in result.get("ResourceSpecificResults", []):
            found[(action, single["EvalResourceName"])] = {
                **{key: value for key, value in result.items() if key.endswith("Detail")},
                **single,
                "EvalDecision": single["EvalResourceDecision"],
            }
    missing: dict[Pair, str] = {}
    unclear: dict[Pair, list[str]] = {}
    for pair in pairs:
        result = found.get(pair)
        if result is None or result["EvalDecision"] == "allowed":
            continue
        if result.get("MissingContextValues"):
            unclear[pair] = result["MissingContextValues"]
        else:
            missing[pair] = _reason(result)
    return missing, unclear


def _reason(result: t.Mapping[str, t.Any]) -> str:
    if result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
        return "a policy of the organisation does not allow it"
    if result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False:
        return "its permissions boundary does not allow it"
    if result["EvalDecision"] == "explicitDeny":
        return "a policy denies it"
    return "no policy allows it"


def _grouped(missing: t.Mapping[Pair, str]) -> list[tuple[str, str]]:
    """Reason and text of each group of actions that lack for the same reason on the same resources."""
    resources: dict[tuple[str, str], list[str]] = {}
    for (action, resource), why in missing.items():
        resources.setdefault((action, why), []).append(resource)
    actions: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (action, why), arns in resources.items():
        actions.setdefault((why, tuple(arns)), []).append(action)
    return [(why, f"{', '.join(names)} on {' and '.join(arns)}") for (why, arns), names in actions.items()]
