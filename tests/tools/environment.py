# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment in which the tools run: nothing of the user's accounts in it, nothing written outside the project.

Dropped are all variables that would point a test at a real AWS account or cluster or change what Ansible does. HOME is
.make/home, so that what tools write there (Ansible, helm, ansible-lint) stays in the project.
"""

from __future__ import annotations

import os
from pathlib import Path

from tools.paths import COLLECTION, MAKE, VENV, cache

DROPPED = (
    "ANSIBLE_", "AWS_", "BOTO_", "EC2_", "FORCE_COLOR", "GALAXY_IMPORTER", "HELM_", "K8S_AUTH_", "KUBECONFIG",
    "MOLECULE_", "PYTEST_", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "XDG_",
)  # fmt: skip


def site_packages() -> Path:
    """The site-packages folder of the virtualenv; amazon.aws and kubernetes.core lie there."""
    return next((VENV / "lib").glob("python3*/site-packages"))


def environment(home: Path | None = None) -> dict[str, str]:
    """Environment variables for a tool; home replaces .make/home."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    home = home or MAKE / "home"
    ansible_home = MAKE / "ansible"
    for folder in (home, ansible_home):
        folder.mkdir(parents=True, exist_ok=True)
    config = MAKE / "ansible.cfg"
    # Ansible asks a thousand times a second whether a task has ended, which several runs at once pay for.
    config.write_text("[defaults]\ninternal_poll_interval = 0.01\n", encoding="utf-8")
    no_proxy = ",".join(filter(None, [env.get("no_proxy") or env.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    env |= {
        "ANSIBLE_COLLECTIONS_PATH": f"{MAKE}:{site_packages()}",
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOME": str(ansible_home),
        "ANSIBLE_NOCOWS": "1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HOME": str(home),
        "KUBESTRAP_CACHE": str(cache()),
        "LC_ALL": "C.UTF-8",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(MAKE / "molecule"),
        "NO_PROXY": no_proxy,
        "PATH": f"{VENV / 'bin'}:{env.get('PATH', os.defpath)}",
        "PYTHONPATH": str(COLLECTION / "tests"),
        "PYTHONUNBUFFERED": "1",
        "VIRTUAL_ENV": str(VENV),
        "no_proxy": no_proxy,
    }
    return env
