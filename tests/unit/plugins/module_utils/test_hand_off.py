# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents between two owners: what is written is read, and what a stranger could slip in is refused by name."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._hand_off import BILLING, READERS, document, parse
from ansible_collections.kubestrap.aws.plugins.module_utils.policies import billing_data_reader

PAYER, CLUSTER = "111111111111", "222222222222"
READER_ARN = f"arn:aws:iam::{PAYER}:role/kubecost-cur-access"
STATEMENTS = billing_data_reader(
    partition="aws",
    region="us-east-1",
    account_id=PAYER,
    report_bucket="acme-cur",
    report_prefix="cur",
    results_bucket="acme-results",
    results_prefix="kubecost",
    workgroup="kubecost",
    database="billing",
    table="kubecost",
    report_kms_key_arn=f"arn:aws:kms:us-east-1:{PAYER}:key/1",
    results_kms_key_arn=f"arn:aws:kms:us-east-1:{PAYER}:key/2",
)
RESULT: dict[str, Any] = {
    "account_id": PAYER,
    "partition": "aws",
    "region": "us-east-1",
    "report_name": "kubecost",
    "report_bucket": "acme-cur",
    "report_prefix": "cur",
    "results_location": "s3://acme-results/kubecost/",
    "workgroup": "kubecost",
    "catalog": "",
    "database": "billing",
    "table": "kubecost",
    "reader_role_arn": READER_ARN,
    "reader_statements": STATEMENTS,
    "cloud_integration": {
        "account_id": PAYER,
        "bucket": "s3://acme-results/kubecost/",
        "region": "us-east-1",
        "database": "billing",
        "table": "kubecost",
        "workgroup": "kubecost",
        "role_arn": READER_ARN,
    },
    "delivered": False,
    "last_delivery": "2026-11-21 10:00:00+00:00",
    "last_status": "SUCCESS",
    "changes": ["create the role"],
    "notes": [],
}
READER: dict[str, Any] = {
    "account_id": CLUSTER,
    "partition": "aws",
    "role_arn": f"arn:aws:iam::{CLUSTER}:role/team/kubecost-prod",
    "payers": ["payer-main"],
    "leaving": False,
    "state": "present",
}
DOCUMENTS = {
    BILLING: document(BILLING, {"payer-main": RESULT}, {}),
    READERS: document(READERS, {"prod-eu": READER}, {}),
}


def test_what_is_written_is_read() -> None:
    (entry,) = parse(BILLING, "x", DOCUMENTS[BILLING]).values()
    assert entry == {key: value for key, value in RESULT.items() if key not in ("changes", "notes")}
    assert parse(READERS, "x", DOCUMENTS[READERS]) == {
        "prod-eu": {key: value for key, value in READER.items() if key != "state"}
    }


@pytest.mark.parametrize("kind", [BILLING, READERS])
@pytest.mark.parametrize("nothing", [None, {}])
def test_nothing_has_been_handed_over_yet(kind: str, nothing: Any) -> None:
    assert parse(kind, "x", nothing) == {}


def test_a_document_grows_and_is_sorted() -> None:
    known = {"b": {"account_id": "1"}, "a": {"account_id": "2"}}
    new = document(READERS, {"b": READER}, known)
    assert list(new["clusters"]) == ["a", "b"]
    assert new["clusters"]["a"] == {"account_id": "2"}
    assert new["clusters"]["b"]["account_id"] == CLUSTER


def test_what_is_optional_may_be_missing() -> None:
    handed = copy.deepcopy(DOCUMENTS)
    for key in ("catalog", "reader_statements", "last_delivery", "last_status"):
        del handed[BILLING]["payers"]["payer-main"][key]
    del handed[READERS]["clusters"]["prod-eu"]["leaving"]
    assert parse(BILLING, "x", handed[BILLING])
    assert parse(READERS, "x", handed[READERS])["prod-eu"]["leaving"] is False


def test_another_partition_is_read_too() -> None:
    text = str(DOCUMENTS[BILLING]).replace("arn:aws:", "arn:aws-cn:").replace("us-east-1", "cn-north-1")
    china = eval(text.replace("'partition': 'aws'", "'partition': 'aws-cn'"))
    assert parse(BILLING, "x", china)["payer-main"]["partition"] == "aws-cn"


