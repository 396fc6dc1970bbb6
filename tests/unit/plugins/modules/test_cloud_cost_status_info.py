# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options mean, what is refused, how long it is waited, and the shape of the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_finding import Finding
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_status import Log, read_log
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.modules import cloud_cost_status_info as module

GIVEN = {"host": "https://demo.example", "api_key": "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ"}
ACCOUNT = "111111111111"


def params(**options: Any) -> dict[str, Any]:
    """The task's parameters with defaults filled in."""
    result = ArgumentSpecValidator(module.ARGUMENTS).validate({**GIVEN, **options})
    assert not result.error_messages
    return result.validated_parameters


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"namespace": "Kubecost"}, "namespace: 'Kubecost' is not a name of a namespace"),
        ({"log_lines": -1}, "log_lines: '-1' is not a number from 0 on"),
        ({"wait_timeout": -5}, "wait_timeout: '-5' is not a number from 0 on"),
        ({"url": "kubecost.example"}, "url: 'kubecost.example' is not a URL"),
        ({"host": "demo.example"}, "host: 'demo.example' is not the URL of an API server"),
        ({"url": "http://k", "generation": "1"}, "generation: '1' has no status page to read from url"),
        ({"integrations": [{}]}, "integrations[0].account_id: 'None' is not an AWS account id"),
        ({"integrations": [{"account_id": 12345670123}]}, "integrations[0].account_id: '12345670123' has 11 digits"),
        (
            {"integrations": [{"account_id": ACCOUNT}, {"account_id": ACCOUNT, "proof": {"state": "proved"}}]},
            "integrations[1].proof:",
        ),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as refusal:
        module.check(params(**options))
    assert str(refusal.value).startswith(said)


def test_what_can_be_is_let_through() -> None:
    proof = {"state": "proved", "links": []}
    module.check(params(wait_timeout=0, log_lines=0, integrations=[{"account_id": ACCOUNT, "proof": proof}]))
    module.check(params(host=None, url="https://kubecost.example/model/cloudCost/status"))


def test_results_of_the_roles_can_be_given_as_they_are() -> None:
    billing = {
        "account_id": ACCOUNT,
        "results_location": "s3://results/kubecost/",
        "database": "billing",
        "table": "kubecost",
        "region": "us-east-1",
        "workgroup": "kubecost",
        "delivered": False,
        "reader_role_arn": "arn:aws:iam::111111111111:role/reader",
    }
    given = [{**billing, "proof": {"links": [], "state": "proved"}}, {"account_id": ACCOUNT, "delivered": "no"}]
    one, two = module.expected_of(params(integrations=given))
    assert (one.key, one.delivered, one.proved) == (f"{ACCOUNT}/s3://results/kubecost", False, True)
    assert one.values == {"database": "billing", "table": "kubecost", "region": "us-east-1", "workgroup": "kubecost"}
    assert (two.delivered, two.proof, two.values) == (False, None, {})
    assert module.expected_of(params(integrations=[{"account_id": ACCOUNT}]))[0].delivered is None


@pytest.mark.parametrize(
    ("generation", "selector", "port"),
    [
        ("1", "app=cost-analyzer", None),
        ("2", "app in (cloud-cost,cost-analyzer)", 9005),
        ("3", "app=cloud-cost", 9005),
        ("opencost", "app.kubernetes.io/name=opencost", 9003),
    ],
)
def test_where_it_looks(generation: str, selector: str, port: int | None) -> None:
    source = module.source_of(params(generation=generation))
    assert (source.selector, source.product.port) == (selector, port)
    assert (source.forward is None) == (port is None)
    assert source.get_url is None and source.kube is not None


def test_labels_of_ones_own_and_a_url() -> None:
    assert module.source_of(params(label_selectors=["app=x", "y=z"])).selector == "app=x,y=z"
    source = module.source_of(params(host=None, api_key=None, url="https://kubecost.example/"))
    assert source.kube is None and source.forward is None and source.get_url is not None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="does not exist"):
        module.source_of(params(ca_cert=str(tmp_path / "ca.pem")))


def test_the_kubernetes_client_goes_to_the_same_place(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    client = module.client_of(params(host="https://demo.example/", ca_cert=None))
    assert client.configuration.host == "https://demo.example"
    assert client.configuration.auth_settings()["BearerToken"]["value"] == f"Bearer {GIVEN['api_key']}"


class World:
    """Looks that find these one after the other; a clock that only sleeping and looking move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
        self.found, self.now, self.looks = list(found), 0.0, 0
        monkeypatch.setattr(module, "look", self.look)

    def look(self, *_arguments: Any) -> tuple[list[Finding], Log]:
        self.looks += 1
        return [Finding(self.found.pop(0) if len(self.found) > 1 else self.found[0], "seen")], Log()

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def follow(self, timeout: float) -> dict[str, Any]:
        return module.follow(None, [], timeout, self.sleep, lambda: self.now)


def test_it_waits_for_what_time_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "not_running", "starting", "working")
    result = world.follow(60)
    assert (result["state"], result["finding"], result["seconds"], world.looks) == ("ok", "working", 10, 3)


def test_it_does_not_wait_for_what_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for finding in ("denied", "not_delivered", "empty_query"):
        world = World(monkeypatch, finding)
        assert (world.follow(60)["finding"], world.looks) == (finding, 1)


def test_it_ends_with_the_state_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "starting")
    result = world.follow(12)
    assert (result["state"], result["seconds"], world.looks) == ("pending", 10, 3)
    assert World(monkeypatch, "starting").follow(0)["finding"] == "starting"


def test_a_configuration_that_stays_unread_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "starting", "starting", "not_read")
    assert (world.follow(600)["seconds"], world.now) == (40, 40), "30 s from when it was first seen"


def test_the_shape() -> None:
    key = f"{ACCOUNT}/s3://results"
    status = {"key": key, "connectionStatus": "Data Missing", "runs": 1, "config": {"bucket": "s3://results"}}
    made = [
        Finding("not_delivered", "Data Missing", "the cause", "Wait", key, status=status),
        Finding("denied", "Failed Connection", key="other", expected=False),
    ]
    log = read_log(["ERR Failed to lookup reserved instance data: no reservation data available in Athena"])
    result = module.shape(made, log, 3.7)
    assert {name: result[name] for name in ("state", "finding", "detail", "cause", "change")} == {
        "state": "pending",
        "finding": "not_delivered",
        "detail": "Data Missing",
        "cause": "the cause",
        "change": "Wait",
    }
    assert result["notes"] == [f"Ingestion of {key}: Data Missing. The cause. Wait."]
    assert [entry["expected"] for entry in result["integrations"]] == [True, False]
    assert result["integrations"][0]["status"] == {"connectionStatus": "Data Missing", "runs": 1}
    assert result["harmless"][0]["text"].startswith("ERR Failed to lookup reserved")
    assert (result["log_lines"], result["seconds"]) == (1, 3)
    assert not module.shape([Finding("working", "x")], Log(), 0)["notes"]
