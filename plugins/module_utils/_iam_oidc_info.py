# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several IAM OpenID Connect providers at once."""

from __future__ import annotations

import functools
import typing as t

from ._connection import AwsConnection
from ._errors import error_handler
from ._iam_oidc import Provider, read
from ._plan import gather

_IamError = error_handler("NoSuchEntity")


def read_some(connection: AwsConnection, arns: t.Iterable[str]) -> list[Provider]:
    """The providers of these ARNs that exist, by ARN; one call each, side by side."""
    found = gather({arn: functools.partial(read, connection, arn) for arn in sorted(set(arns))})
    return [provider for provider in found.values() if provider is not None]


def read_all(connection: AwsConnection) -> list[Provider]:
    """All providers of the account, by ARN; one call, and one for each."""
    return read_some(connection, _list_arns(connection))


@_IamError.common_error_handler("list the OpenID Connect providers")
def _list_arns(connection: AwsConnection) -> list[str]:
    answer = connection.client("iam").list_open_id_connect_providers()
    return [provider["Arn"] for provider in answer["OpenIDConnectProviderList"]]
