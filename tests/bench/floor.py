# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: the reads of a run once more, by plain boto3 in one process, side by side.

The record knows a call's service, operation, region, account and the name of what it is about, not its parameters. So
the required parameters are filled from the service's model with that name. An answer 'not found' takes as long as one
that was found; what is refused by boto3 itself is not counted.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from integration.world import operator
from sandbox.client import Sandbox

# Calls at the same time; boto3's connections per client are as many.
SIDE_BY_SIDE = 10
Call = Mapping[str, Any]


def parameters(shape: Any, call: Call) -> dict[str, Any]:
    """The required parameters of a call, with the name of its resource in each.

    :param shape: the input of the operation in botocore's model, None when it takes none
    """
    filled: dict[str, Any] = {}
    bucket, _slash, key = call["resource"].partition("/")
    for name in shape.required_members if shape else []:
        text = {"Bucket": bucket, "Key": key}.get(name) or call["resource"] or "none"
        filled[name] = [text] if shape.members[name].type_name == "list" else text
    return filled


def of_operators(calls: Iterable[Call], accounts: Iterable[str]) -> list[Call]:
    """The reads that belong to an account's operator. The proof makes others, as the roles that it takes."""
    known = set(accounts)
    return [call for call in calls if call["kind"] == "read" and call["account_id"] in known]


def floor(sandbox: Sandbox, calls: Iterable[Call]) -> tuple[int, float]:
    """Repeat the reads among the calls of a run: first who one is, then everything at once.

    :returns: number of calls, and seconds; roles are taken and clients are made within them, once for each
    """
    reads = of_operators(calls, sandbox.state["accounts"])
    begin = time.monotonic()
    accounts = sorted({call["account_id"] for call in reads})
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        connections = dict(
            zip(accounts, pool.map(lambda account: operator(sandbox, account, "us-east-1"), accounts), strict=True)
        )
        wanted = sorted({(call["account_id"], call["service"], call["region"] or "us-east-1") for call in reads})
        known = boto3.session.Session().get_available_services()
        clients = {
            (account, service, region): connections[account].client(service, region)
            for account, service, region in wanted
            if service in known
        }

        def repeat(call: Call) -> int:
            client = clients.get((call["account_id"], call["service"], call["region"] or "us-east-1"))
            method = xform_name(call["operation"])
            if client is None or not hasattr(client, method):
                return 0
            shape = client.meta.service_model.operation_model(call["operation"]).input_shape
            try:
                with contextlib.suppress(ClientError):
                    getattr(client, method)(**parameters(shape, call))
            except (BotoCoreError, TypeError, ValueError):
                return 0
            return 1

        who = [call for call in reads if call["service"] == "sts"]
        done = sum(pool.map(repeat, who))
        done += sum(pool.map(repeat, [call for call in reads if call["service"] != "sts"]))
    return done, time.monotonic() - begin
