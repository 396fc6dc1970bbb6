# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes an IAM role as a task wants it, or takes it away. Pure: no call; reading is in ``_iam_role``."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from . import policies
from ._iam_principal import check_inline_size, delete_policy, fits, plan_boundary, put_policies
from ._iam_role import Role
from ._iam_role_settings import Settings
from ._identifiers import refuse
from ._ownership import creation_tags, keep_foreign, kept_tags
from ._plan import Change, Plan
from ._statements import merge
from ._tags import plan_tags

# A principal that was created a moment ago is not known everywhere at once. The code has many other causes.
_PRINCIPAL_NOT_YET = ("MalformedPolicyDocument: Invalid principal",)


def plan_present(
    name: str,
    arn: str,
    current: Role | None,
    settings: Settings,
    wait: bool = True,
    others: t.Mapping[str, dict[str, t.Any]] | None = None,
) -> Plan:
    """What makes the role exist with these settings.

    :param arn: of the role, computed
    :param current: as read with ``settings.policy_names`` and, if managed policies are set, those that are attached
    :param wait: whether a role that is created is waited for
    :param others: the inline policies that ``current`` lacks; needed where one is put, since all share one quota
    :raises AnsibleAWSError: the role is in another path, has no trust, or its trust or its inline policies would be too
        long
    """
    if current is None:
        return _plan_new(name, arn, settings, wait)
    path = settings.path
    if path is not None and current["path"] != path:
        refuse(
            "path",
            path,
            f"is not the path of the role {name}, which exists as {current['arn']}; IAM cannot move a role",
            f"Write {current['path']}, choose another name, or delete the role first",
        )
    changes: list[Change] = []
    after = dict(current)
    trust = _trust(name, current["assume_role_policy_document"], settings)
    if trust is not current["assume_role_policy_document"]:
        after["assume_role_policy_document"] = trust
        changes.append(_update_trust(name, trust))
    changes += _plan_attributes(name, current, settings, after)
    changes += plan_boundary("role", name, settings.permissions_boundary, current, after)
    changes += _plan_policies(name, current, settings, after, others or {})
    changes += _plan_tags(name, current, settings, after)
    return Plan(current, after, changes)


def plan_absent(
    name: str,
    current: Role | None,
    ownership_tags: dict[str, str] | None = None,
    only_inline_policies: t.Sequence[str] | None = None,
    absent_trust_sids: t.Sequence[str] | None = None,
    share_trust: bool = False,
) -> Plan:
    """What takes the role away, with its policies; instance profiles lose it and stay.

    :param current: as ``read_to_delete`` returns it
    :param only_inline_policies: the policies of one concern. Only they go while the role has others, or was not made
        with the ownership tags
    :param absent_trust_sids: of statements that leave the trust of a role that is kept for its other policies, or
        because it is not ours
    :param share_trust: these statements stay while other inline policies do: other concerns may be reached by them too
    """
    if current is None:
        return Plan(None, None)
    kept = keep_foreign(current, current["tags"], ownership_tags, f"the role {name}")
    if only_inline_policies is not None:
        going = [policy for policy in current["inline_policy_names"] if policy in only_inline_policies]
        staying = [policy for policy in current["inline_policy_names"] if policy not in going]
        others = staying + current["managed_policy_arns"]
        if kept or others:
            reason = kept.kept if kept else f"the role {name} has other policies: {', '.join(others)}"
            after = {**current, "inline_policy_names": staying}
            leaving = None if share_trust and staying else absent_trust_sids
            changes = _plan_trust_without(name, current, leaving, after)
            changes += [delete_policy("role", name, policy) for policy in going]
            return Plan(current, after, changes, kept=reason)
    if kept:
        return kept
    target = {"RoleName": name}
    steps = [
        *(
            (
                f"take the role {name} out of the instance profile {profile}",
                "remove_role_from_instance_profile",
                {**target, "InstanceProfileName": profile},
            )
            for profile in current["instance_profiles"]
        ),
        *(
            (f"detach {policy} from the role {name}", "detach_role_policy", {**target, "PolicyArn": policy})
            for policy in current["managed_policy_arns"]
        ),
    ]
    changes = [
        Change(summary, "iam", method, params, done_codes=("NoSuchEntity",)) for summary, method, params in steps
    ]
    changes += [delete_policy("role", name, policy) for policy in current["inline_policy_names"]]
    # What was detached a moment ago may still be seen as attached.
    delete = Change(
        f"delete the role {name}",
        "iam",
        "delete_role",
        target,
        retry_codes=("DeleteConflict",),
        done_codes=("NoSuchEntity",),
    )
    return Plan(current, None, [*changes, delete])


def _plan_trust_without(name: str, current: Role, sids: t.Sequence[str] | None, after: Role) -> list[Change]:
    """Take statements out of the trust of a role that stays; the last one stays too, since IAM wants one."""
    before = current.get("assume_role_policy_document")
    trust = merge(before, None, sids) if sids else before
    if trust is None or trust is before:
        return []
    after["assume_role_policy_document"] = trust
    return [_update_trust(name, trust)]


def _update_trust(name: str, trust: t.Mapping[str, t.Any]) -> Change:
    params = {"RoleName": name, "PolicyDocument": json.dumps(trust)}
    summary = f"update the trust policy of the role {name}"
    return Change(summary, "iam", "update_assume_role_policy", params, retry_codes=_PRINCIPAL_NOT_YET)


