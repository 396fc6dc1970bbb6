# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-test sanity without writing into the user's home: ``python -m tools.sanity``.

ansible-test makes a virtualenv for each of its tests below HOME, and hands pip nothing of the environment but HOME.
So it gets a home of its own in the cache, for that time with the user's pip settings, and with a get-pip script that
takes the pip which Python brings along (ansible-test would download one).
"""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys

from tools.environment import environment
from tools.paths import cache

# The name carries the pip version that ansible-core 2.19 pins.
GET_PIP_NAME = "get_pip_24_2.py"
GET_PIP = "import ensurepip\nensurepip.bootstrap(default_pip=True)\n"


def pip_settings() -> configparser.ConfigParser:
    """pip's settings from all its files and variables, later ones winning, in the form of one file."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    settings = configparser.RawConfigParser()
    found: dict[tuple[str, str], str] = {}
    for line in sorted(lines, key=lambda text: text.startswith(":env:")):
        name, value = line.split("=", maxsplit=1)
        section, option = name.rsplit(".", maxsplit=1)
        found["global" if section == ":env:" else section, option] = str(ast.literal_eval(value))
    for (section, option), value in found.items():
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, value.replace("\n", "\n    "))
    return settings


def main(arguments: list[str]) -> int:
    """ansible-test's exit status."""
    home = cache() / "home"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    scripts, config = home / ".ansible/test/cache", home / ".config/pip/pip.conf"
    scripts.mkdir(parents=True, exist_ok=True)
    config.parent.mkdir(parents=True, exist_ok=True)
    (scripts / GET_PIP_NAME).write_text(GET_PIP, encoding="utf-8")
    try:
        with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            pip_settings().write(file)
        command = ["ansible-test", "sanity", "--python", python, "--junit", "--color", "no", *arguments]
        return subprocess.run(command, env=environment(home), check=False).returncode
    finally:
        config.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
