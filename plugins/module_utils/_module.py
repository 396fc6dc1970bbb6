# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the collection's modules: one connection, and one way from read and plan to the result."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ._connection import AwsConnection
from ._errors import explain
from ._iam_principal import Kind, principal_arn
from ._identifiers import check_account_id
from ._plan import Plan, apply, confirm

# What CloudTrail shows beside boto3's own user agent.
USER_AGENT = "kubestrap.aws"


class KubestrapAWSModule(AnsibleAWSModule):
    """amazon.aws' module class with one shared session and check mode everywhere.

    Options are those of ``AnsibleAWSModule``; every module of the collection supports check mode.
    """

    def __init__(self, **kwargs: t.Any) -> None:
        super().__init__(supports_check_mode=True, **kwargs)
        if self.params.get("account_id") is not None:
            self.guard(lambda: check_account_id("account_id", self.params["account_id"]))
        for option in ("tags", "ownership_tags"):  # AWS knows texts only; YAML makes a number of 4711
            if self.params.get(option):
                self.params[option] = {str(key): str(value) for key, value in self.params[option].items()}

    @functools.cached_property
    def connection(self) -> AwsConnection:
        """The task's connection, from its own options (``profile``, ``region``, ``endpoint_url``, ...)."""
        region, endpoint_url, params = get_aws_connection_info(self)
        return AwsConnection(region, endpoint_url, params, user_agent=USER_AGENT)

    @property
    def account_id(self) -> str:
        """The account of the task: its option ``account_id``, else asked from STS (one call)."""
        return self.params.get("account_id") or self.connection.caller["account"]

    def principal_arn(self, kind: Kind, current: t.Mapping[str, t.Any] | None, path: str | None, name: str) -> str:
        """The ARN of the role or user: its own, or, while there is none (``current``), the one that it will have."""
        if current:
            return str(current["arn"])
        return principal_arn(kind, self.connection.partition, self.account_id, path or "/", name)

    def fail_json_aws_error(self, exception: AnsibleAWSError) -> t.NoReturn:
        """Fail with the cause in plain words, and with AWS' own code and text."""
        hint = explain(exception.exception)
        if hint:
            exception = AnsibleAWSError(
                message=f"{exception.message}. {hint}" if exception.message else hint, exception=exception.exception
            )
        super().fail_json_aws_error(exception)

    # Every module that has an ARN to predict takes this option (doc fragment kubestrap.aws.account).
    ACCOUNT_ARGUMENT_SPEC = dict(account_id=dict(type="str"))
    # Every module that creates something takes this one (doc fragment kubestrap.aws.ownership).
    OWNERSHIP_ARGUMENT_SPEC = dict(ownership_tags=dict(type="dict"))

    def guard(self, function: t.Callable[[], t.Any]) -> t.Any:
        """What the function returns; an AWS error ends the module with its explanation.

        Errors of boto3 that no handler has met (no credentials, unknown profile, no region) are caught here too.
        """
        try:
            return function()
        except AnsibleAWSError as e:
            self.fail_json_aws_error(e)
        except Exception as e:
            if not type(e).__module__.startswith("botocore"):
                raise
            self.fail_json_aws_error(AnsibleAWSError(message="Failed to call AWS", exception=e))

    def manage(
        self,
        name: str,
        read: t.Callable[[], dict[str, t.Any] | None],
        plan: t.Callable[[dict[str, t.Any] | None], Plan],
        shared: t.Collection[str] = (),
        outcome: t.Callable[[Plan, list[t.Any]], dict[str, t.Any]] | None = None,
        **results: t.Any,
    ) -> t.NoReturn:
        """Read, plan, apply (not in check mode), read again, exit.

        :param name: key of the resource in the result
        :param read: returns the resource as it is, ``None`` when it is absent
        :param plan: pure; what to do about it
        :param shared: methods that replace a document which other runs write too; it is looked at again afterwards
        :param outcome: further keys of the result, from the plan and what AWS answered to its calls (nothing in check
            mode); for what is told once
        :param results: further keys of the result
        """

        answers: list[t.Any] = []

        def run() -> tuple[Plan, dict[str, t.Any] | None, list[str]]:
            planned = plan(read())
            if self.check_mode or not planned.changes:
                return planned, planned.after, []
            answers.extend(apply(self.connection, planned.changes))
            if any(change.method in shared for change in planned.changes):
                return planned, *confirm(self.connection, read, plan, shared)
            return planned, read(), []

        planned, resource, again = self.guard(run)
        result: dict[str, t.Any] = {
            "changed": planned.changed,
            "changes": [change.summary for change in planned.changes] + again,
            name: resource,
            **results,
            **(outcome(planned, answers) if outcome else {}),
        }
        if planned.changed:
            result["diff"] = planned.diff
        if planned.kept:
            result["kept"] = planned.kept
        self.exit_json(**result)