def _plan_new(name: str, arn: str, settings: Settings, wait: bool) -> Plan:
    trust = _trust(name, None, settings)
    tags = creation_tags(settings.tags, settings.ownership_tags)
    new: Role = {
        "name": name,
        "arn": arn,
        "path": settings.path or "/",
        "description": settings.description or "",
        "max_session_duration": settings.max_session_duration or 3600,
        "permissions_boundary": settings.permissions_boundary or "",
        "tags": tags,
        "assume_role_policy_document": trust,
        "inline_policies": {},
    }
    if settings.managed_policy_arns is not None:
        new["managed_policy_arns"] = []
    # Path, boundary and tags are in the call itself: policies of an organisation may demand them.
    params: dict[str, t.Any] = {
        "RoleName": name,
        "Path": new["path"],
        "AssumeRolePolicyDocument": json.dumps(trust),
        "MaxSessionDuration": new["max_session_duration"],
    }
    if settings.description:
        params["Description"] = settings.description
    if settings.permissions_boundary:
        params["PermissionsBoundary"] = settings.permissions_boundary
    if tags:
        params["Tags"] = ansible_dict_to_boto3_tag_list(tags)
    create = Change(
        f"create the role {arn}",
        "iam",
        "create_role",
        params,
        retry_codes=_PRINCIPAL_NOT_YET,
        waiter="role_exists" if wait else "",
        waiter_params={"RoleName": name, "WaiterConfig": {"Delay": 1, "MaxAttempts": 60}},
    )
    after = dict(new)
    changes = [
        dataclasses.replace(change, retry_codes=("NoSuchEntity: The role with name",))
        for change in _plan_policies(name, new, settings, after)
    ]
    return Plan(None, after, [create, *changes])


def _trust(name: str, current: dict[str, t.Any] | None, settings: Settings) -> dict[str, t.Any]:
    """The trust policy after the merge; the current one itself when nothing differs."""
    if current is not None and settings.trust_statements is None and not settings.absent_trust_sids:
        return current
    purge = settings.purge_trust_statements and settings.trust_statements is not None
    trust = merge(current, settings.trust_statements, settings.absent_trust_sids, purge)
    if trust is None:
        write = "Write at least one statement that says who may take the role"
        refuse("trust_statements", name, "is a role that nobody would be trusted with", write)
    size = policies.size(trust)
    if trust is not current and size > settings.trust_size_limit:
        refuse(
            "trust_statements",
            name,
            f"would get a trust policy of {size} characters with {len(trust['Statement'])} statements; IAM allows "
            f"{settings.trust_size_limit}",
            "Trust fewer clusters with one role (each takes about 250 characters), remove statements with "
            "absent_trust_sids, use EKS Pod Identity, or have AWS raise the quota and set trust_size_limit",
        )
    return trust


def _plan_attributes(name: str, current: Role, settings: Settings, after: Role) -> list[Change]:
    wanted = {"description": settings.description, "max_session_duration": settings.max_session_duration}
    new = {key: value for key, value in wanted.items() if value is not None and value != current[key]}
    if not new:
        return []
    after |= new
    # Both, always: UpdateRole sets what it is not given back to its default.
    params = {"Description": after["description"], "MaxSessionDuration": after["max_session_duration"]}
    what = " and ".join(key.replace("_", " ") for key in new)
    return [Change(f"update {what} of the role {name}", "iam", "update_role", {"RoleName": name, **params})]


def _plan_policies(
    name: str,
    current: Role,
    settings: Settings,
    after: Role,
    others: t.Mapping[str, dict[str, t.Any]] | None = None,
) -> list[Change]:
    changes, inline = put_policies("role", name, current["inline_policies"], settings.documents)
    absent = [policy for policy in settings.absent_inline_policies or [] if policy in inline]
    deletions = [delete_policy("role", name, policy) for policy in absent]
    # The new ones before the old ones go, so that no right is missing meanwhile; unless there is no room for both.
    changes = changes + deletions if fits("role", inline, dict(others or {})) else deletions + changes
    after["inline_policies"] = {policy: document for policy, document in inline.items() if policy not in absent}
    if len(changes) > len(deletions):
        check_inline_size("role", after["inline_policies"], dict(others or {}))
    if settings.managed_policy_arns is None:
        return changes

    attached, wanted = set(current["managed_policy_arns"]), set(settings.managed_policy_arns)
    for arn in sorted(wanted - attached):
        params = {"RoleName": name, "PolicyArn": arn}
        changes.append(Change(f"attach {arn} to the role {name}", "iam", "attach_role_policy", params))
    strangers = sorted(attached - wanted) if settings.purge_managed_policies else []
    for arn in strangers:
        params = {"RoleName": name, "PolicyArn": arn}
        summary = f"detach {arn} from the role {name}"
        changes.append(Change(summary, "iam", "detach_role_policy", params, done_codes=("NoSuchEntity",)))
    after["managed_policy_arns"] = sorted((attached | wanted) - set(strangers))
    return changes


def _plan_tags(name: str, current: Role, settings: Settings, after: Role) -> list[Change]:
    wanted = kept_tags(settings.tags, settings.ownership_tags, current["tags"])

    def change(summary: str, method: str, **params: t.Any) -> Change:
        return Change(summary, "iam", method, {"RoleName": name, **params})

    changes, after["tags"] = plan_tags(
        current["tags"],
        wanted,
        settings.purge_tags,
        tag=lambda tags: change(f"tag the role {name}", "tag_role", Tags=ansible_dict_to_boto3_tag_list(tags)),
        untag=lambda keys: change(f"remove tags from the role {name}", "untag_role", TagKeys=keys),
    )
    return changes
