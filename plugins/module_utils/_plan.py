# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, plan, apply: the one way in which every managing module works.

    current = read(connection, ...)          # all GET calls of the resource, side by side; None when it is absent
    planned = plan(current, desired)         # pure: no call, no module object
    if not check_mode: apply(connection, planned.changes)

A change is one AWS API call with its parameters. ``changed``, the diff and what check mode predicts all follow from
the plan, so that they cannot disagree with what is then done.
"""

from __future__ import annotations

import dataclasses
import random
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from ._connection import MAX_PARALLEL_READS, AwsConnection

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule and AWSLookupBase report a missing SDK.


@dataclasses.dataclass(frozen=True)
class Change:
    """One AWS API call that a plan asks for.

    :ivar summary: what it does, in plain words that follow "Failed to ": ``update the trust policy of role x``
    :ivar service: boto3 name of the service
    :ivar method: name of the boto3 client's method
    :ivar params: keyword arguments of the method
    :ivar region: where the call goes, when not to the connection's region
    :ivar retry_codes: error codes that mean "not yet" (AWS is eventually consistent). For a code that has other causes
        too: ``MalformedPolicy: Invalid principal``, code and a part of the message
    :ivar attempts: how often the call is made while it answers with one of ``retry_codes``; 10 take about a minute, 5
        about 10 seconds
    :ivar done_codes: error codes that mean that the change is already in place, such as a deleted object that is gone
    :ivar hints: error code -> what to do about it, where only this call can tell; a sentence without a full stop
    :ivar waiter: name of the boto3 waiter that runs after the call, with ``waiter_params``; none when empty
    :ivar function: makes the change instead of ``method`` where the number of calls cannot be known; ``method`` then
        names the API operation that it makes
    """

    summary: str
    service: str
    method: str
    params: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    region: str | None = None
    retry_codes: tuple[str, ...] = ()
    attempts: int = 10
    done_codes: tuple[str, ...] = ()
    hints: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    waiter: str = ""
    waiter_params: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    function: t.Callable[[AwsConnection], t.Any] | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is, what shall be, and the calls between them.

    :ivar before: the resource as it was read, ``None`` when it is absent
    :ivar after: the resource as it will be, with every value that can be known before the call (ARNs included);
        ``None`` when it will be absent
    :ivar changes: the calls in the order in which they are made; empty when nothing is to do
    :ivar kept: why something that was to go stays, ``None`` when nothing does
    """

    before: dict[str, t.Any] | None
    after: dict[str, t.Any] | None
    changes: list[Change] = dataclasses.field(default_factory=list)
    kept: str | None = None

    @property
    def changed(self) -> bool:
        return bool(self.changes)

    @property
    def diff(self) -> dict[str, t.Any]:
        """Ansible's diff of the resource: only the keys whose values differ."""
        before, after = self.before or {}, self.after or {}
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return {
            "before": {key: before[key] for key in keys if key in before},
            "after": {key: after[key] for key in keys if key in after},
        }


def gather(reads: t.Mapping[str, t.Callable[[], t.Any]]) -> dict[str, t.Any]:
    """Run the reads of one resource side by side.

    :param reads: name -> function without arguments
    :returns: name -> what the function returned
    :raises Exception: what the first failing read (in the order of ``reads``) raised
    """
    if not reads:
        return {}
    with ThreadPoolExecutor(max_workers=min(MAX_PARALLEL_READS, len(reads))) as pool:
        futures = {name: pool.submit(read) for name, read in reads.items()}
        return {name: future.result() for name, future in futures.items()}


def differing(current: t.Mapping[str, t.Any] | None, desired: t.Mapping[str, t.Any]) -> list[str]:
    """The keys of ``desired`` whose value is another one in ``current``.

    A key that ``desired`` lacks, or that is ``None`` there, was not set by the task and is never compared.
    """
    actual = current or {}
    return [key for key, value in desired.items() if value is not None and actual.get(key) != value]


def apply(connection: AwsConnection, changes: t.Iterable[Change]) -> list[t.Any]:
    """Make the calls of a plan in their order.

    :returns: the answer of each call
    :raises AnsibleAWSError: a call failed; the message is "Failed to <summary>", the changes before it stay made
    """
    return [_call(connection, change) for change in changes]


_CONFIRMATIONS = 5


def confirm(
    connection: AwsConnection,
    read: t.Callable[[], t.Any],
    plan: t.Callable[[t.Any], Plan],
    methods: t.Collection[str],
    pause: t.Callable[[float], t.Any] = time.sleep,
) -> tuple[t.Any, list[str]]:
    """Look whether what was just written is still there, and write it again where another run has overwritten it.

    For documents that several runs share and that AWS replaces as a whole, without a version to compare (IAM's trust
    policies). Whoever read before we wrote writes within the pause; so the look comes after it.

    :param methods: those of the changes that are looked after
    :returns: the resource as it is now, and the summaries of what was made again
    :raises AnsibleAWSError: it is overwritten again and again
    """
    again: list[str] = []
    for _attempt in range(_CONFIRMATIONS):
        pause(random.uniform(0.7, 1.5))
        resource = read()
        lost = [change for change in plan(resource).changes if change.method in methods]
        if not lost:
            return resource, again
        apply(connection, lost)
        again += [f"{change.summary} again: another run had overwritten it" for change in lost]
    raise AnsibleAWSError(
        message=f"Failed to {lost[0].summary}: another run has overwritten it {len(again)} times. Run this again when "
        "nobody else changes it"
    )


def _call(connection: AwsConnection, change: Change) -> t.Any:
    def call() -> t.Any:
        if change.function:
            return change.function(connection)
        return getattr(connection.client(change.service, change.region), change.method)(**change.params)

    try:
        answer = _retried(change, call)()
        if change.waiter:
            connection.client(change.service, change.region).get_waiter(change.waiter).wait(**change.waiter_params)
        return answer
    except ClientError as e:
        code = e.response["Error"]["Code"]
        if code in change.done_codes:
            return None
        hint = f". {change.hints[code]}" if code in change.hints else ""
        raise AnsibleAWSError(message=f"Failed to {change.summary}{hint}", exception=e) from e
    except BotoCoreError as e:  # a waiter's time-out too
        raise AnsibleAWSError(message=f"Failed to {change.summary}", exception=e) from e


def _retried(change: Change, call: t.Callable[[], t.Any]) -> t.Callable[[], t.Any]:
    """The call, repeated while AWS answers that it cannot be made yet."""
    if not change.retry_codes:
        return call

    texts = dict(code.partition(": ")[::2] for code in change.retry_codes)

    class NotYet(AWSRetry):
        @staticmethod
        def status_code_from_exception(error: ClientError) -> str:
            code = AWSRetry.status_code_from_exception(error)
            return code if texts.get(code, "") in error.response["Error"].get("Message", "") else ""

    backoff = NotYet.jittered_backoff(
        retries=change.attempts, delay=1, max_delay=10, catch_extra_error_codes=list(texts)
    )
    return backoff(call)
