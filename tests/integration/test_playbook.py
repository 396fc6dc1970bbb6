# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness itself: what it says of a run is true, and a failure does not pass for a success."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.files import Head
from integration.playbook import run_playbook
from sandbox.client import Sandbox

BUCKET = {"name": "kubestrap-harness", "region": "eu-west-1"}


def play(*tasks: dict) -> list[dict]:
    return [{"name": "Test", "hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]


def bucket(task: str, **options: object) -> dict:
    return {"name": task, "kubestrap.aws.s3_storage_bucket": {**BUCKET, **options}}


def test_a_run_is_described(gateway_sandbox: Sandbox) -> None:
    tasks = [bucket("Make"), bucket("Make again"), bucket("Delete", state="absent")]

    checked = run_playbook(play(*tasks), gateway_sandbox, "payer", check=True, diff=True)
    result = run_playbook(play(*tasks), gateway_sandbox, "payer")

    assert checked.ok, checked.report
    assert checked.writes == []
    assert checked.task("Make").result["diff"]["after"]["name"] == BUCKET["name"]
    assert result.ok, result.report
    assert result.changed == ["Make", "Delete"]
    assert [write.split()[0] for write in result.writes] == ["s3:CreateBucket", "s3:PutBucketPolicy", "s3:DeleteBucket"]
    assert {call["account_id"] for call in result.calls} == {"111111111111"}
    assert {call["who"].rsplit("/", 1)[0] for call in result.calls if call["kind"] == "write"} == {
        "arn:aws:sts::111111111111:assumed-role/operator"
    }
    assert result.stats["localhost"]["changed"] == 2
    made, made_again = result.task("Make"), result.task("Make again")
    within = [call["operation"] for call in result.calls if made.start <= call["time"] <= made.end]
    assert "CreateBucket" in within
    assert made.end <= made_again.start
    with pytest.raises(KeyError):
        result.task("Something else")


def test_a_task_costs_one_session(gateway_sandbox: Sandbox) -> None:
    """One AssumeRole per task, whatever it calls; a no-change bucket is read with at most seven calls."""
    everything = {
        "account_id": "111111111111",
        "encryption": {"sse_algorithm": "AES256"},
        "versioning": "Enabled",
        "lifecycle_rules": [{"id": "expire", "expiration_days": 1}],
        "tags": {"team": "platform"},
    }
    prepared = run_playbook(play(bucket("Make", **everything)), gateway_sandbox, "payer")
    result = run_playbook(play(bucket("Make", **everything)), gateway_sandbox, "payer", role_profiles=True)
    cleaned = run_playbook(play(bucket("Delete", state="absent")), gateway_sandbox, "payer")

    assert prepared.ok, prepared.report
    assert result.ok, result.report
    assert result.changed == []
    assert result.writes == []
    assert result.count(kind="session") == 1
    assert result.count(kind="read") == len(result.calls) - 1 == 7
    assert cleaned.ok, cleaned.report


def test_a_failure_is_a_failure(gateway_sandbox: Sandbox) -> None:
    result = run_playbook(play(bucket("Refused", name="Not_A_Bucket")), gateway_sandbox, "payer")

    assert not result.ok
    assert result.rc == 2
    assert result.task("Refused").failed
    assert "is not the name of a bucket" in result.report
    assert result.calls == []


def test_nothing_done_is_no_success(gateway_sandbox: Sandbox, tmp_path: Path) -> None:
    """No host matched: ansible-playbook ends with 0 and has done nothing."""
    plays = play(bucket("Make"))
    plays[0]["hosts"] = "nobody"
    broken = tmp_path / "broken.yml"
    broken.write_text("- hosts: [\n")

    assert run_playbook(plays, gateway_sandbox).rc == 0
    assert not run_playbook(plays, gateway_sandbox).ok
    assert not run_playbook(broken, gateway_sandbox).ok


def test_variables_inventory_and_limit(gateway_sandbox: Sandbox) -> None:
    plays = [
        {
            "name": "Test",
            "hosts": "clusters",
            "gather_facts": False,
            "tasks": [{"name": "Say", "ansible.builtin.debug": {"msg": "{{ greeting }} {{ place }}"}}],
        }
    ]
    inventory = {"clusters": {"hosts": {"one": {"place": "here"}, "two": {"place": "there"}}}}

    both = run_playbook(plays, gateway_sandbox, inventory=inventory, extra_vars={"greeting": "hello"})
    one = run_playbook(plays, gateway_sandbox, inventory=inventory, extra_vars={"greeting": "hello"}, limit="two")

    assert [both.task("Say", host).result["msg"] for host in ("one", "two")] == ["hello here", "hello there"]
    assert [task.host for task in one.tasks] == ["two"]


def test_nothing_of_the_user_gets_in(gateway_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-user")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-user-too")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "minimal")

    result = run_playbook(play({"name": "Who", "amazon.aws.aws_caller_info": {}}), gateway_sandbox, "cluster")

    assert result.ok, result.report
    assert result.task("Who").result["account"] == "222222222222"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\n- name: Nothing said\n", Head()),
        ("---\n# profile: cluster\n# A word about it.\n- name: X\n", Head(profile="cluster")),
        ("# sandbox: kubernetes\n---\n- name: X\n  # profile: late\n", Head(sandbox="kubernetes")),
    ],
)
def test_heads(text: str, expected: Head, tmp_path: Path) -> None:
    path = tmp_path / "playbook.yml"
    path.write_text(text)

    assert Head.of(path) == expected


def test_a_wrong_head_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "playbook.yml"
    path.write_text("# sandbox: kubernets\n---\n")

    with pytest.raises(ValueError, match="neither gateway nor kubernetes"):
        Head.of(path)
