# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module refuses before any call, and that its documentation shows what it returns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import Query
from ansible_collections.kubestrap.aws.plugins.modules import athena_query
from botocore.exceptions import ClientError


def options(**given: Any) -> dict[str, Any]:
    """The module's options."""
    names = (*yaml.safe_load(athena_query.DOCUMENTATION)["options"],)
    return {**dict.fromkeys(names), "query": "SELECT 1", "max_rows": 100, "wait": True, "wait_timeout": 300, **given}


def test_good_input() -> None:
    athena_query.check(options())
    athena_query.check(options(query=None, query_execution_id="x"))
    athena_query.check(options(workgroup="w", output_location="s3://acme/a/", expected_bucket_owner="111111111111"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"query": "DROP TABLE t"}, "query: 'DROP TABLE t' is not a query that only reads"),
        ({"query": "SHOW TABLES"}, "query: 'SHOW TABLES' is not a query that only reads"),
        ({"wait_timeout": None}, "wait_timeout: 'None' is not a number from 0 on"),
        ({"wait_timeout": -1}, "wait_timeout: '-1' is not a number from 0 on"),
        ({"max_rows": None}, "max_rows: 'None' is not a number from 0 on"),
        ({"workgroup": "a b"}, "workgroup: 'a b' is not the name"),
        ({"output_location": "acme/a/"}, "output_location: 'acme/a/' does not begin with s3://. Write s3://acme/a/"),
        ({"expected_bucket_owner": "1402433619"}, "expected_bucket_owner: '1402433619' has 10 digits"),
    ],
)
def test_bad_input(given: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        athena_query.check(options(**given))
    assert error.value.message.startswith(said)


def test_check_mode_starts_nothing() -> None:
    module = SimpleNamespace(params=options(), check_mode=True, connection=None)
    assert athena_query.run(module) == Query(id=None, state="NOT_STARTED")


def test_a_refusal_says_what_to_do() -> None:
    error = {"Error": {"Code": "InvalidRequestException", "Message": "No output location provided. An output ..."}}

    class Athena:
        def client(self, *_arguments: Any) -> Any:
            return self

        def start_query_execution(self, **_params: Any) -> None:
            raise ClientError(error, "StartQueryExecution")

    with pytest.raises(AnsibleAWSError) as raised:
        athena_query.run(SimpleNamespace(params=options(), check_mode=False, connection=Athena()))
    assert raised.value.message == "Failed to run the query. Set output_location here or in the workgroup"
    assert "No output location provided" in str(raised.value)


def test_the_documentation_shows_what_is_returned() -> None:
    returned = yaml.safe_load(athena_query.RETURN)["query"]["contains"]
    assert set(returned) == set(athena_query.shape(Query(None, "NOT_STARTED")))