# Kind, path and new value -> what is said.
WRONG: dict[str, tuple[str, str, Any, str]] = {
    "version to come": (BILLING, "version", 2, "x.version: '2' is not the version 1 that is understood here. Use the"),
    "version of another type": (READERS, "version", True, "x.version: 'True' is not the version 1"),
    "no version": (READERS, "version", None, "x.version: 'None' is not the version 1"),
    "mixed up": (BILLING, "kind", READERS, "is the kind of a readers document, not of a billing document"),
    "kind unknown": (READERS, "kind", "shopping", "x.kind: 'shopping' is not the kind of a readers document. Use"),
    "foreign key": (BILLING, "password", "1234", "x.password: '1234' is a foreign key. Remove it; the keys are: ver"),
    "no mapping": (BILLING, "payers", [], "x.payers: '[]' is not a mapping of inventory names"),
    "no host": (READERS, "clusters.{{ evil }}", READER, "x.clusters: '{{ evil }}' is not the name of a host"),
    "entry no mapping": (READERS, "clusters.prod-eu", "role", "x.clusters.prod-eu: 'role' is not a mapping"),
    "foreign key in an entry": (
        READERS,
        "clusters.prod-eu.external_id",
        "s3cret",
        "x.clusters.prod-eu.external_id: 's3cret' is a foreign key",
    ),
    "changes of the run": (BILLING, "payers.payer-main.changes", [], "x.payers.payer-main.changes: '[]' is a foreign"),
    "account of too few digits": (READERS, "clusters.prod-eu.account_id", 2222, "account_id: '2222' has 4 digits"),
    "role of another account": (
        READERS,
        "clusters.prod-eu.role_arn",
        "arn:aws:iam::333333333333:role/evil",
        "role_arn: 'arn:aws:iam::333333333333:role/evil' is not in the account 222222222222 of its entry",
    ),
    "all roles": (READERS, "clusters.prod-eu.role_arn", f"arn:aws:iam::{CLUSTER}:role/*", "not the whole ARN of one"),
    "the account": (READERS, "clusters.prod-eu.role_arn", f"arn:aws:iam::{CLUSTER}:root", "not the whole ARN of one"),
    "role of another partition": (
        READERS,
        "clusters.prod-eu.role_arn",
        f"arn:aws-cn:iam::{CLUSTER}:role/r",
        "is not in the partition aws of its entry",
    ),
    "payers no list": (READERS, "clusters.prod-eu.payers", "payer-main", "payers: 'payer-main' is not a list of inven"),
    "leaving in words": (READERS, "clusters.prod-eu.leaving", "yes", "leaving: 'yes' is neither true nor false"),
    "delivered in words": (BILLING, "payers.payer-main.delivered", "yes", "delivered: 'yes' is neither true nor fa"),
    "region unknown": (BILLING, "payers.payer-main.region", "eu-wset-1", "region: 'eu-wset-1' is not a region"),
    "partition of another region": (
        BILLING,
        "payers.payer-main.partition",
        "aws-cn",
        "partition: 'aws-cn' is not that of the region us-east-1",
    ),
    "template": (BILLING, "payers.payer-main.database", "{{ x }}", "database: '{{ x }}' is not a name"),
    "number": (BILLING, "payers.payer-main.table", 7, "table: '7' is not a name"),
    "reader role of another account": (
        BILLING,
        "payers.payer-main.reader_role_arn",
        "arn:aws:iam::333333333333:role/evil",
        "is not in the account 111111111111 of its entry",
    ),
    "integration of another account": (
        BILLING,
        "payers.payer-main.cloud_integration",
        {**RESULT["cloud_integration"], "account_id": "333333333333", "role_arn": ""},
        "cloud_integration.account_id: '333333333333' differs from '111111111111' in the same entry",
    ),
    "integration with another role": (
        BILLING,
        "payers.payer-main.cloud_integration",
        {**RESULT["cloud_integration"], "role_arn": f"arn:aws:iam::{PAYER}:role/other"},
        "cloud_integration.role_arn: 'arn:aws:iam::111111111111:role/other' differs from",
    ),
    "integration with a key": (
        BILLING,
        "payers.payer-main.cloud_integration",
        {**RESULT["cloud_integration"], "secret": "x"},
        "x.payers.payer-main.cloud_integration: 'secret' is not a key of a payer",
    ),
    "no integration": (BILLING, "payers.payer-main.cloud_integration", None, "cloud_integration: 'None' is not a ma"),
    "statements no list": (BILLING, "payers.payer-main.reader_statements", {}, "reader_statements: '{}' is not a list"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_by_name(case: str) -> None:
    kind, path, value, said = WRONG[case]
    handed = copy.deepcopy(DOCUMENTS[kind])
    place: Any = handed
    *way, last = path.split(".")
    for key in way:
        place = place[key]
    place[last] = value
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        parse(kind, "x", handed)


@pytest.mark.parametrize("content", ["text", [1], 7])
def test_what_is_no_document_is_refused(content: Any) -> None:
    with pytest.raises(AnsibleAWSError, match=re.escape(f"x: '{content}' is not a readers document. Use the readers")):
        parse(READERS, "x", content)


def test_a_missing_key_is_named() -> None:
    handed = copy.deepcopy(DOCUMENTS[BILLING])
    del handed["payers"]["payer-main"]["workgroup"]
    with pytest.raises(AnsibleAWSError, match=r"x.payers.payer-main.workgroup: '' is missing"):
        parse(BILLING, "x", handed)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, "Action: '*' is not needed to read billing data"),
        ({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}, "Resource: '['*']' leaves it open where s3"),
        ({"Effect": "Allow", "Action": "s3:GetObject"}, "Resource: '[]' leaves it open where s3:GetObject is allowed"),
        ({"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::b/*"}, "is not needed to read"),
        ({"Effect": "Allow", "Action": "iam:PassRole", "Resource": READER_ARN}, "'iam:PassRole' is not needed"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "NotAction: 'iam:*' is a foreign key"),
        ({"Effect": "Allow", "Resource": "*"}, "Action: '' is not needed to read billing data"),
        ({"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}, "Effect: 'Deny' is not Allow"),
        ("all", "reader_statements[0]: 'all' is not a statement"),
    ],
)
def test_a_statement_that_allows_more_is_refused(statement: Any, said: str) -> None:
    handed = copy.deepcopy(DOCUMENTS[BILLING])
    handed["payers"]["payer-main"]["reader_statements"] = [statement]
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        parse(BILLING, "x", handed)
