# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with a cluster's certificate authority: its name, its content, its modes, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nTm90IGEgY2VydGlmaWNhdGUgb2YgYSBjbHVzdGVy\n-----END CERTIFICATE-----\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ANSIBLE_HOME for one test; it does not exist yet."""
    folder = tmp_path / "home" / ".ansible"
    ask = constants.config.get_config_value

    def answer(name: str, *args: Any, **kwargs: Any) -> Any:
        return str(folder) if name == "ANSIBLE_HOME" else ask(name, *args, **kwargs)

    monkeypatch.setattr(constants.config, "get_config_value", answer)
    return folder


def lookup(*contents: bytes) -> list[Path]:
    terms = [base64.b64encode(content).decode() for content in contents]
    return [Path(path) for path in lookup_loader.get("kubestrap.aws.eks_ca_file").run(terms, {})]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_named_after_its_content(home: Path) -> None:
    other = CERTIFICATE.replace(b"Tm90", b"YWxz")

    first, second, again = lookup(CERTIFICATE, other, CERTIFICATE)

    assert first == again != second
    assert first == home / "kubestrap.aws" / f"ca-{hashlib.sha256(CERTIFICATE).hexdigest()[:20]}.pem"
    assert first.read_bytes() == CERTIFICATE
    assert second.read_bytes() == other
    assert sorted(first.parent.iterdir()) == sorted([first, second])


def test_only_the_user_may_change_it(home: Path) -> None:
    before = os.umask(0)
    try:
        (path,) = lookup(CERTIFICATE)
    finally:
        os.umask(before)

    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_a_good_file_is_not_written_again(home: Path) -> None:
    (path,) = lookup(CERTIFICATE)
    before = path.stat()

    lookup(CERTIFICATE)

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", [b"", CERTIFICATE[:40], CERTIFICATE.replace(b"Tm90", b"YWxz")])
def test_a_file_with_other_content_is_written_again(home: Path, content: bytes) -> None:
    (path,) = lookup(CERTIFICATE)
    path.write_bytes(content)
    path.chmod(0o666)

    assert lookup(CERTIFICATE) == [path]
    assert path.read_bytes() == CERTIFICATE
    assert mode(path) == 0o600


def test_a_link_to_another_file_is_replaced_and_that_file_left_alone(home: Path, tmp_path: Path) -> None:
    (path,) = lookup(CERTIFICATE)
    other = tmp_path / "other.pem"
    other.write_bytes(b"of somebody else")
    path.unlink()
    path.symlink_to(other)

    lookup(CERTIFICATE)

    assert not path.is_symlink()
    assert path.read_bytes() == CERTIFICATE
    assert other.read_bytes() == b"of somebody else"


def test_nothing_is_left_of_a_write_that_fails(home: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CERTIFICATE) // 2, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            lookup(CERTIFICATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert list((home / "kubestrap.aws").iterdir()) == []


@pytest.mark.parametrize("term", ["not base64!", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0", 7, None, ["LS0t"]])
def test_what_is_not_base64(home: Path, term: Any) -> None:
    with pytest.raises(AnsibleLookupError, match="eks_ca_file: the term is not base64"):
        lookup_loader.get("kubestrap.aws.eks_ca_file").run([term], {})
    assert not home.exists()


@pytest.mark.parametrize("content", [b"", b"a kubeconfig", b"-----BEGIN PUBLIC KEY-----\n"])
def test_what_is_not_a_certificate(home: Path, content: bytes) -> None:
    with pytest.raises(AnsibleLookupError, match="is not a certificate. Give certificate_authority_data"):
        lookup(content)
    assert not home.exists()
