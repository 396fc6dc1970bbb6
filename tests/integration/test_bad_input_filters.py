# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input to the filters, as a user writes it in YAML: the message that Ansible shows names input, value and cure."""

from __future__ import annotations

import textwrap
from pathlib import Path

from integration.playbook import run_playbook
from sandbox.client import Sandbox

PLAY = """
- name: Bad input
  hosts: localhost
  gather_facts: false
  vars:
    payer:
      {account_id: "111111111111", bucket: acme-results, region: us-east-1, database: b, table: t, workgroup: w}
    release: {generation: "3", release: kubecost, namespace: kubecost}
    wiring: {generation: "3", release: kubecost, cluster_id: demo, cloud_integration_secret: cloud-integration}
  tasks:
"""
# What is written (variables of the task, expression) -> what is said.
CASES = {
    "zeros lost": (
        "changed: {account_id: 012345670123}",
        "[payer | combine(changed)] | kubestrap.aws.cloud_integration('athena')",
        "entries[0].account_id: '1402433619' has 10 digits; YAML takes leading zeros from a number without quotes. "
        "Write the 12 digits of the account in quotes",
    ),
    "id without quotes": (
        "changed: {account_id: 111111111111}",
        "[payer | combine(changed)] | kubestrap.aws.cloud_integration('athena')",
        "entries[0].account_id: '111111111111' is a number, not a string",
    ),
    "id too short": (
        "changed: {account_id: '11111111111'}",
        "[payer | combine(changed)] | kubestrap.aws.cloud_integration('legacy')",
        "entries[0].account_id: '11111111111' has 11 digits",
    ),
    "scheme doubled": (
        "changed: {bucket: 's3://s3://acme-results'}",
        "[payer | combine(changed)] | kubestrap.aws.cloud_integration('athena')",
        "entries[0].bucket: 's3://s3://acme-results' has s3:// more than once. Write the bucket alone",
    ),
    "two reports, one key": (
        "changed: {bucket: 's3://acme-results', table: other}",
        "[payer, payer | combine(changed)] | kubestrap.aws.cloud_integration('athena')",
        "has the key 111111111111/s3://acme-results of entries[0]",
    ),
    "key of the other form": (
        "changed: {masterPayerARN: 'arn:aws:iam::111111111111:role/reader'}",
        "[payer | combine(changed)] | kubestrap.aws.cloud_integration('legacy')",
        "'masterPayerARN' is not a key of a payer. The keys are: account_id, bucket",
    ),
    "generation to come": (
        "changed: {generation: 4}",
        "release | combine(changed) | kubestrap.aws.kubecost_facts",
        "generation: '4' is not a generation of Kubecost that this collection knows. Write one of: '1', '2', '3'",
    ),
    "namespace with capitals": (
        "changed: {namespace: Kubecost}",
        "release | combine(changed) | kubestrap.aws.kubecost_facts",
        "namespace: 'Kubecost' is not a name of a Namespace that Kubernetes accepts: it has upper-case letters",
    ),
    "release too long": (
        "changed: {release: a-release-of-which-the-name-has-more-than-fifty-three-characters}",
        "wiring | combine(changed) | kubestrap.aws.kubecost_values",
        "it has 64 characters. Write at most 53",
    ),
    "secret with an underscore": (
        "changed: {cloud_integration_secret: cloud_integration}",
        "wiring | combine(changed) | kubestrap.aws.kubecost_values",
        "cloud_integration_secret: 'cloud_integration' is not a name of a Secret that Kubernetes accepts",
    ),
    "values of generation 2 for generation 3": (
        "changed: {user_values: {kubecostProductConfigs: {clusterName: demo}}}",
        "wiring | combine(changed) | kubestrap.aws.kubecost_values",
        "user_values.kubecostProductConfigs.clusterName: 'demo' is refused by the chart kubecost 3.x. "
        "Write global.clusterId",
    ),
    "values against the wiring": (
        "changed: {user_values: {global: {clusterId: other}}}",
        "wiring | combine(changed) | kubestrap.aws.kubecost_values",
        "user_values.global.clusterId: 'other' contradicts the wiring, which needs 'demo'",
    ),
}
GOOD = {
    "s3:// forgotten is no mistake": "([payer] | kubestrap.aws.cloud_integration('athena')).aws.athena[0].bucket",
    "facts": "(release | kubestrap.aws.kubecost_facts).service_account_name",
    "values": "(wiring | kubestrap.aws.kubecost_values).cloudCost.cloudIntegrationSecret",
}


def task(name: str, expression: str, variables: str) -> str:
    """A task that shows the expression and may fail."""
    text = f"""\
    - name: {name!r}
      vars: {{{variables}}}
      ansible.builtin.debug:
        msg: "{{{{ {expression} }}}}"
      ignore_errors: true
    """
    return textwrap.indent(textwrap.dedent(text), "    ")


def test_every_bad_input_is_named(gateway_sandbox: Sandbox, tmp_path: Path) -> None:
    tasks = [task(name, expression, variables) for name, (variables, expression, _said) in CASES.items()]
    tasks += [task(name, expression, "") for name, expression in GOOD.items()]
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY + "\n".join(tasks), encoding="utf-8")

    result = run_playbook(playbook, gateway_sandbox)

    assert result.ok, result.report
    for name, (_variables, _expression, said) in CASES.items():
        ran = result.task(name)
        assert ran.failed, f"{name}: it was accepted: {ran.result.get('msg')}"
        assert said in ran.result["msg"], name
    shown = {name: result.task(name).result["msg"] for name in GOOD}
    assert list(shown.values()) == ["s3://acme-results", "kubecost", "cloud-integration"]
    assert not result.calls, "a filter has nothing to ask AWS"
