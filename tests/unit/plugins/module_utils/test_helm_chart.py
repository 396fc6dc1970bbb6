# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart on this machine says what it is."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._helm_chart import chart_of, digest_of

KUBECOST = {"name": "kubecost", "version": "3.2.4"}
CONTENT = "name: kubecost\nversion: 3.2.4\n"


def archive(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content.encode()))
    return path


def test_a_folder_and_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kubecost"
    folder.mkdir()
    (folder / "Chart.yaml").write_text(CONTENT)
    files = {"kubecost/charts/agent/Chart.yaml": "name: agent\nversion: '1'\n", "kubecost/Chart.yaml": CONTENT}
    packed = archive(tmp_path / "kubecost-3.2.4.tgz", files)
    assert chart_of(str(folder)) == (KUBECOST, None)
    assert chart_of(str(packed)) == (KUBECOST, None)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert chart_of("~/kubecost") == (KUBECOST, None)
    monkeypatch.chdir(tmp_path)
    assert chart_of("./kubecost") == chart_of("kubecost") == (KUBECOST, None)
    assert digest_of("~/kubecost-3.2.4.tgz") == f"sha256:{hashlib.sha256(packed.read_bytes()).hexdigest()}"
    assert digest_of("~/kubecost") is None


@pytest.mark.parametrize(
    "ref", ["kubecost", "mirror/kubecost", "oci://registry.example.com/kubecost", "https://x/y.tgz"]
)
def test_what_is_not_on_this_machine(ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert chart_of(ref) == (None, None)


def test_what_is_no_chart(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "Chart.yaml").write_text("name: [")
    nameless = tmp_path / "nameless"
    nameless.mkdir()
    (nameless / "Chart.yaml").write_text("name: kubecost\n")
    text = tmp_path / "text.tgz"
    text.write_text("no archive")
    other = archive(tmp_path / "other.tgz", {"README.md": "nothing"})
    for path, said in (
        (tmp_path / "missing", "is not on this machine"),
        (empty, "No such file"),
        (wrong, "is not a chart: while parsing"),
        (nameless, "has no name and version"),
        (text, "is not a chart"),
        (other, "it has no Chart.yaml"),
    ):
        found, problem = chart_of(str(path))
        assert found is None
        assert f"'{path}'" in str(problem) and said in str(problem)
