# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo, step by step: ``python -m demo [-v]``. ``make demo`` sets up what it needs and starts it."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import boto3
import yaml
from sandbox.client import Sandbox

from demo.playbooks import Run, fail, run_playbook

HERE = Path(__file__).parent
PAYER, CLUSTER_ACCOUNT = "111111111111", "222222222222"
CLUSTER, REGION = "prod-eu", "eu-west-1"
ACCOUNTS = {PAYER: "billing", CLUSTER_ACCOUNT: "prod"}
INVENTORY = HERE / "inventory.yml"
CHART = HERE.parent / "fixtures" / "charts" / "kubecost"


def main() -> None:
    """Run the demo; exits with 1 when a step does not end as it should."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="show all that ansible-playbook prints")
    verbose = parser.parse_args().verbose
    heading("The sandbox: AWS and Kubernetes on this machine")
    started = time.monotonic()
    with Sandbox.start(accounts=ACCOUNTS, clusters=[(CLUSTER, CLUSTER_ACCOUNT, REGION)]) as sandbox:
        describe_sandbox(sandbox, time.monotonic() - started)
        # What the chart's vendor publishes is not on this machine; a small chart with its value keys is.
        extra_vars = sandbox.state_file.parent / "demo-vars.yml"
        extra_vars.write_text(yaml.safe_dump({"kubecost_chart_ref": str(CHART)}))

        def play(name: str) -> Run:
            run = run_playbook(sandbox, f"kubestrap.aws.{name}", INVENTORY, extra_vars, verbose)
            print(f"\n    {run.seconds:.1f} s, {run.in_words}")
            return run

        steps(sandbox, play)
    heading("Now for real")
    print(REAL_USE.format(inventory=INVENTORY.read_text()))


def steps(sandbox: Sandbox, play) -> None:
    """Three runs, a break, and its explanation."""
    heading("Run 1: from nothing")
    say("AWS has delivered no billing data yet. Everything is made, Kubecost is installed, its access is proved.")
    if play("kubecost").returncode:
        fail("the first run failed")

    heading("AWS delivers the report (in reality within 24 hours)")
    delivery = sandbox.deliver(account_id=PAYER, report_name="kubecost")
    months = sum(name.endswith("-Manifest.json") for name in delivery["objects"])
    say(
        f"Delivered into the payer's bucket: {delivery['rows']} rows of {months} months, {delivery['columns']} columns."
    )

    heading("Run 2: the same command finishes the job")
    if play("kubecost").returncode:
        fail("the second run failed")

    heading("Run 3: nothing is left to do")
    third = play("kubecost")
    if third.returncode or third.count("write"):
        fail(f"the third run should change nothing, and made {third.count('write')} writes")

    heading("A deliberate break: somebody edits the trust of Kubecost's role")
    trust_another_service_account(sandbox)
    say("Its trust policy now names the ServiceAccount 'somebody-else'. No pod notices before its token expires.")
    heading("verify finds it, and says what to change")
    if play("verify").returncode == 0:
        fail("verify did not notice the broken trust")


def trust_another_service_account(sandbox: Sandbox) -> None:
    """Replace the subject in the trust policy of the cluster's role."""
    os.environ.update(sandbox.environment())
    iam = boto3.Session(profile_name=ACCOUNTS[CLUSTER_ACCOUNT]).client("iam")
    role = f"kubecost-{CLUSTER}"
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    conditions = trust["Statement"][0]["Condition"]["StringEquals"]
    subject = next(key for key in conditions if key.endswith(":sub"))
    conditions[subject] = "system:serviceaccount:kubecost:somebody-else"
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))


def describe_sandbox(sandbox: Sandbox, seconds: float) -> None:
    """What runs, in plain words."""
    cluster = sandbox.state["clusters"][CLUSTER]
    say(f"AWS: MiniStack with IAM enforcement, behind {sandbox.state['endpoint_url']}")
    say(f"     payer account {PAYER} and cluster account {CLUSTER_ACCOUNT}, both empty")
    say(f"Kubernetes: etcd, kube-apiserver, controller manager, scheduler, kwok, behind {cluster['endpoint']}")
    say(f"     EKS cluster {CLUSTER} in {REGION}, issuer {cluster['issuer']}")
    say(f"Helm: the real program. Ready after {seconds:.1f} s.")


def heading(text: str) -> None:
    """A step of the demo."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def say(text: str) -> None:
    """A sentence of the demo."""
    print(f"  {text}", flush=True)


REAL_USE = """\
Write your accounts and clusters into an inventory, as the demo did:

{inventory}
and run the same command, with profiles of your own AWS configuration:

  ansible-galaxy collection install kubestrap.aws
  ansible-playbook -i inventory.yml kubestrap.aws.kubecost --check --diff     # what it would do
  ansible-playbook -i inventory.yml kubestrap.aws.kubecost
  ansible-playbook -i inventory.yml kubestrap.aws.verify                      # at any time
"""


if __name__ == "__main__":
    main()
