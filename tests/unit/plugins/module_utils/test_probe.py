# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before any call, and what is said about a proof. The proof itself is made in the sandbox."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe as probe
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_links as links
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_billing import Athena

ATHENA = Athena("us-east-1", "kubecost", "billing", "kubecost", "s3://acme/x", ("a",), delivered=True)
CLAIM = probe.Claim(
    namespace="kubecost",
    service_account="kubecost",
    role_arn="arn:aws:iam::222222222222:role/finops/kubecost",
    audience="sts.amazonaws.com",
    assume_role_arn="arn:aws-cn:iam::111111111111:role/kubecost-cur-access",
    athena=ATHENA,
)


def test_a_good_claim_passes() -> None:
    probe.check_claim(CLAIM, "https://demo.example")
    probe.check_claim(dataclasses.replace(CLAIM, athena=None, assume_role_arn=None))
    probe.check_claim(dataclasses.replace(CLAIM, athena=dataclasses.replace(ATHENA, region=None)))


@pytest.mark.parametrize(
    ("changes", "host", "said"),
    [
        ({"role_arn": "kubecost"}, None, "role_arn: 'kubecost' is not the ARN of an IAM role"),
        ({"role_arn": "arn:aws:iam::2222:role/kubecost"}, None, "role_arn: "),
        ({"assume_role_arn": "arn:aws:iam::111111111111:user/x"}, None, "assume_role_arn: "),
        ({"assume_role_arn": ""}, None, "assume_role_arn: '' is not the ARN"),
        ({"athena": dataclasses.replace(ATHENA, region="us-esat-1")}, None, "athena.region: 'us-esat-1'"),
        ({"athena": dataclasses.replace(ATHENA, output_location="acme/x")}, None, "Write s3://acme/x"),
        ({"patience_seconds": -1}, None, "wait_timeout: '-1'"),
        ({}, "demo.example", "host: 'demo.example' is not the URL of an API server"),
    ],
)
def test_a_wrong_option_is_refused_by_name(changes: dict[str, Any], host: str | None, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        probe.check_claim(dataclasses.replace(CLAIM, **changes), host)


def proof(*given: links.Link) -> dict[str, Any]:
    """A proof of these links."""
    return {"state": links.verdict(given), "links": [link.result() for link in given]}


GOOD = links.ok("token", "Made")
WAITING = links.pending("query", "No rows", "nothing is delivered")
BAD = links.failed("secret", "It differs", "it differs in a", "Correct it")


def test_the_message_is_about_the_first_failure() -> None:
    assert links.message(proof(GOOD, WAITING, BAD)) == "secret: It differs. Cause: it differs in a. Change: Correct it."


def test_else_about_what_is_pending() -> None:
    assert links.message(proof(GOOD, WAITING)) == "query: No rows. Cause: nothing is delivered."


def test_else_all_is_well() -> None:
    assert links.message(proof(GOOD)) == "Every link is proved"
